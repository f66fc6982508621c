//! The input of the stack's schedule, and the template's parameter `LogGroups` that fills it when the stack is deployed.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    ErrorName, ExportError, LogGroupName,
    entry::Entry,
    input::RunInput,
    names,
    place::{Stack, hexadecimal},
    shell::quoted,
};

/// EventBridge Scheduler replaces it when it starts a run.
pub const SCHEDULED_TIME: &str = "<aws.scheduler.scheduled-time>";
/// Any time that has come.
const A_SCHEDULED_TIME: &str = "2000-01-01T00:00:00Z";

/// CloudFormation's limit of a parameter.
pub const PARAMETER_LIMIT: usize = 4096;

/// What a run makes of an input of the schedule.
pub fn parse(input: &str, stack: &Stack) -> Result<RunInput, ExportError> {
    let value: Value = serde_json::from_str(&input.replace(SCHEDULED_TIME, A_SCHEDULED_TIME)).map_err(|error| {
        // The place in the input is no place in the list that a person wrote.
        let error = error.to_string();
        let problem = error.split(" at line ").next().unwrap_or_default();
        ExportError::new(ErrorName::InvalidInput, format!("the input is not JSON ({problem}): check the commas and quotes of logGroups"))
    })?;
    RunInput::parse(&value, stack)
}

/// Refuses a value of the parameter `TimeZone` that is no time zone.
pub fn check_time_zone(name: &str) -> Result<(), String> {
    names::parse_timezone(name).map(drop).map_err(|fix| format!("TimeZone is {name:?}: {fix}"))
}

/// The elements of an input's `logGroups`.
pub fn entries(input: &str) -> Vec<Value> {
    let input: Value = serde_json::from_str(input).unwrap_or_default();
    input["logGroups"].as_array().cloned().unwrap_or_default()
}

/// What a run takes an entry for: a name, its ARN and an object with nothing but the name are equal. `Err`: no run can read it, and it is
/// equal to the same value only.
pub fn meaning(entry: &Value, stack: &Stack) -> Result<Vec<Entry>, Value> {
    RunInput::parse(&json!({ "logGroups": [entry] }), stack).map(|input| input.entries).map_err(|_| entry.clone())
}

/// The entries that a value of the parameter stands for: names separated by commas, or a JSON list. `None`: it is neither.
pub fn entries_of_parameter(value: &str) -> Option<Vec<Value>> {
    match value.starts_with('[') {
        true => serde_json::from_str(value).ok(),
        false => Some(value.split(',').map(Value::from).collect()),
    }
}

/// The parameter's value for these entries, if it fits.
pub fn parameter_of(entries: &[Value]) -> Option<String> {
    let names: Option<Vec<&str>> = entries.iter().map(|entry| entry.as_str().filter(|name| LogGroupName::parse(name).is_ok())).collect();
    let value = match names {
        Some(names) if !names.is_empty() => names.join(","),
        _ => Value::from(entries).to_string(),
    };
    (value.len() <= PARAMETER_LIMIT).then_some(value)
}

/// What `sam deploy --parameter-overrides` takes: it cuts a value at the first quote, unless the whole value is quoted.
pub fn sam_override(value: &str) -> String {
    match value.contains(['"', '\'', '\\', ' ']) {
        false => format!("LogGroups={value}"),
        true => quoted(&format!(r#"LogGroups="{}""#, value.replace('\\', r"\\").replace('"', r#"\""#))),
    }
}

/// What `aws cloudformation deploy --parameter-overrides` takes.
pub fn cloudformation_override(value: &str) -> String {
    match value.contains(['"', '\'', '\\', ' ']) {
        false => format!("LogGroups={value}"),
        true => quoted(&format!("LogGroups={value}")),
    }
}

/// Tells the properties of a schedule from others.
pub fn digest(properties: &Value) -> String {
    hexadecimal(&Sha256::digest(properties.to_string()), 16)
}

#[cfg(test)]
mod tests;
