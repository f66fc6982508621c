//! Answers that never arrive: the connection breaks, the function crashes or runs out of time. The task is there all the same.

use local_aws::Engine;
use serde_json::json;

use crate::faults::stage::Stage;

const HOUR_MS: u64 = 3_600_000;

e2e::on_both_engines! {
    a_dropped_answer_of_create_is_made_up_for_while_the_task_is_under_way,
    dropped_answers_of_the_other_calls_change_nothing,
    a_function_runs_out_of_time_after_its_call,
}

async fn a_dropped_answer_of_create_is_made_up_for_while_the_task_is_under_way(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/dropped/active").await;
    stage.hold_tasks().await;
    stage.fault(json!({"operation": "CreateExportTask", "dropResponse": true})).await;
    let arn = stage.start(json!(["/dropped/active"])).await;
    let task_id = stage.wait_for_task("/dropped/active", 1).await;
    stage.wait_for_check(&task_id).await;
    stage.let_tasks_go().await;
    let execution = stage.wait(&arn).await;
    assert_eq!(execution.output.expect("the run succeeds")["counts"]["exported"], 1);
    assert_eq!(stage.created("/dropped/active").await, [task_id]);
    stage.assert_archived_once("/dropped/active").await;
}

async fn dropped_answers_of_the_other_calls_change_nothing(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/dropped/others").await;
    for call in ["DescribeLogGroups", "DescribeLogStreams", "DescribeExportTasks", "GetObject", "ListObjectsV2", "PutObject"] {
        stage.fault(json!({"operation": call, "dropResponse": true})).await;
    }
    stage.run_exports("/dropped/others").await;
    stage.assert_no_faults_left().await;
    assert_eq!(stage.created("/dropped/others").await.len(), 1);
    stage.assert_archived_once("/dropped/others").await;
}

async fn a_function_runs_out_of_time_after_its_call(engine: Engine) {
    let stage = Stage::take(engine).await;
    for (log_group, function, fault) in [
        ("/timeout/create", &stage.stack.create_function_name, json!({"operation": "CreateExportTask", "delayMs": HOUR_MS})),
        (
            "/timeout/check",
            &stage.stack.check_function_name,
            json!({"operation": "PutObject", "keySuffix": "_manifest.json", "delayMs": HOUR_MS}),
        ),
    ] {
        stage.hello(log_group).await;
        let was = stage.configure(function, &json!({"Timeout": 2})).await;
        stage.fault(fault).await;
        stage.run_exports(log_group).await;
        assert_eq!(stage.created(log_group).await.len(), 1, "{log_group}");
        stage.assert_archived_once(log_group).await;
        stage.configure(function, &json!({"Timeout": was["Timeout"]})).await;
    }
}

/// The functions' processes, as Linux shows them.
#[cfg(target_os = "linux")]
mod crash {
    use std::fs;

    use nix::{
        sys::signal::{Signal, kill as send_signal},
        unistd::Pid,
    };

    use local_aws::Engine;
    use local_aws::wait_for;
    use serde_json::json;

    use super::{HOUR_MS, Stage};

    e2e::on_both_engines! {
        create_crashes_after_it_created_the_task,
        check_crashes_after_it_wrote_the_manifest,
    }

    async fn create_crashes_after_it_created_the_task(engine: Engine) {
        let stage = Stage::take(engine).await;
        stage.hello("/crash/create").await;
        stage.fault(json!({"operation": "CreateExportTask", "delayMs": HOUR_MS})).await;
        let arn = stage.start(json!(["/crash/create"])).await;
        let task_id = stage.wait_for_task("/crash/create", 1).await;
        kill(&stage, &stage.stack.create_function_name);
        let execution = stage.wait(&arn).await;
        assert_eq!(execution.error, None, "{:?}", execution.cause);
        assert_eq!(execution.output.expect("the run succeeds")["counts"]["exported"], 1);
        assert_eq!(stage.created("/crash/create").await, [task_id]);
        stage.assert_archived_once("/crash/create").await;
    }

    async fn check_crashes_after_it_wrote_the_manifest(engine: Engine) {
        let stage = Stage::take(engine).await;
        stage.hello("/crash/check").await;
        stage.fault(json!({"operation": "PutObject", "keySuffix": "_manifest.json", "delayMs": HOUR_MS})).await;
        let arn = stage.start(json!(["/crash/check"])).await;
        wait_for("the manifest", async || stage.in_place("/crash/check").await.remove("_manifest.json")).await;
        kill(&stage, &stage.stack.check_function_name);
        let execution = stage.wait(&arn).await;
        assert_eq!(execution.error, None, "{:?}", execution.cause);
        assert_eq!(stage.created("/crash/check").await.len(), 1);
        stage.assert_archived_once("/crash/check").await;
    }

    /// Ends a function's processes, which are children of the stack's ministack, without giving them a chance to answer.
    fn kill(stage: &Stage, function: &str) {
        let ministack = stage.local.ministack().pid();
        let processes: Vec<i32> = fs::read_dir("/proc")
            .expect("Linux has it")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|process| {
                // One that ends meanwhile has no files any more.
                let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
                let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
                // `<id> (<name>) <state> <parent> ...`
                let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
                let variable = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
                parent == Some(ministack) && environment.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
            })
            .collect();
        assert!(!processes.is_empty(), "{function} has no process");
        for process in processes {
            send_signal(Pid::from_raw(process), Signal::SIGKILL).expect("it still runs");
        }
    }
}
