//! Compares the documents with the code, the stack and CI.

use std::collections::BTreeSet;

use contract::{
    documents::{anchors, code, code_blocks, local_links, rows, section},
    files, path, read, read_json,
    state_machine::{COMPACT_LOGS, EXPORT_LOGS, states},
    template::{ARCHIVE, keys, load},
};
use export_core::{BucketName, ErrorName, Prefix, SettleDays, input::RunInput, place::Stack};

/// The README's shell commands, each with a part of the line of `.ci/run` that executes it.
const COMMANDS: [(&str, &str); 6] = [
    ("cargo demo", "coproc DEMO { exec cargo demo --stay"),
    ("export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test", "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \"${look[@]}\""),
    (
        "cargo logs-archive --endpoint-url http://127.0.0.1:<port> --region ap-northeast-1 status   # the demo prints this line",
        "if [[ $line == \"cargo logs-archive \"* ]]; then",
    ),
    ("export AWS_DEFAULT_REGION=ap-northeast-1", "env -u AWS_PROFILE AWS_DEFAULT_REGION=ap-northeast-1 "),
    ("cd infra", "(cd infra && "),
    ("sam build", "sam build --build-dir"),
];

/// This command needs a real account. `deploy_lines.py` checks its parameters.
const NOT_RUN: &str = "sam deploy --parameter-overrides LogGroups=/aws/lambda/orders,/ecs/web NotificationEmail=ops@example.com";

#[test]
fn every_command_of_the_readme_is_run_by_ci() {
    let ci = read(".ci/run");
    for line in code_blocks(&read("README.md"), "sh").into_iter().flat_map(str::lines).filter(|line| *line != NOT_RUN) {
        let (_, step) =
            COMMANDS.iter().find(|(command, _)| *command == line).unwrap_or_else(|| panic!("CI does not run `{line}`: add it to COMMANDS"));
        assert!(ci.lines().any(|line| line.contains(step)), ".ci/run has no line `{step}`");
    }
}

#[test]
fn every_link_into_the_repository_has_a_target() {
    for file in files("", "md") {
        let folder = path(&file).parent().expect("a folder").to_owned();
        for link in local_links(&read(&file)) {
            let (name, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if name.is_empty() { path(&file) } else { folder.join(name) };
            assert!(target.exists(), "{file} links to {link}");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(target).expect("a document");
                assert!(anchors(&text).iter().any(|heading| heading == anchor), "{file} links to {link}");
            }
        }
    }
}

#[test]
fn every_document_is_in_the_index() {
    let index = read("docs/README.md");
    for file in files("docs", "md").iter().filter_map(|file| file.strip_prefix("docs/")) {
        assert!(
            file.contains("README") || file.contains('/') || index.contains(&format!("]({file})")),
            "{file} is missing in docs/README.md"
        );
    }
}

#[test]
fn every_decision_is_in_the_index() {
    let index = read("docs/decisions/README.md");
    for file in files("docs/decisions", "md").iter().filter_map(|file| file.strip_prefix("docs/decisions/0")) {
        assert!(index.contains(&format!("(0{file})")), "0{file} is missing in docs/decisions/README.md");
    }
}

/// The documents define the shell function `$(output Name)`. Its definition contains `$1`.
#[test]
fn the_stack_has_every_output_and_resource_that_a_document_reads() {
    let stack = load(ARCHIVE);
    for (prefix, section) in [("$(output ", "Outputs"), ("OutputKey=='", "Outputs"), ("--logical-resource-id ", "Resources")] {
        let names = keys(&stack[section]);
        for file in files("", "md") {
            for rest in read(&file).split(prefix).skip(1).filter(|rest| !rest.starts_with("$1")) {
                let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                assert!(names.contains(&name), "{file} reads {prefix}{name}");
            }
        }
    }
}

#[test]
fn the_documented_input_of_a_run_is_valid() {
    let document = read("docs/runs.md");
    let [input] = code_blocks(&document, "json")[..] else { panic!("one JSON block in docs/runs.md") };
    let input = serde_json::from_str(input).expect("the document's input is JSON");
    let stack = Stack {
        account: "111122223333".to_owned(),
        region: "ap-northeast-1".to_owned(),
        partition: "aws".to_owned(),
        bucket: BucketName::parse("my-log-archive").expect("a bucket's name"),
        s3_prefix: Prefix::parse("cloudwatch-logs").expect("a prefix"),
        timezone: "Asia/Tokyo".parse().expect("a time zone"),
        settle_days: SettleDays::default(),
    };
    assert_eq!(RunInput::parse(&input, &stack).map(|run| run.entries.len()), Ok(3));
    assert!(jsonschema::is_valid(&read_json("statemachine/input.schema.json"), &input));
}

/// The enums of outcomes, reasons and warnings. The test reads their variants from the code, so that a new one needs a row.
const ENUMS: [(&str, &str); 5] = [
    ("lambdas/shared/export-core/src/manifest.rs", "Outcome"),
    ("lambdas/shared/export-core/src/manifest.rs", "Reason"),
    ("lambdas/shared/export-core/src/missing.rs", "OpenOutcome"),
    ("lambdas/shared/export-core/src/contract/create.rs", "SkipReason"),
    ("lambdas/shared/export-core/src/warning.rs", "WarningName"),
];

/// AWS's names for ends of an execution that the workflow cannot catch.
const UNCAUGHT: [&str; 5] = ["States.DataLimitExceeded", "States.QueryEvaluationError", "States.Runtime", "TIMED_OUT", "ABORTED"];

fn variants(file: &str, name: &str) -> Vec<String> {
    let code = read(file);
    let (_, rest) = code.split_once(&format!("pub enum {name} {{\n")).unwrap_or_else(|| panic!("{file} has no enum {name}"));
    let body = rest.split("\n}").next().unwrap_or_default();
    body.lines()
        .map(str::trim)
        .filter(|line| line.trim_end_matches(',').chars().all(char::is_alphanumeric))
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

/// The manifests write outcomes in snake case.
fn snake_case(variant: &str) -> String {
    let words = variant.char_indices().map(|(at, letter)| match letter.is_ascii_uppercase() && at > 0 {
        true => format!("_{}", letter.to_ascii_lowercase()),
        false => letter.to_ascii_lowercase().to_string(),
    });
    words.collect()
}

/// The errors of the workflows' Fail states.
fn errors_of_fail_states() -> Vec<String> {
    let states = [EXPORT_LOGS, COMPACT_LOGS].iter().flat_map(|file| states(&read_json(file)));
    let errors = states.filter_map(|state| state.fields.get("Error")?.as_str().map(str::to_owned));
    errors.filter(|error| !error.starts_with("{%")).collect()
}

/// An entry is a row of a table below `## Names`. Its first cell has the name.
#[test]
fn operations_has_one_entry_for_every_name_in_a_report_or_an_execution() {
    let document = read("docs/operations.md");
    let names_section = section(&document, "## Names");
    let entries: Vec<(String, String)> =
        rows(names_section).iter().flat_map(|row| code(row[0]).into_iter().map(|name| (name, row.join("|")))).collect();
    let mut names: BTreeSet<String> = errors_of_fail_states().into_iter().collect();
    names.extend(ErrorName::ALL.iter().map(|name| name.to_string()));
    for (file, name) in ENUMS {
        let variants = variants(file, name).into_iter();
        names.extend(variants.map(|variant| if name.ends_with("Outcome") { snake_case(&variant) } else { variant }));
    }
    names.extend(UNCAUGHT.map(str::to_owned));
    let mut documented: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
    documented.sort();
    assert_eq!(documented, names.into_iter().collect::<Vec<_>>());
    for name in ErrorName::ALL {
        let (_, row) = entries.iter().find(|(entry, _)| entry == name.as_str()).expect("a row");
        assert!(row.contains(name.advice()), "docs/operations.md does not give the advice on {name}: {}", name.advice());
    }
}

#[test]
fn monitoring_names_the_errors_that_the_metric_counts() {
    let document = read("docs/monitoring.md");
    let (_, faults) = document.split_once("\n- *Faults of the functions* ").expect("the list of faults");
    let faults = faults.split("\n- ").next().unwrap_or_default();
    for name in ErrorName::ALL {
        assert_eq!(faults.contains(&format!("`{name}`")), name.is_fault(), "{name}");
    }
}
