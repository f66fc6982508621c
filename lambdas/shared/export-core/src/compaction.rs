//! Which months a run hands to the compaction: those whose Parquet may not follow the manifests.
//!
//! The reports tell it. A month is owed once a run archived something in it, and until a compaction of it succeeded. A run that was stopped
//! leaves no report: of the months that a run looks at, the manifests tell it too.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{Month, manifest::Manifest, time::parse_instant};

/// No run takes longer: it is the time limit of the workflow.
const LONGEST_RUN: TimeDelta = TimeDelta::days(5);

/// What a report says of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    pub execution: String,
    pub started: DateTime<Utc>,
    pub ended: DateTime<Utc>,
    /// The months in which it archived something.
    pub archived: BTreeSet<Month>,
    /// The months that it handed to the compaction: all that were owed then.
    pub compacted: BTreeSet<Month>,
    pub compaction_failed: bool,
}

impl PastRun {
    fn has_compacted(&self) -> bool {
        !self.compacted.is_empty()
    }
}

/// What a run has to know of those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncompacted {
    pub months: BTreeSet<Month>,
    /// The last run that handed months to the compaction. `None`: none has.
    pub last: Option<Compacted>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    pub execution: String,
    pub started: DateTime<Utc>,
}

impl Uncompacted {
    /// Another run archived this since the last one began that handed months to the compaction.
    pub fn has_missed(&self, manifest: &Manifest) -> bool {
        let completed = manifest.completed.as_deref().and_then(parse_instant);
        let is_other = |last: &&Compacted| manifest.execution.as_deref() != Some(last.execution.as_str());
        self.last.as_ref().filter(is_other).zip(completed).is_some_and(|(last, completed)| completed > last.started)
    }
}

/// Whether reports that are older than these can still say what is owed. A run that was under way when a compaction began can have
/// archived something afterwards.
pub fn looks_further_back(newest_first: &[PastRun]) -> bool {
    let last = newest_first.iter().find(|run| run.has_compacted());
    last.zip(newest_first.last()).is_none_or(|(compacted, oldest)| oldest.started + LONGEST_RUN >= compacted.started)
}

/// What is owed. Where no run has compacted anything yet, that are no months.
pub fn owed(newest_first: &[PastRun]) -> Uncompacted {
    // Each with the end of the last run that may have changed it.
    let mut owed: BTreeMap<Month, DateTime<Utc>> = BTreeMap::new();
    for run in newest_first.iter().rev() {
        if run.has_compacted() {
            owed.retain(|_, ended| *ended > run.started);
        }
        let months = match (run.has_compacted(), run.compaction_failed) {
            (true, false) => continue,
            (true, true) => &run.compacted,
            (false, _) => &run.archived,
        };
        for month in months {
            let ended = owed.entry(*month).or_insert(run.ended);
            *ended = run.ended.max(*ended);
        }
    }
    let last = newest_first.iter().find(|run| run.has_compacted());
    let last = last.map(|run| Compacted { execution: run.execution.clone(), started: run.started });
    Uncompacted { months: if last.is_some() { owed.into_keys().collect() } else { BTreeSet::new() }, last }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours since some instant, and months of 2026.
    fn run(hours: [i64; 2], archived: &[u32], compacted: &[u32], compaction_failed: bool) -> PastRun {
        let at = |hours: i64| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        let months = |numbers: &[u32]| numbers.iter().map(|month| format!("2026-{month:02}").parse().unwrap()).collect();
        PastRun {
            execution: format!("run at {}", hours[0]),
            started: at(hours[0]),
            ended: at(hours[1]),
            archived: months(archived),
            compacted: months(compacted),
            compaction_failed,
        }
    }

    #[test]
    fn a_month_is_owed_until_a_compaction_of_it_succeeded() {
        type Case<'a> = (&'a str, &'a [PastRun], Option<&'a [u32]>);
        const FAILED: bool = true;
        const WELL: bool = false;
        // The oldest first.
        let cases: [Case; 9] = [
            ("no run at all", &[], None),
            ("none that compacted", &[run([0, 1], &[1], &[], WELL)], None),
            (
                "what was archived before the first compaction is its own",
                &[run([0, 1], &[1], &[], WELL), run([2, 3], &[2], &[2], WELL)],
                Some(&[]),
            ),
            ("a compaction that failed", &[run([0, 1], &[2], &[1, 2], FAILED)], Some(&[1, 2])),
            ("one that failed and one that succeeded", &[run([0, 1], &[2], &[1, 2], FAILED), run([2, 3], &[], &[1, 2], WELL)], Some(&[])),
            ("archived since, without a compaction", &[run([0, 1], &[1], &[1], WELL), run([2, 3], &[3], &[], WELL)], Some(&[3])),
            (
                "archived since, and failed since",
                &[
                    run([0, 1], &[1], &[1], WELL),
                    run([2, 3], &[3], &[], WELL),
                    run([4, 5], &[4], &[3, 4], FAILED),
                    run([6, 7], &[5], &[], WELL),
                ],
                Some(&[3, 4, 5]),
            ),
            ("archived while another run compacted", &[run([0, 9], &[6], &[], WELL), run([2, 3], &[1], &[1, 6], WELL)], Some(&[6])),
            ("nothing happened since", &[run([0, 1], &[1], &[1], WELL), run([2, 3], &[], &[], WELL)], Some(&[])),
        ];
        for (name, runs, expected) in cases {
            let newest_first: Vec<PastRun> = runs.iter().rev().cloned().collect();
            let expected = expected.map(|months| run([0, 0], months, &[], WELL).archived);
            let owed = owed(&newest_first);
            assert_eq!(owed.last.is_some().then_some(owed.months), expected, "{name}");
        }
    }

    #[test]
    fn a_manifest_tells_of_a_run_that_left_no_report() {
        let manifest = |completed: &str, execution: &str| -> Manifest {
            let manifest = serde_json::json!({
                "schema_version": 2, "outcome": "exported", "reason": null, "account": "111122223333", "region": "ap-northeast-1",
                "bucket": "my-archive", "log_group": "/a", "log_stream_name_prefix": null, "timezone": "UTC", "window_from": 0, "window_to": 1,
                "destination_prefix": "p", "task_id": "t", "objects": 1, "hidden_objects": 0, "bytes": 1, "digest": null,
                "created": "2026-11-02T03:00:00Z", "completed": completed, "execution": execution, "warnings": [],
            });
            serde_json::from_value(manifest).unwrap()
        };
        let last = Compacted { execution: "last".to_owned(), started: "2026-11-02T04:00:00Z".parse().unwrap() };
        let uncompacted = Uncompacted { last: Some(last), ..Uncompacted::default() };
        for (completed, execution, expected) in
            [("2026-11-02T04:00:00.001Z", "other", true), ("2026-11-02T04:00:00Z", "other", false), ("2026-11-02T05:00:00Z", "last", false)]
        {
            assert_eq!(uncompacted.has_missed(&manifest(completed, execution)), expected, "{completed} {execution}");
            assert!(!Uncompacted::default().has_missed(&manifest(completed, execution)), "no run has compacted anything");
        }
    }

    #[test]
    fn reports_are_read_back_to_the_runs_that_a_compaction_may_have_missed() {
        let (idle, compacted) = (|hour| run([hour, hour + 1], &[], &[], false), run([200, 201], &[1], &[1], true));
        assert!(looks_further_back(&[]));
        assert!(looks_further_back(&[idle(300)]));
        assert!(looks_further_back(&[idle(300), compacted.clone()]));
        assert!(looks_further_back(&[idle(300), compacted.clone(), idle(80)]));
        assert!(!looks_further_back(&[idle(300), compacted, idle(79)]));
    }
}
