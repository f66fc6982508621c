//! Answers that never arrive: the connection breaks, the function crashes or runs out of time. The task is there all the same.

use e2e::{FROM, Stage, TO, assert_counts};
use serde_json::json;

const HOUR_MS: u64 = 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_answer_of_create_is_made_up_for_while_the_task_is_under_way() {
    let stage = Stage::take().await;
    stage.hello("/dropped/active").await;
    stage.hold_tasks().await;
    stage.fault(json!({"operation": "CreateExportTask", "dropResponse": true})).await;
    let arn = stage.start(json!(["/dropped/active"])).await;
    let task_id = stage.wait_for_task("/dropped/active", 1).await;
    stage.wait_for_check(&task_id).await;
    stage.let_tasks_go().await;
    assert_counts(&stage.wait_well(&arn).await, json!({"exported": 1}));
    assert_eq!(stage.created("/dropped/active").await, [task_id]);
    stage.assert_archived_once("/dropped/active").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_answers_of_the_other_calls_change_nothing() {
    let stage = Stage::take().await;
    stage.hello("/dropped/others").await;
    for call in ["DescribeLogGroups", "DescribeLogStreams", "DescribeExportTasks", "GetObject", "ListObjectsV2", "PutObject"] {
        stage.fault(json!({"operation": call, "dropResponse": true})).await;
    }
    stage.run_exports(&["/dropped/others"]).await;
    stage.assert_no_faults_left().await;
    assert_eq!(stage.created("/dropped/others").await.len(), 1);
    stage.assert_archived_once("/dropped/others").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_runs_out_of_time_after_its_call() {
    let stage = Stage::take().await;
    let manifest = format!("-{FROM}-{TO}.json");
    let stack = &stage.stack;
    for (log_group, function, fault) in [
        ("/timeout/plan", &stack.plan_function_name, json!({"operation": "PutObject", "keySuffix": "/progress.json", "delayMs": HOUR_MS})),
        ("/timeout/create", &stack.create_function_name, json!({"operation": "CreateExportTask", "delayMs": HOUR_MS})),
        ("/timeout/check", &stack.check_function_name, json!({"operation": "PutObject", "keySuffix": manifest, "delayMs": HOUR_MS})),
        (
            "/timeout/report",
            &stack.report_function_name,
            json!({"operation": "GetObject", "keySuffix": "/decided.json", "delayMs": HOUR_MS}),
        ),
    ] {
        stage.hello(log_group).await;
        let was = stage.set_timeout(function, &json!(2)).await;
        stage.fault(fault).await;
        stage.run_exports(&[log_group]).await;
        stage.assert_no_faults_left().await;
        assert_eq!(stage.created(log_group).await.len(), 1, "{log_group}");
        stage.assert_archived_once(log_group).await;
        stage.set_timeout(function, &was).await;
    }
}

/// The functions' processes, as Linux shows them.
#[cfg(target_os = "linux")]
mod crash {
    use std::fs;

    use e2e::assert_counts;
    use local_aws::{Engine, wait_for};
    use nix::{
        sys::signal::{Signal, kill as send_signal},
        unistd::Pid,
    };
    use serde_json::json;

    use super::{FROM, HOUR_MS, Stage, TO};

    e2e::on_both_engines! {
        each_function_crashes_after_its_call,
    }

    async fn each_function_crashes_after_its_call(engine: Engine) {
        let stage = Stage::take_on(engine).await;
        let manifest = format!("-{FROM}-{TO}.json");
        let stack = &stage.stack;
        let work = |key: &str| (stack.work_bucket.as_str(), key.to_owned());
        let archive = |key: &str| (stack.bucket.as_str(), key.to_owned());
        for (log_group, function, (bucket, suffix)) in [
            ("/crash/plan", &stack.plan_function_name, work("/0001/progress.json")),
            ("/crash/create", &stack.create_function_name, work("")),
            ("/crash/check", &stack.check_function_name, archive(&manifest)),
            ("/crash/report", &stack.report_function_name, archive("")),
        ] {
            stage.hello(log_group).await;
            stage.hold_tasks().await;
            if log_group == "/crash/plan" {
                stage.fault(json!({"operation": "PutObject", "keySuffix": suffix, "delayMs": HOUR_MS})).await;
            } else if log_group == "/crash/create" {
                stage.fault(json!({"operation": "CreateExportTask", "delayMs": HOUR_MS})).await;
            }
            let arn = stage.start(json!([log_group])).await;
            let name = arn.rsplit(':').next().expect("an ARN ends in the name").to_owned();
            let there = async |bucket: &str, suffix: &str| {
                wait_for(suffix, async || stage.keys_in(bucket, "").await.into_iter().find(|key| key.ends_with(suffix))).await
            };
            match log_group {
                "/crash/plan" => drop(there(bucket, &format!("{name}{suffix}")).await),
                "/crash/create" => drop(stage.wait_for_task(log_group, 1).await),
                _ => {
                    stage.wait_for_task(log_group, 1).await;
                    let suffix = if suffix.is_empty() { format!("-{name}.json") } else { suffix };
                    // Those of the log groups before lie there already.
                    let before = stage.keys_in(bucket, "").await;
                    stage.fault(json!({"operation": "PutObject", "keySuffix": suffix, "delayMs": HOUR_MS})).await;
                    stage.let_tasks_go().await;
                    wait_for(&suffix, async || {
                        stage.keys_in(bucket, "").await.into_iter().find(|key| key.ends_with(&suffix) && !before.contains(key))
                    })
                    .await;
                }
            }
            kill(&stage, function);
            stage.let_tasks_go().await;
            assert_counts(&stage.wait_well(&arn).await, json!({"exported": 1}));
            stage.assert_no_faults_left().await;
            assert_eq!(stage.created(log_group).await.len(), 1, "{log_group}");
            stage.assert_archived_once(log_group).await;
        }
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
