//! The check goes red on each kind of damage.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::*;
use crate::samples::{Event, LogStream};
use crate::stored_objects::record;

const EVENTS: usize = 0;
const STRAYS: usize = 1;
const TASKS: usize = 2;
const MANIFESTS: usize = 3;
const ATHENA: usize = 4;
const RUN: usize = 5;

const PREFIX: &str = "logs/log_group=/app/one/year=2026/month=10";
/// So long after a month's end an event can still arrive in it: 14 days.
const LATE: i64 = 14 * 86_400_000;

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

/// The log group's objects as a task exports them.
fn exported(task_id: &str) -> Vec<StoredObject> {
    let samples = samples();
    let object = |stream: &LogStream| {
        let in_month = stream.events.iter().filter(|event| samples.window.contains(event.timestamp));
        let text: Vec<u8> = in_month.flat_map(|event| record(event).unwrap()).collect();
        StoredObject { key: format!("{PREFIX}/{task_id}/{}/000000.gz", stream.name.replace('/', "-")), body: gzip(&text) }
    };
    samples.groups[0].streams.iter().map(object).collect()
}

fn task(task_id: &str, log_group_name: &str) -> ExportTask {
    let window = samples().window;
    ExportTask {
        task_id: task_id.to_owned(),
        log_group_name: log_group_name.to_owned(),
        status: "COMPLETED".to_owned(),
        from: window.from,
        to: window.to,
        destination: "bucket".to_owned(),
        destination_prefix: PREFIX.replace("/app/one", log_group_name),
    }
}

/// With the outcome `exported`, `empty` (there is a task without objects), or `skipped` (there is no task).
fn manifest(log_group: &str, task_id: Option<&str>, (objects, bytes): (usize, usize), execution: &str) -> StoredObject {
    let window = samples().window;
    let outcome = if task_id.is_none() { "skipped" } else { ["empty", "exported"][usize::from(objects > 0)] };
    let manifest = json!({
        "schema_version": 2, "outcome": outcome, "reason": task_id.is_none().then_some("NoEventsInMonth"), "bucket": "bucket",
        "log_group": log_group, "timezone": "Asia/Tokyo", "window_from": window.from, "window_to": window.to,
        "destination_prefix": PREFIX.replace("/app/one", log_group), "task_id": task_id, "objects": objects, "hidden_objects": 0,
        "bytes": bytes, "execution": execution, "warnings": [],
    });
    let key = format!("logs/manifests/year=2026/month=10/{}-{}-{}.json", log_group.replace('/', ""), window.from, window.to);
    StoredObject { key, body: manifest.to_string().into_bytes() }
}

/// A run's output, and its report.
fn told(execution: &str, counts: &[(&str, usize)], decided: &[(&str, &[(&str, Value)])]) -> (Value, StoredObject) {
    let warning = json!({ "name": "LogGroupNotFound", "message": "/app/retired does not exist" });
    let mut all = json!({
        "alreadyArchived": 0, "exported": 0, "empty": 0, "skipped": 0, "lost": 0, "nothingYet": 0, "waiting": 0, "warned": 1, "failed": 0,
        "objects": 0, "bytes": 0,
    });
    for (name, count) in counts {
        all[name] = json!(count);
    }
    let decided: Vec<Value> = decided
        .iter()
        .chain(&[("/app/retired", [("became", json!("warned")), ("warning", warning.clone())].as_slice())])
        .map(|(log_group, fields)| {
            let mut line = json!({ "source": { "logGroupName": log_group } });
            fields.iter().for_each(|(name, value)| line[name] = value.clone());
            line
        })
        .collect();
    let key = format!("logs/runs/year=2026/month=11/{execution}.json");
    let report = json!({
        "execution": execution, "timezone": "Asia/Tokyo", "months": ["2026-10"], "counts": all, "error": null, "warnings": [warning],
        "missing_count": 0, "missing": [],
        "decided": decided,
    });
    let mut output = all;
    let place = json!({ "bucket": "bucket", "key": key });
    for (name, value) in [("months", json!(["2026-10"])), ("timezone", json!("Asia/Tokyo")), ("missing", json!(0)), ("report", place)] {
        output[name] = value;
    }
    output["warnings"] = json!([warning]);
    output["warningsInAll"] = json!(1);
    (output, StoredObject { key, body: report.to_string().into_bytes() })
}

/// What a faithful run leaves behind: data, marker, manifests, and report, in this order.
fn evidence() -> Evidence {
    let mut objects = exported("task-1");
    let bytes = objects.iter().map(|object| object.body.len()).sum();
    objects.push(StoredObject { key: format!("{PREFIX}/aws-logs-write-test"), body: b"Permission Check Successful".to_vec() });
    objects.push(manifest("/app/one", Some("task-1"), (2, bytes), "first"));
    objects.push(manifest("/app/empty", None, (0, 0), "first"));
    let (output, report) = told(
        "first",
        &[("exported", 1), ("skipped", 1), ("objects", 2), ("bytes", bytes)],
        &[
            ("/app/one", &[("became", json!("exported"))]),
            ("/app/empty", &[("became", json!("skipped")), ("reason", json!("NoEventsInMonth"))]),
        ],
    );
    objects.push(report);
    Evidence {
        bucket: "bucket".to_owned(),
        objects,
        tasks: vec![task("task-1", "/app/one")],
        athena_counts: [("/app/one".to_owned(), 6)].into(),
        execution_arn: "first".to_owned(),
        output,
        started: samples().window.to + 1 + LATE,
    }
}

/// What the next one leaves behind, where the first object was removed: data of both tasks, marker, manifests, both reports.
fn repaired() -> (Damaged, Evidence) {
    let before = evidence();
    let damaged = Damaged { log_group_name: "/app/one".to_owned(), removed: before.objects[0].clone(), before: before.clone() };
    let data = exported("task-2");
    let bytes = data.iter().map(|object| object.body.len()).sum();
    let mut objects = [data, before.objects[1..].to_vec()].concat();
    objects[4] = manifest("/app/one", Some("task-2"), (2, bytes), "second");
    let (output, report) = told(
        "second",
        &[("alreadyArchived", 1), ("exported", 1), ("objects", 2), ("bytes", bytes)],
        &[("/app/one", &[("became", json!("exported"))])],
    );
    objects.push(report);
    let tasks = vec![task("task-2", "/app/one"), task("task-1", "/app/one")];
    (damaged, Evidence { objects, tasks, execution_arn: "second".to_owned(), output, ..before })
}

/// The problems by check, after `damage`.
fn problems(damage: impl FnOnce(&mut Evidence)) -> Vec<Vec<String>> {
    let mut evidence = evidence();
    damage(&mut evidence);
    problems_of(None, &evidence)
}

fn problems_of(damaged: Option<&Damaged>, evidence: &Evidence) -> Vec<Vec<String>> {
    let report = check(&samples(), "logs", damaged, evidence).unwrap();
    assert_eq!(report.passed(), report.checks.iter().all(|check| check.problems.is_empty()));
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

type Damage = fn(&mut Evidence);

fn assert_found(all: &[Vec<String>], red: usize, expected: &str) {
    assert!(all[red].iter().any(|problem| problem.contains(expected)), "{expected:?} is not in {all:#?}");
}

#[test]
fn a_faithful_archive_passes() {
    let report = check(&samples(), "logs", None, &evidence()).unwrap();
    assert!(report.passed(), "{:#?}", report.checks);
    let [one, empty] = &report.archived[..] else { panic!("{:?}", report.archived) };
    assert_eq!((one.objects, one.events, one.outcome.as_str()), (2, 6, "exported"));
    assert_eq!(one.folder, Some(format!("{PREFIX}/task-1/")));
    assert_eq!((empty.folder.as_ref(), empty.outcome.as_str()), (None, "skipped: NoEventsInMonth"));
}

#[test]
fn a_faithful_repair_passes() {
    let (damaged, evidence) = repaired();
    let report = check(&samples(), "logs", Some(&damaged), &evidence).unwrap();
    assert!(report.passed(), "{:#?}", report.checks);
    assert_eq!(report.archived[0].folder, Some(format!("{PREFIX}/task-2/")));
}

#[test]
fn records_may_come_in_any_order_and_in_several_files() {
    let all = problems(|evidence| {
        let text = evidence.objects[0].gunzip().unwrap();
        let mut records = crate::stored_objects::records(&text);
        records.reverse();
        evidence.objects[0].body = gzip(&records[..2].concat());
        evidence.objects.push(StoredObject { key: format!("{PREFIX}/task-1/web-a/000001.gz"), body: gzip(&records[2..].concat()) });
    });
    assert_eq!((&all[EVENTS], &all[STRAYS]), (&vec![], &vec![]));
}

#[test]
fn each_damage_is_found() {
    let damages: &[(usize, &str, Damage)] = &[
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
        (STRAYS, "task-2/web-b/000000.gz: expected nothing here", |evidence| {
            evidence.objects.push(copy(&evidence.objects[1], "task-1", "task-2"));
            evidence.tasks.push(task("task-2", "/app/one"));
        }),
        (TASKS, "/app/one: expected 1 new export task, found 2", |evidence| evidence.tasks.push(task("task-2", "/app/one"))),
        (TASKS, "/app/one, task task-1: to: expected 1793458799999, found 1793458800000", |evidence| evidence.tasks[0].to += 1),
        (TASKS, r#"status: expected "COMPLETED", found "FAILED""#, |evidence| evidence.tasks[0].status = "FAILED".to_owned()),
        (TASKS, "destinationPrefix: expected", |evidence| evidence.tasks[0].destination_prefix = "elsewhere".to_owned()),
        (TASKS, "/app/other: expected no export task, found task-1", |evidence| evidence.tasks[0].log_group_name = "/app/other".to_owned()),
        (MANIFESTS, "/app/one, manifest: objects: expected 2, found 3", |evidence| {
            rewrite(&mut evidence.objects[3], r#""objects":2"#, r#""objects":3"#);
        }),
        (MANIFESTS, "manifest: bytes: expected", |evidence| rewrite(&mut evidence.objects[3], r#""bytes":"#, r#""bytes":1"#)),
        (MANIFESTS, r#"manifest: task_id: expected "task-1", found "task-2""#, |evidence| {
            rewrite(&mut evidence.objects[3], "task-1", "task-2");
        }),
        (MANIFESTS, "manifest: window_to: expected 1793458799999, found 1793458799998", |evidence| {
            rewrite(&mut evidence.objects[3], "8799999", "8799998");
        }),
        (MANIFESTS, r#"manifest: outcome: expected "exported", found "empty""#, |evidence| {
            rewrite(&mut evidence.objects[3], r#""exported""#, r#""empty""#);
        }),
        (MANIFESTS, "expected the month's window in the name", |evidence| {
            evidence.objects[3] = copy(&evidence.objects[3], "-1790", "-1791")
        }),
        (MANIFESTS, "/app/one: expected 1 manifest, found 0", |evidence| drop(evidence.objects.remove(3))),
        (MANIFESTS, "/app/one: expected 1 manifest, found 2", |evidence| {
            evidence.objects.push(copy(&evidence.objects[3], "appone", "other"));
        }),
        (MANIFESTS, "/app/empty: expected 1 manifest, found 0", |evidence| drop(evidence.objects.remove(4))),
        (MANIFESTS, "expected no manifest of another log group", |evidence| {
            rewrite(&mut evidence.objects[3], r#""log_group":"/app/one""#, r#""log_group":"/app/two""#);
        }),
        (ATHENA, "/app/one: expected 6, found 5", |evidence| evidence.athena_counts = [("/app/one".to_owned(), 5)].into()),
        (ATHENA, "/app/one: expected 6, found none", |evidence| evidence.athena_counts.clear()),
        (ATHENA, "/app/empty: expected none, found 1", |evidence| evidence.athena_counts.extend([("/app/empty".to_owned(), 1)])),
        (RUN, r#"output: months: expected ["2026-10"], found ["2026-09"]"#, |evidence| evidence.output["months"] = json!(["2026-09"])),
        (RUN, "output: exported: expected 1, found 2", |evidence| evidence.output["exported"] = json!(2)),
        (RUN, "output: expected the one warning LogGroupNotFound, found []", |evidence| evidence.output["warnings"] = json!([])),
        (RUN, "output: report: expected an object of the bucket, found {", |evidence| drop(evidence.objects.pop())),
        (RUN, r#"report: execution: expected "first", found "other""#, |evidence| rewrite(&mut evidence.objects[5], "first", "other")),
        (RUN, "report: skipped: expected 1, found 0", |evidence| rewrite(&mut evidence.objects[5], r#""skipped":1"#, r#""skipped":0"#)),
        (RUN, "report: decided: expected {", |evidence| rewrite(&mut evidence.objects[5], "NoEventsInMonth", "CreatedAfterMonth")),
    ];
    for (red, expected, damage) in damages {
        assert_found(&problems(damage), *red, expected);
    }
}

#[test]
fn each_fault_of_a_repair_is_found() {
    let faults: &[(usize, &str, Damage)] = &[
        (EVENTS, "records missing", |evidence| {
            // The run said AlreadyArchived.
            let Evidence { objects, .. } = self::evidence();
            evidence.objects = objects[1..].to_vec();
            evidence.tasks.remove(0);
        }),
        (EVENTS, "records too many", |evidence| {
            evidence.objects.push(copy(&evidence.objects[4], "appone", "other"));
            rewrite(evidence.objects.last_mut().unwrap(), "task-2", "task-1");
        }),
        (STRAYS, "task-1/web-b/000000.gz: expected it as it was", |evidence| drop(evidence.objects.remove(2))),
        (STRAYS, "task-1/web-a/000000.gz: expected nothing here", |evidence| evidence.objects.push(self::evidence().objects[0].clone())),
        (STRAYS, "month=11/first.json: expected it as it was", |evidence| rewrite(&mut evidence.objects[6], "first", "other")),
        (TASKS, "/app/one: expected 1 new export task, found 0", |evidence| drop(evidence.tasks.remove(0))),
        (TASKS, "/app/empty: expected 0 new export task, found 1", |evidence| evidence.tasks.push(task("task-3", "/app/empty"))),
        (MANIFESTS, r#"/app/one, manifest: execution: expected "second", found "first""#, |evidence| {
            rewrite(&mut evidence.objects[4], "second", "first");
        }),
        (MANIFESTS, r#"/app/empty, manifest: execution: expected "first", found "other""#, |evidence| {
            rewrite(&mut evidence.objects[5], "first", "other");
        }),
        (ATHENA, "/app/one: expected 6, found 7", |evidence| evidence.athena_counts = [("/app/one".to_owned(), 7)].into()),
        (RUN, "output: missing: expected 0, found 1", |evidence| evidence.output["missing"] = json!(1)),
        (RUN, "output: alreadyArchived: expected 1, found 0", |evidence| evidence.output["alreadyArchived"] = json!(0)),
    ];
    for (red, expected, fault) in faults {
        let (damaged, mut evidence) = repaired();
        fault(&mut evidence);
        assert_found(&problems_of(Some(&damaged), &evidence), *red, expected);
    }
}

#[test]
fn an_empty_log_group_may_have_been_exported_too() {
    let bytes = evidence().output["bytes"].as_u64().unwrap() as usize;
    let all = problems(|evidence| {
        evidence.objects[4] = manifest("/app/empty", Some("task-2"), (0, 0), "first");
        evidence.tasks.push(task("task-2", "/app/empty"));
        (evidence.output, evidence.objects[5]) = told(
            "first",
            &[("exported", 1), ("empty", 1), ("objects", 2), ("bytes", bytes)],
            &[("/app/one", &[("became", json!("exported"))]), ("/app/empty", &[("became", json!("empty"))])],
        );
    });
    assert!(all.iter().all(Vec::is_empty), "{all:#?}");
}

#[test]
fn while_events_can_still_arrive_nothing_becomes_of_an_empty_log_group() {
    let bytes = evidence().output["bytes"].as_u64().unwrap() as usize;
    let nothing_yet = |evidence: &mut Evidence| {
        (evidence.output, evidence.objects[5]) = told(
            "first",
            &[("exported", 1), ("nothingYet", 1), ("objects", 2), ("bytes", bytes)],
            &[("/app/one", &[("became", json!("exported"))]), ("/app/empty", &[("became", json!("nothingYet"))])],
        );
        evidence.objects.remove(4);
    };
    let all = problems(|evidence| {
        nothing_yet(evidence);
        evidence.started -= 1;
    });
    assert!(all.iter().all(Vec::is_empty), "{all:#?}");
    assert_found(&problems(nothing_yet), MANIFESTS, "/app/empty: expected 1 manifest, found 0");
    assert_found(&problems(|evidence| evidence.started -= 1), MANIFESTS, "/app/empty: expected 0 manifest, found 1");
}

#[test]
fn a_stray_object_is_found() {
    for key in [
        "aws-logs-write-test".to_owned(),
        format!("{PREFIX}/task-9/web-a/000000.gz"),
        format!("{PREFIX}/task-1/web-a/0000000.gz"),
        format!("{PREFIX}/task-1/web/a/000000.gz"),
        format!("{PREFIX}/_manifest.json"),
        "logs/log_group=/app/empty/year=2026/month=10/aws-logs-write-test".to_owned(),
        "logs/runs/year=2026/month=11/other.json".to_owned(),
    ] {
        let all = problems(|evidence| evidence.objects.push(StoredObject { key: key.clone(), body: b"x".to_vec() }));
        assert_eq!(all[STRAYS], [format!("s3://bucket/{key}: expected nothing here, found 1 bytes")]);
    }
}
