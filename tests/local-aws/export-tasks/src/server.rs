//! The HTTP server: takes connections, decides who answers a request, and ends with everything it began.

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
use crate::faults::{Strike, Target};
use crate::forward;
use crate::local::Local;
use crate::log_streams;
use crate::overlay;
use crate::requests::Recorded;
use crate::s3;
use crate::scope::CredentialScope;
use crate::upstream::Upstream;

/// Serves the stand-in in front of the local AWS at `upstream`, and of a second Step Functions at `engine`, until the future is dropped; every connection and export
/// task ends with it.
///
/// Bind the listener first, so that the local AWS can be told the address before it starts. The controls ask for no
/// credentials, hence only a loopback address is served.
pub async fn serve(listener: TcpListener, upstream: SocketAddr, engine: Option<SocketAddr>) -> anyhow::Result<()> {
    require_loopback(listener.local_addr()?)?;
    let (jobs, mut new_jobs) = mpsc::unbounded_channel();
    let local = Arc::new(Local::new(Upstream::new(upstream), engine.map(Upstream::new), jobs));
    // Dropping the set aborts what is in it.
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    running.spawn(converse(Arc::clone(&local), stream));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: connections that end will free some.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(job) = new_jobs.recv() => {
                running.spawn(job);
            }
            Some(ended) = running.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection or an export task broke");
                }
            }
        }
    }
}

fn require_loopback(address: SocketAddr) -> anyhow::Result<()> {
    anyhow::ensure!(address.ip().is_loopback(), "export-tasks serves loopback addresses only, and was given {address}: bind 127.0.0.1");
    Ok(())
}

async fn converse(local: Arc<Local>, stream: TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let service = service_fn(move |request| {
        let local = Arc::clone(&local);
        async move { respond(&local, request).await }
    });
    let conversation =
        hyper::server::conn::http1::Builder::new().preserve_header_case(true).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = conversation.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends the connection in place of an answer.
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
    // The caller has gone: nobody waits for a response.
    let Ok(body) = body.collect().await.map(Collected::to_bytes) else { return Err(DropConnection) };
    if parts.uri.path().starts_with("/_local/") {
        return Ok(control::respond(local, &parts, &body));
    }
    let recorded = Recorded::read(&parts, &body);
    local.state().requests.record(recorded);
    if let Ok(scope) = CredentialScope::read(&parts.headers)
        && let Some(account) = scope.account()
    {
        local.state().accounts.insert(account.to_owned());
    }
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix(api::TARGET_PREFIX)).map(str::to_owned);
    let (strike, response) = match operation {
        Some(operation) => logs_operation(local, &operation, parts, body).await,
        None => other_operation(local, parts, body).await,
    };
    match strike {
        Some(Strike::DropResponse) => Err(DropConnection),
        Some(Strike::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            Ok(response)
        }
        Some(Strike::Error(_) | Strike::EmptyPage { .. }) | None => Ok(response),
    }
}

async fn logs_operation(local: &Arc<Local>, operation: &str, mut parts: Parts, mut body: Bytes) -> (Option<Strike>, Response<Body>) {
    let empty_pages = if empty_page::is_listing(operation) { empty_page::restore_logs(&mut parts, &mut body) } else { 0 };
    let strike = strike_logs(local, operation, &body, empty_pages);
    let response = if api::is_export_operation(operation) {
        match api::call(local, operation, &parts.headers, &body, strike.as_ref()).await {
            Ok(answer) => aws_json(&answer),
            Err(error) => aws_error(&error),
        }
    } else if let Some(Strike::Error(error)) = &strike {
        aws_error(error)
    } else if let Some(Strike::EmptyPage { number }) = &strike {
        aws_json(&empty_page::of_logs(operation, &serde_json::from_slice(&body).unwrap_or_default(), *number))
    } else {
        match operation {
            "DescribeLogGroups" => rewritten(local, parts, body, |answer| overlay::rewrite(answer, &local.state().overlays)).await,
            "DescribeLogStreams" => match log_streams::refusal(&body) {
                Some(error) => aws_error(&error),
                None => rewritten(local, parts, body, log_streams::rewrite).await,
            },
            "DeleteLogGroup" => {
                let response = pass_on(&local.upstream, parts, body.clone()).await;
                if response.status().is_success() {
                    overlay::forget(&body, &mut local.state().overlays);
                }
                response
            }
            _ => pass_on(&local.upstream, parts, body).await,
        }
    };
    (strike, response)
}

/// Everything that is no operation of CloudWatch Logs; S3's can be struck by faults.
async fn other_operation(local: &Local, mut parts: Parts, body: Bytes) -> (Option<Strike>, Response<Body>) {
    let operation = s3::operation(&parts);
    let is_listing = operation.as_ref().is_some_and(|operation| empty_page::is_listing(operation.name));
    let empty_pages = if is_listing { empty_page::restore_s3(&mut parts) } else { 0 };
    let strike = operation.and_then(|operation| {
        let target = Target { operation: operation.name, log_group: None, key: operation.key.as_deref(), empty_pages };
        local.state().faults.strike(target)
    });
    if let Some(Strike::EmptyPage { number }) = &strike {
        let response = empty_page::of_s3(&parts, *number);
        return (strike, response);
    }
    if let Some(Strike::Error(error)) = &strike {
        let response = s3::error_response(error, &parts.method);
        return (strike, response);
    }
    let of_engine = match &local.engine {
        Some(engine) => engine::answer(engine, &parts, &body).await,
        None => None,
    };
    let response = match of_engine {
        Some(response) => response,
        None => pass_on(&local.upstream, parts, body).await,
    };
    (strike, response)
}

fn strike_logs(local: &Local, operation: &str, body: &[u8], empty_pages: u32) -> Option<Strike> {
    let mut state = local.state();
    if state.faults.list().is_empty() {
        return None;
    }
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    state.faults.strike(Target { operation, log_group: input["logGroupName"].as_str(), key: None, empty_pages })
}

/// Passes a request on, and changes the answer on its way back.
async fn rewritten(local: &Local, mut parts: Parts, body: Bytes, change: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Response<Body> {
    // The answer must be readable here.
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

async fn pass_on(upstream: &Upstream, parts: Parts, body: Bytes) -> Response<Body> {
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
            assert_eq!(error.to_string(), format!("export-tasks serves loopback addresses only, and was given {address}: bind 127.0.0.1"));
        }
    }
}
