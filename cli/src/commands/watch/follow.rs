//! Follows a run by polling Step Functions and CloudWatch Logs. A poll makes a few calls, however many windows the run has.

use std::error::Error;

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
use export_core::{Month, contract::create, place::Stack, service::ServiceFailure};

use crate::{
    commands::watch::progress::ProgressDisplay,
    failure::Failure,
    output::note,
    polling::{MAX_FAILED_POLLS, Polling, is_temporary},
    slot::{self, Holder},
};

/// The phase of a run. It contains no ages, so two phases are equal if only time has passed.
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
    pub started: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Windows {
    pub total: u64,
    pub succeeded: u64,
    pub failed: u64,
}

impl Windows {
    pub fn ended(self) -> u64 {
        self.succeeded + self.failed
    }
}

/// The window that the run exports now.
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

pub struct Follower<'a> {
    pub step_functions: Client,
    pub logs: Logs,
    pub stack: &'a Stack,
    pub execution: &'a str,
}

impl Follower<'_> {
    /// Polls until the run has ended.
    pub async fn follow(&self, mut display: ProgressDisplay) -> Result<DescribeExecutionOutput, Failure> {
        let (mut polling, mut window, mut failed_polls) = (Polling::start(), None, 0);
        loop {
            match self.poll(&mut window).await {
                Ok(Poll::Ended(ended)) => return Ok(*ended),
                Ok(Poll::Running(phase)) => {
                    failed_polls = 0;
                    if display.show(phase, Utc::now()) {
                        polling.record_change();
                    }
                }
                Err((_, failure)) if failed_polls < MAX_FAILED_POLLS && is_temporary(&failure) => {
                    failed_polls += 1;
                    note(format_args!("{failure}\nThe tool continues to watch."));
                }
                Err((_, failure)) if failure.has_code("ExecutionDoesNotExist") => {
                    return Err(Failure::Usage(format!("{} does not exist: name a run, or leave it out", self.execution)));
                }
                Err((service, failure)) => return Err(Failure::of_call(service, &failure)),
            }
            polling.wait().await;
        }
    }

    async fn poll(&self, window: &mut Option<CurrentWindow>) -> Result<Poll, CallFailure> {
        let description = self.describe(self.execution).await?;
        if description.status != ExecutionStatus::Running {
            return Ok(Poll::Ended(Box::new(description)));
        }
        Ok(Poll::Running(self.phase(window).await?))
    }

    async fn describe(&self, execution: &str) -> Result<DescribeExecutionOutput, CallFailure> {
        let description = self.step_functions.describe_execution().execution_arn(execution).send().await;
        description.map_err(|error| states("DescribeExecution", &error))
    }

    async fn phase(&self, window: &mut Option<CurrentWindow>) -> Result<Phase, CallFailure> {
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
                succeeded: count(counts.succeeded),
                failed: count(counts.failed + counts.timed_out + counts.aborted),
            }
        });
        self.find_window(arn, window).await?;
        let holder = match window {
            Some(_) => slot::find_holder(&self.logs, &self.stack.bucket).await.map_err(|failure| ("logs", failure))?,
            None => None,
        };
        let started = DateTime::from_timestamp(round.start_date.secs(), round.start_date.subsec_nanos());
        Ok(Phase::Exporting(Box::new(Round { number: rounds.len(), windows, window: window.clone(), holder, started })))
    }

    /// Finds the running child execution. Its input is read once.
    async fn find_window(&self, map_run: &str, window: &mut Option<CurrentWindow>) -> Result<(), CallFailure> {
        let running = self.step_functions.list_executions().map_run_arn(map_run).status_filter(ExecutionStatus::Running);
        let child = running.max_results(1).into_paginator().items().send().next().await.transpose();
        let Some(child) = child.map_err(|error| states("ListExecutions", &error))?.map(|child| child.execution_arn) else {
            *window = None;
            return Ok(());
        };
        if window.as_ref().is_none_or(|window| window.execution != child) {
            let description = self.describe(&child).await?;
            *window = description.input.as_deref().and_then(|input| self.parse_window(&child, input));
        }
        Ok(())
    }

    fn parse_window(&self, execution: &str, input: &str) -> Option<CurrentWindow> {
        let request = create::Request::parse(&serde_json::from_str(input).ok()?, self.stack).ok()?;
        let target = request.target(self.stack, Utc::now()).ok()?;
        Some(CurrentWindow {
            execution: execution.to_owned(),
            log_group: target.place.log_group.to_string(),
            month: target.month,
            task_name: target.task_name(),
        })
    }

    /// The phase by the state that was entered last.
    async fn phase_between_rounds(&self) -> Result<Phase, CallFailure> {
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

/// The service's prefix in IAM actions, and the failure of the call.
type CallFailure = (&'static str, ServiceFailure);

fn states<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> CallFailure
where
    E: Error + ProvideErrorMetadata + 'static,
{
    ("states", service_failure(operation, error))
}

enum Poll {
    Running(Phase),
    Ended(Box<DescribeExecutionOutput>),
}
