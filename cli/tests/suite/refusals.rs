//! What AWS refuses: the message names the action, and the exit code is 3.

use e2e::MONTH;
use local_aws::Engine;
use serde_json::json;

use crate::{
    endpoint::endpoint,
    list::{everything, stage},
};

/// An endpoint that refuses every call.
pub async fn refusing(code: &'static str) -> String {
    endpoint(move |_, _| (400, json!({"__type": code, "message": "not you"}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_action_to_allow() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/denied"])).await;
    stage.hello("/denied").await;
    let before = everything(&stage).await;
    let denied = json!({"operation": "DescribeExportTasks", "error": "AccessDeniedException", "message": "not you"});
    for (operation, arguments) in [("DescribeExportTasks", &["plan", "--month", MONTH][..]), ("DescribeLogGroups", &["plan"])] {
        let mut denied = denied.clone();
        denied["operation"] = json!(operation);
        stage.fault(denied).await;
        let ran = tool.run(arguments).await;
        let says = format!("{operation} answered AccessDeniedException: not you");
        assert!(ran.code == 3 && ran.stderr.contains(&says) && ran.stderr.contains(&format!("Allow logs:{operation} ")), "{ran:#?}");
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
        let ran = crate::tool::Tool::of(&stage.local).with(service, &endpoint).run(arguments).await;
        let says = format!("\nAllow {action} to the identity that you are signed in as.\n");
        assert!(ran.code == 3 && ran.stderr.contains(&says) && ran.stdout.is_empty(), "{ran:#?}");
    }
    assert_eq!(everything(&stage).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_throttled_is_asked_again_and_then_says_so() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/throttled"])).await;
    stage.hello("/throttled").await;
    let throttled =
        |times: u32| json!({"operation": "DescribeLogGroups", "error": "ThrottlingException", "message": "slow", "times": times});
    stage.fault(throttled(2)).await;
    let rows = tool.json(0, &["plan", "--month", MONTH]).await;
    assert_eq!(rows[0]["outcome"], "export");
    stage.assert_no_faults_left().await;
    stage.fault(throttled(1_000)).await;
    let ran = tool.run(&["plan", "--month", MONTH]).await;
    assert!(ran.code == 3 && ran.stderr.contains("DescribeLogGroups answered ThrottlingException: slow"), "{ran:#?}");
    assert!(ran.stderr.contains("Wait a minute, then repeat the command."), "{ran:#?}");
}
