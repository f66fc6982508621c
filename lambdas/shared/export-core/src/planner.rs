//! The rounds of a run: which log-group-months it compares next, which windows it plans, and when it ends. The archive crate gathers the
//! evidence between the calls.

mod current_groups;
mod parts;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ErrorName, ExportError, Month, Window,
    compaction::Compaction,
    contract::plan::{ChildResult, DecidedWindow, MAX_IDLE_ROUNDS, Next, PlannedWindow, ROUND_SIZE, Run, WindowOutcome},
    decide::{LogGroup, Question},
    entry::Source,
    missing::Memory,
    place::Place,
    target::Target,
    warning::Warning,
};

pub use current_groups::CurrentGroups;
pub use parts::{TaskSpeed, split_for_speed, split_in_halves};

/// A log group of the run's list, as it was when the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub source: Source,
    pub place: Place,
    pub log_group: LogGroup,
}

impl Group {
    pub fn target(&self, month: Month, window: Window) -> Target {
        Target { place: self.place.clone(), stream_prefix: self.source.log_stream_name_prefix.clone(), month, window }
    }
}

/// What one call of `plan-exports` hands to the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The next log-group-month to compare: an index in the run's months, and an index in its list of log groups.
    #[serde(rename = "look")]
    pub month: usize,
    pub group: usize,
    /// After all months: the next of the older open windows.
    pub older: usize,
    pub compared_everything: bool,
    pub planned: Vec<PlannedWindow>,
    /// Whether the state machine got the windows of `planned`.
    pub exporting: bool,
    pub idle_rounds: u32,
    /// How many log-group-months were archived before the run.
    pub archived: BTreeMap<Month, u64>,
    /// The compaction of a run that writes Parquet, once nothing is left to export.
    pub compaction: Option<Compaction>,
    /// How long tasks held the slot for the archived windows of the due month.
    pub due_month_seconds: f64,
    pub warnings: Vec<Warning>,
}

/// A window to decide: one of the last round, or a log-group-month that this run compares for the first time.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub group: usize,
    pub target: Target,
    after_first_covered: bool,
    /// The result of its task in the last round.
    child: Option<ChildResult>,
    was_planned: bool,
    repairs: Option<String>,
    last_error: Option<ExportError>,
}

impl Subject {
    fn new(group: usize, target: Target, after_first_covered: bool) -> Self {
        Self { group, target, after_first_covered, child: None, was_planned: false, repairs: None, last_error: None }
    }

    /// Whether this run compares it for the first time.
    pub fn is_new(&self) -> bool {
        !self.was_planned
    }
}

pub struct Planner<'a> {
    run: &'a Run,
    groups: &'a [Group],
    memory: &'a Memory,
    /// Open windows outside the run's months, split by the months of today's time zone.
    older: Vec<(usize, Month, Window)>,
    progress: Progress,
    is_time_over: bool,
    planned: Vec<PlannedWindow>,
    decided: Vec<DecidedWindow>,
    /// The windows of `decided`, by the index of their log group.
    has_outcome: BTreeSet<(usize, Window)>,
    has_progressed: bool,
}

/// The end of one call of `plan-exports`.
pub struct Round {
    pub next: Next,
    pub progress: Progress,
    /// The windows to export in this round.
    pub items: Vec<PlannedWindow>,
    pub decided: Vec<DecidedWindow>,
}

impl<'a> Planner<'a> {
    pub fn new(run: &'a Run, groups: &'a [Group], memory: &'a Memory, progress: Progress, is_time_over: bool) -> Self {
        let older = current_groups::older_windows(run, groups, memory);
        let (planned, decided, has_outcome) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { run, groups, memory, older, progress, is_time_over, planned, decided, has_outcome, has_progressed: false }
    }

    /// Takes the windows of the last round. `child` finds the result of each.
    pub fn take_last_round(&mut self, child: impl Fn(&PlannedWindow) -> Option<ChildResult>) -> Vec<Subject> {
        let planned = std::mem::take(&mut self.progress.planned);
        let subject = |window: PlannedWindow| Subject {
            child: child(&window),
            group: window.group,
            target: self.groups[window.group].target(window.month, window.window),
            after_first_covered: false,
            was_planned: true,
            repairs: window.repairs,
            last_error: window.last_error,
        };
        planned.into_iter().map(subject).collect()
    }

    /// The next log-group-months to compare, at most `limit`. None: everything is compared, or the round is full.
    pub fn next_subjects(&mut self, limit: usize) -> Vec<Subject> {
        let limit = if self.planned.len() < ROUND_SIZE { limit } else { 0 };
        let mut subjects = Vec::new();
        while subjects.len() < limit && self.progress.month < self.run.months_to_compare.len() {
            let month = self.run.months_to_compare[self.progress.month];
            if let Some(group) = self.groups.get(self.progress.group) {
                let target = group.target(month.month, month.window);
                subjects.push(Subject::new(self.progress.group, target, month.after_first_covered));
                self.progress.group += 1;
            }
            if self.progress.group == self.groups.len() {
                (self.progress.month, self.progress.group) = (self.progress.month + 1, 0);
            }
        }
        let has_compared_months = self.progress.month == self.run.months_to_compare.len();
        while subjects.len() < limit && has_compared_months && self.progress.older < self.older.len() {
            let (group, month, window) = self.older[self.progress.older];
            subjects.push(Subject::new(group, self.groups[group].target(month, window), false));
            self.progress.older += 1;
        }
        self.has_progressed |= !subjects.is_empty();
        subjects
    }

    pub fn group(&self, subject: &Subject) -> &'a Group {
        &self.groups[subject.group]
    }

    /// The question for [`decide`](crate::decide::decide). Under `force`, a window that this run has checked is an ordinary window.
    pub fn question<'s>(&self, subject: &'s Subject, now: DateTime<Utc>) -> Question<'s> {
        let target = &subject.target;
        let is_checked = matches!(subject.child, Some(ChildResult::Checked { .. }));
        Question {
            target,
            after_first_covered: subject.after_first_covered,
            force_since: (self.run.force && !is_checked).then_some(self.run.start_time),
            planned_since: subject.was_planned.then_some(self.run.start_time),
            history: self.memory.history_of(&target.place, target.month, target.window),
            now,
        }
    }

    /// Plans a window once: two months can both touch the window of a manifest that is exported again.
    fn plan(&mut self, window: PlannedWindow) {
        if !self.planned.iter().any(|planned| (planned.group, planned.window) == (window.group, window.window)) {
            self.planned.push(window);
        }
    }

    /// Gives a window one outcome: two months can both touch the window of a manifest.
    fn conclude(&mut self, group: usize, month: Month, window: Window, outcome: WindowOutcome) {
        if !self.has_outcome.insert((group, window)) {
            return;
        }
        if matches!(outcome, WindowOutcome::Exported { .. } | WindowOutcome::Empty { .. }) {
            self.has_progressed = true;
        }
        let source = self.groups[group].source.clone();
        self.decided.push(DecidedWindow { source, month, window, outcome });
    }

    /// Decides what comes next. `is_short_of_time`: this invocation must end before everything is compared.
    pub fn finish(mut self, is_short_of_time: bool) -> Round {
        let is_compared = self.progress.month >= self.run.months_to_compare.len() && self.progress.older >= self.older.len();
        // A scheduled run that started before its due month was complete leaves the month to the next run.
        let has_due_month = !self.run.is_scheduled() || self.run.months_to_compare.iter().any(|month| month.month == self.run.due_month);
        self.progress.compared_everything = is_compared && has_due_month;
        if std::mem::take(&mut self.progress.exporting) {
            self.progress.idle_rounds = if self.has_progressed { 0 } else { self.progress.idle_rounds + 1 };
        }
        let planned = std::mem::take(&mut self.planned);
        if self.progress.idle_rounds >= MAX_IDLE_ROUNDS {
            self.fail_all(planned);
            // The rest of the list has its turn all the same: every log-group-month gets an outcome.
            self.progress.idle_rounds = 0;
            let next = if is_compared { Next::Report } else { Next::Plan };
            return self.into_round(next, Vec::new());
        }
        let next = match (planned.is_empty(), is_compared) {
            (false, _) => Next::Export,
            (true, false) if is_short_of_time => Next::Plan,
            (true, _) => Next::Report,
        };
        self.progress.exporting = next == Next::Export;
        self.into_round(next, planned)
    }

    fn fail_all(&mut self, planned: Vec<PlannedWindow>) {
        for PlannedWindow { group, month, window, last_error, .. } in planned {
            let error = last_error.unwrap_or_else(|| {
                let message = format!("{MAX_IDLE_ROUNDS} rounds ended without an export, and their results do not say why");
                ExportError::new(ErrorName::Unexpected, message)
            });
            let outcome = WindowOutcome::Failed { failure: error.into(), tried: true, blocked_by: None };
            self.conclude(group, month, window, outcome);
        }
    }

    fn into_round(mut self, next: Next, planned: Vec<PlannedWindow>) -> Round {
        let items = planned.iter().take(ROUND_SIZE).cloned().collect();
        self.progress.planned = planned;
        Round { next, progress: self.progress, items, decided: self.decided }
    }
}

#[cfg(test)]
mod tests;
