//! The export tasks there are, read as any client of AWS would.

use anyhow::{Context, Result};
use aws_sdk_cloudwatchlogs::Client;

use crate::check::ExportTask;
use crate::stack::LocalAws;

impl LocalAws {
    /// Every export task ever created, the newest first.
    pub async fn export_tasks(&self) -> Result<Vec<ExportTask>> {
        let logs = Client::new(&self.sdk_config());
        let mut tasks = Vec::new();
        let mut token = None;
        loop {
            let page = logs.describe_export_tasks().set_next_token(token).send().await.context("cannot list the export tasks")?;
            for task in page.export_tasks() {
                tasks.push(ExportTask {
                    task_id: task.task_id().unwrap_or_default().to_owned(),
                    log_group_name: task.log_group_name().unwrap_or_default().to_owned(),
                    status: task.status().and_then(|status| status.code()).map_or("", |code| code.as_str()).to_owned(),
                    from: task.from().unwrap_or_default(),
                    to: task.to().unwrap_or_default(),
                    destination: task.destination().unwrap_or_default().to_owned(),
                    destination_prefix: task.destination_prefix().unwrap_or_default().to_owned(),
                });
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(tasks);
            }
        }
    }
}
