use serde_json::json;

use super::*;

fn plan() -> Plan {
    Plan {
        sequence: 3,
        next: Next::Export,
        items: S3Object { bucket: "work".into(), key: "plans/one/items-3.json".into() },
        results: S3Folder { bucket: "work".into(), prefix: "plans/one/results-3".into() },
        compact: vec!["2026-10".parse().unwrap()],
    }
}

fn request(state: Value) -> Request {
    let execution = "arn:aws:states:ap-northeast-1:111122223333:execution:export-logs:one";
    Request::parse(&json!({"execution": execution, "startTime": "2026-11-01T04:00:00Z", "state": state})).unwrap()
}

#[test]
fn a_state_is_the_input_of_the_run_or_its_last_plan() {
    let written = json!({"sequence": 3, "next": "EXPORT", "items": {"bucket": "work", "key": "plans/one/items-3.json"},
        "results": {"bucket": "work", "prefix": "plans/one/results-3"}, "compact": ["2026-10"]});
    assert_eq!(json!(plan()), written);
    for state in
        [json!({"plan": written}), json!({"plan": written, "exported": {"x": 1}}), json!({"plan": written, "exportError": {}, "error": {}})]
    {
        assert_eq!(request(state.clone()).plan(), Some(plan()), "{state}");
    }
    // Valid and invalid inputs: `RunInput` refuses the field.
    for state in [
        json!({"logGroups": ["/a"]}),
        json!({"logGroups": ["/a"], "plan": written}),
        json!({"plan": {"sequence": 1}}),
        json!({}),
        json!(null),
    ] {
        assert_eq!(request(state.clone()).plan(), None, "{state}");
    }
    assert_eq!(work_folder(&request(json!({})).execution), "plans/one");
    let error = Request::parse(&json!({"state": {}, "startTime": "now", "x": 1})).unwrap_err();
    assert_eq!(
        error.message,
        "x is not a known field: use one of execution, startTime, state; execution is missing: it is required; startTime is \"now\": write an \
         instant with its time zone, such as 2026-11-01T04:00:00Z"
    );
}

#[test]
fn results_with_missing_or_unknown_fields_are_accepted() {
    let failed = |name, message: &str| ChildResult::Failed(ExportError::new(name, message));
    let other_error = |error: &str, cause: &str| ChildResult::OtherError { error: error.into(), cause: cause.into() };
    let lambdas = json!({"errorType": "ExportTaskFailed", "errorMessage": "m", "stackTrace": []}).to_string();
    let checked = json!({"status": "COMPLETED", "outcome": "exported", "reason": null, "taskId": "t", "objects": 2, "bytes": 7, "seconds": 1.5,
        "warnings": [{"name": "HiddenFromAthena", "message": "m"}, {"name": "OfAnotherVersion", "message": "m"}, 3], "more": 1});
    let warnings = vec![Warning { name: crate::warning::WarningName::HiddenFromAthena, message: "m".into() }];
    let task_id = Some(TaskId::parse("t").unwrap());
    let nothing =
        |outcome, reason| ChildResult::Checked { outcome, reason, task_id: None, objects: 0, bytes: 0, seconds: 0.0, warnings: Vec::new() };
    for (record, expected) in [
        (
            json!({"Output": checked.to_string()}),
            ChildResult::Checked { outcome: Outcome::Exported, reason: None, task_id, objects: 2, bytes: 7, seconds: 1.5, warnings },
        ),
        (json!({"Output": json!({"outcome": "empty"}).to_string()}), nothing(Outcome::Empty, None)),
        (
            json!({"Output": json!({"outcome": "skipped", "reason": "ExpiredBeforeFirstRun"}).to_string()}),
            nothing(Outcome::Skipped, Some(Reason::ExpiredBeforeFirstRun)),
        ),
        (json!({"Output": json!({"outcome": "lost", "reason": "Damaged"}).to_string()}), nothing(Outcome::Lost, Some(Reason::Damaged))),
        (
            json!({"Output": json!({"status": "SKIPPED", "reason": "RunTimeOver"}).to_string()}),
            ChildResult::Skipped(SkipReason::RunTimeOver),
        ),
        (
            json!({"Output": json!({"status": "SKIPPED", "reason": "Other"}).to_string()}),
            other_error("Unexpected", "a child ended with {\"reason\":\"Other\",\"status\":\"SKIPPED\"}"),
        ),
        (json!({"Status": "FAILED", "Error": "ExportTaskFailed", "Cause": lambdas}), failed(ErrorName::ExportTaskFailed, "m")),
        (json!({"Status": "FAILED", "Error": "AccessDenied", "Cause": "not JSON"}), failed(ErrorName::AccessDenied, "not JSON")),
        (json!({"Status": "FAILED", "Error": "States.Timeout", "Cause": "c", "Output": "{}"}), other_error("States.Timeout", "c")),
        (json!({"Status": "TIMED_OUT"}), other_error("TIMED_OUT", "arn")),
        (json!({"Output": "{"}), other_error("SUCCEEDED", "arn")),
    ] {
        let mut whole = json!({"ExecutionArn": "arn", "Input": "{\"from\": 1}", "Status": "SUCCEEDED", "StartDate": 1});
        whole.as_object_mut().unwrap().extend(record.as_object().unwrap().clone());
        assert_eq!(ChildResult::parse(&whole), Some((json!({"from": 1}), expected)), "{record}");
    }
    for record in [json!(null), json!([]), json!({"Status": "SUCCEEDED"}), json!({"Input": "{"}), json!({"Input": {"from": 1}})] {
        assert_eq!(ChildResult::parse(&record), None, "{record}");
    }
}

#[test]
fn the_next_round_plans_only_errors_that_a_new_task_can_help() {
    let error = |name| ChildResult::Failed(ExportError::new(name, "m")).error().map(|error| error.name);
    assert_eq!(error(ErrorName::ExportTaskFailed), Some(ErrorName::ExportTaskFailed));
    assert_eq!(
        ChildResult::OtherError { error: "States.Timeout".into(), cause: "c".into() }.error(),
        Some(ExportError::new(ErrorName::Unexpected, "States.Timeout: c"))
    );
    assert_eq!(ChildResult::Skipped(SkipReason::RunTimeOver).error(), None);
}

#[test]
fn a_planned_window_is_an_event_of_create_export_task() {
    let request = request(json!({}));
    let stack = crate::place::stack();
    let created =
        super::super::create::Request::parse(&json!({"logGroupName": "/a", "logStreamNamePrefix": "p", "month": "2026-10"}), &stack)
            .unwrap();
    let item = Item {
        source: created.source.clone(),
        timezone: "UTC".into(),
        month: "2026-10".parse().unwrap(),
        from: Millis(1),
        to: Millis(2),
        force: true,
        start_time: crate::time::format_instant(request.start_time),
        execution: request.execution.clone(),
        history: WindowHistory { is_open: true, seen_since: "2026-10-02T04:00:00Z".parse().ok() },
    };
    let read = super::super::create::Request::parse(&json!(item), &stack).unwrap();
    let window = Some(Window { from: Millis(1), to: Millis(2) });
    let (timezone, start_time, execution) = (chrono_tz::UTC, Some(request.start_time), Some(request.execution.clone()));
    let history = WindowHistory { is_open: true, seen_since: "2026-10-02T04:00:00Z".parse().ok() };
    assert_eq!(read, super::super::create::Request { window, timezone, start_time, execution, force: true, history, ..created });
}
