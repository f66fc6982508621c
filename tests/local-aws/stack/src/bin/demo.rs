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

Usage: cargo demo [--month <YYYY-MM>] [--stay]

  --month <YYYY-MM>  the month to archive (default: the latest one that is complete in Asia/Tokyo)
  --stay             keep the local AWS afterwards, until Ctrl-C, and print how to look at the archive
  --help             print this

Builds the functions, starts the local AWS, deploys infra/template.yaml, loads sample logs, runs the state machine twice, and reads the archive
back after each run.
Progress goes to stderr, the result to stdout. Exit code: 0 if every check held, 1 if not, 2 for wrong arguments, 128 + n after signal n.";

fn main() -> ExitCode {
    cli::run(USAGE, arguments(lexopt::Parser::from_env()), run)
}

#[derive(Default)]
struct Arguments {
    /// `None`: the default month.
    month: Option<Month>,
    stays: bool,
}

fn arguments(mut parser: lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("month") => arguments.month = Some(parser.value()?.parse()?),
            Long("stay") => arguments.stays = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

async fn run(Arguments { month, stays }: Arguments, mut interruption: Interruption) -> Result<ExitCode> {
    let month = month.map_or_else(|| Month::latest_complete(Utc::now()), Ok)?;
    let (local, held) = tokio::select! {
        ended = demo::run(month) => ended?,
        code = interruption.received() => return Ok(code),
    };
    if !held {
        return Ok(ExitCode::FAILURE);
    }
    if !stays {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("\nThe local AWS stays until Ctrl-C. In another terminal, with AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test:");
    eprintln!("cargo logs-archive --endpoint-url {} --region {} status", local.endpoint(), local.region());
    tokio::select! {
        error = local.end() => Err(error),
        _ = interruption.received() => Ok(ExitCode::SUCCESS),
    }
}
