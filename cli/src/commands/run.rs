//! `run`: starts a run, and follows it. Without an option, it starts the run that the schedule would start now.

use std::cell::Cell;

use archive::service_failure;
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;

use super::watch;
use crate::{
    ExitStatus,
    arguments::Run,
    context::Context,
    failure::Failure,
    output::note,
    request::{self, GroupSelection},
    schedule::Schedule,
    stack::DeployedStack,
};

/// Step Functions accepts no larger input.
const MAX_INPUT_BYTES: usize = 256 * 1024;

pub async fn run(context: &Context, arguments: &Run) -> Result<ExitStatus, Failure> {
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
            return Ok(ExitStatus::Success);
        }
        watch::follow(context, &stack, &execution).await
    };
    watch::until_interrupted(&started, working).await
}

/// The input of the run: the schedule's list, or a part of it. It refuses what the run would refuse.
async fn input(arguments: &Run, context: &Context, stack: &DeployedStack, now: DateTime<Utc>) -> Result<Value, Failure> {
    let schedule = Schedule::read(context, stack).await?;
    let mut input = match arguments.is_scheduled() {
        true => schedule.input_at(now)?,
        false => schedule.input_by_hand(&arguments.months, arguments.force, now)?,
    };
    let selection = GroupSelection::new(&arguments.groups.groups);
    for name in selection.add_names(&mut input, &stack.settings)? {
        note(format_args!("no entry of the schedule's list matches {name}: the run uses the stack's defaults for it"));
    }
    let mut parsed = request::parse(&input, &stack.settings)?;
    parsed.determine_scope(now, None, false).map_err(request::to_failure)?;
    if selection.is_all() {
        return Ok(input);
    }
    let archive = context.archive(stack);
    let (mut groups, _) = archive::expand(&archive, &parsed, std::iter::empty()).await.map_err(request::to_failure)?;
    selection.retain(&mut groups)?;
    input["logGroups"] = request::list_of(&groups, &parsed);
    request::parse(&input, &stack.settings)?;
    Ok(input)
}

/// Starts an execution. If the SDK repeats the call, the name prevents a second run.
pub async fn start(context: &Context, stack: &DeployedStack, input: &Value, name: String) -> Result<String, Failure> {
    let text = input.to_string();
    if text.len() > MAX_INPUT_BYTES {
        return Err(Failure::Usage(format!(
            "the input has {} bytes, and Step Functions accepts {MAX_INPUT_BYTES}: name fewer log groups with --group, or leave it out",
            text.len()
        )));
    }
    let started = context.step_functions().start_execution().state_machine_arn(stack.state_machine_arn()).name(name).input(text);
    let started = started.send().await.map_err(|error| Failure::of_call("states", &service_failure("StartExecution", &error)))?;
    Ok(started.execution_arn)
}
