//! The matrix of log groups by months. The state of a log-group-month comes from its manifests, open windows, and the last report.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use export_core::{
    LogGroupName, Month, Window,
    manifest::Outcome,
    missing::{MAX_WAIT, OpenOutcome, OpenWindow},
    place::Stack,
};
use serde::Serialize;

use crate::{
    commands::status::survey::{SettledWindow, Survey},
    globs::Globs,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Archived,
    Empty,
    Skipped,
    CoveredInPart,
    Waiting,
    Failed,
    Lost,
    NotAsked,
    NothingYet,
    NotYetDue,
}

impl State {
    pub const ALL: [Self; 10] = [
        Self::Archived,
        Self::Empty,
        Self::Skipped,
        Self::CoveredInPart,
        Self::Waiting,
        Self::Failed,
        Self::Lost,
        Self::NotAsked,
        Self::NothingYet,
        Self::NotYetDue,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Archived => "archived",
            Self::Empty => "empty",
            Self::Skipped => "skipped",
            Self::CoveredInPart => "covered in part",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::NotAsked => "not asked",
            Self::NothingYet => "nothing yet",
            Self::NotYetDue => "not yet due",
        }
    }

    /// The letter in a cell of the table. A capital needs attention.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Archived => "a",
            Self::Empty => "e",
            Self::Skipped => "s",
            Self::CoveredInPart => "P",
            Self::Waiting => "W",
            Self::Failed => "F",
            Self::Lost => "L",
            Self::NotAsked => "N",
            Self::NothingYet => "-",
            Self::NotYetDue => ".",
        }
    }
}

/// One log-group-month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub log_group: LogGroupName,
    pub month: Month,
    pub state: State,
    /// Whether a run counts the month as missing.
    pub is_missing: bool,
    pub objects: u64,
    pub bytes: u64,
    /// The windows behind the state, as messages for a person.
    pub windows: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Matrix {
    pub months: Vec<Month>,
    /// The cells of each log group by month. Months without a state have no cell.
    pub rows: BTreeMap<LogGroupName, BTreeMap<Month, Cell>>,
}

/// The months and log groups of a matrix.
pub struct Range<'a> {
    pub from: Option<Month>,
    pub to: Option<Month>,
    pub globs: &'a Globs<'a>,
}

impl Matrix {
    pub fn new(survey: &Survey, stack: &Stack, range: &Range, now: DateTime<Utc>) -> Self {
        let months_of = months_by_log_group(survey);
        let rows: BTreeSet<&LogGroupName> = months_of.keys().copied().filter(|name| range.globs.matches(name)).collect();
        let current = Month::at(now, stack.timezone);
        let first = rows.iter().filter_map(|name| months_of[*name].iter().min()).min().copied();
        let from = range.from.or(first).unwrap_or(current.previous());
        let to = range.to.unwrap_or(current);
        let months: Vec<Month> = std::iter::successors(Some(from), |month| Some(month.next())).take_while(|month| *month <= to).collect();
        let windows: Vec<(Month, Window)> = months.iter().map(|month| (*month, Window::of(*month, stack.timezone))).collect();
        let mut settled: BTreeMap<&LogGroupName, Vec<&SettledWindow>> = BTreeMap::new();
        for window in &survey.settled {
            settled.entry(&window.log_group).or_default().push(window);
        }
        let cells = |name: &LogGroupName| {
            let group = MatrixRow { name, settled: settled.get(name).map_or(&[], Vec::as_slice), survey, stack, now };
            windows.iter().filter_map(|(month, window)| Some((*month, group.cell(*month, *window)?))).collect()
        };
        let rows = rows.into_iter().map(|name| (name.clone(), cells(name))).collect();
        Self { months, rows }
    }

    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.rows.values().flat_map(BTreeMap::values)
    }
}

/// Every log group of the archive, with the months that have a manifest, an open window or an entry in the last report.
fn months_by_log_group(survey: &Survey) -> BTreeMap<&LogGroupName, BTreeSet<Month>> {
    let settled = survey.settled.iter().map(|window| (&window.log_group, Some(window.month)));
    let open = survey.open.iter().map(|open| (&open.place.log_group, Some(open.month)));
    let found = survey.last_compared.iter().flat_map(|last| last.found.iter().map(|name| (name, Some(last.due_month))));
    let mut months: BTreeMap<&LogGroupName, BTreeSet<Month>> = BTreeMap::new();
    for (name, month) in settled.chain(open).chain(found) {
        months.entry(name).or_default().extend(month);
    }
    months
}

struct MatrixRow<'a> {
    name: &'a LogGroupName,
    settled: &'a [&'a SettledWindow],
    survey: &'a Survey,
    stack: &'a Stack,
    now: DateTime<Utc>,
}

impl MatrixRow<'_> {
    /// `None`: no run has to archive this month.
    fn cell(&self, month: Month, window: Window) -> Option<Cell> {
        let open: Vec<&OpenWindow> = self.survey.open.of_log_group(self.name).iter().filter(|open| open.month == month).collect();
        let settled: Vec<&SettledWindow> = self.settled.iter().filter(|settled| settled.month == month).copied().collect();
        // A month of another time zone can overlap this month.
        let covering: Vec<Window> = self.settled.iter().map(|settled| settled.window).filter(|other| other.overlaps(window)).collect();
        let is_due = self.now >= window.settled_at(self.stack.settle_days);
        let next = self.next_run_state(month, is_due);
        let state = open_state(&open).or_else(|| settled_state(&settled, &window.without(&covering))).or(next)?;
        let has_waited = || self.now - window.settled_at(self.stack.settle_days) >= MAX_WAIT;
        // The next run would export the rest of the month, and no run has looked at it yet.
        let is_waiting = matches!(state, State::Waiting | State::CoveredInPart) && next == Some(State::Waiting);
        let is_missing = open.iter().any(|open| open.is_missing(self.now)) || open.is_empty() && is_waiting && has_waited();
        Some(Cell {
            log_group: self.name.clone(),
            month,
            state,
            is_missing,
            objects: settled.iter().map(|settled| settled.objects).sum(),
            bytes: settled.iter().map(|settled| settled.bytes).sum(),
            windows: open.iter().map(|open| describe_open(open)).chain(settled.iter().map(|settled| describe_settled(settled))).collect(),
        })
    }

    /// The state of a month without a manifest and without an open window, by what the next run will do.
    fn next_run_state(&self, month: Month, is_due: bool) -> Option<State> {
        if !is_due {
            return Some(State::NotYetDue);
        }
        let last = self.survey.last_compared.as_ref().filter(|last| last.found.contains(self.name))?;
        let key = (self.name.clone(), month);
        if last.nothing_yet.contains(&key) {
            Some(State::NothingYet)
        } else {
            // The next scheduled run looks at every month from the last run's due month on.
            (month >= last.due_month && !last.warned.contains(&key)).then_some(State::Waiting)
        }
    }
}

/// The most serious state of the open windows.
fn open_state(open: &[&OpenWindow]) -> Option<State> {
    let state = |open: &&OpenWindow| match open.outcome {
        OpenOutcome::Failed => State::Failed,
        // The run ended before it recorded the month as skipped. The next run looks at it again.
        OpenOutcome::Waiting | OpenOutcome::Skipped => State::Waiting,
        OpenOutcome::Lost => State::Lost,
        OpenOutcome::NotAsked => State::NotAsked,
    };
    let states: BTreeSet<State> = open.iter().map(state).collect();
    [State::Failed, State::Lost, State::Waiting, State::NotAsked].into_iter().find(|state| states.contains(state))
}

fn settled_state(settled: &[&SettledWindow], uncovered: &[Window]) -> Option<State> {
    let has = |outcome| settled.iter().any(|settled| settled.outcome == outcome);
    if settled.is_empty() {
        return None;
    }
    Some(if has(Outcome::Lost) {
        State::Lost
    } else if !uncovered.is_empty() {
        State::CoveredInPart
    } else if has(Outcome::Exported) {
        State::Archived
    } else if has(Outcome::Empty) {
        State::Empty
    } else {
        State::Skipped
    })
}

pub fn outcome_name(outcome: OpenOutcome) -> &'static str {
    match outcome {
        OpenOutcome::Failed => "failed",
        OpenOutcome::Waiting => "waiting",
        OpenOutcome::NotAsked => "not asked",
        OpenOutcome::Lost => "to be recorded as lost",
        OpenOutcome::Skipped => "to be recorded as skipped",
    }
}

fn describe_open(open: &OpenWindow) -> String {
    let outcome = outcome_name(open.outcome);
    let error = open.error.as_deref().map(|error| format!(" {error}")).unwrap_or_default();
    let (window, message, since, tries) = (format_window(open.window()), &open.message, &open.since, open.tries);
    format!("{window}: {outcome}{error}, since {since}, tries {tries}. {message}")
}

fn describe_settled(settled: &SettledWindow) -> String {
    let outcome = match settled.outcome {
        Outcome::Exported => format!("exported, {} objects of {} bytes", settled.objects, settled.bytes),
        Outcome::Empty => "empty".to_owned(),
        Outcome::Skipped | Outcome::Lost => {
            let outcome = if settled.outcome == Outcome::Lost { "lost" } else { "skipped" };
            settled.reason.map_or_else(|| outcome.to_owned(), |reason| format!("{outcome}, {reason:?}"))
        }
    };
    let written = settled.written.map(|at| format!(", manifest of {}", at.format("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default();
    format!("{}: {outcome}{written}", format_window(settled.window))
}

fn format_window(window: Window) -> String {
    format!("{} to {}", window.from, window.to)
}

#[cfg(test)]
mod tests {
    use export_core::{BucketName, Prefix, SettleDays};

    use super::*;
    use crate::commands::status::survey::LastCompared;

    /// The state of October 2026 in Tokyo, and whether the month is missing. The last run found the log group in September.
    fn october(now: &str, settle_days: u8, settled: Option<Window>) -> Option<(State, bool)> {
        let name = LogGroupName::parse("/a").unwrap();
        let last = LastCompared {
            due_month: "2026-09".parse().unwrap(),
            found: [name.clone()].into(),
            nothing_yet: BTreeSet::new(),
            warned: BTreeSet::new(),
        };
        let october = "2026-10".parse().unwrap();
        let settled = settled.map(|window| SettledWindow {
            log_group: name,
            month: october,
            window,
            outcome: Outcome::Exported,
            reason: None,
            objects: 1,
            bytes: 1,
            written: None,
        });
        let survey = Survey { settled: settled.into_iter().collect(), last_compared: Some(last), ..Survey::default() };
        let stack = Stack {
            account: "111122223333".into(),
            region: "ap-northeast-1".into(),
            partition: "aws".into(),
            bucket: BucketName::parse("my-archive").unwrap(),
            s3_prefix: Prefix::parse("logs").unwrap(),
            timezone: chrono_tz::Asia::Tokyo,
            settle_days: SettleDays::new(settle_days.into()).unwrap(),
        };
        let range = Range { from: Some(october), to: Some(october), globs: &Globs::new(&[]) };
        let matrix = Matrix::new(&survey, &stack, &range, now.parse().unwrap());
        matrix.cells().next().map(|cell| (cell.state, cell.is_missing))
    }

    #[test]
    fn a_month_that_no_run_has_compared_is_waiting_and_after_seven_days_missing() {
        for (now, settle_days, expected) in [
            ("2026-11-01T02:59:59Z", 0, (State::NotYetDue, false)),
            ("2026-11-01T03:00:00Z", 0, (State::Waiting, false)),
            ("2026-11-08T02:59:59Z", 0, (State::Waiting, false)),
            ("2026-11-08T03:00:00Z", 0, (State::Waiting, true)),
            ("2026-11-08T03:00:00Z", 15, (State::NotYetDue, false)),
        ] {
            assert_eq!(october(now, settle_days, None), Some(expected), "{now} {settle_days}");
        }
    }

    /// For example, somebody exported the beginning of a month before its end.
    #[test]
    fn the_rest_of_a_month_that_is_covered_in_part_is_missing_after_seven_days() {
        let whole = Window::of("2026-10".parse().unwrap(), chrono_tz::Asia::Tokyo);
        for (now, settled, expected) in [
            ("2026-11-08T02:59:59Z", whole.split_equally(2)[0], (State::CoveredInPart, false)),
            ("2026-11-08T03:00:00Z", whole.split_equally(2)[0], (State::CoveredInPart, true)),
            ("2026-11-08T03:00:00Z", whole, (State::Archived, false)),
        ] {
            assert_eq!(october(now, 0, Some(settled)), Some(expected), "{now}");
        }
    }
}
