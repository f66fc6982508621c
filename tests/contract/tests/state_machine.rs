//! The workflow against the error names of the code, AWS's names, the template and its own description.

use contract::{
    documents::{headings, with_code_block},
    expect_file, read, read_json,
    state_machine::{self, error_equals, mermaid, placeholders, state, states},
    template,
};
use export_core::{ErrorName, error::Retry};
use serde_json::Value;

/// Names that AWS gives to errors, as far as the workflow may use them. `States.*` and `Lambda.*` are in Step Functions'
/// documentation of error names and of Lambda's integration, `Sandbox.Timedout` there as what newer runtimes report for a
/// timeout; `Runtime.*` are the error types in Lambda's answer for a process that exited; `CloudWatchLogs.*` are that service's exceptions, named as the SDK integration names them.
const AWS_NAMES: [&str; 17] = [
    "States.ALL",
    "States.TaskFailed",
    "States.Timeout",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "CloudWatchLogs.InvalidParameterException",
    "CloudWatchLogs.ThrottlingException",
    "CloudWatchLogs.ServiceUnavailableException",
    "CloudWatchLogs.CloudWatchLogsException",
    "CloudWatchLogs.SdkClientException",
];

/// Those that Lambda's documentation says to retry on every function.
const LAMBDA_RETRIES: [&str; 5] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
];

/// The retryable errors each function can answer with, by the state that calls it. ValidateInput makes no AWS call.
const RETRYABLE: [(&str, &[ErrorName]); 4] = [
    ("ValidateInput", &[]),
    (
        "CreateExportTask",
        &[ErrorName::ExportSlotBusy, ErrorName::LogsThrottled, ErrorName::LogsUnavailable, ErrorName::DestinationUnavailable],
    ),
    ("CancelExportTask", &[ErrorName::LogsThrottled, ErrorName::LogsUnavailable, ErrorName::DestinationUnavailable]),
    (
        "CheckExportTask",
        &[
            ErrorName::ExportTaskPending,
            ErrorName::ExportTaskRunning,
            ErrorName::ExportTaskCancelling,
            ErrorName::LogsThrottled,
            ErrorName::LogsUnavailable,
            ErrorName::DestinationUnavailable,
        ],
    ),
];

fn definition() -> Value {
    read_json(state_machine::FILE)
}

fn error_name(name: &str) -> Option<ErrorName> {
    ErrorName::ALL.into_iter().find(|one| one.as_str() == name)
}

#[test]
fn every_error_name_is_ours_or_awss() {
    for state in states(&definition()) {
        for name in state.retriers().iter().chain(&state.catchers()).flat_map(error_equals) {
            assert!(error_name(&name).is_some() || AWS_NAMES.contains(&name.as_str()), "{}: nobody answers with {name}", state.name);
        }
    }
}

#[test]
fn retryable_names_are_retried_where_they_occur_and_terminal_ones_nowhere() {
    for (name, expected) in RETRYABLE {
        let retried: Vec<ErrorName> = state(&definition(), name).retried().iter().filter_map(|name| error_name(name)).collect();
        assert_eq!(retried, expected, "{name}");
    }
    let listed: Vec<ErrorName> = RETRYABLE.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    for name in ErrorName::ALL {
        assert_eq!(listed.contains(&name), name.retry() != Retry::Never, "{name}");
    }
    for state in states(&definition()) {
        assert!(
            RETRYABLE.iter().any(|(name, _)| *name == state.name) || state.retried().iter().all(|name| error_name(name).is_none()),
            "{}",
            state.name
        );
    }
}

#[test]
fn every_function_call_retries_what_lambda_says_to_retry() {
    for (name, _) in RETRYABLE {
        let retried = state(&definition(), name).retried();
        for error in LAMBDA_RETRIES {
            assert!(retried.iter().any(|name| name == error), "{name} does not retry {error}");
        }
    }
    // A function that crashed or timed out may have done its work: that is looked for, so the same call can be made again.
    for (name, _) in RETRYABLE {
        let retried = state(&definition(), name).retried();
        for error in ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "States.Timeout"] {
            assert!(retried.iter().any(|name| name == error), "{name} does not retry {error}");
        }
    }
}

/// The seconds a retrier can wait in all, without jitter.
fn budget(retrier: &Value) -> f64 {
    let number = |field: &str, default: f64| retrier[field].as_f64().unwrap_or(default);
    let attempts = number("MaxAttempts", 3.0) as i32;
    let delay =
        |attempt| (number("IntervalSeconds", 1.0) * number("BackoffRate", 2.0).powi(attempt)).min(number("MaxDelaySeconds", f64::INFINITY));
    (0..attempts).map(delay).sum()
}

#[test]
fn a_busy_slot_is_waited_for_a_day_and_a_task_for_26_hours() {
    let definition = definition();
    let slot = state(&definition, "CreateExportTask").retrier("ExportSlotBusy").unwrap();
    // Full jitter waits half of it on average, and that half has to be a day.
    assert_eq!(slot["JitterStrategy"], "FULL");
    assert!(budget(&slot) / 2.0 >= 24.0 * 3600.0, "{} h", budget(&slot) / 3600.0);
    let polling = state(&definition, "CheckExportTask").retrier("ExportTaskRunning").unwrap();
    assert_eq!(polling["JitterStrategy"], "NONE");
    assert!(budget(&polling) >= 26.0 * 3600.0, "{} h", budget(&polling) / 3600.0);
    for pending in ["ExportTaskPending", "ExportTaskCancelling"] {
        let retrier = state(&definition, "CheckExportTask").retrier(pending).unwrap();
        assert_eq!(retrier, polling, "one retrier counts all attempts of the polling");
    }
}

/// What the code says of an error's retry is how the workflow retries it.
#[test]
fn each_error_is_retried_in_its_own_way() {
    let definition = definition();
    for (name, errors) in RETRYABLE {
        for error in errors {
            let retrier = state(&definition, name).retrier(error.as_str()).unwrap();
            let way = (retrier["JitterStrategy"].as_str().unwrap(), retrier["MaxDelaySeconds"].as_u64().unwrap());
            let expected = match error.retry() {
                Retry::WhileTaskIsPending => ("NONE", 300),
                Retry::WhileSlotIsBusy => ("FULL", 300),
                Retry::AfterBackoff => ("FULL", 60),
                Retry::Never => panic!("{name} retries {error}"),
            };
            assert_eq!(way, expected, "{name}: {error}");
        }
    }
}

/// A retrier counts all its attempts in a state, and a state may wait for a day: a hiccup an hour must not end an entry.
#[test]
fn a_day_of_waiting_has_room_for_hiccups() {
    for name in ["CreateExportTask", "CheckExportTask"] {
        for error in ["LogsThrottled", "DestinationUnavailable", "Lambda.ServiceException", "States.Timeout"] {
            let retrier = state(&definition(), name).retrier(error).unwrap();
            assert!(retrier["MaxAttempts"].as_u64().unwrap() >= 30, "{name}: {error}");
        }
    }
}

#[test]
fn every_task_inside_the_map_has_a_net_for_its_errors() {
    for state in states(&definition()).into_iter().filter(|state| state.kind() == "Task" || state.kind() == "Map") {
        let catchers = state.catchers();
        assert_eq!(catchers.last().map(error_equals), Some(vec!["States.ALL".to_owned()]), "{} lets errors through", state.name);
    }
}

#[test]
fn every_next_exists_and_every_state_can_be_reached() {
    let states = states(&definition());
    for state in &states {
        for (next, _) in state.transitions() {
            let target = states.iter().find(|other| other.name == next);
            assert_eq!(target.map(|other| &other.map), Some(&state.map), "{} leads to {next}", state.name);
        }
        let started = state.name == "ValidateInput" || state.name == "PrepareEntry";
        let reached = states.iter().any(|other| other.transitions().iter().any(|(next, _)| *next == state.name));
        assert!(started || reached, "nothing leads to {}", state.name);
    }
}

#[test]
fn names_are_pascal_case_and_begin_with_a_verb() {
    let verbs = [
        "Validate",
        "Route",
        "Take",
        "List",
        "Restart",
        "Prepare",
        "Cancel",
        "Export",
        "Create",
        "Wait",
        "Check",
        "Report",
        "Collect",
        "Tally",
        "Summarize",
        "Reject",
        "Publish",
        "Decide",
        "Fail",
        "Complete",
    ];
    for state in states(&definition()) {
        assert!(verbs.iter().any(|verb| state.name.starts_with(verb)), "{}", state.name);
        assert!(state.name.chars().all(|character| character.is_ascii_alphanumeric()), "{}", state.name);
        assert!(state.fields["Comment"].as_str().is_some_and(|comment| !comment.is_empty()), "{} says nothing of itself", state.name);
    }
}

/// A function's own timeout must come first, so that its error has the function's name and not States.Timeout.
#[test]
fn states_wait_longer_than_the_functions_they_call() {
    let template = template::load();
    for (state_name, function) in [
        ("ValidateInput", "CreateExportTaskFunction"),
        ("CreateExportTask", "CreateExportTaskFunction"),
        ("CheckExportTask", "CheckExportTaskFunction"),
    ] {
        let of_state = state(&definition(), state_name).fields["TimeoutSeconds"].as_u64().unwrap();
        let of_function = template::at(&template, &["Resources", function, "Properties", "Timeout"]).as_u64().unwrap();
        assert!(of_function < of_state, "{state_name}: {of_state} s, {function}: {of_function} s");
    }
}

#[test]
fn the_template_fills_every_placeholder_and_no_other() {
    let text = read(state_machine::FILE);
    let template = template::load();
    let substitutions = template::at(&template, &["Resources", "ExportLogsStateMachine", "Properties", "DefinitionSubstitutions"]);
    let mut substituted = template::keys(substitutions);
    substituted.sort();
    assert_eq!(placeholders(&text), substituted);
    let uri = template::at(&template, &["Resources", "ExportLogsStateMachine", "Properties", "DefinitionUri"]);
    assert_eq!(uri.as_str(), Some("../statemachine/export-logs.asl.json"));
}

#[test]
fn the_readme_draws_the_graph_and_explains_every_state() {
    const README: &str = "statemachine/README.md";
    let definition = definition();
    expect_file(README, &with_code_block(&read(README), "mermaid", &mermaid(&definition)));
    let explained = headings(&read(README), 3);
    let names: Vec<String> = states(&definition).into_iter().map(|state| state.name).collect();
    assert_eq!(explained, names, "a section for each state, in the order in which a run comes to it");
}
