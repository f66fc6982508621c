//! `retention` shortens a retention only if the archive has the events that would be deleted.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_scheduler::types::ScheduleState;
use chrono::{TimeDelta, Utc};
use e2e::Stage;
use export_core::{Month, place::ManifestKey};
use local_aws::samples::{Event, LogGroup, LogStream};
use serde_json::{Value, json};

use crate::{
    endpoint::endpoint,
    fixtures::stack,
    schedule::{get, put_list, update},
    tool::{Tool, ToolOutput},
};

/// The age of the log groups. With 60 days, two months would expire at once.
const AGE_DAYS: i64 = 130;

async fn stage(list: Value) -> (Stage, Tool) {
    let stage = Stage::take().await;
    put_list(&stage, list).await;
    update(&stage, |_| {}, |request| request.state(ScheduleState::Enabled)).await;
    let tool = Tool::of(&stage.local);
    (stage, tool)
}

fn ago(days: i64) -> i64 {
    (Utc::now() - TimeDelta::days(days)).timestamp_millis()
}

/// The month in Tokyo.
fn month(days_ago: i64) -> Month {
    Month::at(Utc::now() - TimeDelta::days(days_ago), chrono_tz::Asia::Tokyo)
}

/// Creates a log group with an event every ten days.
async fn log_group(stage: &Stage, name: &str) {
    let event = |days: i64| Event { timestamp: ago(days), message: format!("{days} days ago") };
    let events = (0..AGE_DAYS).rev().step_by(10).map(event).collect();
    let streams = vec![LogStream { name: "main".to_owned(), events }];
    let log_group = LogGroup { name: name.to_owned(), created: ago(AGE_DAYS), streams };
    stage.local.load(&log_group).await.expect("the log group loads");
}

/// Archives every month that can have an event.
async fn archive(stage: &Stage, entries: Value) {
    let input = json!({"since": month(AGE_DAYS + 15), "logGroups": entries});
    stage.run_well(&input).await;
}

async fn retention_of(stage: &Stage, name: &str) -> Option<i32> {
    let described = stage.logs().describe_log_groups().log_group_name_prefix(name).send().await.expect("log groups");
    described.log_groups().iter().find(|group| group.log_group_name() == Some(name)).expect("the log group").retention_in_days
}

/// The result of each log group, and the messages of its problems.
fn results(rows: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let line = |row: &Value| {
        let problems = row["problems"].as_array().expect("a list").iter().map(|problem| text(&problem["message"]));
        [text(&row["logGroup"]), text(&row["result"])].into_iter().chain(problems).collect::<Vec<_>>().join(" ")
    };
    rows.as_array().expect("rows").iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_log_group_is_checked_and_none_is_changed() {
    let (stage, tool) = stage(json!(["/shorter/hole", "/shorter/not-there", "/shorter/short", "/shorter/whole"])).await;
    for name in ["/shorter/hole", "/shorter/short", "/shorter/whole", "/shorter/other"] {
        log_group(&stage, name).await;
    }
    let put = stage.logs().put_retention_policy().log_group_name("/shorter/short").retention_in_days(60);
    put.send().await.expect("the retention is set");
    archive(&stage, json!(["/shorter/whole"])).await;

    let output = tool.run(&["retention", "60", "--output", "json"]).await;
    let (rows, first, last) =
        (output.json(), month(AGE_DAYS + 14), Month::at(Utc::now() - TimeDelta::hours(12), chrono_tz::Asia::Tokyo).previous());
    let expected = [
        format!("/shorter/hole unsafe {first} to {last}: not archived"),
        "/shorter/not-there absent".to_owned(),
        "/shorter/short kept".to_owned(),
        "/shorter/whole safe".to_owned(),
    ];
    assert_eq!((output.code, results(&rows)), (1, expected.into()), "{output:#?}");
    let whole = &rows[3];
    let restore = "aws logs delete-retention-policy --log-group-name '/shorter/whole' --region ap-northeast-1";
    assert_eq!([&whole["retentionInDays"], &whole["newRetentionInDays"], &whole["restore"]], [&Value::Null, &json!(60), &json!(restore)]);
    assert!(whole["savedUsdPerMonth"].is_number(), "{whole}");
    for message in [
        format!("Archive it: logs-archive run --since {first} --group '/shorter/hole'\n"),
        "SettleDays is 0: months are exported before all of their events have arrived".to_owned(),
        "A retention of 60 days is safe for 1 of 4 log groups, and saves up to 0.00 USD a month".to_owned(),
    ] {
        assert!(output.stderr.contains(&message), "{message}: {output:#?}");
    }
    // With 150 days, no event would expire.
    let output = tool.run(&["retention", "150", "--group", "/shorter/w*"]).await;
    let rows: Vec<Vec<&str>> = output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((output.code, &rows[1][..]), (0, &["/shorter/whole", "safe", "never", "expires", "150", "d", "0.00"][..]), "{output:#?}");

    let output = tool.run(&["retention", "60", "--group", "/shorter/other"]).await;
    assert!(
        output.code == 2 && output.stderr.contains("--group /shorter/other matches no log group of the schedule's list"),
        "{output:#?}"
    );
    let output = tool.run(&["retention", "60", "--apply"]).await;
    assert!(output.code == 2 && output.stderr.contains("nothing was changed, because stdin is not a terminal"), "{output:#?}");
    for (name, retention) in [("/shorter/hole", None), ("/shorter/short", Some(60)), ("/shorter/whole", None), ("/shorter/other", None)] {
        assert_eq!(retention_of(&stage, name).await, retention, "{name}");
    }
}

#[tokio::test]
async fn days_that_cannot_be_set_are_refused() {
    for days in ["30", "61", "0", "-1", "x", "4000"] {
        let output = Tool::bare().run(&["retention", days]).await;
        assert!(output.code == 2 && output.stdout.is_empty(), "{output:#?}");
        assert!(days == "-1" || output.stderr.contains("60, 90, 120, 150, 180, 365, 400,"), "{output:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn safe_log_groups_are_changed_and_the_restore_command_is_printed() {
    let (stage, tool) = stage(json!([{"logGroupNamePrefix": "/set/"}])).await;
    for name in ["/set/hole", "/set/never", "/set/year", "/unset/other"] {
        log_group(&stage, name).await;
    }
    let put = stage.logs().put_retention_policy().log_group_name("/set/year").retention_in_days(365);
    put.send().await.expect("the retention is set");
    archive(&stage, json!(["/set/never", "/set/year"])).await;

    let output = tool.run(&["retention", "60", "--group", "/set/year", "--apply", "--yes"]).await;
    let restore = "aws logs put-retention-policy --log-group-name '/set/year' --retention-in-days 365 --region ap-northeast-1";
    assert_eq!((output.code, output.stdout.lines().last()), (0, Some(restore)), "{output:#?}");
    assert!(output.stderr.contains("/set/year now has a retention of 60 days.\n"), "{output:#?}");

    let output = tool.run(&["retention", "60", "--apply", "--yes", "--output", "json"]).await;
    let restore = "aws logs delete-retention-policy --log-group-name '/set/never' --region ap-northeast-1";
    let rows = output.json();
    let results: Vec<_> = rows.as_array().expect("rows").iter().map(|row| (row["logGroup"].clone(), row["result"].clone())).collect();
    let expected = [("/set/hole", "unsafe"), ("/set/never", "set"), ("/set/year", "kept")];
    assert_eq!((output.code, results), (1, expected.map(|(name, result)| (json!(name), json!(result))).into()), "{output:#?}");
    assert_eq!(rows[1]["restore"], restore);
    assert!(output.stderr.contains(&format!("To restore the present retention: {restore}\n")), "{output:#?}");
    for (name, retention) in [("/set/hole", None), ("/set/never", Some(60)), ("/set/year", Some(60)), ("/unset/other", None)] {
        assert_eq!(retention_of(&stage, name).await, retention, "{name}");
    }
}

/// The keys of a log group's objects and manifest, in a month that would expire completely.
async fn archived(stage: &Stage, log_group: &str) -> (Vec<String>, String) {
    let of = month(100);
    let objects = format!("cloudwatch-logs/log_group={log_group}/year={:04}/month={:02}/", of.year(), of.month());
    let is_data = |key: &String| key.ends_with(".gz");
    let objects = stage.keys(&objects).await.into_iter().filter(is_data).collect();
    let target = crate::fixtures::target(&stack(stage), log_group, &of.to_string());
    let key = ManifestKey { place: target.place.hash(), month: of, window: target.window };
    (objects, stack(stage).manifest_key(&key))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_prevents_the_change() {
    let names = ["/damaged/deleted", "/damaged/truncated", "/damaged/swapped", "/damaged/no-manifest", "/damaged/broken", "/damaged/lost"];
    let (stage, tool) = stage(json!(names)).await;
    for name in names {
        log_group(&stage, name).await;
    }
    archive(&stage, json!(names)).await;
    let output = tool.run(&["retention", "60"]).await;
    assert_eq!(output.code, 0, "{output:#?}");
    let of = month(100);
    for name in names {
        let (objects, manifest) = archived(&stage, name).await;
        let bytes = stage.local.read_object(&stage.stack.bucket, &objects[0]).await.expect("the object");
        match name.rsplit('/').next().expect("a name") {
            "deleted" => stage.delete(&objects[..1]).await,
            "truncated" => stage.put(&objects[0], bytes[..bytes.len() - 4].to_vec()).await,
            "swapped" => stage.put(&objects[0], bytes.iter().rev().copied().collect::<Vec<u8>>()).await,
            "no-manifest" => stage.delete(&[manifest]).await,
            "broken" => stage.put(&manifest, b"{".to_vec()).await,
            _ => {
                let mut lost = stage.json(&manifest).await;
                (lost["outcome"], lost["reason"]) = (json!("lost"), json!("Damaged"));
                stage.put(&manifest, lost.to_string().into_bytes()).await;
            }
        }
    }
    let rows = tool.run(&["retention", "60", "--apply", "--yes", "--output", "json"]).await;
    let results = results(&rows.json());
    for (name, message) in [
        ("broken", "the manifest is not valid: it cannot be read as a manifest"),
        ("deleted", "the manifest is not valid: it states "),
        ("lost", "recorded as lost, Damaged"),
        ("no-manifest", "not archived"),
        ("swapped", "the archived objects are not those that were exported"),
        ("truncated", "the manifest is not valid: it states "),
    ] {
        let line = format!("/damaged/{name} unsafe {of}: {message}");
        assert!(results.iter().any(|result| result.starts_with(&line)), "{line}: {results:#?}");
    }
    assert_eq!((rows.code, results.len()), (1, names.len()));
    for name in names {
        assert_eq!(retention_of(&stage, name).await, None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_group_that_runs_will_not_archive_is_unsafe() {
    let (stage, tool) = stage(json!(["/next/a"])).await;
    log_group(&stage, "/next/a").await;
    archive(&stage, json!(["/next/a"])).await;
    let ask = async || results(&tool.json(1, &["retention", "60", "--apply", "--yes"]).await);
    put_list(&stage, json!([{"logGroupName": "/next/a", "logStreamNamePrefix": "ma"}])).await;
    let some = "/next/a unsafe the list's entry has a logStreamNamePrefix, so runs archive only some of the log streams";
    assert_eq!(ask().await, [some]);
    // Another prefix has no archive.
    put_list(&stage, json!([{"logGroupName": "/next/a", "s3Prefix": "moved"}])).await;
    assert!(ask().await[0].ends_with(": not archived"));
    put_list(&stage, json!(["/next/a"])).await;
    update(&stage, |_| {}, |request| request.state(ScheduleState::Disabled)).await;
    assert_eq!(ask().await, ["/next/a unsafe the schedule is off, so no run archives the events that expire next"]);
    update(&stage, |_| {}, |request| request.state(ScheduleState::Enabled)).await;
    stage
        .overlay("/next/a", |overlay| (overlay.retention_in_days, overlay.retention_policy_name) = (Some(365), Some("theirs".to_owned())))
        .await;
    assert_eq!(ask().await, ["/next/a unsafe the account-level policy theirs overrides the log group's retention"]);
}

/// The tool with an EventBridge Scheduler that changes something at the second call, right before the first change.
async fn scheduler(stage: &Stage, second: impl Fn(&mut Value) + Send + 'static) -> Tool {
    let schedule = get(stage).await;
    let target = schedule.target().expect("a target");
    let target = json!({"Arn": target.arn(), "RoleArn": target.role_arn(), "Input": target.input()});
    let schedule = json!({"Name": schedule.name(), "State": "ENABLED", "Target": target});
    let calls = AtomicUsize::new(0);
    let url = endpoint(move |_, _| {
        let mut answer = schedule.clone();
        if calls.fetch_add(1, Ordering::Relaxed) == 1 {
            second(&mut answer);
        }
        (200, answer)
    });
    Tool::of(&stage.local).with("AWS_ENDPOINT_URL_SCHEDULER", &url.await)
}

async fn apply(tool: &Tool) -> ToolOutput {
    tool.run(&["retention", "60", "--apply", "--yes"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_after_the_check_prevent_the_change() {
    let name = "/race/a";
    let (stage, _) = stage(json!([name])).await;
    log_group(&stage, name).await;
    archive(&stage, json!([name])).await;
    let (objects, _) = archived(&stage, name).await;

    let tool = scheduler(&stage, |schedule| schedule["State"] = json!("DISABLED")).await;
    let output = apply(&tool).await;
    assert!(
        output.code == 2 && output.stderr.ends_with("error: somebody has changed the schedule meanwhile: repeat the command\n"),
        "{output:#?}"
    );

    let s3 = stage.s3();
    let bucket = stage.stack.bucket.clone();
    let tool = scheduler(&stage, move |_| {
        let delete = s3.delete_object().bucket(&bucket).key(&objects[0]).send();
        let delete = async { delete.await.map(drop).expect("the object is deleted") };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(delete));
    })
    .await;
    let output = apply(&tool).await;
    assert_eq!(output.code, 1, "{output:#?}");
    assert!(output.stderr.contains("/race/a was not changed: a shorter retention was safe, and is not safe any more.\n"), "{output:#?}");
    assert_eq!(retention_of(&stage, name).await, None);
}
