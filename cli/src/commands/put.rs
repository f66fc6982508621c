//! `put`: puts a line, or each line of stdin, as an event into a log stream. It needs no stack.
//!
//! The SDK repeats a call whose response was lost. So an event can be put twice, but none is lost.

pub mod batch;
pub mod lines;

use std::{
    io::{self, IsTerminal, Read},
    thread,
    time::Duration,
};

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{
    Client,
    types::{InputLogEvent, RejectedLogEventsInfo},
};
use chrono::Utc;
use export_core::{service::FailureKind, time::Millis};
use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    ExitStatus,
    arguments::{Format, reading::Put as Arguments},
    commands::put::{
        batch::{Batch, Event},
        lines::{Line, Lines, MAX_EVENT_BYTES},
    },
    context::Context,
    failure::Failure,
    globs::parse_name,
    output::note,
};

/// How long a line waits for further lines of its batch.
const MAX_DELAY: Duration = Duration::from_secs(1);
const CHUNK_BYTES: usize = 64 * 1024;
/// The pauses before a call that uses a log stream or log group that was just created. It may not exist yet for the next call.
pub const CREATION_PAUSES: [Duration; 4] = [Duration::ZERO, Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];
/// How many ranges of rejected lines the JSON can have. stderr has all of them.
const MAX_RANGES: usize = 1000;

pub async fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let mut put = Put::new(context, arguments)?;
    let ended = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => None,
        ended = put.put_all(arguments.message.as_deref()) => Some(ended),
    };
    let Some(ended) = ended else { return put.finish_interrupted().await };
    ended.map_err(|failure| put.with_progress(failure))?;
    put.print_summary();
    if context.output.format != Format::Table {
        context.output.print_json(&put.summary)?;
    }
    Ok(if put.summary.not_put_lines > 0 { ExitStatus::Finding } else { ExitStatus::Success })
}

/// What was put: the data of `--output json`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    log_group: String,
    log_stream: String,
    events: u64,
    empty_lines: u64,
    not_put_lines: u64,
    not_put: Vec<RejectedLines>,
}

/// Consecutive lines that were not put, for the same reason.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RejectedLines {
    from_line: u64,
    to_line: u64,
    reason: String,
}

enum PutFailure {
    /// AWS put none of the events.
    Refused(Failure),
    /// AWS may have put the events.
    Unknown(Failure),
}

struct Put {
    logs: Client,
    region: String,
    /// The number of lines that were read.
    line: u64,
    /// The time of the last event.
    last: Millis,
    batch: Batch,
    /// When to send the batch.
    due: Instant,
    /// The lines of a call without a response.
    in_flight: Option<(u64, u64)>,
    /// The first line of a call that AWS refused.
    first_refused_line: Option<u64>,
    summary: Summary,
}

impl Put {
    fn new(context: &Context, arguments: &Arguments) -> Result<Self, Failure> {
        let Arguments { log_group, log_stream, .. } = arguments;
        parse_name(log_group)?;
        if !(1..=512).contains(&log_stream.chars().count()) || log_stream.contains([':', '*']) {
            return Err(Failure::Usage(format!("the log stream is {log_stream:?}: its name has 1 to 512 characters and no : or *")));
        }
        Ok(Self {
            logs: context.logs(),
            region: context.region.clone(),
            line: 0,
            last: Millis(0),
            batch: Batch::default(),
            due: Instant::now(),
            in_flight: None,
            first_refused_line: None,
            summary: Summary { log_group: log_group.clone(), log_stream: log_stream.clone(), ..Summary::default() },
        })
    }

    async fn put_all(&mut self, message: Option<&str>) -> Result<(), Failure> {
        match message {
            Some("") => return Err(Failure::Usage("MESSAGE is empty, and CloudWatch Logs accepts no empty event: give a text".into())),
            Some(message) => self.add_line(Line::parse(message.into())).await?,
            None => self.put_stdin().await?,
        }
        self.send_batch().await
    }

    async fn put_stdin(&mut self) -> Result<(), Failure> {
        if io::stdin().is_terminal() {
            note("Each line becomes an event. Ctrl-D ends the input.");
        }
        let (mut input, mut lines) = (read_stdin(), Lines::default());
        loop {
            let is_waiting = !self.batch.events.is_empty();
            let chunk = tokio::select! {
                biased;
                chunk = input.recv() => chunk,
                () = tokio::time::sleep_until(self.due), if is_waiting => {
                    self.send_batch().await?;
                    continue;
                }
            };
            let bytes = match chunk {
                None => break,
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => {
                    self.send_batch().await?;
                    return Err(Failure::Local(format!("cannot read stdin after line {}: {error}", self.line)));
                }
            };
            let mut bytes = &bytes[..];
            while let Some(line) = lines.next(&mut bytes) {
                self.add_line(line).await?;
            }
        }
        match lines.finish() {
            Some(line) => self.add_line(line).await,
            None => Ok(()),
        }
    }

    async fn add_line(&mut self, line: Line) -> Result<(), Failure> {
        self.line += 1;
        let message = match line {
            Line::Event(message) => message,
            Line::Empty => {
                self.summary.empty_lines += 1;
                return Ok(());
            }
            Line::TooLong(bytes) => {
                self.reject(self.line, &format!("it has {bytes} bytes, and an event of CloudWatch Logs has {MAX_EVENT_BYTES} at most"));
                return Ok(());
            }
            Line::NotUtf8(good) => {
                self.reject(self.line, &format!("it is not UTF-8 after byte {good}, and CloudWatch Logs accepts nothing else"));
                return Ok(());
            }
        };
        // If the clock is set back, the lines keep their order.
        self.last = self.last.max(Millis::of(Utc::now()));
        let event = Event { line: self.line, at: self.last, message };
        if !self.batch.has_room_for(&event) {
            self.send_batch().await?;
        }
        if self.batch.events.is_empty() {
            self.due = Instant::now() + MAX_DELAY;
        }
        self.batch.push(event);
        Ok(())
    }

    async fn send_batch(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        let (Some(first), Some(last)) = (batch.events.first(), batch.events.last()) else { return Ok(()) };
        self.in_flight = Some((first.line, last.line));
        let info = match self.put_events(&batch).await {
            Ok(info) => info,
            Err(PutFailure::Refused(failure)) => {
                (self.in_flight, self.first_refused_line) = (None, Some(first.line));
                return Err(failure);
            }
            Err(PutFailure::Unknown(failure)) => return Err(failure),
        };
        self.in_flight = None;
        let rejected = info.map(|info| batch.rejected(&info)).unwrap_or_default();
        self.summary.events += (batch.events.len() - rejected.len()) as u64;
        for (line, rejection) in rejected {
            self.reject(line, rejection.reason());
        }
        Ok(())
    }

    async fn put_events(&self, batch: &Batch) -> Result<Option<RejectedLogEventsInfo>, PutFailure> {
        let mut pauses = CREATION_PAUSES.into_iter();
        loop {
            let event = |event: &Event| InputLogEvent::builder().timestamp(event.at.0).message(&event.message).build();
            let events = batch.events.iter().map(event).collect::<Result<_, _>>().expect("each event has a time and a message");
            let request = self.logs.put_log_events().log_group_name(&self.summary.log_group).log_stream_name(&self.summary.log_stream);
            let failure = match request.set_log_events(Some(events)).send().await {
                Ok(response) => return Ok(response.rejected_log_events_info),
                Err(error) => service_failure("PutLogEvents", &error),
            };
            let pause = pauses.next().filter(|_| failure.has_code("ResourceNotFoundException"));
            let Some(pause) = pause else {
                let is_unknown = matches!(failure.kind(), FailureKind::NoAnswer | FailureKind::Unavailable);
                let failure = Failure::of_call("logs", &failure);
                return Err(if is_unknown { PutFailure::Unknown(failure) } else { PutFailure::Refused(failure) });
            };
            self.create_stream().await.map_err(PutFailure::Refused)?;
            tokio::time::sleep(pause).await;
        }
    }

    async fn create_stream(&self) -> Result<(), Failure> {
        let Summary { log_group, log_stream, .. } = &self.summary;
        let created = self.logs.create_log_stream().log_group_name(log_group).log_stream_name(log_stream).send().await;
        let failure = match created {
            Ok(_) => return Ok(()),
            Err(error) => service_failure("CreateLogStream", &error),
        };
        match failure.code.as_deref() {
            // Somebody else has created the log stream meanwhile.
            Some("ResourceAlreadyExistsException") => Ok(()),
            Some("ResourceNotFoundException") => Err(Failure::Usage(format!(
                "log group {log_group} does not exist in this account in {region}: correct the name, or create it with `aws logs \
                 create-log-group --log-group-name '{log_group}' --region {region}`",
                region = self.region
            ))),
            _ => Err(Failure::of_call("logs", &failure)),
        }
    }

    fn reject(&mut self, line: u64, reason: &str) {
        note(format_args!("line {line} was not put: {reason}"));
        self.summary.not_put_lines += 1;
        let has_room = self.summary.not_put.len() < MAX_RANGES;
        match self.summary.not_put.last_mut() {
            Some(last) if last.to_line + 1 == line && last.reason == reason => last.to_line = line,
            _ if has_room => self.summary.not_put.push(RejectedLines { from_line: line, to_line: line, reason: reason.to_owned() }),
            _ => {}
        }
    }

    /// Puts the lines that were read, unless Ctrl-C is pressed again. A call without a response may have succeeded or not.
    async fn finish_interrupted(&mut self) -> Result<ExitStatus, Failure> {
        if self.in_flight.is_none() {
            let sent = tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => Ok(()),
                sent = self.send_batch() => sent,
            };
            sent.map_err(|failure| self.with_progress(failure))?;
        }
        note(format_args!("Stopped. {}", self.progress()));
        Ok(ExitStatus::Interrupted)
    }

    fn progress(&self) -> String {
        let put = match self.summary.events {
            1 => "1 event was put before.".to_owned(),
            events => format!("{events} events were put before."),
        };
        match self.in_flight {
            _ if let Some(line) = self.first_refused_line => format!("{put} Line {line} and the lines after it were not put."),
            Some((first, last)) if first == last => format!("{put} Line {first} may have been put: check that before you repeat it."),
            Some((first, last)) => format!("{put} Lines {first} to {last} may have been put: check that before you repeat them."),
            None => put,
        }
    }

    fn with_progress(&self, failure: Failure) -> Failure {
        let has_put_nothing = self.summary.events == 0 && self.line <= 1;
        match failure {
            Failure::Aws(message) if !has_put_nothing => Failure::Aws(format!("{message}\n{}", self.progress())),
            Failure::Local(message) => Failure::Local(format!("{message}\n{}", self.progress())),
            other => other,
        }
    }

    fn print_summary(&self) {
        let Summary { log_group, log_stream, events, empty_lines, .. } = &self.summary;
        let counted = |count: u64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        note(format_args!("Put {} into log stream {log_stream} of log group {log_group}.", counted(*events, "event")));
        if *empty_lines > 0 {
            let lines = counted(*empty_lines, "empty line");
            note(format_args!("Left out {lines}: CloudWatch Logs accepts no empty event."));
        }
    }
}

/// The bytes of stdin. A thread reads them, because a read from a terminal cannot be cancelled. The process ends without the thread.
fn read_stdin() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut bytes = vec![0; CHUNK_BYTES];
            let read = match stdin.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) => return,
                read => read,
            };
            let is_last = read.is_err();
            let chunk = read.map(|length| {
                bytes.truncate(length);
                bytes
            });
            if sender.blocking_send(chunk).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}
