//! An archived month whose beginning is not there: retention had deleted it, or the log group is younger.

use chrono::DateTime;
use e2e::{DAY, FROM, Stage};
use serde_json::{Value, json};

use super::{requests, scheduled, text, warnings};
use crate::missing::{delete_log_group, ended, every_month, input};

fn warning_names(manifest: &Value) -> Vec<&str> {
    manifest["warnings"].as_array().expect("a list").iter().map(|warning| text(&warning["name"])).collect()
}

fn millis(instant: &Value) -> i64 {
    DateTime::parse_from_rfc3339(text(instant)).expect("an instant").timestamp_millis()
}

/// Retention deletes nothing in the local AWS, so that the task has something to write.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_states_from_when_on_it_is_complete() {
    let stage = Stage::take().await;
    for (log_group, days, policy) in [
        ("/retention/own", Some(30), None),
        ("/retention/account", Some(7), Some("a-week")),
        ("/retention/account-never", None, Some("for-ever")),
        ("/retention/long", Some(3653), None),
    ] {
        stage.hello(log_group).await;
        stage
            .overlay(log_group, |overlay| {
                (overlay.retention_in_days, overlay.retention_policy_name) = (days, policy.map(str::to_owned));
            })
            .await;
    }
    let warning = "warning RetentionShorterThanMonth";
    let run = stage.run(&input("2024-11-01", &json!([{"logGroupNamePrefix": "/retention/"}]))).await;
    let started = millis(&stage.report(&run.arn).await["started"]);
    assert_eq!(
        ended(&stage, run).await,
        [
            "SUCCEEDED",
            "/retention/account 2024-10 exported",
            "/retention/account-never 2024-10 exported",
            "/retention/long 2024-10 exported",
            "/retention/own 2024-10 exported",
            warning,
            warning,
        ]
    );
    let told = warnings(&stage, "RetentionShorterThanMonth").await;
    let of = |log_group: &str| told.iter().find(|message| message.starts_with(&format!("{log_group} "))).expect("it is told").clone();
    assert!(of("/retention/account").contains("a-week") && of("/retention/account").contains("7 days"), "{told:?}");
    assert!(of("/retention/own").contains("30 days") && !of("/retention/own").contains("policy"), "{told:?}");
    for (log_group, days) in [("own", Some(30)), ("account", Some(7)), ("account-never", None), ("long", None)] {
        let (_, manifest) = stage.manifest(&format!("/retention/{log_group}")).await;
        let complete_from = manifest["complete_from"].as_i64();
        // What retention had deleted when the task was created.
        let kept_from = days.map(|days| started - days * DAY..=millis(&manifest["created"]) - days * DAY);
        assert_eq!(complete_from.is_some(), kept_from.is_some(), "{log_group}: {manifest}");
        assert!(complete_from.zip(kept_from).is_none_or(|(from, kept)| kept.contains(&from)), "{log_group}: {manifest}");
        assert_eq!(warning_names(&manifest), vec!["RetentionShorterThanMonth"; usize::from(days.is_some())], "{log_group}");
        let sql = format!("SELECT complete_from FROM manifests WHERE log_group = '/retention/{log_group}'");
        let rows = stage.local.query(&stage.stack, &sql).await.expect("the table has the column").rows;
        assert_eq!(rows, [[complete_from.map(|from| from.to_string())]], "{log_group}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_group_created_inside_the_month_is_told() {
    let stage = Stage::take().await;
    let (log_group, created) = ("/young", FROM + 14 * DAY);
    stage.log_group(log_group, &[(created, "hello")]).await;
    stage.overlay(log_group, |overlay| overlay.creation_time = Some(created)).await;
    let lines = scheduled(&stage, "2024-11-01", &json!([log_group])).await;
    assert_eq!(lines, ["SUCCEEDED", "/young 2024-10 exported", "warning CreatedDuringMonth"]);
    let told = warnings(&stage, "CreatedDuringMonth").await;
    // Nobody knows of an earlier one.
    assert!(told[0].contains(log_group) && told[0].contains("2024-10-14T15:00:00") && !told[0].contains("lost"), "{told:?}");
    let (_, manifest) = stage.manifest(log_group).await;
    assert_eq!((warning_names(&manifest), &manifest["complete_from"]), (vec!["CreatedDuringMonth"], &Value::Null));
    // It was there all November, and is told no more.
    stage.overlay(log_group, |overlay| overlay.creation_time = Some(created)).await;
    let lines = scheduled(&stage, "2024-11-02", &json!([log_group])).await;
    assert_eq!(lines, ["SUCCEEDED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_log_group_of_the_same_name_is_told_as_lost() {
    let stage = Stage::take().await;
    let log_group = "/second-life";
    every_month(&stage, log_group).await;
    let log_groups = json!([log_group]);
    assert_eq!(scheduled(&stage, "2024-10-01", &log_groups).await, ["SUCCEEDED", "/second-life 2024-09 exported"]);
    // As if the run had been on that day.
    let (key, mut manifest) = stage.manifest(log_group).await;
    (manifest["created"], manifest["completed"]) = (json!("2024-10-01T04:00:10.000Z"), json!("2024-10-01T04:00:20.000Z"));
    stage.put(&key, manifest.to_string()).await;

    let created = FROM + 14 * DAY;
    delete_log_group(&stage, log_group).await;
    stage.log_group(log_group, &[(created + 1, "of the second life")]).await;
    stage.overlay(log_group, |overlay| overlay.creation_time = Some(created)).await;
    let lines = scheduled(&stage, "2024-11-01", &log_groups).await;
    assert_eq!(lines, ["SUCCEEDED", "/second-life 2024-10 exported", "warning CreatedDuringMonth"]);
    let told = warnings(&stage, "CreatedDuringMonth").await;
    assert!(told[0].contains("2024-10-14T15:00:00") && told[0].contains("lost"), "{told:?}");
    let manifests = stage.manifests(log_group).await;
    assert_eq!(manifests.iter().map(|(_, manifest)| warning_names(manifest).len()).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(stage.events(log_group).await, ["2024-09", "of the second life"]);
    assert_eq!(requests(&stage, log_group).await, 2);
}
