//! `watch` follows a run, and does not change it.

use std::process::Stdio;

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{MONTH, Stage};
use local_aws::Engine;
use serde_json::json;

use crate::list::stage;

e2e::on_both_engines! {
    ctrl_c_stops_watching_and_not_the_run,
}

async fn status(stage: &Stage, arn: &str) -> ExecutionStatus {
    stage.local.step_functions().describe_execution().execution_arn(arn).send().await.expect("the execution").status
}

async fn ctrl_c_stops_watching_and_not_the_run(engine: Engine) {
    let (stage, tool) = stage(engine, json!(["/watched"])).await;
    stage.hello("/watched").await;
    stage.hold_tasks().await;
    let output = tool.run(&["run", "--month", MONTH, "--detach"]).await;
    let arn = output.stdout.trim();
    assert_eq!((output.code, output.stderr.as_str()), (0, format!("Started {arn}\n").as_str()));
    let name = arn.rsplit(':').next().expect("a name");
    let task = stage.wait_for_task("/watched", 1).await;

    let mut watch = tool.start(&["watch"]);
    let line = watch.wait_for_line("PENDING").await;
    let expected = format!(" round 1: 0 of 1 windows, /watched {MONTH} PENDING for ");
    assert!(line.contains(&expected) && line.ends_with(&format!("s, task {task}")), "{line}");
    watch.interrupt();
    let output = watch.end().await;
    let expected = format!("Stopped watching; the run goes on. Watch it again: logs-archive watch {name}\n");
    assert_eq!((output.code, output.stderr, output.stdout.as_str()), (130, expected, ""));
    assert_eq!(status(&stage, arn).await, ExecutionStatus::Running);

    // With closed pipes, it ends with the result of the run nevertheless.
    let mut unread = tool.command(&["watch", name]).stderr(Stdio::null()).spawn().expect("the tool starts");
    drop(unread.stdout.take());
    stage.let_tasks_go().await;
    assert_eq!(unread.wait().await.expect("it ends").code(), Some(0));
    let ended = tool.json(0, &["watch", arn]).await;
    assert_eq!([&ended["execution"], &ended["counts"]["exported"]], [&json!(arn), &json!(1)], "{ended:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_runs_need_a_name() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/chosen/1"])).await;
    for name in ["/chosen/1", "/chosen/2"] {
        stage.hello(name).await;
    }
    stage.hold_tasks().await;
    let mut arns = Vec::new();
    for log_group in ["/chosen/1", "/chosen/2"] {
        arns.push(stage.start(json!([log_group])).await);
    }
    let output = tool.run(&["watch"]).await;
    assert!(output.code == 2 && output.stderr.starts_with("error: several runs are in progress: name one\n"), "{output:#?}");
    for arn in &arns {
        assert!(output.stderr.contains(arn.rsplit(':').next().expect("a name")), "{output:#?}");
    }
    stage.let_tasks_go().await;
    for arn in &arns {
        stage.wait_well(arn).await;
    }
    let (error, _) = stage.run_badly(&json!({"month": "2999-01", "logGroups": ["/chosen/1"]})).await;
    assert_eq!(error, "MonthNotComplete");
    let output = tool.run(&["watch"]).await;
    assert_eq!(output.code, 1, "{output:#?}");
    assert!(output.stderr.starts_with("No run is in progress. The last run, ") && output.stderr.contains(": FAILED.\n"), "{output:#?}");
    assert!(output.stderr.contains("Next: Start the run later"), "{output:#?}");

    for (name, message) in [
        ("no-such-run", "no-such-run does not exist: name a run"),
        ("arn:aws:states:ap-northeast-1:000000000000:execution:Other:x", "is not a run of stack cloudwatch-logs-archive: "),
    ] {
        let output = tool.run(&["watch", name]).await;
        assert!(output.code == 2 && output.stderr.contains(message) && output.stdout.is_empty(), "{output:#?}");
    }
}
