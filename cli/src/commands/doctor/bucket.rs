//! The buckets: whether they are there, in this Region and of the right owner; and how the archive bucket keeps objects.

use archive::service_failure;
use aws_sdk_s3::types::BucketVersioningStatus;

use super::{
    finding::{Asked, Call, Findings, Name},
    fix, lifecycle,
};
use crate::{context::Context, deploy::quoted, failure::Failure, stack::DeployedStack};

pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    is_there(context, stack, stack.work_bucket(), &stack.stack.account, findings).await?;
    let owner = stack.parameters.get("ExistingBucketOwnerAccountId").filter(|owner| !owner.is_empty()).unwrap_or(&stack.stack.account);
    let bucket = stack.stack.bucket.as_str();
    if is_there(context, stack, bucket, owner, findings).await? {
        public_access(context, stack, findings).await?;
        versioning(context, stack, findings).await?;
        lifecycle::check(context, stack, findings).await?;
    }
    Ok(())
}

async fn is_there(context: &Context, stack: &DeployedStack, bucket: &str, owner: &str, findings: &mut Findings) -> Result<bool, Failure> {
    let region = &stack.stack.region;
    let arn = arn(stack, bucket);
    let call = Call { operation: "HeadBucket", action: "s3:ListBucket", resource: &arn, absent: &["NotFound", "NoSuchBucket"] };
    let head = context.s3().head_bucket().bucket(bucket).send().await;
    // A bucket of another Region is answered with a redirection, which names it.
    let redirected = head.as_ref().err().and_then(|error| error.raw_response()?.headers().get("x-amz-bucket-region").map(str::to_owned));
    let found = match (head, redirected.filter(|found| found != region)) {
        (Ok(head), _) => head.bucket_region,
        (Err(_), Some(found)) => Some(found),
        (Err(error), None) => match findings.refused(call, &service_failure(call.operation, &error))? {
            Asked::Is(never) => never,
            Asked::Refused => return Ok(false),
            Asked::Absent => {
                let place = if region == "us-east-1" {
                    String::new()
                } else {
                    format!(" --create-bucket-configuration LocationConstraint={region}")
                };
                let fix = format!("aws s3api create-bucket --bucket {bucket} --region {region}{place}");
                findings.add(Name::BucketNotFound, &arn, "The bucket does not exist.", fix);
                return Ok(false);
            }
        },
    };
    if let Some(found) = found.filter(|found| found != region) {
        let what = format!("The bucket is in {found}, and the stack in {region}. The command lets the stack make one of its own.");
        findings.add(Name::BucketInOtherRegion, &arn, what, fix::set_parameter(stack, "ExistingBucketName", ""));
        return Ok(false);
    }
    let of_owner = context.s3().head_bucket().bucket(bucket).expected_bucket_owner(owner).send().await;
    if let Err(error) = of_owner
        && service_failure(call.operation, &error).status == Some(403)
    {
        let what = format!("The bucket is not of account {owner}. The command lets the stack make one of its own.");
        findings.add(Name::BucketOfOtherOwner, &arn, what, fix::set_parameter(stack, "ExistingBucketName", ""));
        return Ok(false);
    }
    Ok(true)
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
