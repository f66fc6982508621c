//! The key of the archive bucket, and its policy.

use aws_sdk_s3::types::{ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule};
use e2e::Archive;
use serde_json::{Value, json};

use super::{bucket::SERVICE, finds, finds_and_fixes, healthy};

#[tokio::test(flavor = "multi_thread")]
async fn bucket_key() {
    let (archive, tool) = healthy(&[]).await;
    let kms = aws_sdk_kms::Client::new(&archive.local.sdk_config());
    let created = kms.create_key().send().await.expect("a key").key_metadata.expect("its metadata");
    let key = created.arn.expect("an ARN");
    let administer = json!({"Sid": "Administer", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*"});
    let put = |statements: Value| {
        kms.put_key_policy().key_id(&key).policy(json!({"Version": "2012-10-17", "Statement": statements}).to_string()).send()
    };
    put(json!(administer)).await.expect("a policy");
    encrypt(&archive, ServerSideEncryption::AwsKms, Some(&key)).await;
    // The stack's parameter lacks the key, so its roles do not have access to the key.
    let service = ("KeyPolicyLacksStatement", "The key policy does not allow kms:GenerateDataKey and kms:Decrypt to CloudWatch Logs.");
    finds_and_fixes(
        &archive,
        &tool,
        &[service, ("RolesLackKey", "The bucket encrypts with this key, and the stack's KmsKeyArn is empty.")],
    )
    .await;
    // The key policy gives no access through IAM policies.
    let keep = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy"], "Resource": "*"});
    put(json!([keep])).await.expect("a policy");
    finds_and_fixes(&archive, &tool, &[service, ("KeyPolicyLacksStatement", "does not allow kms:Decrypt to the role ")]).await;
    // A bucket can have the alias of a key, and GetKeyPolicy needs the ARN.
    kms.create_alias().alias_name("alias/archive").target_key_id(&key).send().await.expect("an alias");
    encrypt(&archive, ServerSideEncryption::AwsKms, Some("alias/archive")).await;
    finds(&tool, &[]).await;
    put(json!([administer])).await.expect("a policy");
    finds_and_fixes(&archive, &tool, &[service]).await;
    let deny = json!({"Sid": "NoLogs", "Effect": "Deny", "Principal": {"Service": SERVICE}, "Action": "kms:Decrypt", "Resource": "*"});
    let allow = json!({"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}});
    put(json!([administer, deny, allow])).await.expect("a policy");
    finds_and_fixes(&archive, &tool, &[("KeyPolicyDenies", r#"The statement "NoLogs" of the key policy denies kms:Decrypt"#)]).await;
    put(json!([deny])).await.expect("a policy");
    finds_and_fixes(
        &archive,
        &tool,
        &[
            ("KeyPolicyDenies", r#"The statement "NoLogs""#),
            ("KeyPolicyLacksStatement", "kms:GenerateDataKey to CloudWatch Logs"),
            ("KeyPolicyLacksStatement", "to the role "),
        ],
    )
    .await;
    kms.disable_key().key_id(&key).send().await.expect("it is disabled");
    finds_and_fixes(&archive, &tool, &[("KeyUnusable", "The bucket's key is Disabled.")]).await;
    kms.schedule_key_deletion().key_id(&key).send().await.expect("it is scheduled");
    finds_and_fixes(&archive, &tool, &[("KeyUnusable", "The bucket's key is PendingDeletion.")]).await;
    encrypt(&archive, ServerSideEncryption::AwsKmsDsse, Some(&key)).await;
    finds_and_fixes(&archive, &tool, &[("BucketEncryptionUnusable", "DSSE-KMS")]).await;
    encrypt(&archive, ServerSideEncryption::AwsKms, None).await;
    finds_and_fixes(
        &archive,
        &tool,
        &[("BucketEncryptionUnusable", "the AWS managed key aws/s3: its policy cannot allow CloudWatch Logs")],
    )
    .await;
    encrypt(&archive, ServerSideEncryption::Aes256, None).await;
    let differs = format!("The bucket encrypts with a key of Amazon S3, and the stack's KmsKeyArn is {key}.");
    finds_and_fixes(&archive, &tool, &[("BucketKeyDiffers", &differs)]).await;
    let other = kms.create_key().send().await.expect("a key").key_metadata.and_then(|metadata| metadata.arn).expect("an ARN");
    encrypt(&archive, ServerSideEncryption::AwsKms, Some(&other)).await;
    let differs = format!("The bucket encrypts with this key, and the stack's KmsKeyArn is {key}.");
    finds_and_fixes(&archive, &tool, &[("RolesLackKey", &differs), service]).await;
    encrypt(&archive, ServerSideEncryption::AwsKms, Some("11111111-2222-3333-4444-555555555555")).await;
    finds_and_fixes(&archive, &tool, &[("KeyUnusable", "The bucket's key does not exist.")]).await;

    // The policy of another account's key cannot be read.
    let foreign = "arn:aws:kms:ap-northeast-1:999999999999:key/11111111-2222-3333-4444-555555555555";
    encrypt(&archive, ServerSideEncryption::AwsKms, Some(foreign)).await;
    finds(&tool, &[("RolesLackKey", &differs)]).await;
    let output = tool.run(&["doctor"]).await;
    let note = format!("Only account 999999999999 can check the policy of key {foreign}. It needs the stack's output KeyPolicyStatements.");
    assert!(output.stderr.contains(&note), "{output:#?}");
}

async fn encrypt(archive: &Archive, algorithm: ServerSideEncryption, key: Option<&str>) {
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm).set_kms_master_key_id(key.map(str::to_owned));
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default.build().expect("a default")).build();
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("rules");
    let put = archive.s3().put_bucket_encryption().bucket(&archive.stack.bucket).server_side_encryption_configuration(rules);
    put.send().await.expect("the bucket takes it");
}
