//! The Python environments that the servers run in: made once from the pinned requirements, below `target`.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::workspace;

/// The pinned requirements of an environment.
pub struct Environment {
    file: &'static str,
    requirements: &'static str,
}

pub const MINISTACK: Environment =
    Environment { file: "ministack/requirements.txt", requirements: include_str!("../../ministack/requirements.txt") };
pub const MOTO: Environment = Environment { file: "moto/requirements.txt", requirements: include_str!("../../moto/requirements.txt") };
pub const AWS_CLI: Environment =
    Environment { file: "aws-cli/requirements.txt", requirements: include_str!("../../aws-cli/requirements.txt") };

/// Written last: a folder without it is the rest of an interrupted attempt.
const COMPLETE: &str = "complete";

const FIX: &str = "Install Python 3.11 or newer with its venv module (Debian, Ubuntu: apt install python3 python3-venv; \
    Fedora: dnf install python3; macOS: brew install python3).";

/// Returns the environment's Python interpreter, and makes the environment first where it does not exist.
pub async fn python(environment: &'static Environment) -> Result<PathBuf> {
    tokio::task::spawn_blocking(|| ensure(&workspace::cache(), "python3", environment.requirements))
        .await
        .context("the thread that makes the Python environment ended early")?
        .with_context(|| format!("no Python environment for tests/local-aws/{}", environment.file))
}

/// Makes the environment for `requirements` below `cache`, once for all processes that ask for it at the same time.
pub fn ensure(cache: &Path, python: &str, requirements: &str) -> Result<PathBuf> {
    let version = python_version(python)?;
    let venv = cache.join(name(&version, requirements));
    let interpreter = venv.join("bin").join("python");
    let complete = venv.join(COMPLETE);
    if complete.exists() {
        return Ok(interpreter);
    }

    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let lock_path = venv.with_extension("lock");
    let lock = File::create(&lock_path).with_context(|| format!("cannot create {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    if complete.exists() {
        return Ok(interpreter);
    }

    // An environment holds its own path, so it cannot be made elsewhere and moved here.
    if venv.exists() {
        fs::remove_dir_all(&venv).with_context(|| format!("cannot remove {}", venv.display()))?;
    }
    let made = run(Command::new(python).args(["-m", "venv"]).arg(&venv))?;
    if !made.status.success() {
        bail!("`{python} -m venv` failed.\n{}\n{FIX}", output_text(&made).trim());
    }
    let pinned = venv.join("requirements.txt");
    fs::write(&pinned, requirements).with_context(|| format!("cannot write {}", pinned.display()))?;
    let installed = run(Command::new(&interpreter)
        .args(["-m", "pip", "install", "--disable-pip-version-check"])
        .args(["--no-input", "--quiet", "--requirement"])
        .arg(&pinned))?;
    if !installed.status.success() {
        bail!(
            "pip could not install the packages. It needs PyPI or a mirror that pip is configured for.\n{}",
            output_text(&installed).trim()
        );
    }
    fs::write(&complete, "").with_context(|| format!("cannot write {}", complete.display()))?;
    Ok(interpreter)
}

/// The environment's folder. Python's version counts, too: an environment breaks when the interpreter it links to is replaced.
fn name(python_version: &str, requirements: &str) -> String {
    let hash = Sha256::digest(format!("{python_version}\n{requirements}"));
    let digits: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("venv-{digits}")
}

/// Such as `3.11.7`. Fails where there is no Python or one that is too old.
fn python_version(python: &str) -> Result<String> {
    let script = "import sys; print('.'.join(map(str, sys.version_info[:3]))); sys.exit(sys.version_info < (3, 11))";
    let output = match Command::new(python).args(["-c", script]).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("`{python}` was not found. {FIX}")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot run `{python}`")),
    };
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        bail!("`{python}` is not usable (version {version:?}). {}\n{FIX}", output_text(&output).trim());
    }
    Ok(version)
}

fn run(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("cannot run {command:?}"))
}

fn output_text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_python_is_named_with_the_fix() {
        let cache = tempfile::tempdir().unwrap();
        let error = ensure(cache.path(), "python3-that-is-not-there", "").unwrap_err();
        assert_eq!(error.to_string(), format!("`python3-that-is-not-there` was not found. {FIX}"));
    }

    #[test]
    fn many_callers_make_one_environment_in_the_place_of_an_interrupted_one() {
        let cache = tempfile::tempdir().unwrap();
        let interrupted = cache.path().join(name(&python_version("python3").unwrap(), ""));
        fs::create_dir(&interrupted).unwrap();
        fs::write(interrupted.join("leftover"), "").unwrap();
        let made: Vec<PathBuf> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| ensure(cache.path(), "python3", "").unwrap())).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert!(made.iter().all(|interpreter| interpreter.starts_with(&interrupted)), "{made:?}");
        assert!(!interrupted.join("leftover").exists() && interrupted.join(COMPLETE).exists());
        assert!(Command::new(&made[0]).args(["-c", ""]).status().unwrap().success());
    }

    #[test]
    fn other_requirements_and_another_python_make_another_environment() {
        let environment = name("3.11.7", "ministack==1");
        assert_eq!(environment, name("3.11.7", "ministack==1"));
        assert_ne!(environment, name("3.11.7", "ministack==2"));
        assert_ne!(environment, name("3.12.0", "ministack==1"));
    }
}
