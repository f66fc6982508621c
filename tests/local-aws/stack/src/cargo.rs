//! The cargo that built this program, run again for what else has to be built.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::workspace;

/// Arguments of a build whose stdout [`executables`] reads.
pub const BUILD: [&str; 3] = ["build", "--message-format", "json-render-diagnostics"];

#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Cargo in the workspace, without arguments; it ends when its handle is dropped.
pub fn command() -> Command {
    // Set by `cargo run` and `cargo test`.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    // Where cargo finds the workspace's configuration, too.
    command.current_dir(workspace::root()).stdin(Stdio::null()).kill_on_drop(true);
    // What the outer cargo says of the package that it runs is not for the inner one: build scripts that look at such a variable
    // (ring's does) would run again and again, each for the other's value, and everything above them would be compiled anew.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(describes_package)) {
        command.env_remove(name);
    }
    command
}

fn describes_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| variable.starts_with(prefix))
}

/// The executables of these binaries, by what a build said.
pub fn executables<const N: usize>(messages: &str, names: [&str; N]) -> Result<[PathBuf; N]> {
    let mut found = [const { None }; N];
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Message = serde_json::from_str(line).with_context(|| format!("not a message of cargo's: {line}"))?;
        if let (Some(target), Some(executable)) = (message.target, message.executable)
            && message.reason == "compiler-artifact"
            && let Some(index) = names.iter().position(|name| *name == target.name)
        {
            found[index] = Some(executable);
        }
    }
    if let Some(missing) = found.iter().position(Option::is_none) {
        bail!("`cargo build` names no executable of {}", names[missing]);
    }
    Ok(found.map(Option::unwrap_or_default))
}
