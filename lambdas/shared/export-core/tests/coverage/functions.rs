//! What `create-export-task` and `check-export-task` do with one window, and how a manifest is written, write by write.

use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ErrorName, ExportError, TaskId,
    contract::{create::Reason, plan::Child},
    decide::{Decision, Evidence, Export, LogGroup, Need, Question, Remembered, Verdict, decide},
    destination::task_folder,
    input::RUN_TIME_LIMIT,
    manifest::{Found, Manifest},
    place::ManifestKey,
    target::Target,
    time::Millis,
};

use crate::{
    run::{Shared, pause},
    scenario::Fault,
    world::{Fate, StoredManifest, Withdrawn},
};

/// A manifest as a listing shows it.
pub type Listed = (ManifestKey, StoredManifest);

pub struct Answer {
    pub decisions: Vec<Decision>,
    pub found: Vec<Found>,
    listed: Vec<Listed>,
}

/// The manifests that overlap. Between the listing and the reads, others go on.
pub async fn look(world: &Shared, question: &Question<'_>) -> (Vec<Listed>, Vec<Found>) {
    let listed = world.borrow().list_manifests(question.place, question.month, question.window);
    pause().await;
    let found = listed.iter().filter_map(|(key, _)| world.borrow().read_manifest(question.place, key)).collect();
    (listed, found)
}

/// Asks `decide` until it has the evidence that it needs.
pub async fn ask(world: &Shared, question: &Question<'_>, evidence: Evidence) -> Answer {
    let (listed, found) = look(world, question).await;
    let mut evidence = Evidence { manifests: Some(found.clone()), ..evidence };
    let name = question.place.log_group.as_str();
    loop {
        match decide(question, &evidence) {
            Ok(decisions) => return Answer { decisions, found, listed },
            Err(Need::LogGroup) => evidence.log_group = Some(world.borrow().describe(name)),
            Err(Need::NewestEvent) => evidence.newest_event = Some(world.borrow().newest_event(name)),
            Err(Need::Stream) => evidence.has_stream = Some(world.borrow().has_stream(question)),
            Err(Need::AnyEvent) => evidence.any_event = Some(world.borrow().any_event(question)),
            Err(Need::OldestTask) => evidence.oldest_task = Some(world.borrow().oldest_task(question)),
            Err(Need::Manifests) => unreachable!("they are there"),
        }
    }
}

/// The run that a window is exported for.
#[derive(Clone)]
pub struct Context {
    pub execution: String,
    pub start: DateTime<Utc>,
    pub force: bool,
    pub timezone: String,
    /// Of the window.
    pub remembered: Remembered,
}

/// A child of the map: a task is created, followed and recorded.
pub async fn export(world: &Shared, context: &Context, target: &Target) -> Child {
    let task_id = match create(world, context, target).await {
        Ok(task_id) => task_id,
        Err(child) => return child,
    };
    match check(world, context, target, &task_id).await {
        // The state machine calls a function again that died.
        Child::Broken { .. } => check(world, context, target, &task_id).await,
        child => child,
    }
}

async fn create(world: &Shared, context: &Context, target: &Target) -> Result<TaskId, Child> {
    loop {
        let now = world.borrow().now;
        if now - context.start > RUN_TIME_LIMIT {
            return Err(Child::Skipped(Reason::RunTimeOver));
        }
        let question = Question {
            planned_since: Some(context.start),
            remembered: context.remembered,
            ..target.question(context.force.then_some(context.start), now)
        };
        if let Some(child) = not_exported(&ask(world, &question, Evidence::default()).await.decisions, target) {
            return Err(child);
        }
        pause().await;
        if world.borrow().describe(target.place.log_group.as_str()) == LogGroup::Absent {
            // Deleted since it was looked at.
            let absent = Evidence { log_group: Some(LogGroup::Absent), ..Evidence::default() };
            let decisions = ask(world, &question, absent).await.decisions;
            return Err(not_exported(&decisions, target).unwrap_or(Child::Skipped(Reason::LogGroupNotFound)));
        }
        let mut world = world.borrow_mut();
        if let Some(own) = adoptable(&world.tasks, target, context.start, Millis::of(world.now)) {
            return Ok(own);
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

/// Unless the verdict is to export exactly the window.
fn not_exported(decisions: &[Decision], target: &Target) -> Option<Child> {
    let failed = decisions.iter().find_map(|one| if let Verdict::Fail(error) = &one.verdict { Some(error.clone()) } else { None });
    match decisions {
        _ if failed.is_some() => failed.map(Child::Failed),
        [Decision { month, window, verdict: Verdict::Export(_) }] if (*month, *window) == (target.month, target.window) => None,
        [Decision { window, verdict, .. }] if *window == target.window => {
            Some(Child::Skipped(Reason::of(verdict).unwrap_or(Reason::PartlyArchived)))
        }
        _ => Some(Child::Skipped(Reason::PartlyArchived)),
    }
}

/// Its own task: an active one, or one that was created since the run began and completed.
fn adoptable(tasks: &[crate::world::Task], target: &Target, start: DateTime<Utc>, now: Millis) -> Option<TaskId> {
    let own = tasks.iter().rev().filter(|task| task.name == target.task_name() && task.fate != Fate::Vanishes);
    let has_completed = |task: &crate::world::Task| matches!(task.fate, Fate::Completes | Fate::WritesNothing);
    let mut usable = own.filter(|task| task.ends > now || (has_completed(task) && task.created >= Millis::of(start)));
    usable.next().map(|task| task.id.clone())
}

async fn check(world: &Shared, context: &Context, target: &Target, task_id: &TaskId) -> Child {
    let failed = |name, message: &str| Child::Failed(ExportError::new(name, message));
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
    let export = Export { task_id: task_id.clone(), folder: folder.clone(), created: Some(task.created) };
    let now = world.borrow().now;
    let question = Question { planned_since: task.created.instant(), remembered: context.remembered, ..target.question(None, now) };
    let evidence = Evidence { export: Some(export), ..Evidence::default() };
    let Answer { mut decisions, listed, .. } = ask(world, &question, evidence).await;
    let checked = |outcome, reason| Child::Checked {
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
        Verdict::Fail(error) => Child::Failed(error),
        Verdict::Write { outcome, replaces, .. } => {
            let manifest = Manifest {
                task_id: Some(task_id.clone()),
                objects: folder.objects,
                hidden_objects: folder.hidden_objects,
                bytes: folder.bytes,
                digest: Some(folder.digest.clone()),
                completed: Some(task.ends.to_string()),
                execution: Some(context.execution.clone()),
                ..Manifest::of(target, &context.timezone, outcome, task.created)
            };
            match record(world, target, &listed, manifest, &replaces, &mut crash).await {
                Ok(()) => checked(outcome, None),
                Err(child) => child,
            }
        }
        verdict => panic!("{verdict:?} of an export"),
    }
}

/// The function dies after so many steps, and its caller hears of nothing but that.
pub struct Crash(pub Option<u8>);

impl Crash {
    async fn step(&mut self) -> Result<(), Child> {
        pause().await;
        match &mut self.0 {
            Some(0) => Err(Child::Broken { error: "Lambda.Unknown".to_owned(), cause: "exit status 1".to_owned() }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Puts a manifest, takes it back if another one came to lie there meanwhile, and removes those that it replaces.
pub async fn record(
    world: &Shared,
    target: &Target,
    before: &[Listed],
    manifest: Manifest,
    replaces: &[ManifestKey],
    crash: &mut Crash,
) -> Result<(), Child> {
    let key = target.manifest_key();
    let refused =
        || Child::Failed(ExportError::new(ErrorName::OverlapRefused, format!("manifest {key} or one beside it was written meanwhile")));
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
