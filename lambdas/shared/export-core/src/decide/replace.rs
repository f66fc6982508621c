//! When an export, or a record of `skipped` or `lost`, may replace manifests; and the errors where it may not.

use super::{CompletedExport, Question};
use crate::{
    ErrorName, ExportError, StreamPrefix, Window,
    manifest::{Content, FolderContents, FoundManifest, Outcome, Reason},
    place::{ManifestKey, Place},
};

/// What an export of exactly the question's window does to a manifest that overlaps it.
pub(super) enum Replacement<'a> {
    /// The old manifest says the same already.
    NotNeeded,
    Allowed,
    /// Allowed only if the new export has everything that still is in the old task's folder.
    IfNotSmaller(&'a FolderContents),
    Refused(ExportError),
}

impl Question<'_> {
    /// Whether a task's manifest holds the place, does not cover the question, and cannot be replaced by an export of these streams.
    pub(super) fn place_is_taken(&self, found: &FoundManifest) -> bool {
        self.is_narrower_than(found) && !self.is_covering(found)
    }

    /// Whether an export of the question's streams lacks some of the manifest's streams: these would be covered no more.
    fn is_narrower_than(&self, found: &FoundManifest) -> bool {
        let held = found.manifest().filter(|manifest| manifest.task_id.is_some());
        held.is_some_and(|held| !StreamPrefix::includes(self.target.stream_prefix.as_ref(), held.log_stream_name_prefix.as_ref()))
    }

    pub(super) fn place_taken(&self, found: &FoundManifest) -> ExportError {
        let describe = |prefix: Option<&StreamPrefix>| {
            prefix.map_or("no log stream prefix".to_owned(), |prefix| format!("log stream prefix {prefix}"))
        };
        let held = found.manifest().and_then(|manifest| manifest.log_stream_name_prefix.as_ref());
        ExportError::new(
            ErrorName::PlaceTaken,
            format!(
                "manifest {} of log group {} is of an export with {}, but this export is with {}: give the entry another s3Prefix",
                found.key,
                self.target.place.log_group,
                describe(held),
                describe(self.target.stream_prefix.as_ref())
            ),
        )
    }

    pub(super) fn replacement_of<'a>(&self, old: &'a FoundManifest, outcome: Outcome) -> Replacement<'a> {
        let (place, window) = (&self.target.place, self.target.window);
        let has_no_objects = old.is_valid() && old.manifest().is_some_and(|manifest| manifest.has_no_objects());
        if has_no_objects && outcome != Outcome::Exported && self.answers(old) && old.key.window.contains(window) {
            return Replacement::NotNeeded;
        }
        if self.is_narrower_than(old) {
            return Replacement::Refused(self.place_taken(old));
        }
        let present = match (old.manifest(), old.folder()) {
            (None, _) if !old.is_invalid_with_objects() => return Replacement::Allowed,
            _ if has_no_objects => {
                let is_allowed = window.contains(old.key.window) && (outcome == Outcome::Exported || !self.answers(old));
                return if is_allowed { Replacement::Allowed } else { Replacement::Refused(overlap_refused(old, place, window)) };
            }
            (_, present) => present,
        };
        let fits = if old.is_valid() { old.key.window == window } else { window.contains(old.key.window) };
        match present {
            Some(present) if fits => Replacement::IfNotSmaller(present),
            _ => Replacement::Refused(overlap_refused(old, place, window)),
        }
    }
}

/// The manifests that a record of `skipped` or `lost` replaces: none that is valid, and none that has objects. Damaged replaces exactly the
/// damaged manifest. `None`: another manifest is in the way, and nothing is recorded.
pub fn replaced_by_record(question: &Question, reason: Reason, found: &[FoundManifest]) -> Option<Vec<ManifestKey>> {
    let window = question.target.window;
    let overlapping = found.iter().filter(|found| found.key.window.overlaps(window));
    let is_replaceable = |found: &FoundManifest| match (&found.content, found.manifest()) {
        (Content::Unreadable(_), _) => false,
        (_, Some(_)) if reason == Reason::Damaged => found.is_damaged() && found.key.window == window,
        (_, Some(manifest)) => manifest.has_no_objects() && !question.answers(found) && window.contains(found.key.window),
        (_, None) => !found.is_invalid_with_objects(),
    };
    overlapping.map(|found| is_replaceable(found).then(|| found.key.clone())).collect()
}

pub(super) fn unreadable(found: &FoundManifest) -> Option<ExportError> {
    let Content::Unreadable(why) = &found.content else { return None };
    let message = format!("manifest {} cannot be read, so nothing is exported in its place: {why}", found.key);
    Some(ExportError::new(ErrorName::ArchiveUnreadable, message))
}

/// Two manifests of the same time. The function that wrote the second one ended before it looked at the first, or a person put it there.
pub(super) fn overlapping(question: &Question, found: &[&FoundManifest]) -> Option<ExportError> {
    let fitting: Vec<&FoundManifest> = found.iter().filter(|found| found.manifest().is_some()).copied().collect();
    let pairs = fitting.iter().enumerate().flat_map(|(index, one)| fitting[index + 1..].iter().map(move |other| (one, other)));
    let (one, other) = pairs.into_iter().find(|(one, other)| one.key.window.overlaps(other.key.window))?;
    let log_group = &question.target.place.log_group;
    let message = format!("manifests {} and {} of log group {log_group} overlap: one of them is too many", one.key, other.key);
    Some(ExportError::new(ErrorName::OverlapRefused, message))
}

pub(super) fn no_export_can_replace(why: &str, Window { from, to }: Window) -> ExportError {
    let message = format!("no export can replace the manifest for {from} to {to}: {why}");
    ExportError::new(ErrorName::SmallerExport, message)
}

pub(super) fn overlap_refused(old: &FoundManifest, place: &Place, Window { from, to }: Window) -> ExportError {
    let message = format!(
        "the window {from} to {to} of log group {} overlaps manifest {}, whose window is {} to {}",
        place.log_group, old.key, old.key.window.from, old.key.window.to
    );
    ExportError::new(ErrorName::OverlapRefused, message)
}

/// The new export must have what still is in the old task's folder, log stream by log stream. Compression varies, so 95 % of the bytes are
/// enough. `must_have_all`: retention may have deleted events, and every byte counts.
pub(super) fn smaller(old: &FoundManifest, present: &FolderContents, export: &CompletedExport, must_have_all: bool) -> Option<ExportError> {
    if export.folder.objects == 0 {
        let message = format!("the new task {} wrote nothing, and manifest {} has a task: it stays", export.task_id, old.key);
        return Some(ExportError::new(ErrorName::SmallerExport, message));
    }
    let needed_percent = if must_have_all { 100 } else { 95 };
    let new_bytes = |stream: &String| export.folder.streams.get(stream).copied().unwrap_or_default();
    let is_smaller = |(stream, bytes): &(&String, &u64)| u128::from(new_bytes(stream)) * 100 < u128::from(**bytes) * needed_percent;
    let (stream, bytes) = present.streams.iter().find(is_smaller)?;
    let message = format!(
        "log stream folder {stream} has {bytes} bytes in the folder of task {} of manifest {}, and {} in that of the new task {}: the old \
         manifest stays",
        old.task_id_text(),
        old.key,
        new_bytes(stream),
        export.task_id
    );
    Some(ExportError::new(ErrorName::SmallerExport, message))
}
