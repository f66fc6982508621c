//! `cargo local-aws` and `cargo demo` as their users meet them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use crate::processes::{groups_of_children, running_in_group, wait_until};
use local_aws::venv;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const LOCAL_AWS: &str = env!("CARGO_BIN_EXE_local-aws");
const DEMO: &str = env!("CARGO_BIN_EXE_demo");

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn wrong_arguments_end_with_2_and_the_usage() {
    for (program, arguments, message) in [
        (LOCAL_AWS, ["--port", "1"], "error: invalid option '--port'"),
        (LOCAL_AWS, ["--wait-scale", "1.1"], "--wait-scale must be a number from 0 to 1"),
        (LOCAL_AWS, ["--wait-scale", "NaN"], "--wait-scale must be a number from 0 to 1"),
        (DEMO, ["--month", "2026-13"], "2026-13; give one such as 2026-10"),
    ] {
        let output = run(program, &arguments);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(text(&output.stdout), "");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(message) && stderr.contains("Usage: cargo "), "{stderr}");
    }
}

#[test]
fn help_goes_to_stdout() {
    for program in [LOCAL_AWS, DEMO] {
        let output = run(program, &["--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("Usage: cargo "));
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn local_aws_prints_one_line_of_json_and_ends_cleanly_when_interrupted() {
    let mut program = Command::new(LOCAL_AWS);
    program.args(["--wait-scale", "0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut program = program.spawn().unwrap();
    let mut stdout = BufReader::new(program.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let mut keys: Vec<&String> = ready.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "accountId",
            "bucket",
            "checkFunctionName",
            "createFunctionName",
            "endpoint",
            "planFunctionName",
            "region",
            "reportFunctionName",
            "stateMachineArn",
            "topicArn",
            "workBucket"
        ]
    );
    assert!(ready["endpoint"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{line}");

    interrupt(&mut program, Signal::SIGTERM, 0);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

/// Ends a program that runs a stack, and waits for the end of its servers.
fn interrupt(program: &mut Child, signal: Signal, code: i32) {
    let groups = groups_of_children(program.id());
    assert!(!groups.is_empty(), "no server runs");
    kill(Pid::from_raw(program.id().cast_signed()), signal).unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(code));
    wait_until("all processes have ended", || groups.iter().all(|group| running_in_group(*group).is_empty()));
}

#[test]
fn an_interrupted_demo_ends_with_130_and_leaves_nothing() {
    let mut program = Command::new(DEMO).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);
    stderr.by_ref().find(|line| line.contains("RUNNING")).expect("an export task runs");
    interrupt(&mut program, Signal::SIGINT, 130);
}

#[tokio::test]
async fn the_demo_archives_a_month_and_repairs_it_and_every_check_holds() {
    venv::python(&venv::MINISTACK).await.unwrap();
    // What has to be fetched is there, and the local AWS is reached without a proxy, whatever the environment says.
    let proxies = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, "http://127.0.0.1:1"));
    let mut demo = Command::new(DEMO);
    demo.args(["--month", "2026-02", "--stay"]).envs(proxies).env_remove("NO_PROXY").env_remove("no_proxy");
    let mut demo = demo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = demo.stdout.take().unwrap();
    let stdout = std::thread::spawn(move || std::io::read_to_string(&mut stdout).unwrap());
    let mut stderr = String::new();
    for line in BufReader::new(demo.stderr.take().unwrap()).lines().map(Result::unwrap) {
        stderr.extend([&line, "\n"]);
        if line.starts_with("cargo logs-archive --endpoint-url http://127.0.0.1:") && line.ends_with(" --region ap-northeast-1 status") {
            interrupt(&mut demo, Signal::SIGINT, 0);
        }
    }
    let (stdout, stderr) = (stdout.join().unwrap(), &stderr);
    assert_eq!(demo.wait().unwrap().code(), Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("2026-02 is archived: ") && stdout.contains("each exactly once"), "{stdout}");
    assert!(stdout.contains("/year=2026/month=02/"), "{stdout}");
    assert!(stdout.contains("The next run repaired /ecs/web, and nothing else"), "{stdout}");
    assert_eq!((stdout.matches("\nok    ").count(), stdout.matches("FAIL").count()), (12, 0), "{stdout}");
    // Plain lines, since this is no terminal.
    assert_eq!(stderr.matches("/ecs/web                 COMPLETED").count(), 2, "{stderr}");
    assert_eq!(stderr.matches("/onprem/batch            COMPLETED").count(), 1, "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
}
