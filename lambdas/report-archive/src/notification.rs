//! What a run tells people: the text of its notification, and the failures in the cause of a run that failed.

use archive::service_failure;
use export_core::{
    ErrorName, ExportError,
    contract::{
        plan::{Decided, Failure, Object, Settled},
        report::Report,
    },
};

/// Bytes of a cause that Step Functions keeps, with room for what stands around them.
pub const IN_A_CAUSE: usize = 20_000;
const IN_A_NOTIFICATION: usize = 100_000;

/// Names of log groups in one line.
const NAMES: usize = 20;
/// Warnings of one name.
const WARNINGS: usize = 20;
const SUBJECT: usize = 100;

pub struct Topic {
    pub sns: aws_sdk_sns::Client,
    pub arn: String,
    pub archive_name: String,
    pub notifies_on_success: bool,
}

impl Topic {
    pub async fn publish(&self, notification: Option<Notification>) -> Result<(), ExportError> {
        let Some(Notification { subject, text }) = notification else { return Ok(()) };
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
    /// `None` for a run that ended well, has no warnings, and of which nobody wants to hear.
    pub fn of(topic: &Topic, report: &Report, last: Option<&Report>, end: Option<&ExportError>, place: &Object) -> Option<Self> {
        let _ = last;
        if end.is_none() && report.warnings.is_empty() && !topic.notifies_on_success {
            return None;
        }
        let months = match &report.months[..] {
            [] => report.due_month.to_string(),
            [only] => only.to_string(),
            [newest, .., oldest] => format!("{oldest} to {newest}"),
        };
        let what = match end {
            Some(ExportError { name: ErrorName::ArchiveIncomplete, .. }) => format!("FAILED, {} not archived", report.counts.failed),
            Some(error) => format!("FAILED, {}", error.name),
            None if report.warnings.is_empty() => "archived".to_owned(),
            None => format!("archived, {} warnings", report.warnings.len()),
        };
        let mut subject = format!("{}: {months} {what}", topic.archive_name);
        subject = subject.chars().take(SUBJECT).collect();
        let text = plain(&text(report, end, &months, place));
        Some(Self { subject, text })
    }
}

fn text(report: &Report, end: Option<&ExportError>, months: &str, place: &Object) -> String {
    let counts = &report.counts;
    let mut lines = vec![format!("Run {} looked at {months} in {}.", report.execution, report.timezone)];
    match end {
        Some(error) if error.name == ErrorName::ArchiveIncomplete => {}
        Some(error) => lines.push(format!("{error}\nWhat to do: {}", error.name.advice())),
        None if report.warnings.is_empty() && counts.nothing_yet == 0 => {
            lines.push("Everything that it looked at is archived, or has nothing to archive.".to_owned());
        }
        None => lines.push("Nothing failed.".to_owned()),
    }
    if counts.failed > 0 {
        lines.push(failures(&report.decided, IN_A_NOTIFICATION));
    }
    lines.push(format!(
        "Exported: {} ({} objects, {} bytes; {} of them repairs). Empty: {}. Skipped: {}. Nothing yet: {}. Not archived, with a warning: {}. Failed: {}. Archived already: {}.",
        counts.exported,
        counts.objects,
        counts.bytes,
        counts.repaired,
        counts.empty,
        counts.skipped,
        counts.nothing_yet,
        counts.warned,
        counts.failed,
        counts.already_archived
    ));
    for of_name in report.warnings.chunk_by(|one, other| one.name == other.name) {
        let shown = of_name.iter().take(WARNINGS).map(|warning| format!("- {}", warning.message));
        let name = of_name[0].name.as_str();
        lines.push(format!("Warning {name}, {} times:\n{}", of_name.len(), shown.collect::<Vec<_>>().join("\n")));
    }
    lines.push(format!("Report: s3://{}/{}", place.bucket, place.key));
    lines.join("\n\n")
}

pub fn incomplete(report: &Report, _now: chrono::DateTime<chrono::Utc>, limit: usize) -> String {
    failures(&report.decided, limit)
}

/// The failures by their error: which log groups, what AWS said of the first, and what to do. Cut to `limit` bytes.
pub fn failures(decided: &[Decided], limit: usize) -> String {
    let failed = decided.iter().filter_map(|decided| match &decided.settled {
        Settled::Failed { failure, .. } => Some((decided, failure)),
        _ => None,
    });
    let mut failed: Vec<(&Decided, &Failure)> = failed.collect();
    failed.sort_by(|(_, one), (_, other)| one.error.cmp(&other.error));
    let mut text = match failed.len() {
        1 => "1 log-group-month is not archived.".to_owned(),
        count => format!("{count} log-group-months are not archived."),
    };
    for of_error in failed.chunk_by(|(_, one), (_, other)| one.error == other.error) {
        let (_, failure) = of_error[0];
        let name = |(decided, _): &(&Decided, &Failure)| format!("{} {}", decided.source.log_group_name, decided.month);
        let mut names: Vec<String> = of_error.iter().take(NAMES).map(name).collect();
        if of_error.len() > NAMES {
            names.push(format!("... {} in all", of_error.len()));
        }
        let message = failure.message.trim_end_matches('.');
        text += &format!("\n{}: {}. {message}. What to do: {}", failure.error, names.join(", "), failure.advice());
    }
    match text.char_indices().find(|(at, _)| *at >= limit) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// AWS's messages can have any character; a reader's terminal takes lines.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() && character != '\n' { ' ' } else { character }).collect()
}
