//! How a scheduled run handles the open windows and log groups of earlier runs.

use std::collections::BTreeSet;

use fake_aws::{Aws, EXECUTION, FROM, State, days, manifest, merged, october, open_path_of, open_window, path_of};
use serde_json::{Value, json};

use crate::{DAY, aws, aws_with, decided, handle, handle_at, of_step, run};

fn scheduled(log_groups: Value) -> Value {
    run(json!({"scheduledTime": "2026-11-01T04:00:00Z", "logGroups": log_groups}))
}

/// The windows of the first step: log group, month, and the days of October.
fn windows(aws: &Aws) -> Vec<(String, String, [i64; 2])> {
    let items = of_step(aws, 1, "windows");
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let day = |millis: &Value| (millis.as_i64().unwrap() - FROM) / DAY;
    let window = |item: &Value| (text(item, "logGroupName"), text(item, "month"), [day(&item["from"]), day(&item["to"])]);
    items.as_array().unwrap().iter().map(window).collect()
}

#[tokio::test(start_paused = true)]
async fn open_windows_of_older_months_are_planned_after_the_due_month() {
    let mut older = october("/ecs/web");
    older.month = "2026-07".parse().unwrap();
    (older.window.from.0, older.window.to.0) = (FROM - 92 * DAY, FROM - 61 * DAY - 1);
    let own = |aws: &Aws| aws.state().put(&open_path_of(&older), &open_window(&older, json!({})));
    let (july, due) = ("2026-07".to_owned(), ("/ecs/web".to_owned(), "2026-10".to_owned(), [0, 30]));
    let aws = aws();
    own(&aws);
    handle(&aws, scheduled(json!(["/ecs/web"]))).await.unwrap();
    assert_eq!(windows(&aws), [due.clone(), ("/ecs/web".to_owned(), july, [-92, -61])]);
    // A run by hand does only what it was asked for, and no entry matches here.
    for event in [run(json!({"logGroups": ["/ecs/web"]})), scheduled(json!(["/ecs/api"]))] {
        let aws = crate::aws();
        own(&aws);
        handle(&aws, event).await.unwrap();
        assert_eq!(windows(&aws).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_uncovered_window_is_split_at_open_windows() {
    let open = days("/ecs/web", 5, 9);
    let aws = aws_with(|aws| aws.put(&open_path_of(&open), &open_window(&open, json!({}))));
    handle(&aws, scheduled(json!(["/ecs/web"]))).await.unwrap();
    assert_eq!(windows(&aws).into_iter().map(|(_, _, days)| days).collect::<Vec<_>>(), [[0, 4], [5, 9], [10, 30]]);
}

#[tokio::test(start_paused = true)]
async fn log_groups_that_were_seen_and_deleted_are_lost() {
    let found = |aws: &mut State| {
        let report = json!({"started": "2026-10-20T04:00:05Z", "scheduled_time": "2026-10-20T04:00:00Z", "compared_everything": true,
            "due_month": "2026-09", "found": ["/aws/lambda/found", "/other"]});
        aws.put("archive/logs/runs/year=2026/month=09/a.json", &report);
        aws.put(&open_path_of(&october("/aws/lambda/open")), &open_window(&october("/aws/lambda/open"), json!({})));
    };
    let entry = json!([{"logGroupNamePrefix": "/aws/lambda/", "exclude": ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/debug-1"]}]);
    let aws = aws_with(found);
    handle(&aws, scheduled(entry.clone())).await.unwrap();
    let lost = |name: &str| [name, "lost", "LogGroupDeleted"].map(str::to_owned);
    assert_eq!(decided(&aws, 1)[..2], [lost("/aws/lambda/found"), lost("/aws/lambda/open")]);
    // A run by hand compares only log groups that exist.
    let aws = aws_with(found);
    handle(&aws, run(json!({"logGroups": entry}))).await.unwrap();
    assert_eq!(decided(&aws, 1).len(), 0);
}

/// With settleDays, a run starts days after the month's end. Log groups found at the month's end count, later ones do not.
#[tokio::test(start_paused = true)]
async fn log_groups_deleted_during_settle_days_are_lost() {
    let entry = json!([{"logGroupNamePrefix": "/aws/lambda/", "exclude": ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/debug-1"]}]);
    let later = ["/aws/lambda/later", "nothingYet", ""];
    for (newest_due_month, expected) in [
        ("2026-09", vec![["/aws/lambda/found", "lost", "LogGroupDeleted"], ["/aws/lambda/found", "nothingYet", ""], later]),
        // An earlier run with fewer settleDays has judged October.
        ("2026-10", vec![later]),
    ] {
        let aws = aws_with(|aws| {
            for (started, due_month, found) in
                [("2026-10-20", "2026-09", "/aws/lambda/found"), ("2026-11-10", newest_due_month, "/aws/lambda/later")]
            {
                let report = json!({"started": format!("{started}T04:00:05Z"), "scheduled_time": format!("{started}T04:00:00Z"),
                    "compared_everything": true, "due_month": due_month, "found": [found]});
                aws.put(&format!("archive/logs/runs/year=2026/month=09/{started}.json"), &report);
            }
        });
        let event = json!({"execution": EXECUTION, "startTime": "2026-11-16T04:00:05Z",
            "state": {"scheduledTime": "2026-11-16T04:00:00Z", "settleDays": 15, "logGroups": entry}});
        handle_at(&aws, event, "2026-11-16T04:00:06Z").await.unwrap();
        // October, and the gap that a changed time zone may have left in September.
        let decided: BTreeSet<_> = decided(&aws, 1).into_iter().filter(|one| one[1] != "warned").collect();
        assert_eq!(decided, expected.into_iter().map(|one| one.map(str::to_owned)).collect(), "{newest_due_month}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_a_manifest_blocks_is_not_exported_again_until_it_changes() {
    let target = october("/ecs/web");
    let damaged = manifest(&target, json!({"bytes": 100}));
    let aws = aws_with(|aws| aws.put(&path_of(&target), &damaged));
    let plan = handle(&aws, scheduled(json!(["/ecs/web"]))).await.unwrap();
    let failed = json!({"Input": of_step(&aws, 1, "windows")[0].to_string(), "Status": "FAILED", "Error": "SmallerExport",
        "Cause": json!({"errorType": "SmallerExport", "errorMessage": "m"}).to_string()});
    aws.state().put("work/results/FAILED_0.json", &json!([failed]));
    aws.state().put("work/results/manifest.json", &json!({"ResultFiles": {"FAILED": [{"Key": "results/FAILED_0.json"}]}}));
    let exported = json!({"ResultWriterDetails": {"Bucket": "work", "Key": "results/manifest.json"}});
    handle(&aws, run(json!({"plan": plan, "exported": exported}))).await.unwrap();
    let blocked_by = of_step(&aws, 2, "decided")[0]["blocked_by"].clone();
    assert!(blocked_by.is_string(), "{}", of_step(&aws, 2, "decided"));
    let open = open_window(&target, json!({"error": "SmallerExport", "message": "m", "blocked_by": blocked_by}));
    for (changes, object, is_blocked) in [
        (json!({}), None, true),
        (json!({"digest": "another"}), None, false),
        // An object in its task's folder.
        (json!({}), Some("abc"), false),
    ] {
        let aws = crate::aws();
        aws.state().put(&path_of(&target), &merged(damaged.clone(), changes.clone()));
        aws.state().put(&open_path_of(&target), &open);
        let path = format!("archive/{}/task-0/s/000000.gz", target.destination_prefix());
        aws.state().objects.extend(object.map(|text| (path, text.as_bytes().to_vec())));
        let answer = handle(&aws, scheduled(json!(["/ecs/web"]))).await.unwrap();
        assert_eq!(answer["next"], if is_blocked { "REPORT" } else { "EXPORT" }, "{changes} {object:?}");
        let settled: Vec<_> = is_blocked.then_some(["/ecs/web", "failed", "SmallerExport"]).into_iter().collect();
        assert_eq!(decided(&aws, 1), settled);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_writes_parquet_compacts_the_months_whose_manifests_changed() {
    let aws = |reports: &[Value]| {
        aws_with(|aws| {
            for month in ["2026-08", "2026-10"] {
                let mut target = october("/ecs/web");
                target.month = month.parse().unwrap();
                aws.put(&path_of(&target), &manifest(&target, json!({"outcome": "empty", "objects": 0, "bytes": 0})));
            }
            for (day, report) in reports.iter().enumerate() {
                aws.put(&format!("archive/logs/runs/year=2026/month=09/2026-10-{day:02}.json"), report);
            }
            aws.put("archive/logs/runs/year=2026/month=09/z.json", &json!("no report"));
        })
    };
    let next = async |aws: &Aws, compact: bool| {
        let plan = handle(aws, run(json!({"logGroups": ["/ecs/web"], "compact": compact}))).await.unwrap();
        json!([plan["next"], plan["compact"]])
    };
    let compaction = |aws: &Aws| of_step(aws, 1, "progress")["compaction"].clone();

    let report = |followed: Value| json!({"compacted_manifests": followed});
    let first = aws(&[report(Value::Null)]);
    assert_eq!(next(&first, true).await, json!(["COMPACT", ["2026-10"]]), "the first: what it looks at");
    let all = compaction(&first)["manifests"].clone();
    assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), ["2026-08", "2026-10"]);
    let of = |month: &str| json!({month: all[month]});

    let (none, older, due) = (json!(["REPORT", []]), json!(["COMPACT", ["2026-08"]]), json!(["COMPACT", ["2026-10"]]));
    let unasked = aws(&[]);
    assert_eq!((next(&unasked, false).await, compaction(&unasked)), (none.clone(), Value::Null));
    for (reports, expected) in [
        (vec![report(all.clone())], &none),
        (vec![report(all.clone()), json!({})], &none),
        (vec![report(of("2026-10"))], &older),
        (vec![report(json!({"2026-08": "other", "2026-10": all["2026-10"]})), report(Value::Null)], &older),
        (vec![report(all.clone()), report(of("2026-08"))], &due),
    ] {
        assert_eq!(next(&aws(&reports), true).await, *expected, "{reports:?}");
    }
}
