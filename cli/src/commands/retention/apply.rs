//! Sets the retention where it is safe, one log group after another. Right before each, everything is looked at again.

use archive::service_failure;
use chrono::Utc;
use export_core::{LogGroupName, expiry::Answer};

use super::{Candidate, ResultName, Row, Survey};
use crate::{
    arguments::Format, confirm::confirm, context::Context, failure::Failure, output::note, schedule::Schedule, stack::DeployedStack,
};

/// `rows` are those of `candidates`, in the same order. What was set is in them, also where it fails.
pub async fn apply(
    context: &Context,
    stack: &DeployedStack,
    schedule: &Schedule,
    survey: &Survey<'_>,
    candidates: &[Candidate],
    rows: &mut [Row],
    yes: bool,
) -> Result<(), Failure> {
    let safe = rows.iter().filter(|row| row.result == ResultName::Safe).count();
    if safe == 0 {
        note("No retention was changed.");
        return Ok(());
    }
    let question = format!("Set a retention of {} days for {safe} log groups? CloudWatch Logs then deletes what is older.", survey.days);
    if !confirm(&question, yes)? {
        return Ok(());
    }
    for (candidate, row) in candidates.iter().zip(rows).filter(|(_, row)| row.result == ResultName::Safe) {
        refuse_changed(context, stack, schedule).await?;
        let candidate = candidate.at(survey.archive.log_group(&candidate.name).await?);
        let now = Utc::now();
        let answer = survey.one(&candidate, None, now).await?;
        let is_safe = answer == Answer::Safe;
        *row = super::row(survey, &candidate, answer, now);
        if !is_safe {
            note(format_args!("{} was left as it is: it was safe, and is so no more.", candidate.name));
            row.problems.iter().for_each(|problem| note(format_args!("  {}. {}", problem.message, problem.next)));
            continue;
        }
        // Before it is set: whoever stops the command, or reads no further, can go back.
        let restore = row.restore.clone().unwrap_or_default();
        match context.output.format {
            Format::Table => context.output.text(&restore).map_err(|failure| unread(failure, &candidate.name))?,
            Format::Json | Format::Jsonl => note(format_args!("To go back: {restore}")),
        }
        let put = context.logs().put_retention_policy().log_group_name(candidate.name.as_str());
        let put = put.retention_in_days(i32::try_from(survey.days).unwrap_or(i32::MAX)).send().await;
        put.map_err(|error| Failure::of("logs", &service_failure("PutRetentionPolicy", &error)))?;
        row.result = ResultName::Set;
        note(format_args!("{} keeps its events for {} days now.", candidate.name, survey.days));
    }
    note("Each month has to be archived before it expires: keep the schedule on, and watch `logs-archive status --missing`.");
    Ok(())
}

/// Who does not read how to go back, has not said to go on.
fn unread(failure: Failure, next: &LogGroupName) -> Failure {
    match failure {
        Failure::PipeClosed => Failure::Local(format!("nobody reads stdout: {next} and the log groups after it were left as they are")),
        other => other,
    }
}

/// Another list may not have these log groups, or archive them elsewhere.
async fn refuse_changed(context: &Context, stack: &DeployedStack, read: &Schedule) -> Result<(), Failure> {
    let now = Schedule::read(context, stack).await?;
    if (now.input(), now.is_enabled()) == (read.input(), read.is_enabled()) {
        return Ok(());
    }
    Err(Failure::Usage("somebody has changed the schedule meanwhile: repeat the command".into()))
}
