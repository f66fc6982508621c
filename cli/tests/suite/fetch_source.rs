//! `fetch --source` reads from CloudWatch Logs.

use chrono::Utc;
use e2e::{DAY, FROM, TO};
use serde_json::json;

use crate::{
    fetch::{PERIOD, fetch, messages},
    tool::Tool,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_period_is_read_in_the_order_of_time() {
    let (stage, tool) = Tool::on_stage().await;
    let (a, b) = (
        &[(FROM + 2, "a2"), (FROM + 20 * DAY, "a4\n"), (TO, "last")][..],
        &[(FROM - 1, "before"), (FROM, "b0"), (FROM + 3, "b3"), (TO + 1, "after")][..],
    );
    stage.log_group_of_streams("/fetch-source/x", &[("b/c", b), ("a", a)]).await;
    stage.log_group_of_streams("/fetch-source/y", &[("a", &[(FROM + 2, "y\rz")])]).await;
    let output = fetch(&tool, 0, &[&PERIOD[..], &["/fetch-source/?", "/fetch-source/x", "--source"][..]].concat()).await;
    let expected = "\
2024-10-01T00:00:00.000+09:00 /fetch-source/x b/c b0
2024-10-01T00:00:00.002+09:00 /fetch-source/x a a2
2024-10-01T00:00:00.002+09:00 /fetch-source/y a y\rz
2024-10-01T00:00:00.003+09:00 /fetch-source/x b/c b3
2024-10-21T00:00:00.000+09:00 /fetch-source/x a a4
2024-10-31T23:59:59.999+09:00 /fetch-source/x a last
";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), (expected, ""));
    let rows = tool.json(0, &[&["fetch", "/fetch-source/x", "--source", "--grep", "a4"][..], &PERIOD[..]].concat()).await;
    let event = json!([{"timestamp": "2024-10-20T15:00:00.000Z", "logGroup": "/fetch-source/x", "logStream": "a", "message": "a4\n"}]);
    assert_eq!(rows, event);
    let context = messages(&tool, &["/fetch-source/x", "--source", "--grep", "a4|b3", "-C", "1"]).await;
    assert_eq!(context, "b0|a2|b3|a4|last");
}

/// With a time zone, the command needs no archive.
#[tokio::test(flavor = "multi_thread")]
async fn fetch_from_the_source_needs_no_stack() {
    let (stage, tool) = Tool::on_stage().await;
    stage.log_group("/fetch-source/no-stack", &[(FROM, "hello")]).await;
    let nowhere = ["/fetch-source/no-stack", "--source", "--stack", "no-such-stack"];
    let output = fetch(&tool, 2, &[&PERIOD[..], &nowhere[..]].concat()).await;
    assert!(output.stderr.contains("this account has no stack no-such-stack"), "{output:#?}");
    assert_eq!(messages(&tool, &[&nowhere[..], &["--zone", "Asia/Tokyo"]].concat()).await, "hello");
}

/// The metadata of a log stream is late by minutes.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_minutes_are_read_despite_stale_metadata() {
    let (stage, tool) = Tool::on_stage().await;
    let minutes_ago = |minutes: i64| Utc::now().timestamp_millis() - minutes * 60_000;
    stage
        .log_group_of_streams("/fetch-source/recent", &[("empty", &[]), ("main", &[(minutes_ago(40), "old"), (minutes_ago(2), "new")])])
        .await;
    let recent = async |since: &str| {
        fetch(&tool, 0, &["/fetch-source/recent", "--source", "--since", since, "--until", "0s", "--message"]).await.stdout
    };
    assert_eq!(recent("10m").await, "new\n");
    assert_eq!(recent("1h").await, "old\nnew\n");
    assert_eq!(recent("30s").await, "");
}

/// An empty result would look like a period without events.
#[tokio::test(flavor = "multi_thread")]
async fn events_deleted_by_retention_are_reported() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch-source/expired";
    stage.log_group(name, &[(FROM, "hello")]).await;
    stage.overlay(name, |it| it.retention_in_days = Some(30)).await;
    let output = fetch(&tool, 1, &[&PERIOD[..], &[name, "--source"]].concat()).await;
    assert!(
        output.stderr.starts_with(&format!("error: {name}: retention has deleted the events before "))
            && output.stderr.contains("leave --source out"),
        "{output:#?}"
    );
    let since = ["--since", "30d", "--until", "0s"];
    assert_eq!(fetch(&tool, 0, &[&since[..], &[name, "--source"]].concat()).await.stdout, "");
}

/// The last page has no token. The tool gives up after many empty pages.
#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_are_followed_and_too_many_are_incomplete() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch-source/pages";
    stage.log_group(name, &[(FROM, "one"), (TO, "two")]).await;
    let fault =
        |times: u32| json!({"operation": "FilterLogEvents", "logGroupName": name, "emptyPage": true, "inARow": true, "times": times});
    stage.fault(fault(120)).await;
    assert_eq!(messages(&tool, &[name, "--source"]).await, "one|two");
    stage.assert_no_faults_left().await;
    stage.fault(fault(100_000)).await;
    // The events of other log groups are printed.
    stage.hello("/fetch-source/whole").await;
    let period = ["--since", "2024-10-01", "--until", "2024-10-01T00:01"];
    let output = fetch(&tool, 1, &[&period[..], &[name, "/fetch-source/whole", "--source", "--message"]].concat()).await;
    stage.local.clear_faults().await.expect("the stand-in takes it");
    let message = format!(
        "error: {name}: incomplete from 2024-10-01T00:00:00.000+09:00 to 2024-10-01T00:01:00.000+09:00: CloudWatch Logs answered with empty pages only, without an end. Repeat the command for this part:\n  logs-archive fetch '{name}' --since 2024-10-01T00:00:00.000+09:00 --until 2024-10-01T00:01:00.000+09:00 --message --source\n"
    );
    assert_eq!((output.stdout.as_str(), output.stderr), ("hello\n", message));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_log_group_does_not_hide_the_others() {
    let (stage, tool) = Tool::on_stage().await;
    let names: Vec<String> = (0..4).map(|number| format!("/fetch-source-five/{number}")).collect();
    for name in &names {
        stage.hello(name).await;
    }
    let patterns: Vec<&str> = names.iter().map(String::as_str).chain(["/fetch-source-five/missing", "/no-such/*"]).collect();
    let arguments = [&PERIOD[..], &patterns[..], &["--source"]].concat();
    let output = fetch(&tool, 1, &arguments).await;
    let answers: String = names.iter().map(|name| format!("2024-10-01T00:00:00.000+09:00 {name} main hello\n")).collect();
    let message = "\
error: no log group of CloudWatch Logs matches /no-such/*: correct the pattern, or check --region
error: log group /fetch-source-five/missing does not exist in CloudWatch Logs: correct its name, or leave --source out to read the archive
";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), (answers.as_str(), message));
    // One that AWS refuses.
    let denied = json!({"operation": "FilterLogEvents", "logGroupName": names[0], "error": "AccessDeniedException", "times": 99});
    stage.fault(denied).await;
    let output = fetch(&tool, 3, &[&PERIOD[..], &patterns[..4], &["--source"]].concat()).await;
    assert_eq!(output.stdout, answers[answers.find('\n').map_or(0, |end| end + 1)..]);
    let message = format!("error: {}: FilterLogEvents answered AccessDeniedException", names[0]);
    assert!(output.stderr.starts_with(&message) && output.stderr.contains("Allow logs:FilterLogEvents"), "{output:#?}");
    let output = fetch(&tool, 3, &[&PERIOD[..], &patterns[..1], &["--source", "--output", "json"]].concat()).await;
    assert!(output.stdout.is_empty() && output.stderr.starts_with(&message), "no partial JSON: {output:#?}");
    stage.local.clear_faults().await.expect("the stand-in takes it");
    stage.fault(json!({"operation": "FilterLogEvents", "logGroupName": names[0], "error": "ThrottlingException", "times": 2})).await;
    assert_eq!(messages(&tool, &[&names[0], "--source"]).await, "hello", "throttled calls are retried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_names_the_action_to_allow() {
    let (stage, tool) = Tool::on_stage().await;
    let names = ["/fetch-refused/a", "/fetch-refused/b"];
    for name in names {
        stage.hello(name).await;
    }
    stage.run_exports(&names).await;
    let of_a = format!("log_group={}/", names[0]);
    let key = stage.data_keys(names[0]).await.remove(0);
    let suffix = &key[key.find(&of_a).expect("it is of the log group")..];
    stage.fault(json!({"operation": "GetObject", "keySuffix": suffix, "error": "AccessDenied", "httpStatus": 403, "times": 9})).await;
    let output = fetch(&tool, 3, &[&PERIOD[..], &names[..], &["--message"]].concat()).await;
    stage.local.clear_faults().await.expect("the stand-in takes it");
    assert_eq!(output.stdout, "hello\n");
    assert!(
        output.stderr.starts_with("error: /fetch-refused/a: GetObject answered AccessDenied")
            && output.stderr.contains("Allow s3:GetObject"),
        "{output:#?}"
    );
    let output = Tool::of(&stage.local).with("TMPDIR", "/no/such/folder").run(&[&["fetch", names[0]][..], &PERIOD[..]].concat()).await;
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "few events need no file");
}
