//! Which runs notify people, and the text of the notification.

use export_core::ErrorName::NotificationFailed;
use fake_aws::{Aws, merged, october, open_window};
use function_runtime::Metric;
use serde_json::{Value, json};

use crate::{
    by_hand, caught, decided, exported, failed, handle, handle_in, invocation, left, left_by, lost, put_last_report, put_open, report,
    waiting, warned,
};

fn told(aws: &Aws) -> Option<(String, String)> {
    let published = aws.bodies("Publish").into_iter().next()?;
    Some((published["Subject"].as_str()?.to_owned(), published["Message"].as_str()?.to_owned()))
}

fn subject(aws: &Aws) -> Option<String> {
    told(aws).map(|(subject, _)| subject)
}

#[tokio::test(start_paused = true)]
async fn the_subject_names_the_months_and_whether_action_is_needed() {
    let repaired = merged(exported(), json!({"repairs": "objects are gone"}));
    let compaction = json!({"compactionError": caught("MonthNotComplete")});
    let cases: [(Value, Value, Value, &str); 13] = [
        (json!([exported()]), json!({}), json!({}), "2026-10 archived, no action needed"),
        (json!([repaired]), json!({}), json!({}), "2026-10 archived, no action needed"),
        (json!([warned("m")]), json!({}), json!({}), "2026-10 archived, check 1 warning"),
        (json!([lost("/b", "LogGroupDeleted")]), json!({}), json!({}), "1 window lost (2026-10), check 1 warning"),
        (json!([lost("/b", "Expired")]), json!({}), json!({}), "action needed: 1 window lost (2026-10)"),
        (
            json!([failed("/a", "AccessDenied"), failed("/b", "AccessDenied")]),
            json!({}),
            json!({}),
            "action needed: 2 windows missing (2026-10)",
        ),
        (json!([failed("/a", "AccessDenied")]), by_hand(), json!({}), "action needed: 1 window not archived (2026-10)"),
        (
            json!([failed("/a", "AccessDenied")]),
            json!({}),
            json!({"error": caught("LogsThrottled")}),
            "action needed: run failed with LogsThrottled, 1 window missing (2026-10)",
        ),
        (json!([]), json!({}), compaction, "action needed: compaction to Parquet failed (2026-10)"),
        (json!([waiting("/a"), lost("/b", "LogGroupDeleted")]), json!({}), json!({}), "1 window lost (2026-10), check 1 warning"),
        (json!([waiting("/a"), repaired]), json!({}), json!({}), "1 window waiting (2026-10), no action needed"),
        (json!([waiting("/a"), exported()]), by_hand(), json!({}), "2026-10 archived in part, no action needed"),
        (json!([]), by_hand(), json!({}), "2026-10 archived, no action needed"),
    ];
    for (decided, changes, more, expected) in cases {
        let aws = Aws::default();
        let state = merged(left_by(&aws, decided, json!({}), changes).await, more);
        let _ended = handle(&aws, state).await;
        assert_eq!(subject(&aws), Some(format!("archive: {expected}")));
    }
}

/// The last report, this report, and whether this one is news.
#[tokio::test(start_paused = true)]
async fn a_scheduled_run_notifies_if_it_differs_from_the_last_one() {
    let a = open_window(&october("/a"), json!({}));
    let not_asked = open_window(&october("/other"), json!({"outcome": "not_asked"}));
    let warning = |name: &str| json!([{"name": name, "message": "m"}]);
    let cases: [(Value, Value, bool); 15] = [
        (json!({}), json!({}), false),
        // Once a month.
        (json!({"due_month_archived": false}), json!({}), true),
        (json!({"due_month": "2026-09"}), json!({}), true),
        // After an increase of settleDays, an older month is due again.
        (json!({"due_month": "2026-11"}), json!({}), false),
        (json!({}), json!({"decided": [merged(exported(), json!({"repairs": "objects are gone"}))]}), true),
        (json!({}), json!({"decided": [merged(exported(), json!({"month": "2026-09"}))]}), true),
        (json!({}), json!({"decided": [exported()]}), false),
        (json!({}), json!({"decided": [lost("/b", "LogGroupDeleted")]}), true),
        // Waiting windows are not news every day.
        (json!({}), json!({"decided": [waiting("/a")]}), false),
        (json!({"missing": [a]}), json!({}), true),
        (json!({"missing": [not_asked]}), json!({}), true),
        (json!({}), json!({"warnings": warning("LogGroupNotFound")}), true),
        (json!({"warnings": warning("LogGroupNotFound")}), json!({}), true),
        (json!({"warnings": warning("LogGroupNotFound")}), json!({"warnings": warning("LogGroupNotFound")}), false),
        // What one run did is not news when the next run does not do it.
        (json!({"warnings": warning("RetentionShorterThanMonth")}), json!({}), false),
    ];
    for (last, now, is_news) in cases {
        let aws = Aws::default();
        let state = left(&aws, json!([]), json!({})).await;
        handle(&aws, state).await.unwrap();
        put_last_report(&aws, last.clone());
        aws.state().objects.retain(|path, _| !path.starts_with("work/"));
        let progress = json!({"warnings": now.get("warnings").cloned().unwrap_or(json!([]))});
        let state = left(&aws, now.get("decided").cloned().unwrap_or(json!([])), progress).await;
        handle(&aws, state).await.unwrap();
        assert_eq!(told(&aws).is_some(), is_news, "{last} {now}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_scheduled_run_notifies_if_it_fails_in_a_new_way() {
    let error = |name: &str| json!({"error": {"error": name, "message": "as it was"}});
    let missing = |error: &str| json!({"missing": [open_window(&october("/a"), json!({"error": error}))]});
    let refused = json!({"error": caught("InvalidInput")});
    let failed = json!([failed("/a", "ExportTaskFailed")]);
    for (decided, more, last, is_news) in [
        (json!([]), refused.clone(), error("InvalidInput"), false),
        (json!([]), refused.clone(), error("AccessDenied"), true),
        (json!([]), refused, json!({}), true),
        (failed.clone(), json!({}), missing("ExportTaskFailed"), false),
        (failed.clone(), json!({}), missing("AccessDenied"), true),
        (failed, json!({}), json!({"missing": []}), true),
    ] {
        let aws = Aws::default();
        let state = merged(left(&aws, decided.clone(), json!({})).await, more.clone());
        handle(&aws, state.clone()).await.unwrap_err();
        put_last_report(&aws, merged(json!({"error": null}), last.clone()));
        aws.forget_calls();
        handle(&aws, state).await.unwrap_err();
        assert_eq!(told(&aws).is_some(), is_news, "{decided} {more} {last}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_repeats_the_failed_notification_of_the_last_one() {
    let aws = Aws::default();
    let state = left(&aws, json!([]), json!({})).await;
    aws.state().refuse_once("Publish", 403, "AuthorizationError", "no");
    let mut invocation = invocation();
    assert_eq!(handle_in(&mut invocation, &aws, state.clone()).await.unwrap_err().name, NotificationFailed);
    assert!(invocation.metrics().contains(&Metric::ScheduledRunsSucceeded(false)));
    assert_eq!(report(&aws)["told"], false);
    // The report agrees with the last one, but is written and told.
    put_last_report(&aws, json!({}));
    aws.forget_calls();
    handle(&aws, state.clone()).await.unwrap();
    let (_, text) = told(&aws).unwrap();
    let untold = "s3://archive/logs/runs/year=2026/month=10/2026-10-31T04-00-05.000Z-run-0.json";
    assert!(text.ends_with(&format!("\nNobody was notified of: {untold}")), "{text}");
    assert_eq!(report(&aws)["told"], true);
    put_last_report(&aws, json!({}));
    aws.forget_calls();
    handle(&aws, state).await.unwrap();
    assert_eq!(aws.names(&["PUT", "Publish"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_topic_is_asked_again() {
    let aws = Aws::default();
    let state = left(&aws, json!([]), json!({})).await;
    for (status, code) in [(400, "Throttling"), (500, "InternalError"), (503, "ServiceUnavailable")] {
        aws.state().refuse_once("Publish", status, code, "no");
    }
    handle(&aws, state).await.unwrap();
    assert_eq!(aws.names(&["Publish"]).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_report_with_a_scheduled_time_in_the_future_is_not_the_last_one() {
    let aws = Aws::default();
    let state = left(&aws, json!([]), json!({})).await;
    handle(&aws, state.clone()).await.unwrap();
    let ahead = merged(report(&aws), json!({"scheduled_time": "2027-03-01T04:00:00Z", "due_month": "2027-02"}));
    aws.state().put("archive/logs/runs/year=2027/month=02/2026-10-31T05-00-00.000Z-run-00.json", &ahead);
    put_last_report(&aws, json!({}));
    aws.forget_calls();
    handle(&aws, state).await.unwrap();
    assert_eq!(aws.names(&["PUT", "Publish"]), [""; 0]);
}

/// A report's folder is that of its due month. After an increase of settleDays, that is an older month.
#[tokio::test(start_paused = true)]
async fn the_last_report_is_the_newest_whatever_its_due_month() {
    let aws = Aws::default();
    let state = left(&aws, json!([]), json!({})).await;
    handle(&aws, state.clone()).await.unwrap();
    let older = merged(report(&aws), json!({"scheduled_time": "2026-10-30T04:00:00Z", "due_month": "2026-11", "execution": "run-00"}));
    aws.state().put("archive/logs/runs/year=2026/month=11/2026-10-30T04-00-05.000Z-run-00.json", &older);
    put_last_report(&aws, json!({}));
    aws.forget_calls();
    handle(&aws, state).await.unwrap();
    assert_eq!(aws.names(&["PUT", "Publish"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_subject_is_100_characters_of_ascii_on_one_line() {
    let aws = Aws::default();
    let state = json!({"error": {"Error": format!("É\n{}", "x".repeat(200)), "Cause": ""}});
    handle(&aws, state).await.unwrap_err();
    assert_eq!(subject(&aws), Some(format!("archive: action needed: run failed with ??{}...", "x".repeat(55))));
}

#[tokio::test(start_paused = true)]
async fn the_text_has_the_names_and_each_message_on_one_line() {
    let aws = Aws::default();
    put_open(&aws, &october("/b"), json!({"message": "two\r\nlines\u{2028}and \u{1b}[31mred"}));
    put_open(&aws, &october("/other"), json!({}));
    let empty = decided("/ecs/web", json!({"became": "empty", "task_id": "task-1", "seconds": 900.0}));
    let repaired = merged(exported(), json!({"repairs": "objects are gone"}));
    let state =
        left(&aws, json!([failed("/a", "AccessDenied"), waiting("/c"), lost("/idle", "Expired"), empty, repaired]), json!({})).await;
    let error = handle(&aws, state).await.unwrap_err();
    let (subject, text) = told(&aws).unwrap();
    assert_eq!(subject, "archive: action needed: 2 windows missing (2026-10), 1 window lost (2026-10)");
    let incomplete = "2 windows not archived, 1 window lost.\n\
        AccessDenied: /a 2026-10 (since 2026-11-01). in AWS's words. What to do: Allow the action that the message names to the function's role, then \
        start a new run.\n\
        ExportTaskFailed: /b 2026-10 (since 2026-10-20). two  lines and  [31mred. What to do: Read what CloudWatch Logs says in the message, then start a \
        new run.\n\
        Lost, Expired: /idle 2026-10. No run can export these events any more.";
    let expected = [
        "Run arn:aws:states:ap-northeast-1:123456789012:execution:archive:run-1 compared 2026-10 in Asia/Tokyo.",
        incomplete,
        "Waiting for their turn: /c 2026-10 (since 2026-11-01).",
        "Open, and no entry matches them any more: /other 2026-10 (since 2026-10-20).",
        "Repaired: /ecs/web 2026-10.",
        "Empty: /ecs/web 2026-10.",
        "Exported: 1 (2 objects, 5 bytes). Empty: 1. Skipped: 0. Lost: 1. Nothing yet: 0. Waiting: 1. Not archived, with a warning: 0. Failed: 1. Archived already: 3. \
         Missing in the archive: 2.\nThe run used the export slot for 0.3 hours; the list needs it for 1.5 hours a month.",
        "Warning NotAsked:\n- /other 2026-10: no entry matches it any more, so it stays open and is not counted",
        &format!("Report: s3://archive/{}", crate::REPORT),
    ];
    assert_eq!(text.split("\n\n").collect::<Vec<_>>(), expected);
    assert_eq!(error.message, format!("{incomplete} The report is s3://archive/{}.", crate::REPORT));
}

#[tokio::test(start_paused = true)]
async fn a_shortened_list_has_the_total() {
    let aws = Aws::default();
    let many: Vec<Value> = (10..35).map(|index| failed(&format!("/log-group-{index}"), "ExportTaskFailed")).collect();
    let warnings: Vec<Value> = (0..60).map(|index| json!({"name": "ObjectsChanged", "message": index.to_string()})).collect();
    let state = left(&aws, json!(many), json!({"warnings": warnings})).await;
    let error = handle(&aws, state).await.unwrap_err();
    assert!(error.message.contains("/log-group-29 2026-10 (since 2026-11-01), ... 25 in all. in AWS's words."), "{error}");
    assert!(told(&aws).unwrap().1.contains("\n... 60 in all\n\nReport: "));
    // A cause and a notification have limits, and no character is split.
    let aws = Aws::default();
    let long = json!({"failure": {"error": "AccessDenied", "message": "é".repeat(60_000)}});
    let state = left(&aws, json!([merged(failed("/a", "AccessDenied"), long)]), json!({})).await;
    let error = handle(&aws, state).await.unwrap_err();
    assert!(error.message.len() < 20_300 && error.message.contains("é... The report is s3://"), "{}", error.message.len());
    let text = told(&aws).unwrap().1;
    assert!(text.len() < 100_300 && text.contains("é...\n\nReport: s3://"), "{}", text.len());
    // At most 50 warnings in the output.
    let aws = Aws::default();
    let state = left(&aws, json!([]), json!({"warnings": warnings})).await;
    let output = handle(&aws, state).await.unwrap();
    assert_eq!((output["warnings"].as_array().unwrap().len(), &output["warningsInAll"]), (50, &json!(60)));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_notification_fails_ends_with_its_own_error_first() {
    for (decided, name) in
        [(warned("m"), NotificationFailed), (failed("/a", "ExportTaskFailed"), export_core::ErrorName::ArchiveIncomplete)]
    {
        let aws = Aws::default();
        let state = left(&aws, json!([decided]), json!({})).await;
        aws.state().refuse("Publish", 403, "AuthorizationError", "not authorized to perform: SNS:Publish");
        let error = handle(&aws, state).await.unwrap_err();
        assert_eq!(error.name, name, "{error}");
        let told =
            error.message.contains("its notification failed: Publish answered AuthorizationError: not authorized to perform: SNS:Publish");
        assert_eq!(told, name == NotificationFailed, "{error}");
    }
}
