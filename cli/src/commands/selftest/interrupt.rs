//! Handles Ctrl-C. The first one ends the checks, and the removal follows. The second one ends the command.

use std::time::Duration;

use tokio::sync::watch;

use super::Stop;
use crate::output::note;

#[derive(Clone)]
pub struct Interrupt {
    count: watch::Receiver<u32>,
}

impl Interrupt {
    pub fn listen() -> Self {
        let (sender, count) = watch::channel(0);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if *sender.borrow() == 0 {
                    note(
                        "Interrupted. The present step ends first, then everything is removed. Ctrl-C again ends the command without the removal.",
                    );
                }
                sender.send_modify(|count| *count += 1);
            }
        });
        Self { count }
    }

    /// Waits until Ctrl-C was pressed so often.
    pub async fn reached(&self, count: u32) {
        if self.count.clone().wait_for(|pressed| *pressed >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub fn check(&self) -> Result<(), Stop> {
        if *self.count.borrow() > 0 { Err(Stop::Interrupted) } else { Ok(()) }
    }

    pub async fn sleep(&self, duration: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.reached(1) => Err(Stop::Interrupted),
        }
    }
}
