//! Compares the responses and exports of CloudWatch Logs with docs/local-aws.md.

use std::collections::BTreeSet;

use aws_sdk_cloudwatchlogs::types::ExportTask;
use export_core::time::Millis;

use super::{
    Stop,
    checks::{Checks, DocumentedTable},
    content::{TextComparison, compare},
    direct::{DirectExports, ExportedObjects},
    events::{bounds, streams},
    self_test::Sample,
};
use crate::{
    events::exported::{GZIP_MAGIC, WRITE_TEST},
    failure::Failure,
    slot,
};

/// Whether an export has the events that were put.
#[derive(Debug, PartialEq, Eq)]
pub enum ExportVerdict {
    Complete,
    /// Only some events are missing, perhaps because the export was too early.
    Lacks(String),
    Differs,
}

impl ExportVerdict {
    fn new(is_complete: bool) -> Self {
        if is_complete { Self::Complete } else { Self::Differs }
    }
}

impl DirectExports<'_> {
    /// Follows a new task to its end, and checks the responses.
    pub async fn observe(&self, sample: Sample, task_id: &str, checks: &mut Checks) -> Result<(), Stop> {
        self.observe_write_test(sample, checks).await?;
        let second = self.observe_slot(sample, task_id, checks).await?;
        let task = self.follow(task_id, Some(&mut *checks)).await?;
        self.observe_fields(sample, task_id, &task, checks);
        if let Some(second) = second {
            self.follow(&second, None).await?;
        }
        Ok(())
    }

    async fn observe_write_test(&self, sample: Sample, checks: &mut Checks) -> Result<(), Stop> {
        let bucket = self.self_test.stack.settings.bucket.as_str();
        let key = format!("{}/{WRITE_TEST}", self.prefix(sample));
        let body = self.archive.read(bucket, &key).await.map_err(|failure| Failure::of_call("s3", &failure))?;
        let seen = body.map_or("no such object".to_owned(), |body| String::from_utf8_lossy(&body).into_owned());
        checks.observe("write test at creation", DocumentedTable::CreateExportTask, "Permission Check Successful", &seen);
        Ok(())
    }

    /// Tries to create a second task while the first is active. Returns its id, if AWS created it.
    async fn observe_slot(&self, sample: Sample, first: &str, checks: &mut Checks) -> Result<Option<String>, Stop> {
        const EXPECTED: &str = "LimitExceededException: Resource limit exceeded.";
        let check = "second task while one is active";
        let second = self.create(sample).await;
        let is_active = self.find_task(first).await?.is_none_or(|task| slot::is_active(&task));
        match second {
            Err(failure) if failure.code.is_some() => {
                let seen = format!("{}: {}", failure.code.unwrap_or_default(), failure.message);
                checks.observe(check, DocumentedTable::CreateExportTask, EXPECTED, &seen);
                Ok(None)
            }
            Err(failure) => Err(Failure::of_call("logs", &failure).into()),
            Ok(second) if is_active => {
                checks.observe(check, DocumentedTable::CreateExportTask, EXPECTED, "a second task");
                Ok(Some(second))
            }
            Ok(second) => {
                checks.not_seen(check, Some(DocumentedTable::CreateExportTask), "the first task ended too soon");
                Ok(Some(second))
            }
        }
    }

    fn observe_fields(&self, sample: Sample, task_id: &str, task: &ExportTask, checks: &mut Checks) {
        let window = self.self_test.window();
        let text = |text: Option<&str>| text.unwrap_or("absent").to_owned();
        let number = |number: Option<i64>| number.map_or("absent".to_owned(), |number| number.to_string());
        let info = task.execution_info();
        let has_times = info.is_some_and(|info| info.creation_time().is_some() && info.creation_time() <= info.completion_time());
        let seen = [
            ("taskId", text(task.task_id()), task_id.to_owned()),
            ("taskName", text(task.task_name()), self.self_test.execution_name()),
            ("logGroupName", text(task.log_group_name()), self.self_test.log_group(sample).to_string()),
            ("from", number(task.from()), window.from.0.to_string()),
            ("to", number(task.to()), window.to.0.to_string()),
            ("destination", text(task.destination()), self.self_test.stack.settings.bucket.to_string()),
            ("destinationPrefix", text(task.destination_prefix()), self.prefix(sample)),
            ("executionInfo", if has_times { "both times" } else { "not both times" }.to_owned(), "both times".to_owned()),
        ];
        let differing = seen.into_iter().filter(|(_, seen, expected)| seen != expected);
        let differing: Vec<_> = differing.map(|(name, seen, expected)| format!("{name} {seen}, not {expected}")).collect();
        let as_requested = "the request's fields, creationTime and completionTime";
        let seen = if differing.is_empty() { as_requested.to_owned() } else { differing.join("; ") };
        checks.observe("fields of DescribeExportTasks", DocumentedTable::DescribeExportTasks, as_requested, &seen);
    }

    /// Records the checks of an export.
    pub fn check_export(&self, sample: Sample, written: &ExportedObjects, checks: &mut Checks) -> ExportVerdict {
        let (window, log_group) = (self.self_test.window(), self.self_test.log_group(sample));
        let streams = streams(&self.self_test, sample);
        if sample == Sample::Empty {
            let keys: Vec<_> = written.objects.iter().map(|(key, _)| key.as_str()).collect();
            let seen = if keys.is_empty() { "COMPLETED without an object".to_owned() } else { keys.join(", ") };
            checks.observe("task without events", DocumentedTable::Objects, "COMPLETED without an object", &seen);
            return ExportVerdict::new(keys.is_empty());
        }
        let check = |what: &str| format!("{what} ({})", sample.name());
        let expected: BTreeSet<String> = streams.iter().map(|stream| format!("{}/000000.gz", stream.folder())).collect();
        let seen: BTreeSet<String> = written.objects.iter().map(|(key, _)| key.clone()).collect();
        let is_in_other_folder = |key: &String| !streams.iter().any(|stream| key.starts_with(&format!("{}/", stream.folder())));
        let has_other_folders = seen.iter().any(is_in_other_folder);
        let list = |keys: BTreeSet<String>| keys.into_iter().collect::<Vec<_>>().join(", ");
        let observe_keys =
            |checks: &mut Checks| checks.observe(&check("object keys"), DocumentedTable::Objects, &list(expected), &list(seen));
        if has_other_folders {
            // The log stream of a folder with another name is unknown.
            observe_keys(checks);
            return ExportVerdict::Differs;
        }
        let texts: Vec<Vec<u8>> = streams.iter().map(|stream| written.text(stream)).collect();
        let compared: Vec<TextComparison> = streams.iter().zip(&texts).map(|(stream, text)| compare(stream.within(window), text)).collect();
        let has_wrong_text = compared.iter().any(|compared| matches!(compared, TextComparison::Differs(_)));
        let missing_of = |compared: &TextComparison| match compared {
            TextComparison::Lacks(times) => times.clone(),
            _ => Vec::new(),
        };
        let missing: Vec<Millis> = compared.iter().flat_map(missing_of).collect();
        // Missing events at the ends of the window mean other bounds, not an early export.
        let is_at_ends = sample == Sample::Names && missing.iter().all(|at| [window.from, window.to].contains(at)) && missing.len() < 3;
        if !missing.is_empty() && !has_wrong_text && !is_at_ends {
            return ExportVerdict::Lacks(format!("an export of {log_group} lacks {} of its events", missing.len()));
        }
        observe_keys(checks);
        let are_gzip = written.objects.iter().all(|(_, bytes)| bytes.starts_with(&GZIP_MAGIC));
        checks.observe(&check("compression"), DocumentedTable::Objects, "gzip", if are_gzip { "gzip" } else { "not gzip" });
        let line_form = "time, space, message, line break";
        let wrong = compared.into_iter().find_map(|compared| match compared {
            TextComparison::Differs(what) => Some(what),
            _ => None,
        });
        checks.observe(&check("bytes of each event"), DocumentedTable::Objects, line_form, wrong.as_deref().unwrap_or(line_form));
        if sample == Sample::Names {
            let exported = bounds(window).map(|at| {
                let events = streams[0].events.iter().filter(|event| event.at == at);
                events.map(|event| event.message.as_bytes()).any(|message| texts[0].windows(message.len()).any(|part| part == message))
            });
            let side = |is_in: bool| if is_in { "in" } else { "out" };
            let format_bounds = |exported: [bool; 4]| {
                let [before, from, to, after] = exported.map(side);
                format!("from - 1 ms {before}, from {from}, to {to}, to + 1 ms {after}")
            };
            checks.observe(
                "ends of the window",
                DocumentedTable::Objects,
                &format_bounds([false, true, true, false]),
                &format_bounds(exported),
            );
            let accepted = "a task for a window before the log group's creation";
            checks.observe("window before the log group", DocumentedTable::CreateExportTask, accepted, accepted);
        }
        ExportVerdict::new(missing.is_empty() && wrong.is_none())
    }
}
