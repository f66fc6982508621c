//! The stack as a whole: deployed from the real template, one beside another, with nothing of the user's environment.

use std::time::Duration;

use crate::processes::environment;
use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_s3::Client as S3;
use aws_sdk_sfn::Client as StepFunctions;
use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::samples::{Event, LogGroup, LogStream};
use local_aws::{DeployOptions, Deployment, Engine, LocalAws, Options};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(120);
const METADATA: &str = "AWS_EC2_METADATA_DISABLED=true";

async fn deployed(options: &Options) -> (LocalAws, Deployment) {
    let local = LocalAws::start(options).await.unwrap();
    let deployment = local.deploy(&DeployOptions::default()).await.unwrap();
    (local, deployment)
}

fn log_group(name: &str, message: &str) -> LogGroup {
    // 2026-09-30T15:00:00Z, the first millisecond of October in Tokyo.
    let events = vec![Event { timestamp: 1_790_780_400_000, message: message.to_owned() }];
    LogGroup { name: name.to_owned(), created: 0, streams: vec![LogStream { name: "main".to_owned(), events }] }
}

fn input(deployment: &Deployment) -> Value {
    json!({ "s3BucketName": deployment.bucket, "month": "2026-10", "logGroups": ["/shared/name"] })
}

#[tokio::test]
async fn two_stacks_side_by_side_do_not_disturb_each_other() {
    let here = Options::default();
    let elsewhere =
        Options { account_id: "210987654321".to_owned(), region: "eu-central-1".to_owned(), engine: Engine::Moto, ..Options::default() };
    let ((one, in_one), (two, in_two)) = tokio::join!(deployed(&here), deployed(&elsewhere));
    assert_ne!(one.endpoint(), two.endpoint());

    // The same names on both sides, with another event in each.
    let (group_one, group_two) = (log_group("/shared/name", "of the first"), log_group("/shared/name", "of the second"));
    let (loaded_one, loaded_two) = tokio::join!(one.load(&group_one), two.load(&group_two));
    loaded_one.unwrap();
    loaded_two.unwrap();
    let (input_one, input_two) = (input(&in_one), input(&in_two));
    let (run_one, run_two) = tokio::join!(one.run_execution(&in_one, &input_one, LIMIT), two.run_execution(&in_two, &input_two, LIMIT));

    for (local, deployment, run, message) in
        [(&one, &in_one, run_one.unwrap(), "of the first"), (&two, &in_two, run_two.unwrap(), "of the second")]
    {
        assert_eq!(run.status, ExecutionStatus::Succeeded, "{run:?}");
        assert_eq!(local.export_tasks().await.unwrap().len(), 1);
        let objects = local.read_bucket(&deployment.bucket).await.unwrap();
        let data: Vec<_> = objects.iter().filter(|object| object.key.ends_with(".gz")).collect();
        assert_eq!(data.len(), 1);
        assert_eq!(data[0].gunzip().unwrap(), format!("2026-09-30T15:00:00.000Z {message}\n").as_bytes());
    }

    drop(one);
    let groups = Logs::new(&two.sdk_config()).describe_log_groups().log_group_name_prefix("/shared/").send().await.unwrap();
    assert_eq!(groups.log_groups().len(), 1);
    two.check_alive().await.unwrap();
    outputs_name_what_the_template_made(&two, &in_two).await;
    nothing_of_the_users_environment(&two);
}

async fn outputs_name_what_the_template_made(local: &LocalAws, deployment: &Deployment) {
    let config = local.sdk_config();
    let arn = &deployment.state_machine_arn;
    assert!(arn.starts_with("arn:aws:states:eu-central-1:210987654321:stateMachine:"), "{arn}");
    // The definition is the file, with its placeholders filled in.
    let definition = StepFunctions::new(&config).describe_state_machine().state_machine_arn(arn).send().await.unwrap().definition;
    assert!(!definition.contains("${"), "{definition}");
    let functions = [
        &deployment.plan_function_name,
        &deployment.create_function_name,
        &deployment.check_function_name,
        &deployment.report_function_name,
    ];
    for name in functions {
        let function_arn = format!("arn:aws:lambda:eu-central-1:210987654321:function:{name}");
        assert!(definition.contains(&function_arn), "{function_arn}");
    }
    assert_ne!(deployment.work_bucket, deployment.bucket);
    let policy = S3::new(&config).get_bucket_policy().bucket(&deployment.bucket).send().await.unwrap();
    assert!(policy.policy().unwrap_or_default().contains("logs.eu-central-1.amazonaws.com"));
}

/// As far as the system shows it.
fn nothing_of_the_users_environment(local: &LocalAws) {
    let endpoint = format!("AWS_ENDPOINT_URL={}", local.endpoint());
    for (process, expected) in [(local.ministack().pid(), vec![METADATA, endpoint.as_str()]), (local.moto().unwrap().pid(), vec![METADATA])]
    {
        let Some(environment) = environment(process) else { return };
        let mut aws: Vec<&String> = environment.iter().filter(|variable| variable.starts_with("AWS_")).collect();
        aws.sort_unstable();
        assert_eq!(aws, expected);
        let is_of_a_proxy = |variable: &&String| variable.split('=').next().is_some_and(|name| name.to_lowercase().contains("proxy"));
        assert_eq!(environment.iter().find(is_of_a_proxy), None);
    }
}
