//! What `create-export-task` and `check-export-task` do with one window, and how a manifest is written, write by write.

use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ErrorName, ExportError, TaskId,
    contract::{create::SkipReason, plan::ChildResult},
    decide::{CompletedExport, Decision, Evidence, LogGroup, Need, Question, Verdict, WindowHistory, decide},
    destination::task_folder,
    input::RUN_TIME_LIMIT,
    manifest::{FoundManifest, Manifest},
    place::ManifestKey,
    target::Target,
    time::Millis,
};

use crate::{
    run::{Shared, pause},
    scenario::Fault,
    world::{Fate, StoredManifest, Withdrawn},
};

/// A manifest of a listing.
pub type Listed = (ManifestKey, StoredManifest);

pub struct Answer {
    pub decisions: Vec<Decision>,
    pub found: Vec<FoundManifest>,
    listed: Vec<Listed>,
}

/// The overlapping manifests. Between the listing and the reads, other runs continue.
pub async fn look(world: &Shared, question: &Question<'_>) -> (Vec<Listed>, Vec<FoundManifest>) {
    let listed = world.borrow().list_manifests(&question.target.place, question.target.month, question.target.window);
    pause().await;
    let found = listed.iter().filter_map(|(key, _)| world.borrow().read_manifest(&question.target.place, key)).collect();
    (listed, found)
}

/// Asks `decide`, and adds evidence until it decides.
pub async fn ask(world: &Shared, question: &Question<'_>, evidence: Evidence) -> Answer {
    let (listed, found) = look(world, question).await;
    let mut evidence = Evidence { manifests: Some(found.clone()), ..evidence };
    let name = question.target.place.log_group.as_str();
    loop {
        match decide(question, &evidence) {
            Ok(decisions) => return Answer { decisions, found, listed },
            Err(Need::LogGroup) => evidence.log_group = Some(world.borrow().describe(name)),
            Err(Need::NewestEvent) => evidence.newest_event = Some(world.borrow().newest_event(name)),
            Err(Need::Stream) => evidence.has_stream = Some(world.borrow().has_stream(question)),
            Err(Need::EventSearch) => evidence.event_search = Some(world.borrow().event_search(question)),
            Err(Need::OldestTask) => evidence.oldest_task = Some(world.borrow().oldest_task(question)),
            Err(Need::Manifests) => unreachable!("they are there"),
        }
    }
}

/// The run that exports a window.
#[derive(Clone)]
pub struct Context {
    pub execution: String,
    pub start: DateTime<Utc>,
    pub force: bool,
    pub timezone: String,
    /// Of the window.
    pub history: WindowHistory,
}

/// A child of the map: creates a task, waits for it, and records what it wrote.
pub async fn export(world: &Shared, context: &Context, target: &Target) -> ChildResult {
    let task_id = match create(world, context, target).await {
        Ok(task_id) => task_id,
        Err(child) => return child,
    };
    match check(world, context, target, &task_id).await {
        // The state machine repeats a call whose function died.
        ChildResult::OtherError { .. } => check(world, context, target, &task_id).await,
        child => child,
    }
}

async fn create(world: &Shared, context: &Context, target: &Target) -> Result<TaskId, ChildResult> {
    loop {
        let now = world.borrow().now;
        if now - context.start > RUN_TIME_LIMIT {
            return Err(ChildResult::Skipped(SkipReason::RunTimeOver));
        }
        let question = Question {
            force_since: context.force.then_some(context.start),
            planned_since: Some(context.start),
            history: context.history,
            ..Question::new(target, now)
        };
        if let Some(child) = not_exported(&ask(world, &question, Evidence::default()).await.decisions, target) {
            return Err(child);
        }
        pause().await;
        if world.borrow().describe(target.place.log_group.as_str()) == LogGroup::Absent {
            // The log group was deleted meanwhile.
            let absent = Evidence { log_group: Some(LogGroup::Absent), ..Evidence::default() };
            let decisions = ask(world, &question, absent).await.decisions;
            return Err(not_exported(&decisions, target).unwrap_or(ChildResult::Skipped(SkipReason::LogGroupNotFound)));
        }
        let mut world = world.borrow_mut();
        if let Some(task_id) = adoptable(&world.tasks, target, context.start, Millis::of(world.now)) {
            return Ok(task_id);
        }
        if world.slot_is_busy() {
            world.pass(TimeDelta::hours(1));
            continue;
        }
        let fault = world.take_fault(|fault| matches!(fault, Fault::Task(_) | Fault::SlowTask { .. }));
        let (fate, length) = match fault {
            Some(Fault::Task(fate)) => (fate, TimeDelta::minutes(5)),
            Some(Fault::SlowTask { hours }) => (Fate::Completes, TimeDelta::hours(hours.into())),
            _ => (Fate::Completes, TimeDelta::minutes(5)),
        };
        let task_id = world.create_task(target, &context.execution, length, fate);
        if world.take_fault(|fault| matches!(fault, Fault::LostAnswer)).is_none() {
            return Ok(task_id);
        }
    }
}

/// `None`: the verdict is to export exactly the window.
fn not_exported(decisions: &[Decision], target: &Target) -> Option<ChildResult> {
    let failed = decisions.iter().find_map(|one| if let Verdict::Fail(error) = &one.verdict { Some(error.clone()) } else { None });
    match decisions {
        _ if failed.is_some() => failed.map(ChildResult::Failed),
        [Decision { month, window, verdict: Verdict::Export(_) }] if (*month, *window) == (target.month, target.window) => None,
        [Decision { window, verdict, .. }] if *window == target.window => {
            Some(ChildResult::Skipped(SkipReason::of(verdict).unwrap_or(SkipReason::PartlyArchived)))
        }
        _ => Some(ChildResult::Skipped(SkipReason::PartlyArchived)),
    }
}

/// The target's task: an active one, or a completed one that was created since the run began.
fn adoptable(tasks: &[crate::world::Task], target: &Target, start: DateTime<Utc>, now: Millis) -> Option<TaskId> {
    let of_target = tasks.iter().rev().filter(|task| task.name == target.task_name() && task.fate != Fate::Vanishes);
    let has_completed = |task: &crate::world::Task| matches!(task.fate, Fate::Completes | Fate::WritesNothing);
    let mut usable = of_target.filter(|task| task.ends > now || (has_completed(task) && task.created >= Millis::of(start)));
    usable.next().map(|task| task.id.clone())
}

async fn check(world: &Shared, context: &Context, target: &Target, task_id: &TaskId) -> ChildResult {
    let failed = |name, message: &str| ChildResult::Failed(ExportError::new(name, message));
    let task = world.borrow().tasks.iter().find(|task| task.id == *task_id).unwrap().clone();
    loop {
        pause().await;
        let left = task.ends - Millis::of(world.borrow().now);
        if left <= TimeDelta::zero() {
            break;
        }
        world.borrow_mut().pass(left);
    }
    match task.fate {
        Fate::Fails => return failed(ErrorName::ExportTaskFailed, "internal error"),
        Fate::IsCancelled => return failed(ErrorName::ExportTaskCancelled, "somebody did it"),
        Fate::Vanishes => return failed(ErrorName::ExportTaskNotFound, "no such task"),
        Fate::TimesOut => return failed(ErrorName::ExportTaskTimedOut, "24 hours"),
        Fate::Completes | Fate::WritesNothing => {}
    }
    let mut crash = Crash(match world.borrow_mut().take_fault(|fault| matches!(fault, Fault::CheckCrashes { .. })) {
        Some(Fault::CheckCrashes { step }) => Some(step),
        _ => None,
    });
    let folder = world.borrow().list_folder(&task_folder(&target.destination_prefix(), task_id));
    let export = CompletedExport { task_id: task_id.clone(), folder: folder.clone(), created: Some(task.created) };
    let now = world.borrow().now;
    let question = Question { planned_since: task.created.instant(), history: context.history, ..Question::new(target, now) };
    let evidence = Evidence { export: Some(export), ..Evidence::default() };
    let Answer { mut decisions, listed, .. } = ask(world, &question, evidence).await;
    let checked = |outcome, reason| ChildResult::Checked {
        outcome,
        reason,
        task_id: Some(task_id.clone()),
        objects: folder.objects,
        bytes: folder.bytes,
        seconds: (task.ends - task.created).as_seconds_f64(),
        warnings: Vec::new(),
    };
    match decisions.pop().expect("one verdict on an export").verdict {
        Verdict::Written(outcome) => checked(outcome, None),
        Verdict::Record(reason) => checked(reason.outcome(), Some(reason)),
        Verdict::Fail(error) => ChildResult::Failed(error),
        Verdict::Write { outcome, replaces, .. } => {
            let manifest = Manifest {
                task_id: Some(task_id.clone()),
                objects: folder.objects,
                hidden_objects: folder.hidden_objects,
                bytes: folder.bytes,
                digest: Some(folder.digest.clone()),
                completed: Some(task.ends.to_string()),
                execution: Some(context.execution.clone()),
                ..Manifest::new(target, &context.timezone, outcome, task.created)
            };
            match record(world, target, &listed, manifest, &replaces, &mut crash).await {
                Ok(()) => checked(outcome, None),
                Err(child) => child,
            }
        }
        verdict => panic!("{verdict:?} of an export"),
    }
}

/// The function dies after so many steps, and its caller learns only that.
pub struct Crash(pub Option<u8>);

impl Crash {
    async fn step(&mut self) -> Result<(), ChildResult> {
        pause().await;
        match &mut self.0 {
            Some(0) => Err(ChildResult::OtherError { error: "Lambda.Unknown".to_owned(), cause: "exit status 1".to_owned() }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Writes a manifest, withdraws it if another one was written meanwhile, and removes those that it replaces.
pub async fn record(
    world: &Shared,
    target: &Target,
    before: &[Listed],
    manifest: Manifest,
    replaces: &[ManifestKey],
    crash: &mut Crash,
) -> Result<(), ChildResult> {
    let key = target.manifest_key();
    let refused = || {
        ChildResult::Failed(ExportError::new(ErrorName::OverlapRefused, format!("manifest {key} or one beside it was written meanwhile")))
    };
    let at_key = |listed: &[Listed]| listed.iter().find(|(one, _)| *one == key).map(|(_, stored)| stored.clone());
    crash.step().await?;
    let old = at_key(before);
    if !world.borrow_mut().put_manifest(&key, old.as_ref(), serde_json::to_vec(&manifest).unwrap()) {
        return Err(refused());
    }
    world.borrow_mut().torn.insert(key.clone());
    crash.step().await?;
    let after = world.borrow().list_manifests(&target.place, target.month, target.window);
    if after.iter().any(|listed| listed.0 != key && !before.contains(listed)) {
        crash.step().await?;
        let mut world = world.borrow_mut();
        match old {
            Some(old) => _ = world.put_manifest(&key, at_key(&after).as_ref(), old.bytes),
            None => world.delete_manifest(&key),
        }
        world.torn.remove(&key);
        world.owed.forget(&target.place.log_group, target.window);
        world.withdrawn.push(Withdrawn { execution: manifest.execution.unwrap(), place: target.place.clone(), window: target.window });
        return Err(refused());
    }
    for old in replaces.iter().filter(|old| **old != key) {
        crash.step().await?;
        world.borrow_mut().delete_manifest(old);
    }
    world.borrow_mut().torn.remove(&key);
    Ok(())
}
