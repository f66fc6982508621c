//! What a direct export shows of CloudWatch Logs, against docs/local-aws.md.

use std::collections::BTreeSet;

use aws_sdk_cloudwatchlogs::types::ExportTask;
use export_core::time::Millis;

use super::{
    Stop,
    checks::{Checks, Documented},
    content::{Compared, compare},
    direct::{Direct, Written, is_active},
    events::{bounds, streams},
    trial::Subject,
};
use crate::{events::exported::WRITE_TEST, failure::Failure};

/// What an export has of the events that were put.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    Whole,
    /// Nothing else is wrong: it may have come too early.
    Lacks(String),
    Differs,
}

impl Judged {
    fn of(is_whole: bool) -> Self {
        if is_whole { Self::Whole } else { Self::Differs }
    }
}

impl Direct<'_> {
    /// Follows a task that was just created to its end.
    pub async fn observe(&self, subject: Subject, task_id: &str, checks: &mut Checks) -> Result<(), Stop> {
        self.observe_write_test(subject, checks).await?;
        let second = self.observe_slot(subject, task_id, checks).await?;
        let task = self.follow(task_id, Some(&mut *checks)).await?;
        self.observe_fields(subject, task_id, &task, checks);
        if let Some(second) = second {
            self.follow(&second, None).await?;
        }
        Ok(())
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
    pub fn judge(&self, subject: Subject, written: &Written, checks: &mut Checks) -> Judged {
        let (window, log_group) = (self.trial.window(), self.trial.log_group(subject));
        let streams = streams(&self.trial, subject);
        if subject == Subject::Empty {
            let keys: Vec<_> = written.objects.iter().map(|(key, _)| key.as_str()).collect();
            let seen = if keys.is_empty() { "COMPLETED without an object".to_owned() } else { keys.join(", ") };
            checks.observe("task without events", Documented::Objects, "COMPLETED without an object", &seen);
            return Judged::of(keys.is_empty());
        }
        let check = |what: &str| format!("{what} ({})", subject.name());
        let expected: BTreeSet<String> = streams.iter().map(|stream| format!("{}/000000.gz", stream.folder())).collect();
        let seen: BTreeSet<String> = written.objects.iter().map(|(key, _)| key.clone()).collect();
        let lies_elsewhere = |key: &String| !streams.iter().any(|stream| key.starts_with(&format!("{}/", stream.folder())));
        let is_elsewhere = seen.iter().any(lies_elsewhere);
        let list = |keys: BTreeSet<String>| keys.into_iter().collect::<Vec<_>>().join(", ");
        let observe_keys = |checks: &mut Checks| checks.observe(&check("object keys"), Documented::Objects, &list(expected), &list(seen));
        if is_elsewhere {
            // Which events are in a folder of another name, nobody can tell.
            observe_keys(checks);
            return Judged::Differs;
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
            return Judged::Lacks(format!("an export of {log_group} lacks {} of its events", lacking.len()));
        }
        observe_keys(checks);
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
        Judged::of(lacking.is_empty() && wrong.is_none())
    }
}
