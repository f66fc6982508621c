//! A state machine of `statemachine/` as a list of states, those inside the map included.

use serde_json::{Map, Value};

pub const EXPORT_LOGS: &str = "statemachine/export-logs.asl.json";
pub const COMPACT_LOGS: &str = "statemachine/compact-logs.asl.json";
pub const WATCH_ARCHIVE: &str = "statemachine/watch-archive.asl.json";

#[derive(Debug, Clone)]
pub struct State {
    pub name: String,
    /// The Map the state is in.
    pub map: Option<String>,
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

    /// Error names that a retrier of this state waits for.
    pub fn retried(&self) -> Vec<String> {
        self.retriers().iter().flat_map(error_equals).collect()
    }

    /// The retrier for this error, if there is one.
    pub fn retrier(&self, error: &str) -> Option<Value> {
        self.retriers().into_iter().find(|retrier| error_equals(retrier).iter().any(|name| name == error))
    }

    /// Where the state can go: name of the next state and, where there is one, the reason.
    pub fn transitions(&self) -> Vec<(String, Option<String>)> {
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        let whole = Value::Object(self.fields.clone());
        let choices = self.list("Choices").into_iter().filter_map(move |choice| Some((text(&choice, "Next")?, text(&choice, "Condition"))));
        let catches =
            self.catchers().into_iter().filter_map(move |catcher| Some((text(&catcher, "Next")?, Some(error_equals(&catcher).join(", ")))));
        let default = text(&whole, "Default").map(|next| (next, Some("otherwise".to_owned())));
        let next = text(&whole, "Next").map(|next| (next, None));
        choices.chain(default).chain(next).chain(catches).collect()
    }

    pub fn ends(&self) -> bool {
        self.fields.get("End") == Some(&Value::Bool(true)) || matches!(self.kind(), "Succeed" | "Fail")
    }
}

pub fn error_equals(rule: &Value) -> Vec<String> {
    rule["ErrorEquals"].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Every state in the order in which a run can come to it, a map's states right after it. States that no run can come to
/// are last.
pub fn states(definition: &Value) -> Vec<State> {
    let mut states = Vec::new();
    collect(definition, None, &mut states);
    states
}

fn collect(scope: &Value, map: Option<&str>, states: &mut Vec<State>) {
    for state in in_order(scope, map) {
        let processor = state.fields.get("ItemProcessor").cloned();
        let name = state.name.clone();
        states.push(state);
        if let Some(processor) = processor {
            collect(&processor, Some(&name), states);
        }
    }
}

fn in_order(scope: &Value, map: Option<&str>) -> Vec<State> {
    let mut left: Vec<State> = scope["States"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, fields)| State {
            name: name.clone(),
            map: map.map(str::to_owned),
            fields: fields.as_object().cloned().unwrap_or_default(),
        })
        .collect();
    let mut ordered: Vec<State> = Vec::new();
    let mut due = vec![scope["StartAt"].as_str().unwrap_or_default().to_owned()];
    while let Some(name) = due.pop() {
        if let Some(at) = left.iter().position(|state| state.name == name) {
            let state = left.remove(at);
            // The last pushed is the next visited: the way without errors first.
            due.extend(state.transitions().into_iter().rev().map(|(next, _)| next));
            ordered.push(state);
        }
    }
    ordered.extend(left);
    ordered
}

pub fn state(definition: &Value, name: &str) -> State {
    states(definition).into_iter().find(|state| state.name == name).unwrap_or_else(|| panic!("there is no state {name}"))
}

/// The names in `${...}` anywhere in the file.
pub fn placeholders(text: &str) -> Vec<&str> {
    let mut names: Vec<_> = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The graph as a Mermaid diagram.
pub fn mermaid(definition: &Value) -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    draw(definition, "    ", &mut lines);
    lines.join("\n")
}

fn draw(scope: &Value, indent: &str, lines: &mut Vec<String>) {
    lines.push(format!("{indent}[*] --> {}", scope["StartAt"].as_str().unwrap_or_default()));
    for state in in_order(scope, None) {
        if let Some(processor) = state.fields.get("ItemProcessor") {
            lines.push(format!("{indent}state {} {{", state.name));
            draw(processor, &format!("{indent}    "), lines);
            lines.push(format!("{indent}}}"));
        }
        for retrier in state.retriers() {
            let first = error_equals(&retrier).first().cloned().unwrap_or_default();
            // Lambda's own errors are retried everywhere; drawing them would hide the loops that matter.
            if !first.starts_with("Lambda.") && !first.starts_with("States.") {
                lines.push(format!("{indent}{0} --> {0}: {1}", state.name, retry_label(&retrier)));
            }
        }
        for (next, reason) in state.transitions() {
            let label = reason.map(|reason| format!(": {}", transition_label(&reason))).unwrap_or_default();
            lines.push(format!("{indent}{} --> {next}{label}", state.name));
        }
        if state.ends() {
            lines.push(format!("{indent}{} --> [*]", state.name));
        }
    }
}

fn retry_label(retrier: &Value) -> String {
    let names = error_equals(retrier);
    let shown = names.iter().map(|name| name.rsplit('.').next().unwrap_or(name)).take(3).collect::<Vec<_>>().join(" or ");
    format!("retry on {shown}")
}

/// Mermaid reads `;` `:` `#` and braces in a label as syntax; its codes stand for them.
fn transition_label(reason: &str) -> String {
    let condition =
        reason.trim_start_matches("{% ").trim_end_matches(" %}").replace("$states.input.", "").replace("States.ALL", "any error");
    let mut label = String::new();
    let mut characters = condition.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // The mark of a variable or function says nothing in a picture; that of a regular expression's end does.
            '$' if characters.peek().is_some_and(|next| next.is_alphabetic()) => {}
            // A substitution of the template's.
            '$' if characters.next_if_eq(&'{').is_some() => label.extend(characters.by_ref().take_while(|next| *next != '}')),
            '{' | '}' | ';' | ':' | '#' => label += &format!("#{};", u32::from(character)),
            other => label.push(other),
        }
    }
    label
}
