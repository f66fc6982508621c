//! What is compared: the functions as they are deployed, and baselines of two of them, which make the same calls in Python and in Node.js.
//! All of it is built here, below `target`; Python's bytecode lies beside its sources.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::DeflateEncoder};
use local_aws::functions::FUNCTIONS;
use local_aws::workspace::root;
use local_aws::{cargo, venv};
use serde_json::Value;
use sha2::{Digest, Sha256};

const REQUIREMENTS: &str = include_str!("../baselines/python/requirements.txt");
const SCRIPTS: &str = include_str!("../baselines/aws-cli/requirements.txt");

/// What `npm ci` and the bundler read.
const NODE_FILES: [(&str, &str); 7] = [
    ("package.json", include_str!("../baselines/node/package.json")),
    ("package-lock.json", include_str!("../baselines/node/package-lock.json")),
    (".npmrc", include_str!("../baselines/node/.npmrc")),
    ("bootstrap.cjs", include_str!("../baselines/node/bootstrap.cjs")),
    ("month.mjs", include_str!("../baselines/node/month.mjs")),
    ("create-export-task.mjs", include_str!("../baselines/node/create-export-task.mjs")),
    ("check-export-task.mjs", include_str!("../baselines/node/check-export-task.mjs")),
];
const COMPLETE: &str = "complete";
const NODE_FIX: &str = "The Node.js baseline needs Node.js 20 or newer with npm (https://nodejs.org).";

/// The three languages, ours first.
pub const NAMES: [&str; 3] = ["rust", "python", "node"];

/// The functions that have baselines: the design of 2019.
pub const COMPARED: [&str; 2] = ["create-export-task", "check-export-task"];

/// Programs that serve one function each, the stand-in that answers them, and the operator's tool.
#[derive(Clone, Debug)]
pub struct Candidates {
    rust: BTreeMap<&'static str, PathBuf>,
    stand_in: PathBuf,
    tool: PathBuf,
    python: PathBuf,
    /// The folder of `aws` and `awslogs`.
    scripts: PathBuf,
    node: PathBuf,
}

impl Candidates {
    /// With the functions that `sam build` put into a folder, or with a release build of its own.
    pub async fn prepare(sam_build: Option<&Path>) -> Result<Self> {
        let rust = match sam_build {
            Some(folder) => in_sam_build(folder)?,
            None => {
                eprintln!("           building the functions in the release profile, as they are deployed");
                FUNCTIONS.into_iter().zip(build_release(FUNCTIONS).await?).collect()
            }
        };
        let [stand_in] = build_release(["export-tasks"]).await?;
        let [tool] = build_release(["logs-archive"]).await?;
        let cache = target().join("bench");
        let python = || venv::ensure(&cache, "python3", REQUIREMENTS).context("no Python environment for the baseline");
        let python = tokio::task::block_in_place(python)?;
        let scripts = || venv::ensure(&cache, "python3", SCRIPTS).context("no Python environment for the AWS CLI");
        let scripts = tokio::task::block_in_place(scripts)?.with_file_name("");
        let node = tokio::task::block_in_place(|| bundle(&cache)).context("no Node.js bundle for the baseline")?;
        Ok(Self { rust, stand_in, tool, python, scripts, node })
    }

    /// The command that serves a function: a process that asks `AWS_LAMBDA_RUNTIME_API` for events.
    pub fn command(&self, candidate: &str, name: &str) -> Command {
        let baselines = root().join("tests/bench/baselines");
        match candidate {
            "rust" => Command::new(self.executable(name)),
            "python" => {
                let mut command = Command::new(&self.python);
                command.args(["-m", "awslambdaric", &format!("{}.handler", name.replace('-', "_"))]).current_dir(baselines.join("python"));
                command
            }
            _ => {
                let mut command = Command::new("node");
                command.arg(self.node.join("bootstrap.cjs")).arg(self.node.join(format!("dist/{name}.cjs")));
                command
            }
        }
    }

    /// The function's executable.
    pub fn executable(&self, name: &str) -> &Path {
        &self.rust[name]
    }

    /// The program that is the stand-in.
    pub fn stand_in(&self) -> &Path {
        &self.stand_in
    }

    /// The operator's tool.
    pub fn tool(&self) -> &Path {
        &self.tool
    }

    /// A script of the baselines in Python.
    pub fn python_script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(root().join("tests/bench/baselines/python").join(name));
        command
    }

    /// A program that a package of Python has brought.
    pub fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }

    /// The versions that were measured.
    pub fn versions(&self) -> Result<Value> {
        let sdk = "import boto3, awslambdaric; print(f'boto3 {boto3.__version__}, awslambdaric {awslambdaric.__version__}')";
        let python = output(Command::new(&self.python).arg("--version"))?;
        let boto3 = output(Command::new(&self.python).args(["-c", sdk]))?;
        let package: Value = serde_json::from_str(NODE_FILES[0].1).context("package.json of the Node.js baseline is not JSON")?;
        let sdk = &package["dependencies"]["@aws-sdk/client-cloudwatch-logs"];
        Ok(serde_json::json!({
            "rust": output(Command::new("rustc").arg("--version"))?,
            "python": format!("{python}, {boto3}"),
            "node": format!("Node.js {}, client-cloudwatch-logs {}", output(Command::new("node").arg("--version"))?, sdk.as_str().unwrap_or_default()),
        }))
    }
}

/// The size of the zip that holds the executable alone, in bytes, as `zip` at its usual level writes it.
pub fn zip_bytes(executable: &Path) -> Result<u64> {
    let mut file = File::open(executable).with_context(|| format!("cannot open {}", executable.display()))?;
    let mut deflated = DeflateEncoder::new(Counter(0), Compression::default());
    std::io::copy(&mut file, &mut deflated)?;
    // A local header, a central one and the end of the directory, with the name in the first two.
    let headers = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;
    Ok(deflated.finish()?.0 + headers)
}

struct Counter(u64);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The executables by the logical ids of the template.
fn in_sam_build(folder: &Path) -> Result<BTreeMap<&'static str, PathBuf>> {
    let mut executables = BTreeMap::new();
    for name in FUNCTIONS {
        let executable = folder.join(logical_id(name)).join("bootstrap");
        if !executable.is_file() {
            bail!("--functions {}: there is no {}; run sam build first", folder.display(), executable.display());
        }
        // The processes are started in other folders.
        executables.insert(name, fs::canonicalize(&executable)?);
    }
    Ok(executables)
}

/// `PlanExportsFunction` of `plan-exports`.
fn logical_id(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(capital).collect::<String>() + "Function"
}

fn target() -> PathBuf {
    root().join("target")
}

/// Builds programs without this package beside them: cargo would unite its features with theirs, and they are not deployed so.
async fn build_release<const N: usize>(names: [&str; N]) -> Result<[PathBuf; N]> {
    let mut command = cargo::command();
    command.args(cargo::BUILD).arg("--release").stderr(Stdio::inherit());
    for name in names {
        command.args(["--package", name, "--bin", name]);
    }
    let built = command.output().await.context("cannot run cargo")?;
    if !built.status.success() {
        bail!("`cargo build --release` of {} failed", names.join(" and "));
    }
    cargo::executables(&String::from_utf8_lossy(&built.stdout), names)
}

/// Installs the pinned packages and bundles both functions, once for these files.
fn bundle(cache: &Path) -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for (name, contents) in NODE_FILES {
        hash.update(name);
        hash.update(contents);
    }
    let digits: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = cache.join(format!("node-{digits}"));
    if folder.join(COMPLETE).exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, contents) in NODE_FILES {
        fs::write(folder.join(name), contents).with_context(|| format!("cannot write {name}"))?;
    }
    output(Command::new("npm").args(["ci", "--silent"]).current_dir(&folder)).context(NODE_FIX)?;
    for name in COMPARED {
        let mut esbuild = Command::new(folder.join("node_modules/.bin/esbuild"));
        esbuild.args(["--bundle", "--minify", "--platform=node", "--target=node20", "--format=cjs", "--log-level=warning"]);
        output(esbuild.arg(format!("{name}.mjs")).arg(format!("--outfile=dist/{name}.cjs")).current_dir(&folder))?;
    }
    fs::write(folder.join(COMPLETE), "").context("cannot write the marker")?;
    Ok(folder)
}

fn output(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed.\n{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    }
    Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_of_the_template_are_measured() {
        let template = fs::read_to_string(root().join("infra/functions.yaml")).unwrap();
        for name in FUNCTIONS {
            assert!(template.contains(&format!("\n  {}:\n", logical_id(name))), "{name}");
        }
    }
}
