//! Log groups of another age.

use aws_sdk_cloudwatchlogs::types::{LogGroup, LogGroupClass};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::stand::{Stand, error, refusal};

async fn described(stand: &Stand, log_group: &str) -> LogGroup {
    let answer = stand.logs().describe_log_groups().log_group_name_prefix(log_group).send().await.unwrap();
    let found = answer.log_groups().iter().find(|group| group.log_group_name() == Some(log_group));
    found.unwrap().clone()
}

#[tokio::test]
async fn a_log_group_can_be_given_age_retention_and_class() {
    let stand = Stand::start().await;
    let (aged, other) = (stand.log_group().await, stand.log_group().await);
    let before = described(&stand, &aged).await;
    let overlay = json!({ "logGroupName": aged, "creationTime": 1_600_000_000_123_i64 });
    let (status, answer) = stand.control(Method::PUT, "/_local/log-groups", &overlay).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "creationTime": 1_600_000_000_123_i64 })));
    let after = described(&stand, &aged).await;
    assert_eq!(after.creation_time(), Some(1_600_000_000_123));
    assert_eq!((after.retention_in_days(), after.log_group_class()), (None, Some(&LogGroupClass::Standard)));
    assert_eq!(after.arn(), before.arn());

    let overlay = json!({ "logGroupName": aged, "retentionInDays": 30, "logGroupClass": "INFREQUENT_ACCESS" });
    assert_eq!(stand.control(Method::PUT, "/_local/log-groups", &overlay).await.0, StatusCode::OK);
    let after = described(&stand, &aged).await;
    assert_eq!(after.creation_time(), Some(1_600_000_000_123), "an earlier value stays");
    assert_eq!((after.retention_in_days(), after.log_group_class()), (Some(30), Some(&LogGroupClass::InfrequentAccess)));
    assert_eq!(described(&stand, &other).await.retention_in_days(), None);
    assert!(described(&stand, &other).await.creation_time().unwrap() >= before.creation_time().unwrap());
}

#[tokio::test]
async fn creating_an_export_respects_the_class_given() {
    let stand = Stand::start().await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    let overlay = json!({ "logGroupName": group, "logGroupClass": "DELIVERY" });
    stand.control(Method::PUT, "/_local/log-groups", &overlay).await;
    let message = format!("Export tasks are supported for log groups of the STANDARD class only; {group} is of the DELIVERY class.");
    assert_eq!(refusal(stand.export(&group, &bucket).send().await), error("InvalidParameterException", &message));
    stand.control(Method::PUT, "/_local/log-groups", &json!({ "logGroupName": group, "logGroupClass": "STANDARD" })).await;
    stand.exported(&group, &bucket).await;
}
