//! The Lambda functions' executables, built by the cargo that built this program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::sync::OnceCell;

use crate::cargo;

/// The packages of the functions; each has one binary of the same name.
pub const FUNCTIONS: [&str; 4] = ["plan-exports", "create-export-task", "check-export-task", "report-archive"];

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

/// Builds the functions for this machine, in the dev profile, once for this process.
pub async fn build(messages: CargoMessages) -> Result<&'static Executables> {
    static BUILT: OnceCell<Executables> = OnceCell::const_new();
    BUILT.get_or_try_init(|| run_cargo(messages)).await
}

async fn run_cargo(messages: CargoMessages) -> Result<Executables> {
    let mut command = cargo::command();
    command.args(cargo::BUILD).stderr(match messages {
        CargoMessages::Shown => Stdio::inherit(),
        CargoMessages::Hidden => Stdio::piped(),
    });
    // Cargo unites the features of what it builds together. With this package among them, the dependencies are those that this
    // program was built with, and are not compiled a second time.
    command.args(["--package", env!("CARGO_PKG_NAME")]);
    for name in FUNCTIONS {
        command.args(["--package", name, "--bin", name]);
    }
    let output = command.output().await.context("cannot run cargo")?;
    if !output.status.success() {
        bail!("`cargo build` of the functions failed.\n{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let executables = cargo::executables(&String::from_utf8_lossy(&output.stdout), FUNCTIONS)?;
    Ok(FUNCTIONS.map(str::to_owned).into_iter().zip(executables).collect())
}
