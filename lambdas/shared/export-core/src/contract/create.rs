//! The event and the answer of `create-export-task` for one window.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BucketName, ErrorName, ExecutionArn, ExportError, Month, Prefix, StreamPrefix, TaskId, Window,
    decide::{Remembered, Start, Verdict},
    destination::{Destination, Template},
    entry::Source,
    fields::Fields,
    input::window_of,
    manifest, names,
    place::Stack,
    problems::Problems,
    target::Target,
    time::{Millis, format_instant},
    warning::{Warning, WarningName},
};

/// `{logGroupName}` is enough; the rest has the defaults of a run's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub source: Source,
    pub timezone: Tz,
    pub month: Option<Month>,
    pub scheduled_time: Option<DateTime<Utc>>,
    /// A planned window; without it, the month's.
    pub window: Option<Window>,
    pub force: bool,
    pub allow_incomplete_month: bool,
    /// When the run really started; without it, the function's own clock counts.
    pub start_time: Option<DateTime<Utc>>,
    pub execution: Option<ExecutionArn>,
    /// Since when the window has been at this function, retries on a busy slot included.
    pub queued_since: Option<DateTime<Utc>>,
    /// Of a planned window: what earlier runs left says of it.
    pub remembered: Remembered,
}

impl Request {
    const FIELDS: [&str; 17] = [
        "s3BucketName",
        "s3Prefix",
        "logGroupName",
        "logStreamNamePrefix",
        "destinationPrefix",
        "timezone",
        "scheduledTime",
        "month",
        "from",
        "to",
        "force",
        "allowIncompleteMonth",
        "startTime",
        "execution",
        "queuedSince",
        "isOpen",
        "seenSince",
    ];

    pub fn parse(event: &Value, stack: &Stack) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(event, "the event", &mut problems) else { return problems.into_result(None) };
        fields.refuse_unknown(&Self::FIELDS, &mut problems);
        fields.require("logGroupName", &mut problems);
        let log_group_name = fields.text("logGroupName", |text| names::log_group(text, &stack.account, &stack.region), &mut problems);
        let bucket = fields.text("s3BucketName", BucketName::parse, &mut problems);
        let s3_prefix = fields.text("s3Prefix", Prefix::parse, &mut problems);
        let log_stream_name_prefix = fields.text("logStreamNamePrefix", StreamPrefix::parse, &mut problems);
        let destination_prefix = fields.text("destinationPrefix", Template::parse, &mut problems);
        let timezone = fields.text("timezone", names::timezone, &mut problems).unwrap_or(stack.timezone);
        let scheduled_time = fields.text("scheduledTime", names::instant, &mut problems);
        let month = fields.text("month", names::month, &mut problems);
        let window = read_window(&fields, month.is_some(), &mut problems);
        let force = fields.flag("force", &mut problems);
        let allow_incomplete_month = fields.flag("allowIncompleteMonth", &mut problems);
        let start_time = fields.text("startTime", names::instant, &mut problems);
        let execution = fields.text("execution", ExecutionArn::parse, &mut problems);
        let queued_since = fields.text("queuedSince", names::instant, &mut problems);
        let remembered = read_remembered(&fields, &mut problems);
        let source = log_group_name.map(|log_group_name| Source {
            s3_bucket_name: bucket.unwrap_or_else(|| stack.bucket.clone()),
            s3_prefix: s3_prefix.unwrap_or_else(|| stack.s3_prefix.clone()),
            log_group_name,
            log_stream_name_prefix,
            destination_prefix,
        });
        if let Some(problem) = source.as_ref().and_then(|source| source.destination().err()) {
            problems.add("logGroupName", &event["logGroupName"], problem);
        }
        let request = source.map(|source| Self {
            source,
            timezone,
            month,
            scheduled_time,
            window,
            force,
            allow_incomplete_month,
            start_time,
            execution,
            queued_since,
            remembered,
        });
        problems.into_result(request)
    }

    /// The window that this call is about. `now` stands in for a missing `startTime`.
    pub fn target(&self, stack: &Stack, now: DateTime<Utc>) -> Result<Target, ExportError> {
        let start = self.start_time.unwrap_or(now);
        let month = self.month.unwrap_or_else(|| Month::due(self.scheduled_time.unwrap_or(start), self.timezone, stack.settle_days));
        let window = match self.window {
            // Its run has waited for late events, for as long as it was told to.
            Some(window) if start < window.complete_at() => {
                let message = format!(
                    "month {month}: to is {}, and the window is complete from {} on, but the run started at {}",
                    window.to.0,
                    format_instant(window.complete_at()),
                    format_instant(start)
                );
                return Err(ExportError::new(ErrorName::MonthNotComplete, message));
            }
            Some(window) => window,
            None => window_of(month, self.timezone, start, stack.settle_days, self.allow_incomplete_month)?,
        };
        let place = self.source.place(stack).map_err(|problem| ExportError::new(ErrorName::InvalidInput, problem))?;
        Ok(Target { place, stream_prefix: self.source.log_stream_name_prefix.clone(), month, window })
    }

    /// Since when a manifest, or a task, is of this run.
    pub fn run_since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.start_time.unwrap_or(now)
    }

    pub fn is_run_time_over(&self, limit: TimeDelta, now: DateTime<Utc>) -> bool {
        self.start_time.is_some_and(|start| now - start > limit)
    }

    pub fn respond(&self, target: Target, task: Task, start: Start) -> Response {
        let (status, task_id, reason) = match task {
            Task::Created(task_id) => (Status::Created, Some(task_id), None),
            Task::Adopted(task_id) => (Status::Adopted, Some(task_id), None),
            Task::Skipped(reason) => (Status::Skipped, None, Some(reason)),
        };
        Response {
            s3_bucket_name: self.source.s3_bucket_name.clone(),
            s3_prefix: self.source.s3_prefix.clone(),
            log_group_name: self.source.log_group_name.clone(),
            log_stream_name_prefix: target.stream_prefix.clone(),
            timezone: self.timezone.name().to_owned(),
            force: self.force,
            execution: self.execution.clone(),
            month: target.month,
            from: target.window.from,
            to: target.window.to,
            destination_prefix: target.destination_prefix(),
            destination: target.place.destination,
            task_id,
            status,
            reason,
            complete_from: start.complete_from,
            warnings: start.warnings,
            is_open: self.remembered.is_open,
            seen_since: self.remembered.seen_since.map(format_instant),
        }
    }
}

/// The fields of a planned window that `check-export-task` gets as well.
pub(super) fn read_remembered(fields: &Fields, problems: &mut Problems) -> Remembered {
    Remembered { is_open: fields.flag("isOpen", problems), seen_since: fields.text("seenSince", names::instant, problems) }
}

fn read_window(fields: &Fields, has_month: bool, problems: &mut Problems) -> Option<Window> {
    let (from, to) = (fields.millis("from", problems), fields.millis("to", problems));
    if fields.has("from") != fields.has("to") || (fields.has("from") && !has_month) {
        problems.add_text(|| "from is given without to or month: give all three, or none of from and to".to_owned());
    }
    let window = Window { from: from?, to: to? };
    if window.from > window.to {
        problems.add_text(|| format!("from is {}: it must not be later than to, which is {}", window.from.0, window.to.0));
    }
    Some(window)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    Created(TaskId),
    /// A task of the same name and window that is there already.
    Adopted(TaskId),
    Skipped(Reason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Created,
    Adopted,
    Skipped,
}

/// Why there is no task. A skip is an outcome with a name, never a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    AlreadyArchived,
    /// Part of the window is covered by now: the next round plans the rest.
    PartlyArchived,
    /// No event yet, but one can still arrive.
    NoEventsYet,
    /// The run has started its last window.
    RunTimeOver,
    LogGroupNotFound,
    LogClassNotExportable,
    NoStreamHasPrefix,
    /// report-archive records it.
    #[serde(untagged)]
    Recorded(manifest::Reason),
}

impl Reason {
    /// Of the verdict on the whole window; none where it is to be exported or has failed.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Archived | Verdict::Written(_) => Some(Self::AlreadyArchived),
            Verdict::NothingYet => Some(Self::NoEventsYet),
            Verdict::Record(reason) => Some(Self::Recorded(*reason)),
            Verdict::Warn(warning) if warning.name == WarningName::LogClassNotExportable => Some(Self::LogClassNotExportable),
            Verdict::Warn(warning) if warning.name == WarningName::NoStreamHasPrefix => Some(Self::NoStreamHasPrefix),
            Verdict::Warn(_) => Some(Self::LogGroupNotFound),
            Verdict::Export(_) | Verdict::Write { .. } | Verdict::Fail(_) => None,
        }
    }
}

/// The request's fields, and what was decided and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub s3_bucket_name: BucketName,
    pub s3_prefix: Prefix,
    pub log_group_name: crate::LogGroupName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<StreamPrefix>,
    pub timezone: String,
    pub force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionArn>,
    pub month: Month,
    pub from: Millis,
    pub to: Millis,
    pub destination_prefix: String,
    /// The same with `{year}` and `{month}` unfilled: it tells the place.
    pub destination: Destination,
    /// `null` when the window was skipped.
    pub task_id: Option<TaskId>,
    pub status: Status,
    /// `null` when a task was created or adopted.
    pub reason: Option<Reason>,
    /// Retention has deleted the window up to here, or is about to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_from: Option<Millis>,
    pub warnings: Vec<Warning>,
    pub is_open: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_since: Option<String>,
}

#[cfg(test)]
mod tests;
