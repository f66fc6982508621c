//! What the two programs have in common: arguments, signals, exit codes.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 the arguments are wrong, 128 + n ended by signal n.

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

const USAGE_ERROR: u8 = 2;

/// The signals that ask a program to end.
#[derive(Debug)]
pub struct Interruption {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interruption {
    /// From here on, the signals no longer end the process by themselves.
    pub fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal and returns the exit code for it.
    pub async fn received(&mut self) -> ExitCode {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        ExitCode::from(128 + u8::try_from(kind.as_raw_value()).unwrap_or_default())
    }
}

/// Runs a program. `arguments` is what its command line was read as: `None` where only help was asked for.
pub fn run<T, F>(usage: &str, arguments: Result<Option<T>, lexopt::Error>, program: impl FnOnce(T, Interruption) -> F) -> ExitCode
where
    F: Future<Output = Result<ExitCode>>,
{
    let arguments = match arguments {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return print(usage),
        Err(error) => {
            eprintln!("error: {error}\n\n{usage}");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(async { program(arguments, Interruption::listen()?).await });
    // A thread that still installs Python packages must not hold up the end.
    runtime.shutdown_background();
    result.unwrap_or_else(|error| fail(&error))
}

/// Prints a result on stdout. Someone who has closed it wants no more.
pub fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&anyhow::Error::new(error).context("cannot write to stdout")),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
