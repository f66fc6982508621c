//! How long a function takes from the start of its process to its first answer, how long once it is warm, and how much it needs.

use std::time::Duration;

use anyhow::{Result, bail};
use local_aws::functions::FUNCTIONS;
use serde_json::{Map, Value, json};

use crate::candidates::{Candidates, NAMES, zip_bytes};
use crate::fixed_aws;
use crate::process::FunctionProcess;
use crate::runtime_api::Outcome;
use crate::stats::{median, rounded};

/// How often each process is started, and how many more events each then gets.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub starts: usize,
    pub warm_events: usize,
}

#[derive(Clone, Debug, Default)]
struct Samples {
    start_ms: Vec<f64>,
    warm_ms: Vec<f64>,
    rss_mib: Vec<f64>,
}

/// The medians of a program.
struct Medians {
    start_ms: f64,
    warm_ms: f64,
    rss_mib: f64,
}

impl Samples {
    fn medians(&self) -> Medians {
        Medians { start_ms: median(&self.start_ms), warm_ms: median(&self.warm_ms), rss_mib: median(&self.rss_mib) }
    }
}

pub async fn measure(candidates: &Candidates, effort: Effort) -> Result<Value> {
    let mut results = Map::new();
    for (function, name) in FUNCTIONS.iter().enumerate() {
        let short = name.split('-').next().unwrap_or(name);
        results.insert(short.to_owned(), measure_function(candidates, function, effort).await?);
    }
    Ok(Value::Object(results))
}

async fn measure_function(candidates: &Candidates, function: usize, effort: Effort) -> Result<Value> {
    let mut samples: [Samples; 3] = Default::default();
    // The first round fills the page cache and Python's bytecode, and does not count.
    for round in 0..=effort.starts {
        for turn in 0..NAMES.len() {
            // Nobody always comes after the same other.
            let index = (turn + round) % NAMES.len();
            let sample = tokio::task::block_in_place(|| start_once(candidates, NAMES[index], function, effort.warm_events))?;
            // Lets an interruption through.
            tokio::task::yield_now().await;
            if round > 0 {
                samples[index].start_ms.extend(sample.start_ms);
                samples[index].warm_ms.extend(sample.warm_ms);
                samples[index].rss_mib.extend(sample.rss_mib);
            }
        }
    }
    let [rust, python, node] = samples.map(|samples| samples.medians());
    let zip = zip_bytes(candidates.executable(function))?;
    Ok(json!({
        "start_vs_python": rounded(python.start_ms / rust.start_ms),
        "start_vs_node": rounded(node.start_ms / rust.start_ms),
        "warm_vs_python": rounded(python.warm_ms / rust.warm_ms),
        "warm_vs_node": rounded(node.warm_ms / rust.warm_ms),
        "rss_mib": rounded(rust.rss_mib),
        "rss_vs_python": rounded(python.rss_mib / rust.rss_mib),
        "rss_vs_node": rounded(node.rss_mib / rust.rss_mib),
        "zip_mb": rounded(zip as f64 / 1e6),
        "start_ms": {"rust": rounded(rust.start_ms), "python": rounded(python.start_ms), "node": rounded(node.start_ms)},
        "warm_ms": {"rust": rounded(rust.warm_ms), "python": rounded(python.warm_ms), "node": rounded(node.warm_ms)},
        "peak_rss_mib": {"rust": rounded(rust.rss_mib), "python": rounded(python.rss_mib), "node": rounded(node.rss_mib)},
        "starts": effort.starts,
        "warm_events_per_start": effort.warm_events,
    }))
}

fn start_once(candidates: &Candidates, candidate: &str, function: usize, warm_events: usize) -> Result<Samples> {
    // A server for each process: no connection of a process before it is still about.
    let aws = fixed_aws::start()?;
    let event = if function == 0 { fixed_aws::create_event() } else { fixed_aws::check_event() };
    let (mut process, outcome, start) = FunctionProcess::start(candidates.command(candidate, function), aws.addr(), &event)?;
    require(candidate, function, &outcome)?;
    let mut sample = Samples { start_ms: vec![milliseconds(start)], ..Samples::default() };
    for _ in 0..warm_events {
        let (outcome, took) = process.invoke(&event)?;
        require(candidate, function, &outcome)?;
        sample.warm_ms.push(milliseconds(took));
    }
    sample.rss_mib.push(process.peak_rss_mib()?);
    Ok(sample)
}

/// A program that fails fast would look good: a task must have been created, or named as running.
fn require(candidate: &str, function: usize, outcome: &Outcome) -> Result<()> {
    let done = match outcome {
        Outcome::Response(response) => function == 0 && response["status"] == "CREATED" && response["taskId"].is_string(),
        Outcome::Error(error) => function == 1 && error["errorType"] == "ExportTaskRunning",
    };
    if done { Ok(()) } else { bail!("{} in {candidate} answered {outcome:?}", FUNCTIONS[function]) }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The bars of each function: key, value, and whether it must be at least or at most that.
pub const BARS: [(&str, crate::bars::Bar); 8] = {
    use crate::bars::Bar::{AtLeast, AtMost};
    [
        ("start_vs_python", AtLeast(15.0)),
        ("start_vs_node", AtLeast(15.0)),
        ("warm_vs_python", AtLeast(3.0)),
        ("warm_vs_node", AtLeast(3.0)),
        ("rss_mib", AtMost(15.0)),
        ("rss_vs_python", AtLeast(4.0)),
        ("rss_vs_node", AtLeast(4.0)),
        ("zip_mb", AtMost(3.0)),
    ]
};
