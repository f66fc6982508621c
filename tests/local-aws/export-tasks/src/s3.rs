//! S3 requests that the stand-in forwards: their operations, which can have faults, and S3's error responses.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;

use crate::body::{Body, full};
use crate::error::ApiError;
use crate::scope::CredentialScope;

/// The operations that can have faults: those of the functions and of the operator's tool.
pub(crate) const OPERATIONS: [&str; 6] =
    ["GetBucketLifecycleConfiguration", "GetObject", "HeadBucket", "HeadObject", "ListObjectsV2", "PutObject"];

/// One of [`OPERATIONS`], with its key.
#[derive(Debug, PartialEq)]
pub(crate) struct S3Operation {
    pub(crate) name: &'static str,
    /// `None` for an operation on a bucket.
    pub(crate) key: Option<String>,
}

/// The operation of a path-style request that is signed for S3. `None` for every other request.
pub(crate) fn operation(parts: &Parts) -> Option<S3Operation> {
    // The path alone is not enough, because other services have paths too.
    if CredentialScope::read(&parts.headers).ok()?.service != "s3" {
        return None;
    }
    let path = parts.uri.path().strip_prefix('/')?;
    let query: Vec<&str> = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    match path.split_once('/') {
        Some((_, key)) if !key.is_empty() => {
            // Any other parameter is a subresource, such as `acl`, and so another operation.
            let is_plain = |pair: &&str| {
                let name = pair.split('=').next().unwrap_or_default();
                ["x-id", "versionId", "partNumber"].contains(&name) || name.starts_with("response-")
            };
            if !query.iter().all(is_plain) || parts.headers.contains_key("x-amz-copy-source") {
                return None;
            }
            let name = match parts.method {
                Method::GET => "GetObject",
                Method::HEAD => "HeadObject",
                // A part of a multipart upload has a number.
                Method::PUT if !query.iter().any(|pair| pair.starts_with("partNumber")) => "PutObject",
                _ => return None,
            };
            Some(S3Operation { name, key: Some(decode(key)) })
        }
        _ => {
            let name = match parts.method {
                Method::GET if query.contains(&"list-type=2") => "ListObjectsV2",
                Method::GET if query == ["lifecycle"] => "GetBucketLifecycleConfiguration",
                Method::HEAD if query.is_empty() && !path.is_empty() => "HeadBucket",
                _ => return None,
            };
            Some(S3Operation { name, key: None })
        }
    }
}

/// The bucket and the key of a path-style request. A request for a bucket has no key; one for the account has neither.
pub(crate) fn bucket_and_key(parts: &Parts) -> (Option<String>, Option<String>) {
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decoded = |text: &str| (!text.is_empty()).then(|| decode(text));
    (decoded(bucket), decoded(key))
}

/// The decoded parameters of the query.
pub(crate) fn query_pairs(parts: &Parts) -> Vec<(String, String)> {
    let pairs = parts.uri.query().unwrap_or_default().split('&');
    pairs.filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}

/// A decoded parameter of the query.
pub(crate) fn parameter(parts: &Parts, name: &str) -> Option<String> {
    query_pairs(parts).into_iter().find_map(|(key, value)| (key == name).then_some(value))
}

/// An S3 error: XML, but no body for HEAD.
pub(crate) fn error_response(error: &ApiError, method: &Method) -> Response<Body> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let body = if method == Method::HEAD {
        String::new()
    } else {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>{id}</RequestId></Error>",
            escape(&error.name),
            escape(&error.message)
        )
    };
    let mut response = Response::new(full(body));
    *response.status_mut() = StatusCode::from_u16(error.http_status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-amz-request-id", id);
    }
    response
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::{S3Operation, operation};

    fn parse(method: &str, path: &str, service: &str) -> Option<S3Operation> {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=111122223333/20261101/ap-northeast-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let request = Request::builder().method(method).uri(path).header("authorization", scope).body(()).expect("a request");
        operation(&request.into_parts().0)
    }

    #[test]
    fn other_operations_and_services_have_no_faults() {
        for (method, path) in [
            ("GET", "/b"),
            ("GET", "/"),
            ("PUT", "/b"),
            ("GET", "/b/k?acl"),
            ("PUT", "/b/k?partNumber=1&uploadId=2"),
            ("DELETE", "/b/k"),
            ("PUT", "/b?lifecycle"),
        ] {
            assert_eq!(parse(method, path, "s3"), None, "{method} {path}");
        }
        assert_eq!(parse("PUT", "/2015-03-31/functions/f/configuration", "lambda"), None);
    }
}
