//! Every entry ends in an outcome of its own, and one bad entry never stops the others.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{Archive, FROM, MONTH, TO, place};
use local_aws::{Engine, wait_for};
use serde_json::json;

e2e::on_both_engines! {
    one_failing_log_group_fails_the_run_and_stops_no_other,
    a_slot_held_by_another_tool_is_waited_for,
    a_prefix_entry_is_expanded_page_by_page,
    an_entry_can_have_a_place_and_a_stream_prefix_of_its_own,
}

async fn one_failing_log_group_fails_the_run_and_stops_no_other(engine: Engine) {
    let archive = Archive::deploy(engine).await;
    let notifications = archive.subscribe().await;
    for name in ["/good/1", "/bad", "/good/2"] {
        archive.log_group(name, &[(FROM, name)]).await;
    }
    archive.log_group("/quiet", &[(FROM - 1, "before"), (TO + 1, "after")]).await;
    archive
        .local
        .add_fault(&json!({"logGroupName": "/bad", "status": "FAILED", "message": "internal trouble", "times": 10}))
        .await
        .unwrap();
    let (error, cause) = archive.run_badly(&archive.input(json!(["/good/1", "/bad", "/gone", "/quiet", "/good/2"]))).await;
    assert_eq!(error, "ExportsFailed");
    assert!(cause.starts_with("1 of 5 log groups failed: /bad: ExportTaskFailed: export task "), "{cause}");
    assert!(cause.contains("is FAILED; CloudWatch Logs says: internal trouble"), "{cause}");

    let stored = archive.stored(&archive.stack.bucket).await;
    for (name, objects) in [("/good/1", 1), ("/good/2", 1), ("/quiet", 0)] {
        assert_eq!(archive.manifest(&place("logs", name)).await["objects"], objects, "{name}");
    }
    assert!(!stored.contains_key(&format!("{}/_manifest.json", place("logs", "/bad"))), "a failed export must have no manifest");

    let (subject, message) = notifications.next().await;
    assert_eq!(subject, "CloudWatch Logs archive 2024-10: 1 of 5 log groups FAILED");
    assert!(message.contains("2 exported (2 objects, "), "{message}");
    assert!(message.contains(" bytes), 1 empty, 1 skipped, 1 failed."), "{message}");
    assert!(message.contains("Failed\n- /bad: ExportTaskFailed: export task "), "{message}");
    assert!(message.contains("\n  To do: run the month again; "), "{message}");
    assert!(message.contains("Skipped\n- /gone: LogGroupNotFound\n"), "{message}");

    let mut outcomes: Vec<String> =
        archive.audit().await.iter().map(|line| line.split(' ').take(4).collect::<Vec<_>>().join(" ")).collect();
    outcomes.sort();
    assert_eq!(
        outcomes,
        [
            "/bad 2024-10 failed ExportTaskFailed",
            "/gone 2024-10 skipped LogGroupNotFound",
            "/good/1 2024-10 exported 1",
            "/good/2 2024-10 exported 1",
            "/quiet 2024-10 empty 0",
        ]
    );
    let archived = archive.rows_of_manifests().await;
    let archived: Vec<_> = archived.iter().map(|row| (row["log_group"].as_str().unwrap(), row["objects"].as_u64().unwrap())).collect();
    assert_eq!(archived, [("/good/1", 1), ("/good/2", 1), ("/quiet", 0)], "a failed export is not in the table");
}

async fn a_slot_held_by_another_tool_is_waited_for(engine: Engine) {
    let archive = Archive::deploy(engine).await;
    archive.log_group("/mine", &[(FROM, "x")]).await;
    archive.log_group("/theirs", &[(FROM, "y")]).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&archive.local.sdk_config());
    archive.local.set_task_timing(Duration::from_secs(3600), Duration::ZERO).await.unwrap();
    let foreign = logs
        .create_export_task()
        .log_group_name("/theirs")
        .from(FROM)
        .to(TO)
        .destination(&archive.stack.bucket)
        .destination_prefix("other")
        .send();
    let foreign = foreign.await.unwrap().task_id.unwrap();

    let arn = archive.local.start_execution(&archive.stack, &archive.input(json!(["/mine"]))).await.unwrap();
    // The slot is refused at least twice before it is given free.
    wait_for("two refusals", async || {
        let calls = archive.calls("CreateExportTask").await;
        (calls.iter().filter(|call| call["outcome"]["error"] == "LimitExceededException").count() >= 2).then_some(())
    })
    .await;
    assert_eq!(archive.local.ended_execution(&arn).await.unwrap(), None, "the run waits");
    logs.cancel_export_task().task_id(&foreign).send().await.unwrap();
    archive.local.set_task_timing(Duration::ZERO, Duration::ZERO).await.unwrap();
    let execution = archive.wait(&arn).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{:?} {:?}", execution.error, execution.cause);
    let tasks = archive.local.export_tasks().await.unwrap();
    let ours: Vec<_> = tasks.iter().filter(|task| task.log_group_name == "/mine").map(|task| task.status.as_str()).collect();
    assert_eq!(ours, ["COMPLETED"]);
}

async fn a_prefix_entry_is_expanded_page_by_page(engine: Engine) {
    let archive = Archive::deploy(engine).await;
    let names: Vec<String> = (0..53).map(|n| format!("/app/{n:03}")).collect();
    for name in &names {
        archive.log_group(name, &[(FROM, name)]).await;
    }
    for name in ["/app/debug-1", "/app/debug-2", "/application"] {
        archive.log_group(name, &[(FROM, name)]).await;
    }
    archive.local.set_task_timing(Duration::ZERO, Duration::ZERO).await.unwrap();
    let output = archive
        .run_well(&archive.input(json!([
            {"logGroupNamePrefix": "/none/"},
            {"logGroupNamePrefix": "/app/", "exclude": ["/app/debug-*", "/app/007", "/app/008"], "s3Prefix": "apps"},
            {"logGroupName": "/app/008", "s3Prefix": "eight"},
        ])))
        .await;
    assert_eq!(output["counts"], json!({"exported": 52, "empty": 0, "skipped": 1, "failed": 0}));
    assert_eq!(output["skips"], json!([{"logGroupName": "/none/*", "reason": "LogGroupNotFound"}]));
    let stored = archive.stored(&archive.stack.bucket).await;
    let archived: Vec<_> = stored.keys().filter_map(|key| key.strip_suffix("/_manifest.json")).collect();
    let mut expected: Vec<_> =
        names.iter().filter(|name| *name != "/app/007" && *name != "/app/008").map(|name| place("apps", name)).collect();
    expected.push(place("eight", "/app/008"));
    assert_eq!(archived, expected);
    assert_eq!(archive.local.export_tasks().await.unwrap().len(), 52, "each log group once");
}

async fn an_entry_can_have_a_place_and_a_stream_prefix_of_its_own(engine: Engine) {
    let archive = Archive::deploy(engine).await;
    archive.log_group_of_streams("/ecs/web", &[("prod/1", &[(FROM, "in")]), ("test/1", &[(FROM, "out")])]).await;
    archive.log_group("/old", &[(FROM, "2019")]).await;
    let output = archive
        .run_well(&archive.input(json!([
            {"logGroupName": "/ecs/web", "s3Prefix": "web", "logStreamNamePrefix": "prod/"},
            {"logGroupName": "/old", "s3Prefix": "orders", "destinationPrefix": "{year}/{month}/{s3Prefix}"},
        ])))
        .await;
    assert_eq!(output["counts"]["exported"], 2);
    let stored = archive.stored(&archive.stack.bucket).await;
    let data: Vec<_> = stored.iter().filter(|(key, _)| key.ends_with(".gz")).map(|(_, text)| text.as_str()).collect();
    assert_eq!(data, ["2024-09-30T15:00:00.000Z 2019\n", "2024-09-30T15:00:00.000Z in\n"]);
    assert_eq!(archive.manifest("2024/10/orders").await["month"], MONTH);
    assert_eq!(archive.manifest(&place("web", "/ecs/web")).await["logStreamNamePrefix"], "prod/");
}
