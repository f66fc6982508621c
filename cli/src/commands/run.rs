//! `run`: starts a run, and follows it. Without an option, it is the run that the schedule would start now.

use std::cell::Cell;

use archive::service_failure;
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;

use super::watch;
use crate::{
    Verdict,
    arguments::Run,
    context::Context,
    failure::Failure,
    output::note,
    request::{self, Selection},
    schedule::Schedule,
    stack::DeployedStack,
};

/// Step Functions takes no larger one.
const MOST_BYTES_OF_INPUT: usize = 256 * 1024;

pub async fn run(context: &Context, arguments: &Run) -> Result<Verdict, Failure> {
    let now = Utc::now().trunc_subsecs(3);
    let stack = context.stack().await?;
    let input = input(arguments, context, &stack, now).await?;
    let started = Cell::new(None);
    let working = async {
        let name = format!("by-hand-{}", now.format("%Y-%m-%dT%H-%M-%S-%3fZ"));
        let execution = start(context, &stack, &input, name).await?;
        note(format_args!("Started {execution}"));
        started.set(Some(execution.clone()));
        if arguments.detach {
            watch::print_started(context, &execution)?;
            return Ok(Verdict::Well);
        }
        watch::follow(context, &stack, &execution).await
    };
    watch::interruptible(&started, working).await
}

/// The schedule's list, or a part of it. Whatever a run would refuse is refused here, before anything is started.
async fn input(arguments: &Run, context: &Context, stack: &DeployedStack, now: DateTime<Utc>) -> Result<Value, Failure> {
    let schedule = Schedule::read(context, stack).await?;
    let mut input = match arguments.is_scheduled() {
        true => schedule.input_at(now)?,
        false => schedule.input_by_hand(&arguments.months, arguments.force, now)?,
    };
    let selection = Selection::new(&arguments.groups.groups);
    for name in selection.add_names(&mut input, &stack.stack)? {
        note(format_args!("{name} is in no entry of the schedule's list: it is exported with the stack's defaults"));
    }
    let mut parsed = request::parse(&input, &stack.stack)?;
    parsed.fix_scope(now, None, false).map_err(request::refused)?;
    if selection.is_all() {
        return Ok(input);
    }
    let archive = context.archive(stack);
    let (mut groups, _) = archive::expand(&archive, &parsed, std::iter::empty()).await.map_err(request::refused)?;
    selection.keep(&mut groups)?;
    input["logGroups"] = request::entries_of(&groups, &parsed);
    request::parse(&input, &stack.stack)?;
    Ok(input)
}

/// By a name: an answer that is lost must not start a second run when the SDK asks again.
pub async fn start(context: &Context, stack: &DeployedStack, input: &Value, name: String) -> Result<String, Failure> {
    let text = input.to_string();
    if text.len() > MOST_BYTES_OF_INPUT {
        return Err(Failure::Usage(format!(
            "the input has {} bytes, and Step Functions takes {MOST_BYTES_OF_INPUT}: name fewer log groups with --group, or leave it out",
            text.len()
        )));
    }
    let started = context.step_functions().start_execution().state_machine_arn(stack.state_machine_arn()).name(name).input(text);
    let started = started.send().await.map_err(|error| Failure::of("states", &service_failure("StartExecution", &error)))?;
    Ok(started.execution_arn)
}
