//! A workflow's graph as a Mermaid diagram in its description.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

pub fn with_diagram(document: &str, workflow: &str) -> Result<String> {
    let definition: Value = serde_json::from_str(&crate::definition::of(workflow)?).context(workflow.to_owned())?;
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    draw(&definition, "    ", &mut lines);
    crate::replace_between(document, "```mermaid\n", "\n```", &lines.join("\n"))
}

fn draw(scope: &Value, indent: &str, lines: &mut Vec<String>) {
    lines.push(format!("{indent}[*] --> {}", text(&scope["StartAt"])));
    for (name, state) in in_order(scope) {
        if let Some(processor) = state.get("ItemProcessor") {
            lines.push(format!("{indent}state {name} {{"));
            draw(processor, &format!("{indent}    "), lines);
            lines.push(format!("{indent}}}"));
        }
        // The queue for the slot and the polling are loops of the workflow; what is retried after a fault is the same everywhere.
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

/// The states in the order in which a run can come to them, the way without errors first.
fn in_order(scope: &Value) -> Vec<(&str, &Value)> {
    let mut left: Map<String, Value> = scope["States"].as_object().cloned().unwrap_or_default();
    let mut ordered = Vec::new();
    let mut due = vec![text(&scope["StartAt"])];
    while let Some(name) = due.pop() {
        if left.remove(name).is_some() {
            let state = &scope["States"][name];
            due.extend(transitions(state).into_iter().rev().map(|(next, _)| next));
            ordered.push((name, state));
        }
    }
    ordered
}

/// Where a state can go, each with its reason where there is one.
fn transitions(state: &Value) -> Vec<(&str, Option<String>)> {
    let choices = list(&state["Choices"]).map(|choice| (text(&choice["Next"]), Some(text(&choice["Condition"]).to_owned())));
    let default = state.get("Default").map(|next| (text(next), Some("otherwise".to_owned())));
    let next = state.get("Next").map(|next| (text(next), None));
    let catches = list(&state["Catch"]).map(|catcher| (text(&catcher["Next"]), Some(errors(catcher).join(", "))));
    // An error that changes nothing about the way needs no arrow of its own.
    let catches = catches.filter(|(caught, _)| *caught != text(&state["Next"]));
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

/// Mermaid reads `;` `:` `#` and braces in a label as syntax; its codes stand for them.
fn label(reason: &str) -> String {
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
