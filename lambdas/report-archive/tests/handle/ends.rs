//! How a run ends: its report, its output, its metrics, or its error.

use export_core::{ErrorName::*, ExportError, SettleDays};
use fake_aws::{Aws, EXECUTION, FROM, NOW, TO, manifest, merged, october, path_of};
use function_runtime::Metric;
use report_archive::{ReportArchive, Topic};
use serde_json::{Value, json};

use crate::{
    LIST, REPORT, archive, caught, exported, failed, handle, handle_event, handle_in, invocation, left, put_last_report, report, skipped,
};

#[tokio::test(start_paused = true)]
async fn a_successful_run_writes_its_report_its_skips_and_its_output() {
    let aws = Aws::default();
    let state = left(&aws, json!([exported(), skipped("NoEventsInMonth")]), json!({})).await;
    let mut invocation = invocation();
    let output = handle_in(&mut invocation, &aws, state).await.unwrap();
    let counts = json!({"alreadyArchived": 3, "exported": 1, "repaired": 0, "empty": 0, "skipped": 1, "lost": 0, "nothingYet": 0, "waiting": 0, "warned": 0,
        "failed": 0, "objects": 2, "bytes": 5});
    let hours = [2.25 / 3600.0, 1.5];
    let expected = json!({"dueMonth": "2026-10", "timezone": "Asia/Tokyo", "months": ["2026-10"], "missing": 0, "slotHoursUsed": hours[0],
        "slotHoursNeeded": hours[1], "warnings": [], "warningsInAll": 0, "report": {"bucket": "archive", "key": REPORT}});
    assert_eq!(output, merged(expected, counts.clone()));
    let expected = json!({"schema_version": 2, "execution": EXECUTION, "started": NOW, "ended": "2026-11-01T04:00:05.000Z", "scheduled_time": "2026-11-01T04:00:00Z",
        "compared_everything": true, "due_month": "2026-10", "due_month_archived": true, "timezone": "Asia/Tokyo", "months": ["2026-10"], "counts": counts,
        "missing_count": 0, "slot_hours_used": hours[0], "slot_hours_needed": hours[1], "error": null, "compacted": [], "compacted_manifests": null, "compaction_error": null, "warnings": [], "told": true,
        "decided": [merged(exported(), json!({})), skipped("NoEventsInMonth")], "missing": [], "found": LIST});
    assert_eq!(report(&aws), expected);
    let idle = october("/idle");
    let changes = json!({"outcome": "skipped", "reason": "NoEventsInMonth", "task_id": null, "objects": 0, "bytes": 0, "created": "2026-11-01T04:00:05.000Z",
        "completed": null, "execution": EXECUTION});
    assert_eq!(aws.get(&path_of(&idle)), Some(manifest(&idle, changes)));
    // Nobody must learn of this skip, so it is recorded before the report.
    let put_report = format!("PUT archive/{REPORT}");
    let calls = [&format!("PUT {}", path_of(&idle)), &put_report, "Publish", &put_report];
    assert_eq!(aws.names(&["PUT", "DELETE", "Publish"]), calls);
    let metrics = [
        Metric::WindowsExported(1),
        Metric::WindowsEmpty(0),
        Metric::WindowsSkipped(1),
        Metric::WindowsLost(0),
        Metric::WindowsWaiting(0),
        Metric::WindowsFailed(0),
        Metric::MissingMonths(0),
        Metric::ScheduledRunsEnded,
        Metric::ScheduledRunsSucceeded(true),
    ];
    assert_eq!(invocation.metrics(), metrics);
    assert_eq!(invocation.log_fields()["month"], "2026-10");
}

#[tokio::test(start_paused = true)]
async fn the_most_serious_error_ends_the_run() {
    let at = format!("The report is s3://archive/{REPORT}.");
    let compaction = json!({"compactionError": caught("MonthNotComplete")});
    let compacted =
        format!("every export succeeded, but the compaction to Parquet ended with MonthNotComplete: in a function's words {at}");
    let failures = json!([failed("/b", "ExportTaskFailed"), failed("/a", "DestinationRejected"), failed("/c", "ExportTaskFailed")]);
    let incomplete = format!(
        "3 windows not archived.\nDestinationRejected: /a 2026-10 (since 2026-11-01). in AWS's words. What to do: Add the statement that the message names to \
         the policy of the bucket or of its key, then start a new run.\nExportTaskFailed: /b 2026-10 (since 2026-11-01), /c 2026-10 (since 2026-11-01). in \
         AWS's words. What to do: Read what CloudWatch Logs says in the message, then start a new run. {at}"
    );
    let throttled = json!({"error": caught("LogsThrottled")});
    for (decided, more, name, message) in [
        (json!([exported()]), compaction.clone(), CompactionFailed, compacted),
        (failures.clone(), compaction, ArchiveIncomplete, incomplete),
        (failures, throttled, LogsThrottled, "in a function's words".to_owned()),
    ] {
        let aws = Aws::default();
        let state = merged(left(&aws, decided, json!({})).await, more);
        assert_eq!(handle(&aws, state).await, Err(ExportError::new(name, message)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_states_the_manifests_that_the_parquet_agrees_with() {
    let months = json!(["2026-09", "2026-10"]);
    let well = json!({"compaction": {"months": months, "compacted": 0}});
    let found = json!({"2026-08": "a", "2026-09": "b", "2026-10": "c"});
    let (none, older) = (json!([]), json!({"2026-08": "a"}));
    let progress = json!({"compaction": {"months": months, "manifests": found}});
    for (progress, more, compacted, followed, failed) in [
        (&progress, &well, &months, &found, false),
        (&progress, &json!({"compactionError": caught("X")}), &months, &older, true),
        // The run ended before it started the compaction.
        (&progress, &json!({}), &none, &older, false),
        (&json!({"compaction": {"months": [], "manifests": found}}), &json!({}), &none, &found, false),
        (&json!({}), &json!({}), &none, &Value::Null, false),
    ] {
        let aws = Aws::default();
        let state = merged(left(&aws, json!([]), progress.clone()).await, more.clone());
        assert_eq!(handle(&aws, state).await.is_err(), failed);
        let report = report(&aws);
        assert_eq!((&report["compacted"], &report["compacted_manifests"]), (compacted, followed), "{progress} {more}");
        assert_eq!(report["compaction_error"].is_null(), !failed);
    }
    // Later runs read it, so it is written even if nothing else is new.
    let aws = Aws::default();
    let state = left(&aws, json!([]), json!({})).await;
    handle(&aws, state.clone()).await.unwrap();
    put_last_report(&aws, json!({}));
    handle(&aws, state.clone()).await.unwrap();
    assert_eq!(aws.get(&format!("archive/{REPORT}")), None);
    handle(&aws, merged(state, well)).await.unwrap();
    assert_eq!(report(&aws)["compacted"], json!(["2026-09", "2026-10"]));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_needs_most_of_the_slot_is_a_warning() {
    const DAYS: f64 = 86_400.0;
    for (seconds, message) in [
        (24.7 * DAYS, None),
        (24.8 * DAYS, Some("this list needs 25 days of the export slot in a month of 31 days")),
        (34.0 * DAYS, Some("this list needs 34 days of the export slot in a month of 31 days")),
    ] {
        let aws = Aws::default();
        let state = left(&aws, json!([]), json!({"due_month_seconds": seconds})).await;
        let warnings: Vec<Value> = message.into_iter().map(|message| json!({"name": "SlotNearlyFull", "message": message})).collect();
        assert_eq!(handle(&aws, state).await.unwrap()["warnings"], json!(warnings));
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_that_ended_the_planning_ends_the_run() {
    let refused = json!({"logGroups": [], "error": caught("InvalidInput")});
    for (state, name, message) in [
        (refused, InvalidInput, "in a function's words"),
        (json!({"error": caught("MonthNotComplete")}), MonthNotComplete, "in a function's words"),
        (json!({"error": {"Error": "States.Timeout", "Cause": ""}}), Unexpected, "plan-exports ended with States.Timeout: "),
        // A false success would be the worst end.
        (json!({"logGroups": ["/ecs/web"]}), Unexpected, "the run has no plan that can be read"),
    ] {
        let aws = Aws::default();
        assert_eq!(handle(&aws, state).await.unwrap_err(), ExportError::new(name, message));
        let report = report(&aws);
        assert_eq!(
            (&report["compared_everything"], &report["decided"], &report["due_month"]),
            (&json!(false), &json!([]), &json!("2026-10"))
        );
        assert_eq!(aws.bodies("Publish").len(), 1);
    }
}

/// The input itself may be wrong.
#[tokio::test(start_paused = true)]
async fn the_due_month_of_a_refused_run_uses_the_settle_days_of_the_stack() {
    let aws = Aws::default();
    let mut archive = archive(&aws);
    archive.stack.settle_days = SettleDays::new(1.0).unwrap();
    let topic = Topic::new(&aws.config(), "arn:aws:sns:topic".to_owned(), "archive".to_owned());
    let report_archive = ReportArchive::with(archive, "work".to_owned(), topic);
    let event = json!({"execution": EXECUTION, "startTime": NOW, "state": {"error": caught("InvalidInput")}});
    assert_eq!(report_archive.handle(event, &mut invocation()).await.unwrap_err().name, InvalidInput);
    let report = aws.get("archive/logs/runs/year=2026/month=09/2026-11-01T04-00-05.000Z-run-1.json").unwrap();
    assert_eq!(report["due_month"], "2026-09");
}

#[tokio::test(start_paused = true)]
async fn a_run_with_a_scheduled_time_in_the_future_is_a_run_by_hand() {
    for (scheduled_time, is_scheduled) in [("2026-11-01T04:05:05Z", true), ("2026-11-01T04:05:06Z", false), ("2027-03-01T04:00:00Z", false)]
    {
        let aws = Aws::default();
        let state = json!({"error": caught("MonthNotComplete"), "scheduledTime": scheduled_time});
        let mut invocation = invocation();
        assert_eq!(handle_in(&mut invocation, &aws, state).await.unwrap_err().name, MonthNotComplete);
        let written = report(&aws);
        assert_eq!((&written["due_month"], written["scheduled_time"].is_string()), (&json!("2026-10"), is_scheduled), "{scheduled_time}");
        assert_eq!(invocation.metrics().contains(&Metric::ScheduledRunsEnded), is_scheduled, "{scheduled_time}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_planned_window_that_was_not_looked_at_again_has_failed() {
    let planned = |last: Value| {
        let window = json!({"group": 0, "month": "2026-10", "window": {"from": FROM, "to": TO}, "last": last});
        json!({"planned": [window], "compared_everything": false})
    };
    let last = json!({"error": "ExportTaskFailed", "message": "m"});
    let error = json!({"error": caught("LogsThrottled")});
    for (last, more, failure) in [
        (last, error.clone(), json!({"error": "ExportTaskFailed", "message": "m"})),
        (json!(null), error, json!({"error": "LogsThrottled", "message": "in a function's words"})),
        (json!(null), json!({}), json!({"error": "Unexpected", "message": "planning ended before this window was looked at again"})),
    ] {
        let aws = Aws::default();
        let state = merged(left(&aws, json!([]), planned(last)).await, more);
        handle(&aws, state).await.unwrap_err();
        let report = report(&aws);
        assert_eq!(
            (&report["decided"][0]["failure"], &report["missing_count"], &report["compared_everything"]),
            (&failure, &json!(1), &json!(false))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_read_is_reported_and_ends_the_run() {
    for (name, code, status) in [("run.json", "AccessDenied", 403), ("0001/decided.json", "InvalidObjectState", 403)] {
        let aws = Aws::default();
        let state = left(&aws, json!([exported()]), json!({})).await;
        aws.state().refuse(&format!("GET work/plans/run-1/{name}"), status, code, "no");
        assert_eq!(handle(&aws, state).await.unwrap_err().name, Unexpected, "{name}");
        let report = report(&aws);
        assert_eq!((&report["compared_everything"], &report["warnings"][0]["name"]), (&json!(false), &json!("ResultsUnreadable")));
    }
    // A temporary error fails the call, which is repeated.
    let aws = Aws::default();
    let state = left(&aws, json!([exported()]), json!({})).await;
    aws.state().refuse("GET work/", 503, "SlowDown", "no");
    assert_eq!(handle(&aws, state).await.unwrap_err().name, DestinationUnavailable);
    assert_eq!(aws.names(&["PUT", "Publish"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_event_makes_no_call() {
    let aws = Aws::default();
    let event = json!({"execution": EXECUTION, "startTime": "now", "state": {}, "more": 1});
    let error = handle_event(&mut invocation(), &aws, event).await.unwrap_err();
    assert_eq!((error.name, aws.names(&[""])), (InvalidInput, vec![]));
}
