//! What an operator does with a deployed stack, as tests need it: settings of functions, objects, manifests, reports.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::samples::{Event, LogGroup, LogStream};
use local_aws::{DeployOptions, LocalAws, Options};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_run_follows_the_settings_of_its_functions_and_leaves_its_report() {
    let local = LocalAws::start(&Options::default()).await.unwrap();
    let stack = local.deploy(&DeployOptions::default()).await.unwrap();
    // The first millisecond of October 2024 in Tokyo.
    let events = vec![Event { timestamp: 1_727_708_400_000, message: "one".to_owned() }];
    let group = LogGroup { name: "/app/one".to_owned(), created: 0, streams: vec![LogStream { name: "main".to_owned(), events }] };
    local.load(&group).await.unwrap();
    let input = json!({ "month": "2024-10", "logGroups": ["/app/one"] });
    let run = async || {
        let run = local.run_execution(&stack, &input, LIMIT).await.unwrap();
        let report = local.report(&stack.bucket, &run.arn).await.unwrap().unwrap();
        assert_eq!(report["execution"], json!(run.arn));
        (run.status, report["counts"].clone())
    };
    // A process of the function runs already when its setting changes.
    let unknown = local.invoke(&stack.create_function_name, &json!({})).await.unwrap();
    assert_eq!(unknown["errorType"], json!("InvalidInput"), "{unknown}");
    local.set_variable(&stack.create_function_name, "RUN_TIME_LIMIT_SECONDS", Some("0")).await.unwrap();
    let (status, counts) = run().await;
    assert_eq!((status, &counts["waiting"]), (ExecutionStatus::Succeeded, &json!(1)), "{counts}");
    assert!(local.manifests(&stack.bucket).await.unwrap().is_empty());

    local.set_variable(&stack.create_function_name, "RUN_TIME_LIMIT_SECONDS", None).await.unwrap();
    let (status, counts) = run().await;
    assert_eq!((status, &counts["exported"]), (ExecutionStatus::Succeeded, &json!(1)), "{counts}");
    let manifests = local.manifests(&stack.bucket).await.unwrap();
    let (key, manifest) = manifests.first_key_value().unwrap();
    assert_eq!((manifests.len(), &manifest["outcome"]), (1, &json!("exported")));

    local.delete_object(&stack.bucket, key).await.unwrap();
    assert_eq!(local.keys(&stack.bucket, key).await.unwrap(), [""; 0]);
    local.write_object(&stack.bucket, key, manifest.to_string()).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&local.read_object(&stack.bucket, key).await.unwrap()).unwrap(), *manifest);
}
