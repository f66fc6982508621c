//! Forwards requests to the local AWS, and its answers to the caller, unchanged.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, StatusCode, Uri};
use serde_json::json;

use crate::body::{Body, control_json, full};
use crate::upstream::{Upstream, UpstreamError};

/// Forwards a request with its complete body. The answer's body is a stream.
pub(crate) async fn forward(upstream: &Upstream, mut parts: Parts, body: Bytes) -> Result<Response<Incoming>, UpstreamError> {
    parts.uri = upstream_uri(upstream, &parts.uri)?;
    drop_hop_by_hop(&mut parts.headers);
    let mut response = upstream.send(Request::from_parts(parts, Full::new(body))).await?;
    drop_hop_by_hop(response.headers_mut());
    Ok(response)
}

/// Streams an answer to the caller.
pub(crate) fn stream(response: Response<Incoming>) -> Response<Body> {
    response.map(BodyExt::boxed_unsync)
}

/// Reads a complete answer, so that the stand-in can change it.
pub(crate) async fn collect(response: Response<Incoming>) -> Result<Response<Bytes>, UpstreamError> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| UpstreamError::Unreachable(error.to_string()))?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

/// Replaces the body of an answer.
pub(crate) fn replace(response: Response<Bytes>, body: Vec<u8>) -> Response<Body> {
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, full(body))
}

/// The response if the local AWS is unreachable.
pub(crate) fn bad_gateway(error: &UpstreamError) -> Response<Body> {
    control_json(StatusCode::BAD_GATEWAY, &json!({ "__type": "BadGateway", "message": error.to_string() }))
}

/// The same path and query, byte for byte, at the local AWS's address.
fn upstream_uri(upstream: &Upstream, uri: &Uri) -> Result<Uri, UpstreamError> {
    let invalid = |error: hyper::http::Error| UpstreamError::Invalid(format!("the request target {uri} cannot be forwarded: {error}"));
    let authority: Authority =
        upstream.address().to_string().parse().map_err(|error: hyper::http::uri::InvalidUri| invalid(error.into()))?;
    Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority)
        .path_and_query(uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")))
        .build()
        .map_err(invalid)
}

/// Removes the headers that concern one connection only. The other connection frames the body again.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in names {
        headers.remove(name);
    }
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
}
