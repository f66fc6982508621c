//! The run, and what it archived: by the manifests, by every event, and by Athena.

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
    trial::{Subject, Trial},
};
use crate::{
    commands::{
        run,
        verify::comparison::Subject as Compared,
        watch::{follow::Follow, progress::Display},
    },
    context::Context,
    failure::Failure,
    output::note,
};

pub struct Archived<'a> {
    pub context: &'a Context,
    pub trial: Trial<'a>,
    pub archive: &'a Archive,
    pub interrupt: &'a Interrupt,
}

/// The window that the run exported, by log group.
pub type Windows = BTreeMap<LogGroupName, Window>;

impl Archived<'_> {
    /// A run by hand, to its end: what it writes can be removed only then.
    pub async fn run(&self, checks: &mut Checks) -> Result<(), Stop> {
        let Self { context, trial, .. } = self;
        let input = json!({
            "month": trial.month(),
            "allowIncompleteMonth": true,
            "logGroups": trial.log_groups(),
        });
        let execution = run::start(context, trial.stack, &input, trial.execution_name()).await?;
        note(format_args!("Started {execution}"));
        let (step_functions, logs) = (context.step_functions(), context.logs());
        let follow = Follow { step_functions, logs, stack: &trial.stack.stack, execution: &execution };
        let described = follow.to_its_end(Display::new(&context.output)).await?;
        self.interrupt.check()?;
        let output: Value = described.output.as_deref().and_then(|output| serde_json::from_str(output).ok()).unwrap_or_default();
        let [exported, empty] = ["exported", "empty"].map(|outcome| output[outcome].as_u64().unwrap_or_default());
        let is_proven = described.status == ExecutionStatus::Succeeded && (exported, empty) == (2, 1);
        let error = [described.error, described.cause].map(Option::unwrap_or_default).join(" ");
        let status = described.status.as_str();
        let detail = format!("{} {status}: {exported} of 2 exported, {empty} of 1 empty {error}", trial.execution_name());
        checks.prove("the run archives", is_proven, detail.trim_end().to_owned());
        if is_proven {
            return Ok(());
        }
        note(format_args!(
            "The stack's alarms tell of a run that failed, until a scheduled run succeeds. What it says: logs-archive watch {}",
            trial.execution_name()
        ));
        Err(Stop::NotProven)
    }

    /// Every event of the archive against CloudWatch Logs, and their number against what was put.
    pub async fn verify(&self, checks: &mut Checks) -> Result<Windows, Stop> {
        let mut windows = Windows::new();
        let names = self.trial.log_groups();
        let log_groups = self.archive.named_log_groups(&names).await.map_err(Failure::from)?;
        for (subject, name) in Subject::ALL.into_iter().zip(names) {
            let check = format!("the archive is true ({})", subject.name());
            let (key, manifest) = match self.only_manifest(&name).await? {
                Ok(found) => found,
                Err(why) => {
                    checks.prove(&check, false, why);
                    continue;
                }
            };
            let window = manifest.window();
            windows.insert(name.clone(), window);
            let compared = Compared { archive: self.archive, key: &key, manifest: &manifest, now: Utc::now() };
            let comparison = compared.compare_events(&log_groups[&name]).await?;
            let put: usize = streams(&self.trial, subject).iter().map(|stream| stream.within(window).count()).sum();
            let [source, archived] = [0, 1]
                .map(|side| comparison.folders.values().map(|folder| [folder.source.events, folder.archived.events][side]).sum::<u64>());
            let outcome = if subject == Subject::Empty { Outcome::Empty } else { Outcome::Exported };
            let problems = [&comparison.problems[..], &comparison.incomplete].concat();
            let is_true = problems.is_empty() && !comparison.counts().differ() && (source, archived) == (put as u64, put as u64);
            let outcome_is = json!(manifest.outcome);
            let detail = format!(
                "manifest: {}; events: {put} put, {source} in CloudWatch Logs, {archived} archived; objects: {} {}",
                outcome_is.as_str().unwrap_or_default(),
                comparison.objects,
                problems.join("; ")
            );
            checks.prove(&check, is_true && manifest.outcome == outcome, detail.trim_end().to_owned());
        }
        Ok(windows)
    }

    async fn only_manifest(&self, log_group: &LogGroupName) -> Result<Result<(ManifestKey, Manifest), String>, Failure> {
        let stack = &self.trial.stack.stack;
        let prefix = stack.manifests_prefix(self.trial.month(), &self.trial.place(log_group.clone())?.hash());
        let keys = self.archive.list_keys(stack.bucket.as_str(), &prefix).await?;
        let keys: Vec<ManifestKey> = keys.iter().filter_map(|(key, _)| stack.parse_manifest_key(key)).collect();
        let [key] = &keys[..] else { return Ok(Err(format!("it has {} manifests, not 1", keys.len()))) };
        Ok(match self.archive.manifest(key, Utc::now()).await? {
            Some(Ok(manifest)) => Ok((key.clone(), manifest)),
            Some(Err(why)) => Err(format!("its manifest is not valid: {why}")),
            None => Err("its manifest is gone again".to_owned()),
        })
    }

    /// The events of each log stream, as the view `events` counts them.
    pub async fn ask_athena(&self, windows: &Windows, checks: &mut Checks) -> Result<(), Stop> {
        let check = "Athena counts the events";
        let [work_group, database] = ["WorkGroupName", "DatabaseName"].map(|name| self.trial.stack.output(name));
        if work_group.is_empty() || database.is_empty() {
            checks.not_seen(check, None, "not deployed with this stack");
            return Ok(());
        }
        let mut expected = Vec::new();
        for subject in Subject::ALL {
            let log_group = self.trial.log_group(subject);
            let Some(window) = windows.get(&log_group) else { continue };
            let counted = streams(&self.trial, subject).into_iter().map(|stream| (stream.folder(), stream.within(*window).count()));
            expected.extend(
                counted.filter(|(_, events)| *events > 0).map(|(folder, events)| [log_group.to_string(), folder, events.to_string()]),
            );
        }
        let names = self.trial.log_groups().map(|name| format!("'{name}'")).join(", ");
        let (year, month) = (self.trial.month().year(), self.trial.month().month());
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
        let told =
            |rows: &[[String; 3]]| rows.iter().map(|[_, stream, events]| format!("{stream} {events}")).collect::<Vec<_>>().join(", ");
        let detail = if rows == expected { told(&rows) } else { format!("expected {}; got {}", told(&expected), told(&rows)) };
        checks.prove(check, rows == expected, detail);
        Ok(())
    }

    async fn query(&self, sql: &str, work_group: &str, database: &str) -> Result<Result<Vec<[String; 3]>, String>, Stop> {
        let athena = self.context.athena();
        let place = aws_sdk_athena::types::QueryExecutionContext::builder().database(database).build();
        let started = athena.start_query_execution().query_string(sql).work_group(work_group).query_execution_context(place);
        let started = started.send().await.map_err(|error| Failure::of("athena", &service_failure("StartQueryExecution", &error)))?;
        let id = started.query_execution_id.unwrap_or_default();
        let mut waits = super::direct::Waits::default();
        loop {
            let described = athena.get_query_execution().query_execution_id(&id).send().await;
            let described = described.map_err(|error| Failure::of("athena", &service_failure("GetQueryExecution", &error)))?;
            let status = described.query_execution.and_then(|execution| execution.status);
            let state = status.as_ref().and_then(|status| status.state()).map_or("", |state| state.as_str());
            match state {
                "QUEUED" | "RUNNING" => waits.wait(self.interrupt).await?,
                "SUCCEEDED" => break,
                _ => {
                    let why = status.as_ref().and_then(|status| status.state_change_reason()).unwrap_or("without a reason");
                    return Ok(Err(format!("the query is {state}: {why}")));
                }
            }
        }
        let results = athena.get_query_results().query_execution_id(&id).send().await;
        let results = results.map_err(|error| Failure::of("athena", &service_failure("GetQueryResults", &error)))?;
        let rows = results.result_set.and_then(|set| set.rows).unwrap_or_default();
        let cell = |row: &aws_sdk_athena::types::Row, at: usize| {
            row.data().get(at).and_then(|datum| datum.var_char_value()).unwrap_or_default().to_owned()
        };
        // The first one is the header.
        Ok(Ok(rows.iter().skip(1).map(|row| [cell(row, 0), cell(row, 1), cell(row, 2)]).collect()))
    }
}
