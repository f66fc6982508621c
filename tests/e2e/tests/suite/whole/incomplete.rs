//! A task that is COMPLETED and wrote nothing proves nothing: an event of its window fails the window, and the next run exports it.

use e2e::{DAY, FROM, Stage, TO};
use serde_json::{Value, json};

use super::{requests, scheduled, searches, text, warnings};
use crate::missing::{delete_log_group, input};

const FAILED: &str = "FAILED ArchiveIncomplete";

/// The next task of a log group completes, and writes nothing.
async fn leave_events_out(stage: &Stage, log_group: &str) {
    stage.fault(json!({"logGroupName": log_group, "status": "COMPLETED", "message": "Completed successfully"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_leaves_events_out_fails_its_window_and_the_next_run_exports_it() {
    let stage = Stage::take().await;
    let log_groups = json!(["/incomplete/a", "/incomplete/b"]);
    stage.log_group("/incomplete/a", &[(TO, "secret")]).await;
    stage.hello("/incomplete/b").await;
    leave_events_out(&stage, "/incomplete/a").await;
    let run = stage.run(&input("2024-11-01", &log_groups)).await;
    assert_eq!(run.error.as_deref(), Some("ArchiveIncomplete"));
    let cause = run.cause.expect("a cause");
    assert!(cause.contains("ExportIncomplete: /incomplete/a 2024-10 (since 2"), "{cause}");
    assert!(cause.contains("is COMPLETED and wrote nothing, but the log group has an event of that time"), "{cause}");
    let open = stage.open_windows().await;
    assert_eq!((open.len(), &open[0]["error"], &open[0]["tries"]), (1, &json!("ExportIncomplete"), &json!(1)), "{open:#?}");
    assert_eq!((&open[0]["window_from"], &open[0]["window_to"]), (&json!(FROM), &json!(TO)));
    assert_eq!((stage.manifests("/incomplete/a").await, stage.data_keys("/incomplete/a").await.len()), (Vec::new(), 0));
    // This run does not export the window again. The archive keeps nothing of the event.
    assert_eq!((requests(&stage, "/incomplete/a").await, searches(&stage, "/incomplete/a").await), (1, 1));
    for key in stage.keys("").await.into_iter().filter(|key| key.ends_with(".json")) {
        assert!(!stage.text(&key).await.contains("secret"), "{key}");
    }
    // What a task wrote is not searched.
    assert_eq!(searches(&stage, "/incomplete/b").await, 0);
    stage.assert_archived_once("/incomplete/b").await;

    assert_eq!(scheduled(&stage, "2024-11-02", &log_groups).await, ["SUCCEEDED", "/incomplete/a 2024-10 exported"]);
    assert_eq!((stage.events("/incomplete/a").await, requests(&stage, "/incomplete/a").await), (vec!["secret".to_owned()], 2));
    assert_eq!(stage.manifest("/incomplete/a").await.1["task_id"], json!(stage.created("/incomplete/a").await[1]));
    assert_eq!(scheduled(&stage, "2024-11-03", &log_groups).await, ["SUCCEEDED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_events_of_the_window_and_prefix_count() {
    let stage = Stage::take().await;
    stage.log_group("/asked/edges", &[(FROM - 1, "before"), (TO + 1, "after")]).await;
    let streams: [(&str, &[(i64, &str)]); 2] = [("prod/a", &[(FROM - 1, "x")]), ("test/a", &[(FROM, "x")])];
    stage.log_group_of_streams("/asked/streams", &streams).await;
    let log_groups = json!(["/asked/edges", {"logGroupName": "/asked/streams", "logStreamNamePrefix": "prod/"}]);
    let lines = scheduled(&stage, "2024-11-01", &log_groups).await;
    assert_eq!(lines, ["SUCCEEDED", "/asked/edges 2024-10 empty", "/asked/streams 2024-10 empty"]);
    for log_group in ["/asked/edges", "/asked/streams"] {
        let (_, manifest) = stage.manifest(log_group).await;
        assert_eq!((&manifest["outcome"], &manifest["objects"]), (&json!("empty"), &json!(0)));
        assert_eq!((requests(&stage, log_group).await, searches(&stage, log_group).await), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_prove_nothing_until_they_end() {
    /// More pages than a search reads.
    const ENDLESS: u32 = 10_000;
    /// Of a search in check-export-task.
    const MAX_PAGES: usize = 200;
    let stage = Stage::take().await;
    let empty_pages = |log_group: &str, times: u32| json!({"operation": "FilterLogEvents", "logGroupName": log_group, "emptyPage": true, "inARow": true, "times": times});
    let log_groups = json!(["/pages/event", "/pages/none", "/pages/endless"]);
    stage.hello("/pages/event").await;
    leave_events_out(&stage, "/pages/event").await;
    for log_group in ["/pages/none", "/pages/endless"] {
        stage.log_group(log_group, &[(FROM - 1, "before")]).await;
    }
    for (log_group, times) in [("/pages/event", 3), ("/pages/none", 3), ("/pages/endless", ENDLESS)] {
        stage.fault(empty_pages(log_group, times)).await;
    }
    assert_eq!(
        scheduled(&stage, "2024-11-01", &log_groups).await,
        [
            FAILED,
            "/pages/endless 2024-10 failed ExportIncomplete",
            "/pages/event 2024-10 failed ExportIncomplete",
            "/pages/none 2024-10 empty",
            "open /pages/endless 2024-10 failed ExportIncomplete, tries 1",
            "open /pages/event 2024-10 failed ExportIncomplete, tries 1",
        ]
    );
    let found = [searches(&stage, "/pages/event").await, searches(&stage, "/pages/none").await, searches(&stage, "/pages/endless").await];
    assert_eq!(found, [4, 4, MAX_PAGES]);
    stage.local.clear_faults().await.expect("the stand-in accepts the call");
    let lines = scheduled(&stage, "2024-11-02", &log_groups).await;
    assert_eq!(lines, ["SUCCEEDED", "/pages/endless 2024-10 empty", "/pages/event 2024-10 exported"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_refused_fails_the_window() {
    let stage = Stage::take().await;
    let log_groups = json!(["/refused/throttled", "/refused/denied"]);
    for (log_group, error, times) in [("/refused/throttled", "ThrottlingException", 5), ("/refused/denied", "AccessDeniedException", 1)] {
        stage.log_group(log_group, &[(FROM - 1, "before")]).await;
        stage.fault(json!({"operation": "FilterLogEvents", "logGroupName": log_group, "error": error, "times": times})).await;
    }
    assert_eq!(
        scheduled(&stage, "2024-11-01", &log_groups).await,
        [
            FAILED,
            "/refused/denied 2024-10 failed AccessDenied",
            "/refused/throttled 2024-10 empty",
            "open /refused/denied 2024-10 failed AccessDenied, tries 1",
        ]
    );
    assert_eq!(requests(&stage, "/refused/throttled").await, 1, "the same task is checked again");
    assert_eq!(scheduled(&stage, "2024-11-02", &log_groups).await, ["SUCCEEDED", "/refused/denied 2024-10 empty"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_prefix_that_no_stream_has_is_a_warning() {
    let stage = Stage::take().await;
    let log_group = "/aws/lambda/prefixed";
    let streams: [(&str, &[(i64, &str)]); 2] =
        [("2024/10/01/[$LATEST]0a1b", &[(FROM, "hello")]), ("2025/01/01/[$LATEST]2c3d", &[(FROM + DAY, "x")])];
    stage.log_group_of_streams(log_group, &streams).await;
    let with = |prefix: &str| json!([{"logGroupName": log_group, "logStreamNamePrefix": prefix}]);
    let expected = ["SUCCEEDED", "/aws/lambda/prefixed 2024-10 warned NoStreamHasPrefix", "warning NoStreamHasPrefix"];
    assert_eq!(scheduled(&stage, "2024-11-01", &with("[$LATEST]")).await, expected);
    let messages = warnings(&stage, "NoStreamHasPrefix").await;
    assert!(messages[0].contains(log_group) && messages[0].contains("[$LATEST]"), "{messages:?}");
    assert_eq!((requests(&stage, log_group).await, stage.manifests(log_group).await), (0, Vec::new()));
    // An empty page before its stream does not make the right prefix a wrong one.
    for operation in ["DescribeLogStreams", "FilterLogEvents"] {
        stage.fault(json!({"operation": operation, "emptyPage": true, "inARow": true, "times": 5})).await;
    }
    assert_eq!(scheduled(&stage, "2024-11-02", &with("2024/")).await, ["SUCCEEDED", &format!("{log_group} 2024-10 exported")]);
    assert_eq!(stage.events(log_group).await, ["hello"]);
    let (_, manifest) = stage.manifest(log_group).await;
    assert_eq!((&manifest["log_stream_name_prefix"], &manifest["warnings"]), (&json!("2024/"), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_group_created_anew_while_its_task_ran_is_lost() {
    let stage = Stage::take().await;
    let log_group = "/created/anew";
    stage.hello(log_group).await;
    stage.hold_tasks().await;
    let input = input("2024-11-01", &json!([log_group]));
    let arn = stage.start_input(&input).await;
    stage.wait_for_task(log_group, 1).await;
    delete_log_group(&stage, log_group).await;
    stage.logs().create_log_group().log_group_name(log_group).send().await.expect("the log group is there again");
    stage.let_tasks_go().await;
    let run = stage.wait(&arn).await;
    assert_eq!(stage.statuses(log_group).await, ["COMPLETED"]);
    assert_eq!(e2e::decided(&stage.report(&run.arn).await), ["/created/anew 2024-10 lost LogGroupDeleted"]);
    let (_, manifest) = stage.manifest(log_group).await;
    let field_of = |field: &str| -> Value { manifest[field].clone() };
    assert_eq!((text(&field_of("outcome")), text(&field_of("reason")), field_of("task_id")), ("lost", "LogGroupDeleted", Value::Null));
    assert_eq!(scheduled(&stage, "2024-11-02", &json!([log_group])).await, ["SUCCEEDED"]);
    assert_eq!(requests(&stage, log_group).await, 1);
}
