//! What a run changes in `missing/`, and in which order.

use export_core::ErrorName::*;
use fake_aws::{Aws, EXECUTION, FROM, days, manifest, merged, october, open_path_of, open_window, path_of};
use function_runtime::Metric;
use serde_json::{Value, json};

use crate::{
    REPORT, by_hand, exported, failed, handle, handle_in, invocation, left, left_by, lost, put_last_report, put_open, report, skipped,
    waiting, warned,
};

fn empty() -> Value {
    json!({"outcome": "empty", "objects": 0, "bytes": 0})
}

fn covered(aws: &Aws, log_group: &str, changes: Value) {
    let target = october(log_group);
    aws.state().put(&path_of(&target), &manifest(&target, merged(empty(), changes)));
}

/// `/a` failed, `/b` is lost, `/ecs/web` was open and is archived now, and `/idle` had no events.
async fn everything(aws: &Aws) -> Value {
    put_open(aws, &october("/b"), json!({}));
    put_open(aws, &october("/ecs/web"), json!({}));
    covered(aws, "/ecs/web", json!({}));
    left(aws, json!([failed("/a", "ExportTaskFailed"), lost("/b", "Expired"), skipped("NoEventsInMonth"), exported()]), json!({})).await
}

fn writes_of_everything() -> Vec<String> {
    vec![
        format!("PUT {}", path_of(&october("/idle"))),
        format!("PUT {}", open_path_of(&october("/a"))),
        format!("PUT {}", open_path_of(&october("/b"))),
        format!("PUT archive/{REPORT}"),
        format!("PUT {}", path_of(&october("/b"))),
        format!("DELETE {}", open_path_of(&october("/ecs/web"))),
        format!("DELETE {}", open_path_of(&october("/b"))),
        "Publish".to_owned(),
        format!("PUT archive/{REPORT}"),
    ]
}

#[tokio::test(start_paused = true)]
async fn opened_windows_the_report_records_and_removals_are_written_in_this_order() {
    let aws = Aws::default();
    let state = everything(&aws).await;
    let error = handle(&aws, state).await.unwrap_err();
    assert_eq!(error.name, ArchiveIncomplete);
    assert_eq!(aws.names(&["PUT", "DELETE", "Publish"]), writes_of_everything());
    let anew = json!({"since": "2026-11-01T04:00:05Z", "tries": 1, "execution": EXECUTION});
    assert_eq!(aws.get(&open_path_of(&october("/a"))), Some(open_window(&october("/a"), anew)));
    // A window that is about to be lost has the outcome `lost`, and keeps `since`.
    let written = &aws.bodies(&format!("PUT {}", open_path_of(&october("/b"))))[0];
    assert_eq!((&written["outcome"], &written["since"]), (&json!("lost"), &json!("2026-10-20T04:00:05Z")));
    assert_eq!(aws.get(&path_of(&october("/b"))).unwrap()["reason"], "Expired");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_before_any_write_ends_the_same_when_repeated() {
    let aws = Aws::default();
    let state = everything(&aws).await;
    handle(&aws, state).await.unwrap_err();
    let expected = aws.objects();
    // The report is written before and after the notification.
    let told = ("Publish", format!("PUT archive/{REPORT}"));
    for (after, write) in writes_of_everything().into_iter().map(|write| ("", write)).chain([told]) {
        let aws = Aws::default();
        let state = everything(&aws).await;
        let refused = write.clone();
        aws.state().before(after, move |state| state.refuse_once(&refused, 403, "AccessDenied", "no"));
        handle(&aws, state.clone()).await.unwrap_err();
        aws.forget_calls();
        assert_eq!(handle(&aws, state).await.unwrap_err().name, ArchiveIncomplete, "{write}");
        assert_eq!(aws.objects(), expected, "{write}");
        assert_eq!(aws.bodies("Publish").len(), 1, "{write}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_is_written_if_the_run_did_something_or_differs_from_the_last_report() {
    let looked = json!({"months": ["2026-10"]});
    for (change, is_written) in [
        (json!({}), false),
        (json!({"decided": [], "counts": null}), true),
        (json!({"found": ["/a"]}), true),
        (json!({"missing": []}), true),
        (json!({"missing_count": 0}), true),
        (json!({"warnings": []}), true),
        (json!({"due_month": "2026-09"}), true),
        // The first report of a month has the log groups that were found in the month before.
        (json!({"scheduled_time": "2026-10-31T14:59:59Z"}), true),
        (json!({"scheduled_time": "2026-10-31T15:00:00Z"}), false),
        (json!({"due_month_archived": true}), true),
        (json!({"compared_everything": false}), true),
        (json!({"error": {"error": "InvalidInput", "message": "m"}}), true),
    ] {
        let aws = Aws::default();
        put_open(&aws, &october("/a"), json!({}));
        let idle = merged(failed("/a", "ExportTaskFailed"), json!({"tried": false}));
        let state = left(&aws, json!([idle, warned("log group /c does not exist")]), json!({})).await;
        handle(&aws, state.clone()).await.unwrap_err();
        let is_no_report = change.get("counts").is_some_and(Value::is_null);
        put_last_report(&aws, merged(looked.clone(), change.clone()));
        if is_no_report {
            aws.state().put("archive/logs/runs/year=2026/month=10/2026-10-31T04-00-05.000Z-run-0.json", &json!({"schema_version": 1}));
        }
        aws.forget_calls();
        handle(&aws, state).await.unwrap_err();
        assert_eq!(!aws.names(&["PUT archive/logs/runs/"]).is_empty(), is_written, "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_window_keeps_its_oldest_time_and_counts_its_tries() {
    let aws = Aws::default();
    put_open(&aws, &october("/a"), json!({}));
    put_open(&aws, &days("/a", 0, 1), json!({"since": "2026-10-01T04:00:05Z", "tries": 9}));
    let state = left(&aws, json!([failed("/a", "AccessDenied")]), json!({})).await;
    handle(&aws, state).await.unwrap_err();
    let changes = json!({"error": "AccessDenied", "since": "2026-10-01T04:00:05Z", "tries": 4, "execution": EXECUTION});
    assert_eq!(aws.get(&open_path_of(&october("/a"))), Some(open_window(&october("/a"), changes)));
    // The whole window replaces its part.
    assert_eq!(aws.get(&open_path_of(&days("/a", 0, 1))), None);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_closed_when_manifests_that_answer_it_cover_it() {
    let of = |prefix: &str| json!({"log_stream_name_prefix": prefix});
    for (manifest, held, leaves) in [
        (Some(json!({})), json!({}), true),
        (Some(json!({})), of("prod/"), true),
        (Some(of("prod/")), of("prod/a"), true),
        (Some(of("prod/")), of("dev/"), false),
        (Some(of("prod/")), json!({}), false),
        // Its object was deleted.
        (Some(json!({"outcome": "exported", "objects": 1, "bytes": 3})), json!({}), false),
        (None, json!({}), false),
    ] {
        let aws = Aws::default();
        put_open(&aws, &october("/a"), held.clone());
        if let Some(changes) = &manifest {
            covered(&aws, "/a", changes.clone());
        }
        let state = left(&aws, json!([]), json!({})).await;
        assert_eq!(handle(&aws, state).await.is_ok(), leaves, "{manifest:?} {held}");
        assert_eq!(aws.get(&open_path_of(&october("/a"))).is_none(), leaves, "{manifest:?} {held}");
        assert_eq!(report(&aws)["missing_count"], u64::from(!leaves), "{manifest:?} {held}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_no_entry_matches_stays_open_with_one_warning() {
    for outcome in ["failed", "not_asked"] {
        let aws = Aws::default();
        put_open(&aws, &october("/other"), json!({"outcome": outcome}));
        let state = left(&aws, json!([]), json!({})).await;
        let output = handle(&aws, state).await.unwrap();
        let said = format!("{}", output["warnings"][0]["name"]);
        assert_eq!(said, if outcome == "failed" { "\"NotAsked\"" } else { "null" });
        assert_eq!(aws.get(&open_path_of(&october("/other"))).unwrap()["outcome"], "not_asked");
        assert_eq!((&report(&aws)["missing_count"], &report(&aws)["missing"][0]["log_group"]), (&json!(0), &json!("/other")));
    }
    // A run that died before its report warns when it is repeated.
    let aws = Aws::default();
    put_open(&aws, &october("/other"), json!({}));
    let state = left(&aws, json!([]), json!({})).await;
    aws.state().refuse_once("PUT archive/logs/runs/", 403, "AccessDenied", "no");
    handle(&aws, state.clone()).await.unwrap_err();
    assert_eq!(handle(&aws, state).await.unwrap()["warnings"][0]["name"], "NotAsked");
    // A run that could not expand every entry does not warn.
    let aws = Aws::default();
    put_open(&aws, &october("/other"), json!({}));
    let state = left(&aws, json!([]), json!({"compared_everything": false})).await;
    handle(&aws, state).await.unwrap_err();
    assert_eq!(aws.get(&open_path_of(&october("/other"))).unwrap()["outcome"], "failed");
}

#[tokio::test(start_paused = true)]
async fn an_open_window_moves_to_the_current_place_of_its_entry() {
    let aws = Aws::default();
    let mut old = october("/a");
    old.place.destination = serde_json::from_value(json!("old/{year}/{month}")).unwrap();
    put_open(&aws, &old, json!({}));
    let state = left(&aws, json!([failed("/a", "ExportTaskFailed")]), json!({})).await;
    handle(&aws, state).await.unwrap_err();
    let moved = aws.get(&open_path_of(&october("/a"))).unwrap();
    assert_eq!((&moved["since"], aws.get(&open_path_of(&old))), (&json!("2026-10-20T04:00:05Z"), None));
}

#[tokio::test(start_paused = true)]
async fn a_run_by_hand_changes_only_the_windows_that_it_was_asked_for() {
    let mut september = october("/a");
    september.month = "2026-09".parse().unwrap();
    (september.window.from.0, september.window.to.0) = (FROM - 30 * 86_400_000, FROM - 1);
    let aws = Aws::default();
    put_open(&aws, &october("/a"), json!({}));
    put_open(&aws, &october("/other"), json!({}));
    put_open(&aws, &september, json!({}));
    covered(&aws, "/a", json!({}));
    covered(&aws, "/other", json!({}));
    let state = left_by(&aws, json!([]), json!({}), by_hand()).await;
    let mut invocation = invocation();
    // It succeeds although other windows are missing.
    handle_in(&mut invocation, &aws, state).await.unwrap();
    assert_eq!(aws.names(&["PUT archive/logs/missing/", "DELETE"]), [format!("DELETE {}", open_path_of(&october("/a")))]);
    assert!(invocation.metrics().contains(&Metric::MissingMonths(2)));
    assert!(!invocation.metrics().iter().any(|metric| matches!(metric, Metric::ScheduledRunsEnded | Metric::ScheduledRunsSucceeded(_))));
}

#[tokio::test(start_paused = true)]
async fn a_failed_forced_export_of_a_covered_window_fails_the_run_and_opens_nothing() {
    for (is_covered, missing) in [(true, 0), (false, 1)] {
        let aws = Aws::default();
        if is_covered {
            covered(&aws, "/a", json!({}));
        }
        let changes = merged(by_hand(), json!({"force": true}));
        let state = left_by(&aws, json!([failed("/a", "ExportTaskFailed")]), json!({}), changes).await;
        let error = handle(&aws, state).await.unwrap_err();
        assert_eq!(error.name, ArchiveIncomplete);
        assert!(error.message.starts_with("1 window not archived.\nExportTaskFailed: /a 2026-10."), "{error}");
        assert_eq!(aws.names(&["PUT archive/logs/missing/"]).len(), missing);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_window_that_cannot_be_read_is_counted_and_named() {
    let aws = Aws::default();
    aws.state().put("archive/logs/missing/x.json", &json!("?"));
    let state = left(&aws, json!([]), json!({})).await;
    let mut invocation = invocation();
    let error = handle_in(&mut invocation, &aws, state).await.unwrap_err();
    assert_eq!(error.name, ArchiveIncomplete);
    assert!(error.message.contains("ArchiveUnreadable: 1 in missing/. open window logs/missing/x.json of bucket archive"), "{error}");
    assert!(invocation.metrics().contains(&Metric::MissingMonths(1)));
    assert_eq!(aws.names(&["PUT archive/logs/missing/", "DELETE"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_without_a_plan_changes_nothing() {
    let aws = Aws::default();
    put_open(&aws, &october("/a"), json!({}));
    put_open(&aws, &october("/other"), json!({}));
    let state = json!({"error": crate::caught("InvalidInput"), "scheduledTime": "2026-11-01T04:00:00Z"});
    let mut invocation = invocation();
    assert_eq!(handle_in(&mut invocation, &aws, state).await.unwrap_err().name, InvalidInput);
    assert_eq!(aws.names(&["PUT", "DELETE", "Publish"]), [&format!("PUT archive/{REPORT}"), "Publish", &format!("PUT archive/{REPORT}")]);
    assert_eq!(invocation.metrics()[6..], [Metric::MissingMonths(2), Metric::ScheduledRunsEnded, Metric::ScheduledRunsSucceeded(false)]);
}

#[tokio::test(start_paused = true)]
async fn a_window_that_waits_is_missing_after_seven_days() {
    for (since, is_missing) in [("2026-10-25T04:00:06Z", false), ("2026-10-25T04:00:05Z", true)] {
        let aws = Aws::default();
        put_open(&aws, &october("/a"), json!({"outcome": "waiting", "error": "RunTimeOver", "since": since}));
        let state = left(&aws, json!([waiting("/a")]), json!({})).await;
        let error = handle(&aws, state).await.err();
        assert_eq!(error.as_ref().map(|error| error.name), is_missing.then_some(ArchiveIncomplete), "{since}");
        assert!(error.is_none_or(|error| error.message.contains("RunTimeOver: /a 2026-10 (since 2026-10-25).")));
        let written = report(&aws);
        assert_eq!((&written["missing_count"], &written["counts"]["waiting"]), (&json!(u64::from(is_missing)), &json!(1)));
        assert_eq!(written["due_month_archived"], false);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_window_fails_the_run_once() {
    for (reason, fails) in [("Expired", true), ("LogGroupDeleted", false)] {
        let aws = Aws::default();
        put_open(&aws, &october("/b"), json!({}));
        let state = left(&aws, json!([lost("/b", reason)]), json!({})).await;
        let mut first = invocation();
        let error = handle_in(&mut first, &aws, state).await.err();
        assert_eq!(error.as_ref().map(|error| error.name), fails.then_some(ArchiveIncomplete), "{reason}");
        assert!(error.is_none_or(|error| error.message.starts_with("1 window lost.\nLost, Expired: /b 2026-10. No run can export")));
        assert!(first.metrics().contains(&Metric::WindowsLost(1)) && first.metrics().contains(&Metric::MissingMonths(0)));
        let said = report(&aws)["warnings"].as_array().unwrap().iter().any(|warning| warning["name"] == "LogGroupDeleted");
        assert_eq!(said, reason == "LogGroupDeleted");
        assert_eq!(aws.get(&path_of(&october("/b"))).unwrap()["outcome"], "lost");
        aws.state().objects.retain(|path, _| !path.starts_with("work/"));
        let state = left(&aws, json!([]), json!({})).await;
        handle(&aws, state).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_refused_leaves_its_window_open() {
    // Another manifest covers a part of the window, but not the rest.
    let part = days("/b", 0, 0);
    for (waits, since, tries) in [(false, "2026-11-01", 0), (true, "2026-10-20", 3)] {
        let aws = Aws::default();
        if waits {
            put_open(&aws, &october("/b"), json!({"outcome": "waiting", "error": "RunTimeOver"}));
        }
        aws.state().put(&path_of(&part), &manifest(&part, empty()));
        let state = left(&aws, json!([lost("/b", "Expired")]), json!({})).await;
        let error = handle(&aws, state).await.unwrap_err();
        assert!(error.message.contains(&format!("OverlapRefused: /b 2026-10 (since {since}).")), "{error}");
        let left_open = aws.get(&open_path_of(&october("/b"))).unwrap();
        assert_eq!((&left_open["outcome"], &left_open["error"]), (&json!("failed"), &json!("OverlapRefused")));
        assert_eq!(left_open["tries"], tries);
        let written = report(&aws);
        assert_eq!((&written["counts"]["lost"], &written["counts"]["failed"]), (&json!(0), &json!(1)));
        assert_eq!(aws.get(&path_of(&october("/b"))), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_window_stays_open_if_its_manifest_was_withdrawn() {
    let aws = Aws::default();
    covered(&aws, "/b", json!({}));
    let path = path_of(&october("/b"));
    let read = format!("GET {path}");
    // Between the look before the record, which finds the manifest, and the removal.
    aws.state().before(&format!("PUT archive/{REPORT}"), move |state| {
        state.before(&read, |state| state.before("LIST", move |state| drop(state.objects.remove(&path))));
    });
    let state = left(&aws, json!([lost("/b", "LogGroupDeleted")]), json!({})).await;
    handle(&aws, state).await.unwrap();
    assert_eq!((aws.get(&path_of(&october("/b"))), aws.names(&["DELETE"])), (None, vec![]));
    assert_eq!(aws.get(&open_path_of(&october("/b"))).unwrap()["outcome"], "lost");
}

#[tokio::test(start_paused = true)]
async fn a_failed_window_that_valid_manifests_cover_is_archived() {
    let planned = json!({"planned": [{"group": 0, "month": "2026-10", "window": october("/a").window, "last": null}]});
    for (decided, progress) in
        [(json!([failed("/a", "ExportTaskFailed")]), json!({})), (json!([waiting("/a")]), json!({})), (json!([]), planned)]
    {
        let aws = Aws::default();
        let state = left(&aws, decided.clone(), progress).await;
        // After its last look.
        covered(&aws, "/a", json!({}));
        handle(&aws, state).await.unwrap();
        let written = report(&aws);
        assert_eq!((&written["decided"], &written["counts"]["alreadyArchived"]), (&json!([]), &json!(4)), "{decided}");
        assert_eq!(aws.names(&["PUT archive/logs/missing/", "DELETE"]), [""; 0], "{decided}");
    }
    // Two manifests that overlap are a failure, although both are valid.
    let aws = Aws::default();
    covered(&aws, "/a", json!({}));
    let part = days("/a", 0, 1);
    aws.state().put(&path_of(&part), &manifest(&part, empty()));
    let state = left(&aws, json!([failed("/a", "OverlapRefused")]), json!({})).await;
    assert_eq!(handle(&aws, state).await.unwrap_err().name, ArchiveIncomplete);
    assert_eq!(aws.get(&open_path_of(&october("/a"))).unwrap()["error"], "OverlapRefused");
}

#[tokio::test(start_paused = true)]
async fn manifests_are_listed_once_for_all_open_windows_of_a_month() {
    let aws = Aws::default();
    for log_group in ["/a", "/b", "/c", "/other"] {
        put_open(&aws, &october(log_group), json!({}));
    }
    let state = left(&aws, json!([]), json!({})).await;
    handle(&aws, state).await.unwrap_err();
    let months = ["09", "10", "11"].map(|month| format!("LIST archive/logs/manifests/year=2026/month={month}/"));
    assert_eq!(aws.names(&["LIST archive/logs/manifests/"]), months);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_update_missing_has_metrics_and_a_notification() {
    let writes = writes_of_everything().into_iter().filter(|write| write != "Publish");
    for write in writes {
        let aws = Aws::default();
        let state = everything(&aws).await;
        aws.state().refuse(&write, 403, "AccessDenied", "no");
        let mut invocation = invocation();
        assert_eq!(handle_in(&mut invocation, &aws, state).await.unwrap_err().name, AccessDenied, "{write}");
        let subject = aws.bodies("Publish")[0]["Subject"].clone();
        assert!(subject.as_str().unwrap().starts_with("archive: action needed: run failed with AccessDenied, "), "{subject}");
        assert_eq!(invocation.metrics()[7..], [Metric::ScheduledRunsEnded, Metric::ScheduledRunsSucceeded(false)], "{write}");
        if !write.contains("/runs/") {
            // The next run does not rely on this run's update of `missing/`.
            let written = report(&aws);
            let said = (&written["error"]["error"], &written["compared_everything"], &written["told"]);
            assert_eq!(said, (&json!("AccessDenied"), &json!(false), &json!(true)), "{write}");
        }
    }
    // The next day it is not news, but it is still reported.
    let aws = Aws::default();
    let state = left(&aws, json!([failed("/a", "ExportTaskFailed")]), json!({})).await;
    aws.state().refuse("PUT archive/logs/missing/", 403, "AccessDenied", "no");
    handle(&aws, state.clone()).await.unwrap_err();
    put_last_report(&aws, json!({}));
    aws.forget_calls();
    handle(&aws, state).await.unwrap_err();
    assert_eq!((aws.names(&["Publish"]).len(), &report(&aws)["compared_everything"]), (0, &json!(false)));
    // A temporary error fails the call, which is repeated.
    let aws = Aws::default();
    let state = everything(&aws).await;
    aws.state().refuse("DELETE", 503, "SlowDown", "no");
    let mut invocation = invocation();
    assert_eq!(handle_in(&mut invocation, &aws, state).await.unwrap_err().name, DestinationUnavailable);
    assert_eq!((aws.names(&["Publish"]).len(), invocation.metrics().len()), (0, 0));
}
