//! A run without Step Functions. This program hands the events from function to function, as the workflow does, so that it measures the
//! release build of the functions without an engine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use runtime_api::{FunctionProcess, Outcome};
use serde_json::{Value, json};

use crate::aws::{ACCOUNT, REGION, Source, VARIABLES, WORK_BUCKET};
use crate::memory::peak_rss_mib;
use crate::programs::Programs;

const START_TIME: &str = "2024-11-02T04:00:00Z";
const POLL_INTERVAL: Duration = Duration::from_millis(10);
const TASK_TIMEOUT: Duration = Duration::from_secs(300);

pub struct DirectRun {
    /// The output of `report-archive`, which is the run's output.
    pub output: Value,
    pub plan: Usage,
    pub report: Usage,
}

/// The time and memory of a function's process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// From the start of the process to its first answer.
    pub first_seconds: f64,
    pub peak_mib: f64,
}

/// Blocks until the run has ended. `aws` answers the functions, and `source` stores their objects.
pub fn run(programs: &Programs, aws: SocketAddr, source: &Source, input: Value) -> Result<DirectRun> {
    let execution = format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:export-logs:{:032x}", fastrand::u128(..));
    let event = |state: Value| json!({"execution": execution, "startTime": START_TIME, "state": state});
    let (mut plan_exports, mut outcome, duration) = start(programs, aws, "plan-exports", &event(input))?;
    let state = loop {
        let plan = response("plan-exports", outcome)?;
        let state = match plan["next"].as_str() {
            Some("REPORT") => break json!({"plan": plan}),
            Some("PLAN") => json!({"plan": plan}),
            Some("EXPORT") => {
                for item in items(source, &plan)? {
                    export(programs, aws, &item)?;
                }
                // This program writes no results. The next round reads the archive instead.
                json!({"plan": plan, "exportError": {"Error": "States.ResultWriterFailed", "Cause": "the benchmark writes no results"}})
            }
            other => bail!("plan-exports answered next: {other:?}"),
        };
        outcome = plan_exports.invoke(&event(state))?.0;
    };
    let plan = usage(&plan_exports, duration)?;
    let (report_archive, outcome, duration) = start(programs, aws, "report-archive", &event(state))?;
    let report = usage(&report_archive, duration)?;
    Ok(DirectRun { output: response("report-archive", outcome)?, plan, report })
}

fn usage(process: &FunctionProcess, first: Duration) -> Result<Usage> {
    Ok(Usage { first_seconds: first.as_secs_f64(), peak_mib: peak_rss_mib(process.id())? })
}

fn items(source: &Source, plan: &Value) -> Result<Vec<Value>> {
    let key = plan["items"]["key"].as_str().context("a plan without items")?;
    let objects = source.objects();
    let body = objects.get(WORK_BUCKET, key).with_context(|| format!("{key} was not written"))?;
    serde_json::from_slice(body).with_context(|| format!("{key} is not a list of items"))
}

fn start(programs: &Programs, aws: SocketAddr, name: &str, event: &Value) -> Result<(FunctionProcess, Outcome, Duration)> {
    let command = programs.function_command("rust", name)?;
    FunctionProcess::start(command, &VARIABLES, aws, event).with_context(|| format!("{name} does not answer"))
}

fn export(programs: &Programs, aws: SocketAddr, item: &Value) -> Result<()> {
    let (_, outcome, _) = start(programs, aws, "create-export-task", item)?;
    let task = response("create-export-task", outcome)?;
    let (mut check_export_task, mut outcome, _) = start(programs, aws, "check-export-task", &task)?;
    let started = Instant::now();
    while started.elapsed() < TASK_TIMEOUT {
        match outcome {
            Outcome::Response(_) => return Ok(()),
            Outcome::Error(error) if error["errorType"] == "ExportTaskRunning" || error["errorType"] == "ExportTaskPending" => {
                std::thread::sleep(POLL_INTERVAL);
                outcome = check_export_task.invoke(&task)?.0;
            }
            Outcome::Error(error) => bail!("check-export-task failed: {error}"),
        }
    }
    bail!("the task still runs after {TASK_TIMEOUT:?}")
}

fn response(name: &str, outcome: Outcome) -> Result<Value> {
    match outcome {
        Outcome::Response(response) => Ok(response),
        Outcome::Error(error) => bail!("{name} failed: {error}"),
    }
}
