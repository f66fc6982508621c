//! Generates files of the product from others.

pub mod athena;
mod definition;
mod diagram;
mod time_zones;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The generated files. Some have only a generated section.
const FILES: [&str; 7] = [
    "infra/athena.yaml",
    "infra/saved-queries.yaml",
    "statemachine/input.schema.json",
    "statemachine/export-logs.asl.json",
    "statemachine/compact-logs.asl.json",
    "statemachine/README.md",
    "statemachine/compact-logs.md",
];

/// The generated text of a file.
fn generate(file: &str, present: &str) -> Result<String> {
    match file {
        "infra/athena.yaml" => athena::replace_views(present),
        "infra/saved-queries.yaml" => athena::replace_saved_queries(present),
        "statemachine/input.schema.json" => time_zones::replace_time_zones(present),
        "statemachine/export-logs.asl.json" => definition::to_json("export-logs"),
        "statemachine/compact-logs.asl.json" => definition::to_json("compact-logs"),
        "statemachine/README.md" => diagram::replace_diagram(present, "export-logs"),
        "statemachine/compact-logs.md" => diagram::replace_diagram(present, "compact-logs"),
        other => bail!("{other} is not generated"),
    }
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(path(file)).with_context(|| format!("cannot read {file}"))
}

/// The files that are out of date, with their new texts.
pub fn stale() -> Result<Vec<(&'static str, String)>> {
    let mut stale = Vec::new();
    for file in FILES {
        let present = read(file)?;
        let text = generate(file, &present).with_context(|| file.to_owned())?;
        if text != present {
            stale.push((file, text));
        }
    }
    Ok(stale)
}

pub fn write(file: &str, text: &str) -> Result<()> {
    fs::write(path(file), text).with_context(|| format!("cannot write {file}"))
}

/// Replaces the text between two marks.
fn replace_between(text: &str, begin: &str, end: &str, new: &str) -> Result<String> {
    let (before, rest) = text.split_once(begin).with_context(|| format!("the mark {begin:?} is missing"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("the mark {end:?} is missing after {begin:?}"))?;
    Ok(format!("{before}{begin}{new}{end}{after}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_generated_file_is_up_to_date() {
        let stale: Vec<_> = super::stale().unwrap().into_iter().map(|(file, _)| file).collect();
        assert!(stale.is_empty(), "out of date: {stale:?}. Run cargo generate-infra");
    }
}
