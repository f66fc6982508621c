//! Whether a shorter retention would delete only archived events. Evidence goes in, an answer comes out.
//!
//! Two parts of time count. What the new retention deletes at once must be archived with all events, the late ones included. The later
//! months that runs had to archive must be archived too, because they expire next.
//!
//! **Invariant:** in doubt, the answer is [`Answer::Unsafe`].

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    StreamPrefix, Window,
    decide::{LogGroup, NOT_EXPORTABLE},
    manifest::{Content, FoundManifest, Manifest, Outcome, Reason},
    time::Millis,
    window::{LATE_EVENTS, SETTLING_TIME},
};

/// The retentions that PutRetentionPolicy accepts, except those too short to archive a month before it expires.
pub const RETENTION_DAYS: [u32; 16] = [60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// A new retention for a log group of the list.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    pub days: u32,
    pub log_group: &'a LogGroup,
    /// Runs export all of its log streams: an entry without a stream prefix matches it.
    pub has_all_streams: bool,
    /// The schedule is on, so that runs archive each month before it expires.
    pub is_scheduled: bool,
    /// The end of the last month that a run could have archived.
    pub due_until: Millis,
    pub now: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The log group does not exist.
    Absent,
    /// Its retention is already as short. The answer is never to lengthen it.
    AlreadyShort,
    Safe,
    Unsafe(Vec<Problem>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    ScheduleOff,
    NotExportable,
    /// Runs export only some of the log streams.
    SomeStreams,
    /// A policy of the account overrides the log group's retention.
    AccountPolicy(String),
    /// CloudWatch Logs does not say when it was created.
    AgeUnknown,
    Gap(Gap),
}

/// A part of time for which the archive may lack events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub window: Window,
    pub flaw: Flaw,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    NoManifest,
    Unreadable(String),
    /// The manifest is invalid, or its folder differs from what it states.
    Invalid(String),
    /// Number and bytes of the objects are right, but their contents changed after the export.
    Changed,
    /// The window was skipped or lost.
    Recorded(Reason),
    SomeStreams(StreamPrefix),
    /// Retention had deleted the beginning of the window before the export.
    BeginningExpired,
    /// Events could still arrive after the export.
    ExportedEarly,
}

impl Proposal<'_> {
    /// The window that must be archived. `None`: it can have no event, or the retention does not become shorter.
    pub fn exposed(&self) -> Option<Window> {
        let from = self.first_event()?;
        let to = Millis(self.expires_before().max(self.due_until).0 - 1);
        (self.is_shorter() && from <= to).then_some(Window { from, to })
    }

    /// `found`: the manifests of the log group's places that overlap [`Self::exposed`].
    pub fn answer(&self, found: &[FoundManifest]) -> Answer {
        let LogGroup::Present { is_exportable, retention_policy, .. } = self.log_group else { return Answer::Absent };
        if !self.is_shorter() {
            return Answer::AlreadyShort;
        }
        let mut problems: Vec<Problem> = retention_policy.iter().cloned().map(Problem::AccountPolicy).collect();
        problems.extend((!self.is_scheduled).then_some(Problem::ScheduleOff));
        problems.extend((!is_exportable).then_some(Problem::NotExportable));
        problems.extend((!self.has_all_streams).then_some(Problem::SomeStreams));
        problems.extend(self.first_event().is_none().then_some(Problem::AgeUnknown));
        problems.extend(self.exposed().into_iter().flat_map(|exposed| self.gaps(exposed, found)).map(Problem::Gap));
        if problems.is_empty() { Answer::Safe } else { Answer::Unsafe(problems) }
    }

    /// The new retention deletes all events before this time at once.
    pub fn expires_before(&self) -> Millis {
        Millis::of(self.now) - TimeDelta::days(self.days.into())
    }

    fn is_shorter(&self) -> bool {
        match self.log_group {
            LogGroup::Absent | LogGroup::Gone => false,
            LogGroup::Present { retention_in_days, .. } => retention_in_days.is_none_or(|days| i64::from(days) > self.days.into()),
        }
    }

    /// No event can be older: CloudWatch Logs would not have taken it, or the present retention deletes it.
    fn first_event(&self) -> Option<Millis> {
        let LogGroup::Present { created, retention_in_days, .. } = self.log_group else { return None };
        let put_from = created.map(|created| created - LATE_EVENTS);
        let kept_from = retention_in_days.map(|days| Millis::of(self.now) - TimeDelta::days(days.into()));
        [put_from, kept_from].into_iter().flatten().max().map(|from| from.max(Millis(0)))
    }

    fn gaps(&self, exposed: Window, found: &[FoundManifest]) -> Vec<Gap> {
        let boundary = self.expires_before();
        let (mut with_late_events, mut archived, mut flawed) = (Vec::new(), Vec::new(), Vec::new());
        for found in found {
            let window = found.key.window;
            let manifest = match complete_manifest(found) {
                Ok(manifest) => manifest,
                Err(flaw) => {
                    flawed.push((window, flaw));
                    continue;
                }
            };
            let complete = Window { from: manifest.complete_from.map_or(window.from, |from| from.max(window.from)), ..window };
            let arrived = Window { to: all_arrived_before(manifest).min(complete.to), ..complete };
            flawed.push((Window { to: Millis(complete.from.0 - 1), ..window }, Flaw::BeginningExpired));
            flawed.push((Window { from: Millis(arrived.to.0 + 1).max(complete.from), ..window }, Flaw::ExportedEarly));
            archived.push(complete);
            with_late_events.push(arrived);
        }
        for windows in [&mut with_late_events, &mut archived] {
            windows.retain(|window: &Window| window.from <= window.to);
        }
        flawed.retain(|(window, _)| window.from <= window.to);
        let parts = |window: Window, covered: &[Window]| if window.from <= window.to { window.without(covered) } else { Vec::new() };
        let at_once = parts(Window { to: exposed.to.min(Millis(boundary.0 - 1)), ..exposed }, &with_late_events);
        let next = parts(Window { from: exposed.from.max(boundary), ..exposed }, &archived);
        explain([at_once, next].concat(), &flawed)
    }
}

/// The manifest, if it is of all log streams and its objects are as they were exported.
fn complete_manifest(found: &FoundManifest) -> Result<&Manifest, Flaw> {
    if let Content::Unreadable(why) = &found.content {
        return Err(Flaw::Unreadable(why.clone()));
    }
    let manifest = match (found.manifest(), found.fault()) {
        (Some(manifest), None) => manifest,
        (_, why) => return Err(Flaw::Invalid(why.unwrap_or_default())),
    };
    if let Some(prefix) = &manifest.log_stream_name_prefix {
        return Err(Flaw::SomeStreams(prefix.clone()));
    }
    if let Some(reason) = manifest.reason {
        return Err(Flaw::Recorded(reason));
    }
    let is_proven = manifest.outcome == Outcome::Empty || manifest.digest.is_some();
    if found.is_changed() || !is_proven { Err(Flaw::Changed) } else { Ok(manifest) }
}

/// No event before this time could arrive, or become exportable, after the task was created.
fn all_arrived_before(manifest: &Manifest) -> Millis {
    manifest.created_at().map_or(Millis(0), |created| Millis::of(created) - LATE_EVENTS - SETTLING_TIME)
}

/// Splits each gap into parts with one flaw each.
fn explain(gaps: Vec<Window>, flawed: &[(Window, Flaw)]) -> Vec<Gap> {
    let windows: Vec<Window> = flawed.iter().map(|(window, _)| *window).collect();
    let mut explained: Vec<Gap> = Vec::new();
    for window in gaps.into_iter().flat_map(|gap| gap.split_at_bounds_of(&windows)) {
        let flaw = flawed.iter().find(|(flawed, _)| flawed.contains(window)).map_or(Flaw::NoManifest, |(_, flaw)| flaw.clone());
        match explained.last_mut() {
            Some(last) if last.flaw == flaw && last.window.to.0 + 1 == window.from.0 => last.window.to = window.to,
            _ => explained.push(Gap { window, flaw }),
        }
    }
    explained
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScheduleOff => f.write_str("the schedule is off, so no run archives the events that expire next"),
            Self::NotExportable => write!(f, "the log group {NOT_EXPORTABLE}"),
            Self::SomeStreams => f.write_str("the list's entry has a logStreamNamePrefix, so runs archive only some of the log streams"),
            Self::AccountPolicy(name) => write!(f, "the account-level policy {name} overrides the log group's retention"),
            Self::AgeUnknown => f.write_str("CloudWatch Logs does not say when the log group was created"),
            Self::Gap(gap) => gap.flaw.fmt(f),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoManifest => f.write_str("not archived"),
            Self::Unreadable(why) => write!(f, "the manifest cannot be read: {why}"),
            Self::Invalid(why) => write!(f, "the manifest is not valid: {why}"),
            Self::Changed => f.write_str("the archived objects are not those that were exported"),
            Self::Recorded(reason) => {
                write!(f, "recorded as {}, {reason:?}", if reason.outcome() == Outcome::Lost { "lost" } else { "skipped" })
            }
            Self::SomeStreams(prefix) => write!(f, "only log streams with the prefix {prefix} are archived"),
            Self::BeginningExpired => f.write_str("retention had deleted events before the export"),
            Self::ExportedEarly => f.write_str("exported before the last event could arrive, which takes up to 14 days"),
        }
    }
}

#[cfg(test)]
mod tests;
