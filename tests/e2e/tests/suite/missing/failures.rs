//! A window that failed is exported by a later run, or named by it.

use e2e::{FROM, MONTH, S3_PREFIX, Stage, TO, assert_counts, badly, place};
use serde_json::json;

use super::{deny, ended, every_month, input, requests, scheduled, since, text};

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_three_months_is_exported_once_it_can_be() {
    let stage = Stage::take().await;
    let log_groups = json!(["/fails/a", "/fails/b"]);
    for log_group in ["/fails/a", "/fails/b"] {
        every_month(&stage, log_group).await;
    }
    deny(&stage, "/fails/b", 1).await;
    let august = stage.run(&input("2024-09-01", &log_groups)).await;
    let (arn, open) = (august.arn.clone(), stage.open_windows().await);
    assert_eq!(
        ended(&stage, august).await,
        [
            "FAILED ArchiveIncomplete",
            "/fails/a 2024-08 exported",
            "/fails/b 2024-08 failed AccessDenied",
            "open /fails/b 2024-08 failed AccessDenied, tries 1",
        ]
    );
    let mut item = open[0].clone();
    let told = item.as_object_mut().expect("an object");
    let (message, first) = (told.remove("message").expect("a message"), told.remove("since").expect("an instant"));
    assert!(text(&message).starts_with("CreateExportTask answered AccessDeniedException"), "{message}");
    assert!(text(&first) > text(&stage.report(&arn).await["started"]), "{first}");
    assert_eq!(
        item,
        json!({
            "schema_version": 1, "outcome": "failed", "error": "AccessDenied", "account": stage.local.account_id(), "region": stage.local.region(),
            "bucket": stage.stack.bucket, "log_group": "/fails/b", "log_stream_name_prefix": null,
            "destination": format!("{S3_PREFIX}/log_group=/fails/b/year={{year}}/month={{month}}"), "timezone": "Asia/Tokyo", "month": "2024-08",
            "window_from": 1_722_438_000_000_i64, "window_to": 1_725_116_399_999_i64, "tries": 1, "execution": arn, "blocked_by": null
        })
    );

    // A run by hand that ends well judges what it names, and hides nothing else.
    let by_hand = stage.run(&json!({"month": "2024-08", "logGroups": ["/fails/a"]})).await;
    assert_eq!(stage.report(&by_hand.arn).await["missing_count"], 1);
    assert_counts(&e2e::well(by_hand), json!({"alreadyArchived": 1}));
    assert_eq!(stage.open_windows().await, open);

    deny(&stage, "/fails/b", 2).await;
    assert_eq!(
        scheduled(&stage, "2024-10-01", &log_groups).await,
        [
            "FAILED ArchiveIncomplete",
            "/fails/a 2024-09 exported",
            "/fails/b 2024-08 failed AccessDenied",
            "/fails/b 2024-09 failed AccessDenied",
            "open /fails/b 2024-08 failed AccessDenied, tries 2",
            "open /fails/b 2024-09 failed AccessDenied, tries 1",
        ]
    );
    let since = since(&stage).await;
    assert!(since[0] == first && since[1] > since[0], "{first} {since:?}");

    // No run for two months. August is older than what the next one looks at by itself.
    deny(&stage, "/fails/a", 1).await;
    assert_eq!(
        scheduled(&stage, "2025-01-01", &log_groups).await,
        [
            "FAILED ArchiveIncomplete",
            "/fails/a 2024-10 exported",
            "/fails/a 2024-11 exported",
            "/fails/a 2024-12 failed AccessDenied",
            "/fails/b 2024-08 exported",
            "/fails/b 2024-09 exported",
            "/fails/b 2024-10 exported",
            "/fails/b 2024-11 exported",
            "/fails/b 2024-12 exported",
            "open /fails/a 2024-12 failed AccessDenied, tries 1",
        ]
    );
    assert_eq!(scheduled(&stage, "2025-01-02", &log_groups).await, ["SUCCEEDED", "/fails/a 2024-12 exported"]);
    for (log_group, refused) in [("/fails/a", 1), ("/fails/b", 3)] {
        assert_eq!(stage.events(log_group).await, ["2024-08", "2024-09", "2024-10", "2024-11", "2024-12"]);
        assert_eq!(requests(&stage, log_group).await, 5 + refused, "{log_group}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_smaller_than_what_lies_there_waits_for_a_change() {
    let stage = Stage::take().await;
    let log_group = "/smaller";
    let log_groups = json!([log_group]);
    stage.hello(log_group).await;
    assert_eq!(scheduled(&stage, "2024-11-01", &log_groups).await, ["SUCCEEDED", "/smaller 2024-10 exported"]);
    let key = stage.data_keys(log_group).await.remove(0);
    let added = ["000001.gz", "000002.gz"].map(|name| key.replace("000000.gz", name));
    let failed = |tries: u32| {
        let open = format!("open /smaller 2024-10 failed SmallerExport, tries {tries}");
        ["FAILED ArchiveIncomplete", "/smaller 2024-10 failed SmallerExport", &open].map(str::to_owned)
    };

    stage.put(&added[0], "more").await;
    assert_eq!(scheduled(&stage, "2024-11-02", &log_groups).await, failed(1));
    assert_eq!(requests(&stage, log_group).await, 2);
    let open = stage.open_windows().await;
    assert_eq!((&open[0]["window_from"], &open[0]["window_to"]), (&json!(FROM), &json!(TO)));
    assert!(open[0]["blocked_by"].is_string(), "{open:?}");
    for day in ["2024-11-03", "2024-11-04"] {
        let (error, cause) = badly(stage.run(&input(day, &log_groups)).await);
        assert_eq!(error, "ArchiveIncomplete");
        assert!(cause.contains(&format!("SmallerExport: {log_group} {MONTH} ")), "{cause}");
        assert_eq!((requests(&stage, log_group).await, &stage.open_windows().await[0]["tries"]), (2, &json!(1)), "{day}");
    }
    // What lies there has changed, so it is tried again.
    stage.put(&added[1], "more").await;
    assert_eq!(scheduled(&stage, "2024-11-05", &log_groups).await, failed(2));
    assert_eq!(requests(&stage, log_group).await, 3);
    assert_eq!(stage.open_windows().await[0]["since"], open[0]["since"]);
    stage.delete(&added).await;
    assert_eq!(scheduled(&stage, "2024-11-06", &log_groups).await, ["SUCCEEDED"]);
    assert_eq!(requests(&stage, log_group).await, 3);
    assert_eq!(stage.keys(&format!("{}/", place(S3_PREFIX, log_group))).await.len(), 4, "three tasks, and CloudWatch's own object");
    assert_eq!(stage.events(log_group).await, ["hello"]);
}
