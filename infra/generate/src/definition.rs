//! A workflow's deployed definition: JSON, generated from the YAML with comments in the same folder.

use anyhow::{Context, Result};
use serde_norway::Value;

/// Resolves aliases. Joins the lines of each expression, because asl-validator refuses line breaks in it.
pub fn to_json(workflow: &str) -> Result<String> {
    let file = format!("statemachine/{workflow}.asl.yaml");
    let mut definition: Value = serde_norway::from_str(&crate::read(&file)?).context(file)?;
    join_expressions(&mut definition);
    Ok(serde_json::to_string_pretty(&definition)? + "\n")
}

fn join_expressions(value: &mut Value) {
    match value {
        Value::Mapping(mapping) => mapping.values_mut().for_each(join_expressions),
        Value::Sequence(items) => items.iter_mut().for_each(join_expressions),
        Value::String(text) if text.starts_with("{%") => *text = text.lines().map(str::trim).collect::<Vec<_>>().join(" "),
        _ => {}
    }
}
