//! Follows a run by what Step Functions and CloudWatch Logs tell of it: a few calls each time, however many windows it has.

use std::{error::Error, time::Duration};

use archive::service_failure;
use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_sfn::{
    Client,
    operation::describe_execution::DescribeExecutionOutput,
    types::{ExecutionStatus, MapRunStatus},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use chrono::{DateTime, Utc};
use export_core::{
    Month,
    contract::create,
    place::Stack,
    service::{FailureKind, ServiceFailure},
};
use tokio::time::Instant;

use crate::{
    commands::watch::progress::Display,
    failure::Failure,
    output::note,
    slot::{self, Holder},
};

/// In milliseconds: a run that has just started can end soon.
pub const FIRST_WAITS: [u64; 4] = [100, 200, 400, 800];
/// The calls of CloudWatch Logs are the run's own as well, five a second in all.
pub const SHORTEST_WAIT: Duration = Duration::from_secs(1);
pub const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Looks in a row that AWS does not answer, each with the SDK's own attempts.
pub const MOST_SILENT_LOOKS: u32 = 5;

/// What a run is at. Two are equal if only time has passed.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    Comparing,
    Exporting(Box<Round>),
    Compacting,
    Reporting,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    pub number: usize,
    pub windows: Windows,
    pub window: Option<CurrentWindow>,
    pub holder: Option<Holder>,
    pub began: Option<DateTime<Utc>>,
}

/// Of one round.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Windows {
    pub total: u64,
    pub ended: u64,
    pub failed: u64,
}

impl Windows {
    pub fn done(self) -> u64 {
        self.ended + self.failed
    }
}

/// The window that is exported now.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentWindow {
    pub execution: String,
    pub log_group: String,
    pub month: Month,
    pub task_name: String,
}

impl CurrentWindow {
    pub fn is_held_by(&self, holder: &Holder) -> bool {
        holder.task_name == self.task_name
    }
}

pub struct Follow<'a> {
    pub step_functions: Client,
    pub logs: Logs,
    pub stack: &'a Stack,
    pub execution: &'a str,
}

impl Follow<'_> {
    /// Until the run has ended.
    pub async fn to_its_end(&self, mut display: Display) -> Result<DescribeExecutionOutput, Failure> {
        let (mut changed, mut window, mut silent) = (Instant::now(), None, 0);
        let mut first = FIRST_WAITS.into_iter().map(Duration::from_millis);
        loop {
            match self.look(&mut window).await {
                Ok(Look::Ended(ended)) => return Ok(*ended),
                Ok(Look::Running(phase)) => {
                    silent = 0;
                    if display.show(phase, Utc::now()) {
                        changed = Instant::now();
                    }
                }
                Err((_, failure)) if silent < MOST_SILENT_LOOKS && is_passing(&failure) => {
                    silent += 1;
                    note(format_args!("{failure}\nStill watching."));
                }
                Err((_, failure)) if failure.has_code("ExecutionDoesNotExist") => {
                    return Err(Failure::Usage(format!("{} does not exist: name a run, or leave it out", self.execution)));
                }
                Err((service, failure)) => return Err(Failure::of(service, &failure)),
            }
            // Where little changes, little is asked.
            let wait = first.next().unwrap_or_else(|| (changed.elapsed() / 4).clamp(SHORTEST_WAIT, LONGEST_WAIT));
            tokio::time::sleep(wait).await;
        }
    }

    async fn look(&self, window: &mut Option<CurrentWindow>) -> Result<Look, Refused> {
        let described = self.describe(self.execution).await?;
        if described.status != ExecutionStatus::Running {
            return Ok(Look::Ended(Box::new(described)));
        }
        Ok(Look::Running(self.phase(window).await?))
    }

    async fn describe(&self, execution: &str) -> Result<DescribeExecutionOutput, Refused> {
        let described = self.step_functions.describe_execution().execution_arn(execution).send().await;
        described.map_err(|error| states("DescribeExecution", &error))
    }

    async fn phase(&self, window: &mut Option<CurrentWindow>) -> Result<Phase, Refused> {
        let mut pages = self.step_functions.list_map_runs().execution_arn(self.execution).into_paginator().items().send();
        let mut rounds = Vec::new();
        while let Some(run) = pages.next().await {
            rounds.push(run.map_err(|error| states("ListMapRuns", &error))?);
        }
        let Some(newest) = rounds.iter().max_by_key(|run| run.start_date) else { return self.phase_between_rounds().await };
        let arn = newest.map_run_arn();
        let round = self.step_functions.describe_map_run().map_run_arn(arn).send().await;
        let round = round.map_err(|error| states("DescribeMapRun", &error))?;
        if round.status != MapRunStatus::Running {
            return self.phase_between_rounds().await;
        }
        let windows = round.item_counts.as_ref().map_or_else(Windows::default, |counts| {
            let count = |count: i64| u64::try_from(count).unwrap_or_default();
            Windows {
                total: count(counts.total),
                ended: count(counts.succeeded),
                failed: count(counts.failed + counts.timed_out + counts.aborted),
            }
        });
        self.find_window(arn, window).await?;
        let holder = match window {
            Some(_) => slot::holder(&self.logs, &self.stack.bucket).await.map_err(|failure| ("logs", failure))?,
            None => None,
        };
        let began = DateTime::from_timestamp(round.start_date.secs(), round.start_date.subsec_nanos());
        Ok(Phase::Exporting(Box::new(Round { number: rounds.len(), windows, window: window.clone(), holder, began })))
    }

    /// The child that runs. What it is about is asked once.
    async fn find_window(&self, map_run: &str, window: &mut Option<CurrentWindow>) -> Result<(), Refused> {
        let running = self.step_functions.list_executions().map_run_arn(map_run).status_filter(ExecutionStatus::Running);
        let child = running.max_results(1).into_paginator().items().send().next().await.transpose();
        let Some(child) = child.map_err(|error| states("ListExecutions", &error))?.map(|child| child.execution_arn) else {
            *window = None;
            return Ok(());
        };
        if window.as_ref().is_none_or(|window| window.execution != child) {
            let described = self.describe(&child).await?;
            *window = described.input.as_deref().and_then(|input| self.read_window(&child, input));
        }
        Ok(())
    }

    fn read_window(&self, execution: &str, input: &str) -> Option<CurrentWindow> {
        let request = create::Request::parse(&serde_json::from_str(input).ok()?, self.stack).ok()?;
        let target = request.target(self.stack, Utc::now()).ok()?;
        Some(CurrentWindow {
            execution: execution.to_owned(),
            log_group: target.place.log_group.to_string(),
            month: target.month,
            task_name: target.task_name(),
        })
    }

    /// By the state that was entered last.
    async fn phase_between_rounds(&self) -> Result<Phase, Refused> {
        let history = self.step_functions.get_execution_history().execution_arn(self.execution);
        let history = history.reverse_order(true).max_results(20).include_execution_data(false).send().await;
        let history = history.map_err(|error| states("GetExecutionHistory", &error))?;
        let entered = history.events.iter().filter_map(|event| Some((event.id, event.state_entered_event_details()?.name())));
        Ok(match entered.max().map(|(_, name)| name) {
            Some("CompactMonths") => Phase::Compacting,
            Some("ReportArchive") => Phase::Reporting,
            _ => Phase::Comparing,
        })
    }
}

/// The service, as IAM has it, and what it answered.
type Refused = (&'static str, ServiceFailure);

fn states<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Refused
where
    E: Error + ProvideErrorMetadata + 'static,
{
    ("states", service_failure(operation, error))
}

pub fn is_passing(failure: &ServiceFailure) -> bool {
    matches!(failure.kind(), FailureKind::Throttled | FailureKind::Unavailable | FailureKind::NoAnswer)
}

enum Look {
    Running(Phase),
    Ended(Box<DescribeExecutionOutput>),
}
