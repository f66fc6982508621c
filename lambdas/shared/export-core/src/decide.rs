//! What becomes of a log-group-month: the table of docs/architecture.md. Evidence in, verdicts out; no call in between.
//!
//! [`decide`] answers with verdicts, or with the evidence that it needs next, so that a call is made only where it matters. Before an
//! export it says what is not covered; with what a task wrote as evidence, it says what the archive records. Nothing else decides.

mod replace;
mod settle;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ExportError, Month, StreamPrefix, TaskId, Window,
    manifest::{Folder, Found, Outcome, Reason},
    place::{ManifestKey, Place},
    time::Millis,
    warning::{Warning, WarningName},
    window::LATE_EVENTS,
};

pub use replace::replaced_by_record;

/// `lastEventTimestamp` may be that of the event put last and not of the newest. It then lies at most this far behind the newest,
/// because no event is put later than 14 days after it happened.
const TIMESTAMP_MARGIN: TimeDelta = TimeDelta::days(15);

#[derive(Debug, Clone, PartialEq)]
pub struct Question<'a> {
    pub place: &'a Place,
    pub stream_prefix: Option<&'a StreamPrefix>,
    /// What is not covered is planned for this month.
    pub month: Month,
    /// The part of time that is asked about.
    pub window: Window,
    /// Ask only for what lies behind the first covered millisecond: the hole that a changed time zone left.
    pub after_first_covered: bool,
    /// With `force`: manifests older than this run cover nothing.
    pub force_since: Option<DateTime<Utc>>,
    /// Since when a run has planned this window: its log group existed then.
    pub planned_since: Option<DateTime<Utc>>,
    /// What earlier runs left says of it.
    pub remembered: Remembered,
    pub now: DateTime<Utc>,
}

/// What is known so far. `None` is what has not been asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The manifests of the place whose windows overlap the question's.
    pub manifests: Option<Vec<Found>>,
    pub log_group: Option<LogGroup>,
    pub newest_event: Option<NewestEvent>,
    /// Whether a log stream has the question's stream prefix.
    pub has_stream: Option<bool>,
    /// When the oldest task was created whose manifest the place has in the question's month or the one before.
    pub oldest_task: Option<Option<DateTime<Utc>>>,
    /// What a COMPLETED task for exactly the question's window wrote.
    pub export: Option<Export>,
    /// Whether an event of the question's streams is in its window, after a task that wrote nothing.
    pub any_event: Option<AnyEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogGroup {
    Absent,
    /// Absent, and no entry names it: only earlier runs knew it.
    Gone,
    Present {
        created: Option<Millis>,
        /// What counts: an account-level retention policy overrides the log group's own.
        retention_in_days: Option<i32>,
        /// The name of that policy.
        retention_policy: Option<String>,
        is_exportable: bool,
        /// Of all its events, as stored. It decides nothing: an estimate of what an export takes.
        #[serde(default)]
        stored_bytes: Option<u64>,
    },
}

impl LogGroup {
    /// At `at`, retention or the log group's deletion may have taken events of the window.
    pub(crate) fn may_have_expired(&self, window: Window, at: Millis) -> bool {
        match self {
            Self::Absent | Self::Gone => true,
            Self::Present { .. } => self.complete_from(window, at).is_some(),
        }
    }

    /// From when on retention has kept the events, where at `at` it may have deleted the beginning of the window.
    pub fn complete_from(&self, window: Window, at: Millis) -> Option<Millis> {
        let Self::Present { retention_in_days: Some(days), .. } = self else { return None };
        Some(at - TimeDelta::days((*days).into())).filter(|kept_from| window.from < *kept_from)
    }

    /// It does not hold what was in the window: it is gone, or was created after the window.
    fn is_of_a_later_life(&self, window: Window) -> bool {
        match self {
            Self::Absent | Self::Gone => true,
            Self::Present { created, .. } => created.is_some_and(|created| created > window.to),
        }
    }

    /// When it was created, if that is inside the window.
    fn created_in(&self, window: Window) -> Option<Millis> {
        let Self::Present { created: Some(created), .. } = self else { return None };
        Some(*created).filter(|created| window.from < *created && *created <= window.to)
    }
}

/// By the metadata of all log streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewestEvent {
    None,
    At(Millis),
    Unknown,
}

/// What FilterLogEvents says of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyEvent {
    None,
    Found,
    /// It came to no end.
    Unknown,
}

/// What earlier runs left says of a window and its log group. The manifests of the place can say more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remembered {
    /// An open window of an earlier run overlaps this one.
    pub is_open: bool,
    /// The oldest evidence that the log group existed: an open window of the place in the month or the one before, or the report of a
    /// scheduled run that found it before the window ended.
    pub seen_since: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub task_id: TaskId,
    pub folder: Folder,
    /// By CloudWatch's clock.
    pub created: Option<Millis>,
}

impl Export {
    /// Events of the window may have expired before the task exported them. Without the task's time, those of any retention may.
    fn may_lack_expired(&self, window: Window, log_group: &LogGroup) -> bool {
        log_group.may_have_expired(window, self.created.unwrap_or(Millis::LAST))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Manifests,
    LogGroup,
    NewestEvent,
    Stream,
    OldestTask,
    AnyEvent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub month: Month,
    pub window: Window,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Valid manifests cover it.
    Archived,
    /// It is not covered: a task is to export it.
    Export(Start),
    /// The export counts: its manifest is written, then those that it replaces are removed.
    Write {
        outcome: Outcome,
        replaces: Vec<ManifestKey>,
        warnings: Vec<Warning>,
    },
    /// The task's manifest, or one that says the same, is in place.
    Written(Outcome),
    /// There is nothing to export, now or ever: report-archive records it as `skipped` or `lost`.
    Record(Reason),
    /// No event yet, but one can still arrive.
    NothingYet,
    /// Nothing to export, and nothing to record but a warning.
    Warn(Warning),
    Fail(ExportError),
}

/// What is known of an export before it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// Retention has deleted the window up to here, or is about to.
    pub complete_from: Option<Millis>,
    pub warnings: Vec<Warning>,
}

pub fn decide(question: &Question, evidence: &Evidence) -> Result<Vec<Decision>, Need> {
    let found = evidence.manifests.as_ref().ok_or(Need::Manifests)?;
    let found: Vec<&Found> = found.iter().filter(|found| found.key.window.overlaps(question.window)).collect();
    let decision = |verdict| vec![Decision { month: question.month, window: question.window, verdict }];
    if let Some(error) = found.iter().find_map(|found| replace::unreadable(found)) {
        return Ok(decision(Verdict::Fail(error)));
    }
    if let Some(export) = &evidence.export {
        return settle::settle(question, &found, evidence, export).map(decision);
    }
    if let Some(error) = replace::overlapping(question, &found) {
        return Ok(decision(Verdict::Fail(error)));
    }
    if let Some(taken) = found.iter().find(|found| question.place_is_taken(found)) {
        return Ok(decision(Verdict::Fail(question.place_taken(taken))));
    }
    let windows = question.uncovered(&found);
    if windows.is_empty() {
        return Ok(decision(Verdict::Archived));
    }
    let verdicts = windows.into_iter().map(|(month, window, holder)| {
        // What is wrong covers nothing, but an export replaces the task that it names only if it has all of it.
        let claims = || found.iter().copied().filter(|found| found.key.window.overlaps(window) && found.is_claim());
        let verdict = match claims().find(|found| !window.contains(found.key.window)) {
            Some(claim) => Verdict::Fail(replace::overlap_refused(claim, question.place, window)),
            None => before_export(question, window, holder.or_else(|| claims().next()), evidence)?,
        };
        Ok(Decision { month, window, verdict })
    });
    verdicts.collect()
}

/// What valid manifests that answer the question cover of its window, and what they do not.
pub fn uncovered_by(question: &Question, found: &[Found]) -> Vec<Window> {
    let covering: Vec<Window> = found.iter().filter(|found| question.is_covering(found)).map(|found| found.key.window).collect();
    question.window.without(&covering)
}

/// One window that is not covered. `holder`: a task's manifest has this window already, and only an export, or Damaged, can replace it.
fn before_export(question: &Question, window: Window, holder: Option<&Found>, evidence: &Evidence) -> Result<Verdict, Need> {
    let name = &question.place.log_group;
    let log_group = evidence.log_group.as_ref().ok_or(Need::LogGroup)?;
    let is_of_a_later_life = log_group.is_of_a_later_life(window);
    if let Some(holder) = holder {
        let cannot = |why: &str| Verdict::Fail(replace::no_export_can_replace(&format!("log group {name} {why}"), window));
        return Ok(match log_group {
            _ if is_of_a_later_life && holder.is_damaged() && holder.key.window == window => Verdict::Record(Reason::Damaged),
            LogGroup::Absent | LogGroup::Gone => cannot("does not exist"),
            LogGroup::Present { is_exportable: false, .. } => cannot(NOT_EXPORTABLE),
            LogGroup::Present { created: Some(created), .. } if *created > window.to + LATE_EVENTS => {
                cannot("was created anew after this window")
            }
            LogGroup::Present { .. } => start(question, window, log_group, evidence)?,
        });
    }
    if is_of_a_later_life && question.existed_before(log_group, evidence)? {
        return Ok(Verdict::Record(Reason::LogGroupDeleted));
    }
    let warn = |warning, why: &str| Verdict::Warn(Warning::new(warning, format!("log group {name} {why}")));
    match log_group {
        LogGroup::Absent => return Ok(warn(WarningName::LogGroupNotFound, "does not exist")),
        LogGroup::Gone => return Ok(Verdict::NothingYet),
        LogGroup::Present { is_exportable: false, .. } => return Ok(warn(WarningName::LogClassNotExportable, NOT_EXPORTABLE)),
        LogGroup::Present { created: Some(created), .. } if *created > window.to + LATE_EVENTS => {
            return Ok(Verdict::Record(Reason::CreatedAfterMonth));
        }
        LogGroup::Present { .. } => {}
    }
    let none_in_window = match evidence.newest_event.ok_or(Need::NewestEvent)? {
        NewestEvent::None => true,
        NewestEvent::At(newest) => newest < window.from - TIMESTAMP_MARGIN,
        NewestEvent::Unknown => false,
    };
    // What a log group held that had the name before, today's log streams do not tell.
    let was_created_anew = log_group.created_in(window).is_some() && question.existed_before(log_group, evidence)?;
    if none_in_window && !question.remembered.is_open && !was_created_anew {
        let is_settled = question.now >= window.end() + LATE_EVENTS;
        return Ok(if is_settled { Verdict::Record(Reason::NoEventsInMonth) } else { Verdict::NothingYet });
    }
    match question.stream_prefix {
        Some(prefix) if !evidence.has_stream.ok_or(Need::Stream)? => {
            Ok(warn(WarningName::NoStreamHasPrefix, &format!("has no log stream with the prefix {prefix}")))
        }
        _ => start(question, window, log_group, evidence),
    }
}

/// An export, with what is known to be missing from it. What is left is worth exporting all the same.
fn start(question: &Question, window: Window, log_group: &LogGroup, evidence: &Evidence) -> Result<Verdict, Need> {
    let mut warnings = Vec::new();
    let complete_from = log_group.complete_from(window, Millis::of(question.now));
    if let (Some(from), LogGroup::Present { retention_in_days: Some(days), retention_policy, .. }) = (complete_from, log_group) {
        let whose = retention_policy.as_ref().map_or("the log group".to_owned(), |policy| format!("the account-level policy {policy}"));
        let message = format!(
            "{whose} keeps events for {days} days: those before {from} are deleted or about to be, and may be missing from the archive; keep \
             them for 60 days or more to export whole months"
        );
        warnings.push(Warning::new(WarningName::RetentionShorterThanMonth, message));
    }
    if let Some(created) = log_group.created_in(window) {
        let earlier = match question.existed_before(log_group, evidence)? {
            true => "; the events of the log group that had its name before are lost",
            false => "",
        };
        let message = format!("the log group was created at {created}, inside the window{earlier}");
        warnings.push(Warning::new(WarningName::CreatedDuringMonth, message));
    }
    Ok(Verdict::Export(Start { complete_from, warnings }))
}

pub const NOT_EXPORTABLE: &str = "is not of the class Standard, and CloudWatch Logs exports no other";

/// What an export of exactly the question's window does to a manifest that overlaps it.
enum Replaces<'a> {
    /// It says the same already.
    Nothing,
    Freely,
    /// Only if the new export has what still lies in the old task's folder.
    IfNotSmaller(&'a Folder),
    Refused(ExportError),
}

impl Question<'_> {
    /// A newest event before this instant proves that no event is in the window.
    pub fn newest_event_matters_since(&self) -> Millis {
        self.window.from - TIMESTAMP_MARGIN
    }

    /// The log group existed once, and is not what has its name today. Evidence of today's log group proves nothing about an earlier one.
    fn existed_before(&self, log_group: &LogGroup, evidence: &Evidence) -> Result<bool, Need> {
        let oldest = [self.seen_since(evidence)?, self.planned_since].into_iter().flatten().min();
        Ok(match log_group {
            LogGroup::Present { created: Some(created), .. } => oldest.is_some_and(|oldest| Millis::of(oldest) < *created),
            _ => oldest.is_some(),
        })
    }

    fn seen_since(&self, evidence: &Evidence) -> Result<Option<DateTime<Utc>>, Need> {
        let of_task = evidence.oldest_task.ok_or(Need::OldestTask)?;
        Ok([self.remembered.seen_since, of_task].into_iter().flatten().min())
    }

    /// The windows that no valid manifest covers, each with its month and the task's manifest that has it. A manifest that an export
    /// can replace is planned with its own bounds, so that its successor fits it exactly.
    fn uncovered<'a>(&self, found: &[&'a Found]) -> Vec<(Month, Window, Option<&'a Found>)> {
        let own: Vec<&'a Found> = found.iter().copied().filter(|found| found.manifest().is_some()).collect();
        let (covering, replaced): (Vec<_>, Vec<_>) = own.into_iter().partition(|found| self.is_covering(found));
        let windows = |found: &[&Found]| found.iter().map(|found| found.key.window).collect::<Vec<_>>();
        // What is exported again is covered when this run ends.
        let held = [windows(&covering), windows(&replaced)].concat();
        let mut uncovered = self.window.without(&held);
        if self.after_first_covered {
            let first = held.iter().map(|window| window.from).min();
            uncovered.retain(|window| first.is_some_and(|first| window.from > first));
        }
        // So far back, damage is repaired, and nothing else is exported again.
        let replaced = replaced.into_iter().filter(|found| !self.after_first_covered || found.is_damaged());
        let replaced = replaced.map(|found| {
            // What holds nothing gives way to whatever is known of all the streams that are asked for.
            let holds = |found: &Found| self.answers(found) || !found.manifest().is_some_and(|manifest| manifest.holds_nothing());
            let holder = Some(found).filter(|found| found.content.task_id().is_some() && (holds(found) || found.is_damaged()));
            (found.month(), found.key.window, holder)
        });
        replaced.chain(uncovered.into_iter().map(|window| (self.month, window, None))).collect()
    }

    fn is_covering(&self, found: &Found) -> bool {
        let is_new = |since| found.manifest().and_then(|manifest| manifest.created_at()).is_some_and(|created| created >= since);
        found.is_valid() && self.answers(found) && self.force_since.is_none_or(is_new)
    }

    fn answers(&self, found: &Found) -> bool {
        found.manifest().is_some_and(|manifest| StreamPrefix::includes(manifest.log_stream_name_prefix.as_ref(), self.stream_prefix))
    }
}

#[cfg(test)]
mod tests;
