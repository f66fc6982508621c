//! `selftest` against the local AWS: what it proves, what it tells of an AWS that answers otherwise, and that nothing of it stays.

mod altered;

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use e2e::{S3_PREFIX, Stage};
use local_aws::Engine;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr},
};

use crate::{
    list::stage,
    tool::{Ran, Tool},
};
use altered::{altered_s3, keeping_s3, renaming_s3};

e2e::on_both_engines! {
    everything_is_proven_and_nothing_stays,
}

/// Every object of the archive but the reports of runs, and every log group of self-tests.
async fn traces(stage: &Stage) -> BTreeSet<String> {
    let reports = format!("{S3_PREFIX}/runs/");
    let keys = stage.keys("").await.into_iter().filter(|key| !key.starts_with(&reports));
    let log_groups = stage.logs().describe_log_groups().log_group_name_prefix("/logs-archive-selftest/").send().await;
    let log_groups = log_groups.expect("a list").log_groups.unwrap_or_default();
    keys.chain(log_groups.into_iter().filter_map(|log_group| log_group.log_group_name)).collect()
}

/// Long enough for a second task to find the slot taken.
async fn slow_tasks(stage: &Stage) {
    stage.local.set_task_timing(Duration::from_millis(300), Duration::from_millis(100)).await.expect("the stand-in takes its timing");
}

/// Each check with its result.
fn results(stdout: &str) -> Vec<String> {
    let rows: Value = serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    rows.as_array().expect("a list").iter().map(|row| format!("{} {}", text(&row["result"]), text(&row["check"]))).collect()
}

fn findings(ran: &Ran) -> Vec<String> {
    let mut results = results(&ran.stdout);
    results.retain(|result| ["notProven ", "differs ", "notSeen "].iter().any(|finding| result.starts_with(finding)));
    results
}

async fn everything_is_proven_and_nothing_stays(engine: Engine) {
    let (stage, tool) = stage(engine, json!(["/selftest/other"])).await;
    stage.hello("/selftest/other").await;
    slow_tasks(&stage).await;
    let before = traces(&stage).await;
    let reports = format!("{S3_PREFIX}/runs/");
    let reports_before = stage.keys(&reports).await;
    let ran = tool.run(&["selftest", "--wait", "0", "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran:#?}");
    let expected = [
        "proven events are put",
        "proven events are returned",
        "asDocumented write test at creation",
        "asDocumented second task while one is active",
        "asDocumented task statuses",
        "asDocumented fields of DescribeExportTasks",
        "asDocumented object keys (names)",
        "asDocumented compression (names)",
        "asDocumented bytes of each event (names)",
        "asDocumented ends of the window",
        "asDocumented window before the log group",
        "asDocumented object keys (many)",
        "asDocumented compression (many)",
        "asDocumented bytes of each event (many)",
        "asDocumented task without events",
        "proven events are exportable",
        "proven the run archives",
        "proven the archive is true (names)",
        "proven the archive is true (many)",
        "proven the archive is true (empty)",
        "proven Athena counts the events",
        "proven everything is removed",
    ];
    assert_eq!(results(&ran.stdout), expected);
    assert!(ran.stderr.starts_with("Self-test ") && ran.stderr.contains("\n  as documented: task without events\n"), "{ran:#?}");
    assert!(ran.stdout.contains("many 2000, 2026-01-01-[$LATEST]selftest 5, 日本-ログ 7"), "{ran:#?}");

    assert_eq!(traces(&stage).await, before);
    let rows = tool.json(0, &["status"]).await;
    assert!(!rows.to_string().contains("logs-archive-selftest"), "{rows:#}");
    // The report of its run stays, as that of any run.
    let new: Vec<_> = stage.keys(&reports).await.into_iter().filter(|key| !reports_before.contains(key)).collect();
    assert!(matches!(&new[..], [report] if report.contains("-selftest-20")), "{new:?}");
    assert_eq!(stage.json(&new[0]).await["missing_count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_answers_otherwise_is_told_and_everything_is_removed() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/selftest/other"])).await;
    slow_tasks(&stage).await;
    let before = traces(&stage).await;
    let endpoint = altered_s3(stage.local.endpoint(), |text| text.replace("Z event 7\n", "Z\tevent 7\n")).await;
    let ran = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint).run(&["selftest", "--wait", "0", "--output", "json"]).await;
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert_eq!(findings(&ran), ["differs bytes of each event (many)", "notProven the archive is true (many)"]);
    let rows: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let row = rows.as_array().expect("a list").iter().find(|row| row["result"] == "differs").expect("it differs");
    assert_eq!(row["documented"], "docs/local-aws.md#what-a-task-writes");
    let detail = row["detail"].as_str().expect("a text");
    assert!(detail.starts_with("expected time, space, message, line break; saw ") && detail.contains(r"\tevent 7"), "{detail}");
    assert!(ran.stderr.contains("\nAWS answered otherwise than docs/local-aws.md states"), "{ran:#?}");
    assert_eq!(traces(&stage).await, before);

    // A folder of another name is a difference, and not an event that comes later.
    let endpoint = renaming_s3(stage.local.endpoint(), "/many/000000.gz", "/many-1/000000.gz").await;
    let ran = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint).run(&["selftest", "--wait", "1", "--output", "json"]).await;
    assert_eq!((ran.code, &findings(&ran)[0][..]), (1, "differs object keys (many)"), "{ran:#?}");
    assert!(ran.stdout.contains("expected many/000000.gz; saw many-1/000000.gz"), "{ran:#?}");
    assert_eq!(traces(&stage).await, before);

    // An event that is lost is not taken for a difference: it can come later.
    let endpoint = altered_s3(stage.local.endpoint(), |text| without_event_8(&text)).await;
    let lossy = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint);
    let ran = lossy.run(&["selftest", "--wait", "0", "--output", "json"]).await;
    assert_eq!((ran.code, findings(&ran)), (1, vec!["notProven events are exportable".to_owned()]), "{ran:#?}");
    assert!(ran.stdout.contains("lacks 1 of its events, "), "{ran:#?}");
    assert!(ran.stderr.contains("can take 12 hours until they can be exported"), "{ran:#?}");
    assert!(!ran.stderr.contains("Started "), "no run is started that would fail: {ran:#?}");
    assert_eq!(traces(&stage).await, before);

    let ran = tool.run(&["selftest", "--wait", "0"]).await;
    assert!(ran.code == 0 && ran.stdout.starts_with(" CHECK "), "{ran:#?}");
}

fn without_event_8(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.ends_with("Z event 8\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_cannot_be_exported_yet_are_exported_again() {
    let (stage, _) = stage(Engine::Ministack, json!(["/selftest/other"])).await;
    let before = traces(&stage).await;
    let mut is_early = true;
    let endpoint = altered_s3(stage.local.endpoint(), move |text| {
        let lossy = without_event_8(&text);
        let altered = if is_early && lossy != text { lossy.clone() } else { text.clone() };
        is_early &= lossy == text;
        altered
    })
    .await;
    let ran = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint).run(&["selftest", "--wait", "1"]).await;
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(ran.stderr.contains("/many lacks 1 of its events. The next try is in 4 seconds.\n"), "{ran:#?}");
    assert_eq!(traces(&stage).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_is_named_and_what_stays_can_be_removed_later() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/selftest/other"])).await;
    let before = traces(&stage).await;
    let denied = |operation: &str| json!({"operation": operation, "error": "AccessDeniedException", "message": "not you"});
    for operation in ["CreateLogGroup", "CreateLogStream", "PutLogEvents", "GetLogEvents", "CreateExportTask"] {
        stage.fault(denied(operation)).await;
        let ran = tool.run(&["selftest", "--output", "json"]).await;
        assert_eq!((ran.code, ran.stderr.contains(&format!("\nAllow logs:{operation} to"))), (3, true), "{ran:#?}");
        assert_eq!(results(&ran.stdout).last().map(String::as_str), Some("proven everything is removed"), "{ran:#?}");
        stage.assert_no_faults_left().await;
        assert_eq!(traces(&stage).await, before);
    }

    let endpoint = crate::refusals::refusing("AccessDeniedException").await;
    let ran = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_ATHENA", &endpoint).run(&["selftest", "--wait", "0"]).await;
    assert_eq!((ran.code, ran.stderr.contains("\nAllow athena:StartQueryExecution to")), (3, true), "{ran:#?}");
    assert!(ran.stdout.contains("the archive is true (empty)"), "what was proven is told: {ran:#?}");
    assert_eq!(traces(&stage).await, before);

    stage.fault(denied("DeleteLogGroup")).await;
    let command = left_behind(&tool, "\nAllow logs:DeleteLogGroup to").await;
    let left: Vec<_> = traces(&stage).await.difference(&before).cloned().collect();
    assert!(matches!(&left[..], [log_group] if log_group.ends_with("/names")), "{left:?}");
    removes(&tool, &command).await;
    assert_eq!(traces(&stage).await, before);

    let endpoint = keeping_s3(stage.local.endpoint()).await;
    let keeping = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint);
    let command = left_behind(&keeping, "DeleteObject answered AccessDenied").await;
    let left: Vec<_> = traces(&stage).await.difference(&before).cloned().collect();
    assert!(left.len() > 10 && left.iter().all(|trace| trace.starts_with(S3_PREFIX)), "the log groups are gone: {left:?}");
    // A new one names it, and leaves it alone.
    stage.fault(denied("CreateLogGroup")).await;
    let ran = tool.run(&["selftest"]).await;
    assert!(ran.code == 3 && ran.stderr.contains(&format!("remove what it left: logs-archive {command}\n")), "{ran:#?}");
    assert!(left.iter().collect::<BTreeSet<_>>().is_subset(&traces(&stage).await.iter().collect()));
    removes(&tool, &command).await;
    assert_eq!(traces(&stage).await, before);

    let ran = tool.run(&["selftest", "--remove", "/aws/lambda"]).await;
    assert!(ran.code == 2 && ran.stderr.contains("/aws/lambda is no id of a self-test"), "{ran:#?}");
}

/// A self-test that proves everything and cannot remove everything. Returns the command that does.
async fn left_behind(tool: &Tool, says: &str) -> String {
    let ran = tool.run(&["selftest", "--wait", "0", "--output", "json"]).await;
    let findings = findings(&ran);
    assert_eq!((ran.code, findings.last().map(String::as_str)), (1, Some("notProven everything is removed")), "{ran:#?}");
    assert!(ran.stderr.contains("Not removed: ") && ran.stderr.contains(says), "{ran:#?}");
    ran.stderr.lines().find_map(|line| line.strip_prefix("Then remove it: logs-archive ")).expect("a command").to_owned()
}

async fn removes(tool: &Tool, command: &str) {
    let arguments: Vec<_> = command.split(' ').chain(["--output", "json"]).collect();
    let ran = tool.run(&arguments).await;
    assert_eq!((ran.code, results(&ran.stdout)), (0, vec!["proven everything is removed".to_owned()]), "{ran:#?}");
}

/// Reads stderr until a line has `text`. Returns that line.
async fn wait_for_line(stderr: &mut BufReader<ChildStderr>, text: &str) -> String {
    let mut read = String::new();
    loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).await.expect("UTF-8") > 0, "it ended without {text:?}: {read}");
        if line.contains(text) {
            return line.trim_end().to_owned();
        }
        read.push_str(&line);
    }
}

fn start(tool: &Tool) -> (Child, BufReader<ChildStderr>) {
    let mut child = tool.command(&["selftest", "--wait", "0"]).stdout(Stdio::null()).spawn().expect("the tool starts");
    let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    (child, stderr)
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(child.id().expect("it runs") as i32), Signal::SIGINT).expect("the signal is sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_removes_what_was_created() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/selftest/other"])).await;
    let before = traces(&stage).await;
    stage.hold_tasks().await;
    let (mut child, mut stderr) = start(&tool);
    let line = wait_for_line(&mut stderr, "Exporting ").await;
    let log_group = line.strip_prefix("Exporting ").expect("its beginning");
    stage.wait_for_task(log_group, 1).await;
    // A task that is not seen yet is waited for, and cancelled.
    stage.fault(json!({"operation": "DescribeExportTasks", "error": "ResourceNotFoundException", "times": 4})).await;
    interrupt(&child);
    wait_for_line(&mut stderr, "Interrupted. ").await;
    assert_eq!(child.wait().await.expect("it ends").code(), Some(130));
    assert_eq!(stage.statuses(log_group).await, ["CANCELLED"]);
    assert_eq!(traces(&stage).await, before);

    // A run is waited for: it would write again what is removed.
    let (mut child, mut stderr, run) = interrupted_in_its_run(&stage, &tool).await;
    stage.let_tasks_go().await;
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).await.expect("UTF-8");
    assert_eq!(child.wait().await.expect("it ends").code(), Some(130), "{rest}");
    assert!(rest.contains("proven: everything is removed"), "{rest}");
    stage.wait_well(&run).await;
    assert_eq!(traces(&stage).await, before);

    let (mut child, mut stderr, run) = interrupted_in_its_run(&stage, &tool).await;
    interrupt(&child);
    let line = wait_for_line(&mut stderr, "is still there").await;
    assert_eq!(child.wait().await.expect("it ends").code(), Some(130));
    stage.let_tasks_go().await;
    stage.wait_well(&run).await;
    let command: Vec<_> = line.split("logs-archive ").nth(1).expect("a command").split(' ').collect();
    assert_eq!(tool.run(&command).await.code, 0);
    assert_eq!(traces(&stage).await, before);
}

/// A self-test that was interrupted while its run goes on, and the run.
async fn interrupted_in_its_run(stage: &Stage, tool: &Tool) -> (Child, BufReader<ChildStderr>, String) {
    stage.let_tasks_go().await;
    let (child, mut stderr) = start(tool);
    wait_for_line(&mut stderr, "proven: events are exportable").await;
    stage.hold_tasks().await;
    let started = wait_for_line(&mut stderr, "Started ").await;
    wait_for_line(&mut stderr, " PENDING").await;
    interrupt(&child);
    wait_for_line(&mut stderr, "Interrupted. ").await;
    (child, stderr, started.strip_prefix("Started ").expect("its beginning").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_out_of_the_way_of_runs() {
    let (mut stage, mut tool) = stage(Engine::Ministack, json!([{"logGroupNamePrefix": "/"}])).await;
    let refused = async |tool: &Tool, says: &str| {
        let ran = tool.run(&["selftest"]).await;
        assert!(ran.code == 2 && ran.stderr.contains(says) && ran.stdout.is_empty(), "{ran:#?}");
    };
    refused(&tool, r#"add "exclude": ["/logs-archive-selftest/*"] to the entry"#).await;
    drop(stage);
    (stage, tool) =
        crate::list::stage(Engine::Ministack, json!([{"logGroupNamePrefix": "/", "exclude": ["/logs-archive-selftest/*"]}])).await;
    stage.hello("/selftest/busy").await;
    stage.hold_tasks().await;
    let task = stage.foreign_task("/selftest/busy").await;
    refused(&tool, &format!("task {task} of /selftest/busy holds the account's export slot")).await;
    let run = stage.start(json!(["/selftest/busy"])).await;
    refused(&tool, &format!("run {} is in progress", run.rsplit(':').next().expect("a name"))).await;
    let traces = traces(&stage).await;
    assert!(!traces.iter().any(|trace| trace.contains("selftest")), "{traces:#?}");
    stage.let_tasks_go().await;
    stage.wait_well(&run).await;
}
