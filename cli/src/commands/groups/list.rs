//! `groups list`: shows the entries, and how many log groups each entry matches now.

use std::collections::BTreeSet;

use comfy_table::CellAlignment;
use export_core::{
    LogGroupName,
    decide::LogGroup,
    entry::{Entry, Selector},
    schedule::meaning,
};
use serde_json::Value;

use crate::{
    ExitStatus,
    arguments::Format,
    context::Context,
    failure::Failure,
    schedule::{self, Schedule},
};

pub async fn run(context: &Context) -> Result<ExitStatus, Failure> {
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let entries = schedule.entries()?;
    if context.output.format != Format::Table {
        context.output.print_rows(&entries, || unreachable!("the format is not a table"))?;
        return Ok(ExitStatus::Success);
    }
    let input = schedule::parse(schedule.input(), &stack.settings).map_err(|error| Failure::Usage(error.message))?;
    let (groups, _) = context.archive(&stack).expand(&input).await?;
    let present = groups.into_iter().filter(|group| matches!(group.log_group, LogGroup::Present { .. }));
    let names: BTreeSet<LogGroupName> = present.map(|group| group.place.log_group).collect();
    let mut table = context.output.table(["ENTRY", "LOG GROUPS"]);
    for entry in entries {
        let value: Value = serde_json::from_str(entry.get()).expect("an entry is JSON");
        let count: usize = meaning(&value, &stack.settings).iter().flatten().map(|entry| count_matches(&names, entry)).sum();
        table.add_row([value.as_str().unwrap_or(entry.get()), &count.to_string()]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    context.output.print_text(&table.trim_fmt())?;
    Ok(ExitStatus::Success)
}

fn count_matches(names: &BTreeSet<LogGroupName>, entry: &Entry) -> usize {
    match &entry.selector {
        Selector::Name(name) => usize::from(names.contains(name)),
        Selector::Prefix { .. } => names.iter().filter(|name| entry.rank(name).is_some()).count(),
    }
}
