//! `plan` shows what a run would do, and changes nothing.

use e2e::{DAY, FROM, MONTH, S3_PREFIX, Stage, TO, assert_counts, decided, place};
use local_aws::Engine;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::list::{calls_of_tool, outcomes, requests_of_tool, snapshot, stage};

/// The planned rows in the format of [`decided`], which reads a report.
fn as_decided(rows: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = rows
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| {
            let (outcome, why) = match row["outcome"].as_str()? {
                "archived" => return None,
                "export" => ("exported", String::new()),
                "nothingYet" => ("nothingYet", String::new()),
                other => (other, [text(&row["reason"]), text(&row["error"])].concat()),
            };
            Some(format!("{} {} {outcome} {why}", text(&row["logGroup"]), text(&row["month"])).trim_end().to_owned())
        })
        .collect();
    lines.sort();
    lines
}

/// The log group and the window of each row, which are at the pointers `from` and `to`.
fn windows<'a>(rows: impl Iterator<Item = &'a Value>, name: fn(&Value) -> &Value, from: &str, to: &str) -> Vec<Value> {
    let mut windows: Vec<_> = rows.map(|row| json!([name(row), row.pointer(from), row.pointer(to)])).collect();
    windows.sort_by_key(Value::to_string);
    windows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_matches_the_run_and_writes_nothing() {
    let names = ["archived", "class", "damaged", "event", "idle", "retention", "unborn", "young"].map(|name| format!("/plan/{name}"));
    let list = json!([{"logGroupNamePrefix": "/plan/"}, "/plan-of-none"]);
    let (stage, tool) = stage(Engine::Ministack, list.clone()).await;
    for name in &names {
        stage.hello(name).await;
    }
    stage.log_group("/plan/never", &[(FROM - 20 * DAY, "before")]).await;
    stage.overlay("/plan/class", |it| it.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    stage.overlay("/plan/retention", |it| it.retention_in_days = Some(30)).await;
    stage.overlay("/plan/unborn", |it| it.creation_time = Some(TO + 15 * DAY)).await;
    stage.overlay("/plan/young", |it| it.creation_time = Some(FROM + DAY)).await;
    stage.run_exports(&["/plan/archived", "/plan/damaged"]).await;
    stage.delete(&stage.data_keys("/plan/damaged").await).await;

    let before = snapshot(&stage).await;
    let plan = tool.json(0, &["plan", "--month", MONTH]).await;
    assert_eq!(snapshot(&stage).await, before, "a plan changes nothing");
    assert_eq!(
        outcomes(&plan),
        [
            "/plan-of-none warned LogGroupNotFound",
            "/plan/archived archived AlreadyArchived",
            "/plan/class warned LogClassNotExportable",
            "/plan/damaged export",
            "/plan/event export",
            "/plan/idle export",
            "/plan/never skipped NoEventsInMonth",
            "/plan/retention export RetentionShorterThanMonth",
            "/plan/unborn skipped CreatedAfterMonth",
            "/plan/young export CreatedDuringMonth",
        ]
    );
    let repairs = plan[3]["repairs"].as_str().expect("a reason");
    assert!(repairs.starts_with("it states 1 objects of ") && repairs.ends_with(", but its task's folder has 0 of 0 bytes"), "{plan:#}");
    let times = ["fromUtc", "toUtc", "fromLocal", "toLocal", "destinationPrefix"].map(|field| plan[4][field].clone());
    let expected = [
        "2024-09-30T15:00:00.000Z",
        "2024-10-31T14:59:59.999Z",
        "2024-10-01T00:00:00.000+09:00",
        "2024-10-31T23:59:59.999+09:00",
        &place(S3_PREFIX, "/plan/event"),
    ];
    assert_eq!(times, expected.map(|text| json!(text)));

    let arn = stage.start(list).await;
    let output = stage.wait_well(&arn).await;
    assert_counts(&output, json!({"alreadyArchived": 1, "exported": 5, "skipped": 2, "warned": 2}));
    let report = stage.report(&arn).await;
    assert_eq!(decided(&report), as_decided(&plan));
    let of_report = report["decided"].as_array().expect("a list").iter();
    let of_plan = plan.as_array().expect("a list").iter().filter(|row| row["outcome"] != "archived");
    assert_eq!(
        windows(of_plan, |row| &row["logGroup"], "/from", "/to"),
        windows(of_report, |decided| &decided["source"]["logGroupName"], "/window/from", "/window/to")
    );
}

/// The run that the schedule would start now has its months, and the windows that an earlier run could not export.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_month_it_plans_the_scheduled_run() {
    let list = json!(["/scheduled/fails", "/scheduled/waits"]);
    let (stage, tool) = stage(Engine::Ministack, list.clone()).await;
    for log_group in ["/scheduled/fails", "/scheduled/waits"] {
        stage.hello(log_group).await;
    }
    stage.fault(json!({"logGroupName": "/scheduled/fails", "status": "FAILED", "message": "no", "times": 4})).await;
    let scheduled = |time: &str| json!({"scheduledTime": time, "settleDays": 0, "compact": false, "logGroups": list});
    stage.run_badly(&scheduled("2024-11-01T04:00:00Z")).await;

    let output = tool.run(&["plan", "--output", "jsonl"]).await;
    assert_eq!(output.code, 0, "{output:#?}");
    assert!(output.stderr.contains("The scheduled run, if it started now, 2024-10 to "), "{output:#?}");
    assert!(output.stderr.contains(" is off: start the run with `logs-archive run`"), "{output:#?}");
    let plan: Value = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON")).collect();
    let october: Value = plan.as_array().expect("a list").iter().filter(|row| row["month"] == MONTH).cloned().collect();
    assert_eq!(outcomes(&october), ["/scheduled/fails export", "/scheduled/waits archived AlreadyArchived"]);

    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let arn = stage.start_input(&scheduled(&now)).await;
    stage.wait(&arn).await;
    assert_eq!(decided(&stage.report(&arn).await), as_decided(&plan));
    assert!(plan.as_array().is_some_and(|rows| rows.len() > 40), "the months until now: {plan:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn globs_and_names_narrow_the_list() {
    let list = json!([{"logGroupNamePrefix": "/narrow/", "s3Prefix": "narrow", "exclude": ["/narrow/out*"]}]);
    let (stage, tool) = stage(Engine::Ministack, list).await;
    for name in ["/narrow/a1", "/narrow/a2", "/narrow/b/$LATEST", "/narrow/out", "/elsewhere"] {
        stage.hello(name).await;
    }
    let plan = |groups: &'static [&'static str]| {
        let arguments: Vec<_> = ["plan", "--month", MONTH].into_iter().chain(groups.iter().flat_map(|group| ["--group", group])).collect();
        let tool = &tool;
        async move { tool.json(0, &arguments).await }
    };
    for (groups, expected) in [
        (&[][..], &["/narrow/a1 export", "/narrow/a2 export"][..]),
        (&["/narrow/a?"], &["/narrow/a1 export", "/narrow/a2 export"]),
        (&["*2"], &["/narrow/a2 export"]),
        // No entry matches the first, and the only entry excludes the second. Both get the stack's defaults.
        (&["/elsewhere", "/narrow/out", "*1"], &["/elsewhere export", "/narrow/a1 export", "/narrow/out export"]),
    ] {
        let rows = plan(groups).await;
        let rows: Vec<_> = outcomes(&rows).into_iter().filter(|row| !row.contains("LATEST")).collect();
        assert_eq!(rows, expected, "{groups:?}");
    }
    let rows = plan(&["/narrow/a1", "/elsewhere"]).await;
    let prefixes: Vec<_> = rows.as_array().expect("a list").iter().map(|row| row["destinationPrefix"].clone()).collect();
    assert_eq!(prefixes, [json!(place(S3_PREFIX, "/elsewhere")), json!(place("narrow", "/narrow/a1"))]);

    for (group, message) in
        [("/none/*", "error: --group /none/* matches no log group of the schedule's list: "), ("/a b", "error: --group is \"/a b\": ")]
    {
        let output = tool.run(&["plan", "--group", group]).await;
        assert!(output.code == 2 && output.stderr.starts_with(message) && output.stdout.is_empty(), "{output:#?}");
    }
    let output = tool.run(&["plan", "--month", MONTH, "--group", "/elsewhere"]).await;
    assert!(
        output.stderr.contains("no entry of the schedule's list matches /elsewhere: the plan uses the stack's defaults for it"),
        "{output:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_would_fail_is_a_finding_with_advice() {
    let (stage, tool) = stage(Engine::Ministack, json!([{"logGroupName": "/taken", "logStreamNamePrefix": "other"}])).await;
    stage.hello("/taken").await;
    stage.run_well(&stage.input(json!([{"logGroupName": "/taken", "logStreamNamePrefix": "ma"}]))).await;
    let output = tool.run(&["plan", "--month", MONTH]).await;
    assert_eq!(output.code, 1, "{output:#?}");
    assert!(output.stdout.contains(" failed ") && output.stdout.contains(" PlaceTaken "), "{output:#?}");
    assert!(
        output.stderr.contains("failed: /taken 2024-10: PlaceTaken: ") && output.stderr.contains("Give the entry another s3Prefix"),
        "{output:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_and_cost_come_from_earlier_exports_and_the_holder_of_the_slot_is_named() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/hours/known", "/hours/new"])).await;
    let november = TO + 1;
    for name in ["/hours/known", "/hours/new"] {
        stage.log_group(name, &[(FROM, "before"), (november, "after")]).await;
    }
    let rows = tool.json(0, &["plan", "--month", "2024-11"]).await;
    assert_eq!((&rows[0]["slotHours"], &rows[0]["slotHoursFrom"]), (&Value::Null, &Value::Null), "no earlier export: {rows:#}");

    // Half an hour for each of 31 days.
    stage.hours_per_day(0.5).await;
    stage.run_exports(&["/hours/known"]).await;
    stage.hours_per_day(0.0).await;
    stage.hold_tasks().await;
    let task = stage.foreign_task("/hours/new").await;
    let output = tool.run(&["plan", "--month", "2024-11", "--output", "json"]).await;
    let rows: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let hours = |row: usize| (rows[row]["slotHours"].as_f64().expect("hours"), rows[row]["slotHoursFrom"].clone());
    let ((known, known_from), (new, new_from)) = (hours(0), hours(1));
    assert_eq!([&rows[0]["logGroup"], &known_from, &new_from], [&json!("/hours/known"), &json!("manifests"), &json!("storedBytes")]);
    assert!((14.9..15.1).contains(&known), "half an hour for each of 30 days: {rows:#}");
    assert!((known / 2.0..known * 2.0).contains(&new), "it has as many bytes: {rows:#}");
    let cost = rows[0]["costUsd"].as_f64().expect("a cost");
    assert!((0.005..0.012).contains(&cost), "240 polls or so: {rows:#}");
    let holder = format!("The export slot is held by task {task} of log group /hours/new, another tool's, PENDING for ");
    assert!(output.stderr.contains(&holder), "{output:#?}");
    stage.let_tasks_go().await;
}

/// The number of calls depends on the number of pages only.
#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_log_groups_are_planned_and_checked_in_a_hundred_calls() {
    const COUNT: usize = 5_000;
    let (stage, tool) = stage(Engine::Ministack, json!([{"logGroupNamePrefix": "/thousands/"}])).await;
    let logs = stage.logs();
    let mut creating = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let logs = logs.clone();
        creating.spawn(async move {
            for number in (worker..COUNT).step_by(8) {
                logs.create_log_group().log_group_name(format!("/thousands/{number:04}")).send().await.expect("a log group");
            }
        });
    }
    creating.join_all().await;
    let before = describes(&stage).await;
    let rows = tool.json(0, &["plan", "--month", MONTH]).await;
    let rows = outcomes(&rows);
    assert_eq!((rows.len(), rows[4_999].as_str()), (COUNT, "/thousands/4999 skipped CreatedAfterMonth"));
    let after = describes(&stage).await;
    assert_eq!([after[0] - before[0], after[1] - before[1]], [100, 0], "pages of 50, and no look at log streams");
    assert!(after[2] - before[2] <= 10, "{} listings of the bucket", after[2] - before[2]);

    let all = requests_of_tool(&stage).await.len();
    let output = tool.run(&["doctor", "--output", "json"]).await;
    let found: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:#?}"));
    let names: Vec<&Value> = found.as_array().expect("a list").iter().map(|finding| &finding["name"]).collect();
    assert_eq!(names, [&json!("ListDiffers")], "{found:#}");
    assert_eq!(describes(&stage).await[0] - after[0], 100, "pages of 50");
    let calls = requests_of_tool(&stage).await.len() - all;
    assert!(calls <= 100 + 80, "{calls} calls");
}

async fn describes(stage: &Stage) -> [usize; 3] {
    [
        calls_of_tool(stage, "DescribeLogGroups").await,
        calls_of_tool(stage, "DescribeLogStreams").await,
        calls_of_tool(stage, "ListObjectsV2").await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_is_not_a_failure_of_plan() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/unread"])).await;
    stage.hello("/unread").await;
    let mut plan = tool.command(&["plan", "--month", MONTH]).spawn().expect("the tool starts");
    drop(plan.stdout.take());
    let mut stderr = String::new();
    plan.stderr.take().expect("a pipe").read_to_string(&mut stderr).await.expect("UTF-8");
    assert_eq!(plan.wait().await.expect("it ends").code(), Some(0), "{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("error: "), "{stderr}");
}
