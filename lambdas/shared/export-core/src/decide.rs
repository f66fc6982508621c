//! What becomes of a log-group-month: the table of docs/architecture.md. Evidence goes in, verdicts come out.
//!
//! [`decide`] answers with verdicts, or with the evidence that it needs next. So a call is made only where its answer matters. Before an
//! export, `decide` says what is not covered. After a COMPLETED task, it says what the archive records. Nothing else decides.
//!
//! **Invariant:** no call to AWS lies inside a decision.

mod completed;
mod evidence;
mod question;
mod replace;

use crate::{
    ExportError, Month, Window,
    manifest::{FoundManifest, Outcome, Reason},
    place::ManifestKey,
    time::Millis,
    warning::Warning,
    window::LATE_EVENTS,
};

pub use evidence::{CompletedExport, EventSearch, Evidence, LogGroup, NOT_EXPORTABLE, Need, NewestEvent, WindowHistory};
pub use question::{Question, uncovered_by};
use question::{TIMESTAMP_MARGIN, UncoveredWindow};
pub use replace::replaced_by_record;

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
    /// It is not covered: a task has to export it.
    Export(KnownGaps),
    /// The export counts: write its manifest, then remove the manifests that it replaces.
    Write {
        outcome: Outcome,
        replaces: Vec<ManifestKey>,
        warnings: Vec<Warning>,
    },
    /// The task's manifest, or one that says the same, is in place.
    Written(Outcome),
    /// There is nothing to export, now or later: report-archive records it as `skipped` or `lost`.
    Record(Reason),
    /// There is no event yet, but one can still arrive.
    NothingYet,
    /// There is nothing to export, and only a warning to record.
    Warn(Warning),
    Fail(ExportError),
}

/// What is known to be missing from an export before it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownGaps {
    /// Retention has deleted the window up to here, or is about to.
    pub complete_from: Option<Millis>,
    pub warnings: Vec<Warning>,
}

pub fn decide(question: &Question, evidence: &Evidence) -> Result<Vec<Decision>, Need> {
    let target = question.target;
    let found = evidence.manifests.as_ref().ok_or(Need::Manifests)?;
    let found: Vec<&FoundManifest> = found.iter().filter(|found| found.key.window.overlaps(target.window)).collect();
    let decision = |verdict| vec![Decision { month: target.month, window: target.window, verdict }];
    if let Some(error) = found.iter().find_map(|found| replace::unreadable(found)) {
        return Ok(decision(Verdict::Fail(error)));
    }
    if let Some(export) = &evidence.export {
        return completed::decide(question, &found, evidence, export).map(decision);
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
    let verdicts = windows.into_iter().map(|UncoveredWindow { month, window, holder }| {
        // An invalid manifest covers nothing. But an export replaces the task that it names only if it has all of the task's objects.
        let invalid = || found.iter().copied().filter(|found| found.key.window.overlaps(window) && found.is_invalid_with_objects());
        let verdict = match invalid().find(|found| !window.contains(found.key.window)) {
            Some(found) => Verdict::Fail(replace::overlap_refused(found, &target.place, window)),
            None => before_export(question, window, holder.or_else(|| invalid().next()), evidence)?,
        };
        Ok(Decision { month, window, verdict })
    });
    verdicts.collect()
}

/// The verdict on one window that is not covered.
fn before_export(question: &Question, window: Window, holder: Option<&FoundManifest>, evidence: &Evidence) -> Result<Verdict, Need> {
    let name = &question.target.place.log_group;
    let log_group = evidence.log_group.as_ref().ok_or(Need::LogGroup)?;
    let is_newer = log_group.is_newer_than(window);
    if let Some(holder) = holder {
        let cannot = |why: &str| Verdict::Fail(replace::no_export_can_replace(&format!("log group {name} {why}"), window));
        return Ok(match log_group {
            _ if is_newer && holder.is_damaged() && holder.key.window == window => Verdict::Record(Reason::Damaged),
            LogGroup::Absent | LogGroup::Gone => cannot("does not exist"),
            LogGroup::Present { is_exportable: false, .. } => cannot(NOT_EXPORTABLE),
            LogGroup::Present { created: Some(created), .. } if *created > window.to + LATE_EVENTS => {
                cannot("was created again after this window")
            }
            LogGroup::Present { .. } => export(question, window, log_group, evidence)?,
        });
    }
    if is_newer && question.existed_before(log_group, evidence)? {
        return Ok(Verdict::Record(Reason::LogGroupDeleted));
    }
    match log_group {
        LogGroup::Absent => return Ok(Verdict::Warn(Warning::log_group_not_found(name))),
        LogGroup::Gone => return Ok(Verdict::NothingYet),
        LogGroup::Present { is_exportable: false, .. } => return Ok(Verdict::Warn(Warning::log_class_not_exportable(name))),
        LogGroup::Present { created: Some(created), .. } if *created > window.to + LATE_EVENTS => {
            return Ok(Verdict::Record(Reason::CreatedAfterMonth));
        }
        LogGroup::Present { .. } => {}
    }
    let has_no_event = match evidence.newest_event.ok_or(Need::NewestEvent)? {
        NewestEvent::None => true,
        NewestEvent::At(newest) => newest < window.from - TIMESTAMP_MARGIN,
        NewestEvent::Unknown => false,
    };
    // Today's log streams say nothing about an earlier log group of this name.
    let was_recreated = log_group.created_in(window).is_some() && question.existed_before(log_group, evidence)?;
    if has_no_event && !question.history.is_open && !was_recreated {
        let is_final = question.now >= window.end() + LATE_EVENTS;
        return Ok(if is_final { Verdict::Record(Reason::NoEventsInMonth) } else { Verdict::NothingYet });
    }
    match &question.target.stream_prefix {
        Some(prefix) if !evidence.has_stream.ok_or(Need::Stream)? => Ok(Verdict::Warn(Warning::no_stream_has_prefix(name, prefix))),
        _ => export(question, window, log_group, evidence),
    }
}

/// An export, with warnings about what is known to be missing from it. The rest is worth exporting all the same.
fn export(question: &Question, window: Window, log_group: &LogGroup, evidence: &Evidence) -> Result<Verdict, Need> {
    let mut warnings = Vec::new();
    let complete_from = log_group.complete_from(window, Millis::of(question.now));
    if let (Some(kept_from), LogGroup::Present { retention_in_days: Some(days), retention_policy, .. }) = (complete_from, log_group) {
        warnings.push(Warning::retention_shorter_than_month(retention_policy.as_deref(), *days, kept_from));
    }
    if let Some(created) = log_group.created_in(window) {
        warnings.push(Warning::created_during_month(created, question.existed_before(log_group, evidence)?));
    }
    Ok(Verdict::Export(KnownGaps { complete_from, warnings }))
}

#[cfg(test)]
mod tests;
