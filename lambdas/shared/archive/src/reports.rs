//! Reports of runs: what the next one has to know of those before.

use chrono::{DateTime, Utc};
use export_core::{ExportError, Month, contract::report::Report, time::parse_instant, window::CLOCK_SKEW};
use serde::Deserialize;

use crate::{Archive, objects::Permissions};

const READ: Permissions = "s3:GetObject on the reports in runs/";
const WRITE: Permissions = "s3:PutObject on the reports in runs/";

/// Of the scheduled runs that have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LastRuns {
    /// The due month of the last one that compared everything; where none has, of the first one. None: there was no scheduled run.
    pub compared_through: Option<Month>,
    pub latest_scheduled_time: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    started: String,
    scheduled_time: Option<String>,
    compared_everything: bool,
    due_month: Month,
}

impl Archive {
    /// Reads reports from the newest on, until it has found a scheduled run that compared everything.
    pub async fn last_runs(&self) -> Result<LastRuns, ExportError> {
        let bucket = self.stack.bucket.as_str();
        let mut last = LastRuns::default();
        let mut keys = self.list_keys(bucket, &self.stack.reports()).await?;
        keys.sort_unstable();
        for (key, _) in keys.iter().rev().filter(|(key, _)| key.ends_with(".json")) {
            let bytes = self.read(bucket, key).await.map_err(|failure| self.refused(&failure, bucket, READ))?;
            // What is no report says nothing.
            let Some(header) = bytes.and_then(|bytes| serde_json::from_slice::<Header>(&bytes).ok()) else { continue };
            let Some(scheduled) = header.scheduled_time.as_deref().and_then(parse_instant) else { continue };
            // A run that was ahead of its time was refused.
            if parse_instant(&header.started).is_some_and(|started| scheduled > started + CLOCK_SKEW) {
                continue;
            }
            last.latest_scheduled_time = last.latest_scheduled_time.max(Some(scheduled));
            last.compared_through = Some(header.due_month);
            if header.compared_everything {
                break;
            }
        }
        Ok(last)
    }

    pub async fn write_report(&self, key: &str, report: &Report) -> Result<(), ExportError> {
        self.write_json(self.stack.bucket.as_str(), key, report, WRITE).await
    }
}
