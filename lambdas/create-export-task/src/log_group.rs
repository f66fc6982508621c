//! What CloudWatch Logs knows of the log group before it is exported: whether it exists, and what it no longer has.
//! Reasons to skip an entry are decided from here.

use aws_sdk_cloudwatchlogs::{Client, types::LogGroup};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ExportError, Window,
    create::{Warning, WarningName},
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
