//! `_manifest.json`: what one export of one log group's month wrote, in a form for people and for Athena.
//!
//! It lies beside the `<taskId>` folder, in the destination prefix. Athena passes over names that begin with `_`.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Month,
    create::{Export, Request},
    time::{format_instant, parse_instant},
};

pub const SCHEMA_VERSION: u32 = 1;
pub const FILE_NAME: &str = "_manifest.json";

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    pub log_group_name: String,
    /// Present where only some streams of the log group were exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<String>,
    pub month: Month,
    pub timezone: &'static str,
    /// First and last millisecond exported, UTC epoch ms.
    pub from: i64,
    pub to: i64,
    pub task_id: String,
    /// Objects below `<destinationPrefix>/<taskId>/`, and their sizes as stored (compressed) in bytes.
    pub objects: u64,
    pub bytes: u64,
    /// When CloudWatch Logs created and completed the task, RFC 3339 in UTC; `null` where it does not say.
    pub created: Option<String>,
    pub completed: Option<String>,
    /// ARN of the Step Functions execution; `null` when the function was called by hand.
    pub execution: Option<String>,
    pub warnings: Vec<Value>,
}

pub fn key(destination_prefix: &str) -> String {
    format!("{destination_prefix}/{FILE_NAME}")
}

/// What a manifest that lies in an export's place says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This log group's month, whole, is in the archive.
    Archived,
    /// Something else, and what: the month is exported, and the manifest replaced.
    Other(String),
}

/// Reads a manifest for `export`. Whatever is not exactly it counts as not archived: an export too many loses nothing.
pub fn read(bytes: &[u8], request: &Request, export: &Export) -> Found {
    let Ok(manifest) = serde_json::from_slice::<Value>(bytes) else { return Found::Other("it is not JSON".to_owned()) };
    let expected = json!({
        "schemaVersion": SCHEMA_VERSION,
        "logGroupName": request.log_group_name,
        "logStreamNamePrefix": request.placement.log_stream_name_prefix,
        "month": export.month,
        "timezone": request.settings.timezone.name(),
        "from": export.window.from,
        "to": export.window.to,
    });
    for (field, expected) in expected.as_object().into_iter().flatten() {
        let found = manifest.get(field).unwrap_or(&Value::Null);
        if found != expected {
            return Found::Other(format!("its {field} is {found}, not {expected}"));
        }
    }
    let complete_at = export.window.complete_at();
    match manifest["created"].as_str().and_then(parse_instant) {
        Some(created) if created >= complete_at => Found::Archived,
        Some(created) => Found::Other(format!(
            "it is of an export of {}, before the month was complete at {}",
            format_instant(created),
            format_instant(complete_at)
        )),
        None => Found::Other("it does not say when its export was created".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(changes: Value) -> Found {
        let mut manifest = json!({"schemaVersion": 1, "logGroupName": "/a", "month": "2026-10", "timezone": "Asia/Tokyo", "from": 1790780400000i64,
            "to": 1793458799999i64, "taskId": "t", "objects": 1, "bytes": 1, "created": "2026-11-01T03:00:00.000Z"});
        manifest.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        read(manifest.to_string().as_bytes(), &request(), &export())
    }

    fn request() -> Request {
        Request::parse(&json!({"s3BucketName": "archive", "logGroupName": "/a", "month": "2026-10"})).unwrap()
    }

    fn export() -> Export {
        request().export("2026-11-02T00:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn only_the_whole_export_of_this_month_counts_as_archived() {
        assert_eq!(found(json!({})), Found::Archived);
        assert_eq!(found(json!({"logStreamNamePrefix": null})), Found::Archived);
        for (changes, reason) in [
            (json!({"schemaVersion": 2}), "its schemaVersion is 2, not 1"),
            (json!({"logGroupName": "/b"}), "its logGroupName is \"/b\", not \"/a\""),
            (json!({"logStreamNamePrefix": "prod/"}), "its logStreamNamePrefix is \"prod/\", not null"),
            (json!({"month": "2026-09"}), "its month is \"2026-09\", not \"2026-10\""),
            (json!({"timezone": "UTC"}), "its timezone is \"UTC\", not \"Asia/Tokyo\""),
            (json!({"from": 0}), "its from is 0, not 1790780400000"),
            (json!({"to": "x"}), "its to is \"x\", not 1793458799999"),
            (json!({"created": null}), "it does not say when its export was created"),
            (
                json!({"created": "2026-11-01T02:59:59.999Z"}),
                "it is of an export of 2026-11-01T02:59:59.999Z, before the month was complete at 2026-11-01T03:00:00Z",
            ),
        ] {
            assert_eq!(found(changes), Found::Other(reason.to_owned()));
        }
    }

    #[test]
    fn what_is_no_manifest_is_not_archived() {
        for bytes in [&b""[..], b"{", b"\xff"] {
            assert_eq!(read(bytes, &request(), &export()), Found::Other("it is not JSON".to_owned()));
        }
        for bytes in [&b"[]"[..], b"null", b"{}"] {
            assert!(matches!(read(bytes, &request(), &export()), Found::Other(reason) if reason.starts_with("its ")));
        }
    }
}
