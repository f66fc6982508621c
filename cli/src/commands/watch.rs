//! `watch`: follows a run to its end, and prints its result.

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
    ExitStatus,
    arguments::{Format, Watch},
    commands::watch::follow::Follower,
    commands::watch::progress::ProgressDisplay,
    context::Context,
    failure::Failure,
    output::{format_age, note},
    stack::DeployedStack,
};

pub async fn run(context: &Context, arguments: &Watch) -> Result<ExitStatus, Failure> {
    let stack = context.stack().await?;
    let execution = match &arguments.execution {
        Some(execution) => Some(execution_arn(execution, &stack)?),
        None => current_or_last(context, &stack).await?,
    };
    match execution {
        Some(execution) => until_interrupted(&Cell::new(Some(execution.clone())), follow(context, &stack, &execution)).await,
        None => {
            note("No run was started yet. Start one: logs-archive run");
            Ok(ExitStatus::Success)
        }
    }
}

/// The ARN of an execution of the stack's state machine, from its name or ARN.
fn execution_arn(execution: &str, stack: &DeployedStack) -> Result<String, Failure> {
    let prefix = format!("{}:", stack.state_machine_arn().replacen(":stateMachine:", ":execution:", 1));
    let arn = if execution.starts_with("arn:") { execution.to_owned() } else { format!("{prefix}{execution}") };
    match arn.strip_prefix(&prefix) {
        Some(name) if !name.is_empty() && !name.contains(':') => Ok(arn),
        _ => Err(Failure::Usage(format!(
            "{execution} is not a run of stack {}: give the name of an execution of {}, or its ARN",
            stack.name,
            stack.state_machine_arn()
        ))),
    }
}

/// The run in progress. If there is none: the last run.
async fn current_or_last(context: &Context, stack: &DeployedStack) -> Result<Option<String>, Failure> {
    let mut running = list_runs(context, stack, Some(ExecutionStatus::Running)).await?;
    if running.len() > 1 {
        let line = |run: &ExecutionListItem| format!("  {} started at {}", run.name, format_instant(instant(&run.start_date)));
        let lines: Vec<_> = running.iter().map(line).collect();
        return Err(Failure::Usage(format!("several runs are in progress: name one\n{}", lines.join("\n"))));
    }
    if let Some(only) = running.pop() {
        return Ok(Some(only.execution_arn));
    }
    let Some(last) = list_runs(context, stack, None).await?.into_iter().next() else { return Ok(None) };
    let ended = last.stop_date.as_ref().map(instant);
    let when = ended.map_or_else(String::new, |ended| format!(" {} ago, at {}", format_age(ended, Utc::now()), format_instant(ended)));
    note(format_args!("No run is in progress. The last run, {}, ended{when}: {}.", last.name, last.status.as_str()));
    Ok(Some(last.execution_arn))
}

/// The newest runs, newest first. An empty page is not always the last one.
pub async fn list_runs(
    context: &Context,
    stack: &DeployedStack,
    status: Option<ExecutionStatus>,
) -> Result<Vec<ExecutionListItem>, Failure> {
    let request = context.step_functions().list_executions().state_machine_arn(stack.state_machine_arn()).max_results(20);
    let mut pages = request.set_status_filter(status).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::of_call("states", &service_failure("ListExecutions", &error)))?;
        if !page.executions.is_empty() {
            return Ok(page.executions);
        }
    }
    Ok(Vec::new())
}

/// Ends with Ctrl-C or with `watching`, which sets `execution` once the run has started.
pub async fn until_interrupted(
    execution: &Cell<Option<String>>,
    watching: impl Future<Output = Result<ExitStatus, Failure>>,
) -> Result<ExitStatus, Failure> {
    let watched = tokio::select! {
        // Polled first, so Ctrl-C is handled before anything starts.
        biased;
        _ = tokio::signal::ctrl_c() => None,
        watched = watching => Some(watched),
    };
    let execution = execution.take();
    let command =
        execution.as_deref().map_or("logs-archive watch".to_owned(), |execution| format!("logs-archive watch {}", name_of(execution)));
    match watched {
        Some(Err(Failure::Aws(message))) if execution.is_some() => {
            Err(Failure::Aws(format!("{message}\nThe run goes on. Watch it again: {command}")))
        }
        Some(watched) => watched,
        None if execution.is_some() => {
            note(format_args!("Stopped watching; the run goes on. Watch it again: {command}"));
            Ok(ExitStatus::Interrupted)
        }
        None => {
            note(format_args!("Stopped. Whether a run has started is unknown. See: {command}"));
            Ok(ExitStatus::Interrupted)
        }
    }
}

fn name_of(execution: &str) -> &str {
    execution.rsplit(':').next().unwrap_or_default()
}

/// The result of a run: the data of `run` and `watch`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunResult {
    execution: String,
    status: String,
    started: String,
    ended: Option<String>,
    error: Option<String>,
    cause: Option<String>,
    /// The counts of the report. `None`: the run wrote no report.
    counts: Option<Counts>,
    /// The archive's open windows at the end of the run.
    missing: Vec<MissingWindow>,
    report: Option<S3Object>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MissingWindow {
    log_group: String,
    month: Month,
    from: i64,
    to: i64,
    outcome: Value,
    error: Option<String>,
    message: String,
    since: String,
}

impl From<&OpenWindow> for MissingWindow {
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

/// Follows a run to its end, and prints its result.
pub async fn follow(context: &Context, stack: &DeployedStack, execution: &str) -> Result<ExitStatus, Failure> {
    let (step_functions, logs) = (context.step_functions(), context.logs());
    let follower = Follower { step_functions, logs, stack: &stack.settings, execution };
    let description = follower.follow(ProgressDisplay::new(&context.output)).await?;
    let report = find_report(&description);
    let read = match &report {
        Some(report) => read_report(context, stack, report).await,
        None => None,
    };
    let ended = RunResult::new(&description, report, read);
    // A closed pipe does not change the result of the run.
    match ended.print(context) {
        Err(Failure::PipeClosed) => {}
        printed => printed?,
    }
    ended.print_next_step();
    Ok(if description.status == ExecutionStatus::Succeeded { ExitStatus::Success } else { ExitStatus::Finding })
}

/// The place of the report, from the output or from the cause of the failure. A run without news names an earlier report.
fn find_report(description: &DescribeExecutionOutput) -> Option<S3Object> {
    let output = description.output.as_deref().and_then(|output| serde_json::from_str::<Value>(output).ok());
    if let Some(report) = output.and_then(|output| serde_json::from_value(output["report"].clone()).ok()) {
        return Some(report);
    }
    let cause = Cause::parse(description.cause.as_deref()?);
    let (bucket, key) = cause.message().split_once("The report is s3://")?.1.split_once('/')?;
    Some(S3Object { bucket: bucket.to_owned(), key: key.split_inclusive(".json").next()?.to_owned() })
}

/// Reads the report. `None`: it cannot be read, and a warning was printed.
async fn read_report(context: &Context, stack: &DeployedStack, report: &S3Object) -> Option<Report> {
    match context.archive(stack).read_report::<Report>(&report.key).await {
        Ok(report) => report,
        Err(error) => {
            note(format_args!("warning: the report cannot be read: {error}"));
            None
        }
    }
}

impl RunResult {
    fn new(description: &DescribeExecutionOutput, report: Option<S3Object>, read: Option<Report>) -> Self {
        let missing = read.iter().flat_map(|report| &report.missing).map(MissingWindow::from).collect();
        Self {
            execution: description.execution_arn.clone(),
            status: description.status.as_str().to_owned(),
            started: format_instant(instant(&description.start_date)),
            ended: description.stop_date.as_ref().map(|time| format_instant(instant(time))),
            error: description.error.clone(),
            cause: description.cause.as_deref().map(|cause| Cause::parse(cause).message().to_owned()),
            counts: read.map(|report| report.counts),
            missing,
            report,
        }
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.output.format != Format::Table {
            return context.output.print_json(self);
        }
        let mut table = context.output.table(["RUN", name_of(&self.execution)]);
        table.add_row(["status", &self.status]).add_row(["started", &self.started]);
        let report = self.report.as_ref().map(|report| format!("s3://{}/{}", report.bucket, report.key));
        let counts = self.counts.as_ref().map(format_counts);
        for (name, value) in
            [("ended", &self.ended), ("error", &self.error), ("cause", &self.cause), ("windows", &counts), ("report", &report)]
        {
            if let Some(value) = value {
                table.add_row([name, value]);
            }
        }
        context.output.print_text(&table.trim_fmt())?;
        if self.missing.is_empty() {
            return Ok(());
        }
        let mut table = context.output.table(["OPEN WINDOW OF", "MONTH", "OUTCOME", "ERROR", "SINCE"]);
        for missing in &self.missing {
            let (month, outcome) = (missing.month.to_string(), missing.outcome.as_str().unwrap_or_default());
            table.add_row([&missing.log_group, &month, outcome, missing.error.as_deref().unwrap_or_default(), &missing.since]);
        }
        context.output.print_text(&format!("\n{}", table.trim_fmt()))
    }

    fn print_next_step(&self) {
        let next = match (self.status.as_str(), self.error.as_deref().and_then(ErrorName::parse)) {
            ("SUCCEEDED", _) if self.missing.is_empty() => return,
            ("SUCCEEDED", _) => "The open windows are shown above. The next scheduled run looks at them again.",
            (_, Some(name)) => name.advice(),
            ("ABORTED", _) => "Somebody stopped the run. Start a new run, which exports what is missing: logs-archive run",
            ("TIMED_OUT", _) => "Start a new run, which exports what is missing: logs-archive run",
            _ => "Read the error and the cause, fix the problem, then start a new run: logs-archive run",
        };
        note(format_args!("Next: {next}"));
    }
}

/// The counts that are not zero.
fn format_counts(counts: &Counts) -> String {
    let counts = json!(counts);
    let names = ["alreadyArchived", "exported", "repaired", "empty", "skipped", "lost", "nothingYet", "waiting", "warned", "failed"];
    let texts: Vec<_> = names.into_iter().filter(|name| counts[name] != 0).map(|name| format!("{} {name}", counts[name])).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn instant(time: &Time) -> DateTime<Utc> {
    // Step Functions returns a floating-point number.
    DateTime::from_timestamp(time.secs(), time.subsec_nanos()).unwrap_or_default().round_subsecs(3)
}

/// Prints the execution of a run that was just started.
pub fn print_started(context: &Context, execution: &str) -> Result<(), Failure> {
    match context.output.format {
        Format::Table => context.output.print_text(execution),
        Format::Json | Format::Jsonl => context.output.print_json(&json!({"execution": execution, "status": "RUNNING"})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_found_in_the_output_and_in_the_cause() {
        let report = |output: Option<Value>, cause: Option<&str>| {
            let cause = cause.map(|message| json!({"errorType": "ArchiveIncomplete", "errorMessage": message}).to_string());
            let built = DescribeExecutionOutput::builder().execution_arn("e").state_machine_arn("s").start_date(Time::from_secs(0));
            let built = built.status(ExecutionStatus::Failed).set_output(output.map(|output| output.to_string())).set_cause(cause);
            find_report(&built.build().unwrap()).map(|report| format!("{} {}", report.bucket, report.key))
        };
        let output = json!({"report": {"bucket": "b", "key": "logs/runs/x.json"}});
        assert_eq!(report(Some(output), None).as_deref(), Some("b logs/runs/x.json"));
        let cause = "1 window not archived.\nThe report is s3://b/logs/runs/x.json.";
        assert_eq!(report(None, Some(cause)).as_deref(), Some("b logs/runs/x.json"));
        assert_eq!(report(None, Some("logGroups is missing: it is required")), None);
        assert_eq!(report(None, None), None);
    }
}
