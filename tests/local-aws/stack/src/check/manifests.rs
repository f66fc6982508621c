//! What the manifests state, against the samples, the tasks, and what lies in the tasks' folders.

use serde_json::{Value, json};

use super::{Case, ExpectedMonth, ExpectedOutcome, differing_fields};
use crate::calendar::TIMEZONE;
use crate::stored_objects::StoredObject;

/// The month's manifests of a log group, among these objects.
pub(super) fn of<'a>(case: &Case<'_>, objects: &'a [StoredObject], log_group_name: &str) -> Vec<(&'a StoredObject, Value)> {
    let folder = case.folder("manifests");
    let all = objects.iter().filter(|object| object.key.starts_with(&folder)).map(|object| (object, parse(object)));
    all.filter(|(_, manifest)| manifest["log_group"] == log_group_name).collect()
}

fn parse(object: &StoredObject) -> Value {
    serde_json::from_slice(&object.body).unwrap_or_default()
}

pub(super) fn check(case: &Case<'_>, places: &[ExpectedMonth<'_>]) -> Vec<String> {
    let mut problems = Vec::new();
    for place in places {
        let name = &place.group.name;
        let expected = usize::from(place.expected_outcome != ExpectedOutcome::NothingYet);
        if place.manifests.len() != expected {
            problems.push(format!("{name}: expected {expected} manifest, found {}", place.manifests.len()));
        }
        for (object, manifest) in &place.manifests {
            let window = case.samples.window;
            if !object.key.ends_with(&format!("-{}-{}.json", window.from, window.to)) {
                problems.push(format!("{}: expected the month's window in the name", object.key));
            }
            differing_fields(&format!("{name}, manifest"), &expected_of(case, place), manifest, &mut problems);
        }
    }
    let folder = case.folder("manifests");
    let known = |object: &StoredObject| places.iter().any(|place| place.manifests.iter().any(|(known, _)| known.key == object.key));
    let others = case.evidence.objects.iter().filter(|object| object.key.starts_with(&folder) && !known(object));
    problems.extend(others.map(|object| format!("{}: expected no manifest of another log group", object.key)));
    problems
}

fn expected_of(case: &Case<'_>, place: &ExpectedMonth<'_>) -> Value {
    let (evidence, window) = (case.evidence, case.samples.window);
    let (objects, bytes) = size(place);
    let (outcome, reason) = match (place.task(), objects) {
        (None, _) => ("skipped", Some("NoEventsInMonth")),
        (Some(_), 0) => ("empty", None),
        (Some(_), _) => ("exported", None),
    };
    let execution = match case.damaged {
        Some(damaged) if place.expected_outcome == ExpectedOutcome::AlreadyArchived => &damaged.before.execution_arn,
        _ => &evidence.execution_arn,
    };
    json!({
        "schema_version": 2,
        "outcome": outcome,
        "reason": reason,
        "bucket": evidence.bucket,
        "log_group": place.group.name,
        "log_stream_name_prefix": null,
        "timezone": TIMEZONE.name(),
        "window_from": window.from,
        "window_to": window.to,
        "destination_prefix": place.prefix,
        "task_id": place.task().map(|task| &task.task_id),
        "objects": objects,
        // No log stream of the samples has a name that Athena hides.
        "hidden_objects": 0,
        "bytes": bytes,
        "execution": execution,
        "warnings": [],
    })
}

/// Number and bytes of the objects with events.
pub(super) fn size(place: &ExpectedMonth<'_>) -> (usize, usize) {
    place.data().fold((0, 0), |(objects, bytes), (_, object)| (objects + 1, bytes + object.body.len()))
}
