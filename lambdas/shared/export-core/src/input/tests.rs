use serde_json::json;

use super::*;
use crate::{destination::DEFAULT_TEMPLATE_TEXT, place::stack};

fn with(changes: Value) -> Value {
    let mut input = json!({"logGroups": ["/aws/lambda/orders"]});
    input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    input
}

#[track_caller]
fn parsed(changes: Value) -> RunInput {
    RunInput::parse(&with(changes), &stack()).unwrap()
}

#[track_caller]
fn refused(changes: Value) -> String {
    let error = RunInput::parse(&with(changes), &stack()).unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidInput);
    error.message
}

#[test]
fn a_missing_field_of_the_input_comes_from_the_stack() {
    let entry = |name: &str| Entry {
        selector: Selector::Name(LogGroupName::parse(name).unwrap()),
        s3_prefix: None,
        log_stream_name_prefix: None,
        destination_template: None,
    };
    let defaults = RunInput {
        bucket: stack().bucket,
        s3_prefix: stack().s3_prefix,
        timezone: chrono_tz::Asia::Tokyo,
        scheduled_time: None,
        settle_days: SettleDays::default(),
        months: Months::Due,
        force: false,
        allow_incomplete_month: false,
        compact: false,
        entries: vec![entry("/aws/lambda/orders")],
        warnings: Vec::new(),
    };
    assert_eq!(parsed(json!({})), defaults);
    let all = json!({"s3BucketName": "other", "s3Prefix": "", "timezone": "UTC", "month": "2026-09", "force": true,
        "allowIncompleteMonth": true, "compact": true, "logGroups": ["arn:aws:logs:ap-northeast-1:111122223333:log-group:/ecs/web:*"]});
    let given = RunInput {
        bucket: BucketName::parse("other").unwrap(),
        s3_prefix: Prefix::parse("").unwrap(),
        timezone: chrono_tz::UTC,
        months: Months::Only("2026-09".parse().unwrap()),
        force: true,
        allow_incomplete_month: true,
        compact: true,
        entries: vec![entry("/ecs/web")],
        ..defaults
    };
    assert_eq!(parsed(all), given);
}

#[test]
fn the_error_names_each_wrong_field_its_value_and_the_fix() {
    let by_hand = "a scheduled run fixes its months itself; leave one of them out";
    for (changes, message) in [
        (
            json!({"month": "2026-13"}),
            "month is \"2026-13\": it is not a calendar month between 1971-01 and 9998-12; write it as YYYY-MM, such as 2026-10",
        ),
        (json!({"since": "2026-1"}), "since is \"2026-1\": it is not a calendar month"),
        (json!({"month": 202610}), "month is 202610: write it as a text in double quotes"),
        (json!({"month": "2026-10", "since": "2026-09"}), "since is given together with month: leave one of them out"),
        (
            json!({"scheduledTime": "2026-11-01T04:00:00Z", "month": "2026-10"}),
            &format!("month is given together with scheduledTime: {by_hand}"),
        ),
        (
            json!({"scheduledTime": "2026-11-01T04:00:00Z", "since": "2026-10"}),
            &format!("since is given together with scheduledTime: {by_hand}"),
        ),
        (
            json!({"scheduledTime": "2026-11-01T04:00:00Z", "force": false}),
            &format!("force is given together with scheduledTime: {by_hand}"),
        ),
        (json!({"scheduledTime": "2026-11-01T04:00:00Z", "allowIncompleteMonth": true}), "allowIncompleteMonth is given together"),
        (json!({"timezone": "Tokyo"}), "timezone is \"Tokyo\": give an IANA time zone name such as Asia/Tokyo, Europe/Berlin or UTC"),
        (json!({"scheduledTime": "2026-11-01"}), "scheduledTime is \"2026-11-01\": write an instant with its time zone, such as"),
        (json!({"force": "yes"}), "force is \"yes\": write true or false, without quotes"),
        (json!({"s3BucketName": "s3://logs"}), "s3BucketName is \"s3://logs\": give the bucket's bare name"),
        (json!({"s3Prefix": "a/../b"}), "s3Prefix is \"a/../b\": write parts of"),
        (json!({"s3Prefix": null}), "s3Prefix is null: write it as a text in double quotes"),
        (json!({"s3prefix": "logs"}), "s3prefix is not a known field: use one of s3BucketName, s3Prefix, timezone"),
        (json!({"plan": {"sequence": 1}}), "plan is not a known field"),
        (json!({"logGroups": []}), "logGroups is []: name at least one log group"),
        (json!({"logGroups": "/a"}), "logGroups is \"/a\": give a list of log groups, such as [\"/aws/lambda/orders\"]"),
        (json!({"logGroups": ["/a", 7]}), "logGroups[1] is 7: give a log group name, or an object with logGroupName or logGroupNamePrefix"),
        (
            json!({"logGroups": ["/or:ders"]}),
            "logGroups[0] is \"/or:ders\": a log group name has 1 to 512 characters out of A-Z a-z 0-9 . - _ / #",
        ),
        (
            json!({"logGroups": ["/aws/lambda/*"]}),
            "logGroups[0] is \"/aws/lambda/*\": to archive all log groups with this prefix, write {\"logGroupNamePrefix\": \"/aws/lambda/\"}",
        ),
        (
            json!({"logGroups": [{"logGroupName": "/a*"}]}),
            "logGroups[0].logGroupName is \"/a*\": to archive all log groups with this prefix",
        ),
        (
            json!({"logGroups": ["arn:aws:logs:ap-northeast-1:444455556666:log-group:/a"]}),
            "logGroups[0] is \"arn:aws:logs:ap-northeast-1:444455556666:log-group:/a\": the log group must be in account 111122223333",
        ),
        (
            json!({"logGroups": [{"s3Prefix": "x"}]}),
            "logGroups[0] is {\"s3Prefix\":\"x\"}: give exactly one of logGroupName and logGroupNamePrefix",
        ),
        (
            json!({"logGroups": [{"logGroupName": "/a", "prefix": "x"}]}),
            "logGroups[0].prefix is not a known field: use one of logGroupName, s3Prefix, logStreamNamePrefix, destinationPrefix",
        ),
        (
            json!({"logGroups": [{"logGroupName": "/a", "logStreamNamePrefix": "a:b"}]}),
            "logGroups[0].logStreamNamePrefix is \"a:b\": a log stream",
        ),
        (
            json!({"logGroups": [{"logGroupNamePrefix": "/a", "exclude": ["*x"]}]}),
            "logGroups[0].exclude[0] is \"*x\": write a log group name, or",
        ),
        (json!({"logGroups": [{"logGroupNamePrefix": "/a", "exclude": "x"}]}), "logGroups[0].exclude is \"x\": give a list"),
        (
            json!({"logGroups": [{"logGroupNamePrefix": "/a", "destinationPrefix": "{year}/{month}/{s3Prefix}"}]}),
            "logGroups[0].destinationPrefix is \"{year}/{month}/{s3Prefix}\": it must contain {logGroup}, because the entry can match several",
        ),
    ] {
        let refused = refused(changes.clone());
        assert!(refused.starts_with(message), "{changes}: {refused}");
    }
    let message = |input: Value| RunInput::parse(&input, &stack()).unwrap_err().message;
    assert_eq!(message(json!(["/a"])), "the input is [\"/a\"]: give a JSON object");
    assert_eq!(message(json!({})), "logGroups is missing: it is required");
}

#[test]
fn the_error_names_every_problem_and_fits_into_a_cause() {
    let message = refused(json!({"s3BucketName": "x", "timezone": "Tokyo", "since": "2026-13", "logGroups": ["a b", 1], "extra": 1}));
    for part in ["s3BucketName is", "timezone is", "since is", "logGroups[0] is", "logGroups[1] is", "extra is not"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let message = refused(json!({"logGroups": vec!["\"not\" \"a\" \"name\""; 9000]}));
    let cause = json!({"errorType": "InvalidInput", "errorMessage": message}).to_string();
    assert!(cause.len() < 32_768 && message.ends_with("; and more problems like these"), "{}", cause.len());
    let long = "x".repeat(30_000);
    let message = refused(json!({long.clone(): 1, "timezone": long}));
    assert!(message.starts_with(&format!("{}... is not a known field", "x".repeat(120))), "{message}");
    assert!(message.contains(&format!("timezone is \"{}...: give", "x".repeat(119))), "{message}");
}

#[test]
fn an_entry_that_is_given_twice_counts_once() {
    let arn = "arn:aws:logs:ap-northeast-1:111122223333:log-group:/a";
    let prefix = json!({"logGroupNamePrefix": "/p/", "exclude": ["/p/x"]});
    for (entries, count, repeated) in [
        (json!(["/a", "/b", {"logGroupName": "/a"}, arn]), 2, &[(2, 0), (3, 0)][..]),
        (json!([prefix, prefix]), 1, &[(1, 0)]),
        // Other entries of one log group: other places.
        (json!(["/a", {"logGroupName": "/a", "s3Prefix": "second", "logStreamNamePrefix": "x"}]), 2, &[]),
        (json!(["/a", {"logGroupNamePrefix": "/a"}, {"logGroupNamePrefix": "/"}]), 3, &[]),
        (json!([{"logGroupNamePrefix": "/a"}, {"logGroupNamePrefix": "/a", "s3Prefix": "second"}]), 2, &[]),
        // One folder, and two log groups in it: two places.
        (
            json!([{"logGroupName": "/a", "destinationPrefix": "{year}/{month}"}, {"logGroupName": "/b", "destinationPrefix": "{year}/{month}"}]),
            2,
            &[],
        ),
    ] {
        let run = parsed(json!({"logGroups": entries}));
        let warnings: Vec<_> = repeated.iter().map(|(index, first)| Warning::entry_repeated(*index, *first)).collect();
        assert_eq!((run.entries.len(), run.warnings), (count, warnings), "{entries}");
    }
}

#[test]
fn two_entries_of_one_place_are_refused() {
    let problem = "logGroups[0] and logGroups[1] would write to the same place: remove one, or give one another s3Prefix";
    for entries in [
        json!(["/a", {"logGroupName": "/a", "logStreamNamePrefix": "x"}]),
        json!(["/a", {"logGroupName": "/a", "s3Prefix": "logs", "logStreamNamePrefix": "x"}]),
        json!([{"logGroupNamePrefix": "/a"}, {"logGroupNamePrefix": "/a", "exclude": ["/ab"]}]),
        json!([{"logGroupNamePrefix": "/a"}, {"logGroupNamePrefix": "/a", "s3Prefix": "logs", "logStreamNamePrefix": "x"}]),
        json!([{"logGroupNamePrefix": "/a"}, {"logGroupNamePrefix": "/a", "destinationPrefix": DEFAULT_TEMPLATE_TEXT, "exclude": ["/a"]}]),
    ] {
        assert_eq!(refused(json!({"logGroups": entries})), problem, "{entries}");
    }
    let long = json!({"logGroupName": "g".repeat(512), "s3Prefix": "p".repeat(300), "destinationPrefix": format!("{{s3Prefix}}/{}{{logGroup}}/{{year}}/{{month}}", "x".repeat(200))});
    assert!(refused(json!({"logGroups": [long]})).contains("the destination prefix has 1021 bytes and may have 900: shorten s3Prefix"));
}

#[test]
fn a_name_is_better_than_a_prefix_and_a_long_prefix_better_than_a_short_one() {
    let entries = json!([
        {"logGroupNamePrefix": "/aws/"},
        "/aws/lambda/orders",
        {"logGroupNamePrefix": "/aws/lambda/", "exclude": ["/aws/lambda/debug-*", "/aws/lambda/x"]},
        {"logGroupNamePrefix": "/aws/lambda/", "exclude": ["/aws/lambda/debug-*"], "s3Prefix": "second"},
        {"logGroupNamePrefix": "/aws/lambda/orders"},
    ]);
    let run = parsed(json!({"logGroups": entries}));
    for (name, best) in [
        ("/aws/lambda/orders", &[1][..]),
        ("/aws/lambda/orders-2", &[4]),
        ("/aws/lambda/other", &[2, 3]),
        ("/aws/lambda/x", &[3]),
        ("/aws/lambda/debug-x", &[0]),
        ("/aws/ecs", &[0]),
        ("/ecs", &[]),
    ] {
        let best: Vec<&Entry> = best.iter().map(|index| &run.entries[*index]).collect();
        assert_eq!(best_entries(&run.entries, &LogGroupName::parse(name).unwrap()), best, "{name}");
    }
}

/// The months that a run compares. `+`: only after the first covered millisecond. `<`: not to its end.
fn scope(changes: Value, start: &str, last: Option<&str>, is_overtaken: bool) -> Result<String, ExportError> {
    let mut run = parsed(changes);
    let timezone = run.timezone;
    let scope = run.determine_scope(start.parse().unwrap(), last.map(|last| last.parse().unwrap()), is_overtaken)?;
    let mark = |month: &MonthToCompare| {
        let is_whole = month.window == Window::of(month.month, timezone);
        format!("{}{}{}", month.month, if month.after_first_covered { "+" } else { "" }, if is_whole { "" } else { "<" })
    };
    let months: Vec<String> = scope.months.iter().map(mark).collect();
    let kind = if scope.is_scheduled { "scheduled" } else { "by hand" };
    let warnings: Vec<String> = run.warnings.iter().map(|warning| format!(", {:?}", warning.name)).collect();
    Ok(format!("{kind} for {}: {}{}", scope.due_month, months.join(" "), warnings.concat()))
}

#[test]
fn a_scheduled_run_compares_the_months_since_the_last_one() {
    let scheduled = json!({"scheduledTime": "2026-11-01T04:00:00Z"});
    for (start, last, overtaken, expected) in [
        ("2026-11-01T04:00:07Z", None, false, "scheduled for 2026-10: 2026-10 2026-09+"),
        ("2026-11-01T04:00:07Z", Some("2026-10"), false, "scheduled for 2026-10: 2026-10 2026-09+"),
        ("2026-11-01T04:00:07Z", Some("2026-07"), false, "scheduled for 2026-10: 2026-10 2026-09 2026-08 2026-07 2026-06+"),
        ("2026-11-01T04:00:07Z", Some("2026-11"), false, "scheduled for 2026-10: 2026-10 2026-09+"),
        // Clocks differ.
        ("2026-11-01T03:55:00Z", Some("2026-09"), false, "scheduled for 2026-10: 2026-10 2026-09 2026-08+"),
        ("2026-12-05T00:00:00Z", Some("2026-11"), true, "by hand for 2026-11: 2026-11, ScheduledTimeOvertaken"),
    ] {
        assert_eq!(scope(scheduled.clone(), start, last, overtaken).as_deref(), Ok(expected), "{start} {last:?}");
    }
    // A schedule at 11:00 leaves its month to the next run.
    let early = scope(json!({"scheduledTime": "2026-11-01T02:00:00Z"}), "2026-11-01T02:00:07Z", Some("2026-09"), false);
    assert_eq!(early.as_deref(), Ok("scheduled for 2026-10: 2026-09 2026-08+, MonthNotComplete"));
    // With a time in the future, the run would overtake every run until then.
    let ahead = scope(scheduled.clone(), "2026-11-01T03:54:59Z", None, false).unwrap_err();
    assert_eq!(ahead.name, ErrorName::MonthNotComplete);
    assert!(ahead.message.starts_with("scheduledTime is \"2026-11-01T04:00:00Z\": the run started before it, at 2026-11-01T03:54:59Z"));
    let first = scope(scheduled, "2026-11-01T04:00:07Z", Some("1990-01"), false).unwrap();
    assert_eq!(first.split_whitespace().count(), "scheduled for 2026-10:".split(' ').count() + MAX_MONTHS + 1, "{first}");
}

#[test]
fn the_due_month_is_counted_in_the_time_zone() {
    for (scheduled_time, timezone, due) in [
        ("2026-10-31T15:30:00Z", "Asia/Tokyo", "2026-10"),
        ("2026-10-31T14:59:59Z", "Asia/Tokyo", "2026-09"),
        ("2027-01-01T04:00:00Z", "Asia/Tokyo", "2026-12"),
        ("2028-02-29T15:00:00Z", "Asia/Tokyo", "2028-02"),
        ("2024-02-29T14:59:59Z", "Asia/Tokyo", "2024-01"),
        ("2026-11-01T03:59:59Z", "America/New_York", "2026-09"),
        ("2026-11-01T04:00:00Z", "America/New_York", "2026-10"),
    ] {
        let mut run = parsed(json!({"scheduledTime": scheduled_time, "timezone": timezone}));
        let scope = run.determine_scope("2030-01-01T00:00:00Z".parse().unwrap(), None, false).unwrap();
        assert_eq!(scope.due_month.to_string(), due, "{scheduled_time} {timezone}");
    }
}

#[test]
fn a_run_by_hand_compares_the_months_that_it_names() {
    let at = |changes| scope(changes, "2026-11-15T00:00:00Z", Some("2020-01"), false);
    for (changes, expected) in [
        (json!({}), "by hand for 2026-10: 2026-10"),
        (json!({"month": "2025-02"}), "by hand for 2026-10: 2025-02"),
        (json!({"since": "2026-10"}), "by hand for 2026-10: 2026-10"),
        (json!({"since": "2026-07"}), "by hand for 2026-10: 2026-10 2026-09 2026-08 2026-07"),
        (json!({"month": "2026-11", "allowIncompleteMonth": true}), "by hand for 2026-10: 2026-11<"),
        (json!({"month": "2026-10", "allowIncompleteMonth": true}), "by hand for 2026-10: 2026-10"),
    ] {
        assert_eq!(at(changes.clone()).as_deref(), Ok(expected), "{changes}");
    }
    let longest = at(json!({"since": "2016-11"})).unwrap();
    assert_eq!(longest.split_whitespace().count(), "by hand for 2026-10:".split(' ').count() + MAX_MONTHS, "{longest}");
    for (changes, name, message) in [
        (
            json!({"since": "2016-10"}),
            ErrorName::InvalidInput,
            "since is \"2016-10\": a run compares 120 months at most; start several runs, each with one month",
        ),
        (json!({"since": "2026-11"}), ErrorName::MonthNotComplete, "month 2026-11 in Asia/Tokyo is complete from 2026-12-01T03:00:00Z on"),
        (
            json!({"since": "2026-11", "allowIncompleteMonth": true}),
            ErrorName::InvalidInput,
            "since is \"2026-11\": it must not be later than 2026-10, the due month; to export a later month, give month instead",
        ),
        (json!({"month": "2026-11"}), ErrorName::MonthNotComplete, "month 2026-11 in Asia/Tokyo is complete from 2026-12-01T03:00:00Z on"),
    ] {
        let error = at(changes.clone()).unwrap_err();
        assert!(error.name == name && error.message.starts_with(message), "{changes}: {error}");
    }
}

fn settled(month: &str, start: &str, settle_days: u8, allow_incomplete: bool) -> Result<Window, ExportError> {
    let settle_days = SettleDays::new(settle_days.into()).unwrap();
    window_of(month.parse().unwrap(), chrono_tz::Asia::Tokyo, start.parse().unwrap(), settle_days, allow_incomplete)
}

#[test]
fn a_month_is_complete_twelve_hours_after_its_end() {
    let window = |month: &str, start: &str, allow| settled(month, start, 0, allow);
    let october = Window::of("2026-10".parse().unwrap(), chrono_tz::Asia::Tokyo);
    assert_eq!(window("2026-10", "2026-11-01T03:00:00Z", false), Ok(october));
    assert_eq!(window("2026-10", "2026-11-01T03:00:00Z", true), Ok(october));
    let error = window("2026-10", "2026-11-01T02:59:59Z", false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MonthNotComplete: month 2026-10 in Asia/Tokyo is complete from 2026-11-01T03:00:00Z on (it ends at 2026-10-31T15:00:00Z, and events \
         may take 12 hours to become exportable), but the run started at 2026-11-01T02:59:59Z: start the run later, name an earlier month, or set \
         allowIncompleteMonth to true"
    );
    // The complete part of it, if there is one.
    let part = |hours| Window { to: october.from + TimeDelta::hours(hours) - TimeDelta::milliseconds(1), ..october };
    assert_eq!(window("2026-10", "2026-10-01T15:00:00Z", true), Ok(part(12)));
    assert_eq!(window("2026-10", "2026-10-01T03:00:00.001Z", true), Ok(Window { to: october.from, ..october }));
    let error = window("2026-10", "2026-10-01T03:00:00Z", true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MonthNotComplete: month 2026-10 in Asia/Tokyo had not begun 12 hours before the run's start at 2026-10-01T03:00:00Z: name an earlier month"
    );
}

#[test]
fn a_month_is_complete_settle_days_later() {
    let october = Window::of("2026-10".parse().unwrap(), chrono_tz::Asia::Tokyo);
    for settle_days in 0..=SettleDays::MAX {
        let settles = october.complete_at() + TimeDelta::days(settle_days.into());
        assert_eq!(settled("2026-10", &format_instant(settles), settle_days, false), Ok(october), "{settle_days}");
        let before = settled("2026-10", &format_instant(settles - TimeDelta::milliseconds(1)), settle_days, false).unwrap_err();
        let from = format!("MonthNotComplete: month 2026-10 in Asia/Tokyo is complete from {} on", format_instant(settles));
        assert!(before.to_string().starts_with(&from), "{before}");
    }
    let error = settled("2026-10", "2026-11-10T00:00:00Z", 15, false).unwrap_err();
    assert_eq!(
        error.message,
        "month 2026-10 in Asia/Tokyo is complete from 2026-11-16T03:00:00Z on (it ends at 2026-10-31T15:00:00Z, events may take 12 hours to \
         become exportable, and settleDays is 15), but the run started at 2026-11-10T00:00:00Z: start the run later, name an earlier month, \
         give fewer settleDays, or set allowIncompleteMonth to true"
    );
    // A month that is over, and one that is not, up to 12 hours before the start.
    assert_eq!(settled("2026-10", "2026-11-10T00:00:00Z", 15, true), Ok(october));
    assert_eq!(settled("2026-10", "2026-11-01T03:00:00Z", 15, true), Ok(october));
    let part = Window { to: october.to - TimeDelta::seconds(1), ..october };
    assert_eq!(settled("2026-10", "2026-11-01T02:59:59Z", 15, true), Ok(part));
}

#[test]
fn settle_days_of_the_input_override_those_of_the_stack() {
    let fifteen = Stack { settle_days: SettleDays::new(15.0).unwrap(), ..stack() };
    let days = |stack: &Stack, changes: Value| RunInput::parse(&with(changes), stack).map(|run| run.settle_days.days());
    assert_eq!(days(&stack(), json!({})), Ok(0));
    assert_eq!(days(&fifteen, json!({})), Ok(15));
    for given in [json!(0), json!(7), json!(15), json!(15.0)] {
        assert_eq!(days(&fifteen, json!({"settleDays": given})).map(f64::from), Ok(given.as_f64().unwrap()));
    }
    for wrong in [json!(-1), json!(16), json!(0.5), json!(1e300), json!("15"), json!(true), json!(null), json!([])] {
        let fix = format!("settleDays is {wrong}: give a whole number of days from 0 to 15");
        assert_eq!(refused(json!({"settleDays": wrong})), fix);
    }
}

#[test]
fn the_due_month_is_that_of_settle_days_before() {
    for (scheduled_time, settle_days, timezone, expected) in [
        ("2026-11-01T04:00:00Z", 0, "Asia/Tokyo", "scheduled for 2026-10: 2026-10 2026-09+"),
        ("2026-11-01T04:00:00Z", 1, "Asia/Tokyo", "scheduled for 2026-09: 2026-09 2026-08+"),
        ("2026-11-15T04:00:00Z", 15, "Asia/Tokyo", "scheduled for 2026-09: 2026-09 2026-08+"),
        ("2026-11-16T04:00:00Z", 15, "Asia/Tokyo", "scheduled for 2026-10: 2026-10 2026-09+"),
        ("2026-11-08T04:00:00Z", 7, "Asia/Tokyo", "scheduled for 2026-10: 2026-10 2026-09+"),
        ("2027-01-16T04:00:00Z", 15, "Asia/Tokyo", "scheduled for 2026-12: 2026-12 2026-11+"),
        ("2028-03-16T04:00:00Z", 15, "Asia/Tokyo", "scheduled for 2028-02: 2028-02 2028-01+"),
        // 13:00 there. The clocks were set forward on the 8th: 15 days of 24 hours end at 01:00 on the 16th.
        ("2026-03-16T17:00:00Z", 15, "America/New_York", "scheduled for 2026-02: 2026-02 2026-01+"),
    ] {
        let changes = json!({"scheduledTime": scheduled_time, "settleDays": settle_days, "timezone": timezone});
        assert_eq!(scope(changes.clone(), scheduled_time, None, false).as_deref(), Ok(expected), "{changes}");
    }
    // A run by hand: from its start on.
    let by_hand = |changes| scope(changes, "2026-11-10T03:00:00Z", None, false);
    for (changes, expected) in [
        (json!({"settleDays": 15}), "by hand for 2026-09: 2026-09"),
        (json!({"settleDays": 9}), "by hand for 2026-10: 2026-10"),
        (json!({"settleDays": 15, "month": "2026-09"}), "by hand for 2026-09: 2026-09"),
        (json!({"settleDays": 15, "since": "2026-08"}), "by hand for 2026-09: 2026-09 2026-08"),
        (json!({"settleDays": 15, "month": "2026-10", "allowIncompleteMonth": true}), "by hand for 2026-09: 2026-10"),
        (json!({"settleDays": 0, "month": "2026-10"}), "by hand for 2026-10: 2026-10"),
    ] {
        assert_eq!(by_hand(changes.clone()).as_deref(), Ok(expected), "{changes}");
    }
    for changes in [json!({"settleDays": 15, "month": "2026-10"}), json!({"settleDays": 15, "since": "2026-10"})] {
        let error = by_hand(changes.clone()).unwrap_err();
        let is_named = error.message.starts_with("month 2026-10 in Asia/Tokyo is complete from 2026-11-16T03:00:00Z on")
            && error.message.contains("settleDays is 15");
        assert!(error.name == ErrorName::MonthNotComplete && is_named, "{changes}: {error}");
    }
}

#[test]
fn an_increase_of_settle_days_makes_an_older_month_due_again() {
    for (scheduled_time, settle_days, last, expected) in [
        ("2026-11-05T04:00:00Z", 15, "2026-10", "scheduled for 2026-09: 2026-09 2026-08+"),
        ("2026-11-06T04:00:00Z", 0, "2026-09", "scheduled for 2026-10: 2026-10 2026-09 2026-08+"),
        ("2026-11-16T04:00:00Z", 15, "2026-09", "scheduled for 2026-10: 2026-10 2026-09 2026-08+"),
    ] {
        let changes = json!({"scheduledTime": scheduled_time, "settleDays": settle_days});
        assert_eq!(scope(changes, scheduled_time, Some(last), false).as_deref(), Ok(expected), "{scheduled_time}");
    }
    // The run started a day early: the month is left out.
    let early = scope(json!({"scheduledTime": "2026-11-16T02:00:00Z", "settleDays": 15}), "2026-11-16T02:00:07Z", Some("2026-09"), false);
    assert_eq!(early.as_deref(), Ok("scheduled for 2026-10: 2026-09 2026-08+, MonthNotComplete"));
}
