//! `selftest`: proves the deployed stack in this account with log groups of its own, and removes them.
//!
//! **Invariant:** it removes only what bears the id of a self-test: log groups below [`trial::FOLDER`], and of these the manifests, open
//! windows and exported objects.

mod archived;
mod checks;
mod content;
mod direct;
mod events;
mod interrupt;
mod observations;
mod removal;
mod trial;

use std::time::Duration;

use archive::Archive;
use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{SubsecRound, Utc};

use crate::{
    Verdict,
    arguments::reading::Selftest,
    commands::watch,
    context::Context,
    failure::Failure,
    output::note,
    schedule::{self, Schedule},
    slot,
};
use archived::Archived;
use checks::{CheckResult, Checks};
use direct::{CreatedTasks, Direct};
use interrupt::Interrupt;
use removal::{Removal, Removed};
use trial::{FOLDER, Trial};

/// Why the proofs end before the last one.
#[derive(Debug)]
pub enum Stop {
    Failed(Failure),
    Interrupted,
    /// What comes next would prove nothing.
    NotProven,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub async fn run(context: &Context, arguments: &Selftest) -> Result<Verdict, Failure> {
    let stack = context.stack().await?;
    let archive = context.archive(&stack);
    let tasks = CreatedTasks::default();
    if let Some(id) = &arguments.remove {
        let trial = Trial::named(&stack, id)?;
        let mut checks = Checks::default();
        remove(&Removal { context, trial, archive: &archive, tasks: &tasks }, &mut checks).await;
        return end(context, &checks, Ok(()));
    }
    let trial = Trial::new(&stack, Utc::now().trunc_subsecs(3));
    refuse(context, &trial, &archive).await?;
    let interrupt = Interrupt::listen();
    let patience = Duration::from_secs(60 * u64::from(arguments.wait));
    let whole = async {
        let mut checks = Checks::default();
        let proven = prove(context, Direct { trial, archive: &archive, interrupt: &interrupt, patience, tasks: &tasks }, &mut checks).await;
        note("Removing what the self-test created");
        remove(&Removal { context, trial, archive: &archive, tasks: &tasks }, &mut checks).await;
        end(context, &checks, proven)
    };
    tokio::select! {
        biased;
        ended = whole => ended,
        () = interrupt.reaches(2) => {
            note(format_args!("What the self-test created is still there. When its run has ended, remove it: {}", command(&trial)));
            Ok(Verdict::Interrupted)
        }
    }
}

/// Refuses where a self-test would disturb a run, or be disturbed by one.
async fn refuse(context: &Context, trial: &Trial<'_>, archive: &Archive) -> Result<(), Failure> {
    let stack = trial.stack;
    let schedule = Schedule::read(context, stack).await?;
    let input = schedule::parse(schedule.input(), &stack.stack).map_err(|error| Failure::Usage(error.message))?;
    if trial.log_groups().iter().any(|name| input.entries.iter().any(|entry| entry.rank(name).is_some())) {
        return Err(Failure::Usage(format!(
            "an entry of the schedule's list matches the self-test's log groups, so that a scheduled run would archive them, and miss them \
             later: add \"exclude\": [\"{FOLDER}*\"] to the entry, see `logs-archive groups list`"
        )));
    }
    if let Some(running) = watch::list(context, stack, Some(ExecutionStatus::Running)).await?.first() {
        return Err(Failure::Usage(format!(
            "run {} is in progress: repeat the command when it has ended, see `logs-archive watch`",
            running.name
        )));
    }
    let holder = slot::holder(&archive.logs, &stack.stack.bucket).await.map_err(|failure| Failure::of("logs", &failure))?;
    if let Some(holder) = holder {
        return Err(Failure::Usage(format!(
            "task {} of {} holds the account's export slot: repeat the command when it has ended",
            holder.task_id, holder.log_group
        )));
    }
    for id in removal::left_by_others(archive, trial).await? {
        note(format_args!(
            "Self-test {id} was interrupted, or is at work. If it is not, remove what it left: logs-archive selftest --remove {id}"
        ));
    }
    Ok(())
}

async fn prove(context: &Context, direct: Direct<'_>, checks: &mut Checks) -> Result<(), Stop> {
    let Direct { trial, archive, interrupt, .. } = direct;
    note(format_args!("Self-test {} of stack {}, month {}", trial.id(), trial.stack.name, trial.month()));
    note(format_args!("Creating 3 log groups below {}", trial.folder()));
    match events::put(&archive.logs, &trial).await? {
        Ok(events) => checks.prove("events are put", true, format!("{events} events in 3 log groups")),
        Err(rejected) => {
            checks.prove("events are put", false, rejected);
            return Err(Stop::NotProven);
        }
    }
    interrupt.check()?;
    direct.wait_for_events(checks).await?;
    direct.export(checks).await?;
    interrupt.check()?;
    let archived = Archived { context, trial, archive, interrupt };
    archived.run(checks).await?;
    note("Comparing the archive with CloudWatch Logs");
    let windows = archived.verify(checks).await?;
    interrupt.check()?;
    note("Asking Athena");
    archived.ask_athena(&windows, checks).await
}

async fn remove(removal: &Removal<'_>, checks: &mut Checks) {
    let check = "everything is removed";
    let why = match removal.remove().await {
        Ok(Removed { objects, log_groups, remainders }) if remainders.is_empty() => {
            checks.prove(check, true, format!("{log_groups} log groups and {objects} objects"));
            return;
        }
        Ok(Removed { remainders, .. }) => {
            for remainder in &remainders {
                note(format_args!("Not removed: {}\n{}", remainder.what, remainder.why));
            }
            remainders.into_iter().map(|remainder| remainder.what).collect::<Vec<_>>().join(", ")
        }
        Err(failure) => {
            note(format_args!("Nothing was removed.\n{failure}"));
            format!("all that bears the id {}", removal.trial.id())
        }
    };
    checks.prove(check, false, format!("still there: {why}"));
    note(format_args!("Then remove it: {}", command(&removal.trial)));
}

fn command(trial: &Trial) -> String {
    format!("logs-archive selftest --remove {}", trial.id())
}

fn end(context: &Context, checks: &Checks, proven: Result<(), Stop>) -> Result<Verdict, Failure> {
    // Nobody reads on: what was proven stays so.
    match context.output.rows(checks.rows(), || checks.table(&context.output)) {
        Err(Failure::PipeClosed) => {}
        printed => printed?,
    }
    if checks.has(CheckResult::Differs) {
        note(
            "AWS answered otherwise than docs/local-aws.md states, on which the tests stand. Please report it, with the output of --output json.",
        );
    }
    match proven {
        Err(Stop::Failed(failure)) => Err(failure),
        Err(Stop::Interrupted) => Ok(Verdict::Interrupted),
        Err(Stop::NotProven) => Ok(Verdict::Finding),
        Ok(()) => Ok(if checks.has_findings() { Verdict::Finding } else { Verdict::Well }),
    }
}
