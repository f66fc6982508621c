//! Counts the calls to AWS that a function makes, on their way to the local AWS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::http::{Request, Response, Server, exchange};

pub type Calls = BTreeMap<String, u32>;

/// Passes everything on to the local AWS and keeps count.
pub struct CountingProxy {
    server: Server,
    calls: Arc<Mutex<Calls>>,
}

impl CountingProxy {
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let calls = Arc::new(Mutex::new(Calls::new()));
        let counted = Arc::clone(&calls);
        let server = Server::start(move |request| {
            *counted.lock().unwrap_or_else(PoisonError::into_inner).entry(operation(&request)).or_default() += 1;
            let failed = |error: anyhow::Error| Response::new(502, "text/plain", format!("{error:#}"));
            Some(exchange(upstream, &request).unwrap_or_else(failed))
        })?;
        Ok(Self { server, calls })
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The calls since this was last asked.
    pub fn take(&self) -> Calls {
        std::mem::take(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The operation's name, of S3's those that the functions use.
fn operation(request: &Request) -> String {
    if let Some((_, operation)) = request.header("x-amz-target").and_then(|target| target.split_once('.')) {
        return operation.to_owned();
    }
    let operation = match request.method.as_str() {
        "GET" if request.path.contains("list-type=2") => "ListObjectsV2",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "PUT" => "PutObject",
        "DELETE" => "DeleteObject",
        other => other,
    };
    operation.to_owned()
}
