//! Faults a test has ordered: an error instead of an answer, an answer that gets lost, or a task that takes another end.

use serde::Serialize;

use crate::error::ApiError;

/// What a fault does when it strikes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum Effect {
    /// The operation is refused before anything else is looked at.
    Error {
        operation: String,
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        http_status: u16,
    },
    /// The operation is carried out, and the connection is closed without an answer.
    DropResponse { operation: String, drop_response: bool },
    /// A task created by then ends, or sticks, in this status.
    Status {
        status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}

/// A fault, for every log group or one, that strikes a number of times.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_group_name: Option<String>,
    #[serde(flatten)]
    pub(crate) effect: Effect,
    pub(crate) times: u64,
}

/// The end a status fault has in store for a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fate {
    pub(crate) status: String,
    pub(crate) message: Option<String>,
}

/// What a fault does to a call.
#[derive(Clone, Debug)]
pub(crate) enum Strike {
    Error(ApiError),
    DropResponse,
}

/// All faults still to strike, in the order they were given: the first that fits strikes.
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

    /// The strike for a call of `operation`, if one is due.
    pub(crate) fn strike(&mut self, operation: &str, log_group: Option<&str>) -> Option<Strike> {
        let fault = self.take(log_group, |effect| match effect {
            Effect::Error { operation: o, .. } | Effect::DropResponse { operation: o, .. } => o == operation,
            Effect::Status { .. } => false,
        })?;
        match fault.effect {
            Effect::Error { error, message, http_status, .. } => Some(Strike::Error(ApiError {
                http_status,
                message: message.unwrap_or_else(|| default_message(&error).to_owned()),
                name: error,
            })),
            Effect::DropResponse { .. } => Some(Strike::DropResponse),
            Effect::Status { .. } => None,
        }
    }

    /// The fate of a task that is being created for `log_group`, if one is in store.
    pub(crate) fn fate(&mut self, log_group: &str) -> Option<Fate> {
        let fault = self.take(Some(log_group), |effect| matches!(effect, Effect::Status { .. }))?;
        match fault.effect {
            Effect::Status { status, message } => Some(Fate { status, message }),
            Effect::Error { .. } | Effect::DropResponse { .. } => None,
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

/// The HTTP status AWS gives an error: its own failures are 5xx, all else is the caller's.
pub(crate) fn default_http_status(error: &str) -> u16 {
    match error {
        "ServiceUnavailable" | "ServiceUnavailableException" => 503,
        "InternalFailure" | "InternalServerError" | "InternalServerException" => 500,
        _ => 400,
    }
}

fn default_message(error: &str) -> &'static str {
    match error {
        "ThrottlingException" | "Throttling" => "Rate exceeded",
        "LimitExceededException" => "Resource limit exceeded.",
        "ServiceUnavailable" | "ServiceUnavailableException" => "The service cannot complete the request.",
        "ResourceNotFoundException" => "The specified log group does not exist.",
        _ => "A fault ordered for a test.",
    }
}
