//! JSON of any shape, and valid inputs and events, as starting points of the properties.

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::TZ_VARIANTS;
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Texts at the limits of the rules, and texts that broke parsers before.
const TEXTS: [&str; 62] = [
    "",
    " ",
    "/",
    "//",
    ".",
    "..",
    "a/../b",
    "*",
    "/aws/*",
    "**",
    "/aws/lambda/orders",
    "arn:aws:logs:ap-northeast-1:123456789012:log-group:/aws/lambda/orders:*",
    "arn:aws:logs:ap-northeast-1:210987654321:log-group:/a",
    "arn:",
    "/aws/",
    "log_group=x",
    "my-log-archive",
    "s3://my-log-archive",
    "{",
    "}",
    "{}",
    "{year}",
    "{year}/{month}",
    "{year}/{month}/{s3Prefix}",
    "{year}/{month}/{logGroup}",
    "x{logGroup}{logGroup}/{year}/{month}",
    "{s3Prefix}{s3Prefix}{s3Prefix}x{logGroup}/{year}{month}",
    "{s3Prefix}{logGroup}/{year}/{month}",
    "{year}}/{month}",
    "{{year}}",
    "Asia/Tokyo",
    "asia/tokyo",
    "UTC",
    "Etc/GMT+12",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Africa/Monrovia",
    "GMT0",
    "1970-12",
    "1971-01",
    "9998-12",
    "9999-01",
    "2026-02",
    "2026-1",
    "-026-01",
    "+026-01",
    "2026-1\u{ff10}",
    "1971-01-01T00:00:00+23:59",
    "1971-01-01T00:00:00Z",
    "9998-12-31T23:59:59-23:59",
    "9998-12-31T23:59:59.999999999Z",
    "2026-11-01T04:00:00Z",
    "2026-11-01T04:00:60Z",
    "2026-11-01T04:00:00\u{2212}09:00",
    "2026-11-01T04:00:00.1234567890123456789Z",
    "<aws.scheduler.scheduled-time>",
    "null",
    "true",
    "\"\\\u{0}\u{1f}\u{7f}",
    "\u{feff}\u{202e}\u{200b}",
    "e\u{301}\u{1f469}\u{200d}\u{1f680}\u{10ffff}",
    "[]; DROP",
];

/// Lengths around every limit of the rules.
const LENGTHS: [usize; 12] = [2, 119, 121, 255, 256, 300, 301, 511, 512, 513, 901, 40_000];

pub const FIELDS: [&str; 27] = [
    "s3BucketName",
    "s3Prefix",
    "timezone",
    "month",
    "since",
    "scheduledTime",
    "settleDays",
    "force",
    "allowIncompleteMonth",
    "compact",
    "logGroups",
    "logGroupName",
    "logGroupNamePrefix",
    "exclude",
    "logStreamNamePrefix",
    "destinationPrefix",
    "state",
    "startTime",
    "queuedSince",
    "execution",
    "taskId",
    "warnings",
    "from",
    "to",
    "status",
    "reason",
    "destination",
];

pub fn text() -> impl Strategy<Value = String> {
    let long = (prop_oneof![Just('a'), Just('/'), Just('"'), Just('\u{1}'), Just('\u{1f680}')], select(LENGTHS.to_vec()))
        .prop_map(|(character, length)| character.to_string().repeat(length));
    prop_oneof![
        8 => select(TEXTS.to_vec()).prop_map(str::to_owned),
        4 => "[a-z0-9/{}*.:=_#-]{0,12}",
        2 => ".{0,12}",
        1 => select(TZ_VARIANTS.to_vec()).prop_map(|timezone| timezone.name().to_owned()),
        1 => long,
    ]
}

pub fn field_name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(FIELDS.to_vec()).prop_map(str::to_owned),
        1 => select(FIELDS.to_vec()).prop_map(str::to_uppercase),
        2 => text(),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        2 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        8 => text().prop_map(Value::from),
    ]
}

/// Shallow and broad, deep to the limit at which serde_json stops reading, or very wide.
pub fn any_json() -> impl Strategy<Value = Value> {
    let tree = scalar().prop_recursive(4, 40, 6, |inner| {
        let object = prop::collection::vec((field_name(), inner.clone()), 0..8);
        prop_oneof![
            1 => prop::collection::vec(inner, 0..6).prop_map(Value::from),
            2 => object.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop_oneof![
        20 => tree,
        2 => (scalar(), 1usize..120, field_name()).prop_map(|(value, depth, name)| wrapped(value, depth, &name)),
        1 => (scalar(), 0usize..2000).prop_map(|(value, width)| {
            // One text may have 160 kB; all together, a few megabytes.
            let fit = 8_000_000 / value.as_str().map_or(1, |text| text.len().max(1));
            Value::Array(vec![value; width.min(fit)])
        }),
        1 => (field_name(), 0usize..1000).prop_map(|(name, width)| (0..width).map(|n| (format!("{name}{n}"), json!(n))).collect::<Map<_, _>>().into()),
    ]
}

/// The value inside `depth` lists and objects, in turn.
pub fn wrapped(value: Value, depth: usize, name: &str) -> Value {
    (0..depth).fold(value, |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({name: inner}) })
}

/// A run's input that is valid, with an instant at which its months are complete. Log groups and prefixes are numbered, so
/// that no two are in each other's way.
pub fn valid_run() -> impl Strategy<Value = (Value, String)> {
    let entry = || (0u8..6, "[A-Za-z0-9._/#-]{0,20}", placement());
    // Mostly short, because long inputs take most of the time and rarely find more.
    let entries = prop_oneof![19 => prop::collection::vec(entry(), 1..6), 1 => prop::collection::vec(entry(), 45..130)];
    let settings = (
        prop::option::of("[A-Za-z0-9._-]{3,40}"),
        prop::option::of(select(vec!["", "logs", "a/b", "p=1/(x)!"])),
        prop::option::of(select(TZ_VARIANTS.to_vec())),
        any::<[bool; 3]>(),
        prop::option::of(0..=15u8),
        (0u8..4, 1971i32..=9996, 1u32..=12, 62i64..400),
    );
    (settings, entries).prop_map(|((bucket, s3_prefix, timezone, flags, settle_days, (kind, year, month, days)), entries)| {
        let groups: Vec<Value> = entries.into_iter().enumerate().map(|(index, entry)| valid_entry(index, entry)).collect();
        let [force, incomplete, compact] = flags;
        let mut input = json!({"compact": compact, "logGroups": groups});
        for (name, value) in
            [("s3BucketName", bucket.as_deref()), ("s3Prefix", s3_prefix), ("timezone", timezone.map(|timezone| timezone.name()))]
        {
            if let Some(value) = value {
                input[name] = value.into();
            }
        }
        if let Some(settle_days) = settle_days {
            input["settleDays"] = settle_days.into();
        }
        let first = NaiveDate::from_ymd_opt(year, month, 1).expect("a first of a month");
        // The same month in every time zone, after the settleDays of the month before.
        let instant = |days| (first + TimeDelta::days(days)).format("%Y-%m-28T04:00:00Z").to_string();
        match kind {
            0 => input["scheduledTime"] = instant(45).into(),
            1 => input["month"] = first.format("%Y-%m").to_string().into(),
            2 => input["since"] = first.format("%Y-%m").to_string().into(),
            _ => {}
        }
        if kind > 0 {
            input["force"] = force.into();
            input["allowIncompleteMonth"] = incomplete.into();
        }
        (input, instant(days))
    })
}

type Placement = (Option<&'static str>, Option<String>, Option<&'static str>);

fn placement() -> impl Strategy<Value = Placement> {
    let template = select(vec!["{year}/{month}/x{logGroup}", "{s3Prefix}/x={logGroup}/{year}-{month}"]);
    (prop::option::of(select(vec!["", "web", "a/b.c"])), prop::option::of("[^:*]{1,12}"), prop::option::of(template))
}

fn valid_entry(index: usize, (kind, suffix, (s3_prefix, streams, template)): (u8, String, Placement)) -> Value {
    let mut entry = match kind {
        0 => json!({"logGroupNamePrefix": format!("/p{index}/{suffix}")}),
        1 => json!({"logGroupNamePrefix": format!("/p{index}/{suffix}"), "exclude": [format!("/p{index}/{suffix}x*"), "/elsewhere"]}),
        2 => json!({"logGroupName": format!("/g{index}/{suffix}")}),
        3 => json!({"logGroupName": format!("/g{index}/{suffix}")}),
        _ => return format!("/g{index}/{suffix}").into(),
    };
    for (name, value) in [("s3Prefix", s3_prefix), ("logStreamNamePrefix", streams.as_deref()), ("destinationPrefix", template)] {
        if let Some(value) = value {
            entry[name] = value.into();
        }
    }
    entry
}

/// An event of `create-export-task` for one log group.
pub fn valid_create_event() -> impl Strategy<Value = Value> {
    (valid_run(), placement(), "[A-Za-z0-9._/#-]{1,60}").prop_map(|((mut event, start_time), (_, streams, template), name)| {
        event
            .as_object_mut()
            .expect("an object")
            .retain(|field, _| !["logGroups", "since", "settleDays", "compact"].contains(&field.as_str()));
        event["logGroupName"] = name.into();
        event["startTime"] = start_time.into();
        event["execution"] = "arn:aws:states:ap-northeast-1:123456789012:execution:export-logs:1".into();
        for (name, value) in [("logStreamNamePrefix", streams.as_deref()), ("destinationPrefix", template)] {
            if let Some(value) = value {
                event[name] = value.into();
            }
        }
        event
    })
}
