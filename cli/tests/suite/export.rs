//! `export`: one task, to a folder of its own, beside the archive.

use e2e::{DAY, FROM, Stage};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::{
    tool::{Ran, Tool},
    watch::wait_for_line,
};

async fn stage() -> (Stage, Tool) {
    let stage = Stage::take().await;
    let tool = Tool::of(&stage.local);
    (stage, tool)
}

/// A day in Tokyo.
async fn export(tool: &Tool, log_group: &str, day: &str, next: &str, prefix: &str, more: &[&str]) -> Ran {
    let arguments = ["export", log_group, "--since", day, "--until", next, "--prefix", prefix];
    tool.run(&[&arguments[..], more].concat()).await
}

async fn first_day(tool: &Tool, log_group: &str, prefix: &str, more: &[&str]) -> Ran {
    export(tool, log_group, "2024-10-01", "2024-10-02", prefix, more).await
}

/// What the objects of a folder hold.
async fn text(stage: &Stage, folder: &str) -> String {
    stage.stored(folder).await.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_exported_beside_the_archive() {
    let (stage, tool) = stage().await;
    let name = "/export/day";
    let events = [(FROM + DAY - 60_001, "23:58:59.999"), (FROM + DAY - 1, "23:59:59.999"), (FROM + DAY, "00:00:00.000")];
    stage.log_group(name, &events).await;
    let manifests = stage.keys("cloudwatch-logs/manifests/").await;
    for zone in ["UTC", "Asia/Tokyo"] {
        let tool = Tool::of(&stage.local).with("TZ", zone);
        let ran = first_day(&tool, name, "/adhoc//day/", &[]).await;
        assert_eq!(ran.code, 0, "{ran:#?}");
        let bucket = format!("s3://{}/", stage.stack.bucket);
        let folder = ran.stdout.trim_end().strip_prefix(&bucket).unwrap_or_else(|| panic!("{ran:#?}"));
        let task = folder.strip_prefix("adhoc/day/").and_then(|rest| rest.strip_suffix('/')).expect("the task's folder");
        assert!(ran.stderr.starts_with(&format!("Created export task {task}\n")), "{ran:#?}");
        assert!(ran.stderr.contains(&format!("\nTask {task} is COMPLETED and wrote 1 object of ")), "{ran:#?}");
        assert_eq!(text(&stage, folder).await, "2024-10-01T14:58:59.999Z 23:58:59.999\n2024-10-01T14:59:59.999Z 23:59:59.999\n");
    }
    let ran = export(&tool, name, "2024-10-02", "2024-10-03", "adhoc/day", &["--output", "json"]).await;
    let row = ran.json();
    let (task, folder) = (row["taskId"].as_str().expect("an id"), row["folder"].as_str().expect("a folder"));
    let expected = json!({
        "logGroup": name, "fromUtc": "2024-10-01T15:00:00.000Z", "toUtc": "2024-10-02T14:59:59.999Z", "taskId": task, "status": "COMPLETED",
        "message": row["message"], "bucket": stage.stack.bucket, "folder": format!("adhoc/day/{task}/"), "objects": 1, "bytes": row["bytes"],
    });
    assert_eq!(row, expected);
    assert_eq!(text(&stage, folder).await, "2024-10-01T15:00:00.000Z 00:00:00.000\n");
    assert_eq!(stage.keys("cloudwatch-logs/manifests/").await, manifests);
    // A run takes none of these tasks for its own.
    assert_eq!(stage.created(name).await.len(), 3);
    stage.run_exports(&[name]).await;
    assert_eq!(stage.created(name).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_writes_nothing_says_so() {
    let (stage, tool) = stage().await;
    stage.hello("/export/nothing").await;
    let ran = export(&tool, "/export/nothing", "2024-10-03", "2024-10-04", "adhoc", &["--output", "jsonl"]).await;
    let row = ran.json();
    assert_eq!((ran.code, &row["status"], &row["objects"], &row["bytes"]), (0, &json!("COMPLETED"), &json!(0), &json!(0)), "{ran:#?}");
    assert!(ran.stderr.contains("is COMPLETED and wrote nothing: no event of that time was exportable."), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_tells_why() {
    let (stage, tool) = stage().await;
    let name = "/export/fails";
    stage.hello(name).await;
    stage.fault(json!({"logGroupName": name, "status": "FAILED", "message": "the key is disabled", "times": 1})).await;
    let ran = first_day(&tool, name, "adhoc", &["--output", "json"]).await;
    let row = ran.json();
    assert_eq!((ran.code, &row["status"], &row["message"]), (1, &json!("FAILED"), &json!("the key is disabled")), "{ran:#?}");
    assert!(ran.stderr.contains(" is FAILED: the key is disabled. It wrote nothing. Mend the cause"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_slot_is_left_to_who_holds_it() {
    let (stage, tool) = stage().await;
    let name = "/export/waits";
    stage.hello(name).await;
    stage.hold_tasks().await;
    let theirs = stage.foreign_task(name).await;
    let ran = first_day(&tool, name, "adhoc", &[]).await;
    let says = format!("Nothing was exported: the export slot is held by task {theirs} of log group {name}, another tool's, PENDING for ");
    assert!(ran.code == 1 && ran.stdout.is_empty() && ran.stderr.starts_with(&says), "{ran:#?}");
    assert!(ran.stderr.ends_with("s. Repeat the command when the slot is free; `logs-archive plan` shows that.\n"), "{ran:#?}");
    assert_eq!(stage.created(name).await, [theirs]);
    stage.let_tasks_go().await;

    // Somebody else was quicker.
    stage.fault(json!({"operation": "CreateExportTask", "error": "LimitExceededException", "message": "Resource limit exceeded."})).await;
    let ran = first_day(&tool, name, "adhoc", &[]).await;
    let says = "Nothing was exported: the export slot was held by a task that has ended since. Repeat the command";
    assert!(ran.code == 1 && ran.stderr.starts_with(says), "{ran:#?}");
    stage.assert_no_faults_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_following_and_not_the_task() {
    let (stage, tool) = stage().await;
    let name = "/export/followed";
    stage.hello(name).await;
    stage.hold_tasks().await;
    let arguments = ["export", name, "--since", "2024-10-01", "--until", "2024-10-02", "--prefix", "adhoc"];
    let mut export = tool.command(&arguments).spawn().expect("the tool starts");
    let (line, mut stderr) = wait_for_line(&mut export, "PENDING").await;
    let task = stage.created(name).await.pop().expect("a task");
    assert!(line.ends_with(&format!("Z {name} PENDING, task {task}\n")), "{line}");
    kill(Pid::from_raw(export.id().expect("it runs") as i32), Signal::SIGINT).expect("the signal is sent");
    let mut said = String::new();
    stderr.read_to_string(&mut said).await.expect("UTF-8");
    let cancel = format!("aws logs cancel-export-task --task-id {task} --region ap-northeast-1");
    let expected = format!("Stopped following; task {task} goes on. Cancel it: {cancel}\n");
    assert_eq!((export.wait().await.expect("it ends").code(), said), (Some(130), expected));
    assert_eq!(stage.statuses(name).await, ["PENDING"]);
    stage.let_tasks_go().await;
}

/// CreateExportTask creates, and the answer is lost: the task is found by its name, and none is created twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_exports_once() {
    let (stage, tool) = stage().await;
    let name = "/export/lost-answer";
    stage.hello(name).await;
    stage.hold_tasks().await;
    stage.fault(json!({"operation": "CreateExportTask", "dropResponse": true, "times": 1})).await;
    let arguments = ["export", name, "--since", "2024-10-01", "--until", "2024-10-02", "--prefix", "adhoc"];
    let mut export = tool.command(&arguments).spawn().expect("the tool starts");
    wait_for_line(&mut export, "PENDING").await;
    stage.let_tasks_go().await;
    assert_eq!(export.wait().await.expect("it ends").code(), Some(0));
    assert_eq!(stage.created(name).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_is_refused_before_anything_is_created() {
    let (stage, tool) = stage().await;
    let name = "/export/refused";
    stage.hello(name).await;
    stage.hello("/export/infrequent").await;
    stage.overlay("/export/infrequent", |overlay| overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    let own = "where the archive's own objects lie or can lie (cloudwatch-logs): give another folder, such as adhoc/web";
    for (log_group, since, until, prefix, says) in [
        (name, "2024-10-01", "2024-10-02", "cloudwatch-logs", own),
        (name, "2024-10-01", "2024-10-02", "/cloudwatch-logs/manifests/", own),
        (name, "2024-10-01", "2024-10-02", "/", "give a folder for the export, such as adhoc/web"),
        (name, "1504000000", "2024-10-02", "adhoc", "write 2017-08-29T09:46:40.000Z"),
        (name, "11/08/2017", "2024-10-02", "adhoc", "--since \"11/08/2017\" is no time"),
        (name, "2222-01-01", "2222-01-02", "adhoc", "in the future"),
        (name, "2024-10-02", "2024-10-02", "adhoc", "--since must be before --until"),
        ("/export/not-there", "2024-10-01", "2024-10-02", "adhoc", "log group /export/not-there does not exist"),
        ("/export/infrequent", "2024-10-01", "2024-10-02", "adhoc", "is not of the class Standard"),
    ] {
        let ran = export(&tool, log_group, since, until, prefix, &[]).await;
        assert!(ran.code == 2 && ran.stdout.is_empty() && ran.stderr.contains(says), "{since} {prefix}: {ran:#?}");
    }
    assert!(stage.created(name).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_missing_is_told() {
    let (stage, tool) = stage().await;
    let name = "/export/recent";
    stage.hello(name).await;
    stage.overlay(name, |overlay| overlay.retention_in_days = Some(7)).await;
    let ran = export(&tool, name, "30d", "30s", "adhoc", &[]).await;
    assert_eq!(ran.code, 0, "{ran:#?}");
    for says in ["warning: retention has deleted events before ", "warning: an event can take 12 hours to become exportable"] {
        assert!(ran.stderr.contains(says), "{ran:#?}");
    }
    let journal: Vec<Value> = stage.create_calls(name).await;
    let request = &journal.last().expect("a call")["request"];
    assert!(request["taskName"].as_str().is_some_and(|name| name.starts_with("by-hand-")), "{request}");
}
