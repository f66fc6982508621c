//! The HTTP server: accepts connections, routes requests, and stops all that it started when it ends.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Collected};
use hyper::body::Incoming;
use hyper::header::ACCEPT_ENCODING;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::api;
use crate::body::{Body, aws_error, aws_json};
use crate::control;
use crate::empty_page;
use crate::engine;
use crate::faults::{CallFault, Target};
use crate::forward;
use crate::local::Local;
use crate::log_streams;
use crate::overlay;
use crate::requests::RecordedRequest;
use crate::s3;
use crate::scope::CredentialScope;
use crate::upstream::Upstream;

/// Serves the stand-in in front of the local AWS at `upstream` and of a second Step Functions engine at `engine`, until the future is
/// dropped. Every connection and export task ends with it.
///
/// Bind the listener first, because the local AWS needs the address at its start. Only loopback addresses are served, because the control
/// endpoints need no credentials.
pub async fn serve(listener: TcpListener, upstream: SocketAddr, engine: Option<SocketAddr>) -> anyhow::Result<()> {
    require_loopback(listener.local_addr()?)?;
    let (jobs, mut new_jobs) = mpsc::unbounded_channel();
    let local = Arc::new(Local::new(Upstream::new(upstream), engine.map(Upstream::new), jobs));
    // Dropping the set aborts its tasks.
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    running.spawn(serve_connection(Arc::clone(&local), stream));
                }
                Err(error) => {
                    // Usually no file descriptor is free. Connections that end free some.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(job) = new_jobs.recv() => {
                running.spawn(job);
            }
            Some(result) = running.join_next() => {
                if let Err(error) = result {
                    tracing::error!(%error, "a connection or an export task panicked");
                }
            }
        }
    }
}

fn require_loopback(address: SocketAddr) -> anyhow::Result<()> {
    anyhow::ensure!(address.ip().is_loopback(), "export-tasks serves only loopback addresses, not {address}: bind 127.0.0.1");
    Ok(())
}

async fn serve_connection(local: Arc<Local>, stream: TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let service = service_fn(move |request| {
        let local = Arc::clone(&local);
        async move { respond(&local, request).await }
    });
    let connection = hyper::server::conn::http1::Builder::new().preserve_header_case(true).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Closes the connection without a response.
#[derive(Debug)]
struct DropConnection;

impl fmt::Display for DropConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault drops the response")
    }
}

impl std::error::Error for DropConnection {}

async fn respond(local: &Arc<Local>, request: Request<Incoming>) -> Result<Response<Body>, DropConnection> {
    let (parts, body) = request.into_parts();
    // The caller has closed the connection.
    let Ok(body) = body.collect().await.map(Collected::to_bytes) else { return Err(DropConnection) };
    if parts.uri.path().starts_with("/_local/") {
        return Ok(control::respond(local, &parts, &body));
    }
    local.state().requests.record(RecordedRequest::parse(&parts, &body));
    if let Ok(scope) = CredentialScope::read(&parts.headers)
        && let Some(account) = scope.account()
    {
        local.state().accounts.insert(account.to_owned());
    }
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix(api::TARGET_PREFIX)).map(str::to_owned);
    let (fault, response) = match operation {
        Some(operation) => logs_operation(local, &operation, parts, body).await,
        None => other_operation(local, parts, body).await,
    };
    match fault {
        Some(CallFault::DropResponse) => Err(DropConnection),
        Some(CallFault::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            Ok(response)
        }
        Some(CallFault::Error(_) | CallFault::EmptyPage { .. }) | None => Ok(response),
    }
}

async fn logs_operation(local: &Arc<Local>, operation: &str, mut parts: Parts, mut body: Bytes) -> (Option<CallFault>, Response<Body>) {
    let empty_pages = if empty_page::is_listing(operation) { empty_page::restore_logs_token(&mut parts, &mut body) } else { 0 };
    let fault = take_logs_fault(local, operation, &body, empty_pages);
    let response = if api::is_export_operation(operation) {
        match api::call(local, operation, &parts.headers, &body, fault.as_ref()).await {
            Ok(answer) => aws_json(&answer),
            Err(error) => aws_error(&error),
        }
    } else if let Some(CallFault::Error(error)) = &fault {
        aws_error(error)
    } else if let Some(CallFault::EmptyPage { number }) = &fault {
        aws_json(&empty_page::logs_page(operation, &serde_json::from_slice(&body).unwrap_or_default(), *number))
    } else {
        match operation {
            "DescribeLogGroups" => {
                forward_and_rewrite(local, parts, body, |answer| overlay::rewrite(answer, &local.state().overlays)).await
            }
            "DescribeLogStreams" => match log_streams::check_order(&body) {
                Ok(()) => forward_and_rewrite(local, parts, body, log_streams::rewrite).await,
                Err(error) => aws_error(&error),
            },
            "DeleteLogGroup" => {
                let response = forward_to(&local.upstream, parts, body.clone()).await;
                if response.status().is_success() {
                    overlay::remove(&body, &mut local.state().overlays);
                }
                response
            }
            _ => forward_to(&local.upstream, parts, body).await,
        }
    };
    (fault, response)
}

/// Answers every request that is not for CloudWatch Logs. Operations of S3 can have faults.
async fn other_operation(local: &Local, mut parts: Parts, body: Bytes) -> (Option<CallFault>, Response<Body>) {
    let operation = s3::operation(&parts);
    let is_listing = operation.as_ref().is_some_and(|operation| empty_page::is_listing(operation.name));
    let empty_pages = if is_listing { empty_page::restore_s3_token(&mut parts) } else { 0 };
    let fault = operation.and_then(|operation| {
        let target = Target { operation: operation.name, log_group: None, key: operation.key.as_deref(), empty_pages };
        local.state().faults.take_call_fault(target)
    });
    if let Some(CallFault::EmptyPage { number }) = &fault {
        let response = empty_page::s3_page(&parts, *number);
        return (fault, response);
    }
    if let Some(CallFault::Error(error)) = &fault {
        let response = s3::error_response(error, &parts.method);
        return (fault, response);
    }
    let engine_response = match &local.engine {
        Some(engine) => engine::answer(engine, &parts, &body).await,
        None => None,
    };
    let response = match engine_response {
        Some(response) => response,
        None => forward_to(&local.upstream, parts, body).await,
    };
    (fault, response)
}

fn take_logs_fault(local: &Local, operation: &str, body: &[u8], empty_pages: u32) -> Option<CallFault> {
    let mut state = local.state();
    if state.faults.list().is_empty() {
        return None;
    }
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    state.faults.take_call_fault(Target { operation, log_group: input["logGroupName"].as_str(), key: None, empty_pages })
}

/// Forwards a request, and changes its answer.
async fn forward_and_rewrite(
    local: &Local,
    mut parts: Parts,
    body: Bytes,
    change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Response<Body> {
    // Without compression, the stand-in can read the answer.
    parts.headers.remove(ACCEPT_ENCODING);
    let answer = match forward::forward(&local.upstream, parts, body).await {
        Ok(answer) => forward::collect(answer).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => {
            let body = change(answer.body()).unwrap_or_else(|| answer.body().to_vec());
            forward::replace(answer, body)
        }
        Err(error) => forward::bad_gateway(&error),
    }
}

async fn forward_to(upstream: &Upstream, parts: Parts, body: Bytes) -> Response<Body> {
    match forward::forward(upstream, parts, body).await {
        Ok(answer) => forward::stream(answer),
        Err(error) => forward::bad_gateway(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::require_loopback;

    #[test]
    fn only_loopback_is_served() {
        for address in ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80"] {
            require_loopback(address.parse().expect("an address")).expect(address);
        }
        for address in ["0.0.0.0:80", "[::]:80", "192.168.1.2:80"] {
            let error = require_loopback(address.parse().expect("an address")).expect_err(address);
            assert_eq!(error.to_string(), format!("export-tasks serves only loopback addresses, not {address}: bind 127.0.0.1"));
        }
    }
}
