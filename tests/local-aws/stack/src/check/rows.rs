//! What Athena sees: the rows of its table `manifests`, against the manifests that they copy, and its count of events.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Evidence, Landed, Place};
use crate::samples::SampleLogs;

/// Where the month's rows lie.
pub(super) fn prefix(samples: &SampleLogs, s3_prefix: &str) -> String {
    format!("{s3_prefix}/manifests/year={:04}/month={:02}/", samples.month.year(), samples.month.month())
}

pub(super) fn check(places: &[Place<'_>], prefix: &str, evidence: &Evidence) -> Vec<String> {
    let stored = evidence.objects.iter().filter(|object| object.key.starts_with(prefix));
    let mut found: Vec<Value> = stored.map(|object| serde_json::from_slice(&object.body).unwrap_or_default()).collect();
    let mut problems = Vec::new();
    for place in places {
        let Some(manifest) = place.objects.get("_manifest.json") else { continue };
        let manifest: Value = serde_json::from_slice(&manifest.body).unwrap_or_default();
        let row = row(&manifest, &evidence.bucket, &place.prefix);
        let before = found.len();
        found.retain(|found| *found != row);
        if before - found.len() != 1 {
            problems.push(format!("{}: expected one row {row}, found {}", place.group.name, before - found.len()));
        }
    }
    problems.extend(found.into_iter().map(|row| format!("expected no other row, found {row}")));
    problems
}

/// Log groups that landed with events are those that Athena answers with.
pub(super) fn counts(landed: &[Landed], evidence: &Evidence) -> Vec<String> {
    let expected: BTreeMap<&str, usize> =
        landed.iter().filter(|landed| landed.events > 0).map(|landed| (landed.log_group_name.as_str(), landed.events)).collect();
    let found: BTreeMap<&str, usize> = evidence.answers.iter().map(|(name, events)| (name.as_str(), *events)).collect();
    let names: BTreeSet<&str> = expected.keys().chain(found.keys()).copied().collect();
    let differing = names.into_iter().filter(|name| expected.get(name) != found.get(name));
    let told = |events: Option<&usize>| events.map_or("none".to_owned(), usize::to_string);
    differing.map(|name| format!("{name}: expected {}, found {}", told(expected.get(name)), told(found.get(name)))).collect()
}

/// What a manifest is in the table: its fields by the names of the columns, and where it lies. The month is the partition.
fn row(manifest: &Value, bucket: &str, destination_prefix: &str) -> Value {
    // No log stream of the samples has a name that Athena hides.
    let mut row = json!({ "bucket": bucket, "destination_prefix": destination_prefix, "hidden_objects": 0 });
    for (field, column) in [
        ("schemaVersion", "schema_version"),
        ("logGroupName", "log_group"),
        ("logStreamNamePrefix", "log_stream_name_prefix"),
        ("timezone", "timezone"),
        ("from", "window_from"),
        ("to", "window_to"),
        ("taskId", "task_id"),
        ("objects", "objects"),
        ("bytes", "bytes"),
        ("created", "created"),
        ("completed", "completed"),
        ("execution", "execution"),
        ("warnings", "warnings"),
    ] {
        if let Some(value) = manifest.get(field) {
            row[column] = value.clone();
        }
    }
    row
}
