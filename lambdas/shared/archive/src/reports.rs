//! Reports of runs, and what the next run has to know from them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use export_core::{
    ExportError, LogGroupName, Month, Window, compaction::ManifestDigests, contract::report::Report, missing::FoundLogGroups,
    time::parse_instant, window::CLOCK_SKEW,
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::Archive;

/// What the scheduled runs that have ended reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastRuns {
    /// The due month of the last run that compared everything; if none has, of the first run. `None`: there was no scheduled run.
    pub compared_through: Option<Month>,
    pub latest_scheduled_time: Option<DateTime<Utc>>,
    pub found: Vec<FoundLogGroups>,
}

#[derive(Deserialize)]
struct ReportHeader {
    #[serde(default)]
    started: String,
    scheduled_time: Option<String>,
    compared_everything: bool,
    due_month: Month,
    #[serde(default)]
    found: BTreeSet<LogGroupName>,
}

#[derive(Deserialize)]
struct CompactionHeader {
    compacted_manifests: Option<ManifestDigests>,
}

impl Archive {
    /// Reads reports from the newest on, to the last scheduled run that compared everything. That run can have started after the due
    /// month's end, and left the month to this run. Then the last run before the month's end is read too, because what it found was in that
    /// month.
    pub async fn last_runs(&self, due_month: Month, due_window: Window) -> Result<LastRuns, ExportError> {
        let mut last = LastRuns::default();
        let mut has_compared = false;
        for key in self.reports_newest_first().await? {
            let Some(header) = self.read_report::<ReportHeader>(&key).await? else { continue };
            let Some(scheduled) = scheduled_time(header.scheduled_time.as_deref(), &header.started) else { continue };
            last.latest_scheduled_time = last.latest_scheduled_time.max(Some(scheduled));
            if !has_compared {
                last.compared_through = Some(header.due_month);
            }
            if !header.compared_everything {
                continue;
            }
            let at = parse_instant(&header.started);
            let is_before = at.is_none_or(|at| at <= due_window.end());
            last.found.extend(at.filter(|_| !has_compared || is_before).map(|at| FoundLogGroups {
                names: header.found,
                scheduled_time: scheduled,
                at,
            }));
            has_compared = true;
            if is_before || header.due_month >= due_month {
                break;
            }
        }
        Ok(last)
    }

    /// The reports of scheduled runs with their keys, from the newest to the last one that people know. The report at `except` is left out.
    pub async fn reports_since_told(&self, except: &str) -> Result<Vec<(String, Report)>, ExportError> {
        let mut reports = Vec::new();
        for earlier in self.reports_newest_first().await?.filter(|earlier| earlier != except) {
            let Some(report) = self.read_report::<Report>(&earlier).await? else { continue };
            if scheduled_time(report.scheduled_time.as_deref(), &report.started).is_none() {
                continue;
            }
            let is_told = report.told;
            reports.push((earlier, report));
            if is_told {
                break;
            }
        }
        Ok(reports)
    }

    /// The manifests that the Parquet agrees with, by the last report of a run that writes Parquet.
    pub async fn compacted_manifests(&self) -> Result<Option<ManifestDigests>, ExportError> {
        for key in self.reports_newest_first().await? {
            if let Some(CompactionHeader { compacted_manifests: Some(compacted) }) = self.read_report(&key).await? {
                return Ok(Some(compacted));
            }
        }
        Ok(None)
    }

    /// The keys of all reports, by the start times in their names.
    pub async fn reports_newest_first(&self) -> Result<impl Iterator<Item = String> + use<>, ExportError> {
        let mut keys = self.list_keys(self.stack.bucket.as_str(), &self.stack.reports_folder()).await?;
        // Not by their folders: a later run can have an older due month.
        keys.sort_unstable_by(|(one, _), (other, _)| file_name(one).cmp(file_name(other)).then_with(|| one.cmp(other)));
        Ok(keys.into_iter().rev().map(|(key, _)| key).filter(|key| key.ends_with(".json")))
    }

    /// `None`: the object is not a report.
    pub async fn read_report<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ExportError> {
        let bucket = self.stack.bucket.as_str();
        let bytes = self.read(bucket, key).await.map_err(|failure| self.object_error(&failure, bucket, key))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub async fn write_report(&self, key: &str, report: &Report) -> Result<(), ExportError> {
        self.write_json(self.stack.bucket.as_str(), key, report).await
    }
}

fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or_default()
}

/// `None`: a run by hand, or a run that was refused because its scheduledTime was in the future.
fn scheduled_time(scheduled: Option<&str>, started: &str) -> Option<DateTime<Utc>> {
    let is_ahead = |scheduled: &DateTime<Utc>| parse_instant(started).is_some_and(|started| *scheduled > started + CLOCK_SKEW);
    scheduled.and_then(parse_instant).filter(|scheduled| !is_ahead(scheduled))
}
