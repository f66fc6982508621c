//! The check: the archive holds each event of the month exactly once, byte for byte, and nothing else.
//!
//! It knows what must be there from the samples alone, and takes neither the run's word for it nor any code that made the archive.

mod accounts;
mod contents;
mod rows;

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::archive::StoredObject;
use crate::execution::{Skip, skips};
use crate::samples::{LogGroup, SampleLogs};

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
    pub answers: BTreeMap<String, usize>,
    /// The output of the execution.
    pub output: Value,
}

/// One statement about the archive, and what speaks against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    /// Each says what was expected and what was found.
    pub problems: Vec<String>,
}

/// Where a log group's month landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    pub log_group_name: String,
    pub uri: String,
    pub objects: usize,
    /// As stored.
    pub bytes: usize,
    pub events: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub checks: Vec<Check>,
    /// The log groups that have an export task.
    pub landed: Vec<Landed>,
    /// Those that the run passed over.
    pub skips: Vec<Skip>,
}

impl Report {
    pub fn held(&self) -> bool {
        self.checks.iter().all(|check| check.problems.is_empty())
    }
}

/// Checks a run that was to export all sample groups, and [`MISSING_LOG_GROUP`](crate::samples::MISSING_LOG_GROUP), below `s3_prefix`.
pub fn check(samples: &SampleLogs, s3_prefix: &str, evidence: &Evidence) -> Result<Report> {
    let rows = rows::prefix(samples, s3_prefix);
    let places: Vec<Place<'_>> = samples.groups.iter().map(|group| Place::new(samples, s3_prefix, group, evidence)).collect();
    let mut landed = Vec::new();
    let mut problems = Vec::new();
    for place in &places {
        let there = contents::check(samples, place, &evidence.bucket, &mut problems)?;
        if !place.tasks.is_empty() {
            landed.push(there);
        }
    }
    let checks = vec![
        Check { name: "each event of the month is there exactly once, byte for byte, and no other", problems },
        Check { name: "nothing else lies in the bucket", problems: contents::strays(&places, &rows, evidence) },
        Check {
            name: "one export task for each log group, of the right window and place",
            problems: accounts::tasks(samples, &places, evidence),
        },
        Check { name: "each manifest agrees with what lies beside it", problems: accounts::manifests(samples, &places)? },
        Check {
            name: "the table manifests has a row for each manifest, and says the same",
            problems: rows::check(&places, &rows, evidence),
        },
        Check { name: "Athena counts the same events", problems: rows::counts(&landed, evidence) },
        Check { name: "the run's output agrees with the archive", problems: accounts::output(samples, &places, evidence) },
    ];
    Ok(Report { checks, landed, skips: skips(&evidence.output) })
}

/// Where a log group's month belongs, and what was found there.
struct Place<'a> {
    group: &'a LogGroup,
    prefix: String,
    tasks: Vec<&'a ExportTask>,
    /// By the rest of the key after the prefix and its slash.
    objects: BTreeMap<&'a str, &'a StoredObject>,
}

impl<'a> Place<'a> {
    fn new(samples: &SampleLogs, s3_prefix: &str, group: &'a LogGroup, evidence: &'a Evidence) -> Self {
        let (year, month) = (samples.month.year(), samples.month.month());
        let prefix = format!("{s3_prefix}/log_group={}/year={year:04}/month={month:02}", group.name);
        let objects =
            evidence.objects.iter().filter_map(|object| Some((object.key.strip_prefix(&prefix)?.strip_prefix('/')?, object))).collect();
        let tasks = evidence.tasks.iter().filter(|task| task.log_group_name == group.name).collect();
        Self { group, prefix, tasks, objects }
    }

    /// The objects with events: `<taskId>/<stream>/000000.gz`, by the stream's folder. Those of other tasks count as well, so that
    /// an event exported twice is found.
    fn data(&self) -> impl Iterator<Item = (&'a str, &'a StoredObject)> {
        self.objects.iter().filter_map(|(rest, object)| {
            let (task_id, rest) = rest.split_once('/')?;
            let (folder, file) = rest.rsplit_once('/')?;
            let known = self.tasks.iter().any(|task| task.task_id == task_id);
            (known && !folder.contains('/') && is_data_file(file)).then_some((folder, *object))
        })
    }
}

/// `000000.gz`, `000001.gz`, ...
fn is_data_file(name: &str) -> bool {
    name.strip_suffix(".gz").is_some_and(|number| number.len() == 6 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
