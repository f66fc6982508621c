//! A month that takes longer than CloudWatch Logs gives a task is exported in parts.

use e2e::{DAY, FROM, MONTH, S3_PREFIX, Stage, TO, assert_counts, place};
use local_aws::Execution;
use serde_json::{Value, json};

use super::{
    Bounds, archived_bounds, counted, cut_open_window, ended_in, events_at_ends, load, names, open_bounds, parts, requests, scheduled,
    tasks,
};
use crate::missing::{deny, ended, input, since};

const OCTOBER: Bounds = (FROM, TO);
const NOVEMBER: Bounds = (TO + 1, TO + 30 * DAY);
const SEPTEMBER: Bounds = (FROM - 30 * DAY, FROM - 1);
const HOUR: i64 = 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_times_out_is_exported_in_halves_and_the_next_starts_in_parts() {
    let stage = Stage::take().await;
    let log_group = "/parts/slow";
    let log_groups = json!([log_group]);
    let (october, november) = (parts(OCTOBER, 2), parts(NOVEMBER, 2));
    let events = events_at_ends(&[&october[..], &november].concat());
    load(&stage, log_group, &events).await;
    // October takes 31 hours, its halves 15.5 each, and the halves of November 15.
    stage.hours_per_day(1.0).await;
    let run = run_past_its_time(&stage, &input("2024-11-01", &log_groups), log_group).await;
    assert_eq!(
        counted(ended(&stage, run).await),
        [
            "FAILED ArchiveIncomplete",
            "/parts/slow 2024-10 failed ExportTaskTimedOut x2",
            "open /parts/slow 2024-10 failed ExportTaskTimedOut, tries 1 x2",
        ]
    );
    assert_eq!(open_bounds(&stage).await, october);
    let since_then = since(&stage).await;
    assert_eq!(tasks(&stage, log_group).await, ended_in(&[OCTOBER], "FAILED"), "once in this run");
    // What it left is no part of the archive.
    assert_eq!((stage.data_keys(log_group).await.len(), stage.manifests(log_group).await), (1, Vec::new()));
    assert_eq!(stage.events(log_group).await, [""; 0]);

    // The next run exports the halves, and one that fails stays a half.
    deny(&stage, log_group, 1).await;
    assert_eq!(
        scheduled(&stage, "2024-11-02", &log_groups).await,
        [
            "FAILED ArchiveIncomplete",
            "/parts/slow 2024-10 exported",
            "/parts/slow 2024-10 failed AccessDenied",
            "open /parts/slow 2024-10 failed AccessDenied, tries 2",
        ]
    );
    let open = open_bounds(&stage).await;
    assert!(open.len() == 1 && october.contains(&open[0]), "{open:?}");
    assert_eq!(since_then, [since(&stage).await[0].clone(), since_then[0].clone()], "since the month was first missing");
    // The answer of the other half's creation is lost: its task is adopted.
    stage.fault(json!({"operation": "CreateExportTask", "logGroupName": log_group, "dropResponse": true})).await;
    assert_eq!(scheduled(&stage, "2024-11-03", &log_groups).await, ["SUCCEEDED", "/parts/slow 2024-10 exported"]);
    stage.assert_no_faults_left().await;
    assert_eq!(archived_bounds(&stage, log_group).await, october);
    assert_eq!(stage.created(log_group).await.len(), 3);
    let (of_october, _) = events.split_at(4);
    assert_eq!(stage.events(log_group).await, names(of_october));
    assert_eq!(scheduled(&stage, "2024-11-04", &log_groups).await, ["SUCCEEDED"]);

    assert_eq!(counted(scheduled(&stage, "2024-12-01", &log_groups).await), ["SUCCEEDED", "/parts/slow 2024-11 exported x2"]);
    assert_eq!(archived_bounds(&stage, log_group).await, [&october[..], &november].concat());
    let mut found = tasks(&stage, log_group).await.split_off(3);
    found.sort();
    assert_eq!(found, ended_in(&november, "COMPLETED"));
    assert_eq!(stage.events(log_group).await, names(&events));
    for (_, manifest) in stage.manifests(log_group).await {
        let hours = if manifest["window_from"].as_i64() < Some(TO) { 15 * HOUR + HOUR / 2 } else { 15 * HOUR };
        assert_eq!(took(&manifest), hours, "{manifest}");
        let month = if manifest["window_from"].as_i64() < Some(TO) { MONTH } else { "2024-11" };
        let prefix = place(S3_PREFIX, log_group).replace("month=10", &month.replace("2024-", "month="));
        assert_eq!(manifest["destination_prefix"], json!(prefix));
    }

    // By hand, and again: parts keep their bounds.
    let mut input = stage.input(log_groups.clone());
    assert_counts(&stage.run_well(&input).await, json!({"alreadyArchived": 1}));
    input["force"] = json!(true);
    assert_counts(&stage.run_well(&input).await, json!({"exported": 2}));
    let mut found = tasks(&stage, log_group).await.split_off(5);
    found.sort();
    assert_eq!(found, ended_in(&october, "COMPLETED"));
    let created = stage.created(log_group).await;
    let mut tasks_named: Vec<_> = stage.manifests(log_group).await.iter().map(|(_, manifest)| manifest["task_id"].clone()).collect();
    let mut newest = json!(created[3..]).as_array().expect("a list").clone();
    tasks_named.sort_by_key(Value::to_string);
    newest.sort_by_key(Value::to_string);
    assert_eq!(tasks_named, newest);
    assert_eq!(stage.events(log_group).await, names(&events));

    // What is damaged is one part, and only that is exported again.
    let (_, manifest) =
        stage.manifests(log_group).await.into_iter().min_by_key(|(_, manifest)| manifest["window_from"].as_i64()).expect("one");
    let folder = format!("/{}/", manifest["task_id"].as_str().expect("a task"));
    let keys = stage.data_keys(log_group).await.into_iter().filter(|key| key.contains(&folder)).collect::<Vec<_>>();
    stage.delete(&keys).await;
    assert_eq!(stage.run_well(&stage.input(log_groups)).await["exported"], 1);
    assert_eq!(tasks(&stage, log_group).await.split_off(7), ended_in(&october[..1], "COMPLETED"));
    assert_eq!(stage.events(log_group).await, names(&events));
}

/// A run whose time is over when its first task ends, as it is after a task of 20 hours.
async fn run_past_its_time(stage: &Stage, input: &Value, log_group: &str) -> Execution {
    let tasks = stage.created(log_group).await.len();
    stage.hold_tasks().await;
    let arn = stage.start_input(input).await;
    stage.wait_for_task(log_group, tasks + 1).await;
    stage.limit_time(Some("0")).await;
    stage.let_tasks_go().await;
    let run = stage.wait(&arn).await;
    stage.limit_time(None).await;
    run
}

fn took(manifest: &Value) -> i64 {
    let at = |field: &str| chrono::DateTime::parse_from_rfc3339(manifest[field].as_str().expect("an instant")).expect("an instant");
    (at("completed") - at("created")).num_milliseconds()
}

#[tokio::test(flavor = "multi_thread")]
async fn halves_that_time_out_are_halved_again() {
    let stage = Stage::take().await;
    let log_group = "/parts/slower";
    let log_groups = json!([log_group]);
    let quarters = parts(OCTOBER, 4);
    let events = events_at_ends(&quarters);
    load(&stage, log_group, &events).await;
    // October takes 62 hours, its halves 31, and its quarters 15.5.
    stage.hours_per_day(2.0).await;
    // Where the run has time for it, in the next round.
    assert_eq!(counted(scheduled(&stage, "2024-11-01", &log_groups).await), ["SUCCEEDED", "/parts/slower 2024-10 exported x4"]);
    assert_eq!(archived_bounds(&stage, log_group).await, quarters);
    let mut expected = [ended_in(&[OCTOBER], "FAILED"), ended_in(&parts(OCTOBER, 2), "FAILED"), ended_in(&quarters, "COMPLETED")].concat();
    let mut found = tasks(&stage, log_group).await;
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(stage.events(log_group).await, names(&events));
}

/// The days of September are archived one by one, as runs leave a month that was halved down to days.
#[tokio::test(flavor = "multi_thread")]
async fn of_31_parts_the_one_that_failed_is_exported_by_the_next_run() {
    let stage = Stage::take().await;
    let log_group = "/parts/days";
    let log_groups = json!([log_group]);
    let (september, october) = (parts(SEPTEMBER, 30), parts(OCTOBER, 31));
    let events = events_at_ends(&[&september[..], &october].concat());
    load(&stage, log_group, &events).await;
    deny(&stage, log_group, 1).await;
    scheduled(&stage, "2024-10-01", &log_groups).await;
    cut_open_window(&stage, &september).await;
    // A day takes 16 hours.
    stage.hours_per_day(16.0).await;
    let lines = counted(scheduled(&stage, "2024-10-02", &log_groups).await);
    assert_eq!(lines[..2], ["SUCCEEDED", "/parts/days 2024-09 exported x30"], "{lines:?}");
    assert_eq!(archived_bounds(&stage, log_group).await, september);

    deny(&stage, log_group, 1).await;
    let lines = counted(scheduled(&stage, "2024-11-01", &log_groups).await);
    let expected = [
        "FAILED ArchiveIncomplete",
        "/parts/days 2024-10 exported x30",
        "/parts/days 2024-10 failed AccessDenied",
        "open /parts/days 2024-10 failed AccessDenied, tries 1",
    ];
    assert_eq!(lines.into_iter().filter(|line| !line.starts_with("warning Slot")).collect::<Vec<_>>(), expected);
    let open = open_bounds(&stage).await;
    let archived: Vec<Bounds> = october.iter().copied().filter(|part| *part != open[0]).collect();
    assert_eq!(archived_bounds(&stage, log_group).await, [&september[..], &archived].concat());
    assert_eq!(requests(&stage, log_group).await, 1 + 30 + 31);

    let lines = scheduled(&stage, "2024-11-02", &log_groups).await;
    assert_eq!(lines[..2], ["SUCCEEDED", "/parts/days 2024-10 exported"], "{lines:?}");
    assert_eq!(tasks(&stage, log_group).await.split_off(60), ended_in(&open, "COMPLETED"));
    assert_eq!(archived_bounds(&stage, log_group).await, [&september[..], &october].concat());
    assert_eq!(requests(&stage, log_group).await, 1 + 30 + 31 + 1);
    assert_eq!(stage.events(log_group).await, names(&events));
}
