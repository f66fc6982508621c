//! `status`: shows the matrix of log groups by months.

pub mod matrix;
pub mod page;
pub mod survey;

use std::collections::BTreeMap;

use chrono::Utc;
use comfy_table::{Cell as TableCell, Color, Table};
use export_core::{LogGroupName, Month, missing::OpenWindow};
use indicatif::HumanBytes;
use serde::Serialize;

use crate::{
    ExitStatus,
    arguments::{Format, Status},
    commands::status::matrix::{Cell, Matrix, Range, State, outcome_name},
    commands::status::survey::Survey,
    context::Context,
    failure::Failure,
    globs::Globs,
    output::{Output, note},
};

/// A log-group-month, as `--output json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    log_group: LogGroupName,
    month: Month,
    state: State,
    objects: u64,
    bytes: u64,
}

pub async fn run(context: &Context, arguments: &Status) -> Result<ExitStatus, Failure> {
    if let (Some(from), Some(to)) = (arguments.from, arguments.to)
        && from > to
    {
        return Err(Failure::Usage(format!("--from {from} is later than --to {to}: swap them")));
    }
    let stack = context.stack().await?;
    let now = Utc::now();
    let survey = Survey::read(&context.archive(&stack), arguments.from, arguments.to, now).await?;
    let globs = Globs::new(&arguments.groups.groups);
    let range = Range { from: arguments.from, to: arguments.to, globs: &globs };
    let matrix = Matrix::new(&survey, &stack.settings, &range, now);
    print(&context.output, &matrix)?;
    print_open_windows(&context.output, &survey, &matrix)?;
    if let Some(file) = &arguments.html {
        let page = page::page(&matrix, &stack, now);
        std::fs::write(file, page).map_err(|error| Failure::Local(format!("cannot write {}: {error}", file.display())))?;
    }
    let has_unreadable = survey.warn_of_unreadable();
    for problem in &survey.invalid {
        note(format_args!("warning: {problem}"));
    }
    for pattern in globs.unmatched(&matrix.rows.keys().collect::<Vec<_>>()) {
        note(format_args!("warning: --group {pattern} matches no log group of the archive: correct the pattern"));
    }
    let is_whole_archive = arguments.groups.groups.is_empty() && arguments.from.is_none() && arguments.to.is_none();
    if matrix.rows.is_empty() && is_whole_archive {
        note("The archive is empty: no run has ended yet. Start a run: logs-archive run");
    }
    let checks_missing = arguments.missing || arguments.lost;
    if checks_missing && survey.last_compared.is_none() {
        note("No scheduled run has compared the whole list yet, so it is unknown what is missing. Start a run: logs-archive run");
    }
    // An open window or a manifest that cannot be read is a window with an unknown state.
    let is_unknown = survey.last_compared.is_none() || has_unreadable || !survey.invalid.is_empty();
    let is_missing = is_unknown || matrix.cells().any(|cell| cell.is_missing);
    let is_lost = matrix.cells().any(|cell| cell.state == State::Lost);
    let is_finding = checks_missing && is_missing || arguments.lost && is_lost;
    Ok(if is_finding { ExitStatus::Finding } else { ExitStatus::Success })
}

fn print(output: &Output, matrix: &Matrix) -> Result<(), Failure> {
    let row = |cell: &Cell| {
        let Cell { log_group, month, state, objects, bytes, .. } = cell.clone();
        Row { log_group, month, state, objects, bytes }
    };
    let rows: Vec<Row> = matrix.cells().map(row).collect();
    if output.format != Format::Table || !matrix.rows.is_empty() {
        output.print_rows(&rows, || table(output, matrix))?;
    }
    if output.format == Format::Table && !matrix.rows.is_empty() {
        output.print_text(&format!("\n{}", summary(matrix)))?;
    }
    Ok(())
}

fn print_open_windows(output: &Output, survey: &Survey, matrix: &Matrix) -> Result<(), Failure> {
    let is_shown = |open: &&OpenWindow| matrix.rows.get(&open.place.log_group).is_some_and(|cells| cells.contains_key(&open.month));
    let mut open: Vec<&OpenWindow> = survey.open.iter().filter(is_shown).collect();
    if output.format != Format::Table || open.is_empty() {
        return Ok(());
    }
    open.sort_by_key(|open| (open.month, &open.place.log_group, open.window()));
    let mut table = output.table(["MONTH", "LOG GROUP", "OUTCOME", "ERROR", "SINCE", "TRIES", "MESSAGE"]);
    for open in open {
        let error = open.error.as_deref().unwrap_or_default();
        table.add_row([
            &open.month.to_string(),
            open.place.log_group.as_str(),
            outcome_name(open.outcome),
            error,
            &open.since,
            &open.tries.to_string(),
            &open.message,
        ]);
    }
    output.print_text(&format!("\n{}", table.trim_fmt()))
}

fn table(output: &Output, matrix: &Matrix) -> Table {
    let month = |month: &Month| format!("{:04}\n  {:02}", month.year(), month.month());
    let header = std::iter::once("LOG GROUP".to_owned()).chain(matrix.months.iter().map(month)).chain(["BYTES".to_owned()]);
    let mut table = output.table(header);
    for (name, cells) in &matrix.rows {
        let state = |month| cells.get(month).map_or_else(|| TableCell::new(""), |cell| colored_cell(cell.state));
        let bytes: u64 = cells.values().map(|cell| cell.bytes).sum();
        let row = std::iter::once(TableCell::new(name)).chain(matrix.months.iter().map(state));
        table.add_row(row.chain([TableCell::new(HumanBytes(bytes))]));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_padding((0, 1));
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table
}

fn colored_cell(state: State) -> TableCell {
    let cell = TableCell::new(state.letter());
    match state {
        State::Archived => cell.fg(Color::Green),
        State::Empty | State::Skipped | State::NothingYet | State::NotYetDue => cell.fg(Color::DarkGrey),
        State::CoveredInPart | State::Waiting | State::NotAsked => cell.fg(Color::Yellow),
        State::Failed | State::Lost => cell.fg(Color::Red),
    }
}

/// The totals, with the legend of the table's letters.
fn summary(matrix: &Matrix) -> String {
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for cell in matrix.cells() {
        *counts.entry(cell.state).or_default() += 1;
    }
    let states = State::ALL.iter().filter_map(|state| Some(format!("{} {} {}", state.letter(), counts.get(state)?, state.name())));
    let (objects, bytes) = matrix.cells().fold((0, 0), |(objects, bytes), cell| (objects + cell.objects, bytes + cell.bytes));
    let missing = matrix.cells().filter(|cell| cell.is_missing).count();
    format!(
        "{}\n{} log groups, {} months: {objects} objects, {}; {missing} missing",
        states.collect::<Vec<_>>().join("   "),
        matrix.rows.len(),
        matrix.months.len(),
        HumanBytes(bytes)
    )
}
