//! `groups add` and `groups remove`: change the list, all or nothing.

use export_core::{
    decide::{LogGroup, NOT_EXPORTABLE},
    entry::Selector,
    input::RunInput,
    schedule::{PARAMETER_LIMIT, cloudformation_override, entries, meaning, parameter_of, sam_override},
    warning::Warning,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    ExitStatus,
    arguments::Format,
    confirm::confirm,
    context::Context,
    failure::Failure,
    output::note,
    schedule::{self, Schedule},
    stack::DeployedStack,
};

/// The change that a person confirms.
#[derive(Serialize)]
struct Change {
    added: Vec<Value>,
    removed: Vec<Value>,
}

pub async fn add(context: &Context, entries: &[String], yes: bool) -> Result<ExitStatus, Failure> {
    let added = entries.iter().map(|text| parse_entry(text)).collect::<Result<Vec<Value>, _>>()?;
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let texts: Vec<String> = added.iter().map(Value::to_string).collect();
    let listed: Vec<&str> = schedule.entries()?.into_iter().map(|entry| entry.get()).collect();
    let entries: Vec<&str> = listed.iter().copied().chain(texts.iter().map(String::as_str)).collect();
    let input = schedule.input_with_entries(&entries)?;
    refuse_repeated(&schedule::parse(&input, &stack.settings).map_err(|error| Failure::Usage(error.message))?, listed.len())?;
    refuse_not_exportable(context, &stack, &added).await?;
    apply(context, &stack, schedule, input, Change { added, removed: Vec::new() }, yes).await
}

pub async fn remove(context: &Context, entries: &[String], yes: bool) -> Result<ExitStatus, Failure> {
    let named = entries.iter().map(|text| parse_entry(text)).collect::<Result<Vec<Value>, _>>()?;
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let name = schedule.name();
    let entries = schedule.entries()?;
    let values: Vec<Value> = entries.iter().map(|entry| serde_json::from_str(entry.get()).expect("an entry is JSON")).collect();
    let meanings = |list: &[Value]| list.iter().map(|entry| meaning(entry, &stack.settings)).collect::<Vec<_>>();
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
    let input = schedule.input_with_entries(&kept)?;
    schedule::parse(&input, &stack.settings).map_err(|error| Failure::Usage(error.message))?;
    let removed = values.into_iter().zip(&listed).filter(|(_, entry)| meant.contains(entry)).map(|(value, _)| value).collect();
    apply(context, &stack, schedule, input, Change { added: Vec::new(), removed }, yes).await
}

/// Parses an argument: a log group's name or ARN, or an entry as a JSON object.
fn parse_entry(text: &str) -> Result<Value, Failure> {
    if !text.trim_start().starts_with('{') {
        return Ok(Value::String(text.to_owned()));
    }
    serde_json::from_str(text).map_err(|error| {
        let example = r#"{"logGroupNamePrefix": "/aws/lambda/"}"#;
        Failure::Usage(format!("{text} is not a JSON object ({error}): write an entry such as {example}"))
    })
}

/// Refuses an added entry that the list has already. `listed`: the number of entries before the change.
fn refuse_repeated(input: &RunInput, listed: usize) -> Result<(), Failure> {
    let is_added = |warning: &&Warning| schedule::repeated_index(warning) >= Some(listed);
    let repeated: Vec<_> = input.warnings.iter().filter(is_added).map(|warning| warning.message.as_str()).collect();
    if repeated.is_empty() { Ok(()) } else { Err(Failure::Usage(format!("{}: leave it out", repeated.join("; ")))) }
}

/// Refuses entries that export nothing. A run would only warn of them.
async fn refuse_not_exportable(context: &Context, stack: &DeployedStack, added: &[Value]) -> Result<(), Failure> {
    let input = RunInput::parse(&json!({ "logGroups": added }), &stack.settings).map_err(|error| Failure::Usage(error.message))?;
    let (groups, warnings) = context.archive(stack).expand(&input).await?;
    let mut problems: Vec<String> = warnings.into_iter().map(|warning| warning.message).collect();
    for group in &groups {
        let name = &group.place.log_group;
        let is_named = input.entries.iter().any(|entry| matches!(&entry.selector, Selector::Name(selected) if selected == name));
        match group.log_group {
            LogGroup::Present { is_exportable: false, .. } if is_named => problems.push(format!("log group {name} {NOT_EXPORTABLE}")),
            LogGroup::Present { is_exportable: false, .. } => note(format_args!("warning: log group {name} {NOT_EXPORTABLE}")),
            LogGroup::Present { .. } => {}
            LogGroup::Absent | LogGroup::Gone => problems.push(format!("log group {name} does not exist")),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Usage(format!("{}: correct or leave out the entry", problems.join("; ")))) }
}

/// Shows the change, asks for confirmation, and changes the schedule.
async fn apply(
    context: &Context,
    stack: &DeployedStack,
    schedule: Schedule,
    input: String,
    change: Change,
    yes: bool,
) -> Result<ExitStatus, Failure> {
    let name = schedule.name().to_owned();
    if context.output.format == Format::Table {
        for (sign, entries) in [('-', &change.removed), ('+', &change.added)] {
            for entry in entries {
                context.output.print_text(&format!("{sign} {entry}"))?;
            }
        }
    } else {
        context.output.print_json(&change)?;
    }
    if !confirm(&format!("Change the list of schedule {name}?"), yes)? {
        return Ok(ExitStatus::Success);
    }
    schedule.update_input(&context.scheduler(), input.clone()).await?;
    note(format_args!("Schedule {name} has the new list. The next scheduled run uses it."));
    note_next_deployment(stack, &entries(&input));
    Ok(ExitStatus::Success)
}

/// Prints how to keep the list in the next deployment.
fn note_next_deployment(stack: &DeployedStack, entries: &[Value]) {
    if stack.parameter_entries().as_deref() == Some(entries) {
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
            "This list is longer than the {} characters of a parameter: docs/deploy.md, \"Change the list\", says how to deploy.",
            PARAMETER_LIMIT
        )),
    }
}
