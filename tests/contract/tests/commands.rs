//! The commands of the documents against the stack: what they ask it for, it has.

use std::collections::BTreeSet;

use contract::{
    documents::markdown_files,
    read,
    template::{ARCHIVE, at, keys, load},
};

/// The names that stand behind a beginning, each with its document.
fn named(beginning: &str) -> BTreeSet<(String, String)> {
    let mut names = BTreeSet::new();
    for file in markdown_files() {
        for rest in read(&file).split(beginning).skip(1) {
            let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            assert!(!name.is_empty(), "{file}: nothing is named by {beginning}{}", rest.chars().take(40).collect::<String>());
            names.insert((file.clone(), name));
        }
    }
    names
}

fn section(name: &str) -> BTreeSet<String> {
    keys(at(&load(ARCHIVE), &[name])).into_iter().collect()
}

fn nowhere(beginning: &str, known: &BTreeSet<String>) -> Vec<(String, String)> {
    named(beginning).into_iter().filter(|(_, name)| !known.contains(name)).collect()
}

/// `output` is the function that the documents define; its own definition asks for `$1`.
#[test]
fn every_output_that_a_document_asks_for_is_one_of_the_stack() {
    let outputs = section("Outputs");
    assert_eq!(nowhere("$(output ", &outputs), []);
    let literal = "OutputKey=='";
    let asked = markdown_files().into_iter().flat_map(|file| {
        let text = read(&file);
        let names = text.split(literal).skip(1).filter_map(|rest| rest.split_once('\'')).map(|(name, _)| name.to_owned());
        names.filter(|name| name != "$1").map(|name| (file.clone(), name)).collect::<Vec<_>>()
    });
    assert_eq!(asked.filter(|(_, name)| !outputs.contains(name)).collect::<Vec<_>>(), []);
    assert!(named("$(output ").iter().map(|(_, name)| name).collect::<BTreeSet<_>>().len() >= 6);
}

/// A resource of a nested stack is none of the stack itself.
#[test]
fn every_resource_that_a_document_asks_for_is_one_of_the_stack_itself() {
    assert_eq!(nowhere("--logical-resource-id ", &section("Resources")), []);
}

/// What a document uses `output` for, it defines or says where it is defined.
#[test]
fn every_document_that_uses_output_says_what_it_is() {
    for (file, name) in named("$(output ") {
        let text = read(&file);
        assert!(text.contains("output() {") || text.contains("operations.md#where-to-look"), "{file}: $(output {name})");
    }
}
