//! `check-export-task`: answers only when the export task is COMPLETED. While it is pending the function fails with an error that the
//! state machine retries; every other end is an error of its own name.
//!
//! COMPLETED alone proves nothing: the objects the task wrote are listed, and the manifest says what they are.

mod task;

use archive::Archive;
use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::types::ExportTask;
use export_core::{
    ErrorName, ExportError,
    contract::check::{Request, Response},
    decide::{Decision, Evidence, Export, Question, Verdict},
    destination::task_folder,
    manifest::{Folder, Found, Manifest, Outcome, Reason},
    target::Target,
    time::Millis,
    warning::{Warning, WarningName},
};
use function_runtime::{Invocation, LogField, Metric};
use serde_json::{Value, json};
use tracing::info;

use task::CompletedTask;

/// The function's name, wherever one is needed.
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
        let task = task::completed(&self.archive.logs, &request.task_id, task, invocation.now()).await?;
        if let Some(target) = &request.target {
            refuse_other_task(&request, target, &task)?;
        }
        let folder = task_folder(&task.destination_prefix, &request.task_id);
        let folder = self.archive.list_folder(&task.bucket, &folder, request.target.is_some()).await?;
        let response = self.settle(request, task, folder, invocation).await?;
        let answer = json!(response);
        info!(outcome = answer["outcome"].as_str(), objects = response.objects, bytes = response.bytes, "completed");
        Ok(answer)
    }

    /// Decides what the archive records, and writes it. Both can be repeated: a retry finds the manifest that it wrote.
    async fn settle(
        &self,
        mut request: Request,
        task: CompletedTask,
        folder: Folder,
        invocation: &mut Invocation,
    ) -> Result<Response, ExportError> {
        request.warnings.extend(hidden_from_athena(&folder).map(|warning| json!(warning)));
        let counted = if folder.objects > 0 { Outcome::Exported } else { Outcome::Empty };
        let Some(target) = request.target.take() else {
            return Ok(respond(&request, None, task, &folder, counted, None));
        };
        let export = Export { task_id: request.task_id.clone(), folder: folder.clone(), created: task.created };
        let evidence = Evidence { export: Some(export), ..Evidence::default() };
        let planned_since = task.created.and_then(Millis::instant);
        let question = Question { planned_since, remembered: request.remembered, ..target.question(None, invocation.now()) };
        let (mut decisions, evidence) = self.archive.decide(&question, evidence, None).await?;
        let verdict = decisions.pop().map(|Decision { verdict, .. }| verdict);
        let (outcome, reason) = match verdict {
            Some(Verdict::Write { outcome, replaces, warnings }) => {
                request.warnings.extend(warnings.iter().map(|warning| json!(warning)));
                let created = task.created.unwrap_or_else(|| Millis::of(invocation.now()));
                let manifest = manifest(&request, &target, created, &task, &folder, outcome);
                let found = evidence.manifests.unwrap_or_default();
                self.archive.write_manifest(&target.place, target.month, &manifest, &found, &replaces).await?;
                let is_own = |found: &Found| found.key == target.manifest_key() && found.content.task_id() == Some(&request.task_id);
                if found.iter().any(is_own) {
                    // A call before this one wrote it, and ended before it had removed the others.
                    return Ok(respond(&request, Some(&target), task, &folder, outcome, None));
                }
                task.duration().map(Metric::ExportDuration).into_iter().for_each(|metric| invocation.report(metric));
                invocation.report(Metric::ArchivedObjects(folder.objects));
                invocation.report(Metric::ArchivedBytes(folder.bytes));
                (outcome, None)
            }
            Some(Verdict::Written(outcome)) => (outcome, None),
            Some(Verdict::Record(reason)) => (reason.outcome(), Some(reason)),
            Some(Verdict::Fail(error)) => return Err(error),
            other => {
                let message = format!("export task {} cannot be settled: {other:?}", request.task_id);
                return Err(ExportError::new(ErrorName::Unexpected, message));
            }
        };
        Ok(respond(&request, Some(&target), task, &folder, outcome, reason))
    }
}

fn manifest(request: &Request, target: &Target, created: Millis, task: &CompletedTask, folder: &Folder, outcome: Outcome) -> Manifest {
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
        ..Manifest::of(target, request.timezone.name(), outcome, created)
    }
}

fn respond(
    request: &Request,
    target: Option<&Target>,
    task: CompletedTask,
    folder: &Folder,
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

/// A wrong event must never file one task's objects under another one's window.
fn refuse_other_task(request: &Request, target: &Target, task: &CompletedTask) -> Result<(), ExportError> {
    let place = &target.place;
    let asked = (place.log_group.as_str(), place.bucket.as_str(), target.destination_prefix(), target.window, target.task_name());
    let is = (
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
    if asked == is {
        return Ok(());
    }
    let message = format!(
        "taskId is \"{}\": that task has {}, and the event asks for {}; give the answer of create-export-task, or taskId alone",
        request.task_id,
        describe(is),
        describe(asked)
    );
    Err(ExportError::new(ErrorName::InvalidInput, message))
}

/// Log group as CloudWatch Logs reports it, whatever the event has.
fn set_log_fields(request: &Request, task: &ExportTask, invocation: &mut Invocation) {
    if let Some(log_group) = task.log_group_name() {
        invocation.set_log_field(LogField::LogGroup, log_group);
    }
    if let Some(target) = &request.target {
        invocation.set_log_field(LogField::Month, &target.month.to_string());
    }
}

/// The objects are there, and a query would answer as if they were not.
fn hidden_from_athena(folder: &Folder) -> Option<Warning> {
    (folder.hidden_objects > 0).then(|| {
        let message = format!(
            "{} of {} objects are of log streams whose name begins with _ or .: they are in the archive, and Athena passes over them",
            folder.hidden_objects, folder.objects
        );
        Warning::new(WarningName::HiddenFromAthena, message)
    })
}
