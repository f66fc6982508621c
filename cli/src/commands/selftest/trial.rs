//! One self-test: its id, and everything that bears it.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use export_core::{
    LogGroupName, Month, Window,
    destination::DEFAULT,
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
    started: DateTime<Utc>,
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
        let destination = DEFAULT.render(&stack.s3_prefix, &log_group).map_err(Failure::Usage)?;
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

    pub fn started(&self) -> Millis {
        Millis::of(self.started)
    }

    pub fn month(&self) -> Month {
        let timezone = self.stack.stack.timezone;
        let newest = self.newest();
        let month = Month::at(newest, timezone);
        let is_too_short = Millis::of(newest) < Window::of(month, timezone).from + SHORTEST_SPAN;
        if is_too_short { month.previous() } else { month }
    }

    /// When the events of the direct exports happened. It lies inside the window of the run, which ends 12 h before its start.
    pub fn window(&self) -> Window {
        let month = Window::of(self.month(), self.stack.stack.timezone);
        let to = month.to.min(Millis::of(self.newest()));
        Window { from: month.from.max(to - SPAN), to }
    }

    /// Clocks differ: a little before what the run exports.
    fn newest(&self) -> DateTime<Utc> {
        self.started - SETTLING_TIME - CLOCK_SKEW
    }
}
