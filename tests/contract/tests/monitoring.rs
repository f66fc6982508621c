//! `infra/monitoring.yaml` and `infra/dashboard.yaml` against `docs/monitoring.md`, the operations guide and the watcher's tests.

#[expect(dead_code, reason = "the rules and texts are for tests/storage.rs")]
mod intrinsics;

use std::collections::BTreeMap;

use contract::{
    dashboard::{COLUMNS, Metric, PICTURE, body, picture, widgets},
    documents::headings,
    expect_file, read, read_json,
    state_machine::{EXPORT_LOGS, WATCH_ARCHIVE, states},
    template::{self, MONITORING, at, keys},
};
use intrinsics::Template;
use serde_norway::Value;

const DOCUMENT: &str = "docs/monitoring.md";

/// Namespaces of this project's own metrics. The second is that of the metric filters, one for each stack.
const OWN: [&str; 2] = ["CloudWatchLogsArchive", "CloudWatchLogsArchive/${ArchiveStackName}"];

struct Alarm {
    name: String,
    resource: String,
    properties: Value,
}

impl Alarm {
    fn text(&self, field: &str) -> String {
        untagged(at(&self.properties, &[field])).as_str().unwrap_or_else(|| panic!("{field} of {}", self.name)).to_owned()
    }

    fn number(&self, field: &str) -> u64 {
        at(&self.properties, &[field]).as_u64().unwrap_or_else(|| panic!("{field} of {}", self.name))
    }
}

fn untagged(value: &Value) -> &Value {
    if let Value::Tagged(tagged) = value { &tagged.value } else { value }
}

/// Resources of a type, with their properties.
fn resources(kind: &str) -> Vec<(String, Value)> {
    let template = template::load(MONITORING);
    let all = at(&template, &["Resources"]);
    let names = keys(all).into_iter().filter(|name| at(all, &[name, "Type"]).as_str() == Some(kind));
    names.map(|name| (name.clone(), at(all, &[&name, "Properties"]).clone())).collect()
}

fn alarms() -> Vec<Alarm> {
    let alarm = |(resource, properties): (String, Value)| {
        let name = untagged(at(&properties, &["AlarmName"])).as_str().expect("a name").to_owned();
        let name = name.strip_prefix("${ArchiveStackName}-").expect("the stack's name comes first").to_owned();
        Alarm { name, resource, properties }
    };
    resources("AWS::CloudWatch::Alarm").into_iter().map(alarm).collect()
}

/// A section of the document, from its heading of the third level to the next heading.
fn section(document: &str, heading: &str) -> String {
    let heading = format!("\n### `{heading}`\n");
    let (_, rest) = document.split_once(&heading).unwrap_or_else(|| panic!("{DOCUMENT} has no section {heading}"));
    rest.split("\n#").next().unwrap_or_default().to_owned()
}

// ---- alarms ---------------------------------------------------------------------------------------------------------

/// What has to be seen, as the namespace and the metric that show it.
const CONDITIONS: [(&str, &str, &str, &str); 11] = [
    ("RunFailed", "AWS/States", "ExecutionsFailed", "StateMachineArn"),
    ("RunTimedOut", "AWS/States", "ExecutionsTimedOut", "StateMachineArn"),
    ("RunAborted", "AWS/States", "ExecutionsAborted", "StateMachineArn"),
    ("RunThrottled", "AWS/States", "ExecutionThrottled", "StateMachineArn"),
    ("EntriesThrottled", "AWS/States", "ExecutionThrottled", "${StateMachineArn}/LogGroup"),
    ("CompactionFailed", "AWS/States", "ExecutionsFailed", "CompactionStateMachineArn"),
    ("FunctionErrors", "CloudWatchLogsArchive", "FunctionErrors", "ArchiveStackName"),
    ("CreateExportTaskThrottled", "AWS/Lambda", "Throttles", "CreateExportTaskFunctionName"),
    ("CheckExportTaskThrottled", "AWS/Lambda", "Throttles", "CheckExportTaskFunctionName"),
    ("StartFailed", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "DeadLetterQueueName"),
    ("NoSuccessfulRun", "CloudWatchLogsArchive", "DaysSinceSuccessfulRun", "ArchiveStackName"),
];

/// Lambda's own metric of errors counts every poll of a task that is under way, so it is none of them.
#[test]
fn each_condition_has_its_alarm() {
    let found: Vec<_> = alarms()
        .iter()
        .map(|alarm| {
            let [dimension] = &at(&alarm.properties, &["Dimensions"]).as_sequence().expect("dimensions")[..] else {
                panic!("one dimension")
            };
            let of = untagged(at(dimension, &["Value"])).as_str().expect("a parameter").to_owned();
            (alarm.name.clone(), alarm.text("Namespace"), alarm.text("MetricName"), of)
        })
        .collect();
    let expected =
        CONDITIONS.map(|(name, namespace, metric, of)| (name.to_owned(), namespace.to_owned(), metric.to_owned(), of.to_owned()));
    assert_eq!(found, expected);
}

/// What the executions of the Distributed Map report under ends with the map's label.
#[test]
fn the_alarm_on_the_maps_executions_has_its_label() {
    let labels: Vec<String> =
        states(&read_json(EXPORT_LOGS)).iter().filter_map(|state| state.fields.get("Label")?.as_str().map(str::to_owned)).collect();
    let [label] = &labels[..] else { panic!("one label: {labels:?}") };
    let watched: Vec<_> = CONDITIONS.iter().filter_map(|(name, .., of)| Some((*name, of.strip_prefix("${StateMachineArn}/")?))).collect();
    assert_eq!(watched, [("EntriesThrottled", label.as_str())]);
}

/// Where no run is scheduled, the alarm that misses one is silent; every other goes on telling.
#[test]
fn only_the_alarm_on_the_days_is_silent_without_a_schedule() {
    let silent: Vec<String> =
        alarms().into_iter().filter(|alarm| alarm.properties.get("ActionsEnabled").is_some()).map(|alarm| alarm.name).collect();
    assert_eq!(silent, ["NoSuccessfulRun"]);
    let mut template = Template { document: template::load(MONITORING), values: BTreeMap::new() };
    let properties = template.document["Resources"]["NoSuccessfulRunAlarm"]["Properties"]["ActionsEnabled"].clone();
    for (state, enabled) in [("ENABLED", true), ("DISABLED", false)] {
        template.values.insert("ScheduleState".to_owned(), state.to_owned());
        assert_eq!(template.json(&properties), enabled, "{state}");
    }
    let archive = template::load(template::ARCHIVE);
    let given = at(&archive, &["Resources", "Monitoring", "Properties", "Parameters", "ScheduleState"]);
    assert_eq!(untagged(given).as_str(), Some("ScheduleState"));
}

#[test]
fn every_alarm_says_what_to_do_and_tells_the_topic() {
    for alarm in alarms() {
        let name = &alarm.name;
        assert_eq!(alarm.resource, format!("{name}Alarm"));
        let actions = at(&alarm.properties, &["AlarmActions"]).as_sequence().expect("actions");
        assert_eq!(actions.iter().map(|action| untagged(action).as_str()).collect::<Vec<_>>(), [Some("NotificationTopicArn")], "{name}");
        let expected = match name.as_str() {
            "StartFailed" => "ignore",
            "NoSuccessfulRun" => "breaching",
            _ => "notBreaching",
        };
        assert_eq!(alarm.text("TreatMissingData"), expected, "{name}");
        let description = alarm.text("AlarmDescription");
        assert!(description.len() < 1024, "{name}: CloudWatch takes 1,024 characters");
        for place in description.split("docs/").skip(1) {
            let (file, sections) = place.split_once(", ").expect("a file and its sections");
            let document = read(&format!("docs/{file}"));
            let known: Vec<String> = (2..=3).flat_map(|level| headings(&document, level)).collect();
            let named: Vec<&str> = sections.split('"').skip(1).step_by(2).collect();
            assert!(!named.is_empty(), "{name} names no section of {file}");
            for section in named {
                assert!(known.iter().any(|heading| heading == section), "{name}: docs/{file} has no section {section}");
            }
        }
        assert!(description.contains("docs/"), "{name} does not say where to read on");
    }
}

#[test]
fn the_document_explains_every_alarm_and_no_other() {
    let document = read(DOCUMENT);
    let part = document.split("\n## Alarms\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a part on alarms");
    let names: Vec<String> = alarms().into_iter().map(|alarm| alarm.name).collect();
    let mut explained = headings(part, 3);
    let mut expected = names.clone();
    explained.sort();
    expected.sort();
    assert_eq!(explained, expected);
    for name in names {
        for label in ["**Fires when.**", "**Why.**", "**Do.**"] {
            assert!(section(&document, &name).contains(label), "{name} lacks {label}");
        }
    }
}

// ---- the days without a success -------------------------------------------------------------------------------------

/// The tests of the watcher's arithmetic suppose these.
#[test]
fn the_alarm_on_the_days_is_the_one_that_the_watchers_tests_prove() {
    let alarms = alarms();
    let alarm = alarms.iter().find(|alarm| alarm.name == "NoSuccessfulRun").expect("the alarm");
    let tests = read("statemachine/watch-archive.test.cjs");
    let constant = |name: &str| -> u64 {
        let (_, rest) = tests.split_once(&format!("\nconst {name} = ")).unwrap_or_else(|| panic!("no constant {name}"));
        rest.lines().next().and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is no number"))
    };
    assert_eq!(alarm.number("EvaluationPeriods"), constant("POINTS"));
    assert_eq!(alarm.number("DatapointsToAlarm"), constant("POINTS"));
    assert_eq!(alarm.number("Period"), 3600);
    assert_eq!(alarm.text("Threshold"), "DaysWithoutSuccess");
    assert_eq!(alarm.text("ComparisonOperator"), "GreaterThanThreshold");
    // Step Functions forgets after 90 days; a threshold from there on would be reached by forgetting alone.
    let template = template::load(MONITORING);
    assert_eq!(at(&template, &["Parameters", "DaysWithoutSuccess", "MaxValue"]).as_u64(), Some(89));
    let [(_, schedule)] = &resources("AWS::Scheduler::Schedule")[..] else { panic!("one schedule") };
    assert_eq!(at(schedule, &["ScheduleExpression"]).as_str(), Some("rate(1 hour)"));
    assert_eq!(at(schedule, &["State"]).as_str(), Some("ENABLED"));
}

/// Its role permits the calls of the workflow, on what they are made for.
#[test]
fn the_watcher_may_do_what_it_does_and_nothing_else() {
    let called: Vec<String> = states(&read_json(WATCH_ARCHIVE))
        .iter()
        .filter_map(|state| state.fields.get("Resource")?.as_str().map(|resource| resource.replace("arn:aws:states:::aws-sdk:", "")))
        .collect();
    assert_eq!(called, ["sfn:listExecutions", "cloudwatch:putMetricData", "sfn:describeStateMachine"]);
    let roles = resources("AWS::IAM::Role");
    let (_, role) = roles.iter().find(|(name, _)| name == "WatchArchiveStateMachineRole").expect("the role");
    let policies = at(role, &["Policies"]).as_sequence().expect("policies");
    let statements = at(&policies[0], &["PolicyDocument", "Statement"]).as_sequence().expect("statements");
    let statement = |sid: &str| statements.iter().find(|one| at(one, &["Sid"]).as_str() == Some(sid)).unwrap_or_else(|| panic!("no {sid}"));
    let find = statement("FindLastSuccess");
    let actions: Vec<_> = at(find, &["Action"]).as_sequence().expect("actions").iter().filter_map(Value::as_str).collect();
    assert_eq!(actions, ["states:ListExecutions", "states:DescribeStateMachine"]);
    assert_eq!(untagged(at(find, &["Resource"])).as_str(), Some("StateMachineArn"));
    let publish = statement("PublishDays");
    assert_eq!(at(publish, &["Action"]).as_str(), Some("cloudwatch:PutMetricData"));
    assert_eq!(at(publish, &["Condition", "StringEquals", "cloudwatch:namespace"]).as_str(), Some(OWN[0]));
    let others =
        statements.iter().filter_map(|one| at(one, &["Sid"]).as_str()).filter(|sid| !["FindLastSuccess", "PublishDays"].contains(sid));
    assert_eq!(others.collect::<Vec<_>>(), ["DeliverLogs", "FindOwnLogGroup", "WriteTraces"]);
}

// ---- metrics --------------------------------------------------------------------------------------------------------

/// CloudWatch's filter pattern for fields with spaces between: names, one with a value that the field must have, and `...`.
fn matches(pattern: &str, line: &str) -> bool {
    let fields: Vec<&str> = pattern.trim_matches(['[', ']']).split(',').map(str::trim).collect();
    let Some((&"...", fields)) = fields.split_last() else { panic!("{pattern} ends with an ellipsis") };
    let words: Vec<&str> = line.split(' ').collect();
    words.len() >= fields.len()
        && fields.iter().zip(words).all(|(field, word)| field.split_once(" = ").is_none_or(|(_, value)| value == word))
}

/// The audit's lines as the document shows them, each counted by one filter, and by the one of its outcome.
#[test]
fn every_line_of_the_audit_is_counted_once() {
    let document = read(DOCUMENT);
    let lines =
        document.split("\n## Audit\n").nth(1).and_then(|rest| rest.split("```text\n").nth(1)).and_then(|rest| rest.split("\n```").next());
    let lines: Vec<&str> = lines.expect("the lines of the audit").lines().collect();
    let filters: Vec<(String, String)> = resources("AWS::Logs::MetricFilter")
        .iter()
        .map(|(_, filter)| {
            let transformation = &at(filter, &["MetricTransformations"]).as_sequence().expect("transformations")[0];
            assert_eq!(untagged(at(transformation, &["MetricNamespace"])).as_str(), Some(OWN[1]));
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            (text(at(transformation, &["MetricName"])), text(at(filter, &["FilterPattern"])))
        })
        .collect();
    let counted: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| filters.iter().filter(|(_, pattern)| matches(pattern, line)).map(|(name, _)| name.as_str()).collect())
        .collect();
    assert_eq!(counted, [["EntriesExported"], ["EntriesEmpty"], ["EntriesSkipped"], ["EntriesFailed"]]);
}

fn shown() -> Vec<Metric> {
    widgets(&body()).into_iter().flat_map(|widget| widget.metrics).filter(|metric| metric.expression.is_none()).collect()
}

/// The table of own metrics has each of them, with namespace and unit, and is what alarms, filters and dashboard use.
#[test]
fn every_own_metric_is_explained_and_used() {
    let document = read(DOCUMENT);
    let part = document.split("\n### Of this project\n").nth(1).and_then(|rest| rest.split("\n#").next()).expect("the table");
    let rows: Vec<(String, String)> = part
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let name = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
            Some((cells[2].trim_matches('`').replace("<stack>", "${ArchiveStackName}"), name.to_owned()))
        })
        .collect();
    let mut explained = rows.clone();
    explained.sort();
    let mut used: Vec<(String, String)> = shown().into_iter().map(|metric| (metric.namespace, metric.name)).collect();
    used.extend(alarms().iter().map(|alarm| (alarm.text("Namespace"), alarm.text("MetricName"))));
    used.retain(|(namespace, _)| OWN.contains(&namespace.as_str()));
    used.sort();
    used.dedup();
    assert_eq!(explained, used);
}

// ---- dashboard ------------------------------------------------------------------------------------------------------

#[test]
fn the_widgets_fill_their_rows_and_none_covers_another() {
    let widgets = widgets(&body());
    let height = widgets.iter().map(|widget| widget.y + widget.height).max().expect("widgets");
    for y in 0..height {
        for x in 0..COLUMNS {
            let here: Vec<&str> = widgets
                .iter()
                .filter(|widget| (widget.x..widget.x + widget.width).contains(&x) && (widget.y..widget.y + widget.height).contains(&y))
                .map(|widget| widget.title.as_str())
                .collect();
            assert_eq!(here.len(), 1, "at column {x}, row {y}: {here:?}");
        }
    }
}

#[test]
fn the_dashboard_shows_what_it_promises() {
    let widgets = widgets(&body());
    for (title, metrics) in [
        ("Runs a day", &["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"][..]),
        ("Log groups a day, by outcome", &["EntriesExported", "EntriesEmpty", "EntriesSkipped", "EntriesFailed"]),
        ("Duration of an export task", &["ExportDuration", "ExportDuration", "ExportDuration"]),
        ("Time in the queue for the export slot", &["SlotWait", "SlotWait", "SlotWait"]),
        ("Polls for each export task", &["", "Invocations", "ExportDuration"]),
        ("Throttled", &["ExecutionThrottled", "ExecutionThrottled", "Throttles", "Throttles"]),
        ("Archived a day", &["ArchivedBytes", "ArchivedObjects"]),
    ] {
        let widget = widgets.iter().find(|widget| widget.title == title).unwrap_or_else(|| panic!("no widget {title}"));
        assert_eq!(widget.metrics.iter().map(|metric| metric.name.as_str()).collect::<Vec<_>>(), metrics, "{title}");
    }
    let throttles: Vec<_> =
        shown().into_iter().filter(|metric| metric.name == "Throttles").map(|metric| metric.dimensions[1].clone()).collect();
    assert_eq!(throttles, ["${CreateExportTaskFunctionName}", "${CheckExportTaskFunctionName}"]);
    let statistics: Vec<_> = shown().into_iter().filter(|metric| metric.name == "SlotWait").map(|metric| metric.statistic).collect();
    assert_eq!(statistics, ["p50", "p95", "Maximum"]);
}

/// The widget gets all alarms there are.
#[test]
fn the_dashboard_shows_every_alarm_and_its_picture_is_in_step() {
    let template = template::load(MONITORING);
    let arns = at(&template, &["Resources", "DashboardStack", "Properties", "Parameters", "AlarmArns"]);
    // !Join ["", ['["', !Join ['", "', [...]], '"]']]
    let inner = &untagged(&untagged(arns).as_sequence().expect("a join")[1]).as_sequence().expect("its parts")[1];
    let arns = untagged(inner).as_sequence().expect("a join")[1].as_sequence().expect("ARNs");
    let shown: Vec<String> =
        arns.iter().map(|arn| untagged(arn).as_str().expect("an ARN").trim_end_matches("Alarm.Arn").to_owned()).collect();
    let mut sorted = shown.clone();
    sorted.sort();
    let mut all: Vec<String> = alarms().into_iter().map(|alarm| alarm.name).collect();
    all.sort();
    assert_eq!(sorted, all);
    expect_file(PICTURE, &picture(&widgets(&body()), &shown));
    assert!(read(DOCUMENT).contains("](dashboard.svg)"));
}

// ---- cost -----------------------------------------------------------------------------------------------------------

/// Cents of a US dollar a month, to hundredths, where nothing of it is free.
#[test]
fn the_cost_table_adds_up() {
    let hours = 730.0;
    // A run of two hours: what it reports is charged for the hours in which it is reported.
    let run_hours = 2.0;
    let dependent = 8.0;
    let rows = [
        ("alarms", alarms().len() as f64 * 0.10),
        ("dashboard", 3.00),
        ("DaysSinceSuccessfulRun", 0.30),
        ("metrics of runs", dependent * 0.30 * run_hours / hours),
        ("state transitions", hours * 3.0 * 0.000025),
        ("PutMetricData", hours * 0.01 / 1000.0),
    ];
    let document = read(DOCUMENT);
    let part = document.split("\n## Cost\n").nth(1).expect("a part on cost");
    for (name, cost) in rows {
        let row = part.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap_or_else(|| panic!("no row {name}"));
        assert!(row.ends_with(&format!("| {cost:.2} |")), "{row}: {cost:.2}");
    }
    let total: f64 = rows.iter().map(|(_, cost)| cost).sum();
    assert!(part.contains(&format!("| **all** | | {total:.2} |")), "{total:.2}");
}
