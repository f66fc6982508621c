//! The list of log groups changes while windows are open.

use e2e::{S3_PREFIX, Stage};
use serde_json::json;

use super::{deny, every_month, requests, scheduled, since};

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_taken_off_the_list_for_days_is_not_asked_for() {
    let stage = Stage::take().await;
    for log_group in ["/listed/always", "/listed/again"] {
        stage.hello(log_group).await;
    }
    deny(&stage, "/listed/again", 1).await;
    let (with, without) = (json!(["/listed/always", "/listed/again"]), json!(["/listed/always"]));
    assert_eq!(
        scheduled(&stage, "2024-11-01", &with).await,
        [
            "FAILED ArchiveIncomplete",
            "/listed/again 2024-10 failed AccessDenied",
            "/listed/always 2024-10 exported",
            "open /listed/again 2024-10 failed AccessDenied, tries 1",
        ]
    );
    let since_then = since(&stage).await;
    let open = "open /listed/again 2024-10 not_asked AccessDenied, tries 1";
    assert_eq!(scheduled(&stage, "2024-11-02", &without).await, ["SUCCEEDED", "warning NotAsked", open]);
    assert_eq!(since(&stage).await, since_then);
    // Said once.
    for day in ["2024-11-03", "2024-11-04"] {
        let lines = scheduled(&stage, day, &without).await;
        assert_eq!(lines, ["SUCCEEDED", open], "{day}");
    }
    assert_eq!(requests(&stage, "/listed/again").await, 1);
    assert_eq!(scheduled(&stage, "2024-11-05", &with).await, ["SUCCEEDED", "/listed/again 2024-10 exported"]);
    stage.assert_archived_once("/listed/again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_windows_move_with_their_entry() {
    let stage = Stage::take().await;
    every_month(&stage, "/moves").await;
    let (here, there) = (json!(["/moves"]), json!([{"logGroupName": "/moves", "s3Prefix": "elsewhere"}]));
    deny(&stage, "/moves", 6).await;
    let failed = |months: &[&str], tries: &[u32]| {
        let decided = months.iter().map(|month| format!("/moves {month} failed AccessDenied"));
        let open = months.iter().zip(tries).map(|(month, tries)| format!("open /moves {month} failed AccessDenied, tries {tries}"));
        std::iter::once("FAILED ArchiveIncomplete".to_owned()).chain(decided).chain(open).collect::<Vec<_>>()
    };
    let destination = |s3_prefix: &str| json!(format!("{s3_prefix}/log_group=/moves/year={{year}}/month={{month}}"));
    assert_eq!(scheduled(&stage, "2024-11-01", &here).await, failed(&["2024-10"], &[1]));
    assert_eq!(scheduled(&stage, "2024-12-01", &here).await, failed(&["2024-10", "2024-11"], &[2, 1]));
    assert_eq!(stage.open_windows().await[0]["destination"], destination(S3_PREFIX));
    let since_then = since(&stage).await;

    // October is older than what the run looks at by itself. In the new place nothing was tried before.
    assert_eq!(scheduled(&stage, "2025-01-01", &there).await, failed(&["2024-10", "2024-11", "2024-12"], &[1, 1, 1]));
    assert!(stage.open_windows().await.iter().all(|open| open["destination"] == destination("elsewhere")));
    assert_eq!(since(&stage).await[..2], since_then);
    let exported = ["2024-10", "2024-11", "2024-12"].map(|month| format!("/moves {month} exported"));
    assert_eq!(scheduled(&stage, "2025-01-02", &there).await, [&["SUCCEEDED".to_owned()], &exported[..]].concat());
    let manifests = stage.manifests("/moves").await;
    let prefixes: Vec<_> = manifests.iter().map(|(_, manifest)| super::text(&manifest["destination_prefix"])).collect();
    let expected =
        ["year=2024/month=10", "year=2024/month=11", "year=2024/month=12"].map(|month| format!("elsewhere/log_group=/moves/{month}"));
    assert_eq!(prefixes, expected);
    assert_eq!(requests(&stage, "/moves").await, 9);
}
