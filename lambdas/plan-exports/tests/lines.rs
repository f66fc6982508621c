//! The program's lines on standard output, and the application name in its requests to AWS.

use fake_aws::{EXECUTION, STACK};
use runtime_api::{Request, invoke, operation};
use serde_json::json;

fn aws(request: &Request) -> (u16, String) {
    match operation(request) {
        "DescribeLogGroups" => (200, json!({"logGroups": [{"logGroupName": "/ecs/web"}]}).to_string()),
        "DescribeLogStreams" => (200, json!({"logStreams": [{"logStreamName": "s"}]}).to_string()),
        _ => (200, "<ListBucketResult/>".to_owned()),
    }
}

#[test]
fn a_plan_writes_log_lines_and_its_requests_have_the_name_of_the_function() {
    let event = json!({"execution": EXECUTION, "startTime": "2026-11-01T04:00:05Z", "state": {"logGroups": ["/ecs/web"]}});
    let invoked = invoke(env!("CARGO_BIN_EXE_plan-exports"), &STACK, &[event], aws).unwrap();
    assert_eq!(invoked.outcomes[0].response().unwrap()["next"], "EXPORT");
    let about = json!({"level": "INFO", "name": "invocation", "requestId": "request-1", "execution": EXECUTION, "month": "2026-10"});
    assert_eq!(invoked.lines, [fake_aws::merged(about, json!({"message": "planned", "sequence": 1, "next": "Export"}))]);
    for request in &invoked.requests {
        let agent = request.headers()["user-agent"].to_str().unwrap();
        assert!(agent.split(' ').any(|part| part == "app/plan-exports"), "{agent}");
    }
}
