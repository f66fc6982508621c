//! `infra/template.yaml`, with CloudFormation's tags kept as they are written.

use serde_norway::Value;

pub const FILE: &str = "infra/template.yaml";

pub fn load() -> Value {
    serde_norway::from_str(&crate::read(FILE)).unwrap_or_else(|error| panic!("{FILE}: {error}"))
}

/// Walks down by keys, through tags such as `!Sub`.
pub fn at<'a>(value: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().fold(value, |value, key| {
        let value = if let Value::Tagged(tagged) = value { &tagged.value } else { value };
        value.get(*key).unwrap_or_else(|| panic!("{FILE}: no {key} at {}", keys.join(".")))
    })
}

pub fn keys(value: &Value) -> Vec<String> {
    let mapping = value.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
    mapping.filter_map(|key| key.as_str().map(str::to_owned)).collect()
}
