//! `fetch` prints every event of a period from the archive once, in the order of time.

use std::process::Stdio;

use e2e::{DAY, FROM, MONTH, S3_PREFIX, Stage, TO, place};
use export_core::{
    manifest::{Outcome, Reason},
    missing::OpenOutcome,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::{
    fixtures::{put_manifest, put_new_open_window, stack, target},
    tool::{Tool, ToolOutput, interrupt},
    verify::{gzip, object},
};

/// The whole month in the archive's zone.
pub const PERIOD: [&str; 4] = ["--since", "2024-10-01", "--until", "2024-11-01"];

pub async fn fetch(tool: &Tool, code: i32, arguments: &[&str]) -> ToolOutput {
    let output = tool.run(&[&["fetch"], arguments].concat()).await;
    assert_eq!(output.code, code, "{output:#?}");
    output
}

/// The messages of the month, joined by `|`. stderr must be empty.
pub async fn messages(tool: &Tool, arguments: &[&str]) -> String {
    let output = fetch(tool, 0, &[&PERIOD[..], &["--message"], arguments].concat()).await;
    assert_eq!(output.stderr, "", "{arguments:?}");
    output.stdout.trim_end().replace('\n', "|")
}

async fn archived(stage: &Stage, log_group: &str, streams: &[(&str, &[(i64, &str)])]) {
    stage.log_group_of_streams(log_group, streams).await;
    stage.run_exports(&[log_group]).await;
}

/// Replaces the body of an object, and changes the manifest accordingly.
async fn replace(stage: &Stage, log_group: &str, stream: &str, body: Vec<u8>) {
    let key = object(stage, log_group, stream).await;
    let (manifest_key, mut manifest) = stage.manifest(log_group).await;
    let mut bytes = 0;
    for other in stage.data_keys(log_group).await.iter().filter(|other| **other != key) {
        bytes +=
            stage.s3().head_object().bucket(&stage.stack.bucket).key(other).send().await.expect("it is listed").content_length.unwrap_or(0);
    }
    manifest["bytes"] = json!(bytes + body.len() as i64);
    manifest["digest"] = Value::Null;
    stage.put(&key, body).await;
    stage.put(&manifest_key, manifest.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_has_every_event_in_the_order_of_time() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/forms";
    let (a, b) =
        (&[(FROM + 2, "a2"), (FROM + 4, "a4"), (FROM + 5, "a5")][..], &[(FROM + 1, "b1"), (FROM + 3, "b3\n\tat x"), (FROM + 5, "b5")][..]);
    archived(&stage, name, &[("b/c", b), ("a", a)]).await;
    let output = fetch(&tool, 0, &[&PERIOD[..], &[name][..]].concat()).await;
    // The archive has `-` where a log stream's name has `/`. Events of one time are in the order of log streams.
    let expected = "\
2024-10-01T00:00:00.001+09:00 b-c b1
2024-10-01T00:00:00.002+09:00 a a2
2024-10-01T00:00:00.003+09:00 b-c b3
\tat x
2024-10-01T00:00:00.004+09:00 a a4
2024-10-01T00:00:00.005+09:00 a a5
2024-10-01T00:00:00.005+09:00 b-c b5
";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), (expected, ""));
    let utc = fetch(&tool, 0, &[name, "--since", "2024-09-30T15:00", "--until", "2024-09-30T15:00:00.002", "--zone", "UTC"]).await;
    assert_eq!(utc.stdout, "2024-09-30T15:00:00.001Z b-c b1\n");
    let rows = tool.json(0, &[&["fetch", name][..], &PERIOD[..]].concat()).await;
    assert_eq!(rows.as_array().map(Vec::len), Some(6));
    let second = json!({"timestamp": "2024-09-30T15:00:00.003Z", "logGroup": name, "logStream": "b-c", "message": "b3\n\tat x"});
    assert_eq!(rows[2], second);
    let lines = fetch(&tool, 0, &[&[name, "--output", "jsonl"][..], &PERIOD[..]].concat()).await;
    let lines: Vec<Value> = lines.stdout.lines().map(|line| serde_json::from_str(line).expect("an object per line")).collect();
    assert_eq!(json!(lines), rows);
    // A printed time is accepted.
    let printed =
        fetch(&tool, 0, &[name, "--since", "2024-10-01T00:00:00.005+09:00", "--until", "2024-09-30T15:00:00.006Z", "--message"]).await;
    assert_eq!(printed.stdout, "a5\nb5\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_at_the_end_of_a_period_belongs_to_the_next() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/ends";
    // 23:58:59.999, 23:59:59.999 and 00:00 of October 2nd in Tokyo, and the ends of the month.
    let events = &[
        (FROM - 1, "before"),
        (FROM, "first"),
        (FROM + DAY - 60_001, "58"),
        (FROM + DAY - 1, "59"),
        (FROM + DAY, "next"),
        (TO, "last"),
    ][..];
    archived(&stage, name, &[("main", events)]).await;
    for zone in ["UTC", "Asia/Tokyo"] {
        let tool = Tool::of(&stage.local).with("TZ", zone);
        let day = async |since: &str, until: &str| {
            fetch(&tool, 0, &[name, "--since", since, "--until", until, "--message"]).await.stdout.trim_end().replace('\n', " ")
        };
        assert_eq!(day("2024-10-01", "2024-10-02").await, "first 58 59");
        assert_eq!(day("2024-10-02", "2024-10-03").await, "next");
        assert_eq!(day("2024-10-01", "2024-11-01").await, "first 58 59 next last");
    }
    assert_eq!(messages(&tool, &[name, "--zone", "Asia/Tokyo"]).await, "first|58|59|next|last");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_printed_exactly() {
    let (stage, tool) = Tool::on_stage().await;
    let (name, tool) = ("/fetch/exact", tool.with("LC_ALL", "C"));
    archived(&stage, name, &[("日本/ログ", &[(FROM, "a\rb\n"), (FROM + 1, "x"), (FROM + 2, "é🔒"), (FROM + 3, "y\n\n")])]).await;
    let rows = tool.json(0, &[&["fetch", name][..], &PERIOD[..]].concat()).await;
    let found: Vec<_> = rows.as_array().expect("a list").iter().map(|row| row["message"].as_str().expect("a text")).collect();
    assert_eq!((found, &rows[0]["logStream"]), (vec!["a\rb\n", "x", "é🔒", "y\n\n"], &json!("日本-ログ")));
    let output = fetch(&tool, 0, &[&PERIOD[..], &[name, "--message"][..]].concat()).await;
    assert_eq!(output.stdout, "a\rb\nx\né🔒\ny\n\n");
}

/// An export does not keep the order of events. The format of an object depends on its bytes.
#[tokio::test(flavor = "multi_thread")]
async fn objects_of_every_format_and_order_are_read() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/objects";
    archived(&stage, name, &[("main", &[(FROM, "placeholder")]), ("other", &[(FROM + 2, "other")])]).await;
    let text = "2024-09-30T15:00:00.003Z d\n2024-09-30T15:00:00.001Z b\n2024-09-30T15:00:00.004Z e\n2024-09-30T15:00:00.000Z a1\n2024-09-30T15:00:00.000Z a2";
    for body in [gzip(text), text.as_bytes().to_vec(), [gzip(&text[..30]), gzip(&text[30..])].concat()] {
        replace(&stage, name, "main", body).await;
        assert_eq!(messages(&tool, &[name]).await, "a1|a2|b|other|d|e");
    }
    // The second object of the log stream has an earlier event than the first object.
    let key = object(&stage, name, "main").await.replace("000000.gz", "000001.gz");
    let (manifest_key, mut manifest) = stage.manifest(name).await;
    let body = gzip("2024-09-30T15:00:00.000Z a3\n2024-09-30T15:00:00.005Z f\n");
    manifest["bytes"] = json!(manifest["bytes"].as_u64().unwrap_or_default() + body.len() as u64);
    manifest["objects"] = json!(3);
    stage.put(&key, body).await;
    stage.put(&manifest_key, manifest.to_string()).await;
    assert_eq!(messages(&tool, &[name]).await, "a1|a2|a3|b|other|d|e|f");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_missing_object_is_reported_and_the_others_are_read() {
    let (stage, tool) = Tool::on_stage().await;
    for name in ["/fetch-damage/truncated", "/fetch-damage/missing", "/fetch-damage/whole"] {
        archived(&stage, name, &[("main", &[(FROM, "one"), (FROM + 1, "two")]), ("b", &[(FROM + 2, "three")])]).await;
    }
    let key = object(&stage, "/fetch-damage/truncated", "main").await;
    let packed = gzip("2024-09-30T15:00:00.000Z one\n2024-09-30T15:00:00.001Z two\n");
    stage.put(&key, packed[..packed.len() - 4].to_vec()).await;
    let gone = object(&stage, "/fetch-damage/missing", "main").await;
    stage.delete(&[gone]).await;
    let output = fetch(&tool, 1, &[&PERIOD[..], &["--message", "/fetch-damage/*"][..]].concat()).await;
    // The last record of a truncated object is left out, because it may be incomplete.
    assert_eq!(output.stdout, "one\none\ntwo\nthree\nthree\nthree\n");
    for message in [
        format!("error: object {key} is truncated or damaged: "),
        "error: /fetch-damage/missing: the manifest is damaged: it states 2 objects".to_owned(),
        "Restore the object from its versions, or start a run. See docs/operations.md.".to_owned(),
    ] {
        assert!(output.stderr.contains(&message), "{message}: {}", output.stderr);
    }
    assert!(!output.stderr.contains("/fetch-damage/whole"), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_write_test_object_has_no_events() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/test-object";
    archived(&stage, name, &[("main", &[(FROM, "one")])]).await;
    let (_, manifest) = stage.manifest(name).await;
    stage.delete(&stage.data_keys(name).await).await;
    let folder = format!("{}/{}", place(S3_PREFIX, name), manifest["task_id"].as_str().expect("an id"));
    stage.put(&format!("{folder}/aws-logs-write-test"), "Permission Check Successful").await;
    let output = fetch(&tool, 1, &[&PERIOD[..], &[name][..]].concat()).await;
    assert_eq!(output.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_selected_by_text_and_log_stream() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/select";
    let main = &[
        (FROM, "m0"),
        (FROM + 2, "ORDER ITEM 1"),
        (FROM + 4, "ORDER-ITEM-1 x"),
        (FROM + 6, "to user@x.com"),
        (FROM + 8, "m8\nin a/b"),
    ][..];
    let other = &[(FROM + 1, "o1"), (FROM + 3, "o3"), (FROM + 5, "o5")][..];
    archived(&stage, name, &[("prod/main", main), ("test", other)]).await;
    for (arguments, expected) in [
        (&["--grep", "ORDER-ITEM-1"][..], "ORDER-ITEM-1 x"),
        (&["--grep", "user@x.com"], "to user@x.com"),
        (&["--grep", "^in a/b$"], "m8|in a/b"),
        (&["--grep", "nothing"], ""),
        (&["--stream", "prod/"], "m0|ORDER ITEM 1|ORDER-ITEM-1 x|to user@x.com|m8|in a/b"),
        (&["--stream", "te", "--grep", "[35]"], "o3|o5"),
        (&["--stream", "none"], ""),
        // Context comes from the same log stream. All events are in the order of time.
        (&["--grep", "ITEM-1|o3", "-B", "1"], "o1|ORDER ITEM 1|o3|ORDER-ITEM-1 x"),
        (&["--grep", "ITEM-1|o3", "-A", "1"], "o3|ORDER-ITEM-1 x|o5|to user@x.com"),
        (&["--grep", "ITEM-1", "-C", "9"], "m0|ORDER ITEM 1|ORDER-ITEM-1 x|to user@x.com|m8|in a/b"),
        (&["--grep", "ITEM-1", "-C", "1", "-A", "0"], "ORDER ITEM 1|ORDER-ITEM-1 x"),
    ] {
        assert_eq!(messages(&tool, &[&[name], arguments].concat()).await, expected, "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_stream_is_read() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/streams";
    let names: Vec<String> = (0..101).map(|number| format!("s/{number:03}")).collect();
    let mut streams: Vec<(&str, &[(i64, &str)])> = names.iter().map(|name| (name.as_str(), &[(FROM, "hello")][..])).collect();
    streams.push(("other", &[(FROM, "other")]));
    archived(&stage, name, &streams).await;
    for source in [&[][..], &["--source"]] {
        assert_eq!(messages(&tool, &[&[name], source].concat()).await.matches("hello").count(), 101);
        assert_eq!(messages(&tool, &[&[name, "--stream", "s/"], source].concat()).await, vec!["hello"; 101].join("|"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_log_groups_are_merged_and_a_missing_one_is_reported() {
    let (stage, tool) = Tool::on_stage().await;
    let names: Vec<String> = (0..4).map(|number| format!("/fetch-five/{number}")).collect();
    for (number, name) in (0..).zip(&names) {
        stage.log_group(name, &[(FROM + 10 - number, &format!("of {number}"))]).await;
    }
    stage.run_exports(&names).await;
    let patterns = ["/fetch-five/[01]", "/fetch-five/?", "/fetch-five/3", "/fetch-five/missing", "/fetch-five/none-*"];
    let output = fetch(&tool, 1, &[&PERIOD[..], &patterns[1..]].concat()).await;
    let expected: String = (0..4)
        .rev()
        .map(|number| format!("2024-10-01T00:00:00.{:03}+09:00 /fetch-five/{number} main of {number}\n", 10 - number))
        .collect();
    assert_eq!(output.stdout, expected);
    let stderr = "\
error: no log group of the archive matches /fetch-five/none-* in the period: see `logs-archive status`
error: /fetch-five/missing: not archived from 2024-10-01T00:00:00.000+09:00 to 2024-11-01T00:00:00.000+09:00. To read it from CloudWatch Logs:
  logs-archive fetch '/fetch-five/missing' --since 2024-10-01T00:00:00.000+09:00 --until 2024-11-01T00:00:00.000+09:00 --message --source
";
    assert_eq!(output.stderr, stderr.replace(" --message", ""));
    let output = fetch(&tool, 2, &[&PERIOD[..], &patterns[..1]].concat()).await;
    assert!(output.stdout.is_empty() && output.stderr.contains("error: the log group is \"/fetch-five/[01]\": "), "{output:#?}");
}

/// The message has the command that reads the part from CloudWatch Logs.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_period_that_is_not_archived_is_reported() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/gap";
    archived(&stage, name, &[("main", &[(FROM, "october"), (TO + 1, "november 'x'")])]).await;
    let output = fetch(&tool, 1, &[name, "--since", "2024-10-01", "--until", "2024-11-02T12:00", "--message", "--grep", "o|'x'"]).await;
    assert_eq!(output.stdout, "october\n");
    let rest = "fetch '/fetch/gap' --since 2024-11-01T00:00:00.000+09:00 --until 2024-11-02T12:00:00.000+09:00 --grep 'o|'\\''x'\\''' --message --source";
    assert_eq!(
        output.stderr,
        format!(
            "error: {name}: not archived from 2024-11-01T00:00:00.000+09:00 to 2024-11-02T12:00:00.000+09:00. To read it from CloudWatch Logs:\n  logs-archive {rest}\n"
        )
    );
    let rest = [
        "--since",
        "2024-11-01T00:00:00.000+09:00",
        "--until",
        "2024-11-02T12:00:00.000+09:00",
        "--grep",
        "o|'x'",
        "--message",
        "--source",
    ];
    assert_eq!(fetch(&tool, 0, &[&[name], &rest[..]].concat()).await.stdout, "november 'x'\n");

    // A glob also matches log groups that are not archived.
    put_new_open_window(&stage, &target(&stack(&stage), "/fetch/gap-failed", MONTH), OpenOutcome::Failed, 0).await;
    let output = fetch(&tool, 1, &[&PERIOD[..], &["/fetch/gap*"][..]].concat()).await;
    assert!(output.stdout.contains("/fetch/gap main october\n"), "{output:#?}");
    assert!(
        output.stderr.starts_with("error: /fetch/gap-failed: not archived from 2024-10-01T00:00:00.000+09:00 to 2024-11-01"),
        "{output:#?}"
    );

    let lost = target(&stack(&stage), "/fetch/lost", MONTH);
    put_manifest(&stage, &lost, Outcome::Lost, Some(Reason::LogGroupDeleted), 0).await;
    let output = fetch(&tool, 1, &[&PERIOD[..], &["/fetch/lost"][..]].concat()).await;
    let message = "error: /fetch/lost: events from 2024-10-01T00:00:00.000+09:00 to 2024-11-01T00:00:00.000+09:00 are lost: the log group was deleted before they were archived\n";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", message));
    let skipped = target(&stack(&stage), "/fetch/skipped", MONTH);
    put_manifest(&stage, &skipped, Outcome::Skipped, Some(Reason::NoEventsInMonth), 0).await;
    assert_eq!(messages(&tool, &["/fetch/skipped"]).await, "");
    let invalid = target(&stack(&stage), "/fetch/wrong", "2024-03");
    put_manifest(&stage, &invalid, Outcome::Exported, None, 0).await;
    let output = fetch(&tool, 1, &["/fetch/wron*", "--since", "2024-03-02", "--until", "2024-03-03"]).await;
    assert!(
        output.stderr.contains("is not valid: its outcome") && output.stderr.contains("error: a manifest of the period is not valid"),
        "{output:#?}"
    );
    stage.delete(&[stack(&stage).manifest_key(&invalid.manifest_key())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_names_the_correction() {
    let (_stage, tool) = Tool::on_stage().await;
    let period = |since: &'static str| ["--since", since, "--until", "0s"];
    for (arguments, message) in [
        (&period("1504000000")[..], "for these seconds since 1970, write 2017-08-29T09:46:40.000Z"),
        (&period("11/08/2017"), "YYYY-MM-DD"),
        (&period("2222-01-01"), "in the future"),
        (&["--since", "2024-10-02", "--until", "2024-10-01"], "--since must be before --until"),
        (&["--since", "2024-03-31T02:30", "--until", "1h", "--zone", "Europe/Berlin"], "the clocks of Europe/Berlin skip this time"),
        (&["--since", "2h", "--until", "1h", "--zone", "Tokyo"], "--zone is \"Tokyo\": give an IANA time zone name such as Asia/Tokyo"),
        (&["--since", "2h", "--until", "1h", "--grep", "a("], "not a regular expression"),
        (&["--since", "2h", "--until", "1h", "-A", "1"], "--grep"),
        (&["--since", "2h", "--until", "1h", "--stream", "a:b"], "no : or *"),
        (&["--since", "2h"], "--until"),
    ] {
        let output = fetch(&tool, 2, &[&["/fetch/usage"], arguments].concat()).await;
        assert!(output.stdout.is_empty() && output.stderr.contains(message), "{arguments:?}: {output:#?}");
    }
}

/// Archives more text than a pipe can hold.
async fn long(stage: &Stage, log_group: &str) {
    archived(stage, log_group, &[("main", &[(FROM, "placeholder")])]).await;
    let line = "2024-09-30T15:00:00.000Z a line that is no longer than many others\n";
    replace(stage, log_group, "main", gzip(&line.repeat(40_000))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_failure_and_a_closed_pipe_is_not() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/pipe";
    long(&stage, name).await;
    let arguments = [&["fetch", name][..], &PERIOD[..]].concat();
    let mut running = tool.command(&arguments).spawn().expect("the tool starts");
    let mut lines = BufReader::new(running.stdout.take().expect("a pipe")).lines();
    assert!(lines.next_line().await.expect("UTF-8").is_some_and(|line| line.ends_with(" than many others")));
    drop(lines);
    let mut stderr = String::new();
    running.stderr.take().expect("a pipe").read_to_string(&mut stderr).await.expect("UTF-8");
    assert_eq!((running.wait().await.expect("it ends").code(), stderr.as_str()), (Some(0), ""));

    // Few events do not fill the buffer, so the error occurs at the end.
    for grep in ["a line", "no such line"] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux");
        let arguments = [&arguments[..], &["--output", "json", "--grep", grep]].concat();
        let running = tool.command(&arguments).stdout(Stdio::from(full)).spawn().expect("the tool starts");
        let output = running.wait_with_output().await.expect("it ends");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.code() == Some(2) && stderr.contains("error: cannot write: No space left on device"), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_fetch_while_it_prints() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/fetch/interrupted";
    long(&stage, name).await;
    let mut running = tool.command(&[&["fetch", name][..], &PERIOD[..]].concat()).spawn().expect("the tool starts");
    // The tool prints until the pipe is full.
    let mut stdout = BufReader::new(running.stdout.take().expect("a pipe"));
    stdout.read_line(&mut String::new()).await.expect("a line");
    interrupt(&running);
    assert_eq!(running.wait().await.expect("it ends").code(), Some(130));
}
