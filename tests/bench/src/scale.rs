//! Many log groups: whether an export takes longer in a longer run, and what a log-group-month costs that is archived already.
//!
//! Whole runs on the second engine, whose history is like AWS's, with tasks of milliseconds and no waits. Calls and memory are those of the
//! functions alone.

mod looking;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_sdk_sfn::types::HistoryEventType;
use local_aws::{DeployOptions, Deployment, Engine, LocalAws, Options};
use serde_json::{Value, json};

use crate::bars::Bar;
use crate::candidates::Candidates;
use crate::memory::{group_peaks, peak_rss_mib, reset_own_peak};
use crate::month;
use crate::planted;
use crate::stats::rounded;

const TASK: Duration = Duration::from_millis(1);
const RUN_LIMIT: Duration = Duration::from_secs(1500);

#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Log groups of each of the three runs.
    log_groups: [usize; 3],
    /// Log groups of one more run, in which nothing is to be exported.
    archived: usize,
    looking: looking::Sizes,
}

impl Sizes {
    pub const FULL: Self = Self {
        log_groups: [100, 500, 2_000],
        archived: 10_000,
        looking: looking::Sizes { log_groups: 2_500, months: 12, objects_elsewhere: 100_000 },
    };
    pub const QUICK: Self = Self {
        log_groups: [20, 50, 100],
        archived: 300,
        looking: looking::Sizes { log_groups: 250, months: 12, objects_elsewhere: 10_000 },
    };
}

pub const KEYS: [&str; 3] = ["n100", "n500", "n2000"];

pub const BARS: [(&str, Bar); 8] = [
    ("scale.n2000_vs_n100", Bar::AtMost(1.3)),
    ("scale.archived_vs_child", Bar::AtMost(0.1)),
    // PlanExports, RoutePlan, ReportArchive: none is left for a log group.
    ("scale.n10000.transitions", Bar::AtMost(3.0)),
    ("scale.n10000.events", Bar::AtMost(40.0)),
    ("scale.n2000.events", Bar::AtMost(120.0)),
    ("scale.objects.calls_added", Bar::AtMost(0.0)),
    ("scale.memory.archived.plan_mib", Bar::AtMost(256.0)),
    ("scale.memory.skipped.plan_mib", Bar::AtMost(256.0)),
];

pub async fn measure(candidates: &Candidates, sizes: Sizes) -> Result<Value> {
    let mut results = looking::measure(candidates, sizes.looking).await?;
    for (key, size) in KEYS.iter().zip(sizes.log_groups) {
        let local = LocalAws::start(&Options { engine: Engine::Moto, wait_scale: 0.0, ..Options::default() }).await?;
        let stack = local.deploy(&DeployOptions::default()).await?;
        results.insert((*key).to_owned(), run(&local, &stack, size).await.with_context(|| format!("{size} log groups"))?);
        if *key == KEYS[2] {
            let names: Vec<String> = (size..sizes.archived).map(name).collect();
            planted::plant(&local, &stack.bucket, &names, month::MONTH.parse()?).await?;
            results.insert("n10000".to_owned(), figures(&local, &stack, "alreadyArchived", sizes.archived).await?);
        }
    }
    let figure = |key: &str, path: &str| results[key].pointer(path).and_then(Value::as_f64).with_context(|| format!("{key} has no {path}"));
    let growth = figure(KEYS[2], "/seconds_each")? / figure(KEYS[0], "/seconds_each")?;
    // The run of exports compares, too: without that, what is left is its children's.
    let archived = figure(KEYS[2], "/again/seconds")?;
    let children = figure(KEYS[2], "/seconds")? - archived;
    results.insert("n2000_vs_n100".to_owned(), rounded(growth));
    results.insert("archived_vs_child".to_owned(), rounded(archived / children));
    Ok(Value::Object(results))
}

const PREFIX: &str = "/aws/lambda/production-order-service-";

/// As long as names are in practice.
fn name(index: usize) -> String {
    format!("{PREFIX}{index:05}-handler")
}

/// Exports so many log groups, and looks at them once more.
async fn run(local: &LocalAws, stack: &Deployment, size: usize) -> Result<Value> {
    reset_own_peak()?;
    local.set_task_timing(TASK, TASK).await?;
    for index in 0..size {
        month::load(local, &name(index)).await?;
    }
    let mut result = figures(local, stack, "exported", size).await?;
    result["again"] = figures(local, stack, "alreadyArchived", size).await?;
    result["peak_rss_mib"] = peaks(local)?;
    Ok(result)
}

/// One run over all log groups: its time, and its own history.
async fn figures(local: &LocalAws, stack: &Deployment, outcome: &str, log_groups: usize) -> Result<Value> {
    let started = Instant::now();
    let execution = local.run_execution(stack, &month::input_of_prefix(PREFIX), RUN_LIMIT).await?;
    let seconds = started.elapsed().as_secs_f64();
    month::require_run(&execution, outcome, log_groups)?;
    let history = local.history(&execution.arn).await?;
    let states = history.events.iter().filter(|event| event.state_entered_event_details().is_some()).count();
    Ok(json!({
        "log_groups": log_groups,
        "seconds": rounded(seconds),
        "seconds_each": rounded(seconds / log_groups as f64),
        "events": history.events.len(),
        // A failure is retried, which counts as one more.
        "transitions": states + history.count(&HistoryEventType::TaskFailed),
        "largest_payload_bytes": history.largest_payload().context("a history without a payload")?.bytes,
    }))
}

/// Of this process, which holds the stand-in, of both engines, and of the functions' processes.
fn peaks(local: &LocalAws) -> Result<Value> {
    let ministack = local.ministack().pid();
    let mut peaks = BTreeMap::from([("bench-all with the stand-in".to_owned(), peak_rss_mib(std::process::id())?)]);
    if let Some(moto) = local.moto() {
        peaks.insert("moto".to_owned(), peak_rss_mib(moto.pid())?);
    }
    for process in group_peaks(ministack)? {
        let name = if process.name.starts_with("python") { "ministack".to_owned() } else { format!("function ({})", process.name) };
        let peak = peaks.entry(name).or_default();
        *peak = peak.max(process.peak_mib);
    }
    Ok(json!(peaks.into_iter().map(|(name, peak)| (name, rounded(peak))).collect::<BTreeMap<_, _>>()))
}
