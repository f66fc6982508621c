//! The log groups of the list.

use e2e::Archive;
use serde_json::{Value, json};

use super::{allow_statement, findings, finds, finds_and_fixes, healthy, shell};
use crate::schedule::{get, input_of, put_list};

#[tokio::test(flavor = "multi_thread")]
async fn log_groups_of_the_list() {
    let (archive, tool) = healthy(&[]).await;
    for name in ["/ia/named", "/ia/matched/a", "/ia/matched/b", "/short/a", "/short/b", "/outer", "/nested", "/twice/a"] {
        archive.hello(name).await;
    }
    for name in ["/ia/named", "/ia/matched/a"] {
        archive.overlay(name, |overlay| overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    }
    for (name, days) in [("/short/a", 30), ("/short/b", 30)] {
        retain(&archive, name, days).await;
    }
    put_list(
        &archive,
        json!([
            "/aws/lambda/orders",
            "/aws/lambda/orders",
            "/gone",
            "/ia/named",
            {"logGroupNamePrefix": "/ia/matched/"},
            {"logGroupNamePrefix": "/short/"},
            "/outer",
            {"logGroupNamePrefix": "/nothing/"},
            {"logGroupNamePrefix": "/twice/", "logStreamNamePrefix": "a"},
            {"logGroupNamePrefix": "/twice/", "logStreamNamePrefix": "b", "s3Prefix": "b"},
            {"logGroupNamePrefix": "/twice/", "logStreamNamePrefix": "bc", "s3Prefix": "again"},
            {"logGroupName": "/nested", "destinationPrefix": "{s3Prefix}/log_group=/outer/year={year}/month={month}/of/{month}"},
        ]),
    )
    .await;
    let expected = [
        ("EntryRepeated", "logGroups[1] is the same as logGroups[0], and counts once."),
        ("EntryMatchesNothing", "Log group /gone does not exist."),
        ("EntryMatchesNothing", "The entry /nothing/* matches no log group."),
        ("LogClassNotExportable", "Log group /ia/named is not of the class Standard"),
        ("LogClassNotExportable", "Log group /ia/matched/a is not of the class Standard."),
        (
            "RetentionLosesEvents",
            "Log groups /short/a and /short/b are set to a retention of 30 days, and the export of a month reads events of the last 32 days.",
        ),
        ("LogGroupArchivedTwice", "Log group /twice/a is matched by both logGroups[9] and logGroups[10]."),
        ("DestinationsNest", "/nested is archived to cloudwatch-logs/log_group=/outer/year={year}/month={month}/of/{month}, inside"),
        ("ListDiffers", "The schedule's list has 12 entries"),
    ];
    finds_and_fixes(&archive, &tool, &expected).await;
    let left = list(&archive).await;
    let expected = json!(["/aws/lambda/orders", {"logGroupNamePrefix": "/ia/matched/", "exclude": ["/ia/matched/a"]},
        {"logGroupNamePrefix": "/short/"}, "/outer", {"logGroupNamePrefix": "/twice/", "logStreamNamePrefix": "a"},
        {"logGroupNamePrefix": "/twice/", "logStreamNamePrefix": "b", "s3Prefix": "b"}, {"logGroupName": "/nested"}]);
    assert_eq!(left, expected);

    // Both commands together would make the list empty, which a run refuses. So the second command fails.
    put_list(&archive, json!(["/gone/a", "/gone/b"])).await;
    let absent = ["/gone/a", "/gone/b"].map(|name| format!("Log group {name} does not exist."));
    let expected = absent.each_ref().map(|what| ("EntryMatchesNothing", what.as_str()));
    let differs = ("ListDiffers", "The schedule's list has 2 entries");
    let found = finds(&tool, &[expected[0], expected[1], differs]).await;
    let fixes: Vec<&str> = found.iter().map(|finding| finding["fix"].as_str().expect("a command")).collect();
    let mut removals = fixes.into_iter().filter(|fix| fix.contains("/gone/") && fix.starts_with("aws scheduler"));
    shell(&archive, &tool, removals.next().expect("a command")).await;
    shell(&archive, &tool, &format!("! {}", removals.next().expect("a command"))).await;
    assert_eq!(list(&archive).await, json!(["/gone/b"]));

    // The only entry is removed after a person has named another one.
    let found = finds(&tool, &[expected[1], ("ListDiffers", "The schedule's list has 1 entries")]).await;
    let fix = found.iter().find(|finding| finding["name"] == "EntryMatchesNothing").and_then(|finding| finding["fix"].as_str());
    let fix = fix.expect("a command");
    shell(&archive, &tool, &format!("! {{ {fix}; }}")).await;
    assert_eq!(list(&archive).await, json!(["/gone/b"]), "no log group has the name NAME");
    shell(&archive, &tool, &fix.replace("NAME", "/aws/lambda/orders")).await;
    assert_eq!(list(&archive).await, json!(["/aws/lambda/orders"]));
    assert!(findings(&tool).await.iter().all(|finding| finding["name"] == "ListDiffers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_without_permission_is_a_finding() {
    let (archive, tool) = healthy(&[]).await;
    for operation in ["DescribeLogGroups", "DescribeExportTasks"] {
        let message = format!("User: x is not authorized to perform: logs:{operation}");
        archive.fault(json!({"operation": operation, "error": "AccessDeniedException", "message": message})).await;
    }
    let found = finds(
        &tool,
        &[
            ("CheckRefused", "You may not call logs:DescribeLogGroups here."),
            ("CheckRefused", "You may not call logs:DescribeExportTasks here."),
        ],
    )
    .await;
    let fixes: Vec<&str> = found.iter().map(|finding| finding["fix"].as_str().expect("a statement")).collect();
    let log_groups = allow_statement("logs:DescribeLogGroups", "arn:aws:logs:ap-northeast-1:000000000000:log-group:*");
    assert_eq!(fixes, [log_groups, allow_statement("logs:DescribeExportTasks", "*")]);
    // Expired credentials are a failure, because no check is possible.
    let expired = json!({"operation": "DescribeLogGroups", "error": "ExpiredTokenException", "times": 10});
    archive.fault(expired).await;
    let output = tool.run(&["doctor"]).await;
    assert!(output.code == 3 && output.stdout.is_empty() && output.stderr.contains("The credentials have expired"), "{output:#?}");
}

async fn list(archive: &Archive) -> Value {
    input_of(&get(archive).await)["logGroups"].clone()
}

async fn retain(archive: &Archive, name: &str, days: i32) {
    archive.logs().put_retention_policy().log_group_name(name).retention_in_days(days).send().await.expect("it is set");
}
