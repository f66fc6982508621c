//! The function as the state machine calls it: the real SDK clients with an AWS in memory.

mod first_step;
mod memory;
mod rounds;

use std::time::Duration;

use archive::Archive;
use export_core::{ExportError, input::RUN_TIME_LIMIT};
use fake_aws::{Aws, EXECUTION, FROM, NOW, State, stack};
use function_runtime::Invocation;
use plan_exports::PlanExports;
use serde_json::{Value, json};

const DAY: i64 = 86_400_000;
const STEPS: &str = "work/plans/run-1";

/// Five log groups, each with an event in October.
fn aws() -> Aws {
    let aws = Aws::default();
    let names = ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/debug-1", "/ecs/api", "/ecs/web"];
    aws.state().log_groups = names.map(|name| json!({"logGroupName": name})).to_vec();
    aws.state().log_streams = vec![json!({"logStreamName": "prod/s", "lastEventTimestamp": FROM})];
    aws
}

fn aws_with(change: impl FnOnce(&mut State)) -> Aws {
    let aws = aws();
    change(&mut aws.state());
    aws
}

fn run(state: Value) -> Value {
    json!({"execution": EXECUTION, "startTime": NOW, "state": state})
}

fn function(aws: &Aws, comparing_time: Duration) -> PlanExports {
    let config = aws.config();
    let archive = Archive::new(stack(), &config);
    PlanExports::with(archive, "work".to_owned(), RUN_TIME_LIMIT, comparing_time)
}

async fn handle(aws: &Aws, event: Value) -> Result<Value, ExportError> {
    handle_at(aws, event, NOW).await
}

async fn handle_at(aws: &Aws, event: Value, now: &str) -> Result<Value, ExportError> {
    function(aws, Duration::from_secs(600)).handle(event, &mut Invocation::new("request-1", now.parse().unwrap())).await
}

/// An object of a step.
fn of_step(aws: &Aws, sequence: u32, name: &str) -> Value {
    aws.get(&format!("{STEPS}/{sequence:04}/{name}.json")).unwrap()
}

/// The log groups of a step's windows.
fn planned(aws: &Aws, sequence: u32) -> Vec<String> {
    let items = of_step(aws, sequence, "windows");
    items.as_array().unwrap().iter().map(|item| item["logGroupName"].as_str().unwrap().to_owned()).collect()
}

/// What a step decided: the log group, its outcome, and why.
fn decided(aws: &Aws, sequence: u32) -> Vec<[String; 3]> {
    let decided = of_step(aws, sequence, "decided");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let why = |decided: &Value| [&decided["failure"]["error"], &decided["warning"]["name"], &decided["reason"]].map(text).concat();
    decided.as_array().unwrap().iter().map(|one| [text(&one["source"]["logGroupName"]), text(&one["became"]), why(one)]).collect()
}
