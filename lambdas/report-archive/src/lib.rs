//! `report-archive`: ends a run. It writes the run's report, updates `missing/`, records what was skipped or lost, and notifies. It
//! returns the run's output, or fails with the error that ends the run.

mod coverage;
mod incomplete;
mod missing_update;
mod news;
mod notification;
mod records;
mod report;
mod text;

use archive::{Archive, WorkFolder};
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    contract::{
        plan::{Failure, Request, S3Object, WindowOutcome},
        report::{Counts, Output, Report},
    },
    error::Retry,
    manifest::Reason,
    missing::Memory,
    time::Millis,
    warning::Warning,
};
use function_runtime::{Invocation, LogField, Metric};
use serde_json::{Value, json};
use tracing::{error, info};

use missing_update::MissingUpdate;
use notification::Notification;
pub use notification::Topic;
use report::{Ending, RunFacts, RunState};

/// The function's name in logs, metrics and requests.
pub const NAME: &str = env!("CARGO_PKG_NAME");

/// The most warnings in a run's output. Step Functions keeps 256 KiB of it.
const MAX_OUTPUT_WARNINGS: usize = 50;

pub struct ReportArchive {
    archive: Archive,
    work_bucket: String,
    topic: Topic,
}

impl ReportArchive {
    pub fn new(config: &SdkConfig) -> Result<Self, String> {
        let text = |name: &str| function_runtime::read_variable(name, |text| Ok(text.to_owned()));
        let topic = Topic::new(config, text("TOPIC_ARN")?, text("ARCHIVE_NAME")?);
        Ok(Self::with(Archive::new(function_runtime::stack_from_environment()?, config), text("WORK_BUCKET")?, topic))
    }

    pub fn with(archive: Archive, work_bucket: String, topic: Topic) -> Self {
        Self { archive, work_bucket, topic }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        let request = Request::parse(&event)?;
        let now = invocation.now();
        let mut state = self.read_run_state(&request).await?;
        let run = RunFacts::new(&request, &state, &self.archive.stack);
        state.fail_planned(run.error.as_ref());
        invocation.set_log_field(LogField::Month, &run.due_month.to_string());
        let report_key = self.archive.stack.report_key(run.due_month, Millis::of(request.start_time), request.execution.execution_name());
        let (open, unreadable) = self.archive.open_windows().await?;
        let memory = Memory { open, unreadable, found: Vec::new() };
        let earlier_reports = self.archive.reports_since_told(&report_key).await?;
        let missing = MissingUpdate::keep_all(&memory);
        let mut ending = Ending { request, run, state, memory, earlier_reports, missing, now };

        let (has_updated, key) = match self.update_archive(&mut ending, &report_key).await {
            Ok(key) => (true, key),
            Err(error) if error.name.retry() == Retry::AfterBackoff => return Err(error),
            // The run still writes its report and notifies.
            Err(error) => {
                ending.fail(error);
                (false, report_key)
            }
        };
        let report_object = S3Object { bucket: self.archive.stack.bucket.to_string(), key };
        let mut report = ending.report();
        let mut end = end_of(&report, &ending.missing, &report_object, now);
        if !has_updated || !report.told {
            let notified = self.notify(&ending, &mut report, end.as_ref().err(), &report_object).await;
            let written = self.archive.write_report(&report_object.key, &report).await;
            end = end.and(notified).and(written);
        }
        measure(&report, end.is_ok(), invocation);
        end?;
        let warnings = report.warnings.iter().take(MAX_OUTPUT_WARNINGS).cloned().collect();
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
            report: report_object,
        }))
    }

    /// Updates the archive in an order in which a run that dies in between repeats, and forgets nothing. Records that nobody must learn of
    /// come first. Then: the opened windows, the report, the other records, and the removal of closed windows.
    ///
    /// Returns the key of the report: `report_key`, or that of the last report if this run has nothing new.
    async fn update_archive(&self, ending: &mut Ending, report_key: &str) -> Result<String, ExportError> {
        self.find_archived(ending).await?;
        self.record(ending, |reason| !reason.needs_report_first()).await?;
        self.open_windows(ending).await?;
        let report = ending.report();
        // A run by hand always has its own report, because a person wants to read it.
        let is_same = |last: &Report| report.scheduled_time.is_some() && !report.did_anything() && report.agrees_with(last);
        let same = ending.last_report().filter(|(_, last)| report.told && is_same(last)).map(|(key, _)| key.clone());
        let is_new = same.is_none();
        let key = same.unwrap_or_else(|| report_key.to_owned());
        if is_new {
            self.archive.write_report(&key, &report).await?;
        }
        if self.record(ending, Reason::needs_report_first).await? {
            self.open_windows(ending).await?;
            self.archive.write_report(&key, &ending.report()).await?;
        }
        ending.missing.remove_closed(&self.archive, ending.now).await?;
        Ok(key)
    }

    /// Finds windows that are archived although their export failed: by another run, or by this one, which ended before it looked. A
    /// failed export under `force` stays a failure.
    async fn find_archived(&self, ending: &mut Ending) -> Result<(), ExportError> {
        if ending.state.step.as_ref().is_none_or(|step| step.run.force) {
            return Ok(());
        }
        let positions = ending.state.not_archived();
        let targets = positions.iter().map(|position| records::target(&self.archive.stack, &ending.state.decided[*position]));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let is_archived = coverage::are_archived(&self.archive, &targets, ending.now).await?;
        let archived = positions.into_iter().zip(is_archived).filter(|(_, is_archived)| *is_archived);
        ending.state.mark_archived(&archived.map(|(position, _)| position).collect());
        Ok(())
    }

    /// Records windows as skipped or lost. Returns whether a record was refused.
    async fn record(&self, ending: &mut Ending, is_selected: impl Fn(Reason) -> bool) -> Result<bool, ExportError> {
        let refused = records::write(&self.archive, &ending.run, &ending.state.decided, is_selected, ending.now).await?;
        let is_refused = !refused.is_empty();
        ending.state.mark_failed(refused);
        Ok(is_refused)
    }

    async fn open_windows(&self, ending: &mut Ending) -> Result<(), ExportError> {
        let Ending { run, state, memory, now, .. } = &*ending;
        if let Some(step) = &state.step {
            ending.missing = MissingUpdate::plan(&self.archive, step, &state.decided, memory, run.compared_everything, *now).await?;
        }
        ending.missing.write_opened(&self.archive).await
    }

    /// Notifies people of a report with news, and marks it as told.
    async fn notify(
        &self,
        ending: &Ending,
        report: &mut Report,
        end: Option<&ExportError>,
        report_object: &S3Object,
    ) -> Result<(), ExportError> {
        if report.told {
            return Ok(());
        }
        let unannounced = ending.earlier_reports.iter().filter(|(_, report)| !report.told).map(|(key, _)| key.as_str());
        let notified = self.topic.publish(Notification::new(&self.topic, report, unannounced, end, report_object)).await;
        match &notified {
            Ok(()) => report.told = true,
            Err(error) => error!(cause = error.message, "notification failed"),
        }
        notified
    }

    /// A state that cannot be read is a warning, and the run's error is reported as any other.
    async fn read_run_state(&self, request: &Request) -> Result<RunState, ExportError> {
        let Some(plan) = request.plan() else { return Ok(RunState::default()) };
        let work = WorkFolder::new(&self.archive, &self.work_bucket, &request.execution);
        let read = async {
            let step = work.read_step(plan.sequence).await?;
            Ok((step, work.read_decided(plan.sequence).await?))
        };
        match read.await {
            Ok((step, decided)) => Ok(RunState { plan: Some(plan), step: Some(step), decided, warnings: Vec::new() }),
            Err(error @ ExportError { name, .. }) if name.retry() == Retry::AfterBackoff => Err(error),
            Err(error) => {
                let warnings = vec![Warning::plan_unreadable(&error.message)];
                Ok(RunState { plan: Some(plan), warnings, ..RunState::default() })
            }
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

/// Whether the run succeeds, or the error that ends it.
fn end_of(report: &Report, missing: &MissingUpdate, report_object: &S3Object, now: DateTime<Utc>) -> Result<(), ExportError> {
    let location = format!("The report is s3://{}/{}.", report_object.bucket, report_object.key);
    if let Some(Failure { error, message }) = &report.error {
        return Err(match ErrorName::parse(error) {
            Some(name) => ExportError::new(name, message.clone()),
            None => ExportError::new(ErrorName::Unexpected, format!("plan-exports ended with {error}: {message}")),
        });
    }
    // A scheduled run judges the whole list. A run by hand judges the windows that it was asked for.
    let is_missing = match report.scheduled_time {
        Some(_) => report.missing_count > 0,
        None => missing.opened.iter().any(|open| open.is_missing(now)),
    };
    let has_lost = report.decided.iter().any(|decided| matches!(decided.outcome, WindowOutcome::Lost { reason } if reason.fails_run()));
    if is_missing || has_lost || report.counts.failed > 0 {
        let message = format!("{} {location}", incomplete::cause(report));
        return Err(ExportError::new(ErrorName::ArchiveIncomplete, message));
    }
    match &report.compaction_error {
        Some(Failure { error, message }) => {
            let message = format!("every export succeeded, but the compaction to Parquet ended with {error}: {message} {location}");
            Err(ExportError::new(ErrorName::CompactionFailed, message))
        }
        None => Ok(()),
    }
}
