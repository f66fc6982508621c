//! What a run tells people: when, in which words, and the cause of a run that failed.

use std::collections::BTreeSet;

use archive::service_failure;
use aws_config::{SdkConfig, retry::RetryConfig};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError, Month,
    contract::{
        plan::{Decided, Object, Settled},
        report::Report,
    },
    manifest::Reason,
    missing::{OpenOutcome, OpenWindow},
    time::parse_instant,
    warning::{Warning, WarningName},
};

use crate::texts::{cut, line, names, range, subject_line};

/// Bytes of a cause that Step Functions keeps, with room for what stands around them.
pub const IN_A_CAUSE: usize = 20_000;
const IN_A_NOTIFICATION: usize = 100_000;

/// One notification is all that people get, so it waits out a throttled topic: for a minute.
const ATTEMPTS: u32 = 8;

/// Warnings of one name.
const WARNINGS: usize = 20;

pub struct Topic {
    sns: aws_sdk_sns::Client,
    arn: String,
    archive_name: String,
}

impl Topic {
    pub fn new(config: &SdkConfig, arn: String, archive_name: String) -> Self {
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let sns = aws_sdk_sns::Client::from_conf(aws_sdk_sns::config::Builder::from(config).retry_config(retries).build());
        Self { sns, arn, archive_name }
    }

    pub async fn publish(&self, Notification { subject, text }: Notification) -> Result<(), ExportError> {
        let published = self.sns.publish().topic_arn(&self.arn).subject(subject).message(text).send().await;
        published.map(drop).map_err(|error| {
            let message = format!("the run has ended and nobody was told: {}", service_failure("Publish", &error));
            ExportError::new(ErrorName::NotificationFailed, message)
        })
    }
}

pub struct Notification {
    pub subject: String,
    pub text: String,
}

impl Notification {
    /// `untold`: the reports of earlier runs that nobody was told of. `end`: what the run fails with.
    pub fn of<'a>(
        topic: &Topic,
        report: &Report,
        untold: impl Iterator<Item = &'a str>,
        end: Option<&ExportError>,
        place: &Object,
    ) -> Self {
        let at = |key: &str| format!("s3://{}/{key}", place.bucket);
        let untold = names(untold.map(at).collect());
        let untold = if untold.is_empty() { untold } else { format!("\nNobody was told of: {untold}") };
        Self {
            subject: subject_line(&format!("{}: {}", topic.archive_name, headline(report, end))),
            text: format!("{}\n\nReport: {}{untold}", cut(text(report, end), IN_A_NOTIFICATION), at(&place.key)),
        }
    }
}

/// Somebody waits to hear of a run by hand. A scheduled run is told of when it differs from the last one, or that one could not be told of.
pub fn is_news(report: &Report, last: Option<&Report>) -> bool {
    if last.is_some_and(|last| !last.told) || report.scheduled_time.is_none() || report.counts.lost > 0 || repaired(report).next().is_some()
    {
        return true;
    }
    let said_archived = |last: &Report| last.due_month_archived && last.due_month == report.due_month;
    let error = |report: &Report| report.error.as_ref().or(report.compaction_error.as_ref()).map(|failure| failure.error.clone());
    let error_before = last.and_then(error);
    (report.due_month_archived && !last.is_some_and(said_archived))
        || error(report).is_some_and(|error| Some(error) != error_before)
        || last.map(told_windows).unwrap_or_default() != told_windows(report)
        || warnings_differ(&report.warnings, last.map_or(&[], |last| &last.warnings))
}

/// What makes a difference of the windows that are missing, and of those that no entry asks for.
fn told_windows(report: &Report) -> BTreeSet<(&str, Month, i64, i64, Option<&str>)> {
    let told = report.missing.iter().filter(|open| open.outcome == OpenOutcome::NotAsked || open.is_missing(ended(report)));
    told.map(|open| {
        let error = open.error.as_deref().filter(|_| open.outcome != OpenOutcome::NotAsked);
        (open.log_group.as_str(), open.month, open.window_from.0, open.window_to.0, error)
    })
    .collect()
}

/// Some warnings are of what one run did. That the next one does not repeat them is no news.
fn warnings_differ(now: &[Warning], last: &[Warning]) -> bool {
    now.iter().any(|warning| !last.contains(warning)) || last.iter().any(|warning| stays(warning.name) && !now.contains(warning))
}

/// Until somebody does something.
fn stays(name: WarningName) -> bool {
    use WarningName::*;
    match name {
        ObjectsChanged
        | SlotNearlyFull
        | LogGroupNotFound
        | LogClassNotExportable
        | EntryMatchesNothing
        | NoStreamHasPrefix
        | EntryRepeated
        | OpenWindowUnreadable => true,
        LogGroupDeleted
        | ExpiredBeforeFirstRun
        | RetentionShorterThanMonth
        | CreatedDuringMonth
        | HiddenFromAthena
        | SmallerThanBefore
        | NotAsked
        | ResultsUnreadable
        | MonthNotComplete
        | ScheduledTimeOvertaken => false,
    }
}

/// Which months, and whether anything needs action.
fn headline(report: &Report, end: Option<&ExportError>) -> String {
    let mut parts = Vec::new();
    if let Some(failure) = &report.error {
        parts.push(format!("run failed with {}", failure.error));
    }
    let not_archived = not_archived(report);
    let (count, what) = match report.scheduled_time {
        Some(_) => (report.missing_count as usize, "missing"),
        None => (not_archived.len(), "not archived"),
    };
    let lost: Vec<Month> = lost(report).map(|(decided, _)| decided.month).collect();
    parts.extend(windows(count, what, not_archived.iter().map(|window| window.month)));
    parts.extend(windows(lost.len(), "lost", lost));
    if end.is_some_and(|error| error.name == ErrorName::CompactionFailed) {
        parts.push(format!("compaction to Parquet failed ({})", months(report)));
    }
    if parts.is_empty() {
        parts.push(state(report));
    }
    match (end, report.warnings.len()) {
        (Some(_), _) => format!("action needed: {}", parts.join(", ")),
        (None, 0) => format!("{}, no action needed", parts.join(", ")),
        (None, 1) => format!("{}, check 1 warning", parts.join(", ")),
        (None, warnings) => format!("{}, check {warnings} warnings", parts.join(", ")),
    }
}

/// Of a run that lacks nothing.
fn state(report: &Report) -> String {
    let waiting = windows(report.missing.iter().filter(|open| open.outcome == OpenOutcome::Waiting).count(), "waiting", [report.due_month]);
    match (report.scheduled_time.is_some(), report.due_month_archived) {
        (true, true) => format!("{} archived", report.due_month),
        (true, false) => waiting.unwrap_or_else(|| format!("{} not archived yet", report.due_month)),
        (false, _) if report.counts.waiting > 0 => format!("{} archived in part", months(report)),
        (false, _) => format!("{} archived", months(report)),
    }
}

fn windows(count: usize, what: &str, months: impl IntoIterator<Item = Month>) -> Option<String> {
    let months = range(months).map_or_else(String::new, |months| format!(" ({months})"));
    let windows = if count == 1 { "window" } else { "windows" };
    (count > 0).then(|| format!("{count} {windows} {what}{months}"))
}

/// Those that the run looked at.
fn months(report: &Report) -> String {
    range(report.months.iter().copied()).unwrap_or_else(|| report.due_month.to_string())
}

fn text(report: &Report, end: Option<&ExportError>) -> String {
    let mut paragraphs = vec![format!("Run {} looked at {} in {}.", report.execution, months(report), report.timezone)];
    if let Some(error) = end.filter(|error| error.name != ErrorName::ArchiveIncomplete) {
        paragraphs.push(format!("{}: {}\nWhat to do: {}", error.name, line(&error.message), error.name.advice()));
    }
    let incomplete = incomplete_groups(report);
    match (end, incomplete.is_empty()) {
        (_, false) => paragraphs.push(incomplete.join("\n")),
        (None, true) => paragraphs.push("Nothing failed.".to_owned()),
        (Some(_), true) => {}
    }
    paragraphs.extend(lists(report));
    paragraphs.push(figures(report));
    paragraphs.extend(warnings(&report.warnings));
    paragraphs.join("\n\n")
}

/// By name: what waits, what nobody asks for, what was repaired, and what is empty.
fn lists(report: &Report) -> impl Iterator<Item = String> {
    let open = |outcome| report.missing.iter().filter(move |open| open.outcome == outcome).map(open_name).collect();
    let waiting: Vec<String> = report
        .missing
        .iter()
        .filter(|open| open.outcome == OpenOutcome::Waiting && !open.is_missing(ended(report)))
        .map(open_name)
        .collect();
    let empty = report.decided.iter().filter(|decided| matches!(decided.settled, Settled::Empty { .. }));
    let lists: [(&str, Vec<String>); 4] = [
        ("Waiting for their turn", waiting),
        ("Open, and no entry asks for them any more", open(OpenOutcome::NotAsked)),
        ("Repaired", repaired(report).map(name).collect()),
        ("Empty", empty.map(name).collect()),
    ];
    lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(what, list)| format!("{what}: {}.", names(list)))
}

fn figures(report: &Report) -> String {
    let counts = &report.counts;
    format!(
        "Exported: {} ({} objects, {} bytes). Empty: {}. Skipped: {}. Lost: {}. Nothing yet: {}. Waiting: {}. Not archived, with a warning: {}. Failed: {}. \
         Archived already: {}. Missing in the archive: {}.\nThe run used the export slot for {:.1} hours; the list needs it for {:.1} hours a month.",
        counts.exported,
        counts.objects,
        counts.bytes,
        counts.empty,
        counts.skipped,
        counts.lost,
        counts.nothing_yet,
        counts.waiting,
        counts.warned,
        counts.failed,
        counts.already_archived,
        report.missing_count,
        report.slot_hours_used,
        report.slot_hours_needed
    )
}

fn warnings(warnings: &[Warning]) -> impl Iterator<Item = String> {
    warnings.chunk_by(|one, other| one.name == other.name).map(|of_name| {
        let mut lines: Vec<String> = of_name.iter().take(WARNINGS).map(|warning| format!("- {}", line(&warning.message))).collect();
        if of_name.len() > WARNINGS {
            lines.push(format!("... {} in all", of_name.len()));
        }
        format!("Warning {}:\n{}", of_name[0].name.as_str(), lines.join("\n"))
    })
}

/// The cause of ArchiveIncomplete, cut to `limit` bytes.
pub fn incomplete(report: &Report, limit: usize) -> String {
    cut(incomplete_groups(report).join("\n"), limit)
}

/// A line for all, then one for each error and for each reason of a loss: which log groups, what AWS said of the first, and what to do.
fn incomplete_groups(report: &Report) -> Vec<String> {
    let not_archived = not_archived(report);
    let unreadable = report.warnings.iter().filter(|warning| warning.name == WarningName::OpenWindowUnreadable);
    let unreadable: Vec<&Warning> = unreadable.filter(|_| report.scheduled_time.is_some()).collect();
    let mut lost: Vec<(&Decided, Reason)> = lost(report).collect();
    let (count, lost_count) = (not_archived.len() + unreadable.len(), lost.len());
    let counted = [windows(count, "not archived", []), windows(lost_count, "lost", [])];
    let counted: Vec<String> = counted.into_iter().flatten().collect();
    let mut groups: Vec<String> = (!counted.is_empty()).then(|| format!("{}.", counted.join(", "))).into_iter().collect();
    for of_error in not_archived.chunk_by(|one, other| one.error == other.error) {
        let NotArchived { error, message, .. } = &of_error[0];
        let names = names(of_error.iter().map(|window| window.name.clone()).collect());
        groups.push(format!("{error}: {names}. {} What to do: {}", sentence(message), advice(error)));
    }
    if let Some(first) = unreadable.first() {
        let count = unreadable.len();
        groups.push(format!(
            "ArchiveUnreadable: {count} in missing/. {} What to do: {}",
            sentence(&first.message),
            advice("ArchiveUnreadable")
        ));
    }
    lost.sort_by_key(|(_, reason)| *reason);
    for of_reason in lost.chunk_by(|(_, one), (_, other)| one == other) {
        let names = names(of_reason.iter().map(|(decided, _)| name(decided)).collect());
        groups.push(format!("Lost, {:?}: {names}. No run can export these events any more.", of_reason[0].1));
    }
    groups
}

/// A window that the run judges and that is not archived.
struct NotArchived<'a> {
    error: &'a str,
    message: &'a str,
    month: Month,
    name: String,
}

/// By their errors. A scheduled run judges all that is missing; a run by hand judges what it was asked for.
fn not_archived(report: &Report) -> Vec<NotArchived<'_>> {
    let is_scheduled = report.scheduled_time.is_some();
    let is_own = |open: &OpenWindow| open.outcome == OpenOutcome::Waiting && open.execution == report.execution;
    let missing = report.missing.iter().filter(|open| open.is_missing(ended(report)) && (is_scheduled || is_own(open)));
    let missing = missing.map(|open| NotArchived {
        error: open.error.as_deref().unwrap_or("Unexpected"),
        message: &open.message,
        month: open.month,
        name: open_name(open),
    });
    let failed = report.decided.iter().filter(|_| !is_scheduled).filter_map(|decided| match &decided.settled {
        Settled::Failed { failure, .. } => {
            Some(NotArchived { error: &failure.error, message: &failure.message, month: decided.month, name: name(decided) })
        }
        _ => None,
    });
    let mut not_archived: Vec<NotArchived> = missing.chain(failed).collect();
    not_archived.sort_by(|one, other| (one.error, &one.name).cmp(&(other.error, &other.name)));
    not_archived
}

fn lost(report: &Report) -> impl Iterator<Item = (&Decided, Reason)> {
    report.decided.iter().filter_map(|decided| match decided.settled {
        Settled::Lost { reason } => Some((decided, reason)),
        _ => None,
    })
}

/// Exported again, or later than due.
fn repaired(report: &Report) -> impl Iterator<Item = &Decided> {
    report.decided.iter().filter(|decided| match &decided.settled {
        Settled::Exported { repairs, .. } => repairs.is_some() || (report.scheduled_time.is_some() && decided.month < report.due_month),
        _ => false,
    })
}

fn name(decided: &Decided) -> String {
    format!("{} {}", decided.source.log_group_name, decided.month)
}

fn open_name(open: &OpenWindow) -> String {
    format!("{} {} (since {})", open.log_group, open.month, open.since().format("%Y-%m-%d"))
}

fn sentence(message: &str) -> String {
    format!("{}.", line(message).trim_end_matches(['.', ' ']))
}

/// What waits for its turn has no error's name: nothing failed.
fn advice(error: &str) -> &'static str {
    match ErrorName::parse(error) {
        Some(name) => name.advice(),
        None if error == "RunTimeOver" => {
            "Shorten the list, or archive some of its log groups from another account: it needs more of the export slot than there is."
        }
        None => "Start a new run.",
    }
}

fn ended(report: &Report) -> DateTime<Utc> {
    parse_instant(&report.ended).unwrap_or_default()
}
