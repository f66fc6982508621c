//! Reads log groups, log streams and events from CloudWatch Logs.
//!
//! It reads every log stream. The metadata of a log stream is eventually consistent, so it cannot show that there are no events.

use std::collections::BTreeMap;

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{
    Client,
    types::{FilteredLogEvent, LogGroup, OutputLogEvent},
};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{LogGroupName, StreamPrefix, Window, service::ServiceFailure, time::Millis, window::LATE_EVENTS};

use crate::failure::Failure;

/// How many empty pages in a row are read. CloudWatch Logs can return many of them where events have expired.
const MAX_EMPTY_PAGES: usize = 500;

/// CloudWatch Logs may or may not include the end of a request's period. A later end includes it, and a filter drops later events.
const END_MARGIN_MS: i64 = 2;

/// How the reading of events ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Complete,
    /// There were too many empty pages, so there may be more events.
    Incomplete,
    /// The log stream or the log group does not exist.
    NotFound,
}

/// CloudWatch Logs has deleted the events of a log group before this time, or may have.
pub type ExpiredBefore = Option<Millis>;

pub async fn list_log_groups(client: &Client, prefix: &str, now: DateTime<Utc>) -> Result<BTreeMap<LogGroupName, ExpiredBefore>, Failure> {
    let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
    let mut pages = client.describe_log_groups().set_log_group_name_prefix(prefix).into_paginator().send();
    let mut log_groups = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::of_call("logs", &service_failure("DescribeLogGroups", &error)))?;
        for log_group in page.log_groups() {
            if let Ok(name) = LogGroupName::parse(log_group.log_group_name().unwrap_or_default()) {
                log_groups.insert(name, expired_before(log_group, now));
            }
        }
    }
    Ok(log_groups)
}

/// `None`: no event can have expired. An event is at most 14 days old when it arrives.
fn expired_before(log_group: &LogGroup, now: DateTime<Utc>) -> ExpiredBefore {
    let kept_from = now - TimeDelta::days(log_group.retention_in_days()?.into());
    let first = log_group.creation_time().and_then(|at| Millis(at).instant()).map(|created| created - LATE_EVENTS);
    first.is_none_or(|first| first < kept_from).then(|| Millis::of(kept_from))
}

/// Lists the names of all log streams. `None`: the log group does not exist.
pub async fn list_log_streams(client: &Client, log_group: &str, prefix: Option<&StreamPrefix>) -> Result<Option<Vec<String>>, Failure> {
    let request = client.describe_log_streams().log_group_name(log_group).set_log_stream_name_prefix(prefix.map(ToString::to_string));
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let page = match request.clone().limit(50).set_next_token(token).send().await {
            Ok(page) => page,
            Err(error) => {
                let failure = service_failure("DescribeLogStreams", &error);
                let is_gone = failure.has_code("ResourceNotFoundException");
                return if is_gone { Ok(None) } else { Err(Failure::of_call("logs", &failure)) };
            }
        };
        names.extend(page.log_streams.unwrap_or_default().into_iter().filter_map(|stream| stream.log_stream_name));
        token = page.next_token;
        if token.is_none() {
            return Ok(Some(names));
        }
    }
}

fn end_of_failure(failure: &ServiceFailure) -> Result<End, Failure> {
    if failure.has_code("ResourceNotFoundException") { Ok(End::NotFound) } else { Err(Failure::of_call("logs", failure)) }
}

/// Visits every event of a log stream in a window, in the order of time.
pub async fn read_stream(
    client: &Client,
    log_group: &str,
    log_stream: &str,
    window: Window,
    mut visit: impl FnMut(&OutputLogEvent),
) -> Result<End, Failure> {
    let request = client.get_log_events().log_group_name(log_group).log_stream_name(log_stream).start_from_head(true);
    let request = request.start_time(window.from.0).end_time(window.to.0 + END_MARGIN_MS);
    let (mut token, mut empty_pages) = (None::<String>, 0);
    loop {
        let page = match request.clone().set_next_token(token.clone()).send().await {
            Ok(page) => page,
            Err(error) => return end_of_failure(&service_failure("GetLogEvents", &error)),
        };
        let is_inside = |event: &&OutputLogEvent| event.timestamp().is_some_and(|at| window.includes(Millis(at)));
        page.events().iter().filter(is_inside).for_each(&mut visit);
        // The last page repeats the token. An empty page is not the end.
        if page.next_forward_token.is_none() || page.next_forward_token == token {
            return Ok(End::Complete);
        }
        empty_pages = if page.events().is_empty() { empty_pages + 1 } else { 0 };
        if empty_pages > MAX_EMPTY_PAGES {
            return Ok(End::Incomplete);
        }
        token = page.next_forward_token;
    }
}

/// Visits every event of a log group in a window. The order is not defined.
pub async fn read_log_group(
    client: &Client,
    log_group: &LogGroupName,
    prefix: Option<&StreamPrefix>,
    window: Window,
    mut visit: impl FnMut(&FilteredLogEvent),
) -> Result<End, Failure> {
    let request = client.filter_log_events().log_group_name(log_group.as_str());
    let request = request.set_log_stream_name_prefix(prefix.map(ToString::to_string));
    let request = request.start_time(window.from.0).end_time(window.to.0 + END_MARGIN_MS);
    let (mut token, mut empty_pages) = (None::<String>, 0);
    loop {
        let page = match request.clone().set_next_token(token.clone()).send().await {
            Ok(page) => page,
            Err(error) => return end_of_failure(&service_failure("FilterLogEvents", &error)),
        };
        let is_inside = |event: &&FilteredLogEvent| event.timestamp().is_some_and(|at| window.includes(Millis(at)));
        page.events().iter().filter(is_inside).for_each(&mut visit);
        if page.next_token.is_none() {
            return Ok(End::Complete);
        }
        empty_pages = if page.events().is_empty() { empty_pages + 1 } else { 0 };
        // A repeated token would return the same page again.
        if empty_pages > MAX_EMPTY_PAGES || page.next_token == token {
            return Ok(End::Incomplete);
        }
        token = page.next_token;
    }
}
