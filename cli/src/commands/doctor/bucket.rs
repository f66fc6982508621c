//! The buckets: whether they are there, in this Region and of the right owner; and how the archive bucket keeps objects.

use archive::service_failure;
use aws_sdk_s3::types::BucketVersioningStatus;

use super::{
    finding::{Asked, Call, Findings, Name},
    fix, lifecycle,
};
use crate::{context::Context, failure::Failure, output::note, shell::quoted, stack::DeployedStack};

/// Whether the archive bucket's own settings can be looked at.
pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<bool, Failure> {
    let account = &stack.stack.account;
    is_usable(context, stack, &Bucket { name: stack.work_bucket(), owner: account, is_made: true, is_foreign: false }, findings).await?;
    // `<name>` or `<name>:<owner's account>`; empty if the stack made the bucket.
    let existing = stack.parameters.get("ExistingBucket").map_or("", String::as_str);
    let owner = existing.split_once(':').map_or(account.as_str(), |(_, owner)| owner);
    let is_made = existing.is_empty();
    let bucket = Bucket { name: stack.stack.bucket.as_str(), owner, is_made, is_foreign: owner != account };
    if !is_usable(context, stack, &bucket, findings).await? {
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
    public_access(context, stack, findings).await?;
    versioning(context, stack, findings).await?;
    lifecycle::check(context, stack, findings).await?;
    Ok(true)
}

struct Bucket<'a> {
    name: &'a str,
    owner: &'a str,
    /// By the stack.
    is_made: bool,
    /// Of another account.
    is_foreign: bool,
}

async fn is_usable(context: &Context, stack: &DeployedStack, bucket: &Bucket<'_>, findings: &mut Findings) -> Result<bool, Failure> {
    let (region, &Bucket { name, owner, is_foreign, .. }) = (&stack.stack.region, bucket);
    let arn = arn(stack, name);
    let call = Call { operation: "HeadBucket", action: "s3:ListBucket", resource: &arn, absent: &["NotFound", "NoSuchBucket"] };
    let head = context.s3().head_bucket().bucket(name).send().await;
    // S3 names the Region of a bucket in a redirection and in a refusal, too.
    let header = head.as_ref().err().and_then(|error| error.raw_response()?.headers().get("x-amz-bucket-region").map(str::to_owned));
    let found = match (head, header.filter(|found| found != region)) {
        (Ok(head), _) => head.bucket_region,
        (Err(_), Some(found)) => Some(found),
        (Err(error), None) => {
            let failure = service_failure(call.operation, &error);
            // The owner need not let people in.
            if is_foreign && failure.status == Some(403) {
                return Ok(true);
            }
            if let Asked::Absent = findings.refused::<()>(call, &failure)? {
                let (what, fix) = match is_foreign {
                    true => replace(stack, bucket, "The bucket does not exist."),
                    false => ("The bucket does not exist.".to_owned(), create(name, region)),
                };
                findings.add(Name::BucketNotFound, &arn, what, fix);
                return Ok(false);
            }
            // Each other check finds out for itself whether it may be made.
            return Ok(true);
        }
    };
    if let Some(found) = found.filter(|found| found != region) {
        let (what, fix) = replace(stack, bucket, &format!("The bucket is in {found}, and the stack in {region}."));
        findings.add(Name::BucketInOtherRegion, &arn, what, fix);
        return Ok(false);
    }
    let of_owner = context.s3().head_bucket().bucket(name).expected_bucket_owner(owner).send().await;
    if let Err(error) = of_owner
        && service_failure(call.operation, &error).status == Some(403)
    {
        let (what, fix) = replace(stack, bucket, &format!("The bucket is not of account {owner}."));
        findings.add(Name::BucketOfOtherOwner, &arn, what, fix);
        return Ok(false);
    }
    Ok(true)
}

fn create(bucket: &str, region: &str) -> String {
    let place = match region {
        "us-east-1" => String::new(),
        region => format!(" --create-bucket-configuration LocationConstraint={region}"),
    };
    format!("aws s3api create-bucket --bucket {bucket} --region {region}{place}")
}

/// What to say of a bucket that cannot be used, and the command that gives the stack another one.
fn replace(stack: &DeployedStack, bucket: &Bucket, what: &str) -> (String, String) {
    match bucket.is_made {
        true => {
            (format!("{what} The stack made a bucket of this name, and makes no second one: deploy a new stack."), fix::deploy_anew(stack))
        }
        false => (
            format!("{what} The command lets the stack make a bucket of its own. The archive in it is empty."),
            fix::set_parameters(stack, &[("ExistingBucket", "")]),
        ),
    }
}

async fn public_access(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let bucket = stack.stack.bucket.as_str();
    let arn = arn(stack, bucket);
    let absent = &["NoSuchPublicAccessBlockConfiguration"][..];
    let call = Call { operation: "GetPublicAccessBlock", action: "s3:GetBucketPublicAccessBlock", resource: &arn, absent };
    let Some(answer) = findings.ask(call, context.s3().get_public_access_block().bucket(bucket).send().await)?.or_absent() else {
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
        findings.add(Name::PublicAccessNotBlocked, &arn, format!("The bucket's public access block lacks {}.", off.join(", ")), fix);
    }
    Ok(())
}

async fn versioning(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let bucket = stack.stack.bucket.as_str();
    let arn = arn(stack, bucket);
    let call = Call { operation: "GetBucketVersioning", action: "s3:GetBucketVersioning", resource: &arn, absent: &[] };
    let Some(answer) = findings.ask(call, context.s3().get_bucket_versioning().bucket(bucket).send().await)?.known() else { return Ok(()) };
    if answer.status() != Some(&BucketVersioningStatus::Enabled) {
        let status = answer.status().map_or("off", BucketVersioningStatus::as_str);
        let fix = format!("aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration {}", quoted("Status=Enabled"));
        findings.add(Name::VersioningOff, &arn, format!("The bucket's versioning is {status}."), fix);
    }
    Ok(())
}

pub fn arn(stack: &DeployedStack, bucket: &str) -> String {
    format!("arn:{}:s3:::{bucket}", stack.stack.partition)
}
