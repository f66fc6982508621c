//! The lifecycle of a task in DescribeExportTasks.

use aws_sdk_cloudwatchlogs::types::ExportTask;
use serde_json::json;

use crate::stand_in::{FROM, StandIn, TO, status_code, status_message};

#[tokio::test]
async fn a_task_is_pending_then_running_then_completed() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_timing(3_600_000, 3_600_000).await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand_in.create(&group, &bucket).await;
    uuid::Uuid::parse_str(&task_id).unwrap();

    let task = stand_in.describe(&task_id).await;
    assert_eq!((status_code(&task), task.execution_info().unwrap().completion_time()), ("PENDING", None));
    stand_in.set_timing(0, 3_600_000).await;
    let task = stand_in.wait_for_status(&task_id, "RUNNING").await;
    assert_eq!((status_message(&task), task.execution_info().unwrap().completion_time()), ("Started successfully", None));
    stand_in.set_timing(0, 0).await;
    let task = stand_in.wait_until_ended(&task_id).await;
    assert_eq!((status_code(&task), status_message(&task)), ("COMPLETED", "Completed successfully"));
    let info = task.execution_info().unwrap();
    assert!(info.completion_time().unwrap() >= info.creation_time().unwrap());
    assert!(info.creation_time().unwrap() > 1_700_000_000_000, "in milliseconds");
}

#[tokio::test]
async fn a_task_is_running_until_its_data_is_written() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_timing(0, 3_600_000).await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let task_id = stand_in.create(&group, &bucket).await;
    let key = format!("logs/{task_id}/web/000000.gz");
    local_aws::wait_for("data is written", || async { stand_in.keys(&bucket).await.contains(&key).then_some(()) }).await;
    assert_eq!(status_code(&stand_in.describe(&task_id).await), "RUNNING");
}

const HOUR: i64 = 3_600_000;

/// A task's duration in milliseconds, from its own times.
fn duration(task: &ExportTask) -> i64 {
    let info = task.execution_info().unwrap();
    info.completion_time().unwrap() - info.creation_time().unwrap()
}

#[tokio::test]
async fn a_task_can_have_a_simulated_duration() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.put(&group, "web", &[(FROM, "first"), (TO, "last")]).await;
    let began = chrono::Utc::now().timestamp_millis();
    // October has 31 days.
    for (hours_per_day, hours) in [(0.5, 15.5), (24.0 / 31.0, 24.0)] {
        stand_in.set_settings(&json!({ "hoursPerDay": hours_per_day })).await;
        let task_id = stand_in.create(&group, &bucket).await;
        let task = stand_in.wait_until_ended(&task_id).await;
        assert_eq!((status_code(&task), duration(&task)), ("COMPLETED", (hours * 3_600_000.0) as i64));
        assert!((began..began + HOUR).contains(&task.execution_info().unwrap().creation_time().unwrap()), "the creation time is real");
        assert_eq!(stand_in.files(&bucket, &task_id).await["web/000000.gz"].len(), 61);
    }
    stand_in.set_settings(&json!({ "hoursPerDay": 0 })).await;
    let task = stand_in.wait_until_ended(&stand_in.create(&group, &bucket).await).await;
    assert!(duration(&task) < HOUR, "the real duration");
}

#[tokio::test]
async fn a_task_of_more_than_24_hours_fails_and_leaves_its_first_object() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    for stream in ["a", "b"] {
        stand_in.put(&group, stream, &[(FROM, stream)]).await;
    }
    stand_in.set_settings(&json!({ "hoursPerDay": 0.775 })).await;
    let task_id = stand_in.create(&group, &bucket).await;
    let task = stand_in.wait_until_ended(&task_id).await;
    assert_eq!((status_code(&task), status_message(&task)), ("FAILED", "The export task did not end within 24 hours."));
    assert_eq!(duration(&task), 24 * HOUR);
    assert_eq!(stand_in.files(&bucket, &task_id).await.into_keys().collect::<Vec<_>>(), ["a/000000.gz"]);
    // The slot is free. Half of the window takes 12 hours.
    let half = stand_in.export_request(&group, &bucket).to(FROM + (TO - FROM) / 2).send().await.unwrap().task_id.unwrap();
    assert_eq!(status_code(&stand_in.wait_until_ended(&half).await), "COMPLETED");
    assert_eq!(stand_in.files(&bucket, &half).await.len(), 2);
    // A task with an injected status has its real duration.
    stand_in.inject_fault(&json!({ "logGroupName": group, "status": "FAILED" })).await;
    let task = stand_in.wait_until_ended(&stand_in.create(&group, &bucket).await).await;
    assert!(status_code(&task) == "FAILED" && duration(&task) < HOUR, "{task:?}");
}

#[tokio::test]
async fn a_task_shows_its_request_without_the_stream_prefix() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let create = stand_in.export_request(&group, &bucket).task_name("monthly").log_stream_name_prefix("prod/");
    let task_id = create.send().await.unwrap().task_id.unwrap();
    let task = stand_in.wait_until_ended(&task_id).await;
    assert_eq!(task.task_id(), Some(task_id.as_str()));
    assert_eq!(task.task_name(), Some("monthly"));
    assert_eq!(task.log_group_name(), Some(group.as_str()));
    assert_eq!((task.from(), task.to()), (Some(FROM), Some(TO)));
    assert_eq!(task.destination(), Some(bucket.as_str()));
    assert_eq!(task.destination_prefix(), Some("logs"));
    // The SDK has no member for the stream prefix, so the test reads the journal.
    let journal = stand_in.journal().await;
    let response = &journal.as_array().unwrap().last().unwrap()["outcome"]["response"]["exportTasks"][0];
    let mut members: Vec<_> = response.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let expected = ["destination", "destinationPrefix", "executionInfo", "from", "logGroupName", "status", "taskId", "taskName", "to"];
    assert_eq!(members, expected);
}
