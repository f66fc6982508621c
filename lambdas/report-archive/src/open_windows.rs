//! What a run leaves open in `missing/`, and what leaves it. The report stands between the two halves, so that a run that dies between
//! them repeats rather than forgets.

use std::collections::HashSet;

use archive::{Archive, Step};
use chrono::{DateTime, Utc};
use export_core::{
    ExportError, Window,
    bookkeeping::{Bookkeeping, Fate},
    contract::plan::Decided,
    decide::uncovered_by,
    missing::{Memory, OpenOutcome, OpenWindow},
    target::Target,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Windows that are looked at at a time.
const AT_ONCE: usize = 16;

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
            let still_open = stream::iter(anew).map(|open| still_open(archive, &books, open, now)).buffered(AT_ONCE);
            anew = still_open.try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
        }
        let written: HashSet<String> = anew.iter().map(|open| open.key(&archive.stack)).collect();
        let before = memory.open.iter().filter(|open| !written.contains(&open.key(&archive.stack)));
        let fates = before.map(async |open| {
            let fate = match books.is_judged(open) {
                true => books.fate(open, &covered(archive, &books, open, now).await?, &anew, decided),
                false => Fate::Stays,
            };
            Ok::<_, ExportError>((open.clone(), fate))
        });
        let fates: Vec<(OpenWindow, Fate)> = stream::iter(fates).buffered(AT_ONCE).try_collect().await?;
        let mut windows = Self::default();
        for (open, fate) in fates {
            match fate {
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
        let is_recorded = |open: &&OpenWindow| matches!(open.outcome, OpenOutcome::Lost | OpenOutcome::Skipped);
        let mut left: Vec<OpenWindow> =
            self.anew.iter().chain(&self.not_asked).chain(&self.staying).filter(|open| !is_recorded(open)).cloned().collect();
        left.sort_by(|one, other| (&one.log_group, one.window_from).cmp(&(&other.log_group, other.window_from)));
        left
    }

    /// The first half.
    pub async fn add(&self, archive: &Archive) -> Result<(), ExportError> {
        archive.write_open_windows(self.anew.iter().chain(&self.not_asked)).await
    }

    /// The second half, when what was about to be recorded is recorded.
    pub async fn remove(&self, archive: &Archive) -> Result<(), ExportError> {
        let recorded = self.anew.iter().filter(|open| matches!(open.outcome, OpenOutcome::Lost | OpenOutcome::Skipped));
        archive.remove_open_windows(self.leaving.iter().chain(recorded)).await
    }
}

async fn still_open(
    archive: &Archive,
    books: &Bookkeeping<'_>,
    open: OpenWindow,
    now: DateTime<Utc>,
) -> Result<Option<OpenWindow>, ExportError> {
    let covered = covered(archive, books, &open, now).await?;
    Ok((!open.window().without(&covered).is_empty()).then_some(open))
}

/// By valid manifests in its place today that answer its own stream prefix.
async fn covered(archive: &Archive, books: &Bookkeeping<'_>, open: &OpenWindow, now: DateTime<Utc>) -> Result<Vec<Window>, ExportError> {
    let target = Target {
        place: books.home(open).map_or_else(|| open.place(), |home| home.place.clone()),
        stream_prefix: open.log_stream_name_prefix.clone(),
        month: open.month,
        window: open.window(),
    };
    let question = target.question(None, now);
    let found = archive.overlapping_manifests(&question, None, false).await?;
    Ok(open.window().without(&uncovered_by(&question, &found)))
}
