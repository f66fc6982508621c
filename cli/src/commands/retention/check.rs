//! Checks whether the archive has the events that a shorter retention would delete.

use std::collections::BTreeSet;

use archive::{Archive, ManifestIndex};
use chrono::{DateTime, Utc};
use export_core::{
    ExportError, LogGroupName, Month, Window,
    decide::{LogGroup, Question},
    expiry::{Answer, Proposal},
    input::RunInput,
    manifest::FoundManifest,
    place::Place,
    planner::Group,
    target::Target,
    time::Millis,
    window::SETTLING_TIME,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// How many log groups, and how many windows of each, are checked at a time.
const LOG_GROUP_CONCURRENCY: usize = 4;
const WINDOW_CONCURRENCY: usize = 8;

/// A log group of the list.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub name: LogGroupName,
    pub log_group: LogGroup,
    /// One place for each entry that matches the log group.
    places: Vec<Place>,
    has_all_streams: bool,
}

impl Candidate {
    /// `groups` are in the order of their names.
    pub fn from_groups(groups: &[Group]) -> Vec<Self> {
        let by_log_group = groups.chunk_by(|one, other| one.place.log_group == other.place.log_group);
        let candidate = |groups: &[Group]| Self {
            name: groups[0].place.log_group.clone(),
            log_group: groups[0].log_group.clone(),
            places: groups.iter().map(|group| group.place.clone()).collect(),
            has_all_streams: groups.iter().any(|group| group.source.log_stream_name_prefix.is_none()),
        };
        by_log_group.map(candidate).collect()
    }

    /// The same candidate with the present state of the log group.
    pub fn with_log_group(&self, log_group: LogGroup) -> Self {
        Self { log_group, ..self.clone() }
    }
}

/// The requested retention, and the list of log groups.
pub struct RetentionCheck<'a> {
    pub archive: &'a Archive,
    pub input: &'a RunInput,
    pub days: u32,
    pub is_scheduled: bool,
    /// The options of the AWS CLI for printed commands.
    pub options: &'a str,
}

impl RetentionCheck<'_> {
    pub fn proposal<'a>(&self, candidate: &'a Candidate, now: DateTime<Utc>) -> Proposal<'a> {
        let RunInput { timezone, settle_days, .. } = *self.input;
        // No run exports a month before it is complete.
        let due_month = Month::due(now - SETTLING_TIME, timezone, settle_days);
        Proposal {
            days: self.days,
            log_group: &candidate.log_group,
            has_all_streams: candidate.has_all_streams,
            is_scheduled: self.is_scheduled,
            due_until: Millis::of(Window::of(due_month, timezone).end()),
            now,
        }
    }

    /// Lists each month once for all log groups. Calls `on_checked` after each log group.
    pub async fn check_all(&self, candidates: &[Candidate], now: DateTime<Utc>, on_checked: impl Fn()) -> Result<Vec<Answer>, ExportError> {
        let exposed = candidates.iter().filter_map(|candidate| self.proposal(candidate, now).exposed());
        let months: BTreeSet<Month> = exposed.flat_map(|exposed| self.months_of(exposed)).map(|(month, _)| month).collect();
        let mut index = ManifestIndex::default();
        index.load_months(self.archive, months).await?;
        let answers = candidates.iter().map(|candidate| self.check(candidate, Some(&index), now));
        stream::iter(answers).buffered(LOG_GROUP_CONCURRENCY).inspect(|_| on_checked()).try_collect().await
    }

    /// Reads the manifests, and lists their objects. Without `index`, it also lists the manifests.
    pub async fn check(&self, candidate: &Candidate, index: Option<&ManifestIndex>, now: DateTime<Utc>) -> Result<Answer, ExportError> {
        let proposal = self.proposal(candidate, now);
        let windows = proposal.exposed().map(|exposed| self.months_of(exposed)).unwrap_or_default();
        let places = candidate.places.iter().flat_map(|place| windows.iter().map(move |(month, window)| (place, *month, *window)));
        let targets = places.map(|(place, month, window)| Target { place: place.clone(), stream_prefix: None, month, window });
        let look = async |target: Target| {
            let question = Question::new(&target, now);
            self.archive.overlapping_manifests(&question, index, false).await
        };
        let found: Vec<Vec<FoundManifest>> = stream::iter(targets).map(look).buffered(WINDOW_CONCURRENCY).try_collect().await?;
        // A manifest can overlap two months.
        let mut keys = BTreeSet::new();
        let found: Vec<FoundManifest> = found.into_iter().flatten().filter(|found| keys.insert(found.key.clone())).collect();
        Ok(proposal.answer(&found))
    }

    pub fn months_of(&self, window: Window) -> Vec<(Month, Window)> {
        Month::split_window(window, self.input.timezone)
    }
}
