//! The workflows against the error names of the code, AWS's names, the templates and their own descriptions.

use std::collections::BTreeSet;

use contract::{
    documents::headings,
    read, read_json,
    state_machine::{COMPACT_LOGS, EXPORT_LOGS, State, WATCH_ARCHIVE, error_equals, state, states},
    template::{ARCHIVE, keys, load},
};
use export_core::{ErrorName, error::Retry};
use serde_json::Value;

/// Those that Lambda's documentation says to retry on every function.
const LAMBDA_RETRIES: [&str; 5] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
];

/// A function that crashed or timed out may have done its work: that is looked for, so the same call can be made again.
const CRASHES: [&str; 5] = ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "States.Timeout"];

/// The other names that AWS gives to errors, as far as the workflows may use them: those of the States Language, and exceptions
/// of the services, named as the integrations name them.
const AWS_NAMES: [&str; 14] = [
    "States.ALL",
    "States.TaskFailed",
    "CloudWatchLogs.InvalidParameterException",
    "CloudWatchLogs.ThrottlingException",
    "CloudWatchLogs.ServiceUnavailableException",
    "CloudWatchLogs.CloudWatchLogsException",
    "CloudWatchLogs.SdkClientException",
    "Athena.TooManyRequestsException",
    "Athena.InternalServerException",
    "Athena.AmazonAthenaException",
    "Athena.SdkClientException",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.SdkClientException",
];

/// Definition, description, the template that deploys it, the resource, and its property that names the definition.
const WORKFLOWS: [(&str, &str, &str, &str, &str); 3] = [
    (EXPORT_LOGS, "statemachine/README.md", ARCHIVE, "ExportLogsStateMachine", "DefinitionUri"),
    (COMPACT_LOGS, "statemachine/compact-logs.md", "infra/compaction.yaml", "CompactLogsStateMachine", "DefinitionS3Location"),
    (WATCH_ARCHIVE, "statemachine/watch-archive.md", "infra/monitoring.yaml", "WatchArchiveStateMachine", "DefinitionS3Location"),
];

fn all_states() -> Vec<State> {
    WORKFLOWS.iter().flat_map(|(definition, ..)| states(&read_json(definition))).collect()
}

#[test]
fn every_error_name_is_one_of_the_code_or_of_aws() {
    for state in all_states() {
        for name in state.retriers().iter().chain(&state.catchers()).flat_map(error_equals) {
            let of_aws = AWS_NAMES.iter().chain(&LAMBDA_RETRIES).chain(&CRASHES).any(|known| *known == name);
            assert!(of_aws || error_name(&name).is_some(), "{}: nobody answers with {name}", state.name);
        }
    }
}

#[test]
fn every_task_and_map_catches_everything() {
    for state in all_states().into_iter().filter(|state| state.kind() == "Task" || state.kind() == "Map") {
        assert_eq!(state.catchers().last().map(error_equals), Some(vec!["States.ALL".to_owned()]), "{} lets errors through", state.name);
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

#[test]
fn the_description_has_a_section_for_every_state_and_no_other() {
    for (definition, document, ..) in WORKFLOWS {
        let names: BTreeSet<String> = states(&read_json(definition)).into_iter().map(|state| state.name).collect();
        assert_eq!(headings(&read(document), 3).into_iter().collect::<BTreeSet<_>>(), names, "{document}");
    }
}

// ---- how the export retries and waits -------------------------------------------------------------------------------

const BY_LOGS_AND_S3: [ErrorName; 3] = [ErrorName::LogsThrottled, ErrorName::LogsUnavailable, ErrorName::DestinationUnavailable];

/// The states that call a function, with the function and the retryable errors it can answer with beside those of CloudWatch Logs
/// and S3. ValidateInput makes no AWS call.
const CALLS: [(&str, &str, &[ErrorName]); 4] = [
    ("ValidateInput", "CreateExportTaskFunction", &[]),
    ("CreateExportTask", "CreateExportTaskFunction", &[ErrorName::ExportSlotBusy]),
    ("CancelExportTask", "CheckExportTaskFunction", &[]),
    (
        "CheckExportTask",
        "CheckExportTaskFunction",
        &[ErrorName::ExportTaskPending, ErrorName::ExportTaskRunning, ErrorName::ExportTaskCancelling],
    ),
];

fn retryable(name: &str) -> Vec<ErrorName> {
    let own = CALLS.iter().find(|(state, ..)| *state == name).map(|(_, _, own)| own.to_vec());
    own.map_or_else(Vec::new, |own| if name == "ValidateInput" { own } else { [own, BY_LOGS_AND_S3.to_vec()].concat() })
}

fn export_state(name: &str) -> State {
    state(&read_json(EXPORT_LOGS), name)
}

fn error_name(name: &str) -> Option<ErrorName> {
    ErrorName::ALL.into_iter().find(|one| one.as_str() == name)
}

#[test]
fn retryable_errors_are_retried_where_they_occur_and_terminal_ones_nowhere() {
    let mut somewhere = Vec::new();
    for state in states(&read_json(EXPORT_LOGS)) {
        let retried: Vec<ErrorName> = state.retriers().iter().flat_map(error_equals).filter_map(|name| error_name(&name)).collect();
        assert_eq!(retried, retryable(&state.name), "{}", state.name);
        somewhere.extend(retried);
    }
    for name in ErrorName::ALL {
        assert_eq!(somewhere.contains(&name), name.retry() != Retry::Never, "{name}");
    }
}

#[test]
fn each_error_is_retried_as_the_code_says() {
    for (name, ..) in CALLS {
        for error in retryable(name) {
            let retrier = export_state(name).retrier(error.as_str()).expect("a retrier");
            let expected = match error.retry() {
                Retry::WhileTaskIsPending => ("NONE", 300),
                Retry::WhileSlotIsBusy => ("FULL", 300),
                Retry::AfterBackoff => ("FULL", 60),
                Retry::Never => panic!("{name} retries {error}"),
            };
            let (jitter, longest) = (retrier["JitterStrategy"].as_str(), retrier["MaxDelaySeconds"].as_u64());
            assert_eq!((jitter, longest), (Some(expected.0), Some(expected.1)), "{name}: {error}");
        }
    }
}

/// A retrier counts all its attempts in a state, and a state may wait for a day: a hiccup an hour must not end an entry.
#[test]
fn every_call_retries_what_lambda_says_and_a_day_of_waiting_has_room_for_hiccups() {
    for (name, ..) in CALLS {
        let waits = ["CreateExportTask", "CheckExportTask"].contains(&name);
        let hiccups = BY_LOGS_AND_S3.iter().map(|error| error.as_str()).filter(|_| waits);
        for error in LAMBDA_RETRIES.into_iter().chain(CRASHES).chain(hiccups) {
            let retrier = export_state(name).retrier(error).unwrap_or_else(|| panic!("{name} does not retry {error}"));
            assert!(!waits || retrier["MaxAttempts"].as_u64() >= Some(30), "{name}: {error}");
        }
    }
}

/// The hours that a retrier can wait in all, without jitter.
fn hours(retrier: &Value) -> f64 {
    let number = |field: &str| retrier[field].as_f64().unwrap_or_else(|| panic!("no {field}: {retrier}"));
    let delay = |attempt| (number("IntervalSeconds") * number("BackoffRate").powi(attempt)).min(number("MaxDelaySeconds"));
    (0..number("MaxAttempts") as i32).map(delay).sum::<f64>() / 3600.0
}

#[test]
fn a_busy_slot_is_waited_for_a_day_and_a_task_for_26_hours() {
    // Full jitter waits half of it on average, and that half has to be a day.
    let slot = export_state("CreateExportTask").retrier("ExportSlotBusy").expect("a retrier");
    assert!(hours(&slot) / 2.0 >= 24.0, "{} h", hours(&slot));
    // One retrier counts all attempts of the polling.
    let polling = export_state("CheckExportTask").retriers().remove(0);
    assert_eq!(error_equals(&polling), ["ExportTaskPending", "ExportTaskRunning", "ExportTaskCancelling"]);
    assert!(hours(&polling) >= 26.0, "{} h", hours(&polling));
}

/// A function's own timeout must come first, so that its error has the function's name and not States.Timeout.
#[test]
fn states_wait_longer_than_the_functions_they_call() {
    let template = load(ARCHIVE);
    for (name, function, _) in CALLS {
        let of_state = export_state(name).fields["TimeoutSeconds"].as_u64();
        let of_function = template["Resources"][function]["Properties"]["Timeout"].as_u64();
        assert!(of_function.is_some() && of_function < of_state, "{name}: {of_state:?} s, {function}: {of_function:?} s");
    }
}
