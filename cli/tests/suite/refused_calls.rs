//! Calls that AWS refuses: the message names the action, and the exit code is 3.

use e2e::MONTH;
use local_aws::Engine;
use serde_json::json;

use crate::{
    endpoint::endpoint,
    list::{snapshot, stage},
};

/// An endpoint that refuses every call.
pub async fn refusing(code: &'static str) -> String {
    endpoint(move |_, _| (400, json!({"__type": code, "message": "not you"}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_action_to_allow() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/denied"])).await;
    stage.hello("/denied").await;
    let before = snapshot(&stage).await;
    let denied = json!({"operation": "DescribeExportTasks", "error": "AccessDeniedException", "message": "not you"});
    for (operation, arguments) in [("DescribeExportTasks", &["plan", "--month", MONTH][..]), ("DescribeLogGroups", &["plan"])] {
        let mut denied = denied.clone();
        denied["operation"] = json!(operation);
        stage.fault(denied).await;
        let output = tool.run(arguments).await;
        let message = format!("{operation} answered AccessDeniedException: not you");
        assert!(
            output.code == 3 && output.stderr.contains(&message) && output.stderr.contains(&format!("Allow logs:{operation} ")),
            "{output:#?}"
        );
        stage.assert_no_faults_left().await;
    }
    let endpoint = refusing("AccessDeniedException").await;
    let (no_scheduler, no_step_functions) = ("AWS_ENDPOINT_URL_SCHEDULER", "AWS_ENDPOINT_URL_SFN");
    for (service, arguments, action) in [
        (no_scheduler, &["plan"][..], "scheduler:GetSchedule"),
        (no_step_functions, &["run", "--month", MONTH], "states:StartExecution"),
        (no_step_functions, &["watch"], "states:ListExecutions"),
        (no_step_functions, &["watch", "some-run"], "states:DescribeExecution"),
    ] {
        let output = crate::tool::Tool::of(&stage.local).with(service, &endpoint).run(arguments).await;
        let message = format!("\nAllow {action} to the identity that you are signed in as.\n");
        assert!(output.code == 3 && output.stderr.contains(&message) && output.stdout.is_empty(), "{output:#?}");
    }
    assert_eq!(snapshot(&stage).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_calls_are_retried_and_then_reported() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/throttled"])).await;
    stage.hello("/throttled").await;
    let throttled =
        |times: u32| json!({"operation": "DescribeLogGroups", "error": "ThrottlingException", "message": "slow", "times": times});
    stage.fault(throttled(2)).await;
    let rows = tool.json(0, &["plan", "--month", MONTH]).await;
    assert_eq!(rows[0]["outcome"], "export");
    stage.assert_no_faults_left().await;
    stage.fault(throttled(1_000)).await;
    let output = tool.run(&["plan", "--month", MONTH]).await;
    assert!(output.code == 3 && output.stderr.contains("DescribeLogGroups answered ThrottlingException: slow"), "{output:#?}");
    assert!(output.stderr.contains("Wait a minute, then repeat the command."), "{output:#?}");
}
