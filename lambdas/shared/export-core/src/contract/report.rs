//! A run's report, which lies in the archive, and its output, which Step Functions keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ExportError, Month,
    contract::plan::{Decided, Failure, Settled},
    warning::Warning,
};

pub const SCHEMA_VERSION: u32 = 1;

/// Instants are RFC 3339 in UTC. A report is one JSON object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub schema_version: u32,
    pub execution: String,
    pub started: String,
    pub ended: String,
    /// Of a scheduled run.
    pub scheduled_time: Option<String>,
    /// Every entry was expanded, and every log-group-month decided.
    pub compared_everything: bool,
    pub due_month: Month,
    pub timezone: String,
    /// The months that the run looked at.
    pub months: Vec<Month>,
    pub counts: Counts,
    /// The error that refused the run, or that its planning ended with.
    pub error: Option<Failure>,
    pub compaction_error: Option<Failure>,
    pub warnings: Vec<Warning>,
    /// Everything but what was archived already.
    pub decided: Vec<Decided>,
}

impl Report {
    /// What turned out not to be archived when it was to be recorded.
    pub fn fail(&mut self, failed: Vec<(usize, ExportError)>) {
        for (position, error) in failed {
            self.decided[position].settled = Settled::Failed { failure: error.into() };
        }
        let already_archived = self.counts.already_archived;
        self.counts = Counts { already_archived, ..Counts::of(&BTreeMap::new(), &self.decided) };
    }
}

/// Log-group-months, or windows of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub already_archived: u64,
    pub exported: u64,
    /// Of these, in place of a manifest that was not valid.
    pub repaired: u64,
    pub empty: u64,
    pub skipped: u64,
    pub nothing_yet: u64,
    pub warned: u64,
    pub failed: u64,
    pub objects: u64,
    pub bytes: u64,
    /// For how long this run's tasks held the slot.
    pub slot_seconds: f64,
}

impl Counts {
    pub fn of(archived: &BTreeMap<Month, u64>, decided: &[Decided]) -> Self {
        let mut counts = Self { already_archived: archived.values().sum(), ..Self::default() };
        for decided in decided {
            match &decided.settled {
                Settled::Exported { objects, bytes, seconds, repairs, .. } => {
                    counts.exported += 1;
                    counts.repaired += u64::from(repairs.is_some());
                    counts.objects += objects;
                    counts.bytes += bytes;
                    counts.slot_seconds += seconds;
                }
                Settled::Empty { seconds, .. } => {
                    counts.empty += 1;
                    counts.slot_seconds += seconds;
                }
                Settled::Skipped { .. } => counts.skipped += 1,
                Settled::NothingYet => counts.nothing_yet += 1,
                Settled::Warned { .. } => counts.warned += 1,
                Settled::Failed { .. } => counts.failed += 1,
            }
        }
        counts
    }
}

/// The output of a run that ended well.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    pub due_month: Month,
    pub timezone: String,
    pub months: Vec<Month>,
    #[serde(flatten)]
    pub counts: Counts,
    /// The first of them; the report has all.
    pub warnings: Vec<Warning>,
    pub warnings_in_all: usize,
    /// Where the report lies.
    pub report: crate::contract::plan::Object,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_decided_is_counted_and_reads_back() {
        let source = json!({"s3BucketName": "my-archive", "s3Prefix": "logs", "logGroupName": "/a"});
        let line = |became: serde_json::Value| {
            let mut line = json!({"source": source, "month": "2026-10", "window": {"from": 1, "to": 2}});
            line.as_object_mut().unwrap().extend(became.as_object().unwrap().clone());
            let decided: Decided = serde_json::from_value(line.clone()).unwrap();
            assert_eq!(json!(decided), line);
            decided
        };
        let decided = [
            line(json!({"became": "exported", "task_id": "t", "objects": 2, "bytes": 7, "seconds": 1.5, "repairs": "why"})),
            line(json!({"became": "exported", "task_id": null, "objects": 3, "bytes": 8, "seconds": 2.0})),
            line(json!({"became": "empty", "task_id": "t", "seconds": 0.25})),
            line(json!({"became": "skipped", "reason": "CreatedAfterMonth"})),
            line(json!({"became": "nothingYet"})),
            line(json!({"became": "warned", "warning": {"name": "LogGroupNotFound", "message": "m"}})),
            line(json!({"became": "failed", "failure": {"error": "RunTimeOver", "message": "m"}})),
        ];
        let archived = BTreeMap::from([("2026-09".parse().unwrap(), 4), ("2026-10".parse().unwrap(), 5)]);
        assert_eq!(
            json!(Counts::of(&archived, &decided)),
            json!({"alreadyArchived": 9, "exported": 2, "repaired": 1, "empty": 1, "skipped": 1, "nothingYet": 1, "warned": 1, "failed": 1, "objects": 5, "bytes": 15,
                "slotSeconds": 3.75})
        );
    }
}
