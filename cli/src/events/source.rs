//! What CloudWatch Logs still holds: log groups, log streams and their events, all of them or said to be incomplete.
//!
//! Streams are never left out by their metadata, which is eventually consistent.

use std::collections::BTreeMap;

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{
    Client,
    types::{FilteredLogEvent, LogGroup, OutputLogEvent},
};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{LogGroupName, StreamPrefix, Window, service::ServiceFailure, time::Millis};

use crate::failure::Failure;

/// Empty pages of one listing, one after another. AWS may answer so where events have expired; there is no other sign of an end.
const MOST_EMPTY_PAGES: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    /// After so many empty pages, nobody knows whether there are more events.
    Incomplete,
    /// The log stream, or the log group, does not exist.
    Gone,
}

/// Of a log group, before when CloudWatch Logs has deleted events, or may have.
pub type Expiry = Option<Millis>;

/// Every log group with a prefix.
pub async fn log_groups(client: &Client, prefix: &str, now: DateTime<Utc>) -> Result<BTreeMap<LogGroupName, Expiry>, Failure> {
    let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
    let mut pages = client.describe_log_groups().set_log_group_name_prefix(prefix).into_paginator().send();
    let mut log_groups = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::of("logs", &service_failure("DescribeLogGroups", &error)))?;
        for log_group in page.log_groups() {
            if let Ok(name) = LogGroupName::parse(log_group.log_group_name().unwrap_or_default()) {
                log_groups.insert(name, expiry(log_group, now));
            }
        }
    }
    Ok(log_groups)
}

/// No event is older than 14 days when it arrives.
fn expiry(log_group: &LogGroup, now: DateTime<Utc>) -> Expiry {
    let kept_from = now - TimeDelta::days(log_group.retention_in_days()?.into());
    let first = log_group.creation_time().and_then(|at| Millis(at).instant()).map(|created| created - TimeDelta::days(14));
    first.is_none_or(|first| first < kept_from).then(|| Millis::of(kept_from))
}

/// Every log stream's name. `None`: the log group does not exist.
pub async fn log_streams(client: &Client, log_group: &str, prefix: Option<&StreamPrefix>) -> Result<Option<Vec<String>>, Failure> {
    let request = client.describe_log_streams().log_group_name(log_group).set_log_stream_name_prefix(prefix.map(ToString::to_string));
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let page = match request.clone().limit(50).set_next_token(token).send().await {
            Ok(page) => page,
            Err(error) => {
                let failure = service_failure("DescribeLogStreams", &error);
                let is_gone = failure.has_code("ResourceNotFoundException");
                return if is_gone { Ok(None) } else { Err(Failure::of("logs", &failure)) };
            }
        };
        names.extend(page.log_streams.unwrap_or_default().into_iter().filter_map(|stream| stream.log_stream_name));
        token = page.next_token;
        if token.is_none() {
            return Ok(Some(names));
        }
    }
}

fn refused(failure: &ServiceFailure) -> Result<End, Failure> {
    if failure.has_code("ResourceNotFoundException") { Ok(End::Gone) } else { Err(Failure::of("logs", failure)) }
}

/// Visits every event of a log stream in a window, in the order of time.
pub async fn events(
    client: &Client,
    log_group: &str,
    log_stream: &str,
    window: Window,
    mut visit: impl FnMut(&OutputLogEvent),
) -> Result<End, Failure> {
    let request = client.get_log_events().log_group_name(log_group).log_stream_name(log_stream).start_from_head(true);
    // Sources differ on whether the end is included: one millisecond more is asked for, and cut off again.
    let request = request.start_time(window.from.0).end_time(window.to.0 + 2);
    let (mut token, mut empty_pages) = (None::<String>, 0);
    loop {
        let page = match request.clone().set_next_token(token.clone()).send().await {
            Ok(page) => page,
            Err(error) => return refused(&service_failure("GetLogEvents", &error)),
        };
        let is_inside = |event: &&OutputLogEvent| event.timestamp().is_some_and(|at| window.includes(Millis(at)));
        page.events().iter().filter(is_inside).for_each(&mut visit);
        // The end is where the token no longer moves; a page before it may be empty.
        if page.next_forward_token.is_none() || page.next_forward_token == token {
            return Ok(End::Whole);
        }
        empty_pages = if page.events().is_empty() { empty_pages + 1 } else { 0 };
        if empty_pages > MOST_EMPTY_PAGES {
            return Ok(End::Incomplete);
        }
        token = page.next_forward_token;
    }
}

/// Visits every event of a log group in a window, whatever its log streams are. The order is that of AWS.
pub async fn events_of_log_group(
    client: &Client,
    log_group: &LogGroupName,
    prefix: Option<&StreamPrefix>,
    window: Window,
    mut visit: impl FnMut(&FilteredLogEvent),
) -> Result<End, Failure> {
    let request = client.filter_log_events().log_group_name(log_group.as_str());
    let request = request.set_log_stream_name_prefix(prefix.map(ToString::to_string));
    let request = request.start_time(window.from.0).end_time(window.to.0 + 2);
    let (mut token, mut empty_pages) = (None::<String>, 0);
    loop {
        let page = match request.clone().set_next_token(token.clone()).send().await {
            Ok(page) => page,
            Err(error) => return refused(&service_failure("FilterLogEvents", &error)),
        };
        let is_inside = |event: &&FilteredLogEvent| event.timestamp().is_some_and(|at| window.includes(Millis(at)));
        page.events().iter().filter(is_inside).for_each(&mut visit);
        if page.next_token.is_none() {
            return Ok(End::Whole);
        }
        empty_pages = if page.events().is_empty() { empty_pages + 1 } else { 0 };
        // The same token again would lead to the same page again.
        if empty_pages > MOST_EMPTY_PAGES || page.next_token == token {
            return Ok(End::Incomplete);
        }
        token = page.next_token;
    }
}
