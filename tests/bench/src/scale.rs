//! Runs with many log groups. Does an export take longer in a longer run? What does an archived log-group-month cost?
//!
//! The runs use moto, whose history is like AWS's, with tasks of a millisecond and without waits. The module `comparison` measures calls and
//! memory of the functions without an engine.

mod comparison;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_sdk_sfn::types::HistoryEventType;
use local_aws::{DeployOptions, Deployment, Engine, LocalAws, Options};
use serde_json::{Value, json};

use crate::bars::Bar;
use crate::fixtures;
use crate::memory::{group_peaks, peak_rss_mib, reset_peak_of_this_process};
use crate::month;
use crate::programs::Programs;
use crate::stats::rounded;

const TASK_LENGTH: Duration = Duration::from_millis(1);
const RUN_LIMIT: Duration = Duration::from_secs(1500);

#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The log groups of the three runs.
    log_groups: [usize; 3],
    /// The log groups of a run that exports nothing.
    archived: usize,
    comparison: comparison::Sizes,
}

impl Sizes {
    pub const FULL: Self = Self {
        log_groups: [100, 500, 2_000],
        archived: 10_000,
        comparison: comparison::Sizes { log_groups: 2_500, months: 12, other_objects: 100_000 },
    };
    pub const QUICK: Self = Self {
        log_groups: [20, 50, 100],
        archived: 300,
        comparison: comparison::Sizes { log_groups: 250, months: 12, other_objects: 10_000 },
    };
}

pub const KEYS: [&str; 3] = ["n100", "n500", "n2000"];

pub const BARS: [(&str, Bar); 8] = [
    ("scale.n2000_vs_n100", Bar::AtMost(1.3)),
    ("scale.archived_vs_child", Bar::AtMost(0.1)),
    // PlanExports, RoutePlan, ReportArchive. A log group adds none.
    ("scale.n10000.transitions", Bar::AtMost(3.0)),
    ("scale.n10000.events", Bar::AtMost(40.0)),
    ("scale.n2000.events", Bar::AtMost(120.0)),
    ("scale.objects.calls_added", Bar::AtMost(0.0)),
    ("scale.memory.archived.plan_mib", Bar::AtMost(256.0)),
    ("scale.memory.skipped.plan_mib", Bar::AtMost(256.0)),
];

pub async fn measure(programs: &Programs, sizes: Sizes) -> Result<Value> {
    let mut results = comparison::measure(programs, sizes.comparison).await?;
    for (key, size) in KEYS.iter().zip(sizes.log_groups) {
        let local = LocalAws::start(&Options { engine: Engine::Moto, wait_scale: 0.0, ..Options::default() }).await?;
        let stack = local.deploy(&DeployOptions::default()).await?;
        results.insert((*key).to_owned(), run(&local, &stack, size).await.with_context(|| format!("{size} log groups"))?);
        if *key == KEYS[2] {
            let names: Vec<String> = (size..sizes.archived).map(name).collect();
            fixtures::create_archived(&local, &stack.bucket, &names, month::MONTH.parse()?).await?;
            results.insert("n10000".to_owned(), figures(&local, &stack, "alreadyArchived", sizes.archived).await?);
        }
    }
    let figure = |key: &str, path: &str| results[key].pointer(path).and_then(Value::as_f64).with_context(|| format!("{key} has no {path}"));
    let growth = figure(KEYS[2], "/seconds_each")? / figure(KEYS[0], "/seconds_each")?;
    // A run with exports compares too. The rest of its time is that of its children.
    let archived = figure(KEYS[2], "/again/seconds")?;
    let children = figure(KEYS[2], "/seconds")? - archived;
    results.insert("n2000_vs_n100".to_owned(), rounded(growth));
    results.insert("archived_vs_child".to_owned(), rounded(archived / children));
    Ok(Value::Object(results))
}

const PREFIX: &str = "/aws/lambda/production-order-service-";

/// A name as long as real names are.
fn name(index: usize) -> String {
    format!("{PREFIX}{index:05}-handler")
}

/// Exports the log groups, and compares them in a second run.
async fn run(local: &LocalAws, stack: &Deployment, size: usize) -> Result<Value> {
    reset_peak_of_this_process()?;
    local.set_task_timing(TASK_LENGTH, TASK_LENGTH).await?;
    for index in 0..size {
        month::load(local, &name(index)).await?;
    }
    let mut result = figures(local, stack, "exported", size).await?;
    result["again"] = figures(local, stack, "alreadyArchived", size).await?;
    result["peak_rss_mib"] = peaks(local)?;
    Ok(result)
}

/// Runs once with all log groups. Returns the time, and figures of the parent's history.
async fn figures(local: &LocalAws, stack: &Deployment, outcome: &str, log_groups: usize) -> Result<Value> {
    let started = Instant::now();
    let execution = local.run_execution(stack, &month::input_with_prefix(PREFIX), RUN_LIMIT).await?;
    let seconds = started.elapsed().as_secs_f64();
    month::require_success(&execution, outcome, log_groups)?;
    let history = local.history(&execution.arn).await?;
    let states = history.events.iter().filter(|event| event.state_entered_event_details().is_some()).count();
    Ok(json!({
        "log_groups": log_groups,
        "seconds": rounded(seconds),
        "seconds_each": rounded(seconds / log_groups as f64),
        "events": history.events.len(),
        // A failure is retried, and Step Functions counts the retry as a transition.
        "transitions": states + history.count(&HistoryEventType::TaskFailed),
        "largest_payload_bytes": history.largest_payload().context("a history without a payload")?.bytes,
    }))
}

/// The peak memory of this process with its stand-in, of both engines, and of the functions.
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
