//! What is archived is everything that was there: an export that is incomplete is found out, and a window too long for one task is exported
//! in parts.

mod beginnings;
mod incomplete;
mod parts;
mod short_tasks;

use e2e::{DAY, Stage};
use hyper::Method;
use serde_json::{Value, json};

use crate::missing::{requests, scheduled, text};

/// First and last millisecond.
type Bounds = (i64, i64);

/// The windows of a log group's tasks with the status of each, the oldest first.
async fn tasks(stage: &Stage, log_group: &str) -> Vec<(i64, i64, String)> {
    let tasks = stage.local.export_tasks().await.expect("the tasks can be listed");
    let mut tasks: Vec<_> = tasks.into_iter().filter(|task| task.log_group_name == log_group).collect();
    tasks.reverse();
    tasks.into_iter().map(|task| (task.from, task.to, task.status)).collect()
}

/// A number of parts of the same length.
fn parts((from, to): Bounds, count: i64) -> Vec<Bounds> {
    let length = (to + 1 - from) / count;
    assert_eq!((to + 1 - from) % count, 0, "the tests take windows that are divided without rest");
    (0..count).map(|part| (from + part * length, from + (part + 1) * length - 1)).collect()
}

/// The same windows as tasks that ended so.
fn ended_in(windows: &[Bounds], status: &str) -> Vec<(i64, i64, String)> {
    windows.iter().map(|(from, to)| (*from, *to, status.to_owned())).collect()
}

fn bounds(stated: &Value) -> Bounds {
    (stated["window_from"].as_i64().expect("a number"), stated["window_to"].as_i64().expect("a number"))
}

async fn open_bounds(stage: &Stage) -> Vec<Bounds> {
    stage.open_windows().await.iter().map(bounds).collect()
}

/// The windows of a log group's manifests, in order.
async fn archived_bounds(stage: &Stage, log_group: &str) -> Vec<Bounds> {
    let mut archived: Vec<Bounds> = stage.manifests(log_group).await.iter().map(|(_, manifest)| bounds(manifest)).collect();
    archived.sort_unstable();
    archived
}

/// Puts other windows in the place of the only open one, as runs leave them that exported a month in parts.
async fn cut_open_window(stage: &Stage, windows: &[Bounds]) {
    let keys = stage.keys(&format!("{}/missing/", e2e::S3_PREFIX)).await;
    let [key] = &keys[..] else { panic!("{keys:?}") };
    let open = stage.json(key).await;
    let (from, to) = bounds(&open);
    stage.delete(&keys).await;
    for (part_from, part_to) in windows {
        let mut part = open.clone();
        (part["window_from"], part["window_to"]) = (json!(part_from), json!(part_to));
        stage.put(&key.replace(&format!("{from}-{to}"), &format!("{part_from}-{part_to}")), part.to_string()).await;
    }
}

/// How often FilterLogEvents was called for a log group.
async fn searches(stage: &Stage, log_group: &str) -> usize {
    let journal = stage.local.call(Method::GET, "/_local/requests", None).await.expect("the journal of requests");
    let requests = journal["requests"].as_array().expect("a list");
    let of = |operation| requests.iter().filter(move |one| one["operation"] == operation && one["resource"]["logGroupName"] == log_group);
    // The oldest requests of all tests go first.
    assert_eq!(of("CreateLogGroup").count(), 1, "the journal reaches back to the beginning of {log_group}");
    of("FilterLogEvents").count()
}

/// What a run reports under a warning's name.
async fn warnings(stage: &Stage, name: &str) -> Vec<String> {
    let keys = stage.keys(&format!("{}/runs/", e2e::S3_PREFIX)).await;
    // A key begins with the month, and goes on with the time.
    let report = stage.json(keys.last().expect("a report")).await;
    let warnings = report["warnings"].as_array().expect("a list").clone();
    warnings.iter().filter(|warning| warning["name"] == name).map(|warning| text(&warning["message"]).to_owned()).collect()
}

/// The lines of [`scheduled`], and each line but once with how often it came.
fn counted(lines: Vec<String>) -> Vec<String> {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for line in lines {
        match counted.last_mut() {
            Some((last, count)) if *last == line => *count += 1,
            _ => counted.push((line, 1)),
        }
    }
    counted.into_iter().map(|(line, count)| if count == 1 { line } else { format!("{line} x{count}") }).collect()
}

/// A name for the event at the beginning and at the end of each window, and those events.
fn events_at_ends(windows: &[Bounds]) -> Vec<(i64, String)> {
    windows
        .iter()
        .flat_map(|(from, to)| [*from, *to])
        .map(|at| (at, format!("day {:05.2}", (at - e2e::FROM) as f64 / DAY as f64)))
        .collect()
}

/// A log group with these events.
async fn load(stage: &Stage, log_group: &str, events: &[(i64, String)]) {
    let events: Vec<(i64, &str)> = events.iter().map(|(at, name)| (*at, name.as_str())).collect();
    stage.log_group(log_group, &events).await;
}

fn names(events: &[(i64, String)]) -> Vec<String> {
    events.iter().map(|(_, name)| name.clone()).collect()
}
