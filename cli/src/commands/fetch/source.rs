//! The events of CloudWatch Logs. FilterLogEvents reads a log group in one pass, whatever its log streams are and whatever their metadata says.
//! A period is read in slices, several at a time.

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
    commands::fetch::{Found, Request, coverage, print},
    events::{
        sorter::{Place, Sorter, StreamName},
        source::{self, End, Expiry},
    },
    failure::Failure,
    globs::{Globs, is_glob},
};

/// Calls under way at a time. AWS allows five a second.
const READERS: usize = 4;
/// Slices of a period, and the shortest.
const SLICES: i64 = 16;
const SHORTEST: TimeDelta = TimeDelta::minutes(1);
/// So much of a period may have expired without a word: `--since 30d` is not later than a retention of 30 days.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// No event is further ahead of AWS's clock.
const AHEAD: TimeDelta = TimeDelta::hours(24);
/// Bits of a position for the events of a slice.
const EVENTS: u32 = 40;

pub async fn read(logs: &Client, request: &Arc<Request>, sorter: &Arc<Sorter>) -> Result<Found, Failure> {
    let mut found = Found::default();
    let log_groups = log_groups(logs, request, &mut found).await?;
    found.findings.extend(log_groups.iter().filter_map(|(name, expiry)| {
        let before = expiry.filter(|before| request.period.from.0 + SLACK.num_milliseconds() < before.0)?;
        let before = print::time(before, request.timezone);
        Some(format!("{name}: events before {before} are deleted by retention, or about to be: leave --source out to ask the archive"))
    }));
    let log_groups: Arc<[LogGroupName]> = log_groups.into_keys().collect();
    found.log_groups = log_groups.len();
    let is_over: Arc<[AtomicBool]> = log_groups.iter().map(|_| AtomicBool::new(false)).collect();
    let all = (0..log_groups.len()).flat_map(|index| slices(request.period).into_iter().enumerate().map(move |slice| (index, slice)));
    let read = |(index, (part, window)): (usize, (usize, Window))| {
        let (logs, log_groups, is_over) = (logs.clone(), Arc::clone(&log_groups), Arc::clone(&is_over));
        let (request, sorter) = (Arc::clone(request), Arc::clone(sorter));
        tokio::spawn(async move {
            if is_over[index].load(Relaxed) {
                return (index, window, Ok(End::Whole));
            }
            let read = read_slice(&logs, &request, &sorter, &log_groups[index], (part as u64, window)).await;
            is_over[index].fetch_or(!matches!(read, Ok(End::Whole | End::Incomplete)), Relaxed);
            (index, window, read)
        })
    };
    let mut read = stream::iter(all).map(read).buffer_unordered(READERS);
    let mut failed = HashSet::new();
    while let Some(joined) = read.next().await {
        let (index, window, read) = joined.expect("a reader does not panic");
        let log_group = &log_groups[index];
        match read {
            Ok(End::Whole) => {}
            Ok(End::Incomplete) => found.findings.push(format!(
                "{log_group}: incomplete {}: CloudWatch Logs answered with empty pages only, without an end. Repeat the command for this part:\n  {}",
                coverage::between(window, request.timezone),
                request.source_command(log_group, window)
            )),
            Ok(End::Gone) if failed.insert(index) => found.findings.push(format!(
                "log group {log_group} does not exist in CloudWatch Logs: correct its name, or leave --source out to ask the archive"
            )),
            Err(failure @ Failure::Local(_)) => return Err(failure),
            Err(failure) if failed.insert(index) => found.failures.push(failure.of_log_group(log_group)),
            _ => {}
        }
    }
    Ok(found)
}

async fn log_groups(logs: &Client, request: &Request, found: &mut Found) -> Result<BTreeMap<LogGroupName, Expiry>, Failure> {
    let now = Utc::now();
    let mut log_groups = BTreeMap::new();
    for pattern in &request.log_groups {
        if !is_glob(pattern) {
            let name = LogGroupName::parse(pattern).map_err(|fix| Failure::Usage(format!("{pattern:?} is no log group: {fix}")))?;
            let expiry = source::log_groups(logs, pattern, now).await?.remove(&name).flatten();
            log_groups.insert(name, expiry);
            continue;
        }
        let glob = Globs::new(std::slice::from_ref(pattern));
        let prefix = pattern.split(['*', '?']).next().unwrap_or_default();
        let mut matching = source::log_groups(logs, prefix, now).await?;
        matching.retain(|name, _| glob.matches(name));
        if matching.is_empty() {
            found.findings.push(format!("no log group of CloudWatch Logs matches {pattern}: correct it, or check --region"));
        }
        log_groups.append(&mut matching);
    }
    Ok(log_groups)
}

fn slices(period: Window) -> Vec<Window> {
    let last = period.to.min(Millis::of(Utc::now()) + AHEAD).max(period.from);
    let period = Window { to: last, ..period };
    let number = period.duration().num_milliseconds() / SHORTEST.num_milliseconds();
    period.split_equally(number.clamp(1, SLICES))
}

async fn read_slice(
    logs: &Client,
    request: &Request,
    sorter: &Sorter,
    log_group: &LogGroupName,
    (part, window): (u64, Window),
) -> Result<End, Failure> {
    let takes_all = request.filter.has_context();
    let (mut batch, mut events) = (sorter.take_batch(), 0_u64);
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let end = source::events_of_log_group(logs, log_group, request.stream.as_ref(), window, |event: &FilteredLogEvent| {
        events += 1;
        let message = event.message().unwrap_or_default().as_bytes();
        if !takes_all && !request.filter.matches(message) {
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
        sorter.push(&mut batch, Place { at, stream, position: part << EVENTS | events }, message);
    });
    let end = end.await;
    sorter.give_back(batch)?;
    end
}
