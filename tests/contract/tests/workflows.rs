//! The workflows against the error names of the code, AWS's names, the templates and their own descriptions.

use std::collections::BTreeSet;

use contract::{
    documents::{code, headings, rows},
    read, read_json,
    state_machine::{COMPACT_LOGS, EXPORT_LOGS, State, error_equals, expressions, state, states},
    template::{ARCHIVE, keys, load},
};
use export_core::{ErrorName, error::Retry};
use serde_json::Value;

/// Definition, description, the template that deploys it, the resource, and its property that names the definition.
const WORKFLOWS: [(&str, &str, &str, &str, &str); 2] = [
    (EXPORT_LOGS, "statemachine/README.md", ARCHIVE, "ExportLogsStateMachine", "DefinitionUri"),
    (COMPACT_LOGS, "statemachine/compact-logs.md", "infra/compaction.yaml", "CompactLogsStateMachine", "DefinitionS3Location"),
];

const PENDING: [&str; 3] = ["ExportTaskPending", "ExportTaskRunning", "ExportTaskCancelling"];
const SERVICE_FAULTS: [&str; 3] = ["LogsThrottled", "LogsUnavailable", "DestinationUnavailable"];

/// The states that call a function, with the function and the retryable errors that only it answers with.
const CALLS: [(&str, &str, &[&str]); 4] = [
    ("PlanExports", "PlanExportsFunction", &[]),
    ("CreateExportTask", "CreateExportTaskFunction", &["ExportSlotBusy"]),
    ("CheckExportTask", "CheckExportTaskFunction", &PENDING),
    ("ReportArchive", "ReportArchiveFunction", &[]),
];

/// Those that Lambda's documentation says to retry on every function, and a crash.
const LAMBDA_FAULTS: [&str; 6] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Runtime.ExitError",
];

/// An attempt that ends so can have taken minutes.
const TIMEOUTS: [&str; 4] = ["Sandbox.Timedout", "Lambda.Unknown", "Runtime.OutOfMemory", "States.Timeout"];

/// The other names that AWS gives to errors, as far as the workflows may use them.
const AWS_NAMES: [&str; 9] = [
    "States.ALL",
    "States.TaskFailed",
    "Athena.TooManyRequestsException",
    "Athena.InternalServerException",
    "Athena.AmazonAthenaException",
    "Athena.SdkClientException",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.SdkClientException",
];

fn source(definition: &str) -> String {
    read(&definition.replace(".json", ".yaml"))
}

fn export_state(name: &str) -> State {
    state(&read_json(EXPORT_LOGS), name)
}

fn names(rules: &[Value]) -> Vec<String> {
    rules.iter().flat_map(error_equals).collect()
}

fn is_of_code(name: &str) -> bool {
    ErrorName::ALL.iter().any(|known| known.as_str() == name)
}

// ---- sources and descriptions ---------------------------------------------------------------------------------------

#[test]
fn a_source_is_readable() {
    for (definition, ..) in WORKFLOWS {
        let source = source(definition);
        for (number, line) in source.lines().enumerate() {
            assert!(line.chars().count() <= 120, "{definition}: line {} of the source is too long", number + 1);
        }
    }
    for (file, longest) in [(EXPORT_LOGS, 260), (COMPACT_LOGS, 340)] {
        for expression in expressions(&read_json(file)) {
            assert!(expression.chars().count() <= longest, "logic belongs in functions and views: {expression}");
        }
    }
}

#[test]
fn each_retry_policy_is_written_once() {
    for (definition, ..) in WORKFLOWS {
        let policies: BTreeSet<String> =
            states(&read_json(definition)).iter().flat_map(State::retriers).map(|retrier| retrier.to_string()).collect();
        assert_eq!(source(definition).matches("MaxAttempts:").count(), policies.len(), "{definition}");
    }
}

#[test]
fn the_template_substitutes_every_placeholder_and_no_other() {
    for (definition, _, file, resource, uri) in WORKFLOWS {
        let text = read(definition);
        let placeholders = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned());
        let template = load(file);
        let properties = &template["Resources"][resource]["Properties"];
        let substituted = keys(&properties["DefinitionSubstitutions"]);
        assert_eq!(placeholders.collect::<BTreeSet<_>>(), substituted.into_iter().collect(), "{definition}");
        assert_eq!(properties[uri].as_str(), Some(format!("../{definition}").as_str()));
    }
}

/// A section or a row of a table begins with the state's name.
#[test]
fn the_description_has_every_state() {
    for (definition, document, ..) in WORKFLOWS {
        let text = read(document);
        let described: BTreeSet<String> = headings(&text, 3).into_iter().chain(rows(&text).iter().flat_map(|row| code(row[0]))).collect();
        for state in states(&read_json(definition)) {
            assert!(described.contains(&state.name), "{document} does not describe {}", state.name);
        }
    }
}

// ---- errors ---------------------------------------------------------------------------------------------------------

#[test]
fn every_error_name_is_one_of_the_code_or_of_aws() {
    for state in WORKFLOWS.iter().flat_map(|(definition, ..)| states(&read_json(definition))) {
        for name in names(&state.retriers()).into_iter().chain(names(&state.catchers())) {
            let of_aws = AWS_NAMES.iter().chain(&LAMBDA_FAULTS).chain(&TIMEOUTS).any(|known| *known == name);
            assert!(of_aws || is_of_code(&name), "{}: nobody answers with {name}", state.name);
        }
    }
}

#[test]
fn retryable_errors_are_retried_where_they_occur_and_terminal_ones_nowhere() {
    for state in states(&read_json(EXPORT_LOGS)) {
        let expected = CALLS.iter().find(|(call, ..)| *call == state.name).map(|(.., own)| [*own, &SERVICE_FAULTS].concat());
        let retried: Vec<String> = names(&state.retriers()).into_iter().filter(|name| is_of_code(name)).collect();
        assert_eq!(retried, expected.unwrap_or_default(), "{}", state.name);
    }
    let occur: BTreeSet<&str> = CALLS.iter().flat_map(|(.., own)| *own).chain(&SERVICE_FAULTS).copied().collect();
    // What the next round plans again has failed in this one.
    let is_retried = |name: &&ErrorName| !matches!(name.retry(), Retry::InNextRound | Retry::Never);
    let retryable: BTreeSet<&str> = ErrorName::ALL.iter().filter(is_retried).map(|name| name.as_str()).collect();
    assert_eq!(occur, retryable);
}

/// Every other error ends in a report. The error of a child is in the map's results, that of `ReportArchive` ends the run.
#[test]
fn only_children_and_the_report_let_errors_through() {
    let all: Vec<State> = WORKFLOWS.iter().flat_map(|(definition, ..)| states(&read_json(definition))).collect();
    let mut through: Vec<&str> = Vec::new();
    for state in all.iter().filter(|state| ["Task", "Map"].contains(&state.kind())) {
        if state.catchers().last().map(error_equals) != Some(vec!["States.ALL".to_owned()]) {
            through.push(&state.name);
        }
    }
    through.sort_unstable();
    let of_exports = ["CheckExportTask", "CreateExportTask", "ReportArchive"];
    let of_compaction = ["AddPartition", "CountRows", "MovePartition", "ReadCounts", "RemovePartition", "WriteParquet"];
    let mut expected = [&of_exports[..], &of_compaction].concat();
    expected.sort_unstable();
    assert_eq!(through, expected);
}

// ---- waiting --------------------------------------------------------------------------------------------------------

/// A day of waiting has room for hiccups, and not for timeouts of five minutes each.
#[test]
fn faults_are_retried_often_and_timeouts_three_times() {
    for (name, ..) in CALLS {
        let state = export_state(name);
        for error in SERVICE_FAULTS.iter().chain(&LAMBDA_FAULTS) {
            assert_eq!(state.retrier(error)["MaxAttempts"], 40, "{name}: {error}");
        }
        for error in TIMEOUTS {
            let retrier = state.retrier(error);
            assert_eq!((error_equals(&retrier), &retrier["MaxAttempts"]), (TIMEOUTS.map(str::to_owned).to_vec(), &3.into()), "{name}");
        }
    }
}

/// The hours that a retrier waits in all; full jitter waits half of them on average.
fn hours(retrier: &Value) -> f64 {
    let number = |field: &str| retrier[field].as_f64().unwrap_or_else(|| panic!("no {field}: {retrier}"));
    let delay = |attempt| (number("IntervalSeconds") * number("BackoffRate").powi(attempt)).min(number("MaxDelaySeconds"));
    let longest = (0..number("MaxAttempts") as i32).map(delay).sum::<f64>() / 3600.0;
    if retrier["JitterStrategy"] == "FULL" { longest / 2.0 } else { longest }
}

#[test]
fn a_busy_slot_is_waited_for_20_hours_and_a_task_for_26() {
    for (name, errors, least) in [("CreateExportTask", &["ExportSlotBusy"][..], 20.0), ("CheckExportTask", &PENDING, 26.0)] {
        // One retrier counts all attempts.
        let retrier = export_state(name).retriers().remove(0);
        assert_eq!(error_equals(&retrier), errors);
        assert!(hours(&retrier) >= least, "{name}: {} h", hours(&retrier));
    }
}

/// A function's own timeout must come first, so that its error has the function's name and not States.Timeout.
#[test]
fn states_wait_longer_than_the_functions_they_call() {
    let template = load("infra/functions.yaml");
    for (name, function, _) in CALLS {
        let of_state = export_state(name).fields["TimeoutSeconds"].as_u64();
        let of_function = template["Resources"][function]["Properties"]["Timeout"].as_u64();
        assert!(of_function.is_some() && of_function < of_state, "{name}: {of_state:?} s, {function}: {of_function:?} s");
    }
}
