//! Whatever JSON a person or another version of a function sends: the parsers never panic, what they refuse has a name and
//! a message that a person can act on, and what they accept keeps its promises through plan, create and check.
//!
//! More cases than a test run takes: `PROPTEST_CASES=1000000 cargo test -p export-core --test arbitrary_input`.

mod json;
mod mutation;

use chrono::{DateTime, Utc};
use chrono_tz::TZ_VARIANTS;
use export_core::{
    ErrorName, ExportError, Month, Window, check,
    create::{self, Task},
    month::FIRST_YEAR,
    plan::{PAGE_SIZE, PLAN_LIMIT, ValidateRequest},
    run::RunInput,
};
use json::{any_json, valid_check_event, valid_create_event, valid_run};
use mutation::{mutated, mutations, places};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Fails with both sides shown; shrinking goes on from there.
type Checked = Result<(), TestCaseError>;

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases: 512, ..config } }
}

fn now() -> DateTime<Utc> {
    "2026-11-01T04:00:00Z".parse().expect("an instant")
}

fn field_names(value: &Value) -> Vec<String> {
    value.as_object().into_iter().flat_map(Map::keys).map(|name| name.chars().take(120).collect()).collect()
}

/// An error of a name that the state machine knows as final, with a message that begins with the field it is about.
fn assert_named(error: &ExportError, sources: &[&Value], required: &[&str]) -> Checked {
    let message = &error.message;
    let cause = json!({"errorType": error.name.as_str(), "errorMessage": message}).to_string();
    prop_assert!(message.len() < 32_000 && cause.len() < 32_768, "{} and {} bytes", message.len(), cause.len());
    let begins_with = |name: &str| message.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '.', '[', ',']));
    let named = match error.name {
        ErrorName::MonthNotComplete => begins_with("month"),
        ErrorName::InvalidInput => {
            let of_an_object = sources.iter().flat_map(|source| field_names(source)).chain(required.iter().map(|name| name.to_string()));
            let no_object = sources.iter().any(|source| !source.is_object()) && (begins_with("the input") || begins_with("the event"));
            let too_long = begins_with("the destination prefix") && message.contains("shorten s3Prefix or destinationPrefix");
            // A cut name is followed by dots.
            no_object || too_long || of_an_object.into_iter().any(|name| begins_with(&name) || message.starts_with(&format!("{name}...")))
        }
        other => return Err(TestCaseError::fail(format!("{other}: {message}"))),
    };
    prop_assert!(named, "names no field: {message}");
    Ok(())
}

fn check_run(input: &Value) -> Checked {
    match RunInput::parse(input) {
        Err(error) => assert_named(&error, &[input], &["s3BucketName", "logGroups"]),
        Ok(run) => {
            prop_assert_eq!(run.entries.len(), input["logGroups"].as_array().map_or(0, Vec::len));
            Ok(())
        }
    }
}

/// The plan as the state machine gets it, and each page's entries through create and check.
fn check_plan(event: &Value) -> Checked {
    let planned = ValidateRequest::parse(event).and_then(|request| request.plan());
    let plan = match planned {
        Ok(plan) => serde_json::to_value(plan).expect("a plan is JSON"),
        Err(error) => return assert_named(&error, &[event, &event["validate"]], &["validate", "startTime", "s3BucketName", "logGroups"]),
    };
    let input = &event["validate"];
    prop_assert!(plan.to_string().len() <= PLAN_LIMIT);
    let (from, to) = (plan["from"].as_i64().expect("from"), plan["to"].as_i64().expect("to"));
    prop_assert!(0 <= from && from < to, "{from} to {to}");
    assert_pages(&plan["pages"], &input["logGroups"])?;
    // What the state machine makes of the plan's answer, in ValidateInput and CreateExportTask.
    let mut run = plan.as_object().expect("an object").clone();
    run.retain(|name, _| !["from", "to", "compact", "pages"].contains(&name.as_str()));
    run.insert("startTime".into(), event["startTime"].clone());
    for page in plan["pages"].as_array().expect("pages") {
        for entry in page["logGroups"].as_array().into_iter().flatten() {
            let mut event = run.clone();
            match entry {
                Value::Object(fields) => event.extend(fields.clone()),
                name => drop(event.insert("logGroupName".into(), name.clone())),
            }
            let event = Value::Object(event);
            let Some(answer) = check_create(&event, can_be_named(&plan["month"]))? else { continue };
            prop_assert_eq!((&answer["month"], &answer["from"], &answer["to"]), (&plan["month"], &plan["from"], &plan["to"]));
        }
    }
    Ok(())
}

/// Pages hold every entry of the input exactly once, log groups by name first, each kind in the input's order.
fn assert_pages(pages: &Value, log_groups: &Value) -> Checked {
    let pages = pages.as_array().expect("pages");
    let (by_prefix, by_name): (Vec<&Value>, Vec<&Value>) =
        log_groups.as_array().expect("a list").iter().partition(|entry| entry.get("logGroupNamePrefix").is_some());
    let named: Vec<&Value> = pages.iter().flat_map(|page| page["logGroups"].as_array().into_iter().flatten()).collect();
    prop_assert_eq!(named.len(), by_name.len());
    for (planned, given) in named.iter().zip(by_name) {
        let lone = given.as_object().filter(|fields| fields.len() == 1).map(|fields| &fields["logGroupName"]);
        prop_assert_eq!(*planned, lone.unwrap_or(given));
    }
    let sizes: Vec<usize> = pages.iter().filter_map(|page| page["logGroups"].as_array().map(Vec::len)).collect();
    prop_assert!(sizes.iter().rev().skip(1).all(|size| *size == PAGE_SIZE) && sizes.iter().all(|size| (1..=PAGE_SIZE).contains(size)));
    let expanded: Vec<&Value> = pages.iter().filter(|page| page.get("logGroups").is_none()).collect();
    prop_assert_eq!(expanded.len(), by_prefix.len());
    for (planned, given) in expanded.iter().zip(by_prefix) {
        let mut rebuilt = planned["placement"].clone();
        rebuilt["logGroupNamePrefix"] = planned["logGroupNamePrefix"].clone();
        let list = |name: &str| planned[name].as_array().cloned().unwrap_or_default();
        let mut exclude = list("excludeNames");
        exclude.extend(list("excludePrefixes").iter().map(|beginning| json!(format!("{}*", beginning.as_str().unwrap_or_default()))));
        let mut given = given.clone();
        let mut patterns = given
            .as_object_mut()
            .and_then(|fields| fields.remove("exclude"))
            .map_or(Vec::new(), |list| list.as_array().cloned().expect("a list"));
        let by_text = |value: &Value| value.to_string();
        exclude.sort_by_key(by_text);
        patterns.sort_by_key(by_text);
        prop_assert_eq!((rebuilt, exclude), (given, patterns));
    }
    Ok(())
}

/// The answer with a task, after `check-export-task` has taken it. `None` when the event was refused, which it may only be
/// where `must_accept` is not set.
fn check_create(event: &Value, must_accept: bool) -> Result<Option<Value>, TestCaseError> {
    let accepted = create::Request::parse(event).and_then(|request| request.export(now()).map(|export| (request, export)));
    let (request, export) = match accepted {
        Ok(accepted) => accepted,
        Err(error) if must_accept => return Err(TestCaseError::fail(format!("{event} is refused: {error}"))),
        Err(error) => return assert_named(&error, &[event], &["s3BucketName", "logGroupName"]).map(|()| None),
    };
    let Window { from, to } = export.window;
    prop_assert!(0 <= from && from < to, "{from} to {to}");
    let prefix = &export.destination_prefix;
    prop_assert!((1..=900).contains(&prefix.len()) && !prefix.starts_with('/'), "{prefix}");
    prop_assert!(prefix.bytes().all(|byte| byte.is_ascii_graphic()), "{prefix}");
    let task_name = request.task_name(&export);
    prop_assert!((1..=512).contains(&task_name.len()), "{task_name}");
    prop_assert_eq!(&task_name, &request.task_name(&export));
    let (month, window) = (export.month, export.window);
    let answer = json!(request.respond(export, Task::Created { task_id: "t-1".into() }, Vec::new()));
    match check::Request::parse(&answer) {
        Ok(check) => prop_assert_eq!(check.month_of(window), Ok(month)),
        Err(error) if !can_be_named(&answer["month"]) => assert_named(&error, &[&answer], &[])?,
        Err(error) => return Err(TestCaseError::fail(format!("check refuses create's answer {answer}: {error}"))),
    }
    Ok(Some(answer))
}

/// The month before one of the first `scheduledTime`s is one that no input may name: every entry is refused then, by name.
fn can_be_named(month: &Value) -> bool {
    month.as_str().and_then(|month| month[..4].parse().ok()).is_some_and(|year: i32| year >= FIRST_YEAR)
}

fn check_check(event: &Value, window: Window) -> Checked {
    let month = check::Request::parse(event).and_then(|request| request.month_of(window).map(|month| (request, month)));
    match month {
        Err(error) => assert_named(&error, &[event], &["taskId", "timezone", "month"]),
        Ok((request, month)) => {
            prop_assert_eq!(Window::of(month, request.timezone), window);
            prop_assert!(request.month.is_none_or(|given| given == month));
            prop_assert_eq!(request.warnings.len(), event["warnings"].as_array().map_or(0, Vec::len));
            Ok(())
        }
    }
}

/// A month of some time zone, one that is a little off, or anything that 64 bits hold.
fn any_window() -> impl Strategy<Value = Window> {
    let month = (select(TZ_VARIANTS.to_vec()), 1970i32..=9998, 1u32..=12);
    let edge = || prop_oneof![any::<i64>(), select(vec![i64::MIN, -1, 0, i64::MAX]), (-8_400_000_000_000_000i64..8_400_000_000_000_000)];
    // The first and the last instants that chrono can hold.
    let limits = (0i64..100_000_000_000, any::<bool>()).prop_map(|(distance, late)| {
        let limit = if late { DateTime::<Utc>::MAX_UTC } else { DateTime::<Utc>::MIN_UTC }.timestamp_millis();
        let from = if late { limit - distance } else { limit + distance };
        Window { from, to: from.saturating_add(2_678_399_999) }
    });
    prop_oneof![
        4 => month.clone().prop_map(|(timezone, year, month)| Window::of(Month::new(year, month).expect("a month"), timezone)),
        1 => (month, -2i64..=2, -2i64..=2).prop_map(|((timezone, year, month), from, to)| {
            let window = Window::of(Month::new(year, month).expect("a month"), timezone);
            Window { from: window.from + from, to: window.to + to }
        }),
        1 => (edge(), edge()).prop_map(|(from, to)| Window { from, to }),
        1 => limits,
    ]
}

fn event_of((input, start_time): (Value, String)) -> Value {
    json!({"validate": input, "startTime": start_time})
}

/// Where a value stands, as the messages write it: `logGroups[3].exclude[0]`.
fn path_of(place: &str) -> String {
    let written: String =
        place.split('/').skip(1).map(|part| if part.parse::<usize>().is_ok() { format!("[{part}]") } else { format!(".{part}") }).collect();
    written.trim_start_matches('.').to_owned()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_json_is_refused_by_name_or_kept(value in any_json(), window in any_window()) {
        check_run(&value)?;
        check_plan(&value)?;
        check_plan(&json!({"validate": value, "startTime": "2026-11-01T04:00:00Z"}))?;
        check_create(&value, false)?;
        check_check(&value, window)?;
    }

    #[test]
    fn a_valid_run_is_planned_and_every_entry_of_its_plan_is_taken(run in valid_run()) {
        let event = event_of(run);
        let plan = ValidateRequest::parse(&event).and_then(|request| request.plan());
        prop_assert!(plan.is_ok(), "{plan:?}");
        check_plan(&event)?;
    }

    #[test]
    fn a_run_with_mistakes_is_refused_by_name_or_kept(run in valid_run(), mutations in mutations()) {
        let event = mutated(event_of(run), &mutations);
        check_run(&event["validate"])?;
        check_plan(&event)?;
    }

    #[test]
    fn a_create_event_with_mistakes_is_refused_by_name_or_kept(event in valid_create_event(), mutations in mutations()) {
        check_create(&event, true)?;
        check_create(&mutated(event, &mutations), false)?;
    }

    #[test]
    fn a_check_event_with_mistakes_is_refused_by_name_or_kept(event in valid_check_event(), mutations in mutations(), window in any_window()) {
        let request = check::Request::parse(&event).expect("a valid event");
        let own = Window::of(request.month.expect("a month"), request.timezone);
        prop_assert_eq!(request.month_of(own), Ok(request.month.expect("a month")));
        check_check(&event, window)?;
        check_check(&mutated(event, &mutations), own)?;
    }

    /// The message names the one field that is wrong, by its whole path, and no other.
    #[test]
    fn one_value_of_a_wrong_type_is_named_by_its_path((mut input, _) in valid_run(), at in any::<prop::sample::Index>(), wrong in select(vec![Value::Null, json!(7), json!([[]])])) {
        let places: Vec<String> = places(&input).into_iter().filter(|place| !place.is_empty()).collect();
        let place = at.get(&places);
        *input.pointer_mut(place).expect("a place") = wrong.clone();
        let path = path_of(place);
        match RunInput::parse(&input) {
            Err(error) => {
                prop_assert_eq!(error.name, ErrorName::InvalidInput);
                // A list where a list belongs is looked into.
                let inside = format!("{path}[0] is []: ");
                prop_assert!(error.message.starts_with(&format!("{path} is {wrong}: ")) || error.message.starts_with(&inside), "{path}: {error}");
                prop_assert_eq!(error.message.matches(" is ").count() - error.message.matches("which is ").count(), 1, "{}", error);
            }
            Ok(_) => return Err(TestCaseError::fail(format!("{path} may be {wrong}"))),
        }
    }
}
