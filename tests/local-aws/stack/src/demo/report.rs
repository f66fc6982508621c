//! What the demo prints on stdout: where everything landed, what the next run repaired, and whether each check held.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{HumanBytes, HumanCount};

use crate::check::{Archived, Damaged, Evidence, Report};
use crate::samples::{MISSING_LOG_GROUP, SampleLogs};

/// Of one check; the rest is counted.
const SHOWN_PROBLEMS: usize = 10;

pub(super) fn print(lines: &[String]) -> Result<()> {
    std::io::stdout().write_all(format!("\n{}\n\n", lines.join("\n")).as_bytes()).context("cannot write to stdout")
}

/// The archive after the first run.
pub(super) fn of_archive(samples: &SampleLogs, evidence: &Evidence, report: &Report) -> Vec<String> {
    let header = format!("{:19} {:>7} {:>10} {:>7}  where, in s3://{}/", "log group", "objects", "bytes", "events", evidence.bucket);
    let mut lines = vec![header];
    lines.extend(report.archived.iter().map(row));
    lines.push(format!("{MISSING_LOG_GROUP:19} {:26}  does not exist: the run warns", ""));
    lines.push(String::new());
    lines.extend(checks(report));
    lines.push(match failed(report) {
        None => format!("{} is archived: {} events, each exactly once.", samples.month, HumanCount(samples.events_in_month() as u64)),
        Some(failed) => format!("{} is NOT archived as it should be: {failed}.", samples.month),
    });
    lines
}

/// The archive after it was damaged, and the next run.
pub(super) fn of_repair(damaged: &Damaged, evidence: &Evidence, report: &Report, elapsed: Duration) -> Vec<String> {
    let name = &damaged.log_group_name;
    let repaired = report.archived.iter().filter(|archived| archived.log_group_name == *name).map(row);
    let mut lines = vec!["removed before the run:".to_owned(), format!("{name:19} {:>7} {:18}  {}", 1, "", damaged.removed.key)];
    lines.push("in the archive after it:".to_owned());
    lines.extend(repaired);
    lines.push(format!("already archived, by the run's word: {} log groups", evidence.output["alreadyArchived"]));
    lines.push(String::new());
    lines.extend(checks(report));
    lines.push(match failed(report) {
        None => format!(
            "The next run repaired {name}, and nothing else: each event is there exactly once again. {:.1} s in all.",
            elapsed.as_secs_f64()
        ),
        Some(failed) => format!("The next run did NOT repair {name} as it should: {failed}."),
    });
    lines
}

fn row(archived: &Archived) -> String {
    let Archived { log_group_name, outcome, folder, objects, bytes, events } = archived;
    let outcome = match outcome.as_str() {
        "" => "nothing yet: an event can still arrive",
        "empty" => "empty: the task wrote nothing",
        outcome => outcome,
    };
    match folder {
        Some(folder) if *objects > 0 => {
            let [objects, events] = [objects, events].map(|count| HumanCount(*count as u64).to_string());
            format!("{log_group_name:19} {objects:>7} {:>10} {events:>7}  {folder}", HumanBytes(*bytes as u64).to_string())
        }
        _ => format!("{log_group_name:19} {:26}  {outcome}", ""),
    }
}

fn checks(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for check in &report.checks {
        lines.push(format!("{}  {}", if check.problems.is_empty() { "ok  " } else { "FAIL" }, check.name));
        lines.extend(check.problems.iter().take(SHOWN_PROBLEMS).map(|problem| format!("        {problem}")));
        if check.problems.len() > SHOWN_PROBLEMS {
            lines.push(format!("        and {} more", check.problems.len() - SHOWN_PROBLEMS));
        }
    }
    lines.push(String::new());
    lines
}

/// `None` where every check held.
fn failed(report: &Report) -> Option<String> {
    let failed = report.checks.iter().filter(|check| !check.problems.is_empty()).count();
    (failed > 0).then(|| format!("{failed} of {} checks failed", report.checks.len()))
}
