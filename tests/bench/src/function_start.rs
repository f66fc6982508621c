//! The functions' processes: the time from start to first answer, the time of a warm answer, and peak memory.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_cloudwatchlogs::types::ExportTaskStatusCode;
use runtime_api::{FunctionProcess, Outcome};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::aws::{ACCOUNT, Aws, BUCKET, Contents, LOG_GROUP, REGION, Source, VARIABLES};
use crate::bars::Bar;
use crate::direct_run::{self, DirectRun, Usage};
use crate::fixtures;
use crate::machine;
use crate::memory::peak_rss_mib;
use crate::month;
use crate::programs::{COMPARED_FUNCTIONS, LANGUAGES, Programs, zip_bytes};
use crate::stats::{median, rounded};

const HOUR_MS: u32 = 3_600_000;
const EVENTS: usize = 10;
const CREATE: &str = COMPARED_FUNCTIONS[0];
/// The functions limit themselves to 10 calls of DescribeLogGroups a second. A faster event would measure the limit.
const CREATE_INTERVAL: Duration = Duration::from_millis(110);

#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub starts: usize,
    /// The events of each process after its first.
    pub warm_events: usize,
}

#[derive(Clone, Debug, Default)]
struct Samples {
    start_ms: Vec<f64>,
    warm_ms: Vec<f64>,
    rss_mib: Vec<f64>,
}

/// The prefix of a ratio's key, and the key of the compared figure.
const FIGURES: [(&str, &str); 3] = [("start", "start_ms"), ("warm", "warm_ms"), ("rss", "peak_rss_mib")];

impl Samples {
    /// The medians in the order of [`FIGURES`].
    fn medians(&self) -> [f64; FIGURES.len()] {
        [&self.start_ms, &self.warm_ms, &self.rss_mib].map(|values| median(values))
    }
}

/// Measures on one processor, because a function with 128 MB has a share of one. With two processors, the result would include the time in
/// which an idle one wakes up.
pub async fn measure(programs: &Programs, effort: Effort) -> Result<Value> {
    let programs = programs.clone();
    let (sender, results) = oneshot::channel();
    std::thread::spawn(move || {
        let work = || {
            machine::pin_to_one_processor()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(measure_functions(&programs, effort))
        };
        // After an interruption, no receiver exists.
        let _sent = sender.send(work());
    });
    results.await.context("the measuring thread has ended")?
}

async fn measure_functions(programs: &Programs, effort: Effort) -> Result<Value> {
    let mut results = Map::new();
    for name in COMPARED_FUNCTIONS {
        results.insert(short_name(name).to_owned(), measure_function(programs, name, effort).await?);
    }
    let [plan, report] = measure_other_functions(programs, effort)?;
    results.insert("plan".to_owned(), plan);
    results.insert("report".to_owned(), report);
    Ok(Value::Object(results))
}

/// `create-export-task` becomes `create`.
pub fn short_name(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

async fn measure_function(programs: &Programs, function: &str, effort: Effort) -> Result<Value> {
    let mut samples: [Samples; 3] = Default::default();
    // The first round does not count: it fills the page cache and writes Python's bytecode.
    for round in 0..=effort.starts {
        for turn in 0..LANGUAGES.len() {
            // Each round begins with another language.
            let index = (turn + round) % LANGUAGES.len();
            let sample = start_once(programs, LANGUAGES[index], function, effort.warm_events).await?;
            if round > 0 {
                samples[index].start_ms.extend(sample.start_ms);
                samples[index].warm_ms.extend(sample.warm_ms);
                samples[index].rss_mib.extend(sample.rss_mib);
            }
        }
    }
    let mut figures = json!({
        "zip_mb": zip_mb(programs, function)?,
        "rss_mib": rounded(median(&samples[0].rss_mib)),
        "starts": effort.starts,
        "warm_events_per_start": effort.warm_events,
    });
    let medians = samples.each_ref().map(Samples::medians);
    for (index, (ratio, unit)) in FIGURES.iter().enumerate() {
        for (name, medians) in LANGUAGES.iter().zip(&medians) {
            figures[unit][name] = rounded(medians[index]);
        }
        for (name, other) in LANGUAGES.iter().zip(&medians).skip(1) {
            figures[format!("{ratio}_vs_{name}")] = rounded(other[index] / medians[0][index]);
        }
    }
    Ok(figures)
}

fn zip_mb(programs: &Programs, function: &str) -> Result<Value> {
    Ok(rounded(zip_bytes(programs.function(function)?)? as f64 / 1e6))
}

/// `plan-exports` and `report-archive` have no baseline. They run with one archived log group.
fn measure_other_functions(programs: &Programs, effort: Effort) -> Result<[Value; 2]> {
    let (mut plans, mut reports) = (Vec::new(), Vec::new());
    let source = Source::start(Contents::one_log_group(EVENTS))?;
    for (key, body) in fixtures::export_objects(&fixtures::stack(ACCOUNT, REGION, BUCKET)?, LOG_GROUP, month::MONTH.parse()?)? {
        source.objects().put(BUCKET, &key, body);
    }
    for round in 0..=effort.starts {
        let DirectRun { output, plan, report } = direct_run::run(programs, source.addr(), &source, month::input(&[LOG_GROUP.to_owned()]))?;
        month::require_outcome(&output, "alreadyArchived", 1)?;
        if round > 0 {
            plans.push(plan);
            reports.push(report);
        }
    }
    let figures = |name: &str, samples: &[Usage]| {
        let start_ms: Vec<f64> = samples.iter().map(|usage| usage.first_seconds * 1000.0).collect();
        let peak_mib: Vec<f64> = samples.iter().map(|usage| usage.peak_mib).collect();
        anyhow::Ok(json!({
            "start_ms": {"rust": rounded(median(&start_ms))},
            "peak_rss_mib": {"rust": rounded(median(&peak_mib))},
            "zip_mb": zip_mb(programs, name)?,
        }))
    };
    Ok([figures("plan-exports", &plans)?, figures("report-archive", &reports)?])
}

async fn start_once(programs: &Programs, language: &str, function: &str, warm_events: usize) -> Result<Samples> {
    // Each process has a new AWS, without connections or tasks of another process. A created task stays pending until it is cancelled. A
    // checked task runs.
    let creates = function == CREATE;
    let (pending_ms, running_ms) = if creates { (HOUR_MS, 0) } else { (0, HOUR_MS) };
    let settings = json!({"pendingMs": pending_ms, "runningMs": running_ms, "cancelMs": 0});
    let aws = Aws::start(programs, Contents::one_log_group(EVENTS), &settings).await?;
    let event = if creates { create_event() } else { check_event(&aws).await? };

    let command = programs.function_command(language, function)?;
    let (mut process, outcome, duration) = FunctionProcess::start(command, &VARIABLES, aws.addr(), &event)?;
    finish(&aws, language, function, &outcome).await?;
    let mut sample = Samples { start_ms: vec![milliseconds(duration)], ..Samples::default() };
    for _ in 0..warm_events {
        if creates {
            tokio::time::sleep(CREATE_INTERVAL).await;
        }
        let (outcome, duration) = process.invoke(&event)?;
        finish(&aws, language, function, &outcome).await?;
        sample.warm_ms.push(milliseconds(duration));
    }
    sample.rss_mib.push(peak_rss_mib(process.id())?);
    Ok(sample)
}

/// An event that both the Rust function and the 2019 design accept.
fn create_event() -> Value {
    json!({"s3BucketName": BUCKET, "s3Prefix": "logs", "logGroupName": LOG_GROUP, "scheduledTime": "2024-11-01T04:00:00Z"})
}

/// The answer to [`create_event`], with a running task.
async fn check_event(aws: &Aws) -> Result<Value> {
    let create = aws.logs().create_export_task().log_group_name(LOG_GROUP).from(month::FROM).to(month::TO).destination(BUCKET);
    let create = create.task_name("task").destination_prefix(format!("logs/log_group={LOG_GROUP}/year=2024/month=10"));
    let task_id = create.send().await.context("no task was created")?.task_id.context("a task without id")?;
    // The stand-in writes the events when the task starts. Without this wait, it would use the processor during the measurement.
    aws.wait_for_events(EVENTS).await?;
    let mut event = create_event();
    for (name, value) in
        [("month", json!(month::MONTH)), ("from", json!(month::FROM)), ("to", json!(month::TO)), ("taskId", json!(task_id))]
    {
        event[name] = value;
    }
    Ok(event)
}

/// Checks the outcome, because a program that fails would look fast. Cancels a created task, so that the next event finds a free slot and no
/// task to adopt.
async fn finish(aws: &Aws, language: &str, function: &str, outcome: &Outcome) -> Result<()> {
    match outcome {
        Outcome::Response(response) if function == CREATE && response["status"] == "CREATED" => {
            let task_id = response["taskId"].as_str().context("a task without id")?;
            aws.logs().cancel_export_task().task_id(task_id).send().await.context("the task cannot be cancelled")?;
            aws.wait_for_task(task_id, &[ExportTaskStatusCode::PendingCancel]).await?;
            Ok(())
        }
        Outcome::Error(error) if function != CREATE && error["errorType"] == "ExportTaskRunning" => Ok(()),
        other => bail!("{function} in {language} answered {other:?}"),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// `create-export-task` spends most of its time in calls that all languages make alike.
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
