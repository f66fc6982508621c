//! Throttling and outages of the services: waited out, call by call.
//!
//! What the workflow calls by itself (DescribeLogGroups for a prefix entry, Publish) does not pass through the stand-in; the tests of
//! the workflow's retriers stand for it.

use local_aws::Engine;
use serde_json::json;

use crate::faults::stage::Stage;

/// Every call the two functions make in a run that exports.
const LOGS: [&str; 4] = ["DescribeLogGroups", "DescribeLogStreams", "DescribeExportTasks", "CreateExportTask"];
const S3: [&str; 3] = ["GetObject", "ListObjectsV2", "PutObject"];

e2e::on_both_engines! {
    five_times_throttled_on_each_call_of_cloudwatch_logs,
    five_times_throttled_on_each_call_of_s3,
    three_times_out_of_service_on_each_call_of_cloudwatch_logs,
    three_times_out_of_service_on_each_call_of_s3,
}

async fn five_times_throttled_on_each_call_of_cloudwatch_logs(engine: Engine) {
    refuse_each(engine, "throttled", &LOGS, "ThrottlingException", 5).await;
}

async fn five_times_throttled_on_each_call_of_s3(engine: Engine) {
    refuse_each(engine, "throttled", &S3, "SlowDown", 5).await;
}

async fn three_times_out_of_service_on_each_call_of_cloudwatch_logs(engine: Engine) {
    refuse_each(engine, "out-of-service", &LOGS, "ServiceUnavailableException", 3).await;
}

async fn three_times_out_of_service_on_each_call_of_s3(engine: Engine) {
    refuse_each(engine, "out-of-service", &S3, "InternalError", 3).await;
}

/// A run for each call, which is refused so many times: more often than a function tries by itself, so that the workflow's own
/// patience is needed.
async fn refuse_each(engine: Engine, scenario: &str, calls: &[&str], error: &str, times: u32) {
    let stage = Stage::take(engine).await;
    for call in calls {
        let log_group = format!("/{scenario}/{call}");
        stage.hello(&log_group).await;
        stage.fault(json!({"operation": call, "error": error, "times": times})).await;
        stage.run_exports(&log_group).await;
        stage.assert_no_faults_left().await;
        assert_eq!(stage.created(&log_group).await.len(), 1, "{call}");
        stage.assert_archived_once(&log_group).await;
    }
}
