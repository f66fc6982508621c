//! The buckets and their policies.

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    types::{
        BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
        VersioningConfiguration,
    },
};
use e2e::Archive;
use serde_json::{Value, json};

use super::{finds, finds_and_fixes, healthy};

pub const SERVICE: &str = "logs.ap-northeast-1.amazonaws.com";

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_bucket() {
    let (archive, tool) = healthy(&[]).await;
    let (s3, bucket) = (archive.s3(), archive.stack.bucket.as_str());
    s3.delete_public_access_block().bucket(bucket).send().await.expect("it is deleted");
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    s3.put_bucket_versioning().bucket(bucket).versioning_configuration(suspended).send().await.expect("it is suspended");
    put_lifecycle(&archive).await;
    edit_policy(&archive, |statements| {
        statements.retain(|statement| statement["Action"] != "s3:PutObject");
        statements.push(json!({"Sid": "NobodyLooks", "Effect": "Deny", "Principal": {"Service": SERVICE}, "Action": "s3:Get*",
            "Resource": format!("arn:aws:s3:::{bucket}")}));
        statements.push(json!({"Sid": "NoMemory", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::{bucket}/*"), "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}));
        // Without the organization, it is unknown whether the condition is met.
        statements.push(json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:ListBucket", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}, "Bool": {"aws:PrincipalIsAWSService": "false"}}}));
    })
    .await;
    let only = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
        "Resource": format!("arn:aws:s3:::{}/plans/*", archive.stack.work_bucket)}});
    s3.put_bucket_policy().bucket(&archive.stack.work_bucket).policy(only.to_string()).send().await.expect("a policy");
    let expected = [
        ("PublicAccessNotBlocked", "lacks BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets"),
        ("VersioningOff", "versioning is Suspended"),
        (
            "LifecycleTouchesMemory",
            r#"rule "everything" deletes objects in cloudwatch-logs/manifests/, cloudwatch-logs/missing/, cloudwatch-logs/runs/"#,
        ),
        ("LifecycleTouchesMemory", r#"rule "manifests" deletes objects in cloudwatch-logs/manifests/."#),
        (
            "BucketPolicyDenies",
            r#"The statement "NobodyLooks" of the bucket policy denies s3:GetBucketAcl to CloudWatch Logs for exports of /aws/lambda/orders"#,
        ),
        ("BucketPolicyDenies", r#"The statement "NoMemory" of the bucket policy denies s3:GetObject to the role "#),
        ("BucketPolicyDenies", "Statement 1 of the bucket policy denies s3:PutObject to the role "),
        ("BucketPolicyLacksStatement", "does not allow s3:PutObject to CloudWatch Logs for exports of /aws/lambda/orders"),
    ];
    finds_and_fixes(&archive, &tool, &expected).await;
    let rules = s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await.expect("rules").rules.expect("a list");
    let left: Vec<_> =
        rules.iter().map(|rule| (rule.id().expect("an id"), rule.status().as_str(), rule.filter().and_then(|f| f.prefix()))).collect();
    let expected = [
        ("everything", "Enabled", Some("cloudwatch-logs/log_group=")),
        ("manifests", "Disabled", Some("cloudwatch-logs/manifests/")),
        ("exports", "Enabled", Some("cloudwatch-logs/log_group=")),
    ];
    assert_eq!(left, expected);
    let gone = s3.get_bucket_policy().bucket(&archive.stack.work_bucket).send().await.expect_err("there is none");
    assert_eq!(gone.code(), Some("NoSuchBucketPolicy"));
    // The stand-in obeys the bucket policy.
    archive.let_tasks_go().await;
    archive.run_exports(&["/aws/lambda/orders"]).await;

    // A check without permission does not hide other findings.
    archive.fault(json!({"operation": "HeadBucket", "error": "AccessDenied", "times": 2})).await;
    archive.fault(json!({"operation": "GetBucketLifecycleConfiguration", "error": "AccessDenied"})).await;
    edit_policy(&archive, |statements| statements.retain(|statement| statement["Action"] != "s3:PutObject")).await;
    let expected = [
        ("CheckRefused", "You may not call s3:ListBucket here."),
        ("CheckRefused", "You may not call s3:ListBucket here."),
        ("CheckRefused", "You may not call s3:GetLifecycleConfiguration here."),
        ("BucketPolicyLacksStatement", "does not allow s3:PutObject to CloudWatch Logs"),
    ];
    finds(&tool, &expected).await;

    s3.delete_bucket_policy().bucket(bucket).send().await.expect("it is deleted");
    finds_and_fixes(&archive, &tool, &[("BucketPolicyLacksStatement", "There is no bucket policy")]).await;
    edit_policy(&archive, |statements| {
        statements.push(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}));
    })
    .await;
    finds_and_fixes(&archive, &tool, &[("BucketPolicyDenies", "Statement 4 of the bucket policy denies s3:PutObject")]).await;

    s3.delete_bucket().bucket(&archive.stack.work_bucket).send().await.expect_err("there is a plan in it");
    let keys = archive.keys_in(&archive.stack.work_bucket, "").await;
    for key in keys {
        s3.delete_object().bucket(&archive.stack.work_bucket).key(key).send().await.expect("it is deleted");
    }
    s3.delete_bucket().bucket(&archive.stack.work_bucket).send().await.expect("it is deleted");
    finds_and_fixes(&archive, &tool, &[("BucketNotFound", "The bucket does not exist.")]).await;
}

async fn put_lifecycle(archive: &Archive) {
    let rule = |id: &str, prefix: &str| {
        let expiration = LifecycleExpiration::builder().days(400).build();
        let filter = LifecycleRuleFilter::builder().prefix(prefix).build();
        let rule = LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(filter).expiration(expiration);
        rule.build().expect("a rule")
    };
    let rules = BucketLifecycleConfiguration::builder()
        .rules(rule("everything", ""))
        .rules(rule("manifests", "cloudwatch-logs/manifests/"))
        .rules(rule("exports", "cloudwatch-logs/log_group="));
    let put = archive.s3().put_bucket_lifecycle_configuration().bucket(&archive.stack.bucket);
    put.lifecycle_configuration(rules.build().expect("rules")).send().await.expect("the bucket takes them");
}

async fn edit_policy(archive: &Archive, edit: impl FnOnce(&mut Vec<Value>)) {
    let (s3, bucket) = (archive.s3(), &archive.stack.bucket);
    let policy = s3.get_bucket_policy().bucket(bucket).send().await.expect("a policy").policy.expect("its text");
    let mut policy: Value = serde_json::from_str(&policy).expect("it is JSON");
    edit(policy["Statement"].as_array_mut().expect("statements"));
    s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await.expect("the bucket takes it");
}
