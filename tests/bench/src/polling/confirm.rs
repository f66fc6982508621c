//! Compares the simulation with a real engine: the deployed workflow polls tasks. All times are scaled down.
//!
//! The engine is moto, because it obeys MaxDelaySeconds, which ministack ignores, and its history has the time of each event.

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

#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub tasks: usize,
    /// The factor for all times.
    pub scale: f64,
}

const WORKLOAD: Workload = WORKLOADS[1];

/// One run of the workflow, in seconds after scaling.
struct Observation {
    task_seconds: f64,
    slot_seconds: f64,
    polls: u32,
    /// The times between the beginnings of two polls, without the retrier's delay.
    poll_seconds: Vec<f64>,
}

pub async fn confirm(effort: Effort) -> Result<Value> {
    let policy = Workflow::read()?.scaled(effort.scale);
    let options = Options { engine: Engine::Moto, wait_scale: effort.scale, ..Options::default() };
    let local = LocalAws::start(&options).await?;
    let stack = local.deploy(&DeployOptions::default()).await?;
    let lengths = WORKLOAD.sample(effort.tasks);
    let mut observations = Vec::new();
    // The first run does not count, because it starts the functions' processes.
    for (index, length) in std::iter::once(0.0).chain(lengths.iter().map(|length| length * effort.scale)).enumerate() {
        let name = format!("/bench/polling/{index}");
        let observation = observe(&local, &stack, &policy, &name, length).await?;
        if index > 0 {
            observations.push(observation);
        }
    }

    let poll_seconds: Vec<f64> = observations.iter().flat_map(|run| run.poll_seconds.iter().copied()).collect();
    let poll_seconds = median(&poll_seconds);
    let task_seconds: Vec<f64> = observations.iter().map(|run| run.task_seconds).collect();
    let predicted = simulate(&policy, &task_seconds, poll_seconds);
    let slot_seconds: f64 = observations.iter().map(|run| run.slot_seconds).sum();
    let polls: u32 = observations.iter().map(|run| run.polls).sum();
    let efficiency = task_seconds.iter().sum::<f64>() / slot_seconds;
    Ok(json!({
        "workload": WORKLOAD.name,
        "tasks": effort.tasks,
        "scale": effort.scale,
        "poll_seconds": rounded(poll_seconds),
        "measured": {
            "efficiency": rounded(efficiency),
            "polls_per_task": rounded(f64::from(polls) / observations.len() as f64),
        },
        "predicted": {"efficiency": rounded(predicted.efficiency), "polls_per_task": rounded(predicted.polls_per_task)},
        "measured_vs_predicted": rounded(efficiency / predicted.efficiency),
    }))
}

async fn observe(local: &LocalAws, stack: &Deployment, policy: &dyn Policy, name: &str, length: f64) -> Result<Observation> {
    month::load(local, name).await?;
    local.set_task_timing(Duration::ZERO, Duration::from_secs_f64(length)).await?;
    let execution = local.run_execution(stack, &month::input(&[name.to_owned()]), RUN_LIMIT).await?;
    month::require_success(&execution, "exported", 1)?;

    let tasks = aws_sdk_cloudwatchlogs::Client::new(&local.sdk_config()).describe_export_tasks().limit(1).send().await?;
    let info = tasks.export_tasks().first().and_then(|task| task.execution_info()).context("no export task")?;
    let millis = |time: Option<i64>| time.map(|time| time as f64 / 1000.0).context("an export task without its times");
    let (created, completed) = (millis(info.creation_time())?, millis(info.completion_time())?);

    let children = local.child_histories(&execution.arn).await?;
    let [child] = &children[..] else { anyhow::bail!("{} children of one log group", children.len()) };
    let (polls, ended) = polls(child).context("a history without CheckExportTask")?;
    let gaps = polls.windows(2).zip(1..).map(|(pair, polls_before)| pair[1] - pair[0] - policy.delay(polls_before));
    let poll_seconds = gaps.collect();
    Ok(Observation { task_seconds: completed - created, slot_seconds: ended - created, polls: polls.len() as u32, poll_seconds })
}

/// The beginning of each poll, and the end of the last one.
fn polls(history: &History) -> Option<(Vec<f64>, f64)> {
    let is_check = |event: &HistoryEvent| event.state_entered_event_details().is_some_and(|details| details.name() == "CheckExportTask");
    let entered = history.events.iter().position(is_check)?;
    let events = &history.events[entered..];
    let times = |kind: HistoryEventType| events.iter().filter(move |event| event.r#type == kind).map(|event| event.timestamp.as_secs_f64());
    Some((times(HistoryEventType::TaskScheduled).collect(), times(HistoryEventType::TaskSucceeded).next()?))
}
