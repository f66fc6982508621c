//! How the planner handles open windows of earlier runs.

use super::*;
use crate::{
    bookkeeping::Bookkeeping,
    missing::{OpenOutcome, SCHEMA_VERSION},
};

/// An open window of group 0, as a run left it.
pub fn open_window(group: &Group, month: &str, window: Window, changes: serde_json::Value) -> OpenWindow {
    let mut open = json!({
        "schema_version": SCHEMA_VERSION, "outcome": OpenOutcome::Failed, "error": "SmallerExport", "message": "m", "account": "111122223333",
        "region": "ap-northeast-1", "bucket": group.place.bucket, "log_group": group.place.log_group, "log_stream_name_prefix": null,
        "destination": group.place.destination, "timezone": "Asia/Tokyo", "month": month, "window_from": window.from, "window_to": window.to,
        "since": "2026-08-01T04:00:00Z", "tries": 1, "execution": EXECUTION, "blocked_by": null,
    });
    open.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(open).unwrap()
}

fn scheduled() -> Run {
    Run { scheduled_time: Some("2026-11-01T04:00:00Z".parse().unwrap()), ..run() }
}

fn month_of(month: &str, timezone: chrono_tz::Tz) -> Window {
    Window::of(month.parse().unwrap(), timezone)
}

fn compared(run: &Run, groups: &[Group], memory: &Memory) -> Vec<(usize, String, Window)> {
    let mut planner = Planner::new(run, groups, memory, Progress::default(), false);
    planner.next_subjects(100).iter().map(|subject| (subject.group, subject.target.month.to_string(), subject.target.window)).collect()
}

#[test]
fn a_scheduled_run_compares_every_open_window_by_the_months_of_its_time_zone() {
    let (groups, tokyo) = (groups(2), chrono_tz::Asia::Tokyo);
    let august = month_of("2026-08", tokyo);
    let of = |changes| Memory { open: vec![open_window(&groups[0], "2026-08", august, changes)].into(), ..Memory::default() };
    let months = |run: &Run, memory: &Memory| compared(run, &groups, memory);
    let due = || vec![(0, "2026-10".to_owned(), october()), (1, "2026-10".to_owned(), october())];
    let with = |older: Vec<(usize, String, Window)>| [due(), older].concat();

    assert_eq!(months(&scheduled(), &of(json!({}))), with(vec![(0, "2026-08".to_owned(), august)]));
    // A run by hand judges only the months that it names.
    assert_eq!(months(&run(), &of(json!({}))), due());
    // In another time zone, August in Tokyo is part of two months.
    let utc = Run { timezone: "UTC".into(), ..scheduled() };
    let turn = month_of("2026-08", chrono_tz::UTC).from;
    let (first, second) = (Window { to: Millis(turn.0 - 1), ..august }, Window { from: turn, ..august });
    assert_eq!(months(&utc, &of(json!({}))), with(vec![(0, "2026-08".to_owned(), second), (0, "2026-07".to_owned(), first)]));
    // The log group has another place now: its open windows move there.
    assert_eq!(months(&scheduled(), &of(json!({"destination": "old/{year}/{month}"}))), with(vec![(0, "2026-08".to_owned(), august)]));
    // No entry matches it.
    assert_eq!(months(&scheduled(), &of(json!({"log_group": "/other"}))), due());
    // The open windows of the run's months are compared with them.
    let memory = Memory { open: vec![open_window(&groups[0], "2026-10", october(), json!({}))].into(), ..Memory::default() };
    assert_eq!(months(&scheduled(), &memory), due());
}

#[test]
fn uncovered_windows_are_split_at_the_bounds_of_open_windows() {
    let (run, groups) = (scheduled(), groups(1));
    let hours = |from: i64, to: i64| {
        let at = |hours: i64| Millis(october().from.0 + hours * 3_600_000);
        Window { from: at(from), to: Millis(at(to).0 - 1) }
    };
    let open = vec![
        open_window(&groups[0], "2026-10", hours(100, 200), json!({})),
        open_window(&groups[0], "2026-10", hours(300, 400), json!({})),
    ];
    let memory = Memory { open: open.into(), ..Memory::default() };
    let mut planner = Planner::new(&run, &groups, &memory, Progress::default(), false);
    let subject = planner.next_subjects(1).remove(0);
    let uncovered = Decision { month: run.due_month, window: hours(150, 744), verdict: Verdict::Export(KnownGaps::default()) };
    planner.apply(&subject, vec![uncovered], &[], None);
    let planned: Vec<Window> = planner.finish(false).items.iter().map(|item| item.window).collect();
    assert_eq!(planned, [hours(150, 200), hours(200, 300), hours(300, 400), hours(400, 744)]);
}

#[test]
fn a_refused_export_is_not_repeated_until_something_changes() {
    let (groups, mut archive) = (groups(1), Archive::default());
    archive.add_manifest(&groups[0], 0, "exported", "arn:other");
    let (_, found) = archive.0[&0].clone();
    archive.set(0, Verdict::Export(KnownGaps::default()), found.clone());
    let first = round(&run(), &groups, Progress::default(), false, &archive, &[]);
    let refused = round(&run(), &groups, first.progress, false, &archive, &[(0, failed(ErrorName::SmallerExport))]);
    let [DecidedWindow { outcome: WindowOutcome::Failed { blocked_by: Some(blocked_by), tried: true, .. }, .. }] = &refused.decided[..]
    else {
        panic!("{}", describe(&refused))
    };
    let open = open_window(&groups[0], "2026-10", october(), json!({"blocked_by": blocked_by}));
    let memory = Memory { open: vec![open].into(), ..Memory::default() };
    let next_of = |groups: &[Group], run: &Run, found: &[FoundManifest]| {
        let mut planner = Planner::new(run, groups, &memory, Progress::default(), false);
        let subject = planner.next_subjects(1).remove(0);
        planner.apply(
            &subject,
            vec![Decision { month: subject.target.month, window: subject.target.window, verdict: Verdict::Export(KnownGaps::default()) }],
            found,
            None,
        );
        describe(&planner.finish(false))
    };
    let next = |run: &Run, found: &[FoundManifest]| next_of(&groups, run, found);
    assert_eq!(next(&scheduled(), &found), "Report [], /g/0 SmallerExport: m");
    let kept =
        LogGroup::Present { created: None, retention_in_days: Some(60), retention_policy: None, is_exportable: true, stored_bytes: None };
    let kept = [Group { log_group: kept, ..groups[0].clone() }];
    assert_eq!(next_of(&kept, &scheduled(), &found), "Export [0]", "retention does not reach the window any more");
    assert_eq!(next(&Run { force: true, ..run() }, &found), "Export [0]");
    assert_eq!(next(&scheduled(), &[]), "Export [0]", "the manifest is gone");
    let mut changed = found.clone();
    changed[0].etag = "another".into();
    assert_eq!(next(&scheduled(), &changed), "Export [0]", "another manifest");
    let Content::Manifest { folder, .. } = &mut found.clone()[0].content.clone() else { unreachable!() };
    folder.digest = "another".into();
    let mut changed = found.clone();
    changed[0].content = changed[0].content.clone().with_folder(folder.clone());
    assert_eq!(next(&scheduled(), &changed), "Export [0]", "another object");
}

/// One day's run: 700 windows have their turn, then its 20 hours are over. Returns the windows that it opened.
fn run_day(run: &Run, groups: &[Group], memory: &Memory, archive: &mut Archive) -> Vec<OpenWindow> {
    const WINDOWS_A_DAY: usize = 700;
    let (mut progress, mut children, mut decided, mut exported) = (Progress::default(), Vec::new(), Vec::new(), 0);
    loop {
        let finished = round_of(run, groups, memory, progress, exported == WINDOWS_A_DAY, archive, &children);
        decided.extend(finished.decided);
        if finished.next == Next::Report {
            return Bookkeeping::new(&stack(), run, groups, memory, true, run.start_time).opened(&decided);
        }
        children = Vec::new();
        for PlannedWindow { group, .. } in finished.items {
            if exported == WINDOWS_A_DAY {
                children.push((group, ChildResult::Skipped(SkipReason::RunTimeOver)));
            } else {
                archive.add_manifest(&groups[group], group, "exported", run.execution.as_str());
                children.push((group, checked(Outcome::Exported, None)));
                exported += 1;
            }
        }
        progress = finished.progress;
    }
}

#[test]
fn two_thousand_windows_take_three_days() {
    let (groups, mut archive, mut memory) = (groups(2000), Archive::default(), Memory::default());
    let mut left = Vec::new();
    for day_of_month in 1..=3 {
        let start_time = format!("2026-11-{day_of_month:02}T04:00:00Z").parse().unwrap();
        let run = Run { start_time, scheduled_time: Some(start_time), ..run() };
        let open = run_day(&run, &groups, &memory, &mut archive);
        assert!(open.iter().all(|open| open.outcome == OpenOutcome::Waiting && open.since == "2026-11-01T04:00:00Z"), "{open:?}");
        left.push(open.len());
        memory = Memory { open: open.into(), ..Memory::default() };
    }
    assert_eq!(left, [1300, 600, 0]);
}
