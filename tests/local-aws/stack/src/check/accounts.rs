//! What the export tasks, the manifests and the run itself say, against what the archive holds.

use std::fmt::Debug;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Evidence, Place};
use crate::calendar::TIMEZONE;
use crate::samples::{MISSING_LOG_GROUP, SampleLogs};

pub(super) fn tasks(samples: &SampleLogs, places: &[Place<'_>], evidence: &Evidence) -> Vec<String> {
    let mut problems = Vec::new();
    for place in places {
        let name = &place.group.name;
        let events = place.group.events_in(samples.window);
        // A log group without events in the month may have been skipped for that reason.
        let enough = if events > 0 { 1..=1 } else { 0..=1 };
        if !enough.contains(&place.tasks.len()) {
            problems.push(format!("{name}: expected one export task, found {}", place.tasks.len()));
        }
        for task in &place.tasks {
            let mut expect = |what: &str, expected: &dyn Debug, found: &dyn Debug, same: bool| {
                if !same {
                    problems.push(format!("{name}, task {}: {what}: expected {expected:?}, found {found:?}", task.task_id));
                }
            };
            expect("status", &"COMPLETED", &task.status, task.status == "COMPLETED");
            expect("from", &samples.window.from, &task.from, task.from == samples.window.from);
            expect("to", &samples.window.to, &task.to, task.to == samples.window.to);
            expect("destination", &evidence.bucket, &task.destination, task.destination == evidence.bucket);
            expect("destinationPrefix", &place.prefix, &task.destination_prefix, task.destination_prefix == place.prefix);
        }
    }
    let known = |name: &str| places.iter().any(|place| place.group.name == name);
    for task in evidence.tasks.iter().filter(|task| !known(&task.log_group_name)) {
        problems.push(format!("{}: expected no export task, found {}", task.log_group_name, task.task_id));
    }
    problems
}

pub(super) fn manifests(samples: &SampleLogs, places: &[Place<'_>]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for place in places {
        let name = &place.group.name;
        let manifest = place.objects.get("_manifest.json");
        let (Some(task), Some(manifest)) = (place.tasks.first(), manifest) else {
            if place.tasks.len() != usize::from(manifest.is_some()) {
                problems.push(format!("{name}: expected a manifest beside each exported month, found none"));
            }
            continue;
        };
        let manifest: Value = match serde_json::from_slice(&manifest.body) {
            Ok(manifest) => manifest,
            Err(error) => {
                problems.push(format!("{name}: the manifest is not JSON: {error}"));
                continue;
            }
        };
        let (mut objects, mut bytes) = (0, 0);
        for (_, object) in place.data() {
            objects += 1;
            bytes += object.body.len();
        }
        let expected = json!({
            "schemaVersion": 1,
            "logGroupName": name,
            "month": samples.month.to_string(),
            "timezone": TIMEZONE.name(),
            "from": samples.window.from,
            "to": samples.window.to,
            "taskId": task.task_id,
            "objects": objects,
            "bytes": bytes,
        });
        differing_fields(&format!("{name}, manifest"), &expected, &manifest, &mut problems);
    }
    Ok(problems)
}

pub(super) fn output(samples: &SampleLogs, places: &[Place<'_>], evidence: &Evidence) -> Vec<String> {
    let exported = places.iter().filter(|place| place.data().next().is_some()).count();
    let tasks = places.iter().filter(|place| !place.tasks.is_empty()).count();
    let data = || places.iter().flat_map(Place::data);
    // In the order of the input, where the missing log group comes last.
    let mut skips: Vec<Value> =
        places.iter().filter(|place| place.tasks.is_empty()).map(|place| skip(&place.group.name, "NoEventsInMonth")).collect();
    skips.push(skip(MISSING_LOG_GROUP, "LogGroupNotFound"));
    let expected = json!({
        "status": "SUCCEEDED",
        "month": samples.month.to_string(),
        "timezone": TIMEZONE.name(),
        "window": { "from": samples.window.from, "to": samples.window.to },
        "s3BucketName": evidence.bucket,
        "counts": { "exported": exported, "empty": tasks - exported, "skipped": skips.len(), "failed": 0 },
        "objects": data().count(),
        "bytes": data().map(|(_, object)| object.body.len()).sum::<usize>(),
        "failures": [],
        "skips": skips,
    });
    let mut problems = Vec::new();
    differing_fields("output", &expected, &evidence.output, &mut problems);
    problems
}

fn skip(log_group_name: &str, reason: &str) -> Value {
    json!({ "logGroupName": log_group_name, "reason": reason })
}

/// Compares the fields of `expected`, and lets others be.
fn differing_fields(subject: &str, expected: &Value, found: &Value, problems: &mut Vec<String>) {
    for (field, expected) in expected.as_object().into_iter().flatten() {
        let found = &found[field];
        if expected != found {
            problems.push(format!("{subject}: {field}: expected {expected}, found {found}"));
        }
    }
}
