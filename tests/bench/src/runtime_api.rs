//! A stub of Lambda's Runtime API over loopback HTTP: hands out events to one process and takes what it answers.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::http::{Request, Response, Server};

/// Generous: nothing here takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);
const INVOCATION: &str = "/2018-06-01/runtime/invocation/";
const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// What became of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Response(Value),
    Error(Value),
}

enum Message {
    /// The process asks for an event.
    Ready,
    Answered(Outcome, Instant),
    InitError(Value),
}

/// The API as one process sees it.
pub struct RuntimeApi {
    server: Server,
    events: Sender<Value>,
    messages: Receiver<Message>,
}

impl RuntimeApi {
    pub fn start() -> Result<Self> {
        let (events, next_events) = channel();
        let (send, messages) = channel();
        let next_events = Arc::new(Mutex::new(next_events));
        let server = Server::start(move |request| respond(&request, &next_events, &send))?;
        Ok(Self { server, events, messages })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` has to say.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Hands an event out, as soon as the process asks.
    pub fn push(&self, event: &Value) -> Result<()> {
        self.events.send(event.clone()).context("the stub of the Runtime API has ended")
    }

    /// Waits until the process asks for its next event.
    pub fn wait_until_ready(&self) -> Result<()> {
        match self.next_message()? {
            Message::Ready => Ok(()),
            Message::InitError(payload) => bail!("the process could not start: {payload}"),
            Message::Answered(outcome, _) => bail!("the process answered without an event: {outcome:?}"),
        }
    }

    /// Waits for the answer to an event: what it is, and when it had arrived.
    pub fn answer(&self) -> Result<(Outcome, Instant)> {
        loop {
            match self.next_message()? {
                Message::Answered(outcome, arrived) => return Ok((outcome, arrived)),
                Message::InitError(payload) => bail!("the process could not start: {payload}"),
                Message::Ready => {}
            }
        }
    }

    fn next_message(&self) -> Result<Message> {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Timeout) => bail!("the process said nothing for {} s", PATIENCE.as_secs()),
            Err(RecvTimeoutError::Disconnected) => bail!("the stub of the Runtime API has ended"),
        }
    }
}

fn respond(request: &Request, events: &Mutex<Receiver<Value>>, messages: &Sender<Message>) -> Option<Response> {
    let accepted = || Some(Response::new(202, "application/json", r#"{"status":"OK"}"#));
    let json = || serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    if request.path == "/2018-06-01/runtime/init/error" {
        messages.send(Message::InitError(json())).ok()?;
        return accepted();
    }
    match request.path.strip_prefix(INVOCATION)? {
        "next" => {
            messages.send(Message::Ready).ok()?;
            let event = events.lock().ok()?.recv().ok()?;
            let deadline = chrono::Utc::now().timestamp_millis() + 60_000;
            let arn = "arn:aws:lambda:ap-northeast-1:000000000000:function:bench";
            let response = Response::new(200, "application/json", event.to_string())
                .with_header("lambda-runtime-aws-request-id", REQUEST_ID)
                .with_header("lambda-runtime-deadline-ms", &deadline.to_string())
                .with_header("lambda-runtime-invoked-function-arn", arn)
                .with_header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0");
            Some(response)
        }
        answer => {
            let outcome = if answer.ends_with("/error") { Outcome::Error(json()) } else { Outcome::Response(json()) };
            messages.send(Message::Answered(outcome, request.arrived)).ok()?;
            accepted()
        }
    }
}
