//! The errors of the functions, each with its name, what a retry can do, and advice for a person.
//!
//! **Invariant:** the names are API. The state machine retries by name, and operators search for names. A name never gets another meaning.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a retry can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The export task is active: the state machine asks again, as long as CloudWatch Logs lets a task run.
    WhileTaskIsPending,
    /// Another task holds the account's only slot: the state machine waits for the slot.
    WhileSlotIsBusy,
    /// AWS throttles or does not answer: the state machine retries with backoff.
    AfterBackoff,
    /// The same call would fail again, but another export task may succeed: the next round plans the window again.
    InNextRound,
    /// No retry in this run can help.
    Never,
}

macro_rules! error_names {
    ($($name:ident, $retry:ident, $advice:literal;)*) => {
        /// Every error name. The state machine's `ErrorEquals` may use only these and AWS's own names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorName {
            $($name,)*
        }

        impl ErrorName {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            pub fn retry(self) -> Retry {
                match self {
                    $(Self::$name => Retry::$retry,)*
                }
            }

            /// What a person has to do. Reports, notifications and docs/operations.md quote it.
            pub fn advice(self) -> &'static str {
                match self {
                    $(Self::$name => $advice,)*
                }
            }
        }
    };
}

error_names! {
    ExportTaskPending, WhileTaskIsPending, "Wait: the export task has not started yet.";
    ExportTaskRunning, WhileTaskIsPending, "Wait: the export task is running.";
    ExportTaskCancelling, WhileTaskIsPending, "Wait: the export task is being cancelled.";
    ExportSlotBusy, WhileSlotIsBusy, "Wait, or end the task that the message names: an account has one export slot per Region.";
    LogsThrottled, AfterBackoff, "Find what else calls CloudWatch Logs so often, then start a new run.";
    LogsUnavailable, AfterBackoff, "Start a new run when CloudWatch Logs answers again.";
    DestinationUnavailable, AfterBackoff, "Start a new run when Amazon S3 answers again.";
    InvalidInput, Never, "Correct the fields that the message names, then start a new run.";
    MonthNotComplete, Never, "Start the run later, name an earlier month, or set allowIncompleteMonth.";
    DestinationRejected, Never, "Add the statement that the message names to the policy of the bucket or of its key, then start a new run.";
    AccessDenied, Never, "Allow the action that the message names to the function's role, then start a new run.";
    ExportTaskFailed, InNextRound, "Read what CloudWatch Logs says in the message, then start a new run.";
    ExportTaskCancelled, InNextRound, "Find who cancelled the export task, then start a new run.";
    ExportTaskNotFound, InNextRound, "Start a new run: CloudWatch Logs no longer knows the export task.";
    ExportTaskStatusUnknown, Never, "Report it: CloudWatch Logs answered with a status that this version does not know.";
    ExportTaskTimedOut, Never, "Wait for the next run: it exports the window in two halves.";
    ExportIncomplete, Never, "Wait for the next run, which exports the window again. If it fails each day, ask AWS Support about the export task.";
    SmallerExport, Never, "Restore the old task's objects from their versions, or compare both task folders as docs/operations.md says.";
    OverlapRefused, Never, "Wait for the next run. If it fails again, compare the manifests as docs/operations.md says.";
    PlaceTaken, Never, "Give the entry another s3Prefix: this place holds an export with another log stream prefix.";
    ArchiveUnreadable, Never, "Make the manifest that the message names readable: restore it, or allow s3:GetObject on it.";
    ArchiveIncomplete, Never, "Read the failures in the report, fix their causes, then start a new run.";
    CompactionFailed, Never, "Read the failed executions of compact-logs. The next run that compacts goes on with what is left.";
    NotificationFailed, Never, "Read the message, then check the topic, its key and the role of report-archive.";
    Unexpected, InNextRound, "Read the function's log for this execution, then start a new run.";
}

impl ErrorName {
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == name)
    }

    /// Whether the next round of the run plans the window again. That includes errors that the state machine retried without success.
    pub fn is_planned_again(self) -> bool {
        self.retry() != Retry::Never
    }

    /// Whether the next log group will probably fail with it too: a permission, the bucket, or an unknown answer of AWS. Somebody has to
    /// fix it at once.
    pub fn is_fault(self) -> bool {
        use ErrorName::*;
        matches!(self, DestinationRejected | AccessDenied | ExportTaskNotFound | ExportTaskStatusUnknown | ArchiveUnreadable | Unexpected)
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: a name for the state machine, and a message for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{name}: {message}")]
pub struct ExportError {
    #[serde(rename = "error")]
    pub name: ErrorName,
    pub message: String,
}

impl ExportError {
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}
