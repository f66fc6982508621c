//! The log groups of the list.

use e2e::Archive;
use serde_json::json;

use super::{allow, finds, finds_and_mends, healthy};
use crate::schedule::put_list;

#[tokio::test(flavor = "multi_thread")]
async fn the_list() {
    let (archive, tool) = healthy("OFF").await;
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
            {"logGroupNamePrefix": "/twice/"},
            {"logGroupNamePrefix": "/twice/", "s3Prefix": "again"},
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
        ("LogGroupArchivedTwice", "Log group /twice/a is matched by logGroups[8] and logGroups[9] alike."),
        ("DestinationsNest", "/nested is archived to cloudwatch-logs/log_group=/outer/year={year}/month={month}/of/{month}, inside"),
        ("ListDiffers", "The schedule's list has 11 entries"),
    ];
    finds_and_mends(&archive, &tool, &expected).await;
    let left = crate::schedule::input_of(&crate::schedule::get(&archive).await)["logGroups"].clone();
    let expected = json!(["/aws/lambda/orders", {"logGroupNamePrefix": "/ia/matched/", "exclude": ["/ia/matched/a"]},
        {"logGroupNamePrefix": "/short/"}, "/outer", {"logGroupNamePrefix": "/twice/"}, {"logGroupName": "/nested"}]);
    assert_eq!(left, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_may_not_be_made_is_a_finding() {
    let (archive, tool) = healthy("OFF").await;
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
    let log_groups = allow("logs:DescribeLogGroups", "arn:aws:logs:ap-northeast-1:000000000000:log-group:*");
    assert_eq!(fixes, [log_groups, allow("logs:DescribeExportTasks", "*")]);
    // Expired credentials are none: nothing could be checked.
    let expired = json!({"operation": "DescribeLogGroups", "error": "ExpiredTokenException", "times": 10});
    archive.fault(expired).await;
    let ran = tool.run(&["doctor"]).await;
    assert!(ran.code == 3 && ran.stdout.is_empty() && ran.stderr.contains("The credentials have expired"), "{ran:#?}");
}

async fn retain(archive: &Archive, name: &str, days: i32) {
    archive.logs().put_retention_policy().log_group_name(name).retention_in_days(days).send().await.expect("it is set");
}
