//! `_manifest.json`: what one export of one log group's month wrote, in a form for people and for Athena.
//!
//! It lies beside the `<taskId>` folder, in the destination prefix. Athena passes over names that begin with `_`.

use serde::Serialize;
use serde_json::Value;

use crate::Month;

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
