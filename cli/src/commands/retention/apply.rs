//! Sets the retention where it is safe. It repeats the whole check of a log group right before the change.

use archive::service_failure;
use chrono::Utc;
use export_core::{LogGroupName, expiry::Answer};

use super::{Candidate, RetentionCheck, RetentionResult, Row};
use crate::{
    arguments::Format, confirm::confirm, context::Context, failure::Failure, output::note, schedule::Schedule, stack::DeployedStack,
};

/// Each candidate has its row at the same index. After a failure, the rows show what was set.
pub async fn apply(
    context: &Context,
    stack: &DeployedStack,
    schedule: &Schedule,
    check: &RetentionCheck<'_>,
    candidates: &[Candidate],
    rows: &mut [Row],
    yes: bool,
) -> Result<(), Failure> {
    let safe = rows.iter().filter(|row| row.result == RetentionResult::Safe).count();
    if safe == 0 {
        note("No retention was changed.");
        return Ok(());
    }
    let question = format!("Set a retention of {} days for {safe} log groups? CloudWatch Logs then deletes older events.", check.days);
    if !confirm(&question, yes)? {
        return Ok(());
    }
    for (candidate, row) in candidates.iter().zip(rows).filter(|(_, row)| row.result == RetentionResult::Safe) {
        refuse_changed_schedule(context, stack, schedule).await?;
        let candidate = candidate.with_log_group(check.archive.log_group(&candidate.name).await?);
        let now = Utc::now();
        let answer = check.check(&candidate, None, now).await?;
        let is_safe = answer == Answer::Safe;
        *row = super::row(check, &candidate, answer, now);
        if !is_safe {
            note(format_args!("{} was not changed: a shorter retention was safe, and is not safe any more.", candidate.name));
            row.problems.iter().for_each(|problem| note(format_args!("  {}. {}", problem.message, problem.next)));
            continue;
        }
        // The command to restore the retention is printed before the change, so it is never lost.
        let restore = row.restore.clone().unwrap_or_default();
        match context.output.format {
            Format::Table => context.output.print_text(&restore).map_err(|failure| explain_closed_pipe(failure, &candidate.name))?,
            Format::Json | Format::Jsonl => note(format_args!("To restore the present retention: {restore}")),
        }
        let put = context.logs().put_retention_policy().log_group_name(candidate.name.as_str());
        let put = put.retention_in_days(i32::try_from(check.days).unwrap_or(i32::MAX)).send().await;
        put.map_err(|error| Failure::of_call("logs", &service_failure("PutRetentionPolicy", &error)))?;
        row.result = RetentionResult::Set;
        note(format_args!("{} now has a retention of {} days.", candidate.name, check.days));
    }
    note("Each month has to be archived before it expires: keep the schedule on, and watch `logs-archive status --missing`.");
    Ok(())
}

/// Without a reader of the restore commands, no retention is changed.
fn explain_closed_pipe(failure: Failure, next: &LogGroupName) -> Failure {
    match failure {
        Failure::PipeClosed => {
            Failure::Local(format!("the reader of stdout has closed the pipe: {next} and the log groups after it were not changed"))
        }
        other => other,
    }
}

/// A changed list may lack these log groups, or archive them elsewhere.
async fn refuse_changed_schedule(context: &Context, stack: &DeployedStack, read: &Schedule) -> Result<(), Failure> {
    let current = Schedule::read(context, stack).await?;
    if (current.input(), current.is_enabled()) == (read.input(), read.is_enabled()) {
        return Ok(());
    }
    Err(Failure::Usage("somebody has changed the schedule meanwhile: repeat the command".into()))
}
