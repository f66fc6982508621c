//! What has nothing to export, and what only may have nothing.

use aws_sdk_cloudwatchlogs::{Client, operation::describe_log_groups::DescribeLogGroupsOutput, types::LogGroup};
use aws_smithy_mocks::mock;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::{
    WINDOW,
    aws::{create_answers, create_refuses, log_group, log_groups, log_streams, ok, refusal},
    event, handle,
};

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
    let answer = handle(event(), &[&log_group(json!({"retentionInDays": 30})), &create_answers(Arc::default())]).await.unwrap();
    assert_eq!(answer["status"], "CREATED");
    assert_eq!(answer["warnings"][0]["name"], "RetentionShorterThanMonth");
    assert!(
        answer["warnings"][0]["message"].as_str().unwrap().contains("those before 2026-10-02T04:00:05Z are deleted or about to be"),
        "{answer}"
    );
    let answer = handle(event(), &[&log_group(json!({"retentionInDays": 60})), &create_answers(Arc::default())]).await.unwrap();
    assert_eq!(answer["warnings"], json!([]));
}

#[tokio::test]
async fn what_certainly_has_nothing_to_export_is_skipped_for_a_reason() {
    const DAY: i64 = 86_400_000;
    let late = log_group(json!({"creationTime": WINDOW.1 + 14 * DAY + 1}));
    let infrequent = log_group(json!({"logGroupClass": "INFREQUENT_ACCESS"}));
    let delivery = log_group(json!({"logGroupClass": "DELIVERY"}));
    let group = log_group(json!({"creationTime": WINDOW.1 + 14 * DAY, "logGroupClass": "STANDARD"}));
    let old = log_streams(
        json!([{"logStreamName": "a", "lastEventTimestamp": WINDOW.0 - 15 * DAY - 1}, {"logStreamName": "b", "lastEventTimestamp": 1}]),
    );
    let none = log_streams(json!([]));
    for (rules, reason) in [
        (vec![&late], "CreatedAfterMonth"),
        (vec![&infrequent], "LogClassNotExportable"),
        (vec![&delivery], "LogClassNotExportable"),
        (vec![&group, &old], "NoEventsInMonth"),
        (vec![&group, &none], "NoEventsInMonth"),
    ] {
        let answer = handle(event(), &rules).await.unwrap();
        assert_eq!((&answer["status"], &answer["reason"], &answer["taskId"]), (&json!("SKIPPED"), &json!(reason), &Value::Null));
    }
}

#[tokio::test]
async fn what_is_not_certain_is_exported() {
    const DAY: i64 = 86_400_000;
    let group = log_group(json!({"creationTime": WINDOW.1 + 14 * DAY, "logGroupClass": "SOMETHING_NEW"}));
    let gone = mock!(Client::describe_log_streams).then_http_response(|| refusal(400, "ResourceNotFoundException", "gone"));
    let hidden = mock!(Client::describe_log_streams).then_http_response(|| ok(json!({"logStreams": [], "nextToken": "t"}).to_string()));
    let more = json!({"logStreams": [{"logStreamName": "a", "lastEventTimestamp": 1}], "nextToken": "t"});
    let more = mock!(Client::describe_log_streams).then_http_response(move || ok(more.to_string()));
    for streams in [
        log_streams(json!([{"logStreamName": "a", "lastEventTimestamp": WINDOW.0 - 15 * DAY}])),
        log_streams(json!([{"logStreamName": "a", "lastEventTimestamp": 1}, {"logStreamName": "never written to"}])),
        gone,
        hidden,
        more,
    ] {
        let answer = handle(event(), &[&group, &streams, &create_answers(Arc::default())]).await.unwrap();
        assert_eq!(answer["status"], "CREATED", "{answer}");
    }
    // Of a month that is not over, the newest event says nothing.
    let incomplete = json!({"s3BucketName": "archive", "logGroupName": "/ecs/web", "month": "2026-11", "allowIncompleteMonth": true});
    let answer = handle(incomplete, &[&group, &log_streams(json!([])), &create_answers(Arc::default())]).await.unwrap();
    assert_eq!((&answer["status"], &answer["month"]), (&json!("CREATED"), &json!("2026-11")));
}
