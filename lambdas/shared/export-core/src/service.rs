//! What an AWS service's refusal or silence means for the pipeline: one error name each, and for a person the statement
//! that puts it right.
//!
//! Codes and messages are matched here and nowhere else. CloudWatch Logs reports one and the same bucket problem under
//! different codes (seen as InvalidParameterException and as AccessDeniedException), so bucket problems go by message.

use crate::{BucketName, ErrorName, ExportError, place::Stack};

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

const THROTTLING: [&str; 6] =
    ["ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"];
const UNAVAILABLE: [&str; 5] =
    ["ServiceUnavailableException", "ServiceUnavailable", "InternalFailure", "InternalServerError", "InternalError"];
const ACCESS_DENIED: [&str; 5] =
    ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "UnrecognizedClientException", "InvalidClientTokenId"];
/// No permission is missing: the next invocation has new credentials.
const EXPIRED: [&str; 4] = ["ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired"];

/// Nobody knows who calls: a key that is wrong, or was deleted.
const UNKNOWN_IDENTITY: [&str; 5] =
    ["UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature"];

/// What a person who made the call can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The credentials are of the past.
    Expired,
    UnknownIdentity,
    AccessDenied,
    Throttled,
    Unavailable,
    NoAnswer,
    Other,
}

impl ServiceFailure {
    pub fn refusal(&self) -> Refusal {
        if self.is_one_of(&EXPIRED) {
            Refusal::Expired
        } else if self.is_one_of(&UNKNOWN_IDENTITY) {
            Refusal::UnknownIdentity
        } else if self.is_access_denied() {
            Refusal::AccessDenied
        } else if self.is_throttled() {
            Refusal::Throttled
        } else if (&self.code, self.status) == (&None, None) {
            Refusal::NoAnswer
        } else if self.is_unavailable() {
            Refusal::Unavailable
        } else {
            Refusal::Other
        }
    }

    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    fn is_one_of(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// LimitExceededException has two meanings: a busy slot ("Resource limit exceeded."), and too many requests.
    fn is_throttled(&self) -> bool {
        let is_rate = self.has_code("LimitExceededException") && self.message.to_ascii_lowercase().contains("rate exceeded");
        is_rate || self.is_one_of(&THROTTLING) || self.status == Some(429)
    }

    pub fn is_slot_busy(&self) -> bool {
        self.has_code("LimitExceededException") && !self.is_throttled()
    }

    fn is_unavailable(&self) -> bool {
        self.status.is_none_or(|status| status >= 500) || self.is_one_of(&UNAVAILABLE) || self.is_one_of(&EXPIRED)
    }

    fn is_access_denied(&self) -> bool {
        self.is_one_of(&ACCESS_DENIED)
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
        failure.fixed_by(ErrorName::AccessDenied, format_args!("Allow logs:{} to the caller's role.", failure.operation))
    } else if failure.has_code("InvalidParameterException") {
        failure.named(ErrorName::InvalidInput)
    } else {
        failure.named(ErrorName::Unexpected)
    }
}

/// A refused CreateExportTask: what concerns the bucket goes by the message, whatever the code.
pub fn create_error(failure: &ServiceFailure, stack: &Stack, bucket: &BucketName) -> ExportError {
    let message = failure.message.to_ascii_lowercase();
    let rejected = |fix: String| failure.fixed_by(ErrorName::DestinationRejected, fix);
    let Stack { region, partition, .. } = stack;
    let (name, quoted) = (bucket.as_str(), format!("{:?}", bucket.as_str()));
    if failure.is_throttled() || failure.is_unavailable() {
        logs_error(failure)
    } else if failure.is_access_denied() && message.contains("not authorized to perform: logs:") {
        // Quotes the log group's ARN, whose name may hold any of the words below.
        logs_error(failure)
    } else if speaks_of_key(&message) {
        rejected(key_policy_fix(region))
    } else if message.contains("bucket does not exist") {
        rejected(format!("s3BucketName is {quoted}: create it in {region}, or correct the name."))
    } else if message.contains("caller has been granted") {
        rejected(format!("Allow s3:PutObject on arn:{partition}:s3:::{name}/* to the role of create-export-task."))
    } else if message.contains("getbucketacl") || message.contains("putobject") {
        rejected(bucket_policy_fix(stack, bucket))
    } else if message.contains(" bucket") && message.contains("region") {
        rejected(format!("s3BucketName is {quoted}: the bucket must be in {region}, where the log group is."))
    } else if message.contains(" bucket") {
        rejected(bucket_policy_fix(stack, bucket))
    } else {
        logs_error(failure)
    }
}

/// A failed call of S3 on the archive. `permissions` are what the caller's role needs there.
pub fn archive_error(failure: &ServiceFailure, stack: &Stack, bucket: &str, permissions: &str) -> ExportError {
    let region = &stack.region;
    if failure.is_throttled() || failure.is_unavailable() {
        failure.named(ErrorName::DestinationUnavailable)
    } else if failure.has_code("NoSuchBucket") {
        failure.fixed_by(
            ErrorName::DestinationRejected,
            format_args!("s3BucketName is {bucket:?}: the bucket is gone; create it in {region}."),
        )
    } else if speaks_of_key(&failure.message.to_ascii_lowercase()) {
        failure
            .fixed_by(ErrorName::DestinationRejected, "Allow kms:GenerateDataKey and kms:Decrypt on the bucket's key to the caller's role.")
    } else if failure.is_access_denied() {
        failure.fixed_by(ErrorName::AccessDenied, format_args!("Allow {permissions} in bucket {bucket:?} to the caller's role."))
    } else {
        failure.named(ErrorName::Unexpected)
    }
}

/// In lower case. Names of log groups and buckets may hold `kms`, but neither spaces nor colons.
fn speaks_of_key(message: &str) -> bool {
    ["kms key", "kms:", " kms "].iter().any(|words| message.contains(words))
}

fn bucket_policy_fix(Stack { region, partition, .. }: &Stack, bucket: &BucketName) -> String {
    let bucket = bucket.as_str();
    let principal = format!(r#""Effect":"Allow","Principal":{{"Service":"logs.{region}.amazonaws.com"}}"#);
    format!(
        r#"Add to the policy of bucket {bucket:?} the statements {{{principal},"Action":"s3:GetBucketAcl","Resource":"arn:{partition}:s3:::{bucket}"}} and {{{principal},"Action":"s3:PutObject","Resource":"arn:{partition}:s3:::{bucket}/*","Condition":{{"StringEquals":{{"s3:x-amz-acl":"bucket-owner-full-control"}}}}}}, and narrow both with aws:SourceAccount and aws:SourceArn to your log groups."#
    )
}

fn key_policy_fix(region: &str) -> String {
    format!(
        r#"Add to the policy of the bucket's KMS key the statement {{"Effect":"Allow","Principal":{{"Service":"logs.{region}.amazonaws.com"}},"Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"*"}}, and narrow it with aws:SourceAccount and aws:SourceArn to your log groups."#
    )
}

#[cfg(test)]
mod tests;
