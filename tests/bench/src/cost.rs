//! The cost of a run per log-group-month, per round and per run. Transitions and invocations come from the histories of real runs, calls to
//! AWS from the stand-in's journal.

mod dollars;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_sfn::types::HistoryEventType;
use export_core::contract::plan::ROUND_SIZE;
use hyper::Method;
use local_aws::functions::FUNCTIONS;
use local_aws::samples::LogGroup;
use local_aws::{DeployOptions, Deployment, Engine, History, LocalAws, Options};
use serde_json::{Value, json};

use crate::fixtures;
use crate::month;
use crate::polling::{POLL_SECONDS, Workflow, follow};
pub use dollars::Prices;

/// The length of the task in the figures for an exported log group.
const TASK_SECONDS: f64 = 60.0;
const RUN_LIMIT: Duration = Duration::from_secs(120);
const WAIT_SCALE: f64 = 0.02;
const EVENTS_PER_RETRY: usize = 3;
/// A run with one log group is compared with a run that has this many more.
const ADDED_LOG_GROUPS: usize = 10;

/// The numbers of calls to AWS by operation.
type Calls = BTreeMap<String, i64>;
/// A poll makes only this call.
const POLL: &str = "DescribeExportTasks";

fn subtract(calls: &Calls, others: &Calls) -> Calls {
    let mut difference = calls.clone();
    for (operation, count) in others {
        *difference.entry(operation.clone()).or_default() -= count;
    }
    difference.retain(|_, count| *count != 0);
    difference
}

/// The counts of one execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ExecutionCounts {
    /// Step Functions counts a retry as a transition.
    transitions: usize,
    events: usize,
    invocations: usize,
    retries: usize,
}

impl ExecutionCounts {
    fn new(history: &History) -> Self {
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

    /// The counts of an execution with another number of retries.
    fn with_retries(self, retries: usize) -> Self {
        Self {
            transitions: self.transitions - self.retries + retries,
            events: self.events + EVENTS_PER_RETRY * retries - EVENTS_PER_RETRY * self.retries,
            invocations: self.invocations - self.retries + retries,
            retries,
        }
    }

    fn subtract(self, other: Self) -> Self {
        Self {
            transitions: self.transitions - other.transitions,
            events: self.events - other.events,
            invocations: self.invocations - other.invocations,
            retries: self.retries - other.retries,
        }
    }

    fn to_json(self, calls: &Calls) -> Value {
        json!({
            "transitions": self.transitions, "history_events": self.events, "lambda_invocations": self.invocations,
            "api_calls": calls.values().sum::<i64>(), "calls": calls,
        })
    }
}

struct Stack {
    local: LocalAws,
    deployment: Deployment,
}

struct RunCounts {
    parent: ExecutionCounts,
    children: Vec<ExecutionCounts>,
    /// The functions' calls, without polls.
    calls: Calls,
}

pub async fn measure() -> Result<Value> {
    let local = LocalAws::start(&Options { engine: Engine::Moto, wait_scale: WAIT_SCALE, ..Options::default() }).await?;
    let deployment = local.deploy(&DeployOptions::default()).await?;
    let stack = Stack { local, deployment };
    stack.put_report().await?;
    stack.load(&Stack::names("with-events")).await?;
    stack.load(&["/bench/cost/long".to_owned()]).await?;
    for name in Stack::names("without-events") {
        // A log group without streams has no events.
        stack.local.load(&LogGroup { name, created: month::CREATED, streams: Vec::new() }).await?;
    }

    let [export_one, export_more] = stack.run_both("with-events", "exported").await?;
    let [compare_one, compare_more] = stack.run_both("with-events", "alreadyArchived").await?;
    let [skip_one, skip_more] = stack.run_both("without-events", "skipped").await?;
    let child = *export_one.children.first().context("an export without a child")?;
    let long = stack.run(&["/bench/cost/long".to_owned()], Duration::from_secs(5), "exported").await?;
    let long_child = *long.children.first().context("an export without a child")?;
    ensure!(
        long_child.retries > child.retries + 3 && child.with_retries(long_child.retries) == long_child,
        "a retry is not one transition, {EVENTS_PER_RETRY} events and one invocation: {child:?}, {long_child:?}"
    );
    for (one, more) in [(&export_one, &export_more), (&compare_one, &compare_more), (&skip_one, &skip_more)] {
        ensure!(one.parent == more.parent, "the parent's history grows with the log groups: {:?}, {:?}", one.parent, more.parent);
    }

    let polls = follow(&Workflow::read()?, TASK_SECONDS, POLL_SECONDS).1;
    let exported = child.with_retries(polls as usize - 1);
    let mut exported_calls = calls_per_log_group(&export_one, &export_more)?;
    let archived_calls = calls_per_log_group(&compare_one, &compare_more)?;
    let skipped_calls = calls_per_log_group(&skip_one, &skip_more)?;
    let run_calls = subtract(&compare_one.calls, &archived_calls);
    let round_calls = subtract(&subtract(&export_one.calls, &exported_calls), &run_calls);
    *exported_calls.entry(POLL.to_owned()).or_default() += i64::from(polls);
    let round = export_one.parent.subtract(compare_one.parent);
    let counts = dollars::Counts {
        group_transitions: exported.transitions,
        group_invocations: exported.invocations,
        group_s3_requests: ["PutObject", "ListObjectsV2"].iter().filter_map(|name| exported_calls.get(*name)).sum(),
        round_transitions: round.transitions,
        round_invocations: round.invocations,
        round_size: ROUND_SIZE,
        run_transitions: compare_one.parent.transitions,
        run_invocations: compare_one.parent.invocations,
    };
    Ok(json!({
        "per_group_transitions": exported.transitions,
        "per_group_history_events": exported.events,
        "task_seconds": TASK_SECONDS,
        "polls": polls,
        "exported": exported.to_json(&exported_calls),
        "archived": ExecutionCounts::default().to_json(&archived_calls),
        "skipped": ExecutionCounts::default().to_json(&skipped_calls),
        "round": round.to_json(&round_calls),
        "round_size": ROUND_SIZE,
        "run": compare_one.parent.to_json(&run_calls),
        "prices": Prices::TOKYO.to_json(),
        "dollars": dollars::table(&counts, &Prices::TOKYO),
    }))
}

/// The calls for one log-group-month: the larger run compared with the smaller.
fn calls_per_log_group(one: &RunCounts, more: &RunCounts) -> Result<Calls> {
    let mut calls = subtract(&more.calls, &one.calls);
    for (operation, count) in &mut calls {
        ensure!(*count % ADDED_LOG_GROUPS as i64 == 0, "{count} calls of {operation} for {ADDED_LOG_GROUPS} log groups");
        *count /= ADDED_LOG_GROUPS as i64;
    }
    Ok(calls)
}

impl Stack {
    /// The smaller run has the first log group, the larger run has all others.
    fn names(kind: &str) -> Vec<String> {
        (0..ADDED_LOG_GROUPS + 2).map(|index| format!("/bench/cost/{kind}/{index}")).collect()
    }

    /// Puts a newest report. Without it, each run would read the reports of all runs before it.
    async fn put_report(&self) -> Result<()> {
        let bucket = &self.deployment.bucket;
        let (key, body) = fixtures::scheduled_report(&fixtures::stack(self.local.account_id(), self.local.region(), bucket)?);
        fixtures::s3_client(&self.local).put_object().bucket(bucket).key(key).body(body.into()).send().await?;
        Ok(())
    }

    async fn load(&self, names: &[String]) -> Result<()> {
        for name in names {
            month::load(&self.local, name).await?;
        }
        Ok(())
    }

    /// Runs once with one log group, and once with `ADDED_LOG_GROUPS` more.
    async fn run_both(&self, kind: &str, outcome: &str) -> Result<[RunCounts; 2]> {
        let names = Self::names(kind);
        Ok([self.run(&names[..1], Duration::ZERO, outcome).await?, self.run(&names[1..], Duration::ZERO, outcome).await?])
    }

    async fn run(&self, log_groups: &[String], task_length: Duration, outcome: &str) -> Result<RunCounts> {
        self.local.set_task_timing(Duration::ZERO, task_length).await?;
        let before = self.requests().await?.len();
        let execution = self.local.run_execution(&self.deployment, &month::input(log_groups), RUN_LIMIT).await?;
        month::require_success(&execution, outcome, log_groups.len())?;
        let mut calls = Calls::new();
        let is_of_function = |request: &&Value| request["app"].as_str().is_some_and(|app| FUNCTIONS.contains(&app));
        for request in self.requests().await?.iter().skip(before).filter(is_of_function) {
            // A request to Amazon SNS has the operation in its body, which the journal does not record.
            let operation = request["operation"].as_str().or((request["service"] == "sns").then_some("Publish"));
            let operation = operation.with_context(|| format!("a request without an operation: {request}"))?;
            *calls.entry(operation.to_owned()).or_default() += 1;
        }
        let parent = ExecutionCounts::new(&self.local.history(&execution.arn).await?);
        let children: Vec<_> = self.local.child_histories(&execution.arn).await?.iter().map(ExecutionCounts::new).collect();
        let polls: usize = children.iter().map(|child| child.retries + 1).sum();
        *calls.entry(POLL.to_owned()).or_default() -= polls as i64;
        Ok(RunCounts { parent, children, calls })
    }

    /// The journal of all requests through the stand-in.
    async fn requests(&self) -> Result<Vec<Value>> {
        let mut journal = self.local.call(Method::GET, "/_local/requests", None).await?;
        ensure!(journal["forgotten"] == 0, "the journal has dropped requests that must be counted");
        Ok(std::mem::take(journal["requests"].as_array_mut().context("a journal without requests")?))
    }
}
