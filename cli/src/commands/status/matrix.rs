//! The matrix of log groups by months: the state of each log-group-month, from what the archive says of its windows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use export_core::{
    LogGroupName, Month, Window,
    manifest::Outcome,
    missing::{MAX_WAIT, OpenOutcome, OpenWindow},
    place::Stack,
};
use serde::Serialize;

use crate::commands::status::survey::{SettledWindow, Survey};

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

    /// In a cell of the table. Capitals are for what a person should look at.
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
    /// As a run counts it.
    pub is_missing: bool,
    pub objects: u64,
    pub bytes: u64,
    /// What the state stands on, for a person.
    pub parts: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Matrix {
    pub months: Vec<Month>,
    /// Of each log group, the cells that there is anything to say of, by month.
    pub rows: BTreeMap<LogGroupName, BTreeMap<Month, Cell>>,
}

/// What is to be shown.
pub struct Range<'a> {
    pub from: Option<Month>,
    pub to: Option<Month>,
    pub wants: &'a dyn Fn(&LogGroupName) -> bool,
}

impl Matrix {
    pub fn of(survey: &Survey, stack: &Stack, range: &Range, now: DateTime<Utc>) -> Self {
        let known = known(survey);
        let rows: BTreeSet<&LogGroupName> = known.keys().copied().filter(|name| (range.wants)(name)).collect();
        let current = Month::at(now, stack.timezone);
        let first = rows.iter().filter_map(|name| known[*name].iter().min()).min().copied();
        let from = range.from.or(first).unwrap_or(current.previous());
        let to = range.to.unwrap_or(current);
        let months: Vec<Month> = std::iter::successors(Some(from), |month| Some(month.next())).take_while(|month| *month <= to).collect();
        let windows: Vec<(Month, Window)> = months.iter().map(|month| (*month, Window::of(*month, stack.timezone))).collect();
        let mut settled: BTreeMap<&LogGroupName, Vec<&SettledWindow>> = BTreeMap::new();
        for window in &survey.settled {
            settled.entry(&window.log_group).or_default().push(window);
        }
        let cells = |name: &LogGroupName| {
            let group = LogGroup { name, settled: settled.get(name).map_or(&[], Vec::as_slice), survey, stack, now };
            windows.iter().filter_map(|(month, window)| Some((*month, group.cell(*month, *window)?))).collect()
        };
        let rows = rows.into_iter().map(|name| (name.clone(), cells(name))).collect();
        Self { months, rows }
    }

    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.rows.values().flat_map(BTreeMap::values)
    }
}

/// Every log group that the archive knows, with the months that it says anything of.
fn known(survey: &Survey) -> BTreeMap<&LogGroupName, BTreeSet<Month>> {
    let settled = survey.settled.iter().map(|window| (&window.log_group, Some(window.month)));
    let open = survey.open.iter().map(|open| (&open.place.log_group, Some(open.month)));
    let found = survey.last_compared.iter().flat_map(|last| last.found.iter().map(|name| (name, Some(last.due_month))));
    let mut known: BTreeMap<&LogGroupName, BTreeSet<Month>> = BTreeMap::new();
    for (name, month) in settled.chain(open).chain(found) {
        known.entry(name).or_default().extend(month);
    }
    known
}

struct LogGroup<'a> {
    name: &'a LogGroupName,
    settled: &'a [&'a SettledWindow],
    survey: &'a Survey,
    stack: &'a Stack,
    now: DateTime<Utc>,
}

impl LogGroup<'_> {
    /// `None`: nobody asked for it.
    fn cell(&self, month: Month, window: Window) -> Option<Cell> {
        let open: Vec<&OpenWindow> = self.survey.open.of_log_group(self.name).iter().filter(|open| open.month == month).collect();
        let settled: Vec<&SettledWindow> = self.settled.iter().filter(|settled| settled.month == month).copied().collect();
        // The months of another time zone reach into this one.
        let covering: Vec<Window> = self.settled.iter().map(|settled| settled.window).filter(|other| other.overlaps(window)).collect();
        let is_due = self.now >= window.settled_at(self.stack.settle_days);
        let next = self.of_run(month, is_due);
        let state = of_open(&open).or_else(|| of_settled(&settled, &window.without(&covering))).or(next)?;
        let has_waited = || self.now - window.settled_at(self.stack.settle_days) >= MAX_WAIT;
        // A run would export it, or what a part leaves open of it, and none has looked.
        let waits = matches!(state, State::Waiting | State::CoveredInPart) && next == Some(State::Waiting);
        let is_missing = open.iter().any(|open| open.is_missing(self.now)) || open.is_empty() && waits && has_waited();
        Some(Cell {
            log_group: self.name.clone(),
            month,
            state,
            is_missing,
            objects: settled.iter().map(|settled| settled.objects).sum(),
            bytes: settled.iter().map(|settled| settled.bytes).sum(),
            parts: open.iter().map(|open| told_of_open(open)).chain(settled.iter().map(|settled| told_of_settled(settled))).collect(),
        })
    }

    /// Of a month that no manifest and no open window is about: what the next run would make of it.
    fn of_run(&self, month: Month, is_due: bool) -> Option<State> {
        if !is_due {
            return Some(State::NotYetDue);
        }
        let last = self.survey.last_compared.as_ref().filter(|last| last.found.contains(self.name))?;
        let key = (self.name.clone(), month);
        if last.nothing_yet.contains(&key) {
            Some(State::NothingYet)
        } else {
            // From its due month on, the next scheduled run looks at everything.
            (month >= last.due_month && !last.warned.contains(&key)).then_some(State::Waiting)
        }
    }
}

/// The gravest first.
fn of_open(open: &[&OpenWindow]) -> Option<State> {
    let of = |open: &&OpenWindow| match open.outcome {
        OpenOutcome::Failed => State::Failed,
        // The run that was about to record it ended too early: the next one looks again.
        OpenOutcome::Waiting | OpenOutcome::Skipped => State::Waiting,
        OpenOutcome::Lost => State::Lost,
        OpenOutcome::NotAsked => State::NotAsked,
    };
    let states: BTreeSet<State> = open.iter().map(of).collect();
    [State::Failed, State::Lost, State::Waiting, State::NotAsked].into_iter().find(|state| states.contains(state))
}

fn of_settled(settled: &[&SettledWindow], uncovered: &[Window]) -> Option<State> {
    let has = |outcome| settled.iter().any(|settled| settled.outcome == outcome);
    match () {
        () if settled.is_empty() => None,
        () if has(Outcome::Lost) => Some(State::Lost),
        () if !uncovered.is_empty() => Some(State::CoveredInPart),
        () if has(Outcome::Exported) => Some(State::Archived),
        () if has(Outcome::Empty) => Some(State::Empty),
        () => Some(State::Skipped),
    }
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

fn told_of_open(open: &OpenWindow) -> String {
    let outcome = outcome_name(open.outcome);
    let error = open.error.as_deref().map(|error| format!(" {error}")).unwrap_or_default();
    let (window, message, since, tries) = (told(open.window()), &open.message, &open.since, open.tries);
    format!("{window}: {outcome}{error}, since {since}, tries {tries}. {message}")
}

fn told_of_settled(settled: &SettledWindow) -> String {
    let outcome = match settled.outcome {
        Outcome::Exported => format!("exported, {} objects of {} bytes", settled.objects, settled.bytes),
        Outcome::Empty => "empty".to_owned(),
        Outcome::Skipped | Outcome::Lost => {
            let outcome = if settled.outcome == Outcome::Lost { "lost" } else { "skipped" };
            settled.reason.map_or_else(|| outcome.to_owned(), |reason| format!("{outcome}, {reason:?}"))
        }
    };
    let written = settled.settled.map(|at| format!(", manifest of {}", at.format("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default();
    format!("{}: {outcome}{written}", told(settled.window))
}

fn told(window: Window) -> String {
    format!("{} to {}", window.from, window.to)
}

#[cfg(test)]
mod tests {
    use export_core::{BucketName, Prefix, SettleDays};

    use super::*;
    use crate::commands::status::survey::LastCompared;

    /// State of October 2026 in Tokyo, of a log group that the last run found in September; and whether it is missing.
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
            settled: None,
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
        let range = Range { from: Some(october), to: Some(october), wants: &|_| true };
        let matrix = Matrix::of(&survey, &stack, &range, now.parse().unwrap());
        matrix.cells().next().map(|cell| (cell.state, cell.is_missing))
    }

    #[test]
    fn a_month_that_no_run_has_looked_at_waits_and_is_missing_after_seven_days() {
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

    /// As when somebody exported what there was of a month before its end.
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
