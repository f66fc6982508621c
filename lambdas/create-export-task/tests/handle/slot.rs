//! The account's export tasks: which of them the function adopts, and which holds the slot.

use export_core::ErrorName;
use fake_aws::{FROM, TO, merged, october, task};
use serde_json::{Value, json};

use crate::{NOW_MILLIS, aws, aws_with, creations, handle};

/// Ten minutes before `NOW`.
const START: i64 = NOW_MILLIS - 600_000;

fn own(changes: Value) -> Value {
    task(&october("/ecs/web"), merged(json!({"taskId": "own"}), changes))
}

fn other() -> Value {
    json!({"taskId": "other", "logGroupName": "/ecs/web", "status": {"code": "COMPLETED"}, "executionInfo": {"creationTime": NOW_MILLIS}})
}

#[tokio::test(start_paused = true)]
async fn only_a_usable_task_for_exactly_this_window_is_adopted() {
    let active = |code: &str| json!({"status": {"code": code}});
    let running = |changes: Value| merged(active("RUNNING"), changes);
    let completed = |created: i64| json!({"executionInfo": {"creationTime": created, "completionTime": NOW_MILLIS}});
    for (changes, status) in [
        (active("PENDING"), "ADOPTED"),
        (active("RUNNING"), "ADOPTED"),
        (running(json!({"executionInfo": {"creationTime": START - 1}})), "ADOPTED"),
        (completed(START), "ADOPTED"),
        (completed(START - 1), "CREATED"),
        (json!({"executionInfo": null}), "CREATED"),
        (active("FAILED"), "CREATED"),
        (active("CANCELLED"), "CREATED"),
        (active("PENDING_CANCEL"), "CREATED"),
        (running(json!({"taskName": "archive-2026-10-0000000000000000"})), "CREATED"),
        (running(json!({"taskName": null})), "CREATED"),
        (running(json!({"logGroupName": "/ecs/api"})), "CREATED"),
        (running(json!({"from": FROM + 1})), "CREATED"),
        (running(json!({"to": TO - 1})), "CREATED"),
        (running(json!({"destination": "other"})), "CREATED"),
        (running(json!({"destinationPrefix": "other"})), "CREATED"),
    ] {
        // On the third page, after an empty one.
        let aws = aws_with(|aws| aws.export_tasks = vec![other(), other(), own(changes.clone())]);
        let answer = handle(&aws, json!({"startTime": "2026-11-01T03:50:05Z"})).await.unwrap();
        let (task_id, created) = if status == "ADOPTED" { ("own", 0) } else { ("task-1", 1) };
        assert_eq!((&answer["status"], &answer["taskId"], creations(&aws)), (&json!(status), &json!(task_id), created), "{changes}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_of_tasks_is_read_back_to_the_start_of_the_run() {
    let old = merged(other(), json!({"executionInfo": {"creationTime": START - 1}}));
    let aws = aws_with(|aws| aws.export_tasks = vec![old; 100]);
    handle(&aws, json!({"startTime": "2026-11-01T03:50:05Z"})).await.unwrap();
    assert_eq!(aws.bodies("DescribeExportTasks").len(), 2, "an empty page, and one of older tasks");
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_busy_slot_names_its_holder_and_quotes_aws() {
    let holder = json!({"taskId": "t-7", "taskName": "other", "logGroupName": "/a", "status": {"code": "PENDING_CANCEL"},
        "executionInfo": {"creationTime": 1_793_458_800_000_i64}});
    for (tasks, held_by) in [
        (vec![other(), other(), holder], "task t-7 of log group /a (name other, created 2026-10-31T15:00:00.000Z)"),
        (vec![other()], "a task that has ended since"),
    ] {
        let aws = aws_with(|aws| {
            aws.refuse("CreateExportTask", 400, "LimitExceededException", "Resource limit exceeded.");
            aws.export_tasks = tasks;
        });
        let error = handle(&aws, json!({})).await.unwrap_err();
        let words = "CreateExportTask answered LimitExceededException: Resource limit exceeded.";
        assert_eq!(error.message, format!("the account's only export slot in this Region is held by {held_by}; {words}"));
        assert_eq!((error.name, creations(&aws)), (ErrorName::ExportSlotBusy, 1), "the SDK does not repeat it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_slot_is_an_error_also_if_its_holder_is_unknown() {
    let aws = aws_with(|aws| {
        aws.refuse("CreateExportTask", 400, "LimitExceededException", "Resource limit exceeded.");
        aws.before("CreateExportTask", |aws| aws.refuse("DescribeExportTasks", 400, "ThrottlingException", "Rate exceeded"));
    });
    let error = handle(&aws, json!({})).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ExportSlotBusy);
    assert!(error.message.contains("could not be looked up (DescribeExportTasks answered ThrottlingException: Rate exceeded)"), "{error}");
    assert_eq!(aws.bodies("DescribeExportTasks").len(), 2 + 1, "two pages before, one attempt after");
}

/// Another run created it between the two calls, or the response to the first call was lost.
#[tokio::test(start_paused = true)]
async fn a_task_found_only_when_the_slot_is_busy_is_adopted() {
    let aws = aws();
    aws.state().refuse("CreateExportTask", 400, "LimitExceededException", "Resource limit exceeded.");
    aws.state().before("CreateExportTask", |aws| aws.export_tasks = vec![own(json!({"status": {"code": "RUNNING"}}))]);
    let answer = handle(&aws, json!({})).await.unwrap();
    assert_eq!((&answer["status"], &answer["taskId"]), (&json!("ADOPTED"), &json!("own")));
}
