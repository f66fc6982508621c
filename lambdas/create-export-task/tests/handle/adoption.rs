//! Export tasks of the account's list that are the entry's own.

use aws_sdk_cloudwatchlogs::Client;
use aws_smithy_mocks::mock;
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::{
    WINDOW,
    aws::{create_answers, create_refuses, export_tasks, listing, log_groups, ok},
    event, handle, handle_with_s3, now,
};

/// A task as this event creates it, with changes.
pub async fn own_task(changes: Value) -> Value {
    let requests = Arc::default();
    handle(event(), &[&log_groups(&["/ecs/web"]), &create_answers(Arc::clone(&requests))]).await.unwrap();
    let request = requests.lock().unwrap().remove(0);
    let mut task = json!({"taskId": "own", "taskName": request.task_name(), "logGroupName": "/ecs/web", "from": WINDOW.0, "to": WINDOW.1,
        "destination": "archive", "destinationPrefix": request.destination_prefix(), "status": {"code": "RUNNING"}});
    task.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    task
}

#[tokio::test]
async fn an_own_active_task_is_adopted_and_nothing_created() {
    for code in ["PENDING", "RUNNING"] {
        let other = json!({"taskId": "other", "logGroupName": "/ecs/web", "status": {"code": "RUNNING"}});
        let tasks = export_tasks(json!([other, own_task(json!({"status": {"code": code}})).await]));
        let create = create_answers(Arc::default());
        let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &tasks, &create]).await.unwrap();
        assert_eq!((&answer["status"], &answer["taskId"], create.num_calls()), (&json!("ADOPTED"), &json!("own"), 0));
    }
}

#[tokio::test]
async fn a_task_that_differs_in_anything_is_not_ones_own() {
    for changes in [
        json!({"taskName": "archive-2026-10-0000000000000000"}),
        json!({"taskName": null}),
        json!({"logGroupName": "/ecs/api"}),
        json!({"from": WINDOW.0 + 1}),
        json!({"to": WINDOW.1 - 1}),
        json!({"destination": "other"}),
        json!({"destinationPrefix": "other"}),
        json!({"status": {"code": "FAILED"}}),
        json!({"status": {"code": "CANCELLED"}}),
        json!({"status": {"code": "PENDING_CANCEL"}}),
    ] {
        let tasks = export_tasks(json!([own_task(changes.clone()).await]));
        let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &tasks, &create_answers(Arc::default())]).await.unwrap();
        assert_eq!((&answer["status"], &answer["taskId"]), (&json!("CREATED"), &json!("task-1")), "{changes}");
    }
}

#[tokio::test]
async fn an_own_task_that_has_just_completed_is_adopted_while_its_objects_are_there() {
    let hour = 3_600_000;
    let completed = |at: i64| json!({"status": {"code": "COMPLETED"}, "executionInfo": {"completionTime": at}});
    for (hours_ago, contents, status) in
        [(24, "<Contents><Key>k</Key></Contents>", "ADOPTED"), (24, "", "CREATED"), (25, "<Contents><Key>k</Key></Contents>", "CREATED")]
    {
        let tasks = export_tasks(json!([own_task(completed(now().timestamp_millis() - hours_ago * hour)).await]));
        let answer =
            handle_with_s3(event(), &[&log_groups(&["/ecs/web"]), &tasks, &create_answers(Arc::default())], &[&listing("own", contents)])
                .await
                .unwrap();
        assert_eq!(answer["status"], status, "{hours_ago} h ago, {contents:?}");
    }
}

#[tokio::test]
async fn an_empty_task_of_this_very_run_is_adopted() {
    let start = now() - TimeDelta::minutes(10);
    for (created, status) in [(start, "ADOPTED"), (start - TimeDelta::milliseconds(1), "CREATED")] {
        let info = json!({"creationTime": created.timestamp_millis(), "completionTime": now().timestamp_millis()});
        let tasks = export_tasks(json!([own_task(json!({"status": {"code": "COMPLETED"}, "executionInfo": info})).await]));
        let nothing = mock!(aws_sdk_s3::Client::list_objects_v2).then_http_response(|| ok("<ListBucketResult></ListBucketResult>"));
        let mut event = event();
        event["startTime"] = json!(start.to_rfc3339());
        let rules = [&log_groups(&["/ecs/web"]), &tasks, &create_answers(Arc::default())];
        let answer = handle_with_s3(event, &rules, &[&nothing]).await.unwrap();
        assert_eq!(answer["status"], status, "created {created}");
    }
}

#[tokio::test]
async fn an_own_task_found_only_when_the_slot_is_busy_is_adopted() {
    let busy = create_refuses(400, "LimitExceededException", "Resource limit exceeded.");
    let own = own_task(json!({})).await;
    // Another run created it between the look and the create.
    let tasks = mock!(Client::describe_export_tasks)
        .sequence()
        .http_response(|| ok(json!({"exportTasks": []}).to_string()))
        .http_response(move || ok(json!({"exportTasks": [own]}).to_string()))
        .build();
    let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &busy, &tasks]).await.unwrap();
    assert_eq!((&answer["status"], &answer["taskId"]), (&json!("ADOPTED"), &json!("own")));
}
