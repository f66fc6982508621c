//! What a run costs: what the workflow does for each log-group-month, each round and each run, counted in the histories of real runs, and
//! calls to AWS by the stand-in's journal.

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

use crate::month;
use crate::planted;
use crate::polling::{POLL_SECONDS, Workflow, follow};
pub use dollars::Prices;

/// The task that the figures for an exported log group are given for.
const TASK_SECONDS: f64 = 60.0;
const RUN_LIMIT: Duration = Duration::from_secs(120);
const WAIT_SCALE: f64 = 0.02;
const EVENTS_OF_A_RETRY: usize = 3;
/// Log groups of a run beyond those of the run that it is compared with.
const MORE: usize = 10;

/// Calls to AWS by their operation.
type Calls = BTreeMap<String, i64>;
/// The one call of a poll.
const POLL: &str = "DescribeExportTasks";

/// The calls of `many` without those of `few`.
fn difference(many: &Calls, few: &Calls) -> Calls {
    let mut difference = many.clone();
    for (operation, count) in few {
        *difference.entry(operation.clone()).or_default() -= count;
    }
    difference.retain(|_, count| *count != 0);
    difference
}

/// What one execution did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    fn without(self, other: Self) -> Self {
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

/// What a run did.
struct Ran {
    parent: Effort,
    children: Vec<Effort>,
    /// Of the functions, without polls.
    calls: Calls,
}

pub async fn measure() -> Result<Value> {
    let local = LocalAws::start(&Options { engine: Engine::Moto, wait_scale: WAIT_SCALE, ..Options::default() }).await?;
    let deployment = local.deploy(&DeployOptions::default()).await?;
    let stack = Stack { local, deployment };
    stack.plant_report().await?;
    stack.load(&Stack::names("eventful")).await?;
    stack.load(&["/bench/cost/long".to_owned()]).await?;
    for name in Stack::names("silent") {
        // Old enough, and without a log stream: that no event is there is told by its streams.
        stack.local.load(&LogGroup { name, created: month::CREATED, streams: Vec::new() }).await?;
    }

    let [exporting_one, exporting_more] = stack.run_both("eventful", "exported").await?;
    let [comparing_one, comparing_more] = stack.run_both("eventful", "alreadyArchived").await?;
    let [skipping_one, skipping_more] = stack.run_both("silent", "skipped").await?;
    let child = *exporting_one.children.first().context("an export without a child")?;
    let long = stack.run(&["/bench/cost/long".to_owned()], Duration::from_secs(5), "exported").await?;
    let polled = *long.children.first().context("an export without a child")?;
    ensure!(
        polled.retries > child.retries + 3 && child.with_retries(polled.retries) == polled,
        "a retry is not one transition, {EVENTS_OF_A_RETRY} events and one invocation: {child:?}, {polled:?}"
    );
    for (one, more) in [(&exporting_one, &exporting_more), (&comparing_one, &comparing_more), (&skipping_one, &skipping_more)] {
        ensure!(one.parent == more.parent, "the run's own history grows with its log groups: {:?}, {:?}", one.parent, more.parent);
    }

    let polls = follow(&Workflow::read()?, TASK_SECONDS, POLL_SECONDS).1;
    let exported = child.with_retries(polls as usize - 1);
    let mut exported_calls = of_one(&exporting_one, &exporting_more)?;
    let (archived_calls, skipped_calls) = (of_one(&comparing_one, &comparing_more)?, of_one(&skipping_one, &skipping_more)?);
    let run_calls = difference(&comparing_one.calls, &archived_calls);
    let round_calls = difference(&difference(&exporting_one.calls, &exported_calls), &run_calls);
    *exported_calls.entry(POLL.to_owned()).or_default() += i64::from(polls);
    let round = exporting_one.parent.without(comparing_one.parent);
    let counts = dollars::Counts {
        group_transitions: exported.transitions,
        group_invocations: exported.invocations,
        group_s3_requests: ["PutObject", "ListObjectsV2"].iter().filter_map(|name| exported_calls.get(*name)).sum(),
        round_transitions: round.transitions,
        round_invocations: round.invocations,
        round_size: ROUND_SIZE,
        run_transitions: comparing_one.parent.transitions,
        run_invocations: comparing_one.parent.invocations,
    };
    Ok(json!({
        "per_group_transitions": exported.transitions,
        "per_group_history_events": exported.events,
        "task_seconds": TASK_SECONDS,
        "polls": polls,
        "exported": exported.to_json(&exported_calls),
        "archived": Effort::default().to_json(&archived_calls),
        "skipped": Effort::default().to_json(&skipped_calls),
        "round": round.to_json(&round_calls),
        "round_size": ROUND_SIZE,
        "run": comparing_one.parent.to_json(&run_calls),
        "prices": Prices::TOKYO.to_json(),
        "dollars": dollars::table(&counts, &Prices::TOKYO),
    }))
}

/// The calls for one log-group-month, by two runs.
fn of_one(one: &Ran, more: &Ran) -> Result<Calls> {
    let mut calls = difference(&more.calls, &one.calls);
    for (operation, count) in &mut calls {
        ensure!(*count % MORE as i64 == 0, "{count} calls of {operation} for {MORE} log groups");
        *count /= MORE as i64;
    }
    Ok(calls)
}

impl Stack {
    /// The first is a run's only log group, the others are the larger run's.
    fn names(kind: &str) -> Vec<String> {
        (0..MORE + 2).map(|index| format!("/bench/cost/{kind}/{index}")).collect()
    }

    /// Otherwise each of these runs would read the reports of all before it.
    async fn plant_report(&self) -> Result<()> {
        let bucket = &self.deployment.bucket;
        let (key, body) = planted::scheduled_report(&planted::stack(self.local.account_id(), self.local.region(), bucket)?);
        planted::s3_client(&self.local).put_object().bucket(bucket).key(key).body(body.into()).send().await?;
        Ok(())
    }

    async fn load(&self, names: &[String]) -> Result<()> {
        for name in names {
            month::load(&self.local, name).await?;
        }
        Ok(())
    }

    /// Runs over one log group, and over [`MORE`] others than one.
    async fn run_both(&self, kind: &str, outcome: &str) -> Result<[Ran; 2]> {
        let names = Self::names(kind);
        Ok([self.run(&names[..1], Duration::ZERO, outcome).await?, self.run(&names[1..], Duration::ZERO, outcome).await?])
    }

    async fn run(&self, log_groups: &[String], task: Duration, outcome: &str) -> Result<Ran> {
        self.local.set_task_timing(Duration::ZERO, task).await?;
        let before = self.requests().await?.len();
        let execution = self.local.run_execution(&self.deployment, &month::input(log_groups), RUN_LIMIT).await?;
        month::require_run(&execution, outcome, log_groups.len())?;
        let mut calls = Calls::new();
        let is_own = |request: &&Value| request["app"].as_str().is_some_and(|app| FUNCTIONS.contains(&app));
        for request in self.requests().await?.iter().skip(before).filter(is_own) {
            // Amazon SNS has it in the body, which the journal leaves out.
            let operation = request["operation"].as_str().or((request["service"] == "sns").then_some("Publish"));
            let operation = operation.with_context(|| format!("a request without an operation: {request}"))?;
            *calls.entry(operation.to_owned()).or_default() += 1;
        }
        let parent = Effort::of(&self.local.history(&execution.arn).await?);
        let children: Vec<Effort> = self.local.child_histories(&execution.arn).await?.iter().map(Effort::of).collect();
        let polls: usize = children.iter().map(|child| child.retries + 1).sum();
        *calls.entry(POLL.to_owned()).or_default() -= polls as i64;
        Ok(Ran { parent, children, calls })
    }

    /// All requests that have passed through the stand-in.
    async fn requests(&self) -> Result<Vec<Value>> {
        let mut journal = self.local.call(Method::GET, "/_local/requests", None).await?;
        ensure!(journal["forgotten"] == 0, "the journal is too short for what is counted");
        Ok(std::mem::take(journal["requests"].as_array_mut().context("a journal without requests")?))
    }
}
