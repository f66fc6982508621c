//! An empty page that is not a listing's last, as AWS may answer at any time: its token leads to the page that was asked for.

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use serde_json::{Value, json};

use crate::body::{Body, full};
use crate::s3;

/// The listings of CloudWatch Logs, and where they have their items.
const OF_LOGS: [(&str, &str); 3] =
    [("DescribeExportTasks", "exportTasks"), ("DescribeLogGroups", "logGroups"), ("DescribeLogStreams", "logStreams")];
const OF_S3: &str = "ListObjectsV2";

/// The token of an empty page begins so, and ends in the token that the request had.
const BEGINNING: &str = "after-an-empty-page.";

/// Whether an empty page can be ordered for an operation.
pub(crate) fn is_listing(operation: &str) -> bool {
    operation == OF_S3 || items(operation).is_some()
}

fn items(operation: &str) -> Option<&'static str> {
    OF_LOGS.iter().find(|(listing, _)| *listing == operation).map(|(_, items)| *items)
}

/// An empty page of a listing of CloudWatch Logs.
pub(crate) fn of_logs(operation: &str, input: &Value) -> Value {
    let token = input["nextToken"].as_str().unwrap_or_default();
    json!({ items(operation).unwrap_or("items"): [], "nextToken": format!("{BEGINNING}{token}") })
}

/// An empty page of ListObjectsV2.
pub(crate) fn of_s3(parts: &Parts) -> Response<Body> {
    let token = s3::escape(&s3::parameter(parts, "continuation-token").unwrap_or_default());
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>{BEGINNING}{token}</NextContinuationToken></ListBucketResult>"
    );
    let mut response = Response::new(full(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Gives a request that goes on after an empty page its own token back. False: it does not.
pub(crate) fn restore_logs(parts: &mut Parts, body: &mut Bytes) -> bool {
    let Ok(mut input) = serde_json::from_slice::<Value>(body) else { return false };
    let Some(token) = input["nextToken"].as_str().and_then(|token| token.strip_prefix(BEGINNING)).map(str::to_owned) else { return false };
    input["nextToken"] = if token.is_empty() { Value::Null } else { token.into() };
    *body = input.to_string().into();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    true
}

/// The same for ListObjectsV2. The token is left as its caller encoded it.
pub(crate) fn restore_s3(parts: &mut Parts) -> bool {
    let wrapped = format!("continuation-token={BEGINNING}");
    let query = parts.uri.query().unwrap_or_default();
    let restored = query.split('&').filter_map(|pair| match pair.strip_prefix(&wrapped) {
        Some("") => None,
        Some(token) => Some(format!("continuation-token={token}")),
        None => Some(pair.to_owned()),
    });
    let restored = restored.collect::<Vec<_>>().join("&");
    if restored == query {
        return false;
    }
    format!("{}?{restored}", parts.uri.path()).parse().is_ok_and(|uri| {
        parts.uri = uri;
        true
    })
}
