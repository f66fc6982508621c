//! Buckets of other accounts, and policies that change while a task runs.

use crate::stand_in::{FROM, REGION, StandIn, code, error, message, refusal};

#[tokio::test]
async fn a_bucket_of_another_account_can_be_the_destination() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let owner = stand_in.s3_as("999900001111", REGION);
    let bucket = stand_in.bucket_in(&owner, REGION).await;
    let no_acl = "GetBucketAcl call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to \
                  perform this operation.";
    assert_eq!(refusal(stand_in.export(&group, &bucket).send().await), error("InvalidParameterException", no_acl));

    let policy = stand_in.documented_policy(&bucket).to_string();
    owner.put_bucket_policy().bucket(&bucket).policy(policy).send().await.unwrap();
    let task_id = stand_in.exported(&group, &bucket).await;
    let object = owner.get_object().bucket(&bucket).key(format!("logs/{task_id}/web/000000.gz")).send().await.unwrap();
    let body = object.body.collect().await.unwrap().into_bytes();
    assert_eq!(crate::stand_in::gunzip(&body), b"2026-09-30T15:00:00.000Z hello\n");
}

#[tokio::test]
async fn a_bucket_of_the_default_account_is_found_too() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    let owner = stand_in.s3_as("any-key", REGION);
    let bucket = stand_in.bucket_in(&owner, REGION).await;
    let policy = stand_in.documented_policy(&bucket).to_string();
    owner.put_bucket_policy().bucket(&bucket).policy(policy).send().await.unwrap();
    stand_in.exported(&group, &bucket).await;
    owner.head_object().bucket(&bucket).key("logs/aws-logs-write-test").send().await.unwrap();
}

#[tokio::test]
async fn a_policy_taken_away_half_way_fails_the_task() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.timing(3_600_000, 0).await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand_in.create(&group, &bucket).await;
    stand_in.s3().delete_bucket_policy().bucket(&bucket).send().await.unwrap();
    stand_in.timing(0, 0).await;
    let task = stand_in.ended(&task_id).await;
    assert_eq!(code(&task), "FAILED");
    assert_eq!(
        message(&task),
        "PutObject call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation."
    );
    assert_eq!(stand_in.keys(&bucket).await, ["logs/aws-logs-write-test"]);
    // A failed task frees the slot.
    stand_in.set_policy(&bucket, &stand_in.documented_policy(&bucket)).await;
    stand_in.exported(&group, &bucket).await;
}

#[tokio::test]
async fn a_log_group_deleted_half_way_fails_the_task() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.timing(3_600_000, 0).await;
    let task_id = stand_in.create(&group, &bucket).await;
    stand_in.logs().delete_log_group().log_group_name(&group).send().await.unwrap();
    stand_in.timing(0, 0).await;
    let task = stand_in.ended(&task_id).await;
    assert_eq!(code(&task), "FAILED");
    assert!(message(&task).contains("ResourceNotFoundException"), "{}", message(&task));
}
