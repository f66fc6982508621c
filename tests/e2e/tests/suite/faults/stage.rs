//! A deployed stack for one scenario, and what the scenarios assert.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use e2e::{Archive, FROM, MONTH, TO, place};
use hyper::Method;
use local_aws::{Engine, wait_for};
use serde_json::{Value, json};

/// Stacks whose scenario is over. A stack takes seconds to deploy and many scenarios less than one to run.
static FREE: Mutex<Vec<Archive>> = Mutex::new(Vec::new());

/// A stack that one scenario has for itself, with log groups that others have left in it.
pub struct Stage {
    archive: Option<Archive>,
}

impl Deref for Stage {
    type Target = Archive;

    fn deref(&self) -> &Archive {
        self.archive.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What a scenario that failed has left behind is not for the next one.
        if !std::thread::panicking() {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.archive.take());
        }
    }
}

impl Stage {
    /// A stack without faults, whose export tasks take no time.
    pub async fn take(engine: Engine) -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).extract_if(.., |archive| archive.local.engine() == engine).next();
        let archive = match free {
            Some(archive) => archive,
            // The workflow's seconds become thousandths.
            None => deploy(engine, 0.001).await,
        };
        archive.local.clear_faults().await.expect("the stand-in takes it");
        let stage = Self { archive: Some(archive) };
        stage.let_tasks_go().await;
        stage
    }

    /// Ends the stack: something in it goes on that would disturb the next scenario.
    pub fn end(mut self) {
        drop(self.archive.take());
    }

    pub async fn fault(&self, fault: Value) {
        self.local.add_fault(&fault).await.expect("the stand-in takes the fault");
    }

    /// Export tasks stay PENDING from now on.
    pub async fn hold_tasks(&self) {
        self.local.set_task_timing(Duration::from_secs(3600), Duration::ZERO).await.expect("the stand-in takes its timing");
    }

    pub async fn let_tasks_go(&self) {
        self.local.set_task_timing(Duration::ZERO, Duration::ZERO).await.expect("the stand-in takes its timing");
    }

    /// Starts a run over these log groups.
    pub async fn start(&self, log_groups: Value) -> String {
        self.local.start_execution(&self.stack, &self.input(log_groups)).await.expect("the execution starts")
    }

    /// A run that must succeed, and that exports one log group.
    pub async fn run_exports(&self, log_group: &str) {
        let output = self.run_well(&self.input(json!([log_group]))).await;
        assert_eq!(output["counts"], json!({"exported": 1, "empty": 0, "skipped": 0, "failed": 0}), "{output}");
    }

    /// A run over one log group that must fail: what became of the log group, from the run's cause.
    pub async fn run_fails(&self, log_group: &str) -> String {
        let (error, cause) = self.run_badly(&self.input(json!([log_group]))).await;
        assert_eq!(error, "ExportsFailed", "{cause}");
        let failure = cause.strip_prefix(&format!("1 of 1 log groups failed: {log_group}: "));
        failure.unwrap_or_else(|| panic!("not the failure of {log_group}: {cause}")).to_owned()
    }

    /// The ids of all export tasks ever created for a log group, the oldest first, vanished ones included.
    pub async fn created(&self, log_group: &str) -> Vec<String> {
        let calls = self.calls("CreateExportTask").await;
        let of_log_group = calls.iter().filter(|call| call["request"]["logGroupName"] == log_group);
        of_log_group.filter_map(|call| Some(call["outcome"]["response"]["taskId"].as_str()?.to_owned())).collect()
    }

    /// Waits until so many tasks were created for a log group, and returns the newest's id.
    pub async fn wait_for_task(&self, log_group: &str, count: usize) -> String {
        wait_for(&format!("{count} tasks of {log_group}"), async || self.created(log_group).await.into_iter().nth(count - 1)).await
    }

    /// Waits until check-export-task has asked for a task: only it asks by id.
    pub async fn wait_for_check(&self, task_id: &str) {
        wait_for(&format!("a look at task {task_id}"), async || {
            self.calls("DescribeExportTasks").await.iter().find(|call| call["request"]["taskId"] == task_id).map(drop)
        })
        .await;
    }

    /// The status of every task of a log group that CloudWatch Logs shows, the newest first.
    pub async fn statuses(&self, log_group: &str) -> Vec<String> {
        let tasks = self.local.export_tasks().await.expect("the tasks can be listed");
        tasks.into_iter().filter(|task| task.log_group_name == log_group).map(|task| task.status).collect()
    }

    /// What lies in the place of a log group's month, by the rest of the key.
    pub async fn in_place(&self, log_group: &str) -> BTreeMap<String, String> {
        let base = format!("{}/", place("logs", log_group));
        let stored = self.stored(&self.stack.bucket).await;
        stored.into_iter().filter_map(|(key, text)| Some((key.strip_prefix(&base)?.to_owned(), text))).collect()
    }

    /// The month of a log group whose only event is `hello` at [`FROM`] is in the archive: whole, once, and the manifest says so.
    /// Returns the manifest.
    pub async fn assert_archived_once(&self, log_group: &str) -> Value {
        let mut stored = self.in_place(log_group).await;
        let text = stored.remove("_manifest.json").unwrap_or_else(|| panic!("no manifest among {:?}", stored.keys()));
        let manifest: Value = serde_json::from_str(&text).expect("the manifest is JSON");
        let task_id = manifest["taskId"].as_str().expect("the manifest names its task");
        assert_eq!(Some(task_id), self.created(log_group).await.last().map(String::as_str), "the manifest is of the last task");
        let expected = [
            (format!("{task_id}/main/000000.gz"), "2024-09-30T15:00:00.000Z hello\n".to_owned()),
            ("aws-logs-write-test".to_owned(), "Permission Check Successful".to_owned()),
        ];
        assert_eq!(stored, expected.into());
        assert_eq!(
            (&manifest["logGroupName"], &manifest["month"], &manifest["from"], &manifest["to"], &manifest["objects"]),
            (&json!(log_group), &json!(MONTH), &json!(FROM), &json!(TO), &json!(1))
        );
        manifest
    }

    /// A log group with `hello` as the month's only event.
    pub async fn hello(&self, log_group: &str) {
        self.log_group(log_group, &[(FROM, "hello")]).await;
    }

    /// Every fault on order has struck.
    pub async fn assert_no_faults_left(&self) {
        let state = self.local.call(Method::GET, "/_local/export-tasks", None).await.expect("the stand-in's state");
        assert_eq!(state["faults"], json!([]));
    }

    /// UpdateFunctionConfiguration; returns the configuration as it was.
    pub async fn configure(&self, function: &str, changes: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let was = self.local.call(Method::GET, &path, None).await.expect("the function's configuration");
        self.local.call(Method::PUT, &path, Some(changes)).await.expect("the function takes its configuration");
        was
    }
}

/// A stack whose workflow waits this fraction of what it says.
pub async fn deploy(engine: Engine, wait_scale: f64) -> Archive {
    let archive = Archive::deploy_scaled(engine, wait_scale).await;
    let local = &archive.local;
    local.set_task_timing(Duration::ZERO, Duration::ZERO).await.expect("the stand-in takes its timing");
    archive
}
