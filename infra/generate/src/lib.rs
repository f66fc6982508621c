//! The files of the product that are made of others: one function for each.

pub mod athena;
mod definition;
mod diagram;
mod time_zones;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Makes a file's new text of its present one.
type Generate = fn(&str) -> Result<String>;

const FILES: [(&str, Generate); 7] = [
    ("infra/athena.yaml", athena::with_views),
    ("infra/saved-queries.yaml", athena::saved_queries_template),
    ("statemachine/input.schema.json", time_zones::with_time_zones),
    ("statemachine/export-logs.asl.json", |_| definition::of("export-logs")),
    ("statemachine/compact-logs.asl.json", |_| definition::of("compact-logs")),
    ("statemachine/README.md", |text| diagram::with_diagram(text, "export-logs")),
    ("statemachine/compact-logs.md", |text| diagram::with_diagram(text, "compact-logs")),
];

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(path(file)).with_context(|| format!("cannot read {file}"))
}

/// The files that are out of step, each with the text that it should have.
pub fn stale() -> Result<Vec<(&'static str, String)>> {
    let mut stale = Vec::new();
    for (file, generate) in FILES {
        let present = read(file)?;
        let text = generate(&present).with_context(|| file.to_owned())?;
        if text != present {
            stale.push((file, text));
        }
    }
    Ok(stale)
}

pub fn write(file: &str, text: &str) -> Result<()> {
    fs::write(path(file), text).with_context(|| format!("cannot write {file}"))
}

/// What stands between two marks in a text gives way to something else.
fn replace_between(text: &str, begin: &str, end: &str, new: &str) -> Result<String> {
    let (before, rest) = text.split_once(begin).with_context(|| format!("there is no {begin:?}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("there is no {end:?} after {begin:?}"))?;
    Ok(format!("{before}{begin}{new}{end}{after}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_generated_file_is_in_step_with_its_sources() {
        let stale: Vec<_> = super::stale().unwrap().into_iter().map(|(file, _)| file).collect();
        assert!(stale.is_empty(), "out of step, run cargo generate-infra: {stale:?}");
    }
}
