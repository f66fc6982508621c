//! `create-export-task`: decides one window, and creates or adopts one export task for it.
//!
//! **Invariant:** a retry never exports a window twice. The task's name comes from the window, and the function looks for a task of this
//! name before it creates one.

mod slot;

use archive::{Archive, service_failure};
use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_cloudwatchlogs::{config::Builder, error::SdkError, operation::create_export_task::CreateExportTaskError};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ErrorName, ExportError, TaskId,
    contract::create::{Request, Response, SkipReason, TaskAction},
    decide::{Decision, Evidence, KnownGaps, LogGroup, Question, Verdict},
    service::create_error,
    target::Target,
};
use function_runtime::{Invocation, LogField, Metric};
use serde_json::{Value, json};
use slot::TargetTasks;
use tracing::info;

/// The function's name in logs, metrics and requests.
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
        let json = json!(response);
        info!(status = json["status"].as_str(), reason = json["reason"].as_str(), "decided");
        Ok(json)
    }

    async fn export(&self, request: &Request, target: Target, invocation: &mut Invocation) -> Result<Response, ExportError> {
        let now = invocation.now();
        let skip = |target, reason| Ok(request.respond(target, TaskAction::Skipped(reason), KnownGaps::default()));
        if request.is_run_time_over(self.run_time_limit, now) {
            return skip(target, SkipReason::RunTimeOver);
        }
        let question = Question {
            force_since: request.force.then(|| request.run_start(now)),
            planned_since: request.start_time.filter(|_| request.window.is_some()),
            history: request.history,
            ..Question::new(&target, now)
        };
        let (decisions, evidence) = self.archive.decide(&question, Evidence::default(), None).await?;
        let gaps = match &decisions[..] {
            [Decision { verdict: Verdict::Fail(error), .. }] => return Err(error.clone()),
            [Decision { window, verdict: Verdict::Export(gaps), .. }] if *window == target.window => gaps.clone(),
            [Decision { window, verdict, .. }] if *window == target.window => {
                let reason = SkipReason::of(verdict).unwrap_or(SkipReason::PartlyArchived);
                return skip(target, reason);
            }
            _ => return skip(target, SkipReason::PartlyArchived),
        };
        let Some(action) = self.adopt_or_create(request, &target, now).await? else {
            // The log group was deleted meanwhile: decide again.
            let absent = Evidence { log_group: Some(LogGroup::Absent), ..evidence };
            let (decisions, _) = self.archive.decide(&question, absent, None).await?;
            return match &decisions[..] {
                [Decision { verdict: Verdict::Fail(error), .. }] => Err(error.clone()),
                [Decision { verdict, .. }] => {
                    let reason = SkipReason::of(verdict).unwrap_or(SkipReason::LogGroupNotFound);
                    skip(target, reason)
                }
                _ => skip(target, SkipReason::PartlyArchived),
            };
        };
        observe(request, &action, invocation);
        Ok(request.respond(target, action, gaps))
    }

    /// Adopts the window's task, or creates it. A retry after a lost response, or a second run, finds the existing task. `None`: the log
    /// group does not exist any more.
    async fn adopt_or_create(&self, request: &Request, target: &Target, now: DateTime<Utc>) -> Result<Option<TaskAction>, ExportError> {
        let tasks = TargetTasks::new(target, request.run_start(now));
        if let Some(task_id) = tasks.find(&self.archive.logs).await? {
            return Ok(Some(TaskAction::Adopted(task_id)));
        }
        match self.create(&tasks).await {
            Ok(Some(task_id)) => Ok(Some(TaskAction::Created(parse_task_id(&task_id)?))),
            Ok(None) => Err(ExportError::new(ErrorName::Unexpected, "CreateExportTask answered without a taskId")),
            Err(error) => self.handle_failure(&tasks, error).await,
        }
    }

    async fn create(&self, tasks: &TargetTasks<'_>) -> Result<Option<String>, SdkError<CreateExportTaskError>> {
        let Target { place, stream_prefix, window, .. } = tasks.target;
        let created = self
            .archive
            .logs
            .create_export_task()
            .task_name(&tasks.task_name)
            .log_group_name(place.log_group.as_str())
            .set_log_stream_name_prefix(stream_prefix.as_ref().map(ToString::to_string))
            .from(window.from.0)
            .to(window.to.0)
            .destination(place.bucket.as_str())
            .destination_prefix(tasks.target.destination_prefix())
            .customize()
            // The SDK would retry a busy slot as throttling. After a lost response, its retry would export the window twice.
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await?;
        Ok(created.task_id)
    }

    async fn handle_failure(
        &self,
        tasks: &TargetTasks<'_>,
        error: SdkError<CreateExportTaskError>,
    ) -> Result<Option<TaskAction>, ExportError> {
        let failure = service_failure("CreateExportTask", &error);
        if failure.is_slot_busy() {
            return tasks.adopt_or_wait(&self.archive.logs, &failure).await.map(Some);
        }
        match error.as_service_error() {
            Some(CreateExportTaskError::ResourceNotFoundException(_)) => Ok(None),
            _ => Err(create_error(&failure, &self.archive.stack, &tasks.target.place.bucket)),
        }
    }
}

fn parse_task_id(text: &str) -> Result<TaskId, ExportError> {
    TaskId::parse(text).map_err(|_| ExportError::new(ErrorName::Unexpected, format!("CloudWatch Logs answered with the task id {text:?}")))
}

/// Sets the task's log field, and reports how long the window waited for the slot. An adopted task's wait is not known.
fn observe(request: &Request, action: &TaskAction, invocation: &mut Invocation) {
    if let TaskAction::Created(task_id) | TaskAction::Adopted(task_id) = action {
        invocation.set_log_field(LogField::TaskId, task_id.as_str());
    }
    if let (TaskAction::Created(_), Some(since)) = (action, request.queued_since) {
        invocation.report(Metric::SlotWait(invocation.now() - since));
    }
}
