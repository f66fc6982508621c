use serde_json::json;

use super::*;
use crate::{ErrorName, contract::create, decide::KnownGaps, place::stack};

fn refused(event: Value) -> String {
    let error = Request::parse(&event, &stack()).unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidInput);
    error.message
}

#[test]
fn an_event_with_only_a_task_id_is_valid() {
    let request = Request::parse(&json!({"taskId": "t-1", "status": "CREATED", "other": [1]}), &stack()).unwrap();
    let task_id = TaskId::parse("t-1").unwrap();
    assert_eq!(
        request,
        Request {
            task_id,
            target: None,
            timezone: stack().timezone,
            execution: None,
            warnings: Vec::new(),
            complete_from: None,
            history: WindowHistory::default()
        }
    );
}

#[test]
fn the_response_of_create_export_task_is_a_valid_event() {
    for event in [
        json!({"logGroupName": "/a"}),
        json!({"logGroupName": "/a", "s3BucketName": "other", "s3Prefix": "", "timezone": "UTC", "month": "2026-09", "logStreamNamePrefix": "prod/"}),
        json!({"logGroupName": "/a", "destinationPrefix": "{year}/{month}/x", "month": "2026-10", "from": 5, "to": 5, "execution": "arn:e",
            "isOpen": true, "seenSince": "2026-10-02T04:00:00Z"}),
    ] {
        let created = create::Request::parse(&event, &stack()).unwrap();
        let target = created.target(&stack(), "2026-11-02T04:00:05Z".parse().unwrap()).unwrap();
        let warning = crate::warning::Warning::new(crate::warning::WarningName::RetentionShorterThanMonth, "m");
        let gaps = KnownGaps { complete_from: Some(Millis(7)), warnings: vec![warning] };
        let answer = json!(created.respond(target.clone(), create::TaskAction::Created(TaskId::parse("t-1").unwrap()), gaps));
        let request = Request::parse(&answer, &stack()).unwrap();
        assert_eq!(request.target, Some(target), "{event}");
        assert_eq!(
            (request.timezone, request.execution, request.complete_from, request.history),
            (created.timezone, created.execution, Some(Millis(7)), created.history),
            "{event}"
        );
        assert_eq!(request.warnings, [json!({"name": "RetentionShorterThanMonth", "message": "m"})], "{event}");
    }
}

#[test]
fn the_error_names_each_wrong_field() {
    assert_eq!(
        refused(json!({"taskId": null, "timezone": "Tokyo", "warnings": 3})),
        "taskId is null: write it as a text in double quotes; timezone is \"Tokyo\": give an IANA time zone name such as Asia/Tokyo, Europe/Berlin or \
         UTC; warnings is 3: give the list of create-export-task's response, or leave the field out"
    );
    assert_eq!(refused(json!({})), "taskId is missing: it is required");
    assert_eq!(refused(json!([])), "the event is []: give a JSON object");
    assert_eq!(
        refused(json!({"taskId": "t/../x", "logGroupName": "/a"})),
        "taskId is \"t/../x\": give CloudWatch's id of an export task, such as 0a1b2c3d-0000-4000-8000-000000000000; month is missing: it is \
         required; from is missing: it is required; to is missing: it is required"
    );
    for warnings in [
        json!(["x"]),
        json!([{}]),
        json!([{"name": "n"}]),
        json!([{"name": "n", "message": 1}]),
        json!([{"name": "n", "message": "m", "x": 1}]),
    ] {
        assert!(refused(json!({"taskId": "t", "warnings": warnings})).starts_with("warnings is ["), "{warnings}");
    }
}
