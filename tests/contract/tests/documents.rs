//! The documents against the code and against what CI runs.

use contract::{
    documents::{code_blocks, local_links, markdown_files},
    path, read, read_json,
};
use export_core::{ErrorName, run::RunInput};

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
    for file in markdown_files() {
        let folder = path(&file).parent().expect("a folder").to_owned();
        for link in local_links(&read(&file)) {
            assert!(folder.join(&link).exists(), "{file} links to {link}");
        }
    }
}

#[test]
fn every_decision_is_in_the_index() {
    let index = read("docs/decisions/README.md");
    for file in markdown_files().iter().filter_map(|file| file.strip_prefix("docs/decisions/")).filter(|file| *file != "README.md") {
        assert!(index.contains(&format!("({file})")), "{file} is missing in docs/decisions/README.md");
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
    let schema = read_json("statemachine/input.schema.json");
    assert!(jsonschema::is_valid(&schema, &input));
}
