//! Reads the artifacts that must agree: the workflow, its documents, the template and the code.
//!
//! Each check in `tests/` holds two of them together. A check that writes a generated part of a document does so with
//! `BLESS=1`; without it, a part out of step is a failure.

pub mod athena;
pub mod dashboard;
pub mod documents;
pub mod performance;
pub mod policy;
pub mod state_machine;
pub mod template;

use std::path::PathBuf;

use serde_json::Value;

pub fn path(relative: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(relative)
}

/// A file of the repository as text.
pub fn read(relative: &str) -> String {
    std::fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

pub fn read_json(relative: &str) -> Value {
    serde_json::from_str(&read(relative)).unwrap_or_else(|error| panic!("{relative} is not JSON: {error}"))
}

/// Compares a file with what it should hold, or writes it where `BLESS` is set.
#[track_caller]
pub fn expect_file(relative: &str, expected: &str) {
    if std::env::var_os("BLESS").is_some() && std::fs::read_to_string(path(relative)).ok().as_deref() != Some(expected) {
        // In one step: other tests read the file meanwhile.
        let new = path(&format!("{relative}.new"));
        let written = std::fs::write(&new, expected).and_then(|()| std::fs::rename(&new, path(relative)));
        written.unwrap_or_else(|error| panic!("{relative}: {error}"));
    }
    assert!(read(relative) == expected, "{relative} is out of step: run BLESS=1 cargo test -p contract, and look at the change");
}
