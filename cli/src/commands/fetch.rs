//! `fetch`: the events of log groups and a period, in the order of time.
//!
//! Everything is read before the first event is printed: an export does not promise the order of its objects, so the last line of the last
//! object can be the first event.

pub mod archived;
pub mod coverage;
pub mod filter;
pub mod print;
pub mod source;

use std::sync::Arc;

use chrono::Utc;
use chrono_tz::Tz;
use export_core::{LogGroupName, StreamPrefix, Window, time::Millis};

use crate::{
    Verdict,
    arguments::reading::Fetch,
    commands::fetch::{
        filter::{Filter, Selection},
        print::{Form, Printer},
    },
    context::Context,
    events::sorter::{BATCH_BYTES, Order, Place, Sorter, Streams},
    failure::Failure,
    instant::Period,
    output::note,
    shell::quoted,
};

/// What is asked for.
#[derive(Debug)]
pub struct Request {
    /// Names and globs.
    pub log_groups: Vec<String>,
    pub period: Window,
    pub stream: Option<StreamPrefix>,
    pub filter: Filter,
    pub timezone: Tz,
    /// The options that select events, for a command that reads on.
    options: String,
}

/// What became of it, beside the events.
#[derive(Debug, Default)]
pub struct Found {
    pub log_groups: usize,
    /// What is not in the answer, and what to do about it.
    pub findings: Vec<String>,
    /// Log groups that AWS refused.
    pub failures: Vec<Failure>,
}

pub async fn run(context: &Context, arguments: &Fetch) -> Result<Verdict, Failure> {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(Verdict::Interrupted),
        done = Box::pin(fetch(context, arguments)) => done,
    }
}

async fn fetch(context: &Context, arguments: &Fetch) -> Result<Verdict, Failure> {
    let filter = Filter::read(arguments)?;
    let stream = arguments.stream.as_deref().map(StreamPrefix::parse).transpose();
    let stream = stream.map_err(|fix| Failure::Usage(format!("--stream {:?}: {fix}", arguments.stream.as_deref().unwrap_or_default())))?;
    let zone = |zone: &str| {
        zone.parse::<Tz>()
            .map_err(|_| Failure::Usage(format!("--zone {zone:?} is no IANA time zone name: write one such as Asia/Tokyo or UTC")))
    };
    let zone = arguments.zone.as_deref().map(zone).transpose()?;
    // CloudWatch Logs can be read without an archive.
    let stack = if arguments.source && zone.is_some() { None } else { Some(context.stack().await?) };
    let archive = stack.as_ref().map(|stack| context.archive(stack));
    let timezone = zone.or(stack.map(|stack| stack.stack.timezone)).unwrap_or(Tz::UTC);
    let request = Request {
        log_groups: arguments.log_groups.clone(),
        period: Period::read(&arguments.period, timezone, Utc::now())?.window(),
        stream,
        options: options(arguments) + &context.options.own,
        filter,
        timezone,
    };

    let streams: Arc<Streams> = Arc::default();
    let order = if request.filter.has_context() { Order::LogStream } else { Order::Time };
    let sorter = Arc::new(Sorter::new(order, BATCH_BYTES, Arc::clone(&streams)));
    let request = Arc::new(request);
    let found = match archive.filter(|_| !arguments.source) {
        Some(archive) => archived::read(&archive, &request, &sorter).await?,
        None => source::read(&context.logs(), &request, &sorter).await?,
    };
    let Found { log_groups, findings, mut failures } = found;
    // Nothing was read: there is no answer.
    if log_groups > 0 && failures.len() == log_groups {
        return Err(failures.swap_remove(0));
    }

    let sorter = Arc::into_inner(sorter).expect("every reader has ended");
    let form = Form { format: context.output.format, timezone, names_log_group: log_groups > 1, is_message_only: arguments.message };
    let printing = tokio::task::spawn_blocking(move || match request.filter.has_context() {
        true => print(selected(sorter, &request.filter)?, &streams, form),
        false => print(sorter, &streams, form),
    });
    printing.await.expect("the printer does not panic")?;
    findings.iter().for_each(|finding| note(format_args!("error: {finding}")));
    let last = failures.pop();
    failures.iter().for_each(|failure| note(format_args!("error: {failure}")));
    match last {
        Some(failure) => Err(failure),
        None => Ok(if findings.is_empty() { Verdict::Well } else { Verdict::Finding }),
    }
}

/// Matches and their context, from the events of one log stream after another.
fn selected(by_stream: Sorter, filter: &Filter) -> Result<Sorter, Failure> {
    let by_time = Sorter::new(Order::Time, BATCH_BYTES, Arc::clone(&by_stream.streams));
    let (mut selection, mut batch) = (Selection::new(filter), by_time.take_batch());
    by_stream.finish::<Failure>(|place, message| {
        selection.visit(place, message, |place, message| by_time.push(&mut batch, place, message));
        Ok(())
    })?;
    by_time.give_back(batch)?;
    Ok(by_time)
}

fn print(sorter: Sorter, streams: &Streams, form: Form) -> Result<(), Failure> {
    let names = streams.names();
    let mut printer = Printer::new(form);
    sorter.finish(|Place { at, stream, .. }, message| printer.event(at, &names[stream as usize], message))?;
    printer.finish()
}

/// As a shell takes them.
fn options(arguments: &Fetch) -> String {
    let mut options = String::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            options.push_str(&format!(" {name} {}", quoted(&value)));
        }
    };
    add("--stream", arguments.stream.clone());
    add("--grep", arguments.grep.clone());
    for (name, value) in [("-A", arguments.after), ("-B", arguments.before), ("-C", arguments.context)] {
        add(name, value.map(|value| value.to_string()));
    }
    add("--zone", arguments.zone.clone());
    options.push_str(if arguments.message { " --message" } else { "" });
    options
}

impl Request {
    /// Reads the same events of a part of the period from CloudWatch Logs.
    fn source_command(&self, log_group: &LogGroupName, window: Window) -> String {
        let [since, until] = [window.from, Millis(window.to.0 + 1)].map(|at| print::time(at, self.timezone));
        format!("logs-archive fetch {} --since {since} --until {until}{} --source", quoted(log_group.as_str()), self.options)
    }
}
