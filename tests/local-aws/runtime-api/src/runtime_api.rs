//! Lambda's Runtime API for one process: sends events and receives the answers.

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

/// Prevents a test from hanging. On an idle machine, an answer takes less than a second.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The interval of checks whether the process has ended.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
const JSON: &str = "application/json";
const HEADERS: [(&str, &str); 2] = [
    ("lambda-runtime-aws-request-id", "request-1"),
    ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:ap-northeast-1:000000000000:function:local"),
];

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

    /// The error name.
    pub fn error_type(&self) -> Option<&str> {
        match self {
            Self::Response(_) => None,
            Self::Error(payload) => payload["errorType"].as_str(),
        }
    }
}

enum Message {
    /// The process requests an event.
    Ready,
    /// With the time of arrival.
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

    /// Queues an event for the next request of the process.
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

    /// Waits for the answer to an event, and returns its time of arrival.
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
        let deadline = Instant::now() + TIMEOUT;
        loop {
            match self.messages.recv_timeout(CHECK_INTERVAL) {
                Err(RecvTimeoutError::Timeout) => {}
                received => return received.context("the Runtime API has ended"),
            }
            if let Some(status) = process.try_wait()? {
                // Its last message can have arrived meanwhile.
                return self.messages.try_recv().with_context(|| format!("the process has ended: {status}"));
            }
            ensure!(Instant::now() < deadline, "the process made no call for {} s", TIMEOUT.as_secs());
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
    // While the process is being stopped, no receiver exists.
    let _sent = messages.send(message);
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
