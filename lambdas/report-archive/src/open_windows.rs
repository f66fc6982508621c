//! What a run leaves open in `missing/`, and what leaves it. The report stands between the two halves, so that a run that dies between
//! them repeats rather than forgets.

use std::collections::HashSet;

use archive::{Archive, Step};
use chrono::{DateTime, Utc};
use export_core::{
    ExportError, Window,
    bookkeeping::{Bookkeeping, Fate},
    contract::plan::Decided,
    missing::{Memory, OpenOutcome, OpenWindow},
    target::Target,
};

use crate::coverage;

/// The open windows when the run ends.
#[derive(Default)]
pub struct OpenWindows {
    /// Of this run.
    pub anew: Vec<OpenWindow>,
    /// No entry asks for them any more, since this run.
    pub not_asked: Vec<OpenWindow>,
    pub staying: Vec<OpenWindow>,
    leaving: Vec<OpenWindow>,
}

impl OpenWindows {
    /// Of a run whose first plan failed: all stay as they are.
    pub fn untouched(memory: &Memory) -> Self {
        Self { staying: memory.open.iter().cloned().collect(), ..Self::default() }
    }

    pub async fn of(
        archive: &Archive,
        step: &Step,
        decided: &[Decided],
        memory: &Memory,
        compared_everything: bool,
        now: DateTime<Utc>,
    ) -> Result<Self, ExportError> {
        let books = Bookkeeping::new(&archive.stack, &step.run, &step.groups, memory, compared_everything, now);
        let mut anew = books.left_open(decided);
        if step.run.force {
            // A window that is validly covered is not missing because it could not be exported again.
            let covered = covered(archive, &books, &anew, now).await?;
            let still_open = anew.into_iter().zip(covered).filter(|(open, covered)| !is_covered(open, covered));
            anew = still_open.map(|(open, _)| open).collect();
        }
        let written: HashSet<String> = anew.iter().map(|open| open.key(&archive.stack)).collect();
        let before = memory.open.iter().filter(|open| !written.contains(&open.key(&archive.stack))).cloned();
        let (judged, staying): (Vec<OpenWindow>, Vec<OpenWindow>) = before.partition(|open| books.is_judged(open));
        let covered = covered(archive, &books, &judged, now).await?;
        let mut windows = Self { staying, ..Self::default() };
        for (open, covered) in judged.into_iter().zip(covered) {
            match books.fate(&open, &covered, &anew, decided) {
                Fate::Leaves => windows.leaving.push(open),
                // A call of this run before may have ended before it could say so.
                Fate::NotAsked if open.outcome != OpenOutcome::NotAsked || open.execution == step.run.execution.as_str() => {
                    windows.not_asked.push(books.not_asked(&open));
                }
                Fate::NotAsked | Fate::Stays => windows.staying.push(open),
            }
        }
        Ok(Self { anew, ..windows })
    }

    /// Those that are open when everything is recorded.
    pub fn left(&self) -> Vec<OpenWindow> {
        let mut left: Vec<OpenWindow> =
            self.anew.iter().chain(&self.not_asked).chain(&self.staying).filter(|open| !open.is_to_be_recorded()).cloned().collect();
        left.sort_by(|one, other| (&one.log_group, one.window_from).cmp(&(&other.log_group, other.window_from)));
        left
    }

    /// The first half.
    pub async fn add(&self, archive: &Archive) -> Result<(), ExportError> {
        archive.write_open_windows(self.anew.iter().chain(&self.not_asked)).await
    }

    /// The second half, when what was about to be recorded is recorded: by this run, or by a manifest that has not been withdrawn since.
    pub async fn remove(&self, archive: &Archive, now: DateTime<Utc>) -> Result<(), ExportError> {
        let recorded: Vec<&OpenWindow> = self.anew.iter().filter(|open| open.is_to_be_recorded()).collect();
        let targets: Vec<Target> = recorded.iter().map(|open| open.target(open.place())).collect();
        let covered = coverage::of_each(archive, &targets, now, coverage::covered).await?;
        let recorded = recorded.into_iter().zip(covered).filter(|(open, covered)| is_covered(open, covered)).map(|(open, _)| open);
        archive.remove_open_windows(self.leaving.iter().chain(recorded)).await
    }
}

/// By valid manifests in their places today that answer their own stream prefixes.
async fn covered(
    archive: &Archive,
    books: &Bookkeeping<'_>,
    open: &[OpenWindow],
    now: DateTime<Utc>,
) -> Result<Vec<Vec<Window>>, ExportError> {
    let place = |open: &OpenWindow| books.home(open).map_or_else(|| open.place(), |home| home.place.clone());
    let targets: Vec<Target> = open.iter().map(|open| open.target(place(open))).collect();
    coverage::of_each(archive, &targets, now, coverage::covered).await
}

fn is_covered(open: &OpenWindow, covered: &[Window]) -> bool {
    open.window().without(covered).is_empty()
}
