//! A run: plan-exports, the map over its windows, and report-archive, as a future that stops before each write and each read.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context as Wake, Poll},
};

use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ExecutionArn, LogGroupName, Month, TaskId, Window,
    contract::plan::{Child, Decided, Next, OpenWindow, Run, Settled},
    decide::LogGroup,
    entry::Selector,
    input::{Look, RUN_TIME_LIMIT, RunInput, best_entries},
    planner::{Group, Planner, Progress, Subject},
    target::Target,
    time::format_instant,
};
use serde_json::json;

use crate::{
    functions::{Context, ask, export, record_skip},
    properties,
    scenario::{Fault, HandMonths, Kind, RunSpec},
    world::{World, ZONES},
};

pub type Shared = Rc<RefCell<World>>;

/// Others go on here, and here a run dies.
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

/// What the archive keeps of a run.
#[derive(Debug, Clone)]
pub struct Report {
    pub execution: String,
    pub scheduled_time: Option<DateTime<Utc>>,
    pub due_month: Month,
    pub compared_everything: bool,
    pub looks: Vec<Look>,
    pub groups: Vec<Group>,
    pub decided: Vec<Decided>,
}

impl Report {
    pub fn has_succeeded(&self) -> bool {
        !self.decided.iter().any(|one| matches!(one.settled, Settled::Failed { .. }))
    }
}

/// The run's end, or why it was refused.
pub async fn run(world: Shared, spec: RunSpec) -> Result<(), String> {
    let (context, planned) = begin(&world, &spec)?;
    let (mut run, groups) = planned;
    let start = properties::at_start(&world.borrow(), &run, &groups);
    let mut progress = Progress::default();
    let mut decided = Vec::new();
    let mut children: Vec<(OpenWindow, Child)> = Vec::new();
    let compared_everything = loop {
        // What one call leaves to the next goes through the work bucket.
        run = through_json(&run);
        progress = through_json(&progress);
        let is_time_over = world.borrow().now - context.start > RUN_TIME_LIMIT;
        let mut planner = Planner::new(&run, &groups, progress, is_time_over);
        let child = |open: &OpenWindow| {
            let same = |(own, _): &&(OpenWindow, Child)| (own.group, own.month, own.window) == (open.group, open.month, open.window);
            children.iter().find(same).map(|(_, child)| child.clone())
        };
        for subject in planner.last_round(child) {
            compare(&world, &mut planner, &groups, &subject).await;
        }
        let is_short_of_time = loop {
            let subjects = planner.to_compare(spec.most);
            for subject in &subjects {
                compare(&world, &mut planner, &groups, subject).await;
            }
            // A small `most` stands for a short invocation.
            if subjects.is_empty() || spec.most < 3 {
                break spec.most < 3;
            }
        };
        let finished = planner.finish(is_short_of_time);
        decided.extend(through_json::<Vec<Decided>>(&finished.decided));
        progress = finished.progress;
        children = match finished.next {
            Next::Plan => Vec::new(),
            Next::Export => round(&world, &context, &groups, &finished.items).await,
            Next::Compact | Next::Report => break progress.has_compared_everything(&run),
        };
    };
    pause().await;
    let mut report = Report {
        execution: context.execution.clone(),
        scheduled_time: run.scheduled_time,
        due_month: run.due_month,
        compared_everything,
        looks: run.looks.clone(),
        groups: groups.clone(),
        decided,
    };
    world.borrow_mut().reports.push(report.clone());
    for one in &mut report.decided {
        let Settled::Skipped { reason } = one.settled else { continue };
        let place = one.source.place(&world.borrow().stack).unwrap();
        let target = Target { place, stream_prefix: one.source.log_stream_name_prefix.clone(), month: one.month, window: one.window };
        if let Err(error) = record_skip(&world, &context, &target, reason).await {
            one.settled = Settled::Failed { failure: error.into() };
        }
    }
    if report.decided.iter().any(|one| matches!(one.settled, Settled::Failed { .. })) {
        pause().await;
        let mut world = world.borrow_mut();
        let written = world.reports.iter_mut().find(|one| one.execution == report.execution);
        *written.unwrap() = report.clone();
    }
    properties::at_end(&world.borrow(), &start, &report)
}

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

async fn compare(world: &Shared, planner: &mut Planner<'_>, groups: &[Group], subject: &Subject) {
    let question = planner.question(subject, world.borrow().now);
    let log_group = Some(groups[subject.group].log_group.clone());
    let answer = ask(world, &question, log_group, None).await;
    planner.take(subject, answer.decisions, &answer.found);
}

async fn round(world: &Shared, context: &Context, groups: &[Group], items: &[OpenWindow]) -> Vec<(OpenWindow, Child)> {
    let mut children = Vec::new();
    for item in items {
        let Group { source, place, .. } = &groups[item.group];
        let stream_prefix = source.log_stream_name_prefix.clone();
        let target = Target { place: place.clone(), stream_prefix, month: item.month, window: item.window };
        children.push((item.clone(), export(world, context, &target).await));
    }
    let are_lost = world.borrow_mut().take_fault(|fault| matches!(fault, Fault::ResultsLost)).is_some();
    if are_lost { Vec::new() } else { children }
}

type Planned = (Run, Vec<Group>);

/// The first half of the first plan: the input is read, and what the run looks at is fixed. An `Err` in the outer result is a broken
/// property; a run that is refused plans nothing.
fn begin(world: &Shared, spec: &RunSpec) -> Result<(Context, Planned), String> {
    let mut world = world.borrow_mut();
    let execution = format!("arn:aws:states:ap-northeast-1:111122223333:execution:export-logs:run-{}", world.number());
    let input = input_of(&world, spec);
    let start = world.now;
    let mut input = RunInput::parse(&input, &world.stack).map_err(|error| format!("{input}: {error}"))?;
    let scheduled = world.reports.iter().filter_map(|report| report.scheduled_time.map(|time| (time, report)));
    let last = scheduled.clone().filter(|(_, report)| report.compared_everything).max_by_key(|(time, _)| *time);
    let last = last.map(|(_, report)| report.due_month);
    let overtaken = scheduled.clone().any(|(time, _)| input.scheduled_time.is_some_and(|own| time > own));
    let refused = |error: export_core::ExportError| {
        if error.name == export_core::ErrorName::MonthNotComplete { REFUSED.to_owned() } else { error.to_string() }
    };
    let looks = input.looks(start, last, overtaken).map_err(refused)?;
    let mut groups = Vec::new();
    let mut names = BTreeSet::new();
    for entry in &input.entries {
        let matching: Vec<LogGroupName> = match &entry.selector {
            Selector::Name(name) => vec![name.clone()],
            Selector::Prefix { log_group_name_prefix: prefix, .. } => {
                let existing = world.groups.iter().filter(|group| group.exists && group.name.starts_with(prefix.as_str()));
                let existing = existing.map(|group| LogGroupName::parse(group.name).unwrap());
                existing.filter(|name| best_entries(&input.entries, name).contains(&entry)).collect()
            }
        };
        for name in matching.into_iter().filter(|name| names.insert(name.clone())) {
            let log_group: LogGroup = world.describe(name.as_str());
            let source = entry.source(name, &input.bucket, &input.s3_prefix);
            groups.push(Group { place: source.place(&world.stack).unwrap(), source, log_group });
        }
    }
    let run = Run {
        execution: ExecutionArn::parse(&execution).unwrap(),
        start_time: start,
        scheduled_time: input.scheduled_time,
        due_month: looks.due_month,
        timezone: input.timezone.name().to_owned(),
        looks: looks.months,
        force: input.force,
        compact: false,
        warnings: input.warnings.clone(),
    };
    let context = Context { execution, start, force: input.force, timezone: run.timezone.clone() };
    Ok((context, (run, groups)))
}

/// The run asked for a month that is not complete.
pub const REFUSED: &str = "MonthNotComplete";

fn input_of(world: &World, spec: &RunSpec) -> serde_json::Value {
    let both = json!(["/app/a", {"logGroupNamePrefix": "/app/"}]);
    match &spec.kind {
        Kind::Scheduled { hours_late } => json!({
            "timezone": world.zone.name(),
            "scheduledTime": format_instant(world.now - TimeDelta::hours((*hours_late).into())),
            "logGroups": both,
        }),
        Kind::ByHand { months, zone, force, incomplete, stream_prefix } => {
            let zone = zone.map_or(world.zone, |index| ZONES[index % ZONES.len()]);
            let entries = stream_prefix.map_or(both, |prefix| json!([{"logGroupName": "/app/a", "logStreamNamePrefix": prefix}]));
            let mut input = json!({
                "timezone": zone.name(), "force": force, "allowIncompleteMonth": incomplete, "logGroups": entries,
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

/// What a run's tasks were for.
pub fn tasks_of(world: &World, execution: &str) -> Vec<(TaskId, Target, Window)> {
    let own = world.tasks.iter().filter(|task| task.execution == execution);
    own.map(|task| (task.id.clone(), task.target.clone(), task.target.window)).collect()
}
