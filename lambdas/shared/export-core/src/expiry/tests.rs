//! A log group that was created on 1 August 2026, and a retention of 60 days on 10 November: September and October have to be archived,
//! and July and August with all that could arrive.

use serde_json::{Value, json};

use super::*;
use crate::{
    Month,
    destination::DEFAULT_TEMPLATE,
    manifest::FolderContents,
    place::{ManifestKey, Place, stack},
};

const NOW: &str = "2026-11-10T00:00:00Z";
/// So late that no event of July to October can arrive any more.
const SETTLED: &str = "2026-11-20T00:00:00.000Z";

fn place() -> Place {
    let log_group = crate::LogGroupName::parse("/a").unwrap();
    let destination = DEFAULT_TEMPLATE.render(&stack().s3_prefix, &log_group).unwrap();
    stack().place(stack().bucket, log_group, destination)
}

fn window(month: &str) -> Window {
    Window::of(month.parse().unwrap(), stack().timezone)
}

fn millis(text: &str) -> Millis {
    Millis::of(text.parse().unwrap())
}

fn folder(digest: &str) -> FolderContents {
    FolderContents { objects: 2, bytes: 100, digest: digest.to_owned(), ..FolderContents::default() }
}

/// A manifest of a whole month, as `change` has it, with two objects of 100 bytes.
fn month(of: &str, change: Value) -> FoundManifest {
    with_folder(of, change, folder("d"))
}

fn with_folder(of: &str, change: Value, folder: FolderContents) -> FoundManifest {
    let (month, window): (Month, Window) = (of.parse().unwrap(), window(of));
    let key = ManifestKey { place: place().hash(), month, window };
    let mut json = json!({
        "schema_version": 2, "outcome": "exported", "reason": null, "account": "111122223333", "region": "ap-northeast-1",
        "bucket": "my-archive", "log_group": "/a", "log_stream_name_prefix": null, "timezone": "Asia/Tokyo", "window_from": window.from,
        "window_to": window.to, "complete_from": null, "destination_prefix": place().destination.prefix_of(month), "task_id": "t", "objects": 2,
        "hidden_objects": 0, "bytes": 100, "digest": "d", "created": SETTLED, "completed": null, "execution": null, "warnings": [],
    });
    json.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let later = millis(SETTLED).instant().unwrap();
    let content = Content::parse(json.to_string().as_bytes(), &place(), &key, later).with_folder(folder);
    FoundManifest { key, etag: String::new(), content }
}

fn present(created: Option<&str>, retention_in_days: Option<i32>) -> LogGroup {
    let created = created.map(millis);
    LogGroup::Present { created, retention_in_days, retention_policy: None, is_exportable: true, stored_bytes: None }
}

fn proposal(log_group: &LogGroup) -> Proposal<'_> {
    Proposal {
        days: 60,
        log_group,
        has_all_streams: true,
        is_scheduled: true,
        due_until: Millis::of(window("2026-10").end()),
        now: NOW.parse().unwrap(),
    }
}

/// "safe", or each problem; a gap has its days in Tokyo.
fn told(answer: &Answer) -> String {
    let day = |at: Millis| at.instant().unwrap().with_timezone(&stack().timezone).format("%m-%d").to_string();
    let problem = |problem: &Problem| match problem {
        Problem::Gap(Gap { window, flaw }) => format!("{} to {}: {flaw}", day(window.from), day(window.to)),
        other => other.to_string(),
    };
    match answer {
        Answer::Unsafe(problems) => problems.iter().map(problem).collect::<Vec<_>>().join("; "),
        other => format!("{other:?}").to_lowercase(),
    }
}

const MONTHS: [&str; 4] = ["2026-07", "2026-08", "2026-09", "2026-10"];

fn whole() -> Vec<FoundManifest> {
    MONTHS.map(|of| month(of, json!({}))).into()
}

/// The answer if one of the months has another manifest. `None`: it is not archived.
fn with(index: usize, other: Option<FoundManifest>) -> String {
    let mut found = whole();
    match other {
        Some(other) => found[index] = other,
        None => _ = found.remove(index),
    }
    told(&proposal(&present(Some("2026-08-01T00:00:00Z"), None)).answer(&found))
}

#[test]
fn each_month_that_expires_must_be_complete() {
    assert_eq!(with(0, Some(month("2026-07", json!({})))), "safe");
    for (index, other, expected) in [
        // Events can be 14 days older than the log group.
        (0, None, "07-18 to 07-31: not archived"),
        (1, None, "08-01 to 08-31: not archived"),
        // Half of September expires at once, and the rest next.
        (2, None, "09-01 to 09-30: not archived"),
        (3, None, "10-01 to 10-31: not archived"),
        (
            1,
            Some(json!({"bytes": 101})),
            "08-01 to 08-31: the manifest is not valid: it states 2 objects of 101 bytes, but its task's folder has 2 of 100 bytes",
        ),
        (
            1,
            Some(json!({"account": "999999999999"})),
            "08-01 to 08-31: the manifest is not valid: its account and Region is (\"999999999999\", \"ap-northeast-1\"), not (\"111122223333\", \"ap-northeast-1\")",
        ),
        (1, Some(json!({"digest": "other"})), "08-01 to 08-31: the archived objects are not those that were exported"),
        (1, Some(json!({"digest": null})), "08-01 to 08-31: the archived objects are not those that were exported"),
        (1, Some(json!({"log_stream_name_prefix": "prod"})), "08-01 to 08-31: only log streams with the prefix prod are archived"),
        (
            1,
            Some(json!({"outcome": "skipped", "reason": "NoEventsInMonth", "task_id": null, "objects": 0})),
            "08-01 to 08-31: recorded as skipped, NoEventsInMonth",
        ),
        (1, Some(json!({"outcome": "lost", "reason": "Damaged"})), "08-01 to 08-31: recorded as lost, Damaged"),
        (
            1,
            Some(json!({"complete_from": millis("2026-08-11T15:00:00Z")})),
            "08-01 to 08-11: retention had deleted events before the export",
        ),
        // Exported 12 hours after its end: later events are not in it.
        (
            1,
            Some(json!({"created": "2026-08-31T15:00:00.000Z"})),
            "08-01 to 08-31: the manifest is not valid: it was created at 2026-08-31T15:00:00.000Z, before its window was complete",
        ),
        (
            1,
            Some(json!({"created": "2026-09-01T03:00:00.000Z"})),
            "08-18 to 08-31: exported before the last event could arrive, which takes up to 14 days",
        ),
        (1, Some(json!({"created": "2026-09-15T03:00:00.000Z"})), "safe"),
        // The month that expires next may still get late events: a run exports them.
        (3, Some(json!({"created": "2026-11-01T03:00:00.000Z"})), "safe"),
        (2, Some(json!({"created": "2026-10-01T03:00:00.000Z"})), "safe"),
    ] {
        assert_eq!(with(index, other.as_ref().map(|change| month(MONTHS[index], change.clone()))), expected, "{index} {other:?}");
    }
    let empty = json!({"outcome": "empty", "objects": 0, "bytes": 0, "digest": null});
    assert_eq!(with(1, Some(with_folder("2026-08", empty, FolderContents::default()))), "safe");
    let unreadable = FoundManifest { content: Content::Unreadable("GLACIER".to_owned()), ..month("2026-08", json!({})) };
    assert_eq!(with(1, Some(unreadable)), "08-01 to 08-31: the manifest cannot be read: GLACIER");
}

#[test]
fn the_log_group_is_judged_before_its_months() {
    let created = Some("2026-08-01T00:00:00Z");
    let answer = |log_group: &LogGroup| told(&proposal(log_group).answer(&whole()));
    for (log_group, expected) in [
        (LogGroup::Absent, "absent"),
        (LogGroup::Gone, "absent"),
        (present(created, Some(30)), "alreadyshort"),
        (present(created, Some(60)), "alreadyshort"),
        (present(created, Some(90)), "safe"),
        (present(None, None), "CloudWatch Logs does not say when the log group was created"),
        // Created before the archive begins: the events that its retention kept are archived.
        (present(Some("2020-01-01T00:00:00Z"), Some(90)), "safe"),
        (present(Some("2020-01-01T00:00:00Z"), Some(150)), "06-13 to 06-30: not archived"),
        (present(None, Some(90)), "safe"),
    ] {
        assert_eq!(answer(&log_group), expected, "{log_group:?}");
    }
    let policy = |retention_policy: Option<&str>, is_exportable| LogGroup::Present {
        created: created.map(millis),
        retention_in_days: Some(365),
        retention_policy: retention_policy.map(str::to_owned),
        is_exportable,
        stored_bytes: None,
    };
    assert_eq!(answer(&policy(Some("theirs"), true)), "the account-level policy theirs overrides the log group's retention");
    assert_eq!(answer(&policy(None, false)), format!("the log group {NOT_EXPORTABLE}"));
    let log_group = present(created, None);
    let off = Proposal { has_all_streams: false, is_scheduled: false, ..proposal(&log_group) };
    assert_eq!(
        told(&off.answer(&whole())),
        "the schedule is off, so no run archives the events that expire next; the list's entry has a logStreamNamePrefix, so runs archive \
         only some of the log streams"
    );
}

#[test]
fn a_new_log_group_has_nothing_to_archive_yet() {
    let log_group = present(Some("2026-11-15T00:00:00Z"), None);
    assert_eq!((proposal(&log_group).exposed(), told(&proposal(&log_group).answer(&[]))), (None, "safe".to_owned()));
    // It could contain the last days of October.
    let log_group = present(Some("2026-11-12T00:00:00Z"), None);
    assert_eq!(told(&proposal(&log_group).answer(&[])), "10-29 to 10-31: not archived");
}
