//! What AWS answers, mocked on the wire; what the answers leave out is harmless.

use aws_sdk_cloudwatchlogs::{
    Client,
    operation::{
        create_export_task::{CreateExportTaskInput, CreateExportTaskOutput},
        describe_log_groups::DescribeLogGroupsOutput,
    },
    types::{LogGroup, OrderBy},
};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_runtime_api::http::Response;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

pub fn ok(body: impl Into<Vec<u8>>) -> Response {
    Response::new(200.try_into().unwrap(), body.into().into())
}

/// An answer as AWS sends it on the wire.
pub fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = json!({"__type": code, "message": message}).to_string();
    Response::new(status.try_into().unwrap(), body.into())
}

/// DescribeLogGroups answers with log groups of these names.
pub fn log_groups(names: &'static [&'static str]) -> Rule {
    mock!(Client::describe_log_groups).match_requests(|request| request.log_group_name_prefix() == Some("/ecs/web")).then_output(|| {
        let groups = names.iter().map(|name| LogGroup::builder().log_group_name(*name).build()).collect();
        DescribeLogGroupsOutput::builder().set_log_groups(Some(groups)).build()
    })
}

/// The log group, with what DescribeLogGroups says of it.
pub fn log_group(details: Value) -> Rule {
    mock!(Client::describe_log_groups).then_http_response(move || {
        let mut group = json!({"logGroupName": "/ecs/web"});
        group.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        ok(json!({"logGroups": [group]}).to_string())
    })
}

pub fn log_streams(streams: Value) -> Rule {
    mock!(Client::describe_log_streams)
        .match_requests(|request| {
            request.log_group_name() == Some("/ecs/web")
                && request.order_by() == Some(&OrderBy::LastEventTime)
                && request.descending() == Some(true)
        })
        .then_http_response(move || ok(json!({"logStreams": streams}).to_string()))
}

pub fn export_tasks(tasks: Value) -> Rule {
    mock!(Client::describe_export_tasks).then_http_response(move || ok(json!({"exportTasks": tasks}).to_string()))
}

pub fn create_answers(requests: Arc<Mutex<Vec<CreateExportTaskInput>>>) -> Rule {
    mock!(Client::create_export_task)
        .match_requests(move |request| {
            requests.lock().unwrap().push(request.clone());
            true
        })
        .then_output(|| CreateExportTaskOutput::builder().task_id("task-1").build())
}

pub fn create_refuses(status: u16, code: &'static str, message: &'static str) -> Rule {
    mock!(Client::create_export_task).then_http_response(move || refusal(status, code, message))
}

pub fn manifest(body: String) -> Rule {
    mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|request| {
            request.bucket() == Some("archive") && request.key() == Some("logs/log_group=/ecs/web/year=2026/month=10/_manifest.json")
        })
        .then_http_response(move || ok(body.clone()))
}

/// What ListObjectsV2 says of a task's folder.
pub fn listing(task_id: &'static str, contents: &'static str) -> Rule {
    mock!(aws_sdk_s3::Client::list_objects_v2)
        .match_requests(move |request| request.prefix() == Some(&format!("logs/log_group=/ecs/web/year=2026/month=10/{task_id}/")))
        .then_http_response(move || ok(format!("<ListBucketResult>{contents}</ListBucketResult>")))
}

pub fn s3_refuses(status: u16, code: &'static str) -> Rule {
    mock!(aws_sdk_s3::Client::get_object).then_http_response(move || {
        Response::new(status.try_into().unwrap(), format!("<Error><Code>{code}</Code><Message>m</Message></Error>").into_bytes().into())
    })
}
