//! The account's one export slot in this Region: who holds it, and for how long.

use chrono::{TimeDelta, Utc};

use super::finding::{Asked, Call, Findings, Name};
use crate::{
    context::Context,
    failure::Failure,
    slot::{Holder, holder},
    stack::DeployedStack,
};

/// CloudWatch Logs ends a task after 24 hours; check-export-task waits for two more.
const LONGEST: TimeDelta = TimeDelta::hours(26);

pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    match holder(&context.logs(), &stack.stack.bucket).await {
        Ok(held) => held.iter().for_each(|holder| look_at(holder, findings)),
        Err(failure) => {
            let call = Call { operation: "DescribeExportTasks", action: "logs:DescribeExportTasks", resource: "*", absent: &[] };
            let _: Asked<()> = findings.refused(call, &failure)?;
        }
    }
    Ok(())
}

fn look_at(holder: &Holder, findings: &mut Findings) {
    let Holder { task_id: id, task_name, log_group, destination, status, since, is_own } = holder;
    let age = since.map(|since| Utc::now() - since);
    let since = age.map_or_else(String::new, |age| format!(" for {} h {:02} min", age.num_hours(), age.num_minutes() % 60));
    let task = if task_name.is_empty() { id } else { task_name };
    let what = format!("Export task {task} of log group {log_group} to bucket {destination} holds the slot{since}; it is {status}.");
    let name = match age.is_some_and(|age| age > LONGEST) {
        true => Name::SlotHeldTooLong,
        false if !is_own => Name::SlotHeldByOthers,
        false => return,
    };
    findings.add(name, id, what, format!("aws logs cancel-export-task --task-id {id}"));
}
