//! A run's report, which lies in the archive, and its output, which Step Functions keeps.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    LogGroupName, Month,
    compaction::ManifestDigests,
    contract::plan::{Decided, Failure, Settled},
    missing::OpenWindow,
    time::parse_instant,
    warning::Warning,
};

pub const SCHEMA_VERSION: u32 = 2;

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
    /// Of a scheduled run: nothing of the due month is open.
    pub due_month_archived: bool,
    pub timezone: String,
    /// The months that the run looked at.
    pub months: Vec<Month>,
    pub counts: Counts,
    /// How many windows of `missing` are missing: those that failed, and those that have waited for their turn too long.
    pub missing_count: u64,
    /// For how long this run's tasks held the export slot.
    pub slot_hours_used: f64,
    /// For how long the list needs the slot in a month, by what is archived of the due month.
    pub slot_hours_needed: f64,
    /// The error that refused the run, or that its planning ended with.
    pub error: Option<Failure>,
    /// The months that the run handed to the compaction.
    #[serde(default)]
    pub compacted: BTreeSet<Month>,
    /// Of a run that writes Parquet: the manifests that the Parquet follows. The next such run compacts the months whose manifests differ.
    #[serde(default)]
    pub compacted_manifests: Option<ManifestDigests>,
    pub compaction_error: Option<Failure>,
    pub warnings: Vec<Warning>,
    /// Nothing in it is still to be told to people.
    pub told: bool,
    /// Everything but what was archived already.
    pub decided: Vec<Decided>,
    /// What the archive lacks when the run ends, with what waits and what no entry asks for any more.
    pub missing: Vec<OpenWindow>,
    /// The log groups that the run found.
    pub found: BTreeSet<LogGroupName>,
}

impl Report {
    /// Whether the run exported, recorded or compacted anything, or tried to.
    pub fn did_anything(&self) -> bool {
        !self.compacted.is_empty()
            || self.decided.iter().any(|decided| match &decided.settled {
                Settled::Exported { .. } | Settled::Empty { .. } | Settled::Skipped { .. } | Settled::Lost { .. } => true,
                Settled::Failed { tried, .. } => *tried,
                Settled::NothingYet | Settled::Waiting | Settled::Warned { .. } => false,
            })
    }

    /// Whether it says what `last`, an earlier one, said: of everything that stays until somebody does something.
    pub fn says_the_same(&self, last: &Self) -> bool {
        (self.due_month, self.due_month_archived, self.compared_everything)
            == (last.due_month, last.due_month_archived, last.compared_everything)
            && (&self.warnings, &self.found) == (&last.warnings, &last.found)
            // The report before a month's end tells which log groups were found in that month.
            && self.month_of_schedule() == last.month_of_schedule()
            && (self.open(), self.missing_count) == (last.open(), last.missing_count)
            // AWS's messages can name a request.
            && self.error.as_ref().map(|failure| &failure.error) == last.error.as_ref().map(|failure| &failure.error)
    }

    fn month_of_schedule(&self) -> Option<Month> {
        Some(Month::at(parse_instant(self.scheduled_time.as_deref()?)?, self.timezone.parse().ok()?))
    }

    /// What makes a difference of the open windows: not how often each was tried, nor by whom.
    fn open(&self) -> BTreeSet<impl Ord> {
        self.missing.iter().map(|open| (&open.log_group, open.month, open.window(), open.outcome, open.error.as_deref())).collect()
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
    pub lost: u64,
    pub nothing_yet: u64,
    pub waiting: u64,
    pub warned: u64,
    pub failed: u64,
    pub objects: u64,
    pub bytes: u64,
}

impl Counts {
    /// With the seconds for which the run's tasks held the slot.
    pub fn of(archived: &BTreeMap<Month, u64>, decided: &[Decided]) -> (Self, f64) {
        let mut counts = Self { already_archived: archived.values().sum(), ..Self::default() };
        let mut slot_seconds = 0.0;
        for decided in decided {
            match &decided.settled {
                Settled::Exported { objects, bytes, seconds, repairs, .. } => {
                    counts.exported += 1;
                    counts.repaired += u64::from(repairs.is_some());
                    counts.objects += objects;
                    counts.bytes += bytes;
                    slot_seconds += seconds;
                }
                Settled::Empty { seconds, .. } => {
                    counts.empty += 1;
                    slot_seconds += seconds;
                }
                Settled::Skipped { .. } => counts.skipped += 1,
                Settled::Lost { .. } => counts.lost += 1,
                Settled::NothingYet => counts.nothing_yet += 1,
                Settled::Waiting => counts.waiting += 1,
                Settled::Warned { .. } => counts.warned += 1,
                Settled::Failed { .. } => counts.failed += 1,
            }
        }
        (counts, slot_seconds)
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
    /// In the whole archive, when the run ended.
    pub missing: u64,
    pub slot_hours_used: f64,
    pub slot_hours_needed: f64,
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
            line(json!({"became": "lost", "reason": "Expired"})),
            line(json!({"became": "waiting"})),
            line(json!({"became": "failed", "failure": {"error": "AccessDenied", "message": "m"}, "tried": true, "blocked_by": "x"})),
        ];
        let archived = BTreeMap::from([("2026-09".parse().unwrap(), 4), ("2026-10".parse().unwrap(), 5)]);
        assert_eq!(
            json!(Counts::of(&archived, &decided)),
            json!([{"alreadyArchived": 9, "exported": 2, "repaired": 1, "empty": 1, "skipped": 1, "lost": 1, "nothingYet": 1, "waiting": 1,
                "warned": 1, "failed": 1, "objects": 5, "bytes": 15}, 3.75])
        );
    }
}
