//! The month that the runs of the benchmark archive, and what they share.

use anyhow::{Result, ensure};
use local_aws::samples::{Event, LogGroup, LogStream};
use local_aws::{Execution, LocalAws};
use serde_json::{Value, json};

/// Over whenever this runs; its window in Tokyo.
const MONTH: &str = "2024-10";
pub const FROM: i64 = 1_727_708_400_000;
pub const TO: i64 = 1_730_386_799_999;

/// Entries in a page of a run's plan.
pub const PAGE: usize = 50;

/// A day before the month.
pub const CREATED: i64 = FROM - 86_400_000;

/// Creates a log group with one event in the month.
pub async fn load(local: &LocalAws, name: &str) -> Result<()> {
    let events = vec![Event { timestamp: FROM, message: "x".to_owned() }];
    let streams = vec![LogStream { name: "main".to_owned(), events }];
    local.load(&LogGroup { name: name.to_owned(), created: CREATED, streams }).await
}

pub fn input(bucket: &str, log_groups: &[String]) -> Value {
    json!({"s3BucketName": bucket, "s3Prefix": "logs", "month": MONTH, "logGroups": log_groups})
}

/// What is measured must have happened.
pub fn require_outcomes(execution: &Execution, counts: &Value) -> Result<()> {
    let output = execution.output.as_ref();
    ensure!(
        output.is_some_and(|output| output["counts"] == *counts),
        "the run was to end with {counts}, and ended as {:?} with {:?}, {:?}, {:?}",
        execution.status,
        output.map(|output| &output["counts"]),
        execution.error,
        execution.cause
    );
    Ok(())
}
