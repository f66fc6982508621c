//! Whole runs over many log groups on the local AWS, with tasks and waits of milliseconds: whether an entry takes longer in a longer run.
//!
//! Time is taken on ministack, the faster of the two engines; the events of the run's history are counted on moto, whose history is like AWS's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local_aws::{DeployOptions, Deployment, Engine, LocalAws, Options};
use serde_json::{Map, Value, json};

use crate::memory::{group_peaks, peak_rss_mib, reset_own_peak};
use crate::month;
use crate::stats::rounded;

/// Of Step Functions' seconds; on this machine's scale, waits are next to nothing.
const WAIT_SCALE: f64 = 0.001;
const TASK: Duration = Duration::from_millis(1);
const RUN_LIMIT: Duration = Duration::from_secs(1500);

/// Log groups of each of the three runs.
#[derive(Clone, Copy, Debug)]
pub struct Sizes(pub [usize; 3]);

pub const KEYS: [&str; 3] = ["n100", "n500", "n2000"];

pub async fn measure(sizes: Sizes) -> Result<Value> {
    let mut results = Map::new();
    for (key, size) in KEYS.iter().zip(sizes.0) {
        let last = *key == KEYS[2];
        results.insert((*key).to_owned(), run(size, last).await.with_context(|| format!("{size} log groups"))?);
    }
    count_events(sizes, &mut results).await?;
    let figure = |key: &str, name: &str| results[key][name].as_f64().with_context(|| format!("{key} has no {name}"));
    let growth = figure(KEYS[2], "seconds_per_entry")? / figure(KEYS[0], "seconds_per_entry")?;
    let pages = |size: usize| size.div_ceil(month::PAGE) as f64;
    let (few, many) = (figure(KEYS[0], "parent_events")?, figure(KEYS[2], "parent_events")?);
    let per_page = (many - few) / (pages(sizes.0[2]) - pages(sizes.0[0]));
    let of_10000 = many + per_page * (pages(10_000) - pages(sizes.0[2]));
    results.insert("n2000_vs_n100".to_owned(), rounded(growth));
    results.insert("parent_events_per_page".to_owned(), rounded(per_page));
    results.insert("parent_events_of_10000".to_owned(), rounded(of_10000));
    Ok(Value::Object(results))
}

/// As long as names are in practice.
fn name(index: usize) -> String {
    format!("/aws/lambda/production-order-service-{index:05}-handler")
}

async fn run(size: usize, again: bool) -> Result<Value> {
    reset_own_peak()?;
    let local = LocalAws::start(&Options { wait_scale: WAIT_SCALE, ..Options::default() }).await?;
    let stack = local.deploy(&DeployOptions::default()).await?;
    local.set_task_timing(TASK, TASK).await?;
    let names: Vec<String> = (0..size).map(name).collect();
    for name in &names {
        month::load(&local, name).await?;
    }
    let (arn, seconds) = timed(&local, &stack, &names, "exported").await?;
    let history = local.history(&arn).await?;
    let mut result = json!({
        "log_groups": size,
        "seconds": rounded(seconds),
        "seconds_per_entry": rounded(seconds / size as f64),
        "largest_payload_bytes": history.largest_payload().context("a history without a payload")?.bytes,
    });
    if again {
        let (_, seconds) = timed(&local, &stack, &names, "skipped").await?;
        result["again"] = json!({"seconds": rounded(seconds), "seconds_per_entry": rounded(seconds / size as f64)});
    }
    result["peak_rss_mib"] = peaks(&local)?;
    Ok(result)
}

async fn timed(local: &LocalAws, stack: &Deployment, names: &[String], outcome: &str) -> Result<(String, f64)> {
    let started = Instant::now();
    let execution = local.run_execution(stack, &month::input(&stack.bucket, names), RUN_LIMIT).await?;
    let seconds = started.elapsed().as_secs_f64();
    let mut counts = json!({"exported": 0, "empty": 0, "skipped": 0, "failed": 0});
    counts[outcome] = names.len().into();
    month::require_outcomes(&execution, &counts)?;
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

/// The same lists on moto, with no log group there: what an entry costs the run's own history is the same whatever becomes of it.
async fn count_events(sizes: Sizes, results: &mut Map<String, Value>) -> Result<()> {
    let local = LocalAws::start(&Options { engine: Engine::Moto, wait_scale: 0.0, ..Options::default() }).await?;
    let stack = local.deploy(&DeployOptions::default()).await?;
    for (key, size) in KEYS.iter().zip(sizes.0) {
        let names: Vec<String> = (0..size).map(name).collect();
        let (arn, _) = timed(&local, &stack, &names, "skipped").await?;
        let history = local.history(&arn).await?;
        let largest = history.largest_payload().context("a history without a payload")?.bytes as u64;
        results[*key]["parent_events"] = history.events.len().into();
        // Results of exports are larger than those of skips, and moto's payloads have what ministack's history leaves out.
        let of_exports = results[*key]["largest_payload_bytes"].as_u64().context("no payload of exports")?;
        results[*key]["largest_payload_bytes"] = largest.max(of_exports).into();
    }
    if let Some(moto) = local.moto() {
        results.insert("moto_peak_rss_mib".to_owned(), rounded(peak_rss_mib(moto.pid())?));
    }
    Ok(())
}
