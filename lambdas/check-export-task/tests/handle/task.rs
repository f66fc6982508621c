//! The export task: its status, its age, and whether it fits the event.

use export_core::ErrorName::{self, *};
use fake_aws::{FROM, State, TO, merged};
use function_runtime::Metric;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{PREFIX, aws, aws_with, event, handle, handle_in, invocation, wrote};

/// 26 hours before `NOW`.
const TOO_OLD: i64 = 1_793_505_605_000 - 26 * 3_600_000;

fn task(changes: Value) -> impl FnOnce(&mut State) {
    move |aws| aws.export_tasks[0] = merged(aws.export_tasks[0].clone(), changes)
}

fn is(code: &str) -> Value {
    json!({"status": {"code": code, "message": "because"}})
}

#[tokio::test(start_paused = true)]
async fn every_status_except_completed_has_its_own_error_with_cloudwatchs_message() {
    for (code, name) in [
        ("PENDING", ExportTaskPending),
        ("RUNNING", ExportTaskRunning),
        ("PENDING_CANCEL", ExportTaskCancelling),
        ("FAILED", ExportTaskFailed),
        ("CANCELLED", ExportTaskCancelled),
        ("PAUSED", ExportTaskStatusUnknown),
    ] {
        let mut invocation = invocation();
        let error = handle_in(&mut invocation, &aws_with(task(is(code))), event()).await.unwrap_err();
        let message = format!("export task task-1 of log group /ecs/web is {code}; CloudWatch Logs says: because");
        assert_eq!((error.name, error.message, invocation.metrics()), (name, message, &[][..]));
        assert_eq!(json!(invocation.log_fields()), json!({"requestId": "request-1", "log_group": "/ecs/web", "month": "2026-10"}));
    }
    let error = handle(&aws_with(task(json!({"status": null}))), event()).await.unwrap_err();
    assert_eq!(error.name, ExportTaskStatusUnknown);
    assert!(error.message.ends_with("is missing; CloudWatch Logs says: no message"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_still_active_after_26_hours_is_cancelled() {
    let created = |at: i64| json!({"executionInfo": {"creationTime": at}});
    for (code, at, name, cancels) in [
        ("PENDING", TOO_OLD - 1, ExportTaskTimedOut, 1),
        ("RUNNING", TOO_OLD - 1, ExportTaskTimedOut, 1),
        ("RUNNING", TOO_OLD, ExportTaskRunning, 0),
        ("PENDING_CANCEL", TOO_OLD - 1, ExportTaskCancelling, 0),
        ("FAILED", TOO_OLD - 1, ExportTaskTimedOut, 0),
    ] {
        let aws = aws_with(task(merged(is(code), created(at))));
        let error = handle(&aws, event()).await.unwrap_err();
        assert_eq!((error.name, aws.bodies("CancelExportTask")), (name, vec![json!({"taskId": "task-1"}); cancels]), "{code}: {error}");
    }
    let denied = aws_with(task(merged(is("RUNNING"), created(1))));
    denied.state().refuse("CancelExportTask", 400, "AccessDeniedException", "no");
    let error = handle(&denied, event()).await.unwrap_err();
    let message = "CancelExportTask answered AccessDeniedException: no. Allow logs:CancelExportTask to the caller's role.";
    assert_eq!((error.name, error.message.as_str()), (AccessDenied, message));
}

/// CloudWatch Logs ends a task after 24 hours with an undocumented status. Its window is then exported in halves.
#[tokio::test(start_paused = true)]
async fn a_task_that_did_not_complete_in_20_hours_took_too_long() {
    const CREATED: i64 = 1_793_400_000_000;
    let ended = |ms: i64| json!({"executionInfo": {"creationTime": CREATED, "completionTime": CREATED + ms}});
    let hours_20 = 20 * 3_600_000;
    for (code, ms, name) in [
        ("FAILED", hours_20, ExportTaskTimedOut),
        ("CANCELLED", hours_20, ExportTaskTimedOut),
        ("FAILED", hours_20 - 1, ExportTaskFailed),
        ("CANCELLED", hours_20 - 1, ExportTaskCancelled),
        ("PENDING_CANCEL", hours_20, ExportTaskCancelling),
    ] {
        let error = handle(&aws_with(task(merged(is(code), ended(ms)))), event()).await.unwrap_err();
        let message = format!("export task task-1 of log group /ecs/web is {code}; CloudWatch Logs says: because");
        assert_eq!((error.name, error.message), (name, message), "{ms}");
    }
    let long = aws_with(task(ended(hours_20 * 2)));
    assert_eq!(handle(&long, event()).await.unwrap()["outcome"], "exported");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ended_before_its_cancellation_keeps_its_end() {
    for code in ["InvalidOperationException", "ResourceNotFoundException"] {
        for (end, ended) in [("COMPLETED", Ok("exported")), ("FAILED", Err(ExportTaskFailed))] {
            let aws = aws_with(task(merged(is("RUNNING"), json!({"executionInfo": {"creationTime": TOO_OLD - 1}}))));
            aws.state().refuse("CancelExportTask", 400, code, "m");
            aws.state().before("CancelExportTask", move |aws| {
                task(merged(is(end), json!({"executionInfo": {"creationTime": 1_793_502_005_000_i64}})))(aws)
            });
            let answer = handle(&aws, event()).await;
            assert_eq!(answer.as_ref().map(|answer| answer["outcome"].as_str().unwrap()).map_err(|error| error.name), ended, "{code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_not_visible_at_once_is_looked_up_again() {
    let aws = aws_with(|aws| {
        let late = std::mem::take(&mut aws.export_tasks);
        // Each attempt reads two pages. The task is visible at the third attempt.
        let look = "DescribeExportTasks";
        aws.before(look, move |aws| {
            aws.before(look, move |aws| aws.before(look, move |aws| aws.before(look, move |aws| aws.export_tasks = late)))
        });
    });
    let began = Instant::now();
    assert_eq!(handle(&aws, event()).await.unwrap()["outcome"], "exported");
    assert_eq!(began.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_becomes_visible_is_not_found() {
    let unknown: [fn(&mut State); 2] = [
        |aws| aws.export_tasks.clear(),
        |aws| aws.refuse("DescribeExportTasks", 400, "ResourceNotFoundException", "The specified resource does not exist."),
    ];
    for change in unknown {
        let began = Instant::now();
        let error = handle(&aws_with(change), event()).await.unwrap_err();
        let message = "taskId is \"task-1\": CloudWatch Logs knows no such export task in this account and Region";
        assert_eq!((error.name, error.message.as_str(), began.elapsed().as_secs()), (ExportTaskNotFound, message, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_fit_the_event_gets_no_manifest() {
    for changes in [
        json!({"taskName": "archive-2026-10-0000000000000000"}),
        json!({"taskName": null}),
        json!({"logGroupName": "/ecs/api"}),
        json!({"destination": "other"}),
        json!({"destinationPrefix": "logs"}),
        json!({"from": FROM - 1}),
        json!({"to": TO + 1}),
    ] {
        let aws = aws_with(task(changes.clone()));
        let error = handle(&aws, event()).await.unwrap_err();
        assert_eq!(error.name, InvalidInput, "{changes}");
        assert!(error.message.starts_with("taskId is \"task-1\": that task has name "), "{error}");
        assert_eq!(aws.names(&["PUT", "DELETE"]), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_event_makes_no_call() {
    let without_window = json!({"taskId": "task-1", "logGroupName": "/ecs/web"});
    let wrong_warning = json!({"taskId": "task-1", "warnings": [{"name": 7}]});
    for event in [json!(null), json!([]), json!({}), json!({"taskId": 7}), json!({"taskId": ""}), without_window, wrong_warning] {
        let aws = aws();
        assert_eq!(handle(&aws, event.clone()).await.unwrap_err().name, InvalidInput, "{event}");
        assert_eq!(aws.names(&[""]), [""; 0], "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_id_alone_checks_a_task_and_writes_nothing() {
    let aws = aws();
    let mut invocation = invocation();
    let answer = handle_in(&mut invocation, &aws, json!({"taskId": "task-1"})).await.unwrap();
    let expected = json!({"s3BucketName": "archive", "destinationPrefix": PREFIX, "logGroupName": "/ecs/web", "from": FROM, "to": TO,
        "taskId": "task-1", "status": "COMPLETED", "outcome": "exported", "reason": null, "objects": 2, "bytes": 5, "seconds": 2.25, "warnings": []});
    assert_eq!(answer, expected);
    assert_eq!((aws.names(&["PUT", "DELETE"]), invocation.metrics()), (vec![], &[] as &[Metric]));
}

#[tokio::test(start_paused = true)]
async fn each_failed_or_incomplete_answer_of_aws_has_an_error_name() {
    type Case = (&'static str, Box<dyn FnOnce(&mut State)>, ErrorName);
    let refuse =
        |call: &'static str, status, code| -> Box<dyn FnOnce(&mut State)> { Box::new(move |aws| aws.refuse(call, status, code, "m")) };
    let cases: [Case; 10] = [
        ("DescribeExportTasks answered ThrottlingException", refuse("DescribeExportTasks", 400, "ThrottlingException"), LogsThrottled),
        ("DescribeExportTasks answered AccessDeniedException", refuse("DescribeExportTasks", 400, "AccessDeniedException"), AccessDenied),
        // An incomplete listing is an error.
        ("ListObjectsV2 answered SlowDown", refuse("NEXT archive/logs/log_group=", 503, "SlowDown"), DestinationUnavailable),
        ("ListObjectsV2 answered AccessDenied", refuse("LIST archive/logs/log_group=", 403, "AccessDenied"), AccessDenied),
        ("PutObject answered AccessDenied", refuse("PUT ", 403, "AccessDenied"), AccessDenied),
        ("PutObject answered NoSuchBucket", refuse("PUT ", 404, "NoSuchBucket"), DestinationRejected),
        ("PutObject answered InvalidRequest", refuse("PUT ", 400, "InvalidRequest"), Unexpected),
        ("PutObject answered InternalError", refuse("PUT ", 500, "InternalError"), DestinationUnavailable),
        (
            "export task task-1 is COMPLETED, but CloudWatch Logs does not give its destinationPrefix",
            Box::new(task(json!({"destinationPrefix": null}))),
            Unexpected,
        ),
        ("export task task-1 is COMPLETED, but CloudWatch Logs does not give its from", Box::new(task(json!({"from": null}))), Unexpected),
    ];
    for (message, change, name) in cases {
        let mut invocation = invocation();
        let error = handle_in(&mut invocation, &aws_with(change), event()).await.unwrap_err();
        assert_eq!((error.name, invocation.metrics()), (name, &[][..]), "{error}");
        assert!(error.message.starts_with(message), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn log_streams_that_athena_does_not_read_are_a_warning() {
    let aws = aws_with(|aws| wrote(aws, "task-1", &[("_app", "1"), (".dot", "2")]));
    let answer = handle(&aws, json!({"taskId": "task-1"})).await.unwrap();
    let message = "2 of 4 objects are of log streams whose name begins with _ or .: they are archived, but Athena does not read them";
    assert_eq!(answer["warnings"], json!([{"name": "HiddenFromAthena", "message": message}]));
}
