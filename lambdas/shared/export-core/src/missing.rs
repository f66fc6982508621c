//! Open windows: what is due and not archived, with reason and since when. Each is one JSON object on one line in `missing/`, and one row
//! of the Athena table `missing`, whose columns are its keys.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    BucketName, LogGroupName, Month, StreamPrefix, Window,
    contract::plan::{Failure, Run},
    decide::{LogGroup, Remembered},
    destination::Destination,
    place::{Place, Stack},
    planner::{Group, Homes},
    target::Target,
    time::{Millis, parse_instant},
};

pub const SCHEMA_VERSION: u32 = 1;

/// A window that waits for its turn is missing after this time.
pub const PATIENCE: TimeDelta = TimeDelta::days(7);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenOutcome {
    Failed,
    /// Its turn has not come.
    Waiting,
    /// No entry of the list asks for it any more.
    NotAsked,
    /// A run was about to record it as lost, or skipped, and may have ended before it did.
    Lost,
    Skipped,
}

/// Instants are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWindow {
    pub schema_version: u32,
    pub outcome: OpenOutcome,
    /// The error's name, or the reason's.
    pub error: Option<String>,
    pub message: String,
    pub account: String,
    pub region: String,
    pub bucket: BucketName,
    pub log_group: LogGroupName,
    pub log_stream_name_prefix: Option<StreamPrefix>,
    pub destination: Destination,
    pub timezone: String,
    /// For which it was planned.
    pub month: Month,
    pub window_from: Millis,
    pub window_to: Millis,
    /// When a run first found it not archived.
    pub since: String,
    /// Runs that tried to export it, in vain.
    pub tries: u32,
    /// The last run that looked at it.
    pub execution: String,
    /// A fingerprint of what lies there, of SmallerExport: it is not exported again until that changes, or retention reaches it.
    pub blocked_by: Option<String>,
}

impl OpenWindow {
    /// Reads what lies at `key`; what is wrong with it, otherwise.
    pub fn read(bytes: &[u8], key: &str, stack: &Stack) -> Result<Self, String> {
        let open: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if open.schema_version != SCHEMA_VERSION {
            return Err(format!("its schema_version is {}, not {SCHEMA_VERSION}", open.schema_version));
        }
        if parse_instant(&open.since).is_none() || open.window_from > open.window_to {
            return Err("its since is no instant, or its window is none".to_owned());
        }
        if open.key(stack) != key {
            return Err(format!("its content belongs to {}", open.key(stack)));
        }
        Ok(open)
    }

    pub fn place(&self) -> Place {
        let Self { account, region, bucket, log_group, destination, .. } = self.clone();
        Place { account, region, bucket, log_group, destination }
    }

    pub fn lies_in(&self, place: &Place) -> bool {
        (&self.account, &self.region, &self.bucket, &self.log_group, &self.destination)
            == (&place.account, &place.region, &place.bucket, &place.log_group, &place.destination)
    }

    fn moved_to(self, place: &Place) -> Self {
        Self { bucket: place.bucket.clone(), destination: place.destination.clone(), ..self }
    }

    pub fn window(&self) -> Window {
        Window { from: self.window_from, to: self.window_to }
    }

    pub fn key(&self, stack: &Stack) -> String {
        stack.missing_key(&self.place().hash(), self.window())
    }

    pub fn since(&self) -> DateTime<Utc> {
        parse_instant(&self.since).unwrap_or_default()
    }

    /// Whether it is counted, and fails the runs that judge it.
    pub fn is_missing(&self, now: DateTime<Utc>) -> bool {
        match self.outcome {
            OpenOutcome::Failed => true,
            OpenOutcome::Waiting => now - self.since() >= PATIENCE,
            OpenOutcome::NotAsked | OpenOutcome::Lost | OpenOutcome::Skipped => false,
        }
    }

    /// Whether a run was about to record it, as lost or as skipped.
    pub fn is_to_be_recorded(&self) -> bool {
        matches!(self.outcome, OpenOutcome::Lost | OpenOutcome::Skipped)
    }

    /// What an export, or a manifest, of it has to be of, in `place`.
    pub fn target(&self, place: Place) -> Target {
        Target { place, stream_prefix: self.log_stream_name_prefix.clone(), month: self.month, window: self.window() }
    }

    /// Whether it is due, and somebody asks for it.
    pub fn is_asked(&self) -> bool {
        matches!(self.outcome, OpenOutcome::Failed | OpenOutcome::Waiting)
    }

    /// One that was about to be skipped is as good as none: its run ended too early. One that was about to be lost had been seen.
    fn is_seen(&self) -> bool {
        self.outcome != OpenOutcome::Skipped
    }
}

/// What earlier runs left, as a run reads it once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub open: OpenWindows,
    /// Objects in `missing/` that cannot be read. Each stands for a window that nobody knows.
    pub unreadable: Vec<Failure>,
    /// By the last scheduled run that compared everything; and by the last one before the due month ended, if that is another one.
    pub found: Vec<FoundLogGroups>,
}

/// What a scheduled run that compared everything found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundLogGroups {
    pub names: BTreeSet<LogGroupName>,
    pub scheduled_time: DateTime<Utc>,
    /// When the run started.
    pub at: DateTime<Utc>,
}

impl Memory {
    /// Every log group that it knows.
    pub fn log_groups(&self) -> impl Iterator<Item = &LogGroupName> {
        self.found.iter().flat_map(|found| &found.names).chain(self.open.iter().map(|open| &open.log_group))
    }

    /// The log groups that a run found, for those after it. One that was deleted stays to the end of the month of its deletion: when that
    /// month is due, it is in the last report before the month's end.
    pub fn found_by(&self, run: &Run, groups: &[Group]) -> BTreeSet<LogGroupName> {
        let month_of = |at| run.timezone.parse().ok().map(|timezone| Month::at(at, timezone));
        let scheduled_time = run.scheduled_time.unwrap_or(run.start_time);
        let before = self.found.first().filter(|found| month_of(found.scheduled_time) == month_of(scheduled_time));
        let is_listed = |name| before.is_some_and(|found| found.names.contains(name));
        let found =
            groups.iter().filter(|group| matches!(group.log_group, LogGroup::Present { .. }) || is_listed(&group.source.log_group_name));
        found.map(|group| group.source.log_group_name.clone()).collect()
    }

    /// What it says of a window.
    pub fn of(&self, place: &Place, month: Month, window: Window) -> Remembered {
        let of_place = || self.open.of(place).filter(|open| open.is_seen());
        let is_near = |open: &&OpenWindow| [month, month.previous()].contains(&open.month) || open.window().overlaps(window);
        let open_since = of_place().filter(is_near).map(OpenWindow::since).min();
        let found = self.found.iter().filter(|found| found.names.contains(&place.log_group) && found.at <= window.end());
        Remembered {
            is_open: of_place().any(|open| open.window().overlaps(window)),
            seen_since: open_since.into_iter().chain(found.map(|found| found.at)).min(),
        }
    }

    /// The same, with each open window in its log group's place of today.
    pub fn at_home(self, homes: &Homes) -> Self {
        let moved = |open: OpenWindow| match homes.of_open(&open) {
            Some((_, home)) => open.moved_to(&home.place),
            None => open,
        };
        Self { open: Vec::from(self.open).into_iter().map(moved).collect::<Vec<_>>().into(), ..self }
    }
}

/// Open windows, by their log groups.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<OpenWindow>", into = "Vec<OpenWindow>")]
pub struct OpenWindows(BTreeMap<LogGroupName, Vec<OpenWindow>>);

impl OpenWindows {
    pub fn of_log_group(&self, name: &LogGroupName) -> &[OpenWindow] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn of(&self, place: &Place) -> impl Iterator<Item = &OpenWindow> {
        self.of_log_group(&place.log_group).iter().filter(|open| open.lies_in(place))
    }

    pub fn iter(&self) -> impl Iterator<Item = &OpenWindow> {
        self.0.values().flatten()
    }
}

impl From<Vec<OpenWindow>> for OpenWindows {
    fn from(windows: Vec<OpenWindow>) -> Self {
        let mut by_name: BTreeMap<LogGroupName, Vec<OpenWindow>> = BTreeMap::new();
        for open in windows {
            by_name.entry(open.log_group.clone()).or_default().push(open);
        }
        Self(by_name)
    }
}

impl From<OpenWindows> for Vec<OpenWindow> {
    fn from(OpenWindows(by_name): OpenWindows) -> Self {
        by_name.into_values().flatten().collect()
    }
}
