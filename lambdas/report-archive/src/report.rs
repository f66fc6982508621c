//! Makes a run's report from its state: what it left in the work bucket, and what its execution knows.

use std::collections::{BTreeSet, HashSet};

use archive::Step;
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ErrorName, ExportError, Month, Window,
    contract::{
        plan::{Cause, DecidedWindow, Failure, Plan, PlannedWindow, Request, Run, WindowOutcome},
        report::{Counts, Report, SCHEMA_VERSION},
    },
    manifest::Reason,
    missing::{Memory, OpenWindow},
    place::Stack,
    time::{Millis, format_instant},
    warning::Warning,
    window::CLOCK_SKEW,
};
use serde_json::Value;

use crate::{missing_update::MissingUpdate, news::is_news};

const SECONDS_PER_HOUR: f64 = 3600.0;

/// What a run left. Empty if its first plan failed.
#[derive(Default)]
pub struct RunState {
    pub plan: Option<Plan>,
    pub step: Option<Step>,
    pub decided: Vec<DecidedWindow>,
    pub warnings: Vec<Warning>,
}

/// The facts of a run that its report needs, also if it has no plan.
pub struct RunFacts {
    pub execution: String,
    pub timezone: String,
    pub due_month: Month,
    pub scheduled_time: Option<DateTime<Utc>>,
    /// The error that refused the run or ended its planning.
    pub error: Option<Failure>,
    pub compared_everything: bool,
}

impl RunFacts {
    pub fn new(request: &Request, state: &RunState, stack: &Stack) -> Self {
        let run = state.step.as_ref().map(|step| &step.run);
        // A run without a plan has compared nothing, whatever its state is.
        let no_plan = || ExportError::new(ErrorName::Unexpected, "the run has no plan that can be read").into();
        let error = caught(&request.state, "error").map(|(error, cause)| Failure { error, message: cause.message().to_owned() });
        let error = error.or_else(|| run.is_none().then(no_plan));
        // A run with a scheduledTime in the future was refused, and does not count as a scheduled run.
        let requested_time = || request.scheduled_time().filter(|time| *time <= request.start_time + CLOCK_SKEW);
        let scheduled_time = run.map_or_else(requested_time, |run| run.scheduled_time);
        let due_month = || Month::due(scheduled_time.unwrap_or(request.start_time), stack.timezone, stack.settle_days);
        Self {
            execution: request.execution.to_string(),
            timezone: run.map_or_else(|| stack.timezone.name().to_owned(), |run| run.timezone.clone()),
            due_month: run.map_or_else(due_month, |run| run.due_month),
            scheduled_time,
            compared_everything: error.is_none() && state.step.as_ref().is_some_and(|step| step.progress.compared_everything),
            error,
        }
    }
}

impl RunState {
    /// Marks windows as failed whose records were refused.
    pub fn mark_failed(&mut self, refused: Vec<(usize, ExportError)>) {
        for (position, error) in refused {
            self.decided[position].outcome = WindowOutcome::Failed { failure: error.into(), tried: false, blocked_by: None };
        }
    }

    /// The positions of the windows that failed or wait.
    pub fn not_archived(&self) -> Vec<usize> {
        let is_open = |decided: &DecidedWindow| matches!(decided.outcome, WindowOutcome::Failed { .. } | WindowOutcome::Waiting);
        (0..self.decided.len()).filter(|position| is_open(&self.decided[*position])).collect()
    }

    /// Counts windows as archived before, instead of decided by this run.
    pub fn mark_archived(&mut self, archived: &HashSet<usize>) {
        let Some(step) = &mut self.step else { return };
        for position in archived {
            *step.progress.archived.entry(self.decided[*position].month).or_default() += 1;
        }
        let mut position = 0..;
        self.decided.retain(|_| position.next().is_some_and(|position| !archived.contains(&position)));
    }

    /// Marks the planned windows as failed that no call of plan-exports has looked at again.
    pub fn fail_planned(&mut self, error: Option<&Failure>) {
        let Some(Step { groups, progress, .. }) = &mut self.step else { return };
        let unknown =
            || Failure { error: "Unexpected".to_owned(), message: "planning ended before this window was looked at again".to_owned() };
        let planned = std::mem::take(&mut progress.planned).into_iter();
        self.decided.extend(planned.map(|PlannedWindow { group, month, window, last_error, .. }| {
            let failure = last_error.map(Failure::from).or(error.cloned()).unwrap_or_else(unknown);
            let outcome = WindowOutcome::Failed { failure, tried: true, blocked_by: None };
            DecidedWindow { source: groups[group].source.clone(), month, window, outcome }
        }));
    }

    /// The months that the run compacted: none if it ended before it started the compaction.
    fn compacted(&self, request: &Request) -> BTreeSet<Month> {
        let has_started = ["compaction", "compactionError"].iter().any(|field| request.state.get(field).is_some());
        self.plan.iter().filter(|_| has_started).flat_map(|plan| plan.compact.iter().copied()).collect()
    }
}

/// A run that is about to end, and the archive at this time.
pub struct Ending {
    pub request: Request,
    pub run: RunFacts,
    pub state: RunState,
    pub memory: Memory,
    /// The reports of scheduled runs, from the newest to the last one that people know.
    pub earlier_reports: Vec<(String, Report)>,
    pub missing: MissingUpdate,
    pub now: DateTime<Utc>,
}

impl Ending {
    pub fn report(&self) -> Report {
        let report = report(self);
        let told = !is_news(&report, self.last_report().map(|(_, last)| last));
        Report { told, ..report }
    }

    pub fn last_report(&self) -> Option<&(String, Report)> {
        self.earlier_reports.first()
    }

    /// Records that the update of `missing/` failed. The next run must not rely on it.
    pub fn fail(&mut self, error: ExportError) {
        self.run.error.get_or_insert(error.into());
        self.run.compared_everything = false;
    }
}

fn report(ending: &Ending) -> Report {
    let Ending { request, run, state, memory, missing: update, now, .. } = ending;
    let step = state.step.as_ref();
    let progress = step.map(|step| &step.progress);
    let (counts, slot_seconds) = Counts::count(progress.map_or(&Default::default(), |progress| &progress.archived), &state.decided);
    let slot_seconds_needed = progress.map_or(0.0, |progress| progress.due_month_seconds);
    let mut months: Vec<Month> = step.into_iter().flat_map(|step| Run::months(&step.run)).collect();
    months.dedup();
    let missing = update.still_open();
    let due_window = run.timezone.parse().ok().map(|timezone| Window::of(run.due_month, timezone));
    let has_compared_due_month = run.scheduled_time.is_some() && run.compared_everything && months.contains(&run.due_month);
    let is_due = |open: &OpenWindow| open.is_asked() && due_window.is_some_and(|due| due.overlaps(open.window()));
    let (compacted, compaction_error) = (state.compacted(request), compaction_failure(&request.state));
    let compaction = progress.and_then(|progress| progress.compaction.as_ref());
    let is_compacted = compaction_error.is_none() && compaction.is_some_and(|compaction| compaction.months == compacted);
    let missing_count = missing.iter().filter(|open| open.is_missing(*now)).count() + memory.unreadable.len();
    Report {
        schema_version: SCHEMA_VERSION,
        execution: run.execution.clone(),
        started: format_instant(request.start_time),
        ended: Millis::of(*now).to_string(),
        scheduled_time: run.scheduled_time.map(format_instant),
        compared_everything: run.compared_everything,
        due_month: run.due_month,
        due_month_archived: has_compared_due_month && !missing.iter().any(is_due),
        timezone: run.timezone.clone(),
        months,
        counts,
        missing_count: missing_count as u64,
        slot_hours_used: slot_seconds / SECONDS_PER_HOUR,
        slot_hours_needed: slot_seconds_needed / SECONDS_PER_HOUR,
        error: run.error.clone(),
        compacted,
        compacted_manifests: compaction.map(|compaction| compaction.compacted_manifests(is_compacted)),
        compaction_error,
        warnings: warnings(ending, slot_seconds_needed, due_window),
        told: false,
        decided: state.decided.clone(),
        missing,
        found: step.map(|Step { run, groups, memory, .. }| memory.found_by(run, groups)).unwrap_or_default(),
    }
}

/// All warnings of the run, in the order of a report.
fn warnings(Ending { run, state, memory, missing, .. }: &Ending, slot_seconds_needed: f64, due_window: Option<Window>) -> Vec<Warning> {
    let mut warnings = state.warnings.clone();
    if let Some(Step { run, progress, .. }) = &state.step {
        warnings.extend(run.warnings.iter().chain(&progress.warnings).cloned());
    }
    warnings.extend(state.decided.iter().filter_map(warning_of));
    warnings.extend(missing.not_asked.iter().map(|open| Warning::not_asked().of_month(&open.place.log_group, open.month)));
    let needed = TimeDelta::milliseconds((slot_seconds_needed * 1000.0) as i64);
    let scheduled_window = due_window.filter(|_| run.scheduled_time.is_some());
    warnings.extend(scheduled_window.and_then(|window| Warning::slot_nearly_full(needed, window)));
    warnings.extend(memory.unreadable.iter().map(|failure| Warning::open_window_unreadable(&failure.message)));
    warnings.sort();
    warnings.dedup();
    warnings
}

fn warning_of(DecidedWindow { source, month, outcome, .. }: &DecidedWindow) -> Option<Warning> {
    let of_month = |warning: Warning| Some(warning.of_month(&source.log_group_name, *month));
    match outcome {
        WindowOutcome::Warned { warning } => Some(warning.clone()),
        WindowOutcome::Skipped { reason: Reason::ExpiredBeforeFirstRun } => of_month(Warning::expired_before_first_run()),
        WindowOutcome::Lost { reason: Reason::LogGroupDeleted } => of_month(Warning::log_group_deleted()),
        _ => None,
    }
}

/// The error name and the cause that a Catch recorded.
fn caught(state: &Value, field: &str) -> Option<(String, Cause)> {
    let caught = state.get(field)?;
    let text = |field: &str| caught[field].as_str().unwrap_or_default();
    Some((text("Error").to_owned(), Cause::parse(text("Cause"))))
}

/// Why the compaction failed. The cause of `startExecution.sync:2` is the description of the compaction's execution.
fn compaction_failure(state: &Value) -> Option<Failure> {
    let (error, cause) = caught(state, "compactionError")?;
    // An execution that was stopped or timed out has only a status.
    Some(match (cause.field("Error").or_else(|| cause.field("Status")), cause.field("ExecutionArn")) {
        (Some(error), Some(arn)) => {
            Failure { error: error.to_owned(), message: format!("{} (execution {arn})", cause.field("Cause").unwrap_or("no cause")) }
        }
        _ => Failure { error, message: cause.message().to_owned() },
    })
}
