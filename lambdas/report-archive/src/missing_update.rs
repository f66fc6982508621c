//! What a run changes in `missing/`. The report is written between the two halves of the update, so that a run that dies between them
//! repeats them and forgets nothing.

use std::collections::HashSet;

use archive::{Archive, Step};
use chrono::{DateTime, Utc};
use export_core::{
    ExportError, Window,
    bookkeeping::{Bookkeeping, OpenWindowChange},
    contract::plan::DecidedWindow,
    missing::{Memory, OpenOutcome, OpenWindow},
    target::Target,
};

use crate::coverage;

/// The open windows at the run's end.
#[derive(Default)]
pub struct MissingUpdate {
    /// The windows that this run opens or writes again.
    pub opened: Vec<OpenWindow>,
    /// The windows that no entry matches any more, since this run.
    pub not_asked: Vec<OpenWindow>,
    pub kept: Vec<OpenWindow>,
    closed: Vec<OpenWindow>,
}

impl MissingUpdate {
    /// The update of a run whose first plan failed: all open windows stay.
    pub fn keep_all(memory: &Memory) -> Self {
        Self { kept: memory.open.iter().cloned().collect(), ..Self::default() }
    }

    pub async fn plan(
        archive: &Archive,
        step: &Step,
        decided: &[DecidedWindow],
        memory: &Memory,
        compared_everything: bool,
        now: DateTime<Utc>,
    ) -> Result<Self, ExportError> {
        let books = Bookkeeping::new(&archive.stack, &step.run, &step.groups, memory, compared_everything, now);
        let mut opened = books.opened(decided);
        if step.run.force {
            // A failed export under `force` does not make a window missing that valid manifests cover.
            let covered = covered_parts(archive, &books, &opened, now).await?;
            let uncovered = opened.into_iter().zip(covered).filter(|(open, covered)| !is_covered(open, covered));
            opened = uncovered.map(|(open, _)| open).collect();
        }
        let opened_keys: HashSet<String> = opened.iter().map(|open| open.key(&archive.stack)).collect();
        let earlier = memory.open.iter().filter(|open| !opened_keys.contains(&open.key(&archive.stack))).cloned();
        let (judged, kept): (Vec<OpenWindow>, Vec<OpenWindow>) = earlier.partition(|open| books.is_judged(open));
        let covered = covered_parts(archive, &books, &judged, now).await?;
        let mut update = Self { kept, ..Self::default() };
        for (open, covered) in judged.into_iter().zip(covered) {
            // An earlier call of this run may have marked it, and ended before the report.
            let is_new = open.outcome != OpenOutcome::NotAsked || open.execution == step.run.execution.as_str();
            match books.change_of(&open, &covered, &opened, decided) {
                OpenWindowChange::Close => update.closed.push(open),
                OpenWindowChange::MarkNotAsked if is_new => update.not_asked.push(books.not_asked(&open)),
                OpenWindowChange::MarkNotAsked | OpenWindowChange::Keep => update.kept.push(open),
            }
        }
        Ok(Self { opened, ..update })
    }

    /// The windows that are still open when everything is recorded.
    pub fn still_open(&self) -> Vec<OpenWindow> {
        let all = self.opened.iter().chain(&self.not_asked).chain(&self.kept);
        let mut open: Vec<OpenWindow> = all.filter(|open| !open.is_to_be_recorded()).cloned().collect();
        open.sort_by(|one, other| (&one.place.log_group, one.window_from).cmp(&(&other.place.log_group, other.window_from)));
        open
    }

    /// The first half of the update.
    pub async fn write_opened(&self, archive: &Archive) -> Result<(), ExportError> {
        archive.write_open_windows(self.opened.iter().chain(&self.not_asked)).await
    }

    /// The second half, after the records of `lost` and `skipped`. A window is removed only if a manifest really covers it: another run may
    /// have withdrawn one.
    pub async fn remove_closed(&self, archive: &Archive, now: DateTime<Utc>) -> Result<(), ExportError> {
        let recorded: Vec<&OpenWindow> = self.opened.iter().filter(|open| open.is_to_be_recorded()).collect();
        let targets: Vec<Target> = recorded.iter().map(|open| open.target_in(open.place.clone())).collect();
        let covered = coverage::covered_parts(archive, &targets, now).await?;
        let recorded = recorded.into_iter().zip(covered).filter(|(open, covered)| is_covered(open, covered)).map(|(open, _)| open);
        archive.remove_open_windows(self.closed.iter().chain(recorded)).await
    }
}

/// The covered parts of each open window, in its place of today.
async fn covered_parts(
    archive: &Archive,
    books: &Bookkeeping<'_>,
    open: &[OpenWindow],
    now: DateTime<Utc>,
) -> Result<Vec<Vec<Window>>, ExportError> {
    let place = |open: &OpenWindow| books.current_group(open).map_or_else(|| open.place.clone(), |group| group.place.clone());
    let targets: Vec<Target> = open.iter().map(|open| open.target_in(place(open))).collect();
    coverage::covered_parts(archive, &targets, now).await
}

fn is_covered(open: &OpenWindow, covered: &[Window]) -> bool {
    open.window().without(covered).is_empty()
}
