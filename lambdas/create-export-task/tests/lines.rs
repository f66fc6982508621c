//! What the program writes to its standard output, line by line, and as whom it calls AWS.

use chrono::{TimeDelta, Utc};
use runtime_api::{Invocations, Outcome, Request, invoke, operation};
use serde_json::{Value, json};

fn run(variables: &[(&str, &str)], events: &[Value], aws: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Invocations {
    invoke(env!("CARGO_BIN_EXE_create-export-task"), variables, events, aws).unwrap()
}

/// A log group that can be exported, and a free slot.
fn aws(request: &Request) -> (u16, String) {
    match operation(request) {
        "DescribeLogGroups" => (200, json!({"logGroups": [{"logGroupName": "/ecs/web"}]}).to_string()),
        "DescribeLogStreams" => (200, json!({"logStreams": [{"logStreamName": "s"}]}).to_string()),
        "DescribeExportTasks" => (200, json!({"exportTasks": []}).to_string()),
        "CreateExportTask" => (200, json!({"taskId": "t-1"}).to_string()),
        _ => (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
    }
}

fn denied(request: &Request) -> (u16, String) {
    match operation(request) {
        "CreateExportTask" => (400, json!({"__type": "AccessDeniedException", "message": "no"}).to_string()),
        _ => aws(request),
    }
}

fn event(changes: Value) -> Value {
    let mut event = json!({"s3BucketName": "archive", "logGroupName": "/ecs/web", "month": "2026-10", "startTime": "2026-11-01T04:00:05Z",
        "execution": "arn:aws:states:run"});
    event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    event
}

const ARCHIVE: [(&str, &str); 1] = [("ARCHIVE_NAME", "logs")];

#[test]
fn a_created_task_leaves_a_line_and_its_wait() {
    let since = Utc::now() - TimeDelta::minutes(10);
    let mut invoked = run(&ARCHIVE, &[event(json!({"queuedSince": since.to_rfc3339()}))], aws);
    let response = invoked.outcomes[0].response().unwrap();
    assert_eq!((&response["status"], &response["taskId"]), (&json!("CREATED"), &json!("t-1")));
    let wait = invoked.lines[1].as_object_mut().unwrap().remove("SlotWait").and_then(|wait| wait.as_f64());
    assert!(wait.is_some_and(|wait| wait >= 600.0), "{wait:?}");
    let directive = json!({
        "Namespace": "CloudWatchLogsArchive",
        "Dimensions": [["Archive"]],
        "Metrics": [{"Name": "SlotWait", "Unit": "Seconds"}],
    });
    assert_eq!(
        invoked.lines,
        [
            json!({"level": "INFO", "name": "invocation", "message": "decided", "status": "CREATED", "requestId": "request-1", "execution": "arn:aws:states:run",
                "log_group": "/ecs/web", "month": "2026-10", "task_id": "t-1"}),
            json!({"_aws": {"CloudWatchMetrics": [directive]}, "Archive": "logs", "level": "INFO", "requestId": "request-1",
                "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10", "task_id": "t-1"}),
        ]
    );
}

#[test]
fn a_fault_leaves_a_line_and_counts_and_a_refused_input_does_not_count() {
    let wrong = event(json!({"logGroupName": "/ecs/web", "timezone": 9}));
    let invoked = run(&ARCHIVE, &[event(json!({})), wrong], denied);
    let directive = json!({
        "Namespace": "CloudWatchLogsArchive",
        "Dimensions": [["Archive"], ["Archive", "Function"]],
        "Metrics": [{"Name": "FunctionErrors", "Unit": "Count"}],
    });
    let cause = "CreateExportTask answered AccessDeniedException: no. Allow logs:CreateExportTask to the function's role.";
    let refused = "timezone is 9: write it as a text in double quotes";
    assert_eq!(
        invoked.lines,
        [
            json!({"level": "ERROR", "name": "invocation", "message": "ends with an error", "error": "AccessDenied", "cause": cause, "requestId": "request-1",
                "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10"}),
            json!({"_aws": {"CloudWatchMetrics": [directive]}, "Archive": "logs", "Function": "create-export-task", "FunctionErrors": 1,
                "error": "AccessDenied", "level": "INFO", "requestId": "request-1", "execution": "arn:aws:states:run", "log_group": "/ecs/web",
                "month": "2026-10"}),
            json!({"level": "ERROR", "name": "invocation", "message": "ends with an error", "error": "InvalidInput", "cause": refused, "requestId": "request-1",
                "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10"}),
        ]
    );
    let errors: Vec<_> = invoked.outcomes.iter().map(Outcome::error_type).collect();
    assert_eq!(errors, [Some("AccessDenied"), Some("InvalidInput")]);
}

/// A function that somebody calls without a stack around it.
#[test]
fn without_an_archive_there_are_lines_and_no_metrics() {
    for variables in [&[][..], &[("ARCHIVE_NAME", "")]] {
        let variables = [variables, &[("RUST_LOG", "create_export_task=info,function_runtime=debug")]].concat();
        let invoked = run(&variables, &[event(json!({"queuedSince": "2026-11-01T04:00:05Z"}))], aws);
        let messages: Vec<&str> = invoked.lines.iter().filter_map(|line| line["message"].as_str()).collect();
        assert_eq!(messages, ["ARCHIVE_NAME is not set: no metrics", "decided"]);
        assert_eq!(invoked.lines.len(), 2);
    }
}

#[test]
fn a_runs_input_is_planned_and_says_for_which_run() {
    let input = json!({"s3BucketName": "archive", "month": "2026-10", "logGroups": ["/ecs/web"]});
    let event = json!({"validate": input, "startTime": "2026-11-01T04:00:05Z", "execution": "arn:aws:states:run"});
    let invoked = run(&ARCHIVE, &[event], aws);
    let line = json!({"level": "INFO", "name": "invocation", "message": "planned", "pages": 1, "requestId": "request-1", "execution": "arn:aws:states:run", "month": "2026-10"});
    assert_eq!(invoked.lines, [line]);
}

#[test]
fn aws_sees_which_function_calls() {
    let invoked = run(&[], &[event(json!({}))], aws);
    let operations: Vec<&str> = invoked.requests.iter().map(operation).collect();
    assert_eq!(operations, ["GET", "DescribeLogGroups", "DescribeLogStreams", "DescribeExportTasks", "CreateExportTask"]);
    for request in &invoked.requests {
        let agent = request.headers()["user-agent"].to_str().unwrap();
        assert!(agent.split(' ').any(|part| part == "app/create-export-task"), "{agent}");
    }
}
