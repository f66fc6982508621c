//! The check goes red on each kind of damage.

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

/// Changes the text of an object, unpacked where it is packed.
fn rewrite(object: &mut StoredObject, from: &str, to: &str) {
    let packed = object.key.ends_with(".gz");
    let text = String::from_utf8(if packed { object.gunzip().unwrap() } else { object.body.clone() }).unwrap();
    let changed = text.replacen(from, to, 1);
    assert_ne!(text, changed, "the damage did nothing");
    object.body = if packed { gzip(changed.as_bytes()) } else { changed.into_bytes() };
}

fn copy(object: &StoredObject, from: &str, to: &str) -> StoredObject {
    StoredObject { key: object.key.replace(from, to), body: object.body.clone() }
}

#[test]
fn a_faithful_archive_passes() {
    let report = check(&samples(), "logs", &evidence()).unwrap();
    assert!(report.held(), "{:?}", report.checks);
    let landed = &report.landed[0];
    assert_eq!((landed.objects, landed.events, report.landed.len()), (2, 6, 1));
    assert_eq!(landed.uri, format!("s3://bucket/{PREFIX}/"));
    assert_eq!(report.skips[1], Skip { log_group_name: "/app/retired".to_owned(), reason: "LogGroupNotFound".to_owned() });
}

#[test]
fn records_may_come_in_any_order_and_in_several_files() {
    let all = problems(|evidence| {
        let text = evidence.objects[0].gunzip().unwrap();
        let mut records = crate::archive::records(&text);
        records.reverse();
        evidence.objects[0].body = gzip(&records[..2].concat());
        evidence.objects.push(StoredObject { key: format!("{PREFIX}/task-1/web-a/000001.gz"), body: gzip(&records[2..].concat()) });
    });
    assert_eq!((&all[EVENTS], &all[STRAYS]), (&vec![], &vec![]));
}

#[test]
fn each_damage_is_found() {
    type Damage = fn(&mut Evidence);
    let damages: [(usize, &str, Damage); 28] = [
        (EVENTS, r#"1 records missing, such as "2026-09-30T15:00:00.000Z first\n"; expected 160 bytes, found 129"#, |evidence| {
            rewrite(&mut evidence.objects[0], "2026-09-30T15:00:00.000Z first\n", "");
        }),
        (EVENTS, r#"1 records missing, such as "2026-09-30T15:00:00.005Z twice\n""#, |evidence| {
            rewrite(&mut evidence.objects[0], "2026-09-30T15:00:00.005Z twice\n", "");
        }),
        (EVENTS, r#"folder "web-b": 1 records missing"#, |evidence| drop(evidence.objects.remove(1))),
        (EVENTS, r#"1 records too many, such as "2026-09-30T15:00:00.005Z twice\n""#, |evidence| {
            rewrite(&mut evidence.objects[0], "2026-09-30", "2026-09-30T15:00:00.005Z twice\n2026-09-30");
        }),
        (EVENTS, r#"1 records too many, such as "2026-09-30T14:59:59.999Z before\n""#, |evidence| {
            rewrite(&mut evidence.objects[0], "2026-09-30", "2026-09-30T14:59:59.999Z before\n2026-09-30");
        }),
        (EVENTS, r#"too many, such as "2026-09-30T15:00:00.006Z many\nlinez\n\n""#, |evidence| {
            rewrite(&mut evidence.objects[0], "lines", "linez");
        }),
        (EVENTS, r#"too many, such as "2026-10-31T14:59:59.999Z last\r\n""#, |evidence| {
            rewrite(&mut evidence.objects[0], "last\n", "last\r\n")
        }),
        (EVENTS, r#"folder "web-c": 1 records too many"#, |evidence| evidence.objects[1] = copy(&evidence.objects[1], "web-b", "web-c")),
        (EVENTS, "is not a gzip file", |evidence| evidence.objects[1].body = b"plain".to_vec()),
        (EVENTS, "1 records too many", |evidence| {
            evidence.objects.push(copy(&evidence.objects[1], "task-1", "task-2"));
            evidence.tasks.push(ExportTask { task_id: "task-2".to_owned(), ..evidence.tasks[0].clone() });
        }),
        (TASKS, "/app/one: expected one export task, found 2", |evidence| evidence.tasks.push(evidence.tasks[0].clone())),
        (TASKS, "/app/one, task task-1: to: expected 1793458799999, found 1793458800000", |evidence| evidence.tasks[0].to += 1),
        (TASKS, r#"status: expected "COMPLETED", found "FAILED""#, |evidence| evidence.tasks[0].status = "FAILED".to_owned()),
        (TASKS, "destinationPrefix: expected", |evidence| evidence.tasks[0].destination_prefix = "elsewhere".to_owned()),
        (TASKS, "/app/other: expected no export task, found task-1", |evidence| evidence.tasks[0].log_group_name = "/app/other".to_owned()),
        (MANIFESTS, "/app/one, manifest: objects: expected 2, found 3", |evidence| {
            rewrite(&mut evidence.objects[2], r#""objects":2"#, r#""objects":3"#);
        }),
        (MANIFESTS, "manifest: bytes: expected", |evidence| rewrite(&mut evidence.objects[2], r#""bytes":"#, r#""bytes":1"#)),
        (MANIFESTS, r#"manifest: taskId: expected "task-1", found "task-2""#, |evidence| {
            rewrite(&mut evidence.objects[2], "task-1", "task-2");
        }),
        (MANIFESTS, "manifest: to: expected 1793458799999, found 1793458799998", |evidence| {
            rewrite(&mut evidence.objects[2], "8799999", "8799998");
        }),
        (MANIFESTS, r#"manifest: month: expected "2026-10", found null"#, |evidence| {
            rewrite(&mut evidence.objects[2], r#""2026-10""#, "null");
        }),
        (MANIFESTS, "expected a manifest beside each exported month, found none", |evidence| drop(evidence.objects.remove(2))),
        (ROWS, "/app/one: expected one row {", |evidence| drop(evidence.objects.remove(3))),
        (ROWS, "expected no other row, found {", |evidence| rewrite(&mut evidence.objects[3], "task-1", "task-2")),
        (ANSWERS, "/app/one: expected 6, found 5", |evidence| evidence.answers = [("/app/one".to_owned(), 5)].into()),
        (ANSWERS, "/app/one: expected 6, found none", |evidence| evidence.answers.clear()),
        (ANSWERS, "/app/empty: expected none, found 1", |evidence| evidence.answers.extend([("/app/empty".to_owned(), 1)])),
        (OUTPUT, r#"output: month: expected "2026-10", found "2026-09""#, |evidence| evidence.output["month"] = json!("2026-09")),
        (OUTPUT, "output: skips: expected [", |evidence| drop(evidence.output["skips"].as_array_mut().unwrap().pop())),
    ];
    for (red, expected, damage) in damages {
        let all = problems(damage);
        assert!(all[red].iter().any(|problem| problem.contains(expected)), "{expected:?} is not in {:?}", all[red]);
    }
}

#[test]
fn an_empty_log_group_may_have_been_exported_too() {
    let all = problems(|evidence| {
        let prefix = PREFIX.replace("/one", "/empty");
        let manifest = json!({
            "schemaVersion": 1, "logGroupName": "/app/empty", "month": "2026-10", "timezone": "Asia/Tokyo",
            "from": evidence.tasks[0].from, "to": evidence.tasks[0].to, "taskId": "task-2", "objects": 0, "bytes": 0, "warnings": [],
        });
        evidence.objects.push(row_of(&manifest, &prefix));
        evidence.objects.push(StoredObject { key: format!("{prefix}/_manifest.json"), body: manifest.to_string().into_bytes() });
        let [task_id, log_group_name] = ["task-2", "/app/empty"].map(str::to_owned);
        evidence.tasks.push(ExportTask { task_id, log_group_name, destination_prefix: prefix, ..evidence.tasks[0].clone() });
        evidence.output["counts"] = json!({ "exported": 1, "empty": 1, "skipped": 1, "failed": 0 });
        evidence.output["skips"].as_array_mut().unwrap().remove(0);
    });
    assert!(all.iter().all(Vec::is_empty), "{all:?}");
}

#[test]
fn a_stray_object_is_found() {
    for key in [
        "aws-logs-write-test".to_owned(),
        format!("{PREFIX}/task-9/web-a/000000.gz"),
        format!("{PREFIX}/task-1/web-a/0000000.gz"),
        format!("{PREFIX}/task-1/web/a/000000.gz"),
        format!("{PREFIX}-old/_manifest.json"),
        "logs/log_group=/app/empty/year=2026/month=10/_manifest.json".to_owned(),
    ] {
        let all = problems(|evidence| evidence.objects.push(StoredObject { key: key.clone(), body: b"x".to_vec() }));
        assert_eq!(all[STRAYS], [format!("s3://bucket/{key}: expected nothing here, found 1 bytes")]);
    }
}
