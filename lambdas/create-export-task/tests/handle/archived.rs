//! The manifest of an archived month, and when it is not believed.

use export_core::ErrorName;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::{
    WINDOW,
    aws::{create_answers, create_refuses, listing, log_groups, manifest, s3_refuses},
    event, handle_with_s3,
};

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
