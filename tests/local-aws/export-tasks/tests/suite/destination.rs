//! Buckets of other accounts, and policies that change while a task runs.

use crate::stand::{FROM, REGION, Stand, code, error, message, refusal};

#[tokio::test]
async fn a_bucket_of_another_account_can_be_the_destination() {
    let stand = Stand::start().await;
    let group = stand.log_group().await;
    stand.put(&group, "web", &[(FROM, "hello")]).await;
    let owner = stand.s3_as("999900001111", REGION);
    let bucket = stand.bucket_in(&owner, REGION).await;
    let no_acl = "GetBucketAcl call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to \
                  perform this operation.";
    assert_eq!(refusal(stand.export(&group, &bucket).send().await), error("InvalidParameterException", no_acl));

    let policy = stand.documented_policy(&bucket).to_string();
    owner.put_bucket_policy().bucket(&bucket).policy(policy).send().await.unwrap();
    let task_id = stand.exported(&group, &bucket).await;
    let object = owner.get_object().bucket(&bucket).key(format!("logs/{task_id}/web/000000.gz")).send().await.unwrap();
    let body = object.body.collect().await.unwrap().into_bytes();
    assert_eq!(crate::stand::gunzip(&body), b"2026-09-30T15:00:00.000Z hello\n");
}

#[tokio::test]
async fn a_bucket_of_the_default_account_is_found_too() {
    let stand = Stand::start().await;
    let group = stand.log_group().await;
    let owner = stand.s3_as("any-key", REGION);
    let bucket = stand.bucket_in(&owner, REGION).await;
    let policy = stand.documented_policy(&bucket).to_string();
    owner.put_bucket_policy().bucket(&bucket).policy(policy).send().await.unwrap();
    stand.exported(&group, &bucket).await;
    owner.head_object().bucket(&bucket).key("logs/aws-logs-write-test").send().await.unwrap();
}

#[tokio::test]
async fn a_policy_taken_away_half_way_fails_the_task() {
    let stand = Stand::start().await;
    stand.timing(3_600_000, 0).await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    stand.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand.create(&group, &bucket).await;
    stand.s3().delete_bucket_policy().bucket(&bucket).send().await.unwrap();
    stand.timing(0, 0).await;
    let task = stand.ended(&task_id).await;
    assert_eq!(code(&task), "FAILED");
    assert_eq!(
        message(&task),
        "PutObject call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation."
    );
    assert_eq!(stand.keys(&bucket).await, ["logs/aws-logs-write-test"]);
    // A failed task frees the slot.
    stand.set_policy(&bucket, &stand.documented_policy(&bucket)).await;
    stand.exported(&group, &bucket).await;
}

#[tokio::test]
async fn a_log_group_deleted_half_way_fails_the_task() {
    let stand = Stand::start().await;
    stand.timing(3_600_000, 0).await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    let task_id = stand.create(&group, &bucket).await;
    stand.logs().delete_log_group().log_group_name(&group).send().await.unwrap();
    stand.timing(0, 0).await;
    let task = stand.ended(&task_id).await;
    assert_eq!(code(&task), "FAILED");
    assert!(message(&task).contains("ResourceNotFoundException"), "{}", message(&task));
}
