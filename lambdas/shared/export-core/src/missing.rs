//! Open windows: what is due and not archived, why, and since when. Each is one JSON object on one line in `missing/`, and one row of the
//! Athena table `missing`. The table's columns are the object's keys.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    LogGroupName, Month, StreamPrefix, Window,
    contract::plan::{Failure, Run},
    decide::{LogGroup, WindowHistory},
    place::{Place, Stack},
    planner::{CurrentGroups, Group},
    target::Target,
    time::{Millis, parse_instant},
};

pub const SCHEMA_VERSION: u32 = 1;

/// A window that waits for its turn counts as missing after this time.
pub const MAX_WAIT: TimeDelta = TimeDelta::days(7);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenOutcome {
    Failed,
    /// The run's time was over before its turn came.
    Waiting,
    /// No entry of the list matches it any more.
    NotAsked,
    /// A run was about to record it as lost or skipped, and may have ended before.
    Lost,
    Skipped,
}

/// Instants are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWindow {
    pub schema_version: u32,
    pub outcome: OpenOutcome,
    /// The name of an error or of a reason.
    pub error: Option<String>,
    pub message: String,
    #[serde(flatten)]
    pub place: Place,
    pub log_stream_name_prefix: Option<StreamPrefix>,
    pub timezone: String,
    /// The month that it was planned for.
    pub month: Month,
    pub window_from: Millis,
    pub window_to: Millis,
    /// When a run found for the first time that it is not archived.
    pub since: String,
    /// How many runs tried to export it without success.
    pub tries: u32,
    /// The last run that looked at it.
    pub execution: String,
    /// After SmallerExport: a fingerprint of the archived objects. The window is not exported again until the fingerprint changes.
    pub blocked_by: Option<String>,
}

impl OpenWindow {
    /// Parses the object at `key`. The error says what is wrong with it.
    pub fn parse(bytes: &[u8], key: &str, stack: &Stack) -> Result<Self, String> {
        let open: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if open.schema_version != SCHEMA_VERSION {
            return Err(format!("its schema_version is {}, not {SCHEMA_VERSION}", open.schema_version));
        }
        if parse_instant(&open.since).is_none() || open.window_from > open.window_to {
            return Err("its since is not an instant, or its window ends before it begins".to_owned());
        }
        if open.key(stack) != key {
            return Err(format!("its content belongs to {}", open.key(stack)));
        }
        Ok(open)
    }

    pub fn window(&self) -> Window {
        Window { from: self.window_from, to: self.window_to }
    }

    pub fn key(&self, stack: &Stack) -> String {
        stack.missing_key(&self.place.hash(), self.window())
    }

    pub fn since(&self) -> DateTime<Utc> {
        parse_instant(&self.since).unwrap_or_default()
    }

    /// Whether it counts as missing, and fails the runs that judge it.
    pub fn is_missing(&self, now: DateTime<Utc>) -> bool {
        match self.outcome {
            OpenOutcome::Failed => true,
            OpenOutcome::Waiting => now - self.since() >= MAX_WAIT,
            OpenOutcome::NotAsked | OpenOutcome::Lost | OpenOutcome::Skipped => false,
        }
    }

    /// Whether a run was about to record it as lost or skipped.
    pub fn is_to_be_recorded(&self) -> bool {
        matches!(self.outcome, OpenOutcome::Lost | OpenOutcome::Skipped)
    }

    /// Its window as a target in `place`.
    pub fn target_in(&self, place: Place) -> Target {
        Target { place, stream_prefix: self.log_stream_name_prefix.clone(), month: self.month, window: self.window() }
    }

    /// Whether it is due, and an entry matches it.
    pub fn is_asked(&self) -> bool {
        matches!(self.outcome, OpenOutcome::Failed | OpenOutcome::Waiting)
    }

    /// Whether it proves that the log group was seen. A window that was about to be skipped proves nothing: its run ended too early.
    fn proves_seen(&self) -> bool {
        self.outcome != OpenOutcome::Skipped
    }
}

/// What earlier runs left. A run reads it once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub open: OpenWindows,
    /// Objects in `missing/` that cannot be read. Each stands for an unknown window.
    pub unreadable: Vec<Failure>,
    /// What two scheduled runs that compared everything found: the last one, and the last one before the due month ended.
    pub found: Vec<FoundLogGroups>,
}

/// The log groups that a scheduled run found, which compared everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundLogGroups {
    pub names: BTreeSet<LogGroupName>,
    pub scheduled_time: DateTime<Utc>,
    /// When the run started.
    pub at: DateTime<Utc>,
}

impl Memory {
    /// Every log group that an earlier run found or left open.
    pub fn log_groups(&self) -> impl Iterator<Item = &LogGroupName> {
        self.found.iter().flat_map(|found| &found.names).chain(self.open.iter().map(|open| &open.place.log_group))
    }

    /// The log groups that a run found, for its report. A deleted log group stays in the reports until the end of the month of its
    /// deletion. So the last report before the month's end names it, and the run for which that month is due reads this report.
    pub fn found_by(&self, run: &Run, groups: &[Group]) -> BTreeSet<LogGroupName> {
        let month_of = |at| run.timezone.parse().ok().map(|timezone| Month::at(at, timezone));
        let scheduled_time = run.scheduled_time.unwrap_or(run.start_time);
        let before = self.found.first().filter(|found| month_of(found.scheduled_time) == month_of(scheduled_time));
        let is_listed = |name| before.is_some_and(|found| found.names.contains(name));
        let found =
            groups.iter().filter(|group| matches!(group.log_group, LogGroup::Present { .. }) || is_listed(&group.source.log_group_name));
        found.map(|group| group.source.log_group_name.clone()).collect()
    }

    /// What it says about a window.
    pub fn history_of(&self, place: &Place, month: Month, window: Window) -> WindowHistory {
        let of_place = || self.open.of(place).filter(|open| open.proves_seen());
        let is_near = |open: &&OpenWindow| [month, month.previous()].contains(&open.month) || open.window().overlaps(window);
        let open_since = of_place().filter(is_near).map(OpenWindow::since).min();
        let found = self.found.iter().filter(|found| found.names.contains(&place.log_group) && found.at <= window.end());
        WindowHistory {
            is_open: of_place().any(|open| open.window().overlaps(window)),
            seen_since: open_since.into_iter().chain(found.map(|found| found.at)).min(),
        }
    }

    /// Moves each open window to the place where its log group is exported today.
    #[must_use]
    pub fn in_current_places(self, groups: &CurrentGroups) -> Self {
        let moved = |open: OpenWindow| match groups.of_open_window(&open) {
            Some((_, group)) => {
                let Place { bucket, destination, .. } = group.place.clone();
                OpenWindow { place: Place { bucket, destination, ..open.place }, ..open }
            }
            None => open,
        };
        Self { open: Vec::from(self.open).into_iter().map(moved).collect::<Vec<_>>().into(), ..self }
    }
}

/// Open windows by log group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<OpenWindow>", into = "Vec<OpenWindow>")]
pub struct OpenWindows(BTreeMap<LogGroupName, Vec<OpenWindow>>);

impl OpenWindows {
    pub fn of_log_group(&self, name: &LogGroupName) -> &[OpenWindow] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn of(&self, place: &Place) -> impl Iterator<Item = &OpenWindow> {
        self.of_log_group(&place.log_group).iter().filter(|open| open.place == *place)
    }

    pub fn iter(&self) -> impl Iterator<Item = &OpenWindow> {
        self.0.values().flatten()
    }
}

impl From<Vec<OpenWindow>> for OpenWindows {
    fn from(windows: Vec<OpenWindow>) -> Self {
        let mut by_name: BTreeMap<LogGroupName, Vec<OpenWindow>> = BTreeMap::new();
        for open in windows {
            by_name.entry(open.place.log_group.clone()).or_default().push(open);
        }
        Self(by_name)
    }
}

impl From<OpenWindows> for Vec<OpenWindow> {
    fn from(OpenWindows(by_name): OpenWindows) -> Self {
        by_name.into_values().flatten().collect()
    }
}
