//! Compares the archive with what should be in it: fixes the facts of a run, and decides each log-group-month. `plan-exports` compares for
//! a run. The operator's tool compares to show what a run would do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use export_core::{
    ExecutionArn, ExportError, Window,
    contract::plan::{ChildResult, PlannedWindow, Run},
    decide::{Decision, Evidence, Question, Verdict},
    error::Retry,
    input::RunInput,
    manifest::FoundManifest,
    missing::Memory,
    planner::{CurrentGroups, Group, Planner, Round, Subject, TaskSpeed},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Archive, ManifestIndex, entries};

/// How many log-group-months are compared at a time.
const CONCURRENCY: usize = 32;

/// How many are compared between two looks at the clock. One needs at most 20 calls, at 20 a second: a chunk takes at most 100 s.
const CHUNK: usize = 100;

/// The pauses before a throttled or failed call is repeated. One log-group-month must not discard the comparison of all others.
const RETRY_PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// The decisions on one subject, with the manifests behind them.
pub struct ComparedSubject {
    pub subject: Subject,
    pub decisions: Vec<Decision>,
    pub found: Vec<FoundManifest>,
    /// How fast its place is exported, if this run plans one of its windows for the first time.
    pub speed: Option<TaskSpeed>,
}

impl Archive {
    /// Determines the months and the log groups of a run, and reads what earlier runs left.
    pub async fn begin_run(
        &self,
        execution: &ExecutionArn,
        start_time: DateTime<Utc>,
        mut input: RunInput,
    ) -> Result<(Run, Vec<Group>, Memory), ExportError> {
        let due_month = input.due_month(start_time);
        let due_window = Window::of(due_month, input.timezone);
        let ((open, unreadable), last) = tokio::try_join!(self.open_windows(), self.last_runs(due_month, due_window))?;
        let is_overtaken = last.latest_scheduled_time.zip(input.scheduled_time).is_some_and(|(latest, this)| latest > this);
        let scope = input.determine_scope(start_time, last.compared_through, is_overtaken)?;
        let memory = Memory { open, unreadable, found: last.found };
        let seen = memory.log_groups().filter(|_| scope.is_scheduled);
        let (groups, warnings) = entries::expand(self, &input, seen).await?;
        let run = Run {
            execution: execution.clone(),
            start_time,
            scheduled_time: input.scheduled_time.filter(|_| scope.is_scheduled),
            due_month: scope.due_month,
            timezone: input.timezone.name().to_owned(),
            months_to_compare: scope.months,
            force: input.force,
            compact: input.compact,
            warnings: [input.warnings, warnings].concat(),
        };
        let memory = memory.in_current_places(&CurrentGroups::new(&run, &groups));
        Ok((run, groups, memory))
    }

    /// Compares the windows of the last round, then the next log-group-months, until the round is full or the time is short. `child` finds
    /// the result of a window of the last round. `visit` gets each subject, in order.
    pub async fn compare(
        &self,
        mut planner: Planner<'_>,
        child: impl Fn(&PlannedWindow) -> Option<ChildResult>,
        is_short_of_time: impl Fn() -> bool,
        now: impl Fn() -> DateTime<Utc>,
        mut visit: impl FnMut(&ComparedSubject),
    ) -> Result<Round, ExportError> {
        let mut subjects = planner.take_last_round(child);
        let mut index = ManifestIndex::default();
        loop {
            if subjects.is_empty() {
                let is_short_of_time = is_short_of_time();
                subjects = if is_short_of_time { Vec::new() } else { planner.next_subjects(CHUNK) };
                if subjects.is_empty() {
                    return Ok(planner.finish(is_short_of_time));
                }
            }
            // The two months before show how long an export takes. `load_months` reads the neighbours of each month too.
            let months = subjects.iter().flat_map(|subject| {
                let month = subject.target.month;
                [Some(month), subject.is_new().then(|| month.previous())]
            });
            index.load_months(self, months.flatten()).await?;
            let compared = stream::iter(subjects.drain(..).map(|subject| self.compare_one(&planner, subject, &index, now())));
            // In order, because the due month goes first.
            let compared: Vec<ComparedSubject> = compared.buffered(CONCURRENCY).try_collect().await?;
            for ComparedSubject { subject, decisions, found, speed } in compared.into_iter().inspect(&mut visit) {
                planner.apply(&subject, decisions, &found, speed);
            }
        }
    }

    /// An error of this log-group-month alone becomes its verdict. A temporary error fails the call, which the state machine repeats.
    async fn compare_one(
        &self,
        planner: &Planner<'_>,
        subject: Subject,
        index: &ManifestIndex,
        now: DateTime<Utc>,
    ) -> Result<ComparedSubject, ExportError> {
        let question = planner.question(&subject, now);
        // A log group can be deleted after the list was made. So later rounds look it up again.
        let log_group = subject.is_new().then(|| planner.group(&subject).log_group.clone());
        let evidence = Evidence { log_group, ..Evidence::default() };
        let mut pauses = RETRY_PAUSES.into_iter();
        let decided = loop {
            let decided = self.decide_with_speed(&question, evidence.clone(), index, subject.is_new()).await;
            let is_temporary = decided.as_ref().is_err_and(|error| error.name.retry() == Retry::AfterBackoff);
            match pauses.next().filter(|_| is_temporary) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break decided,
            }
        };
        match decided {
            Ok((decisions, evidence, speed)) => {
                Ok(ComparedSubject { subject, decisions, found: evidence.manifests.unwrap_or_default(), speed })
            }
            Err(error) if error.name.retry() == Retry::AfterBackoff => Err(error),
            Err(error) => {
                let failed = Decision { month: subject.target.month, window: subject.target.window, verdict: Verdict::Fail(error) };
                Ok(ComparedSubject { subject, decisions: vec![failed], found: Vec::new(), speed: None })
            }
        }
    }

    async fn decide_with_speed(
        &self,
        question: &Question<'_>,
        evidence: Evidence,
        index: &ManifestIndex,
        is_new: bool,
    ) -> Result<(Vec<Decision>, Evidence, Option<TaskSpeed>), ExportError> {
        let (decisions, evidence) = self.decide(question, evidence, Some(index)).await?;
        let is_planned = is_new && decisions.iter().any(|decision| matches!(decision.verdict, Verdict::Export(_)));
        let speed = if is_planned { self.speed(question, index).await? } else { None };
        Ok((decisions, evidence, speed))
    }
}
