//! The month that the runs of the benchmark archive, and what they share.

use anyhow::{Context, Result, ensure};
use local_aws::samples::{Event, LogGroup, LogStream};
use local_aws::{Execution, LocalAws};
use serde_json::{Value, json};

/// Over whenever this runs; its window in Tokyo.
pub const MONTH: &str = "2024-10";
pub const FROM: i64 = 1_727_708_400_000;
pub const TO: i64 = 1_730_386_799_999;

/// A day before the month.
pub const CREATED: i64 = FROM - 86_400_000;

/// Creates a log group with one event in the month.
pub async fn load(local: &LocalAws, name: &str) -> Result<()> {
    let events = vec![Event { timestamp: FROM, message: "x".to_owned() }];
    let streams = vec![LogStream { name: "main".to_owned(), events }];
    local.load(&LogGroup { name: name.to_owned(), created: CREATED, streams }).await
}

pub fn input(log_groups: &[String]) -> Value {
    json!({"month": MONTH, "logGroups": log_groups})
}

/// All log groups with this prefix.
pub fn input_of_prefix(prefix: &str) -> Value {
    json!({"month": MONTH, "logGroups": [{"logGroupNamePrefix": prefix}]})
}

/// What can become of a log-group-month in a run's output.
const OUTCOMES: [&str; 7] = ["alreadyArchived", "exported", "empty", "skipped", "nothingYet", "warned", "failed"];

/// What is measured must have happened: so many log-group-months with this outcome, and none with another.
pub fn require_outcome(output: &Value, outcome: &str, count: usize) -> Result<()> {
    for other in OUTCOMES {
        let wanted = if other == outcome { count } else { 0 };
        ensure!(output[other] == wanted, "{wanted} log-group-months were to become {other}: {output}");
    }
    Ok(())
}

/// The same of a run that is to have ended well.
pub fn require_run(execution: &Execution, outcome: &str, count: usize) -> Result<()> {
    let Execution { status, output, error, cause, .. } = execution;
    let output = output.as_ref().with_context(|| format!("the run ended as {status:?} with {error:?}: {cause:?}"))?;
    require_outcome(output, outcome, count)
}
