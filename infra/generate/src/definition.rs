//! A workflow's definition as it is deployed: JSON made of the commented YAML beside it.

use anyhow::{Context, Result};
use serde_norway::Value;

/// Aliases are resolved. Each expression is on one line, because asl-validator refuses line breaks in it.
pub fn of(workflow: &str) -> Result<String> {
    let file = format!("statemachine/{workflow}.asl.yaml");
    let mut definition: Value = serde_norway::from_str(&crate::read(&file)?).context(file)?;
    fold(&mut definition);
    Ok(serde_json::to_string_pretty(&definition)? + "\n")
}

fn fold(value: &mut Value) {
    match value {
        Value::Mapping(mapping) => mapping.values_mut().for_each(fold),
        Value::Sequence(items) => items.iter_mut().for_each(fold),
        Value::String(text) if text.starts_with("{%") => *text = text.lines().map(str::trim).collect::<Vec<_>>().join(" "),
        _ => {}
    }
}
