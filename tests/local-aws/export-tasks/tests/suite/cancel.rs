//! CancelExportTask.

use serde_json::json;

use crate::stand_in::{FROM, StandIn, error, error_of, status_code};

#[tokio::test]
async fn a_pending_task_is_cancelled_and_writes_nothing() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_settings(&json!({ "pendingMs": 3_600_000, "cancelMs": 3_600_000 })).await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand_in.create(&group, &bucket).await;
    stand_in.logs().cancel_export_task().task_id(&task_id).send().await.unwrap();

    let task = stand_in.describe(&task_id).await;
    assert_eq!((status_code(&task), task.execution_info().unwrap().completion_time()), ("PENDING_CANCEL", None));
    // The task still holds the slot. Another cancellation changes nothing.
    assert_eq!(
        error_of(stand_in.export_request(&group, &bucket).send().await),
        error("LimitExceededException", "Resource limit exceeded.")
    );
    stand_in.logs().cancel_export_task().task_id(&task_id).send().await.unwrap();

    stand_in.set_timing(0, 0).await;
    assert_eq!(status_code(&stand_in.wait_until_ended(&task_id).await), "CANCELLED");
    assert_eq!(stand_in.keys(&bucket).await, ["logs/aws-logs-write-test"]);
    stand_in.export_and_wait(&group, &bucket).await;
}

#[tokio::test]
async fn a_running_task_stops_writing_when_cancelled() {
    let stand_in = StandIn::start().await;
    // One file per event makes thousands of writes, so that the cancellation comes between two of them.
    stand_in.set_settings(&json!({ "maxFileBytes": 1 })).await;
    let (group, bucket) = (stand_in.log_group().await, stand_in.bucket().await);
    let events: Vec<_> = (0..5_000).map(|i| (FROM + i, "hello")).collect();
    stand_in.put(&group, "web", &events).await;
    let task_id = stand_in.create(&group, &bucket).await;
    let count_keys = || async { stand_in.s3().list_objects_v2().bucket(&bucket).send().await.unwrap().key_count().unwrap() };
    local_aws::wait_for("the first files", || async { (count_keys().await > 2).then_some(()) }).await;
    stand_in.logs().cancel_export_task().task_id(&task_id).send().await.unwrap();

    assert_eq!(status_code(&stand_in.wait_until_ended(&task_id).await), "CANCELLED");
    let written = stand_in.files(&bucket, &task_id).await.len();
    assert!(written < events.len(), "{written} files");
    // The slot is free. When the next task has ended, the cancelled task must have written nothing more.
    stand_in.set_settings(&json!({ "maxFileBytes": 1_000_000 })).await;
    stand_in.export_and_wait(&group, &bucket).await;
    assert_eq!(stand_in.files(&bucket, &task_id).await.len(), written);
}

#[tokio::test]
async fn an_unknown_task_cannot_be_cancelled() {
    let stand_in = StandIn::start().await;
    let cancel = stand_in.logs().cancel_export_task().task_id("00000000-0000-4000-8000-000000000000");
    assert_eq!(error_of(cancel.send().await), error("ResourceNotFoundException", "The specified export task does not exist."));
}

#[tokio::test]
async fn a_finished_task_cannot_be_cancelled() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let expected = error("InvalidOperationException", "The specified export task has already finished");
    let completed = stand_in.export_and_wait(&group, &bucket).await;
    assert_eq!(error_of(stand_in.logs().cancel_export_task().task_id(&completed).send().await), expected);
    stand_in.inject_fault(&json!({ "logGroupName": group, "status": "FAILED" })).await;
    let failed = stand_in.create(&group, &bucket).await;
    assert_eq!(status_code(&stand_in.wait_until_ended(&failed).await), "FAILED");
    assert_eq!(error_of(stand_in.logs().cancel_export_task().task_id(&failed).send().await), expected);
}
