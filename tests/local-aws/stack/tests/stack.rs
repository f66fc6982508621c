//! The stack as a whole: deployed from the real template, one beside another.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_s3::Client as S3;
use aws_sdk_sfn::Client as StepFunctions;
use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::samples::{Event, LogGroup, LogStream};
use local_aws::{DeployOptions, Deployment, LocalAws, Options};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(120);

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
    let options = Options::default();
    let ((one, in_one), (two, in_two)) = tokio::join!(deployed(&options), deployed(&options));
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
}

#[tokio::test]
async fn the_outputs_name_what_the_template_made() {
    let options = Options { account_id: "210987654321".to_owned(), region: "eu-central-1".to_owned(), ..Options::default() };
    let (local, deployment) = deployed(&options).await;
    let config = local.sdk_config();

    let arn = &deployment.state_machine_arn;
    assert!(arn.starts_with("arn:aws:states:eu-central-1:210987654321:stateMachine:"), "{arn}");
    let machine = StepFunctions::new(&config).describe_state_machine().state_machine_arn(arn).send().await.unwrap();
    // The definition is the file, with its placeholders filled in.
    assert!(!machine.definition.contains("${"), "{}", machine.definition);
    for name in [&deployment.create_function_name, &deployment.check_function_name] {
        let function_arn = format!("arn:aws:lambda:eu-central-1:210987654321:function:{name}");
        assert!(machine.definition.contains(&function_arn), "{function_arn}");
    }
    assert!(machine.definition.contains(&deployment.topic_arn));
    assert!(machine.role_arn.starts_with("arn:aws:iam::210987654321:role/"), "{}", machine.role_arn);

    let s3 = S3::new(&config);
    let policy = s3.get_bucket_policy().bucket(&deployment.bucket).send().await.unwrap();
    assert!(policy.policy().unwrap_or_default().contains("logs.eu-central-1.amazonaws.com"));
    assert_eq!(local.read_bucket(&deployment.bucket).await.unwrap(), []);
}

#[tokio::test]
async fn parameters_reach_the_template() {
    let local = LocalAws::start(&Options::default()).await.unwrap();
    let options = DeployOptions::default().with_parameter("LogRetentionInDays", "30");
    local.deploy(&options).await.unwrap();
    let groups = Logs::new(&local.sdk_config()).describe_log_groups().send().await.unwrap();
    let retention: Vec<_> = groups.log_groups().iter().map(|group| group.retention_in_days()).collect();
    assert!(!retention.is_empty());
    assert!(retention.iter().all(|days| *days == Some(30)), "{retention:?}");
}

#[tokio::test]
async fn a_refused_parameter_is_reported_in_cloudformations_words() {
    let local = LocalAws::start(&Options::default()).await.unwrap();
    let options = DeployOptions::default().with_parameter("Architecture", "pdp11");
    let error = format!("{:#}", local.deploy(&options).await.unwrap_err());
    assert!(error.contains("ValidationError") && error.contains("Architecture"), "{error}");
}

#[tokio::test]
async fn a_failed_resource_is_reported_with_its_reason() {
    let local = LocalAws::start(&Options::default()).await.unwrap();
    let template = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    let text = r#"
Transform: AWS::Serverless-2016-10-31
Resources:
  Orphan:
    Type: AWS::Logs::LogStream
    Properties:
      LogGroupName: /there/is/none
"#;
    std::fs::write(template.path(), text).unwrap();
    let options = DeployOptions { template: template.path().to_path_buf(), parameters: [].into(), ..DeployOptions::default() };
    let error = format!("{:#}", local.deploy(&options).await.unwrap_err());
    assert!(error.contains("CREATE_FAILED"), "{error}");
    assert!(error.contains("Orphan (AWS::Logs::LogStream)"), "{error}");
}

#[tokio::test]
async fn the_controls_reach_the_stand_in() {
    let (local, deployment) = deployed(&Options::default()).await;
    local.load(&log_group("/shared/name", "an event")).await.unwrap();
    local.set_task_timing(Duration::ZERO, Duration::ZERO).await.unwrap();
    let fault = json!({ "logGroupName": "/shared/name", "status": "FAILED", "message": "as it was told to", "times": 10 });
    local.add_fault(&fault).await.unwrap();
    let run = local.run_execution(&deployment, &input(&deployment), LIMIT).await.unwrap();
    assert_eq!((run.status, run.error.as_deref()), (ExecutionStatus::Failed, Some("ExportsFailed")));
    assert!(run.cause.unwrap().contains("as it was told to"));

    local.clear_faults().await.unwrap();
    let run = local.run_execution(&deployment, &input(&deployment), LIMIT).await.unwrap();
    assert_eq!(run.status, ExecutionStatus::Succeeded, "{run:?}");

    let error = local.add_fault(&json!({ "nonsense": true })).await.unwrap_err().to_string();
    assert!(error.starts_with("POST /_local/export-tasks/faults: 400"), "{error}");
}
