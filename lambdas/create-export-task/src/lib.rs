//! `create-export-task`: decides whether one log group's month can be exported, and starts the export.
//!
//! An event with `validate` holds a whole run's input instead: it is checked and planned, and nothing is created.

mod log_group;
mod slot;

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_cloudwatchlogs::{Client, error::SdkError, operation::create_export_task::CreateExportTaskError};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    create::{Export, Request, Response, SkipReason, Task},
    plan::ValidateRequest,
    service::{Destination, create_error},
};
use function_runtime::service_failure;
use serde_json::{Value, json};
use tracing::info;

pub struct CreateExportTask {
    logs: Client,
    region: String,
}

impl CreateExportTask {
    pub fn new(config: &SdkConfig) -> Self {
        Self::with_client(Client::new(config), config.region().map(|region| region.to_string()).unwrap_or_default())
    }

    pub fn with_client(logs: Client, region: String) -> Self {
        Self { logs, region }
    }

    pub async fn handle(&self, event: Value, now: DateTime<Utc>) -> Result<Value, ExportError> {
        if ValidateRequest::is_one(&event) {
            return ValidateRequest::parse(&event)?.plan().map(|plan| json!(plan));
        }
        let request = Request::parse(&event)?;
        let response = self.export(&request, now).await?;
        info!(
            log_group = response.log_group_name, month = %response.month, task_id = response.task_id, status = ?response.status,
            reason = ?response.reason, execution = response.execution, "decided"
        );
        Ok(json!(response))
    }

    /// Validate, window and month come first: they cost no call. Then whatever speaks for skipping, then the task.
    async fn export(&self, request: &Request, now: DateTime<Utc>) -> Result<Response, ExportError> {
        let export = request.export(now)?;
        let log_group = match log_group::find(&self.logs, &request.log_group_name).await? {
            Some(log_group) => log_group,
            None => return Ok(request.respond(export, Task::Skipped { reason: SkipReason::LogGroupNotFound }, Vec::new())),
        };
        let warnings = log_group::retention_warning(&log_group, export.window, now).into_iter().collect();
        let task = self.create(request, &export).await?;
        Ok(request.respond(export, task, warnings))
    }

    async fn create(&self, request: &Request, export: &Export) -> Result<Task, ExportError> {
        let answer = self
            .logs
            .create_export_task()
            .task_name(request.task_name(export))
            .log_group_name(&request.log_group_name)
            .set_log_stream_name_prefix(request.placement.log_stream_name_prefix.clone())
            .from(export.window.from)
            .to(export.window.to)
            .destination(&request.settings.s3_bucket_name)
            .destination_prefix(&export.destination_prefix)
            .customize()
            // The SDK takes a busy slot for throttling, and a lost answer for a call to repeat, which would export twice.
            .config_override(aws_sdk_cloudwatchlogs::config::Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await;
        match answer {
            Ok(created) => match created.task_id {
                Some(task_id) => Ok(Task::Created { task_id }),
                None => Err(ExportError::new(ErrorName::Unexpected, "CreateExportTask answered without a taskId")),
            },
            Err(error) => self.refused(request, error).await,
        }
    }

    async fn refused(&self, request: &Request, error: SdkError<CreateExportTaskError>) -> Result<Task, ExportError> {
        match error.as_service_error() {
            Some(CreateExportTaskError::LimitExceededException(_)) => Err(slot::busy(&self.logs).await),
            // Deleted since it was looked at.
            Some(CreateExportTaskError::ResourceNotFoundException(_)) => Ok(Task::Skipped { reason: SkipReason::LogGroupNotFound }),
            _ => {
                let destination = Destination { bucket: &request.settings.s3_bucket_name, region: &self.region };
                Err(create_error(&service_failure("CreateExportTask", &error), destination))
            }
        }
    }
}
