//! Export tasks that take another end than COMPLETED: the next round of the run exports the window again, or says why not.

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{FROM, S3_PREFIX, Stage, assert_counts, badly, decided, well};
use local_aws::{Engine, wait_for};
use serde_json::{Value, json};

e2e::on_both_engines! {
    a_task_that_fails_is_created_again_in_the_next_round,
    a_task_that_is_never_done_is_cancelled_and_its_window_exported_in_halves,
    a_slot_that_another_tool_holds_is_waited_for,
    one_failing_log_group_fails_the_run_and_stops_no_other,
}

async fn a_task_that_fails_is_created_again_in_the_next_round(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    let log_groups = ["/once/failed", "/twice/failed", "/once/cancelled", "/once/vanished"];
    for log_group in log_groups {
        stage.hello(log_group).await;
    }
    for fault in [
        json!({"logGroupName": "/once/failed", "status": "FAILED", "message": "internal trouble"}),
        json!({"logGroupName": "/twice/failed", "status": "FAILED", "message": "internal trouble", "times": 2}),
        json!({"logGroupName": "/once/cancelled", "status": "CANCELLED"}),
        json!({"logGroupName": "/once/vanished", "vanishes": true}),
    ] {
        stage.fault(fault).await;
    }
    stage.run_exports(&log_groups).await;
    for (log_group, ends) in [
        ("/once/failed", &["COMPLETED", "FAILED"][..]),
        ("/twice/failed", &["COMPLETED", "FAILED", "FAILED"]),
        ("/once/cancelled", &["COMPLETED", "CANCELLED"]),
        // Of the one that vanished nobody knows but the journal.
        ("/once/vanished", &["COMPLETED"]),
    ] {
        assert_eq!(stage.statuses(log_group).await, ends, "{log_group}");
        stage.assert_archived_once(log_group).await;
    }
    assert_eq!(stage.created("/once/vanished").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_always_ends_otherwise_is_given_up_after_three_rounds_and_the_next_run_exports() {
    let stage = Stage::take().await;
    for (log_group, status, times, error) in [
        ("/always/failed", "FAILED", 3, "ExportTaskFailed"),
        ("/always/cancelled", "CANCELLED", 3, "ExportTaskCancelled"),
        // Trying again cannot help.
        ("/always/unknown", "ARCHIVED", 1, "ExportTaskStatusUnknown"),
    ] {
        stage.hello(log_group).await;
        stage.fault(json!({"logGroupName": log_group, "status": status, "message": "trouble", "times": times})).await;
        let failure = stage.run_fails(log_group).await;
        let created = stage.created(log_group).await;
        assert_eq!(created.len(), times, "{log_group}: {failure}");
        let last = created.last().expect("a task");
        let expected =
            format!("{error}: export task {last} of log group {log_group} is {status}; CloudWatch Logs says: trouble. What to do: ");
        assert!(failure.starts_with(&expected), "{failure}");
        assert_eq!(stage.manifests(log_group).await, []);
        assert_eq!(stage.data_keys(log_group).await, [""; 0]);

        stage.run_exports(&[log_group]).await;
        stage.assert_archived_once(log_group).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_a_person_cancels_is_created_again() {
    let stage = Stage::take().await;
    stage.hello("/cancelled/by-hand").await;
    // Only this task sticks; the next goes its way.
    stage.fault(json!({"logGroupName": "/cancelled/by-hand", "status": "RUNNING"})).await;
    let arn = stage.start(json!(["/cancelled/by-hand"])).await;
    let task_id = stage.wait_for_task("/cancelled/by-hand", 1).await;
    stage.wait_for_check(&task_id).await;
    let logs = stage.logs();
    wait_for("the task can be cancelled", async || logs.cancel_export_task().task_id(&task_id).send().await.ok()).await;
    assert_counts(&stage.wait_well(&arn).await, json!({"exported": 1}));
    assert_eq!(stage.statuses("/cancelled/by-hand").await, ["COMPLETED", "CANCELLED"]);
    stage.assert_archived_once("/cancelled/by-hand").await;
}

async fn a_task_that_is_never_done_is_cancelled_and_its_window_exported_in_halves(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    for log_group in ["/stuck/first", "/stuck/next"] {
        stage.hello(log_group).await;
    }
    // CloudWatch Logs ends a task after 24 h; this one is older than 26.
    stage.fault(json!({"logGroupName": "/stuck/first", "status": "RUNNING", "ageMs": 27 * 3_600_000})).await;
    stage.fault(json!({"operation": "CancelExportTask", "error": "ThrottlingException", "times": 5})).await;
    let arn = stage.start(json!(["/stuck/first", "/stuck/next"])).await;
    // In its second half is no event.
    assert_counts(&stage.wait_well(&arn).await, json!({"exported": 2, "skipped": 1}));
    assert_eq!(stage.statuses("/stuck/first").await, ["COMPLETED", "CANCELLED"]);
    assert_eq!(stage.events("/stuck/first").await, ["hello"]);
    stage.assert_archived_once("/stuck/next").await;
    stage.assert_no_faults_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_tasks_had_written_stays_apart_from_what_the_manifest_names() {
    let stage = Stage::take().await;
    let event = |message: &'static str| [(FROM, message)];
    stage.log_group_of_streams("/partial", &[("a", &event("in a")), ("b", &event("in b"))]).await;
    let policy = policy(&stage).await;
    let mut denying: Value = serde_json::from_str(&policy).expect("a policy is JSON");
    let b = format!("arn:aws:s3:::{}/{S3_PREFIX}/log_group=/partial/*/b/*", stage.stack.bucket);
    let statement = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": b});
    denying["Statement"].as_array_mut().expect("statements").push(statement);
    set_policy(&stage, &denying.to_string()).await;
    let failure = stage.run_fails("/partial").await;
    assert!(failure.starts_with("ExportTaskFailed: "), "{failure}");
    assert!(failure.contains("CloudWatch Logs says: PutObject call on the given bucket failed."), "{failure}");
    assert_eq!(stage.statuses("/partial").await, ["FAILED"; 3]);
    assert_eq!(stage.data_keys("/partial").await.len(), 3, "each task wrote a");
    assert_eq!(stage.events("/partial").await, [""; 0], "and the view shows none of it");

    set_policy(&stage, &policy).await;
    stage.run_exports(&["/partial"]).await;
    assert_eq!(stage.data_keys("/partial").await.len(), 5);
    assert_eq!(stage.events("/partial").await, ["in a", "in b"]);
    let (_, manifest) = stage.manifest("/partial").await;
    assert_eq!((&manifest["task_id"], &manifest["objects"]), (&json!(stage.created("/partial").await[3]), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_policy_taken_away_half_way_names_the_statement_to_add() {
    let stage = Stage::take().await;
    stage.hello("/policy").await;
    let policy = policy(&stage).await;
    stage.hold_tasks().await;
    let arn = stage.start(json!(["/policy"])).await;
    stage.wait_for_task("/policy", 1).await;
    stage.s3().delete_bucket_policy().bucket(&stage.stack.bucket).send().await.expect("the policy goes");
    stage.let_tasks_go().await;
    let (error, cause) = badly(stage.wait(&arn).await);
    set_policy(&stage, &policy).await;

    // The task FAILED for want of PutObject; creating it again tells why.
    assert_eq!(error, "ArchiveIncomplete");
    assert!(cause.contains("DestinationRejected: /policy 2024-10. CreateExportTask answered "), "{cause}");
    assert!(cause.contains("Add to the policy of bucket "), "{cause}");
    assert_eq!(stage.statuses("/policy").await, ["FAILED"]);

    stage.run_exports(&["/policy"]).await;
    stage.assert_archived_once("/policy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_groups_that_go_and_come_during_a_run() {
    let stage = Stage::take().await;
    for log_group in ["/goes/running", "/goes/waiting", "/goes/stays"] {
        stage.hello(log_group).await;
    }
    stage.hold_tasks().await;
    let arn = stage.start(json!(["/goes/comes", {"logGroupNamePrefix": "/goes/"}])).await;
    stage.wait_for_task("/goes/running", 1).await;
    let logs = stage.logs();
    for log_group in ["/goes/running", "/goes/waiting"] {
        logs.delete_log_group().log_group_name(log_group).send().await.expect("the log group goes");
    }
    stage.hello("/goes/comes").await;
    stage.let_tasks_go().await;
    // Neither can be exported any more, and trying again cannot help.
    let output = stage.wait_well(&arn).await;
    assert_counts(&output, json!({"exported": 1, "lost": 2, "warned": 1}));
    stage.assert_archived_once("/goes/stays").await;
    assert_eq!(
        decided(&stage.report(&arn).await),
        [
            // It was not there when the run began: the next run exports it.
            "/goes/comes 2024-10 warned LogGroupNotFound",
            "/goes/running 2024-10 lost LogGroupDeleted",
            "/goes/stays 2024-10 exported",
            "/goes/waiting 2024-10 lost LogGroupDeleted",
        ]
    );
    assert_eq!(stage.statuses("/goes/running").await, ["FAILED"]);
    let output = stage.run_well(&stage.input(json!(["/goes/comes", {"logGroupNamePrefix": "/goes/"}]))).await;
    assert_counts(&output, json!({"exported": 1, "alreadyArchived": 1}));
    stage.assert_archived_once("/goes/comes").await;
}

async fn a_slot_that_another_tool_holds_is_waited_for(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    for log_group in ["/slot/mine", "/slot/theirs"] {
        stage.hello(log_group).await;
    }
    stage.hold_tasks().await;
    let foreign = stage.foreign_task("/slot/theirs").await;
    let arn = stage.start(json!(["/slot/mine"])).await;
    stage.wait_for_refusals("/slot/mine", 2).await;
    assert_eq!(stage.local.ended_execution(&arn).await.unwrap(), None, "the run waits");
    stage.let_tasks_go().await;
    assert_counts(&well(stage.wait(&arn).await), json!({"exported": 1}));
    assert_eq!(stage.created("/slot/mine").await.len(), 1);
    assert_ne!(stage.assert_archived_once("/slot/mine").await["task_id"], json!(foreign));
}

async fn one_failing_log_group_fails_the_run_and_stops_no_other(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    let notifications = stage.subscribe().await;
    for name in ["/one/bad", "/one/good", "/one/good-too"] {
        stage.hello(name).await;
    }
    stage.log_group("/one/quiet", &[(FROM - 1, "before"), (e2e::TO + 1, "after")]).await;
    stage.fault(json!({"logGroupName": "/one/bad", "status": "FAILED", "message": "internal trouble", "times": 10})).await;
    let input = stage.input(json!(["/one/good", "/one/bad", "/one/gone", "/one/quiet", "/one/good-too"]));
    let execution = stage.run(&input).await;
    assert_eq!((&execution.status, execution.error.as_deref()), (&ExecutionStatus::Failed, Some("ArchiveIncomplete")));
    let report = stage.report(&execution.arn).await;
    assert_eq!(
        decided(&report),
        [
            "/one/bad 2024-10 failed ExportTaskFailed",
            "/one/gone 2024-10 warned LogGroupNotFound",
            "/one/good 2024-10 exported",
            "/one/good-too 2024-10 exported",
            "/one/quiet 2024-10 empty",
        ]
    );
    assert_eq!(report["compared_everything"], true);
    for name in ["/one/good", "/one/good-too"] {
        stage.assert_archived_once(name).await;
    }
    assert_eq!(stage.manifest("/one/quiet").await.1["outcome"], "empty");
    assert_eq!(stage.manifests("/one/bad").await, [], "a failed export has no manifest");

    let (subject, message) = notifications.next().await;
    assert_eq!(subject, "cloudwatch-logs-archive: action needed: 1 window not archived (2024-10)");
    for said in [
        "1 window not archived.\nExportTaskFailed: /one/bad 2024-10. export task ",
        "is FAILED; CloudWatch Logs says: internal trouble. What to do: Read what CloudWatch Logs says",
        "Exported: 2 (2 objects, ",
        " bytes). Empty: 1. Skipped: 0. Lost: 0. Nothing yet: 0. Waiting: 0. Not archived, with a warning: 1. Failed: 1. Archived already: 0. Missing in the archive: 1.\n",
        "\n\nEmpty: /one/quiet 2024-10.\n\n",
        "\n\nWarning LogGroupNotFound:\n- log group /one/gone does not exist",
        "\n\nReport: s3://",
    ] {
        assert!(message.contains(said), "{said}: {message}");
    }
}

async fn policy(stage: &Stage) -> String {
    let policy = stage.s3().get_bucket_policy().bucket(&stage.stack.bucket).send().await;
    policy.expect("the bucket has one").policy.expect("its text")
}

async fn set_policy(stage: &Stage, policy: &str) {
    stage.s3().put_bucket_policy().bucket(&stage.stack.bucket).policy(policy).send().await.expect("the policy changes");
}
