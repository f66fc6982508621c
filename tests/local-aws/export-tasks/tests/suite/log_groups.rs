//! Log groups of another age.

use aws_sdk_cloudwatchlogs::types::{LogGroup, LogGroupClass};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::stand_in::{StandIn, error, refusal};

async fn described(stand_in: &StandIn, log_group: &str) -> LogGroup {
    let answer = stand_in.logs().describe_log_groups().log_group_name_prefix(log_group).send().await.unwrap();
    let found = answer.log_groups().iter().find(|group| group.log_group_name() == Some(log_group));
    found.unwrap().clone()
}

#[tokio::test]
async fn a_log_group_can_be_given_age_retention_and_class() {
    let stand_in = StandIn::start().await;
    let (aged, other) = (stand_in.log_group().await, stand_in.log_group().await);
    let before = described(&stand_in, &aged).await;
    let overlay = json!({ "logGroupName": aged, "creationTime": 1_600_000_000_123_i64 });
    let (status, answer) = stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "creationTime": 1_600_000_000_123_i64 })));
    let after = described(&stand_in, &aged).await;
    assert_eq!(after.creation_time(), Some(1_600_000_000_123));
    assert_eq!((after.retention_in_days(), after.log_group_class()), (None, Some(&LogGroupClass::Standard)));
    assert_eq!(after.arn(), before.arn());

    let overlay = json!({ "logGroupName": aged, "retentionInDays": 30, "logGroupClass": "INFREQUENT_ACCESS" });
    assert_eq!(stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await.0, StatusCode::OK);
    let after = described(&stand_in, &aged).await;
    assert_eq!(after.creation_time(), Some(1_600_000_000_123), "an earlier value stays");
    assert_eq!((after.retention_in_days(), after.log_group_class()), (Some(30), Some(&LogGroupClass::InfrequentAccess)));
    assert_eq!(described(&stand_in, &other).await.retention_in_days(), None);
    assert!(described(&stand_in, &other).await.creation_time().unwrap() >= before.creation_time().unwrap());
}

#[tokio::test]
async fn creating_an_export_respects_the_class_given() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let overlay = json!({ "logGroupName": group, "logGroupClass": "DELIVERY" });
    stand_in.control(Method::PUT, "/_local/log-groups", &overlay).await;
    let message = format!("Export tasks are supported for log groups of the STANDARD class only; {group} is of the DELIVERY class.");
    assert_eq!(refusal(stand_in.export(&group, &bucket).send().await), error("InvalidParameterException", &message));
    stand_in.control(Method::PUT, "/_local/log-groups", &json!({ "logGroupName": group, "logGroupClass": "STANDARD" })).await;
    stand_in.exported(&group, &bucket).await;
}
