//! `run` starts a run, and its exit code shows the run's result.

use e2e::{MONTH, S3_PREFIX, place};
use local_aws::Engine;
use serde_json::{Value, json};

use crate::list::{snapshot, stage};

e2e::on_both_engines! {
    a_run_that_succeeds_ends_with_0_and_one_that_fails_with_1,
}

async fn a_run_that_succeeds_ends_with_0_and_one_that_fails_with_1(engine: Engine) {
    let (stage, tool) = stage(engine, json!([{"logGroupNamePrefix": "/by-hand/", "s3Prefix": "hand"}, "/other"])).await;
    for name in ["/by-hand/a", "/by-hand/b", "/other"] {
        stage.hello(name).await;
    }
    let run = ["run", "--month", MONTH, "--group", "/by-hand/*", "--output", "json"];
    stage.fault(json!({"logGroupName": "/by-hand/b", "status": "FAILED", "message": "the disk is full", "times": 4})).await;
    let output = tool.run(&run).await;
    assert_eq!(output.code, 1, "{output:#?}");
    assert!(output.stderr.contains("Next: Read the failures in the report"), "{output:#?}");
    assert!(
        output.stderr.contains(" comparing the archive with the list\n") && !output.stderr.contains('\u{1b}'),
        "plain lines: {output:#?}"
    );
    let failed: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!([&failed["status"], &failed["error"]], [&json!("FAILED"), &json!("ArchiveIncomplete")], "{failed:#}");
    assert!(failed["cause"].as_str().is_some_and(|cause| cause.contains("the disk is full")), "{failed:#}");
    assert_eq!([&failed["counts"]["exported"], &failed["counts"]["failed"]], [&json!(1), &json!(1)]);
    let missing: Vec<_> = failed["missing"].as_array().expect("a list").iter().map(|one| [&one["logGroup"], &one["month"]]).collect();
    assert_eq!(missing, [[&json!("/by-hand/b"), &json!(MONTH)]]);

    let ended = tool.json(0, &run[..5]).await;
    assert_eq!(ended["counts"]["exported"], 1, "{ended:#}");
    assert_eq!([&ended["status"], &ended["error"], &ended["missing"]], [&json!("SUCCEEDED"), &Value::Null, &json!([])]);
    let arn = ended["execution"].as_str().expect("an ARN");
    let report = format!("s3://{}/{}", ended["report"]["bucket"], ended["report"]["key"]).replace('"', "");
    assert!(stage.report(arn).await.is_object() && report.contains(&format!("{S3_PREFIX}/runs/")), "{report}");
    let keys = stage.keys(&format!("{}/", place("hand", "/by-hand/b"))).await;
    assert!(keys.iter().any(|key| key.ends_with(".gz")), "the entry's own prefix counts: {keys:?}");
    assert_eq!(stage.created("/other").await.len(), 0, "no option names it");

    let ended = tool.json(0, &[&run[..5], &["--force"]].concat()).await;
    assert_eq!(ended["counts"]["exported"], 2, "{ended:#}");
    let output = tool.run(&run[..5]).await;
    let windows = output.stdout.lines().find(|line| line.trim_start().starts_with("windows ")).unwrap_or_default();
    assert!(output.code == 0 && windows.ends_with(" 2 alreadyArchived"), "{output:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_a_run_would_refuse_is_not_started() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/refused"])).await;
    let before = snapshot(&stage).await;
    for (arguments, message) in [
        (&["--month", "2999-01"][..], "error: month 2999-01 in Asia/Tokyo is complete from "),
        (&["--since", "1999-01"], "error: since is \"1999-01\": a run compares 120 months at most"),
        (&["--month", MONTH, "--group", "/none*"], "error: --group /none* matches no log group"),
        (&["--month", MONTH, "--since", MONTH], "error: the argument '--month <M>' cannot be used with '--since <M>'"),
    ] {
        let output = tool.run(&[&["run"], arguments].concat()).await;
        assert!(output.code == 2 && output.stderr.starts_with(message) && output.stdout.is_empty(), "{output:#?}");
    }
    assert_eq!(snapshot(&stage).await, before);
}

/// The scheduled run exports what an earlier run could not.
#[tokio::test(flavor = "multi_thread")]
async fn without_an_option_it_is_the_scheduled_run() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/unattended"])).await;
    stage.hello("/unattended").await;
    stage.fault(json!({"logGroupName": "/unattended", "status": "FAILED", "message": "the disk is full", "times": 4})).await;
    tool.json(1, &["run", "--month", MONTH]).await;
    let ended = tool.json(0, &["run"]).await;
    assert_eq!((&ended["counts"]["exported"], &ended["missing"]), (&json!(1), &json!([])), "{ended:#}");
    let arn = ended["execution"].as_str().expect("an ARN");
    let described = stage.local.step_functions().describe_execution().execution_arn(arn).send().await.expect("the execution");
    let input: Value = serde_json::from_str(described.input().expect("an input")).expect("JSON");
    assert!(input["scheduledTime"].is_string() && input.get("month").is_none(), "{input}");
}
