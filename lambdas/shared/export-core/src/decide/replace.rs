//! When an export, or a record of `skipped` or `lost`, may take the place of manifests that lie there already; and the errors of those
//! that may not.

use super::{Export, Question, Replaces};
use crate::{
    ErrorName, ExportError, StreamPrefix, TaskId, Window,
    manifest::{Content, Folder, Found, Outcome, Reason},
    place::{ManifestKey, Place},
    warning::{Warning, WarningName},
};

impl Question<'_> {
    /// The place holds a task's manifest that does not cover this, and no export of this entry's streams can replace it.
    pub(super) fn place_is_taken(&self, found: &Found) -> bool {
        self.is_narrower(found) && !self.is_covering(found)
    }

    /// An export replaces a task's manifest only if it includes its streams: what a narrower one leaves out would be covered no more.
    fn is_narrower(&self, found: &Found) -> bool {
        let held = found.manifest().filter(|manifest| manifest.task_id.is_some());
        held.is_some_and(|held| !StreamPrefix::includes(self.stream_prefix, held.log_stream_name_prefix.as_ref()))
    }

    pub(super) fn place_taken(&self, found: &Found) -> ExportError {
        let prefix = |prefix: Option<&StreamPrefix>| {
            prefix.map_or("no log stream prefix".to_owned(), |prefix| format!("log stream prefix {prefix}"))
        };
        let held = found.manifest().and_then(|manifest| manifest.log_stream_name_prefix.as_ref());
        ExportError::new(
            ErrorName::PlaceTaken,
            format!(
                "manifest {} of log group {} is of an export with {}, and this one is with {}: give the entry another s3Prefix",
                found.key,
                self.place.log_group,
                prefix(held),
                prefix(self.stream_prefix)
            ),
        )
    }

    /// What an export of exactly this window does to an overlapping manifest.
    pub(super) fn replaces<'a>(&self, old: &'a Found, outcome: Outcome) -> Replaces<'a> {
        let holds_nothing = old.is_valid() && old.manifest().is_some_and(|manifest| manifest.holds_nothing());
        if holds_nothing && outcome != Outcome::Exported && self.answers(old) && old.key.window.contains(self.window) {
            return Replaces::Nothing;
        }
        if self.is_narrower(old) {
            return Replaces::Refused(self.place_taken(old));
        }
        let lies = match (old.manifest(), old.folder()) {
            (None, _) if !old.is_claim() => return Replaces::Freely,
            _ if holds_nothing => {
                let is_replaced = self.window.contains(old.key.window) && (outcome == Outcome::Exported || !self.answers(old));
                return if is_replaced { Replaces::Freely } else { Replaces::Refused(overlap_refused(old, self.place, self.window)) };
            }
            (_, lies) => lies,
        };
        let fits = if old.is_valid() { old.key.window == self.window } else { self.window.contains(old.key.window) };
        match lies {
            Some(lies) if fits => Replaces::IfNotSmaller(lies),
            _ => Replaces::Refused(overlap_refused(old, self.place, self.window)),
        }
    }
}

/// Which manifests give way to one that says `skipped` or `lost` for the question's window: none that is good, or that objects stand
/// behind. Damaged takes the place of exactly the manifest that is damaged. `None`: something else lies there, and nothing is recorded.
pub fn replaced_by_record(question: &Question, reason: Reason, found: &[Found]) -> Option<Vec<ManifestKey>> {
    let overlapping = found.iter().filter(|found| found.key.window.overlaps(question.window));
    let gives_way = |found: &Found| match (&found.content, found.manifest()) {
        (Content::Unreadable(_), _) => false,
        (_, Some(_)) if reason == Reason::Damaged => found.is_damaged() && found.key.window == question.window,
        (_, Some(manifest)) => manifest.holds_nothing() && !question.answers(found) && question.window.contains(found.key.window),
        (_, None) => !found.is_claim(),
    };
    overlapping.map(|found| gives_way(found).then(|| found.key.clone())).collect()
}

pub(super) fn unreadable(found: &Found) -> Option<ExportError> {
    let Content::Unreadable(why) = &found.content else { return None };
    let message = format!("manifest {} cannot be read, so nothing is exported in its place: {why}", found.key);
    Some(ExportError::new(ErrorName::ArchiveUnreadable, message))
}

/// Two manifests of the same time. Whoever wrote the second one ended before it could look at the first; or somebody put it there.
pub(super) fn overlapping(question: &Question, found: &[&Found]) -> Option<ExportError> {
    let fitting: Vec<&Found> = found.iter().filter(|found| found.manifest().is_some()).copied().collect();
    let pairs = fitting.iter().enumerate().flat_map(|(index, one)| fitting[index + 1..].iter().map(move |other| (one, other)));
    let (one, other) = pairs.into_iter().find(|(one, other)| one.key.window.overlaps(other.key.window))?;
    let message =
        format!("manifests {} and {} of log group {} overlap: one of them is too many", one.key, other.key, question.place.log_group);
    Some(ExportError::new(ErrorName::OverlapRefused, message))
}

pub(super) fn no_export_can_replace(why: &str, Window { from, to }: Window) -> ExportError {
    let message = format!("no export can replace the manifest for {from} to {to}: {why}");
    ExportError::new(ErrorName::SmallerExport, message)
}

pub(super) fn overlap_refused(old: &Found, place: &Place, Window { from, to }: Window) -> ExportError {
    let message = format!(
        "the window {from} to {to} of log group {} overlaps manifest {}, whose window is {} to {}",
        place.log_group, old.key, old.key.window.from, old.key.window.to
    );
    ExportError::new(ErrorName::OverlapRefused, message)
}

/// The new export must have what still lies in the old task's folder, log stream by log stream: 95 % of the bytes, because compression
/// varies, and all of them where retention may have deleted events.
pub(super) fn smaller(old: &Found, lies: &Folder, export: &Export, strict: bool) -> Option<ExportError> {
    if export.folder.objects == 0 {
        let message = format!("the new task {} wrote nothing, and manifest {} has a task: it stays", export.task_id, old.key);
        return Some(ExportError::new(ErrorName::SmallerExport, message));
    }
    let percent = if strict { 100 } else { 95 };
    let is_smaller = |(stream, bytes): &(&String, &u64)| {
        let new = export.folder.streams.get(*stream).copied().unwrap_or_default();
        u128::from(new) * 100 < u128::from(**bytes) * percent
    };
    let (stream, bytes) = lies.streams.iter().find(is_smaller)?;
    let new = export.folder.streams.get(stream).copied().unwrap_or_default();
    let message = format!(
        "log stream folder {stream} has {bytes} bytes in the folder of task {} of manifest {}, and {new} in that of the new task {}: the old \
         manifest stays",
        old.content.task_id().map(TaskId::as_str).unwrap_or_default(),
        old.key,
        export.task_id
    );
    Some(ExportError::new(ErrorName::SmallerExport, message))
}

pub(super) fn smaller_than_before(old: &Found, export: &Export) -> Option<Warning> {
    let stated = old.manifest().map(|manifest| manifest.bytes).filter(|stated| *stated > export.folder.bytes)?;
    let message = format!(
        "manifest {} stated {stated} bytes of task {}, and the new task {} wrote {}",
        old.key,
        old.content.task_id().map(TaskId::as_str).unwrap_or_default(),
        export.task_id,
        export.folder.bytes
    );
    Some(Warning::new(WarningName::SmallerThanBefore, message))
}
