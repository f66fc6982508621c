//! `groups`, against the schedule of a deployed stack.

use aws_sdk_scheduler::{
    operation::get_schedule::GetScheduleOutput,
    types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState},
};
use aws_smithy_types::DateTime;
use e2e::{Archive, Stage};
use futures_util::{StreamExt, stream};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    schedule::{get, input_of, name, put_list, update},
    tool::Tool,
};

async fn stage() -> (Stage, Tool) {
    let stage = Stage::take().await;
    let tool = Tool::of(&stage.local);
    // A stage that another scenario has left has it.
    let _ = stage.logs().create_log_group().log_group_name("/aws/lambda/orders").send().await;
    put_list(&stage, json!(["/aws/lambda/orders"])).await;
    (stage, tool)
}

async fn list(archive: &Archive) -> Value {
    input_of(&get(archive).await)["logGroups"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_keeps_every_other_field_of_the_schedule() {
    let (stage, tool) = stage().await;
    stage.hello("/keeps/new").await;
    let window =
        FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Flexible).maximum_window_in_minutes(15).build().expect("a window");
    update(
        &stage,
        |input| input["compact"] = json!(true),
        |request| {
            request
                .state(ScheduleState::Disabled)
                .schedule_expression("cron(0 14 * * ? *)")
                .schedule_expression_timezone("Europe/Berlin")
                .description("theirs")
                .flexible_time_window(window)
                .start_date(DateTime::from_secs(1_800_000_000))
                .end_date(DateTime::from_secs(1_900_000_000))
                .kms_key_arn("arn:aws:kms:ap-northeast-1:000000000000:key/theirs")
        },
    )
    .await;
    let before = get(&stage).await;
    let ran = tool.run(&["groups", "add", "/keeps/new", "--yes"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "+ \"/keeps/new\"\n"), "{ran:#?}");
    let after = get(&stage).await;
    let input = after.target().and_then(|target| target.input()).expect("an input");
    assert_eq!(input.replace(r#", "/keeps/new"]"#, "]"), before.target().and_then(|target| target.input()).expect("an input"));
    assert_eq!(but_for_the_input(&after), but_for_the_input(&before));

    let ran = tool.run(&["groups", "remove", r#"{"logGroupName": "/keeps/new"}"#, "--yes", "--output", "json"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "{\"added\":[],\"removed\":[\"/keeps/new\"]}\n"), "{ran:#?}");
    assert_eq!(list(&stage).await, json!(["/aws/lambda/orders"]));
    let arn = "arn:aws:logs:ap-northeast-1:000000000000:log-group:/keeps/new:*";
    for (add, remove) in [(arn, "/keeps/new"), ("/keeps/new", arn)] {
        assert_eq!(tool.run(&["groups", "add", add, "--yes"]).await.code, 0);
        let ran = tool.run(&["groups", "remove", remove, "--yes"]).await;
        assert_eq!((ran.code, ran.stdout), (0, format!("- \"{add}\"\n")), "a name and its ARN are the same");
    }
    restore(&stage).await;
}

/// Every field but the input and the time of the last change.
fn but_for_the_input(schedule: &GetScheduleOutput) -> String {
    let mut target = schedule.target.clone().expect("a target");
    target.input = None;
    let GetScheduleOutput { arn, group_name, name, schedule_expression, start_date, end_date, description, .. } = schedule;
    let GetScheduleOutput { schedule_expression_timezone, state, creation_date, kms_key_arn, flexible_time_window, .. } = schedule;
    let named = (arn, group_name, name, schedule_expression, start_date, end_date, description, &schedule.action_after_completion);
    format!("{:#?}", (named, schedule_expression_timezone, state, creation_date, kms_key_arn, flexible_time_window, target))
}

/// As the stack made it, but for the list.
async fn restore(archive: &Archive) {
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().expect("a window");
    update(
        archive,
        |input| input["compact"] = json!(false),
        |request| request.schedule_expression("cron(0 13 * * ? *)").schedule_expression_timezone("Asia/Tokyo").flexible_time_window(window),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_refuses_or_warns_of_is_refused_and_nothing_is_changed() {
    let (stage, tool) = stage().await;
    stage.hello("/refused/there").await;
    stage.hello("/refused/infrequent").await;
    stage.overlay("/refused/infrequent", |overlay| overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    let right = "/refused/there";
    for (entry, says) in [
        (
            "/refused/*",
            r#"logGroups[2] is "/refused/*": to archive all log groups with this prefix, write {"logGroupNamePrefix": "/refused/"}"#,
        ),
        ("a b", r#"logGroups[2] is "a b": a log group name has 1 to 512 characters"#),
        ("{", "{ is no JSON object"),
        (r#"{"name": "/x"}"#, "give exactly one of logGroupName and logGroupNamePrefix"),
        ("arn:aws:logs:us-east-1:000000000000:log-group:/x", "must be in account 000000000000 and Region ap-northeast-1"),
        (
            r#"{"logGroupName": "/aws/lambda/orders", "logStreamNamePrefix": "a"}"#,
            "logGroups[0] and logGroups[2] would write to the same place",
        ),
        ("/aws/lambda/orders", "logGroups[2] is the same as logGroups[0], and counts once: leave it out"),
        ("/refused/not-there", "log group /refused/not-there does not exist"),
        ("/refused/infrequent", "log group /refused/infrequent is not of the class Standard"),
        (r#"{"logGroupNamePrefix": "/refused/none"}"#, "the entry /refused/none* matches no log group"),
    ] {
        let ran = tool.run(&["groups", "add", right, entry, "--yes"]).await;
        assert!(ran.code == 2 && ran.stdout.is_empty() && ran.stderr.contains(says), "{entry}: {ran:#?}");
    }
    let ran = tool.run(&["groups", "remove", "/aws/lambda/orders", "--yes"]).await;
    assert!(ran.code == 2 && ran.stderr.contains("logGroups is []: name at least one log group"), "{ran:#?}");
    let ran = tool.run(&["groups", "remove", "/refused/there", "--yes"]).await;
    assert!(ran.code == 2 && ran.stderr.contains(r#"has no entry "/refused/there": `logs-archive groups list` shows"#), "{ran:#?}");
    let ran = tool.run(&["groups", "add", right]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, "+ \"/refused/there\"\n"), "{ran:#?}");
    assert!(ran.stderr.contains("nothing was changed, because stdin is no terminal to ask at: repeat the command with --yes"), "{ran:#?}");
    assert_eq!(list(&stage).await, json!(["/aws/lambda/orders"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_tells_of_the_deployment_that_would_undo_it() {
    let (stage, tool) = stage().await;
    stage.hello("/told/it").await;
    let entry = r#"{"logGroupNamePrefix": "/told/", "exclude": ["/told/no*"]}"#;
    let ran = tool.run(&["groups", "add", entry, "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:#?}");
    let json = r#"["/aws/lambda/orders",{"exclude":["/told/no*"],"logGroupNamePrefix":"/told/"}]"#;
    for says in [
        "The parameter LogGroups of stack cloudwatch-logs-archive has another list".to_owned(),
        format!("sam deploy --parameter-overrides 'LogGroups=\"{}\"'\n", json.replace('"', "\\\"")),
        format!("aws cloudformation deploy --parameter-overrides 'LogGroups={json}'\n"),
    ] {
        assert!(ran.stderr.contains(&says), "{says}\n{ran:#?}");
    }
    // Back to the parameter's own list: nothing to tell.
    let ran = tool.run(&["groups", "remove", entry, "--yes"]).await;
    assert!(ran.code == 0 && !ran.stderr.contains("LogGroups"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_how_many_log_groups_each_entry_matches_in_bounded_calls() {
    let (stage, tool) = stage().await;
    let logs = stage.logs();
    let create = |number: usize| {
        let request = logs.create_log_group().log_group_name(format!("/many/{number:04}"));
        async move { request.send().await.map(drop).expect("a log group") }
    };
    stream::iter((0..5000).map(create)).buffer_unordered(16).collect::<Vec<()>>().await;
    let entries = json!(["/aws/lambda/orders", "/gone", {"logGroupNamePrefix": "/many/", "exclude": ["/many/00*"]}]);
    put_list(&stage, entries.clone()).await;
    let before = describes(&stage).await;
    let ran = tool.run(&["groups", "list"]).await;
    let calls = describes(&stage).await - before;
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((ran.code, &rows[1], &rows[2]), (0, &vec!["/aws/lambda/orders", "1"], &vec!["/gone", "0"]), "{ran:#?}");
    assert_eq!((rows[3].last(), rows.len()), (Some(&"4900"), 4), "{ran:#?}");
    assert!(calls <= 103, "{calls} calls");
    assert_eq!(tool.json(0, &["groups", "list"]).await, entries);
    assert!(name(&stage).await.starts_with("cloudwatch-logs-archive"));
}

async fn describes(archive: &Archive) -> usize {
    let journal = archive.local.call(Method::GET, "/_local/requests", None).await.expect("the journal");
    let requests = journal["requests"].as_array().expect("a list");
    requests.iter().filter(|request| request["app"] == "logs-archive" && request["operation"] == "DescribeLogGroups").count()
}
