//! Lambda's Runtime API as one process sees it: it hands out events and takes the answers.

use std::net::SocketAddr;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hyper::header::HeaderValue;
use serde_json::Value;
use tokio::sync::{
    Mutex,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::server::{Request, Response, TestServer, response};

/// Ends a test that would hang otherwise. No answer takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks whether the process has ended.
const LOOK: Duration = Duration::from_millis(100);
const JSON: &str = "application/json";
const HEADERS: [(&str, &str); 2] = [
    ("lambda-runtime-aws-request-id", "request-1"),
    ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:ap-northeast-1:000000000000:function:local"),
];

/// The payload with which an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Response(Value),
    Error(Value),
}

impl Outcome {
    /// The payload of a response.
    pub fn response(&self) -> Option<&Value> {
        match self {
            Self::Response(payload) => Some(payload),
            Self::Error(_) => None,
        }
    }

    /// The name of an error.
    pub fn error_type(&self) -> Option<&str> {
        match self {
            Self::Response(_) => None,
            Self::Error(payload) => payload["errorType"].as_str(),
        }
    }
}

enum Message {
    /// The process asks for an event.
    Ready,
    /// With the time at which the payload had arrived.
    Answered(Outcome, Instant),
    InitError(Value),
}

#[derive(Debug)]
pub(crate) struct RuntimeApi {
    server: TestServer,
    events: UnboundedSender<Value>,
    messages: Receiver<Message>,
}

impl RuntimeApi {
    pub(crate) fn start() -> Result<Self> {
        let (events, next_events) = unbounded_channel();
        let (send, messages) = channel();
        let next_events = Mutex::new(next_events);
        let server = TestServer::start(async move |request| respond(&request, &next_events, &send).await)?;
        Ok(Self { server, events, messages })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Hands an event out as soon as the process asks.
    pub(crate) fn push(&self, event: &Value) -> Result<()> {
        self.events.send(event.clone()).context("the Runtime API has ended")
    }

    pub(crate) fn wait_until_ready(&self, process: &mut Child) -> Result<()> {
        match self.next_message(process)? {
            Message::Ready => Ok(()),
            Message::InitError(payload) => bail!("the process could not start: {payload}"),
            Message::Answered(outcome, _) => bail!("the process answered without an event: {outcome:?}"),
        }
    }

    /// Waits for the answer to an event, and tells when it had arrived.
    pub(crate) fn answer(&self, process: &mut Child) -> Result<(Outcome, Instant)> {
        loop {
            match self.next_message(process)? {
                Message::Answered(outcome, arrived) => return Ok((outcome, arrived)),
                Message::InitError(payload) => bail!("the process could not start: {payload}"),
                Message::Ready => {}
            }
        }
    }

    fn next_message(&self, process: &mut Child) -> Result<Message> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.messages.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                received => return received.context("the Runtime API has ended"),
            }
            if let Some(status) = process.try_wait()? {
                // It may have called just before its end.
                return self.messages.try_recv().with_context(|| format!("the process has ended: {status}"));
            }
            ensure!(Instant::now() < deadline, "the process called nothing for {} s", PATIENCE.as_secs());
        }
    }
}

async fn respond(request: &Request, events: &Mutex<UnboundedReceiver<Value>>, messages: &Sender<Message>) -> Response {
    let arrived = Instant::now();
    let payload = || serde_json::from_slice(request.body()).unwrap_or(Value::Null);
    let message = match request.uri().path().strip_prefix("/2018-06-01/runtime/") {
        Some("invocation/next") => Message::Ready,
        Some("init/error") => Message::InitError(payload()),
        Some(path) if path.ends_with("/error") => Message::Answered(Outcome::Error(payload()), arrived),
        Some(path) if path.ends_with("/response") => Message::Answered(Outcome::Response(payload()), arrived),
        _ => return response(404, JSON, "{}"),
    };
    let is_next = matches!(message, Message::Ready);
    // Nobody waits for the process any more while it is being ended.
    let _unwanted = messages.send(message);
    if !is_next {
        return response(202, JSON, r#"{"status":"OK"}"#);
    }
    let Some(event) = events.lock().await.recv().await else { return std::future::pending().await };
    let mut next = response(200, JSON, event.to_string());
    for (name, value) in HEADERS {
        next.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let deadline = chrono::Utc::now().timestamp_millis() + 60_000;
    next.headers_mut().insert("lambda-runtime-deadline-ms", HeaderValue::from(deadline));
    next
}
