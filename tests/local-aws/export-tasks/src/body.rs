//! Bodies, and the responses of the stand-in itself.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::error::ApiError;

/// The body of every response: the stand-in's, or a stream from the local AWS.
pub(crate) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// A complete body.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A response of the control endpoints.
pub(crate) fn control_json(status: StatusCode, value: &Value) -> Response<Body> {
    respond(status, "application/json", value)
}

/// A response of an AWS operation, with the request id that SDKs report.
pub(crate) fn aws_json(value: &Value) -> Response<Body> {
    with_request_id(respond(StatusCode::OK, "application/x-amz-json-1.1", value))
}

/// An error response of an AWS operation.
pub(crate) fn aws_error(error: &ApiError) -> Response<Body> {
    let status = StatusCode::from_u16(error.http_status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = json!({ "__type": error.name, "message": error.message });
    with_request_id(respond(status, "application/x-amz-json-1.1", &body))
}

fn respond(status: StatusCode, content_type: &'static str, value: &Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn with_request_id(mut response: Response<Body>) -> Response<Body> {
    // A UUID is always a valid header value.
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
