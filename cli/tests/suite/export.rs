//! `export` exports one window to its own folder, beside the archive.

use e2e::{DAY, FROM, Stage};
use serde_json::{Value, json};

use crate::tool::{Tool, ToolOutput};

/// Exports from `day` until `until`, two dates in Tokyo.
async fn export(tool: &Tool, log_group: &str, day: &str, until: &str, prefix: &str, options: &[&str]) -> ToolOutput {
    let arguments = ["export", log_group, "--since", day, "--until", until, "--prefix", prefix];
    tool.run(&[&arguments[..], options].concat()).await
}

async fn first_day(tool: &Tool, log_group: &str, prefix: &str, options: &[&str]) -> ToolOutput {
    export(tool, log_group, "2024-10-01", "2024-10-02", prefix, options).await
}

/// The text of the objects of a folder.
async fn text(stage: &Stage, folder: &str) -> String {
    stage.stored(folder).await.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_exported_beside_the_archive() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/export/day";
    let events = [(FROM + DAY - 60_001, "23:58:59.999"), (FROM + DAY - 1, "23:59:59.999"), (FROM + DAY, "00:00:00.000")];
    stage.log_group(name, &events).await;
    let manifests = stage.keys("cloudwatch-logs/manifests/").await;
    for zone in ["UTC", "Asia/Tokyo"] {
        let tool = Tool::of(&stage.local).with("TZ", zone);
        let output = first_day(&tool, name, "/adhoc//day/", &[]).await;
        assert_eq!(output.code, 0, "{output:#?}");
        let bucket = format!("s3://{}/", stage.stack.bucket);
        let folder = output.stdout.trim_end().strip_prefix(&bucket).unwrap_or_else(|| panic!("{output:#?}"));
        let task = folder.strip_prefix("adhoc/day/").and_then(|rest| rest.strip_suffix('/')).expect("the task's folder");
        assert!(output.stderr.starts_with(&format!("Created export task {task}\n")), "{output:#?}");
        assert!(output.stderr.contains(&format!("\nTask {task} is COMPLETED and wrote 1 object of ")), "{output:#?}");
        assert_eq!(text(&stage, folder).await, "2024-10-01T14:58:59.999Z 23:58:59.999\n2024-10-01T14:59:59.999Z 23:59:59.999\n");
    }
    let output = export(&tool, name, "2024-10-02", "2024-10-03", "adhoc/day", &["--output", "json"]).await;
    let row = output.json();
    let (task, folder) = (stage.created(name).await.pop().expect("a task"), row["folder"].as_str().expect("a folder"));
    let bytes = row["bytes"].as_u64().expect("a number");
    assert!(bytes > 0, "{row}");
    let expected = json!({
        "logGroup": name, "fromUtc": "2024-10-01T15:00:00.000Z", "toUtc": "2024-10-02T14:59:59.999Z", "taskId": task, "status": "COMPLETED",
        "message": "Completed successfully", "bucket": stage.stack.bucket, "folder": format!("adhoc/day/{task}/"), "objects": 1, "bytes": bytes,
    });
    assert_eq!(row, expected);
    assert_eq!(text(&stage, folder).await, "2024-10-01T15:00:00.000Z 00:00:00.000\n");
    assert_eq!(stage.keys("cloudwatch-logs/manifests/").await, manifests);
    // A run adopts none of these tasks.
    assert_eq!(stage.created(name).await.len(), 3);
    stage.run_exports(&[name]).await;
    assert_eq!(stage.created(name).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_without_events_is_reported() {
    let (stage, tool) = Tool::on_stage().await;
    stage.hello("/export/nothing").await;
    let output = export(&tool, "/export/nothing", "2024-10-03", "2024-10-04", "adhoc", &["--output", "jsonl"]).await;
    let row = output.json();
    assert_eq!(
        (output.code, &row["status"], &row["objects"], &row["bytes"]),
        (0, &json!("COMPLETED"), &json!(0), &json!(0)),
        "{output:#?}"
    );
    assert!(output.stderr.contains("is COMPLETED and wrote nothing: no event of that time could be exported."), "{output:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_task_is_reported_with_its_message() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/export/fails";
    stage.hello(name).await;
    stage.fault(json!({"logGroupName": name, "status": "FAILED", "message": "the key is disabled", "times": 1})).await;
    let output = first_day(&tool, name, "adhoc", &["--output", "json"]).await;
    let row = output.json();
    assert_eq!((output.code, &row["status"], &row["message"]), (1, &json!("FAILED"), &json!("the key is disabled")), "{output:#?}");
    assert!(output.stderr.contains(" is FAILED: the key is disabled. It wrote nothing. Fix the cause"), "{output:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_slot_is_a_finding() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/export/waits";
    stage.hello(name).await;
    stage.hold_tasks().await;
    let foreign_task = stage.foreign_task(name).await;
    let output = first_day(&tool, name, "adhoc", &[]).await;
    let message =
        format!("Nothing was exported: the export slot is held by task {foreign_task} of log group {name}, another tool's, PENDING for ");
    assert!(output.code == 1 && output.stdout.is_empty() && output.stderr.starts_with(&message), "{output:#?}");
    assert!(output.stderr.ends_with("s. Repeat the command when the slot is free; `logs-archive plan` shows that.\n"), "{output:#?}");
    assert_eq!(stage.created(name).await, [foreign_task]);
    stage.let_tasks_go().await;

    // Another task took the slot between the check and the creation.
    stage.fault(json!({"operation": "CreateExportTask", "error": "LimitExceededException", "message": "Resource limit exceeded."})).await;
    let output = first_day(&tool, name, "adhoc", &[]).await;
    let message = "Nothing was exported: the export slot was held by a task that has ended since. Repeat the command";
    assert!(output.code == 1 && output.stderr.starts_with(message), "{output:#?}");
    stage.assert_no_faults_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_following_and_not_the_task() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/export/followed";
    stage.hello(name).await;
    stage.hold_tasks().await;
    let arguments = ["export", name, "--since", "2024-10-01", "--until", "2024-10-02", "--prefix", "adhoc"];
    let mut export = tool.start(&arguments);
    let line = export.wait_for_line("PENDING").await;
    let task = stage.created(name).await.pop().expect("a task");
    assert!(line.ends_with(&format!("Z {name} PENDING, task {task}")), "{line}");
    export.interrupt();
    let cancel = format!("aws logs cancel-export-task --task-id {task} --region ap-northeast-1");
    let expected = format!("Stopped following; task {task} goes on. Cancel it: {cancel}\n");
    let output = export.end().await;
    assert_eq!((output.code, output.stderr), (130, expected));
    assert_eq!(stage.statuses(name).await, ["PENDING"]);
    stage.let_tasks_go().await;
}

/// CreateExportTask creates the task, and its response is lost. The tool finds the task by its name.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_response_creates_no_second_task() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/export/lost-answer";
    stage.hello(name).await;
    stage.hold_tasks().await;
    stage.fault(json!({"operation": "CreateExportTask", "dropResponse": true, "times": 1})).await;
    let arguments = ["export", name, "--since", "2024-10-01", "--until", "2024-10-02", "--prefix", "adhoc"];
    let mut export = tool.start(&arguments);
    export.wait_for_line("PENDING").await;
    stage.let_tasks_go().await;
    assert_eq!(export.end().await.code, 0);
    assert_eq!(stage.created(name).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_export_creates_no_task() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/export/refused";
    stage.hello(name).await;
    stage.hello("/export/infrequent").await;
    stage.overlay("/export/infrequent", |overlay| overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    let overlaps = "which overlaps the archive's objects (cloudwatch-logs): give another folder, such as adhoc/web";
    for (log_group, since, until, prefix, message) in [
        (name, "2024-10-01", "2024-10-02", "cloudwatch-logs", overlaps),
        (name, "2024-10-01", "2024-10-02", "/cloudwatch-logs/manifests/", overlaps),
        (name, "2024-10-01", "2024-10-02", "/", "give a folder for the export, such as adhoc/web"),
        // Epoch seconds: the tool suggests the date.
        (name, "1504000000", "2024-10-02", "adhoc", "write 2017-08-29T09:46:40.000Z"),
        (name, "11/08/2017", "2024-10-02", "adhoc", "--since \"11/08/2017\" is not a time"),
        (name, "2222-01-01", "2222-01-02", "adhoc", "in the future"),
        (name, "2024-10-02", "2024-10-02", "adhoc", "--since must be before --until"),
        ("/export/not-there", "2024-10-01", "2024-10-02", "adhoc", "log group /export/not-there does not exist"),
        ("/export/infrequent", "2024-10-01", "2024-10-02", "adhoc", "is not of the class Standard"),
    ] {
        let output = export(&tool, log_group, since, until, prefix, &[]).await;
        assert!(output.code == 2 && output.stdout.is_empty() && output.stderr.contains(message), "{since} {prefix}: {output:#?}");
    }
    assert!(stage.created(name).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn possibly_missing_events_are_a_warning() {
    let (stage, tool) = Tool::on_stage().await;
    let name = "/export/recent";
    stage.hello(name).await;
    stage.overlay(name, |overlay| overlay.retention_in_days = Some(7)).await;
    let output = export(&tool, name, "30d", "30s", "adhoc", &[]).await;
    assert_eq!(output.code, 0, "{output:#?}");
    for message in ["warning: retention has deleted events before ", "warning: it can take 12 hours until an event can be exported"] {
        assert!(output.stderr.contains(message), "{output:#?}");
    }
    let journal: Vec<Value> = stage.create_calls(name).await;
    let request = &journal.last().expect("a call")["request"];
    assert!(request["taskName"].as_str().is_some_and(|name| name.starts_with("by-hand-")), "{request}");
}
