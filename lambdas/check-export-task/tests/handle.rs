//! The function as the state machine calls it, with the real SDK clients and AWS's answers mocked on the wire.

use std::sync::{Arc, Mutex};

use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::http::Response;
use check_export_task::CheckExportTask;
use chrono::TimeDelta;
use export_core::{ErrorName, ExportError};
use function_runtime::{Invocation, Metric};
use serde_json::{Value, json};

const FROM: i64 = 1_790_780_400_000;
const TO: i64 = 1_793_458_799_999;
const PREFIX: &str = "logs/log_group=/ecs/web/year=2026/month=10";
/// Where the month's row of the table `manifests` lies.
const ROW: &str = "archive/logs/manifests/year=2026/month=10/869f90dfcdd1a5464b4816d50dfdad0a.json";

/// What create-export-task answers, as far as check-export-task looks at it.
fn event() -> Value {
    json!({"s3BucketName": "archive", "logGroupName": "/ecs/web", "timezone": "Asia/Tokyo", "month": "2026-10", "taskId": "task-1",
        "status": "CREATED", "reason": null, "execution": "arn:aws:states:run", "warnings": [{"name": "RetentionShorterThanMonth", "message": "m"}]})
}

fn ok(body: impl Into<Vec<u8>>) -> Response {
    Response::new(200.try_into().unwrap(), body.into().into())
}

fn task(changes: Value) -> Rule {
    mock!(aws_sdk_cloudwatchlogs::Client::describe_export_tasks)
        .match_requests(|request| request.task_id() == Some("task-1"))
        .then_http_response(move || {
            let mut task = json!({"taskId": "task-1", "logGroupName": "/ecs/web", "from": FROM, "to": TO, "destination": "archive",
            "destinationPrefix": PREFIX, "status": {"code": "COMPLETED", "message": "Completed successfully"},
            "executionInfo": {"creationTime": 1793502005000i64, "completionTime": 1793502007250i64}});
            task.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            let other = json!({"taskId": "task-0", "status": {"code": "FAILED"}});
            ok(json!({"exportTasks": [other, task]}).to_string())
        })
}

fn status(code: &str, message: &str) -> Rule {
    task(json!({"status": {"code": code, "message": message}}))
}

fn page(token: Option<&'static str>, sizes: &'static [u64], next: Option<&'static str>) -> Rule {
    mock!(aws_sdk_s3::Client::list_objects_v2)
        .match_requests(move |request| {
            request.bucket() == Some("archive")
                && request.prefix() == Some(&format!("{PREFIX}/task-1/"))
                && request.continuation_token() == token
        })
        .then_http_response(move || {
            let contents: String = sizes.iter().map(|size| format!("<Contents><Key>k</Key><Size>{size}</Size></Contents>")).collect();
            let next = next.map(|next| format!("<NextContinuationToken>{next}</NextContinuationToken>")).unwrap_or_default();
            ok(format!("<ListBucketResult><IsTruncated>{}</IsTruncated>{next}{contents}</ListBucketResult>", !next.is_empty()))
        })
}

fn s3_refuses(status: u16, code: &'static str) -> impl Fn() -> Response + Send + Sync + 'static {
    move || Response::new(status.try_into().unwrap(), format!("<Error><Code>{code}</Code><Message>m</Message></Error>").into_bytes().into())
}

type Manifests = Arc<Mutex<Vec<(String, Value)>>>;

fn manifest_is_written(manifests: &Manifests) -> Rule {
    let manifests = Arc::clone(manifests);
    mock!(aws_sdk_s3::Client::put_object)
        .match_requests(move |request| {
            let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            manifests.lock().unwrap().push((format!("{}/{}", request.bucket().unwrap(), request.key().unwrap()), body));
            request.content_type() == Some("application/json")
        })
        .then_http_response(|| ok(""))
}

/// The listing of the place itself, by folders.
fn place(folders: &'static [&'static str]) -> Rule {
    mock!(aws_sdk_s3::Client::list_objects_v2)
        .match_requests(|request| request.prefix() == Some(&format!("{PREFIX}/")) && request.delimiter() == Some("/"))
        .then_http_response(move || {
            let folders: String =
                folders.iter().map(|id| format!("<CommonPrefixes><Prefix>{PREFIX}/{id}/</Prefix></CommonPrefixes>")).collect();
            ok(format!("<ListBucketResult><IsTruncated>false</IsTruncated>{folders}</ListBucketResult>"))
        })
}

async fn handle(event: Value, logs: &[&Rule], s3: &[&Rule]) -> Result<Value, ExportError> {
    handle_in(&mut invocation(), event, logs, s3).await
}

fn invocation() -> Invocation {
    Invocation::new("request-1", "2026-11-01T04:00:05Z".parse().unwrap())
}

async fn handle_in(invocation: &mut Invocation, event: Value, logs: &[&Rule], s3: &[&Rule]) -> Result<Value, ExportError> {
    let alone = place(&["task-1"]);
    let no_manifest = mock!(aws_sdk_s3::Client::get_object).then_http_response(s3_refuses(404, "NoSuchKey"));
    let s3 = s3.iter().copied().chain([&alone, &no_manifest]);
    let logs = mock_client!(aws_sdk_cloudwatchlogs, RuleMode::MatchAny, logs);
    let s3 = mock_client!(aws_sdk_s3, RuleMode::MatchAny, s3);
    CheckExportTask::with_clients(logs, s3, "ap-northeast-1".into(), "logs/manifests".into()).handle(event, invocation).await
}

#[tokio::test]
async fn a_completed_task_is_counted_and_written_down() {
    let manifests = Manifests::default();
    let first = page(None, &[100, 20], Some("next"));
    let second = page(Some("next"), &[3], None);
    let answer = handle(event(), &[&task(json!({}))], &[&first, &second, &manifest_is_written(&manifests)]).await.unwrap();
    let warnings = json!([{"name": "RetentionShorterThanMonth", "message": "m"}]);
    assert_eq!(
        answer,
        json!({"s3BucketName": "archive", "destinationPrefix": PREFIX, "logGroupName": "/ecs/web", "timezone": "Asia/Tokyo", "month": "2026-10",
            "from": FROM, "to": TO, "taskId": "task-1", "status": "COMPLETED", "outcome": "exported", "objects": 3, "bytes": 123, "warnings": warnings})
    );
    let row = json!({"schema_version": 1, "log_group": "/ecs/web", "timezone": "Asia/Tokyo", "window_from": FROM, "window_to": TO,
        "task_id": "task-1", "bucket": "archive", "destination_prefix": PREFIX, "objects": 3, "hidden_objects": 0, "bytes": 123,
        "created": "2026-11-01T03:00:05.000Z", "completed": "2026-11-01T03:00:07.250Z", "execution": "arn:aws:states:run", "warnings": warnings});
    assert_eq!(
        manifests.lock().unwrap().as_slice(),
        // The row first: once the manifest is there, no later run would write one.
        [
            (ROW.to_owned(), row),
            (
                format!("archive/{PREFIX}/_manifest.json"),
                json!({"schemaVersion": 1, "logGroupName": "/ecs/web", "month": "2026-10", "timezone": "Asia/Tokyo", "from": FROM, "to": TO,
                "taskId": "task-1", "objects": 3, "bytes": 123, "created": "2026-11-01T03:00:05.000Z", "completed": "2026-11-01T03:00:07.250Z",
                "execution": "arn:aws:states:run", "warnings": warnings})
            )
        ]
    );
}

#[tokio::test]
async fn completed_with_nothing_written_is_empty_and_never_exported() {
    let manifests = Manifests::default();
    let answer = handle(event(), &[&task(json!({}))], &[&page(None, &[], None), &manifest_is_written(&manifests)]).await.unwrap();
    assert_eq!((&answer["outcome"], &answer["objects"], &answer["bytes"]), (&json!("empty"), &json!(0), &json!(0)));
    assert_eq!(manifests.lock().unwrap().iter().map(|(_, json)| json["objects"].clone()).collect::<Vec<_>>(), [json!(0), json!(0)]);
}

#[tokio::test]
async fn a_task_id_alone_is_enough() {
    let manifests = Manifests::default();
    let answer = handle(json!({"taskId": "task-1"}), &[&task(json!({}))], &[&page(None, &[1], None), &manifest_is_written(&manifests)])
        .await
        .unwrap();
    assert_eq!((&answer["month"], &answer["outcome"]), (&json!("2026-10"), &json!("exported")));
    assert_eq!(manifests.lock().unwrap()[0].1["execution"], Value::Null);
}

#[tokio::test]
async fn every_other_status_is_an_error_of_its_own_with_cloudwatchs_message() {
    for (code, name) in [
        ("PENDING", ErrorName::ExportTaskPending),
        ("RUNNING", ErrorName::ExportTaskRunning),
        ("PENDING_CANCEL", ErrorName::ExportTaskCancelling),
        ("FAILED", ErrorName::ExportTaskFailed),
        ("CANCELLED", ErrorName::ExportTaskCancelled),
        ("PAUSED", ErrorName::ExportTaskStatusUnknown),
    ] {
        let error = handle(event(), &[&status(code, "because")], &[]).await.unwrap_err();
        assert_eq!(error.name, name);
        assert_eq!(error.message, format!("export task task-1 of log group /ecs/web is {code}; CloudWatch Logs says: because"));
    }
    let error = handle(event(), &[&task(json!({"status": null}))], &[]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ExportTaskStatusUnknown);
    assert!(error.message.ends_with("is missing; CloudWatch Logs says: no message"), "{error}");
}

#[tokio::test]
async fn an_unknown_task_is_not_found() {
    let none = mock!(aws_sdk_cloudwatchlogs::Client::describe_export_tasks).then_http_response(|| ok(r#"{"exportTasks": []}"#));
    let error = handle(event(), &[&none], &[]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ExportTaskNotFound);
    assert_eq!(error.message, "taskId is \"task-1\": CloudWatch Logs knows no such export task in this account and Region");
}

#[tokio::test]
async fn a_task_of_another_month_gets_no_manifest() {
    let manifests = Manifests::default();
    for (changes, field) in [(json!({"from": FROM - 1}), "timezone"), (json!({"from": FROM - 30 * 86_400_000, "to": FROM - 1}), "month")] {
        let error = handle(event(), &[&task(changes)], &[&page(None, &[1], None), &manifest_is_written(&manifests)]).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidInput);
        assert!(error.message.starts_with(field), "{error}");
    }
    assert!(manifests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_task_that_does_not_tell_where_it_wrote_is_unexpected() {
    let error = handle(event(), &[&task(json!({"destinationPrefix": null}))], &[]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::Unexpected);
    assert_eq!(error.message, "export task task-1 is COMPLETED, but CloudWatch Logs does not tell its destinationPrefix");
}

#[tokio::test]
async fn without_its_manifest_an_export_is_not_reported() {
    for (code, http, name) in [
        ("AccessDenied", 403, ErrorName::AccessDenied),
        ("NoSuchBucket", 404, ErrorName::DestinationRejected),
        ("InvalidRequest", 400, ErrorName::Unexpected),
        ("InternalError", 500, ErrorName::DestinationUnavailable),
    ] {
        let put = mock!(aws_sdk_s3::Client::put_object).then_http_response(s3_refuses(http, code));
        let error = handle(event(), &[&task(json!({}))], &[&page(None, &[1], None), &put]).await.unwrap_err();
        assert_eq!(error.name, name, "{error}");
        assert!(error.message.starts_with(&format!("PutObject answered {code}: m")), "{error}");
    }
}

#[tokio::test]
async fn no_manifest_is_written_before_its_row() {
    let manifests = Manifests::default();
    let row = mock!(aws_sdk_s3::Client::put_object)
        .match_requests(|request| Some(request.key().unwrap()) == ROW.strip_prefix("archive/"))
        .then_http_response(s3_refuses(503, "SlowDown"));
    let s3 = [&page(None, &[1], None), &row, &manifest_is_written(&manifests)];
    let error = handle(event(), &[&task(json!({}))], &s3).await.unwrap_err();
    assert_eq!(error.name, ErrorName::DestinationUnavailable);
    assert!(manifests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_not_counted() {
    let first = page(None, &[100], Some("next"));
    let second = mock!(aws_sdk_s3::Client::list_objects_v2)
        .match_requests(|request| request.continuation_token() == Some("next"))
        .then_http_response(s3_refuses(503, "SlowDown"));
    let error = handle(event(), &[&task(json!({}))], &[&first, &second]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::DestinationUnavailable);
    assert!(error.message.starts_with("ListObjectsV2 answered SlowDown"), "{error}");
}

#[tokio::test]
async fn an_event_that_does_not_fit_has_a_name() {
    for event in [json!(null), json!([]), json!({}), json!({"taskId": 7}), json!({"taskId": ""})] {
        assert_eq!(handle(event.clone(), &[], &[]).await.unwrap_err().name, ErrorName::InvalidInput, "{event}");
    }
}

fn cancel_event() -> Value {
    let mut event = event();
    event["cancel"] = json!(true);
    event
}

#[tokio::test]
async fn a_task_that_the_polling_gave_up_is_cancelled_and_is_no_success() {
    let cancel = mock!(aws_sdk_cloudwatchlogs::Client::cancel_export_task)
        .match_requests(|request| request.task_id() == Some("task-1"))
        .then_http_response(|| ok(""));
    let error = handle(cancel_event(), &[&cancel], &[]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ExportTaskTimedOut);
    assert!(error.message.starts_with("export task task-1 was not done when the polling ended"), "{error}");
    assert_eq!(cancel.num_calls(), 1);
}

#[tokio::test]
async fn a_task_that_ended_before_it_could_be_cancelled_counts_as_it_ended() {
    for code in ["InvalidOperationException", "ResourceNotFoundException"] {
        let finished = mock!(aws_sdk_cloudwatchlogs::Client::cancel_export_task)
            .then_http_response(move || Response::new(400.try_into().unwrap(), json!({"__type": code, "message": "m"}).to_string().into()));
        let manifests = Manifests::default();
        let s3 = [&page(None, &[1], None), &manifest_is_written(&manifests)];
        let answer = handle(cancel_event(), &[&finished, &task(json!({}))], &s3).await.unwrap();
        assert_eq!(answer["outcome"], "exported");
        let error = handle(cancel_event(), &[&finished, &status("FAILED", "because")], &[]).await.unwrap_err();
        assert_eq!(error.name, ErrorName::ExportTaskFailed);
    }
}

#[tokio::test]
async fn a_cancel_that_is_refused_has_its_name() {
    let denied = mock!(aws_sdk_cloudwatchlogs::Client::cancel_export_task)
        .then_http_response(|| Response::new(400.try_into().unwrap(), r#"{"__type": "AccessDeniedException", "message": "no"}"#.into()));
    let error = handle(cancel_event(), &[&denied], &[]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::AccessDenied);
    assert_eq!(error.message, "CancelExportTask answered AccessDeniedException: no. Allow logs:CancelExportTask to the function's role.");
}

#[tokio::test]
async fn what_other_tasks_left_in_the_place_is_a_warning() {
    let manifests = Manifests::default();
    // A folder that is no task's is another entry's place, or anything else.
    let crowded = place(&[
        "fe4ec36e-dc7c-4a53-b747-cabc7a999dae",
        "task-1",
        "api",
        "cf6c813d-dca1-4dee-bf5c-d4b190076d99",
        "fe4ec36e-dc7c-4a53-b747-cabc7a99",
    ]);
    let s3 = [&page(None, &[1], None), &manifest_is_written(&manifests), &crowded];
    let answer = handle(json!({"taskId": "task-1"}), &[&task(json!({}))], &s3).await.unwrap();
    assert_eq!(answer["warnings"][0]["name"], "OtherExportsPresent");
    let told = "lie beside this one's: fe4ec36e-dc7c-4a53-b747-cabc7a999dae, cf6c813d-dca1-4dee-bf5c-d4b190076d99; _manifest.json names";
    assert!(answer["warnings"][0]["message"].as_str().unwrap().contains(told), "{answer}");
    assert_eq!(manifests.lock().unwrap()[0].1["warnings"], answer["warnings"]);
}

#[tokio::test]
async fn log_streams_that_athena_passes_over_are_a_warning() {
    let manifests = Manifests::default();
    let listed =
        mock!(aws_sdk_s3::Client::list_objects_v2).match_requests(|request| request.delimiter().is_none()).then_http_response(|| {
            let keys = ["_app/000000.gz", ".dot/000000.gz", "main/000000.gz"];
            let contents: String =
                keys.iter().map(|key| format!("<Contents><Key>{PREFIX}/task-1/{key}</Key><Size>1</Size></Contents>")).collect();
            ok(format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"))
        });
    let answer = handle(json!({"taskId": "task-1"}), &[&task(json!({}))], &[&listed, &manifest_is_written(&manifests)]).await.unwrap();
    assert_eq!(answer["objects"], 3);
    assert_eq!(
        answer["warnings"],
        json!([{"name": "HiddenFromAthena", "message": "2 of 3 objects are of log streams whose name begins with _ or .: they are in the archive, and \
            Athena passes over them"}])
    );
    assert_eq!(manifests.lock().unwrap()[0].1["hidden_objects"], 2);
}

// ---- what the log and the metrics say -------------------------------------------------------------------------------

#[tokio::test]
async fn a_completed_task_is_measured() {
    let duration = Metric::ExportDuration(TimeDelta::milliseconds(2250));
    let written = [Metric::ArchivedObjects(3), Metric::ArchivedBytes(123)];
    for (changes, metrics) in [
        (json!({}), [&[duration][..], &written].concat()),
        (json!({"executionInfo": {"creationTime": 1793502005000i64}}), written.to_vec()),
        (json!({"executionInfo": {"completionTime": 1793502005000i64}}), written.to_vec()),
        (json!({"executionInfo": {"creationTime": i64::MIN, "completionTime": i64::MAX}}), written.to_vec()),
        (json!({"executionInfo": null}), written.to_vec()),
    ] {
        let mut invocation = invocation();
        let s3 = [&page(None, &[100, 20, 3], None), &manifest_is_written(&Manifests::default())];
        handle_in(&mut invocation, json!({"taskId": "task-1"}), &[&task(changes.clone())], &s3).await.unwrap();
        assert_eq!(invocation.metrics(), metrics, "{changes}");
        assert_eq!(json!(invocation.log_fields()), json!({"requestId": "request-1", "log_group": "/ecs/web", "month": "2026-10"}));
    }
}

/// The manifest of the same task is there when an answer was lost, or another run has adopted the task.
#[tokio::test]
async fn the_manifest_in_place_decides_what_is_written_and_whether_it_counts() {
    let counted = vec![Metric::ExportDuration(TimeDelta::milliseconds(2250)), Metric::ArchivedObjects(1), Metric::ArchivedBytes(1)];
    for (task_id, created, puts, metrics) in [
        ("task-1", "2026-11-01T03:00:05.000Z", 2, &[][..]),
        ("task-0", "2026-11-01T03:00:04.999Z", 2, &counted),
        ("task-0", "2026-11-01T03:00:05.000Z", 2, &counted),
        ("task-2", "2026-11-01T03:00:05.001Z", 0, &[]),
    ] {
        let manifests = Manifests::default();
        let in_place = json!({"logGroupName": "/ecs/web", "from": FROM, "to": TO, "taskId": task_id, "created": created}).to_string();
        let in_place = mock!(aws_sdk_s3::Client::get_object)
            .match_requests(|request| request.key() == Some(&format!("{PREFIX}/_manifest.json")))
            .then_http_response(move || ok(in_place.clone()));
        let mut invocation = invocation();
        let s3 = [&page(None, &[1], None), &manifest_is_written(&manifests), &in_place];
        let answer = handle_in(&mut invocation, event(), &[&task(json!({}))], &s3).await.unwrap();
        assert_eq!(answer["outcome"], "exported");
        assert_eq!((manifests.lock().unwrap().len(), invocation.metrics()), (puts, metrics), "{task_id} {created}");
    }
}

/// CloudWatch's word on what a task exports counts more than the event's.
#[tokio::test]
async fn a_task_that_is_not_done_has_log_fields_and_measures_nothing() {
    for (changes, about) in [
        (json!({}), json!({"requestId": "request-1", "log_group": "/ecs/web", "month": "2026-10"})),
        (json!({"from": FROM + 1}), json!({"requestId": "request-1", "log_group": "/ecs/web"})),
        (json!({"logGroupName": null, "from": null}), json!({"requestId": "request-1"})),
    ] {
        let mut changes = changes.clone();
        changes["status"] = json!({"code": "RUNNING"});
        let mut invocation = invocation();
        let error = handle_in(&mut invocation, json!({"taskId": "task-1"}), &[&task(changes)], &[]).await.unwrap_err();
        assert_eq!(error.name, ErrorName::ExportTaskRunning);
        assert_eq!((invocation.metrics(), json!(invocation.log_fields())), (&[][..], about));
    }
}
