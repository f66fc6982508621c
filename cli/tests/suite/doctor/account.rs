//! The roles, topic, export slot and alarms of the stack.

use aws_sdk_cloudwatch::types::StateValue;
use e2e::Archive;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{finds, finds_and_fixes, healthy, physical_id, shell};

#[tokio::test(flavor = "multi_thread")]
async fn the_roles() {
    const BOUNDARY: &str = "arn:aws:iam::000000000000:policy/Limits";
    let (archive, tool) = healthy(&[("PermissionsBoundaryArn", BOUNDARY)]).await;
    let iam = aws_sdk_iam::Client::new(&archive.local.sdk_config());
    let roles = ["PlanExportsRole", "CreateExportTaskRole", "CheckExportTaskRole", "ReportArchiveRole"];
    let [plan, create, check, report] = roles.map(|role| physical_id(&archive, role));
    let (plan, create, check, report) = (plan.await, create.await, check.await, report.await);
    let limits = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "NotAction": "sns:*", "Resource": "*"}});
    iam.create_policy().policy_name("Limits").policy_document(limits.to_string()).send().await.expect("a policy");
    iam.put_role_permissions_boundary().role_name(&report).permissions_boundary(BOUNDARY).send().await.expect("it is limited");
    iam.delete_role_policy().role_name(&plan).policy_name("PlanExports").send().await.expect("it is deleted");
    let deny =
        json!({"Version": "2012-10-17", "Statement": [{"Sid": "NoExports", "Effect": "Deny", "Action": "logs:Create*", "Resource": "*"}]});
    iam.put_role_policy().role_name(&create).policy_name("Freeze").policy_document(deny.to_string()).send().await.expect("it is there");
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    iam.update_assume_role_policy().role_name(&check).policy_document(trust.to_string()).send().await.expect("it is changed");
    let machine = physical_id(&archive, "ExportLogsStateMachineRole").await;
    for policy in iam.list_role_policies().role_name(&machine).send().await.expect("its policies").policy_names {
        iam.delete_role_policy().role_name(&machine).policy_name(policy).send().await.expect("it is deleted");
    }
    iam.delete_role().role_name(&machine).send().await.expect("it is deleted");
    let expected = [
        (
            "RoleLacksPermission",
            "The role does not allow what its policy PlanExports should: logs:DescribeLogGroups on arn:aws:logs:ap-northeast-1:000000000000:log-group:*",
        ),
        ("RoleDenied", r#"The statement "NoExports" of the role's policy Freeze denies logs:CreateExportTask"#),
        ("RoleNotTrusted", "The role does not trust lambda.amazonaws.com."),
        (
            "RoleLimited",
            "The role's permissions boundary arn:aws:iam::000000000000:policy/Limits does not allow sns:Publish on arn:aws:sns:",
        ),
        ("RoleNotFound", "The role does not exist."),
    ];
    finds_and_fixes(&archive, &tool, &expected).await;
    let again = iam.get_role().role_name(&machine).send().await.expect("the role").role.expect("the role");
    assert_eq!(again.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn()), Some(BOUNDARY));
}

/// Without the nested stack, the expected alarms are unknown.
#[tokio::test(flavor = "multi_thread")]
async fn a_stack_without_a_nested_stack() {
    let (archive, tool) = healthy(&[]).await;
    let cloudformation = aws_sdk_cloudformation::Client::new(&archive.local.sdk_config());
    let monitoring = physical_id(&archive, "MonitoringStack").await;
    cloudformation.delete_stack().stack_name(monitoring).send().await.expect("it is deleted");
    let what = "The nested stack MonitoringStack does not exist. Use the tool of the stack's version, or deploy";
    let found = finds(&tool, &[("StackIncomplete", what)]).await;
    assert_eq!(found[0]["fix"], "sam build && sam deploy --region ap-northeast-1 --stack-name cloudwatch-logs-archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn slot_and_alarms() {
    let (archive, tool) = healthy(&[]).await;
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&archive.local.sdk_config());
    let alarm = |name: &str| format!("cloudwatch-logs-archive-{name}");
    for name in ["RunFailed", "StartFailed"] {
        cloudwatch.delete_alarms().alarm_names(alarm(name)).send().await.expect("it is deleted");
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
    // ministack drops the metric math of PutMetricAlarm, so the test checks the command.
    let run_failed = found.iter().find(|finding| finding["resource"] == alarm("RunFailed")).expect("it is found");
    let created: Value =
        serde_json::from_str(run_failed["fix"].as_str().and_then(|fix| fix.split('\'').nth(1)).expect("its JSON")).expect("JSON");
    let metrics = created["Metrics"].as_array().expect("a list");
    assert_eq!((metrics.len(), &created["AlarmActions"]), (6, &json!([archive.stack.topic_arn])));
    assert_eq!(metrics[0]["Expression"], "IF((failed + timedOut + aborted + unsuccessful) > 0, 1, unsuccessful)");
    finds_and_fixes(&archive, &tool, &expected).await;

    archive.let_tasks_go().await;
    archive.fault(json!({"logGroupName": "/aws/lambda/orders", "status": "RUNNING", "ageMs": 27 * 3_600_000})).await;
    archive.foreign_task("/aws/lambda/orders").await;
    finds_and_fixes(&archive, &tool, &[("SlotHeldTooLong", "holds the slot for 27 h 00 min; it is RUNNING.")]).await;

    // An alarm ends when its cause ends. The command starts a run.
    set_state(&archive, &alarm("MissingMonths"), StateValue::Alarm).await;
    let found = finds(&tool, &[("AlarmInAlarm", "Months that are due are not archived.")]).await;
    shell(&archive, &tool, found[0]["fix"].as_str().expect("a command")).await;
    let runs = archive.local.step_functions().list_executions().state_machine_arn(&archive.stack.state_machine_arn).send().await;
    let [run] = runs.expect("a list").executions.try_into().expect("one run");
    archive.wait_well(&run.execution_arn).await;
    let report = archive.report(&run.execution_arn).await;
    assert!(report["scheduled_time"].is_string(), "it judges the whole list: {report:#}");
    set_state(&archive, &alarm("MissingMonths"), StateValue::Ok).await;
    finds(&tool, &[]).await;
}

async fn set_state(archive: &Archive, alarm: &str, state: StateValue) {
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&archive.local.sdk_config());
    cloudwatch.set_alarm_state().alarm_name(alarm).state_value(state).state_reason("test").send().await.expect("it is set");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic() {
    let (archive, tool) = healthy(&[("NotificationEmail", "ops@example.com")]).await;
    let sns = aws_sdk_sns::Client::new(&archive.local.sdk_config());
    let subscriptions = sns.list_subscriptions_by_topic().topic_arn(&archive.stack.topic_arn).send().await.expect("a list");
    let arn = subscriptions.subscriptions()[0].subscription_arn().expect("an ARN").to_owned();
    sns.unsubscribe().subscription_arn(arn).send().await.expect("it is deleted");
    let listed = sns.list_subscriptions_by_topic().topic_arn(&archive.stack.topic_arn).send().await.expect("a list");
    assert_eq!(listed.subscriptions()[0].subscription_arn(), Some("Deleted"));
    finds_and_fixes(&archive, &tool, &[("NobodySubscribed", "ops@example.com is not subscribed to the topic.")]).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let endpoint = format!("http://{}/alarms", listener.local_addr().expect("an address"));
    sns.subscribe().topic_arn(&archive.stack.topic_arn).protocol("http").endpoint(&endpoint).send().await.expect("a subscription");
    let token = confirmation(&listener).await;
    let pending = format!("{endpoint} has not confirmed its subscription.");
    let found = finds(&tool, &[("SubscriptionPending", &pending)]).await;
    // The command sends a new confirmation, and the test confirms.
    shell(&archive, &tool, found[0]["fix"].as_str().expect("a command")).await;
    sns.confirm_subscription().topic_arn(&archive.stack.topic_arn).token(token).send().await.expect("it is confirmed");
    finds(&tool, &[]).await;

    sns.delete_topic().topic_arn(&archive.stack.topic_arn).send().await.expect("it is deleted");
    let found = finds(&tool, &[("TopicNotFound", "does not exist")]).await;
    shell(&archive, &tool, found[0]["fix"].as_str().expect("a command")).await;
    finds_and_fixes(&archive, &tool, &[("NobodySubscribed", "ops@example.com")]).await;
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
