//! Asks a person before a change.

use std::io::{self, IsTerminal, Write};

use crate::{failure::Failure, output::note};

/// Whether to go on. With `yes`, it does not ask. Without a terminal, it cannot ask, and fails.
pub fn confirm(question: &str, yes: bool) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage("nothing was changed, because stdin is not a terminal: repeat the command with --yes".into()));
    }
    let mut stderr = io::stderr();
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush())?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::Local(format!("cannot read the answer: {error}")))?;
    let is_confirmed = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if !is_confirmed {
        note("Nothing was changed.");
    }
    Ok(is_confirmed)
}
