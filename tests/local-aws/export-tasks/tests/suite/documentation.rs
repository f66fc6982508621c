//! Keeps docs/local-aws.md and this suite in step: every behaviour has a source and a test, and every test is named there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const SOURCES: [&str; 7] = ["model", "doc", "seen", "verified", "choice", "inferred", "unsure"];

/// `module::name` of every test below a folder, the module being the file's name.
fn tests_below(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.append(&mut tests_below(&path));
            continue;
        }
        let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = if path.ends_with("tests.rs") { stem(path.parent().unwrap()) } else { stem(&path) };
        let source = fs::read_to_string(&path).unwrap();
        for after in source.split("test]\n").skip(1) {
            let (_, rest) = after.split_once("fn ").unwrap();
            names.insert(format!("{module}::{}", rest.split_once('(').unwrap().0));
        }
    }
    names
}

#[test]
fn every_behaviour_has_a_source_and_a_test_and_every_test_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = tests_below(&folder.join("tests/suite"));
    let policy = tests_below(&folder.join("../../../lambdas/shared/resource-policy/src"));
    let policy = policy.iter().map(|test| test.replace("src::", "policy::"));
    let existing: BTreeSet<_> = suite.union(&tests_below(&folder.join("src"))).cloned().chain(policy).collect();
    let document = fs::read_to_string(folder.join("../../../docs/local-aws.md")).unwrap();
    let mut named = BTreeSet::new();
    for table in document.split("| Behaviour | Source | Test |\n").skip(1) {
        for line in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [_, sources, tests] = cells[..] else { panic!("a row has three cells: {line}") };
            assert!(sources.split(", ").all(|source| SOURCES.contains(&source.trim_matches(['[', ']']))), "{line}");
            let tests: BTreeSet<_> = tests.split(", ").map(|test| test.trim_matches('`').to_owned()).collect();
            assert!(tests.is_subset(&existing), "there is no such test: {line}");
            named.extend(tests);
        }
    }
    let unnamed: Vec<_> = suite.difference(&named).filter(|test| !test.starts_with("documentation::")).collect();
    assert!(unnamed.is_empty(), "docs/local-aws.md does not name {unnamed:?}");
}
