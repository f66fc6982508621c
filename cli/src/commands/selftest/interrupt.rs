//! Ctrl-C: the first one ends the proofs and lets the removal follow, the second one ends everything.

use std::time::Duration;

use tokio::sync::watch;

use super::Stop;
use crate::output::note;

#[derive(Clone)]
pub struct Interrupt {
    times: watch::Receiver<u32>,
}

impl Interrupt {
    pub fn listen() -> Self {
        let (sender, times) = watch::channel(0);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if *sender.borrow() == 0 {
                    note("Interrupted. What is under way ends first, then everything is removed. Ctrl-C again leaves it all as it is.");
                }
                sender.send_modify(|times| *times += 1);
            }
        });
        Self { times }
    }

    pub async fn reaches(&self, times: u32) {
        if self.times.clone().wait_for(|now| *now >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub fn check(&self) -> Result<(), Stop> {
        if *self.times.borrow() > 0 { Err(Stop::Interrupted) } else { Ok(()) }
    }

    pub async fn sleep(&self, time: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.reaches(1) => Err(Stop::Interrupted),
        }
    }
}
