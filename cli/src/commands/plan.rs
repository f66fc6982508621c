//! `plan`: shows what a run would do.

pub mod estimate;
pub mod preview;

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use comfy_table::{Cell, CellAlignment};
use export_core::{ExecutionArn, contract::plan::Run, service::ServiceFailure, warning::Warning};
use indicatif::{HumanBytes, HumanCount};

use crate::{
    ExitStatus,
    arguments::Plan,
    commands::plan::preview::{Basis, Preview, Row, preview},
    context::Context,
    failure::Failure,
    output::note,
    request::{self, GroupSelection},
    schedule::Schedule,
    slot::{self, Holder},
};

pub async fn run(context: &Context, arguments: &Plan) -> Result<ExitStatus, Failure> {
    let now = Utc::now().trunc_subsecs(3);
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let is_by_hand = arguments.months.month.is_some() || arguments.months.since.is_some();
    let mut input = match is_by_hand {
        true => schedule.input_by_hand(&arguments.months, false, now)?,
        false => schedule.input_at(now)?,
    };
    let selection = GroupSelection::new(&arguments.groups.groups);
    let added = selection.add_names(&mut input, &stack.settings)?;
    let archive = context.archive(&stack);
    let logs = context.logs();
    let (execution, input) = (placeholder_execution(stack.state_machine_arn())?, request::parse(&input, &stack.settings)?);
    let (begin, holder) = tokio::join!(archive.begin_run(&execution, now, input), slot::find_holder(&logs, &stack.settings.bucket),);
    let (run, mut groups, memory) = begin.map_err(request::to_failure)?;
    selection.retain(&mut groups)?;

    let total = groups.len() as u64 * run.months_to_compare.len() as u64;
    let bar = context.output.progress_bar("comparing [{bar:30}] {human_pos} of {human_len}, {eta} left");
    bar.set_length(total);
    let Preview { rows, warnings } = preview(&archive, &run, &groups, &memory, || bar.inc(1)).await?;
    bar.finish_and_clear();

    print_heading(&run, is_by_hand, &schedule);
    for name in added {
        note(format_args!("no entry of the schedule's list matches {name}: the plan uses the stack's defaults for it"));
    }
    // The run's warnings are about the whole list.
    for Warning { name, message } in run.warnings.iter().filter(|_| selection.is_all()).chain(&warnings) {
        note(format_args!("warning: {}: {message}", name.as_str()));
    }
    for unreadable in &memory.unreadable {
        note(format_args!("failed: {}: {}", unreadable.error, unreadable.message));
    }
    context.output.print_rows(&rows, || {
        let mut table = context.output.table(["LOG GROUP", "MONTH", "LOCAL TIME", "UTC", "OUTCOME", "WHY", "STORED", "SLOT", "USD"]);
        table.add_rows(rows.iter().map(cells));
        table
    })?;
    for row in &rows {
        print_notes(row);
    }
    print_summary(&rows, now, holder)?;
    let is_failing = rows.iter().any(|row| row.fails_run) || !memory.unreadable.is_empty();
    Ok(if is_failing { ExitStatus::Finding } else { ExitStatus::Success })
}

/// A run has an execution. A plan needs an ARN in its place.
fn placeholder_execution(state_machine_arn: &str) -> Result<ExecutionArn, Failure> {
    let arn = format!("{}:plan", state_machine_arn.replacen(":stateMachine:", ":execution:", 1));
    ExecutionArn::parse(&arn).map_err(|fix| Failure::Usage(format!("the stack's state machine is {state_machine_arn:?}: {fix}")))
}

fn print_heading(run: &Run, is_by_hand: bool, schedule: &Schedule) {
    let months: Vec<String> = run.months().map(|month| month.to_string()).collect();
    let months = match &months[..] {
        [] => "no month".to_owned(),
        [only] => only.clone(),
        [newest, .., oldest] => format!("{oldest} to {newest}"),
    };
    match is_by_hand {
        true => note(format_args!("A run by hand, {months} in {}:", run.timezone)),
        false => note(format_args!("The scheduled run, if it started now, {months} in {}:", run.timezone)),
    }
    if !is_by_hand && !schedule.is_enabled() {
        note(format_args!(
            "schedule {} is off: start the run with `logs-archive run`, or set the stack's parameter Schedule",
            schedule.name()
        ));
    }
}

fn cells(row: &Row) -> [Cell; 9] {
    let why = row.error.as_ref().or(row.reason.as_ref()).cloned().unwrap_or_default();
    let warnings = row.warnings.iter().map(|warning| warning.name.as_str()).chain(row.repairs.is_some().then(|| "repair".to_owned()));
    let why = [why].into_iter().filter(|why| !why.is_empty()).chain(warnings).collect::<Vec<_>>().join(", ");
    let hours = match (row.slot_hours, row.slot_hours_from) {
        (Some(hours), Some(Basis::StoredBytes)) => format!("~{}", format_hours(hours)),
        (Some(hours), _) => format_hours(hours),
        (None, _) if row.outcome == "export" => "?".to_owned(),
        (None, _) => String::new(),
    };
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    [
        Cell::new(&row.log_group),
        Cell::new(row.month),
        Cell::new(format_window(&row.from_local, &row.to_local)),
        Cell::new(format_window(&row.from_utc, &row.to_utc)),
        Cell::new(row.outcome),
        Cell::new(why),
        right(row.stored_bytes.map(|bytes| HumanBytes(bytes).to_string()).unwrap_or_default()),
        right(hours),
        right(row.cost_usd.map(|cost| format!("{cost:.4}")).unwrap_or_default()),
    ]
}

/// Shows minutes only. JSON has the milliseconds.
fn format_window(from: &str, to: &str) -> String {
    let short = |time: &str| time.get(..16).unwrap_or(time).replace('T', " ");
    format!("{} - {}", short(from), short(to))
}

fn format_hours(hours: f64) -> String {
    match hours * 60.0 {
        minutes if minutes < 1.0 => format!("{:.0} s", (hours * 3600.0).ceil()),
        minutes if minutes < 60.0 => format!("{minutes:.0} min"),
        _ => format!("{hours:.1} h"),
    }
}

fn print_notes(row: &Row) {
    let window = format!("{} {}", row.log_group, row.month);
    if let Some(error) = &row.error {
        let advice = export_core::ErrorName::parse(error).map_or("", export_core::ErrorName::advice);
        note(format_args!("failed: {window}: {error}: {} {advice}", row.message.as_deref().unwrap_or_default()));
    }
    if row.outcome == "lost" {
        note(format_args!("lost: {window}: {}", row.reason.as_deref().unwrap_or_default()));
    }
    if let Some(repairs) = &row.repairs {
        note(format_args!("repair: {window}: {repairs}"));
    }
    for warning in &row.warnings {
        note(format_args!("warning: {window}: {}: {}", warning.name.as_str(), warning.message));
    }
    if row.outcome == "warned" {
        let (name, message) = (row.reason.as_deref().unwrap_or_default(), row.message.as_deref().unwrap_or_default());
        note(format_args!("warning: {window}: {name}: {message}"));
    }
}

fn print_summary(rows: &[Row], now: DateTime<Utc>, holder: Result<Option<Holder>, ServiceFailure>) -> Result<(), Failure> {
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        *outcomes.entry(row.outcome).or_default() += 1;
    }
    let counted: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{} {outcome}", HumanCount(*count))).collect();
    note(format_args!("Windows: {}.", if counted.is_empty() { "none".to_owned() } else { counted.join(", ") }));
    let exports: Vec<&Row> = rows.iter().filter(|row| row.outcome == "export").collect();
    if !exports.is_empty() {
        let count = |basis: Basis| exports.iter().filter(|row| row.slot_hours_from == Some(basis)).count();
        let (by_manifests, by_bytes) = (count(Basis::Manifests), count(Basis::StoredBytes));
        let unknown = exports.len() - by_manifests - by_bytes;
        let hours = exports.iter().filter_map(|row| row.slot_hours).fold(0.0, |sum, hours| sum + hours);
        let mut parts = Vec::new();
        let windows = |count: usize| format!("{count} window{}", if count == 1 { "" } else { "s" });
        parts.extend((by_manifests > 0).then(|| format!("{} by earlier manifests", windows(by_manifests))));
        parts.extend((by_bytes > 0).then(|| format!("{} (~) by stored bytes and the speed of others", windows(by_bytes))));
        parts.extend((unknown > 0).then(|| format!("{} (?) of unknown time, without an earlier export", windows(unknown))));
        let total = if unknown < exports.len() { format!("about {}: ", format_hours(hours)) } else { String::new() };
        note(format_args!("Slot: {total}{}.", parts.join(", ")));
        let assumption =
            if unknown > 0 { format!(", with {} s where the time is unknown", estimate::ASSUMED_SECONDS) } else { String::new() };
        let cost: f64 = exports.iter().filter_map(|row| row.cost_usd).sum();
        note(format_args!(
            "Cost: {cost:.4} USD of Step Functions, Lambda, S3 and own logs, at Tokyo's list prices (docs/cost.md){assumption}."
        ));
    }
    match holder.map_err(|failure| Failure::of_call("logs", &failure))? {
        None => note("The export slot is free."),
        Some(holder) => note(format_args!("The export slot is held by {}: a run waits for its end.", holder.describe(now))),
    }
    Ok(())
}
