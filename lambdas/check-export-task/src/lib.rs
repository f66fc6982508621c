//! `check-export-task`: answers only when the export task is COMPLETED. While it is pending the function fails with an
//! error that the state machine retries; every other end is an error of its own name.
//!
//! COMPLETED alone proves nothing: the objects the task wrote are counted, and the manifest says how many there are.

mod archive;
mod task;

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::types::ExportTask;
use export_core::{
    ExportError, Window,
    check::{Outcome, Request, Response},
    create::{Warning, WarningName},
    destination::task_folder,
    manifest::{Manifest, SCHEMA_VERSION},
    manifests_table,
    service::Destination,
    time::format_millis,
};
use function_runtime::{Invocation, LogField, Metric};
use serde_json::{Value, json};
use tracing::info;

use archive::{ManifestWrite, Objects};
use task::CompletedTask;

pub struct CheckExportTask {
    logs: aws_sdk_cloudwatchlogs::Client,
    s3: aws_sdk_s3::Client,
    region: String,
    /// Where the rows of the Athena table `manifests` lie.
    manifests_prefix: String,
}

/// The function's name, wherever one is needed.
pub const NAME: &str = env!("CARGO_PKG_NAME");

/// The environment variable that says where.
pub const MANIFESTS_PREFIX: &str = "MANIFESTS_PREFIX";

impl CheckExportTask {
    pub fn new(config: &SdkConfig) -> Self {
        let region = config.region().map(|region| region.to_string()).unwrap_or_default();
        Self::with_clients(
            aws_sdk_cloudwatchlogs::Client::new(config),
            function_runtime::s3_client(config),
            region,
            std::env::var(MANIFESTS_PREFIX).unwrap_or_else(|_| manifests_table::DEFAULT_PREFIX.to_owned()),
        )
    }

    pub fn with_clients(logs: aws_sdk_cloudwatchlogs::Client, s3: aws_sdk_s3::Client, region: String, manifests_prefix: String) -> Self {
        Self { logs, s3, region, manifests_prefix }
    }

    pub async fn handle(&self, event: Value, invocation: &mut Invocation) -> Result<Value, ExportError> {
        let request = Request::parse(&event)?;
        if request.cancel {
            task::cancel(&self.logs, &request.task_id).await?;
        }
        let task = task::find(&self.logs, &request.task_id).await?;
        set_log_fields(&request, &task, invocation);
        let task = task::completed(&request.task_id, task)?;
        let response = self.settle(request, task, invocation).await?;
        let answer = json!(response);
        info!(outcome = answer["outcome"].as_str(), objects = response.objects, bytes = response.bytes, "completed");
        Ok(answer)
    }

    /// Counts the task's objects and writes the manifest. Both can be repeated: a retry counts the same objects and writes the
    /// same manifest. Only the first one counts in the metrics.
    async fn settle(&self, request: Request, task: CompletedTask, invocation: &mut Invocation) -> Result<Response, ExportError> {
        let month = request.month_of(task.window)?;
        let duration = task.duration();
        let destination = Destination { bucket: &task.bucket, region: &self.region };
        let folder = task_folder(&task.destination_prefix, &request.task_id);
        let counted = archive::count(&self.s3, destination, &folder).await?;
        let others = archive::other_tasks(&self.s3, destination, &task.destination_prefix, &request.task_id).await?;
        let mut warnings = request.warnings;
        warnings.extend([others_present(&others), hidden_from_athena(&counted)].into_iter().flatten().map(|warning| json!(warning)));
        let manifest = Manifest {
            schema_version: SCHEMA_VERSION,
            log_group_name: task.log_group_name,
            log_stream_name_prefix: request.log_stream_name_prefix,
            month,
            timezone: request.timezone.name(),
            from: task.window.from,
            to: task.window.to,
            task_id: request.task_id,
            objects: counted.objects,
            bytes: counted.bytes,
            created: task.created.and_then(format_millis),
            completed: task.completed.and_then(format_millis),
            execution: request.execution,
            warnings,
        };
        let (prefix, rows) = (&task.destination_prefix, &self.manifests_prefix);
        if archive::write_manifest(&self.s3, destination, prefix, rows, &manifest, counted.hidden).await? == ManifestWrite::Written {
            duration.map(Metric::ExportDuration).into_iter().for_each(|metric| invocation.report(metric));
            invocation.report(Metric::ArchivedObjects(manifest.objects));
            invocation.report(Metric::ArchivedBytes(manifest.bytes));
        }
        Ok(Response {
            s3_bucket_name: task.bucket,
            destination_prefix: task.destination_prefix,
            log_group_name: manifest.log_group_name,
            log_stream_name_prefix: manifest.log_stream_name_prefix,
            timezone: manifest.timezone,
            month,
            from: manifest.from,
            to: manifest.to,
            task_id: manifest.task_id,
            status: "COMPLETED",
            outcome: Outcome::of(manifest.objects),
            objects: manifest.objects,
            bytes: manifest.bytes,
            warnings: manifest.warnings,
        })
    }
}

/// Log group and month as CloudWatch Logs reports them, whatever the event has.
fn set_log_fields(request: &Request, task: &ExportTask, invocation: &mut Invocation) {
    if let Some(log_group) = task.log_group_name() {
        invocation.set_log_field(LogField::LogGroup, log_group);
    }
    let window = task.from().zip(task.to()).map(|(from, to)| Window { from, to });
    if let Some(month) = window.and_then(|window| request.month_of(window).ok()) {
        invocation.set_log_field(LogField::Month, &month.to_string());
    }
}

/// The first few; a message is not to grow with their number.
fn listed(tasks: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = if tasks.len() > SHOWN { " and more" } else { "" };
    format!("{}{more}", tasks[..tasks.len().min(SHOWN)].join(", "))
}

/// The objects are there, and a query would answer as if they were not.
fn hidden_from_athena(counted: &Objects) -> Option<Warning> {
    (counted.hidden > 0).then(|| Warning {
        name: WarningName::HiddenFromAthena,
        message: format!(
            "{} of {} objects are of log streams whose name begins with _ or .: they are in the archive, and Athena passes over them",
            counted.hidden, counted.objects
        ),
    })
}

/// Nothing is ever deleted here, so what an attempt that failed or an earlier export wrote stays, and a query over the
/// month would read it as well.
fn others_present(others: &[String]) -> Option<Warning> {
    (!others.is_empty()).then(|| Warning {
        name: WarningName::OtherExportsPresent,
        message: format!(
            "objects of other export tasks lie beside this one's: {}; _manifest.json names the task that counts. In Athena the view logs reads \
             only that one's, the table log_lines reads them all",
            listed(others)
        ),
    })
}
