//! The function as the state machine calls it, with the real SDK client and AWS's answers mocked on the wire.

use aws_sdk_cloudwatchlogs::{
    Client,
    operation::{create_export_task::CreateExportTaskInput, describe_log_groups::DescribeLogGroupsOutput},
    types::LogGroup,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use chrono::{DateTime, Utc};
use create_export_task::CreateExportTask;
use export_core::{ErrorName, ExportError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const WINDOW: (i64, i64) = (1_790_780_400_000, 1_793_458_799_999);

fn now() -> DateTime<Utc> {
    "2026-11-01T04:00:05Z".parse().unwrap()
}

fn event() -> Value {
    json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web"})
}

async fn handle(event: Value, rules: &[&Rule]) -> Result<Value, ExportError> {
    let logs = mock_client!(aws_sdk_cloudwatchlogs, RuleMode::MatchAny, rules);
    CreateExportTask::with_client(logs, "ap-northeast-1".into()).handle(event, now()).await
}

/// DescribeLogGroups answers with log groups of these names.
fn log_groups(names: &'static [&'static str]) -> Rule {
    mock!(Client::describe_log_groups).match_requests(|request| request.log_group_name_prefix() == Some("/ecs/web")).then_output(|| {
        let groups = names.iter().map(|name| LogGroup::builder().log_group_name(*name).build()).collect();
        DescribeLogGroupsOutput::builder().set_log_groups(Some(groups)).build()
    })
}

/// An answer as AWS sends it on the wire.
fn refusal(status: u16, code: &str, message: &str) -> aws_smithy_runtime_api::http::Response {
    let body = json!({"__type": code, "message": message}).to_string();
    aws_smithy_runtime_api::http::Response::new(status.try_into().unwrap(), body.into())
}

fn create_refuses(status: u16, code: &'static str, message: &'static str) -> Rule {
    mock!(Client::create_export_task).then_http_response(move || refusal(status, code, message))
}

fn create_answers(requests: Arc<Mutex<Vec<CreateExportTaskInput>>>) -> Rule {
    mock!(Client::create_export_task)
        .match_requests(move |request| {
            requests.lock().unwrap().push(request.clone());
            true
        })
        .then_output(|| aws_sdk_cloudwatchlogs::operation::create_export_task::CreateExportTaskOutput::builder().task_id("task-1").build())
}

#[tokio::test]
async fn asks_cloudwatch_for_exactly_the_month() {
    let requests = Arc::default();
    let create = create_answers(Arc::clone(&requests));
    let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &create]).await.unwrap();
    let requests = requests.lock().unwrap();
    let [request] = requests.as_slice() else { panic!("one request, not {requests:?}") };
    assert_eq!((request.from(), request.to()), (Some(WINDOW.0), Some(WINDOW.1)));
    assert_eq!(request.log_group_name(), Some("/ecs/web"));
    assert_eq!(request.destination(), Some("archive"));
    assert_eq!(request.destination_prefix(), Some("logs/log_group=/ecs/web/year=2026/month=10"));
    assert_eq!(request.log_stream_name_prefix(), None);
    assert!(request.task_name().unwrap().starts_with("archive-2026-10-"));
    assert_eq!(
        answer,
        json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web", "timezone": "Asia/Tokyo", "force": false,
            "allowIncompleteMonth": false, "month": "2026-10", "from": WINDOW.0, "to": WINDOW.1,
            "destinationPrefix": "logs/log_group=/ecs/web/year=2026/month=10", "taskId": "task-1", "status": "CREATED", "reason": null, "warnings": []})
    );
}

#[tokio::test]
async fn hands_on_the_log_stream_prefix() {
    let requests = Arc::default();
    let create = create_answers(Arc::clone(&requests));
    let event = json!({"s3BucketName": "archive", "logGroupName": "/ecs/web", "logStreamNamePrefix": "prod/"});
    handle(event, &[&log_groups(&["/ecs/web"]), &create]).await.unwrap();
    assert_eq!(requests.lock().unwrap()[0].log_stream_name_prefix(), Some("prod/"));
}

#[tokio::test]
async fn a_missing_log_group_is_skipped_and_never_created() {
    // Others may begin with the same name.
    for groups in [log_groups(&[]), log_groups(&["/ecs/web-api", "/ecs/web/2"])] {
        let answer = handle(event(), &[&groups]).await.unwrap();
        assert_eq!(
            (&answer["status"], &answer["reason"], &answer["taskId"]),
            (&json!("SKIPPED"), &json!("LogGroupNotFound"), &Value::Null)
        );
    }
}

#[tokio::test]
async fn the_log_group_is_looked_for_on_every_page() {
    let page = |token: Option<&'static str>, name: &'static str, next: Option<&'static str>| {
        mock!(Client::describe_log_groups).match_requests(move |request| request.next_token() == token).then_output(move || {
            DescribeLogGroupsOutput::builder()
                .log_groups(LogGroup::builder().log_group_name(name).build())
                .set_next_token(next.map(str::to_owned))
                .build()
        })
    };
    let create = create_answers(Arc::default());
    let answer = handle(event(), &[&page(None, "/ecs/web-api", Some("2")), &page(Some("2"), "/ecs/web", None), &create]).await.unwrap();
    assert_eq!(answer["taskId"], "task-1");
}

#[tokio::test]
async fn a_log_group_deleted_meanwhile_is_skipped() {
    let gone = create_refuses(400, "ResourceNotFoundException", "The specified log group does not exist.");
    let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &gone]).await.unwrap();
    assert_eq!((&answer["status"], &answer["reason"]), (&json!("SKIPPED"), &json!("LogGroupNotFound")));
}

#[tokio::test]
async fn a_retention_shorter_than_the_month_is_a_warning() {
    let short = mock!(Client::describe_log_groups).then_output(|| {
        DescribeLogGroupsOutput::builder().log_groups(LogGroup::builder().log_group_name("/ecs/web").retention_in_days(30).build()).build()
    });
    let answer = handle(event(), &[&short, &create_answers(Arc::default())]).await.unwrap();
    assert_eq!(answer["status"], "CREATED");
    assert_eq!(answer["warnings"][0]["name"], "RetentionShorterThanMonth");
    assert!(
        answer["warnings"][0]["message"].as_str().unwrap().contains("those before 2026-10-02T04:00:05Z are deleted or about to be"),
        "{answer}"
    );
    let long = mock!(Client::describe_log_groups).then_output(|| {
        DescribeLogGroupsOutput::builder().log_groups(LogGroup::builder().log_group_name("/ecs/web").retention_in_days(60).build()).build()
    });
    let answer = handle(event(), &[&long, &create_answers(Arc::default())]).await.unwrap();
    assert_eq!(answer["warnings"], json!([]));
}

#[tokio::test]
async fn a_busy_slot_is_asked_once_and_names_its_holder() {
    let busy = create_refuses(400, "LimitExceededException", "Resource limit exceeded.");
    let tasks = mock!(Client::describe_export_tasks).then_http_response(|| {
        let ended = json!({"taskId": "t-8", "logGroupName": "/b", "status": {"code": "COMPLETED"}});
        let holder = json!({"taskId": "t-7", "taskName": "other", "logGroupName": "/a", "status": {"code": "PENDING_CANCEL"}, "executionInfo": {"creationTime": 1793458800000i64}});
        aws_smithy_runtime_api::http::Response::new(200.try_into().unwrap(), json!({"exportTasks": [ended, holder]}).to_string().into())
    });
    let error = handle(event(), &[&log_groups(&["/ecs/web"]), &busy, &tasks]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ExportSlotBusy);
    assert_eq!(
        error.message,
        "the account's only export slot in this Region is held by task t-7 of log group /a (name other, created 2026-10-31T15:00:00.000Z)"
    );
    assert_eq!(busy.num_calls(), 1, "the SDK must not retry CreateExportTask by itself");
}

#[tokio::test]
async fn a_busy_slot_is_busy_also_when_its_holder_cannot_be_told() {
    let busy = create_refuses(400, "LimitExceededException", "Resource limit exceeded.");
    let denied = mock!(Client::describe_export_tasks).then_http_response(|| refusal(400, "AccessDeniedException", "no"));
    let error = handle(event(), &[&log_groups(&["/ecs/web"]), &busy, &denied]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ExportSlotBusy);
    assert!(error.message.contains("DescribeExportTasks answered AccessDeniedException: no"), "{error}");
}

#[tokio::test]
async fn each_refusal_has_its_name_and_is_not_repeated_by_the_sdk() {
    for (status, code, message, name) in [
        (400, "ThrottlingException", "Rate exceeded", ErrorName::LogsThrottled),
        (503, "ServiceUnavailableException", "try later", ErrorName::LogsUnavailable),
        (400, "OperationAbortedException", "conflict", ErrorName::LogsUnavailable),
        (
            400,
            "InvalidParameterException",
            "The given bucket does not exist. Please make sure the bucket is valid.",
            ErrorName::DestinationRejected,
        ),
        (400, "AccessDeniedException", "GetBucketAcl call on the given bucket failed.", ErrorName::DestinationRejected),
        (400, "AccessDeniedException", "User is not authorized to perform: logs:CreateExportTask", ErrorName::AccessDenied),
        (400, "InvalidParameterException", "1 validation error detected", ErrorName::InvalidInput),
        (400, "SomethingNewException", "surprise", ErrorName::Unexpected),
    ] {
        let refused = create_refuses(status, code, message);
        let error = handle(event(), &[&log_groups(&["/ecs/web"]), &refused]).await.unwrap_err();
        assert_eq!(error.name, name, "{code}: {error}");
        assert!(error.message.contains(message), "{error}");
        assert_eq!(refused.num_calls(), 1, "{code}");
    }
}

#[tokio::test]
async fn what_the_input_alone_shows_costs_no_call() {
    for (event, name) in [
        (json!({"s3BucketName": "archive", "logGroupName": "a:b"}), ErrorName::InvalidInput),
        (json!({"s3BucketName": "archive", "logGroupName": "/a", "month": "2026-11"}), ErrorName::MonthNotComplete),
        (json!(["no", "object"]), ErrorName::InvalidInput),
        (json!(null), ErrorName::InvalidInput),
    ] {
        assert_eq!(handle(event.clone(), &[]).await.unwrap_err().name, name, "{event}");
    }
}

#[tokio::test]
async fn a_runs_input_is_validated_and_planned_without_a_call() {
    let plan = |input: Value| handle(json!({"validate": input, "startTime": "2026-11-01T04:00:05Z"}), &[]);
    let planned = plan(json!({"s3BucketName": "archive", "logGroups": ["/ecs/web"]})).await.unwrap();
    assert_eq!((&planned["month"], &planned["pages"]), (&json!("2026-10"), &json!([{"logGroups": ["/ecs/web"]}])));
    assert_eq!(plan(json!({"s3BucketName": "archive", "logGroups": []})).await.unwrap_err().name, ErrorName::InvalidInput);
    assert_eq!(plan(json!("text")).await.unwrap_err().message, "the input is \"text\": give a JSON object");
}
