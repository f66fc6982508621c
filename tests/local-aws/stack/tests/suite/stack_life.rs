//! The stack's life after its creation: updated, rolled back, deleted. The archive outlives all of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_s3::Client as S3;
use aws_sdk_sfn::Client as StepFunctions;
use local_aws::{DeployOptions, LocalAws, Options};
use tempfile::TempDir;

/// Retentions of the log groups that the stack made, each once.
async fn retentions(local: &LocalAws) -> Vec<i32> {
    let groups = Logs::new(&local.sdk_config()).describe_log_groups().send().await.unwrap();
    let mut days: Vec<i32> = groups.log_groups().iter().filter_map(|group| group.retention_in_days()).collect();
    days.sort_unstable();
    days.dedup();
    days
}

/// The template with one resource more, which cannot be created, and whose turn comes after the log groups'.
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
    let broken = "\nResources:\n  Broken:\n    Type: AWS::Logs::LogStream\n    DependsOn: [ExportLogsLogGroup, Roles, Compaction]\n    \
                  Properties:\n      LogGroupName: /there/is/none\n";
    assert_eq!(text.matches("\nResources:\n").count(), 1);
    let template = infra.join("template.yaml");
    fs::write(&template, text.replace("\nResources:\n", broken)).unwrap();
    template
}

#[tokio::test]
async fn the_stack_is_updated_rolled_back_and_deleted_and_the_archive_stays() {
    let local = LocalAws::start(&Options::default()).await.unwrap();
    let created = DeployOptions::default().with_parameter("LogRetentionInDays", "30");
    let deployment = local.deploy(&created).await.unwrap();
    assert_eq!(retentions(&local).await, [30]);
    let s3 = S3::new(&local.sdk_config());
    let key = "cloudwatch-logs/log_group=/a/year=2026/month=10/task/stream/000000.gz";
    s3.put_object().bucket(&deployment.bucket).key(key).send().await.unwrap();

    // A changed parameter reaches the resources of nested stacks, and replaces nothing.
    let updated = DeployOptions::default().with_parameter("LogRetentionInDays", "60");
    assert_eq!(local.update(&updated).await.unwrap(), deployment);
    assert_eq!(retentions(&local).await, [60]);

    // A contradiction is refused before anything is changed.
    let contradictory = updated.clone().with_parameter("LogRetentionInDays", "90").with_parameter("ObjectLockMode", "COMPLIANCE");
    let error = format!("{:#}", local.update(&contradictory).await.unwrap_err());
    assert!(error.contains("ObjectLockMode needs ObjectLockDays of 1 or more."), "{error}");
    assert_eq!(retentions(&local).await, [60]);

    // So is a value that no run would take.
    let error = format!("{:#}", local.update(&updated.clone().with_parameter("SettleDays", "16")).await.unwrap_err());
    assert!(error.contains("SettleDays"), "{error}");
    assert_eq!(retentions(&local).await, [60]);

    // A change that breaks half way is taken back.
    let folder = tempfile::tempdir().unwrap();
    let broken = DeployOptions { template: broken_template(&folder), ..updated.clone() }.with_parameter("LogRetentionInDays", "90");
    let error = format!("{:#}", local.update(&broken).await.unwrap_err());
    assert!(error.contains("is UPDATE_ROLLBACK_COMPLETE") && error.contains("Broken (AWS::Logs::LogStream)"), "{error}");
    assert_eq!(retentions(&local).await, [60]);
    // And the stack can be changed again.
    assert_eq!(local.update(&created).await.unwrap(), deployment);
    assert_eq!(retentions(&local).await, [30]);

    local.delete_stack(&created).await.unwrap();
    assert_eq!(retentions(&local).await, [0; 0]);
    let machines = StepFunctions::new(&local.sdk_config()).list_state_machines().send().await.unwrap();
    assert_eq!(machines.state_machines(), []);
    let keys: Vec<String> = local.read_bucket(&deployment.bucket).await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, [key]);
    let policy = s3.get_bucket_policy().bucket(&deployment.bucket).send().await.unwrap();
    assert!(policy.policy().unwrap_or_default().contains("TlsOnly"), "{policy:?}");
}
