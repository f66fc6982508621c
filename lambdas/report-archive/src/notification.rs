//! The notification of a run: its subject and its text, and the topic that gets it.

use archive::service_failure;
use aws_config::{SdkConfig, retry::RetryConfig};
use export_core::{
    ErrorName, ExportError, Month,
    contract::{
        plan::{S3Object, WindowOutcome},
        report::Report,
    },
    missing::OpenOutcome,
    warning::Warning,
};

use crate::{
    incomplete::{count_windows, ended, lines, lost, name, not_archived, open_name, repaired},
    text::{join_names, month_range, subject_line, to_one_line, truncate},
};

/// Amazon SNS accepts 256 KiB, with the attributes and the quotes of JSON.
const MAX_TEXT_BYTES: usize = 100_000;

/// One notification is all that people get. So the SDK repeats a throttled call for at most about a minute.
const MAX_ATTEMPTS: u32 = 8;

/// The most warnings of one name in a text.
const MAX_WARNINGS: usize = 20;

pub struct Topic {
    sns: aws_sdk_sns::Client,
    arn: String,
    archive_name: String,
}

impl Topic {
    pub fn new(config: &SdkConfig, arn: String, archive_name: String) -> Self {
        let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
        let sns = aws_sdk_sns::Client::from_conf(aws_sdk_sns::config::Builder::from(config).retry_config(retries).build());
        Self { sns, arn, archive_name }
    }

    pub async fn publish(&self, Notification { subject, text }: Notification) -> Result<(), ExportError> {
        let published = self.sns.publish().topic_arn(&self.arn).subject(subject).message(text).send().await;
        published.map(drop).map_err(|error| {
            let message = format!("the run has ended, but its notification failed: {}", service_failure("Publish", &error));
            ExportError::new(ErrorName::NotificationFailed, message)
        })
    }
}

pub struct Notification {
    pub subject: String,
    pub text: String,
}

impl Notification {
    /// `unannounced`: the earlier reports that nobody was notified of. `end`: the error that ends the run.
    pub fn new<'a>(
        topic: &Topic,
        report: &Report,
        unannounced: impl Iterator<Item = &'a str>,
        end: Option<&ExportError>,
        report_object: &S3Object,
    ) -> Self {
        let location = |key: &str| format!("s3://{}/{key}", report_object.bucket);
        let unannounced = join_names(unannounced.map(location).collect());
        let unannounced = if unannounced.is_empty() { unannounced } else { format!("\nNobody was notified of: {unannounced}") };
        let text = truncate(text(report, end), MAX_TEXT_BYTES);
        Self {
            subject: subject_line(&format!("{}: {}", topic.archive_name, headline(report, end))),
            text: format!("{text}\n\nReport: {}{unannounced}", location(&report_object.key)),
        }
    }
}

/// The months, and whether a person has to act.
fn headline(report: &Report, end: Option<&ExportError>) -> String {
    let mut parts = Vec::new();
    if let Some(failure) = &report.error {
        parts.push(format!("run failed with {}", failure.error));
    }
    let not_archived = not_archived(report);
    let (count, state) = match report.scheduled_time {
        Some(_) => (report.missing_count as usize, "missing"),
        None => (not_archived.len(), "not archived"),
    };
    let lost: Vec<Month> = lost(report).map(|(decided, _)| decided.month).collect();
    parts.extend(count_windows(count, state, not_archived.iter().map(|window| window.month)));
    parts.extend(count_windows(lost.len(), "lost", lost));
    if end.is_some_and(|error| error.name == ErrorName::CompactionFailed) {
        parts.push(format!("compaction to Parquet failed ({})", months(report)));
    }
    if parts.is_empty() {
        parts.push(success(report));
    }
    match (end, report.warnings.len()) {
        (Some(_), _) => format!("action needed: {}", parts.join(", ")),
        (None, 0) => format!("{}, no action needed", parts.join(", ")),
        (None, 1) => format!("{}, check 1 warning", parts.join(", ")),
        (None, warnings) => format!("{}, check {warnings} warnings", parts.join(", ")),
    }
}

/// The headline of a run without a missing or lost window.
fn success(report: &Report) -> String {
    let waiting = report.missing.iter().filter(|open| open.outcome == OpenOutcome::Waiting).count();
    let waiting = count_windows(waiting, "waiting", [report.due_month]);
    match (report.scheduled_time.is_some(), report.due_month_archived) {
        (true, true) => format!("{} archived", report.due_month),
        (true, false) => waiting.unwrap_or_else(|| format!("{} not archived yet", report.due_month)),
        (false, _) if report.counts.waiting > 0 => format!("{} archived in part", months(report)),
        (false, _) => format!("{} archived", months(report)),
    }
}

/// The months that the run compared.
fn months(report: &Report) -> String {
    month_range(report.months.iter().copied()).unwrap_or_else(|| report.due_month.to_string())
}

fn text(report: &Report, end: Option<&ExportError>) -> String {
    let mut paragraphs = vec![format!("Run {} compared {} in {}.", report.execution, months(report), report.timezone)];
    if let Some(error) = end.filter(|error| error.name != ErrorName::ArchiveIncomplete) {
        paragraphs.push(format!("{}: {}\nWhat to do: {}", error.name, to_one_line(&error.message), error.name.advice()));
    }
    let incomplete = lines(report);
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

/// The names of the windows that wait, that no entry matches, that were repaired, and that are empty.
fn lists(report: &Report) -> impl Iterator<Item = String> {
    let open = |outcome| report.missing.iter().filter(move |open| open.outcome == outcome);
    let waiting = open(OpenOutcome::Waiting).filter(|open| !open.is_missing(ended(report)));
    let empty = report.decided.iter().filter(|decided| matches!(decided.outcome, WindowOutcome::Empty { .. }));
    let lists: [(&str, Vec<String>); 4] = [
        ("Waiting for their turn", waiting.map(open_name).collect()),
        ("Open, and no entry matches them any more", open(OpenOutcome::NotAsked).map(open_name).collect()),
        ("Repaired", repaired(report).map(name).collect()),
        ("Empty", empty.map(name).collect()),
    ];
    lists.into_iter().filter(|(_, names)| !names.is_empty()).map(|(title, names)| format!("{title}: {}.", join_names(names)))
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
        let mut lines: Vec<String> =
            of_name.iter().take(MAX_WARNINGS).map(|warning| format!("- {}", to_one_line(&warning.message))).collect();
        if of_name.len() > MAX_WARNINGS {
            lines.push(format!("... {} in all", of_name.len()));
        }
        format!("Warning {}:\n{}", of_name[0].name.as_str(), lines.join("\n"))
    })
}
