//! The buckets, their policy and their key.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use e2e::Archive;
use serde_json::{Value, json};

use super::{finds_and_mends, healthy};

const SERVICE: &str = "logs.ap-northeast-1.amazonaws.com";

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_bucket() {
    let (archive, tool) = healthy("OFF").await;
    let (s3, bucket) = (archive.s3(), archive.stack.bucket.as_str());
    s3.delete_public_access_block().bucket(bucket).send().await.expect("it goes");
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    s3.put_bucket_versioning().bucket(bucket).versioning_configuration(suspended).send().await.expect("it is suspended");
    put_lifecycle(&archive).await;
    edit_policy(&archive, |statements| {
        statements.retain(|statement| statement["Action"] != "s3:PutObject");
        statements.push(json!({"Sid": "NobodyLooks", "Effect": "Deny", "Principal": {"Service": SERVICE}, "Action": "s3:Get*",
            "Resource": format!("arn:aws:s3:::{bucket}")}));
    })
    .await;
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
            r#"The statement "NobodyLooks" denies s3:GetBucketAcl to CloudWatch Logs for exports of /aws/lambda/orders"#,
        ),
        ("BucketPolicyLacksStatement", "does not allow s3:PutObject to CloudWatch Logs for exports of /aws/lambda/orders"),
    ];
    finds_and_mends(&archive, &tool, &expected).await;
    let rules = s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await.expect("rules").rules.expect("a list");
    let left: Vec<_> =
        rules.iter().map(|rule| (rule.id().expect("an id"), rule.status().as_str(), rule.filter().and_then(|f| f.prefix()))).collect();
    let expected = [
        ("everything", "Enabled", Some("cloudwatch-logs/log_group=")),
        ("manifests", "Disabled", Some("cloudwatch-logs/manifests/")),
        ("exports", "Enabled", Some("cloudwatch-logs/log_group=")),
    ];
    assert_eq!(left, expected);
    // The stand-in obeys the bucket policy.
    archive.let_tasks_go().await;
    archive.run_exports(&["/aws/lambda/orders"]).await;

    s3.delete_bucket_policy().bucket(bucket).send().await.expect("it goes");
    finds_and_mends(&archive, &tool, &[("BucketPolicyLacksStatement", "The bucket has no policy")]).await;
    edit_policy(&archive, |statements| {
        statements.push(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}));
    })
    .await;
    finds_and_mends(&archive, &tool, &[("BucketPolicyDenies", "Statement 4 of the policy denies s3:PutObject")]).await;

    s3.delete_bucket().bucket(&archive.stack.work_bucket).send().await.expect_err("there is a plan in it");
    let keys = archive.keys_in(&archive.stack.work_bucket, "").await;
    for key in keys {
        s3.delete_object().bucket(&archive.stack.work_bucket).key(key).send().await.expect("it goes");
    }
    s3.delete_bucket().bucket(&archive.stack.work_bucket).send().await.expect("it goes");
    finds_and_mends(&archive, &tool, &[("BucketNotFound", "The bucket does not exist.")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buckets_key() {
    let (archive, tool) = healthy("OFF").await;
    let kms = aws_sdk_kms::Client::new(&archive.local.sdk_config());
    let created = kms.create_key().send().await.expect("a key").key_metadata.expect("its metadata");
    let key = created.arn.expect("an ARN");
    let administer = json!({"Sid": "Administer", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*"});
    let put = |statements: Value| {
        kms.put_key_policy().key_id(&key).policy(json!({"Version": "2012-10-17", "Statement": statements}).to_string()).send()
    };
    put(json!(administer)).await.expect("a policy");
    encrypt(&archive, ServerSideEncryption::AwsKms, Some(&key)).await;
    finds_and_mends(
        &archive,
        &tool,
        &[("KeyPolicyLacksStatement", "does not allow kms:GenerateDataKey and kms:Decrypt to CloudWatch Logs")],
    )
    .await;
    let deny = json!({"Sid": "NoLogs", "Effect": "Deny", "Principal": {"Service": SERVICE}, "Action": "kms:Decrypt", "Resource": "*"});
    let allow = json!({"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}});
    put(json!([administer, deny, allow])).await.expect("a policy");
    finds_and_mends(&archive, &tool, &[("KeyPolicyDenies", r#"The statement "NoLogs" of the key's policy denies kms:Decrypt"#)]).await;
    kms.disable_key().key_id(&key).send().await.expect("it is disabled");
    finds_and_mends(&archive, &tool, &[("KeyUnusable", "The bucket's key is Disabled.")]).await;
    kms.schedule_key_deletion().key_id(&key).send().await.expect("it is scheduled");
    finds_and_mends(&archive, &tool, &[("KeyUnusable", "The bucket's key is PendingDeletion.")]).await;
    encrypt(&archive, ServerSideEncryption::AwsKmsDsse, Some(&key)).await;
    finds_and_mends(&archive, &tool, &[("BucketEncryptionUnusable", "DSSE-KMS")]).await;
    encrypt(&archive, ServerSideEncryption::AwsKms, None).await;
    finds_and_mends(&archive, &tool, &[("BucketEncryptionUnusable", "aws/s3")]).await;
}

async fn encrypt(archive: &Archive, algorithm: ServerSideEncryption, key: Option<&str>) {
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm).set_kms_master_key_id(key.map(str::to_owned));
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default.build().expect("a default")).build();
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("rules");
    let put = archive.s3().put_bucket_encryption().bucket(&archive.stack.bucket).server_side_encryption_configuration(rules);
    put.send().await.expect("the bucket takes it");
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
