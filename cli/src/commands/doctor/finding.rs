//! The findings of `doctor`. Their names are API, like the names of errors and warnings.

use archive::service_failure;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use export_core::service::{FailureKind, ServiceFailure};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Events are not archived, or will not be, or nobody will be alerted.
    Error,
    /// A setting is weaker than it seems.
    Warning,
}

macro_rules! names {
    ($($name:ident, $severity:ident, $why:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum FindingName {
            $($name,)*
        }

        impl FindingName {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];

            fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }

            /// The consequence, unless somebody fixes the problem.
            fn why(self) -> &'static str {
                match self {
                    $(Self::$name => $why,)*
                }
            }
        }
    };
}

names! {
    CheckRefused, Warning, "This check was not made, so what it would have found is not in this list.";
    StackIncomplete, Warning, "What the stack lacks was not checked, so what it would have found is not in this list.";
    BucketNotFound, Error, "No run can read or write without its buckets.";
    BucketInOtherRegion, Error, "CloudWatch Logs exports only to a bucket of its own Region.";
    BucketOfOtherOwner, Error, "Logs would go to an account that the stack does not expect.";
    BucketPolicyLacksStatement, Error, "CloudWatch Logs refuses each export with DestinationRejected.";
    BucketPolicyDenies, Error, "A Deny wins over every Allow: exports fail with DestinationRejected, or runs with AccessDenied.";
    BucketEncryptionUnusable, Error, "CloudWatch Logs cannot encrypt an export this way.";
    BucketKeyDiffers, Warning, "New objects are not encrypted with the key that the stack was given.";
    RolesLackKey, Error, "The roles may use the key of KmsKeyArn only, so runs fail with AccessDenied.";
    KeyUnusable, Error, "With a key that is not enabled, nothing can be written to the archive or read from it.";
    KeyPolicyLacksStatement, Error, "Exports fail with DestinationRejected, or runs with AccessDenied.";
    KeyPolicyDenies, Error, "A Deny wins over every Allow: exports fail with DestinationRejected, or runs with AccessDenied.";
    PublicAccessNotBlocked, Warning, "A policy or an ACL added later could make the logs public.";
    VersioningOff, Warning, "An object that is overwritten or deleted by mistake cannot be restored.";
    LifecycleTouchesMemory, Error, "Without its manifests, open windows and reports, the archive forgets what it has and exports it again.";
    RoleNotFound, Error, "A function or service whose role is gone cannot do anything.";
    RoleNotTrusted, Error, "A service that may not take its role cannot do anything.";
    RoleLacksPermission, Error, "Runs fail with AccessDenied at the first call that needs it.";
    RoleLimited, Error, "A role may do only what its permissions boundary and the organization allow, too: runs fail with AccessDenied.";
    RoleDenied, Error, "A Deny wins over every Allow, so runs fail with AccessDenied.";
    ScheduleNotFound, Error, "No run starts.";
    ScheduleDisabled, Error, "No run starts, although the stack's parameter Schedule asks for runs.";
    ScheduleExpressionDiffers, Warning, "Runs start at other times than the stack's parameter Schedule says.";
    ScheduleTimeZoneDiffers, Error, "Months begin and end in another time zone than the stack's TimeZone, or runs start before a month is complete.";
    ScheduleTargetDiffers, Error, "The schedule starts something else than this stack's runs.";
    ScheduleRoleDiffers, Error, "EventBridge Scheduler starts no run with a role that does not allow it.";
    ScheduleInputInvalid, Error, "Each run fails with InvalidInput before it exports anything.";
    ScheduledTimeMissing, Error, "A run without scheduledTime counts as one by hand: it judges nothing and exports no older month.";
    SettleDaysDiffer, Warning, "Runs of the schedule export a month on another day than the stack's SettleDays says.";
    DeadLetterQueueMissing, Warning, "If a run cannot be started, no alarm turns red.";
    DeadLetterQueueNotEmpty, Error, "EventBridge Scheduler gave up on starting a run.";
    ListDiffers, Warning, "A deployment that changes the schedule is refused, or puts the list of the stack's parameter LogGroups in.";
    EntryRepeated, Warning, "An entry that is given twice counts once, and can hide a mistake in a name.";
    EntryMatchesNothing, Warning, "Nothing is archived for this entry, and no alarm turns red.";
    LogClassNotExportable, Warning, "CloudWatch Logs exports no log group of this class: it is not archived.";
    RetentionLosesEvents, Error, "Events are deleted before the run that should export them.";
    LogGroupArchivedTwice, Warning, "The same events are exported twice, stored twice and paid twice.";
    DestinationsNest, Warning, "A query over one log group also reads objects of the other.";
    TopicNotFound, Error, "No alarm and no notification reaches anybody.";
    SubscriptionPending, Error, "Amazon SNS sends nothing to an address that was not confirmed.";
    NobodySubscribed, Error, "No alarm and no notification reaches anybody.";
    SlotHeldByOthers, Warning, "An account has one export slot per Region: runs wait until this task has ended.";
    SlotHeldTooLong, Error, "An export task ends within 24 hours; this one keeps the slot from every other.";
    AlarmNotFound, Error, "Nobody is alerted when this happens.";
    AlarmActionsOff, Error, "The alarm turns red, and tells nobody.";
    AlarmInAlarm, Error, "The alarm's description says what has happened; it stays red while the cause lasts.";
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub severity: Severity,
    pub name: FindingName,
    pub resource: String,
    pub what: String,
    pub why: &'static str,
    /// A command for a POSIX shell with the AWS CLI and jq. If only the owner of a policy can act: the statement to add.
    pub fix: String,
}

/// The answer of AWS to a check.
pub enum Answer<Response> {
    Found(Response),
    /// The resource does not exist.
    Absent,
    /// The operator lacks the permission, which is a finding.
    Refused,
}

impl<Response> Answer<Response> {
    pub fn found(self) -> Option<Response> {
        match self {
            Self::Found(response) => Some(response),
            Self::Absent | Self::Refused => None,
        }
    }

    /// `None`: the operator lacks the permission. `Some(None)`: the resource does not exist.
    pub fn unless_refused(self) -> Option<Option<Response>> {
        match self {
            Self::Found(response) => Some(Some(response)),
            Self::Absent => Some(None),
            Self::Refused => None,
        }
    }
}

#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub operation: &'static str,
    /// The IAM action. S3 has other names for operations.
    pub action: &'a str,
    /// The resource in an IAM statement: an ARN, or `*`.
    pub resource: &'a str,
    /// The error codes that mean that the resource does not exist.
    pub absent: &'a [&'a str],
}

#[derive(Default)]
pub struct Findings {
    pub list: Vec<Finding>,
}

impl Findings {
    pub fn add(&mut self, name: FindingName, resource: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) {
        let (severity, why) = (name.severity(), name.why());
        self.list.push(Finding { severity, name, resource: resource.into(), what: what.into(), why, fix: fix.into() });
    }

    /// The answer to a call. A missing permission is a finding, and any other failure ends the command.
    pub fn answer_of<Response, E>(
        &mut self,
        call: Call,
        result: Result<Response, SdkError<E, HttpResponse>>,
    ) -> Result<Answer<Response>, Failure>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        debug_assert!(call.resource == "*" || call.resource.starts_with("arn:"), "IAM does not accept the resource {}", call.resource);
        match result {
            Ok(response) => Ok(Answer::Found(response)),
            Err(error) => self.answer_of_failure(call, &service_failure(call.operation, &error)),
        }
    }

    pub fn answer_of_failure<Response>(&mut self, call: Call, failure: &ServiceFailure) -> Result<Answer<Response>, Failure> {
        if call.absent.iter().any(|code| failure.has_code(code)) {
            return Ok(Answer::Absent);
        }
        // The response to HEAD has no body, and so no error code. S3 returns 405 if only the bucket's owner may make the call.
        if failure.kind() != FailureKind::AccessDenied && !matches!(failure.status, Some(403 | 405)) {
            return Err(Failure::of_call(call.action.split(':').next().unwrap_or_default(), failure));
        }
        let statement = json!({"Effect": "Allow", "Action": call.action, "Resource": call.resource});
        self.add(FindingName::CheckRefused, call.resource, format!("You may not call {} here.", call.action), statement.to_string());
        Ok(Answer::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_finding() {
        let document = include_str!("../../../../docs/doctor.md");
        let documented: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
        let row = |name: &FindingName| format!("| `{name:?}` | {} | {} |", format!("{:?}", name.severity()).to_lowercase(), name.why());
        assert_eq!(documented, FindingName::ALL.iter().map(row).collect::<Vec<_>>());
    }
}
