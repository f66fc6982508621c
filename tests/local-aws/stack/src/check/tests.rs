//! The check goes red on each kind of damage, and only on the check that it belongs to.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::*;
use crate::archive::record;
use crate::samples::{Event, LogStream};

const EVENTS: usize = 0;
const STRAYS: usize = 1;
const TASKS: usize = 2;
const MANIFESTS: usize = 3;
const ROWS: usize = 4;
const ANSWERS: usize = 5;
const OUTPUT: usize = 6;

const PREFIX: &str = "logs/log_group=/app/one/year=2026/month=10";

fn samples() -> SampleLogs {
    let month: crate::calendar::Month = "2026-10".parse().unwrap();
    let window = month.window().unwrap();
    let event = |timestamp: i64, message: &str| Event { timestamp, message: message.to_owned() };
    let stream = |name: &str, events: Vec<Event>| LogStream { name: name.to_owned(), events };
    let groups = vec![
        LogGroup {
            name: "/app/one".to_owned(),
            created: 0,
            streams: vec![
                stream(
                    "web/a",
                    vec![
                        event(window.from - 1, "before"),
                        event(window.from, "first"),
                        event(window.from + 5, "twice"),
                        event(window.from + 5, "twice"),
                        event(window.from + 6, "many\nlines\n"),
                        event(window.to, "last"),
                        event(window.to + 1, "after"),
                    ],
                ),
                stream("web-b", vec![event(window.from, "another stream")]),
            ],
        },
        LogGroup { name: "/app/empty".to_owned(), created: 0, streams: vec![] },
    ];
    SampleLogs { month, window, groups }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// What a faithful run leaves behind.
fn evidence() -> Evidence {
    let samples = samples();
    let mut objects = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for stream in &samples.groups[0].streams {
        let text: Vec<u8> = stream
            .events
            .iter()
            .filter(|event| samples.window.contains(event.timestamp))
            .flat_map(|event| record(event).unwrap())
            .collect();
        let body = gzip(&text);
        count += 1;
        bytes += body.len();
        objects.push(StoredObject { key: format!("{PREFIX}/task-1/{}/000000.gz", stream.name.replace('/', "-")), body });
    }
    let manifest = json!({
        "schemaVersion": 1, "logGroupName": "/app/one", "month": "2026-10", "timezone": "Asia/Tokyo", "from": samples.window.from,
        "to": samples.window.to, "taskId": "task-1", "objects": count, "bytes": bytes, "warnings": [],
    });
    objects.push(StoredObject { key: format!("{PREFIX}/_manifest.json"), body: manifest.to_string().into_bytes() });
    objects.push(row_of(&manifest, PREFIX));
    objects.push(StoredObject { key: format!("{PREFIX}/aws-logs-write-test"), body: b"Permission Check Successful".to_vec() });
    let task = ExportTask {
        task_id: "task-1".to_owned(),
        log_group_name: "/app/one".to_owned(),
        status: "COMPLETED".to_owned(),
        from: samples.window.from,
        to: samples.window.to,
        destination: "bucket".to_owned(),
        destination_prefix: PREFIX.to_owned(),
    };
    let output = json!({
        "status": "SUCCEEDED", "month": "2026-10", "timezone": "Asia/Tokyo", "window": { "from": samples.window.from, "to": samples.window.to },
        "s3BucketName": "bucket", "counts": { "exported": 1, "empty": 0, "skipped": 2, "failed": 0 }, "objects": count, "bytes": bytes,
        "failures": [], "warnings": [],
        "skips": [
            { "logGroupName": "/app/empty", "reason": "NoEventsInMonth" },
            { "logGroupName": "/app/retired", "reason": "LogGroupNotFound" },
        ],
    });
    Evidence { bucket: "bucket".to_owned(), objects, tasks: vec![task], answers: [("/app/one".to_owned(), 6)].into(), output }
}

/// The row of the table `manifests` for a manifest.
fn row_of(manifest: &Value, destination_prefix: &str) -> StoredObject {
    let row = json!({
        "schema_version": manifest["schemaVersion"], "log_group": manifest["logGroupName"], "timezone": manifest["timezone"],
        "window_from": manifest["from"], "window_to": manifest["to"], "task_id": manifest["taskId"], "bucket": "bucket",
        "destination_prefix": destination_prefix, "objects": manifest["objects"], "hidden_objects": 0, "bytes": manifest["bytes"], "warnings": [],
    });
    let key = format!("logs/manifests/year=2026/month=10/{}.json", manifest["taskId"].as_str().unwrap());
    StoredObject { key, body: row.to_string().into_bytes() }
}

/// The problems by check, after `damage`.
fn problems(damage: impl FnOnce(&mut Evidence)) -> Vec<Vec<String>> {
    let mut evidence = evidence();
    damage(&mut evidence);
    let report = check(&samples(), "logs", &evidence).unwrap();
    assert_eq!(report.held(), report.checks.iter().all(|check| check.problems.is_empty()));
    report.checks.into_iter().map(|check| check.problems).collect()
}

/// Asserts that only this check went red, with one problem, and returns it.
fn only_problem(red: usize, damage: impl FnOnce(&mut Evidence)) -> String {
    let mut problems = problems(damage);
    let problem = problems[red].pop().unwrap_or_default();
    assert!(problems.iter().all(Vec::is_empty), "{problem:?} and also {problems:?}");
    problem
}

fn rewrite(evidence: &mut Evidence, change: impl FnOnce(String) -> String) {
    let text = String::from_utf8(evidence.objects[0].gunzip().unwrap()).unwrap();
    let changed = change(text.clone());
    assert_ne!(text, changed, "the damage did nothing");
    evidence.objects[0].body = gzip(changed.as_bytes());
    keep_accounts_in_step(evidence);
}

/// Manifest and output count what is there, so that the contents alone must give a damage away.
fn keep_accounts_in_step(evidence: &mut Evidence) {
    let data: Vec<&StoredObject> = evidence.objects.iter().filter(|object| object.key.ends_with(".gz")).collect();
    let (objects, bytes) = (data.len(), data.iter().map(|object| object.body.len()).sum::<usize>());
    let events = data.iter().map(|object| crate::archive::records(&object.gunzip().unwrap()).len()).sum();
    evidence.answers = [("/app/one".to_owned(), events)].into();
    edit_manifest(evidence, |manifest| {
        manifest["objects"] = json!(objects);
        manifest["bytes"] = json!(bytes);
    });
    evidence.output["objects"] = json!(objects);
    evidence.output["bytes"] = json!(bytes);
}

/// Of the manifest and of its row.
fn edit_manifest(evidence: &mut Evidence, change: impl FnOnce(&mut Value)) {
    let manifest = evidence.objects.iter_mut().find(|object| object.key.ends_with("_manifest.json")).unwrap();
    let mut value: Value = serde_json::from_slice(&manifest.body).unwrap();
    change(&mut value);
    manifest.body = value.to_string().into_bytes();
    evidence.objects.iter_mut().find(|object| object.key.contains("/manifests/")).unwrap().body = row_of(&value, PREFIX).body;
}

#[test]
fn a_faithful_archive_passes() {
    let report = check(&samples(), "logs", &evidence()).unwrap();
    assert!(report.held(), "{:?}", report.checks);
    let landed = &report.landed[0];
    assert_eq!((landed.objects, landed.events), (2, 6));
    assert_eq!(landed.uri, format!("s3://bucket/{PREFIX}/"));
    assert_eq!(report.landed.len(), 1);
    assert_eq!(report.skips[1], Skip { log_group_name: "/app/retired".to_owned(), reason: "LogGroupNotFound".to_owned() });
}

#[test]
fn records_may_come_in_any_order_and_in_several_files() {
    let all = problems(|evidence| {
        let text = evidence.objects[0].gunzip().unwrap();
        let mut records = crate::archive::records(&text);
        records.reverse();
        let (one, two) = (gzip(&records[..2].concat()), gzip(&records[2..].concat()));
        let key = format!("{PREFIX}/task-1/web-a/000001.gz");
        evidence.objects[0].body = one;
        evidence.objects.push(StoredObject { key, body: two });
        keep_accounts_in_step(evidence);
    });
    assert!(all.iter().all(Vec::is_empty), "{all:?}");
}

#[test]
fn a_lost_event_is_found() {
    let problem = only_problem(EVENTS, |evidence| rewrite(evidence, |text| text.replace("2026-09-30T15:00:00.000Z first\n", "")));
    assert_eq!(
        problem,
        r#"/app/one, log stream folder "web-a": 1 records missing, such as "2026-09-30T15:00:00.000Z first\n"; expected 160 bytes, found 129"#
    );
}

#[test]
fn a_lost_twin_is_found() {
    let problem = only_problem(EVENTS, |evidence| rewrite(evidence, |text| text.replacen("2026-09-30T15:00:00.005Z twice\n", "", 1)));
    assert!(problem.contains(r#"1 records missing, such as "2026-09-30T15:00:00.005Z twice\n";"#), "{problem}");
}

#[test]
fn a_lost_stream_is_found() {
    let problem = only_problem(EVENTS, |evidence| {
        evidence.objects.remove(1);
        keep_accounts_in_step(evidence);
    });
    assert!(problem.starts_with(r#"/app/one, log stream folder "web-b": 1 records missing"#), "{problem}");
}

#[test]
fn a_duplicated_event_is_found() {
    let problem = only_problem(EVENTS, |evidence| rewrite(evidence, |text| format!("{text}2026-09-30T15:00:00.000Z first\n")));
    assert!(problem.contains(r#"1 records too many, such as "2026-09-30T15:00:00.000Z first\n""#), "{problem}");
}

#[test]
fn a_month_exported_twice_is_found() {
    let all = problems(|evidence| {
        let copies: Vec<StoredObject> = evidence.objects[..2]
            .iter()
            .map(|object| StoredObject { key: object.key.replace("task-1", "task-2"), body: object.body.clone() })
            .collect();
        evidence.objects.extend(copies);
        evidence.tasks.push(ExportTask { task_id: "task-2".to_owned(), ..evidence.tasks[0].clone() });
    });
    assert!(all[EVENTS][0].contains("5 records too many") || all[EVENTS][0].contains("1 records too many"), "{all:?}");
    assert_eq!(all[TASKS], ["/app/one: expected one export task, found 2"]);
}

#[test]
fn a_changed_byte_is_found() {
    for (from, to) in
        [("many\nlines\n", "many\nlinez\n"), ("Z last\n", "Z last\r\n"), ("15:00:00.006Z", "15:00:00.007Z"), ("lines\n\n", "lines\n")]
    {
        let problem = only_problem(EVENTS, |evidence| rewrite(evidence, |text| text.replace(from, to)));
        assert!(problem.contains("1 records missing") && problem.contains("1 records too many"), "{problem}");
    }
}

#[test]
fn an_event_of_another_month_is_found() {
    for record in ["2026-09-30T14:59:59.999Z before\n", "2026-10-31T15:00:00.000Z after\n"] {
        let problem = only_problem(EVENTS, |evidence| rewrite(evidence, |text| format!("{text}{record}")));
        assert!(problem.contains(&format!("1 records too many, such as {record:?}")), "{problem}");
    }
}

#[test]
fn an_event_in_the_wrong_stream_is_found() {
    let all = problems(|evidence| {
        evidence.objects[1].key = evidence.objects[1].key.replace("web-b", "web-c");
    });
    assert_eq!(all[EVENTS].len(), 2, "{all:?}");
}

#[test]
fn an_object_that_is_no_gzip_is_found() {
    let all = problems(|evidence| evidence.objects[1].body = b"plain".to_vec());
    assert!(all[EVENTS][0].contains("is not a gzip file"), "{all:?}");
}

#[test]
fn a_stray_object_is_found() {
    for key in [
        "aws-logs-write-test".to_owned(),
        format!("{PREFIX}/task-9/web-a/000000.gz"),
        format!("{PREFIX}/task-1/web-a/000000"),
        format!("{PREFIX}/task-1/web-a/0000000.gz"),
        format!("{PREFIX}/task-1/web/a/000000.gz"),
        format!("{PREFIX}/task-1/000000.gz"),
        format!("{PREFIX}-old/_manifest.json"),
        "logs/log_group=/app/empty/year=2026/month=10/_manifest.json".to_owned(),
    ] {
        let all = problems(|evidence| evidence.objects.push(StoredObject { key: key.clone(), body: b"x".to_vec() }));
        assert_eq!(all[STRAYS], [format!("s3://bucket/{key}: expected nothing here, found 1 bytes")]);
    }
}

#[test]
fn a_task_of_another_window_place_or_end_is_found() {
    let window = samples().window;
    let problem = only_problem(TASKS, |evidence| evidence.tasks[0].to += 1);
    assert_eq!(problem, format!("/app/one, task task-1: to: expected {}, found {}", window.to, window.to + 1));
    let problem = only_problem(TASKS, |evidence| evidence.tasks[0].status = "FAILED".to_owned());
    assert_eq!(problem, r#"/app/one, task task-1: status: expected "COMPLETED", found "FAILED""#);
    let problem = only_problem(TASKS, |evidence| evidence.tasks[0].destination_prefix = "elsewhere".to_owned());
    assert_eq!(problem, format!(r#"/app/one, task task-1: destinationPrefix: expected "{PREFIX}", found "elsewhere""#));
}

#[test]
fn a_task_that_nobody_asked_for_is_found() {
    let problem = only_problem(TASKS, |evidence| {
        evidence.tasks.push(ExportTask {
            log_group_name: "/app/other".to_owned(),
            task_id: "task-3".to_owned(),
            ..evidence.tasks[0].clone()
        });
    });
    assert_eq!(problem, "/app/other: expected no export task, found task-3");
}

#[test]
fn a_manifest_that_disagrees_is_found() {
    for (field, wrong) in
        [("objects", json!(3)), ("bytes", json!(1)), ("taskId", json!("task-2")), ("to", json!(0)), ("month", json!(null))]
    {
        let problem = only_problem(MANIFESTS, |evidence| edit_manifest(evidence, |manifest| manifest[field] = wrong.clone()));
        assert!(problem.starts_with(&format!("/app/one, manifest: {field}: expected")), "{problem}");
        assert!(problem.ends_with(&format!("found {wrong}")), "{problem}");
    }
}

#[test]
fn a_missing_manifest_is_found() {
    let problem = only_problem(MANIFESTS, |evidence| drop(evidence.objects.drain(2..4)));
    assert_eq!(problem, "/app/one: expected a manifest beside each exported month, found none");
}

#[test]
fn a_row_that_disagrees_is_missing_or_is_too_many_is_found() {
    let problem = only_problem(ROWS, |evidence| drop(evidence.objects.remove(3)));
    assert!(problem.starts_with("/app/one: expected one row {"), "{problem}");
    let all = problems(|evidence| {
        evidence.objects[3].body = String::from_utf8_lossy(&evidence.objects[3].body).replace("task-1", "task-2").into_bytes()
    });
    assert!(all[ROWS].len() == 2 && all[ROWS][1].starts_with("expected no other row, found {"), "{all:?}");
    let problem = only_problem(ROWS, |evidence| {
        let key = "logs/manifests/year=2026/month=10/other.json".to_owned();
        evidence.objects.push(StoredObject { key, body: b"x".to_vec() });
    });
    assert_eq!(problem, "expected no other row, found null");
}

#[test]
fn an_answer_that_disagrees_is_found() {
    let problem = only_problem(ANSWERS, |evidence| evidence.answers = [("/app/one".to_owned(), 5)].into());
    assert_eq!(problem, "/app/one: expected 6, found 5");
    let problem = only_problem(ANSWERS, |evidence| evidence.answers.clear());
    assert_eq!(problem, "/app/one: expected 6, found none");
    let problem = only_problem(ANSWERS, |evidence| evidence.answers.extend([("/app/empty".to_owned(), 1)]));
    assert_eq!(problem, "/app/empty: expected none, found 1");
}

#[test]
fn an_output_that_disagrees_is_found() {
    let problem = only_problem(OUTPUT, |evidence| evidence.output["counts"]["exported"] = json!(2));
    // In the order of serde_json's map, which other crates' features decide.
    let counts = |exported: u8| json!({ "exported": exported, "empty": 0, "skipped": 2, "failed": 0 });
    assert_eq!(problem, format!("output: counts: expected {}, found {}", counts(1), counts(2)));
    let problem = only_problem(OUTPUT, |evidence| evidence.output["month"] = json!("2026-09"));
    assert_eq!(problem, r#"output: month: expected "2026-10", found "2026-09""#);
}

#[test]
fn a_log_group_that_was_passed_over_in_silence_is_found() {
    let problem = only_problem(OUTPUT, |evidence| drop(evidence.output["skips"].as_array_mut().unwrap().pop()));
    assert!(problem.starts_with("output: skips: expected ["), "{problem}");
}

#[test]
fn an_empty_group_may_have_been_exported_too() {
    let all = problems(|evidence| {
        let prefix = "logs/log_group=/app/empty/year=2026/month=10";
        let manifest = json!({
            "schemaVersion": 1, "logGroupName": "/app/empty", "month": "2026-10", "timezone": "Asia/Tokyo",
            "from": samples().window.from, "to": samples().window.to, "taskId": "task-2", "objects": 0, "bytes": 0, "warnings": [],
        });
        evidence.objects.push(row_of(&manifest, prefix));
        evidence.objects.push(StoredObject { key: format!("{prefix}/_manifest.json"), body: manifest.to_string().into_bytes() });
        evidence.tasks.push(ExportTask {
            task_id: "task-2".to_owned(),
            log_group_name: "/app/empty".to_owned(),
            destination_prefix: prefix.to_owned(),
            ..evidence.tasks[0].clone()
        });
        evidence.output["counts"] = json!({ "exported": 1, "empty": 1, "skipped": 1, "failed": 0 });
        evidence.output["skips"].as_array_mut().unwrap().remove(0);
    });
    assert!(all.iter().all(Vec::is_empty), "{all:?}");
}
