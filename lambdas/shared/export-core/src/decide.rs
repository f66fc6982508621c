//! What becomes of a log-group-month: the table of docs/architecture.md. Evidence in, verdicts out; no call in between.
//!
//! [`decide`] answers with verdicts, or with the evidence that it needs next, so that a call is made only where it matters. Before an
//! export it says what is not covered; with what a task wrote as evidence, it says what the archive records. Nothing else decides.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ErrorName, ExportError, Month, StreamPrefix, TaskId, Window,
    manifest::{Content, Folder, Found, Outcome, SkipReason},
    place::{ManifestKey, Place},
    time::Millis,
    warning::{Warning, WarningName},
    window::LATE_EVENTS,
};

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
    pub now: DateTime<Utc>,
}

/// What is known so far. `None` is what has not been asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The manifests of the place whose windows overlap the question's.
    pub manifests: Option<Vec<Found>>,
    pub log_group: Option<LogGroup>,
    pub newest_event: Option<NewestEvent>,
    /// What a COMPLETED task for exactly the question's window wrote.
    pub export: Option<Export>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogGroup {
    Absent,
    Present { created: Option<Millis>, retention_in_days: Option<i32>, is_exportable: bool },
}

/// By the metadata of all log streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewestEvent {
    None,
    At(Millis),
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub task_id: TaskId,
    pub folder: Folder,
    /// By CloudWatch's clock.
    pub created: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Manifests,
    LogGroup,
    NewestEvent,
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
    Export,
    /// The export counts: its manifest is written, then those that it replaces are removed.
    Write {
        outcome: Outcome,
        replaces: Vec<ManifestKey>,
        warnings: Vec<Warning>,
    },
    /// The task's manifest, or one that says the same, is in place.
    Written(Outcome),
    /// There is certainly nothing to export: a manifest says so.
    Skip(SkipReason),
    /// No event yet, but one can still arrive.
    NothingYet,
    /// Nothing to export, and nothing to record but a warning.
    Warn(Warning),
    Fail(ExportError),
}

pub fn decide(question: &Question, evidence: &Evidence) -> Result<Vec<Decision>, Need> {
    let found = evidence.manifests.as_ref().ok_or(Need::Manifests)?;
    let found: Vec<&Found> = found.iter().filter(|found| found.key.window.overlaps(question.window)).collect();
    let decision = |verdict| vec![Decision { month: question.month, window: question.window, verdict }];
    if let Some(error) = found.iter().find_map(|found| unreadable(found)) {
        return Ok(decision(Verdict::Fail(error)));
    }
    if let Some(export) = &evidence.export {
        return settle(question, &found, evidence.log_group.as_ref(), export).map(decision);
    }
    if let Some(error) = overlapping(question, &found) {
        return Ok(decision(Verdict::Fail(error)));
    }
    if let Some(taken) = found.iter().find(|found| question.place_is_taken(found)) {
        return Ok(decision(Verdict::Fail(question.place_taken(taken))));
    }
    let windows = question.uncovered(&found);
    if windows.is_empty() {
        return Ok(decision(Verdict::Archived));
    }
    let verdicts = windows.into_iter().map(|(month, window, has_task)| {
        // What is wrong covers nothing, but an export replaces the task that it names only if it has all of it.
        let claims = || found.iter().filter(|found| found.key.window.overlaps(window) && found.is_claim());
        let verdict = match claims().find(|found| !window.contains(found.key.window)) {
            Some(claim) => Verdict::Fail(overlap_refused(claim, question.place, window)),
            None => before_export(question, window, has_task || claims().next().is_some(), evidence)?,
        };
        Ok(Decision { month, window, verdict })
    });
    verdicts.collect()
}

/// One window that is not covered. `has_task`: a manifest of a task has this window already, and only an export can replace it.
fn before_export(question: &Question, window: Window, has_task: bool, evidence: &Evidence) -> Result<Verdict, Need> {
    let name = &question.place.log_group;
    let cannot = |warning: WarningName, why: &str| {
        let message = format!("log group {name} {why}");
        if has_task { Verdict::Fail(no_export_can_replace(&message, window)) } else { Verdict::Warn(Warning::new(warning, message)) }
    };
    let created = match evidence.log_group.as_ref().ok_or(Need::LogGroup)? {
        LogGroup::Absent => return Ok(cannot(WarningName::LogGroupNotFound, "does not exist")),
        LogGroup::Present { is_exportable: false, .. } => {
            return Ok(cannot(WarningName::LogClassNotExportable, "is not of the class Standard, and CloudWatch Logs exports no other"));
        }
        LogGroup::Present { created, .. } => *created,
    };
    if created.is_some_and(|created| created > window.to + LATE_EVENTS) {
        return Ok(match has_task {
            true => Verdict::Fail(no_export_can_replace(&format!("log group {name} was created anew after this window"), window)),
            false => Verdict::Skip(SkipReason::CreatedAfterMonth),
        });
    }
    if has_task {
        return Ok(Verdict::Export);
    }
    let none_in_window = match evidence.newest_event.ok_or(Need::NewestEvent)? {
        NewestEvent::None => true,
        NewestEvent::At(newest) => newest < window.from - TIMESTAMP_MARGIN,
        NewestEvent::Unknown => false,
    };
    Ok(match none_in_window {
        true if question.now >= window.end() + LATE_EVENTS => Verdict::Skip(SkipReason::NoEventsInMonth),
        true => Verdict::NothingYet,
        false => Verdict::Export,
    })
}

/// What the archive records of a task that is COMPLETED.
fn settle(question: &Question, found: &[&Found], log_group: Option<&LogGroup>, export: &Export) -> Result<Verdict, Need> {
    let outcome = if export.folder.objects > 0 { Outcome::Exported } else { Outcome::Empty };
    let is_own = |found: &Found| {
        found.key.window == question.window && found.manifest().is_some() && found.content.task_id() == Some(&export.task_id)
    };
    // Also where its own manifest lies there already: the call before this one may have ended before it removed the others.
    let (own, others): (Vec<&Found>, Vec<&Found>) = found.iter().partition(|found| is_own(found));
    if !own.is_empty() && others.is_empty() {
        return Ok(Verdict::Written(outcome));
    }
    let mut replaces = Vec::new();
    let mut warnings = Vec::new();
    for old in others {
        match question.replaces(old, outcome) {
            Replaces::Nothing => return Ok(Verdict::Written(outcome)),
            Replaces::Refused(error) => return Ok(Verdict::Fail(error)),
            Replaces::Freely => {}
            Replaces::IfNotSmaller(lies) => {
                let strict = retention_may_have_deleted(question.window, log_group.ok_or(Need::LogGroup)?, export);
                if let Some(error) = smaller(old, lies, export, strict) {
                    return Ok(Verdict::Fail(error));
                }
                warnings.extend(smaller_than_before(old, export));
            }
        }
        replaces.push(old.key.clone());
    }
    if outcome == Outcome::Exported {
        return Ok(Verdict::Write { outcome, replaces, warnings });
    }
    let log_group = log_group.ok_or(Need::LogGroup)?;
    Ok(match log_group {
        LogGroup::Absent => Verdict::Warn(Warning::new(
            WarningName::LogGroupNotFound,
            format!("log group {} was deleted before its export wrote anything", question.place.log_group),
        )),
        _ if retention_may_have_deleted(question.window, log_group, export) => Verdict::Skip(SkipReason::ExpiredBeforeFirstRun),
        _ => Verdict::Write { outcome, replaces, warnings },
    })
}

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

    /// The windows that no valid manifest covers, each with its month and whether a task's manifest has it. A manifest that an export
    /// can replace is planned with its own bounds, so that its successor fits it exactly.
    fn uncovered(&self, found: &[&Found]) -> Vec<(Month, Window, bool)> {
        let own: Vec<&&Found> = found.iter().filter(|found| found.manifest().is_some()).collect();
        let (covering, replaced): (Vec<_>, Vec<_>) = own.into_iter().partition(|found| self.is_covering(found));
        let windows = |found: &[&&Found]| found.iter().map(|found| found.key.window).collect::<Vec<_>>();
        // What is exported again is covered when this run ends.
        let held = [windows(&covering), windows(&replaced)].concat();
        let mut uncovered = self.window.without(&held);
        if self.after_first_covered {
            let first = held.iter().map(|window| window.from).min();
            uncovered.retain(|window| first.is_some_and(|first| window.from > first));
        }
        let replaced = replaced.into_iter().map(|found| (found.month(), found.key.window, found.content.task_id().is_some()));
        replaced.chain(uncovered.into_iter().map(|window| (self.month, window, false))).collect()
    }

    fn is_covering(&self, found: &Found) -> bool {
        let is_new = |since| found.manifest().and_then(|manifest| manifest.created_at()).is_some_and(|created| created >= since);
        found.is_valid() && self.answers(found) && self.force_since.is_none_or(is_new)
    }

    fn answers(&self, found: &Found) -> bool {
        found.manifest().is_some_and(|manifest| StreamPrefix::includes(manifest.log_stream_name_prefix.as_ref(), self.stream_prefix))
    }

    /// The place holds a task's manifest that does not cover this, and no export of this entry's streams can replace it.
    fn place_is_taken(&self, found: &Found) -> bool {
        self.is_narrower(found) && !self.is_covering(found)
    }

    /// An export replaces a task's manifest only if it includes its streams: what a narrower one leaves out would be covered no more.
    fn is_narrower(&self, found: &Found) -> bool {
        let held = found.manifest().filter(|manifest| manifest.task_id.is_some());
        held.is_some_and(|held| !StreamPrefix::includes(self.stream_prefix, held.log_stream_name_prefix.as_ref()))
    }

    fn place_taken(&self, found: &Found) -> ExportError {
        let prefix = |prefix: Option<&StreamPrefix>| {
            prefix.map_or("no log stream prefix".to_owned(), |prefix| format!("log stream prefix {prefix}"))
        };
        let held = found.manifest().and_then(|manifest| manifest.log_stream_name_prefix.as_ref());
        ExportError::new(
            ErrorName::PlaceTaken,
            format!(
                "manifest {} of log group {} is of an export with {}, and this one is with {}: give the entry another s3Prefix",
                found.key,
                self.place.log_group,
                prefix(held),
                prefix(self.stream_prefix)
            ),
        )
    }

    /// What an export of exactly this window does to an overlapping manifest.
    fn replaces<'a>(&self, old: &'a Found, outcome: Outcome) -> Replaces<'a> {
        let holds_nothing = old.is_valid() && old.manifest().is_some_and(|manifest| manifest.outcome != Outcome::Exported);
        if holds_nothing && outcome != Outcome::Exported && self.answers(old) && old.key.window.contains(self.window) {
            return Replaces::Nothing;
        }
        if self.is_narrower(old) {
            return Replaces::Refused(self.place_taken(old));
        }
        let lies = match (old.manifest(), old.folder()) {
            (None, _) if !old.is_claim() => return Replaces::Freely,
            _ if holds_nothing => {
                let is_replaced = self.window.contains(old.key.window) && (outcome == Outcome::Exported || !self.answers(old));
                return if is_replaced { Replaces::Freely } else { Replaces::Refused(overlap_refused(old, self.place, self.window)) };
            }
            (_, lies) => lies,
        };
        let fits = if old.is_valid() { old.key.window == self.window } else { self.window.contains(old.key.window) };
        match lies {
            _ if outcome != Outcome::Exported => Replaces::Refused(ExportError::new(
                ErrorName::SmallerExport,
                format!(
                    "the new export wrote nothing, and manifest {} of log group {} has a task: it stays",
                    old.key, self.place.log_group
                ),
            )),
            Some(lies) if fits => Replaces::IfNotSmaller(lies),
            _ => Replaces::Refused(overlap_refused(old, self.place, self.window)),
        }
    }
}

/// Which manifests give way to one that says `skipped` for the question's window: none that is good, or that a task stands behind.
/// `None` where one of those lies there, and the skip is not written.
pub fn replaced_by_skip(question: &Question, found: &[Found]) -> Option<Vec<ManifestKey>> {
    let overlapping = found.iter().filter(|found| found.key.window.overlaps(question.window));
    let gives_way = |found: &Found| match (&found.content, found.manifest()) {
        (Content::Unreadable(_), _) => false,
        (_, Some(manifest)) => {
            manifest.outcome == Outcome::Skipped && !question.answers(found) && question.window.contains(found.key.window)
        }
        (_, None) => !found.is_claim(),
    };
    overlapping.map(|found| gives_way(found).then(|| found.key.clone())).collect()
}

fn unreadable(found: &Found) -> Option<ExportError> {
    let Content::Unreadable(why) = &found.content else { return None };
    let message = format!("manifest {} cannot be read, so nothing is exported in its place: {why}", found.key);
    Some(ExportError::new(ErrorName::ArchiveUnreadable, message))
}

/// Two manifests of the same time. Whoever wrote the second one ended before it could look at the first; or somebody put it there.
fn overlapping(question: &Question, found: &[&Found]) -> Option<ExportError> {
    let fitting: Vec<&Found> = found.iter().filter(|found| found.manifest().is_some()).copied().collect();
    let pairs = fitting.iter().enumerate().flat_map(|(index, one)| fitting[index + 1..].iter().map(move |other| (one, other)));
    let (one, other) = pairs.into_iter().find(|(one, other)| one.key.window.overlaps(other.key.window))?;
    let message =
        format!("manifests {} and {} of log group {} overlap: one of them is too many", one.key, other.key, question.place.log_group);
    Some(ExportError::new(ErrorName::OverlapRefused, message))
}

fn no_export_can_replace(why: &str, Window { from, to }: Window) -> ExportError {
    let message = format!("no export can replace the manifest for {from} to {to}: {why}");
    ExportError::new(ErrorName::SmallerExport, message)
}

fn overlap_refused(old: &Found, place: &Place, Window { from, to }: Window) -> ExportError {
    let message = format!(
        "the window {from} to {to} of log group {} overlaps manifest {}, whose window is {} to {}",
        place.log_group, old.key, old.key.window.from, old.key.window.to
    );
    ExportError::new(ErrorName::OverlapRefused, message)
}

/// The window begins before the task's creation minus the retention. Without the log group or the time, it may.
fn retention_may_have_deleted(window: Window, log_group: &LogGroup, export: &Export) -> bool {
    match log_group {
        LogGroup::Absent => true,
        LogGroup::Present { retention_in_days: None, .. } => false,
        LogGroup::Present { retention_in_days: Some(days), .. } => {
            export.created.is_none_or(|created| window.from < created - TimeDelta::days((*days).into()))
        }
    }
}

/// The new export must have what still lies in the old task's folder, log stream by log stream: 95 % of the bytes, because compression
/// varies, and all of them where retention may have deleted events.
fn smaller(old: &Found, lies: &Folder, export: &Export, strict: bool) -> Option<ExportError> {
    let percent = if strict { 100 } else { 95 };
    let is_smaller = |(stream, bytes): &(&String, &u64)| {
        let new = export.folder.streams.get(*stream).copied().unwrap_or_default();
        u128::from(new) * 100 < u128::from(**bytes) * percent
    };
    let (stream, bytes) = lies.streams.iter().find(is_smaller)?;
    let new = export.folder.streams.get(stream).copied().unwrap_or_default();
    let message = format!(
        "log stream folder {stream} has {bytes} bytes in the folder of task {} of manifest {}, and {new} in that of the new task {}: the old \
         manifest stays",
        old.content.task_id().map(TaskId::as_str).unwrap_or_default(),
        old.key,
        export.task_id
    );
    Some(ExportError::new(ErrorName::SmallerExport, message))
}

fn smaller_than_before(old: &Found, export: &Export) -> Option<Warning> {
    let stated = old.manifest().map(|manifest| manifest.bytes).filter(|stated| *stated > export.folder.bytes)?;
    let message = format!(
        "manifest {} stated {stated} bytes of task {}, and the new task {} wrote {}",
        old.key,
        old.content.task_id().map(TaskId::as_str).unwrap_or_default(),
        export.task_id,
        export.folder.bytes
    );
    Some(Warning::new(WarningName::SmallerThanBefore, message))
}

#[cfg(test)]
mod tests;
