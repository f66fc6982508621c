//! `retention`: shows which log groups of the list can have a shorter retention, because the archive has the events that would be deleted.
//! With `--apply`, it sets the retention. docs/decisions/0037-a-shorter-retention.md says when that is safe.
//!
//! **Invariant:** it never lengthens a retention, and changes no log group outside the list.

mod apply;
mod check;

use chrono::{DateTime, SubsecRound, Utc};
use comfy_table::{Cell, CellAlignment, Table};
use export_core::{
    LogGroupName, Window,
    decide::LogGroup,
    expiry::{Answer, Flaw, Gap, Problem},
    manifest::Outcome,
    time::Millis,
    window::LATE_EVENTS,
};
use serde::Serialize;

use crate::{
    ExitStatus,
    arguments::{Format, reading::Retention},
    commands::plan::estimate,
    commands::retention::check::{Candidate, RetentionCheck},
    context::Context,
    failure::Failure,
    output::{Output, note},
    request::{self, GroupSelection},
    schedule::Schedule,
    shell::quoted,
};

/// One log group, as `--output json` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    log_group: LogGroupName,
    result: RetentionResult,
    retention_in_days: Option<i32>,
    /// The retention that is safe to set.
    new_retention_in_days: Option<u32>,
    saved_usd_per_month: Option<f64>,
    problems: Vec<ProblemRow>,
    /// The command that restores the present retention.
    restore: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum RetentionResult {
    Safe,
    Unsafe,
    Kept,
    Absent,
    /// This command has set the retention.
    Set,
}

/// Why a shorter retention is not safe.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProblemRow {
    from_utc: Option<String>,
    to_utc: Option<String>,
    message: String,
    next: String,
}

pub async fn run(context: &Context, arguments: &Retention) -> Result<ExitStatus, Failure> {
    let now = Utc::now().trunc_subsecs(3);
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let input = request::parse(&schedule.input_at(now)?, &stack.settings)?;
    let archive = context.archive(&stack);
    let selection = GroupSelection::new(&arguments.groups.groups);
    let (mut groups, warnings) = archive.expand(&input).await.map_err(request::to_failure)?;
    selection.retain(&mut groups)?;
    for warning in warnings.iter().filter(|_| selection.is_all()) {
        note(format_args!("warning: {}: {}", warning.name.as_str(), warning.message));
    }
    let candidates = Candidate::from_groups(&groups);
    let check = RetentionCheck {
        archive: &archive,
        input: &input,
        days: arguments.days,
        is_scheduled: schedule.is_enabled(),
        options: &context.options.aws_cli,
    };
    let bar = context.output.progress_bar("comparing [{bar:30}] {human_pos} of {human_len}, {eta} left");
    bar.set_length(candidates.len() as u64);
    let answers = check.check_all(&candidates, now, || bar.inc(1)).await?;
    bar.finish_and_clear();
    let answers = candidates.iter().zip(answers);
    let mut rows: Vec<Row> = answers.map(|(candidate, answer)| row(&check, candidate, answer, now)).collect();
    print_summary(&rows, &check);

    let is_table = context.output.format == Format::Table;
    if is_table {
        context.output.print_rows(&rows, || table(&context.output, &rows))?;
    }
    let applied = match arguments.apply {
        true => apply::apply(context, &stack, &schedule, &check, &candidates, &mut rows, arguments.yes).await,
        false => Ok(()),
    };
    let printed = if is_table { Ok(()) } else { context.output.print_rows(&rows, || table(&context.output, &rows)) };
    // The failure to apply is more important than a failure to print.
    applied?;
    printed?;
    let has_unsafe = rows.iter().any(|row| row.result == RetentionResult::Unsafe);
    Ok(if has_unsafe { ExitStatus::Finding } else { ExitStatus::Success })
}

fn row(check: &RetentionCheck, candidate: &Candidate, answer: Answer, now: DateTime<Utc>) -> Row {
    let retention_in_days = match candidate.log_group {
        LogGroup::Present { retention_in_days, .. } => retention_in_days,
        LogGroup::Absent | LogGroup::Gone => None,
    };
    let (result, problems) = match answer {
        Answer::Absent => (RetentionResult::Absent, Vec::new()),
        Answer::AlreadyShort => (RetentionResult::Kept, Vec::new()),
        Answer::Safe => (RetentionResult::Safe, Vec::new()),
        Answer::Unsafe(problems) => (RetentionResult::Unsafe, problems),
    };
    let is_shorter = matches!(result, RetentionResult::Safe | RetentionResult::Unsafe);
    let deleted = Window { from: Millis(0), to: Millis(check.proposal(candidate, now).expires_before().0 - 1) };
    let bytes = estimate::stored_bytes_of(&candidate.log_group, deleted, now).or(Some(0.0)).filter(|_| is_shorter);
    Row {
        log_group: candidate.name.clone(),
        result,
        retention_in_days,
        new_retention_in_days: (result == RetentionResult::Safe).then_some(check.days),
        saved_usd_per_month: bytes.map(estimate::storage),
        problems: problems.iter().map(|problem| problem_row(check, candidate, problem)).collect(),
        restore: (result == RetentionResult::Safe).then(|| restore_command(&candidate.name, retention_in_days, check.options)),
    }
}

/// The AWS CLI command that restores a retention.
fn restore_command(name: &LogGroupName, days: Option<i32>, options: &str) -> String {
    let name = quoted(name.as_str());
    match days {
        Some(days) => format!("aws logs put-retention-policy --log-group-name {name} --retention-in-days {days}{options}"),
        None => format!("aws logs delete-retention-policy --log-group-name {name}{options}"),
    }
}

fn problem_row(check: &RetentionCheck, candidate: &Candidate, problem: &Problem) -> ProblemRow {
    let name = &candidate.name;
    let Problem::Gap(Gap { window, flaw }) = problem else {
        let next = match problem {
            Problem::ScheduleOff => "Set the stack's parameter Schedule to DAILY.".to_owned(),
            Problem::NotExportable => "Remove its entry from the list.".to_owned(),
            Problem::SomeStreams => "Remove logStreamNamePrefix from its entry, and archive its months again.".to_owned(),
            Problem::AccountPolicy(_) => "Change the policy: see aws logs describe-account-policies.".to_owned(),
            Problem::AgeUnknown | Problem::Gap(_) => "Repeat the command later.".to_owned(),
        };
        return ProblemRow { from_utc: None, to_utc: None, message: problem.to_string(), next };
    };
    let months: Vec<_> = check.months_of(*window).into_iter().map(|(month, _)| month).collect();
    let (label, range) = match &months[..] {
        [] => (String::new(), String::new()),
        [only] => (only.to_string(), format!("--month {only}")),
        [first, .., last] => (format!("{first} to {last}"), format!("--since {first}")),
    };
    let run = format!("logs-archive run {range} --group {}", quoted(name.as_str()));
    let next = match flaw {
        Flaw::NoManifest | Flaw::Invalid(_) => format!("Archive it: {run}"),
        Flaw::ExportedEarly => format!("Export it again: {run} --force"),
        Flaw::Changed => format!("Restore the objects from their versions, or export them again: {run} --force"),
        Flaw::SomeStreams(_) => format!("Remove logStreamNamePrefix from its entry, then archive it: {run}"),
        Flaw::Unreadable(_) => "Make the manifest readable: docs/operations.md, \"A manifest that cannot be read\".".to_owned(),
        Flaw::Recorded(reason) if reason.outcome() == Outcome::Skipped => {
            format!("If CloudWatch Logs has events of that time, export it again: {run} --force")
        }
        Flaw::Recorded(_) | Flaw::BeginningExpired => {
            "No export can restore these events. If nobody needs the rest of that time, set the retention yourself: aws logs \
             put-retention-policy"
                .to_owned()
        }
    };
    let message = format!("{label}: {problem}");
    ProblemRow { from_utc: Some(window.from.to_string()), to_utc: Some(window.to.to_string()), message, next }
}

/// Prints the problems and the totals on stderr.
fn print_summary(rows: &[Row], check: &RetentionCheck) {
    for Row { log_group, problems, .. } in rows {
        for ProblemRow { message, next, .. } in problems {
            note(format_args!("unsafe: {log_group}: {message}. {next}"));
        }
    }
    let settle_days = check.input.settle_days;
    if settle_days.duration() < LATE_EVENTS {
        note(format_args!(
            "SettleDays is {}: months are exported before all of their events have arrived, and later events would expire unarchived. Set it \
             to 14 or 15.",
            settle_days.days()
        ));
    }
    let safe: Vec<&Row> = rows.iter().filter(|row| row.result == RetentionResult::Safe).collect();
    let saved: f64 = safe.iter().filter_map(|row| row.saved_usd_per_month).sum();
    note(format_args!(
        "A retention of {} days is safe for {} of {} log groups, and saves up to {saved:.2} USD a month, at Tokyo's list price (docs/cost.md).",
        check.days,
        safe.len(),
        rows.len()
    ));
}

fn table(output: &Output, rows: &[Row]) -> Table {
    let mut table = output.table(["LOG GROUP", "RESULT", "NOW", "NEW", "USD/MONTH", "WHY"]);
    for row in rows {
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        let days = |days: Option<i64>| days.map_or_else(|| "-".to_owned(), |days| format!("{days} d"));
        let now = match row.retention_in_days {
            None if row.result != RetentionResult::Absent => "never expires".to_owned(),
            retention => days(retention.map(i64::from)),
        };
        let why = match (row.result, &row.problems[..]) {
            (RetentionResult::Absent, _) => "the log group does not exist".to_owned(),
            (RetentionResult::Kept, _) => "the retention is as short already".to_owned(),
            (_, []) => String::new(),
            (_, [only]) => only.message.clone(),
            (_, [first, others @ ..]) => format!("{}; {} more", first.message, others.len()),
        };
        table.add_row([
            Cell::new(&row.log_group),
            Cell::new(format!("{:?}", row.result).to_lowercase()),
            right(now),
            right(days(row.new_retention_in_days.map(i64::from))),
            right(row.saved_usd_per_month.map(|saved| format!("{saved:.2}")).unwrap_or_default()),
            Cell::new(why),
        ]);
    }
    table
}
