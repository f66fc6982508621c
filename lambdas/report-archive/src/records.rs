//! Manifests of what was skipped and of what is lost: there is nothing to export, for a reason, so no later run has to look again.

use archive::{Archive, ManifestIndex};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    contract::plan::{Decided, Settled},
    decide::{replaced_by_record, uncovered_by},
    manifest::{Found, Manifest, Outcome, Reason},
    place::Stack,
    target::Target,
    time::Millis,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::report::Header;

/// Manifests that are written at a time.
const AT_ONCE: usize = 16;

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
    let mut recorded: Vec<(usize, &Decided, Reason)> = recorded.filter(|(_, _, reason)| is_asked_for(*reason)).collect();
    recorded.sort_by_key(|(_, decided, _)| decided.month);
    let (mut index, mut refused) = (ManifestIndex::default(), Vec::new());
    for of_month in recorded.chunk_by(|(_, one, _), (_, other, _)| one.month == other.month) {
        index.look_at(archive, [of_month[0].1.month]).await?;
        let written = of_month.iter().map(async |(position, decided, reason)| {
            let refusal = write_one(archive, header, decided, *reason, &index, now).await?;
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
    let refusal = match replaces.zip(manifest(header, &target, reason, &found, now)) {
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

pub fn target(stack: &Stack, Decided { source, month, window, .. }: &Decided) -> Result<Target, ExportError> {
    let place = source.place(stack).map_err(|problem| ExportError::new(ErrorName::Unexpected, problem))?;
    Ok(Target { place, stream_prefix: source.log_stream_name_prefix.clone(), month: *month, window: *window })
}

/// `None`: the manifest that was damaged is gone.
fn manifest(header: &Header, target: &Target, reason: Reason, found: &[Found], now: DateTime<Utc>) -> Option<Manifest> {
    let recorded = Manifest {
        reason: Some(reason),
        execution: Some(header.execution.clone()),
        ..Manifest::of(target, &header.timezone, reason.outcome(), Millis::of(now))
    };
    if reason != Reason::Damaged {
        return Some(recorded);
    }
    // What still lies there stays in the views: the damaged manifest keeps its task, and states no more than there is.
    let damaged = found.iter().find(|found| found.key == target.manifest_key())?;
    let (old, lies) = damaged.manifest().zip(damaged.folder())?;
    Some(Manifest {
        outcome: Outcome::Lost,
        reason: recorded.reason,
        execution: recorded.execution,
        objects: lies.objects,
        hidden_objects: lies.hidden_objects,
        bytes: lies.bytes,
        digest: Some(lies.digest.clone()),
        ..old.clone()
    })
}

fn is_covered(target: &Target, found: &[Found], now: DateTime<Utc>) -> bool {
    uncovered_by(&target.question(None, now), found).is_empty()
}
