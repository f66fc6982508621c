//! One row of the Athena table `manifests`: what a manifest says, in a place and a form that Athena reads.
//!
//! Athena passes over `_manifest.json` because of its name, so that it never shows as log data. This copy lies apart from
//! the log data, all log groups of a month together, and is one JSON object on one line, its keys the table's columns.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::manifest::Manifest;

/// Where the rows are, unless the deployment says otherwise.
pub const DEFAULT_PREFIX: &str = "manifests";

/// Names that a column cannot have without quotes (`from`, `to`), or that a partition column has (`month`), are others here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row<'a> {
    pub schema_version: u32,
    pub log_group: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<&'a str>,
    pub timezone: &'static str,
    /// First and last millisecond exported, UTC epoch ms.
    pub window_from: i64,
    pub window_to: i64,
    pub task_id: &'a str,
    pub bucket: &'a str,
    pub destination_prefix: &'a str,
    pub objects: u64,
    /// Those of them that Athena passes over.
    pub hidden_objects: u64,
    pub bytes: u64,
    pub created: Option<&'a str>,
    pub completed: Option<&'a str>,
    pub execution: Option<&'a str>,
    pub warnings: &'a [Value],
}

impl<'a> Row<'a> {
    pub fn of(manifest: &'a Manifest, bucket: &'a str, destination_prefix: &'a str, hidden_objects: u64) -> Self {
        Self {
            schema_version: manifest.schema_version,
            log_group: &manifest.log_group_name,
            log_stream_name_prefix: manifest.log_stream_name_prefix.as_deref(),
            timezone: manifest.timezone,
            window_from: manifest.from,
            window_to: manifest.to,
            task_id: &manifest.task_id,
            bucket,
            destination_prefix,
            objects: manifest.objects,
            hidden_objects,
            bytes: manifest.bytes,
            created: manifest.created.as_deref(),
            completed: manifest.completed.as_deref(),
            execution: manifest.execution.as_deref(),
            warnings: &manifest.warnings,
        }
    }
}

/// Whether Athena passes over an object of a task: names that begin with `_` or `.` are hidden, a folder's too, and a log
/// stream's folder has the log stream's name. `key` is what is left of the key behind the task's folder.
pub fn is_hidden(key: &str) -> bool {
    key.split('/').any(|part| part.starts_with(['_', '.']))
}

/// The key of a row. It is named after the place that the manifest lies in, so that an export anew replaces its row; by a
/// hash, because a destination prefix can be as long as a key and can have parts that Athena hides.
pub fn key(prefix: &str, manifest: &Manifest, destination_prefix: &str) -> String {
    let month = manifest.month;
    let place = Sha256::digest(destination_prefix.as_bytes());
    let place: String = place.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}/year={:04}/month={:02}/{place}.json", month.year(), month.month())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            schema_version: 1,
            log_group_name: "/ecs/web".into(),
            log_stream_name_prefix: None,
            month: "2026-01".parse().unwrap(),
            timezone: "UTC",
            from: 1,
            to: 2,
            task_id: "t".into(),
            objects: 3,
            bytes: 4,
            created: Some("2026-02-02T00:00:00.000Z".into()),
            completed: None,
            execution: None,
            warnings: vec![json!({"name": "n", "message": "m"})],
        }
    }

    #[test]
    fn a_row_says_what_the_manifest_says_and_where_it_lies() {
        let manifest = manifest();
        assert_eq!(
            json!(Row::of(&manifest, "archive", "logs/x", 1)),
            json!({"schema_version": 1, "log_group": "/ecs/web", "timezone": "UTC", "window_from": 1, "window_to": 2, "task_id": "t",
                "bucket": "archive", "destination_prefix": "logs/x", "objects": 3, "hidden_objects": 1, "bytes": 4, "created": "2026-02-02T00:00:00.000Z",
                "completed": null, "execution": null, "warnings": [{"name": "n", "message": "m"}]})
        );
    }

    #[test]
    fn every_place_has_a_row_of_its_own_among_those_of_its_month() {
        let manifest = manifest();
        let row = |place: &str| key("logs/manifests", &manifest, place);
        assert_eq!(row("a"), "logs/manifests/year=2026/month=01/ca978112ca1bbdcafac231b39a23dc4d.json");
        assert_ne!(row("a"), row("b"));
    }

    #[test]
    fn what_athena_hides_is_known() {
        for (key, hidden) in
            [("main/000000.gz", false), ("a_b.c/000000.gz", false), ("_app/000000.gz", true), (".dot/000000.gz", true), ("main/_x", true)]
        {
            assert_eq!(is_hidden(key), hidden, "{key}");
        }
    }
}
