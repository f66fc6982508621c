//! The windows that a run opens and closes, for one log group. Windows are given in hours of October.

use serde_json::{Value, json};

use super::*;
use crate::{
    Month, contract::plan::Failure, decide::LogGroup, entry::Source, input::MonthToCompare, manifest::Reason, missing::FoundLogGroups,
    place::stack, time::Millis,
};

const NOW: &str = "2026-11-01T04:10:00Z";

fn month() -> Month {
    "2026-10".parse().unwrap()
}

fn hours(from: i64, to: i64) -> Window {
    let at = |hours: i64| Millis(Window::of(month(), stack().timezone).from.0 + hours * 3_600_000);
    Window { from: at(from), to: Millis(at(to).0 - 1) }
}

fn source(changes: Value) -> Source {
    serde_json::from_value(merged(json!({"s3BucketName": "my-archive", "s3Prefix": "logs", "logGroupName": "/a"}), changes)).unwrap()
}

fn group(changes: Value) -> Group {
    let source = source(changes);
    Group { place: source.place(&stack()).unwrap(), source, log_group: LogGroup::Absent }
}

fn run(is_scheduled: bool) -> Run {
    let start_time: DateTime<Utc> = "2026-11-01T04:00:00Z".parse().unwrap();
    Run {
        execution: crate::ExecutionArn::parse("arn:aws:states:ap-northeast-1:111122223333:execution:export-logs:this").unwrap(),
        start_time,
        scheduled_time: is_scheduled.then_some(start_time),
        due_month: month(),
        timezone: "Asia/Tokyo".into(),
        months_to_compare: vec![MonthToCompare { month: month(), window: hours(0, 744), after_first_covered: false }],
        force: false,
        compact: false,
        warnings: Vec::new(),
    }
}

fn merged(mut one: Value, other: Value) -> Value {
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

/// An open window of an earlier run.
fn open(window: Window, changes: Value) -> OpenWindow {
    let place = group(json!({})).place;
    let open = json!({
        "schema_version": 1, "outcome": "failed", "error": "AccessDenied", "message": "m", "account": place.account, "region": place.region,
        "bucket": place.bucket, "log_group": "/a", "log_stream_name_prefix": null, "destination": place.destination, "timezone": "UTC",
        "month": "2026-10", "window_from": window.from, "window_to": window.to, "since": "2026-08-01T04:00:00Z", "tries": 2,
        "execution": "arn:earlier", "blocked_by": null,
    });
    serde_json::from_value(merged(open, changes)).unwrap()
}

fn decided(window: Window, outcome: WindowOutcome) -> DecidedWindow {
    DecidedWindow { source: source(json!({})), month: month(), window, outcome }
}

fn failed() -> WindowOutcome {
    let failure = Failure { error: "ExportTaskFailed".into(), message: "why".into() };
    WindowOutcome::Failed { failure, tried: true, blocked_by: None }
}

fn with<T>(run: &Run, groups: &[Group], open: Vec<OpenWindow>, ask: impl FnOnce(&Bookkeeping<'_>) -> T) -> T {
    let memory = Memory { open: open.into(), ..Memory::default() };
    ask(&Bookkeeping::new(&stack(), run, groups, &memory, true, NOW.parse().unwrap()))
}

#[test]
fn each_window_that_is_not_archived_is_opened() {
    let (run, groups) = (run(true), [group(json!({"logStreamNamePrefix": "prod/"}))]);
    let prod = DecidedWindow { source: groups[0].source.clone(), ..decided(hours(0, 744), failed()) };
    let left = with(&run, &groups, Vec::new(), |books| books.opened(std::slice::from_ref(&prod)));
    assert_eq!(
        json!(left),
        json!([{
            "schema_version": 1, "outcome": "failed", "error": "ExportTaskFailed", "message": "why", "account": "111122223333",
            "region": "ap-northeast-1", "bucket": "my-archive", "log_group": "/a", "log_stream_name_prefix": "prod/",
            "destination": groups[0].place.destination, "timezone": "Asia/Tokyo", "month": "2026-10", "window_from": hours(0, 744).from,
            "window_to": hours(0, 744).to, "since": NOW, "tries": 1, "execution": run.execution, "blocked_by": null,
        }])
    );
    let parsed = OpenWindow::parse(json!(left[0]).to_string().as_bytes(), &left[0].key(&stack()), &stack());
    assert_eq!(parsed.as_ref(), Ok(&left[0]));

    let opened = |outcome: WindowOutcome| {
        let left = with(&run, &groups, Vec::new(), |books| books.opened(&[decided(hours(0, 744), outcome)]));
        left.first().map(|open| (open.outcome, open.error.clone().unwrap_or_default(), open.tries))
    };
    for (outcome, expected) in [
        (WindowOutcome::Waiting, Some((OpenOutcome::Waiting, "RunTimeOver", 0))),
        (WindowOutcome::Lost { reason: Reason::Damaged }, Some((OpenOutcome::Lost, "Damaged", 0))),
        (WindowOutcome::Skipped { reason: Reason::ExpiredBeforeFirstRun }, Some((OpenOutcome::Skipped, "ExpiredBeforeFirstRun", 0))),
        // Recorded before the report, so no window is opened.
        (WindowOutcome::Skipped { reason: Reason::NoEventsInMonth }, None),
        (WindowOutcome::NothingYet, None),
        (WindowOutcome::Empty { task_id: None, seconds: 0.0 }, None),
    ] {
        let expected = expected.map(|(open, error, tries)| (open, error.to_owned(), tries));
        assert_eq!(opened(outcome.clone()), expected, "{outcome:?}");
    }
}

#[test]
fn an_open_window_keeps_its_oldest_since_its_tries_and_its_widest_prefix() {
    let (run, groups) = (run(true), [group(json!({}))]);
    let left = |before: Vec<OpenWindow>, source: Source| {
        let decided = DecidedWindow { source, ..decided(hours(0, 100), failed()) };
        let left = with(&run, &groups, before, |books| books.opened(&[decided]));
        (left[0].since.clone(), left[0].tries, left[0].log_stream_name_prefix.as_ref().map(ToString::to_string))
    };
    let prod = || source(json!({"logStreamNamePrefix": "prod/web"}));
    let of = |since: &str, prefix: Value| json!({"since": since, "log_stream_name_prefix": prefix});
    let kept = |since: &str, tries, prefix: Option<&str>| (since.to_owned(), tries, prefix.map(str::to_owned));
    let (july, august) = ("2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z");
    assert_eq!(left(vec![open(hours(0, 100), of(august, json!("prod/")))], prod()), kept(august, 3, Some("prod/")));
    assert_eq!(left(vec![open(hours(0, 100), of(august, json!(null)))], prod()), kept(august, 3, None));
    assert_eq!(left(vec![open(hours(0, 100), of(august, json!("prod/db")))], prod()), kept(august, 3, Some("prod/")));
    assert_eq!(left(vec![open(hours(0, 100), of(august, json!("dev")))], prod()), kept(august, 3, None));
    // From windows with other bounds, only `since` and the prefix are kept.
    let two = vec![open(hours(0, 50), of(august, json!("prod/web"))), open(hours(50, 200), of(july, json!("prod/web")))];
    assert_eq!(left(two, prod()), kept(july, 1, Some("prod/web")));
    assert_eq!(left(vec![open(hours(100, 200), of(july, json!(null)))], prod()), kept(NOW, 1, Some("prod/web")));
    // In an earlier place.
    let moved = json!({"destination": "old/{year}/{month}", "since": july});
    assert_eq!(left(vec![open(hours(0, 100), moved)], source(json!({}))), kept(july, 1, None));
}

#[test]
fn a_window_that_failed_does_not_become_one_that_waits() {
    let (run, groups) = (run(true), [group(json!({}))]);
    let left = |outcome: &str| {
        let before = open(hours(0, 744), json!({"outcome": outcome, "blocked_by": "x", "log_stream_name_prefix": "prod/"}));
        let left = with(&run, &groups, vec![before], |books| books.opened(&[decided(hours(0, 744), WindowOutcome::Waiting)]));
        // The run asked for all log streams.
        assert_eq!(left[0].log_stream_name_prefix, None);
        (left[0].outcome, left[0].error.clone().unwrap(), left[0].tries, left[0].execution == run.execution.as_str())
    };
    assert_eq!(left("failed"), (OpenOutcome::Failed, "AccessDenied".to_owned(), 2, true));
    assert_eq!(left("waiting"), (OpenOutcome::Waiting, "RunTimeOver".to_owned(), 2, true));
}

#[test]
fn the_history_of_a_window_comes_from_open_windows_and_reports() {
    let place = group(json!({})).place;
    let found = |at: &str, name: &str| FoundLogGroups {
        names: [crate::LogGroupName::parse(name).unwrap()].into(),
        scheduled_time: DateTime::UNIX_EPOCH,
        at: at.parse().unwrap(),
    };
    let september = |changes| vec![open(hours(-700, -1), merged(json!({"month": "2026-09"}), changes))];
    let (since, none) = (Some("2026-08-01T04:00:00Z"), (false, None));
    for (name, open, found, expected) in [
        ("nothing", vec![], None, none),
        ("open", vec![open(hours(5, 9), json!({}))], None, (true, since)),
        ("about to be lost", vec![open(hours(5, 9), json!({"outcome": "lost"}))], None, (true, since)),
        ("about to be skipped", vec![open(hours(5, 9), json!({"outcome": "skipped"}))], None, none),
        ("open in the month before", september(json!({})), None, (false, since)),
        ("open two months before", september(json!({"month": "2026-08"})), None, none),
        ("open elsewhere", vec![open(hours(5, 9), json!({"destination": "old/{year}/{month}"}))], None, none),
        ("found when the window ended", vec![], Some(found("2026-10-31T15:00:00Z", "/a")), (false, Some("2026-10-31T15:00:00Z"))),
        ("found later", vec![], Some(found("2026-10-31T15:00:01Z", "/a")), none),
        ("another was found", vec![], Some(found("2026-10-20T00:00:00Z", "/b")), none),
        (
            "both, the older counts",
            vec![open(hours(5, 9), json!({}))],
            Some(found("2026-07-20T00:00:00Z", "/a")),
            (true, Some("2026-07-20T00:00:00Z")),
        ),
    ] {
        let memory = Memory { open: open.into(), found: found.into_iter().collect(), ..Memory::default() };
        let history = memory.history_of(&place, month(), hours(0, 744));
        let expected = (expected.0, expected.1.map(|since| since.parse().unwrap()));
        assert_eq!((history.is_open, history.seen_since), expected, "{name}");
    }
}

/// A deleted log group stays until the end of the month of its deletion, in the run's time zone, whatever month is due.
#[test]
fn a_report_names_the_log_groups_that_the_run_found() {
    let name = |name: &str| crate::LogGroupName::parse(name).unwrap();
    let present =
        LogGroup::Present { created: None, retention_in_days: None, retention_policy: None, is_exportable: true, stored_bytes: None };
    let groups = [Group { log_group: present, ..group(json!({"logGroupName": "/there"})) }, group(json!({"logGroupName": "/gone"}))];
    for (before, scheduled, is_listed) in [
        (Some("2026-10-31T15:00:00Z"), "2026-11-30T14:59:59Z", true),
        (Some("2026-10-31T14:59:59Z"), "2026-11-30T14:59:59Z", false),
        (Some("2026-11-20T00:00:00Z"), "2026-11-30T15:00:00Z", false),
        (None, "2026-11-30T14:59:59Z", false),
    ] {
        let names = [name("/gone"), name("/listed-no-more")];
        let found = before.map(|time| FoundLogGroups {
            names: names.clone().into(),
            scheduled_time: time.parse().unwrap(),
            at: DateTime::UNIX_EPOCH,
        });
        let memory = Memory { found: found.into_iter().collect(), ..Memory::default() };
        let run = Run { scheduled_time: Some(scheduled.parse().unwrap()), ..run(true) };
        let expected = if is_listed { vec![name("/gone"), name("/there")] } else { vec![name("/there")] };
        assert_eq!(memory.found_by(&run, &groups), expected.into_iter().collect(), "{before:?} {scheduled}");
    }
}

#[test]
fn an_open_window_moves_to_the_current_place_of_its_log_group() {
    let groups = [group(json!({}))];
    let memory =
        |destination: &str| Memory { open: vec![open(hours(0, 744), json!({"destination": destination}))].into(), ..Memory::default() };
    let is_open = |run: &Run| {
        let memory = memory("old/{year}/{month}").in_current_places(&CurrentGroups::new(run, &groups));
        memory.history_of(&groups[0].place, month(), hours(0, 744)).is_open
    };
    assert_eq!((is_open(&run(true)), is_open(&run(false))), (true, false));
}

#[test]
fn an_open_window_is_closed_kept_or_marked_as_not_asked() {
    let (whole, same_place) = (hours(0, 744), || vec![group(json!({}))]);
    let warned = WindowOutcome::Warned { warning: crate::warning::Warning::new(crate::warning::WarningName::LogClassNotExportable, "m") };
    let not_asked = [OpenWindowChange::MarkNotAsked, OpenWindowChange::Keep];
    // In a scheduled run, and in one by hand.
    for (name, groups, changes, covered, decided_as, expected) in [
        ("covered", same_place(), json!({}), vec![whole], vec![], [OpenWindowChange::Close; 2]),
        ("covered in part", same_place(), json!({}), vec![hours(0, 743)], vec![], [OpenWindowChange::Keep; 2]),
        (
            "the rest failed again",
            same_place(),
            json!({}),
            vec![hours(0, 700)],
            vec![(hours(700, 744), failed())],
            [OpenWindowChange::Close; 2],
        ),
        (
            "the rest waits",
            same_place(),
            json!({}),
            vec![hours(0, 700)],
            vec![(hours(700, 744), WindowOutcome::Waiting)],
            [OpenWindowChange::Close; 2],
        ),
        ("it cannot be exported", same_place(), json!({}), vec![], vec![(whole, warned.clone())], [OpenWindowChange::Close; 2]),
        ("a part cannot be exported", same_place(), json!({}), vec![], vec![(hours(0, 9), warned.clone())], [OpenWindowChange::Keep; 2]),
        (
            "about to be lost",
            same_place(),
            json!({}),
            vec![],
            vec![(whole, WindowOutcome::Lost { reason: Reason::Expired })],
            [OpenWindowChange::Close; 2],
        ),
        ("no event yet", same_place(), json!({}), vec![], vec![(whole, WindowOutcome::NothingYet)], [OpenWindowChange::Keep; 2]),
        ("in its new place", same_place(), json!({"destination": "old/{year}/{month}"}), vec![whole], vec![], [OpenWindowChange::Close; 2]),
        (
            "no entry matches it, and it is covered",
            same_place(),
            json!({"log_group": "/gone"}),
            vec![whole],
            vec![],
            [OpenWindowChange::Close; 2],
        ),
        ("no entry matches it", same_place(), json!({"log_group": "/gone"}), vec![], vec![], not_asked),
        ("no entry matches all of its streams", vec![group(json!({"logStreamNamePrefix": "prod/"}))], json!({}), vec![], vec![], not_asked),
        (
            "its own streams are covered",
            vec![group(json!({"logStreamNamePrefix": "prod/"}))],
            json!({"log_stream_name_prefix": "prod/"}),
            vec![whole],
            vec![],
            [OpenWindowChange::Close; 2],
        ),
    ] {
        let open = open(whole, changes);
        for (is_scheduled, expected) in [true, false].into_iter().zip(expected) {
            let decided: Vec<DecidedWindow> = decided_as.iter().map(|(window, outcome)| decided(*window, outcome.clone())).collect();
            let change = with(&run(is_scheduled), &groups, vec![open.clone()], |books| {
                books.change_of(&open, &covered, &books.opened(&decided), &decided)
            });
            assert_eq!(change, expected, "{name}, scheduled: {is_scheduled}");
        }
    }
    // A run that has not compared everything closes nothing.
    let gone = open(whole, json!({"log_group": "/gone"}));
    let (stack, memory, run, groups) = (stack(), Memory::default(), run(true), same_place());
    let books = Bookkeeping::new(&stack, &run, &groups, &memory, false, NOW.parse().unwrap());
    assert_eq!(books.change_of(&gone, &[], &[], &[]), OpenWindowChange::Keep);
}

#[test]
fn a_run_by_hand_judges_what_it_was_asked_for() {
    let groups = [group(json!({}))];
    for (name, window, changes, by_hand) in [
        ("its month", hours(700, 800), json!({}), true),
        ("another month", hours(744, 800), json!({}), false),
        ("another log group", hours(0, 744), json!({"log_group": "/b"}), false),
        ("another place", hours(0, 744), json!({"destination": "old/{year}/{month}"}), false),
    ] {
        let open = open(window, changes);
        let judges = |is_scheduled| with(&run(is_scheduled), &groups, Vec::new(), |books| books.is_judged(&open));
        assert_eq!((judges(true), judges(false)), (true, by_hand), "{name}");
    }
}

#[test]
fn a_window_counts_at_once_when_it_failed_and_after_seven_days_when_it_waits() {
    for (outcome, before, after) in
        [("failed", true, true), ("waiting", false, true), ("not_asked", false, false), ("lost", false, false), ("skipped", false, false)]
    {
        let open = open(hours(0, 744), json!({"outcome": outcome}));
        let counts = |now: &str| open.is_missing(now.parse().unwrap());
        assert_eq!((counts("2026-08-08T03:59:59Z"), counts("2026-08-08T04:00:00Z")), (before, after), "{outcome}");
    }
}

#[test]
fn an_object_that_is_not_an_open_window_of_its_key_is_refused() {
    let valid = open(hours(0, 744), json!({}));
    let key = valid.key(&stack());
    for (changes, why) in [
        (json!({"schema_version": 2}), "its schema_version is 2, not 1"),
        (json!({"since": "yesterday"}), "its since is not an instant"),
        (json!({"window_to": 5}), "its window ends before it begins"),
        (json!({"log_group": "/b"}), "its content belongs to logs/missing/"),
        (json!({"window_from": 5}), "its content belongs to logs/missing/"),
        (json!({"outcome": "other"}), "unknown variant `other`"),
    ] {
        let mut json = json!(valid);
        json.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let read = OpenWindow::parse(json.to_string().as_bytes(), &key, &stack());
        assert!(read.as_ref().is_err_and(|wrong| wrong.contains(why)), "{changes}: {read:?}");
    }
}
