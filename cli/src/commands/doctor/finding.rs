//! What `doctor` finds. The names are API, as those of errors and warnings are.

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
    /// Something is not archived, or will not be, or nobody will hear of it.
    Error,
    /// Something is weaker than it looks.
    Warning,
}

macro_rules! names {
    ($($name:ident, $severity:ident, $why:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum Name {
            $($name,)*
        }

        impl Name {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];

            fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }

            /// What follows if nobody mends it.
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
    ListDiffers, Warning, "A deployment that changes the schedule replaces its list by the stack's parameter LogGroups.";
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
    pub name: Name,
    pub resource: String,
    pub what: String,
    pub why: &'static str,
    /// A command for a POSIX shell with the AWS CLI and jq; where only a policy's owner can act, the statement to allow.
    pub fix: String,
}

/// An answer of AWS, or none.
pub enum Asked<T> {
    Is(T),
    /// AWS says that there is none.
    Absent,
    /// The caller may not ask: a finding of its own.
    Refused,
}

impl<T> Asked<T> {
    pub fn known(self) -> Option<T> {
        match self {
            Self::Is(answer) => Some(answer),
            Self::Absent | Self::Refused => None,
        }
    }

    /// `None`: the caller may not ask.
    pub fn or_absent(self) -> Option<Option<T>> {
        match self {
            Self::Is(answer) => Some(Some(answer)),
            Self::Absent => Some(None),
            Self::Refused => None,
        }
    }
}

/// A call that a check makes.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub operation: &'static str,
    /// The IAM action, which S3 names otherwise than the operation.
    pub action: &'a str,
    /// As IAM takes it: an ARN, or `*`.
    pub resource: &'a str,
    /// The error codes that mean: there is none.
    pub absent: &'a [&'a str],
}

#[derive(Default)]
pub struct Findings {
    pub found: Vec<Finding>,
}

impl Findings {
    pub fn add(&mut self, name: Name, resource: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) {
        let (severity, why) = (name.severity(), name.why());
        self.found.push(Finding { severity, name, resource: resource.into(), what: what.into(), why, fix: fix.into() });
    }

    /// What a call answered. Only a refusal for want of a permission is a finding: without an answer, there is no diagnosis.
    pub fn ask<T, E>(&mut self, call: Call, result: Result<T, SdkError<E, HttpResponse>>) -> Result<Asked<T>, Failure>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        debug_assert!(call.resource == "*" || call.resource.starts_with("arn:"), "IAM takes no resource {}", call.resource);
        match result {
            Ok(answer) => Ok(Asked::Is(answer)),
            Err(error) => self.refused(call, &service_failure(call.operation, &error)),
        }
    }

    pub fn refused<T>(&mut self, call: Call, failure: &ServiceFailure) -> Result<Asked<T>, Failure> {
        if call.absent.iter().any(|code| failure.has_code(code)) {
            return Ok(Asked::Absent);
        }
        // HEAD has no body, and so no code. S3 answers 405 where only the bucket's owner may call.
        if failure.kind() != FailureKind::AccessDenied && !matches!(failure.status, Some(403 | 405)) {
            return Err(Failure::of(call.action.split(':').next().unwrap_or_default(), failure));
        }
        let statement = json!({"Effect": "Allow", "Action": call.action, "Resource": call.resource});
        self.add(Name::CheckRefused, call.resource, format!("You may not call {} here.", call.action), statement.to_string());
        Ok(Asked::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_finding() {
        let document = include_str!("../../../../docs/doctor.md");
        let documented: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
        let row = |name: &Name| format!("| `{name:?}` | {} | {} |", format!("{:?}", name.severity()).to_lowercase(), name.why());
        assert_eq!(documented, Name::ALL.iter().map(row).collect::<Vec<_>>());
    }
}
