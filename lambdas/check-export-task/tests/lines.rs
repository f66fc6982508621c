//! The program's lines on standard output, and the application name in its requests to AWS.

use fake_aws::{FROM, STACK, TO, october, task};
use runtime_api::{Invocations, Request, invoke, operation};
use serde_json::{Value, json};

fn run(events: &[Value], aws: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Invocations {
    invoke(env!("CARGO_BIN_EXE_check-export-task"), &STACK, events, aws).unwrap()
}

fn event() -> Value {
    json!({"taskId": "task-1", "execution": "arn:aws:states:run", "logGroupName": "/ecs/web", "month": "2026-10", "from": FROM, "to": TO})
}

/// A COMPLETED task with one object, with changes.
fn aws(changes: Value) -> impl Fn(&Request) -> (u16, String) {
    move |request| match operation(request) {
        "DescribeExportTasks" => (200, json!({"exportTasks": [task(&october("/ecs/web"), changes.clone())]}).to_string()),
        "GET" if request.uri().query().is_some_and(|query| query.contains("manifests")) => (200, "<ListBucketResult/>".to_owned()),
        "GET" => (200, "<ListBucketResult><Contents><Key>k</Key><Size>123</Size></Contents></ListBucketResult>".to_owned()),
        _ => (200, String::new()),
    }
}

#[test]
fn a_completed_task_writes_a_log_line_and_its_metrics() {
    let invoked = run(&[event()], aws(json!({})));
    let response = invoked.outcomes[0].response().unwrap();
    assert_eq!((&response["outcome"], &response["bytes"]), (&json!("exported"), &json!(123)));
    let directive = json!({
        "Namespace": "CloudWatchLogsArchive",
        "Dimensions": [["Archive"]],
        "Metrics": [
            {"Name": "ExportDuration", "Unit": "Seconds"},
            {"Name": "ArchivedObjects", "Unit": "Count"},
            {"Name": "ArchivedBytes", "Unit": "Bytes"},
        ],
    });
    assert_eq!(
        invoked.lines,
        [
            json!({"level": "INFO", "name": "invocation", "message": "completed", "requestId": "request-1",
                "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10", "task_id": "task-1", "outcome": "exported", "objects": 1, "bytes": 123}),
            json!({"_aws": {"CloudWatchMetrics": [directive]}, "Archive": "archive", "ExportDuration": 2.25, "ArchivedObjects": 1, "ArchivedBytes": 123,
                "level": "INFO", "requestId": "request-1", "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10", "task_id": "task-1"}),
        ]
    );
}

/// One line for each poll, and no metric, because nothing is wrong.
#[test]
fn a_poll_writes_a_log_line_and_no_metric() {
    let event = json!({"taskId": "task-1", "execution": "arn:aws:states:run"});
    // Without its creation time, because the program reads the real clock.
    let running = json!({"status": {"code": "RUNNING", "message": "m"}, "executionInfo": null});
    let invoked = run(&[event.clone(), event], aws(running));
    let cause = "export task task-1 of log group /ecs/web is RUNNING; CloudWatch Logs says: m";
    let line = json!({"level": "INFO", "name": "invocation", "message": "ends with an error", "error": "ExportTaskRunning", "cause": cause,
        "requestId": "request-1", "execution": "arn:aws:states:run", "log_group": "/ecs/web", "task_id": "task-1"});
    assert_eq!(invoked.lines, [line.clone(), line]);
    assert_eq!(invoked.outcomes[0].error_type(), Some("ExportTaskRunning"));
}

#[test]
fn each_request_has_the_name_of_the_function() {
    let invoked = run(&[event()], aws(json!({})));
    let operations: Vec<&str> = invoked.requests.iter().map(operation).collect();
    assert_eq!(operations, ["DescribeExportTasks", "GET", "GET", "GET", "GET", "PUT", "GET", "GET", "GET"]);
    for request in &invoked.requests {
        let agent = request.headers()["user-agent"].to_str().unwrap();
        assert!(agent.split(' ').any(|part| part == "app/check-export-task"), "{agent}");
    }
}
