//! `watch` follows a run, and leaves it alone.

use std::process::Stdio;

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{MONTH, Stage};
use local_aws::Engine;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr},
};

use crate::list::stage;

e2e::on_both_engines! {
    ctrl_c_stops_watching_and_not_the_run,
}

async fn status(stage: &Stage, arn: &str) -> ExecutionStatus {
    stage.local.step_functions().describe_execution().execution_arn(arn).send().await.expect("the execution").status
}

/// Reads stderr until a line has `text`. Returns that line.
pub async fn wait_for_line(tool: &mut Child, text: &str) -> (String, BufReader<ChildStderr>) {
    let mut stderr = BufReader::new(tool.stderr.take().expect("a pipe"));
    let mut read = String::new();
    loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).await.expect("UTF-8") > 0, "it ended without {text:?}: {read}");
        if line.contains(text) {
            return (line, stderr);
        }
        read.push_str(&line);
    }
}

async fn ctrl_c_stops_watching_and_not_the_run(engine: Engine) {
    let (stage, tool) = stage(engine, json!(["/watched"])).await;
    stage.hello("/watched").await;
    stage.hold_tasks().await;
    let ran = tool.run(&["run", "--month", MONTH, "--detach"]).await;
    let arn = ran.stdout.trim();
    assert_eq!((ran.code, ran.stderr.as_str()), (0, format!("Started {arn}\n").as_str()));
    let name = arn.rsplit(':').next().expect("a name");
    let task = stage.wait_for_task("/watched", 1).await;

    let mut watch = tool.command(&["watch"]).spawn().expect("the tool starts");
    let (line, mut stderr) = wait_for_line(&mut watch, "PENDING").await;
    let expected = format!(" round 1: 0 of 1 windows, /watched {MONTH} PENDING for ");
    assert!(line.contains(&expected) && line.ends_with(&format!("s, task {task}\n")), "{line}");
    kill(Pid::from_raw(watch.id().expect("it runs") as i32), Signal::SIGINT).expect("the signal is sent");
    let (mut said, mut stdout) = (String::new(), String::new());
    stderr.read_to_string(&mut said).await.expect("UTF-8");
    watch.stdout.take().expect("a pipe").read_to_string(&mut stdout).await.expect("UTF-8");
    assert_eq!(watch.wait().await.expect("it ends").code(), Some(130));
    assert_eq!(
        (said.as_str(), stdout.as_str()),
        (format!("Stopped watching; the run goes on. Watch it again: logs-archive watch {name}\n").as_str(), "")
    );
    assert_eq!(status(&stage, arn).await, ExecutionStatus::Running);

    // Nobody reads what it says: it ends as the run does all the same.
    let mut unread = tool.command(&["watch", name]).stderr(Stdio::null()).spawn().expect("the tool starts");
    drop(unread.stdout.take());
    stage.let_tasks_go().await;
    assert_eq!(unread.wait().await.expect("it ends").code(), Some(0));
    let ended = tool.json(0, &["watch", arn]).await;
    assert_eq!([&ended["execution"], &ended["counts"]["exported"]], [&json!(arn), &json!(1)], "{ended:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_named_where_there_is_a_choice() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/chosen/1"])).await;
    for name in ["/chosen/1", "/chosen/2"] {
        stage.hello(name).await;
    }
    stage.hold_tasks().await;
    let mut arns = Vec::new();
    for log_group in ["/chosen/1", "/chosen/2"] {
        arns.push(stage.start(json!([log_group])).await);
    }
    let ran = tool.run(&["watch"]).await;
    assert!(ran.code == 2 && ran.stderr.starts_with("error: several runs are running: name one\n"), "{ran:#?}");
    for arn in &arns {
        assert!(ran.stderr.contains(arn.rsplit(':').next().expect("a name")), "{ran:#?}");
    }
    stage.let_tasks_go().await;
    for arn in &arns {
        stage.wait_well(arn).await;
    }
    let (error, _) = stage.run_badly(&json!({"month": "2999-01", "logGroups": ["/chosen/1"]})).await;
    assert_eq!(error, "MonthNotComplete");
    let ran = tool.run(&["watch"]).await;
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stderr.starts_with("No run is running. The last one, ") && ran.stderr.contains(": FAILED.\n"), "{ran:#?}");
    assert!(ran.stderr.contains("Next: Start the run later"), "{ran:#?}");

    for (name, says) in [
        ("no-such-run", "no-such-run does not exist: name a run"),
        ("arn:aws:states:ap-northeast-1:000000000000:execution:Other:x", "is no run of stack cloudwatch-logs-archive: "),
    ] {
        let ran = tool.run(&["watch", name]).await;
        assert!(ran.code == 2 && ran.stderr.contains(says) && ran.stdout.is_empty(), "{ran:#?}");
    }
}
