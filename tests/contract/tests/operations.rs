//! `docs/operations.md` against the code: an entry for every name that an operator can meet, and messages as they are.

use contract::{
    documents::{code_blocks, headings},
    read, read_json,
    state_machine::{COMPACT_LOGS, EXPORT_LOGS, State, error_equals, states},
};
use export_core::{
    ErrorName, ExportError,
    check::Outcome,
    create::{SkipReason, WarningName},
    plan::ValidateRequest,
    service::{Destination, ServiceFailure, archive_error, create_error, logs_error},
};
use serde_json::{Value, json};

const DOCUMENT: &str = "docs/operations.md";

/// Ends of an execution that no catcher of the workflow can take, or that come from outside it. AWS's own names.
const UNCAUGHT: [&str; 5] = ["States.DataLimitExceeded", "States.QueryEvaluationError", "States.Runtime", "TIMED_OUT", "ABORTED"];

fn written(name: Value) -> String {
    name.as_str().expect("a name").to_owned()
}

/// The names in quotes in an expression such as `{% $exists($error) ? $error : 'ExportsFailed' %}`.
fn quoted(expression: &str) -> Vec<String> {
    if !expression.starts_with("{%") {
        return vec![expression.to_owned()];
    }
    expression.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Those of both state machines.
fn all_states() -> Vec<State> {
    [EXPORT_LOGS, COMPACT_LOGS].iter().flat_map(|file| states(&read_json(file))).collect()
}

/// What the Fail states end an execution with, besides what refused its input.
fn run_errors() -> Vec<String> {
    let states = all_states();
    let fails = states.iter().filter(|state| state.kind() == "Fail");
    fails.flat_map(|state| quoted(state.fields["Error"].as_str().expect("an error name"))).collect()
}

/// Those of the functions, and those that the workflow's own Pass states give.
fn outcomes() -> Vec<String> {
    let by_function = [0, 1].map(|objects| written(json!(Outcome::of(objects))));
    let by_workflow = all_states().into_iter().filter_map(|state| state.fields.get("Output")?["outcome"].as_str().map(quoted));
    by_function.into_iter().chain(by_workflow.flatten()).collect()
}

fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Names that have an entry: a heading of the third level has one, or several with commas between.
fn entries() -> Vec<String> {
    headings(&read(DOCUMENT), 3).iter().flat_map(|heading| heading.split(", ")).map(str::to_owned).collect()
}

#[test]
fn every_name_an_operator_can_meet_has_one_entry_and_nothing_else_has() {
    let names = ErrorName::ALL.map(|name| name.to_string()).into_iter();
    let names = names
        .chain(SkipReason::ALL.map(|reason| written(json!(reason))))
        .chain(WarningName::ALL.map(|warning| written(json!(warning))))
        .chain(outcomes())
        .chain(run_errors());
    let names = sorted(names.filter(|name| !name.is_empty()).chain(UNCAUGHT.map(str::to_owned)));
    assert_eq!(sorted(entries()), names);
    assert_eq!(entries().len(), names.len(), "a name has two entries: {:?}", entries());
}

#[test]
fn the_names_are_those_this_test_believes_in() {
    assert_eq!(sorted(run_errors()), ["AuditFailed", "CompactionFailed", "ExportsFailed", "InvalidInput", "NotificationFailed"]);
    assert_eq!(sorted(outcomes()), ["compacted", "empty", "exported", "failed", "skipped"]);
}

#[test]
fn every_error_of_aws_that_the_workflow_waits_for_is_explained() {
    let document = read(DOCUMENT);
    for state in all_states() {
        for name in state.retriers().iter().chain(&state.catchers()).flat_map(error_equals).filter(|name| name.contains('.')) {
            // Wildcards stand for others.
            if name != "States.ALL" && name != "States.TaskFailed" {
                assert!(document.contains(&format!("`{name}`")), "{name}, which {} waits for, is not in {DOCUMENT}", state.name);
            }
        }
    }
}

/// Every entry says what to do, and those of errors show the text as it appears.
#[test]
fn every_entry_has_its_parts() {
    let document = read(DOCUMENT);
    for entry in document.split("\n### ").skip(1) {
        let entry = entry.split("\n## ").next().unwrap_or_default();
        let (heading, body) = entry.split_once('\n').expect("an entry has a text");
        for part in ["**Meaning.**", "**See it.**", "**Do.**"] {
            assert!(body.contains(part), "{heading} has no {part}");
        }
        if ErrorName::ALL.iter().any(|name| heading.contains(name.as_str())) {
            assert!(!code_blocks(body, "text").is_empty(), "{heading} does not show its text");
        }
    }
}

fn refused(operation: &'static str, code: &str, message: &str) -> ServiceFailure {
    ServiceFailure { operation, code: Some(code.to_owned()), message: message.to_owned(), status: Some(400) }
}

fn refused_run(input: Value) -> ExportError {
    let event = json!({"validate": input, "startTime": "2026-11-01T02:00:00Z"});
    ValidateRequest::parse(&event).and_then(|request| request.plan()).expect_err("the input is wrong")
}

/// Messages that export-core makes, for the example of the document.
fn messages() -> Vec<ExportError> {
    let destination = Destination { bucket: "my-log-archive", region: "ap-northeast-1" };
    let silence = ServiceFailure { operation: "DescribeLogGroups", code: None, message: "request has timed out".into(), status: None };
    let create = |message| create_error(&refused("CreateExportTask", "InvalidParameterException", message), destination);
    vec![
        logs_error(&refused("CreateExportTask", "ThrottlingException", "Rate exceeded")),
        logs_error(&silence),
        archive_error(&refused("PutObject", "SlowDown", "Please reduce your request rate."), destination, ""),
        refused_run(json!({"s3BucketName": "my-log-archive", "timezone": "Tokyo", "logGroups": ["/aws/lambda/or:ders"]})),
        refused_run(json!({"s3BucketName": "my-log-archive", "month": "2026-10", "logGroups": ["/aws/lambda/orders"]})),
        create("The given bucket does not exist. Please make sure the bucket is valid."),
        create(
            "GetBucketAcl call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.",
        ),
        create("Please ensure that the CreateExportTask caller has been granted s3:PutObject access to the bucket."),
        logs_error(&refused(
            "DescribeExportTasks",
            "AccessDeniedException",
            "User: arn:aws:sts::123456789012:assumed-role/... is not authorized to perform: logs:DescribeExportTasks",
        )),
    ]
}

#[test]
fn messages_stand_there_as_the_code_writes_them() {
    let document = read(DOCUMENT);
    let shown: Vec<&str> = code_blocks(&document, "text").into_iter().flat_map(str::lines).collect();
    for error in messages() {
        assert!(shown.contains(&error.to_string().as_str()), "{DOCUMENT} does not show: {error}");
    }
}

/// Messages of the functions, whose crates this one does not build: the words between their placeholders.
#[test]
fn messages_of_the_functions_use_the_functions_words() {
    let document = read(DOCUMENT);
    for (file, fragments) in [
        (
            "lambdas/check-export-task/src/task.rs",
            &[
                "; CloudWatch Logs says: ",
                "CloudWatch Logs knows no such export task in this account and Region",
                "was not done when the polling ended, after 26 hours and more: its cancellation is asked for, so that the slot becomes free",
            ][..],
        ),
        ("lambdas/create-export-task/src/slot.rs", &["the account's only export slot in this Region is held by "]),
        (
            "lambdas/create-export-task/src/log_group.rs",
            &["are deleted or about to be, and may be missing from the archive; keep them for "],
        ),
        (
            "lambdas/create-export-task/src/lib.rs",
            &[
                " lay there and is replaced, because ",
                "; in a versioned bucket its old version is kept",
                "CreateExportTask answered without a taskId",
            ],
        ),
    ] {
        for fragment in fragments {
            assert!(read(file).contains(fragment), "{file} no longer says: {fragment}");
            assert!(document.contains(fragment), "{DOCUMENT} does not say: {fragment}");
        }
    }
}
