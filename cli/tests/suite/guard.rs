//! The guard of the schedule refuses deployments, and a refused deployment is rolled back without a further failure.

use e2e::Archive;
use local_aws::DeployOptions;
use serde_json::json;

use crate::{
    doctor::{healthy, start},
    schedule::{get, input_of, put_list},
};

/// Returns why CloudFormation refused an update. The stack must not change.
async fn refusal(archive: &Archive, parameters: &[(&str, &str)]) -> String {
    let before = get(archive).await.target;
    let error = format!("{:#}", archive.local.update(&options(parameters)).await.expect_err("the deployment is refused"));
    assert!(error.contains("is UPDATE_ROLLBACK_COMPLETE"), "{error}");
    assert_eq!(get(archive).await.target, before);
    error
}

fn options(parameters: &[(&str, &str)]) -> DeployOptions {
    parameters.iter().fold(DeployOptions::default(), |options, (name, value)| options.with_parameter(name, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_with_invalid_parameters_is_refused() {
    let local = start().await;
    let error = format!("{:#}", local.deploy(&options(&[("TimeZone", "Tokyo")])).await.expect_err("the deployment is refused"));
    assert!(
        error.contains("ScheduleGuard (Custom::ScheduleGuard): CREATE_FAILED: TimeZone is \"Tokyo\": give an IANA time zone name such as"),
        "{error}"
    );
    local.delete_stack(&DeployOptions::default()).await.expect("the failed stack is deleted");

    let (archive, _) = healthy(&[]).await;
    for (name, value, reason) in [
        ("TimeZone", "Tokyo", "TimeZone is \"Tokyo\": give an IANA time zone name such as Asia/Tokyo"),
        (
            "LogGroups",
            r#"["/aws/lambda/*"]"#,
            r#"to archive all log groups with this prefix, write {"logGroupNamePrefix": "/aws/lambda/"}"#,
        ),
        ("LogGroups", r#"["/a" "/b"]"#, "the input is not JSON (expected `,` or `]`): check the commas and quotes of logGroups"),
        ("LogGroups", "/a,/b,/a", "logGroups[2] is the same as logGroups[0], and counts once: leave it out"),
    ] {
        let error = refusal(&archive, &[(name, value)]).await;
        assert!(error.contains("ScheduleGuard (Custom::ScheduleGuard): UPDATE_FAILED: ") && error.contains(reason), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_would_drop_an_entry_is_refused() {
    let (archive, tool) = healthy(&[]).await;
    archive.hello("/ecs/new").await;
    assert_eq!(tool.run(&["groups", "add", "/ecs/new", "--yes"]).await.code, 0);
    for (name, value, keeps) in [
        ("SettleDays", "1", "LogGroups=/aws/lambda/orders,/ecs/new"),
        ("LogGroups", "/aws/lambda/orders,/ecs/other", "LogGroups=/aws/lambda/orders,/ecs/other,/ecs/new"),
    ] {
        let error = refusal(&archive, &[(name, value)]).await;
        let reason = format!(
            "the schedule's list has what LogGroups has not, and this deployment would drop it: \"/ecs/new\". To keep it, deploy with {keeps}. \
             To drop it, `logs-archive groups remove` it first."
        );
        assert!(error.contains(&reason), "{error}");
    }
    // A change of another parameter is not refused.
    archive.local.update(&options(&[("Monitoring", "FULL")])).await.expect("the schedule is left alone");

    let kept = [("SettleDays", "1"), ("LogGroups", "/aws/lambda/orders,/ecs/new")];
    archive.local.update(&options(&kept)).await.expect("the list is kept");
    assert_eq!(input_of(&get(&archive).await)["logGroups"], json!(["/aws/lambda/orders", "/ecs/new"]));
    // The parameter can drop an entry that it had before.
    archive.local.update(&options(&[("LogGroups", "/ecs/new")])).await.expect("an entry is taken off");
    assert_eq!(input_of(&get(&archive).await)["logGroups"], json!(["/ecs/new"]));

    put_list(&archive, json!(["/ecs/new", {"logGroupNamePrefix": "/b/"}])).await;
    let error = refusal(&archive, &[("LogGroups", "/ecs/other")]).await;
    assert!(error.contains(r#"deploy with 'LogGroups="[\"/ecs/other\",{\"logGroupNamePrefix\":\"/b/\"}]"'"#), "{error}");
    archive.local.delete_stack(&DeployOptions::default()).await.expect("a deletion is never refused");
}
