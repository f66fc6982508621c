//! `export`: one window of one log group, by one export task, to a folder of its own. The archive knows nothing of it: no manifest is
//! written.

mod prefix;
mod task;

use std::cell::RefCell;

use chrono::{SubsecRound, Utc};
use export_core::{
    LogGroupName, Window,
    decide::{LogGroup, NOT_EXPORTABLE},
    destination::task_folder,
    time::Millis,
};
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::{
    Verdict,
    arguments::{Format, reading::Export},
    commands::export::task::{Created, Ended, Task},
    context::Context,
    failure::Failure,
    instant::Period,
    output::note,
    request,
    schedule::Schedule,
};

/// The data of `--output json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    log_group: LogGroupName,
    from_utc: String,
    to_utc: String,
    task_id: String,
    status: String,
    message: Option<String>,
    bucket: String,
    /// With a slash behind it.
    folder: String,
    objects: u64,
    bytes: u64,
}

pub async fn run(context: &Context, arguments: &Export) -> Result<Verdict, Failure> {
    let task_id = RefCell::new(None);
    let exported = tokio::select! {
        // First, so that it is listened to before anything is created.
        biased;
        _ = tokio::signal::ctrl_c() => None,
        exported = export(context, arguments, &task_id) => Some(exported),
    };
    let (options, task_id) = (&context.options.aws_cli, task_id.take());
    let cancel = |task_id: &str| format!("Cancel it: aws logs cancel-export-task --task-id {task_id}{options}");
    match (exported, task_id) {
        (Some(Err(Failure::Aws(message))), Some(task_id)) => {
            Err(Failure::Aws(format!("{message}\nTask {task_id} goes on without being followed. {}", cancel(&task_id))))
        }
        (Some(exported), _) => exported,
        (None, Some(task_id)) => {
            note(format_args!("Stopped following; task {task_id} goes on. {}", cancel(&task_id)));
            Ok(Verdict::Interrupted)
        }
        (None, None) => {
            note(format_args!("Stopped before it was known whether a task was created. See: aws logs describe-export-tasks{options}"));
            Ok(Verdict::Interrupted)
        }
    }
}

/// `created` gets the task's id while it is followed.
async fn export(context: &Context, arguments: &Export, created: &RefCell<Option<String>>) -> Result<Verdict, Failure> {
    let now = Utc::now().trunc_subsecs(3);
    let log_group = &arguments.log_group;
    let log_group = LogGroupName::parse(log_group).map_err(|fix| Failure::Usage(format!("the log group is {log_group:?}: {fix}")))?;
    let stack = context.stack().await?;
    let window = Period::read(&arguments.period, stack.stack.timezone, now)?.window();
    let schedule = Schedule::read(context, &stack).await?;
    let input = request::parse(&schedule.input_at(now)?, &stack.stack)?;
    let prefix = prefix::read(&arguments.prefix, &stack.stack, &input)?;
    let archive = context.archive(&stack);
    refuse_or_warn(&log_group, &archive.log_group(&log_group).await?, window, Millis::of(now))?;

    let logs = context.logs();
    let task = Task { logs: &logs, stack: &stack.stack, log_group: &log_group, window, prefix: &prefix, now };
    let task_id = match task.create().await? {
        Created::Task(task_id) => task_id,
        Created::SlotIsBusy(holder) => {
            note(format_args!("Nothing was exported: {holder} Repeat the command when the slot is free; `logs-archive plan` shows that."));
            return Ok(Verdict::Finding);
        }
    };
    note(format_args!("Created export task {task_id}"));
    created.replace(Some(task_id.to_string()));
    let Ended { status, message } = task.follow(&task_id, &context.output).await?;
    created.replace(None);
    let folder = task_folder(prefix.as_str(), &task_id);
    let listed = archive.list_folder(stack.stack.bucket.as_str(), &folder, false).await?;
    let row = Row {
        log_group,
        from_utc: window.from.to_string(),
        to_utc: window.to.to_string(),
        task_id: task_id.to_string(),
        status,
        message,
        bucket: stack.stack.bucket.to_string(),
        folder,
        objects: listed.objects,
        bytes: listed.bytes,
    };
    print(context, &row)?;
    Ok(tell(&row))
}

fn refuse_or_warn(name: &LogGroupName, log_group: &LogGroup, window: Window, now: Millis) -> Result<(), Failure> {
    match log_group {
        LogGroup::Absent | LogGroup::Gone => {
            return Err(Failure::Usage(format!("log group {name} does not exist in this account and Region: correct the name")));
        }
        LogGroup::Present { is_exportable: false, .. } => return Err(Failure::Usage(format!("log group {name} {NOT_EXPORTABLE}"))),
        LogGroup::Present { .. } => {}
    }
    if let Some(kept_from) = log_group.complete_from(window, now) {
        note(format_args!("warning: retention has deleted events before {kept_from}, or is about to: they may be missing from the export"));
    }
    if Millis::of(window.complete_at()) > now {
        note(format_args!(
            "warning: an event can take 12 hours to become exportable: the newest may be missing. The whole window is exportable from {} on",
            Millis::of(window.complete_at())
        ));
    }
    Ok(())
}

fn print(context: &Context, row: &Row) -> Result<(), Failure> {
    let printed = match context.output.format {
        Format::Table => context.output.text(&format!("s3://{}/{}", row.bucket, row.folder)),
        Format::Json | Format::Jsonl => context.output.json(row),
    };
    match printed {
        // The task has ended as it has all the same.
        Err(Failure::PipeClosed) => Ok(()),
        printed => printed,
    }
}

fn tell(row: &Row) -> Verdict {
    let Row { task_id, status, objects, bytes, .. } = row;
    let written = match objects {
        0 => "nothing".to_owned(),
        1 => format!("1 object of {}", HumanBytes(*bytes)),
        objects => format!("{} objects of {}", HumanCount(*objects), HumanBytes(*bytes)),
    };
    let why = row.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    match status.as_str() {
        "COMPLETED" if *objects == 0 => {
            note(format_args!(
                "Task {task_id} is COMPLETED and wrote nothing: no event of that time was exportable. `logs-archive fetch --source` shows \
                 what CloudWatch Logs has of it."
            ));
            Verdict::Well
        }
        "COMPLETED" => {
            note(format_args!("Task {task_id} is COMPLETED and wrote {written}."));
            Verdict::Well
        }
        _ => {
            note(format_args!("Task {task_id} is {status}{why}. It wrote {written}. Mend the cause, then repeat the command."));
            Verdict::Finding
        }
    }
}
