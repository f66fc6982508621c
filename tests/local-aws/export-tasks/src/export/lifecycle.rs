//! The lifecycle of an export task: PENDING, RUNNING, and an end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::destination::Destination;
use super::files::Keys;
use super::simulated_duration::SimulatedDuration;
use super::task::{ExportRequest, TaskStatus};
use super::write::{Stop, Writer};
use crate::faults::ForcedStatus;
use crate::local::{Local, Settings};
use crate::scope::Caller;

/// The job of a task. It updates the task's record in [`Local`].
pub(crate) struct Lifecycle {
    pub(crate) local: Arc<Local>,
    pub(crate) task_id: String,
    pub(crate) caller: Caller,
    pub(crate) request: ExportRequest,
    pub(crate) destination: Destination,
    pub(crate) forced_status: Option<ForcedStatus>,
    pub(crate) cancel: watch::Receiver<bool>,
}

const TIMED_OUT_MESSAGE: &str = "The export task did not end within 24 hours.";
const STARTED_MESSAGE: &str = "Started successfully";
const COMPLETED_MESSAGE: &str = "Completed successfully";
const CANCELLED_MESSAGE: &str = "Cancelled successfully";

struct End {
    status: TaskStatus,
    message: String,
    simulated_ms: Option<i64>,
}

impl Lifecycle {
    pub(crate) async fn run(mut self) {
        let End { status, message, simulated_ms } = match self.run_to_end().await {
            Ok(end) => end,
            Err(Stop::Failed(message)) => End { status: TaskStatus::Failed, message, simulated_ms: None },
            Err(Stop::Cancelled) => {
                let since = Instant::now();
                let mut settings = self.local.watch_settings();
                wait(&mut settings, since, |s| s.cancel_ms).await;
                End { status: TaskStatus::Cancelled, message: CANCELLED_MESSAGE.to_owned(), simulated_ms: None }
            }
        };
        let active = [TaskStatus::Pending, TaskStatus::Running];
        if !self.local.advance(&self.task_id, &active, status, message, simulated_ms) {
            // A request to cancel has changed the status meanwhile. It wins over every other end.
            let cancelled = TaskStatus::Cancelled;
            self.advance(&[TaskStatus::PendingCancel], cancelled, CANCELLED_MESSAGE);
        }
    }

    async fn run_to_end(&mut self) -> Result<End, Stop> {
        let Some(ForcedStatus { status, message, .. }) = self.forced_status.take() else {
            self.wait_while_pending(STARTED_MESSAGE).await?;
            let running_since = Instant::now();
            let duration = SimulatedDuration::new(&self.request, self.local.settings().hours_per_day);
            self.write(duration.max_objects()).await?;
            self.wait_or_cancelled(running_since, |s| s.running_ms).await?;
            let (status, message) =
                if duration.is_too_long() { (TaskStatus::Failed, TIMED_OUT_MESSAGE) } else { (TaskStatus::Completed, COMPLETED_MESSAGE) };
            return Ok(End { status, message: message.to_owned(), simulated_ms: duration.millis() });
        };
        let message = message.unwrap_or_else(|| default_message(&status).to_owned());
        let end = TaskStatus::parse(&status);
        if end == TaskStatus::Pending {
            self.advance(&[TaskStatus::Pending], end, &message);
            return self.wait_for_cancel().await;
        }
        if end == TaskStatus::Running {
            self.wait_while_pending(&message).await?;
            return self.wait_for_cancel().await;
        }
        self.wait_while_pending(STARTED_MESSAGE).await?;
        self.wait_or_cancelled(Instant::now(), |s| s.running_ms).await?;
        if end == TaskStatus::PendingCancel {
            self.advance(&[TaskStatus::Running], end, &message);
            return self.wait_for_cancel().await;
        }
        Ok(End { status: end, message, simulated_ms: None })
    }

    /// Waits for the end of PENDING, and sets RUNNING.
    async fn wait_while_pending(&mut self, message: &str) -> Result<(), Stop> {
        self.wait_or_cancelled(Instant::now(), |s| s.pending_ms).await?;
        self.advance(&[TaskStatus::Pending], TaskStatus::Running, message);
        Ok(())
    }

    async fn write(&self, max_objects: usize) -> Result<(), Stop> {
        Writer {
            local: &self.local,
            caller: &self.caller,
            request: &self.request,
            destination: &self.destination,
            cancel: &self.cancel,
            keys: Keys::new(self.request.data_prefix(), &self.task_id),
            remaining_objects: max_objects,
        }
        .write()
        .await
    }

    async fn wait_for_cancel(&mut self) -> Result<End, Stop> {
        // An error would mean that the task's record, which has the sender, was dropped. It never is.
        let _ = self.cancel.wait_for(|cancelled| *cancelled).await;
        Err(Stop::Cancelled)
    }

    async fn wait_or_cancelled(&mut self, since: Instant, length: fn(&Settings) -> u64) -> Result<(), Stop> {
        let mut settings = self.local.watch_settings();
        tokio::select! {
            () = wait(&mut settings, since, length) => Ok(()),
            _ = self.cancel.wait_for(|cancelled| *cancelled) => Err(Stop::Cancelled),
        }
    }

    fn advance(&self, from: &[TaskStatus], to: TaskStatus, message: &str) -> bool {
        self.local.advance(&self.task_id, from, to, message.to_owned(), None)
    }
}

/// Waits from `since` for the length in the settings. A change of the settings takes effect at once.
async fn wait(settings: &mut watch::Receiver<Settings>, since: Instant, length: fn(&Settings) -> u64) {
    loop {
        let millis = length(&settings.borrow_and_update());
        let until = since + Duration::from_millis(millis);
        match timeout_at(until, settings.changed()).await {
            Ok(Ok(())) => {}
            // The server has ended, and no more settings can come.
            Ok(Err(_)) => return sleep_until(until).await,
            Err(_) => return,
        }
    }
}

fn default_message(status: &str) -> &'static str {
    match status {
        "COMPLETED" => COMPLETED_MESSAGE,
        "CANCELLED" => CANCELLED_MESSAGE,
        "FAILED" => "The export task failed.",
        _ => "Injected by a test.",
    }
}
