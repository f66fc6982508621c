//! Keeps docs/local-aws.md and this suite in step: every behaviour has a source and a test, and every test is named there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const SOURCES: [&str; 6] = ["model", "doc", "seen", "verified", "choice", "inferred"];

struct Behaviour {
    text: String,
    sources: Vec<String>,
    tests: Vec<String>,
}

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the tables whose header is `| Behaviour | Source | Test |`.
fn behaviours() -> Vec<Behaviour> {
    let path = crate_folder().join("../../../docs/local-aws.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut rows = Vec::new();
    let mut in_table = false;
    for line in text.lines() {
        if line == "| Behaviour | Source | Test |" {
            in_table = true;
            continue;
        }
        in_table &= line.starts_with('|');
        if !in_table || line.starts_with("|---") {
            continue;
        }
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [behaviour, sources, tests] = cells[..] else { panic!("a row has three cells: {line}") };
        let list = |cell: &str| cell.split(", ").map(|item| item.trim_matches(['`', '[', ']']).to_owned()).collect::<Vec<_>>();
        rows.push(Behaviour { text: behaviour.to_owned(), sources: list(sources), tests: list(tests) });
    }
    rows
}

/// `module::name` of every test below a folder, the module being the file's name.
fn tests_below(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.append(&mut tests_below(&path));
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let module = if stem == "tests" { folder } else { stem };
        let mut lines = source.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line == "#[test]" || line == "#[tokio::test]" {
                let signature = lines.next().unwrap();
                let (_, rest) = signature.split_once("fn ").unwrap();
                names.insert(format!("{module}::{}", rest.split_once('(').unwrap().0));
            }
        }
    }
    names
}

#[test]
fn every_behaviour_has_a_source_and_a_test_that_exists() {
    let mut existing = tests_below(&crate_folder().join("tests"));
    existing.append(&mut tests_below(&crate_folder().join("src")));
    let rows = behaviours();
    assert!(rows.len() > 40, "the tables were found: {} rows", rows.len());
    for row in rows {
        assert!(!row.text.is_empty());
        assert!(row.sources.iter().all(|source| SOURCES.contains(&source.as_str())), "{}: {:?}", row.text, row.sources);
        for test in row.tests {
            assert!(existing.contains(&test), "no such test for {:?}: {test}", row.text);
        }
    }
}

#[test]
fn every_test_of_the_suite_is_named() {
    let named: BTreeSet<_> = behaviours().into_iter().flat_map(|row| row.tests).collect();
    let unnamed: Vec<_> = tests_below(&crate_folder().join("tests/suite"))
        .into_iter()
        .filter(|test| !test.starts_with("documentation::") && !named.contains(test))
        .collect();
    assert!(unnamed.is_empty(), "docs/local-aws.md does not name {unnamed:?}");
}
