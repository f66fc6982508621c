//! Buckets of other accounts, and changes during a task.

use crate::stand_in::{FROM, REGION, StandIn, error, error_of, status_code, status_message};

#[tokio::test]
async fn a_bucket_of_another_account_can_be_the_destination() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let owner = stand_in.s3_as("999900001111", REGION);
    let bucket = stand_in.bucket_in(&owner, REGION).await;
    let no_acl = "GetBucketAcl call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to \
                  perform this operation.";
    assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), error("InvalidParameterException", no_acl));

    let policy = stand_in.documented_policy(&bucket).to_string();
    owner.put_bucket_policy().bucket(&bucket).policy(policy).send().await.unwrap();
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    let object = owner.get_object().bucket(&bucket).key(format!("logs/{task_id}/web/000000.gz")).send().await.unwrap();
    let body = object.body.collect().await.unwrap().into_bytes();
    assert_eq!(crate::stand_in::gunzip(&body), b"2026-09-30T15:00:00.000Z hello\n");
}

#[tokio::test]
async fn a_bucket_of_the_default_account_can_be_the_destination() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    let owner = stand_in.s3_as("any-key", REGION);
    let bucket = stand_in.bucket_in(&owner, REGION).await;
    let policy = stand_in.documented_policy(&bucket).to_string();
    owner.put_bucket_policy().bucket(&bucket).policy(policy).send().await.unwrap();
    stand_in.export_and_wait(&group, &bucket).await;
    owner.head_object().bucket(&bucket).key("logs/aws-logs-write-test").send().await.unwrap();
}

#[tokio::test]
async fn a_policy_removed_during_a_task_fails_it() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_timing(3_600_000, 0).await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand_in.create(&group, &bucket).await;
    stand_in.s3().delete_bucket_policy().bucket(&bucket).send().await.unwrap();
    stand_in.set_timing(0, 0).await;
    let task = stand_in.wait_until_ended(&task_id).await;
    assert_eq!(status_code(&task), "FAILED");
    assert_eq!(
        status_message(&task),
        "PutObject call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation."
    );
    assert_eq!(stand_in.keys(&bucket).await, ["logs/aws-logs-write-test"]);
    // A failed task frees the slot.
    stand_in.set_policy(&bucket, &stand_in.documented_policy(&bucket)).await;
    stand_in.export_and_wait(&group, &bucket).await;
}

#[tokio::test]
async fn a_log_group_deleted_during_a_task_fails_it() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_timing(3_600_000, 0).await;
    let task_id = stand_in.create(&group, &bucket).await;
    stand_in.logs().delete_log_group().log_group_name(&group).send().await.unwrap();
    stand_in.set_timing(0, 0).await;
    let task = stand_in.wait_until_ended(&task_id).await;
    assert_eq!(status_code(&task), "FAILED");
    assert!(status_message(&task).contains("ResourceNotFoundException"), "{}", status_message(&task));
}
