//! What `report-archive` does when a run ends, write by write: records, open windows, the report.

use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError, Window,
    bookkeeping::{Bookkeeping, Fate},
    contract::{
        plan::{Decided, Failure, Run, Settled},
        report::{Counts, Report, SCHEMA_VERSION},
    },
    decide::{replaced_by_record, uncovered_by},
    manifest::{Found, Manifest, Reason},
    missing::{Memory, OpenOutcome, OpenWindow},
    planner::{Group, Progress},
    time::{Millis, format_instant},
};

use crate::{
    functions::{Context, Crash, look, record},
    owed,
    properties::Start,
    run::{Ended, Shared, pause},
};

/// What a run leaves to `report-archive`.
pub struct Left {
    pub run: Run,
    pub groups: Vec<Group>,
    /// As the run read it when it began.
    pub memory: Memory,
    pub decided: Vec<Decided>,
    pub progress: Progress,
    /// What its planning ended with.
    pub error: Option<Failure>,
}

impl Left {
    fn compared_everything(&self) -> bool {
        self.error.is_none() && self.progress.compared_everything
    }

    /// What was planned and not looked at again has failed.
    fn close(&mut self) {
        let Some(failure) = &self.error else { return };
        for planned in std::mem::take(&mut self.progress.planned) {
            let failure = planned.last.map_or_else(|| failure.clone(), Failure::from);
            let settled = Settled::Failed { failure, tried: true, blocked_by: None };
            let source = self.groups[planned.group].source.clone();
            self.decided.push(Decided { source, month: planned.month, window: planned.window, settled });
        }
    }

    fn refuse(&mut self, refused: Vec<(usize, ExportError)>) {
        for (position, error) in refused {
            self.decided[position].settled = Settled::Failed { failure: error.into(), tried: false, blocked_by: None };
        }
    }
}

pub async fn report_archive(world: &Shared, context: &Context, start: &Start, mut left: Left) -> Result<Ended, String> {
    left.close();
    let (memory, now) = (world.borrow().memory(Vec::new()), world.borrow().now);
    let key = world.borrow().stack.report_key(left.run.due_month, Millis::of(left.run.start_time), left.run.execution.execution_name());
    let is_last = |(other, report): &(&String, &Report)| **other != key && report.scheduled_time.is_some();
    let last = world.borrow().reports_newest_first().find(is_last).map(|(key, report)| (key.clone(), report.clone()));

    let refused = records(world, context, &left, |reason| !reason.is_told(), now).await;
    left.refuse(refused);
    let mut open = Open::of(world, &left, &memory, now).await;
    open.add(world, &left, &memory).await?;
    let mut report = report_of(&left, &open, now);
    let repeats = last.filter(|(_, last)| left.run.is_scheduled() && !report.did_anything() && report.says_the_same(last));
    let key = match repeats {
        Some((last, _)) => last,
        None => {
            pause().await;
            world.borrow_mut().reports.insert(key.clone(), report.clone());
            key
        }
    };
    let refused = records(world, context, &left, Reason::is_told, now).await;
    if !refused.is_empty() {
        left.refuse(refused);
        open = Open::of(world, &left, &memory, now).await;
        open.add(world, &left, &memory).await?;
        report = report_of(&left, &open, now);
        pause().await;
        world.borrow_mut().reports.insert(key, report.clone());
    }
    open.remove(world, start, &left).await?;
    let judged_missing = match left.run.is_scheduled() {
        true => report.missing_count > 0,
        false => open.anew.iter().any(|open| open.is_missing(now)),
    };
    let has_lost = report.decided.iter().any(|one| matches!(one.settled, Settled::Lost { reason } if reason.fails_run()));
    let has_succeeded = report.error.is_none() && !judged_missing && !has_lost && report.counts.failed == 0;
    Ok(Ended { run: left.run, groups: left.groups, memory, report, has_succeeded, at: now })
}

/// The open windows when the run ends.
#[derive(Default)]
struct Open {
    anew: Vec<OpenWindow>,
    not_asked: Vec<OpenWindow>,
    staying: Vec<OpenWindow>,
    leaving: Vec<OpenWindow>,
}

impl Open {
    async fn of(world: &Shared, left: &Left, memory: &Memory, now: DateTime<Utc>) -> Self {
        let stack = world.borrow().stack.clone();
        let books = Bookkeeping::new(&stack, &left.run, &left.groups, memory, left.compared_everything(), now);
        let mut windows = Self::default();
        for open in books.left_open(&left.decided) {
            // A window that is validly covered is not missing because it could not be exported again.
            if !left.run.force || !open.window().without(&covered(world, &books, &open, now).await).is_empty() {
                windows.anew.push(open);
            }
        }
        for open in memory.open.iter().filter(|open| !windows.anew.iter().any(|anew| anew.key(&stack) == open.key(&stack))) {
            let fate = match books.is_judged(open) {
                true => books.fate(open, &covered(world, &books, open, now).await, &windows.anew, &left.decided),
                false => Fate::Stays,
            };
            match fate {
                Fate::Leaves => windows.leaving.push(open.clone()),
                Fate::NotAsked if open.outcome != OpenOutcome::NotAsked => windows.not_asked.push(books.not_asked(open)),
                Fate::NotAsked | Fate::Stays => windows.staying.push(open.clone()),
            }
        }
        windows
    }

    async fn add(&self, world: &Shared, left: &Left, memory: &Memory) -> Result<(), String> {
        for open in self.anew.iter().chain(&self.not_asked) {
            owed::keeps_since(open, left, memory)?;
            pause().await;
            world.borrow_mut().put_open(open);
        }
        Ok(())
    }

    async fn remove(&self, world: &Shared, start: &Start, left: &Left) -> Result<(), String> {
        let recorded = self.anew.iter().filter(|open| open.is_to_be_recorded());
        for open in self.leaving.iter().chain(recorded) {
            pause().await;
            owed::may_leave(&world.borrow(), start, open, &left.decided)?;
            world.borrow_mut().remove_open(open);
        }
        Ok(())
    }

    fn left(&self) -> Vec<OpenWindow> {
        self.anew.iter().chain(&self.not_asked).chain(&self.staying).filter(|open| !open.is_to_be_recorded()).cloned().collect()
    }
}

/// By valid manifests in its place today that answer its own stream prefix.
async fn covered(world: &Shared, books: &Bookkeeping<'_>, open: &OpenWindow, now: DateTime<Utc>) -> Vec<Window> {
    let target = open.target(books.home(open).map_or_else(|| open.place(), |home| home.place.clone()));
    let question = target.question(None, now);
    let (_, found) = look(world, &question).await;
    open.window().without(&uncovered_by(&question, &found))
}

fn report_of(left: &Left, open: &Open, ended: DateTime<Utc>) -> Report {
    let Left { run, groups, memory, decided, progress, error } = left;
    let missing = open.left();
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
        counts: Counts::of(&progress.archived, decided).0,
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

/// Records those whose reasons are asked for. Answers with those that are refused.
async fn records(
    world: &Shared,
    context: &Context,
    left: &Left,
    is_asked_for: impl Fn(Reason) -> bool,
    now: DateTime<Utc>,
) -> Vec<(usize, ExportError)> {
    let mut refused = Vec::new();
    for (position, decided) in left.decided.iter().enumerate() {
        let (Settled::Skipped { reason } | Settled::Lost { reason }) = decided.settled else { continue };
        if is_asked_for(reason)
            && let Some(error) = record_one(world, context, decided, reason, now).await
        {
            refused.push((position, error));
        }
    }
    refused
}

async fn record_one(world: &Shared, context: &Context, decided: &Decided, reason: Reason, now: DateTime<Utc>) -> Option<ExportError> {
    let asked = decided.target(&world.borrow().stack).unwrap();
    let mut target = asked.clone();
    if reason.is_of_all_streams() {
        target.stream_prefix = None;
    }
    let question = target.question(None, now);
    let (listed, found) = look(world, &question).await;
    let is_covered = |found: &[Found]| uncovered_by(&asked.question(None, now), found).is_empty();
    if is_covered(&found) {
        return None;
    }
    let manifest = Manifest::record(&target, &context.timezone, reason, &context.execution, &found, Millis::of(now));
    let written = match replaced_by_record(&question, reason, &found).zip(manifest) {
        Some((replaces, manifest)) => {
            record(world, &target, &listed, manifest, &replaces, &mut Crash(None)).await.map_err(|child| child.error().unwrap())
        }
        None => Err(ExportError::new(ErrorName::OverlapRefused, "another manifest lies there")),
    };
    let error = written.err()?;
    let (_, found) = look(world, &asked.question(None, now)).await;
    (!is_covered(&found)).then_some(error)
}
