//! What the archive records of the COMPLETED task t-new for all of October.

use serde_json::json;

use chrono::TimeDelta;

use super::{super::*, case::*};

/// Each replacement rule of manifests, by the old manifest and what task t-new wrote for all of October.
#[test]
fn an_export_replaces_a_manifest_by_the_rules_of_replacement() {
    let lasting = |manifests: [StoredManifest; 1]| given(manifests).group(NO_LIMIT);
    let expiring = |manifests: [StoredManifest; 1]| given(manifests).group(ONE_DAY);
    let (some, none): (Streams, Streams) = (&[("a", 1000)], &[]);
    check([
        ("nothing", given([]).group(NO_LIMIT).exports(some), "Write(Exported)"),
        ("nothing, by nothing", given([]).group(NO_LIMIT).exports(none), "Write(Empty)"),
        ("skipped", lasting([skipped()]).exports(some), "Write(Exported), replaces 0..744"),
        ("skipped, by nothing", lasting([skipped()]).exports(none), "Written(Empty)"),
        ("skipped, by nothing in fewer streams", lasting([skipped()]).of_streams("prod/").exports(none), "Written(Empty)"),
        ("skipped for fewer streams, by nothing", lasting([skipped().of_streams("prod/")]).exports(none), "Write(Empty), replaces 0..744"),
        ("empty for fewer streams, by nothing", lasting([empty().of_streams("prod/")]).exports(none), "Write(Empty), replaces 0..744"),
        ("skipped for other streams", lasting([skipped().of_streams("prod/")]).exports(some), "Write(Exported), replaces 0..744"),
        ("empty", lasting([empty()]).exports(some), "Write(Exported), replaces 0..744"),
        ("lost without a task", lasting([lost()]).exports(some), "Write(Exported), replaces 0..744"),
        ("lost without a task, by nothing", lasting([lost()]).exports(none), "Written(Empty)"),
        ("lost and damaged", lasting([lost_damaged(some)]).exports(some), "Write(Exported), replaces 0..744"),
        ("lost and damaged, by less", lasting([lost_damaged(some)]).exports(&[("a", 9)]), "SmallerExport: ..."),
        ("lost and damaged, by nothing", lasting([lost_damaged(some)]).exports(none), "SmallerExport: ..."),
        ("empty of other bounds", lasting([wrote(9, 745, &[])]).exports(some), "OverlapRefused: ..."),
        ("empty, by nothing", lasting([empty()]).exports(none), "Written(Empty)"),
        (
            "a part that is empty, by nothing",
            lasting([wrote(9, 20, &[])]).exports(none),
            "OverlapRefused: the window 2026-09-30T15:00:00.000Z to 2026-10-31T14:59:59.999Z of log group /a overlaps manifest ..., whose \
             window is ...",
        ),
        ("the same, again", lasting([exported().with(json!({"task_id": "t-new"}))]).exports(some), "Written(Exported)"),
        ("the same bounds", lasting([exported()]).exports(some), "Write(Exported), replaces 0..744"),
        (
            "the same bounds, by nothing",
            lasting([exported()]).exports(none),
            "SmallerExport: the new task t-new wrote nothing, and manifest ... has a task: it stays",
        ),
        ("other bounds", lasting([wrote(9, 744, some)]).exports(some), "OverlapRefused: ..."),
        ("other bounds, not answering", lasting([wrote(9, 744, some).of_streams("prod/")]).exports(some), "OverlapRefused: ..."),
        (
            "damaged, inside",
            lasting([wrote(9, 744, &[("a", 2000)]).damaged(some)]).exports(some),
            "Write(Exported), replaces 9..744, SmallerThanBefore: manifest ... states 2000 bytes of task t-old, but the new task t-new wrote 1000 bytes",
        ),
        ("damaged, beyond the window", lasting([wrote(9, 745, some).damaged(none)]).exports(some), "OverlapRefused: ..."),
        (
            "damaged, all gone, by nothing",
            lasting([exported().damaged(none)]).exports(none),
            "SmallerExport: the new task t-new wrote nothing...",
        ),
        ("fewer streams", lasting([exported().of_streams("prod/")]).exports(some), "Write(Exported), replaces 0..744"),
        ("other streams", lasting([exported().of_streams("prod/")]).of_streams("dev/").exports(some), "PlaceTaken: ..."),
        ("wrong, and nothing lies there", lasting([exported().wrong().damaged(none)]).exports(some), "Write(Exported), replaces 0..744"),
        ("wrong, and more lies there", lasting([exported().wrong()]).exports(&[("a", 1)]), "SmallerExport: ...folder of task t-old..."),
        (
            "wrong, of another place",
            lasting([exported().with(json!({"bucket": "other"}))]).exports(&[("a", 1)]),
            "Write(Exported), replaces 0..744",
        ),
        (
            "95 % of a stream",
            lasting([exported()]).exports(&[("a", 950)]),
            "Write(Exported), replaces 0..744, SmallerThanBefore: ...states 1000 bytes of task t-old, but the new task t-new wrote 950 bytes",
        ),
        (
            "less",
            lasting([exported()]).exports(&[("a", 949), ("b", 9000)]),
            "SmallerExport: log stream folder a has 1000 bytes in the folder of task t-old of manifest ..., and 949 in that of \
             the new task t-new: the old manifest stays",
        ),
        (
            "a stream is missing",
            lasting([wrote(0, 744, &[("a", 1000), ("b", 1)])]).exports(some),
            "SmallerExport: log stream folder b has 1 bytes ..., and 0 in ...",
        ),
        (
            "less than stated, as much as still lies there",
            lasting([wrote(0, 744, &[("a", 1000), ("b", 1)]).damaged(some)]).exports(&[("a", 950)]),
            "Write(Exported), replaces 0..744, SmallerThanBefore: ...states 1001 bytes...",
        ),
        ("under retention, all of it", expiring([exported()]).exports(some), "Write(Exported), replaces 0..744"),
        ("under retention, one byte less", expiring([exported()]).exports(&[("a", 999)]), "SmallerExport: ..."),
        ("a deleted log group, one byte less", given([exported()]).group(LogGroup::Absent).exports(&[("a", 999)]), "SmallerExport: ..."),
    ]);
}

#[test]
fn a_task_that_wrote_nothing_is_decided_by_the_log_group() {
    let kept = |days, task_created| {
        let log_group = LogGroup::Present {
            created: None,
            retention_in_days: Some(days),
            retention_policy: None,
            is_exportable: true,
            stored_bytes: None,
        };
        let mut case = given([]).group(log_group).exports(&[]);
        case.evidence.export.as_mut().unwrap().created = task_created;
        case
    };
    let after_32_days = october().from + TimeDelta::days(32);
    let later = after_32_days + TimeDelta::milliseconds(1);
    let absent = || given([]).group(LogGroup::Absent).exports(&[]);
    check([
        ("retention kept all of it", kept(32, Some(after_32_days)), "Write(Empty)"),
        ("retention may have deleted some", kept(32, Some(later)).unseen(), "Record(ExpiredBeforeFirstRun)"),
        ("so it may where the task's time is unknown", kept(3653, None).unseen(), "Record(ExpiredBeforeFirstRun)"),
        ("of a window that was seen", kept(32, Some(later)).seen_since("2026-11-01T00:00:00Z"), "Record(Expired)"),
        ("of an open window", kept(32, Some(later)).open_since("2026-11-01T00:00:00Z"), "Record(Expired)"),
        ("a deleted log group", absent(), "Record(LogGroupDeleted)"),
    ]);
}

#[test]
fn a_task_that_wrote_nothing_is_empty_only_if_the_window_has_no_event() {
    let damaged = || given([exported().damaged(&[("a", 9)])]).group(ONE_DAY).exports(&[]);
    let window = "ExportIncomplete: export task t-new of log group /a for 2026-09-30T15:00:00.000Z to 2026-10-31T14:59:59.999Z is COMPLETED and wrote nothing, but";
    let found = format!("{window} the log group has an event of that time");
    let unknown = format!("{window} FilterLogEvents did not come to an end, so the log group may have an event of that time");
    check([
        ("none", given([]).group(NO_LIMIT).exports(&[]), "Write(Empty)"),
        ("one", given([]).group(NO_LIMIT).exports(&[]).event_search(EventSearch::Found), &found),
        ("perhaps one", given([]).group(NO_LIMIT).exports(&[]).event_search(EventSearch::Unknown), &unknown),
        ("one, under a retention", given([]).group(ONE_DAY).exports(&[]).event_search(EventSearch::Found), &found),
        ("one, and a record says there is none", given([skipped()]).exports(&[]).event_search(EventSearch::Found), &found),
        ("one of a damaged month that no export may bring back", damaged().event_search(EventSearch::Found), &found),
        ("none of it", damaged(), "Record(Damaged)"),
        ("the task wrote some", given([]).exports(&[("a", 1)]).event_search(EventSearch::Found), "Write(Exported)"),
    ]);
}

#[test]
fn a_log_group_that_was_recreated_while_its_task_ran_has_lost_its_events() {
    // The task was created at 2026-11-01T05:00:00Z.
    let recreated =
        |at: &str| given([]).group(created(Millis::of(instant(at)))).exports(&[]).unseen().planned_since("2026-11-01T05:00:00Z");
    check([
        ("while it ran", recreated("2026-11-01T05:00:00.001Z"), "Record(LogGroupDeleted)"),
        ("before it was planned", recreated("2026-11-01T04:00:00Z"), "Write(Empty)"),
        (
            "before, and an older task is known",
            recreated("2026-11-01T04:00:00Z").seen_since("2026-10-01T04:00:00Z"),
            "Record(LogGroupDeleted)",
        ),
        ("inside the window", recreated("2026-10-15T00:00:00Z"), "Write(Empty)"),
    ]);
}
