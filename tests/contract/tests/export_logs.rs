//! How the export's workflow retries and waits, against what the code says of its errors and the template of its functions.

use contract::{
    read_json,
    state_machine::{EXPORT_LOGS, state, states},
    template::{self, ARCHIVE},
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
    read_json(EXPORT_LOGS)
}

fn error_name(name: &str) -> Option<ErrorName> {
    ErrorName::ALL.into_iter().find(|one| one.as_str() == name)
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

/// A function's own timeout must come first, so that its error has the function's name and not States.Timeout.
#[test]
fn states_wait_longer_than_the_functions_they_call() {
    let template = template::load(ARCHIVE);
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
