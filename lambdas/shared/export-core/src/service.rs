//! What a failed AWS call means: one error name for each case, and the statement that fixes it.
//!
//! Codes and messages of AWS are matched here and nowhere else. CloudWatch Logs reports the same bucket problem with different codes,
//! InvalidParameterException and AccessDeniedException. So bucket problems are matched by their message.

use crate::{BucketName, ErrorName, ExportError, place::Stack};

/// A failed call, without the SDK's types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFailure {
    /// Such as `CreateExportTask`.
    pub operation: &'static str,
    /// The service's error code, such as `ThrottlingException`. `None`: the service did not answer.
    pub code: Option<String>,
    pub message: String,
    /// The HTTP status. `None`: the service did not answer.
    pub status: Option<u16>,
}

const THROTTLING: [&str; 6] =
    ["ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"];
const UNAVAILABLE: [&str; 5] =
    ["ServiceUnavailableException", "ServiceUnavailable", "InternalFailure", "InternalServerError", "InternalError"];
const ACCESS_DENIED: [&str; 5] =
    ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "UnrecognizedClientException", "InvalidClientTokenId"];
/// No permission is missing: the next invocation has new credentials.
const EXPIRED_CREDENTIALS: [&str; 4] = ["ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired"];

/// AWS does not know the access key, or the signature is wrong.
const UNKNOWN_IDENTITY: [&str; 5] =
    ["UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature"];

const TOO_MANY_REQUESTS: u16 = 429;
const FIRST_SERVER_ERROR: u16 = 500;

/// The kinds of failures that a person fixes in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    ExpiredCredentials,
    UnknownIdentity,
    AccessDenied,
    Throttled,
    Unavailable,
    NoAnswer,
    Other,
}

impl ServiceFailure {
    pub fn kind(&self) -> FailureKind {
        if self.is_one_of(&EXPIRED_CREDENTIALS) {
            FailureKind::ExpiredCredentials
        } else if self.is_one_of(&UNKNOWN_IDENTITY) {
            FailureKind::UnknownIdentity
        } else if self.is_access_denied() {
            FailureKind::AccessDenied
        } else if self.is_throttled() {
            FailureKind::Throttled
        } else if (&self.code, self.status) == (&None, None) {
            FailureKind::NoAnswer
        } else if self.is_unavailable() {
            FailureKind::Unavailable
        } else {
            FailureKind::Other
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
        let is_rate_limit = self.has_code("LimitExceededException") && self.message.to_ascii_lowercase().contains("rate exceeded");
        is_rate_limit || self.is_one_of(&THROTTLING) || self.status == Some(TOO_MANY_REQUESTS)
    }

    pub fn is_slot_busy(&self) -> bool {
        self.has_code("LimitExceededException") && !self.is_throttled()
    }

    fn is_unavailable(&self) -> bool {
        let has_server_error = self.status.is_none_or(|status| status >= FIRST_SERVER_ERROR);
        has_server_error || self.is_one_of(&UNAVAILABLE) || self.is_one_of(&EXPIRED_CREDENTIALS)
    }

    fn is_access_denied(&self) -> bool {
        self.is_one_of(&ACCESS_DENIED)
    }

    fn named(&self, name: ErrorName) -> ExportError {
        ExportError::new(name, self.to_string())
    }

    fn with_fix(&self, name: ErrorName, fix: impl std::fmt::Display) -> ExportError {
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

/// The error of a failed call to CloudWatch Logs. The caller handles a busy slot and a missing log group before.
pub fn logs_error(failure: &ServiceFailure) -> ExportError {
    if failure.is_throttled() {
        failure.named(ErrorName::LogsThrottled)
    } else if failure.is_unavailable() || failure.has_code("OperationAbortedException") {
        failure.named(ErrorName::LogsUnavailable)
    } else if failure.is_access_denied() {
        failure.with_fix(ErrorName::AccessDenied, format_args!("Allow logs:{} to the caller's role.", failure.operation))
    } else if failure.has_code("InvalidParameterException") {
        failure.named(ErrorName::InvalidInput)
    } else {
        failure.named(ErrorName::Unexpected)
    }
}

/// The error of a failed CreateExportTask. A problem with the bucket is matched by the message, whatever the code.
pub fn create_error(failure: &ServiceFailure, stack: &Stack, bucket: &BucketName) -> ExportError {
    let message = failure.message.to_ascii_lowercase();
    let rejected = |fix: String| failure.with_fix(ErrorName::DestinationRejected, fix);
    let Stack { region, partition, .. } = stack;
    let (name, quoted) = (bucket.as_str(), format!("{:?}", bucket.as_str()));
    if failure.is_throttled() || failure.is_unavailable() {
        logs_error(failure)
    } else if failure.is_access_denied() && message.contains("not authorized to perform: logs:") {
        // The message quotes the log group's ARN. A name can contain each of the words below.
        logs_error(failure)
    } else if mentions_key(&message) {
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

/// The error of a failed call to S3. `key`: the object that the call reads or writes; `None` for a listing.
pub fn s3_error(failure: &ServiceFailure, stack: &Stack, bucket: &str, key: Option<&str>) -> ExportError {
    let region = &stack.region;
    if failure.is_throttled() || failure.is_unavailable() {
        failure.named(ErrorName::DestinationUnavailable)
    } else if failure.has_code("NoSuchBucket") {
        failure.with_fix(
            ErrorName::DestinationRejected,
            format_args!("s3BucketName is {bucket:?}: the bucket is gone; create it in {region}."),
        )
    } else if mentions_key(&failure.message.to_ascii_lowercase()) {
        failure
            .with_fix(ErrorName::DestinationRejected, "Allow kms:GenerateDataKey and kms:Decrypt on the bucket's key to the caller's role.")
    } else if failure.is_access_denied() {
        failure.with_fix(ErrorName::AccessDenied, s3_permission_fix(failure.operation, stack, bucket, key))
    } else {
        failure.named(ErrorName::Unexpected)
    }
}

/// The operations' names are those of the actions, except that ListObjectsV2 needs `s3:ListBucket`.
fn s3_permission_fix(operation: &str, Stack { partition, .. }: &Stack, bucket: &str, key: Option<&str>) -> String {
    let arn = format!("arn:{partition}:s3:::{bucket}");
    match key {
        None => format!("Allow s3:ListBucket on {arn} to the caller's role."),
        // Without s3:ListBucket, S3 answers AccessDenied for an object that does not exist.
        Some(key) if operation == "GetObject" => {
            format!("Allow s3:GetObject on {arn}/{key}, and s3:ListBucket on {arn}, to the caller's role.")
        }
        Some(key) => format!("Allow s3:{operation} on {arn}/{key} to the caller's role."),
    }
}

/// `message` is in lower case. Names of log groups and buckets can contain `kms`, but neither spaces nor colons.
fn mentions_key(message: &str) -> bool {
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
