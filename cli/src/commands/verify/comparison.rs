//! One window of the archive compared with CloudWatch Logs, in memory that does not grow with the number of events.
//!
//! The first pass makes a [`Tally`] of each log stream on both sides. Only where they differ, further passes find the events: each looks at
//! a part of the window's milliseconds, so that it never keeps more than [`AT_ONCE`] hashes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use archive::Archive;
use aws_sdk_cloudwatchlogs::types::OutputLogEvent;
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{decide::LogGroup, manifest::Manifest, place::ManifestKey, time::Millis};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    events::{
        exported::{self, TaskFolder, Unread},
        records::{Record, Splitter, Tally},
        source::{self, End},
    },
    failure::Failure,
};

/// Log streams, and objects, that are read at a time.
const READERS: usize = 4;
/// Hashes that are kept at a time.
const AT_ONCE: u64 = 200_000;
/// Differing events of a log stream that are shown.
const MOST_EXAMPLES: usize = 10;
/// Bytes of a message that are shown.
const EXCERPT: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// In CloudWatch Logs, and not in the archive.
    Missing,
    /// The same, and it arrived after the export task was created.
    Late,
    /// In the archive, and not, or not as often, in CloudWatch Logs.
    Extra,
}

/// A differing event.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    pub kind: Kind,
    pub timestamp: Option<String>,
    pub message: String,
    /// Where an extra one lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub missing: u64,
    pub extra: u64,
    /// One missing and one extra event of the same log stream and time.
    pub changed: u64,
    pub late: u64,
    /// In the archive, and deleted from CloudWatch Logs by retention.
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

/// What shares a folder of the task: one log stream, or several whose names differ in `/` and `-` only.
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
    /// What is wrong with the objects, by the manifest and by themselves.
    pub problems: Vec<String>,
    /// What could not be read to its end.
    pub incomplete: Vec<String>,
    /// Events before this have expired in CloudWatch Logs, or may have; all of them where the log group is gone.
    pub gone_before: Option<Millis>,
}

impl StreamFolder {
    /// Nothing is known of what was not read to its end.
    fn differs(&self) -> bool {
        self.source != self.archived && !self.is_incomplete
    }
}

impl Comparison {
    /// Nothing is known: AWS refused.
    pub fn not_made(why: String) -> Self {
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

/// A manifest, and what its window is compared with.
pub struct Subject<'a> {
    pub archive: &'a Archive,
    pub key: &'a ManifestKey,
    pub manifest: &'a Manifest,
    pub now: DateTime<Utc>,
}

impl Subject<'_> {
    /// The objects against number, bytes and digest of the manifest.
    pub async fn compare_objects(&self) -> Result<Comparison, Failure> {
        self.list().await.map(|(comparison, _)| comparison)
    }

    /// The same, and every event against CloudWatch Logs.
    pub async fn compare_events(&self, log_group: &LogGroup) -> Result<Comparison, Failure> {
        let (mut comparison, mut folder) = self.list().await?;
        comparison.gone_before = self.gone_before(log_group);
        for object in std::mem::take(&mut folder.objects) {
            let log_stream = folder.log_stream(&object.key).to_owned();
            comparison.folders.entry(log_stream).or_default().objects.push(object.key);
        }
        let (source, archived) = tokio::try_join!(self.tally_source(), self.tally_objects(&comparison.folders))?;
        for (name, tally, unread) in archived {
            let folder = comparison.folders.entry(name).or_default();
            folder.archived = tally;
            for unread in unread {
                match unread {
                    Unread::Damaged(problem) => comparison.problems.push(problem),
                    Unread::Frozen(object) => {
                        folder.is_incomplete = true;
                        comparison.incomplete.push(format!("{object}: restore it, then repeat the command"));
                    }
                }
            }
        }
        comparison.add_source(source);
        let gone_before = comparison.gone_before;
        for folder in comparison.folders.values_mut().filter(|folder| folder.differs()) {
            // Nothing of the window is left: no event needs to be looked at.
            if folder.source.events == 0 && gone_before.is_some_and(|gone| self.manifest.window_to < gone) {
                folder.counts.expired = folder.archived.events;
            } else {
                self.find_differences(folder, gone_before).await?;
            }
        }
        Ok(comparison)
    }

    async fn list(&self) -> Result<(Comparison, TaskFolder), Failure> {
        let mut folder = exported::list(self.archive, self.key, self.manifest).await?;
        let (objects, bytes, problems) = (folder.listing.objects, folder.listing.bytes, std::mem::take(&mut folder.problems));
        Ok((Comparison { objects, bytes, problems, ..Comparison::default() }, folder))
    }

    /// Before when CloudWatch Logs may have deleted what the archive has.
    fn gone_before(&self, log_group: &LogGroup) -> Option<Millis> {
        let LogGroup::Present { created, retention_in_days, .. } = log_group else { return Some(Millis(i64::MAX)) };
        // Created anew since the export: what the archive has is of the log group before it.
        if created.and_then(Millis::instant) > self.manifest.created_at() {
            return Some(Millis(i64::MAX));
        }
        retention_in_days.map(|days| Millis::of(self.now - TimeDelta::days(days.into())))
    }

    /// Each log stream by a task of its own: to unpack and hash is work for every processor.
    async fn tally_source(&self) -> Result<Vec<(String, Tally, End)>, Failure> {
        let (log_group, window) = (self.manifest.log_group.as_str(), self.manifest.window());
        let names = source::log_streams(&self.archive.logs, log_group, self.manifest.log_stream_name_prefix.as_ref()).await?;
        let read = |name: String| {
            let (logs, log_group) = (self.archive.logs.clone(), log_group.to_owned());
            tokio::spawn(async move {
                let mut tally = Tally::default();
                let mut splitter = Splitter::new(|record: Record| tally.add(&record));
                let visit = |event: &OutputLogEvent| splitter.event(time_of(event), event.message().unwrap_or_default());
                let end = source::events(&logs, &log_group, &name, window, visit).await?;
                Ok::<_, Failure>((name, tally, end))
            })
        };
        let read = stream::iter(names.unwrap_or_default()).map(read).buffer_unordered(READERS);
        read.map(|joined| joined.expect("a reader does not panic")).try_collect().await
    }

    /// The records of each folder, and what is wrong with its objects.
    async fn tally_objects(&self, folders: &BTreeMap<String, StreamFolder>) -> Result<Vec<(String, Tally, Vec<Unread>)>, Failure> {
        let read = |(name, folder): (&String, &StreamFolder)| {
            let (s3, bucket, name) = (self.archive.s3.clone(), self.manifest.bucket.clone(), name.clone());
            let objects = folder.objects.clone();
            tokio::spawn(async move {
                let (mut tally, mut unread) = (Tally::default(), Vec::new());
                for key in objects {
                    unread.extend(exported::records(&s3, bucket.as_str(), &key, None, |record| tally.add(&record)).await?.err());
                }
                Ok::<_, Failure>((name, tally, unread))
            })
        };
        let read = stream::iter(folders).map(read).buffer_unordered(READERS);
        read.map(|joined| joined.expect("a reader does not panic")).try_collect().await
    }

    /// Names the events of a folder in which both sides differ.
    async fn find_differences(&self, folder: &mut StreamFolder, gone_before: Option<Millis>) -> Result<(), Failure> {
        let passes = folder.source.events.max(folder.archived.events).div_ceil(AT_ONCE).max(1);
        for pass in 0..passes {
            let is_of_pass = |record: &Record| record.at.map_or(0, mixed) % passes == pass;
            // How much more often each event is in the source than in the archive.
            let mut more: HashMap<u64, i64> = HashMap::new();
            self.visit_source(folder, |record, _| {
                if is_of_pass(record) {
                    *more.entry(short(record)).or_default() += 1;
                }
            })
            .await?;
            self.visit_objects(folder, |record, _| {
                if is_of_pass(record) {
                    *more.entry(short(record)).or_default() -= 1;
                }
            })
            .await?;
            more.retain(|_, times| *times != 0);
            let mut found = Differences::default();
            let exported_at = self.manifest.created_at().map(Millis::of);
            self.visit_source(folder, |record, ingested| {
                if let Some(times) = more.get_mut(&short(record)).filter(|times| **times > 0) {
                    *times -= 1;
                    let is_late = ingested.zip(exported_at).is_some_and(|(ingested, exported)| ingested > exported);
                    found.add(if is_late { Kind::Late } else { Kind::Missing }, record, None);
                }
            })
            .await?;
            self.visit_objects(folder, |record, object| {
                if let Some(times) = more.get_mut(&short(record)).filter(|times| **times < 0) {
                    *times += 1;
                    if record.at.zip(gone_before).is_some_and(|(at, gone)| at < gone) {
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
        folder.examples.truncate(2 * MOST_EXAMPLES);
        Ok(())
    }

    async fn visit_source(&self, folder: &StreamFolder, mut visit: impl FnMut(&Record, Option<Millis>)) -> Result<(), Failure> {
        for name in &folder.log_streams {
            let each = |event: &OutputLogEvent| {
                let ingested = event.ingestion_time().map(Millis);
                Splitter::new(|record: Record| visit(&record, ingested)).event(time_of(event), event.message().unwrap_or_default());
            };
            source::events(&self.archive.logs, self.manifest.log_group.as_str(), name, self.manifest.window(), each).await?;
        }
        Ok(())
    }

    async fn visit_objects(&self, folder: &StreamFolder, mut visit: impl FnMut(&Record, &str)) -> Result<(), Failure> {
        for key in &folder.objects {
            // What is wrong with it is known from the first pass.
            let _ = exported::records(&self.archive.s3, self.manifest.bucket.as_str(), key, None, |record| visit(&record, key)).await?;
        }
        Ok(())
    }
}

fn time_of(event: &OutputLogEvent) -> Millis {
    Millis(event.timestamp().unwrap_or_default())
}

/// Spreads times that are all of whole seconds, or minutes, over the passes.
fn mixed(at: Millis) -> u64 {
    at.0.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

fn short(record: &Record) -> u64 {
    record.hash() as u64
}

#[derive(Default)]
struct Differences {
    counts: Counts,
    examples: Vec<Example>,
    /// How many are missing, and extra, of each millisecond.
    times: HashMap<Option<Millis>, (u64, u64)>,
}

impl Differences {
    fn add(&mut self, kind: Kind, record: &Record, object: Option<&str>) {
        let times = self.times.entry(record.at).or_default();
        match kind {
            Kind::Missing => times.0 += 1,
            Kind::Extra => times.1 += 1,
            Kind::Late => self.counts.late += 1,
        }
        if self.examples.iter().filter(|example| example.kind == kind).count() < MOST_EXAMPLES {
            let excerpt = String::from_utf8_lossy(&record.message()[..record.message().len().min(EXCERPT)]).into_owned();
            let timestamp = record.at.map(|at| at.to_string());
            self.examples.push(Example { kind, timestamp, message: excerpt, object: object.map(str::to_owned) });
        }
    }

    fn finish(mut self) -> (Counts, Vec<Example>) {
        for (missing, extra) in self.times.values() {
            let changed = missing.min(extra);
            self.counts.changed += changed;
            self.counts.missing += missing - changed;
            self.counts.extra += extra - changed;
        }
        (self.counts, self.examples)
    }
}
