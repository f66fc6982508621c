//! Checks whether CloudWatch Logs and the functions have access to the buckets: bucket policies, encryption, and the key policy.

use aws_sdk_kms::types::{KeyManagerType, KeyState};
use aws_sdk_s3::types::{ServerSideEncryption, ServerSideEncryptionRule};
use chrono::Utc;
use export_core::{Month, SettleDays, decide::LogGroup, planner::Group};
use resource_policy::Context as Request;
use serde_json::{Value, json};

use super::{
    bucket,
    deployment::Deployment,
    finding::{Answer, Call, FindingName, Findings},
    fix,
    grants::{self, Role},
    policy::{self, Need, PolicyOwner},
};
use crate::{context::Context, events::exported::WRITE_TEST, failure::Failure, output::note, shell::quoted, stack::DeployedStack};

const BUCKET_POLICY: &str = "ArchiveBucketPolicy";
const AWS_MANAGED_KEY: &str = "The bucket encrypts with the AWS managed key aws/s3: its policy cannot allow CloudWatch Logs.";

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
    /// `groups`: the archived log groups. `None`: they are unknown.
    pub async fn check(&self, can_check_bucket: bool, groups: Option<&[Group]>, findings: &mut Findings) -> Result<(), Failure> {
        let role_needs = |arn: &str| grants::needs(self.roles, arn, |role| Request::of_role(&role.arn));
        let work = self.stack.work_bucket();
        self.check_bucket_policy(work, &[], &role_needs(&bucket::bucket_arn(self.stack, work)), findings).await?;
        if !can_check_bucket {
            return Ok(());
        }
        let exports = self.exports(groups.unwrap_or_default());
        let name = self.stack.settings.bucket.as_str();
        let arn = bucket::bucket_arn(self.stack, name);
        let mut needs: Vec<Need> = exports.iter().flat_map(|export| self.needs_of_export(export, &arn)).collect();
        needs.extend(role_needs(&arn));
        let statements = self.statements(findings);
        self.check_bucket_policy(name, &statements, &needs, findings).await?;
        self.check_encryption(&exports[0], findings).await
    }

    fn exports(&self, groups: &[Group]) -> Vec<Export> {
        let settings = &self.stack.settings;
        let month = Month::due(Utc::now(), settings.timezone, SettleDays::default());
        let archived =
            groups.iter().filter(|group| group.place.bucket == settings.bucket && matches!(group.log_group, LogGroup::Present { .. }));
        let export = |log_group: String, prefix: String| Export { log_group, key: format!("{prefix}/{WRITE_TEST}") };
        let mut exports: Vec<Export> =
            archived.map(|group| export(group.place.log_group.to_string(), group.place.destination.prefix_of(month))).collect();
        if exports.is_empty() {
            exports.push(export("/any".to_owned(), settings.s3_prefix.join("log_group=/any")));
        }
        exports
    }

    fn request(&self, log_group: &str, writes: bool) -> Request {
        let settings = &self.stack.settings;
        Request::in_partition(&settings.partition, &settings.account, &settings.region, log_group, writes)
    }

    fn needs_of_export(&self, export: &Export, arn: &str) -> [Need; 2] {
        let need = |action: &str, resource: String, writes| Need {
            action: action.to_owned(),
            resource,
            caller: format!("CloudWatch Logs for exports of {}", export.log_group),
            is_service: true,
            request: self.request(&export.log_group, writes),
        };
        [need("s3:GetBucketAcl", arn.to_owned(), false), need("s3:PutObject", format!("{arn}/{}", export.key), true)]
    }

    /// The statements that the archive bucket's policy needs. For an existing bucket, its owner adds them.
    fn statements(&self, findings: &mut Findings) -> Vec<Value> {
        if self.stack.existing_bucket().is_none() {
            let document = self.deployment.archive.property(BUCKET_POLICY, "PolicyDocument").unwrap_or_default();
            return document["Statement"].as_array().cloned().unwrap_or_default();
        }
        let read = serde_json::from_str(self.stack.output("BucketPolicyStatements"));
        read.unwrap_or_else(|_| {
            let what = "The stack has no output BucketPolicyStatements, so the bucket policy was not compared.";
            findings.add(FindingName::StackIncomplete, &self.stack.name, what, fix::deploy(self.stack));
            Vec::new()
        })
    }

    async fn check_bucket_policy(&self, name: &str, statements: &[Value], needs: &[Need], findings: &mut Findings) -> Result<(), Failure> {
        let arn = bucket::bucket_arn(self.stack, name);
        let absent = &["NoSuchBucketPolicy", "NoSuchBucket"];
        let call = Call { operation: "GetBucketPolicy", action: "s3:GetBucketPolicy", resource: &arn, absent };
        let answer = findings.answer_of(call, self.context.s3().get_bucket_policy().bucket(name).send().await)?;
        if let Some(answer) = answer.unless_refused() {
            let text = answer.and_then(|answer| answer.policy);
            policy::check(&PolicyOwner::Bucket(name), &arn, text.as_deref(), statements, needs, findings);
        }
        Ok(())
    }

    async fn check_encryption(&self, export: &Export, findings: &mut Findings) -> Result<(), Failure> {
        let name = self.stack.settings.bucket.as_str();
        let arn = bucket::bucket_arn(self.stack, name);
        let absent = &["ServerSideEncryptionConfigurationNotFoundError"][..];
        let call = Call { operation: "GetBucketEncryption", action: "s3:GetEncryptionConfiguration", resource: &arn, absent };
        let answer = findings.answer_of(call, self.context.s3().get_bucket_encryption().bucket(name).send().await)?;
        let Some(answer) = answer.unless_refused() else { return Ok(()) };
        let rules = answer.and_then(|answer| answer.server_side_encryption_configuration).map_or_else(Vec::new, |found| found.rules);
        let rule = rules.first();
        let default = rule.and_then(ServerSideEncryptionRule::apply_server_side_encryption_by_default);
        let (algorithm, key) = (default.map(|default| default.sse_algorithm()), default.and_then(|default| default.kms_master_key_id()));
        let why = match (algorithm, key) {
            (Some(ServerSideEncryption::AwsKmsDsse), _) => Some("The bucket encrypts twice (DSSE-KMS)."),
            (Some(ServerSideEncryption::AwsKms), key) if key.is_none_or(|name| name.ends_with("alias/aws/s3")) => Some(AWS_MANAGED_KEY),
            _ => None,
        };
        let expected = self.parameter_key();
        if let Some(what) = why {
            findings.add(FindingName::BucketEncryptionUnusable, &arn, what, self.encrypt_command(expected));
            return Ok(());
        }
        match key {
            Some(key) => {
                let object = match rule.and_then(ServerSideEncryptionRule::bucket_key_enabled) {
                    Some(true) => arn,
                    _ => format!("{arn}/{}", export.key),
                };
                self.check_key_policy(key, &object, &export.log_group, findings).await
            }
            None if expected.is_empty() => Ok(()),
            None => {
                let what = format!("The bucket encrypts with a key of Amazon S3, and the stack's KmsKeyArn is {expected}.");
                findings.add(FindingName::BucketKeyDiffers, &arn, what, self.encrypt_command(expected));
                Ok(())
            }
        }
    }

    /// The stack's parameter KmsKeyArn.
    fn parameter_key(&self) -> &str {
        self.stack.parameters.get("KmsKeyArn").map_or("", String::as_str)
    }

    /// The command that sets the bucket's key. An empty `key` stands for a key of Amazon S3.
    fn encrypt_command(&self, key: &str) -> String {
        let default =
            if key.is_empty() { json!({"SSEAlgorithm": "AES256"}) } else { json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}) };
        let rules = json!({"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": !key.is_empty()}]});
        let bucket = self.stack.settings.bucket.as_str();
        format!("aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration {}", quoted(&rules.to_string()))
    }

    /// `key`: the bucket's key as an id, an alias, or the ARN of either.
    async fn check_key_policy(&self, key: &str, object: &str, log_group: &str, findings: &mut Findings) -> Result<(), Failure> {
        let settings = &self.stack.settings;
        let owner = key.starts_with("arn:").then(|| key.split(':').nth(4)).flatten().unwrap_or(&settings.account);
        let arn = if owner == settings.account { self.check_key_state(key, findings).await? } else { Some(key.to_owned()) };
        let Some(arn) = arn else { return Ok(()) };
        let expected = self.parameter_key();
        if arn != expected {
            let (what, fix) = match expected {
                "" => ("the stack's KmsKeyArn is empty".to_owned(), fix::set_parameters(self.stack, &[("KmsKeyArn", &arn)])),
                expected => (format!("the stack's KmsKeyArn is {expected}"), self.encrypt_command(expected)),
            };
            findings.add(FindingName::RolesLackKey, &arn, format!("The bucket encrypts with this key, and {what}."), fix);
        }
        if owner != settings.account {
            note(format_args!("Only account {owner} can check the policy of key {arn}. It needs the stack's output KeyPolicyStatements."));
            return Ok(());
        }
        let call = Call { operation: "GetKeyPolicy", action: "kms:GetKeyPolicy", resource: &arn, absent: &[] };
        let answer = findings.answer_of(call, self.context.kms().get_key_policy().key_id(&arn).policy_name("default").send().await)?;
        let Some(text) = answer.found().and_then(|answer| answer.policy) else { return Ok(()) };
        let via = format!("s3.{}.amazonaws.com", settings.region);
        let need = |action: &str| Need {
            action: action.to_owned(),
            resource: arn.clone(),
            caller: "CloudWatch Logs".to_owned(),
            is_service: true,
            request: self.request(log_group, true).at_key(object, &via),
        };
        let mut needs = vec![need("kms:GenerateDataKey"), need("kms:Decrypt")];
        needs.extend(grants::needs(self.roles, &arn, |role| Request::of_role(&role.arn).at_key(object, &via)));
        let statements =
            self.deployment.archive.output("KeyPolicyStatements").and_then(|text| serde_json::from_str::<Vec<Value>>(&text).ok());
        policy::check(&PolicyOwner::Key(&arn), &arn, Some(&text), &statements.unwrap_or_default(), &needs, findings);
        Ok(())
    }

    /// Returns the ARN of a key of this account, if the key can be used.
    async fn check_key_state(&self, key: &str, findings: &mut Findings) -> Result<Option<String>, Failure> {
        let settings = &self.stack.settings;
        let any = format!("arn:{}:kms:{}:{}:key/*", settings.partition, settings.region, settings.account);
        let is_arn = key.contains(":key/");
        let call = Call {
            operation: "DescribeKey",
            action: "kms:DescribeKey",
            resource: if is_arn { key } else { &any },
            absent: &["NotFoundException"],
        };
        let description = match findings.answer_of(call, self.context.kms().describe_key().key_id(key).send().await)? {
            Answer::Found(description) => description.key_metadata,
            Answer::Refused => return Ok(is_arn.then(|| key.to_owned())),
            Answer::Absent => None,
        };
        let Some(metadata) = description else {
            // The fix is for new objects. Nobody can decrypt the old ones.
            let expected = self.parameter_key();
            let fix = match expected == key {
                true => format!("{} && {}", fix::set_parameters(self.stack, &[("KmsKeyArn", "")]), self.encrypt_command("")),
                false => self.encrypt_command(expected),
            };
            findings.add(
                FindingName::KeyUnusable,
                key,
                "The bucket's key does not exist. Objects that are encrypted with it cannot be read any more.",
                fix,
            );
            return Ok(None);
        };
        if metadata.key_manager() == Some(&KeyManagerType::Aws) {
            findings.add(
                FindingName::BucketEncryptionUnusable,
                bucket::bucket_arn(self.stack, settings.bucket.as_str()),
                AWS_MANAGED_KEY,
                self.encrypt_command(self.parameter_key()),
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
            findings.add(FindingName::KeyUnusable, &arn, what, format!("{cancel}aws kms enable-key --key-id {arn}"));
            return Ok(None);
        }
        Ok(Some(arn))
    }
}
