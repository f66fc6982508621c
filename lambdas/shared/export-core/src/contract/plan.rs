//! The event and the response of `plan-exports`, what a run has decided so far, and the results of a round.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ErrorName, ExecutionArn, ExportError, Month, TaskId, Window,
    contract::create::SkipReason,
    decide::WindowHistory,
    entry::Source,
    fields::Fields,
    input::MonthToCompare,
    manifest::{Outcome, Reason},
    names,
    place::Stack,
    problems::{Problems, quote},
    target::Target,
    time::{Millis, parse_instant},
    warning::Warning,
};

/// The most windows of one round.
pub const ROUND_SIZE: usize = 500;

/// A run ends after so many rounds in which nothing was exported, split or newly compared.
pub const MAX_IDLE_ROUNDS: u32 = 3;

/// `{"execution", "startTime", "state"}`. `state` is the run's input at first. Later it is `{"plan": ...}` with the results of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub execution: ExecutionArn,
    pub start_time: DateTime<Utc>,
    pub state: Value,
}

impl Request {
    pub fn parse(event: &Value) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(event, "the event", &mut problems) else { return problems.into_result(None) };
        let names = ["execution", "startTime", "state"];
        fields.refuse_unknown(&names, &mut problems);
        for name in names {
            fields.require(name, &mut problems);
        }
        let execution = fields.text("execution", ExecutionArn::parse, &mut problems);
        let start_time = fields.text("startTime", names::parse_instant, &mut problems);
        let state = fields.get("state").cloned();
        let request = execution.zip(start_time).zip(state);
        problems.into_result(request.map(|((execution, start_time), state)| Self { execution, start_time, state }))
    }

    /// The last plan of the run. `None`: `state` is the run's input. An input with a field `plan` and others is an invalid input.
    pub fn plan(&self) -> Option<Plan> {
        const FIELDS: [&str; 7] = ["plan", "exported", "exportError", "error", "scheduledTime", "compaction", "compactionError"];
        let state = self.state.as_object().filter(|state| state.keys().all(|name| FIELDS.contains(&name.as_str())))?;
        serde_json::from_value(state.get("plan")?.clone()).ok()
    }

    /// The scheduled time of a run whose first plan failed. Nothing else is kept of its input.
    pub fn scheduled_time(&self) -> Option<DateTime<Utc>> {
        self.state.get("scheduledTime").and_then(Value::as_str).and_then(parse_instant)
    }
}

/// The next step of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Next {
    /// Another invocation continues the comparison.
    Plan,
    Export,
    Compact,
    Report,
}

/// The response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How many calls of `plan-exports` this run has made. Each call keeps its state below its own number, so that a repeated call begins
    /// with the same state.
    pub sequence: u32,
    pub next: Next,
    pub items: S3Object,
    pub results: S3Folder,
    /// The months to compact, if the run is to write Parquet.
    pub compact: Vec<Month>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Object {
    pub bucket: String,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Folder {
    pub bucket: String,
    pub prefix: String,
}

/// The folder of a run in the work bucket.
pub fn work_folder(execution: &ExecutionArn) -> String {
    format!("plans/{}", execution.execution_name())
}

/// The facts of a run, fixed by its first plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub execution: ExecutionArn,
    pub start_time: DateTime<Utc>,
    pub scheduled_time: Option<DateTime<Utc>>,
    pub due_month: Month,
    pub timezone: String,
    #[serde(rename = "looks")]
    pub months_to_compare: Vec<MonthToCompare>,
    pub force: bool,
    pub compact: bool,
    pub warnings: Vec<Warning>,
}

impl Run {
    pub fn is_scheduled(&self) -> bool {
        self.scheduled_time.is_some()
    }

    /// The months that the run compares.
    pub fn months(&self) -> impl Iterator<Item = Month> {
        self.months_to_compare.iter().filter(|month| !month.after_first_covered).map(|month| month.month)
    }
}

/// A window that this run plans until it has an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedWindow {
    /// The index of its log group in the run's list.
    pub group: usize,
    pub month: Month,
    pub window: Window,
    /// What is wrong with the manifest that the export repairs.
    pub repairs: Option<String>,
    /// The error of its last task.
    #[serde(rename = "last")]
    pub last_error: Option<ExportError>,
}

/// A window and what a run has decided about it. A window that is archived already has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecidedWindow {
    pub source: Source,
    pub month: Month,
    pub window: Window,
    #[serde(flatten)]
    pub outcome: WindowOutcome,
}

impl DecidedWindow {
    pub fn target(&self, stack: &Stack) -> Result<Target, String> {
        let Self { source, month, window, .. } = self;
        Ok(Target { place: source.place(stack)?, stream_prefix: source.log_stream_name_prefix.clone(), month: *month, window: *window })
    }
}

/// What became of a window in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "became", rename_all = "camelCase")]
pub enum WindowOutcome {
    Exported {
        task_id: Option<TaskId>,
        objects: u64,
        bytes: u64,
        seconds: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repairs: Option<String>,
    },
    Empty {
        task_id: Option<TaskId>,
        seconds: f64,
    },
    Skipped {
        reason: Reason,
    },
    Lost {
        reason: Reason,
    },
    NothingYet,
    /// The run's time was over before its turn came: a later run exports it.
    Waiting,
    Warned {
        warning: Warning,
    },
    Failed {
        failure: Failure,
        /// Whether this run tried to export it.
        tried: bool,
        /// After SmallerExport: a fingerprint of the archived objects. The window is not exported again until the fingerprint changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocked_by: Option<String>,
    },
}

impl WindowOutcome {
    pub fn recorded(reason: Reason) -> Self {
        match reason.outcome() {
            Outcome::Lost => Self::Lost { reason },
            _ => Self::Skipped { reason },
        }
    }
}

/// Why a log-group-month is not archived, or why a run failed: an error of this project or of AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub error: String,
    pub message: String,
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self { error: error.name.as_str().to_owned(), message: error.message }
    }
}

/// The result of one child of the map.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildResult {
    Skipped(SkipReason),
    Checked {
        outcome: Outcome,
        reason: Option<Reason>,
        task_id: Option<TaskId>,
        objects: u64,
        bytes: u64,
        seconds: f64,
        warnings: Vec<Warning>,
    },
    Failed(ExportError),
    /// The child failed with an error that no function raised.
    OtherError {
        error: String,
        cause: String,
    },
}

impl ChildResult {
    /// Parses a record of the results: the child's input and its result. Missing and unknown fields are accepted.
    pub fn parse(record: &Value) -> Option<(Value, Self)> {
        let json = |field: &str| record.get(field).and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
        let input = json("Input")?;
        let output = json("Output").filter(|_| record["Status"] == "SUCCEEDED");
        let child = match output {
            Some(output) => Self::from_output(&output),
            None => Self::from_error(record),
        };
        Some((input, child))
    }

    fn from_output(output: &Value) -> Self {
        let field = |name: &str| output.get(name).cloned().unwrap_or(Value::Null);
        if output["status"] == "SKIPPED"
            && let Ok(reason) = serde_json::from_value(field("reason"))
        {
            return Self::Skipped(reason);
        }
        match serde_json::from_value::<Outcome>(field("outcome")) {
            Ok(outcome) => Self::Checked {
                outcome,
                reason: serde_json::from_value(field("reason")).ok().flatten(),
                task_id: serde_json::from_value(field("taskId")).ok(),
                objects: output["objects"].as_u64().unwrap_or_default(),
                bytes: output["bytes"].as_u64().unwrap_or_default(),
                seconds: output["seconds"].as_f64().unwrap_or_default(),
                warnings: field("warnings")
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|warning| serde_json::from_value(warning.clone()).ok())
                    .collect(),
            },
            Err(_) => {
                Self::OtherError { error: "Unexpected".to_owned(), cause: format!("a child ended with {}", quote(&output.to_string())) }
            }
        }
    }

    fn from_error(record: &Value) -> Self {
        let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (error, cause) = (text("Error"), text("Cause"));
        match ErrorName::parse(&error) {
            Some(name) => Self::Failed(ExportError::new(name, Cause::parse(&cause).message())),
            // A child that was stopped, or did not start, has neither an error nor a cause.
            None if error.is_empty() => Self::OtherError { error: text("Status"), cause: text("ExecutionArn") },
            None => Self::OtherError { error, cause: Cause::parse(&cause).message().to_owned() },
        }
    }

    /// Whether its task came near the 24 hours after which CloudWatch Logs ends a task.
    pub fn took_too_long(&self) -> bool {
        matches!(self, Self::Failed(error) if error.name == ErrorName::ExportTaskTimedOut)
    }

    /// The error that it failed with. An error of AWS is `Unexpected`.
    pub fn error(&self) -> Option<ExportError> {
        match self {
            Self::Failed(error) => Some(error.clone()),
            Self::OtherError { error, cause } => Some(ExportError::new(ErrorName::Unexpected, format!("{error}: {cause}"))),
            Self::Skipped(_) | Self::Checked { .. } => None,
        }
    }
}

/// The cause of an error in an execution. Lambda's is the JSON `{"errorType", "errorMessage"}`, that of a child execution is its description,
/// and others are plain text.
pub struct Cause {
    text: String,
    json: Value,
}

impl Cause {
    pub fn parse(text: &str) -> Self {
        Self { text: text.to_owned(), json: serde_json::from_str(text).unwrap_or_default() }
    }

    pub fn message(&self) -> &str {
        self.json["errorMessage"].as_str().unwrap_or(&self.text)
    }

    /// A field of a JSON cause that is a text and not empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.json[name].as_str().filter(|text| !text.is_empty())
    }
}

/// An event of `create-export-task` for a planned window: an item of the map.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    #[serde(flatten)]
    pub source: Source,
    pub timezone: String,
    pub month: Month,
    pub from: Millis,
    pub to: Millis,
    pub force: bool,
    pub start_time: String,
    pub execution: ExecutionArn,
    #[serde(flatten)]
    pub history: WindowHistory,
}

#[cfg(test)]
mod tests;
