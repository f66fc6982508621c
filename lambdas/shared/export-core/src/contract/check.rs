//! The event and the answer of `check-export-task`.

use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use crate::{
    BucketName, ExecutionArn, ExportError, Month, Prefix, StreamPrefix, TaskId, Window,
    decide::Remembered,
    destination::{self, Destination},
    fields::Fields,
    manifest::{Outcome, Reason},
    names,
    place::Stack,
    problems::Problems,
    target::Target,
    time::Millis,
};

/// The answer of `create-export-task`, or just `{taskId}`: then the task is followed and counted, and no manifest is written. Other
/// fields are let through.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub task_id: TaskId,
    pub target: Option<Target>,
    pub timezone: Tz,
    pub execution: Option<ExecutionArn>,
    /// Warnings of `create-export-task`, handed on to the manifest as they are.
    pub warnings: Vec<Value>,
    /// Retention had deleted the window up to here.
    pub complete_from: Option<Millis>,
    pub remembered: Remembered,
}

impl Request {
    pub fn parse(event: &Value, stack: &Stack) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(event, "the event", &mut problems) else { return problems.into_result(None) };
        fields.require("taskId", &mut problems);
        let task_id = fields.text("taskId", TaskId::parse, &mut problems);
        let target = if fields.has("logGroupName") { read_target(&fields, stack, &mut problems) } else { None };
        let timezone = fields.text("timezone", names::timezone, &mut problems).unwrap_or(stack.timezone);
        let execution = fields.text("execution", ExecutionArn::parse, &mut problems);
        let warnings = read_warnings(&fields, &mut problems);
        let complete_from = fields.millis("completeFrom", &mut problems);
        let remembered = super::create::read_remembered(&fields, &mut problems);
        problems.into_result(task_id.map(|task_id| Self { task_id, target, timezone, execution, warnings, complete_from, remembered }))
    }
}

fn read_target(fields: &Fields, stack: &Stack, problems: &mut Problems) -> Option<Target> {
    for name in ["month", "from", "to"] {
        fields.require(name, problems);
    }
    let log_group = fields.text("logGroupName", |text| names::log_group(text, &stack.account, &stack.region), problems);
    let bucket = fields.text("s3BucketName", BucketName::parse, problems).unwrap_or_else(|| stack.bucket.clone());
    let s3_prefix = fields.text("s3Prefix", Prefix::parse, problems).unwrap_or_else(|| stack.s3_prefix.clone());
    let given = fields.text("destination", Destination::parse, problems);
    let stream_prefix = fields.text("logStreamNamePrefix", StreamPrefix::parse, problems);
    let month = fields.text("month", names::month, problems);
    let (from, to) = (fields.millis("from", problems), fields.millis("to", problems));
    let log_group = log_group?;
    let destination = match given.map_or_else(|| destination::DEFAULT.render(&s3_prefix, &log_group), Ok) {
        Ok(destination) => destination,
        Err(problem) => {
            problems.add_text(|| format!("destination is missing: {problem}"));
            return None;
        }
    };
    let window = Window { from: from?, to: to? };
    Some(Target { place: stack.place(bucket, log_group, destination), stream_prefix, month: month?, window })
}

fn read_warnings(fields: &Fields, problems: &mut Problems) -> Vec<Value> {
    match fields.get("warnings") {
        None => Vec::new(),
        // Anything else would be a row that Athena cannot read, and with it no row of the month.
        Some(Value::Array(warnings)) if warnings.iter().all(is_warning) => warnings.clone(),
        Some(value) => {
            problems.add("warnings", value, "give the list that create-export-task answered with, or leave the field out");
            Vec::new()
        }
    }
}

fn is_warning(warning: &Value) -> bool {
    warning.as_object().is_some_and(|fields| fields.len() == 2) && warning["name"].is_string() && warning["message"].is_string()
}

/// A task that ran to its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub s3_bucket_name: String,
    pub destination_prefix: String,
    pub log_group_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<StreamPrefix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
    pub from: Millis,
    pub to: Millis,
    pub task_id: TaskId,
    /// Always `COMPLETED`: every other status is an error.
    pub status: &'static str,
    pub outcome: Outcome,
    /// Of outcomes `skipped` and `lost`, which report-archive records.
    pub reason: Option<Reason>,
    pub objects: u64,
    pub bytes: u64,
    /// From the task's creation to its completion.
    pub seconds: Option<f64>,
    pub warnings: Vec<Value>,
}

#[cfg(test)]
mod tests;
