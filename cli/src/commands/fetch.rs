//! `fetch`: prints the events of log groups in a period, in the order of time.
//!
//! It reads all events before it prints the first one. The objects of an export have no order, so the last line of the last object can be
//! the first event.

pub mod archived;
pub mod coverage;
pub mod filter;
pub mod print;
pub mod source;

use std::sync::Arc;

use chrono::Utc;
use chrono_tz::Tz;
use export_core::{LogGroupName, StreamPrefix, Window, parse_timezone, time::Millis};

use crate::{
    ExitStatus,
    arguments::reading::Fetch,
    commands::fetch::{
        filter::{ContextSelection, Filter},
        print::{PrintOptions, Printer},
    },
    context::Context,
    events::sorter::{BATCH_BYTES, Order, Position, Sorter, Streams},
    failure::Failure,
    instant::Period,
    output::note,
    shell::quoted,
};

/// The events to print.
#[derive(Debug)]
pub struct Request {
    /// Patterns for log groups.
    pub log_groups: Vec<String>,
    pub period: Window,
    pub stream: Option<StreamPrefix>,
    pub filter: Filter,
    pub timezone: Tz,
    /// The options that select events, for the command that reads the missing part.
    options: String,
}

/// The result of the reading, beside the events.
#[derive(Debug, Default)]
pub struct ReadSummary {
    pub log_groups: usize,
    /// The parts of the period that could not be read, each with the next step.
    pub findings: Vec<String>,
    /// One failure for each log group that AWS refused.
    pub failures: Vec<Failure>,
}

pub async fn run(context: &Context, arguments: &Fetch) -> Result<ExitStatus, Failure> {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(ExitStatus::Interrupted),
        fetched = Box::pin(fetch(context, arguments)) => fetched,
    }
}

async fn fetch(context: &Context, arguments: &Fetch) -> Result<ExitStatus, Failure> {
    let filter = Filter::parse(arguments)?;
    let stream = arguments.stream.as_deref().map(StreamPrefix::parse).transpose();
    let stream =
        stream.map_err(|fix| Failure::Usage(format!("--stream is {:?}: {fix}", arguments.stream.as_deref().unwrap_or_default())))?;
    let parse_zone = |zone: &str| parse_timezone(zone).map_err(|fix| Failure::Usage(format!("--zone is {zone:?}: {fix}")));
    let zone = arguments.zone.as_deref().map(parse_zone).transpose()?;
    // CloudWatch Logs can be read without an archive.
    let stack = if arguments.source && zone.is_some() { None } else { Some(context.stack().await?) };
    let archive = stack.as_ref().map(|stack| context.archive(stack));
    let timezone = zone.or(stack.map(|stack| stack.settings.timezone)).unwrap_or(Tz::UTC);
    let request = Request {
        log_groups: arguments.log_groups.clone(),
        period: Period::parse(&arguments.period, timezone, Utc::now())?.window(),
        stream,
        options: select_options(arguments) + &context.options.logs_archive,
        filter,
        timezone,
    };

    let streams: Arc<Streams> = Arc::default();
    let order = if request.filter.has_context() { Order::LogStream } else { Order::Time };
    let sorter = Arc::new(Sorter::new(order, BATCH_BYTES, Arc::clone(&streams)));
    let request = Arc::new(request);
    let summary = match archive.filter(|_| !arguments.source) {
        Some(archive) => archived::read_events(&archive, &request, &sorter).await?,
        None => source::read_events(&context.logs(), &request, &sorter).await?,
    };
    let ReadSummary { log_groups, findings, mut failures } = summary;
    // Without any log group, there is no result.
    if log_groups > 0 && failures.len() == log_groups {
        return Err(failures.swap_remove(0));
    }

    let sorter = Arc::into_inner(sorter).expect("every reader has ended");
    let print_options =
        PrintOptions { format: context.output.format, timezone, names_log_group: log_groups > 1, is_message_only: arguments.message };
    let printing = tokio::task::spawn_blocking(move || match request.filter.has_context() {
        true => print(select(sorter, &request.filter)?, &streams, print_options),
        false => print(sorter, &streams, print_options),
    });
    printing.await.expect("the printer does not panic")?;
    findings.iter().for_each(|finding| note(format_args!("error: {finding}")));
    let last = failures.pop();
    failures.iter().for_each(|failure| note(format_args!("error: {failure}")));
    match last {
        Some(failure) => Err(failure),
        None => Ok(if findings.is_empty() { ExitStatus::Success } else { ExitStatus::Finding }),
    }
}

/// Selects matches and their context, from the events of one log stream after another.
fn select(by_stream: Sorter, filter: &Filter) -> Result<Sorter, Failure> {
    let by_time = Sorter::new(Order::Time, BATCH_BYTES, Arc::clone(&by_stream.streams));
    let (mut selection, mut batch) = (ContextSelection::new(filter), by_time.take_batch());
    by_stream.finish::<Failure>(|position, message| {
        selection.visit(position, message, |position, message| by_time.push(&mut batch, position, message));
        Ok(())
    })?;
    by_time.give_back(batch)?;
    Ok(by_time)
}

fn print(sorter: Sorter, streams: &Streams, print_options: PrintOptions) -> Result<(), Failure> {
    let names = streams.names();
    let mut printer = Printer::new(print_options);
    sorter.finish(|Position { at, stream, .. }, message| printer.print_event(at, &names[stream as usize], message))?;
    printer.finish()
}

/// The options that select events, quoted for a shell.
fn select_options(arguments: &Fetch) -> String {
    let mut options = String::new();
    let mut push = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            options.push_str(&format!(" {name} {}", quoted(&value)));
        }
    };
    push("--stream", arguments.stream.clone());
    push("--grep", arguments.grep.clone());
    for (name, value) in [("-A", arguments.after), ("-B", arguments.before), ("-C", arguments.context)] {
        push(name, value.map(|value| value.to_string()));
    }
    push("--zone", arguments.zone.clone());
    options.push_str(if arguments.message { " --message" } else { "" });
    options
}

impl Request {
    /// The command that reads a part of the period from CloudWatch Logs.
    fn source_command(&self, log_group: &LogGroupName, window: Window) -> String {
        let [since, until] = [window.from, Millis(window.to.0 + 1)].map(|at| print::format_time(at, self.timezone));
        format!("logs-archive fetch {} --since {since} --until {until}{} --source", quoted(log_group.as_str()), self.options)
    }
}
