//! What a run costs: what the workflow does for each log group, counted in the histories of real runs, and calls to AWS by the stand-in's
//! journal.

mod dollars;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sfn::types::HistoryEventType;
use hyper::Method;
use local_aws::functions::FUNCTIONS;
use local_aws::{DeployOptions, Deployment, Engine, History, LocalAws, Options};
use runtime_api::{FunctionProcess, Outcome};
use serde_json::{Value, json};

use crate::candidates::Candidates;
use crate::month;
use crate::polling::{POLL_SECONDS, Workflow, follow};
pub use dollars::Prices;

/// The task that the figures for an exported log group are given for.
const TASK_SECONDS: f64 = 60.0;
const RUN_LIMIT: Duration = Duration::from_secs(120);
const WAIT_SCALE: f64 = 0.02;
/// Of a task that has next to nothing to write.
const POLLS: usize = 1_000;
const EVENTS_OF_A_RETRY: usize = 3;

/// Calls to AWS by their operation.
type Calls = BTreeMap<String, u32>;

/// What one execution did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Effort {
    /// States entered, and retries, each of which Step Functions counts as one more.
    transitions: usize,
    events: usize,
    /// Of functions.
    invocations: usize,
    retries: usize,
}

impl Effort {
    fn of(history: &History) -> Self {
        let entered = |name: &str| history.events.iter().filter(|event| event.r#type.as_str() == name).count();
        let states = history.events.iter().filter(|event| event.state_entered_event_details().is_some()).count();
        let scheduled = history.count(&HistoryEventType::TaskScheduled);
        let retries = scheduled - entered("TaskStateEntered");
        let is_lambda = |event: &&aws_sdk_sfn::types::HistoryEvent| {
            event.task_scheduled_event_details().is_some_and(|details| details.resource_type() == "lambda")
        };
        let invocations = history.events.iter().filter(is_lambda).count();
        Self { transitions: states + retries, events: history.events.len(), invocations, retries }
    }

    /// The same with so many polls: a retry is one transition, three events and one invocation.
    fn with_retries(self, retries: usize) -> Self {
        Self {
            transitions: self.transitions - self.retries + retries,
            events: self.events + EVENTS_OF_A_RETRY * retries - EVENTS_OF_A_RETRY * self.retries,
            invocations: self.invocations - self.retries + retries,
            retries,
        }
    }

    fn to_json(self, calls: &Calls) -> Value {
        json!({
            "transitions": self.transitions, "history_events": self.events, "lambda_invocations": self.invocations,
            "api_calls": calls.values().sum::<u32>(), "calls": calls,
        })
    }
}

struct Stack {
    local: LocalAws,
    deployment: Deployment,
}

pub async fn measure(candidates: &Candidates) -> Result<Value> {
    let local = LocalAws::start(&Options { engine: Engine::Moto, wait_scale: WAIT_SCALE, ..Options::default() }).await?;
    let deployment = local.deploy(&DeployOptions::default()).await?;
    let stack = Stack { local, deployment };

    month::load(&stack.local, "/bench/cost/short").await?;
    month::load(&stack.local, "/bench/cost/long").await?;
    let (parent, exported) = stack.run_one("/bench/cost/short", Duration::ZERO, "exported").await?;
    let (_, archived) = stack.run_one("/bench/cost/short", Duration::ZERO, "skipped").await?;
    let (_, skipped) = stack.run_one("/bench/cost/missing", Duration::ZERO, "skipped").await?;
    let polled = stack.run_one("/bench/cost/long", Duration::from_secs(5), "exported").await?.1;
    ensure!(
        polled.retries > exported.retries + 3 && exported.with_retries(polled.retries) == polled,
        "a retry is not one transition, {EVENTS_OF_A_RETRY} events and one invocation: {exported:?}, {polled:?}"
    );
    let two_pages = stack.run_missing(month::PAGE + 1).await?;
    let (per_page, per_page_events) = (two_pages.transitions - parent.transitions, two_pages.events - parent.events);

    let polls = follow(&Workflow::read()?, TASK_SECONDS, POLL_SECONDS).1;
    let exported = exported.with_retries(polls as usize - 1);
    let calls = count_calls(candidates, &stack, polls).await?;
    let run = dollars::Counts {
        group_transitions: exported.transitions,
        group_invocations: exported.invocations,
        group_s3_requests: ["PutObject", "ListObjectsV2"].iter().filter_map(|name| calls.exported.get(*name)).sum(),
        page_transitions: per_page,
        page_size: month::PAGE,
        run_transitions: parent.transitions - per_page,
        run_invocations: parent.invocations,
    };
    Ok(json!({
        "per_group_transitions": exported.transitions,
        "per_group_history_events": exported.events,
        "task_seconds": TASK_SECONDS,
        "polls": polls,
        "exported": exported.to_json(&calls.exported),
        "skipped": skipped.to_json(&calls.skipped),
        "archived": archived.to_json(&calls.archived),
        "per_page_transitions": per_page,
        "per_page_history_events": per_page_events,
        "per_run_transitions": run.run_transitions,
        "per_run_history_events": parent.events - per_page_events,
        "prices": Prices::TOKYO.to_json(),
        "dollars": dollars::table(&run, &Prices::TOKYO),
    }))
}

impl Stack {
    /// A run over one log group: what the run itself did, and what its child.
    async fn run_one(&self, log_group: &str, task: Duration, outcome: &str) -> Result<(Effort, Effort)> {
        self.local.set_task_timing(Duration::ZERO, task).await?;
        let input = month::input(&self.deployment.bucket, &[log_group.to_owned()]);
        let execution = self.local.run_execution(&self.deployment, &input, RUN_LIMIT).await?;
        let mut counts = json!({"exported": 0, "empty": 0, "skipped": 0, "failed": 0});
        counts[outcome] = 1.into();
        month::require_outcomes(&execution, &counts)?;
        let parent = Effort::of(&self.local.history(&execution.arn).await?);
        match &self.local.child_histories(&execution.arn).await?[..] {
            [child] => Ok((parent, Effort::of(child))),
            children => bail!("{} children of one log group", children.len()),
        }
    }

    /// All requests that have passed through the stand-in.
    async fn requests(&self) -> Result<Vec<Value>> {
        let mut journal = self.local.call(Method::GET, "/_local/requests", None).await?;
        ensure!(journal["forgotten"] == 0, "the journal is too short for what is counted");
        Ok(std::mem::take(journal["requests"].as_array_mut().context("a journal without requests")?))
    }

    /// What a run itself does over so many log groups, none of which is there.
    async fn run_missing(&self, count: usize) -> Result<Effort> {
        let names: Vec<String> = (0..count).map(|index| format!("/bench/cost/missing/{index}")).collect();
        let input = month::input(&self.deployment.bucket, &names);
        let execution = self.local.run_execution(&self.deployment, &input, RUN_LIMIT).await?;
        month::require_outcomes(&execution, &json!({"exported": 0, "empty": 0, "skipped": count, "failed": 0}))?;
        Ok(Effort::of(&self.local.history(&execution.arn).await?))
    }
}

/// The calls to AWS for one log group, by what becomes of it.
struct CallsOfAGroup {
    exported: Calls,
    skipped: Calls,
    archived: Calls,
}

/// Invokes the functions by hand.
async fn count_calls(candidates: &Candidates, stack: &Stack, polls: u32) -> Result<CallsOfAGroup> {
    let name = "/bench/cost/calls";
    month::load(&stack.local, name).await?;
    let invoke = async |function: usize, event: &Value| {
        let before = stack.requests().await?.len();
        let start = || FunctionProcess::start(candidates.command("rust", function), &[], stack.local.addr(), event);
        let (_, outcome, _) =
            tokio::task::block_in_place(start).with_context(|| format!("cannot count the calls of {}", FUNCTIONS[function]))?;
        let mut calls = Calls::new();
        for request in stack.requests().await?.iter().skip(before).filter(|request| request["app"] == FUNCTIONS[function]) {
            let operation = request["operation"].as_str().with_context(|| format!("a request without an operation: {request}"))?;
            *calls.entry(operation.to_owned()).or_default() += 1;
        }
        anyhow::Ok((outcome, calls))
    };
    let event = |name: &str| {
        let mut event = month::input(&stack.deployment.bucket, &[]);
        event.as_object_mut().map(|fields| fields.remove("logGroups"));
        event["logGroupName"] = name.into();
        event
    };

    stack.local.set_task_timing(Duration::ZERO, Duration::from_secs(3600)).await?;
    let (created, mut exported) = invoke(0, &event(name)).await?;
    let Outcome::Response(created) = created else { bail!("no task was created: {created:?}") };
    let (pending, of_a_poll) = invoke(1, &created).await?;
    ensure!(matches!(&pending, Outcome::Error(error) if error["errorType"] == "ExportTaskRunning"), "the task should run: {pending:?}");
    stack.local.set_task_timing(Duration::ZERO, Duration::ZERO).await?;
    let mut completed = None;
    for _ in 0..POLLS {
        match invoke(1, &created).await? {
            (Outcome::Response(_), calls) => {
                completed = Some(calls);
                break;
            }
            // The task writes its data first.
            (Outcome::Error(error), _) if error["errorType"] == "ExportTaskRunning" => tokio::task::yield_now().await,
            (outcome, _) => bail!("the task should complete: {outcome:?}"),
        }
    }
    let completed = completed.with_context(|| format!("the task still runs after {POLLS} polls"))?;
    for (operation, count) in of_a_poll {
        *exported.entry(operation).or_default() += count * (polls - 1);
    }
    for (operation, count) in completed {
        *exported.entry(operation).or_default() += count;
    }
    let skip = |outcome: &Outcome, reason: &str| match outcome {
        Outcome::Response(response) if response["reason"] == reason => Ok(()),
        other => bail!("the log group should be skipped as {reason}: {other:?}"),
    };
    let (outcome, archived) = invoke(0, &event(name)).await?;
    skip(&outcome, "AlreadyArchived")?;
    let (outcome, skipped) = invoke(0, &event("/bench/cost/missing")).await?;
    skip(&outcome, "LogGroupNotFound")?;
    Ok(CallsOfAGroup { exported, skipped, archived })
}
