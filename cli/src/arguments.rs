//! The arguments: every command, option and example of `--help`. Shell completions are generated from them.

pub mod reading;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use export_core::Month;

/// Shows and checks what an archive of CloudWatch Logs holds and lacks.
#[derive(Debug, Parser)]
#[command(name = "logs-archive", version, after_help = AFTER_HELP, max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  all is well
  1  a finding: a run failed, a month is missing, a difference
  2  wrong usage
  3  AWS refused, or cannot be reached
  130  Ctrl-C: the tool stopped; a run that it watched goes on

Examples:
  logs-archive --profile ops --region ap-northeast-1 COMMAND
  logs-archive COMMAND --output jsonl | jq .";

const PLAN_HELP: &str = "\
Without --month and --since: what the schedule would do if it started now.
Exit code 1: something would fail.

Each object of --output json is one window: logGroup, month, from and to (epoch milliseconds, both
inclusive; also fromUtc, toUtc, fromLocal, toLocal), logStreamNamePrefix, destinationPrefix,
outcome (export, archived, skipped, nothingYet, lost, warned, failed), reason, error, message,
repairs, warnings, storedBytes (of the log group, all months), slotHours, slotHoursFrom (manifests,
storedBytes), costUsd.

Examples:
  logs-archive plan
  logs-archive plan --since 2025-01 --group '/aws/lambda/*'
  logs-archive plan --output jsonl | jq -r 'select(.outcome == \"failed\").message'";

const RUN_HELP: &str = "\
Without --month, --since, --group and --force: what the schedule would do if it started now. That exports
everything that is missing. With one of these options: only what the options name.
The exit code shows how the run ended. Ctrl-C stops watching, not the run.

Examples:
  logs-archive run
  logs-archive run --month 2026-10
  logs-archive run --since 2025-01 --group '/ecs/*' --detach
  logs-archive run --month 2026-10 --group /ecs/web --force";

const WATCH_HELP: &str = "\
The exit code shows how the run ended. Ctrl-C stops watching, not the run.

With --output json: execution, status, started, ended, error, cause, counts (by outcome), missing
(the archive's open windows when the run ended) and report (bucket and key).

Examples:
  logs-archive watch
  logs-archive watch by-hand-2026-11-01T04-00-00-000Z --output json | jq .counts";

/// The options that are accepted before and after the command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for all commands")]
pub struct Global {
    /// Profile of the AWS configuration files
    #[arg(long, global = true, value_name = "P")]
    pub profile: Option<String>,
    /// AWS Region of the stack
    #[arg(long, global = true, value_name = "R")]
    pub region: Option<String>,
    /// Endpoint of all AWS services, such as the one that `cargo local-aws` prints
    #[arg(long, global = true, value_name = "U")]
    pub endpoint_url: Option<String>,
    /// CloudFormation stack of the archive [default: the only one in the account and Region]
    #[arg(long, global = true, value_name = "S")]
    pub stack: Option<String>,
    /// Format of the data on stdout
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// One JSON value
    Json,
    /// One JSON object per line
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what the archive holds and lacks: log groups by months
    #[command(after_help = STATUS_HELP)]
    Status(Status),
    /// Compare a month of the archive with CloudWatch Logs, event for event
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Show what a run would do, without doing it
    #[command(after_help = PLAN_HELP)]
    Plan(Plan),
    /// Start a run, and follow it
    #[command(after_help = RUN_HELP)]
    Run(Run),
    /// Follow a run
    #[command(after_help = WATCH_HELP)]
    Watch(Watch),
    /// Show or edit the log groups in the schedule's input
    #[command(after_help = GROUPS_HELP)]
    Groups(EditGroups),
    /// Find what keeps the archive from being complete, and print the command that fixes it
    #[command(after_help = DOCTOR_HELP)]
    Doctor,
    /// Read the events of log groups in a period, in the order of time
    #[command(after_help = reading::FETCH_HELP)]
    Fetch(reading::Fetch),
    /// Export one window of one log group to a prefix of its own
    #[command(after_help = reading::EXPORT_HELP)]
    Export(reading::Export),
    /// Put a line, or stdin, into a log stream
    #[command(after_help = reading::PUT_HELP)]
    Put(reading::Put),
    /// Show which log groups can have a shorter retention, and set it
    #[command(after_help = reading::RETENTION_HELP)]
    Retention(reading::Retention),
    /// Test the deployed stack in this account, with three small log groups
    #[command(after_help = reading::SELFTEST_HELP)]
    Selftest(reading::Selftest),
    /// Print the completion script of a shell
    #[command(after_help = "Examples:\n  logs-archive completions bash > ~/.local/share/bash-completion/completions/logs-archive")]
    Completions(Completions),
}

const STATUS_HELP: &str = "\
The state of a month comes from the archive's manifests and open windows. `logs-archive verify` checks whether
the archived objects still exist, and hold the same events as CloudWatch Logs.

Examples:
  logs-archive status --from 2026-01 --group '/aws/lambda/*'
  logs-archive status --missing > /dev/null || echo 'months are missing'
  logs-archive status --html archive.html
  logs-archive status --output json | jq -c '.[] | select(.state == \"failed\")'";

const VERIFY_HELP: &str = "\
Reads every event of the month in CloudWatch Logs and in the archive. Only the requests cost money. With
--offline, it lists the objects only. Events that retention has deleted since count as expired.

Examples:
  logs-archive verify --month 2026-10
  logs-archive verify --month 2026-10 /ecs/web '/aws/lambda/*'
  logs-archive verify --month 2026-10 --offline
  logs-archive verify --month 2026-10 --output json | jq '.[] | select(.result != \"same\")'";

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub months: Months,
    #[command(flatten)]
    pub groups: Groups,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub months: Months,
    #[command(flatten)]
    pub groups: Groups,
    /// Also export what is archived already
    #[arg(long)]
    pub force: bool,
    /// Start the run and do not follow it
    #[arg(long)]
    pub detach: bool,
}

impl Run {
    /// Whether this is the run that the schedule would start.
    pub fn is_scheduled(&self) -> bool {
        let Months { month, since } = self.months;
        month.is_none() && since.is_none() && self.groups.groups.is_empty() && !self.force
    }
}

#[derive(Debug, Args)]
pub struct Watch {
    /// ARN or name of the execution [default: the one that is running]
    pub execution: Option<String>,
}

#[derive(Debug, Args)]
pub struct Status {
    /// First month to show [default: the first in the archive]
    #[arg(long, value_name = "M", value_parser = month)]
    pub from: Option<Month>,
    /// Last month to show [default: the current one]
    #[arg(long, value_name = "M", value_parser = month)]
    pub to: Option<Month>,
    #[command(flatten)]
    pub groups: Groups,
    /// Exit with 1 if a month is missing
    #[arg(long)]
    pub missing: bool,
    /// Exit with 1 if a month is lost
    #[arg(long)]
    pub lost: bool,
    /// Also write the matrix as one HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Log groups, as names or globs such as '/aws/lambda/*' [default: all of the month's manifests]
    #[arg(value_name = "LOG_GROUP")]
    pub log_groups: Vec<String>,
    /// Month to verify
    #[arg(long, value_name = "M", value_parser = month)]
    pub month: Month,
    /// Compare the objects with their manifests only, without CloudWatch Logs
    #[arg(long)]
    pub offline: bool,
}

const GROUPS_HELP: &str = "\
An edit is all or nothing. The tool refuses it if a run would refuse the list, if a log group does not exist or
cannot be exported, or if an entry matches nothing.

Examples:
  logs-archive groups list
  logs-archive groups add /ecs/web /aws/lambda/orders
  logs-archive groups add '{\"logGroupNamePrefix\": \"/aws/lambda/\", \"exclude\": [\"/aws/lambda/debug-*\"]}'
  logs-archive groups remove /ecs/web --yes";

const DOCTOR_HELP: &str = "\
Changes nothing. Exits with 1 if it finds anything. A check that you are not allowed to make is a finding, too:
its fix is the IAM statement that allows it.

Examples:
  logs-archive doctor
  logs-archive doctor --output json | jq -r '.[].fix'";

#[derive(Debug, Args)]
pub struct EditGroups {
    #[command(subcommand)]
    pub action: GroupsAction,
    /// Do not ask before the change
    #[arg(long, global = true)]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
pub enum GroupsAction {
    /// Show the entries of the schedule's input
    List,
    /// Add entries
    Add(Entries),
    /// Remove entries
    Remove(Entries),
}

#[derive(Debug, Args)]
pub struct Entries {
    /// Log group name or ARN, or entry as a JSON object
    #[arg(value_name = "ENTRY", required = true)]
    pub entries: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Completions {
    pub shell: Shell,
}

/// The options for the months of a run by hand.
#[derive(Debug, Args)]
pub struct Months {
    /// This month only [default: the due month]
    #[arg(long, value_name = "M", value_parser = month, conflicts_with = "since")]
    pub month: Option<Month>,
    /// Every month from this one to the due month
    #[arg(long, value_name = "M", value_parser = month)]
    pub since: Option<Month>,
}

#[derive(Debug, Args)]
pub struct Groups {
    /// Log group, as a name or a glob such as '/aws/lambda/*'; repeatable [default: all]
    #[arg(long = "group", value_name = "G")]
    pub groups: Vec<String>,
}

fn month(text: &str) -> Result<Month, String> {
    text.parse().map_err(|error| format!("it {error}; write it as YYYY-MM, such as 2026-10"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
