//! What the end-to-end tests share: a deployed stack, log groups in it, runs, and a look into the archive.
//!
//! A stack takes seconds to deploy, and most scenarios take less than one. So a scenario takes a [`Stage`], which the next one gets
//! when it is over; its log groups have names of their own.

mod bucket;
mod notifications;
mod stage;

use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_sfn::types::ExecutionStatus;
use hyper::Method;
use local_aws::{
    DeployOptions, Deployment, Engine, Execution, LocalAws, Options,
    samples::{Event, LogGroup, LogStream},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

pub use bucket::decided;
pub use notifications::Notifications;
pub use stage::Stage;

/// A month that is over whenever the tests run, and its window in Tokyo.
pub const MONTH: &str = "2024-10";
pub const FROM: i64 = 1_727_708_400_000;
pub const TO: i64 = 1_730_386_799_999;
pub const DAY: i64 = 86_400_000;

/// The prefix of the deployed stack.
pub const S3_PREFIX: &str = "cloudwatch-logs";

/// No run of the tests comes near it; it ends those that hang.
const RUN_LIMIT: Duration = Duration::from_secs(900);

/// Makes each scenario, an `async fn(Engine)`, a test on both Step Functions engines: those that depend on how an engine reads the
/// definition, its retries, catches, maps and choices. What a function decides is the same on each.
#[macro_export]
macro_rules! on_both_engines {
    ($($scenario:ident),+ $(,)?) => {
        mod ministack {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                super::$scenario(local_aws::Engine::Ministack).await;
            })+
        }
        mod moto {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                super::$scenario(local_aws::Engine::Moto).await;
            })+
        }
    };
}

pub struct Archive {
    pub local: LocalAws,
    pub stack: Deployment,
}

impl Archive {
    /// A stack whose export tasks take no time, with the workflow's waits and retries multiplied by `wait_scale`.
    pub async fn deploy(engine: Engine, wait_scale: f64) -> Self {
        let local = LocalAws::start(&Options { engine, wait_scale, ..Options::default() }).await.expect("the local AWS starts");
        let stack = local.deploy(&DeployOptions::default()).await.expect("the template deploys");
        let archive = Self { local, stack };
        archive.let_tasks_go().await;
        archive
    }

    /// An input for [`MONTH`] with these log groups; the rest is the stack's.
    pub fn input(&self, log_groups: Value) -> Value {
        json!({"month": MONTH, "logGroups": log_groups})
    }

    /// Starts a run over these log groups.
    pub async fn start(&self, log_groups: Value) -> String {
        self.start_input(&self.input(log_groups)).await
    }

    pub async fn start_input(&self, input: &Value) -> String {
        self.local.start_execution(&self.stack, input).await.expect("the execution starts")
    }

    pub async fn run(&self, input: &Value) -> Execution {
        let arn = self.start_input(input).await;
        self.wait(&arn).await
    }

    /// Runs another state machine of the stack.
    pub async fn run_machine(&self, arn: &str, input: &Value) -> Execution {
        let stack = Deployment { state_machine_arn: arn.to_owned(), ..self.stack.clone() };
        self.local.run_execution(&stack, input, RUN_LIMIT).await.expect("the execution ends")
    }

    pub async fn wait(&self, execution_arn: &str) -> Execution {
        self.local.wait_for_execution(execution_arn, RUN_LIMIT).await.expect("the execution ends")
    }

    /// Runs an input that must succeed, and returns its output.
    pub async fn run_well(&self, input: &Value) -> Value {
        well(self.run(input).await)
    }

    pub async fn wait_well(&self, execution_arn: &str) -> Value {
        well(self.wait(execution_arn).await)
    }

    /// Runs an input that must fail, and returns error and cause.
    pub async fn run_badly(&self, input: &Value) -> (String, String) {
        badly(self.run(input).await)
    }

    /// A run that must succeed and that exports these log groups, one window each, and settles nothing else.
    pub async fn run_exports<T: AsRef<str>>(&self, log_groups: &[T]) {
        let log_groups: Vec<&str> = log_groups.iter().map(AsRef::as_ref).collect();
        let output = self.run_well(&self.input(json!(log_groups))).await;
        assert_counts(&output, json!({"exported": log_groups.len()}));
    }

    /// A run that must fail for want of this log group alone. Returns error and message of its log-group-month, and advice.
    pub async fn run_fails(&self, log_group: &str) -> String {
        let (error, cause) = self.run_badly(&self.input(json!([log_group]))).await;
        assert_eq!(error, "ArchiveIncomplete", "{cause}");
        let text = cause.strip_prefix("1 window not archived.\n").unwrap_or_else(|| panic!("{cause}"));
        text.replacen(&format!("{log_group} {MONTH}. "), "", 1)
    }

    /// Creates a log group that existed before the month, with events of one stream: `(epoch ms, message)`.
    pub async fn log_group(&self, name: &str, events: &[(i64, &str)]) {
        self.log_group_of_streams(name, &[("main", events)]).await;
    }

    pub async fn log_group_of_streams(&self, name: &str, streams: &[(&str, &[(i64, &str)])]) {
        let event = |(timestamp, message): &(i64, &str)| Event { timestamp: *timestamp, message: (*message).to_owned() };
        let streams = streams
            .iter()
            .map(|(name, events)| LogStream { name: (*name).to_owned(), events: events.iter().map(event).collect() })
            .collect();
        let group = LogGroup { name: name.to_owned(), created: FROM - 1000 * DAY, streams };
        self.local.load(&group).await.expect("the log group loads");
    }

    /// A log group with `hello` as the month's only event.
    pub async fn hello(&self, log_group: &str) {
        self.log_group(log_group, &[(FROM, "hello")]).await;
    }

    /// Puts an event into the stream of [`Archive::log_group`].
    pub async fn put_event(&self, log_group: &str, timestamp: i64, message: &str) {
        let event = InputLogEvent::builder().timestamp(timestamp).message(message).build().expect("an event");
        let put = self.logs().put_log_events().log_group_name(log_group).log_stream_name("main").log_events(event);
        put.send().await.expect("the event is taken");
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.local.sdk_config())
    }

    /// An export task that another tool creates.
    pub async fn foreign_task(&self, log_group: &str) -> String {
        let create = self.logs().create_export_task().log_group_name(log_group).from(FROM).to(TO);
        let created = create.destination(&self.stack.bucket).destination_prefix("theirs").send().await.expect("the slot is free");
        created.task_id.expect("an id")
    }

    /// Sets a function's timeout; returns the one that it had.
    pub async fn set_timeout(&self, function: &str, seconds: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let was = self.local.call(Method::GET, &path, None).await.expect("the function's configuration");
        self.local.call(Method::PUT, &path, Some(&json!({"Timeout": seconds}))).await.expect("the function takes its timeout");
        was["Timeout"].clone()
    }

    /// The calls of an export operation whose request has this value in this field, or lacks the field where the value is empty; the
    /// oldest first.
    pub async fn calls(&self, operation: &str, field: &str, value: &str) -> Vec<Value> {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let path = format!("/_local/export-tasks/journal?operation={operation}&{field}={value}");
        let answer = self.local.call(Method::GET, &path, None).await.expect("the stand-in's journal");
        answer["journal"].as_array().expect("a journal").clone()
    }

    /// The calls of CreateExportTask for a log group, the oldest first.
    pub async fn create_calls(&self, log_group: &str) -> Vec<Value> {
        self.calls("CreateExportTask", "logGroupName", log_group).await
    }

    /// The ids of the tasks created for a log group, the oldest first, those included whose answer was lost.
    pub async fn created(&self, log_group: &str) -> Vec<String> {
        let calls = self.create_calls(log_group).await;
        calls.iter().filter_map(|call| Some(call["outcome"]["response"]["taskId"].as_str()?.to_owned())).collect()
    }

    /// The status of every task of a log group that CloudWatch Logs shows, the newest first.
    pub async fn statuses(&self, log_group: &str) -> Vec<String> {
        let tasks = self.local.export_tasks().await.expect("the tasks can be listed");
        tasks.into_iter().filter(|task| task.log_group_name == log_group).map(|task| task.status).collect()
    }
}

pub fn well(execution: Execution) -> Value {
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{:?}: {:?}", execution.error, execution.cause);
    execution.output.expect("a run that succeeded has an output")
}

/// Error and message. The cause is report-archive's `{"errorType", "errorMessage"}`.
pub fn badly(execution: Execution) -> (String, String) {
    assert_eq!(execution.status, ExecutionStatus::Failed, "{:?}", execution.output);
    let cause: Value = serde_json::from_str(&execution.cause.expect("a cause")).expect("it is JSON");
    (execution.error.expect("an error"), cause["errorMessage"].as_str().expect("a message").to_owned())
}

/// How many log-group-months became what. Those that are not named are none.
pub fn assert_counts(output: &Value, expected: Value) {
    let names = ["alreadyArchived", "exported", "empty", "skipped", "lost", "nothingYet", "waiting", "warned", "failed"];
    let counts: Vec<_> = names.into_iter().map(|name| (name, output[name].clone())).collect();
    let expected: Vec<_> = names.into_iter().map(|name| (name, expected.get(name).cloned().unwrap_or(json!(0)))).collect();
    assert_eq!(counts, expected, "{output:#}");
}

/// The place of a log group's month in the layout of the archive.
pub fn place(s3_prefix: &str, log_group: &str) -> String {
    let (year, month) = MONTH.split_once('-').expect("YYYY-MM");
    format!("{s3_prefix}/log_group={log_group}/year={year}/month={month}")
}
