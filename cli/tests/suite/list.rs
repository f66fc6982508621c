//! The schedule's list of log groups, and what a stage holds besides.

use std::collections::BTreeSet;

use e2e::{FROM, MONTH, Stage, TO};
use hyper::Method;
use local_aws::Engine;
use serde_json::{Value, json};

use crate::tool::Tool;

/// A stage whose schedule has this list, and the tool for it.
pub async fn stage(engine: Engine, log_groups: Value) -> (Stage, Tool) {
    let stage = Stage::take_on(engine).await;
    let scheduler = aws_sdk_scheduler::Client::new(&stage.local.sdk_config());
    let listed = scheduler.list_schedules().send().await.expect("a list");
    let [schedule] = listed.schedules() else { panic!("one schedule, not {listed:?}") };
    let schedule = scheduler.get_schedule().set_name(schedule.name().map(str::to_owned)).send().await.expect("the schedule");
    let mut target = schedule.target.expect("a target");
    let mut input: Value = serde_json::from_str(target.input().expect("an input")).expect("JSON");
    input["logGroups"] = log_groups;
    target.input = Some(input.to_string());
    let update = scheduler.update_schedule().set_name(schedule.name).set_schedule_expression(schedule.schedule_expression);
    let update = update.set_flexible_time_window(schedule.flexible_time_window).set_state(schedule.state).target(target);
    update.set_schedule_expression_timezone(schedule.schedule_expression_timezone).send().await.expect("the list is set");
    let tool = Tool::of(&stage.local);
    (stage, tool)
}

/// Every object of both buckets, and every execution.
pub async fn everything(stage: &Stage) -> BTreeSet<String> {
    let [archive, work] = [stage.keys("").await, stage.keys_in(&stage.stack.work_bucket, "").await];
    let executions = stage.local.step_functions().list_executions().state_machine_arn(&stage.stack.state_machine_arn).send().await;
    let executions = executions.expect("a list").executions.into_iter().map(|execution| execution.execution_arn);
    archive.into_iter().chain(work).chain(executions).collect()
}

/// How often the tool called each operation of AWS.
pub async fn calls_of_tool(stage: &Stage, operation: &str) -> usize {
    let requests = stage.local.call(Method::GET, "/_local/requests", None).await.expect("the journal");
    let requests = requests["requests"].as_array().expect("a list");
    requests.iter().filter(|request| request["app"] == "logs-archive" && request["operation"] == operation).count()
}

/// Log group, outcome, and what is said of it, of rows for the whole of [`MONTH`]; the windows of others besides.
pub fn outcomes(rows: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |row: &Value| {
        let window = match (row["month"] == MONTH, &row["from"], &row["to"]) {
            (true, from, to) if (from, to) == (&json!(FROM), &json!(TO)) => String::new(),
            (_, from, to) => format!(" {} {from}-{to}", text(&row["month"])),
        };
        let warnings: Vec<_> = row["warnings"].as_array().expect("a list").iter().map(|warning| text(&warning["name"])).collect();
        let why = [text(&row["reason"]), text(&row["error"]), warnings.join(" ")].join(" ");
        let line = format!("{}{window} {} {}", text(&row["logGroup"]), text(&row["outcome"]), why.trim());
        line.trim_end().to_owned()
    };
    rows.as_array().expect("a list").iter().map(line).collect()
}
