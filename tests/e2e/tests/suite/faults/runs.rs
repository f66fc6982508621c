//! The run itself: its notification, its end by a person, its month.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::Engine;
use serde_json::json;

use crate::faults::stage::Stage;

e2e::on_both_engines! {
    a_missing_topic_fails_the_run_after_everything_is_archived,
    an_audit_that_cannot_be_written_fails_the_run_after_everything_is_archived,
    a_run_that_is_stopped_and_started_again_exports_each_log_group_once,
}

async fn a_missing_topic_fails_the_run_after_everything_is_archived(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/told-nobody").await;
    let sns = aws_sdk_sns::Client::new(&stage.local.sdk_config());
    let topic_arn = stage.stack.topic_arn.as_str();
    sns.delete_topic().topic_arn(topic_arn).send().await.expect("the topic goes");
    let mut input = stage.input(json!(["/told-nobody"]));
    let (error, cause) = stage.run_badly(&input).await;
    assert_eq!(error, "NotificationFailed", "{cause}");
    assert!(cause.starts_with("All log groups of 2024-10 ended well, but the notification could not be sent: "), "{cause}");
    stage.assert_archived_once("/told-nobody").await;

    // A failure is not hidden behind it.
    input["s3BucketName"] = json!("no-such-bucket");
    let (error, cause) = stage.run_badly(&input).await;
    assert_eq!(error, "ExportsFailed", "{cause}");
    assert!(cause.contains("/told-nobody: DestinationRejected: "), "{cause}");
    assert!(cause.contains(" (and the notification could not be sent: "), "{cause}");

    // The same name has the same ARN: everything is well again.
    let name = topic_arn.rsplit(':').next().expect("an ARN ends in the name");
    sns.create_topic().name(name).send().await.expect("the topic comes back");
    let output = stage.run_well(&stage.input(json!(["/told-nobody"]))).await;
    assert_eq!(output["skips"], json!([{"logGroupName": "/told-nobody", "reason": "AlreadyArchived"}]));
}

async fn an_audit_that_cannot_be_written_fails_the_run_after_everything_is_archived(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/unrecorded").await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&stage.local.sdk_config());
    let audit = "/cloudwatch-logs-archive/cloudwatch-logs-archive/outcomes";
    logs.delete_log_group().log_group_name(audit).send().await.expect("the log group goes");
    let (error, cause) = stage.run_badly(&stage.input(json!(["/unrecorded"]))).await;
    assert_eq!(error, "AuditFailed", "{cause}");
    assert!(cause.starts_with("All log groups of 2024-10 ended well, but their outcomes could not all be recorded: "), "{cause}");
    stage.assert_archived_once("/unrecorded").await;

    logs.create_log_group().log_group_name(audit).send().await.expect("the log group comes back");
    logs.create_log_stream().log_group_name(audit).log_stream_name("outcomes").send().await.expect("its stream too");
    let output = stage.run_well(&stage.input(json!(["/unrecorded"]))).await;
    assert_eq!(output["audit"], json!({"status": "RECORDED"}));
}

/// The local engine goes on with the Map of an execution that was stopped. So what is shown here is more than AWS asks for: the rest of
/// the stopped run and the new one work side by side.
async fn a_run_that_is_stopped_and_started_again_exports_each_log_group_once(engine: Engine) {
    let stage = Stage::take(engine).await;
    let log_groups = ["/stopped/1", "/stopped/2", "/stopped/3"];
    for name in log_groups {
        stage.hello(name).await;
    }
    stage.hold_tasks().await;
    let stopped = stage.start(json!(log_groups)).await;
    let task_id = stage.wait_for_task("/stopped/1", 1).await;
    stage.local.step_functions().stop_execution().execution_arn(&stopped).send().await.expect("the execution stops");
    assert_eq!(stage.wait(&stopped).await.status, ExecutionStatus::Aborted);

    let again = stage.start(json!(log_groups)).await;
    // Tasks that take a while: with one that is over at once, the other run can find the slot free again between its look at the tasks
    // and its own creation, on AWS as here.
    stage.local.set_task_timing(Duration::ZERO, Duration::from_millis(500)).await.expect("tasks go on");
    let execution = stage.wait(&again).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{:?}: {:?}", execution.error, execution.cause);
    let counts = &execution.output.expect("the run succeeds")["counts"];
    let of = |outcome: &str| counts[outcome].as_u64().expect("a number");
    assert_eq!((of("exported") + of("skipped"), of("empty"), of("failed")), (3, 0, 0), "{counts}");
    assert_eq!(stage.created("/stopped/1").await, [task_id], "the task of the stopped run is adopted");
    for name in log_groups {
        assert_eq!(stage.created(name).await.len(), 1, "{name}");
        stage.assert_archived_once(name).await;
    }
    stage.end();
}
