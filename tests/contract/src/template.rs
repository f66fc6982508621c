//! The templates of `infra/`, with CloudFormation's tags kept as they are written.

use serde_norway::Value;

pub const ARCHIVE: &str = "infra/template.yaml";
pub const COMPACTION: &str = "infra/compaction.yaml";
pub const MONITORING: &str = "infra/monitoring.yaml";
pub const DASHBOARD: &str = "infra/dashboard.yaml";

pub fn load(file: &str) -> Value {
    serde_norway::from_str(&crate::read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Walks down by keys, through tags such as `!Sub`.
pub fn at<'a>(value: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().fold(value, |value, key| {
        let value = if let Value::Tagged(tagged) = value { &tagged.value } else { value };
        value.get(*key).unwrap_or_else(|| panic!("no {key} at {}", keys.join(".")))
    })
}

pub fn keys(value: &Value) -> Vec<String> {
    let mapping = value.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
    mapping.filter_map(|key| key.as_str().map(str::to_owned)).collect()
}
