use serde_json::{Value, json};

use super::*;

fn valid() -> Value {
    json!({"s3BucketName": "my-log-archive", "logGroups": ["/aws/lambda/orders"]})
}

/// The valid input with some fields replaced.
fn with(changes: Value) -> Value {
    let mut input = valid();
    for (name, value) in changes.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

#[track_caller]
fn refused(input: Value) -> String {
    let error = RunInput::parse(&input).unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidInput);
    error.message
}

#[test]
fn the_smallest_input_has_the_documented_defaults() {
    let run = RunInput::parse(&valid()).unwrap();
    let settings = Settings {
        s3_bucket_name: "my-log-archive".into(),
        s3_prefix: String::new(),
        timezone: chrono_tz::Asia::Tokyo,
        month: None,
        scheduled_time: None,
        force: false,
        allow_incomplete_month: false,
    };
    assert_eq!(run.settings, settings);
    assert_eq!(run.entries, [Entry::LogGroup { log_group_name: "/aws/lambda/orders".into(), placement: Default::default() }]);
}

#[test]
fn each_wrong_field_is_named_with_its_value_and_the_fix() {
    for (changes, message) in [
        (
            json!({"month": "2026-13"}),
            "month is \"2026-13\": it is not a calendar month between 1971-01 and 9998-12; write it as YYYY-MM, such as 2026-10",
        ),
        (json!({"month": 202610}), "month is 202610: write it as a text in double quotes"),
        (json!({"timezone": "Tokyo"}), "timezone is \"Tokyo\": give an IANA time zone name such as Asia/Tokyo, Europe/Berlin or UTC"),
        (
            json!({"scheduledTime": "2026-11-01"}),
            "scheduledTime is \"2026-11-01\": write an instant with its time zone, such as 2026-11-01T04:00:00Z",
        ),
        (json!({"force": "yes"}), "force is \"yes\": write true or false, without quotes"),
        (json!({"s3BucketName": "s3://logs"}), "s3BucketName is \"s3://logs\": give the bucket's bare name"),
        (json!({"s3Prefix": "/logs/"}), "s3Prefix is \"/logs/\": write parts of"),
        (json!({"s3Prefix": "a/../b"}), "s3Prefix is \"a/../b\": write parts of"),
        (json!({"s3Prefix": null}), "s3Prefix is null: write it as a text in double quotes"),
        (json!({"logGroups": []}), "logGroups is []: name at least one log group"),
        (json!({"logGroups": "/a"}), "logGroups is \"/a\": give a list of log groups, such as [\"/aws/lambda/orders\"]"),
        (json!({"logGroups": ["/a", 7]}), "logGroups[1] is 7: give a log group name, or an object with logGroupName or logGroupNamePrefix"),
        (
            json!({"logGroups": ["/aws/lambda/or:ders"]}),
            "logGroups[0] is \"/aws/lambda/or:ders\": a log group name has 1 to 512 characters out of A-Z a-z 0-9 . - _ / #",
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
            "logGroups[0].logStreamNamePrefix is \"a:b\": a log stream name prefix has 1 to 512 characters and no : or *",
        ),
        (
            json!({"logGroups": [{"logGroupNamePrefix": "/a", "exclude": ["*x"]}]}),
            "logGroups[0].exclude[0] is \"*x\": write a log group name, or the beginning",
        ),
        (json!({"logGroups": [{"logGroupNamePrefix": "/a", "exclude": "x"}]}), "logGroups[0].exclude is \"x\": give a list"),
        (json!({"s3prefix": "logs"}), "s3prefix is not a known field: use one of s3BucketName, s3Prefix, timezone"),
    ] {
        let refused = refused(with(changes.clone()));
        assert!(refused.starts_with(message), "{changes}: {refused}");
    }
    assert_eq!(refused(json!(["/a"])), "the input is [\"/a\"]: give a JSON object");
    assert_eq!(refused(json!({})), "logGroups is missing: it is required; s3BucketName is missing: it is required");
}

#[test]
fn every_problem_is_named_at_once() {
    let message = refused(json!({"s3BucketName": "x", "timezone": "Tokyo", "month": "2026-13", "logGroups": ["a b", 1], "extra": 1}));
    for part in ["s3BucketName is", "timezone is", "month is", "logGroups[0] is", "logGroups[1] is", "extra is not"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn three_hundred_duplicates_are_one_problem() {
    let message = refused(with(json!({"logGroups": vec!["/aws/lambda/orders"; 300]})));
    assert_eq!(
        message,
        "logGroups[0], logGroups[1], logGroups[2], logGroups[3], logGroups[4], logGroups[5], logGroups[6], logGroups[7], logGroups[8], logGroups[9] and 290 \
         more would write to the same place (in 2026-01: \"log_group=/aws/lambda/orders/year=2026/month=01\"): remove all but one, or give them different \
         s3Prefix values"
    );
}

#[test]
fn a_cause_with_thousands_of_problems_still_fits() {
    let message = refused(with(json!({"logGroups": vec!["\"not\" \"a\" \"name\""; 9000]})));
    let cause = json!({"errorType": "InvalidInput", "errorMessage": message}).to_string();
    assert!(cause.len() < 32_768, "{}", cause.len());
    assert!(message.starts_with("logGroups[0] is \"\\\"not"), "{message}");
    assert!(message.ends_with("; and more problems like these"), "{}", &message[message.len() - 80..]);
}

#[test]
fn entries_collide_by_place_not_by_name() {
    let different_places = json!({"logGroups": ["/a", {"logGroupName": "/a", "s3Prefix": "second", "logStreamNamePrefix": "x"}]});
    assert_eq!(RunInput::parse(&with(different_places)).unwrap().entries.len(), 2);
    let one_place = json!({"s3Prefix": "p", "logGroups": [
        {"logGroupName": "/a", "destinationPrefix": "{year}/{month}/{s3Prefix}"}, {"logGroupName": "/b", "destinationPrefix": "{year}/{month}/{s3Prefix}"}]});
    assert!(refused(with(one_place)).starts_with("logGroups[0], logGroups[1] would write to the same place (in 2026-01: \"2026/01/p\")"));
}

#[test]
fn a_prefix_entry_must_not_match_what_another_entry_names() {
    let overlap =
        |entries: Value| RunInput::parse(&with(json!({"logGroups": entries}))).map(|run| run.entries.len()).map_err(|error| error.message);
    assert_eq!(
        overlap(json!([{"logGroupNamePrefix": "/aws/"}, "/aws/x"])).unwrap_err(),
        "logGroups[0].logGroupNamePrefix is \"/aws/\" and also matches \"/aws/x\" of logGroups[1], which would be exported twice: remove one of the two, or add \
         \"/aws/x\" to logGroups[0].exclude"
    );
    assert_eq!(overlap(json!([{"logGroupNamePrefix": "/aws/", "exclude": ["/aws/x"]}, "/aws/x"])), Ok(2));
    assert_eq!(
        overlap(json!([{"logGroupNamePrefix": "/aws/", "exclude": ["/aws/lambda/*"]}, {"logGroupNamePrefix": "/aws/lambda/"}])),
        Ok(2)
    );
    assert_eq!(overlap(json!([{"logGroupNamePrefix": "/aws/", "exclude": ["/aws/lam*"]}, {"logGroupNamePrefix": "/aws/lambda/"}])), Ok(2));
    assert!(
        overlap(json!([{"logGroupNamePrefix": "/aws/", "exclude": ["/aws/lambda/x*"]}, {"logGroupNamePrefix": "/aws/lambda/"}])).is_err()
    );
    let nested = overlap(json!([{"logGroupNamePrefix": "/aws/lambda/"}, {"logGroupNamePrefix": "/aws/"}])).unwrap_err();
    assert!(nested.contains("add \"/aws/lambda/*\" to logGroups[1].exclude"), "{nested}");
    let equal = overlap(json!([{"logGroupNamePrefix": "/aws/"}, {"logGroupNamePrefix": "/aws/"}])).unwrap_err();
    assert_eq!(equal.matches("also matches").count(), 1, "{equal}");
}

#[test]
fn thousands_of_overlaps_are_not_all_written_down() {
    let message = refused(with(json!({"logGroups": vec![json!({"logGroupNamePrefix": "/a"}); 3000]})));
    assert!(message.starts_with("logGroups[0].logGroupNamePrefix is \"/a\" and also matches \"/a\" of logGroups[1]"), "{message}");
    assert!(message.ends_with("; and more problems like these") && message.len() < 32_000, "{}", message.len());
}

#[test]
fn a_long_field_name_does_not_hide_the_problem() {
    let name = "x".repeat(30_000);
    let message = refused(with(json!({name: 1})));
    assert!(message.starts_with(&format!("{}... is not a known field: use one of s3BucketName", "x".repeat(120))), "{message}");
}

#[test]
fn a_long_value_is_cut() {
    let message = refused(with(json!({"timezone": "x".repeat(1000)})));
    assert_eq!(message.matches('x').count(), 119, "the quote and 119 characters: {message}");
}

#[test]
fn a_prefix_entry_needs_a_place_for_each_log_group() {
    let entry = json!({"logGroupNamePrefix": "/app/", "destinationPrefix": "{year}/{month}/{s3Prefix}"});
    let message = refused(with(json!({"logGroups": [entry]})));
    assert!(
        message.starts_with("logGroups[0].destinationPrefix is \"{year}/{month}/{s3Prefix}\": it must contain {logGroup} where"),
        "{message}"
    );
}

mod month {
    use super::*;

    fn month(input: Value, start_time: &str) -> String {
        RunInput::parse(&with(input)).unwrap().settings.resolve_month(start_time.parse().unwrap()).to_string()
    }

    #[test]
    fn comes_from_the_field_else_the_schedule_else_the_start() {
        assert_eq!(month(json!({"month": "2025-02", "scheduledTime": "2026-11-01T04:00:00Z"}), "2026-12-05T00:00:00Z"), "2025-02");
        assert_eq!(month(json!({"scheduledTime": "2026-11-01T04:00:00Z"}), "2026-12-05T00:00:00Z"), "2026-10");
        assert_eq!(month(json!({}), "2026-12-05T00:00:00Z"), "2026-11");
    }

    #[test]
    fn is_counted_after_conversion_to_the_time_zone() {
        for (scheduled_time, timezone, expected) in [
            ("2026-10-31T15:30:00Z", "Asia/Tokyo", "2026-10"),
            ("2026-10-31T14:59:59Z", "Asia/Tokyo", "2026-09"),
            ("2026-10-31T23:59:59Z", "Asia/Tokyo", "2026-10"),
            ("2026-12-31T15:00:00Z", "Asia/Tokyo", "2026-12"),
            ("2027-01-01T04:00:00Z", "Asia/Tokyo", "2026-12"),
            ("2028-02-29T15:00:00Z", "Asia/Tokyo", "2028-02"),
            ("2024-02-29T14:59:59Z", "Asia/Tokyo", "2024-01"),
            ("2025-02-28T23:30:00Z", "Asia/Tokyo", "2025-02"),
            ("2026-11-01T03:59:59Z", "America/New_York", "2026-09"),
            ("2026-11-01T04:00:00Z", "America/New_York", "2026-10"),
        ] {
            assert_eq!(
                month(json!({"scheduledTime": scheduled_time, "timezone": timezone}), "2030-01-01T00:00:00Z"),
                expected,
                "{scheduled_time} {timezone}"
            );
        }
    }
}

mod window {
    use super::*;

    fn window(input: Value, start_time: &str) -> Result<Window, ExportError> {
        let settings = RunInput::parse(&with(input)).unwrap().settings;
        let start_time = start_time.parse().unwrap();
        settings.window(settings.resolve_month(start_time), start_time)
    }

    #[test]
    fn a_month_is_complete_twelve_hours_after_its_end() {
        assert!(window(json!({"month": "2026-10"}), "2026-11-01T03:00:00Z").is_ok());
        let error = window(json!({"month": "2026-10"}), "2026-11-01T02:59:59Z").unwrap_err();
        assert_eq!(error.name, ErrorName::MonthNotComplete);
        assert_eq!(
            error.message,
            "month 2026-10 in Asia/Tokyo is complete from 2026-11-01T03:00:00Z on (it ends at 2026-10-31T15:00:00Z, and data may take 12 hours to become \
             exportable), but the run started at 2026-11-01T02:59:59Z: start the run later, name an earlier month, or set allowIncompleteMonth to true"
        );
    }

    #[test]
    fn an_incomplete_month_can_be_asked_for_once_it_has_begun() {
        assert!(window(json!({"month": "2026-11", "allowIncompleteMonth": true}), "2026-11-15T00:00:00Z").is_ok());
        assert!(
            window(json!({"month": "2026-12", "allowIncompleteMonth": true}), "2026-11-30T15:00:00Z").is_err(),
            "its first instant is too early"
        );
        assert!(window(json!({"month": "2026-12", "allowIncompleteMonth": true}), "2026-11-30T15:00:01Z").is_ok());
        let error = window(json!({"month": "2026-12", "allowIncompleteMonth": true}), "2026-11-15T00:00:00Z").unwrap_err();
        assert_eq!(error.name, ErrorName::MonthNotComplete);
        assert_eq!(
            error.message,
            "month 2026-12 in Asia/Tokyo has not begun when the run starts at 2026-11-15T00:00:00Z: name an earlier month"
        );
    }
}
