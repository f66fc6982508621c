//! The table of docs/architecture.md, row by row.

mod case;
mod completed;

use case::*;
use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::manifest::Content;

#[test]
fn each_stage_needs_no_more_evidence_than_it_uses() {
    let mut nothing = given([]);
    nothing.evidence.manifests = None;
    let unasked = |mut case: Case| {
        case.evidence.event_search = None;
        case
    };
    check([
        ("nothing is known", nothing, "needs Manifests"),
        ("no manifest", given([]), "needs LogGroup"),
        ("a log group", given([]).group(NO_LIMIT), "needs NewestEvent"),
        ("a manifest that a task stands behind", given([exported().damaged(&[])]).group(NO_LIMIT), "Export"),
        ("no log group", given([]).group(LogGroup::Absent), "needs OldestTask"),
        ("a log group of later", given([]).group(created(october().to + TimeDelta::days(1))), "needs OldestTask"),
        ("no event in the window", given([]).group(NO_LIMIT).newest(NewestEvent::None), "NothingYet"),
        ("an event may be in it", given([]).group(NO_LIMIT).newest(NewestEvent::Unknown), "Export"),
        ("of some streams", given([]).group(NO_LIMIT).newest(NewestEvent::Unknown).of_streams("prod/"), "needs Stream"),
        ("a log group of inside", given([]).group(created(october().to)).newest(NewestEvent::Unknown), "needs OldestTask"),
        ("an export of nothing that retention explains", given([]).group(ONE_DAY).exports(&[]), "needs OldestTask"),
        ("an export", given([]).exports(&[("a", 1)]), "Write(Exported)"),
        ("an export of nothing", unasked(given([]).exports(&[])), "needs EventSearch"),
        ("an export of nothing, and no event is there", given([]).exports(&[]), "needs LogGroup"),
        ("an export in place of another", given([exported()]).exports(&[("a", 1)]), "needs LogGroup"),
    ]);
}

#[test]
fn a_window_that_valid_manifests_cover_is_archived() {
    let half = || wrote(0, 300, &[("a", 1)]);
    check([
        ("exported", given([exported()]), "Archived"),
        ("empty", given([empty()]), "Archived"),
        ("skipped", given([skipped()]), "Archived"),
        ("lost", given([lost()]), "Archived"),
        ("lost, with what still lies there", given([lost_damaged(&[("a", 9)])]), "Archived"),
        ("lost, and nothing lies there", given([lost_damaged(&[])]), "Archived"),
        ("two that adjoin", given([half(), wrote(300, 744, &[])]), "Archived"),
        ("one of more than the month", given([wrote(-9, 745, &[])]), "Archived"),
        ("all streams answer for some", given([exported()]).of_streams("prod/"), "Archived"),
        ("some streams answer for fewer", given([exported().of_streams("prod/")]).of_streams("prod/web"), "Archived"),
        ("the rest", given_events([half()]), "300..744 Export"),
        ("both sides", given_events([wrote(9, 300, &[])]), "0..9 Export | 300..744 Export"),
        ("a neighbour that reaches in", given_events([wrote(-700, 9, &[]).of_september()]), "9..744 Export"),
        ("a neighbour that does not", given_events([wrote(-700, 0, &[]).of_september()]), "Export"),
        ("other contents, same number and bytes", given([exported().with(json!({"digest": "other"}))]), "Archived"),
    ]);
}

#[test]
fn an_uncovered_window_is_decided_by_the_log_group_and_its_events() {
    let Window { from, to } = october();
    let ms = TimeDelta::milliseconds(1);
    check([
        ("an event may be there", given_events([]), "Export"),
        ("an event is there", given_events([]).newest(NewestEvent::At(from)), "Export"),
        ("events behind the window", given_events([]).newest(NewestEvent::At(to + TimeDelta::days(400))), "Export"),
        ("the newest, by a margin", given_events([]).newest(NewestEvent::At(from - TIMESTAMP_MARGIN)), "Export"),
        ("none, and one can arrive", given_events([]).newest(NewestEvent::At(from - TIMESTAMP_MARGIN - ms)), "NothingYet"),
        ("none at all, and one can arrive", given_events([]).newest(NewestEvent::None).at("2026-11-14T14:59:59.999Z"), "NothingYet"),
        ("none any more", given_events([]).newest(NewestEvent::None).at("2026-11-14T15:00:00Z"), "Record(NoEventsInMonth)"),
        ("none in the rest", given_events([wrote(0, 9, &[])]).newest(NewestEvent::None), "9..744 NothingYet"),
        ("created long after", given_events([]).group(created(to + LATE_EVENTS + ms)), "Record(CreatedAfterMonth)"),
        ("created after, and late events are taken", given_events([]).group(created(to + LATE_EVENTS)), "Export"),
        ("a stream has the prefix", given_events([]).of_streams("prod/").has_stream(true), "Export"),
        (
            "no stream has it",
            given_events([]).of_streams("[$LATEST]").has_stream(false),
            "NoStreamHasPrefix: log group /a has no log stream with the prefix [$LATEST]",
        ),
        (
            "no stream has it, and it is open",
            given_events([]).of_streams("prod/").has_stream(false).open_since("2026-11-01T00:00:00Z"),
            "NoStreamHasPrefix: ...",
        ),
        ("no event is in any stream", given_events([]).of_streams("prod/").newest(NewestEvent::None), "NothingYet"),
        ("no such log group", given_events([]).group(LogGroup::Absent), "LogGroupNotFound: log group /a does not exist"),
        ("gone, and nobody named it", given_events([]).group(LogGroup::Gone), "NothingYet"),
        ("another class", given([]).group(INFREQUENT), "LogClassNotExportable: log group /a is not of the class Standard..."),
    ]);
}

#[test]
fn a_window_that_was_seen_and_is_gone_is_lost() {
    let (before, after) = ("2026-10-20T00:00:00Z", "2026-11-02T00:00:00Z");
    let recreated = || created(Millis::of(instant("2026-11-01T00:00:00Z")));
    let quiet = |case: Case| case.newest(NewestEvent::None).at("2026-12-01T00:00:00Z");
    check([
        ("deleted", given_events([]).group(LogGroup::Absent).seen_since(after), "Record(LogGroupDeleted)"),
        ("deleted, and found by a scheduled run", given_events([]).group(LogGroup::Absent).found_at(before), "Record(LogGroupDeleted)"),
        ("deleted, and nobody named it", given_events([]).group(LogGroup::Gone).found_at(before), "Record(LogGroupDeleted)"),
        ("deleted since it was planned", given_events([]).group(LogGroup::Absent).planned_since(after), "Record(LogGroupDeleted)"),
        ("created again", given_events([]).group(recreated()).seen_since(before), "Record(LogGroupDeleted)"),
        ("created again since it was planned", given_events([]).group(recreated()).planned_since(before), "Record(LogGroupDeleted)"),
        ("what is younger than today's log group proves nothing", given_events([]).group(recreated()).seen_since(after), "Export"),
        ("nor does today's plan", given_events([]).group(recreated()).planned_since(after), "Export"),
        (
            "created again inside the window",
            given_events([]).group(created(october().to)).seen_since(before),
            "Export, CreatedDuringMonth: the log group was created at 2026-10-31T14:59:59.999Z, inside the window; the events of the earlier log \
             group of this name are lost",
        ),
        (
            "created inside the window",
            given_events([]).group(created(october().to)),
            "Export, CreatedDuringMonth: the log group was created at 2026-10-31T14:59:59.999Z, inside the window",
        ),
        ("created at its first millisecond", given_events([]).group(created(october().from)), "Export"),
        ("the rest of it", given_events([wrote(0, 9, &[])]).group(LogGroup::Absent).seen_since(before), "9..744 Record(LogGroupDeleted)"),
        ("no event in it, and never open", quiet(given_events([])).seen_since(before), "Record(NoEventsInMonth)"),
        (
            "no event in it, and created again inside it",
            quiet(given_events([]).group(created(october().to))).seen_since(before),
            "Export, CreatedDuringMonth: ...",
        ),
        ("no event in it, and created inside it", quiet(given_events([]).group(created(october().to))), "Record(NoEventsInMonth)"),
        ("no event in it, and open once", quiet(given_events([])).open_since(before), "Export"),
        ("no event yet, and open once", given_events([]).newest(NewestEvent::None).open_since(before), "Export"),
        ("of another class, and seen", given_events([]).group(INFREQUENT).open_since(before), "LogClassNotExportable: ..."),
    ]);
}

#[test]
fn objects_that_no_export_can_restore_are_lost() {
    let damaged = || exported().damaged(&[("a", 9)]);
    let recreated = || created(october().to + TimeDelta::milliseconds(1));
    let wrote = |case: Case, streams| case.exports(streams);
    check([
        ("no log group", given_events([damaged()]).group(LogGroup::Absent), "Record(Damaged)"),
        ("created again, so that its events are others", given_events([damaged()]).group(recreated()), "Record(Damaged)"),
        ("all objects are gone", given_events([exported().damaged(&[])]).group(LogGroup::Absent), "Record(Damaged)"),
        (
            "lost before, and damaged again",
            given_events([lost_damaged(&[("a", 10)]).damaged(&[("a", 9)])]).group(LogGroup::Absent),
            "Record(Damaged)",
        ),
        (
            "valid, under force",
            given_events([exported()]).group(LogGroup::Absent).forced_since("2026-11-01T05:00:00Z"),
            "SmallerExport: ...",
        ),
        ("of fewer streams, and valid", given_events([exported().of_streams("prod/")]).group(LogGroup::Absent), "SmallerExport: ..."),
        (
            "of fewer streams, and empty",
            given_events([empty().of_streams("prod/")]).group(LogGroup::Absent).seen_since("2026-11-01T00:00:00Z"),
            "Record(LogGroupDeleted)",
        ),
        ("wrong, with objects", given_events([exported().wrong()]).group(LogGroup::Absent), "SmallerExport: ..."),
        ("retention, and the export wrote nothing", wrote(given_events([damaged()]).group(ONE_DAY), &[]), "Record(Damaged)"),
        ("retention, and the export has less", wrote(given_events([damaged()]).group(ONE_DAY), &[("a", 8)]), "Record(Damaged)"),
        ("the log group was deleted meanwhile", wrote(given_events([damaged()]).group(LogGroup::Absent), &[("a", 8)]), "Record(Damaged)"),
        ("no retention", wrote(given_events([damaged()]), &[]), "SmallerExport: ..."),
        ("retention, and the export has all of it", wrote(given_events([damaged()]).group(ONE_DAY), &[("a", 9)]), "Write(Exported), ..."),
        ("retention, and not damaged", wrote(given_events([exported()]).group(ONE_DAY), &[("a", 8)]), "SmallerExport: ..."),
    ]);
}

#[test]
fn a_window_with_a_task_is_exported_again_or_fails() {
    let damaged = || exported().damaged(&[]);
    check([
        (
            "damaged, with its own bounds",
            given_events([wrote(9, 300, &[("a", 9)]).damaged(&[])]),
            "9..300 Export | 0..9 Export | 300..744 Export",
        ),
        ("damaged, whatever the streams say", given_events([damaged()]).newest(NewestEvent::None), "Export"),
        ("one byte is missing", given_events([exported().damaged(&[("a", 999)])]), "Export"),
        ("one byte too many", given_events([empty().damaged(&[("a", 1)])]), "Export"),
        (
            "damaged, of September",
            given_events([wrote(-711, 9, &[]).of_september().damaged(&[("a", 1)])]),
            "2026-09 -711..9 Export | 9..744 Export",
        ),
        ("wrong, and its task's objects lie there", given_events([exported().wrong()]).newest(NewestEvent::None), "Export"),
        ("wrong, and nothing lies there", given_events([exported().wrong().damaged(&[])]).newest(NewestEvent::None), "NothingYet"),
        (
            "wrong, and beyond the window",
            given_events([wrote(-9, 744, &[("a", 9)]).wrong()]),
            "OverlapRefused: the window 2026-09-30T15:00:00.000Z...",
        ),
        ("of fewer streams", given_events([exported().of_streams("prod/")]), "Export"),
        ("of fewer streams than wanted", given_events([exported().of_streams("prod/web")]).of_streams("prod/"), "Export"),
        (
            "of other streams",
            given_events([exported().of_streams("prod/")]).of_streams("dev/"),
            "PlaceTaken: manifest ...-1793458799999.json of log group /a is of an export with log stream prefix prod/, but this export is with log \
             stream prefix dev/: give the entry another s3Prefix",
        ),
        ("damaged, of other streams", given_events([damaged().of_streams("prod/")]).of_streams("dev/"), "PlaceTaken: ..."),
        ("skipped for other streams", given_events([skipped().of_streams("prod/")]).of_streams("dev/").has_stream(true), "Export"),
        (
            "damaged, and another class",
            given_events([damaged()]).group(INFREQUENT),
            "SmallerExport: no export can replace the manifest for 2026-09-30T15:00:00.000Z to 2026-10-31T14:59:59.999Z: log group /a is not of the class...",
        ),
    ]);
}

#[test]
fn a_manifest_that_cannot_be_read_may_be_valid() {
    let refused = "ArchiveUnreadable: manifest ...-1793458799999.json cannot be read, so nothing is exported in its place: \
                   GetObject answered AccessDenied: no";
    check([
        ("alone", given_events([denied()]), refused),
        ("beside a valid one", given_events([exported(), denied()]), refused),
        ("with force", given_events([denied()]).forced_since("2026-11-01T05:00:00Z"), refused),
        ("after an export", given_events([denied()]).exports(&[("a", 1)]), refused),
    ]);
}

#[test]
fn force_ignores_manifests_older_than_the_run() {
    let forced = |manifest: StoredManifest| given_events([manifest]).newest(NewestEvent::None).forced_since("2026-11-01T04:00:00.001Z");
    check([
        ("a task stands behind it, so events do not matter", forced(exported()), "Export"),
        ("its bounds, and what is uncovered", forced(wrote(0, 300, &[("a", 1)])), "0..300 Export | 300..744 NothingYet"),
        ("skipped: by the table", forced(skipped()), "NothingYet"),
        ("of this run", forced(exported()).forced_since("2026-11-01T04:00:00Z"), "Archived"),
        ("of this run, and damaged", forced(exported().damaged(&[])).forced_since("2026-11-01T04:00:00Z"), "Export"),
        ("no log group", forced(exported()).group(LogGroup::Absent), "SmallerExport: ..."),
    ]);
}

#[test]
fn a_gap_after_the_first_covered_millisecond_is_exported() {
    check([
        ("nothing covers", given_events([]).after_first_covered(), "Archived"),
        ("a hole that a changed zone left", given_events([wrote(-9, 735, &[])]).after_first_covered(), "735..744 Export"),
        ("before the first one", given_events([wrote(9, 744, &[])]).after_first_covered(), "Archived"),
        (
            "behind a damaged one",
            given_events([wrote(-9, 735, &[("a", 1)]).damaged(&[])]).after_first_covered(),
            "-9..735 Export | 735..744 Export",
        ),
        ("between two", given_events([wrote(9, 20, &[]), wrote(30, 745, &[])]).after_first_covered(), "20..30 Export"),
        ("one of fewer streams stays", given_events([exported().of_streams("prod/")]).after_first_covered(), "Archived"),
    ]);
}

#[test]
fn the_retention_determines_from_when_a_window_is_complete() {
    let kept = |days, policy: Option<&str>| {
        let retention_policy = policy.map(str::to_owned);
        given_events([]).group(LogGroup::Present {
            created: None,
            retention_in_days: Some(days),
            retention_policy,
            is_exportable: true,
            stored_bytes: None,
        })
    };
    check([
        ("all of it", kept(60, None).at("2026-11-29T15:00:00Z"), "Export"),
        (
            "not its first millisecond",
            kept(60, None).at("2026-11-29T15:00:00.001Z"),
            "Export, RetentionShorterThanMonth: the log group keeps events for 60 days. Events before 2026-09-30T15:00:00.001Z are deleted or about to be deleted...",
        ),
        (
            "by an account-level policy",
            kept(7, Some("org")),
            "Export, RetentionShorterThanMonth: the account-level policy org keeps events for 7 days. Events before 2026-10-26T00:00:00.000Z...",
        ),
    ]);
    let case = kept(7, None);
    let target = case.target();
    let decisions = decide(&case.question(&target), &case.evidence).unwrap();
    let [Decision { verdict: Verdict::Export(gaps), .. }] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!(gaps.complete_from, Some(Millis::of(instant("2026-10-26T00:00:00Z"))));
}

#[test]
fn a_manifest_is_valid_if_it_fits_its_key_and_its_folder() {
    for (changes, why) in [
        (json!({}), None),
        (json!({"execution": null, "completed": null, "timezone": "Mars/Base", "warnings": []}), None),
        (json!({"created": "2026-11-01T03:00:00Z"}), None),
        (json!({"created": "2026-11-02T00:05:00Z"}), None),
        (json!({"created": "2026-11-02T00:05:00.001Z"}), Some("in the future")),
        (json!({"created": "2026-11-01T02:59:59.999Z"}), Some("before its window was complete")),
        (json!({"created": "yesterday"}), Some("its created is \"yesterday\"")),
        (json!({"schema_version": 1}), Some("its schema_version is 1, not 2")),
        (json!({"account": "444455556666"}), Some("its account and Region")),
        (json!({"region": "eu-west-1"}), Some("its account and Region")),
        (json!({"bucket": "other"}), Some("its place")),
        (json!({"log_group": "/b"}), Some("its place")),
        (json!({"window_from": 0}), Some("its window")),
        (json!({"window_to": 1_793_458_799_998_i64}), Some("its window")),
        (json!({"destination_prefix": "x"}), Some("its destination_prefix is \"x\", not \"logs/log_group=/a/year=2026/month=10\"")),
        (json!({"outcome": "skipped"}), Some("contradict each other")),
        (json!({"outcome": "empty"}), Some("contradict each other")),
        (json!({"reason": "NoEventsInMonth"}), Some("contradict each other")),
        (json!({"task_id": null}), Some("contradict each other")),
        (json!({"objects": 0}), Some("contradict each other")),
        (json!({"objects": 1}), Some("it states 1 objects of 1000 bytes, but its task's folder has 2 of 1000 bytes")),
        (json!({"bytes": 1001}), Some("it states 2 objects of 1001 bytes, but its task's folder has 2 of 1000 bytes")),
        (json!({"objects": -1}), Some("it cannot be read as a manifest")),
        (json!({"outcome": "lost"}), Some("contradict each other")),
        (json!({"outcome": "lost", "reason": "Expired"}), Some("contradict each other")),
        (json!({"outcome": "lost", "reason": "Damaged"}), None),
        (json!({"outcome": "lost", "reason": "NoEventsInMonth"}), Some("contradict each other")),
        (json!({"outcome": "other"}), Some("it cannot be read as a manifest")),
    ] {
        let found = exported().with(changes.clone()).found(instant("2026-11-02T00:00:00Z"));
        let wrong = match &found.content {
            Content::Invalid { why, .. } => Some(why.clone()),
            _ => found.damage(),
        };
        assert_eq!(found.is_valid(), why.is_none(), "{changes}: {wrong:?}");
        assert!(why.is_none_or(|why| wrong.as_ref().is_some_and(|wrong| wrong.contains(why))), "{changes}: {wrong:?}");
    }
    let changed = exported().with(json!({"digest": "other"})).found(instant("2026-11-02T00:00:00Z"));
    assert!(changed.is_valid() && changed.is_changed());
}

#[test]
fn a_record_replaces_no_valid_manifest_and_none_with_objects() {
    // Replaced by a record without a task, and by Damaged.
    for (name, manifest, expected) in [
        ("valid", exported(), [false, false]),
        ("empty", empty(), [false, false]),
        ("damaged", exported().damaged(&[]), [false, true]),
        ("damaged, of other bounds", wrote(0, 700, &[("a", 1)]).damaged(&[]), [false, false]),
        ("unreadable", denied(), [false, false]),
        ("skipped", skipped(), [false, false]),
        ("lost", lost(), [false, false]),
        ("lost and damaged", lost_damaged(&[("a", 1)]), [false, false]),
        ("lost and damaged, for fewer streams", lost_damaged(&[("a", 1)]).of_streams("prod/"), [false, false]),
        ("wrong, with objects", exported().wrong(), [false, false]),
        ("wrong, without objects", exported().wrong().damaged(&[]), [true, true]),
        ("skipped for fewer streams", skipped().of_streams("prod/"), [true, false]),
        ("lost for fewer streams", lost().of_streams("prod/"), [true, false]),
        ("beside the window", wrote(744, 745, &[]), [true, true]),
    ] {
        let case = given([manifest]);
        let target = case.target();
        let found = case.evidence.manifests.as_ref().unwrap();
        let replaced = |reason| replaced_by_record(&case.question(&target), reason, found).is_some();
        assert_eq!([replaced(Reason::NoEventsInMonth), replaced(Reason::Damaged)], expected, "{name}");
    }
}
