//! The protocol: AWS JSON 1.1, credential scopes, and invalid requests.

use aws_sdk_cloudwatchlogs::config::Credentials;
use aws_sdk_cloudwatchlogs::operation::RequestId;
use hyper::{Method, StatusCode};
use local_aws::http::request_with;
use serde_json::{Value, json};

use crate::stand_in::{DEFAULT_ACCOUNT, REGION, StandIn, error, error_of};

const SCOPE: &str = "AWS4-HMAC-SHA256 Credential=111122223333/20261101/ap-northeast-1/logs/aws4_request, SignedHeaders=host, Signature=0";

async fn send(stand_in: &StandIn, headers: &[(&str, &str)], body: &str) -> (StatusCode, Value) {
    let (status, body) = request_with(stand_in.addr, Method::POST, "/", headers, body.to_owned().into()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn errors_are_aws_json_with_a_request_id() {
    let stand_in = StandIn::start().await;
    let refused = stand_in.logs().cancel_export_task().task_id("x").send().await.unwrap_err();
    let response = refused.raw_response().unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("content-type")), (400, Some("application/x-amz-json-1.1")));
    let body: Value = serde_json::from_slice(response.body().bytes().unwrap()).unwrap();
    assert_eq!(body, json!({ "__type": "ResourceNotFoundException", "message": "The specified export task does not exist." }));
    assert_eq!(refused.request_id().unwrap().len(), 36);
    let answer = stand_in.logs().describe_export_tasks().send().await.unwrap();
    assert_eq!(answer.request_id().unwrap().len(), 36);
}

#[tokio::test]
async fn requests_without_a_credential_scope_are_refused() {
    let stand_in = StandIn::start().await;
    let target = ("x-amz-target", "Logs_20140328.DescribeExportTasks");
    let (status, body) = send(&stand_in, &[target], "{}").await;
    assert_eq!((status, &body["__type"]), (StatusCode::BAD_REQUEST, &json!("MissingAuthenticationTokenException")));
    for invalid in ["Basic abc", "AWS4-HMAC-SHA256 Credential=1/2/3, Signature=0", ""] {
        let (status, body) = send(&stand_in, &[target, ("authorization", invalid)], "{}").await;
        assert_eq!((status, &body["__type"]), (StatusCode::BAD_REQUEST, &json!("IncompleteSignatureException")), "{invalid}");
    }
}

#[tokio::test]
async fn a_session_acts_in_the_account_of_its_role() {
    let stand_in = StandIn::start().await;
    stand_in.set_timing(3_600_000, 0).await;
    let account = &stand_in.account;
    let scope = format!("AWS4-HMAC-SHA256 Credential={account}/20261101/{REGION}/sts/aws4_request, SignedHeaders=host, Signature=0");
    let role = format!("RoleArn=arn%3Aaws%3Aiam%3A%3A{account}%3Arole%2Ffunction&RoleSessionName=test");
    let body = format!("Action=AssumeRole&Version=2011-06-15&{role}");
    let headers = [("authorization", scope.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let (_, answer) = request_with(stand_in.addr, Method::POST, "/", &headers, body.into()).await.unwrap();
    let xml = String::from_utf8(answer.to_vec()).unwrap();
    let element = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} in {xml}"));
        rest.split_once('<').unwrap().0.to_owned()
    };
    let key = element("AccessKeyId");
    assert!(key.starts_with("ASIA"), "{key}");
    let session = Credentials::new(&key, element("SecretAccessKey"), Some(element("SessionToken")), None, "test");
    let logs = aws_sdk_cloudwatchlogs::Client::from_conf(stand_in.logs().config().to_builder().credentials_provider(session).build());

    let (group, bucket) = (stand_in.log_group().await, stand_in.bucket().await);
    let create = logs.create_export_task().log_group_name(&group).destination(&bucket).from(0).to(1);
    let task_id = create.send().await.unwrap().task_id.unwrap();
    assert_eq!(stand_in.describe(&task_id).await.task_id(), Some(task_id.as_str()), "the account has the session's task");
    assert_eq!(
        error_of(stand_in.export_request(&group, &bucket).send().await),
        error("LimitExceededException", "Resource limit exceeded.")
    );
}

#[tokio::test]
async fn any_other_key_acts_in_the_default_account() {
    let stand_in = StandIn::start().await;
    stand_in.logs_as("AKIAIOSFODNN7EXAMPLE", "us-west-2").describe_export_tasks().send().await.unwrap();
    let journal = stand_in.journal().await;
    assert_eq!((&journal[0]["accountId"], &journal[0]["region"]), (&json!(DEFAULT_ACCOUNT), &json!("us-west-2")));
}

#[tokio::test]
async fn malformed_json_is_a_serialization_error() {
    let stand_in = StandIn::start().await;
    for operation in ["CreateExportTask", "DescribeExportTasks", "CancelExportTask"] {
        let target = format!("Logs_20140328.{operation}");
        for body in ["", "{", "[]", "null", "7", "{\"taskId\":", "{\"from\":\"1\",\"limit\":\"1\",\"taskId\":1}"] {
            let (status, answer) = send(&stand_in, &[("authorization", SCOPE), ("x-amz-target", &target)], body).await;
            assert_eq!((status, &answer["__type"]), (StatusCode::BAD_REQUEST, &json!("SerializationException")), "{operation} {body}");
        }
    }
    let target = ("x-amz-target", "Logs_20140328.CreateExportTask");
    for body in [
        r#"{"logGroupName":"/x","from":1.5,"to":2,"destination":"b"}"#,
        r#"{"logGroupName":"/x","from":99999999999999999999,"to":2,"destination":"b"}"#,
        r#"{"logGroupName":["/x"],"from":1,"to":2,"destination":"b"}"#,
    ] {
        let (_, answer) = send(&stand_in, &[("authorization", SCOPE), target], body).await;
        assert_eq!(answer["__type"], "SerializationException", "{body}");
    }
    let (_, answer) = send(&stand_in, &[("authorization", SCOPE), target], r#"{"from":null}"#).await;
    let missing = |name: &str| format!("Value null at '{name}' failed to satisfy constraint: Member must not be null");
    let all = ["logGroupName", "from", "to", "destination"].map(missing).join("; ");
    assert_eq!(answer["message"], format!("4 validation errors detected: {all}"));
}
