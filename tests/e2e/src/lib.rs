//! What the end-to-end tests share: a deployed stack of their own, log groups in it, and a look into the archive.
//!
//! Every test has its own local AWS, so that they run side by side and none finds another's objects.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_sfn::types::ExecutionStatus;
use hyper::Method;
use local_aws::{
    DeployOptions, Deployment, Engine, Execution, LocalAws, Options,
    samples::{Event, LogGroup, LogStream},
};
use serde_json::{Value, json};

/// A month that is over whenever the tests run, and its window in Tokyo.
pub const MONTH: &str = "2024-10";
pub const FROM: i64 = 1_727_708_400_000;
pub const TO: i64 = 1_730_386_799_999;

/// No run of the tests comes near it; it ends those that hang.
const RUN_LIMIT: Duration = Duration::from_secs(900);

/// Makes each scenario, an `async fn(Engine)`, a test on both Step Functions engines.
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
    pub async fn deploy(engine: Engine) -> Self {
        Self::deploy_scaled(engine, Options::default().wait_scale).await
    }

    /// With the workflow's waits and retries multiplied by `wait_scale`.
    pub async fn deploy_scaled(engine: Engine, wait_scale: f64) -> Self {
        let local = LocalAws::start(&Options { engine, wait_scale, ..Options::default() }).await.expect("the local AWS starts");
        let stack = local.deploy(&DeployOptions::default()).await.expect("the template deploys");
        local.set_task_timing(Duration::from_millis(20), Duration::from_millis(20)).await.expect("the stand-in takes its timing");
        Self { local, stack }
    }

    /// An input for [`MONTH`] with these log groups.
    pub fn input(&self, log_groups: Value) -> Value {
        json!({"s3BucketName": self.stack.bucket, "s3Prefix": "logs", "month": MONTH, "logGroups": log_groups})
    }

    pub async fn run(&self, input: &Value) -> Execution {
        self.local.run_execution(&self.stack, input, RUN_LIMIT).await.expect("the execution ends")
    }

    /// Runs another state machine of the stack.
    pub async fn run_machine(&self, arn: &str, input: &Value) -> Execution {
        let stack = Deployment { state_machine_arn: arn.to_owned(), ..self.stack.clone() };
        self.local.run_execution(&stack, input, RUN_LIMIT).await.expect("the execution ends")
    }

    /// Runs an input that must succeed, and returns its output.
    pub async fn run_well(&self, input: &Value) -> Value {
        let execution = self.run(input).await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{:?}: {:?}", execution.error, execution.cause);
        execution.output.expect("a run that succeeded has an output")
    }

    /// Runs an input that must fail, and returns error and cause.
    pub async fn run_badly(&self, input: &Value) -> (String, String) {
        let execution = self.run(input).await;
        assert_eq!(execution.status, ExecutionStatus::Failed, "{:?}", execution.output);
        (execution.error.unwrap_or_default(), execution.cause.unwrap_or_default())
    }

    pub async fn wait(&self, execution_arn: &str) -> Execution {
        self.local.wait_for_execution(execution_arn, RUN_LIMIT).await.expect("the execution ends")
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
        let group = LogGroup { name: name.to_owned(), created: FROM - 86_400_000, streams };
        self.local.load(&group).await.expect("the log group loads");
    }

    /// Everything in the bucket by key, data unpacked; not the Parquet of the compaction, which is no text.
    pub async fn stored(&self, bucket: &str) -> BTreeMap<String, String> {
        let objects = self.local.read_bucket(bucket).await.expect("the bucket can be read");
        objects
            .into_iter()
            .filter(|object| !object.key.contains("/parquet/"))
            .map(|object| {
                let body = if object.key.ends_with(".gz") { object.gunzip().expect("the object is gzip") } else { object.body.clone() };
                (object.key, String::from_utf8(body).expect("the tests write UTF-8"))
            })
            .collect()
    }

    /// The manifest below a destination prefix.
    pub async fn manifest(&self, destination_prefix: &str) -> Value {
        let stored = self.stored(&self.stack.bucket).await;
        let key = format!("{destination_prefix}/_manifest.json");
        let text = stored.get(&key).unwrap_or_else(|| panic!("{key} is not among {:?}", stored.keys()));
        serde_json::from_str(text).expect("the manifest is JSON")
    }

    /// The rows of the Athena table `manifests` for [`MONTH`], by log group.
    pub async fn rows_of_manifests(&self) -> Vec<Value> {
        let (year, month) = MONTH.split_once('-').expect("YYYY-MM");
        let place = format!("cloudwatch-logs/manifests/year={year}/month={month}/");
        let stored = self.stored(&self.stack.bucket).await;
        let rows = stored.iter().filter(|(key, _)| key.starts_with(&place));
        let mut rows: Vec<Value> = rows.map(|(_, text)| serde_json::from_str(text).expect("a row is JSON")).collect();
        rows.sort_by_key(|row| row["log_group"].to_string());
        rows
    }

    /// What the audit's log stream has, the oldest first.
    pub async fn audit(&self) -> Vec<String> {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.local.sdk_config());
        let stream =
            logs.get_log_events().log_group_name("/cloudwatch-logs-archive/cloudwatch-logs-archive/outcomes").log_stream_name("outcomes");
        let events = stream.start_from_head(true).send().await.expect("the audit's log stream is there");
        events.events().iter().filter_map(|event| event.message().map(str::to_owned)).collect()
    }

    /// Invokes a function directly, as an operator would: its answer, or its error payload.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        self.local.call(Method::POST, &path, Some(event)).await.expect("the function answers")
    }

    /// The calls of an export operation that the stand-in has answered, the oldest first.
    pub async fn calls(&self, operation: &str) -> Vec<Value> {
        let state = self.local.call(Method::GET, "/_local/export-tasks", None).await.expect("the stand-in's state");
        let journal = state["journal"].as_array().expect("a journal");
        journal.iter().filter(|call| call["operation"] == operation).cloned().collect()
    }

    /// A queue that receives what the stack's topic publishes.
    pub async fn subscribe(&self) -> Notifications {
        let config = self.local.sdk_config();
        let sqs = aws_sdk_sqs::Client::new(&config);
        let queue_url = sqs.create_queue().queue_name("notifications").send().await.expect("a queue").queue_url.expect("its URL");
        let queue_arn = format!("arn:aws:sqs:{}:{}:notifications", self.local.region(), self.local.account_id());
        let sns = aws_sdk_sns::Client::new(&config);
        sns.subscribe().topic_arn(&self.stack.topic_arn).protocol("sqs").endpoint(queue_arn).send().await.expect("a subscription");
        Notifications { sqs, queue_url }
    }
}

pub struct Notifications {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
}

impl Notifications {
    /// Subject and text of the next notification.
    pub async fn next(&self) -> (String, String) {
        let answer = self.sqs.receive_message().queue_url(&self.queue_url).wait_time_seconds(10).send().await.expect("the queue answers");
        let [message] = answer.messages() else { panic!("one notification, not {:?}", answer.messages()) };
        self.sqs
            .delete_message()
            .queue_url(&self.queue_url)
            .receipt_handle(message.receipt_handle().expect("a receipt"))
            .send()
            .await
            .expect("the message is taken from the queue");
        let envelope: Value = serde_json::from_str(message.body().expect("a body")).expect("SNS's envelope is JSON");
        let text = |field: &str| envelope[field].as_str().unwrap_or_default().to_owned();
        (text("Subject"), text("Message"))
    }
}

/// The place of a log group's month in the layout of the archive.
pub fn place(s3_prefix: &str, log_group: &str) -> String {
    let (year, month) = MONTH.split_once('-').expect("YYYY-MM");
    format!("{s3_prefix}/log_group={log_group}/year={year}/month={month}")
}
