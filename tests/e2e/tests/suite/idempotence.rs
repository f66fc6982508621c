//! Nothing is exported twice: a second run, two runs at once, an answer that was lost, `force`.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{Archive, FROM, TO, place};
use local_aws::Engine;
use serde_json::json;

e2e::on_both_engines! {
    a_second_run_exports_nothing_and_force_exports_anew,
    what_certainly_has_nothing_is_skipped_with_its_reason,
}

async fn a_second_run_exports_nothing_and_force_exports_anew(engine: Engine) {
    let archive = Archive::deploy(engine).await;
    for name in ["/a", "/b"] {
        archive.log_group(name, &[(FROM, name)]).await;
    }
    let input = archive.input(json!(["/a", "/b"]));
    assert_eq!(archive.run_well(&input).await["counts"]["exported"], 2);
    let first = archive.stored(&archive.stack.bucket).await;

    let again = archive.run_well(&input).await;
    assert_eq!(again["counts"], json!({"exported": 0, "empty": 0, "skipped": 2, "failed": 0}));
    assert_eq!(
        again["skips"],
        json!([{"logGroupName": "/a", "reason": "AlreadyArchived"}, {"logGroupName": "/b", "reason": "AlreadyArchived"}])
    );
    assert_eq!(archive.stored(&archive.stack.bucket).await, first);

    let mut forced = archive.input(json!(["/a"]));
    forced["force"] = json!(true);
    let output = archive.run_well(&forced).await;
    assert_eq!(output["counts"]["exported"], 1);
    assert_eq!(output["warnings"][0]["name"], "OtherExportsPresent", "the first export is still there");
    let tasks = archive.local.export_tasks().await.unwrap();
    assert_eq!(tasks.iter().filter(|task| task.log_group_name == "/a").count(), 2);
    let manifest = archive.manifest(&place("logs", "/a")).await;
    assert_eq!(manifest["taskId"], json!(tasks[0].task_id), "the manifest names the new task");
    let folders =
        archive.stored(&archive.stack.bucket).await.keys().filter(|key| key.contains("/log_group=/a/") && key.ends_with(".gz")).count();
    assert_eq!(folders, 2, "what the first export wrote is not touched");
}

// On ministack alone: of two executions at once on moto's interpreter, one was seen to hang.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_export_each_month_once_and_both_succeed() {
    let archive = Archive::deploy(Engine::Ministack).await;
    let names: Vec<String> = (0..5).map(|n| format!("/g/{n}")).collect();
    for name in &names {
        archive.log_group(name, &[(FROM, name)]).await;
    }
    archive.local.set_task_timing(Duration::from_millis(100), Duration::from_millis(200)).await.unwrap();
    let input = archive.input(json!(names));
    let mut runs = Vec::new();
    for _ in 0..2 {
        runs.push(archive.local.start_execution(&archive.stack, &input).await.unwrap());
    }
    for arn in runs {
        let execution = archive.wait(&arn).await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{:?} {:?}", execution.error, execution.cause);
        let counts = &execution.output.unwrap()["counts"];
        assert_eq!(
            (counts["failed"].as_u64(), counts["exported"].as_u64().unwrap() + counts["skipped"].as_u64().unwrap()),
            (Some(0), 5),
            "{counts}"
        );
    }
    let tasks = archive.local.export_tasks().await.unwrap();
    let mut exported: Vec<_> = tasks.iter().map(|task| task.log_group_name.as_str()).collect();
    exported.sort_unstable();
    assert_eq!(exported, names, "each log group once");
}

async fn what_certainly_has_nothing_is_skipped_with_its_reason(engine: Engine) {
    const DAY: i64 = 86_400_000;
    let archive = Archive::deploy(engine).await;
    archive.log_group("/made-late", &[(TO + 15 * DAY, "x")]).await;
    archive.log_group("/infrequent", &[(FROM, "x")]).await;
    archive.log_group("/quiet", &[(FROM - 16 * DAY, "x")]).await;
    archive.log_group("/no-streams", &[]).await;
    archive.log_group("/nearly", &[(FROM - 1, "x")]).await;
    let mut overlay = local_aws::LogGroupOverlay::created_at("/made-late", TO + 14 * DAY + 1);
    archive.local.set_log_group(&overlay).await.unwrap();
    overlay = local_aws::LogGroupOverlay::created_at("/infrequent", FROM);
    overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned());
    archive.local.set_log_group(&overlay).await.unwrap();
    overlay = local_aws::LogGroupOverlay::created_at("/nearly", FROM - DAY);
    overlay.retention_in_days = Some(30);
    archive.local.set_log_group(&overlay).await.unwrap();

    let output = archive.run_well(&archive.input(json!(["/made-late", "/infrequent", "/quiet", "/gone", "/nearly"]))).await;
    assert_eq!(output["counts"], json!({"exported": 0, "empty": 1, "skipped": 4, "failed": 0}));
    assert_eq!(
        output["skips"],
        json!([
            {"logGroupName": "/made-late", "reason": "CreatedAfterMonth"},
            {"logGroupName": "/infrequent", "reason": "LogClassNotExportable"},
            {"logGroupName": "/quiet", "reason": "NoEventsInMonth"},
            {"logGroupName": "/gone", "reason": "LogGroupNotFound"},
        ])
    );
    assert_eq!(
        (&output["warnings"][0]["logGroupName"], &output["warnings"][0]["name"]),
        (&json!("/nearly"), &json!("RetentionShorterThanMonth"))
    );
    assert_eq!(archive.local.export_tasks().await.unwrap().len(), 1);
}
