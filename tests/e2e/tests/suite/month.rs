//! Which month is exported, and that exactly it is.

use aws_sdk_scheduler::types::ScheduleSummary;
use e2e::{Archive, FROM, MONTH, TO, place};
use local_aws::Engine;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_archives_exactly_the_month_and_says_where() {
    let archive = Archive::deploy(Engine::Ministack).await;
    let notifications = archive.subscribe().await;
    let trace = "java.lang.IllegalStateException: 注文\n\tat a.B.c(B.java:1)\r\n\tat d.E.f(E.java:2)\n";
    archive
        .log_group_of_streams(
            "/ecs/web",
            &[
                ("prod/web/1", &[(FROM - 1, "before"), (FROM, "first"), (TO, "last"), (TO + 1, "after")]),
                ("[$LATEST]x", &[(FROM + 5, trace)]),
                ("outside", &[(FROM - 1, "before")]),
            ],
        )
        .await;
    let input = archive.input(json!(["/ecs/web"]));
    let arn = archive.local.start_execution(&archive.stack, &input).await.unwrap();
    let output = archive.wait(&arn).await.output.unwrap();

    let tasks = archive.local.export_tasks().await.unwrap();
    let [task] = tasks.as_slice() else { panic!("one export task, not {tasks:?}") };
    let prefix = place("logs", "/ecs/web");
    assert_eq!(
        (task.from, task.to, task.destination_prefix.as_str(), task.destination.as_str()),
        (FROM, TO, prefix.as_str(), archive.stack.bucket.as_str())
    );

    let mut stored = archive.stored(&archive.stack.bucket).await;
    stored.retain(|key, _| !key.contains("/manifests/"));
    let manifest: Value = serde_json::from_str(&stored.remove(&format!("{prefix}/_manifest.json")).unwrap()).unwrap();
    let folder = format!("{prefix}/{}", task.task_id);
    let expected = [
        (format!("{folder}/[$LATEST]x/000000.gz"), format!("2024-09-30T15:00:00.005Z {trace}\n")),
        (format!("{folder}/prod-web-1/000000.gz"), "2024-09-30T15:00:00.000Z first\n2024-10-31T14:59:59.999Z last\n".to_owned()),
        (format!("{prefix}/aws-logs-write-test"), "Permission Check Successful".to_owned()),
    ];
    assert_eq!(stored, expected.into());

    assert_eq!((&manifest["objects"], &manifest["month"], &manifest["timezone"]), (&json!(2), &json!(MONTH), &json!("Asia/Tokyo")));
    assert_eq!((&manifest["execution"], &manifest["taskId"]), (&json!(arn), &json!(task.task_id)));
    let bytes = &manifest["bytes"];
    assert_eq!(
        output,
        json!({"status": "SUCCEEDED", "execution": arn, "month": MONTH, "timezone": "Asia/Tokyo", "window": {"from": FROM, "to": TO},
            "s3BucketName": archive.stack.bucket, "counts": {"exported": 1, "empty": 0, "skipped": 0, "failed": 0}, "objects": 2, "bytes": bytes,
            "compaction": {"status": "NOT_REQUESTED"}, "audit": {"status": "RECORDED"}, "failures": [], "skips": [], "warnings": []})
    );
    let (subject, message) = notifications.next().await;
    assert_eq!(subject, "CloudWatch Logs archive 2024-10: succeeded");
    assert!(message.contains(&format!("1 exported (2 objects, {bytes} bytes), 0 empty, 0 skipped, 0 failed.")), "{message}");
    assert!(message.contains(&format!("\n\nExecution {arn}\nhttps://ap-northeast-1.console.aws.amazon.com/states/")), "{message}");
    let row = archive.rows_of_manifests().await;
    assert_eq!((&row[0]["log_group"], &row[0]["task_id"], &row[0]["bytes"]), (&json!("/ecs/web"), &json!(task.task_id), bytes));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_month_is_the_one_before_the_scheduled_time_in_the_time_zone() {
    let archive = Archive::deploy(Engine::Ministack).await;
    // With an event after all the months, none of them is skipped for having none.
    archive.log_group("/a", &[(FROM, "x"), (TO + 100 * 86_400_000, "y")]).await;
    for (scheduled_time, timezone, month, from, to) in [
        ("2024-10-31T15:30:00Z", "Asia/Tokyo", "2024-10", FROM, TO),
        ("2024-10-31T14:59:59Z", "Asia/Tokyo", "2024-09", 1_725_116_400_000, FROM - 1),
        ("2024-10-31T15:30:00Z", "UTC", "2024-09", 1_725_148_800_000, 1_727_740_799_999),
        ("2025-01-01T04:00:00Z", "Asia/Tokyo", "2024-12", 1_732_978_800_000, 1_735_657_199_999),
        // A month with a change of the clocks: 31 days and an hour.
        ("2024-12-01T12:00:00Z", "America/New_York", "2024-11", 1_730_433_600_000, 1_733_029_199_999),
    ] {
        let mut input = archive.input(json!(["/a"]));
        input.as_object_mut().unwrap().remove("month");
        input["scheduledTime"] = json!(scheduled_time);
        input["timezone"] = json!(timezone);
        let output = archive.run_well(&input).await;
        assert_eq!((&output["month"], &output["window"]), (&json!(month), &json!({"from": from, "to": to})), "{scheduled_time} {timezone}");
        let newest = &archive.local.export_tasks().await.unwrap()[0];
        assert_eq!((newest.from, newest.to), (from, to), "{scheduled_time} {timezone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_take_the_events_of_2019() {
    let archive = Archive::deploy(Engine::Ministack).await;
    archive.log_group("/ecs/web", &[(FROM, "x")]).await;
    // The clock in place of the schedule: `startTime` stands for it here, so that the month is a known one.
    let event =
        json!({"s3BucketName": archive.stack.bucket, "s3Prefix": "logs", "logGroupName": "/ecs/web", "startTime": "2024-11-02T00:00:00Z"});
    let created = archive.invoke(&archive.stack.create_function_name, &event).await;
    assert_eq!((&created["status"], &created["month"]), (&json!("CREATED"), &json!(MONTH)));
    let check = json!({"taskId": created["taskId"]});
    let mut answer = archive.invoke(&archive.stack.check_function_name, &check).await;
    while answer["errorType"] == "ExportTaskPending" || answer["errorType"] == "ExportTaskRunning" {
        answer = archive.invoke(&archive.stack.check_function_name, &check).await;
    }
    assert_eq!((&answer["status"], &answer["outcome"], &answer["objects"]), (&json!("COMPLETED"), &json!("exported"), &json!(1)));
    assert_eq!(archive.manifest(&place("logs", "/ecs/web")).await["execution"], Value::Null);

    let error = archive.invoke(&archive.stack.check_function_name, &json!({"taskId": "no-such-task"})).await;
    assert_eq!(error["errorType"], "ExportTaskNotFound");
    let error = archive.invoke(&archive.stack.create_function_name, &json!({"logGroupName": "/ecs/web"})).await;
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("InvalidInput"), &json!("s3BucketName is missing: it is required")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedules_own_input_is_one_that_runs() {
    let archive = Archive::deploy(Engine::Ministack).await;
    let scheduler = aws_sdk_scheduler::Client::new(&archive.local.sdk_config());
    let schedules = scheduler.list_schedules().send().await.unwrap();
    // The other schedule is the watcher's.
    let of_runs = |summary: &&ScheduleSummary| summary.target().is_some_and(|target| target.arn() == archive.stack.state_machine_arn);
    let schedules: Vec<_> = schedules.schedules().iter().filter(of_runs).collect();
    let [schedule] = schedules[..] else { panic!("one schedule of runs, not {schedules:?}") };
    let schedule = scheduler.get_schedule().name(schedule.name().unwrap()).send().await.unwrap();
    assert_eq!(schedule.schedule_expression(), Some("cron(0 13 1 * ? *)"));
    let target = schedule.target().unwrap();
    assert_eq!(target.arn(), archive.stack.state_machine_arn);
    // What EventBridge Scheduler does at 13:00 on the 1st in Tokyo.
    let input = target.input().unwrap().replace("<aws.scheduler.scheduled-time>", "2024-11-01T04:00:00Z");
    let output = archive.run_well(&serde_json::from_str(&input).unwrap()).await;
    assert_eq!((&output["month"], &output["s3BucketName"]), (&json!(MONTH), &json!(archive.stack.bucket)));
    assert_eq!(output["skips"], json!([{"logGroupName": "/aws/lambda/orders", "reason": "LogGroupNotFound"}]));
}
