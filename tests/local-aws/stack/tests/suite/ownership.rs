//! Nothing outlives its owner: not ministack, not the second engine, not a function's process, not a file.

use std::io::{BufRead, BufReader, Lines};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::processes::{running_in_group, wait_until};
use local_aws::{DeployOptions, Engine, LocalAws, Options};
use serde_json::{Value, json};

/// Starts a stack and makes a function's process run in it.
async fn stack_with_running_function() -> LocalAws {
    let local = LocalAws::start(&Options { engine: Engine::Moto, ..Options::default() }).await.unwrap();
    let deployment = local.deploy(&DeployOptions::default()).await.unwrap();
    let input = json!({ "s3BucketName": deployment.bucket, "logGroups": ["/there/is/none"] });
    let execution = local.run_execution(&deployment, &input, Duration::from_secs(60)).await.unwrap();
    assert_eq!(execution.status.as_str(), "SUCCEEDED", "{execution:?}");
    local
}

#[tokio::test]
async fn dropping_a_stack_ends_its_processes_and_removes_its_files() {
    let local = stack_with_running_function().await;
    let (group, directory, addr) = (local.ministack().pid(), local.ministack().directory().to_path_buf(), local.addr());
    let engine = local.moto().unwrap().pid();
    assert!(running_in_group(group).len() >= 2, "ministack and a function");
    assert_eq!(running_in_group(engine), [engine]);

    // Unlike a function, this process does not notice that ministack has gone.
    let mut sleeping = Command::new("sleep").arg("600").process_group(group.cast_signed()).spawn().unwrap();
    drop(local);
    assert_eq!(sleeping.wait().unwrap().signal(), Some(9));
    wait_until("all processes have ended", || running_in_group(group).is_empty() && running_in_group(engine).is_empty());
    assert!(!directory.exists());
    wait_until("the stand-in no longer listens", || TcpStream::connect(addr).is_err());
}

#[test]
fn a_killed_owner_leaves_no_process_and_no_file() {
    let mut owner = Owner::start();
    let running = running_in_group(owner.group);
    assert!(running.len() >= 2, "ministack and a function, not {running:?}");
    assert_eq!(running_in_group(owner.engine), [owner.engine]);

    owner.process.kill().unwrap();
    owner.process.wait().unwrap();
    wait_until("all processes have ended", || running_in_group(owner.group).is_empty() && running_in_group(owner.engine).is_empty());
    wait_until("its files are removed", || !owner.directory.exists());
    assert!(TcpStream::connect(owner.addr).is_err());
}

/// Another process that owns a stack: this program itself, as the ignored test below.
struct Owner {
    process: Child,
    group: u32,
    engine: u32,
    directory: PathBuf,
    addr: SocketAddr,
    /// Kept open, so that what the owner prints later does not fail.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Owner {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ownership::owner", "--ignored", "--nocapture"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = stdout.by_ref().map(Result::unwrap).find(|line| line.starts_with('{')).expect("the owner starts a stack");
        let stack: Value = serde_json::from_str(&line).unwrap();
        Self {
            process,
            group: stack["group"].as_u64().unwrap().try_into().unwrap(),
            engine: stack["engine"].as_u64().unwrap().try_into().unwrap(),
            directory: Path::new(stack["directory"].as_str().unwrap()).to_path_buf(),
            addr: stack["addr"].as_str().unwrap().parse().unwrap(),
            _stdout: stdout,
        }
    }
}

#[tokio::test]
#[ignore = "run by the other tests, as a process of its own"]
async fn owner() {
    let local = stack_with_running_function().await;
    let (ministack, engine) = (local.ministack(), local.moto().unwrap().pid());
    println!("\n{}", json!({ "group": ministack.pid(), "engine": engine, "directory": ministack.directory(), "addr": local.addr() }));
    // Until it is killed.
    std::future::pending::<()>().await;
}
