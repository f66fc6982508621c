//! A run without Step Functions: this program hands the functions their events, as the workflow does. For what the functions do
//! themselves, in their release build, and with no engine in between.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use runtime_api::{FunctionProcess, Outcome};
use serde_json::{Value, json};

use crate::aws::{ACCOUNT, REGION, Source, VARIABLES, WORK_BUCKET};
use crate::candidates::Candidates;
use crate::memory::peak_rss_mib;

const START_TIME: &str = "2024-11-02T04:00:00Z";
/// Between two looks at a task, and at it in all.
const WAIT: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(300);

/// What a run left.
pub struct Ran {
    /// Of `report-archive`: the run's output.
    pub output: Value,
    pub plan: Used,
    pub report: Used,
}

/// What the process of a function used.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// From the process's start to its first answer.
    pub first_seconds: f64,
    pub peak_mib: f64,
}

/// Blocks until the run has ended. `aws` answers the functions, and `source` has what they write.
pub fn run(candidates: &Candidates, aws: SocketAddr, source: &Source, input: Value) -> Result<Ran> {
    let execution = format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:export-logs:{:032x}", fastrand::u128(..));
    let framed = |state: Value| json!({"execution": execution, "startTime": START_TIME, "state": state});
    let (mut planning, mut planned, took) = start(candidates, aws, "plan-exports", &framed(input))?;
    let state = loop {
        let plan = response("plan-exports", planned)?;
        let state = match plan["next"].as_str() {
            Some("REPORT") => break json!({"plan": plan}),
            Some("PLAN") => json!({"plan": plan}),
            Some("EXPORT") => {
                for item in items(source, &plan)? {
                    export(candidates, aws, &item)?;
                }
                // No results were written: the archive tells what was exported.
                json!({"plan": plan, "exportError": {"Error": "States.ResultWriterFailed", "Cause": "the benchmark writes no results"}})
            }
            other => bail!("plan-exports says {other:?}"),
        };
        planned = planning.invoke(&framed(state))?.0;
    };
    let plan = Used { first_seconds: took.as_secs_f64(), peak_mib: peak_rss_mib(planning.id())? };
    let (reporting, reported, took) = start(candidates, aws, "report-archive", &framed(state))?;
    let report = Used { first_seconds: took.as_secs_f64(), peak_mib: peak_rss_mib(reporting.id())? };
    Ok(Ran { output: response("report-archive", reported)?, plan, report })
}

fn items(source: &Source, plan: &Value) -> Result<Vec<Value>> {
    let key = plan["items"]["key"].as_str().context("a plan without items")?;
    let objects = source.objects();
    let body = objects.get(WORK_BUCKET, key).with_context(|| format!("{key} was not written"))?;
    serde_json::from_slice(body).with_context(|| format!("{key} is no list of items"))
}

fn start(candidates: &Candidates, aws: SocketAddr, name: &str, event: &Value) -> Result<(FunctionProcess, Outcome, Duration)> {
    FunctionProcess::start(candidates.command("rust", name), &VARIABLES, aws, event).with_context(|| format!("{name} does not answer"))
}

fn export(candidates: &Candidates, aws: SocketAddr, item: &Value) -> Result<()> {
    let (_, created, _) = start(candidates, aws, "create-export-task", item)?;
    let created = response("create-export-task", created)?;
    let (mut checking, mut checked, _) = start(candidates, aws, "check-export-task", &created)?;
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        match checked {
            Outcome::Response(_) => return Ok(()),
            Outcome::Error(error) if error["errorType"] == "ExportTaskRunning" || error["errorType"] == "ExportTaskPending" => {
                std::thread::sleep(WAIT);
                checked = checking.invoke(&created)?.0;
            }
            Outcome::Error(error) => bail!("check-export-task failed: {error}"),
        }
    }
    bail!("the task still runs after {PATIENCE:?}")
}

fn response(name: &str, outcome: Outcome) -> Result<Value> {
    match outcome {
        Outcome::Response(response) => Ok(response),
        Outcome::Error(error) => bail!("{name} failed: {error}"),
    }
}
