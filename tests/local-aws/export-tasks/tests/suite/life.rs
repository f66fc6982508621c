//! The life of a task, as DescribeExportTasks shows it.

use crate::stand_in::{FROM, StandIn, TO, code, message};

#[tokio::test]
async fn a_task_is_pending_then_running_then_completed() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.timing(3_600_000, 3_600_000).await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand_in.create(&group, &bucket).await;
    uuid::Uuid::parse_str(&task_id).unwrap();

    let task = stand_in.describe(&task_id).await;
    assert_eq!((code(&task), task.execution_info().unwrap().completion_time()), ("PENDING", None));
    stand_in.timing(0, 3_600_000).await;
    let task = stand_in.in_status(&task_id, "RUNNING").await;
    assert_eq!((message(&task), task.execution_info().unwrap().completion_time()), ("Started successfully", None));
    stand_in.timing(0, 0).await;
    let task = stand_in.ended(&task_id).await;
    assert_eq!((code(&task), message(&task)), ("COMPLETED", "Completed successfully"));
    let info = task.execution_info().unwrap();
    assert!(info.completion_time().unwrap() >= info.creation_time().unwrap());
    assert!(info.creation_time().unwrap() > 1_700_000_000_000, "in milliseconds");
}

#[tokio::test]
async fn a_task_is_running_until_its_data_is_written() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.timing(0, 3_600_000).await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand_in.create(&group, &bucket).await;
    let key = format!("logs/{task_id}/web/000000.gz");
    local_aws::wait_for("data is written", || async { stand_in.keys(&bucket).await.contains(&key).then_some(()) }).await;
    assert_eq!(code(&stand_in.describe(&task_id).await), "RUNNING");
}

#[tokio::test]
async fn a_task_echoes_its_request_but_not_the_stream_prefix() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let create = stand_in.export(&group, &bucket).task_name("monthly").log_stream_name_prefix("prod/");
    let task_id = create.send().await.unwrap().task_id.unwrap();
    let task = stand_in.ended(&task_id).await;
    assert_eq!(task.task_id(), Some(task_id.as_str()));
    assert_eq!(task.task_name(), Some("monthly"));
    assert_eq!(task.log_group_name(), Some(group.as_str()));
    assert_eq!((task.from(), task.to()), (Some(FROM), Some(TO)));
    assert_eq!(task.destination(), Some(bucket.as_str()));
    assert_eq!(task.destination_prefix(), Some("logs"));
    // The SDK has no member for the stream prefix, so only the wire can show that it is not there.
    let journal = stand_in.inspect().await["journal"].as_array().unwrap().clone();
    let shown = &journal.last().unwrap()["outcome"]["response"]["exportTasks"][0];
    let mut members: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let expected = ["destination", "destinationPrefix", "executionInfo", "from", "logGroupName", "status", "taskId", "taskName", "to"];
    assert_eq!(members, expected);
}
