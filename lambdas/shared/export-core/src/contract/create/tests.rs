use serde_json::json;

use super::*;
use crate::place::stack;

fn request(event: Value) -> Request {
    Request::parse(&event, &stack()).unwrap()
}

#[track_caller]
fn target(event: Value) -> Target {
    request(event).target(&stack(), now()).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-02T04:00:05Z".parse().unwrap()
}

#[test]
fn the_event_of_the_2019_design_is_valid() {
    let target = target(json!({"s3BucketName": "archive", "s3Prefix": "", "logGroupName": "/ecs/web"}));
    assert_eq!(target.month.to_string(), "2026-10");
    assert_eq!(target.window, Window { from: Millis(1_790_780_400_000), to: Millis(1_793_458_799_999) });
    assert_eq!((target.place.bucket.as_str(), target.destination_prefix().as_str()), ("archive", "log_group=/ecs/web/year=2026/month=10"));
}

#[test]
fn an_event_with_only_a_log_group_is_valid() {
    let target = target(json!({"logGroupName": "arn:aws:logs:ap-northeast-1:111122223333:log-group:/ecs/web"}));
    assert_eq!(target.place.bucket, stack().bucket);
    assert_eq!(target.destination_prefix(), "logs/log_group=/ecs/web/year=2026/month=10");
}

#[test]
fn the_month_comes_from_the_event_or_the_schedule_or_the_start() {
    for (changes, month) in [
        (json!({"month": "2025-02", "scheduledTime": "2026-11-01T04:00:00Z"}), "2025-02"),
        (json!({"scheduledTime": "2026-08-01T04:00:00Z", "startTime": "2026-09-02T00:00:00Z"}), "2026-07"),
        (json!({"startTime": "2026-09-02T00:00:00Z"}), "2026-08"),
        (json!({}), "2026-10"),
    ] {
        let mut event = json!({"logGroupName": "/a"});
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        assert_eq!(target(event).month.to_string(), month, "{changes}");
    }
}

#[test]
fn a_complete_planned_window_is_used_unchanged() {
    let event = |to: i64| json!({"logGroupName": "/a", "month": "2026-10", "from": 1_790_780_400_000_i64, "to": to, "startTime": "2026-11-01T03:00:00Z"});
    assert_eq!(target(event(1_790_780_400_000)).window, Window { from: Millis(1_790_780_400_000), to: Millis(1_790_780_400_000) });
    assert_eq!(target(event(1_793_458_799_999)).window.to, Millis(1_793_458_799_999));
    let error = request(event(1_793_458_800_000)).target(&stack(), now()).unwrap_err();
    assert_eq!(error.name, ErrorName::MonthNotComplete);
    assert!(error.message.starts_with("month 2026-10: to is 1793458800000, and the window is complete from"), "{error}");
}

#[test]
fn settle_days_of_the_stack_do_not_apply_to_a_planned_window() {
    let stack = Stack { settle_days: crate::SettleDays::new(15.0).unwrap(), ..stack() };
    let target = |changes: Value| {
        let mut event = json!({"logGroupName": "/a"});
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        Request::parse(&event, &stack).unwrap().target(&stack, now())
    };
    assert_eq!(target(json!({})).unwrap().month.to_string(), "2026-09");
    assert_eq!(target(json!({"startTime": "2026-11-16T03:00:00Z"})).unwrap().month.to_string(), "2026-10");
    let error = target(json!({"month": "2026-10"})).unwrap_err();
    assert_eq!(error.name, ErrorName::MonthNotComplete);
    assert!(error.message.contains("is complete from 2026-11-16T03:00:00Z on") && error.message.contains("settleDays is 15"), "{error}");
    // Its run had other settleDays, or allowIncompleteMonth.
    let october = Window { from: Millis(1_790_780_400_000), to: Millis(1_793_458_799_999) };
    let planned = target(json!({"month": "2026-10", "from": october.from, "to": october.to, "startTime": "2026-11-01T03:00:00Z"}));
    assert_eq!(planned.unwrap().window, october);
}

#[test]
fn every_problem_of_an_event_is_named() {
    let message = |event: Value| {
        let error = Request::parse(&event, &stack()).unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidInput);
        error.message
    };
    let wrong =
        message(json!({"s3BucketName": "b", "logGroupname": "/a", "startTime": "now", "destinationPrefix": "x", "from": -1, "to": 1}));
    for part in [
        "s3BucketName is \"b\": give the bucket's bare name",
        "logGroupname is not a known field: use one of s3BucketName, s3Prefix, logGroupName,",
        "logGroupName is missing: it is required",
        "startTime is \"now\": write an instant",
        "destinationPrefix is \"x\": it must contain {year} and {month}",
        "from is -1: give UTC epoch milliseconds as a number",
        "from is given without to or month: give all three, or none of from and to",
    ] {
        assert!(wrong.contains(part), "{part} in {wrong}");
    }
    assert_eq!(message(json!("x")), "the event is \"x\": give a JSON object");
    let swapped = json!({"logGroupName": "/a", "month": "2026-10", "from": 2, "to": 1});
    assert_eq!(message(swapped), "from is 2: it must not be later than to, which is 1");
    assert!(message(json!({"logGroupName": "/a", "to": 1, "month": "2026-10"})).starts_with("from is given without to or month"));
}

#[test]
fn the_task_name_depends_on_the_place_and_the_window() {
    let name = |changes: Value| {
        let mut event = json!({"logGroupName": "/ecs/web", "month": "2026-09"});
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        target(event).task_name()
    };
    let first = name(json!({}));
    assert!(first.starts_with("archive-2026-09-") && first.len() == 32, "{first}");
    for same in [
        json!({"execution": "arn:b", "scheduledTime": "2026-11-01T04:00:00Z", "force": true, "allowIncompleteMonth": true}),
        json!({"s3BucketName": "my-archive", "s3Prefix": "logs", "destinationPrefix": crate::destination::DEFAULT_TEMPLATE_TEXT}),
        json!({"from": 1_788_188_400_000_i64, "to": 1_790_780_399_999_i64, "queuedSince": "2026-11-01T04:00:00Z"}),
    ] {
        assert_eq!(name(same.clone()), first, "{same}");
    }
    let others = [
        json!({"s3BucketName": "other-archive"}),
        json!({"s3Prefix": "other"}),
        json!({"logGroupName": "/ecs/api"}),
        json!({"destinationPrefix": "{year}/{month}"}),
        json!({"month": "2026-08"}),
        json!({"timezone": "UTC"}),
        json!({"logStreamNamePrefix": "prod/"}),
        json!({"from": 1_788_188_400_000_i64, "to": 1_790_780_399_998_i64}),
    ];
    let names: std::collections::BTreeSet<_> = others.into_iter().map(name).chain([first]).collect();
    assert_eq!(names.len(), 9, "{names:?}");
}

#[test]
fn the_response_has_the_fields_of_the_request_and_the_decision() {
    let request = request(json!({"s3Prefix": "", "logGroupName": "/a", "timezone": "UTC", "month": "2026-10", "execution": "arn:e",
        "isOpen": true, "seenSince": "2026-10-02T04:00:00Z"}));
    let answer = |task| json!(request.respond(request.target(&stack(), now()).unwrap(), task, KnownGaps::default()));
    let created = json!({"s3BucketName": "my-archive", "s3Prefix": "", "logGroupName": "/a", "timezone": "UTC", "force": false,
        "execution": "arn:e", "month": "2026-10", "from": 1_790_812_800_000_i64, "to": 1_793_491_199_999_i64,
        "destinationPrefix": "log_group=/a/year=2026/month=10", "destination": "log_group=/a/year={year}/month={month}",
        "taskId": "t-1", "status": "CREATED", "reason": null, "warnings": [], "isOpen": true, "seenSince": "2026-10-02T04:00:00Z"});
    let task_id = TaskId::parse("t-1").unwrap();
    assert_eq!(answer(TaskAction::Created(task_id.clone())), created);
    assert_eq!(answer(TaskAction::Adopted(task_id))["status"], "ADOPTED");
    let skipped = answer(TaskAction::Skipped(SkipReason::PartlyArchived));
    assert_eq!((&skipped["status"], &skipped["reason"], &skipped["taskId"]), (&json!("SKIPPED"), &json!("PartlyArchived"), &json!(null)));
}

#[test]
fn the_time_limit_counts_from_the_start_of_the_run() {
    let request = request(json!({"logGroupName": "/a", "startTime": "2026-11-01T04:00:00Z"}));
    let over = |now: &str| request.is_run_time_over(TimeDelta::hours(20), now.parse().unwrap());
    assert!(!over("2026-11-02T00:00:00Z") && over("2026-11-02T00:00:00.001Z"));
    assert_eq!(request.run_start(now()), "2026-11-01T04:00:00Z".parse::<DateTime<Utc>>().unwrap());
}
