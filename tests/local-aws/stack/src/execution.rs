//! Runs of the state machine: started, and waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;
use tokio::time::Instant;

use crate::deploy::Deployment;
use crate::stack::LocalAws;

/// A run takes a second or more, and each look at it costs the local AWS several milliseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(150);

/// An execution that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    pub arn: String,
    pub status: ExecutionStatus,
    pub output: Option<Value>,
    pub error: Option<String>,
    pub cause: Option<String>,
}

/// What became of each log group, as a run's report says, in a word and with the reason; what was archived already is not in it.
pub fn became(report: &Value) -> BTreeMap<String, String> {
    let decided = report["decided"].as_array().into_iter().flatten();
    let one = |decided: &Value| {
        let reasons = ["/reason", "/warning/name", "/failure/error"];
        let words = ["/became"].into_iter().chain(reasons).filter_map(|pointer| decided.pointer(pointer)?.as_str());
        let log_group = decided["source"]["logGroupName"].as_str().unwrap_or_default();
        (log_group.to_owned(), words.collect::<Vec<_>>().join(" "))
    };
    decided.map(one).collect()
}

impl LocalAws {
    /// Starts an execution and returns its ARN.
    pub async fn start_execution(&self, deployment: &Deployment, input: &Value) -> Result<String> {
        let started = self
            .step_functions()
            .start_execution()
            .state_machine_arn(&deployment.state_machine_arn)
            // moto names executions without a name alike.
            .name(format!("{:032x}", fastrand::u128(..)))
            .input(input.to_string())
            .send()
            .await
            .context("cannot start an execution")?;
        Ok(started.execution_arn)
    }

    /// The execution, where it has ended.
    pub async fn ended_execution(&self, arn: &str) -> Result<Option<Execution>> {
        let described = self
            .step_functions()
            .describe_execution()
            .execution_arn(arn)
            .send()
            .await
            .with_context(|| format!("cannot describe the execution {arn}"))?;
        if described.status == ExecutionStatus::Running {
            return Ok(None);
        }
        let output =
            described.output.map(|output| serde_json::from_str(&output)).transpose().context("the execution's output is not JSON")?;
        Ok(Some(Execution {
            arn: described.execution_arn,
            status: described.status,
            output,
            error: described.error,
            cause: described.cause,
        }))
    }

    /// Waits until the execution has ended, whatever its status.
    pub async fn wait_for_execution(&self, arn: &str, limit: Duration) -> Result<Execution> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(execution) = self.ended_execution(arn).await? {
                return Ok(execution);
            }
            if Instant::now() > deadline {
                bail!("the execution {arn} still runs after {} s. The end of the stack's log:\n{}", limit.as_secs(), self.log_tail());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Starts an execution and waits for its end.
    pub async fn run_execution(&self, deployment: &Deployment, input: &Value, limit: Duration) -> Result<Execution> {
        let arn = self.start_execution(deployment, input).await?;
        self.wait_for_execution(&arn, limit).await
    }
}
