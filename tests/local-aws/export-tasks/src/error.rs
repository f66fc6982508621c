//! Errors of the export operations: AWS's error name and message, and the HTTP status.

use crate::upstream::UpstreamError;

/// An error as the caller's SDK sees it.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) http_status: u16,
    pub(crate) name: String,
    pub(crate) message: String,
}

impl ApiError {
    /// An error that the caller caused: HTTP 400, as in AWS JSON 1.1.
    pub(crate) fn new(name: &str, message: impl Into<String>) -> Self {
        Self { http_status: 400, name: name.to_owned(), message: message.into() }
    }

    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    pub(crate) fn limit_exceeded() -> Self {
        Self::new("LimitExceededException", "Resource limit exceeded.")
    }

    pub(crate) fn no_such_log_group() -> Self {
        Self::new("ResourceNotFoundException", "The specified log group does not exist.")
    }

    pub(crate) fn no_such_task() -> Self {
        Self::new("ResourceNotFoundException", "The specified export task does not exist.")
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { http_status: 503, name: "ServiceUnavailableException".to_owned(), message: message.into() }
    }
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> Self {
        Self::unavailable(error.to_string())
    }
}
