//! Manifests of what was skipped and of what is lost: there is nothing to export, for a reason, so no later run has to look again.

use archive::{Archive, ManifestIndex};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    contract::plan::{Decided, Settled},
    decide::{replaced_by_record, uncovered_by},
    manifest::{Found, Manifest, Reason},
    place::Stack,
    target::Target,
    time::Millis,
};

use crate::{coverage, report::Header};

/// Records those of `decided` whose reasons are asked for. Answers with those that are refused: what lies in their place does not cover
/// their windows.
pub async fn write(
    archive: &Archive,
    header: &Header,
    decided: &[Decided],
    is_asked_for: impl Fn(Reason) -> bool,
    now: DateTime<Utc>,
) -> Result<Vec<(usize, ExportError)>, ExportError> {
    let recorded = decided.iter().enumerate().filter_map(|(position, decided)| match &decided.settled {
        Settled::Skipped { reason } | Settled::Lost { reason } => Some((position, decided, *reason)),
        _ => None,
    });
    let recorded: Vec<(usize, &Decided, Reason)> = recorded.filter(|(_, _, reason)| is_asked_for(*reason)).collect();
    let write = async |(position, decided, reason): &(usize, &Decided, Reason), index: &ManifestIndex| {
        let refusal = write_one(archive, header, decided, *reason, index, now).await?;
        Ok(refusal.map(|error| (*position, error)))
    };
    let refused = coverage::by_month(archive, &recorded, |(_, decided, _)| decided.month, write).await?;
    Ok(refused.into_iter().flatten().collect())
}

/// A manifest that says more stays: that is well where it covers the window.
async fn write_one(
    archive: &Archive,
    header: &Header,
    decided: &Decided,
    reason: Reason,
    index: &ManifestIndex,
    now: DateTime<Utc>,
) -> Result<Option<ExportError>, ExportError> {
    let asked = target(&archive.stack, decided)?;
    let mut target = asked.clone();
    if reason.is_of_all_streams() {
        target.stream_prefix = None;
    }
    let question = target.question(None, now);
    let found = archive.overlapping_manifests(&question, Some(index), false).await?;
    if is_covered(&asked, &found, now) {
        return Ok(None);
    }
    let replaces = replaced_by_record(&question, reason, &found);
    let refusal = match replaces.zip(Manifest::record(&target, &header.timezone, reason, &header.execution, &found, Millis::of(now))) {
        Some((replaces, manifest)) => match archive.write_manifest(&target.place, target.month, &manifest, &found, &replaces).await {
            Ok(()) => return Ok(None),
            Err(error) if error.name == ErrorName::OverlapRefused => error,
            Err(error) => return Err(error),
        },
        None => ExportError::new(
            ErrorName::OverlapRefused,
            format!("a manifest in the window that is to be recorded as {reason:?} was written or removed: nothing is recorded"),
        ),
    };
    let found = archive.overlapping_manifests(&asked.question(None, now), None, false).await?;
    Ok((!is_covered(&asked, &found, now)).then_some(refusal))
}

pub fn target(stack: &Stack, decided: &Decided) -> Result<Target, ExportError> {
    decided.target(stack).map_err(|problem| ExportError::new(ErrorName::Unexpected, problem))
}

fn is_covered(target: &Target, found: &[Found], now: DateTime<Utc>) -> bool {
    uncovered_by(&target.question(None, now), found).is_empty()
}
