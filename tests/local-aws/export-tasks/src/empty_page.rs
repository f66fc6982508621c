//! An empty page that is not a listing's last, as AWS may answer at any time: its token leads to the page that was asked for.

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use serde_json::{Value, json};

use crate::body::{Body, full};
use crate::s3;

/// The listings of CloudWatch Logs, where they have their items, and the token of their next page.
const OF_LOGS: [(&str, &str, &str); 5] = [
    ("DescribeExportTasks", "exportTasks", "nextToken"),
    ("DescribeLogGroups", "logGroups", "nextToken"),
    ("DescribeLogStreams", "logStreams", "nextToken"),
    ("FilterLogEvents", "events", "nextToken"),
    ("GetLogEvents", "events", "nextForwardToken"),
];
const OF_S3: &str = "ListObjectsV2";

/// The token of an empty page begins so, and ends in the token that the request had. A client may take a token that comes again for the
/// end, so no two in a row are the same.
fn beginning(number: u32) -> String {
    if number == 1 { "after-an-empty-page.".to_owned() } else { format!("after-{number}-empty-pages.") }
}

/// How many empty pages a token follows, and the token that the first request had.
fn read(token: &str) -> Option<(u32, &str)> {
    if let Some(token) = token.strip_prefix(beginning(1).as_str()) {
        return Some((1, token));
    }
    let (number, token) = token.strip_prefix("after-")?.split_once("-empty-pages.")?;
    Some((number.parse().ok()?, token))
}

/// Whether an empty page can be ordered for an operation.
pub(crate) fn is_listing(operation: &str) -> bool {
    operation == OF_S3 || OF_LOGS.iter().any(|(listing, ..)| *listing == operation)
}

/// An empty page of a listing of CloudWatch Logs, the first or one that follows others.
pub(crate) fn of_logs(operation: &str, input: &Value, number: u32) -> Value {
    let (_, items, next) = OF_LOGS.iter().find(|(listing, ..)| *listing == operation).unwrap_or(&("", "items", "nextToken"));
    let token = input["nextToken"].as_str().unwrap_or_default();
    json!({ *items: [], *next: beginning(number) + token })
}

/// An empty page of ListObjectsV2.
pub(crate) fn of_s3(parts: &Parts, number: u32) -> Response<Body> {
    let token = s3::escape(&s3::parameter(parts, "continuation-token").unwrap_or_default());
    let beginning = beginning(number);
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>{beginning}{token}</NextContinuationToken></ListBucketResult>"
    );
    let mut response = Response::new(full(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Gives a request that goes on after empty pages its own token back. Tells how many there were.
pub(crate) fn restore_logs(parts: &mut Parts, body: &mut Bytes) -> u32 {
    let Ok(mut input) = serde_json::from_slice::<Value>(body) else { return 0 };
    let Some((number, token)) = input["nextToken"].as_str().and_then(read).map(|(number, token)| (number, token.to_owned())) else {
        return 0;
    };
    input["nextToken"] = if token.is_empty() { Value::Null } else { token.into() };
    *body = input.to_string().into();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    number
}

/// The same for ListObjectsV2. The token is left as its caller encoded it.
pub(crate) fn restore_s3(parts: &mut Parts) -> u32 {
    let mut number = 0;
    let query = parts.uri.query().unwrap_or_default();
    let restored = query.split('&').filter_map(|pair| match pair.strip_prefix("continuation-token=").and_then(read) {
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
