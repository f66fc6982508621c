//! The event and the answer of `create-export-task` for one log group.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{ExportError, Month, Window, entry::Placement, fields::Fields, names, problems::Problems, run::Settings};

/// `{s3BucketName, s3Prefix, logGroupName}` is enough; the rest has the defaults of a run's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub settings: Settings,
    pub log_group_name: String,
    pub placement: Placement,
    /// When the execution really started; without it, the function's own clock counts.
    pub start_time: Option<DateTime<Utc>>,
    /// ARN of the execution, for the manifest.
    pub execution: Option<String>,
    /// Since when the entry has been at this function, retries on a busy slot included.
    pub queued_since: Option<DateTime<Utc>>,
}

impl Request {
    pub fn parse(event: &Value) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(event, "the event", &mut problems) else { return problems.into_result(None) };
        fields.refuse_unknown(
            &[
                &Settings::FIELDS[..],
                &["logGroupName", "logStreamNamePrefix", "destinationPrefix", "startTime", "execution", "queuedSince"],
            ]
            .concat(),
            &mut problems,
        );
        fields.require("logGroupName", &mut problems);
        let settings = Settings::read(&fields, &mut problems);
        let placement = Placement::read_without_s3_prefix(&fields, &mut problems);
        let start_time = fields.text("startTime", names::instant, &mut problems);
        let execution = fields.text("execution", names::identifier, &mut problems);
        let queued_since = fields.text("queuedSince", names::instant, &mut problems);
        let log_group_name = fields.text("logGroupName", names::log_group, &mut problems);
        problems.into_result(settings.zip(log_group_name).map(|(settings, log_group_name)| Self {
            settings,
            log_group_name,
            placement,
            start_time,
            execution,
            queued_since,
        }))
    }

    /// Decides what to ask CloudWatch Logs for. `now` stands in for a missing `startTime`.
    pub fn export(&self, now: DateTime<Utc>) -> Result<Export, ExportError> {
        let start_time = self.start_time.unwrap_or(now);
        let month = self.settings.resolve_month(start_time);
        let window = self.settings.window(month, start_time)?;
        let destination_prefix = self
            .placement
            .render(&self.settings.s3_prefix, &self.log_group_name, month)
            .map_err(|problem| ExportError::new(crate::ErrorName::InvalidInput, problem))?;
        let complete = start_time >= window.complete_at();
        Ok(Export { month, window, destination_prefix, complete })
    }

    /// The same entry and window always give the same name, and another entry or window another one: by it a task is
    /// recognised as one's own, also when the answer that named its id was lost, or when another run created it.
    ///
    /// What an earlier run exported does not count where a new export is asked for, or where the month was not complete:
    /// then the name is the run's own.
    pub fn task_name(&self, export: &Export) -> String {
        let Window { from, to } = export.window;
        let run = (self.settings.force || !export.complete).then_some(self.execution.as_deref().unwrap_or_default());
        let identity = serde_json::json!([
            self.log_group_name,
            self.placement.log_stream_name_prefix,
            self.settings.s3_bucket_name,
            export.destination_prefix,
            from,
            to,
            run
        ]);
        let digest: String = Sha256::digest(identity.to_string()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("archive-{}-{digest}", export.month)
    }

    pub fn respond(&self, export: Export, task: Task, warnings: Vec<Warning>) -> Response {
        let (status, task_id, reason) = match task {
            Task::Created { task_id } => (Status::Created, Some(task_id), None),
            Task::Adopted { task_id } => (Status::Adopted, Some(task_id), None),
            Task::Skipped { reason } => (Status::Skipped, None, Some(reason)),
        };
        Response {
            s3_bucket_name: self.settings.s3_bucket_name.clone(),
            s3_prefix: self.settings.s3_prefix.clone(),
            log_group_name: self.log_group_name.clone(),
            log_stream_name_prefix: self.placement.log_stream_name_prefix.clone(),
            timezone: self.settings.timezone.name(),
            force: self.settings.force,
            allow_incomplete_month: self.settings.allow_incomplete_month,
            execution: self.execution.clone(),
            month: export.month,
            from: export.window.from,
            to: export.window.to,
            destination_prefix: export.destination_prefix,
            task_id,
            status,
            reason,
            warnings,
        }
    }
}

/// What is to be exported, and to where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub month: Month,
    pub window: Window,
    pub destination_prefix: String,
    /// Whether the month was over for 12 hours when the run started.
    pub complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    Created {
        task_id: String,
    },
    /// A task of the same name and window that is there already.
    Adopted {
        task_id: String,
    },
    Skipped {
        reason: SkipReason,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Created,
    Adopted,
    Skipped,
}

/// Why there is nothing to export. A skip is an outcome with a name, never a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SkipReason {
    /// The manifest says that the month is in the archive.
    AlreadyArchived,
    LogGroupNotFound,
    /// Made so long after the month that not even late events can be of it.
    CreatedAfterMonth,
    /// CloudWatch Logs exports log groups of the class Standard only.
    LogClassNotExportable,
    /// The newest event is older than the month.
    NoEventsInMonth,
}

impl SkipReason {
    pub const ALL: [Self; 5] =
        [Self::AlreadyArchived, Self::LogGroupNotFound, Self::CreatedAfterMonth, Self::LogClassNotExportable, Self::NoEventsInMonth];
}

/// Something a person should know about an export that goes ahead all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    pub name: WarningName,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum WarningName {
    /// Part of the month is deleted already.
    RetentionShorterThanMonth,
    /// The manifest that lay in the place was not of this month's whole export, and is replaced.
    ManifestReplaced,
    /// Another task's objects lie in the same place: a failed attempt's, or an earlier export's.
    OtherExportsPresent,
    /// Objects of log streams whose name begins with `_` or `.`: Athena passes over them.
    HiddenFromAthena,
}

impl WarningName {
    pub const ALL: [Self; 4] = [Self::RetentionShorterThanMonth, Self::ManifestReplaced, Self::OtherExportsPresent, Self::HiddenFromAthena];
}

/// The request's fields, and what was decided and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub s3_bucket_name: String,
    pub s3_prefix: String,
    pub log_group_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<String>,
    pub timezone: &'static str,
    pub force: bool,
    pub allow_incomplete_month: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    pub month: Month,
    pub from: i64,
    pub to: i64,
    pub destination_prefix: String,
    /// `null` when the entry was skipped.
    pub task_id: Option<String>,
    pub status: Status,
    /// `null` when a task was created.
    pub reason: Option<SkipReason>,
    pub warnings: Vec<Warning>,
}

#[cfg(test)]
mod tests;
