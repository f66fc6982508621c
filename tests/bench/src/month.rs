//! The month that the benchmark's runs archive: its window, a log group with an event in it, a run's input, and checks of a run's output.

use anyhow::{Context, Result, ensure};
use local_aws::samples::{Event, LogGroup, LogStream};
use local_aws::{Execution, LocalAws};
use serde_json::{Value, json};

pub const MONTH: &str = "2024-10";
/// Its window in Tokyo.
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

pub fn input_with_prefix(prefix: &str) -> Value {
    json!({"month": MONTH, "logGroups": [{"logGroupNamePrefix": prefix}]})
}

/// The outcomes of log-group-months in a run's output.
const OUTCOMES: [&str; 7] = ["alreadyArchived", "exported", "empty", "skipped", "nothingYet", "warned", "failed"];

/// Checks that all log-group-months have this outcome. Otherwise the benchmark would have measured something else.
pub fn require_outcome(output: &Value, outcome: &str, count: usize) -> Result<()> {
    for other in OUTCOMES {
        let expected = if other == outcome { count } else { 0 };
        ensure!(output[other] == expected, "the output must have {expected} for {other}: {output}");
    }
    Ok(())
}

/// Checks that the execution succeeded with this outcome.
pub fn require_success(execution: &Execution, outcome: &str, count: usize) -> Result<()> {
    let Execution { status, output, error, cause, .. } = execution;
    let output = output.as_ref().with_context(|| format!("the run ended as {status:?} with {error:?}: {cause:?}"))?;
    require_outcome(output, outcome, count)
}
