//! `groups add` and `groups remove`: one change of the list, all of it or nothing.

use export_core::{
    decide::{LogGroup, NOT_EXPORTABLE},
    entry::Selector,
    input::RunInput,
    schedule::{PARAMETER_LIMIT, cloudformation_override, meaning, parameter_of, sam_override},
    warning::WarningName,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Verdict,
    arguments::Format,
    confirm::confirm,
    context::Context,
    failure::Failure,
    output::note,
    schedule::{self, Schedule},
    stack::DeployedStack,
};

/// What a person is shown, and asked about.
#[derive(Serialize)]
struct Change {
    added: Vec<Value>,
    removed: Vec<Value>,
}

pub async fn add(context: &Context, new: &[String], yes: bool) -> Result<Verdict, Failure> {
    let added = new.iter().map(|text| read_entry(text)).collect::<Result<Vec<Value>, _>>()?;
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let texts: Vec<String> = added.iter().map(Value::to_string).collect();
    let old: Vec<&str> = schedule.entries()?.into_iter().map(|entry| entry.get()).collect();
    let entries: Vec<&str> = old.iter().copied().chain(texts.iter().map(String::as_str)).collect();
    let input = schedule.input_with(&entries)?;
    refuse_repeated(&schedule::parse(&input, &stack.stack).map_err(|error| Failure::Usage(error.message))?, old.len())?;
    refuse_what_no_run_exports(context, &stack, &added).await?;
    apply(context, &stack, schedule, input, Change { added, removed: Vec::new() }, yes).await
}

pub async fn remove(context: &Context, old: &[String], yes: bool) -> Result<Verdict, Failure> {
    let named = old.iter().map(|text| read_entry(text)).collect::<Result<Vec<Value>, _>>()?;
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let name = schedule.name();
    let entries = schedule.entries()?;
    let values: Vec<Value> = entries.iter().map(|entry| serde_json::from_str(entry.get()).expect("it was read")).collect();
    let meanings = |list: &[Value]| list.iter().map(|entry| meaning(entry, &stack.stack)).collect::<Vec<_>>();
    let (meant, listed) = (meanings(&named), meanings(&values));
    let unknown: Vec<String> =
        named.iter().zip(&meant).filter(|(_, meant)| !listed.contains(meant)).map(|(named, _)| named.to_string()).collect();
    if !unknown.is_empty() {
        return Err(Failure::Usage(format!(
            "the list of schedule {name} has no entry {}: `logs-archive groups list` shows the entries",
            unknown.join(", ")
        )));
    }
    let kept: Vec<&str> = entries.iter().zip(&listed).filter(|(_, entry)| !meant.contains(entry)).map(|(entry, _)| entry.get()).collect();
    let input = schedule.input_with(&kept)?;
    schedule::parse(&input, &stack.stack).map_err(|error| Failure::Usage(error.message))?;
    let removed = values.into_iter().zip(&listed).filter(|(_, entry)| meant.contains(entry)).map(|(value, _)| value).collect();
    apply(context, &stack, schedule, input, Change { added: Vec::new(), removed }, yes).await
}

/// A log group's name or ARN, or an entry as a JSON object.
fn read_entry(text: &str) -> Result<Value, Failure> {
    if !text.trim_start().starts_with('{') {
        return Ok(Value::String(text.to_owned()));
    }
    serde_json::from_str(text).map_err(|error| {
        let example = r#"{"logGroupNamePrefix": "/aws/lambda/"}"#;
        Failure::Usage(format!("{text} is no JSON object ({error}): write an entry such as {example}"))
    })
}

fn refuse_repeated(input: &RunInput, old: usize) -> Result<(), Failure> {
    let repeats = input.warnings.iter().filter(|warning| warning.name == WarningName::EntryRepeated);
    let index = |message: &str| message.strip_prefix("logGroups[")?.split_once(']')?.0.parse::<usize>().ok();
    let of_new: Vec<_> = repeats.filter(|warning| index(&warning.message) >= Some(old)).map(|warning| warning.message.as_str()).collect();
    if of_new.is_empty() { Ok(()) } else { Err(Failure::Usage(format!("{}: leave it out", of_new.join("; ")))) }
}

/// What a run would only warn of, an operator is told while the mistake can be corrected.
async fn refuse_what_no_run_exports(context: &Context, stack: &DeployedStack, added: &[Value]) -> Result<(), Failure> {
    let input = RunInput::parse(&json!({ "logGroups": added }), &stack.stack).map_err(|error| Failure::Usage(error.message))?;
    let (groups, warnings) = context.archive(stack).expand(&input).await?;
    let mut problems: Vec<String> = warnings.into_iter().map(|warning| warning.message).collect();
    for group in &groups {
        let name = &group.place.log_group;
        let is_named = input.entries.iter().any(|entry| matches!(&entry.selector, Selector::Name(own) if own == name));
        match group.log_group {
            LogGroup::Present { is_exportable: false, .. } if is_named => problems.push(format!("log group {name} {NOT_EXPORTABLE}")),
            LogGroup::Present { is_exportable: false, .. } => note(format_args!("warning: log group {name} {NOT_EXPORTABLE}")),
            LogGroup::Present { .. } => {}
            LogGroup::Absent | LogGroup::Gone => problems.push(format!("log group {name} does not exist")),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Usage(format!("{}: correct or leave out the entry", problems.join("; ")))) }
}

/// Shows, asks, changes, and tells what the next deployment does.
async fn apply(
    context: &Context,
    stack: &DeployedStack,
    schedule: Schedule,
    input: String,
    change: Change,
    yes: bool,
) -> Result<Verdict, Failure> {
    let name = schedule.name().to_owned();
    if context.output.format == Format::Table {
        for (sign, entries) in [('-', &change.removed), ('+', &change.added)] {
            for entry in entries {
                context.output.text(&format!("{sign} {entry}"))?;
            }
        }
    } else {
        context.output.json(&change)?;
    }
    if !confirm(&format!("Change the list of schedule {name} so?"), yes)? {
        return Ok(Verdict::Well);
    }
    schedule.put_input(&context.scheduler(), input.clone()).await?;
    note(format_args!("The schedule {name} has the new list. The next scheduled run uses it."));
    let changed: Value = serde_json::from_str(&input).unwrap_or_default();
    tell_of_deployment(stack, changed["logGroups"].as_array().map_or(&[][..], Vec::as_slice));
    Ok(Verdict::Well)
}

fn tell_of_deployment(stack: &DeployedStack, entries: &[Value]) {
    if stack.list().as_deref() == Some(entries) {
        return;
    }
    note(format_args!(
        "The parameter LogGroups of stack {} has another list: a deployment that changes the schedule is refused if it would drop an entry.",
        stack.name
    ));
    match parameter_of(entries) {
        Some(value) => {
            note("To keep this list, give one of these at the next deployment:");
            note(format_args!("  sam deploy --parameter-overrides {}", sam_override(&value)));
            note(format_args!("  aws cloudformation deploy --parameter-overrides {}", cloudformation_override(&value)));
        }
        None => note(format_args!(
            "This list is longer than the {} characters that a parameter takes: docs/deploy.md, \"Change the list\", says how to deploy.",
            PARAMETER_LIMIT
        )),
    }
}
