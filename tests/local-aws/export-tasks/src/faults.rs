//! Faults a test has ordered: an error or an empty page instead of an answer, an answer that gets lost or comes late, or a task that
//! takes another end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// What a fault does when it strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Effect {
    /// The operation is refused before anything else is looked at.
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
    /// The operation is carried out, and the connection is closed without an answer.
    DropResponse {
        operation: String,
        drop_response: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_suffix: Option<String>,
    },
    /// The operation is carried out, and its answer comes late.
    Delay {
        operation: String,
        delay_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_suffix: Option<String>,
    },
    /// A page of a listing is preceded by an empty one, or by as many in a row as there are to strike.
    EmptyPage {
        operation: String,
        empty_page: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_a_row: bool,
    },
    /// The next task created ends, or sticks, in this status.
    Status {
        status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// So much older than it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        age_ms: Option<u32>,
    },
    /// The next task created is never seen.
    Vanish { vanishes: bool },
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

/// What a fault has in store for a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    Ordered(Ordered),
    /// Its id is answered, and nobody ever sees it.
    Vanish,
}

/// The status in which a task ends, or sticks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ordered {
    pub(crate) status: String,
    pub(crate) message: Option<String>,
    pub(crate) age_ms: u32,
}

/// The call a fault may strike.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target<'a> {
    pub(crate) operation: &'a str,
    pub(crate) log_group: Option<&'a str>,
    /// Of an S3 object.
    pub(crate) key: Option<&'a str>,
    /// It goes on after so many empty pages.
    pub(crate) empty_pages: u32,
}

/// What a fault does to a call.
#[derive(Clone, Debug)]
pub(crate) enum Strike {
    Error(ApiError),
    DropResponse,
    Delay(Duration),
    /// The first before a page, or one that follows others.
    EmptyPage {
        number: u32,
    },
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

    /// The strike for a call, if one is due.
    pub(crate) fn strike(&mut self, call: Target<'_>) -> Option<Strike> {
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
            Effect::Error { error, message, http_status, .. } => Some(Strike::Error(ApiError {
                http_status,
                message: message.unwrap_or_else(|| default_message(&error).to_owned()),
                name: error,
            })),
            Effect::DropResponse { .. } => Some(Strike::DropResponse),
            Effect::Delay { delay_ms, .. } => Some(Strike::Delay(Duration::from_millis(delay_ms))),
            Effect::EmptyPage { .. } => Some(Strike::EmptyPage { number: call.empty_pages + 1 }),
            Effect::Status { .. } | Effect::Vanish { .. } => None,
        }
    }

    /// The fate of a task that is being created for `log_group`, if one is in store.
    pub(crate) fn fate(&mut self, log_group: &str) -> Option<Fate> {
        let fault = self.take(Some(log_group), |effect| matches!(effect, Effect::Status { .. } | Effect::Vanish { .. }))?;
        match fault.effect {
            Effect::Status { status, message, age_ms } => {
                Some(Fate::Ordered(Ordered { status, message, age_ms: age_ms.unwrap_or_default() }))
            }
            Effect::Vanish { .. } => Some(Fate::Vanish),
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

/// The HTTP status AWS gives an error: its own failures are 5xx, all else is the caller's.
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
        _ => "A fault ordered for a test.",
    }
}
