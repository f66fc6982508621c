//! One ministack: what it is started with, and that several do not disturb each other.

mod common;

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use bytes::Bytes;
use common::{environment, is_of_a_proxy};
use hyper::{Method, StatusCode};
use local_aws::ministack::{Ministack, MinistackOptions};

#[tokio::test]
async fn it_starts_on_loopback_and_ends_when_dropped() {
    let ministack = Ministack::start(&MinistackOptions::default()).await.unwrap();
    let addr = ministack.addr();
    let directory = ministack.directory().to_path_buf();
    assert!(addr.ip().is_loopback());
    let (status, _) = local_aws::http::request(addr, Method::GET, "/_ministack/health", Bytes::new()).await.unwrap();
    assert_eq!(status, StatusCode::OK);

    drop(ministack);
    let error = local_aws::http::request(addr, Method::GET, "/_ministack/health", Bytes::new()).await.unwrap_err();
    let refused = error.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(!directory.exists());
}

#[tokio::test]
async fn dropping_it_ends_whatever_runs_in_its_process_group() {
    let ministack = Ministack::start(&MinistackOptions::default()).await.unwrap();
    // Unlike a function, this one would not notice that ministack has gone.
    let mut process = Command::new("sleep").arg("600").process_group(ministack.pid().cast_signed()).spawn().unwrap();
    drop(ministack);
    assert_eq!(process.wait().unwrap().signal(), Some(9));
}

#[tokio::test]
async fn it_takes_nothing_from_the_users_environment() {
    let options = MinistackOptions {
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        account_id: "210987654321".to_owned(),
        region: "eu-central-1".to_owned(),
        wait_scale: 0.5,
    };
    let ministack = Ministack::start(&options).await.unwrap();
    let Some(environment) = environment(ministack.pid()) else { return };
    let mut aws: Vec<&String> = environment.iter().filter(|variable| variable.starts_with("AWS_")).collect();
    aws.sort_unstable();
    assert_eq!(aws, ["AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL=http://127.0.0.1:1"]);
    for variable in ["MINISTACK_ACCOUNT_ID=210987654321", "MINISTACK_REGION=eu-central-1", "SFN_WAIT_SCALE=0.5", "IOT_MTLS_ENABLED=0"] {
        assert!(environment.iter().any(|set| set == variable), "{variable}");
    }
    let home = format!("HOME={}", ministack.directory().display());
    assert!(environment.contains(&home), "{home}");
    assert!(!environment.iter().any(|variable| is_of_a_proxy(variable)), "{environment:?}");
}
