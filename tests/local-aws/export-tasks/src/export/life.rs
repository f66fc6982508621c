//! The life of an export task: PENDING, RUNNING, and an end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::destination::Destination;
use super::files::Keys;
use super::own_clock::OwnClock;
use super::task::{ExportRequest, TaskStatus};
use super::write::{Stop, Writer};
use crate::faults::Ordered;
use crate::local::{Local, Settings};
use crate::scope::Caller;

/// What a task needs to live apart from its record.
pub(crate) struct Life {
    pub(crate) local: Arc<Local>,
    pub(crate) task_id: String,
    pub(crate) caller: Caller,
    pub(crate) request: ExportRequest,
    pub(crate) destination: Destination,
    pub(crate) ordered: Option<Ordered>,
    pub(crate) cancel: watch::Receiver<bool>,
}

const TIMED_OUT_MESSAGE: &str = "The export task did not end within 24 hours.";
const STARTED_MESSAGE: &str = "Started successfully";
const COMPLETED_MESSAGE: &str = "Completed successfully";
const CANCELLED_MESSAGE: &str = "Cancelled successfully";

/// How a task ends by itself.
struct End {
    status: TaskStatus,
    message: String,
    /// Milliseconds, where the task has a clock of its own.
    took: Option<i64>,
}

impl Life {
    /// Lives the task to its end.
    pub(crate) async fn live(mut self) {
        let End { status, message, took } = match self.until_end().await {
            Ok(end) => end,
            Err(Stop::Failed(message)) => End { status: TaskStatus::Failed, message, took: None },
            Err(Stop::Cancelled) => {
                let since = Instant::now();
                // The cancelling itself cannot be cancelled: only its time counts.
                let mut settings = self.local.watch_settings();
                wait(&mut settings, since, |s| s.cancel_ms).await;
                End { status: TaskStatus::Cancelled, message: CANCELLED_MESSAGE.to_owned(), took: None }
            }
        };
        let active = [TaskStatus::Pending, TaskStatus::Running];
        if !self.local.advance(&self.task_id, &active, status, message, took) {
            // Only a request to cancel changes an active task from outside, and it wins over any other end.
            let cancelled = TaskStatus::Cancelled;
            self.advance(&[TaskStatus::PendingCancel], cancelled, CANCELLED_MESSAGE);
        }
    }

    async fn until_end(&mut self) -> Result<End, Stop> {
        let Some(Ordered { status, message, .. }) = self.ordered.take() else {
            self.run(STARTED_MESSAGE).await?;
            let running_since = Instant::now();
            let clock = OwnClock::of(&self.request, self.local.settings().hours_per_day);
            self.write(clock.objects()).await?;
            self.wait_or_cancelled(running_since, |s| s.running_ms).await?;
            let (status, message) =
                if clock.is_over() { (TaskStatus::Failed, TIMED_OUT_MESSAGE) } else { (TaskStatus::Completed, COMPLETED_MESSAGE) };
            return Ok(End { status, message: message.to_owned(), took: clock.took() });
        };
        let message = message.unwrap_or_else(|| default_message(&status).to_owned());
        let end = TaskStatus::of(&status);
        if end == TaskStatus::Pending {
            self.advance(&[TaskStatus::Pending], end, &message);
            return self.stick().await;
        }
        if end == TaskStatus::Running {
            self.run(&message).await?;
            return self.stick().await;
        }
        self.run(STARTED_MESSAGE).await?;
        self.wait_or_cancelled(Instant::now(), |s| s.running_ms).await?;
        if end == TaskStatus::PendingCancel {
            self.advance(&[TaskStatus::Running], end, &message);
            return self.stick().await;
        }
        Ok(End { status: end, message, took: None })
    }

    /// Waits out the time of PENDING.
    async fn run(&mut self, message: &str) -> Result<(), Stop> {
        self.wait_or_cancelled(Instant::now(), |s| s.pending_ms).await?;
        self.advance(&[TaskStatus::Pending], TaskStatus::Running, message);
        Ok(())
    }

    async fn write(&self, objects_left: usize) -> Result<(), Stop> {
        Writer {
            local: &self.local,
            caller: &self.caller,
            request: &self.request,
            destination: &self.destination,
            cancel: &self.cancel,
            keys: Keys::new(self.request.data_prefix(), &self.task_id),
            objects_left,
        }
        .write()
        .await
    }

    /// Stays as it is until cancelled.
    async fn stick(&mut self) -> Result<End, Stop> {
        // The sender lives in the task's record, which is never dropped before this.
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

/// Waits until `since` plus the length the settings give, following the settings when they change meanwhile.
async fn wait(settings: &mut watch::Receiver<Settings>, since: Instant, length: fn(&Settings) -> u64) {
    loop {
        let millis = length(&settings.borrow_and_update());
        let until = since + Duration::from_millis(millis);
        match timeout_at(until, settings.changed()).await {
            Ok(Ok(())) => {}
            // No more settings can come, which is the server's end.
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
        _ => "Ordered for a test.",
    }
}
