//! Writes the manifests of `skipped` and `lost` windows, so that no later run looks for their events again.

use archive::{Archive, ManifestIndex};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    contract::plan::{DecidedWindow, WindowOutcome},
    decide::{Question, replaced_by_record, uncovered_by},
    manifest::{FoundManifest, Manifest, Reason},
    place::Stack,
    target::Target,
    time::Millis,
};

use crate::{coverage, report::RunFacts};

/// Records the windows whose reasons `is_selected` accepts. Returns the refused ones with their positions in `decided`: another manifest is
/// in the way, and does not cover the window.
pub async fn write(
    archive: &Archive,
    run: &RunFacts,
    decided: &[DecidedWindow],
    is_selected: impl Fn(Reason) -> bool,
    now: DateTime<Utc>,
) -> Result<Vec<(usize, ExportError)>, ExportError> {
    let to_record = decided.iter().enumerate().filter_map(|(position, decided)| match &decided.outcome {
        WindowOutcome::Skipped { reason } | WindowOutcome::Lost { reason } => Some((position, decided, *reason)),
        _ => None,
    });
    let to_record: Vec<(usize, &DecidedWindow, Reason)> = to_record.filter(|(_, _, reason)| is_selected(*reason)).collect();
    let write = async |(position, decided, reason): &(usize, &DecidedWindow, Reason), index: &ManifestIndex| {
        let refusal = write_one(archive, run, decided, *reason, index, now).await?;
        Ok(refusal.map(|error| (*position, error)))
    };
    let refused = coverage::visit_by_month(archive, &to_record, |(_, decided, _)| decided.month, write).await?;
    Ok(refused.into_iter().flatten().collect())
}

/// Returns the error if the window is not recorded and not covered.
async fn write_one(
    archive: &Archive,
    run: &RunFacts,
    decided: &DecidedWindow,
    reason: Reason,
    index: &ManifestIndex,
    now: DateTime<Utc>,
) -> Result<Option<ExportError>, ExportError> {
    let asked = target(&archive.stack, decided)?;
    let mut target = asked.clone();
    if reason.applies_to_all_streams() {
        target.stream_prefix = None;
    }
    let question = Question::new(&target, now);
    let found = archive.overlapping_manifests(&question, Some(index), false).await?;
    if is_covered(&asked, &found, now) {
        return Ok(None);
    }
    let replaces = replaced_by_record(&question, reason, &found);
    let manifest = Manifest::record(&target, &run.timezone, reason, &run.execution, &found, Millis::of(now));
    let refusal = match replaces.zip(manifest) {
        Some((replaces, manifest)) => match archive.write_manifest(&target.place, target.month, &manifest, &found, &replaces).await {
            Ok(()) => return Ok(None),
            Err(error) if error.name == ErrorName::OverlapRefused => error,
            Err(error) => return Err(error),
        },
        None => ExportError::new(
            ErrorName::OverlapRefused,
            format!("a manifest in the window to record as {reason:?} was written or removed meanwhile: nothing is recorded"),
        ),
    };
    let found = archive.overlapping_manifests(&Question::new(&asked, now), None, false).await?;
    Ok((!is_covered(&asked, &found, now)).then_some(refusal))
}

pub fn target(stack: &Stack, decided: &DecidedWindow) -> Result<Target, ExportError> {
    decided.target(stack).map_err(|problem| ExportError::new(ErrorName::Unexpected, problem))
}

fn is_covered(target: &Target, found: &[FoundManifest], now: DateTime<Utc>) -> bool {
    uncovered_by(&Question::new(target, now), found).is_empty()
}
