//! Compares docs/local-aws.md with this suite: every behaviour has a source and a test, and every test is in the document.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const SOURCES: [&str; 7] = ["model", "doc", "seen", "verified", "choice", "inferred", "unsure"];

/// The names of all tests below a folder, as `file::test`.
fn test_names(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.append(&mut test_names(&path));
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
fn the_document_has_a_source_and_a_test_for_every_behaviour_and_names_every_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = test_names(&folder.join("tests/suite"));
    let policy = test_names(&folder.join("../../../lambdas/shared/resource-policy/src"));
    let policy = policy.iter().map(|test| test.replace("src::", "policy::"));
    let existing: BTreeSet<_> = suite.union(&test_names(&folder.join("src"))).cloned().chain(policy).collect();
    let document = fs::read_to_string(folder.join("../../../docs/local-aws.md")).unwrap();
    let mut documented = BTreeSet::new();
    for table in document.split("| Behaviour | Source | Test |\n").skip(1) {
        for line in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [_, sources, tests] = cells[..] else { panic!("a row has three cells: {line}") };
            assert!(sources.split(", ").all(|source| SOURCES.contains(&source.trim_matches(['[', ']']))), "{line}");
            let tests: BTreeSet<_> = tests.split(", ").map(|test| test.trim_matches('`').to_owned()).collect();
            assert!(tests.is_subset(&existing), "a test does not exist: {line}");
            documented.extend(tests);
        }
    }
    let missing: Vec<_> = suite.difference(&documented).filter(|test| !test.starts_with("documentation::")).collect();
    assert!(missing.is_empty(), "docs/local-aws.md lacks {missing:?}");
}
