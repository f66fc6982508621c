//! The function as the state machine calls it: the real SDK clients with an AWS in memory.

mod books;
mod ends;
mod news;
mod records;

use archive::{Archive, WorkFolder};
use export_core::{
    ExecutionArn, ExportError,
    contract::plan::{DecidedWindow, Next, Run},
    decide::LogGroup,
    missing::Memory,
    planner::{Group, Progress},
    target::Target,
};
use fake_aws::{Aws, EXECUTION, FROM, NOW, TO, merged, october, open_path_of, open_window, stack};
use function_runtime::Invocation;
use report_archive::{ReportArchive, Topic};
use serde_json::{Value, from_value, json};

const REPORT: &str = "logs/runs/year=2026/month=10/2026-11-01T04-00-05.000Z-run-1.json";

/// The run's list.
const LIST: [&str; 5] = ["/a", "/b", "/c", "/ecs/web", "/idle"];

fn archive(aws: &Aws) -> Archive {
    let config = aws.config();
    Archive::new(stack(), &config)
}

fn source(log_group: &str) -> Value {
    json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": log_group})
}

/// A log group's outcome for October.
fn decided(log_group: &str, settled: Value) -> Value {
    merged(json!({"source": source(log_group), "month": "2026-10", "window": {"from": FROM, "to": TO}}), settled)
}

fn exported() -> Value {
    decided("/ecs/web", json!({"became": "exported", "task_id": "task-1", "objects": 2, "bytes": 5, "seconds": 2.25}))
}

fn skipped(reason: &str) -> Value {
    decided("/idle", json!({"became": "skipped", "reason": reason}))
}

fn lost(log_group: &str, reason: &str) -> Value {
    decided(log_group, json!({"became": "lost", "reason": reason}))
}

fn failed(log_group: &str, error: &str) -> Value {
    decided(log_group, json!({"became": "failed", "failure": {"error": error, "message": "in AWS's words."}, "tried": true}))
}

fn waiting(log_group: &str) -> Value {
    decided(log_group, json!({"became": "waiting"}))
}

fn warned(message: &str) -> Value {
    decided("/c", json!({"became": "warned", "warning": {"name": "LogGroupNotFound", "message": message}}))
}

fn put_open(aws: &Aws, target: &Target, changes: Value) {
    aws.state().put(&open_path_of(target), &open_window(target, changes));
}

/// Writes what a run of October left in the work bucket, and returns its state. `changes` apply to the run.
async fn left_by(aws: &Aws, decided: Value, progress: Value, changes: Value) -> Value {
    let archive = archive(aws);
    let execution = ExecutionArn::parse(EXECUTION).unwrap();
    let work = WorkFolder::new(&archive, "work", &execution);
    let look = json!({"month": "2026-10", "window": {"from": FROM, "to": TO}, "after_first_covered": false});
    let run = json!({"execution": EXECUTION, "start_time": NOW, "scheduled_time": "2026-11-01T04:00:00Z", "due_month": "2026-10",
        "timezone": "Asia/Tokyo", "looks": [look], "force": false, "compact": false, "warnings": []});
    let run: Run = from_value(merged(run, changes)).unwrap();
    let present =
        LogGroup::Present { created: None, retention_in_days: None, retention_policy: None, is_exportable: true, stored_bytes: None };
    let group = |name: &str| Group { source: from_value(source(name)).unwrap(), place: october(name).place, log_group: present.clone() };
    let ((open, unreadable), last) =
        (archive.open_windows().await.unwrap(), archive.last_runs(october("/a").month, october("/a").window).await.unwrap());
    let memory = Memory { open, unreadable, found: last.found };
    work.record_run(run, LIST.map(group).to_vec(), memory).await.unwrap();
    let nothing = json!({"look": 1, "group": 0, "older": 0, "compared_everything": true, "planned": [], "exporting": false, "idle_rounds": 0,
        "archived": {"2026-10": 3}, "due_month_seconds": 5400.0, "warnings": []});
    let progress: Progress = from_value(merged(nothing, progress)).unwrap();
    let decided: Vec<DecidedWindow> = from_value(decided).unwrap();
    let compact = vec!["2026-09".parse().unwrap(), "2026-10".parse().unwrap()];
    let plan = work.write_step(1, Next::Report, compact, &[], &decided, &progress).await.unwrap();
    aws.forget_calls();
    json!({"plan": plan})
}

async fn left(aws: &Aws, decided: Value, progress: Value) -> Value {
    left_by(aws, decided, progress, json!({})).await
}

fn by_hand() -> Value {
    json!({"scheduled_time": null})
}

async fn handle(aws: &Aws, state: Value) -> Result<Value, ExportError> {
    handle_in(&mut invocation(), aws, state).await
}

async fn handle_in(invocation: &mut Invocation, aws: &Aws, state: Value) -> Result<Value, ExportError> {
    let event = json!({"execution": EXECUTION, "startTime": NOW, "state": state});
    handle_event(invocation, aws, event).await
}

async fn handle_event(invocation: &mut Invocation, aws: &Aws, event: Value) -> Result<Value, ExportError> {
    let topic = Topic::new(&aws.config(), "arn:aws:sns:topic".to_owned(), "archive".to_owned());
    ReportArchive::with(archive(aws), "work".to_owned(), topic).handle(event, invocation).await
}

fn invocation() -> Invocation {
    Invocation::new("request-1", NOW.parse().unwrap())
}

fn caught(error: &str) -> Value {
    json!({"Error": error, "Cause": json!({"errorType": error, "errorMessage": "in a function's words"}).to_string()})
}

fn report(aws: &Aws) -> Value {
    aws.get(&format!("archive/{REPORT}")).unwrap()
}

/// The report of the scheduled run of the day before: the same, with changes.
fn put_last_report(aws: &Aws, changes: Value) {
    let last = merged(report(aws), json!({"execution": "run-0", "scheduled_time": "2026-11-01T03:00:00Z"}));
    let mut state = aws.state();
    state.objects.remove(&format!("archive/{REPORT}"));
    state.put("archive/logs/runs/year=2026/month=10/2026-10-31T04-00-05.000Z-run-0.json", &merged(last, changes));
}
