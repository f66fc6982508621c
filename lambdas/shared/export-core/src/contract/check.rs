//! The event and the response of `check-export-task`.

use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use crate::{
    ExecutionArn, ExportError, Month, StreamPrefix, TaskId, Window,
    decide::WindowHistory,
    destination::Destination,
    entry::Source,
    fields::Fields,
    manifest::{Outcome, Reason},
    names,
    place::Stack,
    problems::Problems,
    target::Target,
    time::Millis,
};

/// The response of `create-export-task`, or only `{taskId}`: then the function checks the task and writes no manifest. Other fields are
/// ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub task_id: TaskId,
    pub target: Option<Target>,
    pub timezone: Tz,
    pub execution: Option<ExecutionArn>,
    /// The warnings of `create-export-task`. They go into the manifest unchanged.
    pub warnings: Vec<Value>,
    /// Retention had deleted the window up to here.
    pub complete_from: Option<Millis>,
    pub history: WindowHistory,
}

impl Request {
    pub fn parse(event: &Value, stack: &Stack) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(event, "the event", &mut problems) else { return problems.into_result(None) };
        fields.require("taskId", &mut problems);
        let task_id = fields.text("taskId", TaskId::parse, &mut problems);
        let target = if fields.has("logGroupName") { parse_target(&fields, stack, &mut problems) } else { None };
        let timezone = fields.text("timezone", names::parse_timezone, &mut problems).unwrap_or(stack.timezone);
        let execution = fields.text("execution", ExecutionArn::parse, &mut problems);
        let warnings = parse_warnings(&fields, &mut problems);
        let complete_from = fields.millis("completeFrom", &mut problems);
        let history = super::create::parse_history(&fields, &mut problems);
        problems.into_result(task_id.map(|task_id| Self { task_id, target, timezone, execution, warnings, complete_from, history }))
    }
}

fn parse_target(fields: &Fields, stack: &Stack, problems: &mut Problems) -> Option<Target> {
    for name in ["month", "from", "to"] {
        fields.require(name, problems);
    }
    let source = Source::parse(fields, None, stack, problems);
    let given = fields.text("destination", Destination::parse, problems);
    let month = fields.text("month", names::parse_month, problems);
    let (from, to) = (fields.millis("from", problems), fields.millis("to", problems));
    let source = source?;
    let destination = match given.map_or_else(|| source.destination(), Ok) {
        Ok(destination) => destination,
        Err(problem) => {
            problems.add_text(|| format!("destination is missing: {problem}"));
            return None;
        }
    };
    let Source { s3_bucket_name, log_group_name, log_stream_name_prefix: stream_prefix, .. } = source;
    let window = Window { from: from?, to: to? };
    Some(Target { place: stack.place(s3_bucket_name, log_group_name, destination), stream_prefix, month: month?, window })
}

fn parse_warnings(fields: &Fields, problems: &mut Problems) -> Vec<Value> {
    match fields.get("warnings") {
        None => Vec::new(),
        // Athena could not read a manifest with other values, and then none of the month's manifests.
        Some(Value::Array(warnings)) if warnings.iter().all(is_warning) => warnings.clone(),
        Some(value) => {
            problems.add("warnings", value, "give the list of create-export-task's response, or leave the field out");
            Vec::new()
        }
    }
}

fn is_warning(warning: &Value) -> bool {
    warning.as_object().is_some_and(|fields| fields.len() == 2) && warning["name"].is_string() && warning["message"].is_string()
}

/// The response for a COMPLETED task.
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
    /// The reason of `skipped` and `lost`, which report-archive records.
    pub reason: Option<Reason>,
    pub objects: u64,
    pub bytes: u64,
    /// The seconds from the task's creation to its completion.
    pub seconds: Option<f64>,
    pub warnings: Vec<Value>,
}

#[cfg(test)]
mod tests;
