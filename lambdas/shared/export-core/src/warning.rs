//! What a person should know about a log-group-month that does not fail. The names are API, as those of the errors are.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    pub name: WarningName,
    pub message: String,
}

impl Warning {
    pub fn new(name: WarningName, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WarningName {
    // The gravest first: a notification shows them in this order.
    /// A log group was deleted before the last of its events were archived: they are lost.
    LogGroupDeleted,
    /// Retention had deleted the events before the first run.
    ExpiredBeforeFirstRun,
    /// Retention has deleted part of the window.
    RetentionShorterThanMonth,
    /// The log group was created inside the window: what an earlier log group of its name held is not in the archive.
    CreatedDuringMonth,
    /// Objects of log streams whose name begins with `_` or `.`: Athena passes over them.
    HiddenFromAthena,
    /// A valid manifest's objects have other contents than when it was written, with the same number and bytes.
    ObjectsChanged,
    /// The new export has fewer bytes than the manifest that it replaces stated.
    SmallerThanBefore,
    /// No entry of the list asks for an open window any more: it is kept, not exported, and not counted.
    NotAsked,
    /// The list needs most of the export slot's time, or more than there is.
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
    /// The results of a round cannot be read; the run looked at the archive instead.
    ResultsUnreadable,
    /// A scheduled run started before its due month was complete, and left it to the next.
    MonthNotComplete,
    /// The input has a scheduledTime that a later scheduled run has overtaken: this run counts as one by hand.
    ScheduledTimeOvertaken,
}

impl WarningName {
    pub fn as_str(self) -> String {
        format!("{self:?}")
    }
}
