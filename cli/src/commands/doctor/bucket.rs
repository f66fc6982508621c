//! Checks the buckets: whether they exist in this Region with the right owner, and the archive bucket's settings.

use archive::service_failure;
use aws_sdk_s3::types::BucketVersioningStatus;

use super::{
    finding::{Answer, Call, FindingName, Findings},
    fix, lifecycle,
};
use crate::{context::Context, failure::Failure, output::note, shell::quoted, stack::DeployedStack};

/// Returns whether the settings of the archive bucket can be checked.
pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<bool, Failure> {
    let account = &stack.settings.account;
    let work_bucket = Bucket { name: stack.work_bucket(), owner: account, is_stack_bucket: true, is_foreign: false };
    check_bucket(context, stack, &work_bucket, findings).await?;
    let existing = stack.existing_bucket();
    let owner = existing.and_then(|existing| existing.split_once(':')).map_or(account.as_str(), |(_, owner)| owner);
    let is_stack_bucket = existing.is_none();
    let bucket = Bucket { name: stack.settings.bucket.as_str(), owner, is_stack_bucket, is_foreign: owner != account };
    if !check_bucket(context, stack, &bucket, findings).await? {
        return Ok(false);
    }
    if bucket.is_foreign {
        note(format_args!(
            "Only account {owner} can check the policy, the encryption and the lifecycle of bucket {}. \
             Its policy needs the stack's output BucketPolicyStatements.",
            bucket.name
        ));
        return Ok(false);
    }
    check_public_access(context, stack, findings).await?;
    check_versioning(context, stack, findings).await?;
    lifecycle::check(context, stack, findings).await?;
    Ok(true)
}

struct Bucket<'a> {
    name: &'a str,
    /// The account that should own the bucket.
    owner: &'a str,
    /// Whether the stack created the bucket.
    is_stack_bucket: bool,
    /// Whether another account owns the bucket.
    is_foreign: bool,
}

/// Returns whether the bucket can be used.
async fn check_bucket(context: &Context, stack: &DeployedStack, bucket: &Bucket<'_>, findings: &mut Findings) -> Result<bool, Failure> {
    let (region, &Bucket { name, owner, is_foreign, .. }) = (&stack.settings.region, bucket);
    let arn = bucket_arn(stack, name);
    let call = Call { operation: "HeadBucket", action: "s3:ListBucket", resource: &arn, absent: &["NotFound", "NoSuchBucket"] };
    let head = context.s3().head_bucket().bucket(name).send().await;
    // A redirection and an access denied response also have the bucket's Region.
    let header = head.as_ref().err().and_then(|error| error.raw_response()?.headers().get("x-amz-bucket-region").map(str::to_owned));
    let found = match (head, header.filter(|found| found != region)) {
        (Ok(head), _) => head.bucket_region,
        (Err(_), Some(found)) => Some(found),
        (Err(error), None) => {
            let failure = service_failure(call.operation, &error);
            // The owner does not have to give operators access.
            if is_foreign && failure.status == Some(403) {
                return Ok(true);
            }
            if let Answer::Absent = findings.answer_of_failure::<()>(call, &failure)? {
                let (what, fix) = match is_foreign {
                    true => replacement(stack, bucket, "The bucket does not exist."),
                    false => ("The bucket does not exist.".to_owned(), create_command(name, region)),
                };
                findings.add(FindingName::BucketNotFound, &arn, what, fix);
                return Ok(false);
            }
            // Each other check reports by itself if it is not allowed.
            return Ok(true);
        }
    };
    if let Some(found) = found.filter(|found| found != region) {
        let (what, fix) = replacement(stack, bucket, &format!("The bucket is in {found}, and the stack in {region}."));
        findings.add(FindingName::BucketInOtherRegion, &arn, what, fix);
        return Ok(false);
    }
    let head = context.s3().head_bucket().bucket(name).expected_bucket_owner(owner).send().await;
    if let Err(error) = head
        && service_failure(call.operation, &error).status == Some(403)
    {
        let (what, fix) = replacement(stack, bucket, &format!("The bucket is not of account {owner}."));
        findings.add(FindingName::BucketOfOtherOwner, &arn, what, fix);
        return Ok(false);
    }
    Ok(true)
}

fn create_command(bucket: &str, region: &str) -> String {
    let place = match region {
        "us-east-1" => String::new(),
        region => format!(" --create-bucket-configuration LocationConstraint={region}"),
    };
    format!("aws s3api create-bucket --bucket {bucket} --region {region}{place}")
}

/// The message about a bucket that cannot be used, and the command that gives the stack another bucket.
fn replacement(stack: &DeployedStack, bucket: &Bucket, what: &str) -> (String, String) {
    match bucket.is_stack_bucket {
        true => (
            format!("{what} The stack created a bucket of this name, and creates no second one: deploy a new stack."),
            fix::deploy_anew(stack),
        ),
        false => (
            format!("{what} The command lets the stack create its own bucket, with an empty archive."),
            fix::set_parameters(stack, &[("ExistingBucket", "")]),
        ),
    }
}

async fn check_public_access(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let bucket = stack.settings.bucket.as_str();
    let arn = bucket_arn(stack, bucket);
    let absent = &["NoSuchPublicAccessBlockConfiguration"][..];
    let call = Call { operation: "GetPublicAccessBlock", action: "s3:GetBucketPublicAccessBlock", resource: &arn, absent };
    let Some(answer) = findings.answer_of(call, context.s3().get_public_access_block().bucket(bucket).send().await)?.unless_refused()
    else {
        return Ok(());
    };
    let block = answer.and_then(|answer| answer.public_access_block_configuration);
    let flag = |read: fn(&aws_sdk_s3::types::PublicAccessBlockConfiguration) -> Option<bool>| block.as_ref().and_then(read) == Some(true);
    let flags = [
        ("BlockPublicAcls", flag(|block| block.block_public_acls)),
        ("IgnorePublicAcls", flag(|block| block.ignore_public_acls)),
        ("BlockPublicPolicy", flag(|block| block.block_public_policy)),
        ("RestrictPublicBuckets", flag(|block| block.restrict_public_buckets)),
    ];
    let off: Vec<&str> = flags.into_iter().filter(|(_, is_on)| !is_on).map(|(name, _)| name).collect();
    if !off.is_empty() {
        let all = flags.map(|(name, _)| format!("{name}=true")).join(",");
        let fix = format!("aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration {all}");
        findings.add(FindingName::PublicAccessNotBlocked, &arn, format!("The bucket's public access block lacks {}.", off.join(", ")), fix);
    }
    Ok(())
}

async fn check_versioning(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let bucket = stack.settings.bucket.as_str();
    let arn = bucket_arn(stack, bucket);
    let call = Call { operation: "GetBucketVersioning", action: "s3:GetBucketVersioning", resource: &arn, absent: &[] };
    let Some(answer) = findings.answer_of(call, context.s3().get_bucket_versioning().bucket(bucket).send().await)?.found() else {
        return Ok(());
    };
    if answer.status() != Some(&BucketVersioningStatus::Enabled) {
        let status = answer.status().map_or("off", BucketVersioningStatus::as_str);
        let fix = format!("aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration {}", quoted("Status=Enabled"));
        findings.add(FindingName::VersioningOff, &arn, format!("The bucket's versioning is {status}."), fix);
    }
    Ok(())
}

pub fn bucket_arn(stack: &DeployedStack, bucket: &str) -> String {
    format!("arn:{}:s3:::{bucket}", stack.settings.partition)
}
