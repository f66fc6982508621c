//! The busy slot, what else AWS refuses, and what the input alone shows.

use aws_sdk_cloudwatchlogs::Client;
use aws_smithy_mocks::mock;
use aws_smithy_runtime_api::http::Response;
use export_core::ErrorName;
use serde_json::{Value, json};

use crate::{
    aws::{create_refuses, log_groups, ok, refusal},
    event, handle,
};

#[tokio::test]
async fn a_busy_slot_is_asked_once_and_names_its_holder() {
    let busy = create_refuses(400, "LimitExceededException", "Resource limit exceeded.");
    let tasks = mock!(Client::describe_export_tasks).then_http_response(|| {
        let ended = json!({"taskId": "t-8", "logGroupName": "/b", "status": {"code": "COMPLETED"}});
        let holder = json!({"taskId": "t-7", "taskName": "other", "logGroupName": "/a", "status": {"code": "PENDING_CANCEL"}, "executionInfo": {"creationTime": 1793458800000i64}});
        Response::new(200.try_into().unwrap(), json!({"exportTasks": [ended, holder]}).to_string().into())
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
    let denied = mock!(Client::describe_export_tasks)
        .sequence()
        .http_response(|| ok(json!({"exportTasks": []}).to_string()))
        .http_response(|| refusal(400, "AccessDeniedException", "no"))
        .build();
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
