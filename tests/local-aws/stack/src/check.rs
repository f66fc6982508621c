//! The check: the archive holds each event of the month exactly once, byte for byte, and nothing else; and a run exports what is missing
//! in it, and nothing else.
//!
//! It knows what must be there from the samples alone. It uses neither the output of a run nor the code that makes the archive.

mod contents;
mod manifests;
mod runs;

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::samples::{LogGroup, SampleLogs};
use crate::stored_objects::StoredObject;

/// CloudWatch Logs accepts events that are up to 14 days old, so they can still arrive in a month that is over.
const LATE_EVENTS_MS: i64 = 14 * 86_400_000;

/// An export task, as DescribeExportTasks reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportTask {
    pub task_id: String,
    pub log_group_name: String,
    pub status: String,
    pub from: i64,
    pub to: i64,
    pub destination: String,
    pub destination_prefix: String,
}

/// Everything there is after a run.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub bucket: String,
    /// Every object of the bucket.
    pub objects: Vec<StoredObject>,
    /// Every export task that was ever created.
    pub tasks: Vec<ExportTask>,
    /// Events by log group, as Athena counts them.
    pub athena_counts: BTreeMap<String, usize>,
    pub execution_arn: String,
    /// The execution's output.
    pub output: Value,
    /// When the run started, in epoch milliseconds.
    pub started: i64,
}

/// An archive that has lost an object since the last run.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// As the last run left it.
    pub before: Evidence,
    pub log_group_name: String,
    pub removed: StoredObject,
}

/// One statement about the archive, and what speaks against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    /// Each says what was expected and what was found.
    pub problems: Vec<String>,
}

/// What the archive has of a log group's month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    pub log_group_name: String,
    /// As the manifest has it, with the reason; empty where there is no manifest.
    pub outcome: String,
    /// Where the objects lie, below the bucket; `None` without a task.
    pub folder: Option<String>,
    pub objects: usize,
    /// As stored.
    pub bytes: usize,
    pub events: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub checks: Vec<Check>,
    /// In the order of the samples.
    pub archived: Vec<Archived>,
}

impl Report {
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.problems.is_empty())
    }
}

/// Checks a run that was to look at all sample groups, and [`MISSING_LOG_GROUP`](crate::samples::MISSING_LOG_GROUP), below `s3_prefix`:
/// the first one, or the one that repairs what is damaged.
pub fn check(samples: &SampleLogs, s3_prefix: &str, damaged: Option<&Damaged>, evidence: &Evidence) -> Result<Report> {
    let case = Case { samples, s3_prefix, damaged, evidence };
    let places: Vec<ExpectedMonth<'_>> = samples.groups.iter().map(|group| ExpectedMonth::new(&case, group)).collect();
    let mut events = Vec::new();
    let archived = places.iter().map(|place| contents::check(samples, place, &mut events)).collect::<Result<Vec<_>>>()?;
    let tasks = match damaged {
        None => "one export task for each log group, of the right window and place",
        Some(_) => "one new export task, of the damaged log group alone",
    };
    let checks = vec![
        Check { name: "each event of the month is there exactly once, byte for byte, and no other", problems: events },
        Check { name: "nothing else lies in the bucket, and what lay there is unchanged", problems: contents::strays(&case, &places) },
        Check { name: tasks, problems: runs::tasks(&case, &places) },
        Check { name: "each manifest states what lies in the bucket", problems: manifests::check(&case, &places) },
        Check { name: "Athena counts the same events", problems: contents::counts(samples, evidence) },
        Check { name: "the run's output and report say the same", problems: runs::output(&case, &places) },
    ];
    Ok(Report { checks, archived })
}

/// What is to be checked, and against what.
struct Case<'a> {
    samples: &'a SampleLogs,
    s3_prefix: &'a str,
    damaged: Option<&'a Damaged>,
    evidence: &'a Evidence,
}

impl Case<'_> {
    /// Where the month's objects of one kind lie, such as `manifests`, with a slash behind it.
    fn folder(&self, kind: &str) -> String {
        let month = self.samples.month;
        format!("{}/{kind}/year={:04}/month={:02}/", self.s3_prefix, month.year(), month.month())
    }
}

/// A log group's month: where it belongs, and what was found there.
struct ExpectedMonth<'a> {
    group: &'a LogGroup,
    /// Without a slash at the end.
    prefix: String,
    /// All that name this log group; there is to be one at most.
    manifests: Vec<(&'a StoredObject, Value)>,
    /// Tasks of this run, and of the ones before.
    tasks: Vec<&'a ExportTask>,
    earlier_tasks: Vec<&'a ExportTask>,
    /// What the run must make of it.
    expected_outcome: ExpectedOutcome,
    /// By the rest of the key after the prefix and its slash.
    objects: BTreeMap<&'a str, &'a StoredObject>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExpectedOutcome {
    AlreadyArchived,
    /// By a task, whatever that wrote.
    Exported,
    Skipped,
    NothingYet,
}

impl<'a> ExpectedMonth<'a> {
    fn new(case: &Case<'a>, group: &'a LogGroup) -> Self {
        let evidence = case.evidence;
        let prefix = case.folder(&format!("log_group={}", group.name)).trim_end_matches('/').to_owned();
        let manifests = manifests::of(case, &evidence.objects, &group.name);
        let of_group = evidence.tasks.iter().filter(|task| task.log_group_name == group.name);
        let is_earlier = |task: &&ExportTask| case.damaged.is_some_and(|damaged| damaged.before.tasks.contains(task));
        let (earlier_tasks, tasks): (Vec<_>, Vec<_>) = of_group.partition(is_earlier);
        let was_archived = case.damaged.is_some_and(|damaged| {
            damaged.log_group_name != group.name && !manifests::of(case, &damaged.before.objects, &group.name).is_empty()
        });
        let expected_outcome = match (was_archived, group.events_in(case.samples.window)) {
            (true, _) => ExpectedOutcome::AlreadyArchived,
            // No event lies in the month. Only an export can tell: events lie around it, or a stream has no known time.
            (false, 0) if !tasks.is_empty() => ExpectedOutcome::Exported,
            (false, 0) if evidence.started < case.samples.window.to + 1 + LATE_EVENTS_MS => ExpectedOutcome::NothingYet,
            (false, 0) => ExpectedOutcome::Skipped,
            (false, _) => ExpectedOutcome::Exported,
        };
        let rest = |object: &'a StoredObject| object.key.strip_prefix(&prefix)?.strip_prefix('/');
        let objects = evidence.objects.iter().filter_map(|object| Some((rest(object)?, object))).collect();
        Self { group, prefix, manifests, tasks, earlier_tasks, expected_outcome, objects }
    }

    /// The task whose export the archive must have.
    fn task(&self) -> Option<&'a ExportTask> {
        self.tasks.first().or(self.earlier_tasks.first()).copied()
    }

    /// The objects with events that Athena reads: `<taskId>/<stream>/000000.gz` of a task that a manifest names, by the stream's folder.
    fn data(&self) -> impl Iterator<Item = (&'a str, &'a StoredObject)> {
        self.objects.iter().filter_map(|(rest, object)| {
            let (task_id, rest) = rest.split_once('/')?;
            let (folder, file) = rest.rsplit_once('/')?;
            let named = self.manifests.iter().any(|(_, manifest)| manifest["task_id"] == task_id);
            (named && !folder.contains('/') && is_data_file(file)).then_some((folder, *object))
        })
    }
}

/// `000000.gz`, `000001.gz`, ...
fn is_data_file(name: &str) -> bool {
    name.strip_suffix(".gz").is_some_and(|number| number.len() == 6 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Compares the fields of `expected`, and lets others be.
fn differing_fields(subject: &str, expected: &Value, found: &Value, problems: &mut Vec<String>) {
    for (field, expected) in expected.as_object().into_iter().flatten() {
        let found = &found[field];
        if expected != found {
            problems.push(format!("{subject}: {field}: expected {expected}, found {found}"));
        }
    }
}

#[cfg(test)]
mod tests;
