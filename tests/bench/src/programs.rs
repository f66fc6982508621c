//! The programs that the benchmark runs: the functions, the same design in Python and in Node.js, the stand-in, and the operator's tool.
//! They are built below `target`. Python writes its bytecode next to its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::DeflateEncoder};
use local_aws::functions::{self, CargoMessages, FUNCTIONS};
use local_aws::workspace::root;
use local_aws::{cargo, venv};
use serde_json::Value;
use sha2::{Digest, Sha256};

const PYTHON_REQUIREMENTS: &str = include_str!("../baselines/python/requirements.txt");
const AWS_CLI_REQUIREMENTS: &str = include_str!("../baselines/aws-cli/requirements.txt");

/// The files that `npm ci` and the bundler read.
const NODE_FILES: [(&str, &str); 7] = [
    ("package.json", include_str!("../baselines/node/package.json")),
    ("package-lock.json", include_str!("../baselines/node/package-lock.json")),
    (".npmrc", include_str!("../baselines/node/.npmrc")),
    ("bootstrap.cjs", include_str!("../baselines/node/bootstrap.cjs")),
    ("month.mjs", include_str!("../baselines/node/month.mjs")),
    ("create-export-task.mjs", include_str!("../baselines/node/create-export-task.mjs")),
    ("check-export-task.mjs", include_str!("../baselines/node/check-export-task.mjs")),
];
/// The last file of a bundle. A folder without it is left from an interrupted installation.
const COMPLETE: &str = "complete";

/// The languages of the functions. The first is the project's.
pub const LANGUAGES: [&str; 3] = ["rust", "python", "node"];

/// The functions that have baselines: those of the 2019 design.
pub const COMPARED_FUNCTIONS: [&str; 2] = ["create-export-task", "check-export-task"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The functions in the release profile, as they are deployed.
    Functions,
    /// The functions in the dev profile, for the local AWS.
    LocalFunctions,
    StandIn,
    Tool,
    PythonBaseline,
    NodeBaseline,
    /// `aws` and `awslogs`.
    AwsCli,
}

#[derive(Clone, Debug, Default)]
pub struct Programs {
    functions: BTreeMap<&'static str, PathBuf>,
    /// The executable of every other program; the folder of Node.js's bundle and of the AWS CLI.
    paths: BTreeMap<Program, PathBuf>,
}

impl Programs {
    /// Builds the programs. `sam_build` is a folder in which `sam build` has put the functions.
    pub async fn build(needed: BTreeSet<Program>, sam_build: Option<&Path>) -> Result<Self> {
        let mut programs = Self::default();
        let cache = target().join("bench");
        for program in needed {
            let path = match program {
                Program::Functions => {
                    programs.functions = match sam_build {
                        Some(folder) => find_in_sam_build(folder)?,
                        None => FUNCTIONS.into_iter().zip(build_release(FUNCTIONS).await?).collect(),
                    };
                    continue;
                }
                Program::LocalFunctions => {
                    functions::build(CargoMessages::Shown).await?;
                    continue;
                }
                Program::StandIn => build_release_program("export-tasks").await?,
                Program::Tool => build_release_program("logs-archive").await?,
                Program::PythonBaseline => python_environment(&cache, PYTHON_REQUIREMENTS)?,
                Program::NodeBaseline => tokio::task::block_in_place(|| bundle(&cache)).context("no Node.js bundle for the baseline")?,
                Program::AwsCli => python_environment(&cache, AWS_CLI_REQUIREMENTS)?.with_file_name(""),
            };
            programs.paths.insert(program, path);
        }
        Ok(programs)
    }

    /// The command of a function's process, which asks `AWS_LAMBDA_RUNTIME_API` for events.
    pub fn function_command(&self, language: &str, function: &str) -> Result<Command> {
        let mut command;
        match language {
            "rust" => command = Command::new(self.function(function)?),
            "python" => {
                command = Command::new(self.path(Program::PythonBaseline)?);
                command.args(["-m", "awslambdaric", &format!("{}.handler", function.replace('-', "_"))]).current_dir(python_baseline());
            }
            _ => {
                let bundle = self.path(Program::NodeBaseline)?;
                command = Command::new("node");
                command.arg(bundle.join("bootstrap.cjs")).arg(bundle.join(format!("dist/{function}.cjs")));
            }
        }
        Ok(command)
    }

    /// The executable of a function.
    pub fn function(&self, name: &str) -> Result<&Path> {
        self.functions.get(name).map(PathBuf::as_path).with_context(|| not_built(Program::Functions))
    }

    pub fn path(&self, program: Program) -> Result<&Path> {
        self.paths.get(&program).map(PathBuf::as_path).with_context(|| not_built(program))
    }

    /// A script of the Python baseline.
    pub fn python_script(&self, name: &str) -> Result<Command> {
        let mut command = Command::new(self.path(Program::PythonBaseline)?);
        command.arg(python_baseline().join(name));
        Ok(command)
    }
}

fn not_built(program: Program) -> String {
    format!("{program:?} was not built: add it to the programs of the part")
}

/// The versions of the languages and their SDKs.
pub fn versions() -> Result<Value> {
    let package: Value = serde_json::from_str(NODE_FILES[0].1).context("package.json of the Node.js baseline is not JSON")?;
    let node_sdk = package["dependencies"]["@aws-sdk/client-cloudwatch-logs"].as_str().context("no SDK in package.json")?;
    let pin = |package: &str| {
        let pin = PYTHON_REQUIREMENTS.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
        pin.map(|version| format!("{package} {version}")).with_context(|| format!("{package} is not pinned"))
    };
    let version = |program: &str| run(Command::new(program).arg("--version"));
    Ok(serde_json::json!({
        "rust": version("rustc")?,
        "python": format!("{}, {}, {}", version("python3")?, pin("boto3")?, pin("awslambdaric")?),
        "node": format!("Node.js {}, client-cloudwatch-logs {node_sdk}", version("node")?),
    }))
}

/// The size in bytes of a zip with this executable alone, at the default compression level of `zip`.
pub fn zip_bytes(executable: &Path) -> Result<u64> {
    let mut file = File::open(executable).with_context(|| format!("cannot open {}", executable.display()))?;
    let mut encoder = DeflateEncoder::new(Counter(0), Compression::default());
    std::io::copy(&mut file, &mut encoder)?;
    // The local header, the central header and the end of the directory. The first two have the file's name.
    let headers = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;
    Ok(encoder.finish()?.0 + headers)
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

/// `sam build` names its folders by the template's logical ids.
fn find_in_sam_build(folder: &Path) -> Result<BTreeMap<&'static str, PathBuf>> {
    let mut executables = BTreeMap::new();
    for name in FUNCTIONS {
        let executable = folder.join(logical_id(name)).join("bootstrap");
        if !executable.is_file() {
            bail!("--functions {}: {} does not exist; run sam build first", folder.display(), executable.display());
        }
        // The processes start in other folders.
        executables.insert(name, fs::canonicalize(&executable)?);
    }
    Ok(executables)
}

/// `plan-exports` becomes `PlanExportsFunction`.
fn logical_id(name: &str) -> String {
    let capitalize = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(capitalize).collect::<String>() + "Function"
}

fn target() -> PathBuf {
    root().join("target")
}

fn python_baseline() -> PathBuf {
    root().join("tests/bench/baselines/python")
}

fn python_environment(cache: &Path, requirements: &str) -> Result<PathBuf> {
    tokio::task::block_in_place(|| venv::ensure(cache, "python3", requirements)).context("no Python environment for the benchmark")
}

/// Builds programs without this package. Otherwise cargo would unite its features with theirs, which a deployment does not.
async fn build_release<const N: usize>(names: [&str; N]) -> Result<[PathBuf; N]> {
    eprintln!("           building {} in the release profile", names.join(", "));
    let mut command = cargo::command();
    command.args(cargo::BUILD).arg("--release").stderr(Stdio::inherit());
    for name in names {
        command.args(["--package", name, "--bin", name]);
    }
    let build = command.output().await.context("cannot run cargo")?;
    if !build.status.success() {
        bail!("`cargo build --release` of {} failed", names.join(" and "));
    }
    cargo::executables(&String::from_utf8_lossy(&build.stdout), names)
}

async fn build_release_program(name: &str) -> Result<PathBuf> {
    let [executable] = build_release([name]).await?;
    Ok(executable)
}

/// Installs the pinned packages and bundles both functions. A folder is complete for one state of the files.
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
    run(Command::new("npm").args(["ci", "--silent"]).current_dir(&folder))
        .context("The Node.js baseline needs Node.js 20 or newer with npm (https://nodejs.org).")?;
    for name in COMPARED_FUNCTIONS {
        let mut esbuild = Command::new(folder.join("node_modules/.bin/esbuild"));
        esbuild.args(["--bundle", "--minify", "--platform=node", "--target=node20", "--format=cjs", "--log-level=warning"]);
        run(esbuild.arg(format!("{name}.mjs")).arg(format!("--outfile=dist/{name}.cjs")).current_dir(&folder))?;
    }
    fs::write(folder.join(COMPLETE), "").context("cannot write the marker")?;
    Ok(folder)
}

/// The stdout of a command that succeeds.
fn run(command: &mut Command) -> Result<String> {
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
    fn the_template_has_every_function_by_its_logical_id() {
        let template = fs::read_to_string(root().join("infra/functions.yaml")).unwrap();
        for name in FUNCTIONS {
            assert!(template.contains(&format!("\n  {}:\n", logical_id(name))), "{name}");
        }
    }
}
