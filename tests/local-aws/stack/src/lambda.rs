//! The deployed functions: invoked as an operator would, and set up anew.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stack::LocalAws;

const POLL_INTERVAL: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(60);

impl LocalAws {
    /// Invokes a function: its answer, or its error payload `{"errorType", "errorMessage"}`.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value> {
        self.call(Method::POST, &format!("{}/invocations", path(function)), Some(event)).await
    }

    /// Sets a variable of a function's environment, beside those that the template gives it; `None` removes it.
    ///
    /// As on AWS, the next invocation starts a new process.
    pub async fn set_variable(&self, function: &str, name: &str, value: Option<&str>) -> Result<()> {
        let path = format!("{}/configuration", path(function));
        let mut variables = self.call(Method::GET, &path, None).await?["Environment"]["Variables"].clone();
        let all = variables.as_object_mut().with_context(|| format!("{function} has no variables"))?;
        match value {
            Some(value) => drop(all.insert(name.to_owned(), value.into())),
            None => drop(all.remove(name)),
        }
        self.call(Method::PUT, &path, Some(&json!({ "Environment": { "Variables": variables } }))).await?;
        let deadline = Instant::now() + DEADLINE;
        while self.call(Method::GET, &path, None).await?["LastUpdateStatus"] == "InProgress" {
            if Instant::now() > deadline {
                bail!("the update of {function} has not ended after {} s", DEADLINE.as_secs());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

fn path(function: &str) -> String {
    format!("/2015-03-31/functions/{function}")
}
