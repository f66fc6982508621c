//! `cargo demo`: a month of sample logs through the whole pipeline, and a damaged archive repaired, on this machine.

use std::process::ExitCode;

use anyhow::Result;
use chrono::Utc;
use lexopt::prelude::*;
use local_aws::calendar::Month;
use local_aws::cli::{self, Interruption};
use local_aws::demo;

const USAGE: &str = "\
Archives a month of sample logs on a local AWS, and checks that all of it arrived. Then removes an object from the archive, and checks that
the next run repairs that log group's month, and nothing else.

Usage: cargo demo [--month <YYYY-MM>]

  --month <YYYY-MM>  the month to archive (default: the latest one that is complete in Asia/Tokyo)
  --help             print this

Builds the functions, starts the local AWS, deploys infra/template.yaml, loads sample logs, runs the state machine twice, and reads the archive
back after each run.
Progress goes to stderr, the result to stdout. Exit code: 0 if every check held, 1 if not, 2 for wrong arguments, 128 + n after signal n.";

fn main() -> ExitCode {
    cli::run(USAGE, arguments(lexopt::Parser::from_env()), run)
}

/// `None` within: the default month.
fn arguments(mut parser: lexopt::Parser) -> Result<Option<Option<Month>>, lexopt::Error> {
    let mut month = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("month") => month = Some(parser.value()?.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(month))
}

async fn run(month: Option<Month>, mut interruption: Interruption) -> Result<ExitCode> {
    let month = month.map_or_else(|| Month::latest_complete(Utc::now()), Ok)?;
    tokio::select! {
        held = demo::run(month) => Ok(if held? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        code = interruption.received() => Ok(code),
    }
}
