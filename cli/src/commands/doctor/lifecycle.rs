//! Lifecycle rules of the archive bucket that would take the archive's memory: `manifests/`, `missing/` and `runs/`.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule, TransitionStorageClass};
use serde_json::json;

use super::{
    bucket,
    finding::{Call, Findings, Name},
};
use crate::{context::Context, failure::Failure, shell::quoted, stack::DeployedStack};

pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let bucket = stack.stack.bucket.as_str();
    let arn = bucket::arn(stack, bucket);
    let call = Call {
        operation: "GetBucketLifecycleConfiguration",
        action: "s3:GetLifecycleConfiguration",
        resource: &arn,
        absent: &["NoSuchLifecycleConfiguration"],
    };
    let asked = context.s3().get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let Some(answer) = findings.ask(call, asked)?.known() else { return Ok(()) };
    let of = &stack.stack;
    let memory = [of.manifests_folder(), of.missing_folder(), of.reports_folder()];
    let exports = of.s3_prefix.join("log_group=");
    for (index, rule) in answer.rules().iter().enumerate() {
        let Some(does) = takes(rule) else { continue };
        let prefix = prefix(rule);
        let touched: Vec<&str> =
            memory.iter().map(String::as_str).filter(|folder| folder.starts_with(prefix) || prefix.starts_with(folder)).collect();
        if rule.status() != &ExpirationStatus::Enabled || has_tags(rule) || touched.is_empty() {
            continue;
        }
        // A rule for more than the memory keeps its work on the exports; another one has none.
        let edit = match exports.starts_with(prefix) {
            true => format!(".Rules[{index}] |= (del(.Prefix) | .Filter = {})", json!({"Prefix": exports})),
            false => format!(".Rules[{index}].Status = \"Disabled\""),
        };
        let what = format!("The lifecycle rule {:?} {does} objects in {}.", rule.id().unwrap_or_default(), touched.join(", "));
        let fix = format!(
            r#"aws s3api put-bucket-lifecycle-configuration --bucket {bucket} --lifecycle-configuration "$(aws s3api get-bucket-lifecycle-configuration --bucket {bucket} --output json | jq -c {})""#,
            quoted(&format!("del(.TransitionDefaultMinimumObjectSize) | {edit}"))
        );
        findings.add(Name::LifecycleTouchesMemory, &arn, what, fix);
    }
    Ok(())
}

/// What a rule does to current objects so that a run cannot read them any more.
fn takes(rule: &LifecycleRule) -> Option<String> {
    if rule.expiration().is_some_and(|expiration| expiration.days().is_some() || expiration.date().is_some()) {
        return Some("deletes".to_owned());
    }
    let class = rule.transitions().iter().filter_map(|transition| transition.storage_class());
    let cold = class.into_iter().find(|class| matches!(class, TransitionStorageClass::Glacier | TransitionStorageClass::DeepArchive))?;
    // S3 moves nothing below 128 KiB unless a rule names a smaller size: the memory's objects are smaller, but for large reports.
    let smallest = rule.filter().and_then(|filter| filter.object_size_greater_than().or_else(|| filter.and()?.object_size_greater_than()));
    smallest.is_none_or(|smallest| smallest < 131_072).then(|| format!("moves to {cold}"))
}

#[expect(deprecated, reason = "old rules have their prefix outside the filter")]
fn prefix(rule: &LifecycleRule) -> &str {
    let filter = rule.filter().and_then(|filter| filter.prefix().or_else(|| filter.and()?.prefix()));
    filter.or(rule.prefix()).unwrap_or_default()
}

/// The objects of the archive have no tags.
fn has_tags(rule: &LifecycleRule) -> bool {
    rule.filter().is_some_and(|filter| filter.tag().is_some() || filter.and().is_some_and(|and| !and.tags().is_empty()))
}
