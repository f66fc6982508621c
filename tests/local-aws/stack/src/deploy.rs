//! Deploys the real template through CloudFormation, with the functions' executables built for this machine; updates and deletes the stack.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::functions::{self, CargoMessages, Executables};
use crate::stack::LocalAws;
use crate::{venv, workspace};

const TIMEOUT_SECONDS: u64 = 60;

/// What is deployed, and under which name.
#[derive(Clone, Debug)]
pub struct DeployOptions {
    pub stack_name: String,
    pub template: PathBuf,
    /// The template's parameters. [`DeployOptions::default`] sets those that the local AWS needs.
    pub parameters: BTreeMap<String, String>,
}

impl Default for DeployOptions {
    fn default() -> Self {
        let parameters = [
            ("Architecture", host_architecture()),
            ("LogGroups", "/aws/lambda/orders"),
            ("NotificationEmail", "NONE"),
            // ministack's scheduler would read the expression in UTC, and start a run that nobody asked for.
            ("Schedule", "OFF"),
        ];
        Self {
            stack_name: "cloudwatch-logs-archive".to_owned(),
            template: workspace::root().join("infra").join("template.yaml"),
            parameters: parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }
}

impl DeployOptions {
    pub fn with_parameter(mut self, key: &str, value: &str) -> Self {
        self.parameters.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// The outputs of a deployed stack, by their names in the template; the template may have more of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Deployment {
    pub state_machine_arn: String,
    #[serde(rename = "ArchiveBucketName")]
    pub bucket: String,
    #[serde(rename = "WorkBucketName")]
    pub work_bucket: String,
    #[serde(rename = "NotificationTopicArn")]
    pub topic_arn: String,
    #[serde(rename = "PlanExportsFunctionName")]
    pub plan_function_name: String,
    #[serde(rename = "CreateExportTaskFunctionName")]
    pub create_function_name: String,
    #[serde(rename = "CheckExportTaskFunctionName")]
    pub check_function_name: String,
    #[serde(rename = "ReportArchiveFunctionName")]
    pub report_function_name: String,
    #[serde(rename = "CompactLogsStateMachineArn")]
    pub compact_state_machine_arn: String,
    /// The Glue database with the archive's tables and views.
    #[serde(rename = "DatabaseName")]
    pub database: String,
    /// The Athena workgroup for queries over the archive.
    #[serde(rename = "WorkGroupName")]
    pub work_group: String,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Create,
    Update,
    Delete,
}

/// What `deploy.py` reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    action: Action,
    endpoint: &'a str,
    region: &'a str,
    account_id: &'a str,
    stack_name: &'a str,
    template: &'a PathBuf,
    artifact_bucket: String,
    executables: &'a Executables,
    parameters: &'a BTreeMap<String, String>,
    timeout_seconds: u64,
}

impl LocalAws {
    /// Builds the functions, where that has not been done, and creates the stack.
    pub async fn deploy(&self, options: &DeployOptions) -> Result<Deployment> {
        self.hand_over_state_machines(self.change(Action::Create, options).await?).await
    }

    /// Updates the stack to these options. Where that fails, the error says how CloudFormation left the stack.
    pub async fn update(&self, options: &DeployOptions) -> Result<Deployment> {
        self.hand_over_state_machines(self.change(Action::Update, options).await?).await
    }

    /// Deletes the stack.
    pub async fn delete_stack(&self, options: &DeployOptions) -> Result<()> {
        let no_executables = Executables::default();
        self.run_deploy_script(&self.request(Action::Delete, options, &no_executables)).await.map(drop)
    }

    async fn change(&self, action: Action, options: &DeployOptions) -> Result<Deployment> {
        let executables = functions::build(CargoMessages::Hidden).await?;
        let answer = self.run_deploy_script(&self.request(action, options, executables)).await;
        let answer = answer.with_context(|| {
            format!("cannot deploy {}. The end of ministack's log:\n{}\n", options.template.display(), self.ministack().log_tail())
        })?;
        serde_json::from_slice(&answer)
            .with_context(|| format!("the stack's outputs are not those expected: {}", String::from_utf8_lossy(&answer)))
    }

    fn request<'a>(&'a self, action: Action, options: &'a DeployOptions, executables: &'a Executables) -> Request<'a> {
        Request {
            action,
            endpoint: self.endpoint(),
            region: self.region(),
            account_id: self.account_id(),
            stack_name: &options.stack_name,
            template: &options.template,
            artifact_bucket: format!("local-aws-artifacts-{}", self.account_id()),
            executables,
            parameters: &options.parameters,
            timeout_seconds: TIMEOUT_SECONDS,
        }
    }

    async fn run_deploy_script(&self, request: &Request<'_>) -> Result<Vec<u8>> {
        let mut script = Command::new(venv::python(&venv::MINISTACK).await?)
            .arg(workspace::part("stack/python/deploy.py"))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            // Where botocore looks for configuration files.
            .env("HOME", self.ministack().directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start deploy.py")?;
        let mut stdin = script.stdin.take().context("deploy.py has no stdin")?;
        stdin.write_all(&serde_json::to_vec(request)?).await.context("cannot write to deploy.py")?;
        drop(stdin);
        let output = script.wait_with_output().await.context("cannot wait for deploy.py")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output.stdout)
    }
}

/// In the words of the template's parameter `Architecture`.
fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}
