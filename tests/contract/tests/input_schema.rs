//! The JSON Schema accepts exactly the inputs that the code accepts, except for rules that a schema cannot express.

use std::sync::LazyLock;

use contract::read_json;
use export_core::{BucketName, Prefix, SettleDays, input::RunInput, place::Stack};
use jsonschema::{Validator, validator_for};
use proptest::{prelude::*, sample::select, string::string_regex};
use serde_json::{Value, json};

const SCHEMA: &str = "statemachine/input.schema.json";

/// Valid, nearly valid and invalid values for every rule.
const TEXTS: &[&str] = &[
    "",
    "a",
    "/aws/lambda/orders",
    "my-log-archive",
    "ab",
    "abc",
    "A_b.c-d",
    "s3://b",
    "cloudwatch-logs",
    "a/b=c",
    "/a",
    "a/",
    "a//b",
    "it's",
    "ü",
    "a b",
    "Asia/Tokyo",
    "asia/tokyo",
    "Tokyo",
    "UTC",
    "EST5EDT",
    "Europe/Berlin",
    "2026-10",
    "2026-13",
    "2026-00",
    "1970-12",
    "1971-01",
    "9998-12",
    "9999-01",
    "2026-1",
    "2026-10-01",
    "2026-11-01T04:00:00Z",
    "2026-11-01T04:00:00+09:00",
    "2026-11-01T04:00:00.123Z",
    "2026-11-01T24:00:00Z",
    "2026-11-01T04:60:00Z",
    "2026-11-01T04:00:60Z",
    "2026-11-01T04:00:00",
    "2026-11-01 04:00:00Z",
    "2026-11-01t04:00:00Z",
    "2026-11-01T04:00:00z",
    "2026-11-01T04:00:00.Z",
    "2026-11-01T04:00Z",
    "1970-11-01T04:00:00Z",
    "2026-11-01T04:00:00-23:59",
    "2026-11-01T04:00:00+24:00",
    "2026-11-01T04:00:00+0900",
    "2026-11-01T04:00:00−09:00",
    "prod/",
    "a:b",
    "a*",
    "*",
    "a*b",
    "a**",
    "{year}/{month}/{s3Prefix}",
    "{year}/{month}/",
    "{year}-{month}",
    "x{year}{month}",
    "{logGroup}/{year}/{month}",
    "a{logGroup}/{year}/{month}",
    "{month}/{year}/{s3Prefix}{logGroup}",
    "{year}",
    "{year}/{month}/{name}",
    ".",
    "..",
    "a/../b",
    "./a",
    "a/.",
    "...",
    "a/.b",
    "{year}/../{month}",
    "{year}/./x{month}",
    "{year}/{month}/{",
    "{year}/{month}/}",
    "{{year}}/{month}",
    "\u{1F600}",
    "a\n",
    "arn:aws:logs:ap-northeast-1:123456789012:log-group:/aws/lambda/orders",
    "arn:aws-cn:logs:ap-northeast-1:123456789012:log-group:a:*",
    "arn:aws:logs:eu-west-1:123456789012:log-group:/a",
    "arn:aws:logs:ap-northeast-1:123456789012:log-group:/a:log-stream:b",
    "arn:aws:logs:ap-northeast-1:123456789012:log-group:/a*",
    "arn:aws:logs:ap-northeast-1:123456789012:log-group:/a:*:*",
    "arn:aws:s3:::my-log-archive",
    "arn:",
    "\n",
];

/// These values, and those at each limit of length.
fn texts() -> Vec<String> {
    let long = [254, 255, 256, 300, 301, 512, 513].map(|length| "a".repeat(length));
    let templates = [286, 287].map(|length| format!("{{year}}/{{month}}{}", "a".repeat(length)));
    TEXTS.iter().map(|text| (*text).to_owned()).chain(long).chain(templates).collect()
}

fn text() -> impl Strategy<Value = Value> {
    // A string literal as a strategy would compile its expression for each value.
    let pattern = |expression| string_regex(expression).expect("a regular expression");
    let arn = pattern("arn:aws:logs:(ap-northeast-1|):(123456789012|):log-group:[a-z/:*]{0,4}");
    prop_oneof![16 => select(texts()), 2 => pattern("[a-zA-Z0-9/:*={}._ -]{0,12}"), 1 => arn].prop_map(Value::from)
}

fn other() -> impl Strategy<Value = Value> {
    select(vec![Value::Null, json!(true), json!(false), json!(0), json!(2026.5), json!([]), json!({}), json!("true")])
}

fn field(names: &'static [&'static str]) -> impl Strategy<Value = (String, Value)> {
    let value = prop_oneof![8 => text(), 1 => other()];
    (select(names.to_vec()), value).prop_map(|(name, value)| (name.to_owned(), value))
}

fn entry() -> impl Strategy<Value = Value> {
    const FIELDS: &[&str] = &["logGroupName", "logGroupNamePrefix", "s3Prefix", "logStreamNamePrefix", "destinationPrefix", "other"];
    let exclude = prop::option::weighted(0.2, prop_oneof![4 => prop::collection::vec(text(), 0..3).prop_map(Value::from), 1 => other()]);
    let object = (prop::collection::vec(field(FIELDS), 0..4), exclude).prop_map(|(fields, exclude)| {
        let mut object: serde_json::Map<String, Value> = fields.into_iter().collect();
        object.extend(exclude.map(|exclude| ("exclude".to_owned(), exclude)));
        Value::Object(object)
    });
    prop_oneof![4 => text(), 6 => object, 1 => other()]
}

fn input() -> impl Strategy<Value = Value> {
    const FIELDS: &[&str] =
        &["s3BucketName", "s3Prefix", "timezone", "month", "since", "scheduledTime", "settleDays", "force", "compact", "plan"];
    let days = prop::option::weighted(
        0.3,
        prop_oneof![2 => (-2..=18i64).prop_map(Value::from), 1 => (-8..=70i32).prop_map(|quarters| json!(f64::from(quarters) / 4.0))],
    );
    let flags = prop::collection::vec((select(vec!["force", "allowIncompleteMonth", "compact"]), any::<bool>()), 0..2);
    let months =
        prop::collection::vec(select(vec![("month", "2026-10"), ("since", "2026-09"), ("scheduledTime", "2026-11-01T04:00:00Z")]), 0..3);
    let log_groups = prop_oneof![8 => prop::collection::vec(entry(), 0..3).prop_map(Value::from), 1 => other()];
    let object = (prop::collection::vec(field(FIELDS), 0..3), flags, months, days, prop::option::weighted(0.95, log_groups)).prop_map(
        |(fields, flags, months, days, log_groups)| {
            let mut object = serde_json::Map::new();
            object.extend(log_groups.map(|log_groups| ("logGroups".to_owned(), log_groups)));
            object.extend(months.into_iter().map(|(name, value)| (name.to_owned(), json!(value))));
            object.extend(flags.into_iter().map(|(name, flag)| (name.to_owned(), json!(flag))));
            object.extend(days.map(|days| ("settleDays".to_owned(), days)));
            object.extend(fields);
            Value::Object(object)
        },
    );
    prop_oneof![20 => object, 1 => other()]
}

/// Whether the error is of a rule that a schema cannot express.
fn is_beyond_schemas(message: &str) -> bool {
    message.contains("would write to the same place")
        || message.contains("the log group must be in account ")
        || message.contains("the destination prefix has ")
}

fn stack() -> Stack {
    Stack {
        account: "123456789012".into(),
        region: "ap-northeast-1".into(),
        partition: "aws".into(),
        bucket: BucketName::parse("my-log-archive").expect("a bucket"),
        s3_prefix: Prefix::parse("cloudwatch-logs").expect("a prefix"),
        timezone: "Asia/Tokyo".parse().expect("a time zone"),
        settle_days: SettleDays::default(),
    }
}

/// The difference between schema and code, if they disagree on an input.
fn disagreement(input: &Value) -> Option<String> {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| validator_for(&read_json(SCHEMA)).expect("the schema is valid"));
    static STACK: LazyLock<Stack> = LazyLock::new(stack);
    let by_code = RunInput::parse(input, &STACK).map_err(|error| error.message);
    let is_excepted = by_code.as_ref().is_err_and(|message| is_beyond_schemas(message));
    if is_excepted || VALIDATOR.is_valid(input) == by_code.is_ok() {
        return None;
    }
    let by_schema = VALIDATOR.validate(input).map_err(|error| format!("{error} at {}", error.instance_path()));
    Some(format!("schema: {by_schema:?}\ncode: {by_code:?}\ninput: {input}"))
}

#[test]
fn schema_and_code_agree_on_every_text_in_every_field() {
    for text in texts() {
        for field in [
            "s3BucketName",
            "s3Prefix",
            "timezone",
            "month",
            "since",
            "scheduledTime",
            "settleDays",
            "force",
            "compact",
            "plan",
            "logGroups",
        ] {
            let mut input = json!({"logGroups": ["/a"]});
            input[field] = json!(text);
            assert_eq!(disagreement(&input), None);
        }
        for name in ["logGroupName", "logGroupNamePrefix"] {
            for field in ["logGroupName", "logGroupNamePrefix", "s3Prefix", "logStreamNamePrefix", "destinationPrefix", "exclude"] {
                let mut entry = json!({name: "/a"});
                entry[field] = if field == "exclude" { json!([text]) } else { json!(text) };
                assert_eq!(disagreement(&json!({"logGroups": [entry]})), None);
            }
        }
        assert_eq!(disagreement(&json!({"logGroups": [text]})), None);
    }
}

#[test]
fn schema_and_code_agree_on_every_number_of_days() {
    let numbers =
        [json!(-1), json!(0), json!(-0.0), json!(7), json!(14.5), json!(15), json!(15.0), json!(15.000001), json!(16), json!(1e300)];
    for days in numbers.into_iter().chain([json!(null), json!(true), json!("15"), json!([15]), json!(u64::MAX), json!(i64::MIN)]) {
        assert_eq!(disagreement(&json!({"logGroups": ["/a"], "settleDays": days})), None);
    }
}

#[test]
fn schema_and_code_agree_on_fields_that_exclude_one_another() {
    let fields = [
        ("month", json!("2026-10")),
        ("since", json!("2026-09")),
        ("scheduledTime", json!("2026-11-01T04:00:00Z")),
        ("force", json!(false)),
        ("allowIncompleteMonth", json!(true)),
        ("settleDays", json!(15)),
        ("compact", json!(true)),
    ];
    for (first, value) in &fields {
        for (second, other) in &fields {
            assert_eq!(disagreement(&json!({"logGroups": ["/a"], *first: value, *second: other})), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schema_and_code_accept_the_same_inputs(input in input()) {
        let disagreement = disagreement(&input);
        prop_assert!(disagreement.is_none(), "{}", disagreement.unwrap_or_default());
    }
}
