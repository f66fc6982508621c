//! A stage with a list of log groups, and what happened on a stage.

use std::collections::BTreeSet;

use e2e::{Archive, FROM, MONTH, Stage, TO};
use hyper::Method;
use local_aws::Engine;
use serde_json::{Value, json};

use crate::{schedule::put_list, tool::Tool};

/// A stage whose schedule has this list, and the tool for it.
pub async fn stage(engine: Engine, log_groups: Value) -> (Stage, Tool) {
    let stage = Stage::take_on(engine).await;
    put_list(&stage, log_groups).await;
    let tool = Tool::of(&stage.local);
    (stage, tool)
}

/// The objects of both buckets, and the executions.
pub async fn snapshot(stage: &Stage) -> BTreeSet<String> {
    let [archive, work] = [stage.keys("").await, stage.keys_in(&stage.stack.work_bucket, "").await];
    let executions = stage.local.step_functions().list_executions().state_machine_arn(&stage.stack.state_machine_arn).send().await;
    let executions = executions.expect("a list").executions.into_iter().map(|execution| execution.execution_arn);
    archive.into_iter().chain(work).chain(executions).collect()
}

/// The requests of the tool.
pub async fn requests_of_tool(archive: &Archive) -> Vec<Value> {
    let journal = archive.local.call(Method::GET, "/_local/requests", None).await.expect("the journal");
    let requests = journal["requests"].as_array().expect("a list").iter();
    requests.filter(|request| request["app"] == "logs-archive").cloned().collect()
}

/// How often the tool called an operation of AWS.
pub async fn calls_of_tool(archive: &Archive, operation: &str) -> usize {
    requests_of_tool(archive).await.iter().filter(|request| request["operation"] == operation).count()
}

/// The log group, outcome and reasons of each row. A row for another window than [`MONTH`] also has its window.
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
