//! The question for one window, and which manifests answer it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Evidence, LogGroup, Need, WindowHistory};
use crate::{Month, StreamPrefix, Window, manifest::FoundManifest, target::Target, time::Millis};

/// `lastEventTimestamp` can be the time of the event put last instead of the newest event. No event is put more than 14 days late, so the
/// two times differ by less than this.
pub(super) const TIMESTAMP_MARGIN: TimeDelta = TimeDelta::days(15);

#[derive(Debug, Clone, PartialEq)]
pub struct Question<'a> {
    pub target: &'a Target,
    /// Only the time after the first covered millisecond counts: the gap that a changed time zone left.
    pub after_first_covered: bool,
    /// Under `force`: manifests older than this run cover nothing.
    pub force_since: Option<DateTime<Utc>>,
    /// When a run planned this window: its log group existed then.
    pub planned_since: Option<DateTime<Utc>>,
    pub history: WindowHistory,
    pub now: DateTime<Utc>,
}

/// A window without a valid manifest that answers the question.
pub(super) struct UncoveredWindow<'a> {
    pub month: Month,
    pub window: Window,
    /// The manifest that names a task for this window. Only an export, or Damaged, can replace it.
    pub holder: Option<&'a FoundManifest>,
}

impl<'a> Question<'a> {
    /// What a first run would ask.
    pub fn new(target: &'a Target, now: DateTime<Utc>) -> Self {
        let history = WindowHistory::default();
        Self { target, after_first_covered: false, force_since: None, planned_since: None, history, now }
    }
}

impl Question<'_> {
    /// A newest event before this instant proves that the window has no event.
    pub fn newest_event_matters_since(&self) -> Millis {
        self.target.window.from - TIMESTAMP_MARGIN
    }

    /// Whether an earlier log group of this name existed. Evidence of today's log group proves nothing about an earlier one.
    pub(super) fn existed_before(&self, log_group: &LogGroup, evidence: &Evidence) -> Result<bool, Need> {
        let oldest = [self.seen_since(evidence)?, self.planned_since].into_iter().flatten().min();
        Ok(match log_group {
            LogGroup::Present { created: Some(created), .. } => oldest.is_some_and(|oldest| Millis::of(oldest) < *created),
            _ => oldest.is_some(),
        })
    }

    pub(super) fn seen_since(&self, evidence: &Evidence) -> Result<Option<DateTime<Utc>>, Need> {
        let oldest_task = evidence.oldest_task.ok_or(Need::OldestTask)?;
        Ok([self.history.seen_since, oldest_task].into_iter().flatten().min())
    }

    /// The windows that no valid manifest covers. A manifest that an export can replace is planned with its own bounds, so that the new
    /// manifest fits it exactly.
    pub(super) fn uncovered<'a>(&self, found: &[&'a FoundManifest]) -> Vec<UncoveredWindow<'a>> {
        let fitting: Vec<&FoundManifest> = found.iter().copied().filter(|found| found.manifest().is_some()).collect();
        let (covering, replaceable): (Vec<_>, Vec<_>) = fitting.into_iter().partition(|found| self.is_covering(found));
        // A window that is exported again is covered when this run ends.
        let held: Vec<Window> = covering.iter().chain(&replaceable).map(|found| found.key.window).collect();
        let mut uncovered = self.target.window.without(&held);
        if self.after_first_covered {
            let first_covered = held.iter().map(|window| window.from).min();
            uncovered.retain(|window| first_covered.is_some_and(|first| window.from > first));
        }
        // In a month this old, a run repairs damage and exports nothing else again.
        let replaceable = replaceable.into_iter().filter(|found| !self.after_first_covered || found.is_damaged());
        let replaceable = replaceable.map(|found| {
            // A manifest without objects gives way to anything that is known of all requested streams.
            let has_claim = self.answers(found) || !found.manifest().is_some_and(|manifest| manifest.has_no_objects());
            let holder = Some(found).filter(|found| found.content.task_id().is_some() && (has_claim || found.is_damaged()));
            UncoveredWindow { month: found.month(), window: found.key.window, holder }
        });
        replaceable.chain(uncovered.into_iter().map(|window| UncoveredWindow { month: self.target.month, window, holder: None })).collect()
    }

    pub(super) fn is_covering(&self, found: &FoundManifest) -> bool {
        let is_new = |since| found.manifest().and_then(|manifest| manifest.created_at()).is_some_and(|created| created >= since);
        found.is_valid() && self.answers(found) && self.force_since.is_none_or(is_new)
    }

    /// Whether the manifest is of all log streams that the question asks for.
    pub(super) fn answers(&self, found: &FoundManifest) -> bool {
        let asked = self.target.stream_prefix.as_ref();
        found.manifest().is_some_and(|manifest| StreamPrefix::includes(manifest.log_stream_name_prefix.as_ref(), asked))
    }
}

/// The part of the question's window that no valid manifest covers.
pub fn uncovered_by(question: &Question, found: &[FoundManifest]) -> Vec<Window> {
    let covering: Vec<Window> = found.iter().filter(|found| question.is_covering(found)).map(|found| found.key.window).collect();
    question.target.window.without(&covering)
}
