//! `create-export-task`: decides whether one log group's month can be exported, and starts the export, once.
//!
//! An event with `validate` holds a whole run's input instead: it is checked and planned, and nothing is created.

mod archive;
mod log_group;
mod slot;

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_cloudwatchlogs::{config::Builder, error::SdkError, operation::create_export_task::CreateExportTaskError};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    create::{Export, Request, Response, SkipReason, Task, Warning, WarningName},
    destination::task_folder,
    manifest::Found,
    plan::ValidateRequest,
    service::{Destination, create_error},
};
use function_runtime::{Invocation, LogField, Metric, read_manifest, service_failure};
use serde_json::{Value, json};
use tracing::info;

/// The function's name, wherever one is needed.
pub const NAME: &str = env!("CARGO_PKG_NAME");

pub struct CreateExportTask {
    logs: aws_sdk_cloudwatchlogs::Client,
    s3: aws_sdk_s3::Client,
    region: String,
}

impl CreateExportTask {
    pub fn new(config: &SdkConfig) -> Self {
        let region = config.region().map(|region| region.to_string()).unwrap_or_default();
        let s3 = function_runtime::s3_client(config);
        Self::with_clients(aws_sdk_cloudwatchlogs::Client::new(config), s3, region)
    }

    pub fn with_clients(logs: aws_sdk_cloudwatchlogs::Client, s3: aws_sdk_s3::Client, region: String) -> Self {
        Self { logs, s3, region }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        if ValidateRequest::is_one(&event) {
            let plan = ValidateRequest::parse(&event)?.plan()?;
            invocation.set_log_field(LogField::Month, &plan.month.to_string());
            info!(pages = plan.pages.len(), "planned");
            return Ok(json!(plan));
        }
        let request = Request::parse(&event)?;
        let response = self.export(&request, invocation).await?;
        let answer = json!(response);
        info!(status = answer["status"].as_str(), reason = answer["reason"].as_str(), "decided");
        Ok(answer)
    }

    /// Validate, window and month come first: they cost no call. Then whatever speaks for skipping, then the task.
    async fn export(&self, request: &Request, invocation: &mut Invocation) -> Result<Response, ExportError> {
        let now = invocation.now();
        let export = request.export(now)?;
        invocation.set_log_field(LogField::Month, &export.month.to_string());
        let mut warnings = Vec::new();
        match self.find_manifest(request, &export).await? {
            Some(Found::Archived { .. }) => return Ok(skipped(request, export, SkipReason::AlreadyArchived)),
            Some(Found::Other(what)) => warnings.push(manifest_replaced(&export, &what)),
            None => {}
        }
        let Some(log_group) = log_group::find(&self.logs, &request.log_group_name).await? else {
            return Ok(skipped(request, export, SkipReason::LogGroupNotFound));
        };
        if let Some(reason) = log_group::skip_reason(&self.logs, &log_group, &export).await? {
            return Ok(skipped(request, export, reason));
        }
        warnings.extend(log_group::retention_warning(&log_group, export.window, now));
        let task = self.adopt_or_create(request, &export, now).await?;
        note(request, &task, invocation);
        Ok(request.respond(export, task, warnings))
    }

    async fn find_manifest(&self, request: &Request, export: &Export) -> Result<Option<Found>, ExportError> {
        if request.settings.force {
            return Ok(None);
        }
        let destination = self.destination(request);
        let manifest = read_manifest(&self.s3, destination, &export.destination_prefix, archive::PERMISSIONS).await?;
        let Some(bytes) = manifest else { return Ok(None) };
        let found = export_core::manifest::read(&bytes, request, export);
        if let Found::Archived { task_id, objects: 1.. } = &found {
            let folder = task_folder(&export.destination_prefix, task_id);
            if !archive::holds_objects(&self.s3, destination, &folder).await? {
                return Ok(Some(Found::Other(format!("the objects of its task {task_id} are gone"))));
            }
        }
        Ok(Some(found))
    }

    /// A retry whose first answer was lost, a run started again, and a second run at the same time all find the task that
    /// is there already, and export nothing twice.
    async fn adopt_or_create(&self, request: &Request, export: &Export, now: DateTime<Utc>) -> Result<Task, ExportError> {
        let own = slot::Own::new(request, export, now);
        let (active, completed) = own.find(&self.logs).await?;
        if let Some(task_id) = active {
            return Ok(Task::Adopted { task_id });
        }
        if let Some(slot::Completed { task_id, of_this_run }) = completed {
            let folder = task_folder(&export.destination_prefix, &task_id);
            if of_this_run || archive::holds_objects(&self.s3, self.destination(request), &folder).await? {
                return Ok(Task::Adopted { task_id });
            }
        }
        match self.create(&own).await {
            Ok(Some(task_id)) => Ok(Task::Created { task_id }),
            Ok(None) => Err(ExportError::new(ErrorName::Unexpected, "CreateExportTask answered without a taskId")),
            Err(error) => self.refused(&own, error).await,
        }
    }

    async fn create(&self, own: &slot::Own<'_>) -> Result<Option<String>, SdkError<CreateExportTaskError>> {
        let slot::Own { request, export, .. } = own;
        let created = self
            .logs
            .create_export_task()
            .task_name(&own.task_name)
            .log_group_name(&request.log_group_name)
            .set_log_stream_name_prefix(request.placement.log_stream_name_prefix.clone())
            .from(export.window.from)
            .to(export.window.to)
            .destination(&request.settings.s3_bucket_name)
            .destination_prefix(&export.destination_prefix)
            .customize()
            // The SDK takes a busy slot for throttling, and a lost answer for a call to repeat, which would export twice.
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await?;
        Ok(created.task_id)
    }

    async fn refused(&self, own: &slot::Own<'_>, error: SdkError<CreateExportTaskError>) -> Result<Task, ExportError> {
        match error.as_service_error() {
            Some(CreateExportTaskError::LimitExceededException(_)) => own.adopt_or_queue(&self.logs).await,
            // Deleted since it was looked at.
            Some(CreateExportTaskError::ResourceNotFoundException(_)) => Ok(Task::Skipped { reason: SkipReason::LogGroupNotFound }),
            _ => Err(create_error(&service_failure("CreateExportTask", &error), self.destination(own.request))),
        }
    }

    fn destination<'a>(&'a self, request: &'a Request) -> Destination<'a> {
        Destination { bucket: &request.settings.s3_bucket_name, region: &self.region }
    }
}

/// A task that was there already may have waited for the slot as well, but not in this call's sight.
fn note(request: &Request, task: &Task, invocation: &mut Invocation) {
    if let Task::Created { task_id } | Task::Adopted { task_id } = task {
        invocation.set_log_field(LogField::TaskId, task_id);
    }
    if let (Task::Created { .. }, Some(since)) = (task, request.queued_since) {
        invocation.report(Metric::SlotWait(invocation.now() - since));
    }
}

fn skipped(request: &Request, export: Export, reason: SkipReason) -> Response {
    request.respond(export, Task::Skipped { reason }, Vec::new())
}

fn manifest_replaced(export: &Export, what: &str) -> Warning {
    let key = export_core::manifest::key(&export.destination_prefix);
    Warning {
        name: WarningName::ManifestReplaced,
        message: format!("{key} lay there and is replaced, because {what}; in a versioned bucket its old version is kept"),
    }
}
