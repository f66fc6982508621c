//! Which parts of a period the archive has of a log group: which folders to read, so that each event is read once, and what is missing.

use chrono_tz::Tz;
use export_core::{
    LogGroupName, StreamPrefix, Window,
    manifest::{Manifest, Outcome, Reason},
    time::Millis,
};

use crate::{
    commands::fetch::print::format_time,
    events::exported::{TaskFolder, folder_name},
};

/// A manifest whose window overlaps the period, and its task's folder.
#[derive(Debug)]
pub struct ArchivedWindow {
    pub manifest: Manifest,
    pub folder: TaskFolder,
}

/// The windows to read from the folder of one manifest.
#[derive(Debug, PartialEq, Eq)]
pub struct FolderRead {
    /// The index of the manifest.
    pub index: usize,
    pub windows: Vec<Window>,
}

/// Chooses one folder for each part of the period. Several folders can have the same event, if an entry's prefix has changed. The order of
/// preference: most log streams, no events deleted before the export, no problems, newest.
pub fn plan_reads(period: Window, stream: Option<&StreamPrefix>, archived: &[ArchivedWindow]) -> Vec<FolderRead> {
    let has_objects = |index: &usize| !archived[*index].manifest.has_no_objects() && can_contain(&archived[*index].manifest, stream);
    let parts = |index: usize| {
        let manifest = &archived[index].manifest;
        let complete = complete_part(manifest);
        let rest = manifest.window().without(complete.as_slice());
        complete.map(|window| (index, window, true)).into_iter().chain(rest.into_iter().map(move |window| (index, window, false)))
    };
    let mut order: Vec<_> = (0..archived.len()).filter(has_objects).flat_map(parts).collect();
    order.sort_by_key(|(index, window, is_complete)| {
        let ArchivedWindow { manifest, folder } = &archived[*index];
        let newest_first = std::cmp::Reverse(manifest.created_at());
        (prefix(manifest).len(), !is_complete, !folder.problems.is_empty(), newest_first, window.from)
    });
    let mut taken: Vec<(&str, Window)> = Vec::new();
    let mut reads: Vec<FolderRead> = Vec::new();
    for (index, window, _) in order {
        let manifest = &archived[index].manifest;
        let of_same_streams = taken.iter().filter(|(taken, _)| prefix(manifest).starts_with(taken));
        let others: Vec<Window> = of_same_streams.map(|(_, window)| *window).collect();
        let windows = window.overlap(period).map_or(Vec::new(), |window| window.without(&others));
        taken.extend(windows.iter().map(|window| (prefix(manifest), *window)));
        match reads.iter_mut().find(|read| read.index == index) {
            Some(read) => read.windows.extend(windows),
            None if windows.is_empty() => {}
            None => reads.push(FolderRead { index, windows }),
        }
    }
    reads
}

/// The part of a manifest's window of which no events were deleted before the export.
fn complete_part(manifest: &Manifest) -> Option<Window> {
    match manifest.outcome {
        Outcome::Exported | Outcome::Empty => {
            let from = manifest.complete_from.unwrap_or(manifest.window_from).max(manifest.window_from);
            (from <= manifest.window_to).then_some(Window { from, to: manifest.window_to })
        }
        Outcome::Skipped | Outcome::Lost => None,
    }
}

/// The parts of the period without a manifest for the requested log streams.
pub fn not_archived(period: Window, stream: Option<&StreamPrefix>, archived: &[ArchivedWindow]) -> Vec<Window> {
    let answers = archived.iter().map(|archived| &archived.manifest).filter(|manifest| {
        let wanted = stream.map_or("", StreamPrefix::as_str);
        wanted.starts_with(prefix(manifest))
    });
    let windows: Vec<Window> = answers.map(Manifest::window).collect();
    period.without(&windows)
}

/// Messages about the parts of the period whose events are lost.
pub fn lost_parts(
    log_group: &LogGroupName,
    period: Window,
    stream: Option<&StreamPrefix>,
    archived: &[ArchivedWindow],
    timezone: Tz,
) -> Vec<String> {
    let manifests = archived.iter().map(|archived| &archived.manifest).filter(|manifest| can_contain(manifest, stream));
    let describe = |manifest: &Manifest| {
        let Some((window, why)) = lost_part(period, manifest) else { return Vec::new() };
        // Another manifest can have the events.
        let others = archived.iter().map(|archived| &archived.manifest).filter(|other| prefix(manifest).starts_with(prefix(other)));
        let lost = window.without(&others.filter_map(complete_part).collect::<Vec<_>>());
        lost.into_iter().map(|window| format!("{log_group}: events {} {why}", format_period(window, timezone))).collect()
    };
    manifests.flat_map(describe).collect()
}

fn lost_part(period: Window, manifest: &Manifest) -> Option<(Window, &'static str)> {
    let (to, why) = match (manifest.outcome, manifest.reason) {
        (_, Some(Reason::LogGroupDeleted)) => (manifest.window_to, "are lost: the log group was deleted before they were archived"),
        (_, Some(Reason::Expired)) => (manifest.window_to, "are lost: retention deleted them before they were archived"),
        (_, Some(Reason::Damaged)) => {
            (manifest.window_to, "are lost in part: objects of the archive are missing, and no export can restore them")
        }
        (_, Some(Reason::ExpiredBeforeFirstRun)) => {
            (manifest.window_to, "may have existed: if so, retention deleted them before the archive's first run")
        }
        (Outcome::Exported | Outcome::Empty, _) => {
            let from = manifest.complete_from.filter(|from| *from > manifest.window_from)?;
            (Millis(from.0 - 1), "are not complete: retention had deleted events before they were archived")
        }
        _ => return None,
    };
    Some((Window { from: manifest.window_from, to }.overlap(period)?, why))
}

/// The window as a half-open period.
pub fn format_period(window: Window, timezone: Tz) -> String {
    format!("from {} to {}", format_time(window.from, timezone), format_time(Millis(window.to.0 + 1), timezone))
}

fn prefix(manifest: &Manifest) -> &str {
    manifest.log_stream_name_prefix.as_ref().map_or("", StreamPrefix::as_str)
}

/// Whether the manifest's folder can contain a requested log stream.
pub fn can_contain(manifest: &Manifest, stream: Option<&StreamPrefix>) -> bool {
    let (wanted, exported) = (folder_name(stream.map_or("", StreamPrefix::as_str)), folder_name(prefix(manifest)));
    wanted.starts_with(&exported) || exported.starts_with(&wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use export_core::manifest::SCHEMA_VERSION;

    fn window(from: i64, to: i64) -> Window {
        Window { from: Millis(from), to: Millis(to) }
    }

    /// The manifest was created on the `day`.
    fn archived(from: i64, to: i64, prefix: &str, outcome: Outcome, reason: Option<Reason>, day: u32) -> ArchivedWindow {
        let manifest = Manifest {
            schema_version: SCHEMA_VERSION,
            outcome,
            reason,
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            bucket: export_core::BucketName::parse("bucket").unwrap(),
            log_group: LogGroupName::parse("/g").unwrap(),
            log_stream_name_prefix: StreamPrefix::parse(prefix).ok(),
            timezone: "UTC".into(),
            window_from: Millis(from),
            window_to: Millis(to),
            complete_from: None,
            destination_prefix: "p".into(),
            task_id: None,
            objects: 0,
            hidden_objects: 0,
            bytes: 0,
            digest: None,
            created: format!("2026-01-{day:02}T00:00:00Z"),
            completed: None,
            execution: None,
            warnings: Vec::new(),
        };
        ArchivedWindow { manifest, folder: TaskFolder::default() }
    }

    fn exported(from: i64, to: i64, prefix: &str, day: u32) -> ArchivedWindow {
        archived(from, to, prefix, Outcome::Exported, None, day)
    }

    fn read(archived: &[ArchivedWindow], stream: Option<&str>) -> Vec<(usize, Vec<Window>)> {
        let stream = stream.map(|stream| StreamPrefix::parse(stream).unwrap());
        plan_reads(window(10, 29), stream.as_ref(), archived).into_iter().map(|read| (read.index, read.windows)).collect()
    }

    #[test]
    fn each_part_of_a_period_is_read_once() {
        let two_months = [exported(0, 19, "", 1), exported(20, 99, "", 1)];
        assert_eq!(read(&two_months, None), [(0, vec![window(10, 19)]), (1, vec![window(20, 29)])]);
        // The newer one of two places.
        let two_places = [exported(0, 19, "", 1), exported(15, 22, "", 2)];
        assert_eq!(read(&two_places, None), [(1, vec![window(15, 22)]), (0, vec![window(10, 14)])]);
        // The one without problems.
        let mut damaged = exported(0, 99, "", 2);
        damaged.folder.problems.push("damaged".into());
        assert_eq!(read(&[damaged, exported(0, 99, "", 1)], None), [(1, vec![window(10, 29)])]);
        // The complete one before the newest.
        let mut late = exported(0, 99, "", 2);
        late.manifest.complete_from = Some(Millis(20));
        assert_eq!(read(&[late, exported(0, 99, "", 1)], None), [(0, vec![window(20, 29)]), (1, vec![window(10, 19)])]);
        // All log streams before some of them.
        let some = [exported(0, 99, "prod/", 2), exported(20, 99, "", 1), exported(0, 99, "prod/a", 3), exported(0, 99, "test", 1)];
        assert_eq!(read(&some, None), [(1, vec![window(20, 29)]), (3, vec![window(10, 19)]), (0, vec![window(10, 19)])]);
        assert_eq!(read(&some, Some("te")), [(1, vec![window(20, 29)]), (3, vec![window(10, 19)])]);
        // An empty manifest hides no events of another one.
        let nothing = [archived(0, 99, "", Outcome::Empty, None, 9), exported(0, 99, "prod/", 1)];
        assert_eq!(read(&nothing, None), [(1, vec![window(10, 29)])]);
        assert_eq!(read(&[exported(30, 99, "", 1)], None), []);
    }

    #[test]
    fn a_part_without_a_manifest_is_not_archived() {
        let not_archived = |archived: &[ArchivedWindow], stream: Option<&str>| {
            let stream = stream.map(|stream| StreamPrefix::parse(stream).unwrap());
            super::not_archived(window(10, 29), stream.as_ref(), archived)
        };
        assert_eq!(not_archived(&[], None), [window(10, 29)]);
        assert_eq!(
            not_archived(&[exported(0, 14, "", 1), archived(20, 22, "", Outcome::Empty, None, 1)], None),
            [window(15, 19), window(23, 29)]
        );
        let of_some_streams = [exported(0, 99, "prod/", 1)];
        assert_eq!(not_archived(&of_some_streams, None), [window(10, 29)]);
        assert_eq!(not_archived(&of_some_streams, Some("prod/a")), []);
        assert_eq!(not_archived(&of_some_streams, Some("prod")), [window(10, 29)]);
    }

    #[test]
    fn lost_events_are_reported() {
        let describe =
            |archived: ArchivedWindow| lost_parts(&archived.manifest.log_group.clone(), window(10, 29), None, &[archived], Tz::UTC);
        for (reason, outcome, expected) in [
            (
                Reason::LogGroupDeleted,
                Outcome::Lost,
                "/g: events from 1970-01-01T00:00:00.010Z to 1970-01-01T00:00:00.020Z are lost: the log group",
            ),
            (Reason::Expired, Outcome::Lost, "are lost: retention"),
            (Reason::Damaged, Outcome::Lost, "are lost in part"),
            (Reason::ExpiredBeforeFirstRun, Outcome::Skipped, "may have existed"),
        ] {
            let found = describe(archived(0, 19, "", outcome, Some(reason), 1));
            assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
        }
        for reason in [Reason::CreatedAfterMonth, Reason::NoEventsInMonth] {
            assert_eq!(describe(archived(0, 19, "", Outcome::Skipped, Some(reason), 1)), Vec::<String>::new());
        }
        let mut late = exported(0, 19, "", 1);
        late.manifest.complete_from = Some(Millis(15));
        let expected = "/g: events from 1970-01-01T00:00:00.010Z to 1970-01-01T00:00:00.015Z are not complete: retention had deleted";
        let found = describe(late);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
        // Another manifest has some of the events.
        let lost = archived(0, 19, "", Outcome::Lost, Some(Reason::Expired), 2);
        let found = lost_parts(&lost.manifest.log_group.clone(), window(10, 29), None, &[lost, exported(0, 14, "", 1)], Tz::UTC);
        assert!(found.len() == 1 && found[0].contains("from 1970-01-01T00:00:00.015Z to 1970-01-01T00:00:00.020Z are lost"), "{found:?}");
        assert_eq!(describe(exported(0, 19, "", 1)), Vec::<String>::new());
    }
}
