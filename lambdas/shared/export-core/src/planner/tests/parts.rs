//! Windows that are planned in parts, because of how long their tasks take.

use chrono::TimeDelta;

use super::*;

fn days(from: i64, to: i64) -> Window {
    let at = |days| october().from + TimeDelta::days(days);
    Window { from: at(from), to: Millis(at(to).0 - 1) }
}

/// The windows that a round plans, in days of October, and its outcomes.
fn planned(finished: &Round) -> (Vec<(f64, f64)>, Vec<String>) {
    let day = |at: Millis| (at - october().from).num_milliseconds() as f64 / 86_400_000.0;
    let bounds = |window: Window| (day(window.from), day(Millis(window.to.0 + 1)));
    let outcomes = finished.decided.iter().map(|decided| {
        let (from, to) = bounds(decided.window);
        match &decided.outcome {
            WindowOutcome::Failed { failure, tried: true, blocked_by: None } => format!("{from}..{to} {}", failure.error),
            other => format!("{from}..{to} {other:?}"),
        }
    });
    (finished.progress.planned.iter().map(|planned| bounds(planned.window)).collect(), outcomes.collect())
}

/// The first round of a run for October. The task of the month before took so many hours for 30 days.
fn first_round(hours: f64, memory: &Memory) -> Round {
    let (run, groups) = (run(), groups(1));
    let mut planner = Planner::new(&run, &groups, memory, Progress::default(), false);
    let subject = planner.next_subjects(100).remove(0);
    let decision = Decision { month: subject.target.month, window: subject.target.window, verdict: Verdict::Export(KnownGaps::default()) };
    planner.apply(&subject, vec![decision], &[], TaskSpeed::new(days(-30, 0), hours * 3600.0));
    planner.finish(false)
}

/// The round after one that planned `window`, whose child had this result.
fn next_round(window: Window, child: ChildResult, is_time_over: bool, found: Vec<FoundManifest>) -> Round {
    let (run, groups) = (run(), groups(1));
    let window = PlannedWindow { group: 0, month: run.due_month, window, repairs: None, last_error: None };
    let progress = Progress { month: 1, planned: vec![window], exporting: true, idle_rounds: 2, ..Progress::default() };
    let mut archive = Archive::default();
    archive.set(0, Verdict::Export(KnownGaps::default()), found);
    round_of(&run, &groups, &Memory::default(), progress, is_time_over, &archive, &[(0, child)])
}

#[test]
fn a_month_is_split_into_tasks_of_less_than_16_hours() {
    for (hours, parts) in [
        // A task of 30 days that took 15.4 hours: 31 days take 15.9.
        (15.4, vec![(0.0, 31.0)]),
        (15.5, vec![(0.0, 15.5), (15.5, 31.0)]),
        (0.0, vec![(0.0, 31.0)]),
        (45.0, vec![(0.0, 31.0 / 3.0), (31.0 / 3.0, 62.0 / 3.0), (62.0 / 3.0, 31.0)]),
    ] {
        assert_eq!(planned(&first_round(hours, &Memory::default())).0, parts, "{hours}");
    }
    let shortest = planned(&first_round(10_000.0, &Memory::default())).0;
    assert_eq!(shortest, (0..31).map(|day| (f64::from(day), f64::from(day + 1))).collect::<Vec<_>>());
}

#[test]
fn a_window_whose_task_took_too_long_is_planned_as_two_halves() {
    let timed_out = || failed(ErrorName::ExportTaskTimedOut);
    let month = october();
    let mut archive = Archive::default();
    archive.add_manifest(&groups(1)[0], 0, "exported", "arn:other");
    let damaged = archive.0[&0].1.clone();
    let none: Vec<(f64, f64)> = Vec::new();
    for (name, window, child, is_time_over, found, parts, outcomes) in [
        ("a month", month, timed_out(), false, vec![], vec![(0.0, 15.5), (15.5, 31.0)], vec![]),
        ("a half", days(0, 2), timed_out(), false, vec![], vec![(0.0, 1.0), (1.0, 2.0)], vec![]),
        ("a day", days(0, 1), timed_out(), false, vec![], none.clone(), vec!["0..1 ExportTaskTimedOut"]),
        (
            "the run's time is over",
            month,
            timed_out(),
            true,
            vec![],
            none.clone(),
            vec!["0..15.5 ExportTaskTimedOut", "15.5..31 ExportTaskTimedOut"],
        ),
        ("a manifest has its bounds", month, timed_out(), false, damaged, none.clone(), vec!["0..31 ExportTaskTimedOut"]),
        ("another failure", month, failed(ErrorName::ExportTaskFailed), true, vec![], none.clone(), vec!["0..31 ExportTaskFailed"]),
        ("it wrote less than there is", month, failed(ErrorName::ExportIncomplete), false, vec![], none, vec!["0..31 ExportIncomplete"]),
    ] {
        let finished = next_round(window, child, is_time_over, found);
        let outcomes: Vec<String> = outcomes.into_iter().map(str::to_owned).collect();
        assert_eq!(planned(&finished), (parts, outcomes), "{name}");
        // Two rounds without an export came before, but a split window is progress.
        assert_eq!(finished.next, if finished.items.is_empty() { Next::Report } else { Next::Export }, "{name}");
    }
}

#[test]
fn parts_of_an_earlier_run_stay_the_same() {
    let open = [days(0, 15), days(15, 17)].map(|window| open_windows::open_window(&groups(1)[0], "2026-10", window, json!({})));
    let memory = Memory { open: open.to_vec().into(), ..Memory::default() };
    assert_eq!(planned(&first_round(0.0, &memory)).0, [(0.0, 15.0), (15.0, 17.0), (17.0, 31.0)]);
    assert_eq!(planned(&first_round(34.0, &memory)).0, [(0.0, 7.5), (7.5, 15.0), (15.0, 17.0), (17.0, 31.0)], "17 hours for 15 days");
}
