//! Throttling and outages of the services: waited out, call by call.

use e2e::Stage;
use local_aws::Engine;
use serde_json::json;

/// Every call the functions make in a run that exports.
const LOGS: [&str; 4] = ["DescribeLogGroups", "DescribeLogStreams", "DescribeExportTasks", "CreateExportTask"];
const S3: [&str; 3] = ["GetObject", "ListObjectsV2", "PutObject"];

e2e::on_both_engines! {
    five_times_throttled_on_each_call,
    three_times_out_of_service_on_each_call,
    a_limit_that_speaks_of_the_rate_is_throttling_and_no_busy_slot,
}

async fn five_times_throttled_on_each_call(engine: Engine) {
    refuse_each(engine, "throttled", "ThrottlingException", "SlowDown", 5).await;
}

async fn three_times_out_of_service_on_each_call(engine: Engine) {
    refuse_each(engine, "out-of-service", "ServiceUnavailableException", "InternalError", 3).await;
}

/// A run for each call, which is refused so many times: more often than a function tries by itself, so that the workflow's own
/// patience is needed.
async fn refuse_each(engine: Engine, scenario: &str, of_logs: &str, of_s3: &str, times: u32) {
    let stage = Stage::take(engine).await;
    for (call, error) in LOGS.map(|call| (call, of_logs)).into_iter().chain(S3.map(|call| (call, of_s3))) {
        let log_group = format!("/{scenario}/{call}");
        stage.hello(&log_group).await;
        stage.fault(json!({"operation": call, "error": error, "times": times})).await;
        stage.run_exports(&[&log_group]).await;
        stage.assert_no_faults_left().await;
        assert_eq!(stage.created(&log_group).await.len(), 1, "{call}");
        stage.assert_archived_once(&log_group).await;
    }
}

async fn a_limit_that_speaks_of_the_rate_is_throttling_and_no_busy_slot(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/rate").await;
    // The state machine's patience with throttling is 40 retries; a busy slot would have 1,000.
    stage.fault(json!({"operation": "CreateExportTask", "error": "LimitExceededException", "message": "Rate exceeded", "times": 41 * 3})).await;
    let failure = stage.run_fails("/rate").await;
    assert!(failure.starts_with("LogsThrottled: CreateExportTask answered LimitExceededException: Rate exceeded"), "{failure}");
    stage.assert_no_faults_left().await;
    stage.run_exports(&["/rate"]).await;
    stage.assert_archived_once("/rate").await;
}
