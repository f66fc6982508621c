//! The alarms, and the watcher: against the runs that Step Functions has, and what it publishes for its alarm.

use aws_sdk_sfn::primitives::{DateTime, DateTimeFormat};
use e2e::Archive;
use hyper::Method;
use local_aws::Engine;
use serde_json::{Value, json};

const STACK: &str = "cloudwatch-logs-archive";

struct Watcher {
    archive: Archive,
    step_functions: aws_sdk_sfn::Client,
    arn: String,
}

impl Watcher {
    async fn deploy() -> Self {
        let archive = Archive::deploy(Engine::Ministack, 0.001).await;
        let step_functions = aws_sdk_sfn::Client::new(&archive.local.sdk_config());
        let machines = step_functions.list_state_machines().send().await.expect("the state machines").state_machines;
        let arn = machines.into_iter().map(|machine| machine.state_machine_arn).find(|arn| arn.contains("WatchArchive"));
        Self { archive, step_functions, arn: arn.expect("the watcher is deployed") }
    }

    /// Since when it counts, in epoch milliseconds, by an execution that has to succeed.
    async fn since(&self) -> i64 {
        let started = self.step_functions.start_execution().state_machine_arn(&self.arn).input("{}").send().await.expect("it starts");
        let ended = self.archive.wait(&started.execution_arn).await;
        let output: Value = ended.output.unwrap_or_else(|| panic!("{:?}: {:?}", ended.error, ended.cause));
        let since = output["since"].as_str().expect("an instant");
        millis(&DateTime::from_str(since, DateTimeFormat::DateTime).expect("an instant"))
    }

    /// A call of CloudWatch, for which no SDK is among the dependencies: ministack takes JSON too, at the path of the newer protocol.
    async fn cloudwatch(&self, operation: &str, request: &Value) -> Value {
        let path = format!("/service/GraniteServiceVersion20100801/operation/{operation}");
        self.archive.local.call(Method::POST, &path, Some(request)).await.expect("an answer")
    }

    /// What it published: the number of reports, and the most days.
    async fn published(&self) -> (f64, f64) {
        let answer = self
            .cloudwatch(
                "GetMetricStatistics",
                &json!({
                    "Namespace": "CloudWatchLogsArchive", "MetricName": "DaysSinceSuccessfulRun", "Dimensions": [{"Name": "Archive", "Value": STACK}],
                    "StartTime": "2020-01-01T00:00:00Z", "EndTime": "2100-01-01T00:00:00Z", "Period": 86_400, "Statistics": ["SampleCount", "Maximum"]
                }),
            )
            .await;
        // Two days' data points, where midnight came between.
        let points = answer["Datapoints"].as_array().expect("data points");
        let sum = |field: &str| points.iter().map(|point| point[field].as_f64().expect("a number")).sum();
        (sum("SampleCount"), sum("Maximum"))
    }
}

/// The SDK keeps a number of seconds in binary, which can be a millionth off.
fn millis(at: &DateTime) -> i64 {
    (at.as_secs_f64() * 1000.0).round() as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alarms_notify_the_topic_and_the_days_count_from_the_creation_or_the_last_success() {
    let watcher = Watcher::deploy().await;
    let Watcher { archive, step_functions, .. } = &watcher;
    let answer = watcher.cloudwatch("DescribeAlarms", &json!({"MaxRecords": 100})).await;
    let alarms = answer["MetricAlarms"].as_array().expect("alarms");
    assert_eq!(alarms.len(), 13);
    for alarm in alarms {
        assert_eq!(alarm["AlarmActions"], json!([archive.stack.topic_arn]), "{alarm}");
    }

    let machine = step_functions.describe_state_machine().state_machine_arn(&archive.stack.state_machine_arn).send().await.unwrap();
    let created = millis(&machine.creation_date);
    assert_eq!(watcher.since().await, created, "nothing was ever started");

    let mut refused = archive.input(json!(["/a"]));
    refused["month"] = json!("2024-13");
    archive.run_badly(&refused).await;
    assert_eq!(watcher.since().await, created, "a run that failed is none");

    // Its log group ends in a child execution, which is no run either.
    archive.log_group("/a", &[(e2e::FROM, "x")]).await;
    let arn = archive.run(&archive.input(json!(["/a"]))).await.arn;
    let run = step_functions.describe_execution().execution_arn(&arn).send().await.unwrap();
    assert_eq!(run.status.as_str(), "SUCCEEDED");
    assert_eq!(watcher.since().await, millis(&run.stop_date.expect("it has ended")));

    let (reports, days) = watcher.published().await;
    assert_eq!(reports, 3.0);
    assert!((0.0..1.0).contains(&days), "{days} days");
}
