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
        create::{self, Task},
        plan::{self, Child},
    },
    entry::{Entry, Selector},
    input::{Look, RunInput, best_entries},
    month::FIRST_YEAR,
    place::Stack,
    time::{format_instant, parse_instant},
};
use json::{any_json, valid_create_event, valid_run};
use mutation::{mutated, mutations, places};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Fails with both sides shown; shrinking goes on from there.
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

/// An error of a name that the state machine knows as final, with a message that begins with the field it is about.
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
            // A cut name is followed by dots.
            no_object || of_an_object.into_iter().any(|name| begins_with(&name) || message.starts_with(&format!("{name}...")))
        }
        other => return Err(TestCaseError::fail(format!("{other}: {message}"))),
    };
    prop_assert!(named, "names no field: {message}");
    Ok(())
}

/// The run that an input becomes, what it looks at, and the first window of each of its entries through create and check.
fn check_run(input: &Value, start: DateTime<Utc>, must_accept: bool) -> Checked {
    let mut run = match RunInput::parse(input, &stack()) {
        Ok(run) => run,
        Err(error) if must_accept => return Err(TestCaseError::fail(format!("{input} is refused: {error}"))),
        Err(error) => return assert_named(&error, input, &["logGroups"]),
    };
    prop_assert_eq!(run.entries.len() + run.warnings.len(), input["logGroups"].as_array().map_or(0, Vec::len));
    let looks = match run.looks(start, None, false) {
        Ok(looks) => looks,
        Err(error) if must_accept => return Err(TestCaseError::fail(error.to_string())),
        Err(error) => return assert_named(&error, input, &[]),
    };
    for pair in looks.months.windows(2) {
        let tile = pair[1].window.to.0 + 1 == pair[0].window.from.0;
        prop_assert!(pair[1].month.next() == pair[0].month && tile, "{pair:?}");
    }
    prop_assert!(looks.months.iter().all(|look| look.after_first_covered || look.window.settled_at(run.settle_days) <= start), "{looks:?}");
    let Some(look) = looks.months.first() else { return Ok(()) };
    run.entries.iter().try_for_each(|entry| check_entry(&run, entry, look, start))
}

/// What plan-exports makes of an entry: the item of a log group that it matches, which create takes as it was planned.
fn check_entry(run: &RunInput, entry: &Entry, look: &Look, start: DateTime<Utc>) -> Checked {
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
        month: look.month,
        from: look.window.from,
        to: look.window.to,
        force: run.force,
        start_time: format_instant(start),
        execution: execution.clone(),
        is_open: true,
        seen_since: Some(format_instant(start)),
    });
    let Some(target) = check_create(&item, can_be_named(look.month))? else { return Ok(()) };
    prop_assert_eq!((target.place, target.month, target.window), (place, look.month, look.window));
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
    let answer = json!(request.respond(target.clone(), Task::Created(task_id), Default::default()));
    match check::Request::parse(&answer, &stack) {
        Ok(check) => {
            let expected = (Some(&target), request.timezone, request.remembered);
            prop_assert_eq!((check.target.as_ref(), check.timezone, check.remembered), expected);
        }
        Err(error) if !can_be_named(target.month) => assert_named(&error, &answer, &[])?,
        Err(error) => return Err(TestCaseError::fail(format!("check refuses create's answer {answer}: {error}"))),
    }
    Ok(Some(target))
}

/// The month before one of the first `scheduledTime`s is one that no input may name: every entry is refused then, by name.
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
            // A state is an input or holds a plan, never both.
            prop_assert!(request.plan().is_none() || RunInput::parse(&request.state, &stack()).is_err());
            Ok(())
        }
    }
}

/// Where a value stands, as the messages write it: `logGroups[3].exclude[0]`.
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
    fn any_json_is_refused_by_name_or_kept(value in any_json()) {
        check_run(&value, now(), false)?;
        check_create(&value, false)?;
        check_check(&value)?;
        check_plan(&value)?;
        check_plan(&plan_event(value.clone()))?;
        Child::read(&value);
        Child::read(&record(value));
    }

    #[test]
    fn a_valid_run_is_taken_and_every_entry_of_it((input, start) in valid_run()) {
        check_run(&input, parse_instant(&start).expect("an instant"), true)?;
        check_plan(&plan_event(input))?;
    }

    #[test]
    fn a_run_with_mistakes_is_refused_by_name_or_kept((input, start) in valid_run(), mutations in mutations()) {
        check_run(&mutated(input.clone(), &mutations), parse_instant(&start).expect("an instant"), false)?;
        check_plan(&mutated(plan_event(input), &mutations))?;
        check_plan(&mutated(plan_event(planned()), &mutations))?;
    }

    #[test]
    fn a_create_event_with_mistakes_and_its_answer_are_refused_by_name_or_kept(event in valid_create_event(), mutations in mutations()) {
        let stack = stack();
        check_create(&event, true)?;
        check_create(&mutated(event.clone(), &mutations), false)?;
        let request = create::Request::parse(&event, &stack).expect("a valid event");
        let target = request.target(&stack, now()).expect("a month that is over");
        let answer = json!(request.respond(target, Task::Adopted(TaskId::parse("t-1").expect("a task id")), Default::default()));
        check_check(&mutated(answer, &mutations))?;
    }

    #[test]
    fn a_childs_result_with_mistakes_is_read_or_passed_over(mutations in mutations()) {
        let output = json!({"status": "COMPLETED", "outcome": "exported", "reason": null, "taskId": "t", "objects": 1, "bytes": 2, "seconds": 0.5, "warnings": []});
        Child::read(&mutated(record(output.clone()), &mutations));
        Child::read(&record(mutated(output, &mutations)));
    }

    /// The message names the one field that is wrong, by its whole path, and no other.
    #[test]
    fn one_value_of_a_wrong_type_is_named_by_its_path((mut input, _) in valid_run(), at in any::<prop::sample::Index>(), wrong in select(vec![Value::Null, json!(7.5), json!([[]])])) {
        let places: Vec<String> = places(&input).into_iter().filter(|place| !place.is_empty()).collect();
        let place = at.get(&places);
        *input.pointer_mut(place).expect("a place") = wrong.clone();
        let path = path_of(place);
        match RunInput::parse(&input, &stack()) {
            Err(error) => {
                prop_assert_eq!(error.name, ErrorName::InvalidInput);
                // A list where a list belongs is looked into.
                let inside = format!("{path}[0] is []: ");
                prop_assert!(error.message.starts_with(&format!("{path} is {wrong}: ")) || error.message.starts_with(&inside), "{path}: {error}");
                prop_assert_eq!(error.message.matches(" is ").count(), 1, "{}", error);
            }
            Ok(_) => return Err(TestCaseError::fail(format!("{path} may be {wrong}"))),
        }
    }
}
