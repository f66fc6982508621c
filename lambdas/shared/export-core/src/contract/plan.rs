//! The event and the answer of `plan-exports`, what it keeps between two of its calls, and what it reads of a round's results.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ErrorName, ExecutionArn, ExportError, Month, TaskId, Window,
    contract::create,
    entry::Source,
    fields::Fields,
    input::Look,
    manifest::{Outcome, Reason},
    names,
    place::Stack,
    problems::Problems,
    target::Target,
    time::{Millis, parse_instant},
    warning::Warning,
};

/// Windows of one round.
pub const ROUND_SIZE: usize = 500;

/// A run ends after so many rounds in which nothing was exported, split or newly compared.
pub const IDLE_ROUNDS: u32 = 3;

/// `{"execution", "startTime", "state"}`: `state` is the run's input at first, and `{"plan": ...}` with what became of it afterwards.
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
        let start_time = fields.text("startTime", names::instant, &mut problems);
        let state = fields.get("state").cloned();
        let request = execution.zip(start_time).zip(state);
        problems.into_result(request.map(|((execution, start_time), state)| Self { execution, start_time, state }))
    }

    /// The plan that this state follows. An input of a run that has a field `plan` is an input with an unknown field.
    pub fn plan(&self) -> Option<Plan> {
        const FIELDS: [&str; 7] = ["plan", "exported", "exportError", "error", "scheduledTime", "compaction", "compactionError"];
        let state = self.state.as_object().filter(|state| state.keys().all(|name| FIELDS.contains(&name.as_str())))?;
        serde_json::from_value(state.get("plan")?.clone()).ok()
    }

    /// Of a run whose first plan failed: all that is kept of its input.
    pub fn scheduled_time(&self) -> Option<DateTime<Utc>> {
        self.state.get("scheduledTime").and_then(Value::as_str).and_then(parse_instant)
    }
}

/// What comes next in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Next {
    /// Comparing goes on, in another invocation.
    Plan,
    Export,
    Compact,
    Report,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How many calls of `plan-exports` this run has made: what one keeps for the next lies below this number, so that a call that is
    /// repeated begins where it began before.
    pub sequence: u32,
    pub next: Next,
    pub items: Object,
    pub results: Folder,
    /// The months to compact, if the run is to write Parquet.
    pub compact: Vec<Month>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub bucket: String,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    pub bucket: String,
    pub prefix: String,
}

/// The folder of a run in the work bucket.
pub fn folder(execution: &ExecutionArn) -> String {
    format!("plans/{}", execution.execution_name())
}

/// What a run is, fixed by its first plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub execution: ExecutionArn,
    pub start_time: DateTime<Utc>,
    pub scheduled_time: Option<DateTime<Utc>>,
    pub due_month: Month,
    pub timezone: String,
    pub looks: Vec<Look>,
    pub force: bool,
    pub compact: bool,
    pub warnings: Vec<Warning>,
}

impl Run {
    pub fn is_scheduled(&self) -> bool {
        self.scheduled_time.is_some()
    }

    /// The months that it looks at.
    pub fn months(&self) -> impl Iterator<Item = Month> {
        self.looks.iter().filter(|look| !look.after_first_covered).map(|look| look.month)
    }
}

/// A window that this run plans until it is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedWindow {
    /// Its log group in the run's list.
    pub group: usize,
    pub month: Month,
    pub window: Window,
    /// What was wrong with the manifest that it replaces: the export is a repair.
    pub repairs: Option<String>,
    /// What became of its last task.
    pub last: Option<ExportError>,
}

/// One line of what a run has decided; nothing is written down for what is archived already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    pub source: Source,
    pub month: Month,
    pub window: Window,
    #[serde(flatten)]
    pub settled: Settled,
}

impl Decided {
    pub fn target(&self, stack: &Stack) -> Result<Target, String> {
        let Self { source, month, window, .. } = self;
        Ok(Target { place: source.place(stack)?, stream_prefix: source.log_stream_name_prefix.clone(), month: *month, window: *window })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "became", rename_all = "camelCase")]
pub enum Settled {
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
    /// Its turn did not come: a later run exports it.
    Waiting,
    Warned {
        warning: Warning,
    },
    Failed {
        failure: Failure,
        /// Whether a task was created, or tried to be, in vain.
        tried: bool,
        /// Of SmallerExport: a fingerprint of what lies there. It is not exported again until that changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocked_by: Option<String>,
    },
}

impl Settled {
    pub fn recorded(reason: Reason) -> Self {
        match reason.outcome() {
            Outcome::Lost => Self::Lost { reason },
            _ => Self::Skipped { reason },
        }
    }
}

/// Why a log-group-month is not archived, or what a run ended with: an error of this project, or one of AWS.
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

/// What one child of the map ended with, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Child {
    Skipped(create::Reason),
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
    /// By an error that is not one of the functions' own.
    Broken {
        error: String,
        cause: String,
    },
}

impl Child {
    /// Reads a record of the results: the window's task name, and what became of it. Fields are missing, or more, without harm.
    pub fn read(record: &Value) -> Option<(Value, Self)> {
        let json = |field: &str| record.get(field).and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
        let input = json("Input")?;
        let output = json("Output").filter(|_| record["Status"] == "SUCCEEDED");
        let child = match output {
            Some(output) => Self::of_output(&output),
            None => Self::of_error(record),
        };
        Some((input, child))
    }

    fn of_output(output: &Value) -> Self {
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
                    .filter_map(|one| serde_json::from_value(one.clone()).ok())
                    .collect(),
            },
            Err(_) => Self::Broken {
                error: "Unexpected".to_owned(),
                cause: format!("a child ended with {}", crate::problems::cut(&output.to_string())),
            },
        }
    }

    fn of_error(record: &Value) -> Self {
        let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (error, cause) = (text("Error"), text("Cause"));
        match ErrorName::parse(&error) {
            Some(name) => Self::Failed(ExportError::new(name, message_of(cause))),
            // A child that was stopped, or never ran, has neither.
            None if error.is_empty() => Self::Broken { error: text("Status"), cause: text("ExecutionArn") },
            None => Self::Broken { error, cause: message_of(cause) },
        }
    }

    /// Its task came near the 24 hours after which CloudWatch Logs ends it.
    pub fn took_too_long(&self) -> bool {
        matches!(self, Self::Failed(error) if error.name == ErrorName::ExportTaskTimedOut)
    }

    /// What it failed with, in the words of this project.
    pub fn error(&self) -> Option<ExportError> {
        match self {
            Self::Failed(error) => Some(error.clone()),
            Self::Broken { error, cause } => Some(ExportError::new(ErrorName::Unexpected, format!("{error}: {cause}"))),
            Self::Skipped(_) | Self::Checked { .. } => None,
        }
    }
}

/// The message in a cause: Lambda's is `{"errorType", "errorMessage"}`, and every other one is a message itself.
pub fn message_of(cause: String) -> String {
    let message = serde_json::from_str::<Value>(&cause).ok().and_then(|cause| cause["errorMessage"].as_str().map(str::to_owned));
    message.unwrap_or(cause)
}

/// An event of `create-export-task` for a planned window.
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
    pub is_open: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_since: Option<String>,
}

#[cfg(test)]
mod tests;
