//! Looks at many windows, and lists the manifests of each month once for all.

use archive::{Archive, ManifestIndex};
use chrono::{DateTime, Utc};
use export_core::{
    ExportError, Month, Window,
    decide::{Decision, Evidence, Question, Verdict, decide, uncovered_by},
    manifest::Found,
    target::Target,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Windows that are looked at at a time.
const AT_ONCE: usize = 16;

/// What `look` finds of each item with the manifests of its month, in the order of `items`.
pub async fn by_month<I, T>(
    archive: &Archive,
    items: &[I],
    month: impl Fn(&I) -> Month,
    look: impl AsyncFn(&I, &ManifestIndex) -> Result<T, ExportError>,
) -> Result<Vec<T>, ExportError> {
    let mut by_month: Vec<usize> = (0..items.len()).collect();
    by_month.sort_by_key(|position| month(&items[*position]));
    let (mut index, mut found) = (ManifestIndex::default(), Vec::new());
    for of_month in by_month.chunk_by(|one, other| month(&items[*one]) == month(&items[*other])) {
        index.look_at(archive, [month(&items[of_month[0]])]).await?;
        let of_month = of_month.iter().map(async |position| Ok::<_, ExportError>((*position, look(&items[*position], &index).await?)));
        found.extend(stream::iter(of_month).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?);
    }
    found.sort_by_key(|(position, _)| *position);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

/// What `judge` makes of the manifests of each window, in the order of `targets`.
pub async fn of_each<T>(
    archive: &Archive,
    targets: &[Target],
    now: DateTime<Utc>,
    judge: impl Fn(&Question, Vec<Found>) -> T,
) -> Result<Vec<T>, ExportError> {
    let look = async |target: &Target, index: &ManifestIndex| {
        let question = target.question(None, now);
        let found = archive.overlapping_manifests(&question, Some(index), false).await?;
        Ok(judge(&question, found))
    };
    by_month(archive, targets, |target| target.month, look).await
}

/// By valid manifests that answer the question.
pub fn covered(question: &Question, found: Vec<Found>) -> Vec<Window> {
    question.window.without(&uncovered_by(question, &found))
}

/// By the table: covered, and nothing is wrong with any manifest in the window.
pub fn is_archived(question: &Question, found: Vec<Found>) -> bool {
    let evidence = Evidence { manifests: Some(found), ..Evidence::default() };
    matches!(decide(question, &evidence).as_deref(), Ok([Decision { verdict: Verdict::Archived, .. }]))
}
