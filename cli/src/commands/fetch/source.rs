//! Reads the events of CloudWatch Logs. FilterLogEvents reads all log streams of a log group, and does not depend on their metadata. A
//! period is read in slices, several at a time.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use aws_sdk_cloudwatchlogs::{Client, types::FilteredLogEvent};
use chrono::{TimeDelta, Utc};
use export_core::{LogGroupName, Window, time::Millis};
use futures_util::{StreamExt, stream};

use crate::{
    commands::fetch::{ReadSummary, Request, coverage, print},
    events::{
        sorter::{Position, Sorter, StreamName},
        source::{self, End, ExpiredBefore},
    },
    failure::Failure,
    globs::{Globs, is_glob, parse_name},
};

/// How many slices are read at a time. AWS allows five calls a second.
const CONCURRENCY: usize = 4;
/// How many slices a period has at most, and the shortest slice.
const MAX_SLICES: i64 = 16;
const MIN_SLICE: TimeDelta = TimeDelta::minutes(1);
/// No finding if less than this part of the period has expired. So `--since 30d` works with a retention of 30 days.
const EXPIRY_TOLERANCE: TimeDelta = TimeDelta::hours(1);
/// The time of an event is at most this much later than AWS's clock.
const MAX_CLOCK_LEAD: TimeDelta = TimeDelta::hours(24);
/// How many bits of an index number the events of a slice. The other bits number the slices.
const EVENT_BITS: u32 = 40;

pub async fn read_events(logs: &Client, request: &Arc<Request>, sorter: &Arc<Sorter>) -> Result<ReadSummary, Failure> {
    let mut summary = ReadSummary::default();
    let log_groups = log_groups(logs, request, &mut summary).await?;
    summary.findings.extend(log_groups.iter().filter_map(|(name, expired_before)| {
        let before = expired_before.filter(|before| request.period.from.0 + EXPIRY_TOLERANCE.num_milliseconds() < before.0)?;
        let before = print::format_time(before, request.timezone);
        Some(format!("{name}: retention has deleted the events before {before}, or will soon: leave --source out to read the archive"))
    }));
    let log_groups: Arc<[LogGroupName]> = log_groups.into_keys().collect();
    summary.log_groups = log_groups.len();
    let has_ended: Arc<[AtomicBool]> = log_groups.iter().map(|_| AtomicBool::new(false)).collect();
    let all = (0..log_groups.len()).flat_map(|index| slices(request.period).into_iter().enumerate().map(move |slice| (index, slice)));
    let read = |(index, (part, window)): (usize, (usize, Window))| {
        let (logs, log_groups, has_ended) = (logs.clone(), Arc::clone(&log_groups), Arc::clone(&has_ended));
        let (request, sorter) = (Arc::clone(request), Arc::clone(sorter));
        tokio::spawn(async move {
            if has_ended[index].load(Relaxed) {
                return (index, window, Ok(End::Complete));
            }
            let read = read_slice(&logs, &request, &sorter, &log_groups[index], (part as u64, window)).await;
            has_ended[index].fetch_or(!matches!(read, Ok(End::Complete | End::Incomplete)), Relaxed);
            (index, window, read)
        })
    };
    let mut read = stream::iter(all).map(read).buffer_unordered(CONCURRENCY);
    let mut failed = HashSet::new();
    while let Some(joined) = read.next().await {
        let (index, window, read) = joined.expect("a reader does not panic");
        let log_group = &log_groups[index];
        match read {
            Ok(End::Complete) => {}
            Ok(End::Incomplete) => summary.findings.push(format!(
                "{log_group}: incomplete {}: CloudWatch Logs answered with empty pages only, without an end. Repeat the command for this part:\n  {}",
                coverage::format_period(window, request.timezone),
                request.source_command(log_group, window)
            )),
            Ok(End::NotFound) if failed.insert(index) => summary.findings.push(format!(
                "log group {log_group} does not exist in CloudWatch Logs: correct its name, or leave --source out to read the archive"
            )),
            Err(failure @ Failure::Local(_)) => return Err(failure),
            Err(failure) if failed.insert(index) => summary.failures.push(failure.with_log_group(log_group)),
            _ => {}
        }
    }
    Ok(summary)
}

async fn log_groups(logs: &Client, request: &Request, summary: &mut ReadSummary) -> Result<BTreeMap<LogGroupName, ExpiredBefore>, Failure> {
    let now = Utc::now();
    let mut log_groups = BTreeMap::new();
    for pattern in &request.log_groups {
        if !is_glob(pattern) {
            let name = parse_name(pattern)?;
            let expired_before = source::list_log_groups(logs, pattern, now).await?.remove(&name).flatten();
            log_groups.insert(name, expired_before);
            continue;
        }
        let glob = Globs::new(std::slice::from_ref(pattern));
        let prefix = pattern.split(['*', '?']).next().unwrap_or_default();
        let mut matching = source::list_log_groups(logs, prefix, now).await?;
        matching.retain(|name, _| glob.matches(name));
        if matching.is_empty() {
            summary.findings.push(format!("no log group of CloudWatch Logs matches {pattern}: correct the pattern, or check --region"));
        }
        log_groups.append(&mut matching);
    }
    Ok(log_groups)
}

fn slices(period: Window) -> Vec<Window> {
    let last = period.to.min(Millis::of(Utc::now()) + MAX_CLOCK_LEAD).max(period.from);
    let period = Window { to: last, ..period };
    let number = period.duration().num_milliseconds() / MIN_SLICE.num_milliseconds();
    period.split_equally(number.clamp(1, MAX_SLICES))
}

async fn read_slice(
    logs: &Client,
    request: &Request,
    sorter: &Sorter,
    log_group: &LogGroupName,
    (part, window): (u64, Window),
) -> Result<End, Failure> {
    let has_context = request.filter.has_context();
    let (mut batch, mut events) = (sorter.take_batch(), 0_u64);
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let end = source::read_log_group(logs, log_group, request.stream.as_ref(), window, |event: &FilteredLogEvent| {
        events += 1;
        let message = event.message().unwrap_or_default().as_bytes();
        if !has_context && !request.filter.matches(message) {
            return;
        }
        let log_stream = event.log_stream_name().unwrap_or_default();
        let stream = numbers.get(log_stream).copied().unwrap_or_else(|| {
            let name = StreamName { log_group: log_group.to_string(), log_stream: log_stream.to_owned() };
            let number = sorter.streams.number(name);
            numbers.insert(log_stream.to_owned(), number);
            number
        });
        let at = Millis(event.timestamp().unwrap_or_default());
        sorter.push(&mut batch, Position { at, stream, index: part << EVENT_BITS | events }, message);
    });
    let end = end.await;
    sorter.give_back(batch)?;
    end
}
