//! `logs-archive`: what an operator does around the schedule. It stands on the crates that the functions use, so that the tool and a
//! run never disagree.
//!
//! **Invariant:** data goes to stdout, everything else to stderr. Nothing here deletes logs or archives. Two commands come near: `selftest`
//! removes what it created itself, and `retention --apply` has CloudWatch Logs expire what is archived.

pub mod arguments;
pub mod commands;
pub mod confirm;
pub mod context;
pub mod events;
pub mod failure;
pub mod globs;
pub mod instant;
pub mod output;
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

/// How a command ends that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Well,
    /// A run failed, a month is missing, a difference, a finding of `doctor`.
    Finding,
    /// Ctrl-C, before there was an answer.
    Interrupted,
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
        // As a shell has it: 128 and the number of SIGINT.
        Ok(Verdict::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            output::note(format_args!("error: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(Arguments { global, command }: Arguments) -> Result<Verdict, Failure> {
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
