//! A run's report, which the archive keeps, and its output, which Step Functions keeps.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    LogGroupName, Month,
    compaction::ManifestDigests,
    contract::plan::{DecidedWindow, Failure, WindowOutcome},
    missing::OpenWindow,
    time::parse_instant,
    warning::Warning,
};

pub const SCHEMA_VERSION: u32 = 2;

/// The report of a run, one JSON object. Instants are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub schema_version: u32,
    pub execution: String,
    pub started: String,
    pub ended: String,
    /// `None`: a run by hand.
    pub scheduled_time: Option<String>,
    /// Whether every entry was expanded, and every log-group-month decided.
    pub compared_everything: bool,
    pub due_month: Month,
    /// Whether the run is scheduled, and no window of the due month is open.
    pub due_month_archived: bool,
    pub timezone: String,
    /// The months that the run compared.
    pub months: Vec<Month>,
    pub counts: Counts,
    /// How many windows of `missing` count as missing: those that failed, and those that have waited too long.
    pub missing_count: u64,
    /// How long this run's tasks held the export slot.
    pub slot_hours_used: f64,
    /// How long the list needs the slot in a month, estimated from the archived windows of the due month.
    pub slot_hours_needed: f64,
    /// The error that refused the run or ended its planning.
    pub error: Option<Failure>,
    /// The months that the run compacted.
    #[serde(default)]
    pub compacted: BTreeSet<Month>,
    /// The manifests that the Parquet agrees with. The next run that writes Parquet compacts the months with other manifests.
    #[serde(default)]
    pub compacted_manifests: Option<ManifestDigests>,
    pub compaction_error: Option<Failure>,
    pub warnings: Vec<Warning>,
    /// Whether people know its contents: they were notified, or nothing in it is new.
    pub told: bool,
    /// Every decided window that was not archived before.
    pub decided: Vec<DecidedWindow>,
    /// The open windows at the run's end, with those that wait and those that no entry matches any more.
    pub missing: Vec<OpenWindow>,
    /// The log groups that the run found.
    pub found: BTreeSet<LogGroupName>,
}

impl Report {
    /// Whether the run exported, recorded or compacted anything, or tried to.
    pub fn did_anything(&self) -> bool {
        !self.compacted.is_empty()
            || self.decided.iter().any(|decided| match &decided.outcome {
                WindowOutcome::Exported { .. }
                | WindowOutcome::Empty { .. }
                | WindowOutcome::Skipped { .. }
                | WindowOutcome::Lost { .. } => true,
                WindowOutcome::Failed { tried, .. } => *tried,
                WindowOutcome::NothingYet | WindowOutcome::Waiting | WindowOutcome::Warned { .. } => false,
            })
    }

    /// Whether it agrees with an earlier report in everything that stays until somebody acts.
    pub fn agrees_with(&self, earlier: &Self) -> bool {
        (self.due_month, self.due_month_archived, self.compared_everything)
            == (earlier.due_month, earlier.due_month_archived, earlier.compared_everything)
            && (&self.warnings, &self.found) == (&earlier.warnings, &earlier.found)
            // The last report before a month's end has the log groups that were found in that month.
            && self.scheduled_month() == earlier.scheduled_month()
            && (self.open_windows(), self.missing_count) == (earlier.open_windows(), earlier.missing_count)
            // Only the names: AWS's messages can have request ids.
            && self.error.as_ref().map(|failure| &failure.error) == earlier.error.as_ref().map(|failure| &failure.error)
    }

    fn scheduled_month(&self) -> Option<Month> {
        Some(Month::at(parse_instant(self.scheduled_time.as_deref()?)?, self.timezone.parse().ok()?))
    }

    /// What counts as a difference between open windows: not the number of tries, and not the run.
    fn open_windows(&self) -> BTreeSet<impl Ord> {
        self.missing.iter().map(|open| (&open.place.log_group, open.month, open.window(), open.outcome, open.error.as_deref())).collect()
    }
}

/// How many log-group-months, or windows of one, had each outcome.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub already_archived: u64,
    pub exported: u64,
    /// How many of the exported replaced a manifest that was not valid.
    pub repaired: u64,
    pub empty: u64,
    pub skipped: u64,
    pub lost: u64,
    pub nothing_yet: u64,
    pub waiting: u64,
    pub warned: u64,
    pub failed: u64,
    pub objects: u64,
    pub bytes: u64,
}

impl Counts {
    /// Counts a run's windows, and adds up the seconds in which its tasks held the slot.
    pub fn count(archived: &BTreeMap<Month, u64>, decided: &[DecidedWindow]) -> (Self, f64) {
        let mut counts = Self { already_archived: archived.values().sum(), ..Self::default() };
        let mut slot_seconds = 0.0;
        for decided in decided {
            match &decided.outcome {
                WindowOutcome::Exported { objects, bytes, seconds, repairs, .. } => {
                    counts.exported += 1;
                    counts.repaired += u64::from(repairs.is_some());
                    counts.objects += objects;
                    counts.bytes += bytes;
                    slot_seconds += seconds;
                }
                WindowOutcome::Empty { seconds, .. } => {
                    counts.empty += 1;
                    slot_seconds += seconds;
                }
                WindowOutcome::Skipped { .. } => counts.skipped += 1,
                WindowOutcome::Lost { .. } => counts.lost += 1,
                WindowOutcome::NothingYet => counts.nothing_yet += 1,
                WindowOutcome::Waiting => counts.waiting += 1,
                WindowOutcome::Warned { .. } => counts.warned += 1,
                WindowOutcome::Failed { .. } => counts.failed += 1,
            }
        }
        (counts, slot_seconds)
    }
}

/// The output of a run that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    pub due_month: Month,
    pub timezone: String,
    pub months: Vec<Month>,
    #[serde(flatten)]
    pub counts: Counts,
    /// How many windows the whole archive misses at the run's end.
    pub missing: u64,
    pub slot_hours_used: f64,
    pub slot_hours_needed: f64,
    /// The first warnings. The report has all.
    pub warnings: Vec<Warning>,
    pub warnings_in_all: usize,
    pub report: crate::contract::plan::S3Object,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decided_windows_are_counted_and_parse_back() {
        let source = json!({"s3BucketName": "my-archive", "s3Prefix": "logs", "logGroupName": "/a"});
        let line = |became: serde_json::Value| {
            let mut line = json!({"source": source, "month": "2026-10", "window": {"from": 1, "to": 2}});
            line.as_object_mut().unwrap().extend(became.as_object().unwrap().clone());
            let decided: DecidedWindow = serde_json::from_value(line.clone()).unwrap();
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
            line(json!({"became": "lost", "reason": "Expired"})),
            line(json!({"became": "waiting"})),
            line(json!({"became": "failed", "failure": {"error": "AccessDenied", "message": "m"}, "tried": true, "blocked_by": "x"})),
        ];
        let archived = BTreeMap::from([("2026-09".parse().unwrap(), 4), ("2026-10".parse().unwrap(), 5)]);
        assert_eq!(
            json!(Counts::count(&archived, &decided)),
            json!([{"alreadyArchived": 9, "exported": 2, "repaired": 1, "empty": 1, "skipped": 1, "lost": 1, "nothingYet": 1, "waiting": 1,
                "warned": 1, "failed": 1, "objects": 5, "bytes": 15}, 3.75])
        );
    }
}
