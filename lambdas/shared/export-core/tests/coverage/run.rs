//! A run: plan-exports, the map over its windows, and report-archive, as a future that stops before each write and each read.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context as Wake, Poll},
};

use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ErrorName, ExecutionArn, ExportError, LogGroupName, Month, TaskId, Window,
    contract::{
        plan::{ChildResult, DecidedWindow, Next, PlannedWindow, Run},
        report::Report,
    },
    decide::{Evidence, LogGroup, WindowHistory},
    entry::{Entry, Selector},
    input::{RUN_TIME_LIMIT, RunInput, best_entries},
    missing::Memory,
    planner::{CurrentGroups, Group, Planner, Progress, Round, Subject},
    target::Target,
    time::format_instant,
};
use serde_json::json;

use crate::{
    books::{RunState, report_archive},
    bucket::LastRuns,
    functions::{Context, ask, export},
    owed, properties,
    scenario::{Fault, HandMonths, Kind, RunSpec},
    world::{World, ZONES},
};

pub type Shared = Rc<RefCell<World>>;

/// Other runs continue here, and here a run can die.
pub struct Pause(bool);

pub fn pause() -> Pause {
    Pause(false)
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Wake<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A run that ended.
#[derive(Debug, Clone)]
pub struct Ended {
    pub run: Run,
    pub groups: Vec<Group>,
    /// What `report-archive` read.
    pub memory: Memory,
    pub report: Report,
    pub has_succeeded: bool,
    pub at: DateTime<Utc>,
}

/// The run's end, or why it was refused.
pub async fn run(world: Shared, spec: RunSpec) -> Result<(), String> {
    let (context, mut left, entries) = begin(&world, &spec)?;
    let start = properties::at_start(&world.borrow(), &left.run, &left.groups);
    let mut children: Vec<(PlannedWindow, ChildResult)> = Vec::new();
    loop {
        // What one call hands to the next goes through the work bucket.
        left.run = through_json(&left.run);
        left.memory = through_json(&left.memory);
        left.progress = through_json(&left.progress);
        let finished = plan(&world, &spec, &left, &children).await;
        left.decided.extend(through_json::<Vec<DecidedWindow>>(&finished.decided));
        left.progress = finished.progress;
        children = match finished.next {
            Next::Plan => Vec::new(),
            Next::Export => round(&world, &context, &left, &finished.items).await,
            Next::Compact | Next::Report => break,
        };
        if world.borrow_mut().take_fault(|fault| matches!(fault, Fault::PlanFails)).is_some() {
            left.error = Some(ExportError::new(ErrorName::Unexpected, "plan-exports ended").into());
            break;
        }
    }
    let ended = report_archive(&world, &context, &start, left).await?;
    let mut world = world.borrow_mut();
    properties::at_end(&world, &start, &ended)?;
    owed::at_end(&mut world, &start, &ended, &entries)?;
    world.ended.push(ended);
    Ok(())
}

/// One call of `plan-exports`, without the first half of the first call.
async fn plan(world: &Shared, spec: &RunSpec, left: &RunState, children: &[(PlannedWindow, ChildResult)]) -> Round {
    let RunState { run, groups, memory, progress, .. } = left;
    let is_time_over = world.borrow().now - run.start_time > RUN_TIME_LIMIT;
    let mut planner = Planner::new(run, groups, memory, progress.clone(), is_time_over);
    let child = |planned: &PlannedWindow| {
        let same = |other: &PlannedWindow| (other.group, other.month, other.window) == (planned.group, planned.month, planned.window);
        children.iter().find(|(other, _)| same(other)).map(|(_, child)| child.clone())
    };
    for subject in planner.take_last_round(child) {
        compare(world, &mut planner, left, &subject).await;
    }
    // A small `most` stands for a short invocation.
    let is_short_of_time = spec.most < 3;
    loop {
        let subjects = planner.next_subjects(spec.most);
        for subject in &subjects {
            compare(world, &mut planner, left, subject).await;
        }
        if subjects.is_empty() || is_short_of_time {
            return planner.finish(is_short_of_time);
        }
    }
}

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

async fn compare(world: &Shared, planner: &mut Planner<'_>, left: &RunState, subject: &Subject) {
    let question = planner.question(subject, world.borrow().now);
    // Later rounds look it up again.
    let log_group = subject.is_new().then(|| left.groups[subject.group].log_group.clone());
    let answer = ask(world, &question, Evidence { log_group, ..Evidence::default() }).await;
    let speed = world.borrow().speed(&question);
    planner.apply(subject, answer.decisions, &answer.found, speed);
}

async fn round(world: &Shared, context: &Context, left: &RunState, items: &[PlannedWindow]) -> Vec<(PlannedWindow, ChildResult)> {
    let mut children = Vec::new();
    for item in items {
        let target = left.groups[item.group].target(item.month, item.window);
        let context = Context { history: left.memory.history_of(&target.place, item.month, item.window), ..context.clone() };
        children.push((item.clone(), export(world, &context, &target).await));
    }
    let are_lost = world.borrow_mut().take_fault(|fault| matches!(fault, Fault::ResultsLost)).is_some();
    if are_lost { Vec::new() } else { children }
}

/// The first half of the first plan: reads the input, and fixes the facts of the run. A refused run plans nothing.
fn begin(world: &Shared, spec: &RunSpec) -> Result<(Context, RunState, Vec<Entry>), String> {
    let mut world = world.borrow_mut();
    let execution = format!("arn:aws:states:ap-northeast-1:111122223333:execution:export-logs:run-{}", world.number());
    let input = input_of(&world, spec);
    let start = world.now;
    let mut input = RunInput::parse(&input, &world.stack).map_err(|error| format!("{input}: {error}"))?;
    let due_month = input.due_month(start);
    let last = match input.scheduled_time {
        Some(_) => world.last_runs(due_month, Window::of(due_month, input.timezone)),
        None => LastRuns::default(),
    };
    let is_overtaken = last.latest_scheduled_time.zip(input.scheduled_time).is_some_and(|(latest, this)| latest > this);
    let refused = |error: ExportError| if error.name == ErrorName::MonthNotComplete { REFUSED.to_owned() } else { error.to_string() };
    let scope = input.determine_scope(start, last.compared_through, is_overtaken).map_err(refused)?;
    let memory = world.memory(last.found);
    let seen: Vec<&LogGroupName> = memory.log_groups().filter(|_| scope.is_scheduled).collect();
    let groups = expand(&world, &input, &seen);
    let run = Run {
        execution: ExecutionArn::parse(&execution).unwrap(),
        start_time: start,
        scheduled_time: input.scheduled_time.filter(|_| scope.is_scheduled),
        due_month: scope.due_month,
        timezone: input.timezone.name().to_owned(),
        months_to_compare: scope.months,
        force: input.force,
        compact: false,
        warnings: input.warnings.clone(),
    };
    let memory = memory.in_current_places(&CurrentGroups::new(&run, &groups));
    let context = Context { execution, start, force: input.force, timezone: run.timezone.clone(), history: WindowHistory::default() };
    Ok((context, RunState { run, groups, memory, decided: Vec::new(), progress: Progress::default(), error: None }, input.entries))
}

/// As `plan-exports` expands the entries, with the log groups that earlier runs saw.
fn expand(world: &World, input: &RunInput, seen: &[&LogGroupName]) -> Vec<Group> {
    let mut known: BTreeMap<LogGroupName, LogGroup> = BTreeMap::new();
    for entry in &input.entries {
        match &entry.selector {
            Selector::Name(name) => _ = known.insert(name.clone(), world.describe(name.as_str())),
            Selector::Prefix { log_group_name_prefix: prefix, .. } => {
                let existing = world.groups.iter().filter(|group| group.exists && group.name.starts_with(prefix.as_str()));
                known.extend(existing.map(|group| (LogGroupName::parse(group.name).unwrap(), world.describe(group.name))));
            }
        }
    }
    for name in seen.iter().filter(|name| input.entries.iter().any(|entry| entry.rank(name).is_some())) {
        known.entry((*name).clone()).or_insert(LogGroup::Gone);
    }
    let of_name = |(name, log_group): (LogGroupName, LogGroup)| {
        let best = best_entries(&input.entries, &name).into_iter();
        let sources: Vec<_> = best.map(|entry| entry.source(name.clone(), &input.bucket, &input.s3_prefix)).collect();
        sources.into_iter().map(move |source| (source, log_group.clone()))
    };
    let sources = known.into_iter().flat_map(of_name);
    sources.map(|(source, log_group)| Group { place: source.place(&world.stack).unwrap(), source, log_group }).collect()
}

/// The run asked for a month that is not complete.
pub const REFUSED: &str = "MonthNotComplete";

fn input_of(world: &World, spec: &RunSpec) -> serde_json::Value {
    let both = json!(["/app/a", {"logGroupNamePrefix": "/app/"}]);
    // A person removes an entry from the list, narrows one, or moves a place.
    let list = match world.list {
        0 => both.clone(),
        1 => json!(["/app/a"]),
        2 => json!([{"logGroupNamePrefix": "/app/", "exclude": ["/app/a"]}]),
        3 => json!([{"logGroupName": "/app/a", "s3Prefix": "moved"}, {"logGroupNamePrefix": "/app/"}]),
        _ => json!([{"logGroupName": "/app/a", "logStreamNamePrefix": "prod"}, {"logGroupNamePrefix": "/app/"}]),
    };
    match &spec.kind {
        Kind::Scheduled { hours_late } => json!({
            "timezone": world.zone.name(),
            "settleDays": world.settle_days,
            "scheduledTime": format_instant(world.now - TimeDelta::hours((*hours_late).into())),
            "logGroups": list,
        }),
        Kind::ByHand { months, zone, force, incomplete, stream_prefix } => {
            let zone = zone.map_or(world.zone, |index| ZONES[index % ZONES.len()]);
            let entries = stream_prefix.map_or(both, |prefix| json!([{"logGroupName": "/app/a", "logStreamNamePrefix": prefix}]));
            let mut input = json!({
                "timezone": zone.name(), "settleDays": world.settle_days, "force": force, "allowIncompleteMonth": incomplete, "logGroups": entries,
            });
            let back = |months: u8| (0..months).fold(Month::at(world.now, zone), |month, _| month.previous()).to_string();
            match months {
                HandMonths::Due => {}
                HandMonths::Only(months) => input["month"] = json!(back(*months)),
                HandMonths::Since(months) => input["since"] = json!(back(*months + 1)),
            }
            input
        }
    }
}

/// The windows of a run's tasks.
pub fn tasks_of(world: &World, execution: &str) -> Vec<(TaskId, Target, Window)> {
    let of_run = world.tasks.iter().filter(|task| task.execution == execution);
    of_run.map(|task| (task.id.clone(), task.target.clone(), task.target.window)).collect()
}
