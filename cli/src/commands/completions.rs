//! Shell completions, from the same grammar.

use clap::CommandFactory;

use crate::{
    Verdict,
    arguments::{Arguments, Completions},
    failure::Failure,
    output::Output,
};

pub fn run(arguments: &Completions, output: &Output) -> Result<Verdict, Failure> {
    // Not straight to stdout: clap_complete panics where that is closed.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "logs-archive", &mut script);
    output.bytes(&script)?;
    Ok(Verdict::Well)
}
