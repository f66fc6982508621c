//! One moto: that it is owned, isolated, and strict.

mod common;

use std::net::TcpStream;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::ProvideErrorMetadata;
use common::{environment, is_of_a_proxy};
use local_aws::moto::{Moto, MotoOptions};
use local_aws::sdk_config;
use serde_json::{Value, json};

const ACCOUNT: &str = "210987654321";

fn options() -> MotoOptions {
    MotoOptions { stack_endpoint_url: "http://127.0.0.1:1".to_owned(), account_id: ACCOUNT.to_owned(), wait_scale: 0.0 }
}

async fn create(moto: &Moto, name: &str, definition: &Value) -> Result<String, (String, String)> {
    let client = Client::new(&sdk_config(&format!("http://{}", moto.addr()), "eu-central-1", ACCOUNT));
    let role = format!("arn:aws:iam::{ACCOUNT}:role/workflow");
    match client.create_state_machine().name(name).definition(definition.to_string()).role_arn(role).send().await {
        Ok(created) => Ok(created.state_machine_arn),
        Err(error) => Err((error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())),
    }
}

#[tokio::test]
async fn it_ends_when_dropped_and_its_log_with_it() {
    let moto = Moto::start(&options()).await.unwrap();
    let addr = moto.addr();
    assert!(addr.ip().is_loopback());
    TcpStream::connect(addr).unwrap();
    drop(moto);
    assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn it_takes_nothing_from_the_users_environment() {
    let moto = Moto::start(&options()).await.unwrap();
    let Some(environment) = environment(moto.pid()) else { return };
    let aws: Vec<&String> = environment.iter().filter(|variable| variable.starts_with("AWS_")).collect();
    assert_eq!(aws, ["AWS_EC2_METADATA_DISABLED=true"]);
    assert!(!environment.iter().any(|variable| is_of_a_proxy(variable)), "{environment:?}");
}

#[tokio::test]
async fn it_refuses_what_is_no_workflow_when_it_is_created() {
    let moto = Moto::start(&options()).await.unwrap();
    let good = json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}});
    let arn = create(&moto, "good", &good).await.unwrap();
    assert_eq!(arn, format!("arn:aws:states:eu-central-1:{ACCOUNT}:stateMachine:good"));

    for (what, bad) in [
        ("an unknown field", json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed", "Commment": ""}}})),
        ("an unknown type of state", json!({"StartAt": "Done", "States": {"Done": {"Type": "Success"}}})),
        (
            "an unknown service",
            json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::lamda:invoke", "End": true}}}),
        ),
    ] {
        let (code, message) = create(&moto, "bad", &bad).await.expect_err(what);
        assert_eq!(code, "InvalidDefinition", "{what}: {message}");
    }
}
