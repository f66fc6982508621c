//! What is not archived stays in `missing/`, and is told, until it is archived or lost.
//!
//! A scenario is a sequence of scheduled runs, and what happens between them. They start now, and their `scheduledTime` lies in 2024 and
//! 2025, so that a day or a month takes no time.

mod entries;
mod failures;
mod lost;
mod turns;

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{DAY, FROM, Stage, decided};
use local_aws::Execution;
use serde_json::{Value, json};

/// Runs a list at 13:00 of a day in Tokyo. Tells how the run ended, what it decided, its warnings, and what is open after it.
pub(crate) async fn scheduled(stage: &Stage, day: &str, log_groups: &Value) -> Vec<String> {
    ended(stage, stage.run(&input(day, log_groups)).await).await
}

pub(crate) fn input(day: &str, log_groups: &Value) -> Value {
    json!({"scheduledTime": format!("{day}T04:00:00Z"), "logGroups": log_groups})
}

/// Report, output and cause tell what lies in `missing/`.
pub(crate) async fn ended(stage: &Stage, execution: Execution) -> Vec<String> {
    let open = stage.open_windows().await;
    let mut lines = vec![match (&execution.status, &execution.error) {
        (ExecutionStatus::Failed, Some(error)) => format!("FAILED {error}"),
        (status, _) => status.to_string(),
    }];
    // A scheduled run that did nothing and tells what the last one told has no report of its own.
    if let Some(report) = stage.local.report(&stage.stack.bucket, &execution.arn).await.expect("the bucket can be read") {
        lines.extend(decided(&report));
        lines.extend(report["warnings"].as_array().expect("a list").iter().map(|warning| format!("warning {}", text(&warning["name"]))));
        assert_eq!(report["missing"], json!(open));
        if execution.status == ExecutionStatus::Succeeded {
            let output = execution.output.as_ref().expect("an output");
            assert_eq!(output["missing"], report["missing_count"]);
        }
    }
    if let Some(cause) = &execution.cause {
        let failed = open.iter().filter(|open| open["outcome"] == "failed");
        for named in failed.map(|open| format!("{} {}", text(&open["log_group"]), text(&open["month"]))) {
            assert!(cause.contains(&named), "{named}: {cause}");
        }
    }
    lines.extend(open.iter().map(|open| {
        let [log_group, month, outcome, error] = ["log_group", "month", "outcome", "error"].map(|field| text(&open[field]));
        format!("open {log_group} {month} {outcome} {error}, tries {}", open["tries"])
    }));
    lines
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// When each open window was first found not archived.
pub(crate) async fn since(stage: &Stage) -> Vec<String> {
    stage.open_windows().await.iter().map(|open| text(&open["since"]).to_owned()).collect()
}

/// A log group with one event in the middle of each month from August to December 2024: the month's name.
pub(crate) async fn every_month(stage: &Stage, log_group: &str) {
    let events = [(-46, "2024-08"), (-16, "2024-09"), (15, "2024-10"), (45, "2024-11"), (75, "2024-12")];
    stage.log_group(log_group, &events.map(|(days, month)| (FROM + days * DAY, month))).await;
}

/// The next exports of a log group are refused: trying again in the same run cannot help.
pub(crate) async fn deny(stage: &Stage, log_group: &str, times: u32) {
    let error = "AccessDeniedException";
    stage.fault(json!({"operation": "CreateExportTask", "logGroupName": log_group, "error": error, "times": times})).await;
}

pub(crate) async fn delete_log_group(stage: &Stage, log_group: &str) {
    stage.logs().delete_log_group().log_group_name(log_group).send().await.expect("the log group goes");
}

/// How often CreateExportTask was called for a log group.
pub(crate) async fn requests(stage: &Stage, log_group: &str) -> usize {
    stage.create_calls(log_group).await.len()
}
