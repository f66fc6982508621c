//! Invokes a function's program with a list of events, and returns its outcomes, its log and its requests.

use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::process::FunctionProcess;
use crate::runtime_api::Outcome;
use crate::server::{Request, TestServer, response};

#[derive(Debug)]
pub struct Invocations {
    /// One per event.
    pub outcomes: Vec<Outcome>,
    /// The lines of the log, without their timestamps.
    pub lines: Vec<Value>,
    /// The requests to AWS.
    pub requests: Vec<Request>,
}

/// Invokes `program` with one event after another. `aws` answers its requests with a status and a body.
pub fn invoke(
    program: &str,
    variables: &[(&str, &str)],
    events: &[Value],
    aws: impl Fn(&Request) -> (u16, String) + Send + 'static,
) -> Result<Invocations> {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let server = TestServer::start({
        let requests = Arc::clone(&requests);
        async move |request| {
            let (status, body) = aws(&request);
            requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            response(status, "application/x-amz-json-1.1", body)
        }
    })?;
    let (first, rest) = events.split_first().context("no event")?;
    let (mut process, outcome, _) = FunctionProcess::start(Command::new(program), variables, server.address(), first)?;
    let mut outcomes = vec![outcome];
    for event in rest {
        outcomes.push(process.invoke(event)?.0);
    }
    let lines = process.log()?.lines().map(without_timestamps).collect::<Result<_>>()?;
    drop(process);
    let requests = std::mem::take(&mut *requests.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Invocations { outcomes, lines, requests })
}

/// A line has a timestamp. Its metrics must have the same one.
fn without_timestamps(text: &str) -> Result<Value> {
    let mut line: Value = serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))?;
    let timestamp = line.as_object_mut().and_then(|line| line.remove("timestamp"));
    let timestamp = timestamp.as_ref().and_then(Value::as_str).with_context(|| format!("no timestamp: {text}"))?;
    let timestamp: DateTime<Utc> = timestamp.parse().with_context(|| format!("{timestamp} is not a time"))?;
    if let Some(metadata) = line.get_mut("_aws").and_then(Value::as_object_mut) {
        ensure!(metadata.remove("Timestamp") == Some(timestamp.timestamp_millis().into()), "two different timestamps: {text}");
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_process_is_an_immediate_error() {
        let error = invoke("false", &[], &[Value::Null], |_| (200, String::new())).unwrap_err();
        assert!(format!("{error:#}").contains("the process has ended: exit status: 1"), "{error:#}");
    }
}
