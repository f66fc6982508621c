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

/// The maximum number of calls in the journal. The oldest are dropped.
const JOURNAL_LENGTH: usize = 10_000;

/// The durations of tasks, and the size of their files.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    /// From creation until RUNNING.
    pub(crate) pending_ms: u64,
    /// From RUNNING until the end. Writing can take longer.
    pub(crate) running_ms: u64,
    /// From the request to cancel until CANCELLED.
    pub(crate) cancel_ms: u64,
    /// The compressed size at which the next file begins.
    pub(crate) max_file_bytes: u64,
    /// The simulated hours of a task per day of its window. With 0, a task takes its real time.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) hours_per_day: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(hours_per_day: &f64) -> bool {
    *hours_per_day == 0.0
}

impl Default for Settings {
    fn default() -> Self {
        Self { pending_ms: 200, running_ms: 400, cancel_ms: 100, max_file_bytes: 8 * 1024 * 1024, hours_per_day: 0.0 }
    }
}

/// A call of an export operation, for the assertions of tests.
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

/// Work that continues after the request that started it.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The mutable state. Its lock is never held across an await.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) tasks: Vec<ExportTask>,
    pub(crate) faults: Faults,
    pub(crate) overlays: BTreeMap<String, Overlay>,
    pub(crate) journal: VecDeque<Call>,
    pub(crate) requests: Requests,
    /// The accounts that have called. One of them can own a bucket of another account.
    pub(crate) accounts: BTreeSet<String>,
}

impl State {
    pub(crate) fn record(&mut self, call: Call) {
        if self.journal.len() == JOURNAL_LENGTH {
            self.journal.pop_front();
        }
        self.journal.push_back(call);
    }

    /// An account has one slot for active tasks per Region.
    pub(crate) fn require_free_slot(&self, caller: &Caller) -> Result<(), ApiError> {
        let is_busy = self.tasks.iter().any(|task| task.caller == *caller && task.status.is_active());
        if is_busy { Err(ApiError::limit_exceeded()) } else { Ok(()) }
    }
}

/// One stand-in.
pub(crate) struct Local {
    pub(crate) upstream: Upstream,
    /// A second Step Functions engine.
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Settings {
        *self.settings.borrow()
    }

    /// Changes the settings, also for running tasks.
    pub(crate) fn change_settings(&self, settings: Settings) {
        self.settings.send_replace(settings);
    }

    pub(crate) fn watch_settings(&self) -> watch::Receiver<Settings> {
        self.settings.subscribe()
    }

    /// Runs a job until it ends or the server does.
    pub(crate) fn start(&self, job: Job) {
        // The server owns the receiver.
        if self.jobs.send(job).is_err() {
            tracing::error!("the server has ended, so the export task does not start");
        }
    }

    /// Changes the status of a task if it is one of `from`. Returns whether it did.
    pub(crate) fn advance(&self, task_id: &str, from: &[TaskStatus], to: TaskStatus, message: String, simulated_ms: Option<i64>) -> bool {
        let mut state = self.state();
        let Some(task) = state.tasks.iter_mut().find(|task| task.task_id == task_id) else {
            return false;
        };
        if !from.contains(&task.status) {
            return false;
        }
        tracing::debug!(task_id, from = task.status.code(), to = to.code(), message, "export task");
        if !to.is_active() {
            task.completion_time = Some(simulated_ms.map_or_else(now_millis, |millis| task.creation_time + millis));
        }
        task.status = to;
        task.message = message;
        true
    }
}
