//! The run itself: its notification, its end by a person, two at a time.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{Stage, assert_counts, decided};
use local_aws::Engine;
use serde_json::json;

e2e::on_both_engines! {
    a_missing_topic_fails_the_run_after_everything_is_archived,
    a_report_that_cannot_be_written_fails_the_run_after_everything_is_archived,
}

async fn a_missing_topic_fails_the_run_after_everything_is_archived(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    stage.hello("/told-nobody").await;
    let sns = aws_sdk_sns::Client::new(&stage.local.sdk_config());
    let topic_arn = stage.stack.topic_arn.as_str();
    sns.delete_topic().topic_arn(topic_arn).send().await.expect("the topic goes");
    let input = stage.input(json!(["/told-nobody"]));
    let execution = stage.run(&input).await;
    assert_eq!(execution.error.as_deref(), Some("NotificationFailed"), "{:?}", execution.cause);
    assert!(execution.cause.unwrap().contains("the run has ended, but its notification failed: Publish answered NotFound"));
    assert_eq!(decided(&stage.report(&execution.arn).await), ["/told-nobody 2024-10 exported"]);
    stage.assert_archived_once("/told-nobody").await;

    // A failure is not hidden behind it.
    let mut elsewhere = input.clone();
    elsewhere["s3BucketName"] = json!("no-such-bucket");
    let (error, cause) = stage.run_badly(&elsewhere).await;
    assert_eq!(error, "ArchiveIncomplete", "{cause}");
    assert!(cause.contains("DestinationRejected: /told-nobody 2024-10. "), "{cause}");

    // The same name has the same ARN: everything is well again.
    let name = topic_arn.rsplit(':').next().expect("an ARN ends in the name");
    sns.create_topic().name(name).send().await.expect("the topic comes back");
    assert_counts(&stage.run_well(&input).await, json!({"alreadyArchived": 1}));
}

async fn a_report_that_cannot_be_written_fails_the_run_after_everything_is_archived(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    stage.hello("/unreported").await;
    stage.hold_tasks().await;
    let arn = stage.start(json!(["/unreported"])).await;
    stage.wait_for_task("/unreported", 1).await;
    let name = arn.rsplit(':').next().expect("an ARN ends in the name");
    stage.fault(json!({"operation": "PutObject", "keySuffix": format!("-{name}.json"), "error": "AccessDenied"})).await;
    stage.let_tasks_go().await;
    let (error, cause) = e2e::badly(stage.wait(&arn).await);
    assert_eq!(error, "AccessDenied", "{cause}");
    assert!(cause.contains("Allow s3:PutObject on arn:aws:s3:::") && cause.contains("/runs/year="), "{cause}");
    stage.assert_archived_once("/unreported").await;
    assert_counts(&stage.run_well(&stage.input(json!(["/unreported"]))).await, json!({"alreadyArchived": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_and_started_again_exports_each_log_group_once() {
    let stage = Stage::take().await;
    let log_groups = ["/stopped/1", "/stopped/2", "/stopped/3"];
    for name in log_groups {
        stage.hello(name).await;
    }
    stage.hold_tasks().await;
    let stopped = stage.start(json!(log_groups)).await;
    let task_id = stage.wait_for_task("/stopped/1", 1).await;
    stage.local.step_functions().stop_execution().execution_arn(&stopped).send().await.expect("the execution stops");
    assert_eq!(stage.wait(&stopped).await.status, ExecutionStatus::Aborted);

    let searches = stage.task_searches().await;
    let again = stage.start(json!(log_groups)).await;
    stage.wait_for_task_search(searches).await;
    stage.let_tasks_go().await;
    assert_counts(&stage.wait_well(&again).await, json!({"exported": 3}));
    assert_eq!(stage.created("/stopped/1").await, [task_id], "the task of the stopped run is adopted");
    for name in log_groups {
        assert_eq!(stage.created(name).await.len(), 1, "{name}");
        stage.assert_archived_once(name).await;
    }
}

/// The schedule may do it. Which of the two checks a task is a matter of chance; both say that all is archived.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_run_started_twice_exports_each_log_group_once() {
    let stage = Stage::take().await;
    let log_groups = ["/twice/1", "/twice/2"];
    for name in log_groups {
        stage.hello(name).await;
    }
    let input = json!({"scheduledTime": "2024-11-01T04:00:00Z", "logGroups": log_groups});
    stage.hold_tasks().await;
    // One after the other: of two executions that start in the same moment on moto's interpreter, one was seen to hang.
    let first = stage.start_input(&input).await;
    stage.wait_for_task(log_groups[0], 1).await;
    let searches = stage.task_searches().await;
    let runs = [first, stage.start_input(&input).await];
    stage.wait_for_task_search(searches).await;
    // With tasks that are over at once, one run can find the slot free between its look at the tasks and its own creation, on AWS too.
    stage.local.set_task_timing(Duration::ZERO, Duration::from_millis(500)).await.expect("the stand-in takes its timing");
    for arn in runs {
        let output = stage.wait_well(&arn).await;
        let of = |name: &str| output[name].as_u64().expect("a number");
        assert_eq!((of("exported") + of("alreadyArchived"), of("failed")), (2, 0), "{output:#}");
    }
    for name in log_groups {
        assert_eq!(stage.created(name).await.len(), 1, "{name}");
        stage.assert_archived_once(name).await;
    }
}
