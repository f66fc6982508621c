//! Manifests of what was skipped: nothing was there to export, for a reason, so no later run has to look again.

use archive::{Archive, ManifestIndex};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    contract::{
        plan::{Decided, Settled},
        report::Report,
    },
    decide::{Evidence, Verdict, decide, replaced_by_skip},
    manifest::{Found, Manifest, Outcome, SkipReason},
    target::Target,
    time::Millis,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Manifests that are written at a time.
const AT_ONCE: usize = 16;

/// Answers with those that are refused: what lies in their place does not cover their windows.
pub async fn write(archive: &Archive, report: &Report, now: DateTime<Utc>) -> Result<Vec<(usize, ExportError)>, ExportError> {
    let skipped = report.decided.iter().enumerate().filter_map(|(position, decided)| match &decided.settled {
        Settled::Skipped { reason } => Some((position, decided, *reason)),
        _ => None,
    });
    let mut skipped: Vec<(usize, &Decided, SkipReason)> = skipped.collect();
    skipped.sort_by_key(|(_, decided, _)| decided.month);
    let (mut index, mut refused) = (ManifestIndex::default(), Vec::new());
    for of_month in skipped.chunk_by(|(_, one, _), (_, other, _)| one.month == other.month) {
        index.look_at(archive, [of_month[0].1.month]).await?;
        let written = of_month.iter().map(async |(position, decided, reason)| {
            let refusal = write_one(archive, report, decided, *reason, &index, now).await?;
            Ok::<_, ExportError>(refusal.map(|error| (*position, error)))
        });
        let of_month: Vec<_> = stream::iter(written).buffer_unordered(AT_ONCE).try_collect().await?;
        refused.extend(of_month.into_iter().flatten());
    }
    Ok(refused)
}

/// A manifest that says more stays: that is well where it covers the window.
async fn write_one(
    archive: &Archive,
    report: &Report,
    decided: &Decided,
    reason: SkipReason,
    index: &ManifestIndex,
    now: DateTime<Utc>,
) -> Result<Option<ExportError>, ExportError> {
    let place = decided.source.place(&archive.stack).map_err(|problem| ExportError::new(ErrorName::Unexpected, problem))?;
    // That a log group has no event, or is too young, holds for all its log streams.
    let stream_prefix = match reason {
        SkipReason::NoEventsInMonth | SkipReason::CreatedAfterMonth => None,
        SkipReason::ExpiredBeforeFirstRun => decided.source.log_stream_name_prefix.clone(),
    };
    let target = Target { place, stream_prefix, month: decided.month, window: decided.window };
    let question = target.question(None, now);
    let found = archive.overlapping_manifests(&question, Some(index), false).await?;
    let asked = Target { stream_prefix: decided.source.log_stream_name_prefix.clone(), ..target.clone() };
    if is_covered(&asked, &found, now) {
        return Ok(None);
    }
    let refusal = match replaced_by_skip(&question, &found) {
        Some(replaces) => {
            let manifest = Manifest {
                reason: Some(reason),
                execution: Some(report.execution.clone()),
                ..Manifest::of(&target, &report.timezone, Outcome::Skipped, Millis::of(now))
            };
            match archive.write_manifest(&target.place, target.month, &manifest, &found, &replaces).await {
                Ok(()) => return Ok(None),
                Err(error) if error.name == ErrorName::OverlapRefused => error,
                Err(error) => return Err(error),
            }
        }
        None => ExportError::new(ErrorName::OverlapRefused, "another manifest lies in the window of this skip, and does not cover it"),
    };
    let found = archive.overlapping_manifests(&asked.question(None, now), None, false).await?;
    Ok((!is_covered(&asked, &found, now)).then_some(refusal))
}

/// By manifests alone: where more would have to be known, they do not cover it.
fn is_covered(target: &Target, found: &[Found], now: DateTime<Utc>) -> bool {
    let evidence = Evidence { manifests: Some(found.to_vec()), ..Evidence::default() };
    let decisions = decide(&target.question(None, now), &evidence).unwrap_or_default();
    !decisions.is_empty() && decisions.iter().all(|decision| decision.verdict == Verdict::Archived)
}
