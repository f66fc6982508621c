//! `logs-archive`: the operator's tool. It uses the crates of the functions, so the tool and a run never disagree.
//!
//! **Invariant:** data goes to stdout, everything else to stderr. Nothing here deletes logs or archives, with two exceptions. `selftest`
//! removes what it created itself. `retention --apply` lets CloudWatch Logs expire what is archived.

pub mod arguments;
pub mod commands;
pub mod confirm;
pub mod context;
pub mod events;
pub mod failure;
pub mod globs;
pub mod instant;
pub mod output;
pub mod polling;
pub mod request;
pub mod schedule;
pub mod slot;
pub mod stack;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;
pub use export_core::shell;

use arguments::{Arguments, Command};
use context::Context;
use failure::Failure;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    Success,
    /// A run failed, a month is missing, a difference, a finding of `doctor`.
    Finding,
    /// Ctrl-C was pressed before the result was known.
    Interrupted,
}

/// As in a shell: 128 and the number of SIGINT.
const SIGINT_EXIT_CODE: u8 = 130;

pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe does not change the exit code.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // Boxed: the nested futures of the SDK are deeper than the compiler's default limit.
    match Box::pin(run(arguments)).await {
        Ok(ExitStatus::Success) | Err(Failure::PipeClosed) => ExitCode::SUCCESS,
        Ok(ExitStatus::Finding) => ExitCode::from(1),
        Ok(ExitStatus::Interrupted) => ExitCode::from(SIGINT_EXIT_CODE),
        Err(failure) => {
            output::note(format_args!("error: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(Arguments { global, command }: Arguments) -> Result<ExitStatus, Failure> {
    match command {
        Command::Status(arguments) => commands::status::run(&Context::new(global).await?, &arguments).await,
        Command::Verify(arguments) => commands::verify::run(&Context::new(global).await?, &arguments).await,
        Command::Plan(arguments) => commands::plan::run(&Context::new(global).await?, &arguments).await,
        Command::Run(arguments) => commands::run::run(&Context::new(global).await?, &arguments).await,
        Command::Watch(arguments) => commands::watch::run(&Context::new(global).await?, &arguments).await,
        Command::Groups(arguments) => commands::groups::run(&Context::new(global).await?, arguments).await,
        Command::Doctor => commands::doctor::run(&Context::new(global).await?).await,
        Command::Fetch(arguments) => commands::fetch::run(&Context::new(global).await?, &arguments).await,
        Command::Export(arguments) => commands::export::run(&Context::new(global).await?, &arguments).await,
        Command::Put(arguments) => commands::put::run(&Context::new(global).await?, &arguments).await,
        Command::Retention(arguments) => commands::retention::run(&Context::new(global).await?, &arguments).await,
        Command::Selftest(arguments) => commands::selftest::run(&Context::new(global).await?, &arguments).await,
        Command::Completions(arguments) => commands::completions::run(&arguments, &output::Output::new(global.output)),
    }
}
