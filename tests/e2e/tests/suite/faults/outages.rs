//! Throttling and outages of the services: waited out, call by call.

use e2e::{Stage, assert_counts, badly};
use local_aws::Engine;
use serde_json::json;

/// Every call the functions make in a run that exports.
const LOGS: [&str; 4] = ["DescribeLogGroups", "DescribeLogStreams", "DescribeExportTasks", "CreateExportTask"];
const S3: [&str; 3] = ["GetObject", "ListObjectsV2", "PutObject"];

e2e::on_both_engines! {
    five_times_throttled_on_each_call,
    a_function_that_runs_out_of_time_is_tried_four_times,
}

async fn five_times_throttled_on_each_call(engine: Engine) {
    refuse_each(engine, "/throttled", "ThrottlingException", "SlowDown", 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_times_out_of_service_on_each_call() {
    refuse_each(Engine::Ministack, "/out-of-service", "ServiceUnavailableException", "InternalError", 3).await;
}

/// Each call is refused so many times: more often than a function tries by itself, so that the workflow's own patience is needed.
async fn refuse_each(engine: Engine, log_group: &str, of_logs: &str, of_s3: &str, times: u32) {
    let stage = Stage::take_on(engine).await;
    stage.hello(log_group).await;
    for (call, error) in LOGS.map(|call| (call, of_logs)).into_iter().chain(S3.map(|call| (call, of_s3))) {
        stage.fault(json!({"operation": call, "error": error, "times": times})).await;
    }
    stage.run_exports(&[log_group]).await;
    stage.assert_no_faults_left().await;
    assert_eq!(stage.created(log_group).await.len(), 1);
    stage.assert_archived_once(log_group).await;
}

/// A busy slot has 1,000 retries, and waits for up to 20 h.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_speaks_of_the_rate_is_throttling() {
    const SAID: &str = "CreateExportTask answered LimitExceededException: Rate exceeded";
    let stage = Stage::take().await;
    stage.hello("/rate").await;
    stage.fault(json!({"operation": "CreateExportTask", "error": "LimitExceededException", "message": "Rate exceeded", "times": 3})).await;
    let arn = stage.start(json!(["/rate"])).await;
    assert_counts(&stage.wait_well(&arn).await, json!({"exported": 1}));
    stage.assert_no_faults_left().await;
    let children = stage.local.child_histories(&arn).await.expect("the histories can be read");
    let failures = children.iter().flat_map(|child| &child.events).filter_map(|event| event.task_failed_event_details());
    let failures: Vec<_> = failures.map(|failure| (failure.error().unwrap_or_default(), failure.cause().unwrap_or_default())).collect();
    assert_eq!(failures.len(), 3, "{failures:?}");
    assert!(failures.iter().all(|(error, cause)| *error == "LogsThrottled" && cause.contains(SAID)), "{failures:?}");
    stage.assert_archived_once("/rate").await;
}

/// An attempt can take minutes, so there are few.
async fn a_function_that_runs_out_of_time_is_tried_four_times(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    stage.hello("/timeouts").await;
    let function = &stage.stack.plan_function_name;
    let was = stage.set_timeout(function, &json!(1)).await;
    stage.fault(json!({"operation": "PutObject", "keySuffix": "/progress.json", "delayMs": 3_600_000, "times": 100})).await;
    let execution = stage.run(&stage.input(json!(["/timeouts"]))).await;
    stage.set_timeout(function, &was).await;
    let history = stage.local.history(&execution.arn).await.expect("the history can be read");
    let errors: Vec<_> = history.events.iter().filter_map(|event| event.task_failed_event_details()?.error()).collect();
    let [attempts @ .., report] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((attempts.len(), *report), (4, "Unexpected"), "{errors:?}");
    assert!(attempts.iter().all(|error| ["Sandbox.Timedout", "Lambda.Unknown", "States.Timeout"].contains(error)), "{errors:?}");
    let (_, cause) = badly(execution);
    assert!(cause.starts_with(&format!("plan-exports ended with {}: ", attempts[3])), "{cause}");
}
