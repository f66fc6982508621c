//! `put`: a line, or each line of stdin, becomes an event of a log stream. It needs no stack.
//!
//! A call whose answer is lost is made again: an event is rather put twice than lost.

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
use export_core::{LogGroupName, service::FailureKind, time::Millis};
use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    Verdict,
    arguments::{Format, reading::Put as Arguments},
    commands::put::{
        batch::{Batch, Event},
        lines::{LONGEST_EVENT, Line, Lines},
    },
    context::Context,
    failure::Failure,
    output::note,
};

/// Lines that come slowly are put so soon.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const CHUNK: usize = 64 * 1024;
/// A log stream that was just created may not be there yet.
pub const PAUSES: [Duration; 4] = [Duration::ZERO, Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];
/// Ranges of lines that are kept for the data on stdout. Each is also told on stderr.
const MOST_RANGES: usize = 1000;

pub async fn run(context: &Context, arguments: &Arguments) -> Result<Verdict, Failure> {
    let mut put = Put::new(context, arguments)?;
    let ended = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => None,
        ended = put.all(arguments.message.as_deref()) => Some(ended),
    };
    let Some(ended) = ended else { return put.interrupted().await };
    ended.map_err(|failure| put.with_what_was_put(failure))?;
    put.tell();
    if context.output.format != Format::Table {
        context.output.json(&put.done)?;
    }
    Ok(if put.done.not_put_lines > 0 { Verdict::Finding } else { Verdict::Well })
}

/// What became of the lines: the data of `--output json`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    log_group: String,
    log_stream: String,
    events: u64,
    empty_lines: u64,
    not_put_lines: u64,
    not_put: Vec<NotPut>,
}

/// Lines after one another, for the same reason.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotPut {
    from_line: u64,
    to_line: u64,
    reason: String,
}

struct Put {
    logs: Client,
    region: String,
    /// Lines that were read.
    line: u64,
    last: Millis,
    batch: Batch,
    due: Instant,
    /// The lines of a call that has no answer yet.
    under_way: Option<(u64, u64)>,
    /// The first line of a call that was refused.
    refused: Option<u64>,
    done: Done,
}

impl Put {
    fn new(context: &Context, arguments: &Arguments) -> Result<Self, Failure> {
        let Arguments { log_group, log_stream, .. } = arguments;
        LogGroupName::parse(log_group).map_err(|fix| Failure::Usage(format!("the log group is {log_group:?}: {fix}")))?;
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
            under_way: None,
            refused: None,
            done: Done { log_group: log_group.clone(), log_stream: log_stream.clone(), ..Done::default() },
        })
    }

    async fn all(&mut self, message: Option<&str>) -> Result<(), Failure> {
        match message {
            Some("") => return Err(Failure::Usage("MESSAGE is empty, and CloudWatch Logs takes no empty event: give a text".into())),
            Some(message) => self.add(Line::of(message.into())).await?,
            None => self.stdin().await?,
        }
        self.send().await
    }

    async fn stdin(&mut self) -> Result<(), Failure> {
        if io::stdin().is_terminal() {
            note("Each line becomes an event. Ctrl-D ends the input.");
        }
        let (mut input, mut lines) = (chunks(), Lines::default());
        loop {
            let is_waiting = !self.batch.events.is_empty();
            let chunk = tokio::select! {
                biased;
                chunk = input.recv() => chunk,
                () = tokio::time::sleep_until(self.due), if is_waiting => {
                    self.send().await?;
                    continue;
                }
            };
            let bytes = match chunk {
                None => break,
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => {
                    self.send().await?;
                    return Err(Failure::Local(format!("cannot read stdin after line {}: {error}", self.line)));
                }
            };
            let mut bytes = &bytes[..];
            while let Some(line) = lines.next(&mut bytes) {
                self.add(line).await?;
            }
        }
        match lines.finish() {
            Some(line) => self.add(line).await,
            None => Ok(()),
        }
    }

    async fn add(&mut self, line: Line) -> Result<(), Failure> {
        self.line += 1;
        let message = match line {
            Line::Event(message) => message,
            Line::Empty => {
                self.done.empty_lines += 1;
                return Ok(());
            }
            Line::TooLong(bytes) => {
                self.not_put(self.line, &format!("it has {bytes} bytes, and an event of CloudWatch Logs has {LONGEST_EVENT} at most"));
                return Ok(());
            }
            Line::NotUtf8(good) => {
                self.not_put(self.line, &format!("it is not UTF-8 after byte {good}, and CloudWatch Logs takes nothing else"));
                return Ok(());
            }
        };
        // A clock that is set back does not change the order of lines.
        self.last = self.last.max(Millis::of(Utc::now()));
        let event = Event { line: self.line, at: self.last, message };
        if !self.batch.has_room_for(&event) {
            self.send().await?;
        }
        if self.batch.events.is_empty() {
            self.due = Instant::now() + LONGEST_WAIT;
        }
        self.batch.push(event);
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        let (Some(first), Some(last)) = (batch.events.first(), batch.events.last()) else { return Ok(()) };
        self.under_way = Some((first.line, last.line));
        let info = match self.put_events(&batch).await {
            Ok(info) => info,
            Err((failure, is_refused)) => {
                if is_refused {
                    (self.under_way, self.refused) = (None, Some(first.line));
                }
                return Err(failure);
            }
        };
        self.under_way = None;
        let rejected = info.map(|info| batch.rejected(&info)).unwrap_or_default();
        self.done.events += (batch.events.len() - rejected.len()) as u64;
        for (line, rejection) in rejected {
            self.not_put(line, rejection.reason());
        }
        Ok(())
    }

    /// The error has whether it is sure that nothing was put.
    async fn put_events(&self, batch: &Batch) -> Result<Option<RejectedLogEventsInfo>, (Failure, bool)> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let event = |event: &Event| InputLogEvent::builder().timestamp(event.at.0).message(&event.message).build();
            let events = batch.events.iter().map(event).collect::<Result<_, _>>().expect("each event has a time and a message");
            let request = self.logs.put_log_events().log_group_name(&self.done.log_group).log_stream_name(&self.done.log_stream);
            let failure = match request.set_log_events(Some(events)).send().await {
                Ok(answer) => return Ok(answer.rejected_log_events_info),
                Err(error) => service_failure("PutLogEvents", &error),
            };
            let pause = pauses.next().filter(|_| failure.has_code("ResourceNotFoundException"));
            let Some(pause) = pause else {
                let is_refused = !matches!(failure.kind(), FailureKind::NoAnswer | FailureKind::Unavailable);
                return Err((Failure::of("logs", &failure), is_refused));
            };
            self.create_stream().await.map_err(|failure| (failure, true))?;
            tokio::time::sleep(pause).await;
        }
    }

    async fn create_stream(&self) -> Result<(), Failure> {
        let Done { log_group, log_stream, .. } = &self.done;
        let created = self.logs.create_log_stream().log_group_name(log_group).log_stream_name(log_stream).send().await;
        let failure = match created {
            Ok(_) => return Ok(()),
            Err(error) => service_failure("CreateLogStream", &error),
        };
        match failure.code.as_deref() {
            // Somebody else has created it meanwhile.
            Some("ResourceAlreadyExistsException") => Ok(()),
            Some("ResourceNotFoundException") => Err(Failure::Usage(format!(
                "log group {log_group} does not exist in this account in {region}: correct the name, or create it with `aws logs \
                 create-log-group --log-group-name '{log_group}' --region {region}`",
                region = self.region
            ))),
            _ => Err(Failure::of("logs", &failure)),
        }
    }

    fn not_put(&mut self, line: u64, reason: &str) {
        note(format_args!("line {line} was not put: {reason}"));
        self.done.not_put_lines += 1;
        let has_room = self.done.not_put.len() < MOST_RANGES;
        match self.done.not_put.last_mut() {
            Some(last) if last.to_line + 1 == line && last.reason == reason => last.to_line = line,
            _ if has_room => self.done.not_put.push(NotPut { from_line: line, to_line: line, reason: reason.to_owned() }),
            _ => {}
        }
    }

    /// What was read is put, unless Ctrl-C comes again. A call that is under way may succeed or not.
    async fn interrupted(&mut self) -> Result<Verdict, Failure> {
        if self.under_way.is_none() {
            let sent = tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => Ok(()),
                sent = self.send() => sent,
            };
            sent.map_err(|failure| self.with_what_was_put(failure))?;
        }
        note(format_args!("Stopped. {}", self.what_was_put()));
        Ok(Verdict::Interrupted)
    }

    fn what_was_put(&self) -> String {
        let put = match self.done.events {
            1 => "1 event was put before.".to_owned(),
            events => format!("{events} events were put before."),
        };
        match self.under_way {
            _ if let Some(line) = self.refused => format!("{put} Line {line} and what follows were not."),
            Some((first, last)) if first == last => format!("{put} Whether line {first} was put is not known: look before you repeat it."),
            Some((first, last)) => format!("{put} Whether lines {first} to {last} were put is not known: look before you repeat them."),
            None => put,
        }
    }

    fn with_what_was_put(&self, failure: Failure) -> Failure {
        let is_nothing = self.done.events == 0 && self.line <= 1;
        match failure {
            Failure::Aws(message) if !is_nothing => Failure::Aws(format!("{message}\n{}", self.what_was_put())),
            Failure::Local(message) => Failure::Local(format!("{message}\n{}", self.what_was_put())),
            other => other,
        }
    }

    fn tell(&self) {
        let Done { log_group, log_stream, events, empty_lines, .. } = &self.done;
        let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        note(format_args!("Put {} into log stream {log_stream} of log group {log_group}.", counted(*events, "event")));
        if *empty_lines > 0 {
            let lines = counted(*empty_lines, "empty line");
            note(format_args!("Left out {lines}: CloudWatch Logs takes no empty event."));
        }
    }
}

/// What stdin has, as it comes. A thread reads it, because a read from a terminal cannot be given up; the process ends without it.
fn chunks() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut bytes = vec![0; CHUNK];
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
