//! The documents against the code, the stack, and what CI runs.

use std::collections::BTreeSet;

use contract::{
    documents::{code_blocks, headings, local_links, section},
    files, path, read, read_json,
    state_machine::{COMPACT_LOGS, EXPORT_LOGS, states},
    template::{ARCHIVE, keys, load},
};
use export_core::{
    ErrorName,
    check::Outcome,
    create::{SkipReason, WarningName},
    error::Retry,
    run::RunInput,
};
use serde_json::json;

/// The README's shell commands, each with the line of a step of `.ci/run` that carries it out.
const COMMANDS: [(&str, &str); 4] = [
    ("cargo demo", "  cargo demo"),
    ("cargo test", "  cargo test --workspace --locked"),
    ("cd infra", "  (cd infra && sam build --build-dir"),
    ("sam build", "  (cd infra && sam build --build-dir"),
];

/// Needs a real account. What it deploys is what `cargo demo` deploys to the local CloudFormation.
const NOT_RUN: &str = "sam deploy --guided";

#[test]
fn every_command_of_the_readme_is_run_by_ci() {
    let ci = read(".ci/run");
    for line in code_blocks(&read("README.md"), "sh").into_iter().flat_map(str::lines).filter(|line| *line != NOT_RUN) {
        let (_, step) = COMMANDS.iter().find(|(command, _)| *command == line).unwrap_or_else(|| panic!("nobody runs `{line}`"));
        assert!(ci.lines().any(|line| line.starts_with(step)), ".ci/run has no line `{step}`");
    }
}

#[test]
fn every_link_into_the_repository_leads_somewhere() {
    for file in files("", "md") {
        let folder = path(&file).parent().expect("a folder").to_owned();
        for link in local_links(&read(&file)) {
            assert!(folder.join(link).exists(), "{file} links to {link}");
        }
    }
}

#[test]
fn every_decision_is_in_the_index() {
    let index = read("docs/decisions/README.md");
    for file in files("docs/decisions", "md").iter().filter_map(|file| file.strip_prefix("docs/decisions/0")) {
        assert!(index.contains(&format!("(0{file})")), "0{file} is missing in docs/decisions/README.md");
    }
}

/// `$(output Name)` is a function that the documents define; its own definition asks for `$1`.
#[test]
fn every_output_and_resource_that_a_document_asks_for_is_one_of_the_stack() {
    let stack = load(ARCHIVE);
    for (beginning, known) in [("$(output ", "Outputs"), ("OutputKey=='", "Outputs"), ("--logical-resource-id ", "Resources")] {
        let known = keys(&stack[known]);
        for file in files("", "md") {
            for rest in read(&file).split(beginning).skip(1).filter(|rest| !rest.starts_with("$1")) {
                let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                assert!(known.contains(&name), "{file} asks for {beginning}{name}");
            }
        }
    }
}

#[test]
fn the_readme_names_every_error() {
    let readme = read("README.md");
    for name in ErrorName::ALL {
        assert!(readme.contains(&format!("`{name}`")), "the README does not name {name}");
    }
}

#[test]
fn the_readmes_input_is_a_valid_one() {
    let readme = read("README.md");
    let [input] = code_blocks(&readme, "json")[..] else { panic!("one JSON block in the README") };
    let input = serde_json::from_str(input).expect("the README's input is JSON");
    assert_eq!(RunInput::parse(&input).map(|run| run.entries.len()), Ok(3));
    assert!(jsonschema::is_valid(&read_json("statemachine/input.schema.json"), &input));
}

/// Ends of an execution that no catcher of the workflow can take, or that come from outside it. AWS's own names.
const UNCAUGHT: [&str; 5] = ["States.DataLimitExceeded", "States.QueryEvaluationError", "States.Runtime", "TIMED_OUT", "ABORTED"];

/// The names in an error or outcome of a state: written as it is, or in quotes in an expression.
fn quoted(expression: &str) -> Vec<String> {
    if !expression.starts_with("{%") {
        return vec![expression.to_owned()];
    }
    expression.split('\'').skip(1).step_by(2).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What the Fail states end an execution with, and the outcomes that the other states give an entry.
fn names_of_the_workflows() -> Vec<String> {
    let states = [EXPORT_LOGS, COMPACT_LOGS].iter().flat_map(|file| states(&read_json(file)));
    let name = |field: &serde_json::Value| field.as_str().map(quoted).unwrap_or_default();
    states
        .flat_map(|state| [state.fields.get("Error").map(name), state.fields.get("Output").map(|output| name(&output["outcome"]))])
        .flatten()
        .flatten()
        .collect()
}

/// A heading of the third level has one name, or several with commas between.
#[test]
fn operations_has_one_entry_for_every_name_that_an_operator_can_meet() {
    let mut entries: Vec<String> =
        headings(&read("docs/operations.md"), 3).iter().flat_map(|heading| heading.split(", ")).map(str::to_owned).collect();
    entries.sort();
    let written = |name: serde_json::Value| name.as_str().expect("a name").to_owned();
    let mut names: BTreeSet<String> = names_of_the_workflows().into_iter().collect();
    names.extend(ErrorName::ALL.map(|name| name.to_string()));
    names.extend(SkipReason::ALL.map(|reason| written(json!(reason))));
    names.extend(WarningName::ALL.map(|warning| written(json!(warning))));
    names.extend([0, 1].map(|objects| written(json!(Outcome::of(objects)))));
    names.extend(UNCAUGHT.map(str::to_owned));
    assert_eq!(entries, names.into_iter().collect::<Vec<_>>());
}

/// Which errors ring at once, and which are left to the run's end.
#[test]
fn monitoring_names_the_errors_that_the_metric_counts() {
    let document = read("docs/monitoring.md");
    let section = section(&document, "### `FunctionErrors`");
    let paragraph = |beginning: &str| section.split("\n\n").find(|paragraph| paragraph.starts_with(beginning)).expect("the paragraph");
    let (counted, others) = (paragraph("**Why.**"), paragraph("Other errors"));
    for name in ErrorName::ALL {
        let named = [counted, others].map(|paragraph| paragraph.contains(&format!("`{name}`")));
        assert_eq!(named, [name.is_fault(), name.retry() == Retry::Never && !name.is_fault()], "{name}");
    }
}
