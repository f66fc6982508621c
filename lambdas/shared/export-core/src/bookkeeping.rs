//! What a run changes in `missing/`: which windows it opens, and which it closes. The archive crate gathers the evidence.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::{
    StreamPrefix, Window,
    contract::plan::{DecidedWindow, Failure, Run, WindowOutcome},
    missing::{Memory, OpenOutcome, OpenWindow, SCHEMA_VERSION},
    place::Stack,
    planner::{CurrentGroups, Group},
    time::format_instant,
    warning::WarningName,
};

/// What a run does with an open window of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenWindowChange {
    /// Manifests that answer its stream prefix cover it, or the table of `decide` closes it.
    Close,
    /// No entry matches it any more.
    MarkNotAsked,
    Keep,
}

/// One run's view of `missing/`.
pub struct Bookkeeping<'a> {
    stack: &'a Stack,
    run: &'a Run,
    memory: &'a Memory,
    /// Whether every entry was expanded, and every log-group-month decided.
    compared_everything: bool,
    now: DateTime<Utc>,
    groups: CurrentGroups<'a>,
}

/// The fields of an open window that its outcome gives.
struct OpenReason {
    outcome: OpenOutcome,
    failure: Failure,
    tried: bool,
    blocked_by: Option<String>,
}

impl<'a> Bookkeeping<'a> {
    pub fn new(
        stack: &'a Stack,
        run: &'a Run,
        groups: &'a [Group],
        memory: &'a Memory,
        compared_everything: bool,
        now: DateTime<Utc>,
    ) -> Self {
        Self { stack, run, memory, compared_everything, now, groups: CurrentGroups::new(run, groups) }
    }

    /// The group that exports the open window today. `None`: no entry matches it.
    pub fn current_group(&self, open: &OpenWindow) -> Option<&'a Group> {
        self.groups.of_open_window(open).map(|(_, group)| group)
    }

    /// Whether the run judges the open window. A run by hand judges only the windows that it was asked for.
    pub fn is_judged(&self, open: &OpenWindow) -> bool {
        let is_compared = || self.run.months_to_compare.iter().any(|month| month.window.overlaps(open.window()));
        self.run.is_scheduled() || (self.current_group(open).is_some() && is_compared())
    }

    /// The windows that this run opens, those included that it is about to record as lost, or as skipped with a warning.
    pub fn opened(&self, decided: &[DecidedWindow]) -> Vec<OpenWindow> {
        // Two months can both touch the window of a manifest, in two calls of plan-exports.
        let mut windows = HashSet::new();
        let opened = decided.iter().filter_map(|decided| self.open(decided));
        opened.filter(|open| windows.insert((open.place.clone(), open.window()))).collect()
    }

    fn open(&self, decided: &DecidedWindow) -> Option<OpenWindow> {
        let DecidedWindow { source, month, window, outcome } = decided;
        let reason = OpenReason::of(outcome)?;
        let place = source.place(self.stack).ok()?;
        let is_earlier = |open: &&OpenWindow| {
            let is_of_place = open.place == place || self.current_group(open).is_some_and(|group| group.place == place);
            is_of_place && open.window().overlaps(*window)
        };
        let earlier: Vec<&OpenWindow> = self.memory.open.of_log_group(&source.log_group_name).iter().filter(is_earlier).collect();
        let asked = source.log_stream_name_prefix.as_ref();
        let is_wider = |open: &&OpenWindow| !StreamPrefix::includes(asked, open.log_stream_name_prefix.as_ref());
        if is_recorded_of_some_streams(outcome) && earlier.iter().any(is_wider) {
            // A record of some streams does not close a window of more streams.
            return None;
        }
        let same = earlier.iter().find(|open| open.place == place && open.window() == *window);
        // An earlier call of this run may have written it already, and ended before the report.
        let is_of_run = same.is_some_and(|open| open.execution == self.run.execution.as_str());
        // A run with a narrower prefix does not narrow the open window.
        let log_stream_name_prefix = earlier.iter().fold(source.log_stream_name_prefix.clone(), |prefix, open| {
            StreamPrefix::common_prefix(prefix, open.log_stream_name_prefix.as_ref())
        });
        // A failed window stays failed if its turn does not come.
        let failed = same.filter(|open| (reason.outcome, open.outcome) == (OpenOutcome::Waiting, OpenOutcome::Failed));
        if let Some(failed) = failed {
            return Some(OpenWindow { log_stream_name_prefix, execution: self.run.execution.to_string(), ..OpenWindow::clone(failed) });
        }
        let since = earlier.iter().map(|open| open.since()).min().unwrap_or(self.now);
        Some(OpenWindow {
            schema_version: SCHEMA_VERSION,
            outcome: reason.outcome,
            error: Some(reason.failure.error),
            message: reason.failure.message,
            place,
            log_stream_name_prefix,
            timezone: self.run.timezone.clone(),
            month: *month,
            window_from: window.from,
            window_to: window.to,
            since: format_instant(since),
            tries: same.map_or(0, |open| open.tries) + u32::from(reason.tried && !is_of_run),
            execution: self.run.execution.to_string(),
            blocked_by: reason.blocked_by,
        })
    }

    /// What the run does with an open window that it judges and does not open again. `covered`: the parts that valid manifests cover which
    /// answer its stream prefix, in its place of today. `opened` and `decided` are this run's.
    pub fn change_of(&self, open: &OpenWindow, covered: &[Window], opened: &[OpenWindow], decided: &[DecidedWindow]) -> OpenWindowChange {
        let group = self.current_group(open);
        let is_asked = group.is_some_and(|group| {
            StreamPrefix::includes(group.source.log_stream_name_prefix.as_ref(), open.log_stream_name_prefix.as_ref())
        });
        let unless_closed = match is_asked || !self.run.is_scheduled() || !self.compared_everything {
            true => OpenWindowChange::Keep,
            false => OpenWindowChange::MarkNotAsked,
        };
        let mut closed: Vec<Window> = covered.to_vec();
        if let Some(group) = group {
            closed.extend(self.not_exportable(group, decided));
            closed.extend(opened.iter().filter(|opened| opened.place == group.place).map(OpenWindow::window));
        }
        if open.window().without(&closed).is_empty() { OpenWindowChange::Close } else { unless_closed }
    }

    /// The windows that cannot be exported, because of the log group's class.
    fn not_exportable(&self, group: &Group, decided: &[DecidedWindow]) -> impl Iterator<Item = Window> {
        let is_not_exportable = |decided: &&DecidedWindow| {
            matches!(&decided.outcome, WindowOutcome::Warned { warning } if warning.name == WarningName::LogClassNotExportable)
                && decided.source.place(self.stack).is_ok_and(|place| place == group.place)
        };
        decided.iter().filter(is_not_exportable).map(|decided| decided.window)
    }

    /// An open window that no entry matches, as this run writes it.
    pub fn not_asked(&self, open: &OpenWindow) -> OpenWindow {
        OpenWindow { outcome: OpenOutcome::NotAsked, execution: self.run.execution.to_string(), ..open.clone() }
    }
}

impl OpenReason {
    /// `None`: the outcome opens no window.
    fn of(outcome: &WindowOutcome) -> Option<Self> {
        let without_task = |outcome, error: String, message: &str| {
            Some(Self { outcome, failure: Failure { error, message: message.to_owned() }, tried: false, blocked_by: None })
        };
        match outcome {
            WindowOutcome::Failed { failure, tried, blocked_by } => {
                Some(Self { outcome: OpenOutcome::Failed, failure: failure.clone(), tried: *tried, blocked_by: blocked_by.clone() })
            }
            WindowOutcome::Waiting => {
                let message = "the run's time was over before the turn of this window came; a later run exports it";
                without_task(OpenOutcome::Waiting, "RunTimeOver".to_owned(), message)
            }
            WindowOutcome::Lost { reason } => without_task(OpenOutcome::Lost, format!("{reason:?}"), ""),
            WindowOutcome::Skipped { reason } if reason.needs_report_first() => {
                without_task(OpenOutcome::Skipped, format!("{reason:?}"), "")
            }
            _ => None,
        }
    }
}

fn is_recorded_of_some_streams(outcome: &WindowOutcome) -> bool {
    match outcome {
        WindowOutcome::Lost { reason } | WindowOutcome::Skipped { reason } => !reason.applies_to_all_streams(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
