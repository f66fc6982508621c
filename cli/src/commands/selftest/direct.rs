//! Exports without the state machine: they show how CloudWatch Logs answers, and when the events can be exported. So the run afterwards
//! does not fail, which would set off the stack's alarms.

use std::{cell::RefCell, io::Read, time::Duration};

use archive::{Archive, service_failure};
use aws_sdk_cloudwatchlogs::{
    config::{Builder, retry::RetryConfig},
    types::{ExportTask, ExportTaskStatusCode, OutputLogEvent},
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
    checks::{Checks, Documented},
    events::{LogStream, streams},
    interrupt::Interrupt,
    observations::Judged,
    trial::{Subject, Trial},
};
use crate::{events::source, failure::Failure, output::note, slot};

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// For events to be returned, and for the slot to be free.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(120);
/// Of the time that a person gives, before the second, third and fourth export of a log group.
const SHARES: [u32; 3] = [1, 4, 10];

/// So often CloudWatch Logs may not know a task that was just created.
pub const MOST_INVISIBLE: u32 = 20;

pub struct Direct<'a> {
    pub trial: Trial<'a>,
    pub archive: &'a Archive,
    pub interrupt: &'a Interrupt,
    /// For events to become exportable.
    pub patience: Duration,
    pub tasks: &'a CreatedTasks,
}

/// The ids of the tasks that a self-test has created without its run: CloudWatch Logs does not list a task in its first second.
#[derive(Default)]
pub struct CreatedTasks(RefCell<Vec<String>>);

impl CreatedTasks {
    pub fn ids(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// What one export task wrote.
pub struct Written {
    /// Relative to the task's folder, each with its bytes as stored.
    pub objects: Vec<(String, Vec<u8>)>,
}

impl Direct<'_> {
    /// Until CloudWatch Logs returns every event, as it was put.
    pub async fn wait_for_events(&self, checks: &mut Checks) -> Result<(), Stop> {
        let began = Instant::now();
        let mut waits = Waits::default();
        loop {
            let differs = self.first_that_differs().await?;
            let Some(differs) = differs else { break };
            if began.elapsed() > self.patience.max(SHORTEST_PATIENCE) {
                checks.prove("events are returned", false, format!("{differs}, after {} minutes", began.elapsed().as_secs() / 60));
                return Err(Stop::NotProven);
            }
            waits.wait(self.interrupt).await?;
        }
        checks.prove("events are returned", true, "GetLogEvents returns each message byte for byte".to_owned());
        Ok(())
    }

    async fn first_that_differs(&self) -> Result<Option<String>, Stop> {
        for subject in Subject::ALL {
            let log_group = self.trial.log_group(subject);
            for stream in streams(&self.trial, subject) {
                let mut found: Vec<(i64, String)> = Vec::new();
                let visit = |event: &OutputLogEvent| {
                    found.push((event.timestamp().unwrap_or_default(), event.message().unwrap_or_default().to_owned()));
                };
                let all = Window { from: Millis(0), to: Millis::of(self.trial.started) };
                source::events(&self.archive.logs, log_group.as_str(), &stream.name, all, visit).await?;
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

    /// Exports each log group, until its export has all events.
    pub async fn export(&self, checks: &mut Checks) -> Result<(), Stop> {
        let mut are_whole = true;
        for subject in Subject::ALL {
            let mut shares = SHARES.into_iter();
            loop {
                let is_first = subject == Subject::Names && shares.len() == SHARES.len();
                let written = self.export_once(subject, is_first.then_some(&mut *checks)).await?;
                let lacking = match self.judge(subject, &written, checks) {
                    Judged::Lacks(lacking) => lacking,
                    judged => {
                        are_whole &= judged == Judged::Whole;
                        break;
                    }
                };
                let share = shares.next().filter(|_| !self.patience.is_zero());
                let Some(share) = share else {
                    let minutes = (Utc::now() - self.trial.started).num_minutes();
                    checks.prove("events are exportable", false, format!("{lacking}, {minutes} minutes after they were put"));
                    note(
                        "AWS documents that events can take 12 hours until they can be exported. Repeat the command later, or with a longer --wait.",
                    );
                    return Err(Stop::NotProven);
                };
                let wait = self.patience * share / SHARES.iter().sum::<u32>();
                note(format_args!("{lacking}. The next try is in {} seconds.", wait.as_secs()));
                self.interrupt.sleep(wait).await?;
            }
        }
        // Otherwise it is told what differs.
        if are_whole {
            checks.prove("events are exportable", true, "an export of each log group has each event byte for byte".to_owned());
        }
        Ok(())
    }

    pub fn prefix(&self, subject: Subject) -> String {
        format!("{}{}", self.trial.direct_folder(), subject.name())
    }

    async fn export_once(&self, subject: Subject, observe: Option<&mut Checks>) -> Result<Written, Stop> {
        note(format_args!("Exporting {}", self.trial.log_group(subject)));
        let task_id = self.create_when_free(subject).await?;
        match observe {
            Some(checks) => self.observe(subject, &task_id, checks).await?,
            None => drop(self.follow(&task_id, None).await?),
        }
        let bucket = self.trial.stack.stack.bucket.as_str();
        let folder = format!("{}/{task_id}/", self.prefix(subject));
        let mut objects = Vec::new();
        for (key, _) in self.archive.list_keys(bucket, &folder).await.map_err(Failure::from)? {
            let bytes = self.archive.read(bucket, &key).await.map_err(|failure| Failure::of("s3", &failure))?;
            objects.push((key[folder.len()..].to_owned(), bytes.unwrap_or_default()));
        }
        Ok(Written { objects })
    }

    pub async fn create(&self, subject: Subject) -> Result<String, ServiceFailure> {
        let window = self.trial.window();
        let request = self.archive.logs.create_export_task().log_group_name(self.trial.log_group(subject).as_str());
        let request = request.from(window.from.0).to(window.to.0).destination(self.trial.stack.stack.bucket.as_str());
        let request = request.destination_prefix(self.prefix(subject)).task_name(self.trial.execution_name());
        // The SDK takes a busy slot for throttling, and would try again.
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let created = request.customize().config_override(once).send().await;
        let task_id = created.map_err(|error| service_failure("CreateExportTask", &error))?.task_id.unwrap_or_default();
        self.tasks.0.borrow_mut().push(task_id.clone());
        Ok(task_id)
    }

    async fn create_when_free(&self, subject: Subject) -> Result<String, Stop> {
        let began = Instant::now();
        let mut waits = Waits::default();
        loop {
            self.interrupt.check()?;
            match self.create(subject).await {
                Ok(task_id) => return Ok(task_id),
                Err(failure)
                    if began.elapsed() < self.patience.max(SHORTEST_PATIENCE)
                        && (failure.is_slot_busy() || matches!(failure.kind(), FailureKind::Throttled | FailureKind::Unavailable)) => {}
                Err(failure) if failure.is_slot_busy() => return Err(self.busy().await?.into()),
                Err(failure) => return Err(Failure::of("logs", &failure).into()),
            }
            waits.wait(self.interrupt).await?;
        }
    }

    async fn busy(&self) -> Result<Failure, Stop> {
        let holder = slot::holder(&self.archive.logs, &self.trial.stack.stack.bucket).await;
        let holder = holder.map_err(|failure| Failure::of("logs", &failure))?;
        let who = holder.map_or("another task".to_owned(), |holder| format!("task {} of {}", holder.task_id, holder.log_group));
        Ok(Failure::Usage(format!("{who} has taken the account's export slot: repeat the command when it has ended")))
    }

    pub async fn task(&self, task_id: &str) -> Result<Option<ExportTask>, Stop> {
        Ok(slot::task(&self.archive.logs, task_id).await.map_err(|failure| Failure::of("logs", &failure))?)
    }

    /// Until the task has ended; it must be COMPLETED then. A task may be invisible at first.
    pub async fn follow(&self, task_id: &str, checks: Option<&mut Checks>) -> Result<ExportTask, Stop> {
        let (mut waits, mut statuses, mut invisible) = (Waits::default(), Vec::new(), 0);
        let task = loop {
            self.interrupt.check()?;
            match self.task(task_id).await? {
                Some(task) => {
                    let status = status(&task).to_owned();
                    if statuses.last() != Some(&status) {
                        statuses.push(status);
                    }
                    if !is_active(&task) {
                        break task;
                    }
                }
                None if invisible < MOST_INVISIBLE => invisible += 1,
                None => return Err(Failure::Aws(format!("DescribeExportTasks does not know task {task_id}: repeat the command")).into()),
            }
            waits.wait(self.interrupt).await?;
        };
        if let Some(checks) = checks {
            let in_order = ["PENDING", "RUNNING", "COMPLETED"].into_iter().filter(|known| statuses.iter().any(|status| status == known));
            let expected: Vec<_> = in_order.collect();
            checks.observe("task statuses", Documented::Life, &expected.join(", "), &statuses.join(", "));
        }
        if status(&task) != "COMPLETED" {
            let message = task.status().and_then(|status| status.message()).unwrap_or_default();
            let next = "Read what AWS says, mend it, and repeat the command.";
            return Err(Failure::Aws(format!("export task {task_id} ended as {}: {message}\n{next}", status(&task))).into());
        }
        Ok(task)
    }
}

impl Written {
    /// All that lies in a log stream's folder, unpacked. What is no gzip stays as it is.
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

fn status(task: &ExportTask) -> &str {
    task.status().and_then(|status| status.code()).map_or("", ExportTaskStatusCode::as_str)
}

pub fn is_active(task: &ExportTask) -> bool {
    ["PENDING", "RUNNING", "PENDING_CANCEL"].contains(&status(task))
}

/// Between looks, each twice as long as the one before.
pub struct Waits(Duration);

impl Default for Waits {
    fn default() -> Self {
        Self(FIRST_WAIT)
    }
}

impl Waits {
    pub async fn wait(&mut self, interrupt: &Interrupt) -> Result<(), Stop> {
        interrupt.sleep(self.0).await?;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
        Ok(())
    }
}
