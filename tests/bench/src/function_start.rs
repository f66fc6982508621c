//! How long a function takes from the start of its process to its first answer, how long once it is warm, and how much it needs.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_cloudwatchlogs::types::ExportTaskStatusCode;
use runtime_api::{FunctionProcess, Outcome};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::aws::{ACCOUNT, Aws, BUCKET, Contents, LOG_GROUP, REGION, Source, VARIABLES};
use crate::bars::Bar;
use crate::by_hand::{self, Ran, Used};
use crate::candidates::{COMPARED, Candidates, NAMES, zip_bytes};
use crate::machine;
use crate::memory::peak_rss_mib;
use crate::month;
use crate::planted;
use crate::stats::{median, rounded};

const HOUR_MS: u32 = 3_600_000;
const EVENTS: usize = 10;
const CREATE: &str = COMPARED[0];
/// The functions make at most 10 DescribeLogGroups a second. The workflow creates a task every few seconds at most.
const BETWEEN_WINDOWS: Duration = Duration::from_millis(110);

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

/// The beginning of a ratio's key, and the key of what is compared.
const FIGURES: [(&str, &str); 3] = [("start", "start_ms"), ("warm", "warm_ms"), ("rss", "peak_rss_mib")];

impl Samples {
    /// In the order of [`FIGURES`].
    fn medians(&self) -> [f64; FIGURES.len()] {
        [&self.start_ms, &self.warm_ms, &self.rss_mib].map(|values| median(values))
    }
}

/// Measures on one processor, from a thread whose processes and threads stay there too: a function of 128 MB has a share of one, and a
/// process that waits for another on an idle second one would be measured by how long that takes to wake up.
pub async fn measure(candidates: &Candidates, effort: Effort) -> Result<Value> {
    let candidates = candidates.clone();
    let (measured, results) = oneshot::channel();
    std::thread::spawn(move || {
        let work = || {
            machine::stay_on_one_processor()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(measure_functions(&candidates, effort))
        };
        // Nobody waits any more after an interruption.
        let _unwanted = measured.send(work());
    });
    results.await.context("the measuring thread has ended")?
}

async fn measure_functions(candidates: &Candidates, effort: Effort) -> Result<Value> {
    let mut results = Map::new();
    for name in COMPARED {
        results.insert(short(name).to_owned(), measure_function(candidates, name, effort).await?);
    }
    let [plan, report] = measure_frame(candidates, effort)?;
    results.insert("plan".to_owned(), plan);
    results.insert("report".to_owned(), report);
    Ok(Value::Object(results))
}

/// `create` of `create-export-task`.
pub fn short(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

async fn measure_function(candidates: &Candidates, function: &str, effort: Effort) -> Result<Value> {
    let mut samples: [Samples; 3] = Default::default();
    // The first round fills the page cache and Python's bytecode, and does not count.
    for round in 0..=effort.starts {
        for turn in 0..NAMES.len() {
            // Nobody always comes after the same other.
            let index = (turn + round) % NAMES.len();
            let sample = start_once(candidates, NAMES[index], function, effort.warm_events).await?;
            if round > 0 {
                samples[index].start_ms.extend(sample.start_ms);
                samples[index].warm_ms.extend(sample.warm_ms);
                samples[index].rss_mib.extend(sample.rss_mib);
            }
        }
    }
    let mut figures = json!({
        "zip_mb": rounded(zip_bytes(candidates.executable(function))? as f64 / 1e6),
        "rss_mib": rounded(median(&samples[0].rss_mib)),
        "starts": effort.starts,
        "warm_events_per_start": effort.warm_events,
    });
    let medians = samples.each_ref().map(Samples::medians);
    for (index, (ratio, unit)) in FIGURES.iter().enumerate() {
        for (name, medians) in NAMES.iter().zip(&medians) {
            figures[unit][name] = rounded(medians[index]);
        }
        for (name, theirs) in NAMES.iter().zip(&medians).skip(1) {
            figures[format!("{ratio}_vs_{name}")] = rounded(theirs[index] / medians[0][index]);
        }
    }
    Ok(figures)
}

/// The functions that have no baseline, by runs over one log group that is archived: `plan-exports` and `report-archive`.
fn measure_frame(candidates: &Candidates, effort: Effort) -> Result<[Value; 2]> {
    let mut used: [Vec<Used>; 2] = Default::default();
    let source = Source::start(Contents::one_log_group(EVENTS))?;
    for (key, body) in planted::exported(&planted::stack(ACCOUNT, REGION, BUCKET)?, LOG_GROUP, month::MONTH.parse()?)? {
        source.objects().put(BUCKET, &key, body);
    }
    for round in 0..=effort.starts {
        let Ran { output, plan, report } = by_hand::run(candidates, source.addr(), &source, month::input(&[LOG_GROUP.to_owned()]))?;
        month::require_outcome(&output, "alreadyArchived", 1)?;
        if round > 0 {
            used[0].push(plan);
            used[1].push(report);
        }
    }
    let figures = |name: &str, used: &[Used]| {
        let of = |figure: fn(&Used) -> f64| rounded(median(&used.iter().map(figure).collect::<Vec<_>>()));
        anyhow::Ok(json!({
            "start_ms": {"rust": of(|used| used.first_seconds * 1000.0)},
            "peak_rss_mib": {"rust": of(|used| used.peak_mib)},
            "zip_mb": rounded(zip_bytes(candidates.executable(name))? as f64 / 1e6),
        }))
    };
    Ok([figures("plan-exports", &used[0])?, figures("report-archive", &used[1])?])
}

async fn start_once(candidates: &Candidates, candidate: &str, function: &str, warm_events: usize) -> Result<Samples> {
    // One for each process: no connection and no task of a process before it is still about. A task that is created waits to be
    // cancelled, one that is looked at runs.
    let creates = function == CREATE;
    let (pending_ms, running_ms) = if creates { (HOUR_MS, 0) } else { (0, HOUR_MS) };
    let settings = json!({"pendingMs": pending_ms, "runningMs": running_ms, "cancelMs": 0});
    let aws = Aws::start(candidates, Contents::one_log_group(EVENTS), &settings).await?;
    let event = if creates { create_event() } else { check_event(&aws).await? };

    let command = candidates.command(candidate, function);
    let (mut process, outcome, took) = FunctionProcess::start(command, &VARIABLES, aws.addr(), &event)?;
    finish(&aws, candidate, function, &outcome).await?;
    let mut sample = Samples { start_ms: vec![milliseconds(took)], ..Samples::default() };
    for _ in 0..warm_events {
        if creates {
            tokio::time::sleep(BETWEEN_WINDOWS).await;
        }
        let (outcome, took) = process.invoke(&event)?;
        finish(&aws, candidate, function, &outcome).await?;
        sample.warm_ms.push(milliseconds(took));
    }
    sample.rss_mib.push(peak_rss_mib(process.id())?);
    Ok(sample)
}

/// What both the Rust function and the 2019 design take: a log group whose previous month is over and has events.
fn create_event() -> Value {
    json!({"s3BucketName": BUCKET, "s3Prefix": "logs", "logGroupName": LOG_GROUP, "scheduledTime": "2024-11-01T04:00:00Z"})
}

/// The answer to [`create_event`] as the workflow hands it on, with a task that runs.
async fn check_event(aws: &Aws) -> Result<Value> {
    let create = aws.logs().create_export_task().log_group_name(LOG_GROUP).from(month::FROM).to(month::TO).destination(BUCKET);
    let create = create.task_name("task").destination_prefix(format!("logs/log_group={LOG_GROUP}/year=2024/month=10"));
    let task_id = create.send().await.context("no task was created")?.task_id.context("a task without id")?;
    // The stand-in writes them when the task begins to run, and would take its time from the process that is measured.
    aws.wait_until_written(EVENTS).await?;
    let mut event = create_event();
    for (name, value) in
        [("month", json!(month::MONTH)), ("from", json!(month::FROM)), ("to", json!(month::TO)), ("taskId", json!(task_id))]
    {
        event[name] = value;
    }
    Ok(event)
}

/// A program that fails fast would look good: a task must have been created, or named as running. What was created is cancelled, so that
/// the next event finds the slot free and no task to adopt.
async fn finish(aws: &Aws, candidate: &str, function: &str, outcome: &Outcome) -> Result<()> {
    match outcome {
        Outcome::Response(response) if function == CREATE && response["status"] == "CREATED" => {
            let task_id = response["taskId"].as_str().context("a task without id")?;
            aws.logs().cancel_export_task().task_id(task_id).send().await.context("the task cannot be cancelled")?;
            aws.task_after(task_id, &[ExportTaskStatusCode::PendingCancel]).await?;
            Ok(())
        }
        Outcome::Error(error) if function != CREATE && error["errorType"] == "ExportTaskRunning" => Ok(()),
        other => bail!("{function} in {candidate} answered {other:?}"),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The bars of both functions. The work of `create-export-task` is mostly the calls that all candidates make alike.
pub const BARS: [(&str, Bar); 12] = [
    ("create.start_vs_python", Bar::AtLeast(15.0)),
    ("create.start_vs_node", Bar::AtLeast(12.0)),
    ("create.warm_vs_python", Bar::AtLeast(2.5)),
    ("create.warm_vs_node", Bar::AtLeast(2.5)),
    ("create.rss_mib", Bar::AtMost(20.0)),
    ("create.zip_mb", Bar::AtMost(4.5)),
    ("check.start_vs_python", Bar::AtLeast(15.0)),
    ("check.start_vs_node", Bar::AtLeast(12.0)),
    ("check.warm_vs_python", Bar::AtLeast(3.0)),
    ("check.warm_vs_node", Bar::AtLeast(3.0)),
    ("check.rss_mib", Bar::AtMost(20.0)),
    ("check.zip_mb", Bar::AtMost(4.5)),
];
