//! `create-export-task`: decides one window, and starts its export, once.

mod slot;

use archive::{Archive, service_failure};
use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_cloudwatchlogs::{config::Builder, error::SdkError, operation::create_export_task::CreateExportTaskError};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ErrorName, ExportError, TaskId,
    contract::create::{Reason, Request, Response, Task},
    decide::{Decision, Evidence, LogGroup, Question, Start, Verdict},
    service::create_error,
    target::Target,
};
use function_runtime::{Invocation, LogField, Metric};
use serde_json::{Value, json};
use tracing::info;

/// The function's name, wherever one is needed.
pub const NAME: &str = env!("CARGO_PKG_NAME");

pub struct CreateExportTask {
    archive: Archive,
    run_time_limit: TimeDelta,
}

impl CreateExportTask {
    pub fn new(config: &SdkConfig) -> Result<Self, String> {
        let archive = Archive::new(function_runtime::stack_from_environment()?, config);
        Ok(Self::with(archive, function_runtime::run_time_limit()?))
    }

    pub fn with(archive: Archive, run_time_limit: TimeDelta) -> Self {
        Self { archive, run_time_limit }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        let request = Request::parse(&event, &self.archive.stack)?;
        let target = request.target(&self.archive.stack, invocation.now())?;
        invocation.set_log_field(LogField::Month, &target.month.to_string());
        let response = self.export(&request, target, invocation).await?;
        let answer = json!(response);
        info!(status = answer["status"].as_str(), reason = answer["reason"].as_str(), "decided");
        Ok(answer)
    }

    async fn export(&self, request: &Request, target: Target, invocation: &mut Invocation) -> Result<Response, ExportError> {
        let now = invocation.now();
        let skip = |target, reason| Ok(request.respond(target, Task::Skipped(reason), Start::default()));
        if request.is_run_time_over(self.run_time_limit, now) {
            return skip(target, Reason::RunTimeOver);
        }
        let planned_since = request.start_time.filter(|_| request.window.is_some());
        let question = Question {
            planned_since,
            remembered: request.remembered,
            ..target.question(request.force.then(|| request.run_since(now)), now)
        };
        let (decisions, evidence) = self.archive.decide(&question, Evidence::default(), None).await?;
        let start = match &decisions[..] {
            [Decision { verdict: Verdict::Fail(error), .. }] => return Err(error.clone()),
            [Decision { window, verdict: Verdict::Export(start), .. }] if *window == target.window => start.clone(),
            [Decision { window, verdict, .. }] if *window == target.window => {
                return skip(target, Reason::of(verdict).unwrap_or(Reason::PartlyArchived));
            }
            _ => return skip(target, Reason::PartlyArchived),
        };
        let Some(task) = self.adopt_or_create(request, &target, now).await? else {
            // Deleted since it was looked at: what that means is in the table.
            let absent = Evidence { log_group: Some(LogGroup::Absent), ..evidence };
            let (decisions, _) = self.archive.decide(&question, absent, None).await?;
            return match &decisions[..] {
                [Decision { verdict: Verdict::Fail(error), .. }] => Err(error.clone()),
                [Decision { verdict, .. }] => skip(target, Reason::of(verdict).unwrap_or(Reason::LogGroupNotFound)),
                _ => skip(target, Reason::PartlyArchived),
            };
        };
        note(request, &task, invocation);
        Ok(request.respond(target, task, start))
    }

    /// A retry whose first answer was lost, and a second run at the same time, find the task that is there already, and export nothing
    /// twice.
    /// `None`: the log group does not exist any more.
    async fn adopt_or_create(&self, request: &Request, target: &Target, now: DateTime<Utc>) -> Result<Option<Task>, ExportError> {
        let own = slot::Own::new(target, request.run_since(now));
        if let Some(task_id) = own.find(&self.archive.logs).await? {
            return Ok(Some(Task::Adopted(task_id)));
        }
        match self.create(&own).await {
            Ok(Some(task_id)) => Ok(Some(Task::Created(parse_task_id(&task_id)?))),
            Ok(None) => Err(ExportError::new(ErrorName::Unexpected, "CreateExportTask answered without a taskId")),
            Err(error) => self.refused(&own, error).await,
        }
    }

    async fn create(&self, own: &slot::Own<'_>) -> Result<Option<String>, SdkError<CreateExportTaskError>> {
        let Target { place, stream_prefix, window, .. } = own.target;
        let created = self
            .archive
            .logs
            .create_export_task()
            .task_name(&own.task_name)
            .log_group_name(place.log_group.as_str())
            .set_log_stream_name_prefix(stream_prefix.as_ref().map(ToString::to_string))
            .from(window.from.0)
            .to(window.to.0)
            .destination(place.bucket.as_str())
            .destination_prefix(own.target.destination_prefix())
            .customize()
            // The SDK takes a busy slot for throttling, and a lost answer for a call to repeat, which would export twice.
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await?;
        Ok(created.task_id)
    }

    async fn refused(&self, own: &slot::Own<'_>, error: SdkError<CreateExportTaskError>) -> Result<Option<Task>, ExportError> {
        let failure = service_failure("CreateExportTask", &error);
        if failure.is_slot_busy() {
            return own.adopt_or_queue(&self.archive.logs, &failure).await.map(Some);
        }
        match error.as_service_error() {
            Some(CreateExportTaskError::ResourceNotFoundException(_)) => Ok(None),
            _ => Err(create_error(&failure, &self.archive.stack, &own.target.place.bucket)),
        }
    }
}

fn parse_task_id(text: &str) -> Result<TaskId, ExportError> {
    TaskId::parse(text).map_err(|_| ExportError::new(ErrorName::Unexpected, format!("CloudWatch Logs answered with the task id {text:?}")))
}

/// A task that was there already may have waited for the slot as well, but not in this call's sight.
fn note(request: &Request, task: &Task, invocation: &mut Invocation) {
    if let Task::Created(task_id) | Task::Adopted(task_id) = task {
        invocation.set_log_field(LogField::TaskId, task_id.as_str());
    }
    if let (Task::Created(_), Some(since)) = (task, request.queued_since) {
        invocation.report(Metric::SlotWait(invocation.now() - since));
    }
}
