//! `report-archive`: turns what a run decided into its report, records what was skipped, notifies, and ends the run: with its output, or
//! with the error that it ends with.

mod notification;
mod skips;

use archive::{Archive, Step, Work};
use aws_config::SdkConfig;
use export_core::{
    ErrorName, ExportError, Month,
    contract::{
        plan::{Decided, Failure, Object, OpenWindow, Request, Run, Settled, message_of},
        report::{Counts, Output, Report, SCHEMA_VERSION},
    },
    entry::Source,
    error::Retry,
    manifest::SkipReason,
    planner::Progress,
    time::{Millis, format_instant},
    warning::{Warning, WarningName},
};
use function_runtime::{Invocation, LogField, Metric};
use serde_json::{Value, json};
use tracing::{error, info};

use notification::Notification;
pub use notification::Topic;

/// The function's name, wherever one is needed.
pub const NAME: &str = env!("CARGO_PKG_NAME");

/// Warnings in a run's output, which Step Functions keeps in 256 KiB.
const WARNINGS_IN_OUTPUT: usize = 50;

pub struct ReportArchive {
    archive: Archive,
    work_bucket: String,
    topic: Topic,
}

/// What a run left: nothing where its first plan failed.
#[derive(Default)]
struct Left {
    run: Option<Run>,
    progress: Progress,
    decided: Vec<Decided>,
    /// What was planned, and not looked at again.
    open: Vec<(Source, OpenWindow)>,
}

impl ReportArchive {
    pub fn new(config: &SdkConfig) -> Result<Self, String> {
        let (logs, s3) = (aws_sdk_cloudwatchlogs::Client::new(config), function_runtime::s3_client(config));
        let text = |name: &str| function_runtime::variable(name, |text| Ok(text.to_owned()));
        let topic = Topic {
            sns: aws_sdk_sns::Client::new(config),
            arn: text("TOPIC_ARN")?,
            archive_name: text("ARCHIVE_NAME")?,
            notifies_on_success: text("NOTIFY_ON_SUCCESS")? == "true",
        };
        Ok(Self::with(Archive::new(function_runtime::stack_from_environment()?, logs, s3), text("WORK_BUCKET")?, topic))
    }

    pub fn with(archive: Archive, work_bucket: String, topic: Topic) -> Self {
        Self { archive, work_bucket, topic }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        let request = Request::parse(&event)?;
        let left = self.left_by(&request).await?;
        let mut report = self.report(&request, left, invocation);
        invocation.set_log_field(LogField::Month, &report.due_month.to_string());
        let name = request.execution.execution_name();
        let key = self.archive.stack.report_key(report.due_month, Millis::of(request.start_time), name);
        // The report first: a run that dies here repeats rather than forgets.
        self.archive.write_report(&key, &report).await?;
        let refused = skips::write(&self.archive, &report, invocation.now()).await?;
        if !refused.is_empty() {
            report.fail(refused);
            self.archive.write_report(&key, &report).await?;
        }
        let Counts { exported, empty, skipped, failed, .. } = report.counts;
        for metric in
            [Metric::WindowsExported(exported), Metric::WindowsEmpty(empty), Metric::WindowsSkipped(skipped), Metric::WindowsFailed(failed)]
        {
            invocation.report(metric);
        }
        let place = Object { bucket: self.archive.stack.bucket.to_string(), key };
        info!(report = place.key, exported, empty, skipped, failed, "reported");
        let end = end_of(&report, &place);
        let notification = Notification::of(&self.topic, &report, end.as_ref().err(), &place);
        let notified = self.topic.publish(notification).await;
        if let Err(error) = &notified {
            error!(cause = error.message, "nobody was told");
        }
        end?;
        notified?;
        let warnings = report.warnings.iter().take(WARNINGS_IN_OUTPUT).cloned().collect();
        Ok(json!(Output {
            due_month: report.due_month,
            timezone: report.timezone,
            months: report.months,
            counts: report.counts,
            warnings_in_all: report.warnings.len(),
            warnings,
            report: place,
        }))
    }

    /// What cannot be read becomes the run's error: it is reported like any other.
    async fn left_by(&self, request: &Request) -> Result<Left, ExportError> {
        let Some(plan) = request.plan() else { return Ok(Left::default()) };
        let work = Work::new(&self.archive, &self.work_bucket, &request.execution);
        let left = async {
            let Step { run, groups, progress } = work.read_step(plan.sequence).await?;
            let open = progress.open.iter().map(|open| (groups[open.group].source.clone(), open.clone())).collect();
            Ok(Left { run: Some(run), progress, decided: work.read_decided(plan.sequence).await?, open })
        };
        match left.await {
            Err(error @ ExportError { name, .. }) if name.retry() == Retry::AfterBackoff => Err(error),
            Err(error) => {
                let message = format!("what the run decided cannot be read: {}", error.message);
                let warning = Warning::new(WarningName::ResultsUnreadable, message);
                Ok(Left { progress: Progress { warnings: vec![warning], ..Progress::default() }, ..Left::default() })
            }
            left => left,
        }
    }

    fn report(&self, request: &Request, left: Left, invocation: &Invocation) -> Report {
        let Left { run, progress, mut decided, open } = left;
        // A run without a plan has compared nothing, whatever its state says.
        let no_plan = || ExportError::new(ErrorName::Unexpected, "the run has no plan that can be read").into();
        let error = failure(&request.state, "error").or_else(|| run.is_none().then(no_plan));
        decided.extend(open.into_iter().map(|(source, OpenWindow { month, window, last, .. })| {
            let ended =
                || Failure { error: "Unexpected".to_owned(), message: "planning ended before this window was looked at again".to_owned() };
            Decided {
                source,
                month,
                window,
                settled: Settled::Failed { failure: last.map(Failure::from).or(error.clone()).unwrap_or_else(ended) },
            }
        }));
        let mut warnings = run.as_ref().map(|run| run.warnings.clone()).unwrap_or_default();
        warnings.extend(progress.warnings.iter().cloned());
        warnings.extend(decided.iter().filter_map(warning_of));
        warnings.sort();
        warnings.dedup();
        let stack = &self.archive.stack;
        let scheduled_time = run.as_ref().map_or_else(|| request.scheduled_time(), |run| run.scheduled_time);
        let compared_everything = error.is_none() && run.as_ref().is_some_and(|run| progress.has_compared_everything(run));
        let mut months: Vec<Month> =
            run.iter().flat_map(|run| &run.looks).filter(|look| !look.after_first_covered).map(|look| look.month).collect();
        months.dedup();
        Report {
            schema_version: SCHEMA_VERSION,
            execution: request.execution.to_string(),
            started: format_instant(request.start_time),
            ended: Millis::of(invocation.now()).to_string(),
            scheduled_time: scheduled_time.map(format_instant),
            compared_everything,
            due_month: run
                .as_ref()
                .map_or_else(|| Month::at(scheduled_time.unwrap_or(request.start_time), stack.timezone).previous(), |run| run.due_month),
            timezone: run.as_ref().map_or_else(|| stack.timezone.name().to_owned(), |run| run.timezone.clone()),
            months,
            counts: Counts::of(&progress.archived, &decided),
            error,
            compaction_error: compaction_failure(&request.state),
            warnings,
            decided,
        }
    }
}

/// What a person should know of a log-group-month that did not fail.
fn warning_of(Decided { source, month, settled, .. }: &Decided) -> Option<Warning> {
    match settled {
        Settled::Warned { warning } => Some(warning.clone()),
        Settled::Skipped { reason: SkipReason::ExpiredBeforeFirstRun } => {
            let message =
                format!("{} {month}: the export wrote nothing, and retention may have deleted the events before", source.log_group_name);
            Some(Warning::new(WarningName::ExpiredBeforeFirstRun, message))
        }
        _ => None,
    }
}

/// `{"Error", "Cause"}` as a Catch has it.
fn failure(state: &Value, field: &str) -> Option<Failure> {
    let caught = state.get(field)?;
    let text = |field: &str| caught[field].as_str().unwrap_or_default().to_owned();
    Some(Failure { error: text("Error"), message: message_of(text("Cause")) })
}

/// What the compaction failed with, in its own words: the cause of `startExecution.sync:2` is the description of its execution.
fn compaction_failure(state: &Value) -> Option<Failure> {
    let caught = failure(state, "compactionError")?;
    let execution: Value = serde_json::from_str(&caught.message).unwrap_or_default();
    let text = |field: &str| execution[field].as_str().filter(|text| !text.is_empty());
    // One that was stopped, or that timed out, has a status alone.
    let (Some(error), Some(arn)) = (text("Error").or_else(|| text("Status")), text("ExecutionArn")) else { return Some(caught) };
    let cause = text("Cause").unwrap_or("no cause");
    Some(Failure { error: error.to_owned(), message: format!("{cause} (execution {arn})") })
}

/// How the run ends.
fn end_of(report: &Report, place: &Object) -> Result<(), ExportError> {
    let at = format!("The report is s3://{}/{}.", place.bucket, place.key);
    if let Some(Failure { error, message }) = &report.error {
        return Err(match ErrorName::parse(error) {
            Some(name) => ExportError::new(name, message.clone()),
            None => ExportError::new(ErrorName::Unexpected, format!("plan-exports ended with {error}: {message}")),
        });
    }
    if report.counts.failed > 0 {
        let message = format!("{} {at}", notification::failures(&report.decided, notification::IN_A_CAUSE));
        return Err(ExportError::new(ErrorName::ArchiveIncomplete, message));
    }
    match &report.compaction_error {
        Some(Failure { error, message }) => {
            let message = format!("every export ended well, but the compaction to Parquet ended with {error}: {message} {at}");
            Err(ExportError::new(ErrorName::CompactionFailed, message))
        }
        None => Ok(()),
    }
}
