//! What a run did not archive, and what it lost: the cause of `ArchiveIncomplete`, and part of the notification.

use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, Month,
    contract::{
        plan::{DecidedWindow, WindowOutcome},
        report::Report,
    },
    manifest::Reason,
    missing::{OpenOutcome, OpenWindow},
    time::parse_instant,
    warning::{Warning, WarningName},
};

use crate::text::{join_names, month_range, to_one_line, truncate};

/// The longest cause in bytes. Step Functions keeps more, and the rest is for the text around it.
const MAX_CAUSE_LENGTH: usize = 20_000;

/// A window that the run judges and that is not archived.
pub struct NotArchived<'a> {
    error: &'a str,
    message: &'a str,
    pub month: Month,
    name: String,
}

/// The cause of `ArchiveIncomplete`.
pub fn cause(report: &Report) -> String {
    truncate(lines(report).join("\n"), MAX_CAUSE_LENGTH)
}

/// One line with the totals, then one for each error and for each reason of a loss: the log groups, AWS's message for the first of them,
/// and what to do.
pub fn lines(report: &Report) -> Vec<String> {
    let not_archived = not_archived(report);
    let unreadable = report.warnings.iter().filter(|warning| warning.name == WarningName::OpenWindowUnreadable);
    let unreadable: Vec<&Warning> = unreadable.filter(|_| report.scheduled_time.is_some()).collect();
    let mut lost: Vec<(&DecidedWindow, Reason)> = lost(report).collect();
    let totals = [count_windows(not_archived.len() + unreadable.len(), "not archived", []), count_windows(lost.len(), "lost", [])];
    let totals: Vec<String> = totals.into_iter().flatten().collect();
    let mut lines: Vec<String> = (!totals.is_empty()).then(|| format!("{}.", totals.join(", "))).into_iter().collect();
    for of_error in not_archived.chunk_by(|one, other| one.error == other.error) {
        let NotArchived { error, message, .. } = &of_error[0];
        let names = join_names(of_error.iter().map(|window| window.name.clone()).collect());
        lines.push(format!("{error}: {names}. {} What to do: {}", to_sentence(message), advice(error)));
    }
    if let Some(first) = unreadable.first() {
        let error = ErrorName::ArchiveUnreadable;
        let (count, message) = (unreadable.len(), to_sentence(&first.message));
        lines.push(format!("{error}: {count} in missing/. {message} What to do: {}", error.advice()));
    }
    lost.sort_by_key(|(_, reason)| *reason);
    for of_reason in lost.chunk_by(|(_, one), (_, other)| one == other) {
        let names = join_names(of_reason.iter().map(|(decided, _)| name(decided)).collect());
        lines.push(format!("Lost, {:?}: {names}. No run can export these events any more.", of_reason[0].1));
    }
    lines
}

/// The windows that are not archived, sorted by error. A scheduled run judges everything that is missing. A run by hand judges the windows
/// that it was asked for.
pub fn not_archived(report: &Report) -> Vec<NotArchived<'_>> {
    let is_scheduled = report.scheduled_time.is_some();
    let is_waiting_of_run = |open: &OpenWindow| open.outcome == OpenOutcome::Waiting && open.execution == report.execution;
    let missing = report.missing.iter().filter(|open| open.is_missing(ended(report)) && (is_scheduled || is_waiting_of_run(open)));
    let missing = missing.map(|open| NotArchived {
        error: open.error.as_deref().unwrap_or("Unexpected"),
        message: &open.message,
        month: open.month,
        name: open_name(open),
    });
    let failed = report.decided.iter().filter(|_| !is_scheduled).filter_map(|decided| match &decided.outcome {
        WindowOutcome::Failed { failure, .. } => {
            Some(NotArchived { error: &failure.error, message: &failure.message, month: decided.month, name: name(decided) })
        }
        _ => None,
    });
    let mut not_archived: Vec<NotArchived> = missing.chain(failed).collect();
    not_archived.sort_by(|one, other| (one.error, &one.name).cmp(&(other.error, &other.name)));
    not_archived
}

pub fn lost(report: &Report) -> impl Iterator<Item = (&DecidedWindow, Reason)> {
    report.decided.iter().filter_map(|decided| match decided.outcome {
        WindowOutcome::Lost { reason } => Some((decided, reason)),
        _ => None,
    })
}

/// The windows that were exported again, or later than due.
pub fn repaired(report: &Report) -> impl Iterator<Item = &DecidedWindow> {
    let is_late = |decided: &DecidedWindow| report.scheduled_time.is_some() && decided.month < report.due_month;
    report.decided.iter().filter(move |decided| match &decided.outcome {
        WindowOutcome::Exported { repairs, .. } => repairs.is_some() || is_late(decided),
        _ => false,
    })
}

/// Such as `2 windows lost (2026-09 to 2026-10)`. `None`: there are no windows.
pub fn count_windows(count: usize, state: &str, months: impl IntoIterator<Item = Month>) -> Option<String> {
    let months = month_range(months).map_or_else(String::new, |months| format!(" ({months})"));
    let windows = if count == 1 { "window" } else { "windows" };
    (count > 0).then(|| format!("{count} {windows} {state}{months}"))
}

pub fn name(decided: &DecidedWindow) -> String {
    format!("{} {}", decided.source.log_group_name, decided.month)
}

pub fn open_name(open: &OpenWindow) -> String {
    format!("{} {} (since {})", open.place.log_group, open.month, open.since().format("%Y-%m-%d"))
}

/// When the run of the report ended.
pub fn ended(report: &Report) -> DateTime<Utc> {
    parse_instant(&report.ended).unwrap_or_default()
}

fn to_sentence(message: &str) -> String {
    format!("{}.", to_one_line(message).trim_end_matches(['.', ' ']))
}

/// `RunTimeOver` is not the name of an error: the window waits, and nothing failed.
fn advice(error: &str) -> &'static str {
    match ErrorName::parse(error) {
        Some(name) => name.advice(),
        None if error == "RunTimeOver" => {
            "Shorten the list, or archive some of its log groups from another account: it needs more of the export slot than there is."
        }
        None => "Start a new run.",
    }
}
