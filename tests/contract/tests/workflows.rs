//! Compares the workflows with the error names of the code and of AWS, with the templates and with the documents.

use std::collections::BTreeSet;

use contract::{
    documents::{code, headings, rows},
    read, read_json,
    state_machine::{COMPACT_LOGS, EXPORT_LOGS, State, error_equals, state, states},
    template::{ARCHIVE, keys, load},
};
use export_core::{ErrorName, error::Retry};
use serde_json::Value;

struct Workflow {
    definition: &'static str,
    description: &'static str,
    template: &'static str,
    resource: &'static str,
    /// The property of the resource that names the definition.
    property: &'static str,
}

const WORKFLOWS: [Workflow; 2] = [
    Workflow {
        definition: EXPORT_LOGS,
        description: "statemachine/README.md",
        template: ARCHIVE,
        resource: "ExportLogsStateMachine",
        property: "DefinitionUri",
    },
    Workflow {
        definition: COMPACT_LOGS,
        description: "statemachine/compact-logs.md",
        template: "infra/compaction.yaml",
        resource: "CompactLogsStateMachine",
        property: "DefinitionS3Location",
    },
];

const PENDING: [&str; 3] = ["ExportTaskPending", "ExportTaskRunning", "ExportTaskCancelling"];
const SERVICE_FAULTS: [&str; 3] = ["LogsThrottled", "LogsUnavailable", "DestinationUnavailable"];

/// The states that call a function, with the function and its own retryable errors.
const CALLS: [(&str, &str, &[&str]); 4] = [
    ("PlanExports", "PlanExportsFunction", &[]),
    ("CreateExportTask", "CreateExportTaskFunction", &["ExportSlotBusy"]),
    ("CheckExportTask", "CheckExportTaskFunction", &PENDING),
    ("ReportArchive", "ReportArchiveFunction", &[]),
];

/// The errors that Lambda's documentation says to retry, and a crash.
const LAMBDA_FAULTS: [&str; 6] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Runtime.ExitError",
];

/// Errors of attempts that can have taken minutes.
const TIMEOUTS: [&str; 4] = ["Sandbox.Timedout", "Lambda.Unknown", "Runtime.OutOfMemory", "States.Timeout"];

/// AWS's other error names that the workflows use.
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

fn export_state(name: &str) -> State {
    state(&read_json(EXPORT_LOGS), name)
}

fn names(rules: &[Value]) -> Vec<String> {
    rules.iter().flat_map(error_equals).collect()
}

fn is_of_code(name: &str) -> bool {
    ErrorName::ALL.iter().any(|error| error.as_str() == name)
}

// ---- templates and documents ------------------------------------------------------------------------------------------

#[test]
fn the_template_substitutes_exactly_the_placeholders() {
    for Workflow { definition, template, resource, property, .. } in WORKFLOWS {
        let text = read(definition);
        let placeholders = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned());
        let template = load(template);
        let properties = &template["Resources"][resource]["Properties"];
        let substituted = keys(&properties["DefinitionSubstitutions"]);
        assert_eq!(placeholders.collect::<BTreeSet<_>>(), substituted.into_iter().collect(), "{definition}");
        assert_eq!(properties[property].as_str(), Some(format!("../{definition}").as_str()));
    }
}

/// A section or a row of a table begins with the state's name.
#[test]
fn the_document_describes_every_state() {
    for Workflow { definition, description, .. } in WORKFLOWS {
        let text = read(description);
        let described: BTreeSet<String> = headings(&text, 3).into_iter().chain(rows(&text).iter().flat_map(|row| code(row[0]))).collect();
        for state in states(&read_json(definition)) {
            assert!(described.contains(&state.name), "{description} does not describe {}", state.name);
        }
    }
}

// ---- errors ---------------------------------------------------------------------------------------------------------

#[test]
fn every_error_name_is_one_of_the_code_or_of_aws() {
    for state in WORKFLOWS.iter().flat_map(|workflow| states(&read_json(workflow.definition))) {
        for name in names(&state.retriers()).into_iter().chain(names(&state.catchers())) {
            let is_of_aws = AWS_NAMES.iter().chain(&LAMBDA_FAULTS).chain(&TIMEOUTS).any(|error| *error == name);
            assert!(is_of_aws || is_of_code(&name), "{}: {name} does not exist", state.name);
        }
    }
}

#[test]
fn retryable_errors_are_retried_where_they_occur_and_terminal_ones_nowhere() {
    for state in states(&read_json(EXPORT_LOGS)) {
        let expected = CALLS.iter().find(|(call, ..)| *call == state.name).map(|(.., errors)| [*errors, &SERVICE_FAULTS].concat());
        let retried: Vec<String> = names(&state.retriers()).into_iter().filter(|name| is_of_code(name)).collect();
        assert_eq!(retried, expected.unwrap_or_default(), "{}", state.name);
    }
    let retried: BTreeSet<&str> = CALLS.iter().flat_map(|(.., errors)| *errors).chain(&SERVICE_FAULTS).copied().collect();
    // An error for the next round fails the child in this one.
    let is_retried = |name: &&ErrorName| !matches!(name.retry(), Retry::InNextRound | Retry::Never);
    let retryable: BTreeSet<&str> = ErrorName::ALL.iter().filter(is_retried).map(|name| name.as_str()).collect();
    assert_eq!(retried, retryable);
}

/// All other states catch every error, so that the run ends with a report. A child's error is in the map's results. An error of
/// `ReportArchive` ends the run.
#[test]
fn only_children_and_the_report_do_not_catch_every_error() {
    let all: Vec<State> = WORKFLOWS.iter().flat_map(|workflow| states(&read_json(workflow.definition))).collect();
    let mut uncaught: Vec<&str> = Vec::new();
    for state in all.iter().filter(|state| ["Task", "Map"].contains(&state.kind())) {
        if state.catchers().last().map(error_equals) != Some(vec!["States.ALL".to_owned()]) {
            uncaught.push(&state.name);
        }
    }
    uncaught.sort_unstable();
    let of_exports = ["CheckExportTask", "CreateExportTask", "ReportArchive"];
    let of_compaction = ["AddPartition", "CountRows", "MovePartition", "ReadCounts", "RemovePartition", "WriteParquet"];
    let mut expected = [&of_exports[..], &of_compaction].concat();
    expected.sort_unstable();
    assert_eq!(uncaught, expected);
}

// ---- waiting --------------------------------------------------------------------------------------------------------

/// A state can wait for a day, and meet many short faults. A timeout takes minutes, so few are retried.
#[test]
fn faults_are_retried_40_times_and_timeouts_three_times() {
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

/// The total hours of a retrier's delays. Full jitter halves them on average.
fn hours(retrier: &Value) -> f64 {
    let number = |field: &str| retrier[field].as_f64().unwrap_or_else(|| panic!("no {field}: {retrier}"));
    let delay = |attempt| (number("IntervalSeconds") * number("BackoffRate").powi(attempt)).min(number("MaxDelaySeconds"));
    let maximum = (0..number("MaxAttempts") as i32).map(delay).sum::<f64>() / 3600.0;
    if retrier["JitterStrategy"] == "FULL" { maximum / 2.0 } else { maximum }
}

#[test]
fn a_run_waits_20_hours_for_the_slot_and_26_hours_for_a_task() {
    for (name, errors, least) in [("CreateExportTask", &["ExportSlotBusy"][..], 20.0), ("CheckExportTask", &PENDING, 26.0)] {
        // One retrier counts all attempts.
        let retrier = export_state(name).retriers().remove(0);
        assert_eq!(error_equals(&retrier), errors);
        assert!(hours(&retrier) >= least, "{name}: {} h", hours(&retrier));
    }
}

/// The function's timeout must end first. Then the error is the function's, and not States.Timeout.
#[test]
fn states_wait_longer_than_the_functions_they_call() {
    let template = load("infra/functions.yaml");
    for (name, function, _) in CALLS {
        let of_state = export_state(name).fields["TimeoutSeconds"].as_u64();
        let of_function = template["Resources"][function]["Properties"]["Timeout"].as_u64();
        assert!(of_function.is_some() && of_function < of_state, "{name}: {of_state:?} s, {function}: {of_function:?} s");
    }
}
