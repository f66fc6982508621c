//! What tests tell the stand-in: how long export tasks take, what goes wrong next, how old a log group is.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hyper::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http;
use crate::stack::LocalAws;

/// What DescribeLogGroups then reports of a log group. What is not given stays as it is.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogGroupOverlay {
    pub log_group_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_in_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_policy_name: Option<String>,
}

impl LogGroupOverlay {
    pub fn created_at(log_group_name: &str, creation_time: i64) -> Self {
        Self { log_group_name: log_group_name.to_owned(), creation_time: Some(creation_time), ..Self::default() }
    }
}

impl LocalAws {
    /// How long export tasks stay PENDING and RUNNING from now on.
    pub async fn set_task_timing(&self, pending: Duration, running: Duration) -> Result<()> {
        let body = json!({
            "pendingMs": u64::try_from(pending.as_millis())?,
            "runningMs": u64::try_from(running.as_millis())?,
        });
        self.call(Method::PUT, "/_local/export-tasks", Some(&body)).await.map(drop)
    }

    /// How many hours export tasks take on their own clock per day of their window; 0 is off.
    pub async fn set_hours_per_day(&self, hours: f64) -> Result<()> {
        self.call(Method::PUT, "/_local/export-tasks", Some(&json!({ "hoursPerDay": hours }))).await.map(drop)
    }

    /// Adds a fault, such as `{"operation":"CreateExportTask","error":"ThrottlingException","times":2}`.
    pub async fn add_fault(&self, fault: &Value) -> Result<()> {
        self.call(Method::POST, "/_local/export-tasks/faults", Some(fault)).await.map(drop)
    }

    pub async fn clear_faults(&self) -> Result<()> {
        self.call(Method::DELETE, "/_local/export-tasks/faults", None).await.map(drop)
    }

    pub async fn set_log_group(&self, overlay: &LogGroupOverlay) -> Result<()> {
        let body = serde_json::to_value(overlay)?;
        self.call(Method::PUT, "/_local/log-groups", Some(&body)).await.map(drop)
    }

    /// Calls a control of the stand-in, or an operation of AWS with a JSON body for which there is no SDK here.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let (status, answer) = http::request(self.addr(), method.clone(), path, body)
            .await
            .with_context(|| format!("the stand-in does not answer. The end of the stack's log:\n{}", self.ministack().log_tail()))?;
        if !status.is_success() {
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        }
        serde_json::from_slice(&answer).with_context(|| format!("{method} {path} answers {}", String::from_utf8_lossy(&answer)))
    }
}
