//! Shell completions, from the same grammar.

use clap::CommandFactory;

use crate::{
    ExitStatus,
    arguments::{Arguments, Completions},
    failure::Failure,
    output::Output,
};

pub fn run(arguments: &Completions, output: &Output) -> Result<ExitStatus, Failure> {
    // Not straight to stdout: clap_complete panics where that is closed.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "logs-archive", &mut script);
    output.print_bytes(&script)?;
    Ok(ExitStatus::Success)
}
