//! Empty pages that are not the last page of a listing. AWS can return one at any time. Its token leads to the requested page.

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use serde_json::{Value, json};

use crate::body::{Body, full};
use crate::s3;

/// The listings of CloudWatch Logs, with the members of their items and of their next token.
const LOGS_LISTINGS: [(&str, &str, &str); 5] = [
    ("DescribeExportTasks", "exportTasks", "nextToken"),
    ("DescribeLogGroups", "logGroups", "nextToken"),
    ("DescribeLogStreams", "logStreams", "nextToken"),
    ("FilterLogEvents", "events", "nextToken"),
    ("GetLogEvents", "events", "nextForwardToken"),
];
const S3_LISTING: &str = "ListObjectsV2";

/// The token of an empty page is this prefix and the request's token. Two consecutive tokens differ, because a client can read a repeated
/// token as the end.
fn prefix(number: u32) -> String {
    if number == 1 { "after-an-empty-page.".to_owned() } else { format!("after-{number}-empty-pages.") }
}

/// The number of empty pages before a token, and the token of the first request.
fn parse(token: &str) -> Option<(u32, &str)> {
    if let Some(token) = token.strip_prefix(prefix(1).as_str()) {
        return Some((1, token));
    }
    let (number, token) = token.strip_prefix("after-")?.split_once("-empty-pages.")?;
    Some((number.parse().ok()?, token))
}

pub(crate) fn is_listing(operation: &str) -> bool {
    operation == S3_LISTING || LOGS_LISTINGS.iter().any(|(listing, ..)| *listing == operation)
}

/// An empty page of a listing of CloudWatch Logs. `number` is its position among consecutive empty pages.
pub(crate) fn logs_page(operation: &str, input: &Value, number: u32) -> Value {
    let (_, items, next) = LOGS_LISTINGS.iter().find(|(listing, ..)| *listing == operation).unwrap_or(&("", "items", "nextToken"));
    let token = input["nextToken"].as_str().unwrap_or_default();
    json!({ *items: [], *next: prefix(number) + token })
}

/// An empty page of ListObjectsV2.
pub(crate) fn s3_page(parts: &Parts, number: u32) -> Response<Body> {
    let token = s3::escape(&s3::parameter(parts, "continuation-token").unwrap_or_default());
    let prefix = prefix(number);
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>{prefix}{token}</NextContinuationToken></ListBucketResult>"
    );
    let mut response = Response::new(full(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Restores the original token of a request that continues after empty pages. Returns their number.
pub(crate) fn restore_logs_token(parts: &mut Parts, body: &mut Bytes) -> u32 {
    let Ok(mut input) = serde_json::from_slice::<Value>(body) else { return 0 };
    let Some((number, token)) = input["nextToken"].as_str().and_then(parse).map(|(number, token)| (number, token.to_owned())) else {
        return 0;
    };
    input["nextToken"] = if token.is_empty() { Value::Null } else { token.into() };
    *body = input.to_string().into();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    number
}

/// The same for ListObjectsV2. The token keeps its caller's encoding.
pub(crate) fn restore_s3_token(parts: &mut Parts) -> u32 {
    let mut number = 0;
    let query = parts.uri.query().unwrap_or_default();
    let restored = query.split('&').filter_map(|pair| match pair.strip_prefix("continuation-token=").and_then(parse) {
        Some((found, token)) => {
            number = found;
            (!token.is_empty()).then(|| format!("continuation-token={token}"))
        }
        None => Some(pair.to_owned()),
    });
    let restored = restored.collect::<Vec<_>>().join("&");
    if number > 0
        && let Ok(uri) = format!("{}?{restored}", parts.uri.path()).parse()
    {
        parts.uri = uri;
    }
    number
}
