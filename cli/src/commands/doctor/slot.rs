//! Checks the account's one export slot in this Region: whose task holds it, and for how long.

use chrono::{TimeDelta, Utc};

use super::finding::{Answer, Call, FindingName, Findings};
use crate::{
    context::Context,
    failure::Failure,
    slot::{Holder, find_holder},
    stack::DeployedStack,
};

/// CloudWatch Logs ends a task after 24 hours. check-export-task waits two hours longer.
const MAX_TASK_AGE: TimeDelta = TimeDelta::hours(26);

pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    match find_holder(&context.logs(), &stack.settings.bucket).await {
        Ok(holder) => holder.iter().for_each(|holder| check_holder(holder, findings)),
        Err(failure) => {
            let call = Call { operation: "DescribeExportTasks", action: "logs:DescribeExportTasks", resource: "*", absent: &[] };
            let _: Answer<()> = findings.answer_of_failure(call, &failure)?;
        }
    }
    Ok(())
}

fn check_holder(holder: &Holder, findings: &mut Findings) {
    let Holder { task_id: id, task_name, log_group, bucket, status, since, is_of_archive } = holder;
    let age = since.map(|since| Utc::now() - since);
    let since = age.map_or_else(String::new, |age| format!(" for {} h {:02} min", age.num_hours(), age.num_minutes() % 60));
    let task = if task_name.is_empty() { id } else { task_name };
    let what = format!("Export task {task} of log group {log_group} to bucket {bucket} holds the slot{since}; it is {status}.");
    let name = match age.is_some_and(|age| age > MAX_TASK_AGE) {
        true => FindingName::SlotHeldTooLong,
        false if !is_of_archive => FindingName::SlotHeldByOthers,
        false => return,
    };
    findings.add(name, id, what, format!("aws logs cancel-export-task --task-id {id}"));
}
