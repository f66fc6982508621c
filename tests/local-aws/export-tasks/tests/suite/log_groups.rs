//! Overlays: the age, retention and class of log groups.

use aws_sdk_cloudwatchlogs::types::{LogGroup, LogGroupClass};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::stand_in::{FROM, StandIn, error, error_of};

async fn describe(stand_in: &StandIn, log_group: &str) -> LogGroup {
    let answer = stand_in.logs().describe_log_groups().log_group_name_prefix(log_group).send().await.unwrap();
    answer.log_groups().iter().find(|group| group.log_group_name() == Some(log_group)).unwrap().clone()
}

#[tokio::test]
async fn a_log_group_can_be_given_age_retention_and_class() {
    let stand_in = StandIn::start().await;
    let (aged, other) = (stand_in.log_group().await, stand_in.log_group().await);
    let before = describe(&stand_in, &aged).await;
    let overlay = json!({ "logGroupName": aged, "creationTime": 1_600_000_000_123_i64 });
    let (status, answer) = stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "creationTime": 1_600_000_000_123_i64 })));
    let after = describe(&stand_in, &aged).await;
    assert_eq!(after.creation_time(), Some(1_600_000_000_123));
    assert_eq!((after.retention_in_days(), after.log_group_class()), (None, Some(&LogGroupClass::Standard)));
    assert_eq!(after.arn(), before.arn());

    let overlay = json!({ "logGroupName": aged, "retentionInDays": 30, "logGroupClass": "INFREQUENT_ACCESS" });
    assert_eq!(stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await.0, StatusCode::OK);
    let after = describe(&stand_in, &aged).await;
    assert_eq!(after.creation_time(), Some(1_600_000_000_123), "the first value stays");
    assert_eq!((after.retention_in_days(), after.log_group_class()), (Some(30), Some(&LogGroupClass::InfrequentAccess)));
    assert_eq!(describe(&stand_in, &other).await.retention_in_days(), None);
    assert!(describe(&stand_in, &other).await.creation_time().unwrap() >= before.creation_time().unwrap());
}

#[tokio::test]
async fn a_log_group_can_have_an_account_level_retention_policy() {
    let stand_in = StandIn::start().await;
    let (limited, unlimited) = (stand_in.log_group().await, stand_in.log_group().await);
    for overlay in [
        json!({ "logGroupName": limited, "retentionInDays": 30, "retentionPolicyName": "a-month" }),
        // A policy without expiration.
        json!({ "logGroupName": unlimited, "retentionPolicyName": "for-ever" }),
    ] {
        assert_eq!(stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await.0, StatusCode::OK);
    }
    let policy = |group: &LogGroup| (group.retention_in_days(), group.retention_policy_name().map(str::to_owned));
    assert_eq!(policy(&describe(&stand_in, &limited).await), (Some(30), Some("a-month".to_owned())));
    assert_eq!(policy(&describe(&stand_in, &unlimited).await), (None, Some("for-ever".to_owned())));
}

#[tokio::test]
async fn a_log_group_that_is_created_again_is_new() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    let overlay = json!({ "logGroupName": group, "creationTime": 1_600_000_000_123_i64, "retentionInDays": 30 });
    stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await;
    stand_in.put(&group, "web", &[(FROM, "of the first")]).await;
    let logs = stand_in.logs();
    // A failed deletion keeps the overlay.
    logs.delete_log_group().log_group_name(format!("{group}x")).send().await.unwrap_err();
    assert_eq!(describe(&stand_in, &group).await.creation_time(), Some(1_600_000_000_123));
    logs.delete_log_group().log_group_name(&group).send().await.unwrap();
    logs.create_log_group().log_group_name(&group).send().await.unwrap();
    let again = describe(&stand_in, &group).await;
    assert!(again.creation_time() > Some(1_600_000_000_123), "{again:?}");
    assert_eq!(again.retention_in_days(), None);

    let overlay = json!({ "logGroupName": group, "creationTime": FROM + 1 });
    stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await;
    assert_eq!(describe(&stand_in, &group).await.creation_time(), Some(FROM + 1));
    let bucket = stand_in.bucket().await;
    stand_in.put(&group, "web", &[(FROM + 2, "of the second")]).await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    assert_eq!(stand_in.files(&bucket, &task_id).await["web/000000.gz"], b"2026-09-30T15:00:00.002Z of the second\n");
}

#[tokio::test]
async fn creating_an_export_respects_the_overlaid_class() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let overlay = json!({ "logGroupName": group, "logGroupClass": "DELIVERY" });
    stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await;
    let message = format!("Export tasks are supported for log groups of the STANDARD class only; {group} is of the DELIVERY class.");
    assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), error("InvalidParameterException", &message));
    stand_in.control(Method::PUT, "/_local/log-groups", &json!({ "logGroupName": group, "logGroupClass": "STANDARD" })).await;
    stand_in.export_and_wait(&group, &bucket).await;
}
