//! The rounds of a run: which log-group-months it compares next, what it plans, and when it ends. Evidence is gathered elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ErrorName, ExportError, Month, TaskId, Window,
    contract::{
        check::SkippedBecause,
        create::Reason,
        plan::{Child, Decided, Failure, IDLE_ROUNDS, Next, OpenWindow, ROUND_SIZE, Run, Settled},
    },
    decide::{Decision, LogGroup, Question, Verdict},
    entry::Source,
    manifest::{Found, Manifest, Outcome, SkipReason},
    place::Place,
    time::{Millis, parse_instant},
    warning::{Warning, WarningName},
};

/// A log group of the run's list, as it was when the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub source: Source,
    pub place: Place,
    pub log_group: LogGroup,
}

/// What one call of `plan-exports` leaves to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The next log-group-month to compare: its place in the run's looks, and in its list of log groups.
    pub look: usize,
    pub group: usize,
    pub open: Vec<OpenWindow>,
    /// Whether the windows of `open` were handed to the state machine.
    pub exporting: bool,
    pub idle_rounds: u32,
    /// Log-group-months that were archived already.
    pub archived: BTreeMap<Month, u64>,
    /// Months in which this run archived something.
    pub exported: BTreeSet<Month>,
    pub warnings: Vec<Warning>,
}

impl Progress {
    pub fn has_compared_everything(&self, run: &Run) -> bool {
        self.look >= run.looks.len()
    }
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
    was_open: bool,
    repairs: Option<String>,
    last: Option<ExportError>,
}

impl Subject {
    /// Compared for the first time in this run.
    pub fn is_new(&self) -> bool {
        !self.was_open
    }
}

pub struct Planner<'a> {
    run: &'a Run,
    groups: &'a [Group],
    progress: Progress,
    is_time_over: bool,
    planned: Vec<OpenWindow>,
    decided: Vec<Decided>,
    has_progressed: bool,
}

impl<'a> Planner<'a> {
    pub fn new(run: &'a Run, groups: &'a [Group], progress: Progress, is_time_over: bool) -> Self {
        Self { run, groups, progress, is_time_over, planned: Vec::new(), decided: Vec::new(), has_progressed: false }
    }

    /// The windows of the last round, each with what became of it. `child` finds it by the window.
    pub fn last_round(&mut self, child: impl Fn(&OpenWindow) -> Option<Child>) -> Vec<Subject> {
        let open = std::mem::take(&mut self.progress.open);
        let subject = |window: OpenWindow| Subject {
            child: child(&window),
            group: window.group,
            month: window.month,
            window: window.window,
            after_first_covered: false,
            was_open: true,
            repairs: window.repairs,
            last: window.last,
        };
        open.into_iter().map(subject).collect()
    }

    /// The next log-group-months to compare, as many as this round has room for. None: everything is compared, or the round is full.
    pub fn to_compare(&mut self, most: usize) -> Vec<Subject> {
        let room = if self.planned.len() < ROUND_SIZE { most } else { 0 };
        let mut subjects = Vec::new();
        while subjects.len() < room && self.progress.look < self.run.looks.len() {
            let look = self.run.looks[self.progress.look];
            if self.progress.group < self.groups.len() {
                subjects.push(Subject {
                    group: self.progress.group,
                    month: look.month,
                    window: look.window,
                    after_first_covered: look.after_first_covered,
                    child: None,
                    was_open: false,
                    repairs: None,
                    last: None,
                });
                self.progress.group += 1;
            }
            if self.progress.group == self.groups.len() {
                (self.progress.look, self.progress.group) = (self.progress.look + 1, 0);
            }
        }
        self.has_progressed |= !subjects.is_empty();
        subjects
    }

    /// What to ask [`decide`](crate::decide::decide) of a subject. A forced window that this run has checked is asked about as any other.
    pub fn question(&self, subject: &Subject, now: chrono::DateTime<chrono::Utc>) -> Question<'a> {
        let group = &self.groups[subject.group];
        let is_checked = matches!(subject.child, Some(Child::Checked { .. }));
        Question {
            place: &group.place,
            stream_prefix: group.source.log_stream_name_prefix.as_ref(),
            month: subject.month,
            window: subject.window,
            after_first_covered: subject.after_first_covered,
            force_since: (self.run.force && !is_checked).then_some(self.run.start_time),
            now,
        }
    }

    /// Takes the verdicts on a subject, with the manifests that they stand on.
    pub fn take(&mut self, subject: &Subject, decisions: Vec<Decision>, found: &[Found]) {
        for Decision { month, window, verdict } in decisions {
            let settled = match verdict {
                Verdict::Archived | Verdict::Written(_) | Verdict::Write { .. } => {
                    match subject.was_open.then(|| self.exported_by_run(found, subject)).flatten() {
                        Some((settled, warnings)) => {
                            self.progress.warnings.extend(warnings);
                            settled
                        }
                        None if subject.after_first_covered => continue,
                        None => {
                            *self.progress.archived.entry(month).or_default() += 1;
                            continue;
                        }
                    }
                }
                Verdict::Skip(reason) => Settled::Skipped { reason },
                Verdict::NothingYet => Settled::NothingYet,
                Verdict::Warn(warning) => Settled::Warned { warning },
                Verdict::Fail(error) => Settled::Failed { failure: error.into() },
                Verdict::Export => match self.not_covered(subject) {
                    Ok(settled) => settled,
                    Err(last) => {
                        let repairs = repaired(found, window).or_else(|| subject.repairs.clone());
                        self.plan(OpenWindow { group: subject.group, month, window, repairs, last });
                        continue;
                    }
                },
            };
            self.settle(subject.group, month, window, settled);
        }
        for changed in found.iter().filter(|found| found.is_changed() && !subject.was_open) {
            let message =
                format!("the objects of manifest {} were changed since it was written; their number and bytes are the same", changed.key);
            self.progress.warnings.push(Warning::new(WarningName::ObjectsChanged, message));
        }
    }

    /// Two months can both touch the window of a manifest that is exported again.
    fn plan(&mut self, open: OpenWindow) {
        if !self.planned.iter().any(|planned| (planned.group, planned.window) == (open.group, open.window)) {
            self.planned.push(open);
        }
    }

    fn settle(&mut self, group: usize, month: Month, window: Window, settled: Settled) {
        if matches!(settled, Settled::Exported { .. } | Settled::Empty { .. }) {
            self.has_progressed = true;
            self.progress.exported.insert(month);
        }
        let source = self.groups[group].source.clone();
        self.decided.push(Decided { source, month, window, settled });
    }

    /// A window of the last round that is covered now, by this run: its manifest tells, also where the results cannot be read.
    fn exported_by_run(&self, found: &[Found], subject: &Subject) -> Option<(Settled, Vec<Warning>)> {
        let own = |manifest: &&Manifest| {
            manifest.window() == subject.window
                && (manifest.execution.as_deref() == Some(self.run.execution.as_str())
                    || matches!(subject.child, Some(Child::Checked { .. })))
        };
        let manifest = found.iter().filter_map(Found::manifest).find(own)?;
        let instant = |text: Option<&str>| text.and_then(parse_instant).map(Millis::of);
        let seconds = instant(manifest.completed.as_deref()).zip(instant(Some(&manifest.created)));
        let seconds = seconds.map_or(0.0, |(completed, created)| (completed - created).as_seconds_f64().max(0.0));
        let task_id: Option<TaskId> = manifest.task_id.clone();
        let about = |warning: Warning| Warning::new(warning.name, format!("{} {}: {}", manifest.log_group, subject.month, warning.message));
        let warnings = manifest.warnings.iter().filter_map(|warning| serde_json::from_value(warning.clone()).ok()).map(about).collect();
        let settled = match manifest.outcome {
            Outcome::Exported => {
                let repairs = subject.repairs.clone();
                Settled::Exported { task_id, objects: manifest.objects, bytes: manifest.bytes, seconds, repairs }
            }
            Outcome::Empty => Settled::Empty { task_id, seconds },
            Outcome::Skipped => Settled::Skipped { reason: manifest.reason? },
        };
        Some((settled, warnings))
    }

    /// A window that has to be exported: settled all the same, or planned again with what its last task failed with.
    fn not_covered(&self, subject: &Subject) -> Result<Settled, Option<ExportError>> {
        let failed = |failure: Failure| Ok(Settled::Failed { failure });
        let last = subject.child.as_ref().and_then(Child::error).or_else(|| subject.last.clone());
        match &subject.child {
            Some(Child::Skipped(Reason::RunTimeOver)) => failed(Failure::run_time_over()),
            // Deleted, or found without events, since the run began: create-export-task looked later.
            Some(Child::Skipped(reason)) if let Some(settled) = self.skipped(*reason, subject) => Ok(settled),
            Some(Child::Checked { outcome: Outcome::Skipped, reason: Some(SkippedBecause::Skip(reason)), .. }) => {
                Ok(Settled::Skipped { reason: *reason })
            }
            Some(Child::Checked { outcome: Outcome::Skipped, reason: Some(SkippedBecause::Warning(name)), .. }) => {
                let message =
                    format!("log group {} was deleted before its export wrote anything", self.groups[subject.group].source.log_group_name);
                Ok(Settled::Warned { warning: Warning::new(*name, message) })
            }
            Some(Child::Failed(error)) if !error.name.is_planned_again() => failed(error.clone().into()),
            _ if self.is_time_over => failed(last.map_or_else(Failure::run_time_over, Failure::from)),
            _ => Err(last),
        }
    }

    fn skipped(&self, reason: Reason, subject: &Subject) -> Option<Settled> {
        let warned = |name, why: &str| {
            let message = format!("log group {} {why}", self.groups[subject.group].source.log_group_name);
            Some(Settled::Warned { warning: Warning::new(name, message) })
        };
        match reason {
            Reason::LogGroupNotFound => warned(WarningName::LogGroupNotFound, "was deleted while the run went on"),
            Reason::LogClassNotExportable => warned(WarningName::LogClassNotExportable, "is not of the class Standard any more"),
            Reason::NoEventsInMonth => Some(Settled::Skipped { reason: SkipReason::NoEventsInMonth }),
            Reason::CreatedAfterMonth => Some(Settled::Skipped { reason: SkipReason::CreatedAfterMonth }),
            Reason::NoEventsYet => Some(Settled::NothingYet),
            Reason::AlreadyArchived | Reason::PartlyArchived | Reason::RunTimeOver => None,
        }
    }

    /// What comes next. `is_short_of_time`: this invocation must end before everything is compared.
    pub fn finish(mut self, is_short_of_time: bool) -> Finished {
        let is_compared = self.progress.has_compared_everything(self.run);
        if std::mem::take(&mut self.progress.exporting) {
            self.progress.idle_rounds = if self.has_progressed { 0 } else { self.progress.idle_rounds + 1 };
        }
        let planned = std::mem::take(&mut self.planned);
        if self.progress.idle_rounds >= IDLE_ROUNDS {
            for OpenWindow { group, month, window, last, .. } in planned {
                let failure = last.unwrap_or_else(|| {
                    ExportError::new(
                        ErrorName::Unexpected,
                        format!("{IDLE_ROUNDS} rounds ended without an export, and their results tell no reason"),
                    )
                });
                self.settle(group, month, window, Settled::Failed { failure: failure.into() });
            }
            // The rest of the list has its turn all the same: every log-group-month ends in an outcome.
            self.progress.idle_rounds = 0;
            let next = if is_compared { self.last_step() } else { Next::Plan };
            return self.finished(next, Vec::new());
        }
        let next = match (planned.is_empty(), is_compared) {
            (false, _) => Next::Export,
            (true, false) if is_short_of_time => Next::Plan,
            (true, _) => self.last_step(),
        };
        self.progress.exporting = next == Next::Export;
        self.finished(next, planned)
    }

    fn last_step(&self) -> Next {
        if self.run.compact && !self.progress.exported.is_empty() { Next::Compact } else { Next::Report }
    }

    fn finished(mut self, next: Next, planned: Vec<OpenWindow>) -> Finished {
        let items = planned.iter().take(ROUND_SIZE).cloned().collect();
        self.progress.open = planned;
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
    pub items: Vec<OpenWindow>,
    pub decided: Vec<Decided>,
}

#[cfg(test)]
mod tests;
