//! `plan-exports`: compares the archive with what should be in it, and writes the windows to export next.
//!
//! One call is one step of a run. Its state is in the work bucket, below the number of the step, so that a repeated call does the same
//! again. Beside runs, CloudFormation calls the function when it deploys the schedule: see [`guard`].

pub mod guard;
mod results;

use std::time::Duration;

use archive::{Archive, Step, WorkFolder};
use aws_config::SdkConfig;
use chrono::TimeDelta;
use export_core::{
    ExportError,
    compaction::Compaction,
    contract::plan::{Item, Next, Plan, PlannedWindow, Request, Run},
    input::RunInput,
    missing::Memory,
    planner::{Group, Planner, Round},
    time::format_instant,
};
use function_runtime::{Invocation, LogField};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::info;

/// The function's name in logs, metrics and requests.
pub const NAME: &str = env!("CARGO_PKG_NAME");

/// Of the function's 15 minutes, five are left for the last chunk and the writes. The next call compares the rest.
const COMPARING_TIME: Duration = Duration::from_secs(10 * 60);

pub struct PlanExports {
    archive: Archive,
    work_bucket: String,
    run_time_limit: TimeDelta,
    comparing_time: Duration,
}

impl PlanExports {
    pub fn new(config: &SdkConfig) -> Result<Self, String> {
        let archive = Archive::new(function_runtime::stack_from_environment()?, config);
        let work_bucket = function_runtime::read_variable("WORK_BUCKET", |text| Ok(text.to_owned()))?;
        Ok(Self::with(archive, work_bucket, function_runtime::run_time_limit()?, COMPARING_TIME))
    }

    pub fn with(archive: Archive, work_bucket: String, run_time_limit: TimeDelta, comparing_time: Duration) -> Self {
        Self { archive, work_bucket, run_time_limit, comparing_time }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        let began = Instant::now();
        let request = Request::parse(&event)?;
        let work = WorkFolder::new(&self.archive, &self.work_bucket, &request.execution);
        let (sequence, step) = match request.plan() {
            None => {
                let input = RunInput::parse(&request.state, &self.archive.stack)?;
                let (run, groups, memory) = self.archive.begin_run(&request.execution, request.start_time, input).await?;
                (0, work.record_run(run, groups, memory).await?)
            }
            Some(plan) => (plan.sequence, work.read_step(plan.sequence).await?),
        };
        invocation.set_log_field(LogField::Month, &step.run.due_month.to_string());
        let Step { run, groups, memory, mut progress } = step;
        let children = match progress.exporting {
            true => results::read(&self.archive.stack, &work, &request, invocation.now()).await,
            false => results::Results::default(),
        };
        progress.warnings.extend(children.warning.clone());
        let is_time_over = invocation.now() - run.start_time > self.run_time_limit;
        let planner = Planner::new(&run, &groups, &memory, progress, is_time_over);
        let task_name = |window: &PlannedWindow| groups[window.group].target(window.month, window.window).task_name();
        let child = |window: &PlannedWindow| children.by_task_name.get(&task_name(window)).or(children.for_all.as_ref()).cloned();
        let is_short_of_time = || began.elapsed() >= self.comparing_time;
        let mut round = self.archive.compare(planner, child, is_short_of_time, || invocation.now(), |_| ()).await?;
        if round.next == Next::Report && run.compact {
            self.compact(&run, &mut round).await?;
        }
        let plan = write_plan(&work, sequence + 1, &run, &groups, &memory, round).await?;
        info!(sequence = plan.sequence, next = ?plan.next, "planned");
        Ok(json!(plan))
    }

    /// Plans the compaction, once nothing is left to export.
    async fn compact(&self, run: &Run, round: &mut Round) -> Result<(), ExportError> {
        let (manifests, compacted) = tokio::try_join!(self.archive.manifest_digests(), self.archive.compacted_manifests())?;
        let compaction = Compaction::new(manifests, compacted, &run.months().collect());
        if !compaction.months.is_empty() {
            round.next = Next::Compact;
        }
        round.progress.compaction = Some(compaction);
        Ok(())
    }
}

async fn write_plan(
    work: &WorkFolder<'_>,
    sequence: u32,
    run: &Run,
    groups: &[Group],
    memory: &Memory,
    round: Round,
) -> Result<Plan, ExportError> {
    let start_time = format_instant(run.start_time);
    let item = |planned: &PlannedWindow| {
        let group = &groups[planned.group];
        Item {
            source: group.source.clone(),
            timezone: run.timezone.clone(),
            month: planned.month,
            from: planned.window.from,
            to: planned.window.to,
            force: run.force,
            start_time: start_time.clone(),
            execution: run.execution.clone(),
            history: memory.history_of(&group.place, planned.month, planned.window),
        }
    };
    let items: Vec<Item> = round.items.iter().map(item).collect();
    let compact = round.progress.compaction.iter().flat_map(|compaction| compaction.months.iter().copied()).collect();
    work.write_step(sequence, round.next, compact, &items, &round.decided, &round.progress).await
}
