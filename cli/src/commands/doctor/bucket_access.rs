//! Whether CloudWatch Logs and the functions may use the archive's buckets: their policies, the encryption, the key's policy.

use aws_sdk_kms::types::{KeyManagerType, KeyState};
use aws_sdk_s3::types::{ServerSideEncryption, ServerSideEncryptionRule};
use chrono::Utc;
use export_core::{Month, SettleDays, decide::LogGroup, planner::Group};
use resource_policy::Context as Request;
use serde_json::{Value, json};

use super::{
    bucket,
    deployment::Deployment,
    finding::{Asked, Call, Findings, Name},
    fix,
    granted::{self, Role},
    policy::{self, Need, Subject},
};
use crate::{context::Context, failure::Failure, output::note, shell::quoted, stack::DeployedStack};

const POLICY: &str = "ArchiveBucketPolicy";
const MANAGED_BY_AWS: &str = "The bucket encrypts with the AWS managed key aws/s3: its policy cannot admit CloudWatch Logs.";

pub struct BucketAccess<'a> {
    pub context: &'a Context,
    pub stack: &'a DeployedStack,
    pub deployment: &'a Deployment,
    pub roles: &'a [Role],
}

/// One log group and the first object that its next export writes.
struct Export {
    log_group: String,
    key: String,
}

impl BucketAccess<'_> {
    /// `groups`: the log groups that are archived; `None`, if that is not known.
    pub async fn check(&self, is_usable: bool, groups: Option<&[Group]>, findings: &mut Findings) -> Result<(), Failure> {
        let role_needs = |arn: &str| granted::needs(self.roles, arn, |role| Request::of_role(&role.arn));
        let work = self.stack.work_bucket();
        self.bucket_policy(work, &[], &role_needs(&bucket::arn(self.stack, work)), findings).await?;
        if !is_usable {
            return Ok(());
        }
        let exports = self.exports(groups.unwrap_or_default());
        let name = self.stack.stack.bucket.as_str();
        let arn = bucket::arn(self.stack, name);
        let mut needs: Vec<Need> = exports.iter().flat_map(|export| self.needs_of_export(export, &arn)).collect();
        needs.extend(role_needs(&arn));
        let statements = self.statements(findings);
        self.bucket_policy(name, &statements, &needs, findings).await?;
        self.encryption(&exports[0], findings).await
    }

    fn exports(&self, groups: &[Group]) -> Vec<Export> {
        let of = &self.stack.stack;
        let month = Month::due(Utc::now(), of.timezone, SettleDays::default());
        let archived = groups.iter().filter(|group| group.place.bucket == of.bucket && matches!(group.log_group, LogGroup::Present { .. }));
        let export = |log_group: String, prefix: String| Export { log_group, key: format!("{prefix}/aws-logs-write-test") };
        let mut exports: Vec<Export> =
            archived.map(|group| export(group.place.log_group.to_string(), group.place.destination.prefix_of(month))).collect();
        if exports.is_empty() {
            exports.push(export("/any".to_owned(), of.s3_prefix.join("log_group=/any")));
        }
        exports
    }

    fn request(&self, log_group: &str, writes: bool) -> Request {
        let of = &self.stack.stack;
        Request::in_partition(&of.partition, &of.account, &of.region, log_group, writes)
    }

    fn needs_of_export(&self, export: &Export, arn: &str) -> [Need; 2] {
        let need = |action: &str, resource: String, writes| Need {
            action: action.to_owned(),
            resource,
            by: format!("CloudWatch Logs for exports of {}", export.log_group),
            is_of_service: true,
            request: self.request(&export.log_group, writes),
        };
        [need("s3:GetBucketAcl", arn.to_owned(), false), need("s3:PutObject", format!("{arn}/{}", export.key), true)]
    }

    /// What the policy of the archive bucket has to have: that of the stack's own bucket, or what the owner of an existing one adds.
    fn statements(&self, findings: &mut Findings) -> Vec<Value> {
        if self.stack.parameters.get("ExistingBucket").is_none_or(String::is_empty) {
            let document = self.deployment.archive.property(POLICY, "PolicyDocument").unwrap_or_default();
            return document["Statement"].as_array().cloned().unwrap_or_default();
        }
        let read = serde_json::from_str(self.stack.output("BucketPolicyStatements"));
        read.unwrap_or_else(|_| {
            let what = "The stack has no output BucketPolicyStatements, so the bucket policy was not compared.";
            findings.add(Name::StackIncomplete, &self.stack.name, what, fix::deploy(self.stack));
            Vec::new()
        })
    }

    async fn bucket_policy(&self, name: &str, statements: &[Value], needs: &[Need], findings: &mut Findings) -> Result<(), Failure> {
        let arn = bucket::arn(self.stack, name);
        let absent = &["NoSuchBucketPolicy", "NoSuchBucket"];
        let call = Call { operation: "GetBucketPolicy", action: "s3:GetBucketPolicy", resource: &arn, absent };
        let asked = findings.ask(call, self.context.s3().get_bucket_policy().bucket(name).send().await)?;
        if let Some(answer) = asked.or_absent() {
            let text = answer.and_then(|answer| answer.policy);
            policy::check(&Subject::Bucket(name), &arn, text.as_deref(), statements, needs, findings);
        }
        Ok(())
    }

    async fn encryption(&self, export: &Export, findings: &mut Findings) -> Result<(), Failure> {
        let name = self.stack.stack.bucket.as_str();
        let arn = bucket::arn(self.stack, name);
        let absent = &["ServerSideEncryptionConfigurationNotFoundError"][..];
        let call = Call { operation: "GetBucketEncryption", action: "s3:GetEncryptionConfiguration", resource: &arn, absent };
        let asked = findings.ask(call, self.context.s3().get_bucket_encryption().bucket(name).send().await)?;
        let Some(answer) = asked.or_absent() else { return Ok(()) };
        let rules = answer.and_then(|answer| answer.server_side_encryption_configuration).map_or_else(Vec::new, |found| found.rules);
        let rule = rules.first();
        let default = rule.and_then(ServerSideEncryptionRule::apply_server_side_encryption_by_default);
        let (algorithm, key) = (default.map(|default| default.sse_algorithm()), default.and_then(|default| default.kms_master_key_id()));
        let why = match (algorithm, key) {
            (Some(ServerSideEncryption::AwsKmsDsse), _) => Some("The bucket encrypts twice (DSSE-KMS)."),
            (Some(ServerSideEncryption::AwsKms), key) if key.is_none_or(|name| name.ends_with("alias/aws/s3")) => Some(MANAGED_BY_AWS),
            _ => None,
        };
        let expected = self.key();
        if let Some(what) = why {
            findings.add(Name::BucketEncryptionUnusable, &arn, what, self.encrypt(expected));
            return Ok(());
        }
        match key {
            Some(key) => {
                let object = match rule.and_then(ServerSideEncryptionRule::bucket_key_enabled) {
                    Some(true) => arn,
                    _ => format!("{arn}/{}", export.key),
                };
                self.check_key(key, &object, &export.log_group, findings).await
            }
            None if expected.is_empty() => Ok(()),
            None => {
                let what = format!("The bucket encrypts with a key of Amazon S3, and the stack's KmsKeyArn is {expected}.");
                findings.add(Name::BucketKeyDiffers, &arn, what, self.encrypt(expected));
                Ok(())
            }
        }
    }

    /// The stack's parameter.
    fn key(&self) -> &str {
        self.stack.parameters.get("KmsKeyArn").map_or("", String::as_str)
    }

    /// With a key; with those of Amazon S3, if it is empty.
    fn encrypt(&self, key: &str) -> String {
        let by = if key.is_empty() { json!({"SSEAlgorithm": "AES256"}) } else { json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}) };
        let rules = json!({"Rules": [{"ApplyServerSideEncryptionByDefault": by, "BucketKeyEnabled": !key.is_empty()}]});
        let bucket = self.stack.stack.bucket.as_str();
        format!("aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration {}", quoted(&rules.to_string()))
    }

    /// `key` is the bucket's, as the bucket names it: an id, an alias, or the ARN of either.
    async fn check_key(&self, key: &str, object: &str, log_group: &str, findings: &mut Findings) -> Result<(), Failure> {
        let of = &self.stack.stack;
        let owner = key.starts_with("arn:").then(|| key.split(':').nth(4)).flatten().unwrap_or(&of.account);
        let arn = if owner == of.account { self.usable_key(key, findings).await? } else { Some(key.to_owned()) };
        let Some(arn) = arn else { return Ok(()) };
        let expected = self.key();
        if arn != expected {
            let (what, fix) = match expected {
                "" => ("the stack's KmsKeyArn is empty".to_owned(), fix::set_parameters(self.stack, &[("KmsKeyArn", &arn)])),
                expected => (format!("the stack's KmsKeyArn is {expected}"), self.encrypt(expected)),
            };
            findings.add(Name::RolesLackKey, &arn, format!("The bucket encrypts with this key, and {what}."), fix);
        }
        if owner != of.account {
            note(format_args!("Only account {owner} can check the policy of key {arn}. It needs the stack's output KeyPolicyStatements."));
            return Ok(());
        }
        let call = Call { operation: "GetKeyPolicy", action: "kms:GetKeyPolicy", resource: &arn, absent: &[] };
        let asked = findings.ask(call, self.context.kms().get_key_policy().key_id(&arn).policy_name("default").send().await)?;
        let Some(text) = asked.known().and_then(|answer| answer.policy) else { return Ok(()) };
        let via = format!("s3.{}.amazonaws.com", of.region);
        let need = |action: &str| Need {
            action: action.to_owned(),
            resource: arn.clone(),
            by: "CloudWatch Logs".to_owned(),
            is_of_service: true,
            request: self.request(log_group, true).at_key(object, &via),
        };
        let mut needs = vec![need("kms:GenerateDataKey"), need("kms:Decrypt")];
        needs.extend(granted::needs(self.roles, &arn, |role| Request::of_role(&role.arn).at_key(object, &via)));
        let statements =
            self.deployment.archive.output("KeyPolicyStatements").and_then(|text| serde_json::from_str::<Vec<Value>>(&text).ok());
        policy::check(&Subject::Key(&arn), &arn, Some(&text), &statements.unwrap_or_default(), &needs, findings);
        Ok(())
    }

    /// The ARN of a key of this account, if it can be used.
    async fn usable_key(&self, key: &str, findings: &mut Findings) -> Result<Option<String>, Failure> {
        let of = &self.stack.stack;
        let any = format!("arn:{}:kms:{}:{}:key/*", of.partition, of.region, of.account);
        let is_arn = key.contains(":key/");
        let call = Call {
            operation: "DescribeKey",
            action: "kms:DescribeKey",
            resource: if is_arn { key } else { &any },
            absent: &["NotFoundException"],
        };
        let described = match findings.ask(call, self.context.kms().describe_key().key_id(key).send().await)? {
            Asked::Is(described) => described.key_metadata,
            Asked::Refused => return Ok(is_arn.then(|| key.to_owned())),
            Asked::Absent => None,
        };
        let Some(metadata) = described else {
            // What it has encrypted is gone for good; this is for what comes.
            let expected = self.key();
            let fix = match expected == key {
                true => format!("{} && {}", fix::set_parameters(self.stack, &[("KmsKeyArn", "")]), self.encrypt("")),
                false => self.encrypt(expected),
            };
            findings.add(Name::KeyUnusable, key, "The bucket's key does not exist. What it has encrypted cannot be read again.", fix);
            return Ok(None);
        };
        if metadata.key_manager() == Some(&KeyManagerType::Aws) {
            findings.add(
                Name::BucketEncryptionUnusable,
                bucket::arn(self.stack, of.bucket.as_str()),
                MANAGED_BY_AWS,
                self.encrypt(self.key()),
            );
            return Ok(None);
        }
        let arn = metadata.arn.unwrap_or_else(|| key.to_owned());
        if let Some(state) = metadata.key_state.filter(|state| *state != KeyState::Enabled) {
            let cancel = match state {
                KeyState::PendingDeletion => format!("aws kms cancel-key-deletion --key-id {arn} && "),
                _ => String::new(),
            };
            let what = format!("The bucket's key is {state}.");
            findings.add(Name::KeyUnusable, &arn, what, format!("{cancel}aws kms enable-key --key-id {arn}"));
            return Ok(None);
        }
        Ok(Some(arn))
    }
}
