//! Looks at the manifests of many windows, and lists each month once for all.

use archive::{Archive, ManifestIndex};
use chrono::{DateTime, Utc};
use export_core::{
    ExportError, Window,
    decide::{Decision, Evidence, Question, Verdict, decide, uncovered_by},
    manifest::Found,
    target::Target,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Windows that are looked at at a time.
const AT_ONCE: usize = 16;

/// What `judge` makes of the manifests of each window, in the order of `targets`.
pub async fn of_each<T>(
    archive: &Archive,
    targets: &[Target],
    now: DateTime<Utc>,
    judge: impl Fn(&Question, Vec<Found>) -> T,
) -> Result<Vec<T>, ExportError> {
    let mut by_month: Vec<usize> = (0..targets.len()).collect();
    by_month.sort_by_key(|position| targets[*position].month);
    let (mut index, mut judged) = (ManifestIndex::default(), Vec::new());
    for of_month in by_month.chunk_by(|one, other| targets[*one].month == targets[*other].month) {
        index.look_at(archive, [targets[of_month[0]].month]).await?;
        let of_month = of_month.iter().map(async |position| {
            let question = targets[*position].question(None, now);
            let found = archive.overlapping_manifests(&question, Some(&index), false).await?;
            Ok::<_, ExportError>((*position, judge(&question, found)))
        });
        judged.extend(stream::iter(of_month).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?);
    }
    judged.sort_by_key(|(position, _)| *position);
    Ok(judged.into_iter().map(|(_, judged)| judged).collect())
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
