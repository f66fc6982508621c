//! Compares one window of the archive with CloudWatch Logs, in memory that does not grow with the number of events.
//!
//! The first pass computes a [`Tally`] of each log stream, for the archive and for CloudWatch Logs. If the two differ, further passes find
//! the events. Each pass takes a part of the window's milliseconds, so it keeps about [`MAX_HASHES`] hashes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use archive::Archive;
use aws_sdk_cloudwatchlogs::types::OutputLogEvent;
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{decide::LogGroup, manifest::Manifest, place::ManifestKey, time::Millis};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    events::{
        exported::{self, ObjectProblem, TaskFolder},
        records::{Record, Splitter, Tally},
        source::{self, End},
    },
    failure::Failure,
};

/// How many log streams, and how many folders, are read at a time.
const CONCURRENCY: usize = 4;
/// How many hashes a pass keeps.
const MAX_HASHES: u64 = 200_000;
/// How many events of each kind are shown in a pass.
const MAX_EXAMPLES: usize = 10;
/// How many bytes of a message are shown.
const EXCERPT_BYTES: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// CloudWatch Logs has the event, and the archive does not.
    Missing,
    /// The same, but the event arrived after the export task was created.
    Late,
    /// The archive has the event more often than CloudWatch Logs.
    Extra,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    pub kind: Kind,
    pub timestamp: Option<String>,
    pub message: String,
    /// The object of an extra event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub missing: u64,
    pub extra: u64,
    /// A missing and an extra event with the same log stream and time count as one changed event.
    pub changed: u64,
    pub late: u64,
    /// The archive has the event, and retention has deleted it from CloudWatch Logs.
    pub expired: u64,
}

impl Counts {
    pub fn differ(&self) -> bool {
        self.missing + self.extra + self.changed + self.late > 0
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { missing, extra, changed, late, expired } = other;
        self.missing += missing;
        self.extra += extra;
        self.changed += changed;
        self.late += late;
        self.expired += expired;
    }
}

/// A folder of the task. It belongs to one log stream, or to several whose names differ in `/` and `-` only.
#[derive(Debug, Default)]
pub struct StreamFolder {
    pub log_streams: BTreeSet<String>,
    objects: Vec<String>,
    is_incomplete: bool,
    pub source: Tally,
    pub archived: Tally,
    pub counts: Counts,
    pub examples: Vec<Example>,
}

#[derive(Debug, Default)]
pub struct Comparison {
    pub folders: BTreeMap<String, StreamFolder>,
    pub objects: u64,
    pub bytes: u64,
    /// The objects that differ from the manifest, and those that are damaged.
    pub problems: Vec<String>,
    /// The log streams and objects that could not be read to their end.
    pub incomplete: Vec<String>,
    /// Events before this time have expired in CloudWatch Logs, or may have. A deleted log group has no events at all.
    pub expired_before: Option<Millis>,
}

impl StreamFolder {
    /// Whether the events differ. That is unknown if they were not read to their end.
    fn differs(&self) -> bool {
        self.source != self.archived && !self.is_incomplete
    }
}

impl Comparison {
    /// The result if a call of AWS has failed.
    pub fn failed(why: String) -> Self {
        Self { incomplete: vec![why], ..Self::default() }
    }

    fn add_source(&mut self, source: Vec<(String, Tally, End)>) {
        for (name, tally, end) in source.into_iter().filter(|(_, tally, end)| tally.events > 0 || *end == End::Incomplete) {
            let folder = self.folders.entry(exported::folder_name(&name)).or_default();
            if end == End::Incomplete {
                folder.is_incomplete = true;
                self.incomplete.push(format!("log stream {name}: CloudWatch Logs answered with empty pages only, without an end"));
            }
            folder.log_streams.insert(name);
            folder.source += tally;
        }
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.folders.values().for_each(|folder| counts += folder.counts);
        counts
    }
}

/// Compares the window of a manifest.
pub struct WindowComparer<'a> {
    pub archive: &'a Archive,
    pub key: &'a ManifestKey,
    pub manifest: &'a Manifest,
    pub now: DateTime<Utc>,
}

impl WindowComparer<'_> {
    /// Compares the number, bytes and digest of the objects with the manifest.
    pub async fn compare_objects(&self) -> Result<Comparison, Failure> {
        self.list_objects().await.map(|(comparison, _)| comparison)
    }

    /// Also compares every event with CloudWatch Logs.
    pub async fn compare_events(&self, log_group: &LogGroup) -> Result<Comparison, Failure> {
        let (mut comparison, mut folder) = self.list_objects().await?;
        comparison.expired_before = self.expired_before(log_group);
        for object in std::mem::take(&mut folder.objects) {
            let log_stream = folder.log_stream(&object.key).to_owned();
            comparison.folders.entry(log_stream).or_default().objects.push(object.key);
        }
        let (source, archived) = tokio::try_join!(self.tally_source(), self.tally_objects(&comparison.folders))?;
        for (name, tally, problems) in archived {
            let folder = comparison.folders.entry(name).or_default();
            folder.archived = tally;
            for problem in problems {
                match problem {
                    ObjectProblem::Damaged(problem) => comparison.problems.push(problem),
                    ObjectProblem::Frozen(object) => {
                        folder.is_incomplete = true;
                        comparison.incomplete.push(format!("{object}: restore it, then repeat the command"));
                    }
                }
            }
        }
        comparison.add_source(source);
        let expired_before = comparison.expired_before;
        for folder in comparison.folders.values_mut().filter(|folder| folder.differs()) {
            // The whole window has expired, so all archived events have expired.
            if folder.source.events == 0 && expired_before.is_some_and(|expired| self.manifest.window_to < expired) {
                folder.counts.expired = folder.archived.events;
            } else {
                self.find_differences(folder, expired_before).await?;
            }
        }
        Ok(comparison)
    }

    async fn list_objects(&self) -> Result<(Comparison, TaskFolder), Failure> {
        let mut folder = exported::list_task_folder(self.archive, self.key, self.manifest).await?;
        let (objects, bytes, problems) = (folder.listing.objects, folder.listing.bytes, std::mem::take(&mut folder.problems));
        Ok((Comparison { objects, bytes, problems, ..Comparison::default() }, folder))
    }

    /// The time before which CloudWatch Logs may have deleted archived events.
    fn expired_before(&self, log_group: &LogGroup) -> Option<Millis> {
        let LogGroup::Present { created, retention_in_days, .. } = log_group else { return Some(Millis(i64::MAX)) };
        // The log group was created anew after the export, so the archive has the events of the previous log group.
        if created.and_then(Millis::instant) > self.manifest.created_at() {
            return Some(Millis(i64::MAX));
        }
        retention_in_days.map(|days| Millis::of(self.now - TimeDelta::days(days.into())))
    }

    /// Reads each log stream in its own Tokio task, so that all processors compute hashes.
    async fn tally_source(&self) -> Result<Vec<(String, Tally, End)>, Failure> {
        let (log_group, window) = (self.manifest.log_group.as_str(), self.manifest.window());
        let names = source::list_log_streams(&self.archive.logs, log_group, self.manifest.log_stream_name_prefix.as_ref()).await?;
        let read = |name: String| {
            let (logs, log_group) = (self.archive.logs.clone(), log_group.to_owned());
            tokio::spawn(async move {
                let mut tally = Tally::default();
                let mut splitter = Splitter::new(|record: Record| tally.add(&record));
                let visit = |event: &OutputLogEvent| splitter.push_event(timestamp(event), event.message().unwrap_or_default());
                let end = source::read_stream(&logs, &log_group, &name, window, visit).await?;
                Ok::<_, Failure>((name, tally, end))
            })
        };
        let read = stream::iter(names.unwrap_or_default()).map(read).buffer_unordered(CONCURRENCY);
        read.map(|joined| joined.expect("a reader does not panic")).try_collect().await
    }

    /// The tally of each folder, and the problems of its objects.
    async fn tally_objects(&self, folders: &BTreeMap<String, StreamFolder>) -> Result<Vec<(String, Tally, Vec<ObjectProblem>)>, Failure> {
        let read = |(name, folder): (&String, &StreamFolder)| {
            let (s3, bucket, name) = (self.archive.s3.clone(), self.manifest.bucket.clone(), name.clone());
            let objects = folder.objects.clone();
            tokio::spawn(async move {
                let (mut tally, mut problems) = (Tally::default(), Vec::new());
                for key in objects {
                    problems.extend(exported::read_records(&s3, bucket.as_str(), &key, None, |record| tally.add(&record)).await?.err());
                }
                Ok::<_, Failure>((name, tally, problems))
            })
        };
        let read = stream::iter(folders).map(read).buffer_unordered(CONCURRENCY);
        read.map(|joined| joined.expect("a reader does not panic")).try_collect().await
    }

    /// Finds the events of a folder that differ.
    async fn find_differences(&self, folder: &mut StreamFolder, expired_before: Option<Millis>) -> Result<(), Failure> {
        let passes = folder.source.events.max(folder.archived.events).div_ceil(MAX_HASHES).max(1);
        for pass in 0..passes {
            let is_in_pass = |record: &Record| record.at.map_or(0, scatter) % passes == pass;
            // How much more often CloudWatch Logs has each event than the archive.
            let mut surplus: HashMap<u64, i64> = HashMap::new();
            self.visit_source(folder, |record, _| {
                if is_in_pass(record) {
                    *surplus.entry(short_hash(record)).or_default() += 1;
                }
            })
            .await?;
            self.visit_objects(folder, |record, _| {
                if is_in_pass(record) {
                    *surplus.entry(short_hash(record)).or_default() -= 1;
                }
            })
            .await?;
            surplus.retain(|_, times| *times != 0);
            let mut found = Differences::default();
            let exported_at = self.manifest.created_at().map(Millis::of);
            self.visit_source(folder, |record, ingested| {
                if let Some(times) = surplus.get_mut(&short_hash(record)).filter(|times| **times > 0) {
                    *times -= 1;
                    let is_late = ingested.zip(exported_at).is_some_and(|(ingested, exported)| ingested > exported);
                    found.add(if is_late { Kind::Late } else { Kind::Missing }, record, None);
                }
            })
            .await?;
            self.visit_objects(folder, |record, object| {
                if let Some(times) = surplus.get_mut(&short_hash(record)).filter(|times| **times < 0) {
                    *times += 1;
                    if record.at.zip(expired_before).is_some_and(|(at, expired)| at < expired) {
                        found.counts.expired += 1;
                    } else {
                        found.add(Kind::Extra, record, Some(object));
                    }
                }
            })
            .await?;
            let (counts, examples) = found.finish();
            folder.counts += counts;
            folder.examples.extend(examples);
        }
        folder.examples.truncate(2 * MAX_EXAMPLES);
        Ok(())
    }

    async fn visit_source(&self, folder: &StreamFolder, mut visit: impl FnMut(&Record, Option<Millis>)) -> Result<(), Failure> {
        for name in &folder.log_streams {
            let each = |event: &OutputLogEvent| {
                let ingested = event.ingestion_time().map(Millis);
                Splitter::new(|record: Record| visit(&record, ingested)).push_event(timestamp(event), event.message().unwrap_or_default());
            };
            source::read_stream(&self.archive.logs, self.manifest.log_group.as_str(), name, self.manifest.window(), each).await?;
        }
        Ok(())
    }

    async fn visit_objects(&self, folder: &StreamFolder, mut visit: impl FnMut(&Record, &str)) -> Result<(), Failure> {
        for key in &folder.objects {
            // The first pass has recorded the problems of the object.
            let _ =
                exported::read_records(&self.archive.s3, self.manifest.bucket.as_str(), key, None, |record| visit(&record, key)).await?;
        }
        Ok(())
    }
}

fn timestamp(event: &OutputLogEvent) -> Millis {
    Millis(event.timestamp().unwrap_or_default())
}

/// 2^64 divided by the golden ratio.
const FIBONACCI_HASHING: u64 = 0x9E37_79B9_7F4A_7C15;

/// Distributes times over the passes, also if all of them are whole seconds or minutes.
fn scatter(at: Millis) -> u64 {
    at.0.unsigned_abs().wrapping_mul(FIBONACCI_HASHING) >> 32
}

fn short_hash(record: &Record) -> u64 {
    record.hash() as u64
}

/// The events of one millisecond that differ.
#[derive(Default)]
struct MillisecondCounts {
    missing: u64,
    extra: u64,
}

#[derive(Default)]
struct Differences {
    counts: Counts,
    examples: Vec<Example>,
    times: HashMap<Option<Millis>, MillisecondCounts>,
}

impl Differences {
    fn add(&mut self, kind: Kind, record: &Record, object: Option<&str>) {
        let times = self.times.entry(record.at).or_default();
        match kind {
            Kind::Missing => times.missing += 1,
            Kind::Extra => times.extra += 1,
            Kind::Late => self.counts.late += 1,
        }
        if self.examples.iter().filter(|example| example.kind == kind).count() < MAX_EXAMPLES {
            let excerpt = String::from_utf8_lossy(&record.message()[..record.message().len().min(EXCERPT_BYTES)]).into_owned();
            let timestamp = record.at.map(|at| at.to_string());
            self.examples.push(Example { kind, timestamp, message: excerpt, object: object.map(str::to_owned) });
        }
    }

    fn finish(mut self) -> (Counts, Vec<Example>) {
        for MillisecondCounts { missing, extra } in self.times.values() {
            let changed = missing.min(extra);
            self.counts.changed += changed;
            self.counts.missing += missing - changed;
            self.counts.extra += extra - changed;
        }
        (self.counts, self.examples)
    }
}
