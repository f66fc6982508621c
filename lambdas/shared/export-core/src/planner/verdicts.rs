//! Applies the verdicts on a window: the window is archived, is planned, or gets its outcome.

use sha2::{Digest, Sha256};

use super::{Planner, Subject, TaskSpeed, split_for_speed, split_in_halves};
use crate::{
    ErrorName, ExportError, Month, Window,
    contract::{
        create::SkipReason,
        plan::{ChildResult, Failure, PlannedWindow, WindowOutcome},
    },
    decide::{Decision, Verdict},
    manifest::{FoundManifest, Manifest, Outcome},
    missing::OpenWindow,
    place::hexadecimal,
    time::Millis,
    warning::Warning,
};

/// Bytes of a fingerprint.
const FINGERPRINT_BYTES: usize = 16;

impl Planner<'_> {
    /// Applies the verdicts on a subject. `found`: the manifests behind the verdicts. `speed`: of the archived windows of its place.
    pub fn apply(&mut self, subject: &Subject, decisions: Vec<Decision>, found: &[FoundManifest], speed: Option<TaskSpeed>) {
        for decision in decisions {
            let Decision { month, window, verdict } = &decision;
            if matches!(verdict, Verdict::Archived | Verdict::Written(_) | Verdict::Write { .. }) {
                self.apply_archived(subject, *month, *window, found);
                continue;
            }
            for part in self.split(subject, &decision, found, speed) {
                self.apply_not_archived(subject, *month, part, verdict, found);
            }
        }
        if subject.was_planned {
            return;
        }
        let is_of_due_month = |found: &&FoundManifest| !subject.after_first_covered && found.month() == self.run.due_month;
        let valid = found.iter().filter(is_of_due_month).filter(|found| found.is_valid()).filter_map(FoundManifest::manifest);
        self.progress.due_month_seconds += valid.filter(|manifest| manifest.task_id.is_some()).map(Manifest::seconds).sum::<f64>();
        let changed = found.iter().filter(|found| found.is_changed());
        self.progress.warnings.extend(changed.map(|found| Warning::objects_changed(&found.key)));
    }

    fn apply_archived(&mut self, subject: &Subject, month: Month, window: Window, found: &[FoundManifest]) {
        match subject.was_planned.then(|| self.exported_by_run(found, subject)).flatten() {
            Some((outcome, seconds, warnings)) => {
                self.progress.warnings.extend(warnings);
                if month == self.run.due_month {
                    self.progress.due_month_seconds += seconds;
                }
                self.conclude(subject.group, month, window, outcome);
            }
            None if subject.after_first_covered => {}
            None => *self.progress.archived.entry(month).or_default() += 1,
        }
    }

    fn apply_not_archived(&mut self, subject: &Subject, month: Month, window: Window, verdict: &Verdict, found: &[FoundManifest]) {
        let outcome = match verdict {
            Verdict::Record(reason) => WindowOutcome::recorded(*reason),
            Verdict::NothingYet => WindowOutcome::NothingYet,
            Verdict::Warn(warning) => WindowOutcome::Warned { warning: warning.clone() },
            Verdict::Fail(error) => self.failed(subject, window, error.clone(), found),
            _ => match self.outcome_without_export(subject, window, found) {
                Ok(outcome) => outcome,
                Err(last_error) => {
                    let replaced = found.iter().find(|found| found.key.window == window);
                    let repairs = replaced.and_then(FoundManifest::fault).or_else(|| subject.repairs.clone());
                    self.plan(PlannedWindow { group: subject.group, month, window, repairs, last_error });
                    return;
                }
            },
        };
        self.conclude(subject.group, month, window, outcome);
    }

    /// Splits a window that is not archived. An open window keeps its bounds, so that parts stay the same from run to run. Then the parts
    /// become short enough for one task each. A window whose task took too long becomes two halves. A manifest's window stays whole.
    fn split(&mut self, subject: &Subject, decision: &Decision, found: &[FoundManifest], speed: Option<TaskSpeed>) -> Vec<Window> {
        let Decision { window, ref verdict, .. } = *decision;
        let is_exported = matches!(verdict, Verdict::Export(_));
        if found.iter().any(|found| found.key.window == window) {
            return vec![window];
        }
        if subject.was_planned {
            let took_too_long = window == subject.target.window && subject.child.as_ref().is_some_and(ChildResult::took_too_long);
            let parts = if is_exported && took_too_long { split_in_halves(window) } else { vec![window] };
            self.has_progressed |= parts.len() > 1;
            return parts;
        }
        let open: Vec<Window> = self.memory.open.of(&subject.target.place).map(OpenWindow::window).collect();
        let mut parts = window.split_at_bounds_of(&open);
        // The gap that a changed time zone left is not an open window: open windows have their own turn.
        parts.retain(|part| !subject.after_first_covered || !open.iter().any(|open| open.contains(*part)));
        parts.into_iter().flat_map(|part| split_for_speed(part, speed.filter(|_| is_exported))).collect()
    }

    /// The outcome of a planned window that this run has exported. Its manifest tells, also if the results of the round cannot be read.
    fn exported_by_run(&self, found: &[FoundManifest], subject: &Subject) -> Option<(WindowOutcome, f64, Vec<Warning>)> {
        let is_of_run = |manifest: &&Manifest| {
            manifest.window() == subject.target.window
                && (manifest.execution.as_deref() == Some(self.run.execution.as_str())
                    || matches!(subject.child, Some(ChildResult::Checked { .. })))
        };
        let manifest = found.iter().filter_map(FoundManifest::manifest).find(is_of_run)?;
        let seconds = manifest.seconds();
        let task_id = manifest.task_id.clone();
        let warnings = manifest.warnings.iter().filter_map(|warning| serde_json::from_value::<Warning>(warning.clone()).ok());
        let warnings = warnings.map(|warning| warning.of_month(&manifest.log_group, subject.target.month)).collect();
        let outcome = match manifest.outcome {
            Outcome::Exported => {
                let repairs = subject.repairs.clone();
                WindowOutcome::Exported { task_id, objects: manifest.objects, bytes: manifest.bytes, seconds, repairs }
            }
            Outcome::Empty => WindowOutcome::Empty { task_id, seconds },
            // Another run recorded it, and that run reported it.
            Outcome::Skipped | Outcome::Lost => return None,
        };
        Some((outcome, seconds, warnings))
    }

    /// The outcome of an uncovered window that this run does not export (again). `Err`: it is planned, with its last error.
    fn outcome_without_export(
        &self,
        subject: &Subject,
        window: Window,
        found: &[FoundManifest],
    ) -> Result<WindowOutcome, Option<ExportError>> {
        let last_error = subject.child.as_ref().and_then(ChildResult::error).or_else(|| subject.last_error.clone());
        if let Some(blocked) = self.blocked(subject, window, found) {
            return Ok(blocked);
        }
        match &subject.child {
            Some(ChildResult::Skipped(SkipReason::RunTimeOver)) if last_error.is_none() => Ok(WindowOutcome::Waiting),
            // create-export-task looked later than this run's first call: the log group was deleted, or has no events.
            Some(ChildResult::Skipped(reason)) if let Some(outcome) = skipped(*reason, subject) => Ok(outcome),
            Some(ChildResult::Checked { reason: Some(reason), .. }) => Ok(WindowOutcome::recorded(*reason)),
            Some(ChildResult::Failed(error)) if !error.name.is_planned_again() && window == subject.target.window => {
                Ok(self.failed(subject, window, error.clone(), found))
            }
            _ if self.is_time_over || matches!(subject.child, Some(ChildResult::Skipped(SkipReason::RunTimeOver))) => {
                Ok(last_error.map_or(WindowOutcome::Waiting, |error| self.failed(subject, window, error, found)))
            }
            _ => Err(last_error),
        }
    }

    fn failed(&self, subject: &Subject, window: Window, error: ExportError, found: &[FoundManifest]) -> WindowOutcome {
        let tried = subject.child.is_some() || subject.last_error.is_some();
        // After OverlapRefused, another run wrote the window: the next run exports it if it is still uncovered.
        let is_blocked = tried && window == subject.target.window && error.name == ErrorName::SmallerExport;
        let blocked_by = if is_blocked { self.fingerprint(subject, window, found) } else { None };
        WindowOutcome::Failed { failure: error.into(), tried, blocked_by }
    }

    /// A window whose export was refused as too small. It is not exported again until its archived objects change.
    fn blocked(&self, subject: &Subject, window: Window, found: &[FoundManifest]) -> Option<WindowOutcome> {
        if self.run.force || subject.was_planned {
            return None;
        }
        let open = self.memory.open.of(&subject.target.place).find(|open| open.window() == window)?;
        let blocked_by = open.blocked_by.clone().filter(|_| open.blocked_by == self.fingerprint(subject, window, found))?;
        let failure = Failure { error: open.error.clone()?, message: open.message.clone() };
        Some(WindowOutcome::Failed { failure, tried: false, blocked_by: Some(blocked_by) })
    }

    /// A fingerprint of what is archived in a window. It changes with each manifest, with each object of its task, and when retention
    /// reaches the window. `None`: nothing is archived there.
    fn fingerprint(&self, subject: &Subject, window: Window, found: &[FoundManifest]) -> Option<String> {
        let overlapping: Vec<&FoundManifest> = found.iter().filter(|found| found.key.window.overlaps(window)).collect();
        let line =
            |found: &&FoundManifest| format!("{} {} {}\n", found.key, found.etag, found.folder().map_or("", |folder| &folder.digest));
        let may_have_expired = self.group(subject).log_group.may_have_expired(window, Millis::of(self.run.start_time));
        let lines = overlapping.iter().map(line).chain([may_have_expired.to_string()]).collect::<String>();
        (!overlapping.is_empty()).then(|| hexadecimal(&Sha256::digest(lines), FINGERPRINT_BYTES))
    }
}

/// The outcome of a window that create-export-task skipped. `None`: the window is decided again.
fn skipped(reason: SkipReason, subject: &Subject) -> Option<WindowOutcome> {
    let log_group = &subject.target.place.log_group;
    let warned = |warning| Some(WindowOutcome::Warned { warning });
    match reason {
        SkipReason::LogGroupNotFound => warned(Warning::log_group_not_found(log_group)),
        SkipReason::LogClassNotExportable => warned(Warning::log_class_not_exportable(log_group)),
        SkipReason::NoStreamHasPrefix => {
            subject.target.stream_prefix.as_ref().and_then(|prefix| warned(Warning::no_stream_has_prefix(log_group, prefix)))
        }
        SkipReason::Recorded(reason) => Some(WindowOutcome::recorded(reason)),
        SkipReason::NoEventsYet => Some(WindowOutcome::NothingYet),
        SkipReason::AlreadyArchived | SkipReason::PartlyArchived | SkipReason::RunTimeOver => None,
    }
}
