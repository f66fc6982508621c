//! Which tasks count as too long, and which window is too short to be halved.

use e2e::{DAY, FROM, Stage, TO};
use serde_json::json;

use super::{archived_bounds, counted, cut_open_window, ended_in, open_bounds, parts, requests, scheduled, tasks};
use crate::missing::deny;

const HOUR: i64 = 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_20_hours_that_did_not_complete_is_too_long() {
    let stage = Stage::take().await;
    let cases = [("failed", "FAILED", 21), ("cancelled", "CANCELLED", 21), ("running", "RUNNING", 27), ("short", "FAILED", 19)];
    for (name, status, hours) in cases {
        let log_group = format!("/too-long/{name}");
        stage.log_group(&log_group, &[(FROM, "first"), (TO, "last")]).await;
        stage.fault(json!({"logGroupName": log_group, "status": status, "ageMs": hours * HOUR})).await;
    }
    let log_groups = json!([{"logGroupNamePrefix": "/too-long/"}]);
    assert_eq!(
        counted(scheduled(&stage, "2024-11-01", &log_groups).await),
        [
            "SUCCEEDED",
            "/too-long/cancelled 2024-10 exported x2",
            "/too-long/failed 2024-10 exported x2",
            "/too-long/running 2024-10 exported x2",
            "/too-long/short 2024-10 exported",
        ]
    );
    let (month, halves) = ((FROM, TO), parts((FROM, TO), 2));
    for (name, first, then) in [
        ("failed", "FAILED", &halves[..]),
        ("cancelled", "CANCELLED", &halves),
        // Cancelled by the run.
        ("running", "CANCELLED", &halves),
        ("short", "FAILED", &[month]),
    ] {
        let log_group = format!("/too-long/{name}");
        let mut found = tasks(&stage, &log_group).await;
        assert_eq!(found.remove(0), (FROM, TO, first.to_owned()), "{name}");
        found.sort();
        assert_eq!(found, ended_in(then, "COMPLETED"), "{name}");
        assert_eq!(archived_bounds(&stage, &log_group).await, then, "{name}");
        assert_eq!(stage.events(&log_group).await, ["first", "last"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_not_halved() {
    let stage = Stage::take().await;
    let log_group = "/too-short";
    let log_groups = json!([log_group]);
    stage.log_group(log_group, &[(FROM, "first"), (TO, "last")]).await;
    deny(&stage, log_group, 1).await;
    scheduled(&stage, "2024-11-01", &log_groups).await;
    let (short, rest) = ((FROM, FROM + DAY - 1), (FROM + DAY, TO));
    cut_open_window(&stage, &[short, rest]).await;
    for _ in [short, rest] {
        stage.fault(json!({"logGroupName": log_group, "status": "FAILED", "ageMs": 24 * HOUR})).await;
    }
    assert_eq!(
        counted(scheduled(&stage, "2024-11-02", &log_groups).await),
        [
            "FAILED ArchiveIncomplete",
            "/too-short 2024-10 empty",
            "/too-short 2024-10 exported",
            "/too-short 2024-10 failed ExportTaskTimedOut",
            "open /too-short 2024-10 failed ExportTaskTimedOut, tries 2",
        ]
    );
    let half = rest.0 + (rest.1 + 1 - rest.0) / 2;
    let expected = [short, (rest.0, half - 1), (half, rest.1)];
    assert_eq!(open_bounds(&stage).await, [short]);
    assert_eq!(scheduled(&stage, "2024-11-03", &log_groups).await, ["SUCCEEDED", "/too-short 2024-10 exported"]);
    assert_eq!(archived_bounds(&stage, log_group).await, expected);
    let mut found = tasks(&stage, log_group).await.split_off(2);
    found.sort();
    assert_eq!(found, ended_in(&expected, "COMPLETED"));
    assert_eq!((stage.events(log_group).await, requests(&stage, log_group).await), (vec!["first".to_owned(), "last".to_owned()], 6));
}
