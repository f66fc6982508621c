//! One self-test: its id, and everything that bears it.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use export_core::{
    LogGroupName, Month, Window,
    destination::DEFAULT_TEMPLATE,
    place::Place,
    time::Millis,
    window::{CLOCK_SKEW, SETTLING_TIME},
};

use crate::{failure::Failure, stack::DeployedStack};

/// What the names of all log groups of self-tests begin with.
pub const FOLDER: &str = "/logs-archive-selftest/";

const ID: &str = "%Y-%m-%dT%H-%M-%S-%3fZ";

/// How long before the newest exportable moment the first event happened, at most.
const SPAN: TimeDelta = TimeDelta::hours(2);
const SHORTEST_SPAN: TimeDelta = TimeDelta::minutes(1);

#[derive(Clone, Copy)]
pub struct Trial<'a> {
    pub stack: &'a DeployedStack,
    pub started: DateTime<Utc>,
}

/// The three log groups of a self-test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Log streams with unusual names, and messages whose bytes matter.
    Names,
    Many,
    /// Its only event happened after the export's window.
    Empty,
}

impl Subject {
    pub const ALL: [Self; 3] = [Self::Names, Self::Many, Self::Empty];

    pub fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Many => "many",
            Self::Empty => "empty",
        }
    }
}

impl<'a> Trial<'a> {
    pub fn new(stack: &'a DeployedStack, now: DateTime<Utc>) -> Self {
        Self { stack, started: now }
    }

    /// An earlier one.
    pub fn named(stack: &'a DeployedStack, id: &str) -> Result<Self, Failure> {
        let started = NaiveDateTime::parse_from_str(id, ID).map(|started| started.and_utc());
        match started {
            Ok(started) if started.format(ID).to_string() == id => Ok(Self { stack, started }),
            _ => Err(Failure::Usage(format!("{id} is no id of a self-test: write it as in the names of its log groups, {FOLDER}<id>/"))),
        }
    }

    pub fn id(&self) -> String {
        self.started.format(ID).to_string()
    }

    /// Of the run.
    pub fn execution_name(&self) -> String {
        format!("selftest-{}", self.id())
    }

    pub fn execution_arn(&self) -> String {
        format!("{}:{}", self.stack.state_machine_arn().replacen(":stateMachine:", ":execution:", 1), self.execution_name())
    }

    /// What the names of its log groups begin with.
    pub fn folder(&self) -> String {
        format!("{FOLDER}{}/", self.id())
    }

    pub fn log_group(&self, subject: Subject) -> LogGroupName {
        LogGroupName::parse(&format!("{}{}", self.folder(), subject.name())).expect("digits, letters and hyphens")
    }

    pub fn log_groups(&self) -> [LogGroupName; 3] {
        Subject::ALL.map(|subject| self.log_group(subject))
    }

    /// Where the run archives a log group.
    pub fn place(&self, log_group: LogGroupName) -> Result<Place, Failure> {
        let stack = &self.stack.stack;
        let destination = DEFAULT_TEMPLATE.render(&stack.s3_prefix, &log_group).map_err(Failure::Usage)?;
        Ok(stack.place(stack.bucket.clone(), log_group, destination))
    }

    /// What the keys of all that the run exports begin with.
    pub fn archived_folder(&self) -> String {
        self.stack.stack.s3_prefix.join(&format!("log_group={}", self.folder()))
    }

    /// Where the export tasks write that no run creates: below the archive's prefix, where the bucket policy lets CloudWatch Logs write,
    /// and outside all that runs and views read.
    pub fn direct_folder(&self) -> String {
        self.stack.stack.s3_prefix.join(&format!("logs-archive-selftest/{}/", self.id()))
    }

    /// The month that the run is asked for.
    pub fn month(&self) -> Month {
        self.month_and_window().0
    }

    /// When the events of the direct exports happened.
    pub fn window(&self) -> Window {
        self.month_and_window().1
    }

    fn month_and_window(&self) -> (Month, Window) {
        month_and_window(self.started, self.stack.stack.timezone)
    }
}

/// A month of which a run exports something now, and the last of it. A run exports no more than is 12 h old; clocks differ.
fn month_and_window(started: DateTime<Utc>, timezone: Tz) -> (Month, Window) {
    let newest = Millis::of(started - SETTLING_TIME - CLOCK_SKEW);
    let now = Month::at(started - SETTLING_TIME - CLOCK_SKEW, timezone);
    // On its first day, the month may have nothing to export yet.
    let month = if newest < Window::of(now, timezone).from + SHORTEST_SPAN { now.previous() } else { now };
    let whole = Window::of(month, timezone);
    let to = whole.to.min(newest);
    (month, Window { from: whole.from.max(to - SPAN), to })
}

#[cfg(test)]
mod tests {
    use export_core::{SettleDays, input::window_of, time::parse_instant};

    use super::*;

    #[test]
    fn the_run_exports_the_window_whatever_the_day() {
        for (started, zone, month, minutes) in [
            ("2026-11-28T08:00:00Z", "Asia/Tokyo", "2026-11", 120),
            // In Tokyo, it is the 1st, 12:04: the month has nothing to export yet.
            ("2026-11-01T03:04:59Z", "Asia/Tokyo", "2026-10", 120),
            ("2026-11-01T03:05:59Z", "Asia/Tokyo", "2026-10", 120),
            ("2026-11-01T03:06:00Z", "Asia/Tokyo", "2026-11", 1),
            ("2026-11-01T03:35:00Z", "Asia/Tokyo", "2026-11", 30),
            ("2026-11-01T00:00:00Z", "America/New_York", "2026-10", 120),
            ("2026-03-01T00:00:00Z", "UTC", "2026-02", 120),
        ] {
            let (at, zone) = (parse_instant(started).unwrap(), zone.parse().unwrap());
            let (found, window) = month_and_window(at, zone);
            assert_eq!((found.to_string().as_str(), window.to.0 - window.from.0), (month, minutes * 60_000), "{started}");
            for settle_days in [0.0, 15.0] {
                let exported = window_of(found, zone, at, SettleDays::new(settle_days).unwrap(), true).unwrap();
                assert!(exported.contains(window), "{started}: {exported:?} {window:?}");
            }
        }
    }
}
