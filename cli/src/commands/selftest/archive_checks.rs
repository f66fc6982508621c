//! Starts a run, and checks what it archived: the manifests, every event, and the rows in Athena.

use std::collections::BTreeMap;

use archive::{Archive, service_failure};
use aws_sdk_sfn::types::ExecutionStatus;
use chrono::Utc;
use export_core::{
    LogGroupName, Window,
    manifest::{Manifest, Outcome},
    place::ManifestKey,
};
use serde_json::{Value, json};

use super::{
    Stop,
    checks::Checks,
    events::streams,
    interrupt::Interrupt,
    self_test::{Sample, SelfTest},
};
use crate::{
    commands::{
        run,
        verify::comparison::WindowComparer,
        watch::{follow::Follower, progress::ProgressDisplay},
    },
    context::Context,
    failure::Failure,
    output::note,
};

pub struct ArchiveChecks<'a> {
    pub context: &'a Context,
    pub self_test: SelfTest<'a>,
    pub archive: &'a Archive,
    pub interrupt: &'a Interrupt,
}

/// The windows that the run exported, by log group.
pub type Windows = BTreeMap<LogGroupName, Window>;

impl ArchiveChecks<'_> {
    /// Starts a run by hand, and follows it to its end. Its objects can be removed only then.
    pub async fn run(&self, checks: &mut Checks) -> Result<(), Stop> {
        let Self { context, self_test, .. } = self;
        let input = json!({
            "month": self_test.month(),
            "allowIncompleteMonth": true,
            "logGroups": self_test.log_groups(),
        });
        let execution = run::start(context, self_test.stack, &input, self_test.execution_name()).await?;
        note(format_args!("Started {execution}"));
        let (step_functions, logs) = (context.step_functions(), context.logs());
        let follower = Follower { step_functions, logs, stack: &self_test.stack.settings, execution: &execution };
        let description = follower.follow(ProgressDisplay::new(&context.output)).await?;
        self.interrupt.check()?;
        let output: Value = description.output.as_deref().and_then(|output| serde_json::from_str(output).ok()).unwrap_or_default();
        let [exported, empty] = ["exported", "empty"].map(|outcome| output[outcome].as_u64().unwrap_or_default());
        let is_proven = description.status == ExecutionStatus::Succeeded && (exported, empty) == (2, 1);
        let error = [description.error, description.cause].map(Option::unwrap_or_default).join(" ");
        let status = description.status.as_str();
        let detail = format!("{} {status}: {exported} of 2 exported, {empty} of 1 empty {error}", self_test.execution_name());
        checks.prove("the run archives", is_proven, detail.trim_end().to_owned());
        if is_proven {
            return Ok(());
        }
        note(format_args!(
            "A failed run sets off the stack's alarms, until a scheduled run succeeds. To see why the run failed: logs-archive watch {}",
            self_test.execution_name()
        ));
        Err(Stop::NotProven)
    }

    /// Compares every archived event with CloudWatch Logs, and the number of events with the number that was put.
    pub async fn verify(&self, checks: &mut Checks) -> Result<Windows, Stop> {
        let mut windows = Windows::new();
        let names = self.self_test.log_groups();
        let log_groups = self.archive.named_log_groups(&names).await.map_err(Failure::from)?;
        for (sample, name) in Sample::ALL.into_iter().zip(names) {
            let check = format!("the archive is true ({})", sample.name());
            let (key, manifest) = match self.find_manifest(&name).await? {
                Ok(found) => found,
                Err(why) => {
                    checks.prove(&check, false, why);
                    continue;
                }
            };
            let window = manifest.window();
            windows.insert(name.clone(), window);
            let compared = WindowComparer { archive: self.archive, key: &key, manifest: &manifest, now: Utc::now() };
            let comparison = compared.compare_events(&log_groups[&name]).await?;
            let put: usize = streams(&self.self_test, sample).iter().map(|stream| stream.within(window).count()).sum();
            let source: u64 = comparison.folders.values().map(|folder| folder.source.events).sum();
            let archived: u64 = comparison.folders.values().map(|folder| folder.archived.events).sum();
            let expected_outcome = if sample == Sample::Empty { Outcome::Empty } else { Outcome::Exported };
            let problems = [&comparison.problems[..], &comparison.incomplete].concat();
            let is_true = problems.is_empty() && !comparison.counts().differ() && (source, archived) == (put as u64, put as u64);
            let outcome = json!(manifest.outcome);
            let detail = format!(
                "manifest: {}; events: {put} put, {source} in CloudWatch Logs, {archived} archived; objects: {} {}",
                outcome.as_str().unwrap_or_default(),
                comparison.objects,
                problems.join("; ")
            );
            checks.prove(&check, is_true && manifest.outcome == expected_outcome, detail.trim_end().to_owned());
        }
        Ok(windows)
    }

    async fn find_manifest(&self, log_group: &LogGroupName) -> Result<Result<(ManifestKey, Manifest), String>, Failure> {
        let stack = &self.self_test.stack.settings;
        let prefix = stack.manifests_prefix(self.self_test.month(), &self.self_test.place(log_group.clone())?.hash());
        let keys = self.archive.list_keys(stack.bucket.as_str(), &prefix).await?;
        let keys: Vec<ManifestKey> = keys.iter().filter_map(|(key, _)| stack.parse_manifest_key(key)).collect();
        let [key] = &keys[..] else { return Ok(Err(format!("it has {} manifests, not 1", keys.len()))) };
        Ok(match self.archive.manifest(key, Utc::now()).await? {
            Some(Ok(manifest)) => Ok((key.clone(), manifest)),
            Some(Err(why)) => Err(format!("its manifest is not valid: {why}")),
            None => Err("its manifest was removed".to_owned()),
        })
    }

    /// Compares the number of events of each log stream with the view `events`.
    pub async fn query_athena(&self, windows: &Windows, checks: &mut Checks) -> Result<(), Stop> {
        let check = "Athena counts the events";
        let [work_group, database] = ["WorkGroupName", "DatabaseName"].map(|name| self.self_test.stack.output(name));
        if work_group.is_empty() || database.is_empty() {
            checks.not_seen(check, None, "not deployed with this stack");
            return Ok(());
        }
        let mut expected = Vec::new();
        for sample in Sample::ALL {
            let log_group = self.self_test.log_group(sample);
            let Some(window) = windows.get(&log_group) else { continue };
            let counted = streams(&self.self_test, sample).into_iter().map(|stream| (stream.folder(), stream.within(*window).count()));
            expected.extend(
                counted.filter(|(_, events)| *events > 0).map(|(folder, events)| [log_group.to_string(), folder, events.to_string()]),
            );
        }
        let names = self.self_test.log_groups().map(|name| format!("'{name}'")).join(", ");
        let (year, month) = (self.self_test.month().year(), self.self_test.month().month());
        let sql = format!(
            "SELECT log_group, log_stream, count(*) AS events FROM events WHERE log_group IN ({names}) AND year = {year} AND month = {month} \
             GROUP BY log_group, log_stream"
        );
        let mut rows = match self.query(&sql, work_group, database).await? {
            Ok(rows) => rows,
            Err(why) => {
                checks.prove(check, false, why);
                return Ok(());
            }
        };
        rows.sort_unstable();
        expected.sort_unstable();
        let format_rows =
            |rows: &[[String; 3]]| rows.iter().map(|[_, stream, events]| format!("{stream} {events}")).collect::<Vec<_>>().join(", ");
        let detail =
            if rows == expected { format_rows(&rows) } else { format!("expected {}; got {}", format_rows(&expected), format_rows(&rows)) };
        checks.prove(check, rows == expected, detail);
        Ok(())
    }

    async fn query(&self, sql: &str, work_group: &str, database: &str) -> Result<Result<Vec<[String; 3]>, String>, Stop> {
        let athena = self.context.athena();
        let query_context = aws_sdk_athena::types::QueryExecutionContext::builder().database(database).build();
        let started = athena.start_query_execution().query_string(sql).work_group(work_group).query_execution_context(query_context);
        let started = started.send().await.map_err(|error| Failure::of_call("athena", &service_failure("StartQueryExecution", &error)))?;
        let id = started.query_execution_id.unwrap_or_default();
        let mut backoff = super::direct::Backoff::default();
        loop {
            let description = athena.get_query_execution().query_execution_id(&id).send().await;
            let description = description.map_err(|error| Failure::of_call("athena", &service_failure("GetQueryExecution", &error)))?;
            let status = description.query_execution.and_then(|execution| execution.status);
            let state = status.as_ref().and_then(|status| status.state()).map_or("", |state| state.as_str());
            match state {
                "QUEUED" | "RUNNING" => backoff.wait(self.interrupt).await?,
                "SUCCEEDED" => break,
                _ => {
                    let why = status.as_ref().and_then(|status| status.state_change_reason()).unwrap_or("without a reason");
                    return Ok(Err(format!("the query is {state}: {why}")));
                }
            }
        }
        let results = athena.get_query_results().query_execution_id(&id).send().await;
        let results = results.map_err(|error| Failure::of_call("athena", &service_failure("GetQueryResults", &error)))?;
        let rows = results.result_set.and_then(|set| set.rows).unwrap_or_default();
        let cell = |row: &aws_sdk_athena::types::Row, at: usize| {
            row.data().get(at).and_then(|datum| datum.var_char_value()).unwrap_or_default().to_owned()
        };
        // The first row is the header.
        Ok(Ok(rows.iter().skip(1).map(|row| [cell(row, 0), cell(row, 1), cell(row, 2)]).collect()))
    }
}
