//! The function as the state machine calls it, with the real SDK client and AWS's answers mocked on the wire.

use aws_sdk_cloudwatchlogs::{
    Client,
    operation::{create_export_task::CreateExportTaskInput, describe_log_groups::DescribeLogGroupsOutput},
    types::{LogGroup, OrderBy},
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::http::Response;
use chrono::{DateTime, TimeDelta, Utc};
use create_export_task::CreateExportTask;
use export_core::{ErrorName, ExportError};
use function_runtime::{Invocation, Metric};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const WINDOW: (i64, i64) = (1_790_780_400_000, 1_793_458_799_999);

fn now() -> DateTime<Utc> {
    "2026-11-01T04:00:05Z".parse().unwrap()
}

fn event() -> Value {
    json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web"})
}

/// Calls the function with these answers, and with harmless ones for what they leave open: no manifest, no export tasks,
/// one log stream with events in the month.
async fn handle(event: Value, rules: &[&Rule]) -> Result<Value, ExportError> {
    handle_with_s3(event, rules, &[]).await
}

async fn handle_with_s3(event: Value, logs: &[&Rule], s3: &[&Rule]) -> Result<Value, ExportError> {
    handle_in(&mut Invocation::new("request-1", now()), event, logs, s3).await
}

async fn handle_in(invocation: &mut Invocation, event: Value, logs: &[&Rule], s3: &[&Rule]) -> Result<Value, ExportError> {
    let (no_tasks, streams) = (export_tasks(json!([])), log_streams(json!([{"logStreamName": "s", "lastEventTimestamp": WINDOW.0}])));
    let no_manifest = s3_refuses(404, "NoSuchKey");
    let logs = mock_client!(aws_sdk_cloudwatchlogs, RuleMode::MatchAny, logs.iter().copied().chain([&no_tasks, &streams]));
    let s3 = mock_client!(aws_sdk_s3, RuleMode::MatchAny, s3.iter().copied().chain([&no_manifest]));
    CreateExportTask::with_clients(logs, s3, "ap-northeast-1".into()).handle(event, invocation).await
}

fn ok(body: impl Into<Vec<u8>>) -> Response {
    Response::new(200.try_into().unwrap(), body.into().into())
}

fn export_tasks(tasks: Value) -> Rule {
    mock!(Client::describe_export_tasks).then_http_response(move || ok(json!({"exportTasks": tasks}).to_string()))
}

fn log_streams(streams: Value) -> Rule {
    mock!(Client::describe_log_streams)
        .match_requests(|request| {
            request.log_group_name() == Some("/ecs/web")
                && request.order_by() == Some(&OrderBy::LastEventTime)
                && request.descending() == Some(true)
        })
        .then_http_response(move || ok(json!({"logStreams": streams}).to_string()))
}

fn manifest(body: String) -> Rule {
    mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|request| {
            request.bucket() == Some("archive") && request.key() == Some("logs/log_group=/ecs/web/year=2026/month=10/_manifest.json")
        })
        .then_http_response(move || ok(body.clone()))
}

fn s3_refuses(status: u16, code: &'static str) -> Rule {
    mock!(aws_sdk_s3::Client::get_object).then_http_response(move || {
        Response::new(status.try_into().unwrap(), format!("<Error><Code>{code}</Code><Message>m</Message></Error>").into_bytes().into())
    })
}

/// The log group, with what DescribeLogGroups says of it.
fn log_group(details: Value) -> Rule {
    mock!(Client::describe_log_groups).then_http_response(move || {
        let mut group = json!({"logGroupName": "/ecs/web"});
        group.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        ok(json!({"logGroups": [group]}).to_string())
    })
}

/// DescribeLogGroups answers with log groups of these names.
fn log_groups(names: &'static [&'static str]) -> Rule {
    mock!(Client::describe_log_groups).match_requests(|request| request.log_group_name_prefix() == Some("/ecs/web")).then_output(|| {
        let groups = names.iter().map(|name| LogGroup::builder().log_group_name(*name).build()).collect();
        DescribeLogGroupsOutput::builder().set_log_groups(Some(groups)).build()
    })
}

/// An answer as AWS sends it on the wire.
fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = json!({"__type": code, "message": message}).to_string();
    Response::new(status.try_into().unwrap(), body.into())
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

fn manifest_of_the_month() -> Value {
    json!({"schemaVersion": 1, "logGroupName": "/ecs/web", "month": "2026-10", "timezone": "Asia/Tokyo", "from": WINDOW.0, "to": WINDOW.1,
        "taskId": "task-0", "objects": 1, "bytes": 1, "created": "2026-11-01T03:30:00.000Z", "completed": null, "execution": null, "warnings": []})
}

#[tokio::test]
async fn an_archived_month_is_skipped_without_a_look_at_cloudwatch() {
    let mut empty = manifest_of_the_month();
    empty["objects"] = json!(0);
    for (body, listed) in [(manifest_of_the_month(), listing("task-0", "<Contents><Key>k</Key></Contents>")), (empty, listing("none", ""))]
    {
        let logs = log_groups(&["/ecs/web"]);
        let answer = handle_with_s3(event(), &[&logs], &[&manifest(body.to_string()), &listed]).await.unwrap();
        assert_eq!((&answer["status"], &answer["reason"]), (&json!("SKIPPED"), &json!("AlreadyArchived")));
        assert_eq!(logs.num_calls(), 0);
    }
}

#[tokio::test]
async fn a_manifest_whose_objects_are_gone_is_not_believed() {
    let there = manifest(manifest_of_the_month().to_string());
    let rules = [&log_groups(&["/ecs/web"]), &create_answers(Arc::default())];
    let answer = handle_with_s3(event(), &rules, &[&there, &listing("task-0", "")]).await.unwrap();
    assert_eq!((&answer["status"], &answer["warnings"][0]["name"]), (&json!("CREATED"), &json!("ManifestReplaced")));
    assert!(answer["warnings"][0]["message"].as_str().unwrap().contains("because the objects of its task task-0 are gone;"), "{answer}");
}

/// What ListObjectsV2 says of a task's folder.
fn listing(task_id: &'static str, contents: &'static str) -> Rule {
    mock!(aws_sdk_s3::Client::list_objects_v2)
        .match_requests(move |request| request.prefix() == Some(&format!("logs/log_group=/ecs/web/year=2026/month=10/{task_id}/")))
        .then_http_response(move || ok(format!("<ListBucketResult>{contents}</ListBucketResult>")))
}

#[tokio::test]
async fn force_exports_an_archived_month_again() {
    let archived = manifest(manifest_of_the_month().to_string());
    let mut event = event();
    event["force"] = json!(true);
    let answer = handle_with_s3(event, &[&log_groups(&["/ecs/web"]), &create_answers(Arc::default())], &[&archived]).await.unwrap();
    assert_eq!((&answer["status"], &answer["warnings"], archived.num_calls()), (&json!("CREATED"), &json!([]), 0));
}

#[tokio::test]
async fn a_manifest_of_something_else_is_replaced_and_said_to_be() {
    let mut other = manifest_of_the_month();
    other["month"] = json!("2026-09");
    for (body, what) in
        [("{".to_owned(), "because it is not JSON;"), (other.to_string(), "because its month is \"2026-09\", not \"2026-10\";")]
    {
        let answer =
            handle_with_s3(event(), &[&log_groups(&["/ecs/web"]), &create_answers(Arc::default())], &[&manifest(body)]).await.unwrap();
        assert_eq!((&answer["status"], &answer["warnings"][0]["name"]), (&json!("CREATED"), &json!("ManifestReplaced")));
        assert!(answer["warnings"][0]["message"].as_str().unwrap().contains(what), "{answer}");
    }
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_is_an_error_and_a_missing_bucket_is_createexporttasks_to_tell() {
    for (status, code, name) in [
        (403, "AccessDenied", ErrorName::AccessDenied),
        (400, "InvalidRequest", ErrorName::Unexpected),
        (500, "InternalError", ErrorName::DestinationUnavailable),
    ] {
        let error = handle_with_s3(event(), &[], &[&s3_refuses(status, code)]).await.unwrap_err();
        assert_eq!(error.name, name, "{error}");
        assert!(error.message.starts_with(&format!("GetObject answered {code}: m")), "{error}");
    }
    for (status, code) in [(404, "NoSuchBucket"), (301, "PermanentRedirect")] {
        let refused =
            create_refuses(400, "InvalidParameterException", "The given bucket does not exist. Please make sure the bucket is valid.");
        let error = handle_with_s3(event(), &[&log_groups(&["/ecs/web"]), &refused], &[&s3_refuses(status, code)]).await.unwrap_err();
        assert_eq!((error.name, refused.num_calls()), (ErrorName::DestinationRejected, 1), "{code}");
    }
}

/// A task as this event creates it, with changes.
async fn own_task(changes: Value) -> Value {
    let requests = Arc::default();
    handle(event(), &[&log_groups(&["/ecs/web"]), &create_answers(Arc::clone(&requests))]).await.unwrap();
    let request = requests.lock().unwrap().remove(0);
    let mut task = json!({"taskId": "own", "taskName": request.task_name(), "logGroupName": "/ecs/web", "from": WINDOW.0, "to": WINDOW.1,
        "destination": "archive", "destinationPrefix": request.destination_prefix(), "status": {"code": "RUNNING"}});
    task.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    task
}

#[tokio::test]
async fn an_own_active_task_is_adopted_and_nothing_created() {
    for code in ["PENDING", "RUNNING"] {
        let other = json!({"taskId": "other", "logGroupName": "/ecs/web", "status": {"code": "RUNNING"}});
        let tasks = export_tasks(json!([other, own_task(json!({"status": {"code": code}})).await]));
        let create = create_answers(Arc::default());
        let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &tasks, &create]).await.unwrap();
        assert_eq!((&answer["status"], &answer["taskId"], create.num_calls()), (&json!("ADOPTED"), &json!("own"), 0));
    }
}

#[tokio::test]
async fn a_task_that_differs_in_anything_is_not_ones_own() {
    for changes in [
        json!({"taskName": "archive-2026-10-0000000000000000"}),
        json!({"taskName": null}),
        json!({"logGroupName": "/ecs/api"}),
        json!({"from": WINDOW.0 + 1}),
        json!({"to": WINDOW.1 - 1}),
        json!({"destination": "other"}),
        json!({"destinationPrefix": "other"}),
        json!({"status": {"code": "FAILED"}}),
        json!({"status": {"code": "CANCELLED"}}),
        json!({"status": {"code": "PENDING_CANCEL"}}),
    ] {
        let tasks = export_tasks(json!([own_task(changes.clone()).await]));
        let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &tasks, &create_answers(Arc::default())]).await.unwrap();
        assert_eq!((&answer["status"], &answer["taskId"]), (&json!("CREATED"), &json!("task-1")), "{changes}");
    }
}

#[tokio::test]
async fn an_own_task_that_has_just_completed_is_adopted_while_its_objects_are_there() {
    let hour = 3_600_000;
    let completed = |at: i64| json!({"status": {"code": "COMPLETED"}, "executionInfo": {"completionTime": at}});
    for (hours_ago, contents, status) in
        [(24, "<Contents><Key>k</Key></Contents>", "ADOPTED"), (24, "", "CREATED"), (25, "<Contents><Key>k</Key></Contents>", "CREATED")]
    {
        let tasks = export_tasks(json!([own_task(completed(now().timestamp_millis() - hours_ago * hour)).await]));
        let answer =
            handle_with_s3(event(), &[&log_groups(&["/ecs/web"]), &tasks, &create_answers(Arc::default())], &[&listing("own", contents)])
                .await
                .unwrap();
        assert_eq!(answer["status"], status, "{hours_ago} h ago, {contents:?}");
    }
}

#[tokio::test]
async fn an_empty_task_of_this_very_run_is_adopted() {
    let start = now() - chrono::TimeDelta::minutes(10);
    for (created, status) in [(start, "ADOPTED"), (start - chrono::TimeDelta::milliseconds(1), "CREATED")] {
        let info = json!({"creationTime": created.timestamp_millis(), "completionTime": now().timestamp_millis()});
        let tasks = export_tasks(json!([own_task(json!({"status": {"code": "COMPLETED"}, "executionInfo": info})).await]));
        let nothing = mock!(aws_sdk_s3::Client::list_objects_v2).then_http_response(|| ok("<ListBucketResult></ListBucketResult>"));
        let mut event = event();
        event["startTime"] = json!(start.to_rfc3339());
        let rules = [&log_groups(&["/ecs/web"]), &tasks, &create_answers(Arc::default())];
        let answer = handle_with_s3(event, &rules, &[&nothing]).await.unwrap();
        assert_eq!(answer["status"], status, "created {created}");
    }
}

#[tokio::test]
async fn an_own_task_found_only_when_the_slot_is_busy_is_adopted() {
    let busy = create_refuses(400, "LimitExceededException", "Resource limit exceeded.");
    let own = own_task(json!({})).await;
    // Another run created it between the look and the create.
    let tasks = mock!(Client::describe_export_tasks)
        .sequence()
        .http_response(|| ok(json!({"exportTasks": []}).to_string()))
        .http_response(move || ok(json!({"exportTasks": [own]}).to_string()))
        .build();
    let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &busy, &tasks]).await.unwrap();
    assert_eq!((&answer["status"], &answer["taskId"]), (&json!("ADOPTED"), &json!("own")));
}

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

// ---- what the log and the metrics say -------------------------------------------------------------------------------

fn queued(since: &str) -> Value {
    let mut event = event();
    event["queuedSince"] = json!(since);
    event
}

#[tokio::test]
async fn the_wait_for_the_slot_ends_with_the_creation_of_the_task() {
    let rules = [&log_groups(&["/ecs/web"]), &create_answers(Arc::default())];
    for (event, metrics) in
        [(queued("2026-11-01T03:00:04.750Z"), vec![Metric::SlotWait(TimeDelta::milliseconds(3_600_250))]), (event(), vec![])]
    {
        let mut invocation = Invocation::new("request-1", now());
        handle_in(&mut invocation, event, &rules, &[]).await.unwrap();
        assert_eq!(invocation.metrics(), metrics);
        assert_eq!(json!(invocation.about()), json!({"requestId": "request-1", "month": "2026-10", "task_id": "task-1"}));
    }
}

#[tokio::test]
async fn without_a_task_of_ones_own_making_there_is_no_wait() {
    let running = export_tasks(json!([own_task(json!({})).await]));
    let busy = create_refuses(400, "LimitExceededException", "Resource limit exceeded.");
    let found = log_groups(&["/ecs/web"]);
    for (rules, about) in [
        (vec![&found, &running], json!({"requestId": "request-1", "month": "2026-10", "task_id": "own"})),
        (vec![&found, &busy], json!({"requestId": "request-1", "month": "2026-10"})),
        (vec![&log_groups(&[])], json!({"requestId": "request-1", "month": "2026-10"})),
    ] {
        let mut invocation = Invocation::new("request-1", now());
        // Only what it is about and measures is looked at: one of them is an error.
        let _ = handle_in(&mut invocation, queued("2026-11-01T03:00:00Z"), &rules, &[]).await;
        assert_eq!((invocation.metrics(), json!(invocation.about())), (&[][..], about));
    }
}

#[tokio::test]
async fn a_plan_is_about_its_month() {
    let mut invocation = Invocation::new("request-1", now());
    let input = json!({"s3BucketName": "archive", "logGroups": ["/ecs/web"]});
    let event = json!({"validate": input, "startTime": "2026-11-01T04:00:05Z", "execution": "arn:aws:states:run"});
    handle_in(&mut invocation, event, &[], &[]).await.unwrap();
    assert_eq!(json!(invocation.about()), json!({"requestId": "request-1", "month": "2026-10"}));
}
