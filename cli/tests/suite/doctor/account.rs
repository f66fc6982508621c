//! What the stack has around it: roles, topic, slot, alarms.

use aws_sdk_cloudwatch::types::StateValue;
use e2e::Archive;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{findings, finds, finds_and_mends, healthy, physical, shell};

#[tokio::test(flavor = "multi_thread")]
async fn the_roles() {
    let (archive, tool) = healthy("OFF").await;
    let iam = aws_sdk_iam::Client::new(&archive.local.sdk_config());
    let [plan, create, check] = ["PlanExportsRole", "CreateExportTaskRole", "CheckExportTaskRole"].map(|role| physical(&archive, role));
    let (plan, create, check) = (plan.await, create.await, check.await);
    iam.delete_role_policy().role_name(&plan).policy_name("PlanExports").send().await.expect("it goes");
    let deny =
        json!({"Version": "2012-10-17", "Statement": [{"Sid": "NoExports", "Effect": "Deny", "Action": "logs:Create*", "Resource": "*"}]});
    iam.put_role_policy().role_name(&create).policy_name("Freeze").policy_document(deny.to_string()).send().await.expect("it is there");
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    iam.update_assume_role_policy().role_name(&check).policy_document(trust.to_string()).send().await.expect("it is changed");
    let machine = physical(&archive, "ExportLogsStateMachineRole").await;
    for policy in iam.list_role_policies().role_name(&machine).send().await.expect("its policies").policy_names {
        iam.delete_role_policy().role_name(&machine).policy_name(policy).send().await.expect("it goes");
    }
    iam.delete_role().role_name(&machine).send().await.expect("it goes");
    let expected = [
        (
            "RoleLacksPermission",
            "The role does not allow what its policy PlanExports should: logs:DescribeLogGroups on arn:aws:logs:ap-northeast-1:000000000000:log-group:*",
        ),
        ("RoleDenied", r#"The statement "NoExports" of the role's policy Freeze denies logs:CreateExportTask"#),
        ("RoleNotTrusted", "The role does not trust lambda.amazonaws.com."),
        ("RoleNotFound", "The role does not exist."),
    ];
    finds_and_mends(&archive, &tool, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slot_and_alarms() {
    let (archive, tool) = healthy("OFF").await;
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&archive.local.sdk_config());
    let alarm = |name: &str| format!("cloudwatch-logs-archive-{name}");
    for name in ["RunFailed", "StartFailed"] {
        cloudwatch.delete_alarms().alarm_names(alarm(name)).send().await.expect("it goes");
    }
    cloudwatch.disable_alarm_actions().alarm_names(alarm("MissingMonths")).send().await.expect("they are off");
    archive.hold_tasks().await;
    archive.foreign_task("/aws/lambda/orders").await;
    let expected = [
        ("AlarmNotFound", "The alarm does not exist."),
        ("AlarmNotFound", "The alarm does not exist."),
        ("AlarmActionsOff", "The alarm's actions are switched off."),
        ("SlotHeldByOthers", "of log group /aws/lambda/orders to bucket"),
    ];
    let found = finds(&tool, &expected).await;
    // ministack takes the metric math of PutMetricAlarm, and drops it.
    let run_failed = found.iter().find(|finding| finding["resource"] == alarm("RunFailed")).expect("it is found");
    let created: Value =
        serde_json::from_str(run_failed["fix"].as_str().and_then(|fix| fix.split('\'').nth(1)).expect("its JSON")).expect("JSON");
    let metrics = created["Metrics"].as_array().expect("a list");
    assert_eq!((metrics.len(), &created["AlarmActions"]), (6, &json!([archive.stack.topic_arn])));
    assert_eq!(metrics[0]["Expression"], "IF((failed + timedOut + aborted + unsuccessful) > 0, 1, unsuccessful)");
    finds_and_mends(&archive, &tool, &expected).await;

    archive.let_tasks_go().await;
    archive.fault(json!({"logGroupName": "/aws/lambda/orders", "status": "RUNNING", "ageMs": 27 * 3_600_000})).await;
    archive.foreign_task("/aws/lambda/orders").await;
    finds_and_mends(&archive, &tool, &[("SlotHeldTooLong", "holds the slot for 27 h 00 min; it is RUNNING.")]).await;

    // No command ends an alarm: it ends with its cause.
    set_state(&archive, &alarm("MissingMonths"), StateValue::Alarm).await;
    let found = finds(&tool, &[("AlarmInAlarm", "Months that are due are not archived.")]).await;
    assert_eq!(found[0]["fix"], "logs-archive run");
    set_state(&archive, &alarm("MissingMonths"), StateValue::Ok).await;
    finds(&tool, &[]).await;
}

async fn set_state(archive: &Archive, alarm: &str, state: StateValue) {
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&archive.local.sdk_config());
    cloudwatch.set_alarm_state().alarm_name(alarm).state_value(state).state_reason("test").send().await.expect("it is set");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic() {
    let (archive, tool) = healthy("OFF").await;
    let sns = aws_sdk_sns::Client::new(&archive.local.sdk_config());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let endpoint = format!("http://{}/alarms", listener.local_addr().expect("an address"));
    sns.subscribe().topic_arn(&archive.stack.topic_arn).protocol("http").endpoint(&endpoint).send().await.expect("a subscription");
    let token = confirmation(&listener).await;
    let pending = format!("{endpoint} has not confirmed its subscription.");
    let found = finds(&tool, &[("SubscriptionPending", &pending)]).await;
    // It asks anew; whoever is asked confirms.
    shell(&archive, &tool, found[0]["fix"].as_str().expect("a command")).await;
    sns.confirm_subscription().topic_arn(&archive.stack.topic_arn).token(token).send().await.expect("it is confirmed");
    finds(&tool, &[]).await;

    sns.delete_topic().topic_arn(&archive.stack.topic_arn).send().await.expect("it goes");
    let found = finds(&tool, &[("TopicNotFound", "does not exist")]).await;
    shell(&archive, &tool, found[0]["fix"].as_str().expect("a command")).await;
    assert_eq!(findings(&tool).await, [json!(null); 0]);
}

/// The token of the request that Amazon SNS sends to a new endpoint.
async fn confirmation(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut request = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.expect("a request");
        request += &String::from_utf8_lossy(&buffer[..read]);
        if let Some(token) = request.split(r#""Token": ""#).nth(1).and_then(|rest| rest.split_once('"')) {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("an answer");
            return token.0.to_owned();
        }
        assert!(read > 0, "{request}");
    }
}
