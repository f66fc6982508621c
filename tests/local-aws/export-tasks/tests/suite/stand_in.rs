//! A stand-in for one test, with its own account, SDK clients, and the steps that tests share.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_s3 as s3;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use hyper::{Method, StatusCode};
use local_aws::{Ministack, MinistackOptions, sdk_config, wait_for};
use logs::error::ProvideErrorMetadata;
use logs::types::{ExportTask, InputLogEvent};
use s3::primitives::ByteStream;
use s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

pub const REGION: &str = "ap-northeast-1";

/// ministack's default account.
pub const DEFAULT_ACCOUNT: &str = "000000000000";

/// The window of most tests: 2026-10-01 00:00 to 2026-10-31 23:59:59.999 in Tokyo.
pub const FROM: i64 = 1_790_780_400_000;
pub const TO: i64 = 1_793_458_799_999;

/// The code and message of an SDK error.
pub fn error_of<T, E: ProvideErrorMetadata>(result: Result<T, E>) -> (String, String) {
    match result {
        Ok(_) => panic!("the call must fail"),
        Err(error) => (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned()),
    }
}

/// The expected value of [`error_of`].
pub fn error(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

/// The ministack that all tests share. It ends with the test process.
pub async fn ministack() -> SocketAddr {
    static MINISTACK: OnceCell<Ministack> = OnceCell::const_new();
    let start = || async { Ministack::start(&MinistackOptions { region: REGION.to_owned(), ..Default::default() }).await.unwrap() };
    MINISTACK.get_or_init(start).await.addr()
}

pub fn unique_name(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{prefix}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub struct StandIn {
    pub addr: SocketAddr,
    pub account: String,
    logs: logs::Client,
    s3: s3::Client,
    server: JoinHandle<anyhow::Result<()>>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl StandIn {
    pub async fn start() -> Self {
        Self::in_front_of(ministack().await).await
    }

    pub async fn with_log_group_and_bucket() -> (Self, String, String) {
        let stand_in = Self::start().await;
        let (log_group, bucket) = (stand_in.log_group().await, stand_in.bucket().await);
        (stand_in, log_group, bucket)
    }

    pub async fn in_front_of(upstream: SocketAddr) -> Self {
        static ACCOUNTS: AtomicU64 = AtomicU64::new(100_000_000_001);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = tokio::spawn(export_tasks::serve(listener, upstream, None));
        let account = ACCOUNTS.fetch_add(1, Ordering::Relaxed).to_string();
        let (logs, s3) = (logs_client(addr, &account, REGION), s3_client(addr, &account, REGION));
        let stand_in = Self { addr, account, logs, s3, server };
        stand_in.set_timing(0, 0).await;
        stand_in
    }

    /// The client of this test's account.
    pub fn logs(&self) -> &logs::Client {
        &self.logs
    }

    pub fn logs_as(&self, access_key: &str, region: &str) -> logs::Client {
        logs_client(self.addr, access_key, region)
    }

    pub fn s3(&self) -> &s3::Client {
        &self.s3
    }

    pub fn s3_as(&self, access_key: &str, region: &str) -> s3::Client {
        s3_client(self.addr, access_key, region)
    }

    /// Calls a control endpoint.
    pub async fn control(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let (status, answer) = local_aws::http::request(self.addr, method, path, body).await.unwrap();
        (status, serde_json::from_slice(&answer).unwrap())
    }

    pub async fn set_timing(&self, pending_ms: u64, running_ms: u64) {
        let body = json!({ "pendingMs": pending_ms, "runningMs": running_ms, "cancelMs": 0 });
        self.set_settings(&body).await;
    }

    pub async fn set_settings(&self, body: &Value) {
        let (status, answer) = self.control(Method::PUT, "/_local/export-tasks", body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    pub async fn inject_fault(&self, body: &Value) {
        let (status, answer) = self.control(Method::POST, "/_local/export-tasks/faults", body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    /// The settings, faults, overlays, tasks and journal.
    pub async fn inspect(&self) -> Value {
        let (status, answer) = self.control(Method::GET, "/_local/export-tasks", &Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        answer
    }

    /// Returns the calls of export operations, the oldest first.
    pub async fn journal(&self) -> Value {
        let (status, answer) = self.control(Method::GET, "/_local/export-tasks/journal", &Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        answer["journal"].clone()
    }

    /// Creates a log group.
    pub async fn log_group(&self) -> String {
        let name = unique_name("/test/group-");
        self.logs().create_log_group().log_group_name(&name).send().await.unwrap();
        name
    }

    /// Puts events into a stream, and creates the stream if it does not exist.
    pub async fn put(&self, log_group: &str, log_stream: &str, events: &[(i64, &str)]) {
        let logs = self.logs();
        let created = logs.create_log_stream().log_group_name(log_group).log_stream_name(log_stream).send().await;
        if let Err(error) = created {
            assert_eq!(error.code(), Some("ResourceAlreadyExistsException"), "{error:?}");
        }
        if events.is_empty() {
            return;
        }
        let events = events
            .iter()
            .map(|(timestamp, message)| InputLogEvent::builder().timestamp(*timestamp).message(*message).build().unwrap())
            .collect();
        logs.put_log_events().log_group_name(log_group).log_stream_name(log_stream).set_log_events(Some(events)).send().await.unwrap();
    }

    /// Creates a bucket with the documented policy.
    pub async fn bucket(&self) -> String {
        let name = self.bucket_without_policy().await;
        self.set_policy(&name, &self.documented_policy(&name)).await;
        name
    }

    pub async fn bucket_without_policy(&self) -> String {
        self.bucket_in(self.s3(), REGION).await
    }

    pub async fn bucket_in(&self, s3: &s3::Client, region: &str) -> String {
        let name = unique_name("export-tasks-bucket-");
        let location = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build();
        s3.create_bucket().bucket(&name).create_bucket_configuration(location).send().await.unwrap();
        name
    }

    pub async fn set_policy(&self, bucket: &str, policy: &Value) {
        self.s3().put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await.unwrap();
    }

    /// The bucket policy that AWS documents for exports.
    pub fn documented_policy(&self, bucket: &str) -> Value {
        let account = &self.account;
        let principal = json!({ "Service": format!("logs.{REGION}.amazonaws.com") });
        let source = json!({ "aws:SourceArn": [format!("arn:aws:logs:{REGION}:{account}:log-group:*")] });
        json!({ "Version": "2012-10-17", "Statement": [
            {
                "Effect": "Allow", "Principal": principal, "Action": "s3:GetBucketAcl",
                "Resource": format!("arn:aws:s3:::{bucket}"),
                "Condition": { "StringEquals": { "aws:SourceAccount": [account] }, "ArnLike": source },
            },
            {
                "Effect": "Allow", "Principal": principal, "Action": "s3:PutObject",
                "Resource": format!("arn:aws:s3:::{bucket}/*"),
                "Condition": {
                    "StringEquals": { "s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceAccount": [account] },
                    "ArnLike": source,
                },
            },
        ] })
    }

    /// A request that exports the window to the prefix `logs`.
    pub fn export_request(
        &self,
        log_group: &str,
        bucket: &str,
    ) -> logs::operation::create_export_task::builders::CreateExportTaskFluentBuilder {
        let create = self.logs().create_export_task();
        create.log_group_name(log_group).destination(bucket).destination_prefix("logs").from(FROM).to(TO)
    }

    /// Creates a task and waits until it is COMPLETED.
    pub async fn export_and_wait(&self, log_group: &str, bucket: &str) -> String {
        let task_id = self.create(log_group, bucket).await;
        self.wait_until_completed(&task_id).await;
        task_id
    }

    pub async fn create(&self, log_group: &str, bucket: &str) -> String {
        self.export_request(log_group, bucket).send().await.unwrap().task_id.unwrap()
    }

    pub async fn wait_until_completed(&self, task_id: &str) {
        let task = self.wait_until_ended(task_id).await;
        assert_eq!(status_code(&task), "COMPLETED", "{task:?}");
    }

    /// Waits until the task has a completion time.
    pub async fn wait_until_ended(&self, task_id: &str) -> ExportTask {
        wait_for("the task ends", || async {
            let task = self.describe(task_id).await;
            task.execution_info()?.completion_time().map(|_| task.clone())
        })
        .await
    }

    /// Waits until the task has a status.
    pub async fn wait_for_status(&self, task_id: &str, status: &str) -> ExportTask {
        wait_for(status, || async {
            let task = self.describe(task_id).await;
            (status_code(&task) == status).then_some(task)
        })
        .await
    }

    pub async fn describe(&self, task_id: &str) -> ExportTask {
        let answer = self.logs().describe_export_tasks().task_id(task_id).send().await.unwrap();
        let [task] = answer.export_tasks() else { panic!("one task, not {:?}", answer.export_tasks()) };
        task.clone()
    }

    /// The keys and bodies of all objects in a bucket.
    pub async fn objects(&self, bucket: &str) -> BTreeMap<String, Bytes> {
        let s3 = self.s3();
        let mut objects = BTreeMap::new();
        let mut pages = s3.list_objects_v2().bucket(bucket).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.unwrap().contents() {
                let key = object.key().unwrap();
                let body = s3.get_object().bucket(bucket).key(key).send().await.unwrap().body;
                objects.insert(key.to_owned(), body.collect().await.unwrap().into_bytes());
            }
        }
        objects
    }

    pub async fn keys(&self, bucket: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut pages = self.s3().list_objects_v2().bucket(bucket).into_paginator().send();
        while let Some(page) = pages.next().await {
            keys.extend(page.unwrap().contents().iter().filter_map(|object| object.key()).map(str::to_owned));
        }
        keys
    }

    pub async fn put_object(&self, bucket: &str, key: &str, body: Vec<u8>) {
        self.s3().put_object().bucket(bucket).key(key).body(ByteStream::from(body)).send().await.unwrap();
    }

    /// The decompressed files of a task, by their keys below `logs/<taskId>/`.
    pub async fn files(&self, bucket: &str, task_id: &str) -> BTreeMap<String, Vec<u8>> {
        let base = format!("logs/{task_id}/");
        self.objects(bucket)
            .await
            .into_iter()
            .filter_map(|(key, body)| Some((key.strip_prefix(&base)?.to_owned(), gunzip(&body))))
            .collect()
    }
}

/// Without retries, each call is one request.
fn logs_client(addr: SocketAddr, access_key: &str, region: &str) -> logs::Client {
    let config = logs::config::Builder::from(&sdk_config(&format!("http://{addr}"), region, access_key));
    logs::Client::from_conf(config.retry_config(logs::config::retry::RetryConfig::disabled()).build())
}

fn s3_client(addr: SocketAddr, access_key: &str, region: &str) -> s3::Client {
    let config = s3::config::Builder::from(&sdk_config(&format!("http://{addr}"), region, access_key));
    s3::Client::from_conf(config.force_path_style(true).retry_config(s3::config::retry::RetryConfig::disabled()).build())
}

pub fn status_code(task: &ExportTask) -> &str {
    task.status().and_then(|status| status.code()).map_or("", |code| code.as_str())
}

pub fn status_message(task: &ExportTask) -> &str {
    task.status().and_then(|status| status.message()).unwrap_or_default()
}

pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}
