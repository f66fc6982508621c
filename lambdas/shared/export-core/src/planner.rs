//! The rounds of a run: which log-group-months it compares next, what it plans, and when it ends. Evidence is gathered elsewhere.

mod homes;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    ErrorName, ExportError, Month, TaskId, Window,
    compaction::Compaction,
    contract::{
        create::Reason,
        plan::{Child, Decided, Failure, IDLE_ROUNDS, Next, PlannedWindow, ROUND_SIZE, Run, Settled},
    },
    decide::{Decision, LogGroup, Question, Verdict},
    entry::Source,
    manifest::{Found, Manifest, Outcome},
    missing::{Memory, OpenWindow},
    place::{Place, hexadecimal},
    time::Millis,
    warning::{Warning, WarningName},
};

pub use homes::Homes;
pub use parts::{Speed, equal_parts, halves};

/// A log group of the run's list, as it was when the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub source: Source,
    pub place: Place,
    pub log_group: LogGroup,
}

/// What one call of `plan-exports` leaves to the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The next log-group-month to compare: its place in the run's looks, and in its list of log groups.
    pub look: usize,
    pub group: usize,
    /// Then, the next of the open windows outside the looks.
    pub older: usize,
    pub compared_everything: bool,
    pub planned: Vec<PlannedWindow>,
    /// Whether the windows of `planned` were handed to the state machine.
    pub exporting: bool,
    pub idle_rounds: u32,
    /// Log-group-months that were archived already.
    pub archived: BTreeMap<Month, u64>,
    /// Of a run that writes Parquet, once nothing is left to export.
    pub compaction: Option<Compaction>,
    /// For how long the slot was held for what is archived of the due month.
    pub due_month_seconds: f64,
    pub warnings: Vec<Warning>,
}

/// What is to be decided: a window of the last round, or a log-group-month that is compared for the first time.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub group: usize,
    pub month: Month,
    pub window: Window,
    after_first_covered: bool,
    /// What became of it in the last round.
    child: Option<Child>,
    was_planned: bool,
    repairs: Option<String>,
    last: Option<ExportError>,
}

impl Subject {
    fn new(group: usize, month: Month, window: Window, after_first_covered: bool) -> Self {
        Self { group, month, window, after_first_covered, child: None, was_planned: false, repairs: None, last: None }
    }

    /// Compared for the first time in this run.
    pub fn is_new(&self) -> bool {
        !self.was_planned
    }
}

pub struct Planner<'a> {
    run: &'a Run,
    groups: &'a [Group],
    memory: &'a Memory,
    /// Open windows outside the looks, by the months of today's time zone.
    older: Vec<(usize, Month, Window)>,
    progress: Progress,
    is_time_over: bool,
    planned: Vec<PlannedWindow>,
    decided: Vec<Decided>,
    settled: BTreeSet<(usize, Window)>,
    has_progressed: bool,
}

impl<'a> Planner<'a> {
    pub fn new(run: &'a Run, groups: &'a [Group], memory: &'a Memory, progress: Progress, is_time_over: bool) -> Self {
        let older = homes::older(run, groups, memory);
        let (planned, decided, settled) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { run, groups, memory, older, progress, is_time_over, planned, decided, settled, has_progressed: false }
    }

    /// The windows of the last round, each with what became of it. `child` finds it by the window.
    pub fn last_round(&mut self, child: impl Fn(&PlannedWindow) -> Option<Child>) -> Vec<Subject> {
        let planned = std::mem::take(&mut self.progress.planned);
        let subject = |window: PlannedWindow| Subject {
            child: child(&window),
            group: window.group,
            month: window.month,
            window: window.window,
            after_first_covered: false,
            was_planned: true,
            repairs: window.repairs,
            last: window.last,
        };
        planned.into_iter().map(subject).collect()
    }

    /// The next log-group-months to compare, as many as this round has room for. None: everything is compared, or the round is full.
    pub fn to_compare(&mut self, most: usize) -> Vec<Subject> {
        let room = if self.planned.len() < ROUND_SIZE { most } else { 0 };
        let mut subjects = Vec::new();
        while subjects.len() < room && self.progress.look < self.run.looks.len() {
            let look = self.run.looks[self.progress.look];
            if self.progress.group < self.groups.len() {
                subjects.push(Subject::new(self.progress.group, look.month, look.window, look.after_first_covered));
                self.progress.group += 1;
            }
            if self.progress.group == self.groups.len() {
                (self.progress.look, self.progress.group) = (self.progress.look + 1, 0);
            }
        }
        while subjects.len() < room && self.progress.look == self.run.looks.len() && self.progress.older < self.older.len() {
            let (group, month, window) = self.older[self.progress.older];
            subjects.push(Subject::new(group, month, window, false));
            self.progress.older += 1;
        }
        self.has_progressed |= !subjects.is_empty();
        subjects
    }

    pub fn group(&self, subject: &Subject) -> &'a Group {
        &self.groups[subject.group]
    }

    /// What to ask [`decide`](crate::decide::decide) of a subject. A forced window that this run has checked is asked about as any other.
    pub fn question(&self, subject: &Subject, now: chrono::DateTime<chrono::Utc>) -> Question<'a> {
        let group = self.group(subject);
        let is_checked = matches!(subject.child, Some(Child::Checked { .. }));
        Question {
            place: &group.place,
            stream_prefix: group.source.log_stream_name_prefix.as_ref(),
            month: subject.month,
            window: subject.window,
            after_first_covered: subject.after_first_covered,
            force_since: (self.run.force && !is_checked).then_some(self.run.start_time),
            planned_since: subject.was_planned.then_some(self.run.start_time),
            remembered: self.memory.of(&group.place, subject.month, subject.window),
            now,
        }
    }

    /// Takes the verdicts on a subject, with the manifests that they stand on. `speed`: of what is archived of its place.
    pub fn take(&mut self, subject: &Subject, decisions: Vec<Decision>, found: &[Found], speed: Option<Speed>) {
        for decision in decisions {
            let Decision { month, window, verdict } = &decision;
            if matches!(verdict, Verdict::Archived | Verdict::Written(_) | Verdict::Write { .. }) {
                self.take_archived(subject, *month, *window, found);
                continue;
            }
            for part in self.parts(subject, &decision, found, speed) {
                self.take_open(subject, *month, part, verdict, found);
            }
        }
        let is_new = |found: &&Found| !subject.was_planned && !subject.after_first_covered && found.month() == self.run.due_month;
        let held = found.iter().filter(is_new).filter(|found| found.is_valid()).filter_map(Found::manifest);
        self.progress.due_month_seconds += held.filter(|manifest| manifest.task_id.is_some()).map(Manifest::seconds).sum::<f64>();
        for changed in found.iter().filter(|found| found.is_changed() && !subject.was_planned) {
            let message =
                format!("the objects of manifest {} were changed since it was written; their number and bytes are the same", changed.key);
            self.progress.warnings.push(Warning::new(WarningName::ObjectsChanged, message));
        }
    }

    fn take_archived(&mut self, subject: &Subject, month: Month, window: Window, found: &[Found]) {
        match subject.was_planned.then(|| self.exported_by_run(found, subject)).flatten() {
            Some((settled, seconds, warnings)) => {
                self.progress.warnings.extend(warnings);
                if month == self.run.due_month {
                    self.progress.due_month_seconds += seconds;
                }
                self.settle(subject.group, month, window, settled);
            }
            None if subject.after_first_covered => {}
            None => *self.progress.archived.entry(month).or_default() += 1,
        }
    }

    fn take_open(&mut self, subject: &Subject, month: Month, window: Window, verdict: &Verdict, found: &[Found]) {
        let settled = match verdict {
            Verdict::Record(reason) => Settled::recorded(*reason),
            Verdict::NothingYet => Settled::NothingYet,
            Verdict::Warn(warning) => Settled::Warned { warning: warning.clone() },
            Verdict::Fail(error) => self.failed(subject, window, error.clone(), found),
            _ => match self.not_covered(subject, window, found) {
                Ok(settled) => settled,
                Err(last) => {
                    let repairs = repaired(found, window).or_else(|| subject.repairs.clone());
                    self.plan(PlannedWindow { group: subject.group, month, window, repairs, last });
                    return;
                }
            },
        };
        self.settle(subject.group, month, window, settled);
    }

    /// Uncovered windows are cut at the bounds of open windows, so that parts stay parts from run to run; then so that each task is short
    /// at this speed. One whose task took too long is cut into halves. What a manifest has stays whole.
    fn parts(&mut self, subject: &Subject, decision: &Decision, found: &[Found], speed: Option<Speed>) -> Vec<Window> {
        let Decision { window, ref verdict, .. } = *decision;
        let is_exported = matches!(verdict, Verdict::Export(_));
        if found.iter().any(|found| found.key.window == window) {
            return vec![window];
        }
        if subject.was_planned {
            let took_too_long = window == subject.window && subject.child.as_ref().is_some_and(Child::took_too_long);
            let parts = if is_exported && took_too_long { halves(window) } else { vec![window] };
            self.has_progressed |= parts.len() > 1;
            return parts;
        }
        let open: Vec<Window> = self.memory.open.of(&self.groups[subject.group].place).map(OpenWindow::window).collect();
        let mut parts = window.cut_at(&open);
        // The hole that a changed time zone left is no open window: those have their own turn.
        parts.retain(|part| !subject.after_first_covered || !open.iter().any(|open| open.contains(*part)));
        parts.into_iter().flat_map(|part| equal_parts(part, speed.filter(|_| is_exported))).collect()
    }

    /// Two months can both touch the window of a manifest that is exported again.
    fn plan(&mut self, window: PlannedWindow) {
        if !self.planned.iter().any(|planned| (planned.group, planned.window) == (window.group, window.window)) {
            self.planned.push(window);
        }
    }

    /// Two looks can both touch the window of a manifest; it has one outcome.
    fn settle(&mut self, group: usize, month: Month, window: Window, settled: Settled) {
        if !self.settled.insert((group, window)) {
            return;
        }
        if matches!(settled, Settled::Exported { .. } | Settled::Empty { .. }) {
            self.has_progressed = true;
        }
        let source = self.groups[group].source.clone();
        self.decided.push(Decided { source, month, window, settled });
    }

    /// A window of the last round that is covered now, by this run: its manifest tells, also where the results cannot be read.
    fn exported_by_run(&self, found: &[Found], subject: &Subject) -> Option<(Settled, f64, Vec<Warning>)> {
        let own = |manifest: &&Manifest| {
            manifest.window() == subject.window
                && (manifest.execution.as_deref() == Some(self.run.execution.as_str())
                    || matches!(subject.child, Some(Child::Checked { .. })))
        };
        let manifest = found.iter().filter_map(Found::manifest).find(own)?;
        let seconds = manifest.seconds();
        let task_id: Option<TaskId> = manifest.task_id.clone();
        let about = |warning: Warning| Warning::new(warning.name, format!("{} {}: {}", manifest.log_group, subject.month, warning.message));
        let warnings = manifest.warnings.iter().filter_map(|warning| serde_json::from_value(warning.clone()).ok()).map(about).collect();
        let settled = match manifest.outcome {
            Outcome::Exported => {
                let repairs = subject.repairs.clone();
                Settled::Exported { task_id, objects: manifest.objects, bytes: manifest.bytes, seconds, repairs }
            }
            Outcome::Empty => Settled::Empty { task_id, seconds },
            // Recorded by an earlier run, or another one: that is told once.
            Outcome::Skipped | Outcome::Lost => return None,
        };
        Some((settled, seconds, warnings))
    }

    /// A window that has to be exported: settled all the same, or planned again with what its last task failed with.
    fn not_covered(&self, subject: &Subject, window: Window, found: &[Found]) -> Result<Settled, Option<ExportError>> {
        let last = subject.child.as_ref().and_then(Child::error).or_else(|| subject.last.clone());
        if let Some(blocked) = self.blocked(subject, window, found) {
            return Ok(blocked);
        }
        match &subject.child {
            Some(Child::Skipped(Reason::RunTimeOver)) if last.is_none() => Ok(Settled::Waiting),
            // Deleted, or found without events, since the run began: create-export-task looked later.
            Some(Child::Skipped(reason)) if let Some(settled) = self.skipped(*reason, subject) => Ok(settled),
            Some(Child::Checked { reason: Some(reason), .. }) => Ok(Settled::recorded(*reason)),
            Some(Child::Failed(error)) if !error.name.is_planned_again() && window == subject.window => {
                Ok(self.failed(subject, window, error.clone(), found))
            }
            _ if self.is_time_over || matches!(subject.child, Some(Child::Skipped(Reason::RunTimeOver))) => {
                Ok(last.map_or(Settled::Waiting, |error| self.failed(subject, window, error, found)))
            }
            _ => Err(last),
        }
    }

    fn failed(&self, subject: &Subject, window: Window, error: ExportError, found: &[Found]) -> Settled {
        let tried = subject.child.is_some() || subject.last.is_some();
        // A window that decide still exports after OverlapRefused met another run: it has its turn again.
        let is_blocked = tried && window == subject.window && error.name == ErrorName::SmallerExport;
        let blocked_by = if is_blocked { self.fingerprint(subject, window, found) } else { None };
        Settled::Failed { failure: error.into(), tried, blocked_by }
    }

    /// An export that was refused for what lies there is not repeated until that changes.
    fn blocked(&self, subject: &Subject, window: Window, found: &[Found]) -> Option<Settled> {
        let mut open = self.memory.open.of(&self.groups[subject.group].place).filter(|open| open.window() == window);
        let open = open.find(|_| !self.run.force && !subject.was_planned)?;
        let blocked_by = open.blocked_by.clone().filter(|_| open.blocked_by == self.fingerprint(subject, window, found))?;
        let failure = Failure { error: open.error.clone()?, message: open.message.clone() };
        Some(Settled::Failed { failure, tried: false, blocked_by: Some(blocked_by) })
    }

    /// Of what lies in a window: it changes with each manifest, with each object behind one, and when retention reaches the window. `None`
    /// where nothing lies there.
    fn fingerprint(&self, subject: &Subject, window: Window, found: &[Found]) -> Option<String> {
        let lies: Vec<&Found> = found.iter().filter(|found| found.key.window.overlaps(window)).collect();
        let line = |found: &&Found| format!("{} {} {}\n", found.key, found.etag, found.folder().map_or("", |folder| &folder.digest));
        let expires = self.groups[subject.group].log_group.may_have_expired(window, Millis::of(self.run.start_time));
        let lines = lies.iter().map(line).chain([expires.to_string()]).collect::<String>();
        (!lies.is_empty()).then(|| hexadecimal(&Sha256::digest(lines), 16))
    }

    fn skipped(&self, reason: Reason, subject: &Subject) -> Option<Settled> {
        let warned = |name, why: &str| {
            let message = format!("log group {} {why}", self.groups[subject.group].source.log_group_name);
            Some(Settled::Warned { warning: Warning::new(name, message) })
        };
        match reason {
            Reason::LogGroupNotFound => warned(WarningName::LogGroupNotFound, "does not exist any more"),
            Reason::LogClassNotExportable => warned(WarningName::LogClassNotExportable, "is not of the class Standard any more"),
            Reason::NoStreamHasPrefix => warned(WarningName::NoStreamHasPrefix, "has no log stream with the entry's prefix any more"),
            Reason::Recorded(reason) => Some(Settled::recorded(reason)),
            Reason::NoEventsYet => Some(Settled::NothingYet),
            Reason::AlreadyArchived | Reason::PartlyArchived | Reason::RunTimeOver => None,
        }
    }

    /// What comes next. `is_short_of_time`: this invocation must end before everything is compared.
    pub fn finish(mut self, is_short_of_time: bool) -> Finished {
        let is_compared = self.progress.look >= self.run.looks.len() && self.progress.older >= self.older.len();
        // A scheduled run before its due month is complete leaves it to the next one.
        let has_due_month = !self.run.is_scheduled() || self.run.looks.iter().any(|look| look.month == self.run.due_month);
        self.progress.compared_everything = is_compared && has_due_month;
        if std::mem::take(&mut self.progress.exporting) {
            self.progress.idle_rounds = if self.has_progressed { 0 } else { self.progress.idle_rounds + 1 };
        }
        let planned = std::mem::take(&mut self.planned);
        if self.progress.idle_rounds >= IDLE_ROUNDS {
            for PlannedWindow { group, month, window, last, .. } in planned {
                let failure = last.unwrap_or_else(|| {
                    ExportError::new(
                        ErrorName::Unexpected,
                        format!("{IDLE_ROUNDS} rounds ended without an export, and their results tell no reason"),
                    )
                });
                let settled = Settled::Failed { failure: failure.into(), tried: true, blocked_by: None };
                self.settle(group, month, window, settled);
            }
            // The rest of the list has its turn all the same: every log-group-month ends in an outcome.
            self.progress.idle_rounds = 0;
            let next = if is_compared { Next::Report } else { Next::Plan };
            return self.finished(next, Vec::new());
        }
        let next = match (planned.is_empty(), is_compared) {
            (false, _) => Next::Export,
            (true, false) if is_short_of_time => Next::Plan,
            (true, _) => Next::Report,
        };
        self.progress.exporting = next == Next::Export;
        self.finished(next, planned)
    }

    fn finished(mut self, next: Next, planned: Vec<PlannedWindow>) -> Finished {
        let items = planned.iter().take(ROUND_SIZE).cloned().collect();
        self.progress.planned = planned;
        Finished { next, progress: self.progress, items, decided: self.decided }
    }
}

/// What is wrong with the manifest that an export of this window replaces.
fn repaired(found: &[Found], window: Window) -> Option<String> {
    found.iter().find(|found| found.key.window == window).and_then(Found::fault)
}

pub struct Finished {
    pub next: Next,
    pub progress: Progress,
    /// The windows of this round.
    pub items: Vec<PlannedWindow>,
    pub decided: Vec<Decided>,
}

#[cfg(test)]
mod tests;
