//! CancelExportTask.

use serde_json::json;

use crate::stand::{FROM, Stand, code, error, refusal};

#[tokio::test]
async fn a_pending_task_is_cancelled_and_writes_nothing() {
    let stand = Stand::start().await;
    stand.settings(&json!({ "pendingMs": 3_600_000, "cancelMs": 3_600_000 })).await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    stand.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand.create(&group, &bucket).await;
    stand.logs().cancel_export_task().task_id(&task_id).send().await.unwrap();

    let task = stand.describe(&task_id).await;
    assert_eq!((code(&task), task.execution_info().unwrap().completion_time()), ("PENDING_CANCEL", None));
    // Not finished yet: it holds the slot, and cancelling again changes nothing.
    assert_eq!(refusal(stand.export(&group, &bucket).send().await), error("LimitExceededException", "Resource limit exceeded."));
    stand.logs().cancel_export_task().task_id(&task_id).send().await.unwrap();

    stand.timing(0, 0).await;
    assert_eq!(code(&stand.ended(&task_id).await), "CANCELLED");
    assert_eq!(stand.keys(&bucket).await, ["logs/aws-logs-write-test"]);
    stand.exported(&group, &bucket).await;
}

#[tokio::test]
async fn a_running_task_stops_writing_when_cancelled() {
    let stand = Stand::start().await;
    // A file for each event: thousands of writes, so that the cancel comes between two of them.
    stand.settings(&json!({ "maxFileBytes": 1 })).await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    let events: Vec<_> = (0..5_000).map(|i| (FROM + i, "hello")).collect();
    stand.put(&group, "web", &events).await;
    let task_id = stand.create(&group, &bucket).await;
    let listed = || async { stand.s3().list_objects_v2().bucket(&bucket).send().await.unwrap().key_count().unwrap() };
    crate::stand::eventually("the first files", || async { (listed().await > 2).then_some(()) }).await;
    stand.logs().cancel_export_task().task_id(&task_id).send().await.unwrap();

    assert_eq!(code(&stand.ended(&task_id).await), "CANCELLED");
    let written = stand.files(&bucket, &task_id).await.len();
    assert!(written < events.len(), "{written} files");
    // The slot is free, and the next task's end proves that nothing of the cancelled one is still being written.
    stand.settings(&json!({ "maxFileBytes": 1_000_000 })).await;
    stand.exported(&group, &bucket).await;
    assert_eq!(stand.files(&bucket, &task_id).await.len(), written);
}

#[tokio::test]
async fn an_unknown_task_cannot_be_cancelled() {
    let stand = Stand::start().await;
    let cancel = stand.logs().cancel_export_task().task_id("00000000-0000-4000-8000-000000000000");
    assert_eq!(refusal(cancel.send().await), error("ResourceNotFoundException", "The specified export task does not exist."));
}

#[tokio::test]
async fn a_finished_task_cannot_be_cancelled() {
    let stand = Stand::start().await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    let expected = error("InvalidOperationException", "The specified export task has already finished");
    let completed = stand.exported(&group, &bucket).await;
    assert_eq!(refusal(stand.logs().cancel_export_task().task_id(&completed).send().await), expected);
    stand.fault(&json!({ "logGroupName": group, "status": "FAILED" })).await;
    let failed = stand.create(&group, &bucket).await;
    assert_eq!(code(&stand.ended(&failed).await), "FAILED");
    assert_eq!(refusal(stand.logs().cancel_export_task().task_id(&failed).send().await), expected);
}
