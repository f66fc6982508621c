//! The program's lines on standard output, and the application name in its requests to AWS.

use fake_aws::{EXECUTION, STACK, merged};
use runtime_api::{Request, invoke, operation};
use serde_json::{Value, json};

fn aws(request: &Request) -> (u16, String) {
    match operation(request) {
        "POST" => (200, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>".to_owned()),
        "GET" => (200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_owned()),
        _ => (200, String::new()),
    }
}

#[test]
fn a_run_writes_a_log_line_its_metrics_and_its_error() {
    let state = json!({"error": {"Error": "InvalidInput", "Cause": "no"}, "scheduledTime": "2026-11-01T04:00:00Z"});
    let event = json!({"execution": EXECUTION, "startTime": "2026-11-01T04:00:05Z", "state": state});
    let invoked = invoke(env!("CARGO_BIN_EXE_report-archive"), &STACK, &[event], aws).unwrap();
    assert_eq!(invoked.outcomes[0].error_type(), Some("InvalidInput"));
    let counts = ["WindowsExported", "WindowsEmpty", "WindowsSkipped", "WindowsLost", "WindowsWaiting", "WindowsFailed", "MissingMonths"];
    let metrics = counts.map(|name| (name, 0)).into_iter().chain([("ScheduledRunsEnded", 1), ("ScheduledRunsSucceeded", 0)]);
    let units: Vec<Value> = metrics.clone().map(|(name, _)| json!({"Name": name, "Unit": "Count"})).collect();
    let values: Value = metrics.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let directive = json!({"Namespace": "CloudWatchLogsArchive", "Dimensions": [["Archive"]], "Metrics": units});
    let about = json!({"level": "INFO", "requestId": "request-1", "execution": EXECUTION, "month": "2026-10"});
    let line = |more| merged(merged(about.clone(), json!({"name": "invocation"})), more);
    let expected = [
        line(json!({"message": "reported", "exported": 0, "empty": 0, "skipped": 0, "lost": 0, "waiting": 0, "failed": 0, "missing": 0})),
        line(json!({"level": "ERROR", "message": "ends with an error", "error": "InvalidInput", "cause": "no"})),
        merged(about, merged(json!({"_aws": {"CloudWatchMetrics": [directive]}, "Archive": "archive"}), values)),
    ];
    assert_eq!(invoked.lines, expected);
    assert_eq!(invoked.requests.iter().map(operation).collect::<Vec<_>>(), ["GET", "GET", "PUT", "POST", "PUT"]);
    for request in &invoked.requests {
        let agent = request.headers()["user-agent"].to_str().unwrap();
        assert!(agent.split(' ').any(|part| part == "app/report-archive"), "{agent}");
    }
}
