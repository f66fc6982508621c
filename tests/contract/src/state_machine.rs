//! A state machine of `statemachine/` as a list of states, including those of the map.

use serde_json::{Map, Value};

pub const EXPORT_LOGS: &str = "statemachine/export-logs.asl.json";
pub const COMPACT_LOGS: &str = "statemachine/compact-logs.asl.json";

#[derive(Debug, Clone)]
pub struct State {
    pub name: String,
    pub fields: Map<String, Value>,
}

impl State {
    pub fn kind(&self) -> &str {
        self.fields["Type"].as_str().unwrap_or_default()
    }

    fn list(&self, field: &str) -> Vec<Value> {
        self.fields.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    pub fn retriers(&self) -> Vec<Value> {
        self.list("Retry")
    }

    pub fn catchers(&self) -> Vec<Value> {
        self.list("Catch")
    }

    /// The retrier for this error.
    pub fn retrier(&self, error: &str) -> Value {
        let retrier = self.retriers().into_iter().find(|retrier| error_equals(retrier).iter().any(|name| name == error));
        retrier.unwrap_or_else(|| panic!("{} does not retry {error}", self.name))
    }
}

pub fn error_equals(rule: &Value) -> Vec<String> {
    rule["ErrorEquals"].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

pub fn states(definition: &Value) -> Vec<State> {
    let mut states = Vec::new();
    for (name, fields) in definition["States"].as_object().into_iter().flatten() {
        let fields = fields.as_object().cloned().unwrap_or_default();
        states.extend(fields.get("ItemProcessor").map(self::states).into_iter().flatten());
        states.push(State { name: name.clone(), fields });
    }
    states
}

pub fn state(definition: &Value, name: &str) -> State {
    states(definition).into_iter().find(|state| state.name == name).unwrap_or_else(|| panic!("the state {name} does not exist"))
}
