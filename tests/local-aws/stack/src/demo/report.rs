//! What the demo prints on stdout: where everything landed, and whether each check held.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{HumanBytes, HumanCount};

use crate::check::Report;
use crate::samples::SampleLogs;

/// Of one check; the rest is counted.
const SHOWN_PROBLEMS: usize = 10;

pub(super) fn print(samples: &SampleLogs, report: &Report, elapsed: Duration) -> Result<()> {
    std::io::stdout().write_all(text(samples, report, elapsed).as_bytes()).context("cannot write to stdout")
}

fn text(samples: &SampleLogs, report: &Report, elapsed: Duration) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(String::new());
    line(format!("{:24} {:>7} {:>10} {:>8}  where", "log group", "objects", "bytes", "events"));
    for landed in &report.landed {
        let mut row = format!("{:24} {:>7} ", landed.log_group_name, HumanCount(landed.objects as u64).to_string());
        let bytes = HumanBytes(landed.bytes as u64).to_string();
        // Writing to a String cannot fail.
        let _ = write!(row, "{bytes:>10} {:>8}  {}", HumanCount(landed.events as u64).to_string(), landed.uri);
        line(row);
    }
    for skip in &report.skips {
        line(format!("{:24} {:>27}  skipped: {}", skip.log_group_name, "", skip.reason));
    }
    line(String::new());
    for check in &report.checks {
        line(format!("{}  {}", if check.problems.is_empty() { "ok  " } else { "FAIL" }, check.name));
        for problem in check.problems.iter().take(SHOWN_PROBLEMS) {
            line(format!("        {problem}"));
        }
        if check.problems.len() > SHOWN_PROBLEMS {
            line(format!("        and {} more", check.problems.len() - SHOWN_PROBLEMS));
        }
    }
    line(String::new());
    let seconds = elapsed.as_secs_f64();
    let failed = report.checks.iter().filter(|check| !check.problems.is_empty()).count();
    line(match failed {
        0 => {
            let events = HumanCount(samples.events_in_month() as u64);
            format!("{} is archived: {events} events, each exactly once. {seconds:.1} s.", samples.month)
        }
        _ => {
            format!("{} is NOT archived as it should be: {failed} of {} checks failed. {seconds:.1} s.", samples.month, report.checks.len())
        }
    });
    text
}
