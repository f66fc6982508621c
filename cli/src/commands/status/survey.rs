//! What the archive says of its windows, with few calls: one listing, the reports of the runs that archived them, and only the
//! manifests that no report accounts for.
//!
//! A report tells what its run decided of each window, and the listing tells when each manifest was written. A manifest that was
//! written while a run that decided its window was at work is what the report says. Every other manifest is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use archive::{Archive, ListedObject};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ExportError, LogGroupName, Month, Window,
    contract::{
        plan::{Failure, WindowOutcome},
        report::Report,
    },
    manifest::{Manifest, Outcome, Reason},
    missing::OpenWindows,
    place::{ManifestKey, PlaceHash, report_start},
    time::Millis,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::output::note;

/// Manifests that are read at a time.
const AT_ONCE: usize = 64;

/// The clocks of a function and of S3 differ by less, and S3 leaves out the milliseconds.
const SKEW: TimeDelta = TimeDelta::seconds(2);

/// Two runs overlap by one window at most. So many runs before a manifest's time are asked for it.
const RUNS_BACK: usize = 3;

/// A window that a manifest settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledWindow {
    pub log_group: LogGroupName,
    pub month: Month,
    pub window: Window,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub objects: u64,
    pub bytes: u64,
    /// When its manifest was written.
    pub settled: Option<DateTime<Utc>>,
}

/// The last scheduled run that compared everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCompared {
    pub due_month: Month,
    pub found: BTreeSet<LogGroupName>,
    pub nothing_yet: BTreeSet<(LogGroupName, Month)>,
    /// A warning stands instead of an outcome.
    pub warned: BTreeSet<(LogGroupName, Month)>,
}

#[derive(Debug, Default)]
pub struct Survey {
    pub settled: Vec<SettledWindow>,
    pub open: OpenWindows,
    /// Open windows that cannot be read.
    pub unreadable: Vec<Failure>,
    /// What a person is told of manifests that settle nothing.
    pub wrong: Vec<String>,
    pub last_compared: Option<LastCompared>,
}

impl Survey {
    /// Of the months `from` to `to` and their neighbours, because the months of another time zone overlap.
    pub async fn of(archive: &Archive, from: Option<Month>, to: Option<Month>, now: DateTime<Utc>) -> Result<Self, ExportError> {
        let (manifests, open) = list(archive, from, to).await?;
        let (open, unreadable) = archive.read_open_windows(open).await?;
        let mut reports = Reports::list(archive).await?;
        let last_compared = reports.last_compared().await?;
        let mut survey = Self { open, unreadable, last_compared, ..Self::default() };
        let unexplained = survey.explain(&mut reports, manifests).await?;
        let read =
            async |(key, listed): (ManifestKey, ListedObject)| Ok::<_, ExportError>((archive.manifest(&key, now).await?, key, listed));
        let read: Vec<_> = stream::iter(unexplained).map(read).buffered(AT_ONCE).try_collect().await?;
        for (manifest, key, listed) in read {
            match manifest {
                Some(Ok(manifest)) => survey.settled.push(settled_by(manifest, key.month, listed.modified)),
                Some(Err(told)) => survey.wrong.push(told),
                None => {}
            }
        }
        Ok(survey)
    }

    /// Names each open window that cannot be read, and answers whether there is one: a window of which nobody knows anything.
    pub fn warn_of_unreadable(&self) -> bool {
        for failure in &self.unreadable {
            note(format_args!("warning: {}: {}", failure.error, failure.message));
        }
        !self.unreadable.is_empty()
    }

    /// Takes what reports tell, and returns the manifests that none does.
    async fn explain(
        &mut self,
        reports: &mut Reports<'_>,
        mut manifests: Vec<(ManifestKey, ListedObject)>,
    ) -> Result<Vec<(ManifestKey, ListedObject)>, ExportError> {
        for back in 0..RUNS_BACK {
            let mut by_run: BTreeMap<Option<usize>, Vec<(ManifestKey, ListedObject)>> = BTreeMap::new();
            for (key, listed) in manifests {
                by_run.entry(reports.before(listed.modified, back)).or_default().push((key, listed));
            }
            manifests = by_run.remove(&None).unwrap_or_default();
            for (run, written) in by_run.into_iter().filter_map(|(run, written)| Some((run?, written))) {
                // To read one manifest is as cheap as to read a report.
                if written.len() == 1 && !reports.read.contains_key(&run) {
                    manifests.extend(written);
                    continue;
                }
                let Some(run) = reports.read(run).await? else {
                    manifests.extend(written);
                    continue;
                };
                for (key, listed) in written {
                    match run.tells(&key, listed.modified) {
                        Some(settled) => self.settled.push(settled),
                        None => manifests.push((key, listed)),
                    }
                }
            }
        }
        Ok(manifests)
    }
}

/// The manifests, and the keys of the open windows.
async fn list(
    archive: &Archive,
    from: Option<Month>,
    to: Option<Month>,
) -> Result<(Vec<(ManifestKey, ListedObject)>, Vec<String>), ExportError> {
    let (stack, bucket) = (&archive.stack, archive.stack.bucket.as_str());
    let (manifests, missing) = (stack.manifests_folder(), stack.missing_folder());
    let after = from.map(|from| stack.month_folder(from.previous()));
    // The two folders are neighbours in the order of keys, so one listing has both. At the bucket's root, others' keys may lie between.
    let prefixes = if stack.s3_prefix.as_str().is_empty() { vec![manifests, missing.clone()] } else { vec![stack.s3_prefix.join("m")] };
    let (mut settled, mut open) = (Vec::new(), Vec::new());
    for prefix in prefixes {
        let take = |listed: ListedObject| match stack.parse_manifest_key(&listed.key) {
            Some(key) if to.is_none_or(|to| key.month <= to.next()) => settled.push((key, listed)),
            None if listed.key.starts_with(&missing) => open.push(listed.key),
            Some(_) | None => {}
        };
        archive.for_each_object(bucket, &prefix, after.as_deref(), take).await?;
    }
    Ok((settled, open))
}

fn settled_by(manifest: Manifest, month: Month, settled: Option<DateTime<Utc>>) -> SettledWindow {
    let window = manifest.window();
    let Manifest { log_group, outcome, reason, objects, bytes, .. } = manifest;
    SettledWindow { log_group, month, window, outcome, reason, objects, bytes, settled }
}

/// The reports of runs, the newest first, each read once.
struct Reports<'a> {
    archive: &'a Archive,
    keys: Vec<(DateTime<Utc>, String)>,
    read: HashMap<usize, Option<Run>>,
}

impl<'a> Reports<'a> {
    async fn list(archive: &'a Archive) -> Result<Self, ExportError> {
        let keys = archive.reports_newest_first().await?.filter_map(|key| Some((report_start(&key)?, key))).collect();
        Ok(Self { archive, keys, read: HashMap::new() })
    }

    /// The last run that started before `at`, or so many before that.
    fn before(&self, at: Option<DateTime<Utc>>, back: usize) -> Option<usize> {
        let at = at? + SKEW;
        let run = self.keys.partition_point(|(start, _)| *start > at) + back;
        (run < self.keys.len()).then_some(run)
    }

    /// `None`: what lies there is no report.
    async fn read(&mut self, run: usize) -> Result<Option<&Run>, ExportError> {
        if !self.read.contains_key(&run) {
            let report = self.archive.read_report::<Report>(&self.keys[run].1).await?;
            self.read.insert(run, report.map(|report| Run::new(report, self.archive)));
        }
        Ok(self.read[&run].as_ref())
    }

    async fn last_compared(&mut self) -> Result<Option<LastCompared>, ExportError> {
        for run in 0..self.keys.len() {
            if let Some(last) = self.read(run).await?.and_then(|run| run.compared.clone()) {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }
}

/// What a report tells.
struct Run {
    started: Millis,
    ended: Millis,
    settled: HashMap<(PlaceHash, Month, Window), SettledWindow>,
    compared: Option<LastCompared>,
}

impl Run {
    fn new(report: Report, archive: &Archive) -> Self {
        let instant = |text: &str| export_core::time::parse_instant(text).map(Millis::of);
        let mut run = Self {
            started: instant(&report.started).unwrap_or(Millis(i64::MAX)),
            ended: instant(&report.ended).unwrap_or(Millis(i64::MIN)),
            settled: HashMap::new(),
            compared: None,
        };
        let (mut nothing_yet, mut warned) = (BTreeSet::new(), BTreeSet::new());
        for decided in report.decided {
            let Ok(place) = decided.source.place(&archive.stack) else { continue };
            let log_group_month = (place.log_group.clone(), decided.month);
            let (outcome, reason, objects, bytes) = match decided.outcome {
                // These manifests are written after the report, and a lost one says what still lies there.
                WindowOutcome::Skipped { reason } | WindowOutcome::Lost { reason } if reason.needs_report_first() => continue,
                WindowOutcome::Exported { objects, bytes, .. } => (Outcome::Exported, None, objects, bytes),
                WindowOutcome::Empty { .. } => (Outcome::Empty, None, 0, 0),
                WindowOutcome::Skipped { reason } => (Outcome::Skipped, Some(reason), 0, 0),
                WindowOutcome::NothingYet => {
                    nothing_yet.insert(log_group_month);
                    continue;
                }
                WindowOutcome::Warned { .. } => {
                    warned.insert(log_group_month);
                    continue;
                }
                WindowOutcome::Lost { .. } | WindowOutcome::Waiting | WindowOutcome::Failed { .. } => continue,
            };
            let (log_group, month) = log_group_month;
            let settled = SettledWindow { log_group, month, window: decided.window, outcome, reason, objects, bytes, settled: None };
            run.settled.insert((place.hash(), decided.month, decided.window), settled);
        }
        if report.compared_everything && report.scheduled_time.is_some() {
            run.compared = Some(LastCompared { due_month: report.due_month, found: report.found, nothing_yet, warned });
        }
        run
    }

    /// What became of a window, if its manifest was written by this run.
    fn tells(&self, key: &ManifestKey, written: Option<DateTime<Utc>>) -> Option<SettledWindow> {
        let at = Millis::of(written?);
        let is_of_run = self.started - SKEW <= at && at <= self.ended + SKEW;
        let settled = self.settled.get(&(key.place.clone(), key.month, key.window)).filter(|_| is_of_run)?;
        Some(SettledWindow { settled: written, ..settled.clone() })
    }
}
