//! The journal of requests.

use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_s3 as s3;
use hyper::Method;
use serde_json::{Value, json};

use crate::stand_in::{FROM, REGION, StandIn, TO};

/// The journal of one caller, without times and paths.
async fn requests_of(stand_in: &StandIn, app: &str) -> Vec<Value> {
    let (_, answer) = stand_in.control(Method::GET, "/_local/requests", &Value::Null).await;
    assert_eq!(answer["forgotten"], 0);
    let requests = answer["requests"].as_array().unwrap().iter().filter(|request| request["app"] == app);
    requests
        .map(|request| {
            assert!(request["time"].is_u64());
            assert_eq!((&request["accountId"], &request["region"]), (&json!(stand_in.account), &json!(REGION)));
            json!([request["service"], request["operation"], request["resource"]])
        })
        .collect()
}

#[tokio::test]
async fn the_journal_has_caller_operation_and_resource_of_every_request() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let app_name = |name: &'static str| logs::config::AppName::new(name).unwrap();
    let logs = logs::Client::from_conf(stand_in.logs().config().to_builder().app_name(app_name("one")).build());
    let s3 = s3::Client::from_conf(stand_in.s3().config().to_builder().app_name(app_name("two")).build());

    // The stand-in answers these requests, fails one by a fault, changes an answer, and forwards the others.
    let create = logs.create_export_task().log_group_name(&group).from(FROM).to(TO).destination(&bucket).destination_prefix("a/b");
    let task_id = create.send().await.unwrap().task_id.unwrap();
    stand_in.inject_fault(&json!({ "operation": "DescribeExportTasks", "error": "ThrottlingException" })).await;
    logs.describe_export_tasks().task_id(&task_id).send().await.unwrap_err();
    logs.describe_log_groups().log_group_name_prefix(&group).send().await.unwrap();
    logs.create_log_stream().log_group_name(&group).log_stream_name("main").send().await.unwrap();
    s3.get_object().bucket(&bucket).key("ロ=/x").send().await.unwrap_err();
    s3.list_objects_v2().bucket(&bucket).prefix("a/b/").send().await.unwrap();
    s3.get_bucket_policy().bucket(&bucket).send().await.unwrap();

    assert_eq!(
        requests_of(&stand_in, "one").await,
        [
            json!(["logs", "CreateExportTask", { "logGroupName": group, "bucket": bucket, "prefix": "a/b" }]),
            json!(["logs", "DescribeExportTasks", { "taskId": task_id }]),
            json!(["logs", "DescribeLogGroups", { "logGroupNamePrefix": group }]),
            json!(["logs", "CreateLogStream", { "logGroupName": group, "logStreamName": "main" }]),
        ]
    );
    assert_eq!(
        requests_of(&stand_in, "two").await,
        [
            json!(["s3", "GetObject", { "bucket": bucket, "key": "ロ=/x" }]),
            json!(["s3", "ListObjectsV2", { "bucket": bucket, "prefix": "a/b/" }]),
            json!(["s3", null, { "bucket": bucket }]),
        ]
    );
    let (_, answer) = stand_in.control(Method::GET, "/_local/requests", &Value::Null).await;
    let last = answer["requests"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["method"], &last["path"]), (&json!("GET"), &json!(format!("/{bucket}/?policy"))));
}
