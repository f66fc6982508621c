//! The workflows against the error names of the code, AWS's names, the templates and their own descriptions.

use contract::{
    documents::{headings, with_code_block},
    expect_file, read, read_json,
    state_machine::{COMPACT_LOGS, EXPORT_LOGS, WATCH_ARCHIVE, error_equals, mermaid, placeholders, states},
    template::{self, ARCHIVE, COMPACTION, MONITORING},
};
use export_core::ErrorName;

/// Names that AWS gives to errors, as far as the workflows may use them. `States.*` and `Lambda.*` are in Step Functions'
/// documentation of error names and of Lambda's integration, `Sandbox.Timedout` there as what newer runtimes report for a
/// timeout; `Runtime.*` are the error types in Lambda's answer for a process that exited; the others are exceptions of the
/// services, named as the integrations name them.
const AWS_NAMES: [&str; 24] = [
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
    "Athena.TooManyRequestsException",
    "Athena.InternalServerException",
    "Athena.AmazonAthenaException",
    "Athena.SdkClientException",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.SdkClientException",
];

struct Workflow {
    definition: &'static str,
    readme: &'static str,
    template: &'static str,
    resource: &'static str,
    /// The template's property that names the definition.
    uri: &'static str,
    /// Where an execution and, with a map, each of its children begin.
    starts: &'static [&'static str],
}

const WORKFLOWS: [Workflow; 3] = [
    Workflow {
        definition: EXPORT_LOGS,
        readme: "statemachine/README.md",
        template: ARCHIVE,
        resource: "ExportLogsStateMachine",
        uri: "DefinitionUri",
        starts: &["ValidateInput", "PrepareEntry"],
    },
    Workflow {
        definition: COMPACT_LOGS,
        readme: "statemachine/compact-logs.md",
        template: COMPACTION,
        resource: "CompactLogsStateMachine",
        uri: "DefinitionS3Location",
        starts: &["ValidateMonth", "PrepareLogGroup"],
    },
    Workflow {
        definition: WATCH_ARCHIVE,
        readme: "statemachine/watch-archive.md",
        template: MONITORING,
        resource: "WatchArchiveStateMachine",
        uri: "DefinitionS3Location",
        starts: &["ListSuccesses"],
    },
];

#[test]
fn every_error_name_is_ours_or_awss() {
    for workflow in WORKFLOWS {
        for state in states(&read_json(workflow.definition)) {
            for name in state.retriers().iter().chain(&state.catchers()).flat_map(error_equals) {
                let ours = ErrorName::ALL.iter().any(|one| one.as_str() == name);
                assert!(ours || AWS_NAMES.contains(&name.as_str()), "{}: nobody answers with {name}", state.name);
            }
        }
    }
}

#[test]
fn every_task_and_map_has_a_net_for_its_errors() {
    for workflow in WORKFLOWS {
        let states = states(&read_json(workflow.definition)).into_iter();
        for state in states.filter(|state| state.kind() == "Task" || state.kind() == "Map") {
            let catchers = state.catchers();
            assert_eq!(catchers.last().map(error_equals), Some(vec!["States.ALL".to_owned()]), "{} lets errors through", state.name);
        }
    }
}

#[test]
fn every_next_exists_and_every_state_can_be_reached() {
    for workflow in WORKFLOWS {
        let states = states(&read_json(workflow.definition));
        for state in &states {
            for (next, _) in state.transitions() {
                let target = states.iter().find(|other| other.name == next);
                assert_eq!(target.map(|other| &other.map), Some(&state.map), "{} leads to {next}", state.name);
            }
            let started = workflow.starts.contains(&state.name.as_str());
            let reached = states.iter().any(|other| other.transitions().iter().any(|(next, _)| *next == state.name));
            assert!(started || reached, "nothing leads to {}", state.name);
        }
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
        "Compact",
        "Read",
        "Write",
        "Count",
        "Remove",
        "Add",
        "Drop",
        "Record",
        "Discard",
    ];
    for state in WORKFLOWS.iter().flat_map(|workflow| states(&read_json(workflow.definition))) {
        assert!(verbs.iter().any(|verb| state.name.starts_with(verb)), "{}", state.name);
        assert!(state.name.chars().all(|character| character.is_ascii_alphanumeric()), "{}", state.name);
        assert!(state.fields["Comment"].as_str().is_some_and(|comment| !comment.is_empty()), "{} says nothing of itself", state.name);
    }
}

#[test]
fn the_template_fills_every_placeholder_and_no_other() {
    for workflow in WORKFLOWS {
        let text = read(workflow.definition);
        let template = template::load(workflow.template);
        let properties = template::at(&template, &["Resources", workflow.resource, "Properties"]);
        let mut substituted = template::keys(template::at(properties, &["DefinitionSubstitutions"]));
        substituted.sort();
        assert_eq!(placeholders(&text), substituted);
        let uri = template::at(properties, &[workflow.uri]);
        assert_eq!(uri.as_str(), Some(format!("../{}", workflow.definition).as_str()));
    }
}

#[test]
fn the_readme_draws_the_graph_and_explains_every_state() {
    for Workflow { definition, readme, .. } in WORKFLOWS {
        let definition = read_json(definition);
        expect_file(readme, &with_code_block(&read(readme), "mermaid", &mermaid(&definition)));
        let explained = headings(&read(readme), 3);
        let names: Vec<String> = states(&definition).into_iter().map(|state| state.name).collect();
        assert_eq!(explained, names, "{readme}: a section for each state, in the order in which a run comes to it");
    }
}
