//! `selftest` against the local AWS: its checks, other responses of AWS, and the removal.

mod altered;

use std::{collections::BTreeSet, time::Duration};

use e2e::{S3_PREFIX, Stage};
use local_aws::Engine;
use serde_json::{Value, json};

use crate::{
    list::stage,
    tool::{Running, Tool, ToolOutput},
};
use altered::{altered_s3, keeping_s3, renaming_s3};

e2e::on_both_engines! {
    everything_is_proven_and_removed,
}

/// The objects of the archive except the reports, and the log groups of self-tests.
async fn traces(stage: &Stage) -> BTreeSet<String> {
    let reports = format!("{S3_PREFIX}/runs/");
    let keys = stage.keys("").await.into_iter().filter(|key| !key.starts_with(&reports));
    let log_groups = stage.logs().describe_log_groups().log_group_name_prefix("/logs-archive-selftest/").send().await;
    let log_groups = log_groups.expect("a list").log_groups.unwrap_or_default();
    keys.chain(log_groups.into_iter().filter_map(|log_group| log_group.log_group_name)).collect()
}

/// Makes tasks long enough, so that a second task finds the slot busy.
async fn slow_tasks(stage: &Stage) {
    stage.local.set_task_timing(Duration::from_millis(300), Duration::from_millis(100)).await.expect("the stand-in takes its timing");
}

/// Each check with its result.
fn results(stdout: &str) -> Vec<String> {
    let rows: Value = serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    rows.as_array().expect("a list").iter().map(|row| format!("{} {}", text(&row["result"]), text(&row["check"]))).collect()
}

fn findings(output: &ToolOutput) -> Vec<String> {
    let mut results = results(&output.stdout);
    results.retain(|result| ["notProven ", "differs ", "notSeen "].iter().any(|finding| result.starts_with(finding)));
    results
}

async fn everything_is_proven_and_removed(engine: Engine) {
    let (stage, tool) = stage(engine, json!(["/selftest/other"])).await;
    stage.hello("/selftest/other").await;
    slow_tasks(&stage).await;
    let before = traces(&stage).await;
    let reports = format!("{S3_PREFIX}/runs/");
    let reports_before = stage.keys(&reports).await;
    let output = tool.run(&["selftest", "--wait", "0", "--output", "json"]).await;
    assert_eq!(output.code, 0, "{output:#?}");
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
    assert_eq!(results(&output.stdout), expected);
    assert!(output.stderr.starts_with("Self-test ") && output.stderr.contains("\n  as documented: task without events\n"), "{output:#?}");
    assert!(output.stdout.contains("many 2000, 2026-01-01-[$LATEST]selftest 5, 日本-ログ 7"), "{output:#?}");

    assert_eq!(traces(&stage).await, before);
    let rows = tool.json(0, &["status"]).await;
    assert!(!rows.to_string().contains("logs-archive-selftest"), "{rows:#}");
    // The report of the run is not removed.
    let new: Vec<_> = stage.keys(&reports).await.into_iter().filter(|key| !reports_before.contains(key)).collect();
    assert!(matches!(&new[..], [report] if report.contains("-selftest-20")), "{new:?}");
    assert_eq!(stage.json(&new[0]).await["missing_count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_responses_of_aws_are_reported_and_everything_is_removed() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/selftest/other"])).await;
    slow_tasks(&stage).await;
    let before = traces(&stage).await;
    let endpoint = altered_s3(stage.local.endpoint(), |text| text.replace("Z event 7\n", "Z\tevent 7\n")).await;
    let output = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint).run(&["selftest", "--wait", "0", "--output", "json"]).await;
    assert_eq!(output.code, 1, "{output:#?}");
    assert_eq!(findings(&output), ["differs bytes of each event (many)", "notProven the archive is true (many)"]);
    let rows: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let row = rows.as_array().expect("a list").iter().find(|row| row["result"] == "differs").expect("it differs");
    assert_eq!(row["documented"], "docs/local-aws.md#what-a-task-writes");
    let detail = row["detail"].as_str().expect("a text");
    assert!(detail.starts_with("expected time, space, message, line break; saw ") && detail.contains(r"\tevent 7"), "{detail}");
    assert!(output.stderr.contains("\nA response of AWS differs from docs/local-aws.md"), "{output:#?}");
    assert_eq!(traces(&stage).await, before);

    // A folder with another name is a difference, and not a missing event.
    let endpoint = renaming_s3(stage.local.endpoint(), "/many/000000.gz", "/many-1/000000.gz").await;
    let output = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint).run(&["selftest", "--wait", "1", "--output", "json"]).await;
    assert_eq!((output.code, &findings(&output)[0][..]), (1, "differs object keys (many)"), "{output:#?}");
    assert!(output.stdout.contains("expected many/000000.gz; saw many-1/000000.gz"), "{output:#?}");
    assert_eq!(traces(&stage).await, before);

    // A missing event is not a difference, because it may be exportable later.
    let endpoint = altered_s3(stage.local.endpoint(), |text| without_event_8(&text)).await;
    let lossy = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint);
    let output = lossy.run(&["selftest", "--wait", "0", "--output", "json"]).await;
    assert_eq!((output.code, findings(&output)), (1, vec!["notProven events are exportable".to_owned()]), "{output:#?}");
    assert!(output.stdout.contains("lacks 1 of its events, "), "{output:#?}");
    assert!(output.stderr.contains("can take 12 hours until events can be exported"), "{output:#?}");
    assert!(!output.stderr.contains("Started "), "no run is started that would fail: {output:#?}");
    assert_eq!(traces(&stage).await, before);

    let output = tool.run(&["selftest", "--wait", "0"]).await;
    assert!(output.code == 0 && output.stdout.starts_with(" CHECK "), "{output:#?}");
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
    let output = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint).run(&["selftest", "--wait", "1"]).await;
    assert_eq!(output.code, 0, "{output:#?}");
    assert!(output.stderr.contains("/many lacks 1 of its events. The next try is in 4 seconds.\n"), "{output:#?}");
    assert_eq!(traces(&stage).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_calls_are_reported_and_leftovers_can_be_removed_later() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/selftest/other"])).await;
    let before = traces(&stage).await;
    let denied = |operation: &str| json!({"operation": operation, "error": "AccessDeniedException", "message": "not you"});
    for operation in ["CreateLogGroup", "CreateLogStream", "PutLogEvents", "GetLogEvents", "CreateExportTask"] {
        stage.fault(denied(operation)).await;
        let output = tool.run(&["selftest", "--output", "json"]).await;
        assert_eq!((output.code, output.stderr.contains(&format!("\nAllow logs:{operation} to"))), (3, true), "{output:#?}");
        assert_eq!(results(&output.stdout).last().map(String::as_str), Some("proven everything is removed"), "{output:#?}");
        stage.assert_no_faults_left().await;
        assert_eq!(traces(&stage).await, before);
    }

    let endpoint = crate::refused_calls::refusing("AccessDeniedException").await;
    let output = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_ATHENA", &endpoint).run(&["selftest", "--wait", "0"]).await;
    assert_eq!((output.code, output.stderr.contains("\nAllow athena:StartQueryExecution to")), (3, true), "{output:#?}");
    assert!(output.stdout.contains("the archive is true (empty)"), "the proven checks are printed: {output:#?}");
    assert_eq!(traces(&stage).await, before);

    stage.fault(denied("DeleteLogGroup")).await;
    let command = run_with_leftovers(&tool, "\nAllow logs:DeleteLogGroup to").await;
    let left: Vec<_> = traces(&stage).await.difference(&before).cloned().collect();
    assert!(matches!(&left[..], [log_group] if log_group.ends_with("/names")), "{left:?}");
    remove_leftovers(&tool, &command).await;
    assert_eq!(traces(&stage).await, before);

    let endpoint = keeping_s3(stage.local.endpoint()).await;
    let keeping = Tool::of(&stage.local).with("AWS_ENDPOINT_URL_S3", &endpoint);
    let command = run_with_leftovers(&keeping, "DeleteObject answered AccessDenied").await;
    let left: Vec<_> = traces(&stage).await.difference(&before).cloned().collect();
    assert!(left.len() > 10 && left.iter().all(|trace| trace.starts_with(S3_PREFIX)), "the log groups are gone: {left:?}");
    // A new self-test reports the leftovers, and does not remove them.
    stage.fault(denied("CreateLogGroup")).await;
    let output = tool.run(&["selftest"]).await;
    assert!(output.code == 3 && output.stderr.contains(&format!("remove them: logs-archive {command}\n")), "{output:#?}");
    assert!(left.iter().collect::<BTreeSet<_>>().is_subset(&traces(&stage).await.iter().collect()));
    remove_leftovers(&tool, &command).await;
    assert_eq!(traces(&stage).await, before);

    let output = tool.run(&["selftest", "--remove", "/aws/lambda"]).await;
    assert!(output.code == 2 && output.stderr.contains("/aws/lambda is not the id of a self-test"), "{output:#?}");
}

/// Runs a self-test that cannot remove everything. Returns the command that removes the rest.
async fn run_with_leftovers(tool: &Tool, message: &str) -> String {
    let output = tool.run(&["selftest", "--wait", "0", "--output", "json"]).await;
    let findings = findings(&output);
    assert_eq!((output.code, findings.last().map(String::as_str)), (1, Some("notProven everything is removed")), "{output:#?}");
    assert!(output.stderr.contains("Not removed: ") && output.stderr.contains(message), "{output:#?}");
    output.stderr.lines().find_map(|line| line.strip_prefix("To remove it later: logs-archive ")).expect("a command").to_owned()
}

async fn remove_leftovers(tool: &Tool, command: &str) {
    let arguments: Vec<_> = command.split(' ').chain(["--output", "json"]).collect();
    let output = tool.run(&arguments).await;
    assert_eq!((output.code, results(&output.stdout)), (0, vec!["proven everything is removed".to_owned()]), "{output:#?}");
}

fn start(tool: &Tool) -> Running {
    tool.start(&["selftest", "--wait", "0"])
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_removes_what_was_created() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/selftest/other"])).await;
    let before = traces(&stage).await;
    stage.hold_tasks().await;
    let mut self_test = start(&tool);
    let line = self_test.wait_for_line("Exporting ").await;
    let log_group = line.strip_prefix("Exporting ").expect("its beginning");
    stage.wait_for_task(log_group, 1).await;
    // The tool waits for a task that is not listed yet, and cancels it.
    stage.fault(json!({"operation": "DescribeExportTasks", "error": "ResourceNotFoundException", "times": 4})).await;
    self_test.interrupt();
    self_test.wait_for_line("Interrupted. ").await;
    assert_eq!(self_test.end().await.code, 130);
    assert_eq!(stage.statuses(log_group).await, ["CANCELLED"]);
    assert_eq!(traces(&stage).await, before);

    // The tool waits for a run, which would write new objects.
    let (self_test, run) = interrupted_in_its_run(&stage, &tool).await;
    stage.let_tasks_go().await;
    let output = self_test.end().await;
    assert!(output.code == 130 && output.stderr.contains("proven: everything is removed"), "{output:#?}");
    stage.wait_well(&run).await;
    assert_eq!(traces(&stage).await, before);

    let (mut self_test, run) = interrupted_in_its_run(&stage, &tool).await;
    self_test.interrupt();
    let line = self_test.wait_for_line("still exist").await;
    assert_eq!(self_test.end().await.code, 130);
    stage.let_tasks_go().await;
    stage.wait_well(&run).await;
    let command: Vec<_> = line.split("logs-archive ").nth(1).expect("a command").split(' ').collect();
    assert_eq!(tool.run(&command).await.code, 0);
    assert_eq!(traces(&stage).await, before);
}

/// A self-test that was interrupted during its run, and the run's ARN.
async fn interrupted_in_its_run(stage: &Stage, tool: &Tool) -> (Running, String) {
    stage.let_tasks_go().await;
    let mut self_test = start(tool);
    self_test.wait_for_line("proven: events are exportable").await;
    stage.hold_tasks().await;
    let started = self_test.wait_for_line("Started ").await;
    self_test.wait_for_line(" PENDING").await;
    self_test.interrupt();
    self_test.wait_for_line("Interrupted. ").await;
    (self_test, started.strip_prefix("Started ").expect("its beginning").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_start_if_it_would_disturb_a_run() {
    let (mut stage, mut tool) = stage(Engine::Ministack, json!([{"logGroupNamePrefix": "/"}])).await;
    let refused = async |tool: &Tool, message: &str| {
        let output = tool.run(&["selftest"]).await;
        assert!(output.code == 2 && output.stderr.contains(message) && output.stdout.is_empty(), "{output:#?}");
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
