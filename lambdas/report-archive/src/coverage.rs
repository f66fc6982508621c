//! Looks up which windows manifests cover. The manifests of each month are listed once for all windows.

use archive::{Archive, ManifestIndex};
use chrono::{DateTime, Utc};
use export_core::{
    ExportError, Month, Window,
    decide::{Decision, Evidence, Question, Verdict, decide, uncovered_by},
    manifest::FoundManifest,
    target::Target,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// How many windows are looked up at a time.
const CONCURRENCY: usize = 16;

/// Calls `visit` for each item with the manifests of its month. The results are in the order of `items`.
pub async fn visit_by_month<I, T>(
    archive: &Archive,
    items: &[I],
    month: impl Fn(&I) -> Month,
    visit: impl AsyncFn(&I, &ManifestIndex) -> Result<T, ExportError>,
) -> Result<Vec<T>, ExportError> {
    let mut positions: Vec<usize> = (0..items.len()).collect();
    positions.sort_by_key(|position| month(&items[*position]));
    let (mut index, mut results) = (ManifestIndex::default(), Vec::new());
    for of_month in positions.chunk_by(|one, other| month(&items[*one]) == month(&items[*other])) {
        index.load_months(archive, [month(&items[of_month[0]])]).await?;
        let visits = of_month.iter().map(async |position| Ok::<_, ExportError>((*position, visit(&items[*position], &index).await?)));
        results.extend(stream::iter(visits).buffer_unordered(CONCURRENCY).try_collect::<Vec<_>>().await?);
    }
    results.sort_by_key(|(position, _)| *position);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// For each target, the parts of its window that valid manifests cover which answer its stream prefix.
pub async fn covered_parts(archive: &Archive, targets: &[Target], now: DateTime<Utc>) -> Result<Vec<Vec<Window>>, ExportError> {
    let visit = async |target: &Target, index: &ManifestIndex| {
        let (question, found) = find(archive, target, index, now).await?;
        Ok(target.window.without(&uncovered_by(&question, &found)))
    };
    visit_by_month(archive, targets, |target| target.month, visit).await
}

/// For each target, whether its window is archived by the table of `decide`: it is covered, and each manifest in it is valid.
pub async fn are_archived(archive: &Archive, targets: &[Target], now: DateTime<Utc>) -> Result<Vec<bool>, ExportError> {
    let visit = async |target: &Target, index: &ManifestIndex| {
        let (question, found) = find(archive, target, index, now).await?;
        let evidence = Evidence { manifests: Some(found), ..Evidence::default() };
        Ok(matches!(decide(&question, &evidence).as_deref(), Ok([Decision { verdict: Verdict::Archived, .. }])))
    };
    visit_by_month(archive, targets, |target| target.month, visit).await
}

async fn find<'a>(
    archive: &Archive,
    target: &'a Target,
    index: &ManifestIndex,
    now: DateTime<Utc>,
) -> Result<(Question<'a>, Vec<FoundManifest>), ExportError> {
    let question = Question::new(target, now);
    let found = archive.overlapping_manifests(&question, Some(index), false).await?;
    Ok((question, found))
}
