//! The rows of the Athena table `manifests`, against the manifests that they copy.

use serde_json::{Value, json};

use super::{Evidence, Place};
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

/// What a manifest is in the table: its fields by the names of the columns, and where it lies. The month is the partition.
fn row(manifest: &Value, bucket: &str, destination_prefix: &str) -> Value {
    let mut row = json!({ "bucket": bucket, "destination_prefix": destination_prefix });
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
