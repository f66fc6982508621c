//! Exports without the state machine. They check the responses of CloudWatch Logs, and wait until the events can be exported. So the run
//! afterwards does not fail, which would set off the stack's alarms.

use std::{cell::RefCell, io::Read, time::Duration};

use archive::{Archive, service_failure};
use aws_sdk_cloudwatchlogs::{
    config::{Builder, retry::RetryConfig},
    types::{ExportTask, OutputLogEvent},
};
use chrono::Utc;
use export_core::{
    Window,
    service::{FailureKind, ServiceFailure},
    time::Millis,
};
use flate2::read::MultiGzDecoder;
use tokio::time::Instant;

use super::{
    Stop,
    checks::{Checks, DocumentedTable},
    events::{LogStream, streams},
    interrupt::Interrupt,
    observations::ExportVerdict,
    self_test::{Sample, SelfTest},
};
use crate::{events::source, failure::Failure, output::note, slot};

const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// The shortest time to wait for events, and for the slot.
const MIN_TIMEOUT: Duration = Duration::from_secs(120);
/// How `--wait` is divided among the waits before the second, third and fourth export of a log group.
const RETRY_SHARES: [u32; 3] = [1, 4, 10];

/// How often CloudWatch Logs may not list a task that was just created.
pub const MAX_INVISIBLE_POLLS: u32 = 20;

pub struct DirectExports<'a> {
    pub self_test: SelfTest<'a>,
    pub archive: &'a Archive,
    pub interrupt: &'a Interrupt,
    /// How long to wait until the events can be exported.
    pub export_timeout: Duration,
    pub tasks: &'a CreatedTasks,
}

/// The ids of the tasks that the self-test created without its run. CloudWatch Logs does not list a task in its first second.
#[derive(Default)]
pub struct CreatedTasks(RefCell<Vec<String>>);

impl CreatedTasks {
    pub fn ids(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// The objects of one export task.
pub struct ExportedObjects {
    /// The keys relative to the task's folder, and the stored bytes.
    pub objects: Vec<(String, Vec<u8>)>,
}

impl DirectExports<'_> {
    /// Waits until CloudWatch Logs returns every event as it was put.
    pub async fn wait_for_events(&self, checks: &mut Checks) -> Result<(), Stop> {
        let started = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            let Some(difference) = self.find_difference().await? else { break };
            if started.elapsed() > self.export_timeout.max(MIN_TIMEOUT) {
                checks.prove("events are returned", false, format!("{difference}, after {} minutes", started.elapsed().as_secs() / 60));
                return Err(Stop::NotProven);
            }
            backoff.wait(self.interrupt).await?;
        }
        checks.prove("events are returned", true, "GetLogEvents returns each message byte for byte".to_owned());
        Ok(())
    }

    async fn find_difference(&self) -> Result<Option<String>, Stop> {
        for sample in Sample::ALL {
            let log_group = self.self_test.log_group(sample);
            for stream in streams(&self.self_test, sample) {
                let mut found: Vec<(i64, String)> = Vec::new();
                let visit = |event: &OutputLogEvent| {
                    found.push((event.timestamp().unwrap_or_default(), event.message().unwrap_or_default().to_owned()));
                };
                let all = Window { from: Millis(0), to: Millis::of(self.self_test.started) };
                source::read_stream(&self.archive.logs, log_group.as_str(), &stream.name, all, visit).await?;
                let mut put: Vec<_> = stream.events.iter().map(|event| (event.at.0, event.message.clone())).collect();
                put.sort_unstable();
                found.sort_unstable();
                if put != found {
                    return Ok(Some(format!(
                        "log stream {} of {log_group}: {} events were put, and GetLogEvents returns {}, not all as they were put",
                        stream.name,
                        put.len(),
                        found.len()
                    )));
                }
            }
        }
        Ok(None)
    }

    /// Exports each log group until the export has all events.
    pub async fn export(&self, checks: &mut Checks) -> Result<(), Stop> {
        let mut are_complete = true;
        for sample in Sample::ALL {
            let mut retry_shares = RETRY_SHARES.into_iter();
            loop {
                let is_first = sample == Sample::Names && retry_shares.len() == RETRY_SHARES.len();
                let written = self.export_once(sample, is_first.then_some(&mut *checks)).await?;
                let lacking = match self.check_export(sample, &written, checks) {
                    ExportVerdict::Lacks(lacking) => lacking,
                    verdict => {
                        are_complete &= verdict == ExportVerdict::Complete;
                        break;
                    }
                };
                let share = retry_shares.next().filter(|_| !self.export_timeout.is_zero());
                let Some(share) = share else {
                    let minutes = (Utc::now() - self.self_test.started).num_minutes();
                    checks.prove("events are exportable", false, format!("{lacking}, {minutes} minutes after they were put"));
                    note(
                        "AWS documents that it can take 12 hours until events can be exported. Repeat the command later, or with a longer --wait.",
                    );
                    return Err(Stop::NotProven);
                };
                let wait = self.export_timeout * share / RETRY_SHARES.iter().sum::<u32>();
                note(format_args!("{lacking}. The next try is in {} seconds.", wait.as_secs()));
                self.interrupt.sleep(wait).await?;
            }
        }
        // Otherwise, other checks show the differences.
        if are_complete {
            checks.prove("events are exportable", true, "an export of each log group has each event byte for byte".to_owned());
        }
        Ok(())
    }

    pub fn prefix(&self, sample: Sample) -> String {
        format!("{}{}", self.self_test.direct_folder(), sample.name())
    }

    async fn export_once(&self, sample: Sample, observe: Option<&mut Checks>) -> Result<ExportedObjects, Stop> {
        note(format_args!("Exporting {}", self.self_test.log_group(sample)));
        let task_id = self.create_when_free(sample).await?;
        match observe {
            Some(checks) => self.observe(sample, &task_id, checks).await?,
            None => drop(self.follow(&task_id, None).await?),
        }
        let bucket = self.self_test.stack.settings.bucket.as_str();
        let folder = format!("{}/{task_id}/", self.prefix(sample));
        let mut objects = Vec::new();
        for (key, _) in self.archive.list_keys(bucket, &folder).await.map_err(Failure::from)? {
            let bytes = self.archive.read(bucket, &key).await.map_err(|failure| Failure::of_call("s3", &failure))?;
            objects.push((key[folder.len()..].to_owned(), bytes.unwrap_or_default()));
        }
        Ok(ExportedObjects { objects })
    }

    pub async fn create(&self, sample: Sample) -> Result<String, ServiceFailure> {
        let window = self.self_test.window();
        let request = self.archive.logs.create_export_task().log_group_name(self.self_test.log_group(sample).as_str());
        let request = request.from(window.from.0).to(window.to.0).destination(self.self_test.stack.settings.bucket.as_str());
        let request = request.destination_prefix(self.prefix(sample)).task_name(self.self_test.execution_name());
        // The SDK would retry a busy slot, because the error looks like throttling.
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let created = request.customize().config_override(once).send().await;
        let task_id = created.map_err(|error| service_failure("CreateExportTask", &error))?.task_id.unwrap_or_default();
        self.tasks.0.borrow_mut().push(task_id.clone());
        Ok(task_id)
    }

    async fn create_when_free(&self, sample: Sample) -> Result<String, Stop> {
        let started = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            self.interrupt.check()?;
            match self.create(sample).await {
                Ok(task_id) => return Ok(task_id),
                Err(failure)
                    if started.elapsed() < self.export_timeout.max(MIN_TIMEOUT)
                        && (failure.is_slot_busy() || matches!(failure.kind(), FailureKind::Throttled | FailureKind::Unavailable)) => {}
                Err(failure) => {
                    if failure.is_slot_busy() {
                        super::refuse_busy_slot(self.archive).await?;
                    }
                    return Err(Failure::of_call("logs", &failure).into());
                }
            }
            backoff.wait(self.interrupt).await?;
        }
    }

    pub async fn find_task(&self, task_id: &str) -> Result<Option<ExportTask>, Stop> {
        Ok(slot::find_task(&self.archive.logs, task_id).await.map_err(|failure| Failure::of_call("logs", &failure))?)
    }

    /// Follows a task to its end, which must be COMPLETED. CloudWatch Logs may not list the task at first.
    pub async fn follow(&self, task_id: &str, checks: Option<&mut Checks>) -> Result<ExportTask, Stop> {
        let (mut backoff, mut statuses, mut invisible_polls) = (Backoff::default(), Vec::new(), 0);
        let task = loop {
            self.interrupt.check()?;
            match self.find_task(task_id).await? {
                Some(task) => {
                    let status = slot::status(&task).to_owned();
                    if statuses.last() != Some(&status) {
                        statuses.push(status);
                    }
                    if !slot::is_active(&task) {
                        break task;
                    }
                }
                None if invisible_polls < MAX_INVISIBLE_POLLS => invisible_polls += 1,
                None => return Err(Failure::Aws(format!("DescribeExportTasks does not list task {task_id}: repeat the command")).into()),
            }
            backoff.wait(self.interrupt).await?;
        };
        if let Some(checks) = checks {
            let lifecycle = ["PENDING", "RUNNING", "COMPLETED"].into_iter();
            let expected: Vec<_> = lifecycle.filter(|expected| statuses.iter().any(|status| status == expected)).collect();
            checks.observe("task statuses", DocumentedTable::TaskLifecycle, &expected.join(", "), &statuses.join(", "));
        }
        if slot::status(&task) != "COMPLETED" {
            let message = task.status().and_then(|status| status.message()).unwrap_or_default();
            let next = "Fix the problem that AWS names, then repeat the command.";
            return Err(Failure::Aws(format!("export task {task_id} ended as {}: {message}\n{next}", slot::status(&task))).into());
        }
        Ok(task)
    }
}

impl ExportedObjects {
    /// The decompressed text in a log stream's folder. Objects that are not gzip are not changed.
    pub fn text(&self, stream: &LogStream) -> Vec<u8> {
        let folder = format!("{}/", stream.folder());
        let mut text = Vec::new();
        for (_, bytes) in self.objects.iter().filter(|(key, _)| key.starts_with(&folder)) {
            let mut unpacked = Vec::new();
            match MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked) {
                Ok(_) => text.extend(unpacked),
                Err(_) => text.extend(bytes),
            }
        }
        text
    }
}

/// The waits between polls. Each is twice as long as the one before.
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_BACKOFF)
    }
}

impl Backoff {
    pub async fn wait(&mut self, interrupt: &Interrupt) -> Result<(), Stop> {
        interrupt.sleep(self.0).await?;
        self.0 = (self.0 * 2).min(MAX_BACKOFF);
        Ok(())
    }
}
