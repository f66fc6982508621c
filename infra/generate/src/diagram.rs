//! A workflow's graph as a Mermaid diagram in its document.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

pub fn replace_diagram(document: &str, workflow: &str) -> Result<String> {
    let definition: Value = serde_json::from_str(&crate::definition::to_json(workflow)?).context(workflow.to_owned())?;
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    draw(&definition, "    ", &mut lines);
    crate::replace_between(document, "```mermaid\n", "\n```", &lines.join("\n"))
}

fn draw(scope: &Value, indent: &str, lines: &mut Vec<String>) {
    lines.push(format!("{indent}[*] --> {}", text(&scope["StartAt"])));
    for (name, state) in states_in_order(scope) {
        if let Some(processor) = state.get("ItemProcessor") {
            lines.push(format!("{indent}state {name} {{"));
            draw(processor, &format!("{indent}    "), lines);
            lines.push(format!("{indent}}}"));
        }
        // Waiting for the slot and polling are loops of the workflow. All other retries are for faults, and not in the diagram.
        for names in list(&state["Retry"]).map(errors).filter(|names| names[0].starts_with("Export")) {
            lines.push(format!("{indent}{name} --> {name}: {}", names.join(", ")));
        }
        for (next, reason) in transitions(state) {
            let label = reason.map(|reason| format!(": {}", label(&reason))).unwrap_or_default();
            lines.push(format!("{indent}{name} --> {next}{label}"));
        }
        if state["End"] == true || ["Succeed", "Fail"].contains(&text(&state["Type"])) {
            lines.push(format!("{indent}{name} --> [*]"));
        }
    }
}

/// The states in the order in which a run can reach them. The path without errors comes first.
fn states_in_order(scope: &Value) -> Vec<(&str, &Value)> {
    let mut remaining: Map<String, Value> = scope["States"].as_object().cloned().unwrap_or_default();
    let mut ordered = Vec::new();
    let mut next = vec![text(&scope["StartAt"])];
    while let Some(name) = next.pop() {
        if remaining.remove(name).is_some() {
            let state = &scope["States"][name];
            next.extend(transitions(state).into_iter().rev().map(|(target, _)| target));
            ordered.push((name, state));
        }
    }
    ordered
}

/// The targets of a state, with the conditions or errors that lead to them.
fn transitions(state: &Value) -> Vec<(&str, Option<String>)> {
    let choices = list(&state["Choices"]).map(|choice| (text(&choice["Next"]), Some(text(&choice["Condition"]).to_owned())));
    let default = state.get("Default").map(|next| (text(next), Some("otherwise".to_owned())));
    let next = state.get("Next").map(|next| (text(next), None));
    let catches = list(&state["Catch"]).map(|catcher| (text(&catcher["Next"]), Some(errors(catcher).join(", "))));
    // A catcher with the same target as the state needs no arrow.
    let catches = catches.filter(|(target, _)| *target != text(&state["Next"]));
    choices.chain(default).chain(next).chain(catches).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn errors(rule: &Value) -> Vec<&str> {
    list(&rule["ErrorEquals"]).map(text).collect()
}

/// A condition as a label. Mermaid reads `;` `:` `#` and braces as syntax, so they are escaped.
fn label(reason: &str) -> String {
    let condition =
        reason.trim_start_matches("{% ").trim_end_matches(" %}").replace("$states.input.", "").replace("States.ALL", "any error");
    let mut label = String::new();
    let mut characters = condition.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // The diagram omits the `$` of variables and functions, but not the `$` at the end of a regular expression.
            '$' if characters.peek().is_some_and(|next| next.is_alphabetic()) => {}
            // A placeholder becomes its name.
            '$' if characters.next_if_eq(&'{').is_some() => label.extend(characters.by_ref().take_while(|next| *next != '}')),
            '{' | '}' | ';' | ':' | '#' => label += &format!("#{};", u32::from(character)),
            other => label.push(other),
        }
    }
    label
}
