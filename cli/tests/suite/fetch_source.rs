//! `fetch --source`: from CloudWatch Logs.

use chrono::Utc;
use e2e::{DAY, FROM, TO};
use serde_json::json;

use crate::{
    fetch::{PERIOD, fetch, messages, stage},
    tool::Tool,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_period_is_read_in_the_order_of_time() {
    let (stage, tool) = stage().await;
    let (a, b) = (
        &[(FROM + 2, "a2"), (FROM + 20 * DAY, "a4\n"), (TO, "last")][..],
        &[(FROM - 1, "before"), (FROM, "b0"), (FROM + 3, "b3"), (TO + 1, "after")][..],
    );
    stage.log_group_of_streams("/fetch-source/x", &[("b/c", b), ("a", a)]).await;
    stage.log_group_of_streams("/fetch-source/y", &[("a", &[(FROM + 2, "y\rz")])]).await;
    let ran = fetch(&tool, 0, &[&PERIOD[..], &["/fetch-source/?", "/fetch-source/x", "--source"][..]].concat()).await;
    let expected = "\
2024-10-01T00:00:00.000+09:00 /fetch-source/x b/c b0
2024-10-01T00:00:00.002+09:00 /fetch-source/x a a2
2024-10-01T00:00:00.002+09:00 /fetch-source/y a y\rz
2024-10-01T00:00:00.003+09:00 /fetch-source/x b/c b3
2024-10-21T00:00:00.000+09:00 /fetch-source/x a a4
2024-10-31T23:59:59.999+09:00 /fetch-source/x a last
";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (expected, ""));
    let rows = tool.json(0, &[&["fetch", "/fetch-source/x", "--source", "--grep", "a4"][..], &PERIOD[..]].concat()).await;
    let event = json!([{"timestamp": "2024-10-20T15:00:00.000Z", "logGroup": "/fetch-source/x", "logStream": "a", "message": "a4\n"}]);
    assert_eq!(rows, event);
    let context = messages(&tool, &["/fetch-source/x", "--source", "--grep", "a4|b3", "-C", "1"]).await;
    assert_eq!(context, "b0|a2|b3|a4|last");
}

/// With a time zone, it needs no archive.
#[tokio::test(flavor = "multi_thread")]
async fn it_works_without_a_stack() {
    let (stage, tool) = stage().await;
    stage.log_group("/fetch-source/alone", &[(FROM, "hello")]).await;
    let nowhere = ["/fetch-source/alone", "--source", "--stack", "no-such-stack"];
    let ran = fetch(&tool, 2, &[&PERIOD[..], &nowhere[..]].concat()).await;
    assert!(ran.stderr.contains("no stack no-such-stack"), "{ran:#?}");
    assert_eq!(messages(&tool, &[&nowhere[..], &["--zone", "Asia/Tokyo"]].concat()).await, "hello");
}

/// What CloudWatch Logs says of a log stream is late by minutes, and nobody asks.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_minutes_are_read_whatever_the_metadata_says() {
    let (stage, tool) = stage().await;
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

/// No event is the answer where none is left, and it is no proof.
#[tokio::test(flavor = "multi_thread")]
async fn what_retention_has_deleted_is_told() {
    let (stage, tool) = stage().await;
    let name = "/fetch-source/expired";
    stage.log_group(name, &[(FROM, "hello")]).await;
    stage.overlay(name, |it| it.retention_in_days = Some(30)).await;
    let ran = fetch(&tool, 1, &[&PERIOD[..], &[name, "--source"]].concat()).await;
    assert!(ran.stderr.starts_with(&format!("error: {name}: events before ")) && ran.stderr.contains("leave --source out"), "{ran:#?}");
    let since = ["--since", "30d", "--until", "0s"];
    assert_eq!(fetch(&tool, 0, &[&since[..], &[name, "--source"]].concat()).await.stdout, "");
}

/// Only a missing token is the end; and nobody waits for an end for ever.
#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_are_no_end_and_too_many_are_incomplete() {
    let (stage, tool) = stage().await;
    let name = "/fetch-source/pages";
    stage.log_group(name, &[(FROM, "one"), (TO, "two")]).await;
    let fault =
        |times: u32| json!({"operation": "FilterLogEvents", "logGroupName": name, "emptyPage": true, "inARow": true, "times": times});
    stage.fault(fault(120)).await;
    assert_eq!(messages(&tool, &[name, "--source"]).await, "one|two");
    stage.assert_no_faults_left().await;
    stage.fault(fault(100_000)).await;
    // Other log groups are answered.
    stage.hello("/fetch-source/whole").await;
    let period = ["--since", "2024-10-01", "--until", "2024-10-01T00:01"];
    let ran = fetch(&tool, 1, &[&period[..], &[name, "/fetch-source/whole", "--source", "--message"]].concat()).await;
    stage.local.clear_faults().await.expect("the stand-in takes it");
    let says = format!(
        "error: {name}: incomplete from 2024-10-01T00:00:00.000+09:00 to 2024-10-01T00:01:00.000+09:00: CloudWatch Logs answered with empty pages only, without an end. Repeat the command for this part:\n  logs-archive fetch '{name}' --since 2024-10-01T00:00:00.000+09:00 --until 2024-10-01T00:01:00.000+09:00 --message --source\n"
    );
    assert_eq!((ran.stdout.as_str(), ran.stderr), ("hello\n", says));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_log_group_does_not_hide_the_others() {
    let (stage, tool) = stage().await;
    let names: Vec<String> = (0..4).map(|number| format!("/fetch-source-five/{number}")).collect();
    for name in &names {
        stage.hello(name).await;
    }
    let asked: Vec<&str> = names.iter().map(String::as_str).chain(["/fetch-source-five/missing", "/no-such/*"]).collect();
    let arguments = [&PERIOD[..], &asked[..], &["--source"]].concat();
    let ran = fetch(&tool, 1, &arguments).await;
    let answers: String = names.iter().map(|name| format!("2024-10-01T00:00:00.000+09:00 {name} main hello\n")).collect();
    let says = "\
error: no log group of CloudWatch Logs matches /no-such/*: correct it, or check --region
error: log group /fetch-source-five/missing does not exist in CloudWatch Logs: correct its name, or leave --source out to ask the archive
";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (answers.as_str(), says));
    // One that AWS refuses.
    let denied = json!({"operation": "FilterLogEvents", "logGroupName": names[0], "error": "AccessDeniedException", "times": 99});
    stage.fault(denied).await;
    let ran = fetch(&tool, 3, &[&PERIOD[..], &asked[..4], &["--source"]].concat()).await;
    assert_eq!(ran.stdout, answers[answers.find('\n').map_or(0, |end| end + 1)..]);
    let says = format!("error: {}: FilterLogEvents answered AccessDeniedException", names[0]);
    assert!(ran.stderr.starts_with(&says) && ran.stderr.contains("Allow logs:FilterLogEvents"), "{ran:#?}");
    let ran = fetch(&tool, 3, &[&PERIOD[..], &asked[..1], &["--source", "--output", "json"]].concat()).await;
    assert!(ran.stdout.is_empty() && ran.stderr.starts_with(&says), "no half of an answer: {ran:#?}");
    stage.local.clear_faults().await.expect("the stand-in takes it");
    stage.fault(json!({"operation": "FilterLogEvents", "logGroupName": names[0], "error": "ThrottlingException", "times": 2})).await;
    assert_eq!(messages(&tool, &[&names[0], "--source"]).await, "hello", "some throttling is waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_of_the_archive_names_the_action() {
    let (stage, tool) = stage().await;
    let names = ["/fetch-refused/a", "/fetch-refused/b"];
    for name in names {
        stage.hello(name).await;
    }
    stage.run_exports(&names).await;
    let of_a = format!("log_group={}/", names[0]);
    let key = stage.data_keys(names[0]).await.remove(0);
    let suffix = &key[key.find(&of_a).expect("it is of the log group")..];
    stage.fault(json!({"operation": "GetObject", "keySuffix": suffix, "error": "AccessDenied", "httpStatus": 403, "times": 9})).await;
    let ran = fetch(&tool, 3, &[&PERIOD[..], &names[..], &["--message"]].concat()).await;
    stage.local.clear_faults().await.expect("the stand-in takes it");
    assert_eq!(ran.stdout, "hello\n");
    assert!(
        ran.stderr.starts_with("error: /fetch-refused/a: GetObject answered AccessDenied") && ran.stderr.contains("Allow s3:GetObject"),
        "{ran:#?}"
    );
    let ran = Tool::of(&stage.local).with("TMPDIR", "/no/such/folder").run(&[&["fetch", names[0]][..], &PERIOD[..]].concat()).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "few events need no file");
}
