//! What an AWS service's refusal or silence means for the pipeline: one error name each, and for a person the statement
//! that puts it right.
//!
//! Codes and messages are matched here and nowhere else. CloudWatch Logs reports one and the same bucket problem under
//! different codes (seen as InvalidParameterException and as AccessDeniedException), so bucket problems go by message.

use crate::{ErrorName, ExportError};

/// A failed call, stripped of the SDK's types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFailure {
    /// Such as `CreateExportTask`.
    pub operation: &'static str,
    /// The service's error code, such as `ThrottlingException`; absent when it did not answer.
    pub code: Option<String>,
    pub message: String,
    /// HTTP status; absent when it did not answer.
    pub status: Option<u16>,
}

/// The bucket an export goes to, for messages that a person can act on.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    pub bucket: &'a str,
    pub region: &'a str,
}

const THROTTLING: [&str; 6] =
    ["ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"];
const UNAVAILABLE: [&str; 5] =
    ["ServiceUnavailableException", "ServiceUnavailable", "InternalFailure", "InternalServerError", "InternalError"];
const ACCESS_DENIED: [&str; 7] = [
    "AccessDeniedException",
    "AccessDenied",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredTokenException",
    "ExpiredToken",
];

impl ServiceFailure {
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    fn is_throttled(&self) -> bool {
        self.code.as_deref().is_some_and(|code| THROTTLING.contains(&code)) || self.status == Some(429)
    }

    fn is_unavailable(&self) -> bool {
        self.status.is_none_or(|status| status >= 500) || self.code.as_deref().is_some_and(|code| UNAVAILABLE.contains(&code))
    }

    fn is_access_denied(&self) -> bool {
        self.code.as_deref().is_some_and(|code| ACCESS_DENIED.contains(&code))
    }

    fn named(&self, name: ErrorName) -> ExportError {
        ExportError::new(name, self.to_string())
    }

    fn fixed_by(&self, name: ErrorName, fix: impl std::fmt::Display) -> ExportError {
        let failure = self.to_string();
        let stop = if failure.ends_with('.') { "" } else { "." };
        ExportError::new(name, format!("{failure}{stop} {fix}"))
    }
}

impl std::fmt::Display for ServiceFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.code, self.status) {
            (Some(code), _) => write!(f, "{} answered {code}: {}", self.operation, self.message),
            (None, Some(status)) => write!(f, "{} answered HTTP {status}: {}", self.operation, self.message),
            (None, None) => write!(f, "{} got no answer: {}", self.operation, self.message),
        }
    }
}

/// A failed call of CloudWatch Logs. A busy slot and a missing log group are the caller's to recognise first.
pub fn logs_error(failure: &ServiceFailure) -> ExportError {
    if failure.is_throttled() {
        failure.named(ErrorName::LogsThrottled)
    } else if failure.is_unavailable() || failure.has_code("OperationAbortedException") {
        failure.named(ErrorName::LogsUnavailable)
    } else if failure.is_access_denied() {
        failure.fixed_by(ErrorName::AccessDenied, format_args!("Allow logs:{} to the function's role.", failure.operation))
    } else if failure.has_code("InvalidParameterException") {
        failure.named(ErrorName::InvalidInput)
    } else {
        failure.named(ErrorName::Unexpected)
    }
}

/// A refused CreateExportTask: what concerns the bucket goes by the message, whatever the code.
pub fn create_error(failure: &ServiceFailure, destination: Destination) -> ExportError {
    let message = failure.message.to_ascii_lowercase();
    let rejected = |fix: String| failure.fixed_by(ErrorName::DestinationRejected, fix);
    let Destination { bucket, region } = destination;
    if failure.is_throttled() || failure.is_unavailable() {
        logs_error(failure)
    } else if failure.is_access_denied() && message.contains("not authorized to perform: logs:") {
        // Quotes the log group's ARN, whose name may hold any of the words below.
        logs_error(failure)
    } else if speaks_of_key(&message) {
        rejected(key_policy_fix(region))
    } else if message.contains("bucket does not exist") {
        rejected(format!("s3BucketName is {bucket:?}: create it in {region}, or correct the name."))
    } else if message.contains("caller has been granted") {
        rejected(format!("Allow s3:PutObject on arn:aws:s3:::{bucket}/* to the role of create-export-task."))
    } else if message.contains("getbucketacl") || message.contains("putobject") {
        rejected(bucket_policy_fix(destination))
    } else if message.contains(" bucket") && message.contains("region") {
        rejected(format!("s3BucketName is {bucket:?}: the bucket must be in {region}, where the log group is."))
    } else if message.contains(" bucket") {
        rejected(bucket_policy_fix(destination))
    } else {
        logs_error(failure)
    }
}

/// A failed call of S3 on the archive. `permissions` are what the function's role needs there.
pub fn archive_error(failure: &ServiceFailure, destination: Destination, permissions: &str) -> ExportError {
    let Destination { bucket, region } = destination;
    if failure.is_throttled() || failure.is_unavailable() {
        failure.named(ErrorName::DestinationUnavailable)
    } else if failure.has_code("NoSuchBucket") {
        failure.fixed_by(
            ErrorName::DestinationRejected,
            format_args!("s3BucketName is {bucket:?}: the bucket is gone; create it in {region}."),
        )
    } else if speaks_of_key(&failure.message.to_ascii_lowercase()) {
        failure.fixed_by(
            ErrorName::DestinationRejected,
            "Allow kms:GenerateDataKey and kms:Decrypt on the bucket's key to the function's role.",
        )
    } else if failure.is_access_denied() {
        failure.fixed_by(ErrorName::AccessDenied, format_args!("Allow {permissions} in bucket {bucket:?} to the function's role."))
    } else {
        failure.named(ErrorName::Unexpected)
    }
}

/// In lower case. Names of log groups and buckets may hold `kms`, but neither spaces nor colons.
fn speaks_of_key(message: &str) -> bool {
    ["kms key", "kms:", " kms "].iter().any(|words| message.contains(words))
}

fn bucket_policy_fix(Destination { bucket, region }: Destination) -> String {
    let principal = format!(r#""Effect":"Allow","Principal":{{"Service":"logs.{region}.amazonaws.com"}}"#);
    format!(
        r#"Add to the policy of bucket {bucket:?} the statements {{{principal},"Action":"s3:GetBucketAcl","Resource":"arn:aws:s3:::{bucket}"}} and {{{principal},"Action":"s3:PutObject","Resource":"arn:aws:s3:::{bucket}/*","Condition":{{"StringEquals":{{"s3:x-amz-acl":"bucket-owner-full-control"}}}}}}, and narrow both with aws:SourceAccount and aws:SourceArn to your log groups."#
    )
}

fn key_policy_fix(region: &str) -> String {
    format!(
        r#"Add to the policy of the bucket's KMS key the statement {{"Effect":"Allow","Principal":{{"Service":"logs.{region}.amazonaws.com"}},"Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"*"}}, and narrow it with aws:SourceAccount and aws:SourceArn to your log groups."#
    )
}

#[cfg(test)]
mod tests;
