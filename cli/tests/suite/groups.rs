//! `groups` shows and edits the schedule of a deployed stack.

use aws_sdk_scheduler::{
    operation::get_schedule::GetScheduleOutput,
    types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState},
};
use aws_smithy_types::DateTime;
use e2e::{Archive, Stage};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    list::calls_of_tool,
    schedule::{get, input_of, name, put_list, update},
    tool::Tool,
};

async fn stage() -> (Stage, Tool) {
    let (stage, tool) = Tool::on_stage().await;
    // On a stage that was used before, the log group exists.
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
    let output = tool.run(&["groups", "add", "/keeps/new", "--yes"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, "+ \"/keeps/new\"\n"), "{output:#?}");
    let after = get(&stage).await;
    let input = after.target().and_then(|target| target.input()).expect("an input");
    assert_eq!(input.replace(r#", "/keeps/new"]"#, "]"), before.target().and_then(|target| target.input()).expect("an input"));
    assert_eq!(without_input(&after), without_input(&before));

    let output = tool.run(&["groups", "remove", r#"{"logGroupName": "/keeps/new"}"#, "--yes", "--output", "json"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, "{\"added\":[],\"removed\":[\"/keeps/new\"]}\n"), "{output:#?}");
    assert_eq!(list(&stage).await, json!(["/aws/lambda/orders"]));
    let arn = "arn:aws:logs:ap-northeast-1:000000000000:log-group:/keeps/new:*";
    for (add, remove) in [(arn, "/keeps/new"), ("/keeps/new", arn)] {
        assert_eq!(tool.run(&["groups", "add", add, "--yes"]).await.code, 0);
        let output = tool.run(&["groups", "remove", remove, "--yes"]).await;
        assert_eq!((output.code, output.stdout), (0, format!("- \"{add}\"\n")), "a name and its ARN are the same");
    }
    restore(&stage).await;
}

/// Every field except the input and the time of the last change.
fn without_input(schedule: &GetScheduleOutput) -> String {
    let mut target = schedule.target.clone().expect("a target");
    target.input = None;
    let GetScheduleOutput { arn, group_name, name, schedule_expression, start_date, end_date, description, .. } = schedule;
    let GetScheduleOutput { schedule_expression_timezone, state, creation_date, kms_key_arn, flexible_time_window, .. } = schedule;
    let named = (arn, group_name, name, schedule_expression, start_date, end_date, description, &schedule.action_after_completion);
    format!("{:#?}", (named, schedule_expression_timezone, state, creation_date, kms_key_arn, flexible_time_window, target))
}

/// Restores the stack's schedule, except for the list.
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
async fn an_entry_that_exports_nothing_is_refused() {
    let (stage, tool) = stage().await;
    stage.hello("/refused/present").await;
    stage.hello("/refused/infrequent").await;
    stage.overlay("/refused/infrequent", |overlay| overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    let valid = "/refused/present";
    for (entry, message) in [
        (
            "/refused/*",
            r#"logGroups[2] is "/refused/*": to archive all log groups with this prefix, write {"logGroupNamePrefix": "/refused/"}"#,
        ),
        ("a b", r#"logGroups[2] is "a b": a log group name has 1 to 512 characters"#),
        ("{", "{ is not a JSON object"),
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
        let output = tool.run(&["groups", "add", valid, entry, "--yes"]).await;
        assert!(output.code == 2 && output.stdout.is_empty() && output.stderr.contains(message), "{entry}: {output:#?}");
    }
    let output = tool.run(&["groups", "remove", "/aws/lambda/orders", "--yes"]).await;
    assert!(output.code == 2 && output.stderr.contains("logGroups is []: name at least one log group"), "{output:#?}");
    let output = tool.run(&["groups", "remove", "/refused/present", "--yes"]).await;
    assert!(
        output.code == 2 && output.stderr.contains(r#"has no entry "/refused/present": `logs-archive groups list` shows"#),
        "{output:#?}"
    );
    let output = tool.run(&["groups", "add", valid]).await;
    assert_eq!((output.code, output.stdout.as_str()), (2, "+ \"/refused/present\"\n"), "{output:#?}");
    assert!(output.stderr.contains("nothing was changed, because stdin is not a terminal: repeat the command with --yes"), "{output:#?}");
    assert_eq!(list(&stage).await, json!(["/aws/lambda/orders"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_shows_how_to_keep_the_list_in_a_deployment() {
    let (stage, tool) = stage().await;
    stage.hello("/edit/it").await;
    let entry = r#"{"logGroupNamePrefix": "/edit/", "exclude": ["/edit/no*"]}"#;
    let output = tool.run(&["groups", "add", entry, "--yes"]).await;
    assert_eq!(output.code, 0, "{output:#?}");
    let json = r#"["/aws/lambda/orders",{"exclude":["/edit/no*"],"logGroupNamePrefix":"/edit/"}]"#;
    for message in [
        "The parameter LogGroups of stack cloudwatch-logs-archive has another list".to_owned(),
        format!("sam deploy --parameter-overrides 'LogGroups=\"{}\"'\n", json.replace('"', "\\\"")),
        format!("aws cloudformation deploy --parameter-overrides 'LogGroups={json}'\n"),
    ] {
        assert!(output.stderr.contains(&message), "{message}\n{output:#?}");
    }
    // The list is that of the parameter again.
    let output = tool.run(&["groups", "remove", entry, "--yes"]).await;
    assert!(output.code == 0 && !output.stderr.contains("LogGroups"), "{output:#?}");
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
    let before = calls_of_tool(&stage, "DescribeLogGroups").await;
    let output = tool.run(&["groups", "list"]).await;
    let calls = calls_of_tool(&stage, "DescribeLogGroups").await - before;
    let rows: Vec<Vec<&str>> = output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((output.code, &rows[1], &rows[2]), (0, &vec!["/aws/lambda/orders", "1"], &vec!["/gone", "0"]), "{output:#?}");
    assert_eq!((rows[3].last(), rows.len()), (Some(&"4900"), 4), "{output:#?}");
    assert!(calls <= 103, "{calls} calls");
    assert_eq!(tool.json(0, &["groups", "list"]).await, entries);
    assert!(name(&stage).await.starts_with("cloudwatch-logs-archive"));
}
