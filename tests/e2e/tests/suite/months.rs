//! Which months a run looks at, and that exactly their events are archived, whatever the time zone does.

use chrono::{DateTime, Utc};
use e2e::{Archive, DAY, FROM, MONTH, S3_PREFIX, Stage, TO, assert_counts, decided, place};
use local_aws::{Engine, calendar::Month};
use serde_json::{Value, json};

e2e::on_both_engines! {
    a_scheduled_run_makes_up_for_those_that_did_not_run,
}

/// `2024-09-01T00:00:00Z` and so on.
const SEPTEMBER: i64 = 1_725_148_800_000;
const OCTOBER: i64 = 1_727_740_800_000;
const NOVEMBER: i64 = 1_730_419_200_000;
const DECEMBER: i64 = 1_733_011_200_000;
const NINE_HOURS: i64 = 9 * 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_time_zone_that_changes_loses_no_event_and_shows_none_twice() {
    let stage = Stage::take().await;
    // The windows that each run exports: its due month, and what the other zone left of the month before.
    for (log_group, zones, windows) in [
        ("/zone/tokyo-first", ["Asia/Tokyo", "UTC", "Asia/Tokyo"], [1, 2, 1]),
        ("/zone/utc-first", ["UTC", "Asia/Tokyo", "UTC"], [1, 2, 2]),
    ] {
        stage.forget_runs().await;
        // September in Tokyo's time begins first; November in the last run's zone ends last.
        let (first, last) = (SEPTEMBER - NINE_HOURS, if zones[2] == "UTC" { DECEMBER } else { DECEMBER - NINE_HOURS });
        let bounds = [SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER].into_iter().flat_map(|start| [start - NINE_HOURS, start]);
        let mut times: Vec<i64> = bounds.flat_map(|bound| [bound - 1, bound]).collect();
        times.push(OCTOBER - NINE_HOURS + 3_600_000);
        times.sort_unstable();
        let names: Vec<String> = times.iter().map(|time| format!("{}", time - SEPTEMBER)).collect();
        let events: Vec<(i64, &str)> = times.iter().copied().zip(names.iter().map(String::as_str)).collect();
        stage.log_group(log_group, &events).await;
        for ((scheduled_time, zone), exported) in
            ["2024-10-01T15:00:00Z", "2024-11-01T15:00:00Z", "2024-12-01T15:00:00Z"].into_iter().zip(zones).zip(windows)
        {
            let input = json!({"scheduledTime": scheduled_time, "timezone": zone, "logGroups": [log_group]});
            let output = stage.run_well(&input).await;
            assert_eq!(output["exported"], exported, "{zone}: {output:#}");
        }
        let expected: Vec<_> =
            times.iter().zip(&names).filter(|(time, _)| (first..last).contains(time)).map(|(_, name)| name.clone()).collect();
        assert_eq!(stage.events(log_group).await, expected, "{zones:?}");
        let mut windows: Vec<_> = stage.manifests(log_group).await.iter().map(|(_, manifest)| window(manifest)).collect();
        windows.sort_unstable();
        assert_eq!((windows[0].0, windows[windows.len() - 1].1), (first, last - 1));
        assert!(windows.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "no hole and no overlap: {windows:?}");
    }
}

fn window(manifest: &Value) -> (i64, i64) {
    (manifest["window_from"].as_i64().expect("a number"), manifest["window_to"].as_i64().expect("a number"))
}

/// One event in the middle of each month, and 24 months back from the last that is complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_of_24_months_beside_a_scheduled_run_exports_each_month_once() {
    let stage = Stage::take().await;
    let mut month = Month::latest_complete(Utc::now()).unwrap();
    let mut months = Vec::new();
    for _ in 0..24 {
        months.push(month);
        month = if month.month() == 1 { Month::new(month.year() - 1, 12) } else { Month::new(month.year(), month.month() - 1) }.unwrap();
    }
    months.reverse();
    let names: Vec<String> = months.iter().map(Month::to_string).collect();
    let events: Vec<(i64, &str)> =
        months.iter().zip(&names).map(|(month, name)| (month.window().unwrap().from + 14 * DAY, name.as_str())).collect();
    stage.log_group("/backfill", &events).await;
    let scheduled_time = DateTime::from_timestamp_millis(months[23].window().unwrap().to + DAY / 2 + 1).unwrap().to_rfc3339();
    stage.hold_tasks().await;
    let backfill = stage.start_input(&json!({"since": names[0], "logGroups": ["/backfill"]})).await;
    // The due month goes first.
    stage.wait_for_task("/backfill", 1).await;
    let searches = stage.task_searches().await;
    let scheduled = stage.start_input(&json!({"scheduledTime": scheduled_time, "logGroups": ["/backfill"]})).await;
    stage.wait_for_task_search(searches).await;
    stage.let_tasks_go().await;
    let output = stage.wait_well(&backfill).await;
    let of = |name: &str| output[name].as_u64().expect("a number");
    assert_eq!((of("exported") + of("alreadyArchived"), of("failed")), (24, 0), "{output:#}");
    assert_eq!(output["months"].as_array().map(Vec::len), Some(24));
    let output = stage.wait_well(&scheduled).await;
    assert_eq!((&output["months"], &output["failed"]), (&json!([names[23]]), &json!(0)), "{output:#}");
    assert_eq!(stage.events("/backfill").await, names);
    assert_eq!(stage.created("/backfill").await.len(), 24, "each month once");
    assert_eq!(stage.manifests("/backfill").await.len(), 24);
}

/// It looks from the due month of the last one that compared everything on.
async fn a_scheduled_run_makes_up_for_those_that_did_not_run(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    let events: &[(i64, &str)] = &[(FROM - DAY, "September"), (FROM, "October"), (TO + 1, "November"), (TO + 40 * DAY, "December")];
    stage.log_group("/makes-up", events).await;
    let input = |scheduled_time: &str| json!({"scheduledTime": scheduled_time, "logGroups": ["/makes-up"]});
    // The first ever looks at its due month alone.
    let first = stage.run_well(&input("2024-10-01T04:00:00Z")).await;
    assert_eq!((&first["months"], &first["exported"]), (&json!(["2024-09"]), &json!(1)));
    let later = stage.run_well(&input("2025-01-01T04:00:00Z")).await;
    assert_eq!(later["months"], json!(["2024-12", "2024-11", "2024-10", "2024-09"]));
    assert_counts(&later, json!({"exported": 3, "alreadyArchived": 1}));
    assert_eq!(stage.events("/makes-up").await, ["September", "October", "November", "December"]);
    // One that comes late counts as one by hand, whose due month is that of its start.
    let overtaken = stage.run_well(&input("2024-11-01T04:00:00Z")).await;
    assert_eq!((&overtaken["exported"], &overtaken["warnings"][0]["name"]), (&json!(0), &json!("ScheduledTimeOvertaken")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_certainly_has_nothing_is_skipped_with_its_reason() {
    let stage = Stage::take().await;
    stage.log_group("/nothing/made-late", &[(TO + 15 * DAY, "x")]).await;
    stage.overlay("/nothing/made-late", |overlay| overlay.creation_time = Some(TO + 14 * DAY + 1)).await;
    stage.log_group("/nothing/infrequent", &[(FROM, "x")]).await;
    stage.overlay("/nothing/infrequent", |overlay| overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    stage.log_group("/nothing/quiet", &[(FROM - 16 * DAY, "x")]).await;
    stage.log_group_of_streams("/nothing/no-streams", &[]).await;
    stage.log_group("/nothing/silent", &[]).await;
    stage.log_group("/nothing/nearly", &[(FROM - 1, "x")]).await;
    // Its events may be gone: that it is empty is not known.
    stage.log_group("/nothing/expired", &[(FROM - 1, "x")]).await;
    stage.overlay("/nothing/expired", |overlay| overlay.retention_in_days = Some(30)).await;
    let input = stage.input(json!([{"logGroupNamePrefix": "/nothing/"}, "/nothing/gone", {"logGroupNamePrefix": "/nobody/"}]));
    let execution = stage.run(&input).await;
    let report = stage.report(&execution.arn).await;
    assert_eq!(
        decided(&report),
        [
            "/nothing/expired 2024-10 skipped ExpiredBeforeFirstRun",
            "/nothing/gone 2024-10 warned LogGroupNotFound",
            "/nothing/infrequent 2024-10 warned LogClassNotExportable",
            "/nothing/made-late 2024-10 skipped CreatedAfterMonth",
            "/nothing/nearly 2024-10 empty",
            "/nothing/no-streams 2024-10 skipped NoEventsInMonth",
            "/nothing/quiet 2024-10 skipped NoEventsInMonth",
            // A log stream that does not tell its newest event may have one.
            "/nothing/silent 2024-10 empty",
        ]
    );
    let warnings: Vec<_> = execution.output.as_ref().expect("an output")["warnings"].as_array().expect("a list").clone();
    assert!(warnings.iter().any(|warning| warning["message"] == "the entry /nobody/* matches no log group"), "{warnings:#?}");
    for (log_group, outcome) in [("expired", "skipped"), ("made-late", "skipped"), ("nearly", "empty"), ("quiet", "skipped")] {
        assert_eq!(stage.manifest(&format!("/nothing/{log_group}")).await.1["outcome"], outcome, "{log_group}");
    }
    assert_counts(&stage.run_well(&input).await, json!({"alreadyArchived": 6, "warned": 2}));
}

/// On the 10th an event of the last day of October is put.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_put_late_is_archived_once_its_month_has_settled() {
    let stage = Stage::take().await;
    for (settle_days, dues, archived) in
        [(0, ["2024-10", "2024-10", "2024-10"], vec!["in time"]), (15, ["2024-09", "2024-09", "2024-10"], vec!["in time", "late"])]
    {
        stage.forget_runs().await;
        let log_group = format!("/settles/{settle_days}");
        stage.log_group(&log_group, &[(FROM, "in time")]).await;
        for (day, due) in [1, 10, 16].into_iter().zip(dues) {
            if day == 10 {
                stage.put_event(&log_group, TO, "late").await;
            }
            let scheduled_time = format!("2024-11-{day:02}T04:00:00Z");
            let input = json!({"scheduledTime": scheduled_time, "settleDays": settle_days, "logGroups": [log_group]});
            let output = stage.run_well(&input).await;
            assert_eq!(output["dueMonth"], due, "{scheduled_time}, {settle_days} days");
        }
        assert_eq!(stage.events(&log_group).await, archived, "{settle_days} days");
    }
}

/// More days to settle make an older month the due one again.
#[tokio::test(flavor = "multi_thread")]
async fn days_to_settle_that_change_export_each_month_once() {
    let stage = Stage::take().await;
    let events: &[(i64, &str)] = &[(FROM - DAY, "September"), (FROM, "October"), (TO, "its end"), (TO + 1, "November")];
    stage.log_group("/settles/changes", events).await;
    for (scheduled_time, settle_days, due, counts) in [
        ("2024-10-31T04:00:00Z", 15, "2024-09", json!({"exported": 1})),
        ("2024-11-01T04:00:00Z", 0, "2024-10", json!({"alreadyArchived": 1, "exported": 1})),
        ("2024-11-05T04:00:00Z", 15, "2024-09", json!({"alreadyArchived": 1})),
        ("2024-11-06T04:00:00Z", 0, "2024-10", json!({"alreadyArchived": 2})),
        ("2024-11-16T04:00:00Z", 15, "2024-10", json!({"alreadyArchived": 1})),
        ("2024-12-01T04:00:00Z", 15, "2024-10", json!({"alreadyArchived": 1})),
        ("2024-12-08T04:00:00Z", 7, "2024-11", json!({"alreadyArchived": 1, "exported": 1})),
    ] {
        let input = json!({"scheduledTime": scheduled_time, "settleDays": settle_days, "logGroups": ["/settles/changes"]});
        let output = stage.run_well(&input).await;
        assert_eq!(output["dueMonth"], due, "{scheduled_time}");
        assert_counts(&output, counts);
    }
    assert_eq!(stage.events("/settles/changes").await, ["September", "October", "its end", "November"]);
    assert_eq!(stage.created("/settles/changes").await.len(), 3, "each month once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_archives_exactly_the_month_and_says_where() {
    let stage = Stage::take().await;
    let notifications = stage.subscribe().await;
    let trace = "java.lang.IllegalStateException: 注文\n\tat a.B.c(B.java:1)\r\n\tat d.E.f(E.java:2)\n";
    let streams: [(&str, &[(i64, &str)]); 3] = [
        ("prod/web/1", &[(FROM - 1, "before"), (FROM, "first"), (TO, "last"), (TO + 1, "after")]),
        ("[$LATEST]x", &[(FROM + 5, trace)]),
        ("outside", &[(FROM - 1, "before")]),
    ];
    stage.log_group_of_streams("/ecs/web", &streams).await;
    let arn = stage.start(json!(["/ecs/web"])).await;
    let output = stage.wait_well(&arn).await;

    let tasks = stage.local.export_tasks().await.unwrap();
    let task = &tasks[0];
    let prefix = place(S3_PREFIX, "/ecs/web");
    assert_eq!(
        (task.from, task.to, task.destination_prefix.as_str(), task.destination.as_str()),
        (FROM, TO, prefix.as_str(), stage.stack.bucket.as_str())
    );
    let folder = format!("/{}", task.task_id);
    let expected = [
        (format!("{folder}/[$LATEST]x/000000.gz"), format!("2024-09-30T15:00:00.005Z {trace}\n")),
        (format!("{folder}/prod-web-1/000000.gz"), "2024-09-30T15:00:00.000Z first\n2024-10-31T14:59:59.999Z last\n".to_owned()),
        ("/aws-logs-write-test".to_owned(), "Permission Check Successful".to_owned()),
    ];
    assert_eq!(stage.stored(&prefix).await, expected.into());

    let (key, manifest) = stage.manifest("/ecs/web").await;
    assert!(key.starts_with("cloudwatch-logs/manifests/year=2024/month=10/") && key.ends_with(&format!("-{FROM}-{TO}.json")), "{key}");
    let bytes = manifest["bytes"].clone();
    for (field, value) in [
        ("outcome", json!("exported")),
        ("log_group", json!("/ecs/web")),
        ("objects", json!(2)),
        ("timezone", json!("Asia/Tokyo")),
        ("execution", json!(arn)),
        ("task_id", json!(task.task_id)),
        ("destination_prefix", json!(prefix)),
        ("bucket", json!(stage.stack.bucket)),
        ("account", json!(stage.local.account_id())),
        ("warnings", json!([])),
    ] {
        assert_eq!(manifest[field], value, "{field}");
    }
    assert_counts(&output, json!({"exported": 1}));
    assert_eq!((&output["objects"], &output["bytes"], &output["months"]), (&json!(2), &bytes, &json!([MONTH])));
    assert_eq!(stage.json(output["report"]["key"].as_str().expect("a key")).await, stage.report(&arn).await);
    let (subject, message) = notifications.next().await;
    assert_eq!(subject, "cloudwatch-logs-archive: 2024-10 archived, no action needed");
    assert!(message.contains(&format!("Exported: 1 (2 objects, {bytes} bytes). Empty: 0. Skipped: 0. Lost: 0.")), "{message}");
    assert!(message.starts_with(&format!("Run {arn} compared 2024-10 in Asia/Tokyo.\n\nNothing failed.\n\nExported: 1 ")), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_month_is_the_one_before_the_scheduled_time_in_the_time_zone() {
    let stage = Stage::take().await;
    for (number, (scheduled_time, timezone, month, from, to)) in [
        ("2024-10-31T15:30:00Z", "Asia/Tokyo", "2024-10", FROM, TO),
        ("2024-10-31T14:59:59Z", "Asia/Tokyo", "2024-09", 1_725_116_400_000, FROM - 1),
        ("2024-10-31T15:30:00Z", "UTC", "2024-09", 1_725_148_800_000, 1_727_740_799_999),
        ("2025-01-01T04:00:00Z", "Asia/Tokyo", "2024-12", 1_732_978_800_000, 1_735_657_199_999),
        // A month with a change of the clocks: 31 days and an hour.
        ("2024-12-01T12:00:00Z", "America/New_York", "2024-11", 1_730_433_600_000, 1_733_029_199_999),
    ]
    .into_iter()
    .enumerate()
    {
        stage.forget_runs().await;
        let log_group = format!("/due/{number}");
        stage.log_group(&log_group, &[(from, "first"), (to, "last")]).await;
        let output = stage.run_well(&json!({"scheduledTime": scheduled_time, "timezone": timezone, "logGroups": [log_group]})).await;
        assert_eq!((&output["dueMonth"], &output["months"]), (&json!(month), &json!([month])), "{scheduled_time} {timezone}");
        assert_eq!(window(&stage.manifest(&log_group).await.1), (from, to), "{scheduled_time} {timezone}");
        assert_eq!(stage.events(&log_group).await, ["first", "last"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_take_the_events_of_2019() {
    let stage = Stage::take().await;
    stage.hello("/of/2019").await;
    let invoke = async |function: &str, event: &Value| stage.local.invoke(function, event).await.expect("the function answers");
    let Archive { stack, .. } = &*stage;
    // With the schedule's time, so that the month is a known one.
    let event =
        json!({"s3BucketName": stack.bucket, "s3Prefix": S3_PREFIX, "logGroupName": "/of/2019", "scheduledTime": "2024-11-01T04:00:00Z"});
    let created = invoke(&stack.create_function_name, &event).await;
    assert_eq!((&created["status"], &created["month"]), (&json!("CREATED"), &json!(MONTH)), "{created}");
    for (check, has_manifest) in [(json!({"taskId": created["taskId"]}), false), (created.clone(), true)] {
        let mut answer = invoke(&stack.check_function_name, &check).await;
        while answer["errorType"] == "ExportTaskPending" || answer["errorType"] == "ExportTaskRunning" {
            answer = invoke(&stack.check_function_name, &check).await;
        }
        let shown = ["status", "outcome", "objects"].map(|field| answer[field].clone());
        assert_eq!(shown, [json!("COMPLETED"), json!("exported"), json!(1)], "{answer}");
        // A task's id alone does not tell what was asked for.
        assert_eq!(stage.manifests("/of/2019").await.len(), usize::from(has_manifest));
    }
    assert_eq!(stage.manifest("/of/2019").await.1["execution"], Value::Null);

    let error = invoke(&stack.check_function_name, &json!({"taskId": "no-such-task"})).await;
    assert_eq!(error["errorType"], "ExportTaskNotFound");
    let error = invoke(&stack.create_function_name, &json!({"s3Prefix": "x"})).await;
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("InvalidInput"), &json!("logGroupName is missing: it is required")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedules_own_input_is_one_that_runs() {
    let stage = Stage::take().await;
    let scheduler = aws_sdk_scheduler::Client::new(&stage.local.sdk_config());
    let schedules = scheduler.list_schedules().send().await.unwrap();
    let [schedule] = schedules.schedules() else { panic!("one schedule, not {schedules:?}") };
    let schedule = scheduler.get_schedule().name(schedule.name().unwrap()).send().await.unwrap();
    assert_eq!(schedule.schedule_expression(), Some("cron(0 13 * * ? *)"));
    let target = schedule.target().unwrap();
    assert_eq!(target.arn(), stage.stack.state_machine_arn);
    // What EventBridge Scheduler does at 13:00 on the 1st in Tokyo.
    let input = target.input().unwrap().replace("<aws.scheduler.scheduled-time>", "2024-11-01T04:00:00Z");
    let output = stage.run_well(&serde_json::from_str(&input).unwrap()).await;
    assert_eq!((&output["dueMonth"], &output["warned"]), (&json!(MONTH), &json!(1)));
    assert_eq!(output["warnings"][0]["message"], "log group /aws/lambda/orders does not exist");
}
