//! The Lambda functions' executables, built by the cargo that built this program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::workspace;

/// The packages of the functions; each has one binary of the same name.
pub const FUNCTIONS: [&str; 2] = ["create-export-task", "check-export-task"];

/// The executable of each function, by the name of its package.
pub type Executables = BTreeMap<String, PathBuf>;

/// What becomes of cargo's own messages, such as "Compiling ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CargoMessages {
    /// On stderr as they come: a first build takes minutes.
    Shown,
    /// Only in the error, where there is one.
    Hidden,
}

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

/// Builds the functions for this machine, in the dev profile, once for this process.
pub async fn build(messages: CargoMessages) -> Result<&'static Executables> {
    static BUILT: OnceCell<Executables> = OnceCell::const_new();
    BUILT.get_or_try_init(|| run_cargo(messages)).await
}

async fn run_cargo(messages: CargoMessages) -> Result<Executables> {
    // Set by `cargo run` and `cargo test`.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(&cargo);
    command
        // Where cargo finds the workspace's configuration, too.
        .current_dir(workspace::root())
        .args(["build", "--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(match messages {
            CargoMessages::Shown => Stdio::inherit(),
            CargoMessages::Hidden => Stdio::piped(),
        })
        .kill_on_drop(true);
    // What the outer cargo says of the package that it runs is not for the inner one: build scripts that look at such a variable
    // (ring's does) would run again and again, each for the other's value, and everything above them would be compiled anew.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(describes_package)) {
        command.env_remove(name);
    }
    // Cargo unites the features of what it builds together. With this package among them, the dependencies are those that this
    // program was built with, and are not compiled a second time.
    command.args(["--package", env!("CARGO_PKG_NAME")]);
    for name in FUNCTIONS {
        command.args(["--package", name, "--bin", name]);
    }
    let output = command.output().await.with_context(|| format!("cannot run {}", cargo.display()))?;
    if !output.status.success() {
        bail!("`cargo build` of the functions failed.\n{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    executables(&String::from_utf8_lossy(&output.stdout))
}

fn describes_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| variable.starts_with(prefix))
}

fn executables(messages: &str) -> Result<Executables> {
    let mut found = Executables::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Message = serde_json::from_str(line).with_context(|| format!("not a message of cargo's: {line}"))?;
        if let (Some(target), Some(executable)) = (message.target, message.executable)
            && message.reason == "compiler-artifact"
            && FUNCTIONS.contains(&target.name.as_str())
        {
            found.insert(target.name, executable);
        }
    }
    for name in FUNCTIONS {
        if !found.contains_key(name) {
            bail!("`cargo build` names no executable of {name}");
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str) -> String {
        format!(r#"{{"reason":"compiler-artifact","target":{{"name":"{name}","kind":["bin"]}},"executable":"/t/{name}"}}"#)
    }

    #[test]
    fn executables_are_found_among_cargos_messages() {
        let messages = [
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}"#.to_owned(),
            artifact("create-export-task"),
            artifact("other"),
            artifact("check-export-task"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ]
        .join("\n");
        assert_eq!(
            executables(&messages).unwrap(),
            Executables::from([
                ("check-export-task".to_owned(), "/t/check-export-task".into()),
                ("create-export-task".to_owned(), "/t/create-export-task".into()),
            ])
        );
    }

    #[test]
    fn a_missing_executable_is_named() {
        let error = executables(&artifact("create-export-task")).unwrap_err();
        assert_eq!(error.to_string(), "`cargo build` names no executable of check-export-task");
    }
}
