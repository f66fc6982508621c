//! Many log groups: whether an export takes longer in a longer run, and what a log-group-month costs that is archived already.
//!
//! Tasks and waits take milliseconds. Time is taken on ministack, the faster of the two engines; the events of the run's history are counted
//! on moto, whose history is like AWS's. Calls and memory are those of the functions alone.

mod history;
mod looking;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local_aws::{DeployOptions, Deployment, LocalAws, Options};
use serde_json::{Value, json};

use crate::bars::Bar;
use crate::candidates::Candidates;
use crate::memory::{group_peaks, peak_rss_mib, reset_own_peak};
use crate::month;
use crate::stats::rounded;

/// Of Step Functions' seconds; on this machine's scale, waits are next to nothing.
const WAIT_SCALE: f64 = 0.001;
const TASK: Duration = Duration::from_millis(1);
const RUN_LIMIT: Duration = Duration::from_secs(1500);

#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Log groups of each of the three runs.
    log_groups: [usize; 3],
    /// Log groups of the run whose history is counted and in which nothing is to be exported.
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
    ("scale.history.archived.transitions", Bar::AtMost(3.0)),
    ("scale.history.archived.events", Bar::AtMost(40.0)),
    ("scale.history.exported.events", Bar::AtMost(120.0)),
    ("scale.objects.calls_added", Bar::AtMost(0.0)),
    ("scale.memory.archived.plan_mib", Bar::AtMost(256.0)),
    ("scale.memory.skipped.plan_mib", Bar::AtMost(256.0)),
];

pub async fn measure(candidates: &Candidates, sizes: Sizes) -> Result<Value> {
    let mut results = looking::measure(candidates, sizes.looking).await?;
    for (key, size) in KEYS.iter().zip(sizes.log_groups) {
        results.insert((*key).to_owned(), run(size).await.with_context(|| format!("{size} log groups"))?);
    }
    let figure = |key: &str, path: &str| results[key].pointer(path).and_then(Value::as_f64).with_context(|| format!("{key} has no {path}"));
    let growth = figure(KEYS[2], "/seconds_per_export")? / figure(KEYS[0], "/seconds_per_export")?;
    // The run of exports compares, too: without that, what is left is its children's.
    let archived = figure(KEYS[2], "/again/seconds")?;
    let children = figure(KEYS[2], "/seconds")? - archived;
    results.insert("n2000_vs_n100".to_owned(), rounded(growth));
    results.insert("archived_vs_child".to_owned(), rounded(archived / children));
    results.insert("history".to_owned(), history::count(sizes.log_groups[2], sizes.archived).await.context("history")?);
    Ok(Value::Object(results))
}

const PREFIX: &str = "/aws/lambda/production-order-service-";

/// As long as names are in practice.
fn name(index: usize) -> String {
    format!("{PREFIX}{index:05}-handler")
}

/// Exports so many log groups, and looks at them once more.
async fn run(size: usize) -> Result<Value> {
    reset_own_peak()?;
    let local = LocalAws::start(&Options { wait_scale: WAIT_SCALE, ..Options::default() }).await?;
    let stack = local.deploy(&DeployOptions::default()).await?;
    local.set_task_timing(TASK, TASK).await?;
    for index in 0..size {
        month::load(&local, &name(index)).await?;
    }
    let (_, seconds) = timed(&local, &stack, "exported", size).await?;
    let (_, again) = timed(&local, &stack, "alreadyArchived", size).await?;
    Ok(json!({
        "log_groups": size,
        "seconds": rounded(seconds),
        "seconds_per_export": rounded(seconds / size as f64),
        "again": {"seconds": rounded(again), "seconds_per_archived": rounded(again / size as f64)},
        "peak_rss_mib": peaks(&local)?,
    }))
}

/// One run over all log groups; its ARN.
async fn timed(local: &LocalAws, stack: &Deployment, outcome: &str, count: usize) -> Result<(String, f64)> {
    let started = Instant::now();
    let execution = local.run_execution(stack, &month::input_of_prefix(PREFIX), RUN_LIMIT).await?;
    let seconds = started.elapsed().as_secs_f64();
    month::require_run(&execution, outcome, count)?;
    Ok((execution.arn, seconds))
}

/// Of this process, which holds the stand-in, of ministack, and of the functions' processes.
fn peaks(local: &LocalAws) -> Result<Value> {
    let ministack = local.ministack().pid();
    let mut peaks = BTreeMap::from([("bench-all with the stand-in".to_owned(), peak_rss_mib(std::process::id())?)]);
    for process in group_peaks(ministack)? {
        let name = if process.name.starts_with("python") { "ministack".to_owned() } else { format!("function ({})", process.name) };
        let peak = peaks.entry(name).or_default();
        *peak = peak.max(process.peak_mib);
    }
    Ok(json!(peaks.into_iter().map(|(name, peak)| (name, rounded(peak))).collect::<BTreeMap<_, _>>()))
}
