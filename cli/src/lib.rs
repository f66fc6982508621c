//! `logs-archive`: what an operator does around the schedule. It stands on the crates that the functions use, so that the tool and a
//! run never disagree.
//!
//! **Invariant:** data goes to stdout, everything else to stderr. Nothing here deletes logs or archives.

pub mod arguments;
pub mod commands;
pub mod context;
pub mod deploy;
pub mod failure;
pub mod output;
pub mod schedule;
pub mod stack;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

use arguments::{Arguments, Command};
use context::Context;
use failure::Failure;

/// How a command ends that nothing kept from its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Well,
    /// A run failed, a month is missing, a difference, a finding of `doctor`.
    Finding,
}

pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is no reason to end otherwise.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // Boxed: the nested futures of the SDK are deeper than the compiler's default limit.
    match Box::pin(run(arguments)).await {
        Ok(Verdict::Well) | Err(Failure::PipeClosed) => ExitCode::SUCCESS,
        Ok(Verdict::Finding) => ExitCode::from(1),
        Err(failure) => {
            output::note(format_args!("error: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(Arguments { global, command }: Arguments) -> Result<Verdict, Failure> {
    match command {
        // plan, run, watch

        // status, verify

        // groups, doctor
        Command::Groups(arguments) => commands::groups::run(&Context::new(global).await?, arguments).await,
        Command::Doctor => commands::doctor::run(&Context::new(global).await?).await,
        Command::Completions(arguments) => commands::completions::run(&arguments, &output::Output::new(global.output)),
    }
}
