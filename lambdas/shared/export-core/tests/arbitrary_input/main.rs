//! Whatever JSON a person or another version of a function sends: the parsers never panic, what they refuse has a name and
//! a message that a person can act on, and what they accept keeps its promises through plan, create and check.
//!
//! More cases than a test run takes: `PROPTEST_CASES=1000000 cargo test -p export-core --test arbitrary_input`.

mod json;
mod mutation;

use chrono::{DateTime, Utc};
use export_core::{
    BucketName, ErrorName, ExecutionArn, ExportError, LogGroupName, Month, Prefix, SettleDays, TaskId,
    contract::{
        check,
        create::{self, TaskAction},
        plan::{self, ChildResult},
    },
    decide::WindowHistory,
    entry::{Entry, Selector},
    input::{MonthToCompare, RunInput, best_entries},
    month::FIRST_YEAR,
    place::Stack,
    time::{format_instant, parse_instant},
};
use json::{any_json, valid_create_event, valid_run};
use mutation::{mutated, mutations, places};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Fails with both sides in the message, so that proptest can shrink the case.
type Checked = Result<(), TestCaseError>;

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases: 512, ..config } }
}

fn stack() -> Stack {
    Stack {
        account: "123456789012".into(),
        region: "ap-northeast-1".into(),
        partition: "aws".into(),
        bucket: BucketName::parse("my-log-archive").expect("a bucket"),
        s3_prefix: Prefix::parse("cloudwatch-logs").expect("a prefix"),
        timezone: chrono_tz::Asia::Tokyo,
        settle_days: SettleDays::default(),
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-01T04:00:00Z".parse().expect("an instant")
}

fn field_names(value: &Value) -> Vec<String> {
    value.as_object().into_iter().flat_map(Map::keys).map(|name| name.chars().take(120).collect()).collect()
}

/// An error that the state machine does not retry, with a message that begins with the wrong field.
fn assert_named(error: &ExportError, source: &Value, required: &[&str]) -> Checked {
    let message = &error.message;
    let cause = json!({"errorType": error.name.as_str(), "errorMessage": message}).to_string();
    prop_assert!(message.len() < 32_000 && cause.len() < 32_768, "{} and {} bytes", message.len(), cause.len());
    let begins_with = |name: &str| message.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '.', '[', ',']));
    let named = match error.name {
        ErrorName::MonthNotComplete => begins_with("month"),
        ErrorName::InvalidInput => {
            let of_an_object = field_names(source).into_iter().chain(required.iter().map(|name| name.to_string()));
            let no_object = !source.is_object() && (begins_with("the input") || begins_with("the event"));
            // A shortened name ends with dots.
            no_object || of_an_object.into_iter().any(|name| begins_with(&name) || message.starts_with(&format!("{name}...")))
        }
        other => return Err(TestCaseError::fail(format!("{other}: {message}"))),
    };
    prop_assert!(named, "names no field: {message}");
    Ok(())
}

/// The run of an input, its months, and the first window of each entry through create and check.
fn check_run(input: &Value, start: DateTime<Utc>, must_accept: bool) -> Checked {
    let mut run = match RunInput::parse(input, &stack()) {
        Ok(run) => run,
        Err(error) if must_accept => return Err(TestCaseError::fail(format!("{input} is refused: {error}"))),
        Err(error) => return assert_named(&error, input, &["logGroups"]),
    };
    prop_assert_eq!(run.entries.len() + run.warnings.len(), input["logGroups"].as_array().map_or(0, Vec::len));
    let scope = match run.determine_scope(start, None, false) {
        Ok(scope) => scope,
        Err(error) if must_accept => return Err(TestCaseError::fail(error.to_string())),
        Err(error) => return assert_named(&error, input, &[]),
    };
    for pair in scope.months.windows(2) {
        let tile = pair[1].window.to.0 + 1 == pair[0].window.from.0;
        prop_assert!(pair[1].month.next() == pair[0].month && tile, "{pair:?}");
    }
    prop_assert!(
        scope.months.iter().all(|month| month.after_first_covered || month.window.settled_at(run.settle_days) <= start),
        "{scope:?}"
    );
    let Some(month) = scope.months.first() else { return Ok(()) };
    run.entries.iter().try_for_each(|entry| check_entry(&run, entry, month, start))
}

/// The item that plan-exports makes for a log group of an entry. create-export-task uses it unchanged.
fn check_entry(run: &RunInput, entry: &Entry, month: &MonthToCompare, start: DateTime<Utc>) -> Checked {
    let name = match &entry.selector {
        Selector::Name(name) => name.clone(),
        Selector::Prefix { log_group_name_prefix: prefix, .. } => match LogGroupName::parse(&format!("{prefix}-member")) {
            Ok(name) => name,
            Err(_) => return Ok(()),
        },
    };
    let best = best_entries(&run.entries, &name);
    prop_assert!(best.iter().all(|other| other.rank(&name) >= entry.rank(&name)) && best.is_empty() == entry.rank(&name).is_none());
    let source = entry.source(name, &run.bucket, &run.s3_prefix);
    let Ok(place) = source.place(&stack()) else {
        prop_assert!(matches!(entry.selector, Selector::Prefix { .. }), "{entry:?} was accepted");
        return Ok(());
    };
    let execution = ExecutionArn::parse("arn:aws:states:ap-northeast-1:123456789012:execution:export-logs:1").expect("an ARN");
    let item = json!(plan::Item {
        source: source.clone(),
        timezone: run.timezone.name().to_owned(),
        month: month.month,
        from: month.window.from,
        to: month.window.to,
        force: run.force,
        start_time: format_instant(start),
        execution: execution.clone(),
        history: WindowHistory { is_open: true, seen_since: Some(start) },
    });
    let Some(target) = check_create(&item, can_be_named(month.month))? else { return Ok(()) };
    prop_assert_eq!((target.place, target.month, target.window), (place, month.month, month.window));
    Ok(())
}

/// The target, after `check-export-task` has taken create's answer. `None` when the event was refused, which it may only be
/// where `must_accept` is not set.
fn check_create(event: &Value, must_accept: bool) -> Result<Option<export_core::target::Target>, TestCaseError> {
    let stack = stack();
    let accepted = create::Request::parse(event, &stack).and_then(|request| request.target(&stack, now()).map(|target| (request, target)));
    let (request, target) = match accepted {
        Ok(accepted) => accepted,
        Err(error) if must_accept => return Err(TestCaseError::fail(format!("{event} is refused: {error}"))),
        Err(error) => return assert_named(&error, event, &["logGroupName", "from"]).map(|()| None),
    };
    prop_assert!(0 <= target.window.from.0 && target.window.from <= target.window.to, "{target:?}");
    let prefix = target.destination_prefix();
    prop_assert!((1..=900).contains(&prefix.len()) && !prefix.starts_with('/'), "{prefix}");
    prop_assert!(prefix.bytes().all(|byte| byte.is_ascii_graphic()), "{prefix}");
    prop_assert!((1..=512).contains(&target.task_name().len()));
    prop_assert!(stack.manifest_key(&target.manifest_key()).len() < 1024);
    let task_id = TaskId::parse("t-1").expect("a task id");
    let answer = json!(request.respond(target.clone(), TaskAction::Created(task_id), Default::default()));
    match check::Request::parse(&answer, &stack) {
        Ok(check) => {
            let expected = (Some(&target), request.timezone, request.history);
            prop_assert_eq!((check.target.as_ref(), check.timezone, check.history), expected);
        }
        Err(error) if !can_be_named(target.month) => assert_named(&error, &answer, &[])?,
        Err(error) => return Err(TestCaseError::fail(format!("check refuses create's answer {answer}: {error}"))),
    }
    Ok(Some(target))
}

/// An input may not name the month before one of the first `scheduledTime`s: then every entry is refused with an error name.
fn can_be_named(month: Month) -> bool {
    month.year() >= FIRST_YEAR
}

fn check_check(event: &Value) -> Checked {
    match check::Request::parse(event, &stack()) {
        Err(error) => assert_named(&error, event, &["taskId", "month", "from", "to", "destination"]),
        Ok(request) => {
            prop_assert_eq!(request.target.is_some(), event.get("logGroupName").is_some());
            prop_assert_eq!(request.warnings.len(), event["warnings"].as_array().map_or(0, Vec::len));
            Ok(())
        }
    }
}

fn check_plan(event: &Value) -> Checked {
    match plan::Request::parse(event) {
        Err(error) => assert_named(&error, event, &["execution", "startTime", "state"]),
        Ok(request) => {
            prop_assert_eq!(&request.state, &event["state"]);
            // A state is an input or has a plan, never both.
            prop_assert!(request.plan().is_none() || RunInput::parse(&request.state, &stack()).is_err());
            Ok(())
        }
    }
}

/// The path of a value as in the messages: `logGroups[3].exclude[0]`.
fn path_of(place: &str) -> String {
    let written: String =
        place.split('/').skip(1).map(|part| if part.parse::<usize>().is_ok() { format!("[{part}]") } else { format!(".{part}") }).collect();
    written.trim_start_matches('.').to_owned()
}

fn plan_event(state: Value) -> Value {
    json!({"execution": "arn:aws:states:ap-northeast-1:123456789012:execution:export-logs:1", "startTime": "2026-11-01T04:00:00Z", "state": state})
}

/// The state after a round.
fn planned() -> Value {
    let plan = json!({"sequence": 1, "next": "EXPORT", "items": {"bucket": "b", "key": "k"}, "results": {"bucket": "b", "prefix": "p"}, "compact": ["2026-10"]});
    json!({"plan": plan, "exported": {}})
}

/// A record of a round's results.
fn record(output: Value) -> Value {
    json!({"Input": "{}", "Status": "SUCCEEDED", "Output": output.to_string(), "Error": "ExportTaskFailed", "Cause": "{\"errorMessage\": \"m\"}"})
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_json_is_refused_with_an_error_name_or_accepted(value in any_json()) {
        check_run(&value, now(), false)?;
        check_create(&value, false)?;
        check_check(&value)?;
        check_plan(&value)?;
        check_plan(&plan_event(value.clone()))?;
        ChildResult::parse(&value);
        ChildResult::parse(&record(value));
    }

    #[test]
    fn a_valid_run_is_accepted_with_every_entry((input, start) in valid_run()) {
        check_run(&input, parse_instant(&start).expect("an instant"), true)?;
        check_plan(&plan_event(input))?;
    }

    #[test]
    fn a_run_with_mistakes_is_refused_with_an_error_name_or_accepted((input, start) in valid_run(), mutations in mutations()) {
        check_run(&mutated(input.clone(), &mutations), parse_instant(&start).expect("an instant"), false)?;
        check_plan(&mutated(plan_event(input), &mutations))?;
        check_plan(&mutated(plan_event(planned()), &mutations))?;
    }

    #[test]
    fn a_create_event_with_mistakes_and_its_response_are_refused_with_an_error_name_or_accepted(event in valid_create_event(), mutations in mutations()) {
        let stack = stack();
        check_create(&event, true)?;
        check_create(&mutated(event.clone(), &mutations), false)?;
        let request = create::Request::parse(&event, &stack).expect("a valid event");
        let target = request.target(&stack, now()).expect("a month that is over");
        let answer = json!(request.respond(target, TaskAction::Adopted(TaskId::parse("t-1").expect("a task id")), Default::default()));
        check_check(&mutated(answer, &mutations))?;
    }

    #[test]
    fn a_result_with_mistakes_is_parsed_or_ignored(mutations in mutations()) {
        let output = json!({"status": "COMPLETED", "outcome": "exported", "reason": null, "taskId": "t", "objects": 1, "bytes": 2, "seconds": 0.5, "warnings": []});
        ChildResult::parse(&mutated(record(output.clone()), &mutations));
        ChildResult::parse(&record(mutated(output, &mutations)));
    }

    /// The message names only the wrong field, by its whole path.
    #[test]
    fn one_value_of_a_wrong_type_is_named_by_its_path((mut input, _) in valid_run(), at in any::<prop::sample::Index>(), wrong in select(vec![Value::Null, json!(7.5), json!([[]])])) {
        let places: Vec<String> = places(&input).into_iter().filter(|place| !place.is_empty()).collect();
        let place = at.get(&places);
        *input.pointer_mut(place).expect("a place") = wrong.clone();
        let path = path_of(place);
        match RunInput::parse(&input, &stack()) {
            Err(error) => {
                prop_assert_eq!(error.name, ErrorName::InvalidInput);
                // The elements of a list are checked too.
                let inside = format!("{path}[0] is []: ");
                prop_assert!(error.message.starts_with(&format!("{path} is {wrong}: ")) || error.message.starts_with(&inside), "{path}: {error}");
                prop_assert_eq!(error.message.matches(" is ").count(), 1, "{}", error);
            }
            Ok(_) => return Err(TestCaseError::fail(format!("{path} may be {wrong}"))),
        }
    }
}
