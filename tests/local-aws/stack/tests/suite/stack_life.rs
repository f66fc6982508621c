//! The stack's life after its creation: updated, rolled back, deleted. The archive outlives all of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_s3::Client as S3;
use aws_sdk_sfn::Client as StepFunctions;
use hyper::Method;
use local_aws::{DeployOptions, Deployment, LocalAws, Options};
use serde_json::Value;
use tempfile::TempDir;

/// The archive's prefix as a function has it: it comes from a nested stack.
async fn prefix(local: &LocalAws, deployment: &Deployment) -> Value {
    let path = format!("/2015-03-31/functions/{}/configuration", deployment.plan_function_name);
    local.call(Method::GET, &path, None).await.unwrap()["Environment"]["Variables"]["S3_PREFIX"].clone()
}

/// The template with one resource more, which cannot be created, and whose turn comes after the function's.
fn broken_template(folder: &TempDir) -> PathBuf {
    let real = DeployOptions::default().template;
    let infra = folder.path().join("infra");
    fs::create_dir(&infra).unwrap();
    for entry in fs::read_dir(real.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        if entry.path() != real {
            symlink(entry.path(), infra.join(entry.file_name())).unwrap();
        }
    }
    let root = real.ancestors().nth(2).unwrap();
    symlink(root.join("statemachine"), folder.path().join("statemachine")).unwrap();
    let text = fs::read_to_string(&real).unwrap();
    let broken = "\nResources:\n  Broken:\n    Type: AWS::Logs::LogStream\n    DependsOn: [Functions, Compaction]\n    \
                  Properties:\n      LogGroupName: /there/is/none\n";
    assert_eq!(text.matches("\nResources:\n").count(), 1);
    let template = infra.join("template.yaml");
    fs::write(&template, text.replace("\nResources:\n", broken)).unwrap();
    template
}

#[tokio::test]
async fn the_stack_is_updated_rolled_back_and_deleted_and_the_archive_stays() {
    let local = LocalAws::start(&Options::default()).await.unwrap();
    let created = DeployOptions::default().with_parameter("S3Prefix", "one");
    let deployment = local.deploy(&created).await.unwrap();
    assert_eq!(prefix(&local, &deployment).await, "one");
    let s3 = S3::new(&local.sdk_config());
    let key = "cloudwatch-logs/log_group=/a/year=2026/month=10/task/stream/000000.gz";
    s3.put_object().bucket(&deployment.bucket).key(key).send().await.unwrap();

    // A changed parameter reaches the resources of nested stacks, and replaces nothing.
    let updated = DeployOptions::default().with_parameter("S3Prefix", "two");
    assert_eq!(local.update(&updated).await.unwrap(), deployment);
    assert_eq!(prefix(&local, &deployment).await, "two");

    // A contradiction is refused before anything is changed.
    let three = updated.clone().with_parameter("S3Prefix", "three");
    let contradictory =
        three.clone().with_parameter("Storage", "STANDARD-DELETE-AFTER-1-YEAR").with_parameter("ObjectLock", "COMPLIANCE-3-YEARS");
    let error = format!("{:#}", local.update(&contradictory).await.unwrap_err());
    assert!(error.contains("Storage must not delete objects before ObjectLock ends."), "{error}");
    assert_eq!(prefix(&local, &deployment).await, "two");

    // So is a value that no run would take.
    let error = format!("{:#}", local.update(&three.clone().with_parameter("SettleDays", "16")).await.unwrap_err());
    assert!(error.contains("SettleDays"), "{error}");
    assert_eq!(prefix(&local, &deployment).await, "two");

    // A change that breaks half way is taken back.
    let folder = tempfile::tempdir().unwrap();
    let broken = DeployOptions { template: broken_template(&folder), ..three };
    let error = format!("{:#}", local.update(&broken).await.unwrap_err());
    assert!(error.contains("is UPDATE_ROLLBACK_COMPLETE") && error.contains("Broken (AWS::Logs::LogStream)"), "{error}");
    assert_eq!(prefix(&local, &deployment).await, "two");
    // And the stack can be changed again.
    assert_eq!(local.update(&created).await.unwrap(), deployment);
    assert_eq!(prefix(&local, &deployment).await, "one");

    local.delete_stack(&created).await.unwrap();
    let groups = Logs::new(&local.sdk_config()).describe_log_groups().send().await.unwrap();
    assert_eq!(groups.log_groups(), []);
    let machines = StepFunctions::new(&local.sdk_config()).list_state_machines().send().await.unwrap();
    assert_eq!(machines.state_machines(), []);
    let keys: Vec<String> = local.read_bucket(&deployment.bucket).await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, [key]);
    let policy = s3.get_bucket_policy().bucket(&deployment.bucket).send().await.unwrap();
    assert!(policy.policy().unwrap_or_default().contains("TlsOnly"), "{policy:?}");
}
