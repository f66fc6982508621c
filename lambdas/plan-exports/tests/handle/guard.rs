//! What the guard of the schedule answers CloudFormation.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use export_core::ErrorName;

use super::*;

fn schedule(list: &str) -> Value {
    json!({"Name": "archive", "ScheduleExpressionTimezone": "Asia/Tokyo", "Target": {"Input": input(list)}})
}

fn input(list: &str) -> String {
    format!(r#"{{"scheduledTime": "<aws.scheduler.scheduled-time>", "settleDays": 0, "compact": false, "logGroups": {list}}}"#)
}

fn event(request: &str, new: Value, more: Value) -> Value {
    let event = json!({"RequestType": request, "ResponseURL": "http://cloudformation/answers/1?signature=secret", "StackId": "stack",
        "RequestId": "request", "LogicalResourceId": "ScheduleGuard", "ResourceProperties": {"Schedule": new}});
    fake_aws::merged(event, more)
}

async fn answered(aws: &Aws, event: &Value) -> Result<Value, ExportError> {
    assert!(plan_exports::guard::is_request(event));
    plan_exports::guard::answer(event, &stack(), &aws.config(), &SharedHttpConnector::new(aws.clone())).await?;
    Ok(aws.get("answers/1").expect("an answer"))
}

/// The reason of a refusal; empty where the deployment is accepted.
async fn reason(aws: &Aws, event: &Value) -> String {
    let answer = answered(aws, event).await.unwrap();
    assert_eq!([&answer["StackId"], &answer["RequestId"], &answer["LogicalResourceId"]], ["stack", "request", "ScheduleGuard"]);
    assert_eq!(answer["Status"] == "FAILED", answer["Reason"].is_string(), "{answer}");
    answer["Reason"].as_str().unwrap_or_default().to_owned()
}

fn aws_with_list(list: &str) -> Aws {
    aws_with(|state| drop(state.schedules.insert("archive".to_owned(), input(list))))
}

#[tokio::test]
async fn a_deployment_that_no_run_could_use_is_refused() {
    let zone = |zone: &str| fake_aws::merged(schedule(r#"["/a"]"#), json!({ "ScheduleExpressionTimezone": zone }));
    for (new, says) in [
        (schedule(r#"["/a"]"#), ""),
        (zone("Tokyo"), r#"TimeZone is "Tokyo": give an IANA time zone name"#),
        (schedule(r#"["/a" "/b"]"#), "the input is not JSON"),
        (schedule(r#"["/aws/*"]"#), r#"logGroups[0] is "/aws/*": to archive all log groups"#),
        (schedule(r#"["/a", "/a"]"#), "logGroups[1] is the same as logGroups[0], and counts once: leave it out"),
    ] {
        let reason = reason(&Aws::default(), &event("Create", new, json!({}))).await;
        assert!(reason.starts_with(says) && reason.is_empty() == says.is_empty(), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_added_to_the_live_list_is_kept_or_named() {
    let old = |list: &str| json!({"OldResourceProperties": {"Schedule": schedule(list)}, "PhysicalResourceId": "archive-0"});
    let keep = |names: &str, value: &str| {
        format!(
            "the schedule's list has what LogGroups has not, and this deployment would drop it: {names}. To keep it, {value}. To drop it, \
             `logs-archive groups remove` it first."
        )
    };
    let many: Vec<String> = (0..300).map(|number| format!("\"/many/{number:03}\"")).collect();
    let named = format!("{}, and 295 more", many[..5].join(", "));
    for (live, before, new, expected) in [
        (r#"["/a"]"#, r#"["/a"]"#, r#"["/b"]"#, String::new()),
        (r#"["/a", "/b"]"#, r#"["/a"]"#, r#"["/a", {"logGroupName": "/b"}]"#, String::new()),
        (r#"["/a", "/b"]"#, r#"["/a"]"#, r#"["/a", "/c"]"#, keep(r#""/b""#, "deploy with LogGroups=/a,/c,/b")),
        (
            r#"["/a", {"logGroupNamePrefix": "/b"}]"#,
            r#"["/a"]"#,
            r#"["/a"]"#,
            keep(r#"{"logGroupNamePrefix":"/b"}"#, r#"deploy with 'LogGroups="[\"/a\",{\"logGroupNamePrefix\":\"/b\"}]"'"#),
        ),
        (
            &format!("[{}]", many.join(", ")),
            r#"["/a"]"#,
            r#"["/a"]"#,
            keep(&named, "deploy with LogGroups as `logs-archive groups list --output json` shows the list"),
        ),
        ("no list", r#"["/a"]"#, r#"["/b"]"#, String::new()),
    ] {
        let aws = aws_with_list(live);
        assert_eq!(reason(&aws, &event("Update", schedule(new), old(before))).await, expected, "{live}");
    }
    // A schedule that is there when the guard is made, and one that nobody may read.
    let create = event("Create", schedule(r#"["/a"]"#), json!({}));
    assert_eq!(reason(&aws_with_list(r#"["/a", "/b"]"#), &create).await, keep(r#""/b""#, "deploy with LogGroups=/a,/b"));
    let aws = aws_with(|state| state.refuse("GetSchedule", 403, "AccessDeniedException", "no"));
    assert_eq!(reason(&aws, &create).await, "the list of schedule archive could not be read (no): deploy again");
    // IAM does not know the permission at once.
    let aws = aws_with(|state| state.refuse_once("GetSchedule", 403, "AccessDeniedException", "no"));
    assert_eq!(reason(&aws, &create).await, "");
}

/// CloudFormation sends the properties that were accepted last when it takes back what was refused, and asks before a deletion.
#[tokio::test]
async fn a_rollback_of_a_refusal_and_a_deletion_are_never_refused() {
    let aws = aws_with_list(r#"["/a", "/b"]"#);
    let (old, new) = (schedule(r#"["/a"]"#), schedule(r#"["/a", "/c"]"#));
    let created = answered(&Aws::default(), &event("Create", old.clone(), json!({}))).await.unwrap();
    let id = &created["PhysicalResourceId"];
    let update = event("Update", new.clone(), json!({"PhysicalResourceId": id, "OldResourceProperties": {"Schedule": old}}));
    let refused = answered(&aws, &update).await.unwrap();
    assert_eq!((&refused["Status"], &refused["PhysicalResourceId"]), (&json!("FAILED"), id));
    aws.forget_calls();
    let rollback = event("Update", old, json!({"PhysicalResourceId": id, "OldResourceProperties": {"Schedule": new}}));
    assert_eq!(reason(&aws, &rollback).await, "");
    assert_eq!(aws.get("answers/1").unwrap()["PhysicalResourceId"], *id);
    let wrong = fake_aws::merged(schedule("no list"), json!({"ScheduleExpressionTimezone": "Tokyo"}));
    assert_eq!(reason(&aws, &event("Delete", wrong, json!({ "PhysicalResourceId": id }))).await, "");
    assert_eq!(aws.names(&["GetSchedule"]), [""; 0]);
}

/// Then Lambda repeats the call. The URL is a secret.
#[tokio::test]
async fn an_answer_that_is_not_taken_is_an_error_without_the_url() {
    let aws = aws_with(|state| state.refuse("PUT answers/1", 403, "AccessDenied", "expired"));
    let error = answered(&aws, &event("Create", schedule(r#"["/a"]"#), json!({}))).await.unwrap_err();
    assert_eq!(error, ExportError::new(ErrorName::Unexpected, "CloudFormation did not take the answer: status 403"));
    let state = json!({"RequestType": "Create", "logGroups": ["/a"]});
    assert!(!plan_exports::guard::is_request(&run(state)));
}
