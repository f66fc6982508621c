use serde_json::json;

use super::*;
use crate::ErrorName;

fn request(event: Value) -> Request {
    Request::parse(&event).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-02T04:00:05Z".parse().unwrap()
}

#[test]
fn the_event_of_2019_works() {
    let request = request(json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web"}));
    let export = request.export(now()).unwrap();
    assert_eq!(export.month.to_string(), "2026-10");
    assert_eq!(export.window, Window { from: 1_790_780_400_000, to: 1_793_458_799_999 });
    assert_eq!(export.destination_prefix, "logs/log_group=/ecs/web/year=2026/month=10");
}

#[test]
fn the_executions_start_counts_before_the_functions_clock() {
    let request = request(json!({"s3BucketName": "archive", "logGroupName": "/a", "startTime": "2026-09-02T00:00:00Z"}));
    assert_eq!(request.export(now()).unwrap().month.to_string(), "2026-08");
}

#[test]
fn every_problem_of_an_event_is_named() {
    let error = Request::parse(&json!({"s3BucketName": "archive", "logGroupname": "/a", "startTime": "now", "destinationPrefix": "x"}))
        .unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidInput);
    for part in [
        "logGroupname is not a known field: use one of s3BucketName, s3Prefix, timezone, month, scheduledTime, force, allowIncompleteMonth, logGroupName,",
        "logGroupName is missing: it is required",
        "startTime is \"now\": write an instant",
        "destinationPrefix is \"x\": it must contain {year} and {month}",
    ] {
        assert!(error.message.contains(part), "{part} in {}", error.message);
    }
    assert_eq!(Request::parse(&json!("x")).unwrap_err().message, "the event is \"x\": give a JSON object");
}

#[test]
fn the_task_name_is_the_entrys_and_windows_own() {
    let name = |changes: Value| {
        let mut event = json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web", "month": "2026-10"});
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let request = request(event);
        request.task_name(&request.export(now()).unwrap())
    };
    let first = name(json!({}));
    assert!(first.starts_with("archive-2026-10-") && first.len() == 32, "{first}");
    assert_eq!(
        first,
        name(json!({"execution": "arn:b", "scheduledTime": "2026-11-01T04:00:00Z"})),
        "the same entry and window, in another run"
    );
    let others = [
        json!({"s3BucketName": "other-archive"}),
        json!({"s3Prefix": "other"}),
        json!({"logGroupName": "/ecs/api"}),
        json!({"month": "2026-09"}),
        json!({"timezone": "UTC"}),
        json!({"logStreamNamePrefix": "prod/"}),
        json!({"force": true, "execution": "arn:a"}),
        json!({"force": true, "execution": "arn:b"}),
        json!({"month": "2026-11", "allowIncompleteMonth": true, "execution": "arn:a"}),
        json!({"month": "2026-11", "allowIncompleteMonth": true, "execution": "arn:b"}),
    ];
    let mut names: Vec<_> = others.into_iter().map(name).chain([first]).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 11, "{names:?}");
}

#[test]
fn the_answer_carries_the_requests_fields_and_the_decision() {
    let request =
        request(json!({"s3BucketName": "archive", "logGroupName": "/a", "timezone": "UTC", "month": "2026-10", "execution": "arn:e"}));
    let export = request.export(now()).unwrap();
    let answer = |task| serde_json::to_value(request.respond(export.clone(), task, Vec::new())).unwrap();
    assert_eq!(
        answer(Task::Created { task_id: "t-1".into() }),
        json!({"s3BucketName": "archive", "s3Prefix": "", "logGroupName": "/a", "timezone": "UTC", "force": false, "allowIncompleteMonth": false,
            "execution": "arn:e", "month": "2026-10", "from": 1790812800000i64, "to": 1793491199999i64,
            "destinationPrefix": "log_group=/a/year=2026/month=10", "taskId": "t-1", "status": "CREATED", "reason": null, "warnings": []})
    );
    let skipped = answer(Task::Skipped { reason: SkipReason::LogGroupNotFound });
    assert_eq!((&skipped["status"], &skipped["reason"], &skipped["taskId"]), (&json!("SKIPPED"), &json!("LogGroupNotFound"), &json!(null)));
}
