//! The errors the functions answer with. **The names are API**: the state machine retries and catches by them, and
//! operators search for them. A name is never reused for another meaning.

use std::fmt;

/// Every error name, once. The state machine's `ErrorEquals` may use only these and AWS's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorName {
    ExportTaskPending,
    ExportTaskRunning,
    ExportTaskCancelling,
    ExportSlotBusy,
    LogsThrottled,
    LogsUnavailable,
    DestinationUnavailable,
    InvalidInput,
    MonthNotComplete,
    DestinationRejected,
    AccessDenied,
    ExportTaskFailed,
    ExportTaskCancelled,
    ExportTaskTimedOut,
    ExportTaskNotFound,
    ExportTaskStatusUnknown,
    Unexpected,
}

/// What a retry can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The export task is under way: ask again later, for as long as CloudWatch lets a task run.
    WhileTaskIsPending,
    /// Another task holds the account's only slot: queue for it.
    WhileSlotIsBusy,
    /// AWS asks to slow down or is not answering: a short backoff.
    AfterBackoff,
    /// The same call would fail the same way.
    Never,
}

impl ErrorName {
    pub const ALL: [Self; 17] = [
        Self::ExportTaskPending,
        Self::ExportTaskRunning,
        Self::ExportTaskCancelling,
        Self::ExportSlotBusy,
        Self::LogsThrottled,
        Self::LogsUnavailable,
        Self::DestinationUnavailable,
        Self::InvalidInput,
        Self::MonthNotComplete,
        Self::DestinationRejected,
        Self::AccessDenied,
        Self::ExportTaskFailed,
        Self::ExportTaskCancelled,
        Self::ExportTaskTimedOut,
        Self::ExportTaskNotFound,
        Self::ExportTaskStatusUnknown,
        Self::Unexpected,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExportTaskPending => "ExportTaskPending",
            Self::ExportTaskRunning => "ExportTaskRunning",
            Self::ExportTaskCancelling => "ExportTaskCancelling",
            Self::ExportSlotBusy => "ExportSlotBusy",
            Self::LogsThrottled => "LogsThrottled",
            Self::LogsUnavailable => "LogsUnavailable",
            Self::DestinationUnavailable => "DestinationUnavailable",
            Self::InvalidInput => "InvalidInput",
            Self::MonthNotComplete => "MonthNotComplete",
            Self::DestinationRejected => "DestinationRejected",
            Self::AccessDenied => "AccessDenied",
            Self::ExportTaskFailed => "ExportTaskFailed",
            Self::ExportTaskCancelled => "ExportTaskCancelled",
            Self::ExportTaskTimedOut => "ExportTaskTimedOut",
            Self::ExportTaskNotFound => "ExportTaskNotFound",
            Self::ExportTaskStatusUnknown => "ExportTaskStatusUnknown",
            Self::Unexpected => "Unexpected",
        }
    }

    pub fn retry(self) -> Retry {
        match self {
            Self::ExportTaskPending | Self::ExportTaskRunning | Self::ExportTaskCancelling => Retry::WhileTaskIsPending,
            Self::ExportSlotBusy => Retry::WhileSlotIsBusy,
            Self::LogsThrottled | Self::LogsUnavailable | Self::DestinationUnavailable => Retry::AfterBackoff,
            Self::InvalidInput
            | Self::MonthNotComplete
            | Self::DestinationRejected
            | Self::AccessDenied
            | Self::ExportTaskFailed
            | Self::ExportTaskCancelled
            | Self::ExportTaskTimedOut
            | Self::ExportTaskNotFound
            | Self::ExportTaskStatusUnknown
            | Self::Unexpected => Retry::Never,
        }
    }

    /// Whether the next log group would probably fail the same way: a permission, the bucket, or an answer of AWS that the
    /// function cannot make sense of. Somebody has to put that right at once. What is wrong with a run's input, or became of
    /// one export task, is no fault of this kind: the run says so when it ends.
    pub fn is_fault(self) -> bool {
        match self {
            Self::DestinationRejected
            | Self::AccessDenied
            | Self::ExportTaskNotFound
            | Self::ExportTaskStatusUnknown
            | Self::Unexpected => true,
            Self::InvalidInput
            | Self::MonthNotComplete
            | Self::ExportTaskFailed
            | Self::ExportTaskCancelled
            | Self::ExportTaskTimedOut
            | Self::ExportTaskPending
            | Self::ExportTaskRunning
            | Self::ExportTaskCancelling
            | Self::ExportSlotBusy
            | Self::LogsThrottled
            | Self::LogsUnavailable
            | Self::DestinationUnavailable => false,
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure as the state machine sees it: a name to act on and a message for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct ExportError {
    pub name: ErrorName,
    pub message: String,
}

impl ExportError {
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed_once() {
        let mut names: Vec<_> = ErrorName::ALL.iter().map(|name| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorName::ALL.len());
        for name in ErrorName::ALL {
            assert_eq!(format!("{name:?}"), name.as_str(), "the variant and its name are one word");
        }
    }

    #[test]
    fn what_a_retry_may_mend_is_no_fault() {
        let faults = ErrorName::ALL.into_iter().filter(|name| name.is_fault());
        assert_eq!(faults.clone().filter(|name| name.retry() != Retry::Never).collect::<Vec<_>>(), []);
        assert_eq!(faults.count(), 5);
    }
}
