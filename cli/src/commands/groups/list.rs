//! `groups list`: the entries, and how many log groups each matches now.

use std::collections::BTreeSet;

use comfy_table::CellAlignment;
use export_core::{
    LogGroupName,
    decide::LogGroup,
    entry::{Entry, Selector},
    input::RunInput,
    place::Stack,
};
use serde_json::{Value, json};

use crate::{
    Verdict,
    arguments::Format,
    context::Context,
    failure::Failure,
    schedule::{self, Schedule},
};

pub async fn run(context: &Context) -> Result<Verdict, Failure> {
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let entries = schedule.entries()?;
    if context.output.format != Format::Table {
        context.output.rows(&entries, || unreachable!("JSON is asked for"))?;
        return Ok(Verdict::Well);
    }
    let input = schedule::parse(schedule.input(), &stack.stack).map_err(|error| Failure::Usage(error.message))?;
    let (groups, _) = context.archive(&stack).expand(&input).await?;
    let present = groups.into_iter().filter(|group| matches!(group.log_group, LogGroup::Present { .. }));
    let names: BTreeSet<LogGroupName> = present.map(|group| group.place.log_group).collect();
    let mut table = context.output.table(["ENTRY", "LOG GROUPS"]);
    for entry in entries {
        let value: Value = serde_json::from_str(entry.get()).expect("it was read");
        let count = parse_one(&value, &stack.stack).map_or(0, |entry| count(&names, &entry));
        table.add_row([value.as_str().unwrap_or(entry.get()), &count.to_string()]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    context.output.text(&table.trim_fmt())?;
    Ok(Verdict::Well)
}

fn count(names: &BTreeSet<LogGroupName>, entry: &Entry) -> usize {
    match &entry.selector {
        Selector::Name(name) => usize::from(names.contains(name)),
        Selector::Prefix { .. } => names.iter().filter(|name| entry.rank(name).is_some()).count(),
    }
}

/// An entry that the whole input was accepted with.
fn parse_one(value: &Value, stack: &Stack) -> Option<Entry> {
    let input = RunInput::parse(&json!({ "logGroups": [value] }), stack).ok()?;
    input.entries.into_iter().next()
}
