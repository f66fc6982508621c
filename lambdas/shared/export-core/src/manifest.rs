//! `_manifest.json`: what one export of one log group's month wrote, in a form for people and for Athena.
//!
//! It lies beside the `<taskId>` folder, in the destination prefix. Athena passes over names that begin with `_`.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Month,
    create::{Export, Request},
    problems::cut,
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
    /// This log group's month, whole, is in the archive: so many objects of this task.
    Archived { task_id: String, objects: u64 },
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
            return Found::Other(format!("its {field} is {}, not {expected}", cut(&found.to_string())));
        }
    }
    let complete_at = export.window.complete_at();
    match manifest["created"].as_str().and_then(parse_instant) {
        Some(created) if created >= complete_at => match (manifest["taskId"].as_str(), manifest["objects"].as_u64()) {
            (Some(task_id), Some(objects)) => Found::Archived { task_id: task_id.to_owned(), objects },
            _ => Found::Other("it does not say which task wrote how many objects".to_owned()),
        },
        Some(created) => Found::Other(format!(
            "it is of an export of {}, before the month was complete at {}",
            format_instant(created),
            format_instant(complete_at)
        )),
        None => Found::Other("it does not say when its export was created".to_owned()),
    }
}

/// Whether the manifest in place is of this very task, so that an earlier check has written it.
pub fn is_of_task(in_place: &[u8], task_id: &str) -> bool {
    serde_json::from_slice::<Value>(in_place).is_ok_and(|in_place| in_place["taskId"] == task_id)
}

/// Whether the manifest in place is of a later export of the same log group and window. A check that comes late, of a
/// task that another export has overtaken, must not put the older one in its place.
pub fn is_newer(in_place: &[u8], manifest: &Manifest) -> bool {
    let Ok(in_place) = serde_json::from_slice::<Value>(in_place) else { return false };
    let same = in_place["logGroupName"] == json!(manifest.log_group_name)
        && in_place["from"] == json!(manifest.from)
        && in_place["to"] == json!(manifest.to);
    let created = |value: Option<&str>| value.and_then(parse_instant);
    same && created(in_place["created"].as_str()) > created(manifest.created.as_deref())
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
        let archived = Found::Archived { task_id: "t".into(), objects: 1 };
        assert_eq!(found(json!({})), archived);
        assert_eq!(found(json!({"logStreamNamePrefix": null})), archived);
        for (changes, reason) in [
            (json!({"schemaVersion": 2}), "its schemaVersion is 2, not 1"),
            (json!({"logGroupName": "/b"}), "its logGroupName is \"/b\", not \"/a\""),
            (json!({"logStreamNamePrefix": "prod/"}), "its logStreamNamePrefix is \"prod/\", not null"),
            (json!({"month": "2026-09"}), "its month is \"2026-09\", not \"2026-10\""),
            (json!({"timezone": "UTC"}), "its timezone is \"UTC\", not \"Asia/Tokyo\""),
            (json!({"from": 0}), "its from is 0, not 1790780400000"),
            (json!({"to": "x"}), "its to is \"x\", not 1793458799999"),
            (json!({"taskId": null}), "it does not say which task wrote how many objects"),
            (json!({"objects": -1}), "it does not say which task wrote how many objects"),
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
    fn a_foreign_value_is_cut() {
        let Found::Other(what) = found(json!({"month": "x".repeat(300_000)})) else { panic!("another month") };
        assert!(what.len() < 200, "{}", what.len());
    }

    #[test]
    fn only_a_later_export_of_the_same_window_is_newer() {
        let mine = Manifest {
            schema_version: 1,
            log_group_name: "/a".into(),
            log_stream_name_prefix: None,
            month: "2026-10".parse().unwrap(),
            timezone: "Asia/Tokyo",
            from: 1,
            to: 2,
            task_id: "t".into(),
            objects: 1,
            bytes: 1,
            created: Some("2026-11-01T04:00:00.500Z".into()),
            completed: None,
            execution: None,
            warnings: Vec::new(),
        };
        let there = |changes: Value| {
            let mut there = json!({"logGroupName": "/a", "from": 1, "to": 2, "created": "2026-11-01T04:00:00.501Z"});
            there.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            is_newer(there.to_string().as_bytes(), &mine)
        };
        assert!(there(json!({})));
        for older in [
            json!({"created": "2026-11-01T04:00:00.500Z"}),
            json!({"created": null}),
            json!({"logGroupName": "/b"}),
            json!({"from": 0}),
            json!({"to": 3}),
        ] {
            assert!(!there(older.clone()), "{older}");
        }
        assert!(!is_newer(b"{", &mine));
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
