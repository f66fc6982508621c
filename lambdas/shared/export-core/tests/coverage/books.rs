//! What `report-archive` does when a run ends, write by write: records, open windows, the report.

use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError, Window,
    bookkeeping::{Bookkeeping, OpenWindowChange},
    contract::{
        plan::{DecidedWindow, Failure, Run, WindowOutcome},
        report::{Counts, Report, SCHEMA_VERSION},
    },
    decide::{Question, replaced_by_record, uncovered_by},
    manifest::{FoundManifest, Manifest, Reason},
    missing::{Memory, OpenOutcome, OpenWindow},
    planner::{Group, Progress},
    time::{Millis, format_instant},
};

use crate::{
    functions::{Context, Crash, look, record},
    owed,
    properties::WorldAtStart,
    run::{Ended, Shared, pause},
};

/// What a run hands to `report-archive`.
pub struct RunState {
    pub run: Run,
    pub groups: Vec<Group>,
    /// What the run read when it began.
    pub memory: Memory,
    pub decided: Vec<DecidedWindow>,
    pub progress: Progress,
    /// The error that ended its planning.
    pub error: Option<Failure>,
}

impl RunState {
    fn compared_everything(&self) -> bool {
        self.error.is_none() && self.progress.compared_everything
    }

    /// Marks the planned windows as failed that no call of plan-exports has looked at again.
    fn fail_planned(&mut self) {
        let Some(failure) = &self.error else { return };
        for planned in std::mem::take(&mut self.progress.planned) {
            let failure = planned.last_error.map_or_else(|| failure.clone(), Failure::from);
            let outcome = WindowOutcome::Failed { failure, tried: true, blocked_by: None };
            let source = self.groups[planned.group].source.clone();
            self.decided.push(DecidedWindow { source, month: planned.month, window: planned.window, outcome });
        }
    }

    fn mark_failed(&mut self, refused: Vec<(usize, ExportError)>) {
        for (position, error) in refused {
            self.decided[position].outcome = WindowOutcome::Failed { failure: error.into(), tried: false, blocked_by: None };
        }
    }
}

pub async fn report_archive(world: &Shared, context: &Context, start: &WorldAtStart, mut left: RunState) -> Result<Ended, String> {
    left.fail_planned();
    let (memory, now) = (world.borrow().memory(Vec::new()), world.borrow().now);
    let key = world.borrow().stack.report_key(left.run.due_month, Millis::of(left.run.start_time), left.run.execution.execution_name());
    let is_last = |(other, report): &(&String, &Report)| **other != key && report.scheduled_time.is_some();
    let last = world.borrow().reports_newest_first().find(is_last).map(|(key, report)| (key.clone(), report.clone()));

    let refused = records(world, context, &left, |reason| !reason.needs_report_first(), now).await;
    left.mark_failed(refused);
    let mut open = Open::plan(world, &left, &memory, now).await;
    open.write_opened(world, &left, &memory).await?;
    let mut report = report_of(&left, &open, now);
    let repeats = last.filter(|(_, last)| left.run.is_scheduled() && !report.did_anything() && report.agrees_with(last));
    let key = match repeats {
        Some((last, _)) => last,
        None => {
            pause().await;
            world.borrow_mut().reports.insert(key.clone(), report.clone());
            key
        }
    };
    let refused = records(world, context, &left, Reason::needs_report_first, now).await;
    if !refused.is_empty() {
        left.mark_failed(refused);
        open = Open::plan(world, &left, &memory, now).await;
        open.write_opened(world, &left, &memory).await?;
        report = report_of(&left, &open, now);
        pause().await;
        world.borrow_mut().reports.insert(key, report.clone());
    }
    open.remove_closed(world, start, &left).await?;
    let judged_missing = match left.run.is_scheduled() {
        true => report.missing_count > 0,
        false => open.opened.iter().any(|open| open.is_missing(now)),
    };
    let has_lost = report.decided.iter().any(|one| matches!(one.outcome, WindowOutcome::Lost { reason } if reason.fails_run()));
    let has_succeeded = report.error.is_none() && !judged_missing && !has_lost && report.counts.failed == 0;
    Ok(Ended { run: left.run, groups: left.groups, memory, report, has_succeeded, at: now })
}

/// The open windows when the run ends.
#[derive(Default)]
struct Open {
    opened: Vec<OpenWindow>,
    not_asked: Vec<OpenWindow>,
    kept: Vec<OpenWindow>,
    closed: Vec<OpenWindow>,
}

impl Open {
    async fn plan(world: &Shared, left: &RunState, memory: &Memory, now: DateTime<Utc>) -> Self {
        let stack = world.borrow().stack.clone();
        let books = Bookkeeping::new(&stack, &left.run, &left.groups, memory, left.compared_everything(), now);
        let mut windows = Self::default();
        for open in books.opened(&left.decided) {
            // A failed export under `force` does not make a window missing that valid manifests cover.
            if !left.run.force || !open.window().without(&covered(world, &books, &open, now).await).is_empty() {
                windows.opened.push(open);
            }
        }
        for open in memory.open.iter().filter(|open| !windows.opened.iter().any(|opened| opened.key(&stack) == open.key(&stack))) {
            let change = match books.is_judged(open) {
                true => books.change_of(open, &covered(world, &books, open, now).await, &windows.opened, &left.decided),
                false => OpenWindowChange::Keep,
            };
            match change {
                OpenWindowChange::Close => windows.closed.push(open.clone()),
                OpenWindowChange::MarkNotAsked if open.outcome != OpenOutcome::NotAsked => windows.not_asked.push(books.not_asked(open)),
                OpenWindowChange::MarkNotAsked | OpenWindowChange::Keep => windows.kept.push(open.clone()),
            }
        }
        windows
    }

    async fn write_opened(&self, world: &Shared, left: &RunState, memory: &Memory) -> Result<(), String> {
        for open in self.opened.iter().chain(&self.not_asked) {
            owed::keeps_since(open, left, memory)?;
            pause().await;
            world.borrow_mut().put_open(open);
        }
        Ok(())
    }

    async fn remove_closed(&self, world: &Shared, start: &WorldAtStart, left: &RunState) -> Result<(), String> {
        let recorded = self.opened.iter().filter(|open| open.is_to_be_recorded());
        for open in self.closed.iter().chain(recorded) {
            pause().await;
            owed::may_leave(&world.borrow(), start, open, &left.decided)?;
            world.borrow_mut().remove_open(open);
        }
        Ok(())
    }

    fn still_open(&self) -> Vec<OpenWindow> {
        self.opened.iter().chain(&self.not_asked).chain(&self.kept).filter(|open| !open.is_to_be_recorded()).cloned().collect()
    }
}

/// The parts that valid manifests cover which answer its stream prefix, in its place of today.
async fn covered(world: &Shared, books: &Bookkeeping<'_>, open: &OpenWindow, now: DateTime<Utc>) -> Vec<Window> {
    let target = open.target_in(books.current_group(open).map_or_else(|| open.place.clone(), |group| group.place.clone()));
    let question = Question::new(&target, now);
    let (_, found) = look(world, &question).await;
    open.window().without(&uncovered_by(&question, &found))
}

fn report_of(left: &RunState, open: &Open, ended: DateTime<Utc>) -> Report {
    let RunState { run, groups, memory, decided, progress, error } = left;
    let missing = open.still_open();
    Report {
        schema_version: SCHEMA_VERSION,
        execution: run.execution.to_string(),
        started: format_instant(run.start_time),
        ended: format_instant(ended),
        scheduled_time: run.scheduled_time.map(format_instant),
        compared_everything: left.compared_everything(),
        due_month: run.due_month,
        due_month_archived: false,
        timezone: run.timezone.clone(),
        months: Vec::new(),
        counts: Counts::count(&progress.archived, decided).0,
        missing_count: missing.iter().filter(|open| open.is_missing(ended)).count() as u64,
        slot_hours_used: 0.0,
        slot_hours_needed: 0.0,
        error: error.clone(),
        compacted: Default::default(),
        compacted_manifests: None,
        compaction_error: None,
        told: true,
        warnings: run.warnings.clone(),
        decided: decided.clone(),
        missing,
        found: memory.found_by(run, groups),
    }
}

/// Records the windows whose reasons are selected. Returns those that were refused.
async fn records(
    world: &Shared,
    context: &Context,
    left: &RunState,
    is_selected: impl Fn(Reason) -> bool,
    now: DateTime<Utc>,
) -> Vec<(usize, ExportError)> {
    let mut refused = Vec::new();
    for (position, decided) in left.decided.iter().enumerate() {
        let (WindowOutcome::Skipped { reason } | WindowOutcome::Lost { reason }) = decided.outcome else { continue };
        if is_selected(reason)
            && let Some(error) = record_one(world, context, decided, reason, now).await
        {
            refused.push((position, error));
        }
    }
    refused
}

async fn record_one(world: &Shared, context: &Context, decided: &DecidedWindow, reason: Reason, now: DateTime<Utc>) -> Option<ExportError> {
    let asked = decided.target(&world.borrow().stack).unwrap();
    let mut target = asked.clone();
    if reason.applies_to_all_streams() {
        target.stream_prefix = None;
    }
    let question = Question::new(&target, now);
    let (listed, found) = look(world, &question).await;
    let is_covered = |found: &[FoundManifest]| uncovered_by(&Question::new(&asked, now), found).is_empty();
    if is_covered(&found) {
        return None;
    }
    let manifest = Manifest::record(&target, &context.timezone, reason, &context.execution, &found, Millis::of(now));
    let written = match replaced_by_record(&question, reason, &found).zip(manifest) {
        Some((replaces, manifest)) => {
            record(world, &target, &listed, manifest, &replaces, &mut Crash(None)).await.map_err(|child| child.error().unwrap())
        }
        None => Err(ExportError::new(ErrorName::OverlapRefused, "another manifest is in the way")),
    };
    let error = written.err()?;
    let (_, found) = look(world, &Question::new(&asked, now)).await;
    (!is_covered(&found)).then_some(error)
}
