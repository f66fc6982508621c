//! Checks whether lifecycle rules of the archive bucket remove manifests, open windows or reports.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule, TransitionStorageClass};
use serde_json::json;

use super::{
    bucket,
    finding::{Call, FindingName, Findings},
};
use crate::{context::Context, failure::Failure, shell::quoted, stack::DeployedStack};

/// Unless a rule sets another size, S3 moves no smaller objects to another storage class.
const DEFAULT_MIN_TRANSITION_BYTES: i64 = 128 * 1024;

pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let bucket = stack.settings.bucket.as_str();
    let arn = bucket::bucket_arn(stack, bucket);
    let call = Call {
        operation: "GetBucketLifecycleConfiguration",
        action: "s3:GetLifecycleConfiguration",
        resource: &arn,
        absent: &["NoSuchLifecycleConfiguration"],
    };
    let answer = context.s3().get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let Some(response) = findings.answer_of(call, answer)?.found() else { return Ok(()) };
    let settings = &stack.settings;
    let folders = [settings.manifests_folder(), settings.missing_folder(), settings.reports_folder()];
    let exports = settings.s3_prefix.join("log_group=");
    for (index, rule) in response.rules().iter().enumerate() {
        let Some(effect) = effect_on_objects(rule) else { continue };
        let prefix = prefix(rule);
        let touched: Vec<&str> =
            folders.iter().map(String::as_str).filter(|folder| folder.starts_with(prefix) || prefix.starts_with(folder)).collect();
        if rule.status() != &ExpirationStatus::Enabled || has_tags(rule) || touched.is_empty() {
            continue;
        }
        // A rule that also covers exports is limited to them. Any other rule is disabled.
        let edit = match exports.starts_with(prefix) {
            true => format!(".Rules[{index}] |= (del(.Prefix) | .Filter = {})", json!({"Prefix": exports})),
            false => format!(".Rules[{index}].Status = \"Disabled\""),
        };
        let what = format!("The lifecycle rule {:?} {effect} objects in {}.", rule.id().unwrap_or_default(), touched.join(", "));
        let fix = format!(
            r#"aws s3api put-bucket-lifecycle-configuration --bucket {bucket} --lifecycle-configuration "$(aws s3api get-bucket-lifecycle-configuration --bucket {bucket} --output json | jq -c {})""#,
            quoted(&format!("del(.TransitionDefaultMinimumObjectSize) | {edit}"))
        );
        findings.add(FindingName::LifecycleTouchesMemory, &arn, what, fix);
    }
    Ok(())
}

/// How a rule makes current objects unreadable for a run. `None`: it does not.
fn effect_on_objects(rule: &LifecycleRule) -> Option<String> {
    if rule.expiration().is_some_and(|expiration| expiration.days().is_some() || expiration.date().is_some()) {
        return Some("deletes".to_owned());
    }
    let class = rule.transitions().iter().filter_map(|transition| transition.storage_class());
    let cold = class.into_iter().find(|class| matches!(class, TransitionStorageClass::Glacier | TransitionStorageClass::DeepArchive))?;
    // Unless the rule has a smaller size, S3 moves only objects of 128 KiB or more. Nearly all of these objects are smaller.
    let smallest = rule.filter().and_then(|filter| filter.object_size_greater_than().or_else(|| filter.and()?.object_size_greater_than()));
    smallest.is_none_or(|smallest| smallest < DEFAULT_MIN_TRANSITION_BYTES).then(|| format!("moves to {cold}"))
}

#[expect(deprecated, reason = "old rules have the prefix outside the filter")]
fn prefix(rule: &LifecycleRule) -> &str {
    let filter = rule.filter().and_then(|filter| filter.prefix().or_else(|| filter.and()?.prefix()));
    filter.or(rule.prefix()).unwrap_or_default()
}

/// A rule with tags does not apply, because the archive's objects have no tags.
fn has_tags(rule: &LifecycleRule) -> bool {
    rule.filter().is_some_and(|filter| filter.tag().is_some() || filter.and().is_some_and(|and| !and.tags().is_empty()))
}
