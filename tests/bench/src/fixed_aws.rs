//! CloudWatch Logs and S3 with fixed answers, in the form that the stand-in gives them: what a function's own time is measured against.
//!
//! The local AWS itself would take milliseconds for each call, in Python, and hide the differences that are to be seen.

use anyhow::Result;
use serde_json::{Value, json};

use crate::http::{Request, Response, Server};

pub const LOG_GROUP: &str = "/aws/lambda/orders";
pub const BUCKET: &str = "my-log-archive";
const TASK_ID: &str = "5d8a2f1c-3b7e-4a60-9c11-0f4e2d6b7a98";

/// 2024-10 in Tokyo.
const FROM: i64 = 1_727_708_400_000;
const TO: i64 = 1_730_386_799_999;

/// What both the Rust function and the 2019 design take: a log group whose previous month is over and has events.
pub fn create_event() -> Value {
    json!({"s3BucketName": BUCKET, "s3Prefix": "logs", "logGroupName": LOG_GROUP, "scheduledTime": "2024-11-01T04:00:00Z"})
}

/// The answer to [`create_event`] as the workflow hands it on.
pub fn check_event() -> Value {
    let mut event = create_event();
    event["month"] = "2024-10".into();
    event["taskId"] = TASK_ID.into();
    event
}

pub fn start() -> Result<Server> {
    Server::start(|request| Some(respond(&request)))
}

fn respond(request: &Request) -> Response {
    let operation = request.header("x-amz-target").and_then(|target| target.strip_prefix("Logs_20140328."));
    let answer = match operation {
        Some("DescribeLogGroups") => json!({"logGroups": [{
            "logGroupName": LOG_GROUP, "creationTime": FROM - 86_400_000, "metricFilterCount": 0, "storedBytes": 123_456,
            "arn": format!("arn:aws:logs:ap-northeast-1:000000000000:log-group:{LOG_GROUP}:*"), "logGroupClass": "STANDARD",
        }]}),
        Some("DescribeLogStreams") => json!({"logStreams": [{
            "logStreamName": "2024/10/05/[$LATEST]3f1c", "creationTime": FROM, "firstEventTimestamp": FROM,
            "lastEventTimestamp": TO, "lastIngestionTime": TO, "storedBytes": 0,
        }]}),
        Some("DescribeExportTasks") => {
            let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            // The create functions look for tasks of their own, and find none.
            let tasks = if asked["taskId"].is_null() { json!([]) } else { json!([running_task()]) };
            json!({"exportTasks": tasks})
        }
        Some("CreateExportTask") => json!({"taskId": TASK_ID}),
        Some(other) => {
            let message = format!("no answer is prepared for {other}");
            return logs_answer(400, &json!({"__type": "UnknownOperationException", "message": message}));
        }
        None => {
            // No manifest lies in the archive.
            let error = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
            return Response::new(404, "application/xml", error);
        }
    };
    logs_answer(200, &answer)
}

fn logs_answer(status: u16, body: &Value) -> Response {
    Response::new(status, "application/x-amz-json-1.1", body.to_string())
        .with_header("x-amzn-requestid", "6f1e2d3c-0000-4000-8000-000000000000")
}

fn running_task() -> Value {
    json!({
        "taskId": TASK_ID, "taskName": "task", "logGroupName": LOG_GROUP, "from": FROM, "to": TO, "destination": BUCKET,
        "destinationPrefix": format!("logs/log_group={LOG_GROUP}/year=2024/month=10"),
        "status": {"code": "RUNNING", "message": "Started successfully"},
        "executionInfo": {"creationTime": TO + 46_800_000},
    })
}
