//! The events that a self-test puts, and the log groups that it creates for them.

use std::error::Error;

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{Client, types::InputLogEvent};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use export_core::{Window, time::Millis};

use super::self_test::{Sample, SelfTest};
use crate::{commands::put::CREATION_PAUSES, events::exported::folder_name, failure::Failure};

/// The number of events of the log stream `many`. One call can put them.
const MANY: i64 = 2000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub at: Millis,
    pub message: String,
}

pub struct LogStream {
    pub name: String,
    /// The events in the order of time.
    pub events: Vec<Event>,
}

impl LogStream {
    pub fn within(&self, window: Window) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| window.includes(event.at))
    }

    /// The name of the log stream's folder in an export.
    pub fn folder(&self) -> String {
        folder_name(&self.name)
    }
}

/// The two milliseconds at each end of a window: one inside, one outside.
pub fn bounds(window: Window) -> [Millis; 4] {
    [Millis(window.from.0 - 1), window.from, window.to, Millis(window.to.0 + 1)]
}

pub fn streams(self_test: &SelfTest, sample: Sample) -> Vec<LogStream> {
    let window = self_test.window();
    let event = |at: Millis, message: &str| Event { at, message: message.to_owned() };
    let stream = |name: &str, events: Vec<Event>| LogStream { name: name.to_owned(), events };
    match sample {
        Sample::Names => {
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
        Sample::Many => {
            let at = |number: i64| Millis(window.from.0 + (window.to.0 - window.from.0) * number / MANY);
            let message = |number: i64| match number % 10 {
                0 => format!("event {number}: an error\n    at line {number}\n    at line {}", number + 1),
                _ => format!("event {number}"),
            };
            vec![stream("many", (0..MANY).map(|number| event(at(number), &message(number))).collect())]
        }
        Sample::Empty => vec![stream("later", vec![event(Millis::of(self_test.started), "after the window of every export")])],
    }
}

/// Retries a call that uses a log group or log stream that was just created.
async fn retry_not_found<Response, E>(
    operation: &'static str,
    call: impl AsyncFn() -> Result<Response, SdkError<E, HttpResponse>>,
) -> Result<Response, Failure>
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let mut pauses = CREATION_PAUSES.into_iter();
    loop {
        let failure = match call().await {
            Ok(response) => return Ok(response),
            Err(error) => service_failure(operation, &error),
        };
        let pause = pauses.next().filter(|_| failure.has_code("ResourceNotFoundException"));
        tokio::time::sleep(pause.ok_or_else(|| Failure::of_call("logs", &failure))?).await;
    }
}

/// Creates the log groups and puts the events. Returns their number, or a message about rejected events.
pub async fn put(logs: &Client, self_test: &SelfTest<'_>) -> Result<Result<usize, String>, Failure> {
    let mut count = 0;
    for sample in Sample::ALL {
        let log_group = self_test.log_group(sample);
        let created = logs.create_log_group().log_group_name(log_group.as_str()).send().await;
        created.map_err(|error| Failure::of_call("logs", &service_failure("CreateLogGroup", &error)))?;
        for stream in streams(self_test, sample) {
            let create = logs.create_log_stream().log_group_name(log_group.as_str()).log_stream_name(&stream.name);
            retry_not_found("CreateLogStream", async || create.clone().send().await).await?;
            let input = |event: &Event| {
                InputLogEvent::builder().timestamp(event.at.0).message(&event.message).build().expect("an event has a time and a message")
            };
            let events = stream.events.iter().map(input).collect();
            let put_events = logs.put_log_events().log_group_name(log_group.as_str()).log_stream_name(&stream.name);
            let put_events = put_events.set_log_events(Some(events));
            let response = retry_not_found("PutLogEvents", async || put_events.clone().send().await).await?;
            if let Some(rejected) = response.rejected_log_events_info {
                return Ok(Err(format!("CloudWatch Logs rejected events of log stream {} of {log_group}: {rejected:?}", stream.name)));
            }
            count += stream.events.len();
        }
    }
    Ok(Ok(count))
}
