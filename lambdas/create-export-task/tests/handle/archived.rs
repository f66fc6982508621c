//! Manifests: valid, invalid and unreadable ones.

use export_core::ErrorName::{self, *};
use fake_aws::{FROM, State, TO, manifest, merged, october, path_of};
use serde_json::{Value, json};

use crate::{DAY, aws_with, creations, handle};

const OBJECT: &str = "archive/logs/log_group=/ecs/web/year=2026/month=10/task-0/s/000000.gz";

/// A manifest with changes, and its object.
fn archived(changes: Value) -> impl Fn(&mut State) {
    move |aws| {
        let target = october("/ecs/web");
        aws.put(&path_of(&target), &manifest(&target, changes.clone()));
        aws.objects.insert(OBJECT.to_owned(), b"abc".to_vec());
    }
}

#[tokio::test(start_paused = true)]
async fn an_archived_window_is_skipped_without_a_call_to_cloudwatch_logs() {
    for changes in [
        json!({}),
        json!({"task_id": "nothing", "outcome": "empty", "objects": 0, "bytes": 0}),
        json!({"task_id": null, "outcome": "skipped", "reason": "NoEventsInMonth", "objects": 0, "bytes": 0}),
    ] {
        let aws = aws_with(archived(changes.clone()));
        let answer = handle(&aws, json!({})).await.unwrap();
        assert_eq!((&answer["status"], &answer["reason"]), (&json!("SKIPPED"), &json!("AlreadyArchived")), "{changes}");
        assert_eq!(aws.names(&["Describe", "Create"]), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_does_not_fit_is_not_valid() {
    for changes in [
        json!({"created": "2099-01-01T00:00:00.000Z", "execution": "arn:aws:states:foreign"}),
        json!({"objects": 0, "bytes": 0, "task_id": "task-9", "created": "2099-01-01T00:00:00.000Z"}),
        json!({"created": "2026-11-01T02:59:59.000Z"}),
        json!({"account": "999999999999"}),
        json!({"region": "us-east-1"}),
        json!({"log_group": "/ecs/api"}),
        json!({"window_from": 1}),
        json!({"schema_version": 1}),
        // The task's folder differs from what the manifest states: objects were deleted or overwritten.
        json!({"objects": 2}),
        json!({"bytes": 4}),
        json!({"task_id": "task-9"}),
    ] {
        let aws = aws_with(archived(changes.clone()));
        assert_eq!(handle(&aws, json!({})).await.unwrap()["status"], "CREATED", "{changes}");
        assert_eq!(aws.names(&["PUT", "DELETE"]), [""; 0], "the new export's check replaces it");
    }
}

#[tokio::test(start_paused = true)]
async fn force_exports_an_archived_window_once_in_a_run() {
    for (start, status) in [("2026-11-01T03:30:01Z", "CREATED"), ("2026-11-01T03:30:00Z", "SKIPPED")] {
        let aws = aws_with(archived(json!({})));
        assert_eq!(handle(&aws, json!({"force": true, "startTime": start})).await.unwrap()["status"], status, "{start}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_with_other_log_streams_is_taken() {
    for (held, asked, end) in [
        (json!("dev/"), json!({"logStreamNamePrefix": "prod/"}), Err(PlaceTaken)),
        (json!("prod/"), json!({"logStreamNamePrefix": "prod/a"}), Ok("SKIPPED")),
        (json!(null), json!({"logStreamNamePrefix": "prod/"}), Ok("SKIPPED")),
        (json!("prod/"), json!({}), Ok("CREATED")),
    ] {
        let aws = aws_with(archived(json!({"log_stream_name_prefix": held})));
        let answer = handle(&aws, asked.clone()).await;
        let ended = answer.as_ref().map(|answer| answer["status"].as_str().unwrap()).map_err(|error| error.name);
        assert_eq!(ended, end, "{held} {asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_exported_in_place_of_an_unreadable_manifest() {
    type Case = (&'static str, u16, &'static str, &'static str, ErrorName);
    let cases: [Case; 6] = [
        (
            "GET archive/logs/manifests/",
            403,
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
            ArchiveUnreadable,
        ),
        ("GET archive/logs/manifests/", 403, "AccessDenied", "Access Denied", ArchiveUnreadable),
        ("GET archive/logs/manifests/", 503, "SlowDown", "Please reduce your request rate.", DestinationUnavailable),
        ("LIST archive/logs/manifests/", 403, "AccessDenied", "Access Denied", AccessDenied),
        // An incomplete listing is an error.
        ("NEXT archive/logs/manifests/", 500, "InternalError", "We encountered an internal error.", DestinationUnavailable),
        ("LIST archive/logs/log_group=", 404, "NoSuchBucket", "The specified bucket does not exist", DestinationRejected),
    ];
    for (call, status, code, message, name) in cases {
        let aws = aws_with(archived(json!({})));
        aws.state().refuse(call, status, code, message);
        let error = handle(&aws, json!({"force": true})).await.unwrap_err();
        assert_eq!(error.name, name, "{call} {code}: {error}");
        assert!(error.message.contains(&format!("answered {code}: {message}")), "{error}");
        assert_eq!(creations(&aws), 0, "{call} {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_log_group_has_lost_planned_and_damaged_windows() {
    let planned = json!({"month": "2026-10", "from": FROM, "to": TO, "startTime": "2026-11-01T04:00:00Z"});
    let created_anew = json!([{"logGroupName": "/ecs/web", "creationTime": TO + DAY}]);
    for (changes, present, log_groups, reason) in [
        (planned.clone(), None, json!([]), "LogGroupDeleted"),
        // No run has seen it.
        (json!({}), None, json!([]), "LogGroupNotFound"),
        (planned.clone(), Some(json!({"objects": 2})), json!([]), "Damaged"),
        (json!({}), Some(json!({"objects": 2})), created_anew.clone(), "Damaged"),
        // The plan is newer than today's log group, and proves nothing about an earlier one.
        (
            merged(planned, json!({"startTime": "2026-11-20T04:00:00Z"})),
            None,
            json!([{"logGroupName": "/ecs/web", "creationTime": TO + 14 * DAY + 1}]),
            "CreatedAfterMonth",
        ),
    ] {
        let aws = aws_with(|_| {});
        if let Some(damage) = &present {
            archived(damage.clone())(&mut aws.state());
        }
        aws.state().log_groups = log_groups.as_array().unwrap().clone();
        let answer = handle(&aws, changes.clone()).await.unwrap();
        assert_eq!((&answer["status"], &answer["reason"]), (&json!("SKIPPED"), &json!(reason)), "{changes} {present:?} {log_groups}");
        assert_eq!(creations(&aws), 0);
    }
}
