//! The simulation held against a real engine: the deployed workflow polls tasks of real lengths, everything scaled down.
//!
//! moto's interpreter honours what the retrier says (ministack does not know MaxDelaySeconds), and its history has the time of each event.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use local_aws::{DeployOptions, Deployment, Engine, History, LocalAws, Options};
use serde_json::{Value, json};

use super::workload::{WORKLOADS, Workload};
use super::{Policy, Workflow, simulate};
use crate::month;
use crate::stats::{median, rounded};

const RUN_LIMIT: Duration = Duration::from_secs(300);

/// The workload that is run, and how many of its tasks at which fraction of their length.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub tasks: usize,
    pub scale: f64,
}

const WORKLOAD: Workload = WORKLOADS[1];

/// What one run of the workflow showed; seconds as they passed.
struct Observed {
    length: f64,
    held: f64,
    polls: u32,
    /// From the beginning of a poll to that of the next, less the delay that the retrier asks for.
    poll_seconds: Vec<f64>,
}

pub async fn confirm(effort: Effort) -> Result<Value> {
    let policy = Workflow::read()?.scaled(effort.scale);
    let options = Options { engine: Engine::Moto, wait_scale: effort.scale, ..Options::default() };
    let local = LocalAws::start(&options).await?;
    let stack = local.deploy(&DeployOptions::default()).await?;
    let lengths = WORKLOAD.sample(effort.tasks);
    let mut observed = Vec::new();
    // The first starts the functions' processes, and does not count.
    for (index, length) in std::iter::once(0.0).chain(lengths.iter().map(|length| length * effort.scale)).enumerate() {
        let name = format!("/bench/polling/{index}");
        let run = follow(&local, &stack, &policy, &name, length).await?;
        if index > 0 {
            observed.push(run);
        }
    }

    let polls: Vec<f64> = observed.iter().flat_map(|run| run.poll_seconds.iter().copied()).collect();
    let poll_seconds = median(&polls);
    let lengths: Vec<f64> = observed.iter().map(|run| run.length).collect();
    let predicted = simulate(&policy, &lengths, poll_seconds);
    let held: f64 = observed.iter().map(|run| run.held).sum();
    let seen: u32 = observed.iter().map(|run| run.polls).sum();
    let efficiency = lengths.iter().sum::<f64>() / held;
    Ok(json!({
        "workload": WORKLOAD.name,
        "tasks": effort.tasks,
        "scale": effort.scale,
        "poll_seconds": rounded(poll_seconds),
        "measured": {
            "efficiency": rounded(efficiency),
            "polls_per_task": rounded(f64::from(seen) / observed.len() as f64),
        },
        "predicted": {"efficiency": rounded(predicted.efficiency), "polls_per_task": rounded(predicted.polls_per_task)},
        "measured_vs_predicted": rounded(efficiency / predicted.efficiency),
    }))
}

async fn follow(local: &LocalAws, stack: &Deployment, policy: &dyn Policy, name: &str, length: f64) -> Result<Observed> {
    month::load(local, name).await?;
    local.set_task_timing(Duration::ZERO, Duration::from_secs_f64(length)).await?;
    let execution = local.run_execution(stack, &month::input(&[name.to_owned()]), RUN_LIMIT).await?;
    month::require_run(&execution, "exported", 1)?;

    let tasks = aws_sdk_cloudwatchlogs::Client::new(&local.sdk_config()).describe_export_tasks().limit(1).send().await?;
    let info = tasks.export_tasks().first().and_then(|task| task.execution_info()).context("no export task")?;
    let millis = |time: Option<i64>| time.map(|time| time as f64 / 1000.0).context("an export task without its times");
    let (created, completed) = (millis(info.creation_time())?, millis(info.completion_time())?);

    let children = local.child_histories(&execution.arn).await?;
    let [child] = &children[..] else { anyhow::bail!("{} children of one log group", children.len()) };
    let (polls, ended) = polls(child).context("a history without CheckExportTask")?;
    let gaps = polls.windows(2).zip(1..).map(|(pair, polled)| pair[1] - pair[0] - policy.delay(polled));
    Ok(Observed { length: completed - created, held: ended - created, polls: polls.len() as u32, poll_seconds: gaps.collect() })
}

/// When each poll began, and when the last ended.
fn polls(history: &History) -> Option<(Vec<f64>, f64)> {
    let is_check = |event: &HistoryEvent| event.state_entered_event_details().is_some_and(|details| details.name() == "CheckExportTask");
    let entered = history.events.iter().position(is_check)?;
    let of_check = &history.events[entered..];
    let times =
        |kind: HistoryEventType| of_check.iter().filter(move |event| event.r#type == kind).map(|event| event.timestamp.as_secs_f64());
    Some((times(HistoryEventType::TaskScheduled).collect(), times(HistoryEventType::TaskSucceeded).next()?))
}
