//! Whether CloudWatch Logs may write to the archive: bucket policy, encryption, key policy.

use aws_sdk_kms::types::KeyState;
use aws_sdk_s3::types::{ServerSideEncryption, ServerSideEncryptionRule};
use chrono::Utc;
use export_core::{Month, SettleDays, decide::LogGroup, planner::Group};
use resource_policy::{Access, Context as Request, Ruling, judge};
use serde_json::{Value, json};

use super::{
    bucket,
    deployment::Deployment,
    finding::{Call, Findings, Name},
    fix,
};
use crate::{context::Context, deploy::quoted, failure::Failure, stack::DeployedStack};

const POLICY: &str = "ArchiveBucketPolicy";

/// `groups`: the log groups that are archived; `None`, if that is not known.
pub async fn check(
    context: &Context,
    stack: &DeployedStack,
    deployment: &Deployment,
    groups: Option<&[Group]>,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let bucket = stack.stack.bucket.as_str();
    if findings
        .found
        .iter()
        .any(|finding| finding.name < Name::BucketPolicyLacksStatement && finding.resource == bucket::arn(stack, bucket))
    {
        return Ok(());
    }
    let wanted = wanted(stack, groups.unwrap_or_default());
    bucket_policy(context, stack, deployment, &wanted, findings).await?;
    encryption(context, stack, deployment, &wanted, findings).await
}

/// One log group and the first object that its next export writes.
struct Export {
    log_group: String,
    key: String,
}

fn wanted(stack: &DeployedStack, groups: &[Group]) -> Vec<Export> {
    let month = Month::due(Utc::now(), stack.stack.timezone, SettleDays::default());
    let archived =
        groups.iter().filter(|group| group.place.bucket == stack.stack.bucket && matches!(group.log_group, LogGroup::Present { .. }));
    let export = |log_group: String, prefix: String| Export { log_group, key: format!("{prefix}/aws-logs-write-test") };
    let mut wanted: Vec<Export> =
        archived.map(|group| export(group.place.log_group.to_string(), group.place.destination.prefix(month))).collect();
    if wanted.is_empty() {
        wanted.push(export("/any".to_owned(), stack.stack.s3_prefix.join("log_group=/any")));
    }
    wanted
}

async fn bucket_policy(
    context: &Context,
    stack: &DeployedStack,
    deployment: &Deployment,
    wanted: &[Export],
    findings: &mut Findings,
) -> Result<(), Failure> {
    let bucket = stack.stack.bucket.as_str();
    let arn = bucket::arn(stack, bucket);
    let call = Call { operation: "GetBucketPolicy", action: "s3:GetBucketPolicy", resource: &arn, absent: &["NoSuchBucketPolicy"] };
    let asked = findings.ask(call, context.s3().get_bucket_policy().bucket(bucket).send().await)?;
    let Some(answer) = asked.or_absent() else { return Ok(()) };
    let Some(document) = deployment.archive.property(POLICY, "PolicyDocument") else { return Ok(()) };
    let Some(policy) = answer.and_then(|answer| answer.policy) else {
        let fix = format!("aws s3api put-bucket-policy --bucket {bucket} --policy {}", quoted(&document.to_string()));
        findings.add(Name::BucketPolicyLacksStatement, &arn, "The bucket has no policy, so CloudWatch Logs may not write to it.", fix);
        return Ok(());
    };
    let mut lacking: Vec<(&str, String)> = Vec::new();
    let mut denied: Vec<usize> = Vec::new();
    for export in wanted {
        for (action, resource, writes) in [("s3:GetBucketAcl", arn.clone(), false), ("s3:PutObject", format!("{arn}/{}", export.key), true)]
        {
            match judge(&policy, &Access { action, resource: &resource, context: &request(stack, &export.log_group, writes) }) {
                Ruling::Allowed => {}
                Ruling::NotAllowed if lacking.iter().any(|(known, _)| *known == action) => {}
                Ruling::NotAllowed => lacking.push((action, export.log_group.clone())),
                Ruling::Denied { index, .. } if denied.contains(&index) => {}
                Ruling::Denied { index, sid } => {
                    denied.push(index);
                    let what =
                        format!("{} denies {action} to CloudWatch Logs for exports of {}.", statement_name(index, sid), export.log_group);
                    findings.add(
                        Name::BucketPolicyDenies,
                        &arn,
                        what,
                        fix::edit_bucket_policy(bucket, &fix::remove_statement(&policy, index)),
                    );
                }
            }
        }
    }
    if !lacking.is_empty() {
        let statements = document["Statement"].as_array().into_iter().flatten();
        let statements: Vec<Value> = statements.filter(|one| lacking.iter().any(|(action, _)| one["Action"] == *action)).cloned().collect();
        let (actions, log_groups): (Vec<_>, Vec<_>) = lacking.into_iter().unzip();
        let what =
            format!("The bucket policy does not allow {} to CloudWatch Logs for exports of {}.", actions.join(" and "), log_groups[0]);
        findings.add(Name::BucketPolicyLacksStatement, &arn, what, fix::edit_bucket_policy(bucket, &fix::add_statements(&statements)));
    }
    Ok(())
}

fn statement_name(index: usize, sid: Option<String>) -> String {
    sid.map_or_else(|| format!("Statement {} of the policy", index + 1), |sid| format!("The statement {sid:?}"))
}

fn request(stack: &DeployedStack, log_group: &str, writes: bool) -> Request {
    let of = &stack.stack;
    Request::in_partition(&of.partition, &of.account, &of.region, log_group, writes)
}

async fn encryption(
    context: &Context,
    stack: &DeployedStack,
    deployment: &Deployment,
    wanted: &[Export],
    findings: &mut Findings,
) -> Result<(), Failure> {
    let bucket = stack.stack.bucket.as_str();
    let arn = bucket::arn(stack, bucket);
    let key = stack.parameters.get("KmsKeyArn").map_or("", String::as_str);
    let absent = &["ServerSideEncryptionConfigurationNotFoundError"][..];
    let call = Call { operation: "GetBucketEncryption", action: "s3:GetEncryptionConfiguration", resource: &arn, absent };
    let Some(answer) = findings.ask(call, context.s3().get_bucket_encryption().bucket(bucket).send().await)?.or_absent() else {
        return Ok(());
    };
    let rules = answer.and_then(|answer| answer.server_side_encryption_configuration).map_or_else(Vec::new, |found| found.rules);
    let rule = rules.first();
    let default = rule.and_then(ServerSideEncryptionRule::apply_server_side_encryption_by_default);
    let (algorithm, own_key) = (default.map(|default| default.sse_algorithm()), default.and_then(|default| default.kms_master_key_id()));
    let fix = || {
        let by = if key.is_empty() { json!({"SSEAlgorithm": "AES256"}) } else { json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}) };
        let rules = json!({"Rules": [{"ApplyServerSideEncryptionByDefault": by, "BucketKeyEnabled": !key.is_empty()}]});
        format!("aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration {}", quoted(&rules.to_string()))
    };
    let why = match (algorithm, own_key) {
        (Some(ServerSideEncryption::AwsKmsDsse), _) => Some("The bucket encrypts twice (DSSE-KMS).".to_owned()),
        (Some(ServerSideEncryption::AwsKms), None) => {
            Some("The bucket encrypts with the AWS managed key aws/s3, whose policy lets CloudWatch Logs not in.".to_owned())
        }
        (Some(ServerSideEncryption::AwsKms), Some(name)) if name.ends_with("alias/aws/s3") => {
            Some("The bucket encrypts with the AWS managed key aws/s3, whose policy lets CloudWatch Logs not in.".to_owned())
        }
        _ => None,
    };
    if let Some(what) = why {
        findings.add(Name::BucketEncryptionUnusable, &arn, what, fix());
        return Ok(());
    }
    if !key.is_empty() && own_key != Some(key) {
        let with = own_key.unwrap_or("a key of Amazon S3");
        findings.add(Name::BucketKeyDiffers, &arn, format!("The bucket encrypts with {with}, and the stack's KmsKeyArn is {key}."), fix());
    }
    match own_key {
        Some(key) => {
            let object = match rule.and_then(ServerSideEncryptionRule::bucket_key_enabled) {
                Some(true) => arn.clone(),
                _ => format!("{arn}/{}", wanted[0].key),
            };
            key_policy(context, stack, deployment, (key, &object, &wanted[0].log_group), findings).await
        }
        None => Ok(()),
    }
}

async fn key_policy(
    context: &Context,
    stack: &DeployedStack,
    deployment: &Deployment,
    (key, object, log_group): (&str, &str, &str),
    findings: &mut Findings,
) -> Result<(), Failure> {
    let absent = &["NotFoundException"][..];
    let call = Call { operation: "DescribeKey", action: "kms:DescribeKey", resource: key, absent };
    match findings.ask(call, context.kms().describe_key().key_id(key).send().await)?.or_absent() {
        None => {}
        Some(described) => {
            let metadata = described.and_then(|described| described.key_metadata);
            let state = metadata.as_ref().and_then(|metadata| metadata.key_state());
            if state != Some(&KeyState::Enabled) {
                let status = state.map_or("not there", KeyState::as_str);
                let cancel = if state == Some(&KeyState::PendingDeletion) {
                    format!("aws kms cancel-key-deletion --key-id {key} && ")
                } else {
                    String::new()
                };
                findings.add(
                    Name::KeyUnusable,
                    key,
                    format!("The bucket's key is {status}."),
                    format!("{cancel}aws kms enable-key --key-id {key}"),
                );
                return Ok(());
            }
        }
    }
    let call = Call { operation: "GetKeyPolicy", action: "kms:GetKeyPolicy", resource: key, absent };
    let asked = findings.ask(call, context.kms().get_key_policy().key_id(key).policy_name("default").send().await)?;
    let Some(policy) = asked.known().and_then(|answer| answer.policy) else { return Ok(()) };
    let of = &stack.stack;
    let request = request(stack, log_group, true).at_key(object, &format!("s3.{}.amazonaws.com", of.region));
    let mut lacking = Vec::new();
    for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
        match judge(&policy, &Access { action, resource: key, context: &request }) {
            Ruling::Allowed => {}
            Ruling::NotAllowed => lacking.push(action),
            Ruling::Denied { index, sid } => {
                let what = format!("{} of the key's policy denies {action} to CloudWatch Logs.", statement_name(index, sid));
                findings.add(Name::KeyPolicyDenies, key, what, fix::edit_key_policy(key, &fix::remove_statement(&policy, index)));
                return Ok(());
            }
        }
    }
    let statements = deployment.archive.output("KeyPolicyStatements").and_then(|text| serde_json::from_str::<Vec<Value>>(&text).ok());
    if let Some(statements) = statements.filter(|_| !lacking.is_empty()) {
        let what = format!("The key's policy does not allow {} to CloudWatch Logs.", lacking.join(" and "));
        findings.add(Name::KeyPolicyLacksStatement, key, what, fix::edit_key_policy(key, &fix::add_statements(&statements[..1])));
    }
    Ok(())
}
