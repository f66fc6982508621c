//! Why a command failed: a message that says what to do next, and the exit code for scripts.

use std::{fmt, io};

use export_core::{
    ExportError, LogGroupName,
    service::{FailureKind, ServiceFailure},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The command cannot do what the arguments ask for: exit code 2.
    Usage(String),
    /// AWS refused, or cannot be reached: exit code 3.
    Aws(String),
    /// A file on this machine cannot be read or written: exit code 2.
    Local(String),
    /// The reader of stdout has closed the pipe: success.
    PipeClosed,
}

impl Failure {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::PipeClosed => 0,
            Self::Usage(_) | Self::Local(_) => 2,
            Self::Aws(_) => 3,
        }
    }

    /// Adds the log group to the message.
    pub fn with_log_group(self, log_group: &LogGroupName) -> Self {
        match self {
            Self::Aws(message) => Self::Aws(format!("{log_group}: {message}")),
            other => other,
        }
    }

    /// A failed call of AWS. `service` is the prefix of the IAM action, such as `cloudformation`.
    pub fn of_call(service: &str, failure: &ServiceFailure) -> Self {
        let next = match failure.kind() {
            FailureKind::AccessDenied => format!("Allow {service}:{} to the identity that you are signed in as.", failure.operation),
            kind => next_step(kind, &failure.message).to_owned(),
        };
        Self::Aws(format!("{failure}\n{next}"))
    }
}

fn next_step(kind: FailureKind, message: &str) -> &'static str {
    match kind {
        FailureKind::ExpiredCredentials => {
            "The credentials have expired: sign in again, for example with `aws sso login`, then repeat the command."
        }
        FailureKind::UnknownIdentity => "AWS does not know these credentials: check --profile, or sign in again.",
        FailureKind::AccessDenied => "Allow the action that the message names to the identity that you are signed in as.",
        FailureKind::Throttled => "Wait a minute, then repeat the command. If it happens again, find what else calls AWS so often.",
        FailureKind::NoAnswer if message.contains("redential") => {
            "No credentials were found: give --profile, or sign in, for example with `aws sso login`."
        }
        FailureKind::NoAnswer => "Check the network, --region and --endpoint-url, then repeat the command.",
        FailureKind::Unavailable => "Repeat the command when AWS answers again.",
        FailureKind::Other => "Read what AWS says, and correct the command or the account.",
    }
}

/// A failure of the archive's crates. Their advice is for runs, so a failed call of AWS gets the tool's own next step.
impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        let message = &error.message;
        let code = message.split_once(" answered ").and_then(|(_, answer)| Some(answer.split_once(':')?.0.to_owned()));
        let next = if message.contains(" got no answer: ") {
            next_step(FailureKind::NoAnswer, message)
        } else if let Some(code) = code {
            next_step(ServiceFailure { operation: "", code: Some(code), message: message.clone(), status: Some(400) }.kind(), message)
        } else {
            error.name.advice()
        };
        Self::Aws(format!("{error}\n{next}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Local(format!("cannot write: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Aws(message) | Self::Local(message) => f.write_str(message),
            Self::PipeClosed => f.write_str("the reader of stdout has closed the pipe"),
        }
    }
}
