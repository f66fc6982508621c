//! Plain HTTP/1.1 to loopback, one connection for each request: for readiness and for the stand-in's controls, where no SDK applies.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends a request and returns the status and the whole body of the answer.
pub async fn request(addr: SocketAddr, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
    request_with(addr, method, path, &[("content-type", "application/json")], body).await
}

/// The same, with headers besides Host.
pub async fn request_with(
    addr: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<(StatusCode, Bytes)> {
    let context = || format!("{method} http://{addr}{path}");
    let stream = TcpStream::connect(addr).await.with_context(context)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.with_context(context)?;
    let request = Request::builder().method(&method).uri(path).header("host", addr.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::new(body)).with_context(context)?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        // Ends the connection, and with it the other half of the join below.
        drop(sender);
        Ok::<_, hyper::Error>((status, body))
    };
    let (answer, _closed) = tokio::join!(exchange, connection);
    answer.with_context(context)
}
