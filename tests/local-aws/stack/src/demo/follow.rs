//! Shows how far the run is with each log group.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

use crate::check::ExportTask;
use crate::deploy::Deployment;
use crate::execution::{Execution, became};
use crate::progress::Bars;
use crate::stack::LocalAws;

const POLL_INTERVAL: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(300);

/// What an export task passes through, in order.
const STATES: [&str; 3] = ["PENDING", "RUNNING", "COMPLETED"];

/// Waits for the end of an execution, which creates tasks beside the earlier ones.
pub(super) async fn until_end(
    local: &LocalAws,
    stack: &Deployment,
    arn: &str,
    names: &[&str],
    earlier: &[ExportTask],
) -> Result<Execution> {
    let bars = Bars::new(names, STATES.len());
    let start = Instant::now();
    loop {
        // Asked for in this order, the last look at the tasks sees all that the execution did.
        let ended = local.ended_execution(arn).await?;
        let mut tasks = local.export_tasks().await?;
        tasks.retain(|task| !earlier.contains(task));
        for task in tasks.iter().rev() {
            bars.show(&task.log_group_name, &task.status, position(&task.status));
        }
        if let Some(execution) = ended {
            let decided = local.report(&stack.bucket, arn).await?.map(|report| became(&report)).unwrap_or_default();
            for name in names.iter().filter(|name| !tasks.iter().any(|task| task.log_group_name == **name)) {
                bars.show(name, decided.get(*name).map_or("already archived", String::as_str), 0);
            }
            bars.finish()?;
            return Ok(execution);
        }
        if start.elapsed() > DEADLINE {
            bail!("the run has not ended after {} s. The end of the log:\n{}", DEADLINE.as_secs(), local.ministack().log_tail());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn position(status: &str) -> usize {
    STATES.iter().position(|state| *state == status).map_or(0, |index| index + 1)
}
