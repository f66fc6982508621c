//! `verify` compares every event of CloudWatch Logs with every event of the archive.

use std::io::Write;

use e2e::{DAY, FROM, MONTH, S3_PREFIX, Stage, TO, place};
use export_core::{manifest::Outcome, missing::OpenOutcome};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    fixtures::{open_window, put_manifest, put_new_open_window, put_open_window, stack, target},
    tool::{Tool, ToolOutput},
};

/// Archives a log group with `one` and `two` in the log stream `main`, and a message of two lines in the log stream `b`.
async fn archived(stage: &Stage, log_group: &str) {
    let main = &[(FROM, "one"), (FROM + DAY, "two")][..];
    stage.log_group_of_streams(log_group, &[("main", main), ("b", &[(FROM + 1, "three\n\tat four")])]).await;
    stage.run_exports(&[log_group]).await;
}

/// The result, the counts that are not 0, and the problems of the only window.
fn summary(rows: &Value) -> Value {
    let [row] = &rows.as_array().expect("an array")[..] else { panic!("{rows:#}") };
    let mut summary = json!({"result": row["result"]});
    for count in ["missing", "extra", "changed", "late", "expired"] {
        if row[count] != 0 {
            summary[count] = row[count].clone();
        }
    }
    for problem in row["problems"].as_array().expect("a list") {
        let text = problem.as_str().expect("a text");
        let kind = ["is damaged", "is truncated or damaged", "were replaced", "no manifest", "empty pages only"];
        let kind = kind.into_iter().find(|kind| text.contains(kind)).unwrap_or(text);
        let problems = summary["problems"].as_str().map_or_else(|| kind.to_owned(), |problems| format!("{problems}, {kind}"));
        summary["problems"] = problems.into();
    }
    summary
}

async fn verify(tool: &Tool, code: i32, log_group: &str) -> Value {
    summary(&tool.json(code, &["verify", "--month", MONTH, log_group]).await)
}

pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("in memory");
    encoder.finish().expect("in memory")
}

/// The key of a log stream's only object.
pub async fn object(stage: &Stage, log_group: &str, stream: &str) -> String {
    let of_stream = format!("/{stream}/000000.gz");
    stage.data_keys(log_group).await.into_iter().find(|key| key.ends_with(&of_stream)).expect("the stream has an object")
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_events_of_every_kind_are_the_same() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/verify/same";
    let lambda = &[(FROM - 1, "before"), (FROM, "a\rb\n"), (FROM, "a\rb\n"), (FROM + 5, "x"), (TO, "é🔒"), (TO + 1, "after")][..];
    let lines =
        &[(FROM, "a\n2024-10-05T00:00:00.000Z like a record\n\n"), (FROM + 1, "2024-10-05T00:00:00.000Z twice"), (FROM + 2, " ")][..];
    // `x/y` and `x-y` share a folder.
    let streams = [("2024/10/05/[$LATEST]0a1b", lambda), ("日本/ログ", lines), ("x/y", &[(FROM, "slash")]), ("x-y", &[(FROM, "hyphen")])];
    stage.log_group_of_streams(name, &streams).await;
    stage.run_exports(&[name]).await;
    let rows = tool.json(0, &["verify", "--month", MONTH, name]).await;
    let (row, streams) = (&rows[0], rows[0]["streams"].as_array().expect("a list"));
    assert_eq!(summary(&rows), json!({"result": "same"}));
    // The message with a line that looks like a record counts as two events, in both.
    assert_eq!((&row["sourceEvents"], &row["archivedEvents"], &row["objects"]), (&json!(10), &json!(10), &json!(4)));
    let actual: Vec<_> = streams.iter().map(|stream| (stream["logStream"].as_str().expect("a text"), &stream["sourceEvents"])).collect();
    let expected = [("2024/10/05/[$LATEST]0a1b", &json!(4)), ("x-y and x/y", &json!(2)), ("日本/ログ", &json!(4))];
    assert_eq!(actual, expected);
    for stream in streams {
        assert_eq!(stream["sourceDigest"], stream["archivedDigest"]);
        assert_eq!(stream["sourceDigest"].as_str().map(str::len), Some(32));
    }
    let offline = tool.json(0, &["verify", "--offline", "--month", MONTH, name]).await;
    assert_eq!((summary(&offline), &offline[0]["sourceEvents"]), (json!({"result": "same"}), &Value::Null));

    let output = tool.run(&["verify", "--month", MONTH, name]).await;
    let expected = "
 LOG GROUP     RESULT  OBJECTS  SOURCE  ARCHIVED  MISSING  EXTRA  CHANGED  LATE  EXPIRED
 /verify/same  same          4      10        10        0      0        0     0        0
";
    assert_eq!((output.code, output.stderr.as_str(), format!("\n{}", output.stdout)), (0, "", expected.to_owned()));
}

/// `verify` reports each kind of damage. With `--offline`, it reports the kinds that the objects show.
#[tokio::test(flavor = "multi_thread")]
async fn each_difference_is_reported() {
    let (stage, tool) = Tool::on_stage().await;
    let records = "2024-09-30T15:00:00.000Z one\n2024-10-01T15:00:00.000Z two\n";
    let change = |from: &str, to: &str| Some(gzip(&records.replace(from, to)));
    let packed = gzip(records);
    for (name, stream, new, offline, expected) in [
        ("deleted", "main", None, true, json!({"result": "different", "missing": 2, "problems": "is damaged"})),
        (
            "truncated",
            "main",
            Some(packed[..packed.len() - 4].to_vec()),
            true,
            // The last record may be incomplete.
            json!({"result": "different", "missing": 1, "problems": "is damaged, is truncated or damaged"}),
        ),
        ("swapped", "main", change("two", "owt"), true, json!({"result": "different", "changed": 1, "problems": "were replaced"})),
        (
            "moved",
            "main",
            change("15:00:00.000Z two", "15:00:00.001Z two"),
            true,
            json!({"result": "different", "missing": 1, "extra": 1, "problems": "is damaged"}),
        ),
        (
            "duplicated",
            "main",
            change("one\n", "one\n2024-09-30T15:00:00.000Z one\n"),
            true,
            json!({"result": "different", "extra": 1, "problems": "is damaged"}),
        ),
        (
            "stray",
            "main",
            change("2024-09-30T15:00:00.000Z one", "one"),
            true,
            json!({"result": "different", "missing": 1, "extra": 1, "problems": "is damaged"}),
        ),
        // The text is equal without gzip and without the last line break.
        ("plain", "main", Some(records.trim_end().as_bytes().to_vec()), true, json!({"result": "different", "problems": "is damaged"})),
        (
            "lines",
            "b",
            Some(gzip("2024-09-30T15:00:00.001Z \tat four\nthree\n")),
            true,
            json!({"result": "different", "changed": 1, "problems": "is damaged"}),
        ),
        ("late", "", None, false, json!({"result": "different", "late": 1})),
    ] {
        let log_group = format!("/verify-damage/{name}");
        archived(&stage, &log_group).await;
        match (new, stream) {
            (_, "") => stage.put_event(&log_group, FROM + 7, "late").await,
            (Some(body), stream) => stage.put(&object(&stage, &log_group, stream).await, body).await,
            (None, stream) => stage.delete(&[object(&stage, &log_group, stream).await]).await,
        }
        let found = verify(&tool, 1, &log_group).await;
        // A changed object can have the same number of bytes in gzip, so both problems are accepted.
        let problems = |summary: &Value| summary["problems"].as_str().map(|text| text.replace("were replaced", "is damaged"));
        assert_eq!(problems(&found), problems(&expected), "{name}: {found}");
        let counts = |summary: &Value| ["missing", "extra", "changed", "late"].map(|count| summary[count].clone());
        assert_eq!((&found["result"], counts(&found)), (&expected["result"], counts(&expected)), "{name}");
        let code = i32::from(offline);
        let result = if offline { "different" } else { "same" };
        let rows = tool.json(code, &["verify", "--offline", "--month", MONTH, &log_group]).await;
        assert_eq!(rows[0]["result"], result, "{name} --offline");
    }
    let output = tool.run(&["verify", "--month", MONTH, "/verify-damage/swapped"]).await;
    for line in [
        "  log stream main: 0 missing, 0 extra, 1 changed, 0 late",
        "    missing 2024-10-01T15:00:00.000Z two\n",
        "    extra 2024-10-01T15:00:00.000Z owt in cloudwatch-logs/",
    ] {
        assert!(output.stdout.contains(line), "{line}: {}", output.stdout);
    }
    assert!(output.stderr.contains("restore them from their versions"), "{}", output.stderr);
    let output = tool.run(&["verify", "--month", MONTH, "/verify-damage/late"]).await;
    assert!(output.stdout.contains("    late 2024-09-30T15:00:00.007Z late\n") && output.stderr.contains("SettleDays"), "{output:#?}");
}

/// Only the object remains that CloudWatch Logs wrote to test its permission.
#[tokio::test(flavor = "multi_thread")]
async fn the_write_test_object_has_no_events() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/verify/test-object";
    archived(&stage, name).await;
    let (_, manifest) = stage.manifest(name).await;
    stage.delete(&stage.data_keys(name).await).await;
    let folder = format!("{}/{}", place(S3_PREFIX, name), manifest["task_id"].as_str().expect("an id"));
    stage.put(&format!("{folder}/aws-logs-write-test"), "Permission Check Successful").await;
    assert_eq!(verify(&tool, 1, name).await, json!({"result": "different", "missing": 3, "problems": "is damaged"}));
}

/// The manifest's outcome is `empty`.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_an_empty_month_is_found() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/verify/empty";
    stage.log_group(name, &[(FROM - DAY, "before"), (TO + 1, "after")]).await;
    let output = stage.run_well(&stage.input(json!([name]))).await;
    e2e::assert_counts(&output, json!({"empty": 1}));
    assert_eq!(verify(&tool, 0, name).await, json!({"result": "same"}));
    stage.put_event(name, FROM, "late").await;
    assert_eq!(verify(&tool, 1, name).await, json!({"result": "different", "late": 1}));
}

/// The last page of a log stream repeats the token. The tool gives up after many empty pages.
#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_are_followed_and_too_many_are_incomplete() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/verify/pages";
    archived(&stage, name).await;
    let fault = |times: u32| json!({"operation": "GetLogEvents", "logGroupName": name, "emptyPage": true, "inARow": true, "times": times});
    stage.fault(fault(120)).await;
    stage.fault(json!({"operation": "DescribeLogStreams", "logGroupName": name, "emptyPage": true, "times": 1})).await;
    assert_eq!(verify(&tool, 0, name).await, json!({"result": "same"}));
    stage.assert_no_faults_left().await;
    stage.fault(fault(100_000)).await;
    let found = verify(&tool, 1, name).await;
    assert!(
        found["result"] == "incomplete" && found["problems"].as_str().is_some_and(|problems| problems.contains("empty pages only")),
        "{found}"
    );
    stage.local.clear_faults().await.expect("the stand-in takes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_log_streams_is_read() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/verify/streams";
    let names: Vec<String> = (0..101).map(|number| format!("stream/{number:03}")).collect();
    let streams: Vec<(&str, &[(i64, &str)])> = names.iter().map(|name| (name.as_str(), &[(FROM, "hello")][..])).collect();
    stage.log_group_of_streams(name, &streams).await;
    stage.run_exports(&[name]).await;
    let rows = tool.json(0, &["verify", "--month", MONTH, name]).await;
    assert_eq!((summary(&rows), &rows[0]["sourceEvents"]), (json!({"result": "same"}), &json!(101)));
}

/// Events that were deleted by retention or with the log group are not a difference.
#[tokio::test(flavor = "multi_thread")]
async fn expired_events_are_not_a_difference() {
    let (stage, tool) = Tool::on_stage().await;
    let logs = stage.logs();
    for (name, retention, expired, result) in
        [("retention", Some(30), Some(2), "same"), ("no-retention", None, None, "different"), ("group", None, Some(3), "sourceExpired")]
    {
        let log_group = format!("/verify-expired/{name}");
        archived(&stage, &log_group).await;
        stage.overlay(&log_group, |overlay| overlay.retention_in_days = retention).await;
        match name {
            "group" => drop(logs.delete_log_group().log_group_name(&log_group).send().await.expect("it is deleted")),
            _ => drop(logs.delete_log_stream().log_group_name(&log_group).log_stream_name("main").send().await.expect("it is deleted")),
        }
        let rows = tool.json(i32::from(result == "different"), &["verify", "--month", MONTH, &log_group]).await;
        assert_eq!((&rows[0]["result"], rows[0]["expired"].as_u64()), (&json!(result), Some(expired.unwrap_or(0))), "{name}");
        assert_eq!(rows[0]["sourceExpiredBefore"].is_string(), expired.is_some(), "{name}");
    }
    // An event that retention may have deleted is not an extra event.
    let key = object(&stage, "/verify-expired/retention", "b").await;
    stage.put(&key, gzip("2024-09-30T15:00:00.001Z three\n\tat four\n2024-10-01T00:00:00.000Z older\n")).await;
    let found = verify(&tool, 1, "/verify-expired/retention").await;
    assert_eq!(found, json!({"result": "different", "expired": 3, "problems": "is damaged"}));
    // The archive is still compared with its manifest.
    stage.delete(&[object(&stage, "/verify-expired/group", "b").await]).await;
    let found = verify(&tool, 1, "/verify-expired/group").await;
    assert_eq!(found, json!({"result": "different", "expired": 2, "problems": "is damaged"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_log_group_without_a_manifest_does_not_hide_the_others() {
    let (stage, tool) = Tool::on_stage().await;
    let names: Vec<String> = (0..4).map(|number| format!("/verify-five/{number}")).collect();
    for name in &names {
        stage.hello(name).await;
    }
    stage.run_exports(&names).await;
    let missing = target(&stack(&stage), "/verify-five/missing", MONTH);
    put_new_open_window(&stage, &missing, OpenOutcome::Failed, 0).await;
    let rows = tool.json(1, &["verify", "--month", MONTH, "/verify-five/[0-9]*", "/verify-five/?", "/verify-five/missing"]).await;
    let format_row =
        |row: &Value| format!("{} {}", row["logGroup"].as_str().unwrap_or_default(), row["result"].as_str().unwrap_or_default());
    let expected =
        ["0 same", "1 same", "2 same", "3 same", "[0-9]* notArchived", "missing notArchived"].map(|row| format!("/verify-five/{row}"));
    assert_eq!(rows.as_array().expect("a list").iter().map(format_row).collect::<Vec<_>>(), expected);
    // A manifest that is not valid does not count, and is reported.
    let invalid = target(&stack(&stage), "/verify-five/wrong", "2024-03");
    put_manifest(&stage, &invalid, Outcome::Exported, None, 0).await;
    let output = tool.run(&["verify", "--month", "2024-03", "--output", "jsonl"]).await;
    assert!(
        output.code == 1
            && output.stdout.is_empty()
            && output.stderr.contains("its outcome, reason, task_id and objects contradict each other"),
        "{output:#?}"
    );
}

/// Each message names the next step, and the exit code is 3.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_action_or_the_next_step() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/verify/refused";
    archived(&stage, name).await;
    let arguments = ["verify", "--month", MONTH, name];
    let run_with_fault = async |fault: Value| -> ToolOutput {
        stage.fault(fault).await;
        let output = tool.run(&arguments).await;
        stage.local.clear_faults().await.expect("the stand-in takes it");
        output
    };
    let logs_fault =
        |operation: &str, error: &str, times: u32| json!({"operation": operation, "logGroupName": name, "error": error, "times": times});
    for (fault, message) in [
        (logs_fault("GetLogEvents", "AccessDeniedException", 9), "Allow logs:GetLogEvents to the identity that you are signed in as"),
        (logs_fault("DescribeLogStreams", "AccessDeniedException", 9), "Allow logs:DescribeLogStreams to the identity"),
        (logs_fault("GetLogEvents", "ExpiredTokenException", 9), "The credentials have expired: sign in again"),
        (logs_fault("GetLogEvents", "UnrecognizedClientException", 9), "AWS does not know these credentials"),
        (logs_fault("GetLogEvents", "ThrottlingException", 999), "Wait a minute, then repeat the command"),
        (
            json!({"operation": "GetObject", "keySuffix": ".gz", "error": "AccessDenied", "httpStatus": 403, "times": 9}),
            "Allow s3:GetObject to the identity",
        ),
        (
            json!({"operation": "ListObjectsV2", "error": "AccessDenied", "httpStatus": 403, "times": 9}),
            "Allow the action that the message names",
        ),
        (
            json!({"operation": "ListObjectsV2", "error": "ExpiredToken", "httpStatus": 400, "times": 9}),
            "The credentials have expired: sign in again",
        ),
    ] {
        let output = run_with_fault(fault.clone()).await;
        assert!(output.code == 3 && output.stderr.contains(message), "{fault}: {output:#?}");
    }
    let output = run_with_fault(logs_fault("GetLogEvents", "ThrottlingException", 2)).await;
    assert_eq!(output.code, 0, "throttled calls are retried: {}", output.stderr);
}

/// A manifest that cannot be read does not hide the others either. After some refused windows, no further window is compared.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_group_that_is_refused_does_not_hide_the_others() {
    let (stage, tool) = Tool::on_stage().await;
    let names: Vec<String> = (0..6).map(|number| format!("/verify-refused/{number}")).collect();
    for name in &names {
        stage.hello(name).await;
    }
    stage.run_exports(&names).await;
    let refuse = |name: &str| json!({"operation": "GetLogEvents", "logGroupName": name, "error": "AccessDeniedException", "times": 999});
    let results = async |message: &str| -> Vec<String> {
        let output = tool.run(&["verify", "--month", MONTH, "/verify-refused/*", "--output", "json"]).await;
        assert!(output.code == 3 && output.stderr.contains(message), "{output:#?}");
        let rows: Vec<Value> = serde_json::from_str(&output.stdout).expect("JSON");
        rows.iter()
            .map(|row| format!("{} {}", row["result"].as_str().expect("a text"), row["problems"][0].as_str().unwrap_or_default()))
            .collect()
    };
    stage.fault(refuse(&names[1])).await;
    let actual = results("Allow logs:GetLogEvents to the identity").await;
    assert!(actual[1].starts_with("incomplete GetLogEvents answered AccessDeniedException"), "{actual:#?}");
    assert_eq!(actual.iter().filter(|row| *row == "same ").count(), 5, "{actual:#?}");
    for name in [0, 2, 3, 4, 5] {
        stage.fault(refuse(&names[name])).await;
    }
    let actual = results("Allow logs:GetLogEvents to the identity").await;
    assert_eq!(
        actual.iter().filter(|row| *row == "incomplete not compared, because AWS refused the windows before it").count(),
        3,
        "{actual:#?}"
    );
    stage.local.clear_faults().await.expect("the stand-in takes it");

    let (key, _) = stage.manifest(&names[0]).await;
    stage.fault(json!({"operation": "GetObject", "keySuffix": key, "error": "AccessDenied", "httpStatus": 403, "times": 99})).await;
    let output = tool.run(&["verify", "--month", MONTH, "/verify-refused/*", "--output", "jsonl"]).await;
    stage.local.clear_faults().await.expect("the stand-in takes it");
    let warning = format!("warning: manifest {key} cannot be read, and runs fail with ArchiveUnreadable until it can: ");
    assert!(output.code == 1 && output.stderr.contains(&warning), "{output:#?}");
    assert_eq!(output.stdout.matches("\"result\":\"same\"").count(), 5, "{output:#?}");

    // An open window that cannot be read does not hide the others either. Its log group and month are unknown.
    let open = open_window(&target(&stack(&stage), "/verify-refused/open", MONTH), OpenOutcome::Failed, 0);
    put_open_window(&stage, &open).await;
    let key = open.key(&stack(&stage));
    stage.fault(json!({"operation": "GetObject", "keySuffix": key, "error": "AccessDenied", "httpStatus": 403, "times": 99})).await;
    let output = tool.run(&["verify", "--month", MONTH, "/verify-refused/*", "--output", "jsonl"]).await;
    stage.local.clear_faults().await.expect("the stand-in takes it");
    stage.delete(&[key]).await;
    assert_eq!((output.code, output.stdout.matches("\"result\":\"same\"").count()), (1, 6), "{output:#?}");
    assert!(output.stderr.contains("warning: ArchiveUnreadable: ") && output.stderr.contains("Allow s3:GetObject"), "{output:#?}");
}

/// A part of the month without a manifest is not archived.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_covered_in_part_is_not_the_same() {
    let (stage, tool) = Tool::on_stage().await;
    let mut half = target(&stack(&stage), "/verify/half", MONTH);
    half.window = half.window.split_equally(2)[0];
    put_manifest(&stage, &half, Outcome::Empty, None, 0).await;
    let rows = tool.json(1, &["verify", "--offline", "--month", MONTH, "/verify/half"]).await;
    let results: Vec<_> = rows.as_array().expect("a list").iter().map(|row| &row["result"]).collect();
    assert_eq!(results, ["notArchived", "same"]);
    assert_eq!(rows[0]["problems"][0], "covered in part", "{rows:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_without_manifests_is_a_finding() {
    let (_stage, tool) = Tool::on_stage().await;
    let output = tool.run(&["verify", "--month", "2001-02"]).await;
    assert!(output.code == 1 && output.stderr.contains("The archive has no manifest of 2001-02"), "{output:#?}");
    for (month, message) in [
        ("2222-01", "--month 2222-01 has not begun in Asia/Tokyo"),
        ("11/08/2017", "write it as YYYY-MM, such as 2026-10"),
        ("1504000000", "write it as YYYY-MM, such as 2026-10"),
        ("2026-13", "write it as YYYY-MM, such as 2026-10"),
    ] {
        let output = tool.run(&["verify", "--month", month]).await;
        assert!(output.code == 2 && output.stderr.contains(message) && output.stdout.is_empty(), "{output:#?}");
    }
}

/// For an export of some log streams, only those log streams are compared.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_with_a_prefix_is_compared_with_its_log_streams() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/verify/prefix";
    let names: Vec<String> = (0..101).map(|number| format!("app/{number:03}")).chain(["other".to_owned()]).collect();
    let streams: Vec<(&str, &[(i64, &str)])> = names.iter().map(|name| (name.as_str(), &[(FROM, "hello")][..])).collect();
    stage.log_group_of_streams(name, &streams).await;
    stage.run_well(&stage.input(json!([{"logGroupName": name, "logStreamNamePrefix": "app/"}]))).await;
    let rows = tool.json(0, &["verify", "--month", MONTH, name]).await;
    assert_eq!((summary(&rows), &rows[0]["sourceEvents"]), (json!({"result": "same"}), &json!(101)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_or_an_endpoint_the_next_step_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let unused_endpoint = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let tool = Tool::bare().with("AWS_REGION", "eu-west-1").with("AWS_MAX_ATTEMPTS", "1");
    let output = tool.run(&["verify", "--month", MONTH, "--endpoint-url", &unused_endpoint]).await;
    assert!(output.code == 3 && output.stderr.contains("No credentials were found: give --profile"), "{output:#?}");
    let tool = tool.with("AWS_ACCESS_KEY_ID", "test").with("AWS_SECRET_ACCESS_KEY", "test");
    let output = tool.run(&["verify", "--month", MONTH, "--endpoint-url", &unused_endpoint]).await;
    assert!(output.code == 3 && output.stderr.contains("Check the network, --region and --endpoint-url"), "{output:#?}");
    let output = Tool::bare().run(&["verify", "--month", MONTH]).await;
    assert!(output.code == 2 && output.stderr.contains("give --region"), "{output:#?}");
}
