//! Compares alarms and dashboard with the metrics that the code and AWS report, and `docs/monitoring.md` with both. Checks the schedule and
//! the notification's parameters.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    documents::{code, code_blocks, headings, rows, section},
    files, read, read_json,
    state_machine::{EXPORT_LOGS, states},
    template::{ARCHIVE, Template, load, resources},
};
use export_core::SettleDays;
use serde_norway::Value;

const MONITORING: &str = "infra/monitoring.yaml";
const DASHBOARD: &str = "infra/dashboard.yaml";
const DOCUMENT: &str = "docs/monitoring.md";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value:?}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().unwrap_or_else(|| panic!("not a list: {value:?}"))
}

/// The alarms, by their names without the stack's.
fn alarms() -> BTreeMap<String, Value> {
    let template = load(MONITORING);
    let alarms = resources(&template, "AWS::CloudWatch::Alarm").into_iter().map(|(resource, alarm)| {
        let name = text(&alarm["AlarmName"]).strip_prefix("${ArchiveStackName}-").expect("the stack's name comes first").to_owned();
        assert_eq!(resource, format!("{name}Alarm"));
        (name, alarm.clone())
    });
    alarms.collect()
}

// ---- metrics --------------------------------------------------------------------------------------------------------

/// Namespace, name, and the dimension's name if it has one.
type Metric = (String, String, Option<String>);

fn metric(namespace: &str, name: &str, dimension: Option<&str>) -> Metric {
    (namespace.to_owned(), name.to_owned(), dimension.map(str::to_owned))
}

/// The used metrics of AWS services, by their documentation: namespace, dimension, names.
const AWS_METRICS: [(&str, &str, &[&str]); 3] = [
    (
        "AWS/States",
        "StateMachineArn",
        &["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled"],
    ),
    ("AWS/Lambda", "FunctionName", &["Throttles", "Invocations"]),
    ("AWS/SQS", "QueueName", &["ApproximateNumberOfMessagesVisible"]),
];

const NAMESPACE: &str = "CloudWatchLogsArchive";

/// The functions' code has the name of each metric as a string literal.
fn is_reported(metric: &Metric, code: &str) -> bool {
    let (namespace, name, dimension) = metric;
    let is_of_aws = AWS_METRICS
        .iter()
        .any(|(space, by, names)| space == namespace && dimension.as_deref() == Some(by) && names.contains(&name.as_str()));
    let is_of_function = namespace == NAMESPACE && dimension.as_deref() == Some("Archive") && code.contains(&format!("\"{name}\""));
    is_of_aws || is_of_function
}

/// The metrics of an alarm: one, or those of its expressions.
fn metrics_of(alarm: &Value) -> Vec<&Value> {
    match alarm.get("Metrics") {
        Some(metrics) => list(metrics).iter().filter_map(|metric| metric["MetricStat"].get("Metric")).collect(),
        None => vec![alarm],
    }
}

fn alarm_metrics() -> Vec<Metric> {
    let parse = |value: &Value| {
        let [dimension] = list(&value["Dimensions"]) else { panic!("one dimension: {value:?}") };
        metric(text(&value["Namespace"]), text(&value["MetricName"]), Some(text(&dimension["Name"])))
    };
    alarms().values().flat_map(metrics_of).map(parse).collect()
}

/// The dashboard's metrics, without expressions. In CloudWatch's short form, `.` repeats the value above, and `...` all values above that the
/// line lacks.
fn dashboard_metrics() -> Vec<Metric> {
    let body = &load(DASHBOARD)["Resources"]["Dashboard"]["Properties"]["DashboardBody"];
    let body = text(body).replace("${AlarmArns}", "[]");
    let body: serde_json::Value = serde_json::from_str(&body).expect("the dashboard's body is JSON");
    let mut metrics = Vec::new();
    for widget in body["widgets"].as_array().expect("widgets") {
        let mut above: Vec<&str> = Vec::new();
        for line in widget["properties"]["metrics"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_array) {
            let values: Vec<&str> = line.iter().filter_map(serde_json::Value::as_str).collect();
            if values.is_empty() {
                continue;
            }
            above = match &values[..] {
                ["...", last @ ..] => [&above[..above.len() - last.len()], last].concat(),
                values => values.iter().enumerate().map(|(at, value)| if *value == "." { above[at] } else { value }).collect(),
            };
            metrics.push(metric(above[0], above[1], above.get(2).copied()));
        }
    }
    metrics
}

#[test]
fn the_code_or_aws_reports_every_metric_of_alarms_and_dashboard() {
    // The unit tests at the end of a file do not count.
    let program = |file: &String| read(file).split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    let code: String = files("lambdas", "rs").iter().filter(|file| file.contains("/src/")).map(program).collect();
    for metric in alarm_metrics().into_iter().chain(dashboard_metrics()) {
        assert!(is_reported(&metric, &code), "nothing reports {metric:?}");
    }
}

/// The document's table has exactly the project's metrics in alarms and dashboard.
#[test]
fn the_document_explains_every_used_metric_of_the_project() {
    let document = read(DOCUMENT);
    let rows = rows(section(&document, "### Of this project"));
    let explained: BTreeSet<(String, String)> = rows[2..].iter().map(|row| (code(row[1]).concat(), code(row[0]).concat())).collect();
    let metrics = alarm_metrics().into_iter().chain(dashboard_metrics());
    let used = metrics.filter(|metric| metric.0.starts_with(NAMESPACE)).map(|(namespace, name, _)| (namespace, name)).collect();
    assert_eq!(explained, used);
}

// ---- alarms ---------------------------------------------------------------------------------------------------------

/// The metrics and expressions of each alarm, then its condition. Lambda's metric Errors is in no alarm, because it counts each poll of a
/// running task.
const CONDITIONS: [(&str, &[&str]); 4] = [
    (
        "MissingMonths",
        &["Maximum in 86400 s of CloudWatchLogsArchive MissingMonths, ArchiveStackName", "GreaterThanThreshold 0, 1 of 1, missing: ignore"],
    ),
    (
        "NoRunEnded",
        &[
            "runs: FILL(ended, 0)",
            "ended: Sum in 86400 s of CloudWatchLogsArchive ScheduledRunsEnded, ArchiveStackName",
            "LessThanThreshold 1, 3 of 3, missing: breaching",
        ],
    ),
    (
        "RunFailed",
        &[
            "red: IF((failed + timedOut + aborted + unsuccessful) > 0, 1, unsuccessful)",
            "unsuccessful: 1 - succeeded",
            "succeeded: Minimum in 86400 s of CloudWatchLogsArchive ScheduledRunsSucceeded, ArchiveStackName",
            "failed: Sum in 86400 s of AWS/States ExecutionsFailed, StateMachineArn",
            "timedOut: Sum in 86400 s of AWS/States ExecutionsTimedOut, StateMachineArn",
            "aborted: Sum in 86400 s of AWS/States ExecutionsAborted, StateMachineArn",
            "GreaterThanThreshold 0, 1 of 1, missing: ignore",
        ],
    ),
    (
        "StartFailed",
        &[
            "Maximum in 300 s of AWS/SQS ApproximateNumberOfMessagesVisible, DeadLetterQueueName",
            "GreaterThanThreshold 0, 1 of 1, missing: ignore",
        ],
    ),
];

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value:?}"))
}

fn condition(alarm: &Value) -> Vec<String> {
    let describe = |metric: &Value, statistic: &Value, period: &Value| {
        let dimension = text(&metric["Dimensions"][0]["Value"]);
        let name = format!("{} {}", text(&metric["Namespace"]), text(&metric["MetricName"]));
        format!("{} in {} s of {name}, {dimension}", text(statistic), number(period))
    };
    let mut lines = Vec::new();
    for (at, query) in alarm.get("Metrics").map(list).unwrap_or_default().iter().enumerate() {
        assert_eq!(query["ReturnData"].as_bool(), Some(at == 0), "the alarm watches the first expression");
        let description = match query.get("Expression") {
            Some(expression) => text(expression).to_owned(),
            None => describe(&query["MetricStat"]["Metric"], &query["MetricStat"]["Stat"], &query["MetricStat"]["Period"]),
        };
        lines.push(format!("{}: {description}", text(&query["Id"])));
    }
    if lines.is_empty() {
        lines.push(describe(alarm, &alarm["Statistic"], &alarm["Period"]));
    }
    let periods = number(&alarm["EvaluationPeriods"]);
    let datapoints = alarm.get("DatapointsToAlarm").map_or(periods, number);
    let (comparison, threshold) = (text(&alarm["ComparisonOperator"]), number(&alarm["Threshold"]));
    lines.push(format!("{comparison} {threshold}, {datapoints} of {periods}, missing: {}", text(&alarm["TreatMissingData"])));
    lines
}

#[test]
fn each_condition_has_its_alarm() {
    let found: Vec<_> = alarms().iter().map(|(name, alarm)| (name.clone(), condition(alarm))).collect();
    let expected = CONDITIONS.map(|(name, lines)| (name.to_owned(), lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()));
    assert_eq!(found, expected);
}

/// The value of `RunFailed` for a day, by the documentation of metric math. A sum has a value if any of its terms has one; missing terms are
/// 0. `IF` has no value if the chosen branch has none.
fn red(day: &BTreeMap<&str, f64>) -> Option<f64> {
    let alarm = &alarms()["RunFailed"];
    let expression = |id: &str| {
        let query = list(&alarm["Metrics"]).iter().find(|query| text(&query["Id"]) == id).expect("an expression");
        text(&query["Expression"]).to_owned()
    };
    let value = |term: &str| match (term.parse(), expression("unsuccessful").split_once(" - ")) {
        (Ok(number), _) => Some(number),
        (_, Some((one, other))) if term == "unsuccessful" => Some(one.parse::<f64>().expect("a number") - day.get(other)?),
        _ => day.get(term).copied(),
    };
    let red = expression("red");
    let (sum, branches) = red.strip_prefix("IF((").and_then(|rest| rest.split_once(") > 0, ")).expect("a condition");
    let (then, otherwise) = branches.strip_suffix(')').and_then(|branches| branches.split_once(", ")).expect("two branches");
    let terms: Vec<f64> = sum.split(" + ").filter_map(value).collect();
    if terms.is_empty() {
        return None;
    }
    value(if terms.iter().sum::<f64>() > 0.0 { then } else { otherwise })
}

#[test]
fn the_alarm_on_failed_runs_ends_on_a_day_with_a_successful_scheduled_run_and_no_failure() {
    let nothing_failed = [("failed", 0.0), ("timedOut", 0.0), ("aborted", 0.0)];
    let and_succeeded = [&nothing_failed[..], &[("succeeded", 1.0)]].concat();
    type Day<'a> = (&'a [(&'a str, f64)], Option<f64>);
    let days: [Day<'_>; 9] = [
        (&[("failed", 1.0)], Some(1.0)),
        (&[("timedOut", 1.0)], Some(1.0)),
        (&[("aborted", 1.0), ("succeeded", 1.0)], Some(1.0)),
        (&[("failed", 2.0), ("succeeded", 0.0)], Some(1.0)),
        (&[("succeeded", 0.0)], Some(1.0)),
        (&[("succeeded", 1.0)], Some(0.0)),
        (&and_succeeded, Some(0.0)),
        // A day with runs by hand, and a day without runs: the state stays, whether Step Functions reports zeros or nothing.
        (&nothing_failed, None),
        (&[], None),
    ];
    for (day, expected) in days {
        assert_eq!(red(&day.iter().copied().collect()), expected, "{day:?}");
    }
}

#[test]
fn every_alarm_notifies_and_names_existing_sections() {
    for (name, alarm) in alarms() {
        let actions: Vec<&str> = list(&alarm["AlarmActions"]).iter().map(text).collect();
        assert_eq!(actions, ["NotificationTopicArn"], "{name}");
        let description = text(&alarm["AlarmDescription"]);
        assert!(description.contains("docs/"), "{name} names no document");
        for place in description.split("docs/").skip(1) {
            let (file, sections) = place.split_once(", ").expect("a file and its sections");
            let document = read(&format!("docs/{file}"));
            let headings: Vec<String> = (2..=3).flat_map(|level| headings(&document, level)).collect();
            for section in sections.split('"').skip(1).step_by(2) {
                assert!(headings.iter().any(|heading| heading == section), "{name}: docs/{file} has no section {section}");
            }
        }
    }
}

#[test]
fn the_document_has_exactly_the_alarms_with_the_command_that_tests_each() {
    let names: BTreeSet<String> = alarms().into_keys().collect();
    let document = read(DOCUMENT);
    let document = section(&document, "## Alarms");
    assert_eq!(headings(document, 3).into_iter().collect::<BTreeSet<_>>(), names);
    for name in names {
        let alarm_section = document.split("\n### ").find(|text| text.starts_with(&format!("`{name}`"))).expect("its section");
        let command = format!("aws cloudwatch set-alarm-state --alarm-name \"$stack-{name}\" --state-value ALARM --state-reason test");
        assert_eq!(code_blocks(alarm_section, "sh"), [command], "{name}");
    }
}

/// NoRunEnded exists only for a daily schedule, because no other has a run within three days.
#[test]
fn the_dashboard_shows_exactly_the_existing_alarms() {
    let document = load(MONITORING);
    let arns = alarms().into_keys().map(|name| (format!("{name}Alarm.Arn"), name));
    let arns: Vec<_> = arns.collect();
    for (schedule, without) in [("DAILY", None), ("MONTHLY", Some("NoRunEnded")), ("OFF", Some("NoRunEnded"))] {
        let values = arns.iter().map(|(reference, name)| (reference.as_str(), name.as_str()));
        let template = Template::new(MONITORING, values.chain([("Schedule", schedule), ("Monitoring", "FULL")]));
        let exists = |name: &&String| match document["Resources"][format!("{name}Alarm").as_str()].get("Condition") {
            Some(condition) => template.json(&template.document["Conditions"][text(condition)]) == true,
            None => true,
        };
        let existing: BTreeSet<String> = arns.iter().map(|(_, name)| name).filter(exists).cloned().collect();
        let absent: Vec<&str> = CONDITIONS.iter().map(|(name, _)| *name).filter(|name| !existing.contains(*name)).collect();
        assert_eq!(absent, Vec::from_iter(without), "{schedule}");
        let on_dashboard = template.text(&document["Resources"]["DashboardStack"]["Properties"]["Parameters"]["AlarmArns"]);
        assert_eq!(serde_json::from_str::<BTreeSet<String>>(&on_dashboard).expect("a list in JSON"), existing, "{schedule}");
    }
    let parameters = &load(ARCHIVE)["Resources"]["MonitoringStack"]["Properties"]["Parameters"];
    assert_eq!(["Schedule", "Monitoring"].map(|name| text(&parameters[name])), ["Schedule", "Monitoring"]);
}

/// The prices in US cents a month, without free tiers: 10 per metric of an alarm, 12 for the functions' metrics in the hours with data, 300 for
/// a dashboard, 100 for a key.
#[test]
fn without_full_monitoring_the_fixed_cost_stays_below_a_dollar_twenty() {
    let metrics: usize = alarms().values().map(|alarm| metrics_of(alarm).len()).sum();
    assert!(10 * metrics + 12 < 120, "{metrics} metrics");
    let kinds = |file: &String| {
        let document = load(file);
        ["AWS::CloudWatch::Dashboard", "AWS::KMS::Key"]
            .map(|kind| resources(&document, kind).into_iter().map(|(name, _)| name).collect::<Vec<_>>())
    };
    let costly: Vec<String> = files("infra", "yaml").iter().flat_map(kinds).flatten().collect();
    assert_eq!(costly, ["Dashboard", "NotificationKey"]);
    for (file, resource) in [(MONITORING, "DashboardStack"), ("infra/notification.yaml", "NotificationKey")] {
        let template = Template::new(file, [("Monitoring", "ESSENTIAL")]);
        let condition = text(&template.document["Resources"][resource]["Condition"]);
        assert_eq!(template.json(&template.document["Conditions"][condition]), false, "{resource}");
    }
}

/// The metrics of the Distributed Map's executions have the map's label.
#[test]
fn the_dashboard_shows_the_throttled_executions_of_the_map() {
    let states = states(&read_json(EXPORT_LOGS));
    let label = states.iter().find_map(|state| state.fields.get("Label")?.as_str()).expect("a label");
    assert!(read(DASHBOARD).contains(&format!("\"${{StateMachineArn}}/{label}\"")));
}

// ---- schedule -------------------------------------------------------------------------------------------------------

#[test]
fn the_schedule_is_daily_monthly_or_off() {
    let parameter = &load(ARCHIVE)["Parameters"]["Schedule"];
    let allowed: Vec<&str> = list(&parameter["AllowedValues"]).iter().map(text).collect();
    assert_eq!((allowed, text(&parameter["Default"])), (vec!["DAILY", "MONTHLY", "OFF"], "DAILY"));
    let (daily, monthly) = ("cron(0 13 * * ? *)", "cron(0 13 1,16 * ? *)");
    for (schedule, expression, state) in [("DAILY", daily, "ENABLED"), ("MONTHLY", monthly, "ENABLED"), ("OFF", daily, "DISABLED")] {
        let properties = schedule_with(&[("Schedule", schedule)]);
        assert_eq!((&properties["ScheduleExpression"], &properties["State"]), (&expression.into(), &state.into()), "{schedule}");
    }
}

/// The schedule's properties, with changes to these parameters.
fn schedule_with(changes: &[(&str, &str)]) -> serde_json::Value {
    let values = [
        ("AWS::StackName", "cloudwatch-logs-archive"),
        ("TimeZone", "Asia/Tokyo"),
        ("Schedule", "DAILY"),
        ("SettleDays", "15"),
        ("Compact", "false"),
        ("LogGroups", "/a"),
        ("ExportLogsStateMachine", "arn:machine"),
        ("ExportLogsScheduleRole.Arn", "arn:role"),
        ("ExportLogsScheduleDeadLetterQueue.Arn", "arn:queue"),
    ];
    let template = Template::new(ARCHIVE, values.iter().chain(changes).copied());
    let properties = template.json(&template.document["Resources"]["ExportLogsSchedule"]["Properties"]);
    // CloudFormation calls the guard exactly when the schedule changes.
    let guarded = template.json(&template.document["Resources"]["ScheduleGuard"]["Properties"]["Schedule"]);
    assert_eq!(guarded, properties);
    properties
}

/// `LogGroups` has names separated by commas, or JSON. The schedule's input has a list.
#[test]
fn both_forms_of_log_groups_become_a_list_in_the_schedules_input() {
    for (value, list) in [
        ("/a", serde_json::json!(["/a"])),
        ("/aws/lambda/orders,/ecs/web", serde_json::json!(["/aws/lambda/orders", "/ecs/web"])),
        (r#"["/a", {"logGroupNamePrefix": "/b/"}]"#, serde_json::json!(["/a", {"logGroupNamePrefix": "/b/"}])),
    ] {
        let input = schedule_with(&[("LogGroups", value)])["Target"]["Input"].as_str().expect("a text").to_owned();
        let input: serde_json::Value = serde_json::from_str(&input).expect("the input is JSON");
        let scheduled_time = "<aws.scheduler.scheduled-time>";
        let expected = serde_json::json!({"scheduledTime": scheduled_time, "settleDays": 15, "compact": false, "logGroups": list});
        assert_eq!(input, expected);
    }
}

#[test]
fn the_pattern_of_log_groups_accepts_only_names_or_json() {
    let parameter = &load(ARCHIVE)["Parameters"]["LogGroups"];
    let pattern = serde_json::json!({"type": "string", "pattern": text(&parameter["AllowedPattern"])});
    for (value, accepted) in [
        ("/a", true),
        ("/aws/lambda/orders,/ecs/web", true),
        (r#"["/a", "/b"]"#, true),
        ("[\n  {\"logGroupName\": \"/a\"}\n]\n", true),
        // The SAM CLI truncates a JSON list without quotes.
        (r#"["/a"#, false),
        ("", false),
        ("/a, /b", false),
        ("/a,,/b", false),
        ("/aws/lambda/*", false),
        ("[]", false),
        (r#""/a""#, false),
    ] {
        assert_eq!(jsonschema::is_valid(&pattern, &value.into()), accepted, "{value:?}");
    }
}

/// A database's name has no hyphens. A StackSet's stack has another name in each account.
#[test]
fn the_names_of_database_and_schedule_derive_from_the_stacks_name() {
    for (stack, database, schedule) in [
        ("cloudwatch-logs-archive", "cloudwatch_logs_archive", "cloudwatch-logs-archive"),
        ("archive-staging", "archive_staging", "archive-staging"),
        ("StackSet-logs-0a1b2c3d-0000", "cloudwatch_logs_archive", "cloudwatch-logs-archive"),
    ] {
        let template = Template::new(ARCHIVE, [("AWS::StackName", stack)]);
        let resources = &template.document["Resources"];
        assert_eq!(template.text(&resources["Athena"]["Properties"]["Parameters"]["DatabaseName"]), database);
        assert_eq!(template.text(&resources["Functions"]["Properties"]["Parameters"]["ScheduleName"]), schedule);
        assert_eq!(schedule_with(&[("AWS::StackName", stack)])["Name"], schedule);
    }
}

/// The functions and the schedule's input get the deployed value.
#[test]
fn a_deployment_accepts_the_same_settle_days_as_an_input() {
    let document = load(ARCHIVE);
    let parameter = &document["Parameters"]["SettleDays"];
    let allowed: Vec<f64> = list(&parameter["AllowedValues"]).iter().map(|days| days.as_f64().expect("a number")).collect();
    let valid: Vec<f64> = (-8..=80).map(|quarters| f64::from(quarters) / 4.0).filter(|days| SettleDays::new(*days).is_some()).collect();
    assert_eq!((allowed, parameter["Default"].as_u64()), (valid, Some(0)));
    let variables = &load("infra/functions.yaml")["Globals"]["Function"]["Environment"]["Variables"];
    let parameters = &document["Resources"]["Functions"]["Properties"]["Parameters"];
    assert_eq!([&variables["SETTLE_DAYS"], &parameters["SettleDays"]].map(text), ["SettleDays"; 2]);
}

// ---- notification ---------------------------------------------------------------------------------------------------

#[test]
fn a_deployment_needs_an_email_address_or_none() {
    let parameter = &load(ARCHIVE)["Parameters"]["NotificationEmail"];
    assert!(parameter.get("Default").is_none());
    let pattern = serde_json::json!({"type": "string", "pattern": text(&parameter["AllowedPattern"])});
    let values =
        [("NONE", true), ("ops@example.com", true), ("", false), ("none", false), ("ops", false), ("NONE ", false), ("a@b.c d", false)];
    for (value, accepted) in values {
        assert_eq!(jsonschema::is_valid(&pattern, &value.into()), accepted, "{value:?}");
    }
    for (value, subscribed) in [("NONE", false), ("ops@example.com", true)] {
        let template = Template::new("infra/notification.yaml", [("NotificationEmail", value), ("Monitoring", "ESSENTIAL")]);
        let condition = text(&template.document["Resources"]["NotificationEmailSubscription"]["Condition"]).to_owned();
        assert_eq!(template.json(&template.document["Conditions"][condition.as_str()]), subscribed, "{value}");
    }
}
