//! Alarms and dashboard against what reports the metrics, and `docs/monitoring.md` against both.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    documents::{code, headings, rows, section},
    files, read, read_json,
    state_machine::{EXPORT_LOGS, WATCH_ARCHIVE, state, states},
    template::{ARCHIVE, Template, load, resources},
};
use serde_norway::Value;

const MONITORING: &str = "infra/monitoring.yaml";
const DASHBOARD: &str = "infra/dashboard.yaml";
const DOCUMENT: &str = "docs/monitoring.md";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value:?}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().unwrap_or_else(|| panic!("no list: {value:?}"))
}

/// By the name that follows the stack's.
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

/// Namespace, name, and the name of the dimension where there is one.
type Metric = (String, String, Option<String>);

fn metric(namespace: &str, name: &str, dimension: Option<&str>) -> Metric {
    (namespace.to_owned(), name.to_owned(), dimension.map(str::to_owned))
}

/// What AWS's services report, as their documentation has it, as far as it is used.
const OF_AWS: [(&str, &str, &[&str]); 3] = [
    (
        "AWS/States",
        "StateMachineArn",
        &["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled"],
    ),
    ("AWS/Lambda", "FunctionName", &["Throttles", "Invocations"]),
    ("AWS/SQS", "QueueName", &["ApproximateNumberOfMessagesVisible"]),
];

const OWN: &str = "CloudWatchLogsArchive";

fn reported_by_watcher() -> Metric {
    let put = &state(&read_json(WATCH_ARCHIVE), "PublishDays").fields["Arguments"];
    let data = &put["MetricData"][0];
    let field = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    (field(&put["Namespace"]), field(&data["MetricName"]), Some(field(&data["Dimensions"][0]["Name"])))
}

/// A function's metric is written by its name, as a text in the code.
fn is_reported(metric: &Metric, by_watcher: &Metric, code: &str) -> bool {
    let (namespace, name, dimension) = metric;
    let of_aws = OF_AWS.iter().any(|(of, by, names)| of == namespace && dimension.as_deref() == Some(by) && names.contains(&name.as_str()));
    let by_function = namespace == OWN && dimension.as_deref() == Some("Archive") && code.contains(&format!("\"{name}\""));
    of_aws || by_function || metric == by_watcher
}

fn of_alarms() -> Vec<Metric> {
    let of = |alarm: Value| {
        let [dimension] = list(&alarm["Dimensions"]) else { panic!("one dimension: {alarm:?}") };
        metric(text(&alarm["Namespace"]), text(&alarm["MetricName"]), Some(text(&dimension["Name"])))
    };
    alarms().into_values().map(of).collect()
}

/// CloudWatch's short form written out: `.` is the value above it, `...` all values above that are not given. What is computed is no metric.
fn of_dashboard() -> Vec<Metric> {
    let body = &load(DASHBOARD)["Resources"]["Dashboard"]["Properties"]["DashboardBody"];
    let body = text(body).replace("${AlarmArns}", "[]").replace("${DaysWithoutSuccess}", "32");
    let body: serde_json::Value = serde_json::from_str(&body).expect("the dashboard's body is JSON");
    let mut metrics = Vec::new();
    for widget in body["widgets"].as_array().expect("widgets") {
        let mut above: Vec<&str> = Vec::new();
        for line in widget["properties"]["metrics"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_array) {
            let given: Vec<&str> = line.iter().filter_map(serde_json::Value::as_str).collect();
            if given.is_empty() {
                continue;
            }
            above = match &given[..] {
                ["...", given @ ..] => [&above[..above.len() - given.len()], given].concat(),
                given => given.iter().enumerate().map(|(at, value)| if *value == "." { above[at] } else { value }).collect(),
            };
            metrics.push(metric(above[0], above[1], above.get(2).copied()));
        }
    }
    metrics
}

#[test]
fn every_metric_of_an_alarm_or_of_the_dashboard_is_reported_by_something() {
    let by_watcher = reported_by_watcher();
    // Without the unit tests at the end of each file.
    let program = |file: &String| read(file).split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    let code: String = files("lambdas", "rs").iter().filter(|file| file.contains("/src/")).map(program).collect();
    for metric in of_alarms().into_iter().chain(of_dashboard()) {
        assert!(is_reported(&metric, &by_watcher, &code), "nothing reports {metric:?}");
    }
}

/// The document's table is what alarms and dashboard use, and nothing is reported that is in none of them.
#[test]
fn every_own_metric_is_explained_and_used() {
    let document = read(DOCUMENT);
    let rows = rows(section(&document, "### Of this project"));
    let explained: BTreeSet<(String, String)> = rows[2..].iter().map(|row| (code(row[1]).concat(), code(row[0]).concat())).collect();
    let own = |metric: &Metric| metric.0.starts_with(OWN);
    let names =
        |metrics: Vec<Metric>| metrics.into_iter().filter(own).map(|(namespace, name, _)| (namespace, name)).collect::<BTreeSet<_>>();
    let used = names(of_alarms().into_iter().chain(of_dashboard()).collect());
    assert_eq!(explained, used);
    assert!(names(vec![reported_by_watcher()]).is_subset(&used));
}

// ---- alarms ---------------------------------------------------------------------------------------------------------

/// Alarm, namespace, metric, the dimension's value, and the treatment of missing data. Lambda's own metric Errors is in none of them: it
/// counts each poll of a task that is under way.
const CONDITIONS: [[&str; 5]; 13] = [
    ["CheckExportTaskThrottled", "AWS/Lambda", "Throttles", "CheckExportTaskFunctionName", "notBreaching"],
    ["CompactionFailed", "AWS/States", "ExecutionsFailed", "CompactionStateMachineArn", "notBreaching"],
    ["CreateExportTaskThrottled", "AWS/Lambda", "Throttles", "CreateExportTaskFunctionName", "notBreaching"],
    ["FunctionErrors", OWN, "FunctionErrors", "ArchiveStackName", "notBreaching"],
    ["NoSuccessfulRun", OWN, "DaysSinceSuccessfulRun", "ArchiveStackName", "breaching"],
    ["PlanExportsThrottled", "AWS/Lambda", "Throttles", "PlanExportsFunctionName", "notBreaching"],
    ["ReportArchiveThrottled", "AWS/Lambda", "Throttles", "ReportArchiveFunctionName", "notBreaching"],
    ["RunAborted", "AWS/States", "ExecutionsAborted", "StateMachineArn", "notBreaching"],
    ["RunFailed", "AWS/States", "ExecutionsFailed", "StateMachineArn", "notBreaching"],
    ["RunThrottled", "AWS/States", "ExecutionThrottled", "StateMachineArn", "notBreaching"],
    ["RunTimedOut", "AWS/States", "ExecutionsTimedOut", "StateMachineArn", "notBreaching"],
    ["StartFailed", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "DeadLetterQueueName", "ignore"],
    ["WindowsThrottled", "AWS/States", "ExecutionThrottled", "${StateMachineArn}/ExportWindows", "notBreaching"],
];

#[test]
fn each_condition_has_its_alarm() {
    let alarms = alarms();
    let condition = |(name, alarm): (&'_ String, &'_ Value)| {
        let of = &alarm["Dimensions"][0]["Value"];
        [name, text(&alarm["Namespace"]), text(&alarm["MetricName"]), text(of), text(&alarm["TreatMissingData"])].map(str::to_owned)
    };
    assert_eq!(alarms.iter().map(condition).collect::<Vec<_>>(), CONDITIONS);
}

#[test]
fn every_alarm_notifies_and_leads_to_sections_that_exist() {
    for (name, alarm) in alarms() {
        let actions: Vec<&str> = list(&alarm["AlarmActions"]).iter().map(text).collect();
        assert_eq!(actions, ["NotificationTopicArn"], "{name}");
        let description = text(&alarm["AlarmDescription"]);
        assert!(description.contains("docs/"), "{name} does not say where to read on");
        for place in description.split("docs/").skip(1) {
            let (file, sections) = place.split_once(", ").expect("a file and its sections");
            let document = read(&format!("docs/{file}"));
            let known: Vec<String> = (2..=3).flat_map(|level| headings(&document, level)).collect();
            for section in sections.split('"').skip(1).step_by(2) {
                assert!(known.iter().any(|heading| heading == section), "{name}: docs/{file} has no section {section}");
            }
        }
    }
}

#[test]
fn document_and_dashboard_have_every_alarm_and_no_other() {
    let names: BTreeSet<String> = alarms().into_keys().collect();
    let document = read(DOCUMENT);
    assert_eq!(headings(section(&document, "## Alarms"), 3).into_iter().collect::<BTreeSet<_>>(), names);
    // !Join ["", ['["', !Join ['", "', [ARN...]], '"]']]
    let template = load(MONITORING);
    let arns = &template["Resources"]["DashboardStack"]["Properties"]["Parameters"]["AlarmArns"][1][1][1];
    let shown: BTreeSet<String> = list(arns).iter().map(|arn| text(arn).trim_end_matches("Alarm.Arn").to_owned()).collect();
    assert_eq!(shown, names);
}

/// The executions of the Distributed Map report under the map's label.
#[test]
fn the_alarm_on_the_maps_executions_has_its_label() {
    let states = states(&read_json(EXPORT_LOGS));
    let label = states.iter().find_map(|state| state.fields.get("Label")?.as_str()).expect("a label");
    assert_eq!(text(&alarms()["WindowsThrottled"]["Dimensions"][0]["Value"]), format!("${{StateMachineArn}}/{label}"));
}

/// Where no run is scheduled, the alarm that misses one is silent; every other goes on telling.
#[test]
fn only_the_alarm_on_the_days_is_silent_without_a_schedule() {
    let silent: Vec<String> = alarms().into_iter().filter(|(_, alarm)| !alarm["ActionsEnabled"].is_null()).map(|(name, _)| name).collect();
    assert_eq!(silent, ["NoSuccessfulRun"]);
    for (state, enabled) in [("ENABLED", true), ("DISABLED", false)] {
        let template = Template::new(MONITORING, [("ScheduleState", state)]);
        assert_eq!(template.json(&alarms()["NoSuccessfulRun"]["ActionsEnabled"]), enabled, "{state}");
    }
    let given = &load(ARCHIVE)["Resources"]["Monitoring"]["Properties"]["Parameters"]["ScheduleState"];
    assert_eq!(text(given), "ScheduleState");
}

/// The tests of the watcher's arithmetic suppose these.
#[test]
fn the_alarm_on_the_days_is_the_one_that_the_watchers_tests_prove() {
    let alarm = &alarms()["NoSuccessfulRun"];
    let tests = read("statemachine/watch-archive.test.cjs");
    let constant = |name: &str| -> u64 {
        let (_, rest) = tests.split_once(&format!("\nconst {name} = ")).unwrap_or_else(|| panic!("no constant {name}"));
        rest.lines().next().and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is no number"))
    };
    for (field, expected) in [("EvaluationPeriods", constant("POINTS")), ("DatapointsToAlarm", constant("POINTS")), ("Period", 3600)] {
        assert_eq!(alarm[field].as_u64(), Some(expected), "{field}");
    }
    for (field, expected) in [("Threshold", "DaysWithoutSuccess"), ("ComparisonOperator", "GreaterThanThreshold")] {
        assert_eq!(text(&alarm[field]), expected, "{field}");
    }
    let template = load(MONITORING);
    let days = &template["Parameters"]["DaysWithoutSuccess"];
    assert_eq!(load(ARCHIVE)["Parameters"]["DaysWithoutSuccess"]["Default"].as_u64(), Some(constant("DAYS")));
    // Step Functions forgets after 90 days; a threshold from there on would be reached by forgetting alone.
    assert_eq!(days["MaxValue"].as_u64(), Some(89));
    let [(_, schedule)] = &resources(&template, "AWS::Scheduler::Schedule")[..] else { panic!("one schedule") };
    assert_eq!((text(&schedule["ScheduleExpression"]), text(&schedule["State"])), ("rate(1 hour)", "ENABLED"));
}
