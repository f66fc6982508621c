//! `plan-exports`: compares the archive with what should be in it, and writes the windows that are to be exported next.
//!
//! One call is one step of a run. What it keeps for the next lies in the work bucket, below the number of the step, so that a call that
//! is repeated does the same again.

mod entries;
mod results;

use std::time::Duration;

use archive::{Archive, ManifestIndex, Step, Work};
use aws_config::SdkConfig;
use chrono::TimeDelta;
use export_core::{
    ExportError, Window,
    compaction::Compaction,
    contract::plan::{Item, Next, Plan, PlannedWindow, Request, Run},
    decide::{Decision, Evidence, Question, Verdict},
    error::Retry,
    input::RunInput,
    manifest::Found,
    missing::Memory,
    planner::{Finished, Group, Homes, Planner, Speed, Subject},
    target::Target,
    time::format_instant,
};
use function_runtime::{Invocation, LogField};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::info;

/// The function's name, wherever one is needed.
pub const NAME: &str = env!("CARGO_PKG_NAME");

/// Log-group-months that are looked at at once, and between two looks at the clock: one can cost 20 calls at 20 a second.
const AT_ONCE: usize = 32;
const CHUNK: usize = 100;

/// Before a call that failed in passing is made again. One log-group-month must not throw away what was compared before it.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// The function's timeout is 15 minutes; what is not compared by then is for its next call.
const COMPARING_TIME: Duration = Duration::from_secs(10 * 60);

pub struct PlanExports {
    archive: Archive,
    work_bucket: String,
    run_time_limit: TimeDelta,
    comparing_time: Duration,
}

impl PlanExports {
    pub fn new(config: &SdkConfig) -> Result<Self, String> {
        let (logs, s3) = (aws_sdk_cloudwatchlogs::Client::new(config), function_runtime::s3_client(config));
        let archive = Archive::new(function_runtime::stack_from_environment()?, logs, s3);
        let work_bucket = function_runtime::variable("WORK_BUCKET", |text| Ok(text.to_owned()))?;
        Ok(Self::with(archive, work_bucket, function_runtime::run_time_limit()?, COMPARING_TIME))
    }

    pub fn with(archive: Archive, work_bucket: String, run_time_limit: TimeDelta, comparing_time: Duration) -> Self {
        Self { archive, work_bucket, run_time_limit, comparing_time }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        let began = Instant::now();
        let request = Request::parse(&event)?;
        let work = Work::new(&self.archive, &self.work_bucket, &request.execution);
        let (sequence, step) = match request.plan() {
            None => (0, self.first_step(&request, &work).await?),
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
        let mut finished = self.compare(planner, &groups, &children, began, invocation).await?;
        if finished.next == Next::Report && run.compact {
            self.compact(&run, &mut finished).await?;
        }
        let plan = write_plan(&work, sequence + 1, &run, &groups, &memory, finished).await?;
        info!(sequence = plan.sequence, next = ?plan.next, "planned");
        Ok(json!(plan))
    }

    /// Validates the input, and fixes what the run is: its months and its log groups.
    async fn first_step(&self, request: &Request, work: &Work<'_>) -> Result<Step, ExportError> {
        let mut input = RunInput::parse(&request.state, &self.archive.stack)?;
        let due_month = input.due_month(request.start_time);
        let due_window = Window::of(due_month, input.timezone);
        let ((open, unreadable), last) = tokio::try_join!(self.archive.open_windows(), self.archive.last_runs(due_month, due_window))?;
        let overtaken = last.latest_scheduled_time.zip(input.scheduled_time).is_some_and(|(latest, own)| latest > own);
        let looks = input.looks(request.start_time, last.compared_through, overtaken)?;
        let memory = Memory { open, unreadable, found: last.found };
        let seen = memory.log_groups().filter(|_| looks.is_scheduled);
        let (groups, warnings) = entries::expand(&self.archive, &input, seen).await?;
        let run = Run {
            execution: request.execution.clone(),
            start_time: request.start_time,
            scheduled_time: input.scheduled_time.filter(|_| looks.is_scheduled),
            due_month: looks.due_month,
            timezone: input.timezone.name().to_owned(),
            looks: looks.months,
            force: input.force,
            compact: input.compact,
            warnings: [input.warnings, warnings].concat(),
        };
        let memory = memory.at_home(&Homes::of(&run, &groups));
        work.fix_run(run, groups, memory).await
    }

    /// Nothing is left to export: the Parquet follows.
    async fn compact(&self, run: &Run, finished: &mut Finished) -> Result<(), ExportError> {
        let (manifests, followed) = tokio::try_join!(self.archive.manifest_digests(), self.archive.compacted_manifests())?;
        let compaction = Compaction::new(manifests, followed, &run.months().collect());
        if !compaction.months.is_empty() {
            finished.next = Next::Compact;
        }
        finished.progress.compaction = Some(compaction);
        Ok(())
    }

    /// Looks at the windows of the last round, then at what was never compared, until a round is full or the time is short.
    async fn compare(
        &self,
        mut planner: Planner<'_>,
        groups: &[Group],
        children: &results::Results,
        began: Instant,
        invocation: &Invocation,
    ) -> Result<Finished, ExportError> {
        let task_name = |window: &PlannedWindow| target(&groups[window.group], window).task_name();
        let mut subjects = planner.last_round(|window| children.by_task_name.get(&task_name(window)).or(children.of_all.as_ref()).cloned());
        let mut index = ManifestIndex::default();
        loop {
            if subjects.is_empty() {
                let is_short_of_time = began.elapsed() >= self.comparing_time;
                subjects = if is_short_of_time { Vec::new() } else { planner.to_compare(CHUNK) };
                if subjects.is_empty() {
                    return Ok(planner.finish(is_short_of_time));
                }
            }
            // How long an export takes, the two months before tell.
            let months = subjects.iter().flat_map(|subject| [Some(subject.month), subject.is_new().then(|| subject.month.previous())]);
            index.look_at(&self.archive, months.flatten()).await?;
            let decided = stream::iter(subjects.drain(..).map(|subject| self.decide(&planner, groups, subject, &index, invocation)));
            // In order: the due month goes first.
            let decided: Vec<_> = decided.buffered(AT_ONCE).try_collect().await?;
            for (subject, decisions, found, speed) in decided {
                planner.take(&subject, decisions, &found, speed);
            }
        }
    }

    /// What would fail for this log-group-month alone is its verdict; what may pass fails the call, which is then repeated.
    async fn decide(
        &self,
        planner: &Planner<'_>,
        groups: &[Group],
        subject: Subject,
        index: &ManifestIndex,
        invocation: &Invocation,
    ) -> Result<(Subject, Vec<Decision>, Vec<Found>, Option<Speed>), ExportError> {
        let question = planner.question(&subject, invocation.now());
        // Since the list was made, a window's log group can have been deleted: in later rounds it is looked at anew.
        let log_group = subject.is_new().then(|| groups[subject.group].log_group.clone());
        let evidence = Evidence { log_group, ..Evidence::default() };
        let mut pauses = PAUSES.into_iter();
        let decided = loop {
            let decided = self.decide_once(&question, evidence.clone(), index, subject.is_new()).await;
            let is_passing = decided.as_ref().is_err_and(|error| error.name.retry() == Retry::AfterBackoff);
            match pauses.next().filter(|_| is_passing) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break decided,
            }
        };
        match decided {
            Ok((decisions, evidence, speed)) => Ok((subject, decisions, evidence.manifests.unwrap_or_default(), speed)),
            Err(error) if error.name.retry() == Retry::AfterBackoff => Err(error),
            Err(error) => {
                let failed = Decision { month: subject.month, window: subject.window, verdict: Verdict::Fail(error) };
                Ok((subject, vec![failed], Vec::new(), None))
            }
        }
    }

    /// With how long an export will take, where one is to be planned for the first time.
    async fn decide_once(
        &self,
        question: &Question<'_>,
        evidence: Evidence,
        index: &ManifestIndex,
        is_new: bool,
    ) -> Result<(Vec<Decision>, Evidence, Option<Speed>), ExportError> {
        let (decisions, evidence) = self.archive.decide(question, evidence, Some(index)).await?;
        let is_planned = is_new && decisions.iter().any(|decision| matches!(decision.verdict, Verdict::Export(_)));
        let speed = if is_planned { self.archive.speed(question, index).await? } else { None };
        Ok((decisions, evidence, speed))
    }
}

async fn write_plan(
    work: &Work<'_>,
    sequence: u32,
    run: &Run,
    groups: &[Group],
    memory: &Memory,
    finished: Finished,
) -> Result<Plan, ExportError> {
    let start_time = format_instant(run.start_time);
    let item = |planned: &PlannedWindow| {
        let group = &groups[planned.group];
        let remembered = memory.of(&group.place, planned.month, planned.window);
        Item {
            source: group.source.clone(),
            timezone: run.timezone.clone(),
            month: planned.month,
            from: planned.window.from,
            to: planned.window.to,
            force: run.force,
            start_time: start_time.clone(),
            execution: run.execution.clone(),
            is_open: remembered.is_open,
            seen_since: remembered.seen_since.map(format_instant),
        }
    };
    let items: Vec<Item> = finished.items.iter().map(item).collect();
    let compact = finished.progress.compaction.iter().flat_map(|compaction| compaction.months.iter().copied()).collect();
    work.write_step(sequence, finished.next, compact, &items, &finished.decided, &finished.progress).await
}

fn target(group: &Group, planned: &PlannedWindow) -> Target {
    Target {
        place: group.place.clone(),
        stream_prefix: group.source.log_stream_name_prefix.clone(),
        month: planned.month,
        window: planned.window,
    }
}
