//! The arguments of the commands that work on logs outside a run: `fetch`, `export`, `put`, `retention`, `selftest`.

use clap::Args;
use export_core::expiry::RETENTION_DAYS;

use crate::arguments::Groups;

pub const FETCH_HELP: &str = "\
Events come from the archive, or with --source from CloudWatch Logs. They are in the order of time. Events of the same time
are in the order of log groups and log streams. The archive has - where the name of a log stream has /. Context (-A, -B, -C)
comes from the same log stream.

A time T is RFC 3339 (2026-10-01T00:00:00Z), or YYYY-MM-DD[THH:MM[:SS[.sss]]] in the archive's time zone or --zone, or a time
ago: 30s, 10m, 2h, 3d, 1w. An event at --until is not in the result.

Exit code 1: the result lacks a part of the period. stderr shows which part, and the command that reads it.

Each object of --output json and jsonl is one event: timestamp (RFC 3339, UTC), logGroup, logStream, message (exact, with
its line breaks); with --message, message only.

Examples:
  logs-archive fetch /ecs/web --since 2026-10-01 --until 2026-10-02
  logs-archive fetch '/aws/lambda/*' --since 2026-10-01T09:00 --until 2026-10-01T09:30 --grep ERROR -C 3
  logs-archive fetch /ecs/web --since 2h --until 0s --source --stream prod/
  logs-archive fetch /ecs/web --since 2026-10-01 --until 2026-11-01 --message | jq -c .";

pub const EXPORT_HELP: &str = "\
Creates one export task to a folder of the archive's bucket, and follows it to its end. It writes no manifest, and
refuses the archive's own folders. Ctrl-C stops following, not the task. Prints the folder of the objects.

Exit code 1: another task holds the account's export slot, or the task failed or was cancelled.

With --output json: logGroup, fromUtc, toUtc, taskId, status, message, bucket, folder, objects, bytes.

Examples:
  logs-archive export /ecs/web --since 2026-10-01 --until 2026-10-02 --prefix adhoc/web
  aws s3 cp --recursive \"$(logs-archive export /ecs/web --since 3d --until 12h --prefix adhoc/web)\" web";

pub const PUT_HELP: &str = "\
Creates the log stream if needed, and never a log group. Works without the archive's stack. The events' time is now.

Each line of stdin becomes an event. Empty lines are left out. Some lines cannot be put: lines that are too long for an
event, lines that are not UTF-8, and lines that CloudWatch Logs rejects. stderr shows their numbers, the other lines are
put, and the exit code is 1.

With --output json: logGroup, logStream, events, emptyLines, notPutLines, and notPut (fromLine, toLine, reason).

Examples:
  logs-archive put /ecs/web by-hand 'deployed 1.2.3'
  ./migrate 2>&1 | logs-archive put /jobs/migrate \"$(date +%F)\"";

pub const RETENTION_HELP: &str = "\
Without --apply it changes nothing. Exit code 1: not every log group of the schedule's list is safe.

Safe: the archive has everything that the shorter retention would delete at once, and each month that is due. All log
streams count, and only unchanged objects count. The events that would be deleted at once must have been exported 14
days or more after they happened, because events can be that late.

Afterwards, each month expires after DAYS, archived or not: keep the schedule on. The tool does not change a retention
that is as short already. Before each change, it prints the command that restores the old value.

Each object of --output json is one log group: logGroup, result (safe, unsafe, kept, absent, set),
retentionInDays, newRetentionInDays, savedUsdPerMonth, problems (fromUtc, toUtc, message, next), restore.

Examples:
  logs-archive retention 60
  logs-archive retention 90 --group '/ecs/*' --apply
  logs-archive retention 60 --apply --yes --output json | jq -r '.[].restore // empty' > restore.sh";

pub const SELFTEST_HELP: &str = "\
Creates three small log groups below /logs-archive-selftest/, and exports them: directly, then with a
run by hand. Compares every byte, queries Athena, and removes what it created. Also compares the
responses of AWS with docs/local-aws.md. Takes some minutes, and costs less than 0.01 USD.

It does not start while a run is in progress, or while a task holds the account's export slot. Ctrl-C
ends it, and it removes what it created.

Each object of --output json is one check: check, result (proven, notProven, asDocumented, differs,
notSeen), detail, documented (the table of docs/local-aws.md).
Exit code 1: a check is notProven, or differs.

Examples:
  logs-archive selftest
  logs-archive selftest --wait 720
  logs-archive selftest --output json | jq '.[] | select(.result == \"differs\")'
  logs-archive selftest --remove 2026-11-01T04-00-00-000Z";

#[derive(Debug, Args)]
pub struct Fetch {
    /// Log groups, as names or globs such as '/aws/lambda/*'
    #[arg(value_name = "LOG_GROUP", required = true)]
    pub log_groups: Vec<String>,
    #[command(flatten)]
    pub period: Period,
    /// Log streams whose names start with this prefix
    #[arg(long, value_name = "PREFIX")]
    pub stream: Option<String>,
    /// Events whose message matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// Also N events after each match
    #[arg(short = 'A', long = "after", value_name = "N", requires = "grep")]
    pub after: Option<usize>,
    /// Also N events before each match
    #[arg(short = 'B', long = "before", value_name = "N", requires = "grep")]
    pub before: Option<usize>,
    /// Also N events before and after each match
    #[arg(short = 'C', long = "context", value_name = "N", requires = "grep")]
    pub context: Option<usize>,
    /// Print only the messages
    #[arg(long)]
    pub message: bool,
    /// Time zone of the times that are given and printed [default: the archive's]
    #[arg(long, value_name = "Z")]
    pub zone: Option<String>,
    /// Read from CloudWatch Logs, not from the archive
    #[arg(long)]
    pub source: bool,
}

/// A half-open period. Its ends stay text until the archive's time zone is known.
#[derive(Debug, Args)]
pub struct Period {
    /// First time: RFC 3339, or YYYY-MM-DD[THH:MM[:SS[.sss]]] in the archive's time zone, or 2h, 3d ago
    #[arg(long, value_name = "T")]
    pub since: String,
    /// End of the period, exclusive
    #[arg(long, value_name = "T")]
    pub until: String,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Name of the log group
    pub log_group: String,
    #[command(flatten)]
    pub period: Period,
    /// Prefix in the archive's bucket, outside the archive's own prefixes
    #[arg(long, value_name = "P")]
    pub prefix: String,
}

#[derive(Debug, Args)]
pub struct Put {
    /// Name of the log group, which must exist
    pub log_group: String,
    /// Name of the log stream
    pub log_stream: String,
    /// Line to put [default: each line of stdin]
    pub message: Option<String>,
}

#[derive(Debug, Args)]
pub struct Retention {
    /// New retention in days: 60 or more
    #[arg(value_parser = retention_days)]
    pub days: u32,
    #[command(flatten)]
    pub groups: Groups,
    /// Set the retention where only archived events would be deleted
    #[arg(long)]
    pub apply: bool,
    /// Do not ask before the change
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Selftest {
    /// Minutes to wait for the events to become exportable
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    pub wait: u32,
    /// Only remove what the self-test with this id left
    #[arg(long, value_name = "ID", conflicts_with = "wait")]
    pub remove: Option<String>,
}

fn retention_days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| RETENTION_DAYS.contains(days));
    let accepted = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
    days.ok_or_else(|| format!("choose a retention that CloudWatch Logs accepts and that leaves time to archive a month: {accepted}"))
}
