//! A bucket that the stack did not create: in another account, in another Region, or without the statements that its owner has to add.

use aws_sdk_s3::{
    Client,
    config::{Credentials, Region},
    types::{BucketLocationConstraint, CreateBucketConfiguration},
};
use e2e::Archive;
use local_aws::{DeployOptions, LocalAws};
use serde_json::{Value, json};

use super::{deploy, finds, finds_and_fixes, shell, start};

const OWNER: &str = "999999999999";

/// An S3 client of an account. The local AWS uses an access key of twelve digits as the account.
fn s3(local: &LocalAws, account: &str, region: &str) -> Client {
    let credentials = Credentials::new(account, "local", None, None, "test");
    let config = aws_sdk_s3::config::Builder::from(&local.sdk_config()).credentials_provider(credentials);
    Client::from_conf(config.region(Region::new(region.to_owned())).force_path_style(true).build())
}

async fn create(client: &Client, bucket: &str) {
    let region = client.config().region().expect("a Region").to_string();
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region.as_str())).build();
    client.create_bucket().bucket(bucket).create_bucket_configuration(place).send().await.expect("a bucket");
}

async fn use_bucket(archive: &Archive, parameters: &[(&str, &str)]) {
    let options = parameters.iter().fold(DeployOptions::default(), |options, (name, value)| options.with_parameter(name, value));
    archive.local.update(&options).await.expect("the stack is updated");
}

#[tokio::test(flavor = "multi_thread")]
async fn bucket_of_another_account() {
    let local = start().await;
    let owner_s3 = s3(&local, OWNER, local.region());
    create(&owner_s3, "central").await;
    let (archive, tool) = deploy(local, &[("ExistingBucket", &format!("central:{OWNER}"))]).await;
    // The owner gives access to the roles only, which is not a finding.
    let output = tool.run(&["doctor"]).await;
    let note = "Only account 999999999999 can check the policy, the encryption and the lifecycle of bucket central. \
                Its policy needs the stack's output BucketPolicyStatements.\nNo finding.\n";
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (0, "", note));

    owner_s3.delete_bucket().bucket("central").send().await.expect("it is deleted");
    let found = finds(&tool, &[("BucketNotFound", "The command lets the stack create its own bucket, with an empty archive.")]).await;
    assert!(found[0]["fix"].as_str().is_some_and(|fix| fix.starts_with("aws cloudformation update-stack")), "{found:#?}");

    create(&s3(&archive.local, archive.local.account_id(), archive.local.region()), "central").await;
    let not_theirs = "The bucket is not of account 999999999999. The command lets the stack create its own bucket";
    finds_and_fixes(&archive, &tool, &[("BucketOfOtherOwner", not_theirs)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bucket_of_another_region_and_of_this_account() {
    let local = start().await;
    create(&s3(&local, local.account_id(), "eu-west-1"), "far-away").await;
    create(&s3(&local, local.account_id(), local.region()), "mine").await;
    let (archive, tool) = deploy(local, &[("ExistingBucket", "far-away")]).await;
    let what = "The bucket is in eu-west-1, and the stack in ap-northeast-1. The command lets the stack create its own bucket";
    finds_and_fixes(&archive, &tool, &[("BucketInOtherRegion", what)]).await;

    use_bucket(&archive, &[("ExistingBucket", "mine")]).await;
    let expected = [
        ("PublicAccessNotBlocked", ""),
        ("VersioningOff", ""),
        ("BucketPolicyLacksStatement", "There is no bucket policy, so CloudWatch Logs"),
    ];
    let found = finds(&tool, &expected).await;
    let fix = found.iter().find(|finding| finding["name"] == "BucketPolicyLacksStatement").and_then(|finding| finding["fix"].as_str());
    shell(&archive, &tool, fix.expect("a command")).await;
    // The owner adds these statements only, because the bucket has other uses.
    assert_eq!(
        places(&archive).await,
        [
            json!(["CloudWatchLogsReadsBucketAcl000000000000", "arn:aws:s3:::mine"]),
            json!(["CloudWatchLogsWritesExports000000000000", "arn:aws:s3:::mine/cloudwatch-logs/*"])
        ]
    );
    // The command replaces the statement with the same Sid.
    let mut policy = policy(&archive).await;
    policy["Statement"][1]["Resource"] = json!("arn:aws:s3:::mine/elsewhere/*");
    archive.s3().put_bucket_policy().bucket("mine").policy(policy.to_string()).send().await.expect("a policy");
    let lacks = ("BucketPolicyLacksStatement", "does not allow s3:PutObject to CloudWatch Logs for exports of /aws/lambda/orders");
    finds_and_fixes(&archive, &tool, &[expected[0], expected[1], lacks]).await;
    assert_eq!(places(&archive).await.len(), 2);

    archive.s3().delete_bucket().bucket("mine").send().await.expect("it is deleted");
    finds_and_fixes(&archive, &tool, &[("BucketNotFound", "The bucket does not exist.")]).await;
}

async fn policy(archive: &Archive) -> Value {
    let policy = archive.s3().get_bucket_policy().bucket("mine").send().await.expect("a policy").policy.expect("its text");
    serde_json::from_str(&policy).expect("JSON")
}

async fn places(archive: &Archive) -> Vec<Value> {
    let policy = policy(archive).await;
    policy["Statement"].as_array().expect("statements").iter().map(|one| json!([one["Sid"], one["Resource"]])).collect()
}
