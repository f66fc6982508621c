//! Readers for the artifacts that must agree: workflows, templates, documents and policies. Each test in `tests/` compares two of them.

pub mod documents;
pub mod policy;
pub mod state_machine;
pub mod template;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

/// A file of the repository as text.
pub fn read(relative: &str) -> String {
    std::fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

pub fn read_json(relative: &str) -> Value {
    serde_json::from_str(&read(relative)).unwrap_or_else(|error| panic!("{relative} is not JSON: {error}"))
}

/// The files below a folder with this extension, without hidden and generated folders.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let file = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if !entry.file_type().expect("its type").is_dir() {
            files.extend(name.ends_with(&format!(".{extension}")).then_some(file));
        } else if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
            files.extend(self::files(&file, extension));
        }
    }
    files.sort();
    files
}
