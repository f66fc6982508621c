//! Throttling and outages of the services: waited out, call by call.

use e2e::{MONTH, Stage};
use local_aws::Engine;
use serde_json::json;

/// Every call the functions make in a run that exports.
const LOGS: [&str; 4] = ["DescribeLogGroups", "DescribeLogStreams", "DescribeExportTasks", "CreateExportTask"];
const S3: [&str; 3] = ["GetObject", "ListObjectsV2", "PutObject"];

e2e::on_both_engines! {
    five_times_throttled_on_each_call,
    three_times_out_of_service_on_each_call,
}

async fn five_times_throttled_on_each_call(engine: Engine) {
    refuse_each(engine, "/throttled", "ThrottlingException", "SlowDown", 5).await;
}

async fn three_times_out_of_service_on_each_call(engine: Engine) {
    refuse_each(engine, "/out-of-service", "ServiceUnavailableException", "InternalError", 3).await;
}

/// Each call is refused so many times: more often than a function tries by itself, so that the workflow's own patience is needed.
async fn refuse_each(engine: Engine, log_group: &str, of_logs: &str, of_s3: &str, times: u32) {
    let stage = Stage::take(engine).await;
    stage.hello(log_group).await;
    for (call, error) in LOGS.map(|call| (call, of_logs)).into_iter().chain(S3.map(|call| (call, of_s3))) {
        stage.fault(json!({"operation": call, "error": error, "times": times})).await;
    }
    stage.run_exports(&[log_group]).await;
    stage.assert_no_faults_left().await;
    assert_eq!(stage.created(log_group).await.len(), 1);
    stage.assert_archived_once(log_group).await;
}

/// Throttling has 40 retries, a busy slot 1,000.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_speaks_of_the_rate_is_throttling_and_no_busy_slot() {
    let stage = Stage::take(Engine::Ministack).await;
    stage.hello("/rate").await;
    for (message, error, said) in [
        ("Rate exceeded", "LogsThrottled", "CreateExportTask answered LimitExceededException: Rate exceeded"),
        ("Resource limit exceeded.", "ExportSlotBusy", "CreateExportTask answered LimitExceededException: Resource limit exceeded."),
    ] {
        stage.fault(json!({"operation": "CreateExportTask", "error": "LimitExceededException", "message": message})).await;
        let event = json!({"logGroupName": "/rate", "month": MONTH});
        let answer = stage.local.invoke(&stage.stack.create_function_name, &event).await.expect("the function answers");
        assert_eq!(answer["errorType"], error, "{answer}");
        assert!(answer["errorMessage"].as_str().expect("a message").contains(said), "{answer}");
    }
}
