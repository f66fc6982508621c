//! Injected faults. For a call: an error, an empty page, a lost or a late response. For a task: another status, or no record at all.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The effect of a fault, as the control endpoint takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Effect {
    /// The operation fails before any other check.
    Error {
        operation: String,
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        #[serde(default)]
        http_status: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_suffix: Option<String>,
    },
    /// The operation is executed, and the connection is closed without a response.
    DropResponse {
        operation: String,
        drop_response: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_suffix: Option<String>,
    },
    /// The operation is executed, and its response comes late.
    Delay {
        operation: String,
        delay_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_suffix: Option<String>,
    },
    /// An empty page comes before a page of a listing. `in_a_row`: all empty pages come before the same page.
    EmptyPage {
        operation: String,
        empty_page: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_a_row: bool,
    },
    /// The next task ends in this status, or stays in it until it is cancelled.
    Status {
        status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Added to the task's age.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        age_ms: Option<u32>,
    },
    /// The next create answers with an id, but creates no task.
    Vanish { vanishes: bool },
}

/// A fault for one or all log groups. It applies `times` times.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_group_name: Option<String>,
    #[serde(flatten)]
    pub(crate) effect: Effect,
    pub(crate) times: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TaskFault {
    Status(ForcedStatus),
    Vanish,
}

/// The status in which a task ends or stays.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ForcedStatus {
    pub(crate) status: String,
    pub(crate) message: Option<String>,
    pub(crate) age_ms: u32,
}

/// The part of a call that selects a fault.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target<'a> {
    pub(crate) operation: &'a str,
    pub(crate) log_group: Option<&'a str>,
    /// The key of an S3 object.
    pub(crate) key: Option<&'a str>,
    /// The number of empty pages before this request.
    pub(crate) empty_pages: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum CallFault {
    Error(ApiError),
    DropResponse,
    Delay(Duration),
    /// With its position among consecutive empty pages.
    EmptyPage {
        number: u32,
    },
}

/// The pending faults in the order in which they were injected. The first one that fits applies.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// Takes the fault of a call, if it has one.
    pub(crate) fn take_call_fault(&mut self, call: Target<'_>) -> Option<CallFault> {
        let fault = self.take(call.log_group, |effect| match effect {
            Effect::Error { operation, key_suffix, .. }
            | Effect::DropResponse { operation, key_suffix, .. }
            | Effect::Delay { operation, key_suffix, .. } => {
                operation == call.operation
                    && key_suffix.as_ref().is_none_or(|suffix| call.key.is_some_and(|key| key.ends_with(suffix.as_str())))
            }
            Effect::EmptyPage { operation, in_a_row, .. } => operation == call.operation && (*in_a_row || call.empty_pages == 0),
            Effect::Status { .. } | Effect::Vanish { .. } => false,
        })?;
        match fault.effect {
            Effect::Error { error, message, http_status, .. } => Some(CallFault::Error(ApiError {
                http_status,
                message: message.unwrap_or_else(|| default_message(&error).to_owned()),
                name: error,
            })),
            Effect::DropResponse { .. } => Some(CallFault::DropResponse),
            Effect::Delay { delay_ms, .. } => Some(CallFault::Delay(Duration::from_millis(delay_ms))),
            Effect::EmptyPage { .. } => Some(CallFault::EmptyPage { number: call.empty_pages + 1 }),
            Effect::Status { .. } | Effect::Vanish { .. } => None,
        }
    }

    /// Takes the fault of the next task of `log_group`, if it has one.
    pub(crate) fn take_task_fault(&mut self, log_group: &str) -> Option<TaskFault> {
        let fault = self.take(Some(log_group), |effect| matches!(effect, Effect::Status { .. } | Effect::Vanish { .. }))?;
        match fault.effect {
            Effect::Status { status, message, age_ms } => {
                Some(TaskFault::Status(ForcedStatus { status, message, age_ms: age_ms.unwrap_or_default() }))
            }
            Effect::Vanish { .. } => Some(TaskFault::Vanish),
            Effect::Error { .. } | Effect::DropResponse { .. } | Effect::Delay { .. } | Effect::EmptyPage { .. } => None,
        }
    }

    fn take(&mut self, log_group: Option<&str>, fits: impl Fn(&Effect) -> bool) -> Option<Fault> {
        let at = self
            .0
            .iter()
            .position(|fault| fits(&fault.effect) && (fault.log_group_name.is_none() || fault.log_group_name.as_deref() == log_group))?;
        self.0[at].times -= 1;
        let fault = self.0[at].clone();
        if fault.times == 0 {
            self.0.remove(at);
        }
        Some(fault)
    }
}

/// AWS's HTTP status for an error.
pub(crate) fn default_http_status(error: &str) -> u16 {
    match error {
        "ServiceUnavailable" | "ServiceUnavailableException" | "SlowDown" => 503,
        "InternalError" | "InternalFailure" | "InternalServerError" | "InternalServerException" => 500,
        "AccessDenied" => 403,
        "NoSuchBucket" | "NoSuchKey" => 404,
        _ => 400,
    }
}

fn default_message(error: &str) -> &'static str {
    match error {
        "ThrottlingException" | "Throttling" => "Rate exceeded",
        "LimitExceededException" => "Resource limit exceeded.",
        "ServiceUnavailable" | "ServiceUnavailableException" => "The service cannot complete the request.",
        "ResourceNotFoundException" => "The specified log group does not exist.",
        "SlowDown" => "Please reduce your request rate.",
        "InternalError" => "We encountered an internal error. Please try again.",
        "AccessDenied" => "Access Denied",
        "NoSuchBucket" => "The specified bucket does not exist",
        "NoSuchKey" => "The specified key does not exist.",
        _ => "A fault injected by a test.",
    }
}
