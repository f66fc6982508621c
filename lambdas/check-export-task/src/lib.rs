//! `check-export-task`: returns when the export task is COMPLETED. While the task is pending, the function fails with an error that the
//! state machine retries. Every other status has its own error.
//!
//! **Invariant:** COMPLETED alone proves nothing. The function lists the task's objects before it writes the manifest.

mod task;

use archive::Archive;
use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::types::ExportTask;
use export_core::{
    ErrorName, ExportError,
    contract::check::{Request, Response},
    decide::{CompletedExport, Decision, Evidence, Question, Verdict},
    destination::task_folder,
    manifest::{FolderContents, Manifest, Outcome, Reason},
    target::Target,
    time::Millis,
    warning::Warning,
};
use function_runtime::{Invocation, LogField, Metric};
use serde_json::{Value, json};
use tracing::info;

use task::CompletedTask;

/// The function's name in logs, metrics and requests.
pub const NAME: &str = env!("CARGO_PKG_NAME");

pub struct CheckExportTask {
    archive: Archive,
}

impl CheckExportTask {
    pub fn new(config: &SdkConfig) -> Result<Self, String> {
        Ok(Self::with(Archive::new(function_runtime::stack_from_environment()?, config)))
    }

    pub fn with(archive: Archive) -> Self {
        Self { archive }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        let request = Request::parse(&event, &self.archive.stack)?;
        let task = task::find(&self.archive.logs, &request.task_id).await?;
        set_log_fields(&request, &task, invocation);
        let task = task::require_completed(&self.archive.logs, &request.task_id, task, invocation.now()).await?;
        if let Some(target) = &request.target {
            refuse_other_task(&request, target, &task)?;
        }
        let folder = task_folder(&task.destination_prefix, &request.task_id);
        let counts_streams = request.target.is_some();
        let folder = self.archive.list_folder(&task.bucket, &folder, counts_streams).await?;
        let response = self.record(request, task, folder, invocation).await?;
        let json = json!(response);
        info!(outcome = json["outcome"].as_str(), objects = response.objects, bytes = response.bytes, "completed");
        Ok(json)
    }

    /// Decides what the archive records of the task, and writes it. A retry finds the manifest that the first call wrote.
    async fn record(
        &self,
        mut request: Request,
        task: CompletedTask,
        folder: FolderContents,
        invocation: &mut Invocation,
    ) -> Result<Response, ExportError> {
        request.warnings.extend(Warning::hidden_from_athena(&folder).map(|warning| json!(warning)));
        let outcome = if folder.objects > 0 { Outcome::Exported } else { Outcome::Empty };
        let Some(target) = request.target.take() else {
            return Ok(respond(&request, None, task, &folder, outcome, None));
        };
        let export = CompletedExport { task_id: request.task_id.clone(), folder: folder.clone(), created: task.created };
        let evidence = Evidence { export: Some(export), ..Evidence::default() };
        let planned_since = task.created.and_then(Millis::instant);
        let question = Question { planned_since, history: request.history, ..Question::new(&target, invocation.now()) };
        let (mut decisions, evidence) = self.archive.decide(&question, evidence, None).await?;
        let verdict = decisions.pop().map(|Decision { verdict, .. }| verdict);
        let (outcome, reason) = match verdict {
            Some(Verdict::Write { outcome, replaces, warnings }) => {
                request.warnings.extend(warnings.iter().map(|warning| json!(warning)));
                let created = task.created.unwrap_or_else(|| Millis::of(invocation.now()));
                let manifest = manifest(&request, &target, created, &task, &folder, outcome);
                let found = evidence.manifests.unwrap_or_default();
                self.archive.write_manifest(&target.place, target.month, &manifest, &found, &replaces).await?;
                task.duration().map(Metric::ExportDuration).into_iter().for_each(|metric| invocation.report(metric));
                invocation.report(Metric::ArchivedObjects(folder.objects));
                invocation.report(Metric::ArchivedBytes(folder.bytes));
                (outcome, None)
            }
            Some(Verdict::Written(outcome)) => (outcome, None),
            Some(Verdict::Record(reason)) => (reason.outcome(), Some(reason)),
            Some(Verdict::Fail(error)) => return Err(error),
            other => {
                let message = format!("no decision on export task {}: {other:?}", request.task_id);
                return Err(ExportError::new(ErrorName::Unexpected, message));
            }
        };
        Ok(respond(&request, Some(&target), task, &folder, outcome, reason))
    }
}

fn manifest(
    request: &Request,
    target: &Target,
    created: Millis,
    task: &CompletedTask,
    folder: &FolderContents,
    outcome: Outcome,
) -> Manifest {
    Manifest {
        task_id: Some(request.task_id.clone()),
        objects: folder.objects,
        hidden_objects: folder.hidden_objects,
        bytes: folder.bytes,
        digest: Some(folder.digest.clone()),
        complete_from: request.complete_from,
        completed: task.completed.map(|completed| completed.to_string()),
        execution: request.execution.as_ref().map(ToString::to_string),
        warnings: request.warnings.clone(),
        ..Manifest::new(target, request.timezone.name(), outcome, created)
    }
}

fn respond(
    request: &Request,
    target: Option<&Target>,
    task: CompletedTask,
    folder: &FolderContents,
    outcome: Outcome,
    reason: Option<Reason>,
) -> Response {
    Response {
        seconds: task.duration().map(|duration| duration.as_seconds_f64()),
        s3_bucket_name: task.bucket,
        destination_prefix: task.destination_prefix,
        log_group_name: task.log_group_name,
        log_stream_name_prefix: target.and_then(|target| target.stream_prefix.clone()),
        month: target.map(|target| target.month),
        from: task.window.from,
        to: task.window.to,
        task_id: request.task_id.clone(),
        status: "COMPLETED",
        outcome,
        reason,
        objects: folder.objects,
        bytes: folder.bytes,
        warnings: request.warnings.clone(),
    }
}

/// A wrong event must never record the objects of one task for the window of another.
fn refuse_other_task(request: &Request, target: &Target, task: &CompletedTask) -> Result<(), ExportError> {
    let place = &target.place;
    let requested = (place.log_group.as_str(), place.bucket.as_str(), target.destination_prefix(), target.window, target.task_name());
    let actual = (
        task.log_group_name.as_str(),
        task.bucket.as_str(),
        task.destination_prefix.clone(),
        task.window,
        task.name.clone().unwrap_or_default(),
    );
    let describe = |(log_group, bucket, prefix, window, name): (&str, &str, String, export_core::Window, String)| {
        format!(
            "name {name}, log group {log_group}, bucket {bucket}, destination prefix {prefix}, window {} to {}",
            window.from.0, window.to.0
        )
    };
    if requested == actual {
        return Ok(());
    }
    let message = format!(
        "taskId is \"{}\": that task has {}, but the event has {}; give the response of create-export-task, or taskId alone",
        request.task_id,
        describe(actual),
        describe(requested)
    );
    Err(ExportError::new(ErrorName::InvalidInput, message))
}

/// The log group comes from CloudWatch Logs, not from the event.
fn set_log_fields(request: &Request, task: &ExportTask, invocation: &mut Invocation) {
    if let Some(log_group) = task.log_group_name() {
        invocation.set_log_field(LogField::LogGroup, log_group);
    }
    if let Some(target) = &request.target {
        invocation.set_log_field(LogField::Month, &target.month.to_string());
    }
}
