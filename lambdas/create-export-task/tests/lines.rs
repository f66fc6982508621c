//! The program's lines on standard output, and the application name in its requests to AWS.

use chrono::{TimeDelta, Utc};
use fake_aws::STACK;
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
        _ => (200, "<ListBucketResult/>".to_owned()),
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

#[test]
fn a_created_task_writes_a_log_line_and_its_wait() {
    let since = Utc::now() - TimeDelta::minutes(10);
    let mut invoked = run(&STACK, &[event(json!({"queuedSince": since.to_rfc3339()}))], aws);
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
            json!({"_aws": {"CloudWatchMetrics": [directive]}, "Archive": "archive", "level": "INFO", "requestId": "request-1",
                "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10", "task_id": "t-1"}),
        ]
    );
}

#[test]
fn a_fault_is_logged_and_counted_and_a_refused_input_is_not_counted() {
    let wrong = event(json!({"logGroupName": "/ecs/web", "timezone": 9}));
    let invoked = run(&STACK, &[event(json!({})), wrong], denied);
    let directive = json!({
        "Namespace": "CloudWatchLogsArchive",
        "Dimensions": [["Archive"], ["Archive", "Function"]],
        "Metrics": [{"Name": "FunctionErrors", "Unit": "Count"}],
    });
    let cause = "CreateExportTask answered AccessDeniedException: no. Allow logs:CreateExportTask to the caller's role.";
    let refused = "timezone is 9: write it as a text in double quotes";
    assert_eq!(
        invoked.lines,
        [
            json!({"level": "ERROR", "name": "invocation", "message": "ends with an error", "error": "AccessDenied", "cause": cause, "requestId": "request-1",
                "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10"}),
            json!({"_aws": {"CloudWatchMetrics": [directive]}, "Archive": "archive", "Function": "create-export-task", "FunctionErrors": 1,
                "error": "AccessDenied", "level": "INFO", "requestId": "request-1", "execution": "arn:aws:states:run", "log_group": "/ecs/web",
                "month": "2026-10"}),
            json!({"level": "ERROR", "name": "invocation", "message": "ends with an error", "error": "InvalidInput", "cause": refused, "requestId": "request-1",
                "execution": "arn:aws:states:run", "log_group": "/ecs/web", "month": "2026-10"}),
        ]
    );
    let errors: Vec<_> = invoked.outcomes.iter().map(Outcome::error_type).collect();
    assert_eq!(errors, [Some("AccessDenied"), Some("InvalidInput")]);
}

/// A function outside of a stack.
#[test]
fn without_the_name_of_the_archive_there_are_no_metrics() {
    let variables = [&STACK[1..], &[("ARCHIVE_NAME", ""), ("RUST_LOG", "create_export_task=info,function_runtime=debug")]].concat();
    let invoked = run(&variables, &[event(json!({"queuedSince": "2026-11-01T04:00:05Z"}))], aws);
    let messages: Vec<&str> = invoked.lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!((messages, invoked.lines.len()), (vec!["ARCHIVE_NAME is not set: no metrics", "decided"], 2));
}

#[test]
fn a_function_that_cannot_start_names_the_wrong_variable() {
    for (name, value, why) in [
        ("ACCOUNT_ID", None, "is missing"),
        ("PARTITION", None, "is missing"),
        ("ARCHIVE_BUCKET", Some("A"), "is \\\"A\\\": "),
        ("S3_PREFIX", Some("/"), "is \\\"/\\\": "),
        ("TIME_ZONE", Some("Tokyo"), "is \\\"Tokyo\\\": give an IANA time zone name"),
        ("SETTLE_DAYS", None, "is missing"),
        ("SETTLE_DAYS", Some("16"), "is \\\"16\\\": give a whole number of days from 0 to 15"),
        ("RUN_TIME_LIMIT_SECONDS", Some("1 h"), "is \\\"1 h\\\": give a number of seconds"),
    ] {
        let others = STACK.into_iter().filter(|(other, _)| *other != name);
        let variables: Vec<_> = others.chain(value.map(|value| (name, value))).collect();
        let error = invoke(env!("CARGO_BIN_EXE_create-export-task"), &variables, &[event(json!({}))], aws).unwrap_err();
        assert!(format!("{error:#}").contains(&format!("the environment variable {name} {why}")), "{error:#}");
    }
}

/// The limit is 20 h, and the test makes it short.
#[test]
fn the_time_limit_of_a_run_is_a_setting() {
    let variables = [&STACK[..], &[("RUN_TIME_LIMIT_SECONDS", "1")]].concat();
    let invoked = run(&variables, &[event(json!({"month": "2024-10", "startTime": "2024-11-01T04:00:05Z"}))], aws);
    assert_eq!(invoked.outcomes[0].response().unwrap()["reason"], "RunTimeOver");
}

#[test]
fn each_request_has_the_name_of_the_function() {
    let invoked = run(&STACK, &[event(json!({}))], aws);
    let operations: Vec<&str> = invoked.requests.iter().map(operation).collect();
    assert_eq!(operations, ["GET", "GET", "GET", "DescribeLogGroups", "DescribeLogStreams", "DescribeExportTasks", "CreateExportTask"]);
    for request in &invoked.requests {
        let agent = request.headers()["user-agent"].to_str().unwrap();
        assert!(agent.split(' ').any(|part| part == "app/create-export-task"), "{agent}");
    }
}
