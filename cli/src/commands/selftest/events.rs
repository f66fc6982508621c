//! The events that a self-test puts, and the log groups that it creates for them.

use std::error::Error;

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{Client, types::InputLogEvent};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use export_core::{Window, time::Millis};

use super::trial::{Subject, Trial};
use crate::{commands::put::PAUSES, failure::Failure};

/// Of the log stream `many`. One call puts them.
const MANY: i64 = 2000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub at: Millis,
    pub message: String,
}

pub struct LogStream {
    pub name: String,
    /// In the order of time.
    pub events: Vec<Event>,
}

impl LogStream {
    pub fn within(&self, window: Window) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| window.includes(event.at))
    }

    /// As CloudWatch Logs names its folder.
    pub fn folder(&self) -> String {
        self.name.replace('/', "-")
    }
}

/// The milliseconds on both sides of both ends.
pub fn bounds(window: Window) -> [Millis; 4] {
    [Millis(window.from.0 - 1), window.from, window.to, Millis(window.to.0 + 1)]
}

pub fn streams(trial: &Trial, subject: Subject) -> Vec<LogStream> {
    let window = trial.window();
    let event = |at: Millis, message: &str| Event { at, message: message.to_owned() };
    let stream = |name: &str, events: Vec<Event>| LogStream { name: name.to_owned(), events };
    match subject {
        Subject::Names => {
            let [before, from, to, after] = bounds(window);
            let lambda = vec![
                event(before, "before the window"),
                event(from, "at the beginning of the window"),
                event(from, "at the beginning of the window"),
                event(to, "at the end of the window"),
                event(after, "after the window"),
            ];
            let messages = [
                "two\n\tlines",
                "with CRLF\r\nand a\ttab",
                "日本語 é 🔒",
                "\u{1b}[31mred\u{1b}[0m",
                " spaces around  ",
                r#"{"json": "\"quoted\" \\ back\u0000slash"}"#,
                "a line break at the end\n",
            ];
            let bytes = (1..).zip(messages).map(|(after, message)| event(Millis(from.0 + after), message));
            vec![stream("2026/01/01/[$LATEST]selftest", lambda), stream("日本/ログ", bytes.collect())]
        }
        Subject::Many => {
            let at = |number: i64| Millis(window.from.0 + (window.to.0 - window.from.0) * number / MANY);
            let message = |number: i64| match number % 10 {
                0 => format!("event {number}: an error\n    at line {number}\n    at line {}", number + 1),
                _ => format!("event {number}"),
            };
            vec![stream("many", (0..MANY).map(|number| event(at(number), &message(number))).collect())]
        }
        Subject::Empty => vec![stream("later", vec![event(Millis::of(trial.started), "after the window of every export")])],
    }
}

/// What was just created may not be there yet for the next call.
async fn patiently<T, E>(operation: &'static str, call: impl AsyncFn() -> Result<T, SdkError<E, HttpResponse>>) -> Result<T, Failure>
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let mut pauses = PAUSES.into_iter();
    loop {
        let failure = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => service_failure(operation, &error),
        };
        let pause = pauses.next().filter(|_| failure.has_code("ResourceNotFoundException"));
        tokio::time::sleep(pause.ok_or_else(|| Failure::of("logs", &failure))?).await;
    }
}

/// Creates the log groups and puts the events. Answers with their number, or with what CloudWatch Logs rejected.
pub async fn put(logs: &Client, trial: &Trial<'_>) -> Result<Result<usize, String>, Failure> {
    let mut put = 0;
    for subject in Subject::ALL {
        let log_group = trial.log_group(subject);
        let created = logs.create_log_group().log_group_name(log_group.as_str()).send().await;
        created.map_err(|error| Failure::of("logs", &service_failure("CreateLogGroup", &error)))?;
        for stream in streams(trial, subject) {
            let create = logs.create_log_stream().log_group_name(log_group.as_str()).log_stream_name(&stream.name);
            patiently("CreateLogStream", async || create.clone().send().await).await?;
            let input =
                |event: &Event| InputLogEvent::builder().timestamp(event.at.0).message(&event.message).build().expect("it has both");
            let events = stream.events.iter().map(input).collect();
            let put_events = logs.put_log_events().log_group_name(log_group.as_str()).log_stream_name(&stream.name);
            let put_events = put_events.set_log_events(Some(events));
            let answer = patiently("PutLogEvents", async || put_events.clone().send().await).await?;
            if let Some(rejected) = answer.rejected_log_events_info {
                return Ok(Err(format!("CloudWatch Logs rejected events of log stream {} of {log_group}: {rejected:?}", stream.name)));
            }
            put += stream.events.len();
        }
    }
    Ok(Ok(put))
}
