//! `selftest`: tests the deployed stack in this account with its own log groups, and removes them.
//!
//! **Invariant:** it removes only what has the id of a self-test. That is log groups below [`self_test::LOG_GROUP_PREFIX`], and their
//! manifests, open windows and exported objects.

mod archive_checks;
mod checks;
mod content;
mod direct;
mod events;
mod interrupt;
mod observations;
mod removal;
mod self_test;

use std::time::Duration;

use archive::Archive;
use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{SubsecRound, Utc};

use crate::{
    ExitStatus,
    arguments::reading::Selftest,
    commands::watch,
    context::Context,
    failure::Failure,
    output::note,
    schedule::{self, Schedule},
    slot::{self, Holder},
};
use archive_checks::ArchiveChecks;
use checks::{CheckResult, Checks};
use direct::{CreatedTasks, DirectExports};
use interrupt::Interrupt;
use removal::{Removal, RemovalResult};
use self_test::{LOG_GROUP_PREFIX, SelfTest};

/// Why the self-test ends before its last check.
#[derive(Debug)]
pub enum Stop {
    Failed(Failure),
    Interrupted,
    /// A check is not proven, so the next checks would prove nothing.
    NotProven,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub async fn run(context: &Context, arguments: &Selftest) -> Result<ExitStatus, Failure> {
    let stack = context.stack().await?;
    let archive = context.archive(&stack);
    let tasks = CreatedTasks::default();
    if let Some(id) = &arguments.remove {
        let self_test = SelfTest::from_id(&stack, id)?;
        let mut checks = Checks::default();
        remove_all(&Removal { context, self_test, archive: &archive, tasks: &tasks }, &mut checks).await;
        return print_result(context, &checks, Ok(()));
    }
    let self_test = SelfTest::new(&stack, Utc::now().trunc_subsecs(3));
    check_preconditions(context, &self_test, &archive).await?;
    let interrupt = Interrupt::listen();
    let export_timeout = Duration::from_secs(60 * u64::from(arguments.wait));
    let self_test_run = async {
        let mut checks = Checks::default();
        let proven = run_checks(
            context,
            DirectExports { self_test, archive: &archive, interrupt: &interrupt, export_timeout, tasks: &tasks },
            &mut checks,
        )
        .await;
        note("Removing what the self-test created");
        remove_all(&Removal { context, self_test, archive: &archive, tasks: &tasks }, &mut checks).await;
        print_result(context, &checks, proven)
    };
    tokio::select! {
        biased;
        ended = self_test_run => ended,
        () = interrupt.reached(2) => {
            note(format_args!("The objects and log groups of the self-test still exist. When its run has ended, remove them: {}", removal_command(&self_test)));
            Ok(ExitStatus::Interrupted)
        }
    }
}

/// Refuses to start if the self-test and a run would disturb each other.
async fn check_preconditions(context: &Context, self_test: &SelfTest<'_>, archive: &Archive) -> Result<(), Failure> {
    let stack = self_test.stack;
    let schedule = Schedule::read(context, stack).await?;
    let input = schedule::parse(schedule.input(), &stack.settings).map_err(|error| Failure::Usage(error.message))?;
    if self_test.log_groups().iter().any(|name| input.entries.iter().any(|entry| entry.rank(name).is_some())) {
        return Err(Failure::Usage(format!(
            "an entry of the schedule's list matches the self-test's log groups, so a scheduled run would archive them, and later report \
             them as missing: add \"exclude\": [\"{LOG_GROUP_PREFIX}*\"] to the entry, see `logs-archive groups list`"
        )));
    }
    if let Some(running) = watch::list_runs(context, stack, Some(ExecutionStatus::Running)).await?.first() {
        return Err(Failure::Usage(format!(
            "run {} is in progress: repeat the command when it has ended, see `logs-archive watch`",
            running.name
        )));
    }
    refuse_busy_slot(archive).await?;
    for id in removal::unremoved_ids(archive, self_test).await? {
        note(format_args!(
            "Self-test {id} has not removed its objects and log groups. If it is not in progress, remove them: logs-archive selftest --remove {id}"
        ));
    }
    Ok(())
}

async fn refuse_busy_slot(archive: &Archive) -> Result<(), Failure> {
    let holder = slot::find_holder(&archive.logs, &archive.stack.bucket).await.map_err(|failure| Failure::of_call("logs", &failure))?;
    let Some(Holder { task_id, log_group, .. }) = holder else { return Ok(()) };
    Err(Failure::Usage(format!("task {task_id} of {log_group} holds the account's export slot: repeat the command when it has ended")))
}

async fn run_checks(context: &Context, direct: DirectExports<'_>, checks: &mut Checks) -> Result<(), Stop> {
    let DirectExports { self_test, archive, interrupt, .. } = direct;
    note(format_args!("Self-test {} of stack {}, month {}", self_test.id(), self_test.stack.name, self_test.month()));
    note(format_args!("Creating 3 log groups below {}", self_test.log_group_prefix()));
    match events::put(&archive.logs, &self_test).await? {
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
    let archive_checks = ArchiveChecks { context, self_test, archive, interrupt };
    archive_checks.run(checks).await?;
    note("Comparing the archive with CloudWatch Logs");
    let windows = archive_checks.verify(checks).await?;
    interrupt.check()?;
    note("Querying Athena");
    archive_checks.query_athena(&windows, checks).await
}

async fn remove_all(removal: &Removal<'_>, checks: &mut Checks) {
    let check = "everything is removed";
    let left = match removal.remove().await {
        Ok(RemovalResult { objects, log_groups, leftovers }) if leftovers.is_empty() => {
            checks.prove(check, true, format!("{log_groups} log groups and {objects} objects"));
            return;
        }
        Ok(RemovalResult { leftovers, .. }) => {
            for leftover in &leftovers {
                note(format_args!("Not removed: {}\n{}", leftover.name, leftover.why));
            }
            leftovers.into_iter().map(|leftover| leftover.name).collect::<Vec<_>>().join(", ")
        }
        Err(failure) => {
            note(format_args!("Nothing was removed.\n{failure}"));
            format!("everything with the id {}", removal.self_test.id())
        }
    };
    checks.prove(check, false, format!("not removed: {left}"));
    note(format_args!("To remove it later: {}", removal_command(&removal.self_test)));
}

fn removal_command(self_test: &SelfTest) -> String {
    format!("logs-archive selftest --remove {}", self_test.id())
}

fn print_result(context: &Context, checks: &Checks, proven: Result<(), Stop>) -> Result<ExitStatus, Failure> {
    // A closed pipe does not change the result.
    match context.output.print_rows(checks.rows(), || checks.table(&context.output)) {
        Err(Failure::PipeClosed) => {}
        printed => printed?,
    }
    if checks.has(CheckResult::Differs) {
        note(
            "A response of AWS differs from docs/local-aws.md, on which the tests rely. Please report it, with the output of --output json.",
        );
    }
    match proven {
        Err(Stop::Failed(failure)) => Err(failure),
        Err(Stop::Interrupted) => Ok(ExitStatus::Interrupted),
        Err(Stop::NotProven) => Ok(ExitStatus::Finding),
        Ok(()) => Ok(if checks.has_findings() { ExitStatus::Finding } else { ExitStatus::Success }),
    }
}
