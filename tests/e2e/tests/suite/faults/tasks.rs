//! Export tasks that take another end than COMPLETED.

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{FROM, place};
use local_aws::{Engine, wait_for};
use serde_json::{Value, json};

use crate::faults::stage::Stage;

e2e::on_both_engines! {
    a_task_that_fails_once_or_twice_is_created_again,
    a_task_that_ends_otherwise_every_time_is_given_up_and_the_next_run_exports,
    a_task_that_a_person_cancels_is_created_again,
    a_task_that_vanishes_is_a_failure_and_the_next_run_exports,
    a_bucket_policy_taken_away_half_way_names_the_statement_to_add,
    what_failed_tasks_had_written_stays_apart_from_what_the_manifest_names,
    a_log_group_deleted_while_its_task_runs_is_a_failure,
    a_log_group_made_during_the_run_is_exported_where_it_is_named,
    a_log_group_made_after_its_prefix_was_expanded_is_left_to_the_next_run,
}

async fn a_task_that_fails_once_or_twice_is_created_again(engine: Engine) {
    let stage = Stage::take(engine).await;
    for (log_group, times) in [("/failed/once", 1), ("/failed/twice", 2)] {
        stage.hello(log_group).await;
        stage.fault(json!({"logGroupName": log_group, "status": "FAILED", "message": "internal trouble", "times": times})).await;
        stage.run_exports(log_group).await;
        let mut statuses = vec!["COMPLETED"];
        statuses.resize(1 + times, "FAILED");
        assert_eq!(stage.statuses(log_group).await, statuses);
        stage.assert_archived_once(log_group).await;
    }
}

async fn a_task_that_ends_otherwise_every_time_is_given_up_and_the_next_run_exports(engine: Engine) {
    let stage = Stage::take(engine).await;
    for (log_group, status, times, error) in [
        ("/always/failed", "FAILED", 3, "ExportTaskFailed"),
        ("/always/cancelled", "CANCELLED", 3, "ExportTaskCancelled"),
        ("/always/unknown", "ARCHIVED", 1, "ExportTaskStatusUnknown"),
    ] {
        stage.hello(log_group).await;
        stage.fault(json!({"logGroupName": log_group, "status": status, "message": "trouble", "times": times})).await;
        let failure = stage.run_fails(log_group).await;
        let created = stage.created(log_group).await;
        assert_eq!(created.len(), times, "{log_group}");
        let last = created.last().expect("a task");
        let expected = format!("{error}: export task {last} of log group {log_group} is {status}; CloudWatch Logs says: trouble");
        assert_eq!(failure, expected);
        assert_eq!(stage.statuses(log_group).await, vec![status; times]);
        assert_eq!(stage.in_place(log_group).await.into_keys().collect::<Vec<_>>(), ["aws-logs-write-test"], "no manifest, no data");

        stage.run_exports(log_group).await;
        stage.assert_archived_once(log_group).await;
    }
}

async fn a_task_that_a_person_cancels_is_created_again(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/cancelled/once").await;
    // Only this task sticks; the next goes its way.
    stage.fault(json!({"logGroupName": "/cancelled/once", "status": "RUNNING"})).await;
    let arn = stage.start(json!(["/cancelled/once"])).await;
    let task_id = stage.wait_for_task("/cancelled/once", 1).await;
    stage.wait_for_check(&task_id).await;
    cancel(&stage, &task_id).await;
    let execution = stage.wait(&arn).await;
    assert_eq!(execution.error, None, "{:?}", execution.cause);
    assert_eq!(stage.statuses("/cancelled/once").await, ["COMPLETED", "CANCELLED"]);
    stage.assert_archived_once("/cancelled/once").await;
}

async fn a_task_that_vanishes_is_a_failure_and_the_next_run_exports(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/vanished").await;
    stage.fault(json!({"logGroupName": "/vanished", "vanishes": true})).await;
    let failure = stage.run_fails("/vanished").await;
    let task_id = &stage.created("/vanished").await[0];
    assert_eq!(
        failure,
        format!("ExportTaskNotFound: taskId is {task_id:?}: CloudWatch Logs knows no such export task in this account and Region")
    );
    assert_eq!(stage.created("/vanished").await.len(), 1, "a task nobody can see may still be running: no second one beside it");
    assert!(!stage.in_place("/vanished").await.contains_key("_manifest.json"));

    stage.run_exports("/vanished").await;
    stage.assert_archived_once("/vanished").await;
}

async fn a_bucket_policy_taken_away_half_way_names_the_statement_to_add(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/policy").await;
    let s3 = aws_sdk_s3::Client::new(&stage.local.sdk_config());
    let bucket = stage.stack.bucket.as_str();
    let policy = s3.get_bucket_policy().bucket(bucket).send().await.expect("the bucket has one").policy.expect("its text");
    stage.hold_tasks().await;
    let arn = stage.start(json!(["/policy"])).await;
    stage.wait_for_task("/policy", 1).await;
    s3.delete_bucket_policy().bucket(bucket).send().await.expect("the policy goes");
    stage.let_tasks_go().await;
    let execution = stage.wait(&arn).await;
    s3.put_bucket_policy().bucket(bucket).policy(policy).send().await.expect("the policy comes back");

    // The task FAILED for want of PutObject; creating it again tells why.
    assert_eq!(execution.status, ExecutionStatus::Failed);
    let cause = execution.cause.expect("a failed run has a cause");
    assert!(cause.starts_with("1 of 1 log groups failed: /policy: DestinationRejected: CreateExportTask answered "), "{cause}");
    assert!(cause.contains("Add to the policy of bucket "), "{cause}");
    assert_eq!(stage.statuses("/policy").await, ["FAILED"]);
    assert!(!stage.in_place("/policy").await.contains_key("_manifest.json"));

    stage.run_exports("/policy").await;
    stage.assert_archived_once("/policy").await;
}

async fn what_failed_tasks_had_written_stays_apart_from_what_the_manifest_names(engine: Engine) {
    let stage = Stage::take(engine).await;
    let events: &[(i64, &str)] = &[(FROM, "hello")];
    stage.log_group_of_streams("/partial", &[("a", events), ("b", events)]).await;
    let s3 = aws_sdk_s3::Client::new(&stage.local.sdk_config());
    let bucket = stage.stack.bucket.as_str();
    let policy = s3.get_bucket_policy().bucket(bucket).send().await.expect("the bucket has one").policy.expect("its text");
    let mut denying: Value = serde_json::from_str(&policy).expect("a policy is JSON");
    let statement =
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{bucket}/logs/*/b/*")});
    denying["Statement"].as_array_mut().expect("statements").push(statement);
    s3.put_bucket_policy().bucket(bucket).policy(denying.to_string()).send().await.expect("the policy changes");
    let failure = stage.run_fails("/partial").await;
    assert!(failure.starts_with("ExportTaskFailed: "), "{failure}");
    assert!(failure.contains("CloudWatch Logs says: PutObject call on the given bucket failed."), "{failure}");
    assert_eq!(stage.statuses("/partial").await, ["FAILED"; 3]);

    s3.put_bucket_policy().bucket(bucket).policy(policy).send().await.expect("the policy changes back");
    stage.run_exports("/partial").await;
    let tasks = stage.created("/partial").await;
    let manifest = stage.manifest(&place("logs", "/partial")).await;
    assert_eq!((&manifest["taskId"], &manifest["objects"]), (&json!(tasks[3]), &json!(2)));
    let mut expected: Vec<_> = tasks.iter().map(|task_id| format!("{task_id}/a/000000.gz")).collect();
    expected.push(format!("{}/b/000000.gz", tasks[3]));
    expected.sort();
    let stored = stage.in_place("/partial").await.into_keys().filter(|key| key.ends_with(".gz"));
    assert_eq!(stored.collect::<Vec<_>>(), expected);
}

async fn a_log_group_deleted_while_its_task_runs_is_a_failure(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/deleted").await;
    stage.hello("/kept").await;
    stage.hold_tasks().await;
    let arn = stage.start(json!(["/deleted", "/kept"])).await;
    stage.wait_for_task("/deleted", 1).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&stage.local.sdk_config());
    logs.delete_log_group().log_group_name("/deleted").send().await.expect("the log group goes");
    stage.let_tasks_go().await;
    let execution = stage.wait(&arn).await;
    assert_eq!(execution.error.as_deref(), Some("ExportsFailed"));
    let cause = execution.cause.expect("a run that failed has a cause");
    assert!(cause.starts_with("1 of 2 log groups failed: /deleted: ExportTaskFailed: export task "), "{cause}");
    assert_eq!(stage.statuses("/deleted").await, ["FAILED"]);
    assert!(!stage.in_place("/deleted").await.contains_key("_manifest.json"));
    stage.assert_archived_once("/kept").await;
}

async fn a_log_group_made_during_the_run_is_exported_where_it_is_named(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/named/1").await;
    stage.hold_tasks().await;
    let arn = stage.start(json!(["/named/1", "/named/2"])).await;
    stage.wait_for_task("/named/1", 1).await;
    stage.hello("/named/2").await;
    stage.let_tasks_go().await;
    let execution = stage.wait(&arn).await;
    assert_eq!(execution.error, None, "{:?}", execution.cause);
    for name in ["/named/1", "/named/2"] {
        stage.assert_archived_once(name).await;
    }
}

async fn a_log_group_made_after_its_prefix_was_expanded_is_left_to_the_next_run(engine: Engine) {
    let stage = Stage::take(engine).await;
    let prefix = json!([{"logGroupNamePrefix": "/prefix/"}]);
    stage.hello("/prefix/1").await;
    stage.hold_tasks().await;
    let arn = stage.start(prefix.clone()).await;
    stage.wait_for_task("/prefix/1", 1).await;
    stage.hello("/prefix/2").await;
    stage.let_tasks_go().await;
    let execution = stage.wait(&arn).await;
    assert_eq!(execution.error, None, "{:?}", execution.cause);
    assert_eq!(execution.output.expect("the run succeeds")["counts"], json!({"exported": 1, "empty": 0, "skipped": 0, "failed": 0}));
    assert_eq!(stage.created("/prefix/2").await, [""; 0]);

    let output = stage.run_well(&stage.input(prefix)).await;
    assert_eq!(output["skips"], json!([{"logGroupName": "/prefix/1", "reason": "AlreadyArchived"}]));
    for name in ["/prefix/1", "/prefix/2"] {
        stage.assert_archived_once(name).await;
        assert_eq!(stage.created(name).await.len(), 1, "{name}");
    }
}

/// As a person does it, and waits until it is so.
async fn cancel(stage: &Stage, task_id: &str) {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&stage.local.sdk_config());
    wait_for("the task can be cancelled", async || logs.cancel_export_task().task_id(task_id).send().await.ok()).await;
}
