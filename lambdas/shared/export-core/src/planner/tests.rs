//! Rounds of a run whose groups have one month each: what is planned, which outcomes there are, and what comes next.

mod open_windows;
mod parts;

use serde_json::json;

use super::*;
use crate::{
    ExecutionArn, LogGroupName,
    contract::create::SkipReason,
    decide::{Decision, KnownGaps, Verdict},
    manifest::{self, Content, FolderContents, FoundManifest, Outcome},
    missing::OpenWindow,
    place::stack,
    time::Millis,
    warning::WarningName,
};

const EXECUTION: &str = "arn:aws:states:ap-northeast-1:111122223333:execution:export-logs:one";

fn october() -> Window {
    Window::of("2026-10".parse().unwrap(), stack().timezone)
}

fn run() -> Run {
    let month = "2026-10".parse().unwrap();
    Run {
        execution: ExecutionArn::parse(EXECUTION).unwrap(),
        start_time: "2026-11-01T04:00:00Z".parse().unwrap(),
        scheduled_time: None,
        due_month: month,
        timezone: "Asia/Tokyo".into(),
        months_to_compare: vec![crate::input::MonthToCompare { month, window: october(), after_first_covered: false }],
        force: false,
        compact: false,
        warnings: Vec::new(),
    }
}

fn groups(count: usize) -> Vec<Group> {
    let group = |index| {
        let source = Source {
            s3_bucket_name: stack().bucket,
            s3_prefix: stack().s3_prefix,
            log_group_name: LogGroupName::parse(&format!("/g/{index}")).unwrap(),
            log_stream_name_prefix: None,
            destination_template: None,
        };
        Group { place: source.place(&stack()).unwrap(), source, log_group: LogGroup::Absent }
    };
    (0..count).map(group).collect()
}

/// What is in the archive for each group. At first nothing, so that everything is exported.
#[derive(Default)]
struct Archive(BTreeMap<usize, (Verdict, Vec<FoundManifest>)>);

impl Archive {
    fn set(&mut self, group: usize, verdict: Verdict, found: Vec<FoundManifest>) {
        self.0.insert(group, (verdict, found));
    }

    /// Adds the manifest of a task of `execution` for October.
    fn add_manifest(&mut self, group: &Group, index: usize, outcome: &str, execution: &str) {
        let (window, month) = (october(), "2026-10".parse().unwrap());
        let objects = u64::from(outcome == "exported") * 2;
        let is_skipped = outcome == "skipped";
        let manifest = serde_json::from_value(json!({
            "schema_version": 2, "outcome": outcome, "reason": is_skipped.then_some("NoEventsInMonth"), "account": "111122223333",
            "region": "ap-northeast-1", "bucket": "my-archive", "log_group": group.place.log_group, "log_stream_name_prefix": null,
            "timezone": "Asia/Tokyo", "window_from": window.from, "window_to": window.to, "destination_prefix": group.place.destination.prefix_of(month),
            "task_id": (!is_skipped).then_some("t-1"), "objects": objects, "hidden_objects": 0, "bytes": 7 * objects, "digest": "d",
            "created": "2026-11-01T04:01:00Z", "completed": "2026-11-01T04:01:30.500Z", "execution": execution, "warnings": [],
        }));
        let folder = FolderContents { objects, bytes: 7 * objects, digest: "d".into(), ..FolderContents::default() };
        let key = crate::place::ManifestKey { place: group.place.hash(), month, window };
        let content = Content::Manifest { manifest: Box::new(manifest.unwrap()), folder };
        self.set(index, Verdict::Archived, vec![FoundManifest { key, etag: String::new(), content }]);
    }
}

/// One call of plan-exports. `children`: the results of the last round, as far as they can be read.
fn round(
    run: &Run,
    groups: &[Group],
    progress: Progress,
    is_time_over: bool,
    archive: &Archive,
    children: &[(usize, ChildResult)],
) -> Round {
    round_of(run, groups, &Memory::default(), progress, is_time_over, archive, children)
}

fn round_of(
    run: &Run,
    groups: &[Group],
    memory: &Memory,
    progress: Progress,
    is_time_over: bool,
    archive: &Archive,
    children: &[(usize, ChildResult)],
) -> Round {
    let mut planner = Planner::new(run, groups, memory, progress, is_time_over);
    let decide = |planner: &mut Planner, subject: Subject| {
        let (verdict, found) = archive.0.get(&subject.group).cloned().unwrap_or((Verdict::Export(KnownGaps::default()), Vec::new()));
        let decision = Decision { month: subject.target.month, window: subject.target.window, verdict };
        planner.apply(&subject, vec![decision], &found, None);
    };
    let child = |window: &PlannedWindow| children.iter().find(|(group, _)| *group == window.group).map(|(_, child)| child.clone());
    for subject in planner.take_last_round(child) {
        decide(&mut planner, subject);
    }
    loop {
        let subjects = planner.next_subjects(100);
        if subjects.is_empty() {
            return planner.finish(false);
        }
        subjects.into_iter().for_each(|subject| decide(&mut planner, subject));
    }
}

fn failed(name: ErrorName) -> ChildResult {
    ChildResult::Failed(ExportError::new(name, format!("{name} in AWS's words")))
}

fn checked(outcome: Outcome, reason: Option<manifest::Reason>) -> ChildResult {
    ChildResult::Checked { outcome, reason, task_id: None, objects: 2, bytes: 14, seconds: 1.0, warnings: Vec::new() }
}

/// What comes next, the groups of the round's items, and the outcomes.
fn describe(finished: &Round) -> String {
    let items: Vec<usize> = finished.items.iter().map(|item| item.group).collect();
    let outcomes = finished.decided.iter().map(|decided| match &decided.outcome {
        WindowOutcome::Failed { failure, .. } => format!(", {} {}: {}", decided.source.log_group_name, failure.error, failure.message),
        WindowOutcome::Warned { warning } => format!(", {} {:?}", decided.source.log_group_name, warning.name),
        outcome => format!(", {} {outcome:?}", decided.source.log_group_name),
    });
    format!("{:?} {items:?}{}", finished.next, outcomes.collect::<String>())
}

#[test]
fn a_round_has_500_windows_and_the_next_round_has_the_rest() {
    let (run, groups, mut archive) = (run(), groups(1203), Archive::default());
    for index in 0..100 {
        archive.set(index, Verdict::Archived, Vec::new());
    }
    let mut progress = Progress::default();
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let finished = round(&run, &groups, progress, false, &archive, &[]);
        finished.items.iter().for_each(|item| archive.add_manifest(&groups[item.group], item.group, "exported", EXECUTION));
        assert_eq!(finished.progress.planned, finished.items);
        sizes.push((finished.next, finished.items.len(), finished.decided.len()));
        progress = serde_json::from_value(json!(finished.progress)).unwrap();
    }
    assert_eq!(sizes, [(Next::Export, 500, 0), (Next::Export, 500, 500), (Next::Export, 103, 500), (Next::Report, 0, 103)]);
    assert!(progress.compared_everything && progress.planned.is_empty());
    assert_eq!(progress.archived, BTreeMap::from([(run.due_month, 100)]));
}

#[test]
fn a_run_without_log_groups_ends_at_once() {
    let finished = round(&run(), &[], Progress::default(), false, &Archive::default(), &[]);
    assert_eq!(describe(&finished), "Report []");
    assert!(finished.progress.compared_everything);
}

/// One window of the last round, by the result of its child, the manifest in the archive, and the time.
#[test]
fn a_planned_window_has_an_outcome_or_is_planned_again() {
    let (groups, over) = (groups(1), true);
    let (unseen, expired) = (manifest::Reason::ExpiredBeforeFirstRun, manifest::Reason::Expired);
    let broken = ChildResult::OtherError { error: "States.Timeout".into(), cause: "c".into() };
    let exported = "Report [], /g/0 Exported { task_id: Some(TaskId(\"t-1\")), objects: 2, bytes: 14, seconds: 30.5, repairs: None }";
    let time_over = "Report [], /g/0 Waiting";
    for (child, manifest, is_over, expected) in [
        (Some(checked(Outcome::Exported, None)), Some(("exported", EXECUTION)), false, exported),
        (
            Some(checked(Outcome::Empty, None)),
            Some(("empty", EXECUTION)),
            false,
            "Report [], /g/0 Empty { task_id: Some(TaskId(\"t-1\")), seconds: 30.5 }",
        ),
        (None, Some(("exported", EXECUTION)), false, exported),
        (None, Some(("skipped", EXECUTION)), false, "Report []"),
        // Two runs adopt one task: its manifest names the other.
        (Some(checked(Outcome::Exported, None)), Some(("exported", "arn:other")), false, exported),
        (None, Some(("exported", "arn:other")), false, "Report []"),
        (Some(ChildResult::Skipped(SkipReason::AlreadyArchived)), Some(("exported", "arn:other")), false, "Report []"),
        (Some(failed(ErrorName::ExportTaskFailed)), Some(("exported", "arn:other")), false, "Report []"),
        (Some(failed(ErrorName::ExportTaskFailed)), None, false, "Export [0]"),
        (Some(failed(ErrorName::ExportTaskCancelled)), None, false, "Export [0]"),
        (Some(failed(ErrorName::LogsThrottled)), None, false, "Export [0]"),
        (Some(failed(ErrorName::AccessDenied)), None, false, "Report [], /g/0 AccessDenied: AccessDenied in AWS's words"),
        (Some(failed(ErrorName::SmallerExport)), None, false, "Report [], /g/0 SmallerExport: SmallerExport in AWS's words"),
        (Some(broken.clone()), None, false, "Export [0]"),
        (None, None, false, "Export [0]"),
        (Some(ChildResult::Skipped(SkipReason::PartlyArchived)), None, false, "Export [0]"),
        // create-export-task looked later than the first call of plan-exports.
        (Some(ChildResult::Skipped(SkipReason::NoEventsYet)), None, false, "Report [], /g/0 NothingYet"),
        (
            Some(ChildResult::Skipped(SkipReason::Recorded(manifest::Reason::CreatedAfterMonth))),
            None,
            false,
            "Report [], /g/0 Skipped { reason: CreatedAfterMonth }",
        ),
        (Some(ChildResult::Skipped(SkipReason::LogGroupNotFound)), None, false, "Report [], /g/0 LogGroupNotFound"),
        (Some(checked(Outcome::Exported, None)), None, false, "Export [0]"),
        (Some(checked(Outcome::Skipped, Some(unseen))), None, false, "Report [], /g/0 Skipped { reason: ExpiredBeforeFirstRun }"),
        (Some(checked(Outcome::Lost, Some(expired))), None, false, "Report [], /g/0 Lost { reason: Expired }"),
        (
            Some(ChildResult::Skipped(SkipReason::Recorded(manifest::Reason::LogGroupDeleted))),
            None,
            false,
            "Report [], /g/0 Lost { reason: LogGroupDeleted }",
        ),
        (
            Some(ChildResult::Skipped(SkipReason::Recorded(manifest::Reason::Damaged))),
            None,
            false,
            "Report [], /g/0 Lost { reason: Damaged }",
        ),
        (Some(ChildResult::Skipped(SkipReason::RunTimeOver)), None, false, time_over),
        (Some(failed(ErrorName::ExportTaskFailed)), None, over, "Report [], /g/0 ExportTaskFailed: ExportTaskFailed in AWS's words"),
        (Some(broken.clone()), None, over, "Report [], /g/0 Unexpected: States.Timeout: c"),
        (None, None, over, time_over),
        (None, Some(("exported", EXECUTION)), over, exported),
    ] {
        let mut archive = Archive::default();
        let first = round(&run(), &groups, Progress::default(), false, &archive, &[]);
        assert_eq!(describe(&first), "Export [0]");
        if let Some((outcome, execution)) = manifest {
            archive.add_manifest(&groups[0], 0, outcome, execution);
        }
        let children: Vec<_> = child.clone().into_iter().map(|child| (0, child)).collect();
        let finished = round(&run(), &groups, first.progress, is_over, &archive, &children);
        assert_eq!(describe(&finished), expected, "{child:?}, {manifest:?}, over: {is_over}");
    }
}

#[test]
fn a_window_compared_after_the_time_limit_is_not_planned() {
    let finished = round(&run(), &groups(2), Progress::default(), true, &Archive::default(), &[]);
    assert_eq!(finished.next, Next::Report);
    assert_eq!(finished.decided.iter().filter(|decided| decided.outcome == WindowOutcome::Waiting).count(), 2);
}

#[test]
fn each_verdict_has_its_outcome() {
    let (groups, mut archive) = (groups(7), Archive::default());
    let warning = Warning::new(WarningName::LogClassNotExportable, "m");
    for (group, verdict) in [
        (0, Verdict::Archived),
        (1, Verdict::Record(manifest::Reason::CreatedAfterMonth)),
        (2, Verdict::NothingYet),
        (3, Verdict::Warn(warning)),
        (4, Verdict::Fail(ExportError::new(ErrorName::PlaceTaken, "m"))),
        (5, Verdict::Export(KnownGaps::default())),
        (6, Verdict::Written(Outcome::Empty)),
    ] {
        archive.set(group, verdict, Vec::new());
    }
    let finished = round(&run(), &groups, Progress::default(), false, &archive, &[]);
    let outcomes = "/g/1 Skipped { reason: CreatedAfterMonth }, /g/2 NothingYet, /g/3 LogClassNotExportable, /g/4 PlaceTaken: m";
    assert_eq!(describe(&finished), format!("Export [5], {outcomes}"));
    assert_eq!(finished.progress.archived, BTreeMap::from([(run().due_month, 2)]));
}

#[test]
fn three_rounds_that_export_nothing_end_the_run() {
    let (run, groups, mut archive) = (run(), groups(3), Archive::default());
    let task_failed = [(0, failed(ErrorName::ExportTaskFailed))];
    let mut finished = round(&run, &groups, Progress::default(), false, &archive, &[]);
    let mut next = |archive: &Archive| {
        let progress = std::mem::take(&mut finished.progress);
        finished = round(&run, &groups, progress, false, archive, &task_failed);
        describe(&finished)
    };
    for _ in 0..2 {
        assert_eq!(next(&archive), "Export [0, 1, 2]");
    }
    archive.add_manifest(&groups[2], 2, "exported", EXECUTION);
    assert!(next(&archive).starts_with("Export [0, 1], /g/2 Exported"), "an export resets the count");
    for _ in 0..2 {
        assert_eq!(next(&archive), "Export [0, 1]");
    }
    // Unreadable results do not remove the error of an earlier round.
    let known = "/g/0 ExportTaskFailed: ExportTaskFailed in AWS's words";
    let unknown = "/g/1 Unexpected: 3 rounds ended without an export, and their results do not say why";
    assert_eq!(next(&archive), format!("Report [], {known}, {unknown}"));
}

#[test]
fn windows_behind_a_full_round_of_failures_have_their_turn() {
    let (run, groups, archive) = (run(), groups(ROUND_SIZE + 1), Archive::default());
    let mut finished = round(&run, &groups, Progress::default(), false, &archive, &[]);
    for _ in 0..MAX_IDLE_ROUNDS {
        assert_eq!((finished.next, finished.items.len()), (Next::Export, ROUND_SIZE));
        finished = round(&run, &groups, finished.progress, false, &archive, &[]);
    }
    assert_eq!((finished.next, finished.decided.len()), (Next::Plan, ROUND_SIZE));
    let last = round(&run, &groups, finished.progress, false, &archive, &[]);
    assert_eq!(describe(&last), format!("Export [{ROUND_SIZE}]"));
}

#[test]
fn an_error_is_kept_if_later_results_cannot_be_read() {
    let (run, groups, archive) = (run(), groups(1), Archive::default());
    let first = round(&run, &groups, Progress::default(), false, &archive, &[]);
    let second = round(&run, &groups, first.progress, false, &archive, &[(0, failed(ErrorName::ExportTaskFailed))]);
    let third = round(&run, &groups, second.progress, true, &archive, &[]);
    assert_eq!(describe(&third), "Report [], /g/0 ExportTaskFailed: ExportTaskFailed in AWS's words");
}

#[test]
fn a_call_that_is_short_of_time_continues_in_the_next_call() {
    let memory = Memory::default();
    let (mut run, groups) = (run(), groups(5));
    run.months_to_compare.push(crate::input::MonthToCompare { month: "2026-09".parse().unwrap(), ..run.months_to_compare[0] });
    let archived = |most, planner: &mut Planner| {
        let subjects = planner.next_subjects(most);
        for subject in &subjects {
            planner.apply(
                subject,
                vec![Decision { month: subject.target.month, window: subject.target.window, verdict: Verdict::Archived }],
                &[],
                None,
            );
        }
        subjects.iter().map(|subject| format!("{}{}", subject.group, subject.target.month)).collect::<Vec<_>>()
    };
    let mut planner = Planner::new(&run, &groups, &memory, Progress::default(), false);
    assert_eq!(archived(3, &mut planner), ["02026-10", "12026-10", "22026-10"]);
    let finished = planner.finish(true);
    assert_eq!((describe(&finished).as_str(), finished.progress.idle_rounds), ("Plan []", 0));
    let mut planner = Planner::new(&run, &groups, &memory, finished.progress, false);
    assert_eq!(archived(100, &mut planner), ["32026-10", "42026-10", "02026-09", "12026-09", "22026-09", "32026-09", "42026-09"]);
    let finished = planner.finish(true);
    assert_eq!(finished.next, Next::Report, "nothing is left to compare");
    assert_eq!(finished.progress.archived.into_values().collect::<Vec<_>>(), [5, 5]);
    // Planned windows are exported before the comparison continues.
    let mut planner = Planner::new(&run, &groups, &memory, Progress::default(), false);
    let subject = planner.next_subjects(1).remove(0);
    planner.apply(
        &subject,
        vec![Decision { month: subject.target.month, window: subject.target.window, verdict: Verdict::Export(KnownGaps::default()) }],
        &[],
        None,
    );
    assert_eq!(describe(&planner.finish(true)), "Export [0]");
}

#[test]
fn under_force_a_checked_window_is_an_ordinary_window() {
    let memory = Memory::default();
    let (run, groups) = (Run { force: true, ..run() }, groups(1));
    let first = round(&run, &groups, Progress::default(), false, &Archive::default(), &[]);
    let now = run.start_time;
    for (child, force_since) in [
        (None, Some(run.start_time)),
        (Some(failed(ErrorName::ExportTaskFailed)), Some(run.start_time)),
        (Some(checked(Outcome::Exported, None)), None),
    ] {
        let mut planner = Planner::new(&run, &groups, &memory, first.progress.clone(), false);
        let subject = planner.take_last_round(|_| child.clone()).remove(0);
        assert_eq!(planner.question(&subject, now).force_since, force_since, "{child:?}");
    }
}

#[test]
fn each_part_of_a_window_has_its_own_outcome() {
    let memory = Memory::default();
    let (run, groups) = (run(), groups(1));
    let half = |from: i64, to: i64| Window { from: Millis(october().from.0 + from), to: Millis(october().from.0 + to) };
    let mut planner = Planner::new(&run, &groups, &memory, Progress::default(), false);
    let subject = planner.next_subjects(1).remove(0);
    let september = "2026-09".parse().unwrap();
    let part = |month, window, verdict| Decision { month, window, verdict };
    let parts = vec![
        part(september, half(0, 9), Verdict::Export(KnownGaps::default())),
        part(run.due_month, half(10, 19), Verdict::NothingYet),
        part(run.due_month, half(20, 29), Verdict::Export(KnownGaps::default())),
    ];
    planner.apply(&subject, parts, &[], None);
    let finished = planner.finish(false);
    let items: Vec<_> = finished.items.iter().map(|item| (item.month, item.window)).collect();
    assert_eq!(items, [(september, half(0, 9)), (run.due_month, half(20, 29))]);
    assert_eq!(finished.decided[0].window, half(10, 19));
}

#[test]
fn changed_objects_are_one_warning() {
    let (run, groups, mut archive) = (run(), groups(1), Archive::default());
    archive.add_manifest(&groups[0], 0, "exported", "arn:other");
    let Content::Manifest { folder, .. } = &mut archive.0.get_mut(&0).unwrap().1[0].content else { unreachable!() };
    folder.digest = "other".into();
    let finished = round(&run, &groups, Progress::default(), false, &archive, &[]);
    assert_eq!(describe(&finished), "Report []");
    let [warning] = &finished.progress.warnings[..] else { panic!("{:?}", finished.progress.warnings) };
    assert_eq!(warning.name, WarningName::ObjectsChanged);
    assert!(warning.message.starts_with("the objects of manifest "), "{warning:?}");
}

#[test]
fn the_time_of_the_slot_is_that_of_the_archived_windows_of_the_due_month() {
    let (run, groups, mut archive) = (run(), groups(2), Archive::default());
    archive.add_manifest(&groups[0], 0, "exported", "arn:other");
    let first = round(&run, &groups, Progress::default(), false, &archive, &[]);
    assert_eq!(first.progress.due_month_seconds, 30.5);
    archive.add_manifest(&groups[1], 1, "empty", EXECUTION);
    let last = round(&run, &groups, first.progress, false, &archive, &[]);
    assert_eq!(last.progress.due_month_seconds, 61.0);
}
