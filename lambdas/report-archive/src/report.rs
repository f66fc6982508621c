//! Makes a run's report of what it left in the work bucket and in its state.

use std::collections::{BTreeSet, HashSet};

use archive::Step;
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError, Month, Window,
    contract::{
        plan::{Decided, Failure, PlannedWindow, Request, Run, Settled, message_of},
        report::{Counts, Report, SCHEMA_VERSION},
    },
    manifest::Reason,
    missing::{Memory, OpenWindow},
    place::Stack,
    time::{Millis, format_instant},
    warning::{Warning, WarningName},
    window::CLOCK_SKEW,
};
use serde_json::Value;

use crate::{notification::is_news, open_windows::OpenWindows};

/// A list that needs more of the slot's time than this is soon too long.
const NEARLY_FULL: f64 = 0.8;

/// What a run left: nothing where its first plan failed.
#[derive(Default)]
pub struct Left {
    pub step: Option<Step>,
    pub decided: Vec<Decided>,
    pub warnings: Vec<Warning>,
}

/// What the run was.
pub struct Header {
    pub execution: String,
    pub timezone: String,
    pub due_month: Month,
    pub scheduled_time: Option<DateTime<Utc>>,
    /// The error that refused the run, or that its planning ended with.
    pub error: Option<Failure>,
    pub compared_everything: bool,
}

impl Header {
    pub fn of(request: &Request, left: &Left, stack: &Stack) -> Self {
        let run = left.step.as_ref().map(|step| &step.run);
        // A run without a plan has compared nothing, whatever its state says.
        let no_plan = || ExportError::new(ErrorName::Unexpected, "the run has no plan that can be read").into();
        let error = failure(&request.state, "error").or_else(|| run.is_none().then(no_plan));
        // Whoever is ahead of the schedule is refused, and stands for no run of it.
        let own_time = || request.scheduled_time().filter(|time| *time <= request.start_time + CLOCK_SKEW);
        let scheduled_time = run.map_or_else(own_time, |run| run.scheduled_time);
        let due_month = || Month::due(scheduled_time.unwrap_or(request.start_time), stack.timezone, stack.settle_days);
        Self {
            execution: request.execution.to_string(),
            timezone: run.map_or_else(|| stack.timezone.name().to_owned(), |run| run.timezone.clone()),
            due_month: run.map_or_else(due_month, |run| run.due_month),
            scheduled_time,
            compared_everything: error.is_none() && left.step.as_ref().is_some_and(|step| step.progress.compared_everything),
            error,
        }
    }
}

impl Left {
    /// What turned out not to be archived when it was to be recorded.
    pub fn refuse(&mut self, refused: Vec<(usize, ExportError)>) {
        for (position, error) in refused {
            self.decided[position].settled = Settled::Failed { failure: error.into(), tried: false, blocked_by: None };
        }
    }

    /// What failed or waits, whatever its export ended with.
    pub fn not_archived(&self) -> Vec<usize> {
        let is_open = |decided: &Decided| matches!(decided.settled, Settled::Failed { .. } | Settled::Waiting);
        (0..self.decided.len()).filter(|position| is_open(&self.decided[*position])).collect()
    }

    /// What turned out to be archived is counted, and decided no more.
    pub fn find_archived(&mut self, archived: &HashSet<usize>) {
        let Some(step) = &mut self.step else { return };
        for position in archived {
            *step.progress.archived.entry(self.decided[*position].month).or_default() += 1;
        }
        let mut position = 0..;
        self.decided.retain(|_| position.next().is_some_and(|position| !archived.contains(&position)));
    }

    /// What was planned and not looked at again has failed.
    pub fn close(&mut self, error: Option<&Failure>) {
        let Some(Step { groups, progress, .. }) = &mut self.step else { return };
        let ended =
            || Failure { error: "Unexpected".to_owned(), message: "planning ended before this window was looked at again".to_owned() };
        let planned = std::mem::take(&mut progress.planned).into_iter();
        self.decided.extend(planned.map(|PlannedWindow { group, month, window, last, .. }| {
            let failure = last.map(Failure::from).or(error.cloned()).unwrap_or_else(ended);
            let settled = Settled::Failed { failure, tried: true, blocked_by: None };
            Decided { source: groups[group].source.clone(), month, window, settled }
        }));
    }
}

/// A run that is about to end, and the archive as it finds it.
pub struct Ending {
    pub request: Request,
    pub header: Header,
    pub left: Left,
    pub memory: Memory,
    /// The reports of scheduled runs, from the newest to the last one that people were told of.
    pub earlier: Vec<(String, Report)>,
    pub open: OpenWindows,
    pub now: DateTime<Utc>,
}

impl Ending {
    pub fn report(&self) -> Report {
        let report = report(self);
        let told = !is_news(&report, self.last().map(|(_, last)| last));
        Report { told, ..report }
    }

    pub fn last(&self) -> Option<&(String, Report)> {
        self.earlier.first()
    }

    /// The books could not be kept, so the next run must not rely on them.
    pub fn fail(&mut self, error: ExportError) {
        self.header.error.get_or_insert(error.into());
        self.header.compared_everything = false;
    }
}

fn report(Ending { request, header, left, memory, open, now, .. }: &Ending) -> Report {
    let (run, progress) = (left.step.as_ref().map(|step| &step.run), left.step.as_ref().map(|step| &step.progress));
    let (counts, slot_seconds) = Counts::of(progress.map_or(&Default::default(), |progress| &progress.archived), &left.decided);
    let slot_hours_needed = progress.map_or(0.0, |progress| progress.due_month_seconds) / 3600.0;
    let mut warnings = left.warnings.clone();
    warnings.extend(run.into_iter().flat_map(|run| run.warnings.clone()));
    warnings.extend(progress.into_iter().flat_map(|progress| progress.warnings.clone()));
    warnings.extend(left.decided.iter().filter_map(warning_of));
    warnings.extend(open.not_asked.iter().map(|open| {
        let message = format!("{} {}: no entry asks for it any more, so it stays open and is not counted", open.log_group, open.month);
        Warning::new(WarningName::NotAsked, message)
    }));
    let due_window = header.timezone.parse().ok().map(|timezone| Window::of(header.due_month, timezone));
    warnings.extend(due_window.filter(|_| header.scheduled_time.is_some()).and_then(|window| nearly_full(slot_hours_needed, window)));
    warnings.extend(memory.unreadable.iter().map(|failure| Warning::new(WarningName::OpenWindowUnreadable, &failure.message)));
    warnings.sort();
    warnings.dedup();
    let mut months: Vec<Month> = run.into_iter().flat_map(Run::months).collect();
    months.dedup();
    let missing = open.left();
    let looked_at_due_month = header.scheduled_time.is_some() && header.compared_everything && months.contains(&header.due_month);
    let is_due = |window: Window| due_window.is_some_and(|due| due.overlaps(window));
    let is_open = |open: &OpenWindow| open.is_asked() && is_due(open.window());
    let (compacted, compaction_error) = (handed_to_compaction(request), compaction_failure(&request.state));
    let compaction = progress.and_then(|progress| progress.compaction.as_ref());
    let is_compacted = compaction_error.is_none() && compaction.is_some_and(|compaction| compaction.months == compacted);
    let missing_count = missing.iter().filter(|open| open.is_missing(*now)).count() + memory.unreadable.len();
    Report {
        schema_version: SCHEMA_VERSION,
        execution: header.execution.clone(),
        started: format_instant(request.start_time),
        ended: Millis::of(*now).to_string(),
        scheduled_time: header.scheduled_time.map(format_instant),
        compared_everything: header.compared_everything,
        due_month: header.due_month,
        due_month_archived: looked_at_due_month && !missing.iter().any(is_open),
        timezone: header.timezone.clone(),
        months,
        counts,
        missing_count: missing_count as u64,
        slot_hours_used: slot_seconds / 3600.0,
        slot_hours_needed,
        error: header.error.clone(),
        compacted,
        compacted_manifests: compaction.map(|compaction| compaction.followed(is_compacted)),
        compaction_error,
        warnings,
        told: false,
        decided: left.decided.clone(),
        missing,
        found: left.step.as_ref().map(|Step { run, groups, memory, .. }| memory.found_by(run, groups)).unwrap_or_default(),
    }
}

fn nearly_full(hours: f64, month: Window) -> Option<Warning> {
    let days = hours / 24.0;
    let of_month = (month.to.0 + 1 - month.from.0) as f64 / 86_400_000.0;
    let message = format!("this list needs {days:.0} days of the export slot in a month of {of_month:.0}");
    (days >= NEARLY_FULL * of_month).then(|| Warning::new(WarningName::SlotNearlyFull, message))
}

/// What a person should know of a log-group-month that did not fail.
fn warning_of(Decided { source, month, settled, .. }: &Decided) -> Option<Warning> {
    let about = |name, what: &str| Some(Warning::new(name, format!("{} {month}: {what}", source.log_group_name)));
    match settled {
        Settled::Warned { warning } => Some(warning.clone()),
        Settled::Skipped { reason: Reason::ExpiredBeforeFirstRun } => {
            about(WarningName::ExpiredBeforeFirstRun, "the export wrote nothing, and retention may have deleted the events before")
        }
        Settled::Lost { reason: Reason::LogGroupDeleted } => {
            about(WarningName::LogGroupDeleted, "the log group was deleted before it was archived, so its last events are lost")
        }
        _ => None,
    }
}

/// `{"Error", "Cause"}` as a Catch has it.
fn failure(state: &Value, field: &str) -> Option<Failure> {
    let caught = state.get(field)?;
    let text = |field: &str| caught[field].as_str().unwrap_or_default().to_owned();
    Some(Failure { error: text("Error"), message: message_of(text("Cause")) })
}

/// A run that ended before it started the compaction has handed it nothing.
fn handed_to_compaction(request: &Request) -> BTreeSet<Month> {
    let has_started = ["compaction", "compactionError"].iter().any(|field| request.state.get(field).is_some());
    request.plan().filter(|_| has_started).into_iter().flat_map(|plan| plan.compact).collect()
}

/// What the compaction failed with, in its own words: the cause of `startExecution.sync:2` is the description of its execution.
fn compaction_failure(state: &Value) -> Option<Failure> {
    let caught = failure(state, "compactionError")?;
    let execution: Value = serde_json::from_str(&caught.message).unwrap_or_default();
    let text = |field: &str| execution[field].as_str().filter(|text| !text.is_empty());
    // One that was stopped, or that timed out, has a status alone.
    let (Some(error), Some(arn)) = (text("Error").or_else(|| text("Status")), text("ExecutionArn")) else { return Some(caught) };
    let cause = text("Cause").unwrap_or("no cause");
    Some(Failure { error: error.to_owned(), message: format!("{cause} (execution {arn})") })
}
