//! Reads the state of the archive's windows with few calls: one listing, the reports of the runs, and few manifests.
//!
//! A report has the outcome of each window that its run decided, and the listing has the time of each manifest. If a run decided a window,
//! and the manifest was written during the run, the report has the manifest's outcome. All other manifests are read.

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

/// How many manifests are read at a time.
const CONCURRENCY: usize = 64;

/// The clocks of a function and of S3 differ by less. S3 also omits the milliseconds.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(2);

/// How many runs before a manifest's time may have written it. Two runs overlap by one window at most.
const MAX_RUNS_BACK: usize = 3;

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
    pub written: Option<DateTime<Utc>>,
}

/// The last scheduled run that compared everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCompared {
    pub due_month: Month,
    pub found: BTreeSet<LogGroupName>,
    pub nothing_yet: BTreeSet<(LogGroupName, Month)>,
    /// The months that have a warning instead of an outcome.
    pub warned: BTreeSet<(LogGroupName, Month)>,
}

#[derive(Debug, Default)]
pub struct Survey {
    /// The keys of all listed manifests.
    pub keys: Vec<ManifestKey>,
    pub settled: Vec<SettledWindow>,
    pub open: OpenWindows,
    pub unreadable: Vec<Failure>,
    /// Messages about manifests that are not valid or cannot be read.
    pub invalid: Vec<String>,
    pub last_compared: Option<LastCompared>,
}

impl Survey {
    /// Reads the months `from` to `to`, and both neighbours, which overlap them in another time zone.
    pub async fn read(archive: &Archive, from: Option<Month>, to: Option<Month>, now: DateTime<Utc>) -> Result<Self, ExportError> {
        let (manifests, open) = list(archive, from, to).await?;
        let (open, unreadable) = archive.read_open_windows(open).await?;
        let mut reports = Reports::list(archive).await?;
        let last_compared = reports.last_compared().await?;
        let keys = manifests.iter().map(|(key, _)| key.clone()).collect();
        let mut survey = Self { keys, open, unreadable, last_compared, ..Self::default() };
        let unread = survey.settle_from_reports(&mut reports, manifests).await?;
        let read =
            async |(key, listed): (ManifestKey, ListedObject)| Ok::<_, ExportError>((archive.manifest(&key, now).await?, key, listed));
        let read: Vec<_> = stream::iter(unread).map(read).buffered(CONCURRENCY).try_collect().await?;
        for (manifest, key, listed) in read {
            match manifest {
                Some(Ok(manifest)) => survey.settled.push(to_settled_window(manifest, key.month, listed.modified)),
                Some(Err(problem)) => survey.invalid.push(problem),
                None => {}
            }
        }
        Ok(survey)
    }

    /// Warns of each open window that cannot be read. Returns whether there is one.
    pub fn warn_of_unreadable(&self) -> bool {
        for failure in &self.unreadable {
            note(format_args!("warning: {}: {}", failure.error, failure.message));
        }
        !self.unreadable.is_empty()
    }

    /// Adds the windows whose outcome a report has. Returns the other manifests.
    async fn settle_from_reports(
        &mut self,
        reports: &mut Reports<'_>,
        mut manifests: Vec<(ManifestKey, ListedObject)>,
    ) -> Result<Vec<(ManifestKey, ListedObject)>, ExportError> {
        for back in 0..MAX_RUNS_BACK {
            let mut by_run: BTreeMap<Option<usize>, Vec<(ManifestKey, ListedObject)>> = BTreeMap::new();
            for (key, listed) in manifests {
                by_run.entry(reports.run_before(listed.modified, back)).or_default().push((key, listed));
            }
            manifests = by_run.remove(&None).unwrap_or_default();
            for (run, written) in by_run.into_iter().filter_map(|(run, written)| Some((run?, written))) {
                // Reading one manifest is as cheap as reading a report.
                if written.len() == 1 && !reports.read.contains_key(&run) {
                    manifests.extend(written);
                    continue;
                }
                let Some(run) = reports.read(run).await? else {
                    manifests.extend(written);
                    continue;
                };
                for (key, listed) in written {
                    match run.settled_window(&key, listed.modified) {
                        Some(settled) => self.settled.push(settled),
                        None => manifests.push((key, listed)),
                    }
                }
            }
        }
        Ok(manifests)
    }
}

/// Lists the manifests and the keys of the open windows.
async fn list(
    archive: &Archive,
    from: Option<Month>,
    to: Option<Month>,
) -> Result<(Vec<(ManifestKey, ListedObject)>, Vec<String>), ExportError> {
    let (stack, bucket) = (&archive.stack, archive.stack.bucket.as_str());
    let (manifests, missing) = (stack.manifests_folder(), stack.missing_folder());
    let after = from.map(|from| stack.month_folder(from.previous()));
    // The two folders are adjacent in the order of keys, so one listing returns both. At the root, other keys can lie between them.
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

fn to_settled_window(manifest: Manifest, month: Month, written: Option<DateTime<Utc>>) -> SettledWindow {
    let window = manifest.window();
    let Manifest { log_group, outcome, reason, objects, bytes, .. } = manifest;
    SettledWindow { log_group, month, window, outcome, reason, objects, bytes, written }
}

/// The reports of runs, newest first. Each is read at most once.
struct Reports<'a> {
    archive: &'a Archive,
    keys: Vec<(DateTime<Utc>, String)>,
    read: HashMap<usize, Option<ReportedRun>>,
}

impl<'a> Reports<'a> {
    async fn list(archive: &'a Archive) -> Result<Self, ExportError> {
        let keys = archive.reports_newest_first().await?.filter_map(|key| Some((report_start(&key)?, key))).collect();
        Ok(Self { archive, keys, read: HashMap::new() })
    }

    /// The last run that started before `at`, or the run `back` runs before it.
    fn run_before(&self, at: Option<DateTime<Utc>>, back: usize) -> Option<usize> {
        let at = at? + CLOCK_SKEW;
        let run = self.keys.partition_point(|(start, _)| *start > at) + back;
        (run < self.keys.len()).then_some(run)
    }

    /// `None`: the object is not a report.
    async fn read(&mut self, run: usize) -> Result<Option<&ReportedRun>, ExportError> {
        if !self.read.contains_key(&run) {
            let report = self.archive.read_report::<Report>(&self.keys[run].1).await?;
            self.read.insert(run, report.map(|report| ReportedRun::new(report, self.archive)));
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

struct ReportedRun {
    started: Millis,
    ended: Millis,
    settled: HashMap<(PlaceHash, Month, Window), SettledWindow>,
    compared: Option<LastCompared>,
}

impl ReportedRun {
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
                // The run writes these manifests after the report, and `lost` ones also count objects.
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
            let settled = SettledWindow { log_group, month, window: decided.window, outcome, reason, objects, bytes, written: None };
            run.settled.insert((place.hash(), decided.month, decided.window), settled);
        }
        if report.compared_everything && report.scheduled_time.is_some() {
            run.compared = Some(LastCompared { due_month: report.due_month, found: report.found, nothing_yet, warned });
        }
        run
    }

    /// The outcome of a window, if this run wrote its manifest.
    fn settled_window(&self, key: &ManifestKey, written: Option<DateTime<Utc>>) -> Option<SettledWindow> {
        let at = Millis::of(written?);
        let is_of_run = self.started - CLOCK_SKEW <= at && at <= self.ended + CLOCK_SKEW;
        let settled = self.settled.get(&(key.place.clone(), key.month, key.window)).filter(|_| is_of_run)?;
        Some(SettledWindow { written, ..settled.clone() })
    }
}
