//! Exports without the state machine: they show how CloudWatch Logs answers, and when the events can be exported. So the run afterwards
//! does not fail, which would set off the stack's alarms.

use std::{collections::BTreeSet, io::Read, time::Duration};

use archive::{Archive, service_failure};
use aws_sdk_cloudwatchlogs::{
    config::{Builder, retry::RetryConfig},
    types::{ExportTask, ExportTaskStatusCode, OutputLogEvent},
};
use export_core::{
    service::{Refusal, ServiceFailure},
    time::Millis,
};
use flate2::read::MultiGzDecoder;
use tokio::time::Instant;

use super::{
    Stop,
    checks::{Checks, Documented},
    content::{Compared, compare},
    events::{LogStream, bounds, streams},
    interrupt::Interrupt,
    trial::{Subject, Trial},
};
use crate::{
    commands::verify::{exported::WRITE_TEST, source},
    failure::Failure,
    output::note,
    slot,
};

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// For events to be returned, and for the slot to be free.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(120);
/// Of the time that a person gives, before the second, third and fourth export of a log group.
const SHARES: [u32; 3] = [1, 4, 10];

pub struct Direct<'a> {
    pub trial: Trial<'a>,
    pub archive: &'a Archive,
    pub interrupt: &'a Interrupt,
    /// For events to become exportable.
    pub patience: Duration,
}

/// What one export task wrote.
struct Written {
    /// Relative to the task's folder, each with its bytes as stored.
    objects: Vec<(String, Vec<u8>)>,
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
                checks.prove("events are returned", false, format!("{differs}, after {} minutes", self.patience.as_secs() / 60));
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
                let all = export_core::Window { from: Millis(0), to: self.trial.started() };
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
        for subject in Subject::ALL {
            let mut shares = SHARES.into_iter();
            loop {
                let is_first = subject == Subject::Names && shares.len() == SHARES.len();
                let written = self.export_once(subject, is_first.then_some(&mut *checks)).await?;
                let Some(lacking) = self.judge(subject, &written, checks) else { break };
                let share = shares.next().filter(|_| !self.patience.is_zero());
                let Some(share) = share else {
                    checks.prove(
                        "events are exportable",
                        false,
                        format!("{lacking}, {} minutes after they were put", self.patience.as_secs() / 60),
                    );
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
        checks.prove("events are exportable", true, "an export of each log group has each event byte for byte".to_owned());
        Ok(())
    }

    fn prefix(&self, subject: Subject) -> String {
        format!("{}{}", self.trial.direct_folder(), subject.name())
    }

    async fn export_once(&self, subject: Subject, observe: Option<&mut Checks>) -> Result<Written, Stop> {
        note(format_args!("Exporting {}", self.trial.log_group(subject)));
        let task_id = self.create_when_free(subject).await?;
        let is_observed = observe.is_some();
        let mut second = None;
        if let Some(checks) = observe {
            self.observe_write_test(subject, checks).await?;
            second = self.observe_slot(subject, &task_id, checks).await?;
            let task = self.follow(&task_id, Some(&mut *checks)).await?;
            self.observe_fields(subject, &task_id, &task, checks);
        } else {
            self.follow(&task_id, None).await?;
        }
        if let Some(second) = second.filter(|_| is_observed) {
            self.follow(&second, None).await?;
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

    async fn create(&self, subject: Subject) -> Result<String, ServiceFailure> {
        let window = self.trial.window();
        let request = self.archive.logs.create_export_task().log_group_name(self.trial.log_group(subject).as_str());
        let request = request.from(window.from.0).to(window.to.0).destination(self.trial.stack.stack.bucket.as_str());
        let request = request.destination_prefix(self.prefix(subject)).task_name(self.trial.execution_name());
        // The SDK takes a busy slot for throttling, and would try again.
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let created = request.customize().config_override(once).send().await;
        Ok(created.map_err(|error| service_failure("CreateExportTask", &error))?.task_id.unwrap_or_default())
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
                        && (failure.is_slot_busy() || failure.refusal() == Refusal::Throttled) => {}
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

    async fn task(&self, task_id: &str) -> Result<Option<ExportTask>, Stop> {
        let described = self.archive.logs.describe_export_tasks().task_id(task_id).send().await;
        let described = described.map_err(|error| Failure::of("logs", &service_failure("DescribeExportTasks", &error)))?;
        Ok(described.export_tasks.unwrap_or_default().pop())
    }

    /// Until the task has ended; it must be COMPLETED then. A task may be invisible at first.
    async fn follow(&self, task_id: &str, checks: Option<&mut Checks>) -> Result<ExportTask, Stop> {
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
                None if invisible < 20 => invisible += 1,
                None => return Err(Failure::Aws(format!("DescribeExportTasks does not know task {task_id}: repeat the command")).into()),
            }
            waits.wait(self.interrupt).await?;
        };
        if let Some(checks) = checks {
            let known = ["PENDING", "RUNNING", "COMPLETED"];
            let in_order = statuses.iter().filter(|status| known.contains(&status.as_str())).collect::<Vec<_>>();
            let expected: Vec<_> = known.iter().filter(|known| in_order.iter().any(|status| status == *known)).copied().collect();
            checks.observe("task statuses", Documented::Life, &expected.join(", "), &statuses.join(", "));
        }
        if status(&task) != "COMPLETED" {
            let message = task.status().and_then(|status| status.message()).unwrap_or_default();
            let next = "Read what AWS says, mend it, and repeat the command.";
            return Err(Failure::Aws(format!("export task {task_id} ended as {}: {message}\n{next}", status(&task))).into());
        }
        Ok(task)
    }

    async fn observe_write_test(&self, subject: Subject, checks: &mut Checks) -> Result<(), Stop> {
        let bucket = self.trial.stack.stack.bucket.as_str();
        let key = format!("{}/{WRITE_TEST}", self.prefix(subject));
        let body = self.archive.read(bucket, &key).await.map_err(|failure| Failure::of("s3", &failure))?;
        let seen = body.map_or("no such object".to_owned(), |body| String::from_utf8_lossy(&body).into_owned());
        checks.observe("write test at creation", Documented::CreateExportTask, "Permission Check Successful", &seen);
        Ok(())
    }

    /// Tries to create a second task while the first is active. Answers with its id, if AWS created it.
    async fn observe_slot(&self, subject: Subject, first: &str, checks: &mut Checks) -> Result<Option<String>, Stop> {
        const EXPECTED: &str = "LimitExceededException: Resource limit exceeded.";
        let check = "second task while one is active";
        let second = self.create(subject).await;
        let is_active = self.task(first).await?.is_none_or(|task| is_active(&task));
        match second {
            Err(failure) if failure.code.is_some() => {
                let seen = format!("{}: {}", failure.code.unwrap_or_default(), failure.message);
                checks.observe(check, Documented::CreateExportTask, EXPECTED, &seen);
                Ok(None)
            }
            Err(failure) => Err(Failure::of("logs", &failure).into()),
            Ok(second) if is_active => {
                checks.observe(check, Documented::CreateExportTask, EXPECTED, "a second task");
                Ok(Some(second))
            }
            Ok(second) => {
                checks.not_seen(check, Some(Documented::CreateExportTask), "the first task ended too soon");
                Ok(Some(second))
            }
        }
    }

    fn observe_fields(&self, subject: Subject, task_id: &str, task: &ExportTask, checks: &mut Checks) {
        let window = self.trial.window();
        let text = |text: Option<&str>| text.unwrap_or("absent").to_owned();
        let number = |number: Option<i64>| number.map_or("absent".to_owned(), |number| number.to_string());
        let info = task.execution_info();
        let times = info.is_some_and(|info| info.creation_time().is_some() && info.creation_time() <= info.completion_time());
        let seen = [
            ("taskId", text(task.task_id()), task_id.to_owned()),
            ("taskName", text(task.task_name()), self.trial.execution_name()),
            ("logGroupName", text(task.log_group_name()), self.trial.log_group(subject).to_string()),
            ("from", number(task.from()), window.from.0.to_string()),
            ("to", number(task.to()), window.to.0.to_string()),
            ("destination", text(task.destination()), self.trial.stack.stack.bucket.to_string()),
            ("destinationPrefix", text(task.destination_prefix()), self.prefix(subject)),
            ("executionInfo", if times { "both times" } else { "not both times" }.to_owned(), "both times".to_owned()),
        ];
        let differing = seen.into_iter().filter(|(_, seen, expected)| seen != expected);
        let differing: Vec<_> = differing.map(|(name, seen, expected)| format!("{name} {seen}, not {expected}")).collect();
        let as_requested = "the request's fields, creationTime and completionTime";
        let seen = if differing.is_empty() { as_requested.to_owned() } else { differing.join("; ") };
        checks.observe("fields of DescribeExportTasks", Documented::DescribeExportTasks, as_requested, &seen);
    }

    /// Records what an export shows. Answers with what it lacks, if it only came too early.
    fn judge(&self, subject: Subject, written: &Written, checks: &mut Checks) -> Option<String> {
        let (window, log_group) = (self.trial.window(), self.trial.log_group(subject));
        let streams = streams(&self.trial, subject);
        if subject == Subject::Empty {
            let keys: Vec<_> = written.objects.iter().map(|(key, _)| key.as_str()).collect();
            let seen = if keys.is_empty() { "COMPLETED without an object".to_owned() } else { keys.join(", ") };
            checks.observe("task without events", Documented::Objects, "COMPLETED without an object", &seen);
            return None;
        }
        let texts: Vec<Vec<u8>> = streams.iter().map(|stream| written.text(stream)).collect();
        let compared: Vec<Compared> = streams.iter().zip(&texts).map(|(stream, text)| compare(stream.within(window), text)).collect();
        let has_wrong_text = compared.iter().any(|compared| matches!(compared, Compared::Differs(_)));
        let lacking: Vec<Millis> = compared
            .iter()
            .filter_map(|compared| match compared {
                Compared::Lacks(times) => Some(times.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        // Ends that are not included are no matter of time.
        let is_at_ends = subject == Subject::Names && lacking.iter().all(|at| [window.from, window.to].contains(at)) && lacking.len() < 3;
        if !lacking.is_empty() && !has_wrong_text && !is_at_ends {
            return Some(format!("an export of {log_group} lacks {} of its events", lacking.len()));
        }
        let check = |what: &str| format!("{what} ({})", subject.name());
        let expected: BTreeSet<String> = streams.iter().map(|stream| format!("{}/000000.gz", stream.folder())).collect();
        let seen: BTreeSet<String> = written.objects.iter().map(|(key, _)| key.clone()).collect();
        let list = |keys: BTreeSet<String>| keys.into_iter().collect::<Vec<_>>().join(", ");
        checks.observe(&check("object keys"), Documented::Objects, &list(expected), &list(seen));
        let are_gzip = written.objects.iter().all(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b]));
        checks.observe(&check("compression"), Documented::Objects, "gzip", if are_gzip { "gzip" } else { "other bytes than gzip's" });
        let line_form = "time, space, message, line break";
        let wrong = compared.into_iter().find_map(|compared| match compared {
            Compared::Differs(what) => Some(what),
            _ => None,
        });
        checks.observe(&check("bytes of each event"), Documented::Objects, line_form, wrong.as_deref().unwrap_or(line_form));
        if subject == Subject::Names {
            let found = bounds(window).map(|at| {
                let events = streams[0].events.iter().filter(|event| event.at == at);
                events.map(|event| event.message.as_bytes()).any(|message| texts[0].windows(message.len()).any(|part| part == message))
            });
            let side = |is_in: bool| if is_in { "in" } else { "out" };
            let told = |found: [bool; 4]| {
                format!("from - 1 ms {}, from {}, to {}, to + 1 ms {}", side(found[0]), side(found[1]), side(found[2]), side(found[3]))
            };
            checks.observe("ends of the window", Documented::Objects, &told([false, true, true, false]), &told(found));
            let accepted = "a task for a window before the log group's creation";
            checks.observe("window before the log group", Documented::CreateExportTask, accepted, accepted);
        }
        None
    }
}

impl Written {
    /// All that lies in a log stream's folder, unpacked. What is no gzip stays as it is.
    fn text(&self, stream: &LogStream) -> Vec<u8> {
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

fn is_active(task: &ExportTask) -> bool {
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
