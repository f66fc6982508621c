//! A deployed stack for one scenario: what it tells the stand-in, and what it waits for.

use std::{
    ops::Deref,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper::Method;
use local_aws::{Engine, Execution, LogGroupOverlay, wait_for};
use serde_json::{Value, json};

use crate::Archive;

/// Stacks whose scenario is over.
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
    /// A stack without faults, whose export tasks take no time, and in which no scheduled run has been.
    pub async fn take() -> Self {
        Self::take_on(Engine::Ministack).await
    }

    /// The same, with the workflow run by this engine.
    pub async fn take_on(engine: Engine) -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).extract_if(.., |archive| archive.local.engine() == engine).next();
        let Some(archive) = free else {
            // The workflow's seconds become thousandths.
            return Self { archive: Some(Archive::deploy(engine, 0.001).await) };
        };
        archive.local.clear_faults().await.expect("the stand-in takes it");
        archive.let_tasks_go().await;
        archive.hours_per_day(0.0).await;
        wait_for("the tasks of the scenario before", async || {
            let tasks = archive.local.export_tasks().await.expect("the tasks can be listed");
            tasks.iter().all(|task| !["PENDING", "RUNNING", "PENDING_CANCEL"].contains(&task.status.as_str())).then_some(())
        })
        .await;
        archive.forget_runs().await;
        Self { archive: Some(archive) }
    }
}

impl Archive {
    pub async fn fault(&self, fault: Value) {
        self.local.add_fault(&fault).await.expect("the stand-in takes the fault");
    }

    /// The faults on order that have not struck yet.
    pub async fn faults_left(&self) -> Value {
        let state = self.local.call(Method::GET, "/_local/export-tasks", None).await.expect("the stand-in's state");
        state["faults"].clone()
    }

    /// Every fault on order has struck.
    pub async fn assert_no_faults_left(&self) {
        assert_eq!(self.faults_left().await, json!([]));
    }

    /// Gives a log group another age, retention or class.
    pub async fn overlay(&self, log_group: &str, change: impl FnOnce(&mut LogGroupOverlay)) {
        let mut overlay = LogGroupOverlay { log_group_name: log_group.to_owned(), ..LogGroupOverlay::default() };
        change(&mut overlay);
        self.local.set_log_group(&overlay).await.expect("the stand-in takes it");
    }

    /// Export tasks stay PENDING from now on.
    pub async fn hold_tasks(&self) {
        self.local.set_task_timing(Duration::from_secs(3600), Duration::ZERO).await.expect("the stand-in takes its timing");
    }

    pub async fn let_tasks_go(&self) {
        self.local.set_task_timing(Duration::ZERO, Duration::ZERO).await.expect("the stand-in takes its timing");
    }

    /// Export tasks take so many hours on their own clock per day of their window; 0 is off.
    pub async fn hours_per_day(&self, hours: f64) {
        self.local.set_hours_per_day(hours).await.expect("the stand-in takes it");
    }

    /// The time in which a run starts windows, in seconds; `None` is the 20 h. It is a setting of the functions that the template leaves
    /// alone.
    pub async fn limit_time(&self, seconds: Option<&str>) {
        for function in [&self.stack.create_function_name, &self.stack.plan_function_name] {
            self.local.set_variable(function, "RUN_TIME_LIMIT_SECONDS", seconds).await.expect("the function takes it");
        }
    }

    /// Runs an input whose time is over while this log group waits for a busy slot: what comes before it is exported, and no more.
    pub async fn run_until(&self, log_group: &str, input: &Value) -> Execution {
        let busy = json!({"operation": "CreateExportTask", "logGroupName": log_group, "error": "LimitExceededException",
            "message": "Resource limit exceeded.", "times": 10_000});
        self.fault(busy).await;
        let refusals = self.refusals(log_group).await;
        let arn = self.start_input(input).await;
        self.wait_for_refusals(log_group, refusals + 1).await;
        self.limit_time(Some("0")).await;
        let execution = self.wait(&arn).await;
        self.limit_time(None).await;
        self.local.clear_faults().await.expect("the stand-in takes it");
        execution
    }

    /// Waits until so many tasks were created for a log group, and returns the newest's id.
    pub async fn wait_for_task(&self, log_group: &str, count: usize) -> String {
        wait_for(&format!("{count} tasks of {log_group}"), async || self.created(log_group).await.into_iter().nth(count - 1)).await
    }

    /// Waits until check-export-task has asked for a task: only it asks by id.
    pub async fn wait_for_check(&self, task_id: &str) {
        wait_for(&format!("a look at task {task_id}"), async || {
            (!self.calls("DescribeExportTasks", "taskId", task_id).await.is_empty()).then_some(())
        })
        .await;
    }

    /// How often create-export-task has looked for a task of its own: it alone looks at all.
    pub async fn task_searches(&self) -> usize {
        self.calls("DescribeExportTasks", "taskId", "").await.len()
    }

    pub async fn wait_for_task_search(&self, before: usize) {
        wait_for("another search for a task", async || (self.task_searches().await > before).then_some(())).await;
    }

    /// Waits until CreateExportTask was refused so often for a log group because the slot was busy.
    pub async fn wait_for_refusals(&self, log_group: &str, count: usize) {
        wait_for(&format!("{count} refusals of {log_group}"), async || (self.refusals(log_group).await >= count).then_some(())).await;
    }

    async fn refusals(&self, log_group: &str) -> usize {
        self.create_calls(log_group).await.iter().filter(|call| call["outcome"]["error"] == "LimitExceededException").count()
    }
}
