//! `report-archive`: turns what a run decided into its report, keeps the books of `missing/`, records what was skipped and what is lost,
//! notifies, and ends the run: with its output, or with the error that it ends with.

mod coverage;
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
use report::{Ending, Header, Left};

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
        let text = |name: &str| function_runtime::variable(name, |text| Ok(text.to_owned()));
        let topic = Topic::new(config, text("TOPIC_ARN")?, text("ARCHIVE_NAME")?);
        Ok(Self::with(Archive::new(function_runtime::stack_from_environment()?, config), text("WORK_BUCKET")?, topic))
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
        let own = self.archive.stack.report_key(header.due_month, Millis::of(request.start_time), request.execution.execution_name());
        let (open, unreadable) = self.archive.open_windows().await?;
        let memory = Memory { open, unreadable, found: Vec::new() };
        let earlier = self.archive.reports_since_told(&own).await?;
        let open = OpenWindows::untouched(&memory);
        let mut ending = Ending { request, header, left, memory, earlier, open, now };

        let kept = self.keep_books(&mut ending, &own).await;
        let (is_kept, key) = match kept {
            Ok(key) => (true, key),
            Err(error) if error.name.retry() == Retry::AfterBackoff => return Err(error),
            // The run still reports, and people still hear of it.
            Err(error) => {
                ending.fail(error);
                (false, own)
            }
        };
        let place = Object { bucket: self.archive.stack.bucket.to_string(), key };
        let mut report = ending.report();
        let mut end = end_of(&report, &ending.open, &place, now);
        if !is_kept || !report.told {
            let notified = self.tell(&ending, &mut report, end.as_ref().err(), &place).await;
            let written = self.archive.write_report(&place.key, &report).await;
            end = end.and(notified).and(written);
        }
        measure(&report, end.is_ok(), invocation);
        end?;
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

    /// What nobody has to hear of is recorded at once. For the rest: what is open, the report, the records, and what leaves. A run that dies
    /// between them repeats rather than forgets. Answers with the key of the report that says what this run says.
    async fn keep_books(&self, ending: &mut Ending, own: &str) -> Result<String, ExportError> {
        self.find_archived(ending).await?;
        self.record(ending, |reason| !reason.is_told()).await?;
        self.add(ending).await?;
        let report = ending.report();
        // A run by hand has somebody who wants to read of it.
        let is_repeated = |last: &Report| report.scheduled_time.is_some() && !report.did_anything() && report.says_the_same(last);
        let repeated = ending.last().filter(|(_, last)| report.told && is_repeated(last)).map(|(key, _)| key.clone());
        let is_own = repeated.is_none();
        let key = repeated.unwrap_or_else(|| own.to_owned());
        if is_own {
            self.archive.write_report(&key, &report).await?;
        }
        if self.record(ending, Reason::is_told).await? {
            self.add(ending).await?;
            self.archive.write_report(&key, &ending.report()).await?;
        }
        ending.open.remove(&self.archive, ending.now).await?;
        Ok(key)
    }

    /// A window whose export failed can be archived all the same: by this run, which ended before it looked, or by another one. Under
    /// `force` that is no success.
    async fn find_archived(&self, ending: &mut Ending) -> Result<(), ExportError> {
        if ending.left.step.as_ref().is_none_or(|step| step.run.force) {
            return Ok(());
        }
        let positions = ending.left.not_archived();
        let targets = positions.iter().map(|position| records::target(&self.archive.stack, &ending.left.decided[*position]));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let is_archived = coverage::of_each(&self.archive, &targets, ending.now, coverage::is_archived).await?;
        let archived = positions.into_iter().zip(is_archived).filter(|(_, is_archived)| *is_archived);
        ending.left.find_archived(&archived.map(|(position, _)| position).collect());
        Ok(())
    }

    /// Whether any of them was refused.
    async fn record(&self, ending: &mut Ending, is_asked_for: impl Fn(Reason) -> bool) -> Result<bool, ExportError> {
        let refused = records::write(&self.archive, &ending.header, &ending.left.decided, is_asked_for, ending.now).await?;
        let is_refused = !refused.is_empty();
        ending.left.refuse(refused);
        Ok(is_refused)
    }

    async fn add(&self, ending: &mut Ending) -> Result<(), ExportError> {
        let Ending { header, left, memory, now, .. } = &*ending;
        if let Some(step) = &left.step {
            ending.open = OpenWindows::of(&self.archive, step, &left.decided, memory, header.compared_everything, *now).await?;
        }
        ending.open.add(&self.archive).await
    }

    /// Notes in the report that people were told.
    async fn tell(&self, ending: &Ending, report: &mut Report, end: Option<&ExportError>, place: &Object) -> Result<(), ExportError> {
        if report.told {
            return Ok(());
        }
        let untold = ending.earlier.iter().filter(|(_, report)| !report.told).map(|(key, _)| key.as_str());
        let notified = self.topic.publish(Notification::of(&self.topic, report, untold, end, place)).await;
        match &notified {
            Ok(()) => report.told = true,
            Err(error) => error!(cause = error.message, "nobody was told"),
        }
        notified
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
