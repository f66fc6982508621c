//! Warnings: what a person should know about a log-group-month that did not fail. The names are API, as the names of errors are.
//!
//! Every warning is written here, whoever raises it. `docs/operations.md` explains each name.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    LogGroupName, Month, StreamPrefix, Window,
    decide::NOT_EXPORTABLE,
    entry::{Entry, Selector},
    error::ExportError,
    manifest::{FolderContents, FoundManifest},
    place::ManifestKey,
    time::Millis,
};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    pub name: WarningName,
    pub message: String,
}

/// In the order of a notification: the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WarningName {
    /// A log group was deleted before its last events were archived: these events are lost.
    LogGroupDeleted,
    /// Retention had deleted the events before the first run.
    ExpiredBeforeFirstRun,
    /// Retention has deleted part of the window.
    RetentionShorterThanMonth,
    /// The log group was created inside the window. Events of an earlier log group of this name are not archived.
    CreatedDuringMonth,
    /// The name of a log stream begins with `_` or `.`: Athena does not read its objects.
    HiddenFromAthena,
    /// The objects of a valid manifest changed after it was written. Their number and bytes are the same.
    ObjectsChanged,
    /// The new export has fewer bytes than the manifest that it replaces states.
    SmallerThanBefore,
    /// No entry of the list matches an open window any more. It stays open, is not exported and is not counted.
    NotAsked,
    /// The list needs most of the export slot's time, or more than that.
    SlotNearlyFull,
    /// A named log group does not exist.
    LogGroupNotFound,
    /// CloudWatch Logs exports log groups of the class Standard only.
    LogClassNotExportable,
    /// An entry matches no log group.
    EntryMatchesNothing,
    /// The log group has no log stream with the entry's prefix.
    NoStreamHasPrefix,
    /// An entry is given twice.
    EntryRepeated,
    /// An open window in `missing/` cannot be read: it is counted as missing.
    OpenWindowUnreadable,
    /// The results of a round cannot be read: the run looked at the archive instead.
    ResultsUnreadable,
    /// A scheduled run started before its due month was complete, and left the month to the next run.
    MonthNotComplete,
    /// A run with a later scheduledTime has ended: this run counts as a run by hand.
    ScheduledTimeOvertaken,
}

impl WarningName {
    pub fn as_str(self) -> String {
        format!("{self:?}")
    }

    /// Whether each run repeats the warning until somebody acts. All other warnings tell what one run did.
    pub fn is_repeated_until_fixed(self) -> bool {
        use WarningName::*;
        match self {
            ObjectsChanged
            | SlotNearlyFull
            | LogGroupNotFound
            | LogClassNotExportable
            | EntryMatchesNothing
            | NoStreamHasPrefix
            | EntryRepeated
            | OpenWindowUnreadable => true,
            LogGroupDeleted
            | ExpiredBeforeFirstRun
            | RetentionShorterThanMonth
            | CreatedDuringMonth
            | HiddenFromAthena
            | SmallerThanBefore
            | NotAsked
            | ResultsUnreadable
            | MonthNotComplete
            | ScheduledTimeOvertaken => false,
        }
    }
}

impl Warning {
    pub fn new(name: WarningName, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }

    /// The same warning, with its log-group-month in front of the message.
    #[must_use]
    pub fn of_month(self, log_group: &LogGroupName, month: Month) -> Self {
        Self { message: format!("{log_group} {month}: {}", self.message), ..self }
    }

    pub fn log_group_deleted() -> Self {
        Self::new(WarningName::LogGroupDeleted, "the log group was deleted before it was archived, so its last events are lost")
    }

    pub fn expired_before_first_run() -> Self {
        let message = "the export wrote nothing, and retention may have deleted the events before the first run";
        Self::new(WarningName::ExpiredBeforeFirstRun, message)
    }

    /// `account_policy`: the account-level policy that sets the retention. `kept_from`: retention keeps the events from here on.
    pub fn retention_shorter_than_month(account_policy: Option<&str>, days: i32, kept_from: Millis) -> Self {
        let owner = account_policy.map_or("the log group".to_owned(), |policy| format!("the account-level policy {policy}"));
        let message = format!(
            "{owner} keeps events for {days} days. Events before {kept_from} are deleted or about to be deleted, and may be missing from the \
             archive. To export whole months, keep events for 60 days or more"
        );
        Self::new(WarningName::RetentionShorterThanMonth, message)
    }

    /// `was_recreated`: an earlier log group had the same name.
    pub fn created_during_month(created: Millis, was_recreated: bool) -> Self {
        let lost = if was_recreated { "; the events of the earlier log group of this name are lost" } else { "" };
        Self::new(WarningName::CreatedDuringMonth, format!("the log group was created at {created}, inside the window{lost}"))
    }

    /// `None`: Athena reads all objects of the folder.
    pub fn hidden_from_athena(folder: &FolderContents) -> Option<Self> {
        let FolderContents { objects, hidden_objects, .. } = folder;
        let message = format!(
            "{hidden_objects} of {objects} objects are of log streams whose name begins with _ or .: they are archived, but Athena does not \
             read them"
        );
        (*hidden_objects > 0).then(|| Self::new(WarningName::HiddenFromAthena, message))
    }

    pub fn objects_changed(manifest: &ManifestKey) -> Self {
        let message = format!("the objects of manifest {manifest} changed after it was written; their number and bytes are the same");
        Self::new(WarningName::ObjectsChanged, message)
    }

    /// `None`: the new folder has at least the bytes that the old manifest states.
    pub fn smaller_than_before(old: &FoundManifest, new_task: &str, folder: &FolderContents) -> Option<Self> {
        let stated = old.manifest().map(|manifest| manifest.bytes).filter(|stated| *stated > folder.bytes)?;
        let message = format!(
            "manifest {} states {stated} bytes of task {}, but the new task {new_task} wrote {} bytes",
            old.key,
            old.task_id_text(),
            folder.bytes
        );
        Some(Self::new(WarningName::SmallerThanBefore, message))
    }

    pub fn not_asked() -> Self {
        Self::new(WarningName::NotAsked, "no entry matches it any more, so it stays open and is not counted")
    }

    /// `None`: the list leaves enough of the slot's time in this month.
    pub fn slot_nearly_full(needed: TimeDelta, month: Window) -> Option<Self> {
        /// A list that needs more of the slot's time is soon too long.
        const NEARLY_FULL: f64 = 0.8;
        let days = |time: TimeDelta| time.as_seconds_f64() / TimeDelta::days(1).as_seconds_f64();
        let (needed, available) = (days(needed), days(month.duration()));
        let message = format!("this list needs {needed:.0} days of the export slot in a month of {available:.0} days");
        (needed >= NEARLY_FULL * available).then(|| Self::new(WarningName::SlotNearlyFull, message))
    }

    pub fn log_group_not_found(log_group: &LogGroupName) -> Self {
        Self::new(WarningName::LogGroupNotFound, format!("log group {log_group} does not exist"))
    }

    pub fn log_class_not_exportable(log_group: &LogGroupName) -> Self {
        Self::new(WarningName::LogClassNotExportable, format!("log group {log_group} {NOT_EXPORTABLE}"))
    }

    /// `None` for an entry that names a log group: that one is `LogGroupNotFound`.
    pub fn entry_matches_nothing(entry: &Entry) -> Option<Self> {
        let Selector::Prefix { log_group_name_prefix, exclude } = &entry.selector else { return None };
        let without = if exclude.is_empty() { String::new() } else { format!(" without {}", exclude.join(", ")) };
        let message = format!("the entry {log_group_name_prefix}*{without} matches no log group");
        Some(Self::new(WarningName::EntryMatchesNothing, message))
    }

    pub fn no_stream_has_prefix(log_group: &LogGroupName, prefix: &StreamPrefix) -> Self {
        let message = format!("log group {log_group} has no log stream with the prefix {prefix}");
        Self::new(WarningName::NoStreamHasPrefix, message)
    }

    pub fn entry_repeated(index: usize, first: usize) -> Self {
        let message = format!("logGroups[{index}] is the same as logGroups[{first}], and counts once");
        Self::new(WarningName::EntryRepeated, message)
    }

    pub fn open_window_unreadable(why: &str) -> Self {
        Self::new(WarningName::OpenWindowUnreadable, why)
    }

    pub fn round_results_unreadable(why: &str) -> Self {
        let message = format!("the results of a round cannot be read, so the run looked at the archive alone: {why}");
        Self::new(WarningName::ResultsUnreadable, message)
    }

    pub fn plan_unreadable(why: &str) -> Self {
        Self::new(WarningName::ResultsUnreadable, format!("what the run decided cannot be read: {why}"))
    }

    pub fn month_not_complete(refusal: ExportError) -> Self {
        Self::new(WarningName::MonthNotComplete, refusal.message)
    }

    pub fn scheduled_time_overtaken() -> Self {
        let message = "scheduledTime is older than that of a scheduled run that has ended: this run counts as a run by hand";
        Self::new(WarningName::ScheduledTimeOvertaken, message)
    }
}
