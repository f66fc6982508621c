//! The state of one stand-in: settings, export tasks, faults, overlays and the journals.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::clock::now_millis;
use crate::error::ApiError;
use crate::export::task::{ExportTask, TaskStatus};
use crate::faults::Faults;
use crate::overlay::Overlay;
use crate::requests::Requests;
use crate::scope::Caller;
use crate::upstream::Upstream;

/// Calls remembered; the oldest go first.
const JOURNAL_LENGTH: usize = 10_000;

/// How long tasks take, and how large their files become.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    /// From creation until RUNNING.
    pub(crate) pending_ms: u64,
    /// From RUNNING until the end; longer where writing takes longer.
    pub(crate) running_ms: u64,
    /// From the request to cancel until CANCELLED.
    pub(crate) cancel_ms: u64,
    /// Compressed bytes at which a file is closed and the next begun.
    pub(crate) max_file_bytes: u64,
    /// Hours of a task's own clock per day of its window; 0 is off: the task then took as long as it really did.
    #[serde(skip_serializing_if = "is_off")]
    pub(crate) hours_per_day: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_off(hours_per_day: &f64) -> bool {
    *hours_per_day == 0.0
}

impl Default for Settings {
    fn default() -> Self {
        Self { pending_ms: 200, running_ms: 400, cancel_ms: 100, max_file_bytes: 8 * 1024 * 1024, hours_per_day: 0.0 }
    }
}

/// One call of an export operation, for tests to assert what was really asked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    pub(crate) time: i64,
    pub(crate) operation: String,
    pub(crate) account_id: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) request: Value,
    pub(crate) outcome: Value,
}

/// Work that outlives the request that began it.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Everything that changes, behind one lock that is never held across an await.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) tasks: Vec<ExportTask>,
    pub(crate) faults: Faults,
    pub(crate) overlays: BTreeMap<String, Overlay>,
    pub(crate) journal: VecDeque<Call>,
    pub(crate) requests: Requests,
    /// Accounts that have called: among them the owner of a foreign bucket is found.
    pub(crate) accounts: BTreeSet<String>,
}

impl State {
    pub(crate) fn record(&mut self, call: Call) {
        if self.journal.len() == JOURNAL_LENGTH {
            self.journal.pop_front();
        }
        self.journal.push_back(call);
    }

    /// Refuses while the caller's account has an active task in the Region.
    pub(crate) fn slot_free(&self, caller: &Caller) -> Result<(), ApiError> {
        let busy = self.tasks.iter().any(|task| task.caller == *caller && task.status.is_active());
        if busy { Err(ApiError::limit_exceeded()) } else { Ok(()) }
    }
}

/// One stand-in.
pub(crate) struct Local {
    pub(crate) upstream: Upstream,
    /// The Step Functions that runs the workflow, where that is not the local AWS's.
    pub(crate) engine: Option<Upstream>,
    settings: watch::Sender<Settings>,
    jobs: mpsc::UnboundedSender<Job>,
    state: Mutex<State>,
}

impl Local {
    pub(crate) fn new(upstream: Upstream, engine: Option<Upstream>, jobs: mpsc::UnboundedSender<Job>) -> Self {
        Self { upstream, engine, settings: watch::Sender::new(Settings::default()), jobs, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock; should it happen all the same, the other callers need an answer more than purity.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Settings {
        *self.settings.borrow()
    }

    /// Changes settings; tasks already under way follow.
    pub(crate) fn change_settings(&self, settings: Settings) {
        self.settings.send_replace(settings);
    }

    pub(crate) fn watch_settings(&self) -> watch::Receiver<Settings> {
        self.settings.subscribe()
    }

    /// Runs a job until it ends or the server does.
    pub(crate) fn start(&self, job: Job) {
        // The receiver lives as long as the server, and no request is served without it.
        if self.jobs.send(job).is_err() {
            tracing::error!("the server has ended; an export task was not started");
        }
    }

    /// Moves a task on, unless its status is not one of those it may come from. `took` is what its own clock says.
    pub(crate) fn advance(&self, task_id: &str, from: &[TaskStatus], to: TaskStatus, message: String, took: Option<i64>) -> bool {
        let mut state = self.state();
        let Some(task) = state.tasks.iter_mut().find(|task| task.task_id == task_id) else {
            return false;
        };
        if !from.contains(&task.status) {
            return false;
        }
        tracing::debug!(task_id, from = task.status.code(), to = to.code(), message, "export task");
        if !to.is_active() {
            task.completion_time = Some(took.map_or_else(now_millis, |took| task.creation_time + took));
        }
        task.status = to;
        task.message = message;
        true
    }
}
