//! `report-archive`: turns what a run decided into its report, keeps the books of `missing/`, records what was skipped and what is lost,
//! notifies, and ends the run: with its output, or with the error that it ends with.

mod notification;
mod open_windows;
mod records;
mod report;
mod texts;

use archive::{Archive, Work};
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    contract::{
        plan::{Failure, Object, Request, Settled},
        report::{Counts, Output, Report},
    },
    error::Retry,
    manifest::Reason,
    missing::Memory,
    time::Millis,
    warning::{Warning, WarningName},
};
use function_runtime::{Invocation, LogField, Metric};
use serde_json::{Value, json};
use tracing::{error, info};

use notification::Notification;
pub use notification::Topic;
use open_windows::OpenWindows;
use report::{Header, Left};

/// The function's name, wherever one is needed.
pub const NAME: &str = env!("CARGO_PKG_NAME");

/// Warnings in a run's output, which Step Functions keeps in 256 KiB.
const WARNINGS_IN_OUTPUT: usize = 50;

pub struct ReportArchive {
    archive: Archive,
    work_bucket: String,
    topic: Topic,
}

impl ReportArchive {
    pub fn new(config: &SdkConfig) -> Result<Self, String> {
        let (logs, s3) = (aws_sdk_cloudwatchlogs::Client::new(config), function_runtime::s3_client(config));
        let text = |name: &str| function_runtime::variable(name, |text| Ok(text.to_owned()));
        let topic = Topic { sns: aws_sdk_sns::Client::new(config), arn: text("TOPIC_ARN")?, archive_name: text("ARCHIVE_NAME")? };
        Ok(Self::with(Archive::new(function_runtime::stack_from_environment()?, logs, s3), text("WORK_BUCKET")?, topic))
    }

    pub fn with(archive: Archive, work_bucket: String, topic: Topic) -> Self {
        Self { archive, work_bucket, topic }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        let request = Request::parse(&event)?;
        let now = invocation.now();
        let mut left = self.left_by(&request).await?;
        let header = Header::of(&request, &left, &self.archive.stack);
        left.close(header.error.as_ref());
        invocation.set_log_field(LogField::Month, &header.due_month.to_string());
        let name = request.execution.execution_name();
        let key = self.archive.stack.report_key(header.due_month, Millis::of(request.start_time), name);
        let (open, unreadable) = self.archive.open_windows().await?;
        let memory = Memory { open, unreadable, found: None };
        let last = self.archive.last_report(&key).await?;

        // What nobody has to hear of is recorded at once. For the rest: what is open, the report, the records, and what leaves. A run
        // that dies between them repeats rather than forgets.
        let refused = records::write(&self.archive, &header, &left.decided, |reason| !reason.is_told(), now).await?;
        left.refuse(refused);
        let mut open = self.open_windows(&header, &left, &memory, now).await?;
        open.add(&self.archive).await?;
        let mut report = report::report(&request, &header, &left, &memory, &open, now);
        // A run by hand has somebody who wants to read of it.
        let repeats =
            last.as_ref().filter(|(_, last)| header.scheduled_time.is_some() && !report.did_anything() && report.says_the_same(last));
        let key = match repeats {
            Some((last, _)) => last.clone(),
            None => {
                self.archive.write_report(&key, &report).await?;
                key
            }
        };
        let refused = records::write(&self.archive, &header, &left.decided, Reason::is_told, now).await?;
        if !refused.is_empty() {
            left.refuse(refused);
            open = self.open_windows(&header, &left, &memory, now).await?;
            open.add(&self.archive).await?;
            report = report::report(&request, &header, &left, &memory, &open, now);
            self.archive.write_report(&key, &report).await?;
        }
        open.remove(&self.archive).await?;

        let place = Object { bucket: self.archive.stack.bucket.to_string(), key };
        let end = end_of(&report, &open, &place, now);
        measure(&report, end.is_ok(), invocation);
        let notification = Notification::of(&self.topic, &report, last.as_ref().map(|(_, last)| last), end.as_ref().err(), &place);
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
            missing: report.missing_count,
            slot_hours_used: report.slot_hours_used,
            slot_hours_needed: report.slot_hours_needed,
            warnings_in_all: report.warnings.len(),
            warnings,
            report: place,
        }))
    }

    async fn open_windows(&self, header: &Header, left: &Left, memory: &Memory, now: DateTime<Utc>) -> Result<OpenWindows, ExportError> {
        match &left.step {
            Some(step) => OpenWindows::of(&self.archive, step, &left.decided, memory, header.compared_everything, now).await,
            None => Ok(OpenWindows::untouched(memory)),
        }
    }

    /// What cannot be read becomes the run's error: it is reported like any other.
    async fn left_by(&self, request: &Request) -> Result<Left, ExportError> {
        let Some(plan) = request.plan() else { return Ok(Left::default()) };
        let work = Work::new(&self.archive, &self.work_bucket, &request.execution);
        let left = async {
            let step = work.read_step(plan.sequence).await?;
            Ok(Left { step: Some(step), decided: work.read_decided(plan.sequence).await?, warnings: Vec::new() })
        };
        match left.await {
            Err(error @ ExportError { name, .. }) if name.retry() == Retry::AfterBackoff => Err(error),
            Err(error) => {
                let message = format!("what the run decided cannot be read: {}", error.message);
                Ok(Left { warnings: vec![Warning::new(WarningName::ResultsUnreadable, message)], ..Left::default() })
            }
            left => left,
        }
    }
}

fn measure(report: &Report, is_ok: bool, invocation: &mut Invocation) {
    let Counts { exported, empty, skipped, lost, waiting, failed, .. } = report.counts;
    let missing = report.missing_count;
    info!(exported, empty, skipped, lost, waiting, failed, missing, "reported");
    for metric in [
        Metric::WindowsExported(exported),
        Metric::WindowsEmpty(empty),
        Metric::WindowsSkipped(skipped),
        Metric::WindowsLost(lost),
        Metric::WindowsWaiting(waiting),
        Metric::WindowsFailed(failed),
        Metric::MissingMonths(missing),
    ] {
        invocation.report(metric);
    }
    if report.scheduled_time.is_some() {
        invocation.report(Metric::ScheduledRunsEnded);
        invocation.report(Metric::ScheduledRunsSucceeded(is_ok));
    }
}

/// How the run ends.
fn end_of(report: &Report, open: &OpenWindows, place: &Object, now: DateTime<Utc>) -> Result<(), ExportError> {
    let at = format!("The report is s3://{}/{}.", place.bucket, place.key);
    if let Some(Failure { error, message }) = &report.error {
        return Err(match ErrorName::parse(error) {
            Some(name) => ExportError::new(name, message.clone()),
            None => ExportError::new(ErrorName::Unexpected, format!("plan-exports ended with {error}: {message}")),
        });
    }
    // A scheduled run judges the whole list, and a run by hand what it was asked for.
    let judged_missing = match report.scheduled_time {
        Some(_) => report.missing_count > 0,
        None => open.anew.iter().any(|open| open.is_missing(now)),
    };
    let has_lost = report.decided.iter().any(|decided| matches!(decided.settled, Settled::Lost { reason } if reason.fails_run()));
    if judged_missing || has_lost || report.counts.failed > 0 {
        let message = format!("{} {at}", notification::incomplete(report, notification::IN_A_CAUSE));
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
