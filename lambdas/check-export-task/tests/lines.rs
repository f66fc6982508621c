//! What the program writes to its standard output, line by line, and as whom it calls AWS.

use runtime_api::{Invocations, Request, invoke, operation};
use serde_json::{Value, json};

const PREFIX: &str = "logs/log_group=/ecs/web/year=2026/month=10";

fn run(variables: &[(&str, &str)], events: &[Value], aws: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Invocations {
    invoke(env!("CARGO_BIN_EXE_check-export-task"), variables, events, aws).unwrap()
}

/// A task with one object, in this status.
fn aws(code: &'static str) -> impl Fn(&Request) -> (u16, String) {
    move |request| match operation(request) {
        "DescribeExportTasks" => {
            let task = json!({"taskId": "t-1", "logGroupName": "/ecs/web", "from": 1790780400000i64, "to": 1793458799999i64,
                "destination": "archive", "destinationPrefix": PREFIX, "status": {"code": code, "message": "m"},
                "executionInfo": {"creationTime": 1793502005000i64, "completionTime": 1793502007250i64}});
            (200, json!({"exportTasks": [task]}).to_string())
        }
        "GET" if request.uri().query().is_some_and(|query| query.contains("list-type=2")) => {
            (200, "<ListBucketResult><Contents><Key>k</Key><Size>123</Size></Contents></ListBucketResult>".to_owned())
        }
        "GET" => (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
        _ => (200, String::new()),
    }
}

/// With the task's id alone: all else is CloudWatch's to tell.
#[test]
fn a_completed_task_leaves_a_line_and_its_metrics() {
    let invoked = run(&[("ARCHIVE_NAME", "logs")], &[json!({"taskId": "t-1"})], aws("COMPLETED"));
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
            json!({"level": "INFO", "name": "invocation", "message": "completed", "requestId": "request-1", "log_group": "/ecs/web", "month": "2026-10", "task_id": "t-1",
                "outcome": "exported", "objects": 1, "bytes": 123}),
            json!({"_aws": {"CloudWatchMetrics": [directive]}, "Archive": "logs", "ExportDuration": 2.25, "ArchivedObjects": 1, "ArchivedBytes": 123,
                "level": "INFO", "requestId": "request-1", "log_group": "/ecs/web", "month": "2026-10", "task_id": "t-1"}),
        ]
    );
}

/// One line for each, and no metric: nothing is wrong.
#[test]
fn a_poll_is_a_line_and_no_metric() {
    let event = json!({"taskId": "t-1", "execution": "arn:aws:states:run", "logGroupName": "/ecs/other", "month": "2026-10"});
    let invoked = run(&[("ARCHIVE_NAME", "logs")], &[event.clone(), event], aws("RUNNING"));
    let cause = "export task t-1 of log group /ecs/web is RUNNING; CloudWatch Logs says: m";
    let line = json!({"level": "INFO", "name": "invocation", "message": "ends with an error", "error": "ExportTaskRunning", "cause": cause,
        "requestId": "request-1", "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10", "task_id": "t-1"});
    assert_eq!(invoked.lines, [line.clone(), line]);
    assert_eq!(invoked.outcomes[0].error_type(), Some("ExportTaskRunning"));
}

#[test]
fn aws_sees_which_function_calls() {
    let invoked = run(&[], &[json!({"taskId": "t-1"})], aws("COMPLETED"));
    let operations: Vec<&str> = invoked.requests.iter().map(operation).collect();
    assert_eq!(operations, ["DescribeExportTasks", "GET", "GET", "GET", "PUT", "PUT"]);
    for request in &invoked.requests {
        let agent = request.headers()["user-agent"].to_str().unwrap();
        assert!(agent.split(' ').any(|part| part == "app/check-export-task"), "{agent}");
    }
}
