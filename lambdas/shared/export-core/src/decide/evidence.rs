//! The evidence for a decision: what AWS and earlier runs say about a window.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    TaskId, Window,
    manifest::{FolderContents, FoundManifest},
    time::Millis,
};

/// How a message says that a log group cannot be exported, behind the words "log group" and its name.
pub const NOT_EXPORTABLE: &str = "is not of the class Standard, and CloudWatch Logs exports no other";

/// What is known so far. `None`: nobody has asked yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The manifests of the place whose windows overlap the question's.
    pub manifests: Option<Vec<FoundManifest>>,
    pub log_group: Option<LogGroup>,
    pub newest_event: Option<NewestEvent>,
    /// Whether a log stream has the question's stream prefix.
    pub has_stream: Option<bool>,
    /// When the oldest task of the place was created, by its manifests of the question's month and of the month before.
    pub oldest_task: Option<Option<DateTime<Utc>>>,
    /// What a COMPLETED task for exactly the question's window wrote.
    pub export: Option<CompletedExport>,
    /// Whether the window has an event. Asked only after a task that wrote nothing.
    pub event_search: Option<EventSearch>,
}

/// The evidence that a decision needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Manifests,
    LogGroup,
    NewestEvent,
    Stream,
    OldestTask,
    EventSearch,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogGroup {
    Absent,
    /// Absent, and no entry names it: only earlier runs found it.
    Gone,
    Present {
        created: Option<Millis>,
        /// The effective retention: an account-level policy overrides the log group's own.
        retention_in_days: Option<i32>,
        /// The name of that policy.
        retention_policy: Option<String>,
        is_exportable: bool,
        /// The stored bytes of all events. No decision uses it: it only estimates how long an export takes.
        #[serde(default)]
        stored_bytes: Option<u64>,
    },
}

impl LogGroup {
    /// Whether events of the window may be gone at the instant `at`: retention or a deletion of the log group took them.
    pub(crate) fn may_have_expired(&self, window: Window, at: Millis) -> bool {
        match self {
            Self::Absent | Self::Gone => true,
            Self::Present { .. } => self.complete_from(window, at).is_some(),
        }
    }

    /// From when retention keeps the events at the instant `at`. `None`: it keeps the whole window.
    pub fn complete_from(&self, window: Window, at: Millis) -> Option<Millis> {
        let Self::Present { retention_in_days: Some(days), .. } = self else { return None };
        Some(at - TimeDelta::days((*days).into())).filter(|kept_from| window.from < *kept_from)
    }

    /// Whether today's log group cannot hold what was in the window: it is absent, or was created after the window.
    pub(super) fn is_newer_than(&self, window: Window) -> bool {
        match self {
            Self::Absent | Self::Gone => true,
            Self::Present { created, .. } => created.is_some_and(|created| created > window.to),
        }
    }

    /// When it was created, if that is inside the window.
    pub(super) fn created_in(&self, window: Window) -> Option<Millis> {
        let Self::Present { created: Some(created), .. } = self else { return None };
        Some(*created).filter(|created| window.from < *created && *created <= window.to)
    }
}

/// The newest event of a log group, by the metadata of all log streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewestEvent {
    None,
    At(Millis),
    Unknown,
}

/// What FilterLogEvents found in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventSearch {
    None,
    Found,
    /// The search did not come to an end.
    Unknown,
}

/// What earlier runs know about a window and its log group. The manifests of the place can say more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowHistory {
    /// An open window of an earlier run overlaps this one.
    pub is_open: bool,
    /// The oldest evidence that the log group existed. It is an open window of the place in this month or the month before, or a scheduled
    /// run's report. That run must have found the log group before the window ended.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "crate::time::serialize_instant")]
    pub seen_since: Option<DateTime<Utc>>,
}

/// What a COMPLETED task wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedExport {
    pub task_id: TaskId,
    pub folder: FolderContents,
    /// By CloudWatch's clock.
    pub created: Option<Millis>,
}

impl CompletedExport {
    /// Whether events of the window may have expired before the task exported them. If the task's time is unknown, every retention may
    /// have taken some.
    pub(super) fn may_lack_expired(&self, window: Window, log_group: &LogGroup) -> bool {
        log_group.may_have_expired(window, self.created.unwrap_or(Millis::LAST))
    }
}
