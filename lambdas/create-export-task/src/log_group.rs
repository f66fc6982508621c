//! What CloudWatch Logs knows of the log group before it is exported: whether it exists, and what it no longer has.
//! Reasons to skip an entry are decided from here.

use aws_sdk_cloudwatchlogs::{
    Client,
    types::{LogGroup, LogGroupClass, OrderBy},
};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ExportError, Window,
    create::{Export, SkipReason, Warning, WarningName},
    service::logs_error,
    time::format_instant,
};
use function_runtime::service_failure;

/// The log group of exactly this name. DescribeLogGroups finds by prefix, so others may come with it.
pub async fn find(logs: &Client, name: &str) -> Result<Option<LogGroup>, ExportError> {
    let mut pages = logs.describe_log_groups().log_group_name_prefix(name).into_paginator().items().send();
    while let Some(log_group) = pages.next().await {
        let log_group = log_group.map_err(|error| logs_error(&service_failure("DescribeLogGroups", &error)))?;
        if log_group.log_group_name() == Some(name) {
            return Ok(Some(log_group));
        }
    }
    Ok(None)
}

/// Events may be put this long after they happened, so a log group made soon after the month may still hold some of it.
const LATE_EVENTS: TimeDelta = TimeDelta::days(14);

/// Should `lastEventTimestamp` be that of the event put last and not of the newest, it can lie so far behind the newest: no
/// event is put later than 14 days after it happened. That it may follow an hour late does not matter for a month that is
/// over for twelve.
const TIMESTAMP_MARGIN: TimeDelta = TimeDelta::days(15);

/// Why there is certainly nothing to export. Whatever is not certain is exported, and ends as empty at worst.
pub async fn skip_reason(logs: &Client, log_group: &LogGroup, export: &Export) -> Result<Option<SkipReason>, ExportError> {
    let created_after = |created: i64| created > export.window.to + LATE_EVENTS.num_milliseconds();
    if log_group.creation_time().is_some_and(created_after) {
        Ok(Some(SkipReason::CreatedAfterMonth))
    } else if matches!(log_group.log_group_class(), Some(LogGroupClass::InfrequentAccess | LogGroupClass::Delivery)) {
        Ok(Some(SkipReason::LogClassNotExportable))
    } else if export.complete && has_no_event_since(logs, log_group, export.window.from - TIMESTAMP_MARGIN.num_milliseconds()).await? {
        Ok(Some(SkipReason::NoEventsInMonth))
    } else {
        Ok(None)
    }
}

/// Whether the newest event of all streams is older than `instant`. A stream that does not tell its newest event makes it
/// uncertain, and so do more streams than one page has: where those that do not tell stand in the order is not known.
async fn has_no_event_since(logs: &Client, log_group: &LogGroup, instant: i64) -> Result<bool, ExportError> {
    let name = log_group.log_group_name().unwrap_or_default();
    let newest = logs.describe_log_streams().log_group_name(name).order_by(OrderBy::LastEventTime).descending(true).limit(50).send().await;
    let newest = match newest {
        Ok(newest) => newest,
        Err(error) => {
            let failure = service_failure("DescribeLogStreams", &error);
            // Deleted since it was looked at: CreateExportTask will say so.
            return if failure.has_code("ResourceNotFoundException") { Ok(false) } else { Err(logs_error(&failure)) };
        }
    };
    let older = newest.log_streams().iter().all(|stream| stream.last_event_timestamp().is_some_and(|last| last < instant));
    Ok(older && newest.next_token().is_none())
}

/// A retention shorter than the way back to the window's start has deleted part of the month already. What is left is
/// worth exporting all the same.
pub fn retention_warning(log_group: &LogGroup, window: Window, now: DateTime<Utc>) -> Option<Warning> {
    let days = log_group.retention_in_days()?;
    let deleted_before = now - TimeDelta::days(days.into());
    (deleted_before.timestamp_millis() > window.from).then(|| Warning {
        name: WarningName::RetentionShorterThanMonth,
        message: format!(
            "the log group keeps events for {days} days: those before {} are deleted or about to be, and may be missing from the archive; keep them for \
             60 days or more to export whole months",
            format_instant(deleted_before)
        ),
    })
}
