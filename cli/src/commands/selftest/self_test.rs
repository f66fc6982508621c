//! One self-test: its id, and the names that contain the id.

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

/// The prefix of all log groups of self-tests.
pub const LOG_GROUP_PREFIX: &str = "/logs-archive-selftest/";

const ID_FORMAT: &str = "%Y-%m-%dT%H-%M-%S-%3fZ";

/// The longest and the shortest window of the events.
const MAX_SPAN: TimeDelta = TimeDelta::hours(2);
const MIN_SPAN: TimeDelta = TimeDelta::minutes(1);

#[derive(Clone, Copy)]
pub struct SelfTest<'a> {
    pub stack: &'a DeployedStack,
    pub started: DateTime<Utc>,
}

/// The three log groups of a self-test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Log streams with unusual names, and messages whose bytes matter.
    Names,
    Many,
    /// Its only event is later than the export's window.
    Empty,
}

impl Sample {
    pub const ALL: [Self; 3] = [Self::Names, Self::Many, Self::Empty];

    pub fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Many => "many",
            Self::Empty => "empty",
        }
    }
}

impl<'a> SelfTest<'a> {
    pub fn new(stack: &'a DeployedStack, now: DateTime<Utc>) -> Self {
        Self { stack, started: now }
    }

    /// The self-test with this id.
    pub fn from_id(stack: &'a DeployedStack, id: &str) -> Result<Self, Failure> {
        let started = NaiveDateTime::parse_from_str(id, ID_FORMAT).map(|started| started.and_utc());
        match started {
            Ok(started) if started.format(ID_FORMAT).to_string() == id => Ok(Self { stack, started }),
            _ => Err(Failure::Usage(format!(
                "{id} is not the id of a self-test: the names of its log groups have the id, {LOG_GROUP_PREFIX}<id>/"
            ))),
        }
    }

    pub fn id(&self) -> String {
        self.started.format(ID_FORMAT).to_string()
    }

    pub fn execution_name(&self) -> String {
        format!("selftest-{}", self.id())
    }

    pub fn execution_arn(&self) -> String {
        format!("{}:{}", self.stack.state_machine_arn().replacen(":stateMachine:", ":execution:", 1), self.execution_name())
    }

    /// The prefix of the self-test's log groups.
    pub fn log_group_prefix(&self) -> String {
        format!("{LOG_GROUP_PREFIX}{}/", self.id())
    }

    pub fn log_group(&self, sample: Sample) -> LogGroupName {
        LogGroupName::parse(&format!("{}{}", self.log_group_prefix(), sample.name())).expect("digits, letters and hyphens")
    }

    pub fn log_groups(&self) -> [LogGroupName; 3] {
        Sample::ALL.map(|sample| self.log_group(sample))
    }

    pub fn place(&self, log_group: LogGroupName) -> Result<Place, Failure> {
        let stack = &self.stack.settings;
        let destination = DEFAULT_TEMPLATE.render(&stack.s3_prefix, &log_group).map_err(Failure::Usage)?;
        Ok(stack.place(stack.bucket.clone(), log_group, destination))
    }

    /// The prefix of the keys of all objects that the run exports.
    pub fn archived_folder(&self) -> String {
        self.stack.settings.s3_prefix.join(&format!("log_group={}", self.log_group_prefix()))
    }

    /// The folder of the direct exports. It is below the archive's prefix, where the bucket policy lets CloudWatch Logs write. Runs and views
    /// do not read it.
    pub fn direct_folder(&self) -> String {
        self.stack.settings.s3_prefix.join(&format!("logs-archive-selftest/{}/", self.id()))
    }

    /// The month that the run exports.
    pub fn month(&self) -> Month {
        self.month_and_window().0
    }

    /// The window of the direct exports.
    pub fn window(&self) -> Window {
        self.month_and_window().1
    }

    fn month_and_window(&self) -> (Month, Window) {
        month_and_window(self.started, self.stack.settings.timezone)
    }
}

/// A month that a run can export now, and the end of what it exports. A run exports only events that are 12 hours old.
fn month_and_window(started: DateTime<Utc>, timezone: Tz) -> (Month, Window) {
    let newest = Millis::of(started - SETTLING_TIME - CLOCK_SKEW);
    let now = Month::at(started - SETTLING_TIME - CLOCK_SKEW, timezone);
    // At the beginning of a month, there is nothing to export yet.
    let month = if newest < Window::of(now, timezone).from + MIN_SPAN { now.previous() } else { now };
    let whole = Window::of(month, timezone);
    let to = whole.to.min(newest);
    (month, Window { from: whole.from.max(to - MAX_SPAN), to })
}

#[cfg(test)]
mod tests {
    use export_core::{SettleDays, input::window_of, time::parse_instant};

    use super::*;

    #[test]
    fn the_run_exports_the_window_on_every_day() {
        for (started, zone, month, minutes) in [
            ("2026-11-28T08:00:00Z", "Asia/Tokyo", "2026-11", 120),
            // In Tokyo, it is 12:04 on the 1st, and the month has nothing to export yet.
            ("2026-11-01T03:04:59Z", "Asia/Tokyo", "2026-10", 120),
            ("2026-11-01T03:05:59Z", "Asia/Tokyo", "2026-10", 120),
            ("2026-11-01T03:06:00Z", "Asia/Tokyo", "2026-11", 1),
            ("2026-11-01T03:35:00Z", "Asia/Tokyo", "2026-11", 30),
            ("2026-11-01T00:00:00Z", "America/New_York", "2026-10", 120),
            ("2026-03-01T00:00:00Z", "UTC", "2026-02", 120),
        ] {
            let (at, zone) = (parse_instant(started).unwrap(), zone.parse().unwrap());
            let (actual_month, window) = month_and_window(at, zone);
            assert_eq!((actual_month.to_string().as_str(), window.to.0 - window.from.0), (month, minutes * 60_000), "{started}");
            for settle_days in [0.0, 15.0] {
                let exported = window_of(actual_month, zone, at, SettleDays::new(settle_days).unwrap(), true).unwrap();
                assert!(exported.contains(window), "{started}: {exported:?} {window:?}");
            }
        }
    }
}
