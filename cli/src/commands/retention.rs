//! `retention`: which log groups of the list can keep their events for fewer days, because the archive has what would be deleted; and sets
//! it. docs/decisions/0037-a-shorter-retention.md tells when it is safe.
//!
//! **Invariant:** it never lengthens a retention, and touches no log group outside the list.

mod apply;
mod survey;

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
    Verdict,
    arguments::{Format, reading::Retention},
    commands::plan::estimate,
    commands::retention::survey::{Candidate, Survey},
    context::Context,
    failure::Failure,
    output::{Output, note},
    request::{self, Selection},
    schedule::Schedule,
    shell::quoted,
};

/// One log group, as `--output json` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    log_group: LogGroupName,
    result: ResultName,
    retention_in_days: Option<i32>,
    /// Where it may be set.
    new_retention_in_days: Option<u32>,
    saved_usd_per_month: Option<f64>,
    problems: Vec<Told>,
    /// The command that brings the present retention back.
    restore: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum ResultName {
    Safe,
    Unsafe,
    Kept,
    Absent,
    /// By this command.
    Set,
}

/// Why it is not safe.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    from_utc: Option<String>,
    to_utc: Option<String>,
    message: String,
    next: String,
}

pub async fn run(context: &Context, arguments: &Retention) -> Result<Verdict, Failure> {
    let now = Utc::now().trunc_subsecs(3);
    let stack = context.stack().await?;
    let schedule = Schedule::read(context, &stack).await?;
    let input = request::parse(&schedule.input_at(now)?, &stack.stack)?;
    let archive = context.archive(&stack);
    let selection = Selection::new(&arguments.groups.groups);
    let (mut groups, warnings) = archive.expand(&input).await.map_err(request::refused)?;
    selection.keep(&mut groups)?;
    for warning in warnings.iter().filter(|_| selection.is_all()) {
        note(format_args!("warning: {}: {}", warning.name.as_str(), warning.message));
    }
    let candidates = Candidate::all(&groups);
    let survey = Survey {
        archive: &archive,
        input: &input,
        days: arguments.days,
        is_scheduled: schedule.is_enabled(),
        options: &context.options.aws_cli,
    };
    let bar = context.output.bar("comparing [{bar:30}] {human_pos} of {human_len}, {eta} left");
    bar.set_length(candidates.len() as u64);
    let answers = survey.all(&candidates, now, || bar.inc(1)).await?;
    bar.finish_and_clear();
    let answers = candidates.iter().zip(answers);
    let mut rows: Vec<Row> = answers.map(|(candidate, answer)| row(&survey, candidate, answer, now)).collect();
    tell(&rows, &survey);

    let is_table = context.output.format == Format::Table;
    if is_table {
        context.output.rows(&rows, || table(&context.output, &rows))?;
    }
    let applied = match arguments.apply {
        true => apply::apply(context, &stack, &schedule, &survey, &candidates, &mut rows, arguments.yes).await,
        false => Ok(()),
    };
    let printed = if is_table { Ok(()) } else { context.output.rows(&rows, || table(&context.output, &rows)) };
    // What was not set is said first: nobody may read on.
    applied?;
    printed?;
    let has_unsafe = rows.iter().any(|row| row.result == ResultName::Unsafe);
    Ok(if has_unsafe { Verdict::Finding } else { Verdict::Well })
}

fn row(survey: &Survey, candidate: &Candidate, answer: Answer, now: DateTime<Utc>) -> Row {
    let retention_in_days = match candidate.log_group {
        LogGroup::Present { retention_in_days, .. } => retention_in_days,
        LogGroup::Absent | LogGroup::Gone => None,
    };
    let (result, problems) = match answer {
        Answer::Absent => (ResultName::Absent, Vec::new()),
        Answer::AlreadyShort => (ResultName::Kept, Vec::new()),
        Answer::Safe => (ResultName::Safe, Vec::new()),
        Answer::Unsafe(problems) => (ResultName::Unsafe, problems),
    };
    let is_shorter = matches!(result, ResultName::Safe | ResultName::Unsafe);
    let deleted = Window { from: Millis(0), to: Millis(survey.proposal(candidate, now).expires_before().0 - 1) };
    let bytes = estimate::stored_bytes_of(&candidate.log_group, deleted, now).or(Some(0.0)).filter(|_| is_shorter);
    Row {
        log_group: candidate.name.clone(),
        result,
        retention_in_days,
        new_retention_in_days: (result == ResultName::Safe).then_some(survey.days),
        saved_usd_per_month: bytes.map(estimate::storage),
        problems: problems.iter().map(|problem| told(survey, candidate, problem)).collect(),
        restore: (result == ResultName::Safe).then(|| restore(&candidate.name, retention_in_days, survey.options)),
    }
}

/// For a POSIX shell, with the AWS CLI.
fn restore(name: &LogGroupName, days: Option<i32>, options: &str) -> String {
    let name = quoted(name.as_str());
    match days {
        Some(days) => format!("aws logs put-retention-policy --log-group-name {name} --retention-in-days {days}{options}"),
        None => format!("aws logs delete-retention-policy --log-group-name {name}{options}"),
    }
}

fn told(survey: &Survey, candidate: &Candidate, problem: &Problem) -> Told {
    let name = &candidate.name;
    let Problem::Gap(Gap { window, flaw }) = problem else {
        let next = match problem {
            Problem::ScheduleOff => "Set the stack's parameter Schedule to DAILY.".to_owned(),
            Problem::NotExportable => "Take its entry off the list.".to_owned(),
            Problem::SomeStreams => "Take the logStreamNamePrefix off its entry, and archive its months again.".to_owned(),
            Problem::AccountPolicy(_) => "Change that policy: see aws logs describe-account-policies.".to_owned(),
            Problem::AgeUnknown | Problem::Gap(_) => "Repeat the command later.".to_owned(),
        };
        return Told { from_utc: None, to_utc: None, message: problem.to_string(), next };
    };
    let months: Vec<_> = survey.months_of(*window).into_iter().map(|(month, _)| month).collect();
    let (label, range) = match &months[..] {
        [] => (String::new(), String::new()),
        [only] => (only.to_string(), format!("--month {only}")),
        [first, .., last] => (format!("{first} to {last}"), format!("--since {first}")),
    };
    let run = format!("logs-archive run {range} --group {}", quoted(name.as_str()));
    let next = match flaw {
        Flaw::NoManifest | Flaw::Invalid(_) => format!("Archive it: {run}"),
        Flaw::ExportedEarly => format!("Export it again: {run} --force"),
        Flaw::Changed => format!("Put back the objects' versions, or export it again: {run} --force"),
        Flaw::SomeStreams(_) => format!("Give its entry no logStreamNamePrefix, then archive it: {run}"),
        Flaw::Unreadable(_) => "Make the manifest readable: docs/operations.md, \"A manifest that cannot be read\".".to_owned(),
        Flaw::Recorded(reason) if reason.outcome() == Outcome::Skipped => format!("If events are there, export it again: {run} --force"),
        Flaw::Recorded(_) | Flaw::BeginningExpired => {
            "No export brings these events back. If nobody needs what CloudWatch Logs may still have of that time, set the retention \
             yourself: aws logs put-retention-policy"
                .to_owned()
        }
    };
    let message = format!("{label}: {problem}");
    Told { from_utc: Some(window.from.to_string()), to_utc: Some(window.to.to_string()), message, next }
}

/// What a person has to know, on stderr.
fn tell(rows: &[Row], survey: &Survey) {
    for Row { log_group, problems, .. } in rows {
        for Told { message, next, .. } in problems {
            note(format_args!("unsafe: {log_group}: {message}. {next}"));
        }
    }
    let settle_days = survey.input.settle_days;
    if settle_days.duration() < LATE_EVENTS {
        note(format_args!(
            "SettleDays is {}: months are exported before the last of their events can arrive, and later ones would expire unarchived. Set it \
             to 14 or 15.",
            settle_days.days()
        ));
    }
    let safe: Vec<&Row> = rows.iter().filter(|row| row.result == ResultName::Safe).collect();
    let saved: f64 = safe.iter().filter_map(|row| row.saved_usd_per_month).sum();
    note(format_args!(
        "A retention of {} days is safe for {} of {} log groups, and saves up to {saved:.2} USD a month, at Tokyo's list price (docs/deploy.md).",
        survey.days,
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
            None if row.result != ResultName::Absent => "never expires".to_owned(),
            retention => days(retention.map(i64::from)),
        };
        let why = match (row.result, &row.problems[..]) {
            (ResultName::Absent, _) => "the log group does not exist".to_owned(),
            (ResultName::Kept, _) => "it is as short already, and is left as it is".to_owned(),
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
