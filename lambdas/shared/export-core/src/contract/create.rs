//! The event and the response of `create-export-task` for one window.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ErrorName, ExecutionArn, ExportError, Month, TaskId, Window,
    decide::{KnownGaps, Verdict, WindowHistory},
    destination::{Destination, DestinationTemplate},
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

/// `{logGroupName}` is enough. The other fields have the defaults of a run's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub source: Source,
    pub timezone: Tz,
    pub month: Option<Month>,
    pub scheduled_time: Option<DateTime<Utc>>,
    /// The planned window. `None`: the window of the month.
    pub window: Option<Window>,
    pub force: bool,
    pub allow_incomplete_month: bool,
    /// When the run really started. `None`: the time of this call.
    pub start_time: Option<DateTime<Utc>>,
    pub execution: Option<ExecutionArn>,
    /// When the window reached this function first. Retries for a busy slot do not change it.
    pub queued_since: Option<DateTime<Utc>>,
    /// What earlier runs know about a planned window.
    pub history: WindowHistory,
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
        let template = fields.text("destinationPrefix", DestinationTemplate::parse, &mut problems);
        let source = Source::parse(&fields, template, stack, &mut problems);
        let timezone = fields.text("timezone", names::parse_timezone, &mut problems).unwrap_or(stack.timezone);
        let scheduled_time = fields.text("scheduledTime", names::parse_instant, &mut problems);
        let month = fields.text("month", names::parse_month, &mut problems);
        let window = parse_window(&fields, month.is_some(), &mut problems);
        let force = fields.flag("force", &mut problems);
        let allow_incomplete_month = fields.flag("allowIncompleteMonth", &mut problems);
        let start_time = fields.text("startTime", names::parse_instant, &mut problems);
        let execution = fields.text("execution", ExecutionArn::parse, &mut problems);
        let queued_since = fields.text("queuedSince", names::parse_instant, &mut problems);
        let history = parse_history(&fields, &mut problems);
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
            history,
        });
        problems.into_result(request)
    }

    /// The window of this call. `now` replaces a missing `startTime`.
    pub fn target(&self, stack: &Stack, now: DateTime<Utc>) -> Result<Target, ExportError> {
        let start = self.start_time.unwrap_or(now);
        let month = self.month.unwrap_or_else(|| Month::due(self.scheduled_time.unwrap_or(start), self.timezone, stack.settle_days));
        let window = match self.window {
            // The run that planned the window has waited for late events already.
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

    /// When the run started: a later manifest or task belongs to it.
    pub fn run_start(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.start_time.unwrap_or(now)
    }

    pub fn is_run_time_over(&self, limit: TimeDelta, now: DateTime<Utc>) -> bool {
        self.start_time.is_some_and(|start| now - start > limit)
    }

    pub fn respond(&self, target: Target, action: TaskAction, gaps: KnownGaps) -> Response {
        let (status, task_id, reason) = match action {
            TaskAction::Created(task_id) => (Status::Created, Some(task_id), None),
            TaskAction::Adopted(task_id) => (Status::Adopted, Some(task_id), None),
            TaskAction::Skipped(reason) => (Status::Skipped, None, Some(reason)),
        };
        Response {
            source: Source { destination_template: None, ..self.source.clone() },
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
            complete_from: gaps.complete_from,
            warnings: gaps.warnings,
            history: self.history,
        }
    }
}

/// The fields that the events of `create-export-task` and `check-export-task` share.
pub(super) fn parse_history(fields: &Fields, problems: &mut Problems) -> WindowHistory {
    WindowHistory { is_open: fields.flag("isOpen", problems), seen_since: fields.text("seenSince", names::parse_instant, problems) }
}

fn parse_window(fields: &Fields, has_month: bool, problems: &mut Problems) -> Option<Window> {
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

/// What the function did about the window's task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskAction {
    Created(TaskId),
    /// A task of the same name and window exists already.
    Adopted(TaskId),
    Skipped(SkipReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Created,
    Adopted,
    Skipped,
}

/// Why there is no task. Every skip has a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SkipReason {
    AlreadyArchived,
    /// Part of the window is covered meanwhile: the next round plans the rest.
    PartlyArchived,
    /// There is no event yet, but one can still arrive.
    NoEventsYet,
    /// The run starts no more windows.
    RunTimeOver,
    LogGroupNotFound,
    LogClassNotExportable,
    NoStreamHasPrefix,
    /// report-archive records the window with this reason.
    #[serde(untagged)]
    Recorded(manifest::Reason),
}

impl SkipReason {
    /// The reason behind a verdict on the whole window. `None`: the window is to be exported, or failed.
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

/// The request's fields, and what was decided and done. The next state hands them to `check-export-task`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// Without the template: the field `destinationPrefix` has the month's prefix.
    #[serde(flatten)]
    pub source: Source,
    pub timezone: String,
    pub force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionArn>,
    pub month: Month,
    pub from: Millis,
    pub to: Millis,
    pub destination_prefix: String,
    /// The destination of the place: `{year}` and `{month}` are not filled in.
    pub destination: Destination,
    /// `null`: the window was skipped.
    pub task_id: Option<TaskId>,
    pub status: Status,
    /// `null`: a task was created or adopted.
    pub reason: Option<SkipReason>,
    /// Retention has deleted the window up to here, or is about to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_from: Option<Millis>,
    pub warnings: Vec<Warning>,
    #[serde(flatten)]
    pub history: WindowHistory,
}

#[cfg(test)]
mod tests;
