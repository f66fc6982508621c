//! The stack's parameter `LogGroups`, which fills the schedule's input when the stack is deployed.

use serde_json::Value;

use crate::{shell::quoted, stack::DeployedStack};

/// CloudFormation's limit of a parameter.
pub const PARAMETER_LIMIT: usize = 4096;

/// Whether the parameter has these entries in this order.
pub fn parameter_has(stack: &DeployedStack, entries: &[Value]) -> bool {
    let parameter = stack.parameters.get("LogGroups").and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok());
    parameter.as_deref() == Some(entries)
}

/// The parameter's value for these entries, if it fits.
pub fn parameter_of(entries: &[Value]) -> Option<String> {
    let value = serde_json::to_string(entries).expect("values are JSON");
    (value.len() <= PARAMETER_LIMIT).then_some(value)
}

/// What `sam deploy --parameter-overrides` takes: it cuts a value at the first quote, unless the whole value is quoted.
pub fn sam_override(value: &str) -> String {
    quoted(&format!(r#"LogGroups="{}""#, value.replace('\\', r"\\").replace('"', r#"\""#)))
}

/// What `aws cloudformation deploy --parameter-overrides` takes.
pub fn cloudformation_override(value: &str) -> String {
    quoted(&format!("LogGroups={value}"))
}
