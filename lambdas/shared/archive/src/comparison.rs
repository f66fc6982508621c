//! Compares the archive with what should be in it: what a run is, and what is decided of each log-group-month. `plan-exports` does it for a
//! run, the operator's tool to show what a run would do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use export_core::{
    ExecutionArn, ExportError, Window,
    contract::plan::{Child, PlannedWindow, Run},
    decide::{Decision, Evidence, Question, Verdict},
    error::Retry,
    input::RunInput,
    manifest::Found,
    missing::Memory,
    planner::{Finished, Group, Homes, Planner, Speed, Subject},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Archive, ManifestIndex, entries};

/// Log-group-months that are looked at at once, and between two looks at the clock: one can cost 20 calls at 20 a second.
const AT_ONCE: usize = 32;
const CHUNK: usize = 100;

/// Before a call that failed in passing is made again. One log-group-month must not throw away what was compared before it.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// What was decided of one subject, with the manifests that the decisions stand on.
pub struct Compared {
    pub subject: Subject,
    pub decisions: Vec<Decision>,
    pub found: Vec<Found>,
    /// How fast its place is exported, where a window is to be exported for the first time.
    pub speed: Option<Speed>,
}

impl Archive {
    /// Fixes what a run is: its months, its log groups, and what earlier runs left.
    pub async fn begin(
        &self,
        execution: &ExecutionArn,
        start_time: DateTime<Utc>,
        mut input: RunInput,
    ) -> Result<(Run, Vec<Group>, Memory), ExportError> {
        let due_month = input.due_month(start_time);
        let due_window = Window::of(due_month, input.timezone);
        let ((open, unreadable), last) = tokio::try_join!(self.open_windows(), self.last_runs(due_month, due_window))?;
        let overtaken = last.latest_scheduled_time.zip(input.scheduled_time).is_some_and(|(latest, own)| latest > own);
        let looks = input.looks(start_time, last.compared_through, overtaken)?;
        let memory = Memory { open, unreadable, found: last.found };
        let seen = memory.log_groups().filter(|_| looks.is_scheduled);
        let (groups, warnings) = entries::expand(self, &input, seen).await?;
        let run = Run {
            execution: execution.clone(),
            start_time,
            scheduled_time: input.scheduled_time.filter(|_| looks.is_scheduled),
            due_month: looks.due_month,
            timezone: input.timezone.name().to_owned(),
            looks: looks.months,
            force: input.force,
            compact: input.compact,
            warnings: [input.warnings, warnings].concat(),
        };
        let memory = memory.at_home(&Homes::of(&run, &groups));
        Ok((run, groups, memory))
    }

    /// Looks at the windows of the last round, then at what was never compared, until a round is full or the time is short. `child`: what
    /// became of a window of the last round. `take` sees each subject, in order.
    pub async fn compare(
        &self,
        mut planner: Planner<'_>,
        child: impl Fn(&PlannedWindow) -> Option<Child>,
        is_short_of_time: impl Fn() -> bool,
        now: impl Fn() -> DateTime<Utc>,
        mut take: impl FnMut(&Compared),
    ) -> Result<Finished, ExportError> {
        let mut subjects = planner.last_round(child);
        let mut index = ManifestIndex::default();
        loop {
            if subjects.is_empty() {
                let is_short_of_time = is_short_of_time();
                subjects = if is_short_of_time { Vec::new() } else { planner.to_compare(CHUNK) };
                if subjects.is_empty() {
                    return Ok(planner.finish(is_short_of_time));
                }
            }
            // How long an export takes, the two months before tell.
            let months = subjects.iter().flat_map(|subject| [Some(subject.month), subject.is_new().then(|| subject.month.previous())]);
            index.look_at(self, months.flatten()).await?;
            let compared = stream::iter(subjects.drain(..).map(|subject| self.compare_one(&planner, subject, &index, now())));
            // In order: the due month goes first.
            let compared: Vec<Compared> = compared.buffered(AT_ONCE).try_collect().await?;
            for one in compared {
                take(&one);
                planner.take(&one.subject, one.decisions, &one.found, one.speed);
            }
        }
    }

    /// What would fail for this log-group-month alone is its verdict; what may pass fails the call, which is then repeated.
    async fn compare_one(
        &self,
        planner: &Planner<'_>,
        subject: Subject,
        index: &ManifestIndex,
        now: DateTime<Utc>,
    ) -> Result<Compared, ExportError> {
        let question = planner.question(&subject, now);
        // Since the list was made, a window's log group can have been deleted: in later rounds it is looked at anew.
        let log_group = subject.is_new().then(|| planner.group(&subject).log_group.clone());
        let evidence = Evidence { log_group, ..Evidence::default() };
        let mut pauses = PAUSES.into_iter();
        let decided = loop {
            let decided = self.decide_with_speed(&question, evidence.clone(), index, subject.is_new()).await;
            let is_passing = decided.as_ref().is_err_and(|error| error.name.retry() == Retry::AfterBackoff);
            match pauses.next().filter(|_| is_passing) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break decided,
            }
        };
        match decided {
            Ok((decisions, evidence, speed)) => Ok(Compared { subject, decisions, found: evidence.manifests.unwrap_or_default(), speed }),
            Err(error) if error.name.retry() == Retry::AfterBackoff => Err(error),
            Err(error) => {
                let failed = Decision { month: subject.month, window: subject.window, verdict: Verdict::Fail(error) };
                Ok(Compared { subject, decisions: vec![failed], found: Vec::new(), speed: None })
            }
        }
    }

    async fn decide_with_speed(
        &self,
        question: &Question<'_>,
        evidence: Evidence,
        index: &ManifestIndex,
        is_new: bool,
    ) -> Result<(Vec<Decision>, Evidence, Option<Speed>), ExportError> {
        let (decisions, evidence) = self.decide(question, evidence, Some(index)).await?;
        let is_planned = is_new && decisions.iter().any(|decision| matches!(decision.verdict, Verdict::Export(_)));
        let speed = if is_planned { self.speed(question, index).await? } else { None };
        Ok((decisions, evidence, speed))
    }
}
