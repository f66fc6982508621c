//! What can no longer be exported is recorded as lost, and told.

use chrono::Utc;
use e2e::{FROM, Stage};
use serde_json::{Value, json};

use super::{delete_log_group, deny, every_month, requests, scheduled};

#[tokio::test(flavor = "multi_thread")]
async fn what_no_entry_reaches_and_what_was_deleted_is_told() {
    let stage = Stage::take().await;
    for log_group in ["/told/deleted", "/told/excluded", "/told/infrequent"] {
        every_month(&stage, log_group).await;
    }
    stage.overlay("/told/infrequent", |overlay| overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    let log_groups = json!([
        {"logGroupNamePrefix": "/told/d"},
        {"logGroupNamePrefix": "/told/e", "exclude": ["/told/exclude*"]},
        {"logGroupNamePrefix": "/told/nobody"},
        "/told/infrequent",
        "/told/misspelt",
    ]);
    let notifications = stage.subscribe().await;
    assert_eq!(
        scheduled(&stage, "2024-11-01", &log_groups).await,
        [
            "SUCCEEDED",
            "/told/deleted 2024-10 exported",
            "/told/infrequent 2024-10 warned LogClassNotExportable",
            "/told/misspelt 2024-10 warned LogGroupNotFound",
            "warning LogGroupNotFound",
            "warning LogClassNotExportable",
            "warning EntryMatchesNothing",
            "warning EntryMatchesNothing",
        ]
    );
    let (_, message) = notifications.next().await;
    for named in ["/told/e*", "/told/exclude*", "/told/nobody*", "/told/infrequent", "/told/misspelt"] {
        assert!(message.contains(named), "{named}: {message}");
    }

    delete_log_group(&stage, "/told/deleted").await;
    let lines = scheduled(&stage, "2024-12-01", &log_groups).await;
    assert_eq!(lines[..2], ["SUCCEEDED", "/told/deleted 2024-11 lost LogGroupDeleted"]);
    assert!(lines.contains(&"warning LogGroupDeleted".to_owned()), "{lines:#?}");
    assert!(notifications.next().await.1.contains("/told/deleted"));
    assert_eq!(outcomes(&stage, "/told/deleted").await, ["2024-10 exported ", "2024-11 lost LogGroupDeleted"]);
    // Once.
    for day in ["2024-12-02", "2025-01-01"] {
        let lines = scheduled(&stage, day, &log_groups).await;
        assert!(!lines.iter().any(|line| line.contains("/told/deleted") || line.contains("LogGroupDeleted")), "{lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_lasts_until_the_events_expire_fails_one_more_run() {
    let stage = Stage::take().await;
    let log_groups = json!(["/expires"]);
    stage.hello("/expires").await;
    let failed = ["FAILED ArchiveIncomplete", "/expires 2024-10 failed AccessDenied"];
    for (day, tries) in [("2024-11-01", 1), ("2024-11-02", 2)] {
        deny(&stage, "/expires", 1).await;
        let open = format!("open /expires 2024-10 failed AccessDenied, tries {tries}");
        assert_eq!(scheduled(&stage, day, &log_groups).await, [failed[0], failed[1], &open]);
    }
    stage.overlay("/expires", |overlay| overlay.retention_in_days = Some(30)).await;
    stage.logs().delete_log_stream().log_group_name("/expires").log_stream_name("main").send().await.expect("the log stream goes");
    assert_eq!(scheduled(&stage, "2024-11-03", &log_groups).await, ["FAILED ArchiveIncomplete", "/expires 2024-10 lost Expired"]);
    assert_eq!(outcomes(&stage, "/expires").await, ["2024-10 lost Expired"]);
    assert_eq!(scheduled(&stage, "2024-11-04", &log_groups).await, ["SUCCEEDED"]);
    assert_eq!(requests(&stage, "/expires").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_group_that_was_deleted_and_created_again_lost_its_events() {
    let stage = Stage::take().await;
    let log_groups = json!([{"logGroupNamePrefix": "/again/"}]);
    for log_group in ["/again/archived", "/again/open"] {
        every_month(&stage, log_group).await;
    }
    deny(&stage, "/again/open", 1).await;
    assert_eq!(
        scheduled(&stage, "2024-11-01", &log_groups).await,
        [
            "FAILED ArchiveIncomplete",
            "/again/archived 2024-10 exported",
            "/again/open 2024-10 failed AccessDenied",
            "open /again/open 2024-10 failed AccessDenied, tries 1",
        ]
    );
    for log_group in ["/again/archived", "/again/open"] {
        delete_log_group(&stage, log_group).await;
        stage.log_group(log_group, &[(FROM, "of the log group of today")]).await;
        stage.overlay(log_group, |overlay| overlay.creation_time = Some(Utc::now().timestamp_millis())).await;
    }
    assert_eq!(
        scheduled(&stage, "2024-12-01", &log_groups).await,
        [
            "SUCCEEDED",
            "/again/archived 2024-11 lost LogGroupDeleted",
            "/again/open 2024-10 lost LogGroupDeleted",
            "/again/open 2024-11 lost LogGroupDeleted",
            "warning LogGroupDeleted",
            "warning LogGroupDeleted",
            "warning LogGroupDeleted",
        ]
    );
    assert_eq!(outcomes(&stage, "/again/archived").await, ["2024-10 exported ", "2024-11 lost LogGroupDeleted"]);
    assert_eq!(outcomes(&stage, "/again/open").await, ["2024-10 lost LogGroupDeleted", "2024-11 lost LogGroupDeleted"]);
    assert_eq!(scheduled(&stage, "2024-12-02", &log_groups).await, ["SUCCEEDED"]);
    assert_eq!(stage.events("/again/archived").await, ["2024-10"]);
    assert_eq!((requests(&stage, "/again/archived").await, requests(&stage, "/again/open").await), (1, 1));
}

/// What the manifests of a log group say, month by month; what is lost has no task.
async fn outcomes(stage: &Stage, log_group: &str) -> Vec<String> {
    let manifests = stage.manifests(log_group).await;
    let line = |(key, manifest): &(String, Value)| {
        assert_eq!(manifest["task_id"].is_null(), manifest["outcome"] == "lost", "{manifest}");
        let month = key.split("year=").nth(1).expect("a year")[..13].replace("/month=", "-");
        format!("{month} {} {}", super::text(&manifest["outcome"]), super::text(&manifest["reason"]))
    };
    manifests.iter().map(line).collect()
}
