//! `watch`: follows a run to its end, and tells how it ended.

pub mod follow;
pub mod progress;

use std::{cell::Cell, future::Future};

use archive::service_failure;
use aws_sdk_sfn::{
    operation::describe_execution::DescribeExecutionOutput,
    primitives::DateTime as Time,
    types::{ExecutionListItem, ExecutionStatus},
};
use chrono::{DateTime, SubsecRound, Utc};
use export_core::{
    ErrorName, Month,
    contract::{
        plan::{Cause, S3Object},
        report::{Counts, Report},
    },
    missing::OpenWindow,
    time::format_instant,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Verdict,
    arguments::{Format, Watch},
    commands::watch::follow::Follow,
    commands::watch::progress::{Display, ago},
    context::Context,
    failure::Failure,
    output::note,
    stack::DeployedStack,
};

pub async fn run(context: &Context, arguments: &Watch) -> Result<Verdict, Failure> {
    let stack = context.stack().await?;
    let execution = match &arguments.execution {
        Some(execution) => Some(named(execution, &stack)?),
        None => newest(context, &stack).await?,
    };
    match execution {
        Some(execution) => interruptible(&Cell::new(Some(execution.clone())), follow(context, &stack, &execution)).await,
        None => {
            note("No run was started yet. Start one: logs-archive run");
            Ok(Verdict::Well)
        }
    }
}

/// The ARN of an execution of the stack's state machine.
fn named(execution: &str, stack: &DeployedStack) -> Result<String, Failure> {
    let prefix = format!("{}:", stack.state_machine_arn().replacen(":stateMachine:", ":execution:", 1));
    let arn = if execution.starts_with("arn:") { execution.to_owned() } else { format!("{prefix}{execution}") };
    match arn.strip_prefix(&prefix) {
        Some(name) if !name.is_empty() && !name.contains(':') => Ok(arn),
        _ => Err(Failure::Usage(format!(
            "{execution} is no run of stack {}: give the name of an execution of {}, or its ARN",
            stack.name,
            stack.state_machine_arn()
        ))),
    }
}

/// The run that is running; otherwise the last one.
async fn newest(context: &Context, stack: &DeployedStack) -> Result<Option<String>, Failure> {
    let mut running = list(context, stack, Some(ExecutionStatus::Running)).await?;
    if running.len() > 1 {
        let line = |run: &ExecutionListItem| format!("  {} started at {}", run.name, format_instant(instant(&run.start_date)));
        let lines: Vec<_> = running.iter().map(line).collect();
        return Err(Failure::Usage(format!("several runs are running: name one\n{}", lines.join("\n"))));
    }
    if let Some(only) = running.pop() {
        return Ok(Some(only.execution_arn));
    }
    let Some(last) = list(context, stack, None).await?.into_iter().next() else { return Ok(None) };
    let ended = last.stop_date.as_ref().map(instant);
    let when = ended.map_or_else(String::new, |ended| format!(" {} ago, at {}", ago(ended, Utc::now()), format_instant(ended)));
    note(format_args!("No run is running. The last one, {}, ended{when}: {}.", last.name, last.status.as_str()));
    Ok(Some(last.execution_arn))
}

/// The newest first: a page of them. An empty page is not the end.
pub async fn list(context: &Context, stack: &DeployedStack, status: Option<ExecutionStatus>) -> Result<Vec<ExecutionListItem>, Failure> {
    let request = context.step_functions().list_executions().state_machine_arn(stack.state_machine_arn()).max_results(20);
    let mut pages = request.set_status_filter(status).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::of("states", &service_failure("ListExecutions", &error)))?;
        if !page.executions.is_empty() {
            return Ok(page.executions);
        }
    }
    Ok(Vec::new())
}

/// `execution`: the one that is watched, once there is one.
pub async fn interruptible(
    execution: &Cell<Option<String>>,
    watching: impl Future<Output = Result<Verdict, Failure>>,
) -> Result<Verdict, Failure> {
    let watched = tokio::select! {
        // First, so that it is listened to before anything is started.
        biased;
        _ = tokio::signal::ctrl_c() => None,
        watched = watching => Some(watched),
    };
    let execution = execution.take();
    let again =
        execution.as_deref().map_or("logs-archive watch".to_owned(), |execution| format!("logs-archive watch {}", name_of(execution)));
    match watched {
        Some(Err(Failure::Aws(message))) if execution.is_some() => {
            Err(Failure::Aws(format!("{message}\nThe run goes on without being watched. Watch it again: {again}")))
        }
        Some(watched) => watched,
        None if execution.is_some() => {
            note(format_args!("Stopped watching; the run goes on. Watch it again: {again}"));
            Ok(Verdict::Interrupted)
        }
        None => {
            note(format_args!("Stopped before it was known whether a run was started. See: {again}"));
            Ok(Verdict::Interrupted)
        }
    }
}

fn name_of(execution: &str) -> &str {
    execution.rsplit(':').next().unwrap_or_default()
}

/// How a run ended: the data of `run` and `watch`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    execution: String,
    status: String,
    started: String,
    ended: Option<String>,
    error: Option<String>,
    cause: Option<String>,
    /// Of the report; none where the run wrote no report.
    counts: Option<Counts>,
    /// What the archive lacks when the run ends.
    missing: Vec<Missing>,
    report: Option<S3Object>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Missing {
    log_group: String,
    month: Month,
    from: i64,
    to: i64,
    outcome: Value,
    error: Option<String>,
    message: String,
    since: String,
}

impl From<&OpenWindow> for Missing {
    fn from(open: &OpenWindow) -> Self {
        Self {
            log_group: open.place.log_group.to_string(),
            month: open.month,
            from: open.window_from.0,
            to: open.window_to.0,
            outcome: json!(open.outcome),
            error: open.error.clone(),
            message: open.message.clone(),
            since: open.since.clone(),
        }
    }
}

/// Follows a run to its end, and tells how it ended.
pub async fn follow(context: &Context, stack: &DeployedStack, execution: &str) -> Result<Verdict, Failure> {
    let (step_functions, logs) = (context.step_functions(), context.logs());
    let follow = Follow { step_functions, logs, stack: &stack.stack, execution };
    let described = follow.to_its_end(Display::new(&context.output)).await?;
    let report = report_of(&described);
    let read = match &report {
        Some(report) => read(context, stack, report).await,
        None => None,
    };
    let ended = Ended::new(&described, report, read);
    // Nobody reads on: the run has ended as it has all the same.
    match ended.print(context) {
        Err(Failure::PipeClosed) => {}
        printed => printed?,
    }
    ended.tell_next_step();
    Ok(if described.status == ExecutionStatus::Succeeded { Verdict::Well } else { Verdict::Finding })
}

/// Where the report lies: in the output, or in the cause of the failure. A run that found nothing new names an earlier report.
fn report_of(described: &DescribeExecutionOutput) -> Option<S3Object> {
    let output = described.output.as_deref().and_then(|output| serde_json::from_str::<Value>(output).ok());
    if let Some(report) = output.and_then(|output| serde_json::from_value(output["report"].clone()).ok()) {
        return Some(report);
    }
    let cause = Cause::parse(described.cause.as_deref()?);
    let (bucket, key) = cause.message().split_once("The report is s3://")?.1.split_once('/')?;
    Some(S3Object { bucket: bucket.to_owned(), key: key.split_inclusive(".json").next()?.to_owned() })
}

/// That the report cannot be read does not hide how the run ended.
async fn read(context: &Context, stack: &DeployedStack, report: &S3Object) -> Option<Report> {
    match context.archive(stack).read_report::<Report>(&report.key).await {
        Ok(report) => report,
        Err(error) => {
            note(format_args!("The report cannot be read: {error}"));
            None
        }
    }
}

impl Ended {
    fn new(described: &DescribeExecutionOutput, report: Option<S3Object>, read: Option<Report>) -> Self {
        let missing = read.iter().flat_map(|report| &report.missing).map(Missing::from).collect();
        Self {
            execution: described.execution_arn.clone(),
            status: described.status.as_str().to_owned(),
            started: format_instant(instant(&described.start_date)),
            ended: described.stop_date.as_ref().map(|time| format_instant(instant(time))),
            error: described.error.clone(),
            cause: described.cause.as_deref().map(|cause| Cause::parse(cause).message().to_owned()),
            counts: read.map(|report| report.counts),
            missing,
            report,
        }
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.output.format != Format::Table {
            return context.output.json(self);
        }
        let mut table = context.output.table(["RUN", name_of(&self.execution)]);
        table.add_row(["status", &self.status]).add_row(["started", &self.started]);
        let report = self.report.as_ref().map(|report| format!("s3://{}/{}", report.bucket, report.key));
        let counts = self.counts.as_ref().map(counted);
        for (name, value) in
            [("ended", &self.ended), ("error", &self.error), ("cause", &self.cause), ("windows", &counts), ("report", &report)]
        {
            if let Some(value) = value {
                table.add_row([name, value]);
            }
        }
        context.output.text(&table.trim_fmt())?;
        if self.missing.is_empty() {
            return Ok(());
        }
        let mut table = context.output.table(["OPEN WINDOW OF", "MONTH", "OUTCOME", "ERROR", "SINCE"]);
        for missing in &self.missing {
            let (month, outcome) = (missing.month.to_string(), missing.outcome.as_str().unwrap_or_default());
            table.add_row([&missing.log_group, &month, outcome, missing.error.as_deref().unwrap_or_default(), &missing.since]);
        }
        context.output.text(&format!("\n{}", table.trim_fmt()))
    }

    fn tell_next_step(&self) {
        let next = match (self.status.as_str(), self.error.as_deref().and_then(ErrorName::parse)) {
            ("SUCCEEDED", _) if self.missing.is_empty() => return,
            ("SUCCEEDED", _) => "What is open is shown above. The next run of the schedule looks at it again.",
            (_, Some(name)) => name.advice(),
            ("ABORTED", _) => "Somebody stopped the run. Start a new one, which exports what is missing: logs-archive run",
            ("TIMED_OUT", _) => "Start a new run, which exports what is missing: logs-archive run",
            _ => "Read the error and the cause, mend it, then start a new run: logs-archive run",
        };
        note(format_args!("Next: {next}"));
    }
}

/// What there is of each outcome, and no zeros.
fn counted(counts: &Counts) -> String {
    let counts = json!(counts);
    let names = ["alreadyArchived", "exported", "repaired", "empty", "skipped", "lost", "nothingYet", "waiting", "warned", "failed"];
    let counted: Vec<_> = names.into_iter().filter(|name| counts[name] != 0).map(|name| format!("{} {name}", counts[name])).collect();
    if counted.is_empty() { "none".to_owned() } else { counted.join(", ") }
}

fn instant(time: &Time) -> DateTime<Utc> {
    // It comes as a floating-point number.
    DateTime::from_timestamp(time.secs(), time.subsec_nanos()).unwrap_or_default().round_subsecs(3)
}

/// For a run that has just been started.
pub fn print_started(context: &Context, execution: &str) -> Result<(), Failure> {
    match context.output.format {
        Format::Table => context.output.text(execution),
        Format::Json | Format::Jsonl => context.output.json(&json!({"execution": execution, "status": "RUNNING"})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that says what an earlier one said has no report of its own.
    #[test]
    fn output_and_cause_name_the_report() {
        let described = |output: Option<Value>, cause: Option<&str>| {
            let cause = cause.map(|message| json!({"errorType": "ArchiveIncomplete", "errorMessage": message}).to_string());
            let built = DescribeExecutionOutput::builder().execution_arn("e").state_machine_arn("s").start_date(Time::from_secs(0));
            let built = built.status(ExecutionStatus::Failed).set_output(output.map(|output| output.to_string())).set_cause(cause);
            report_of(&built.build().unwrap()).map(|report| format!("{} {}", report.bucket, report.key))
        };
        let output = json!({"report": {"bucket": "b", "key": "logs/runs/x.json"}});
        assert_eq!(described(Some(output), None).as_deref(), Some("b logs/runs/x.json"));
        let cause = "1 window not archived.\nThe report is s3://b/logs/runs/x.json.";
        assert_eq!(described(None, Some(cause)).as_deref(), Some("b logs/runs/x.json"));
        assert_eq!(described(None, Some("logGroups is missing: it is required")), None);
        assert_eq!(described(None, None), None);
    }
}
