//! What a run changes in `missing/`: the windows that it leaves open, and those that leave. Evidence is gathered elsewhere.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::{
    StreamPrefix, Window,
    contract::plan::{Decided, Run, Settled},
    missing::{Memory, OpenOutcome, OpenWindow, SCHEMA_VERSION},
    place::Stack,
    planner::{Group, Homes},
    time::format_instant,
    warning::WarningName,
};

/// What becomes of an open window of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Manifests that answer its own stream prefix cover it, or the table says so.
    Leaves,
    /// No entry asks for it any more.
    NotAsked,
    Stays,
}

/// One run's view of `missing/`.
pub struct Bookkeeping<'a> {
    stack: &'a Stack,
    run: &'a Run,
    memory: &'a Memory,
    /// Whether every entry was expanded, and every log-group-month decided.
    compared_everything: bool,
    now: DateTime<Utc>,
    homes: Homes<'a>,
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
        Self { stack, run, memory, compared_everything, now, homes: Homes::of(run, groups) }
    }

    /// The log group's place today, where an export of the open window lands. `None`: no entry asks for the log group.
    pub fn home(&self, open: &OpenWindow) -> Option<&'a Group> {
        self.homes.of_open(open).map(|(_, group)| group)
    }

    /// A run by hand judges what it was asked for, and nothing else.
    pub fn is_judged(&self, open: &OpenWindow) -> bool {
        self.run.is_scheduled() || (self.home(open).is_some() && self.run.looks.iter().any(|look| look.window.overlaps(open.window())))
    }

    /// The windows that this run leaves open, and those that are about to be recorded as lost, or skipped with a warning.
    pub fn left_open(&self, decided: &[Decided]) -> Vec<OpenWindow> {
        // Two looks can both touch the window of a manifest, in two calls of plan-exports.
        let mut windows = HashSet::new();
        decided.iter().filter_map(|decided| self.open(decided)).filter(|open| windows.insert((open.place(), open.window()))).collect()
    }

    fn open(&self, decided: &Decided) -> Option<OpenWindow> {
        let Decided { source, month, window, settled } = decided;
        let (outcome, error, message, tried, blocked_by) = match settled {
            Settled::Failed { failure, tried, blocked_by } => {
                (OpenOutcome::Failed, failure.error.clone(), failure.message.clone(), *tried, blocked_by.clone())
            }
            Settled::Waiting => {
                let message = "the run had started its last window before the turn of this one came; a later run exports it";
                (OpenOutcome::Waiting, "RunTimeOver".to_owned(), message.to_owned(), false, None)
            }
            Settled::Lost { reason } => (OpenOutcome::Lost, format!("{reason:?}"), String::new(), false, None),
            Settled::Skipped { reason } if reason.is_told() => (OpenOutcome::Skipped, format!("{reason:?}"), String::new(), false, None),
            _ => return None,
        };
        let place = source.place(self.stack).ok()?;
        let is_before = |open: &&OpenWindow| {
            let is_here = open.lies_in(&place) || self.home(open).is_some_and(|home| home.place == place);
            is_here && open.window().overlaps(*window)
        };
        let before: Vec<&OpenWindow> = self.memory.open.of_log_group(&source.log_group_name).iter().filter(is_before).collect();
        let asked = source.log_stream_name_prefix.as_ref();
        let is_wider = |open: &&OpenWindow| !StreamPrefix::includes(asked, open.log_stream_name_prefix.as_ref());
        let is_of_some_streams = matches!(settled, Settled::Lost { reason } | Settled::Skipped { reason } if !reason.is_of_all_streams());
        if is_of_some_streams && before.iter().any(is_wider) {
            // What is recorded of some streams settles no window of more.
            return None;
        }
        let same = before.iter().find(|open| open.lies_in(&place) && open.window() == *window);
        // A call of this run before may have ended half-way.
        let is_repeated = same.is_some_and(|open| open.execution == self.run.execution.as_str());
        // A run with a narrower prefix never narrows it.
        let log_stream_name_prefix = before
            .iter()
            .fold(source.log_stream_name_prefix.clone(), |prefix, open| StreamPrefix::joint(prefix, open.log_stream_name_prefix.as_ref()));
        // That its turn did not come mends nothing.
        let failed = same.filter(|open| (outcome, open.outcome) == (OpenOutcome::Waiting, OpenOutcome::Failed));
        if let Some(failed) = failed {
            return Some(OpenWindow { log_stream_name_prefix, execution: self.run.execution.to_string(), ..OpenWindow::clone(failed) });
        }
        let since = before.iter().map(|open| open.since()).min().unwrap_or(self.now);
        Some(OpenWindow {
            schema_version: SCHEMA_VERSION,
            outcome,
            error: Some(error),
            message,
            account: place.account.clone(),
            region: place.region.clone(),
            bucket: place.bucket.clone(),
            log_group: place.log_group.clone(),
            log_stream_name_prefix,
            destination: place.destination.clone(),
            timezone: self.run.timezone.clone(),
            month: *month,
            window_from: window.from,
            window_to: window.to,
            since: format_instant(since),
            tries: same.map_or(0, |open| open.tries) + u32::from(tried && !is_repeated),
            execution: self.run.execution.to_string(),
            blocked_by,
        })
    }

    /// What becomes of an open window that this run judges and does not write anew. `covered`: by valid manifests in its place today that
    /// answer its own stream prefix. `left_open` and `decided` are this run's.
    pub fn fate(&self, open: &OpenWindow, covered: &[Window], left_open: &[OpenWindow], decided: &[Decided]) -> Fate {
        let is_asked = |home: Option<&Group>| {
            let asked = home.map(|home| home.source.log_stream_name_prefix.as_ref());
            asked.is_some_and(|asked| StreamPrefix::includes(asked, open.log_stream_name_prefix.as_ref()))
        };
        let home = self.home(open);
        let is_left = |held: &[Window]| !open.window().without(held).is_empty();
        let stays = match is_asked(home) || !self.run.is_scheduled() || !self.compared_everything {
            true => Fate::Stays,
            false => Fate::NotAsked,
        };
        let Some(home) = home else { return if is_left(covered) { stays } else { Fate::Leaves } };
        let warned = decided.iter().filter(|decided| {
            matches!(&decided.settled, Settled::Warned { warning } if warning.name == WarningName::LogClassNotExportable)
                && decided.source.log_group_name == open.log_group
                && decided.source.place(self.stack).is_ok_and(|place| place == home.place)
        });
        let warned = warned.map(|decided| decided.window);
        let anew = left_open.iter().filter(|left| left.lies_in(&home.place)).map(OpenWindow::window);
        let held: Vec<Window> = covered.iter().copied().chain(warned).chain(anew).collect();
        if is_left(&held) { stays } else { Fate::Leaves }
    }

    /// An open window that no entry asks for, as this run writes it.
    pub fn not_asked(&self, open: &OpenWindow) -> OpenWindow {
        OpenWindow { outcome: OpenOutcome::NotAsked, execution: self.run.execution.to_string(), ..open.clone() }
    }
}

#[cfg(test)]
mod tests;
