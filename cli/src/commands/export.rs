//! `export`: exports one window of one log group, with one export task, to its own folder. It writes no manifest, so the archive does not
//! include the export.

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
    ExitStatus,
    arguments::{Format, reading::Export},
    commands::export::task::{Creation, ExportTask, TaskEnd},
    context::Context,
    failure::Failure,
    globs::parse_name,
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
    /// The folder of the objects, with a slash at its end.
    folder: String,
    objects: u64,
    bytes: u64,
}

pub async fn run(context: &Context, arguments: &Export) -> Result<ExitStatus, Failure> {
    let task_id = RefCell::new(None);
    let exported = tokio::select! {
        // Polled first, so Ctrl-C is handled before anything is created.
        biased;
        _ = tokio::signal::ctrl_c() => None,
        exported = export(context, arguments, &task_id) => Some(exported),
    };
    let (options, task_id) = (&context.options.aws_cli, task_id.take());
    let cancel = |task_id: &str| format!("Cancel it: aws logs cancel-export-task --task-id {task_id}{options}");
    match (exported, task_id) {
        (Some(Err(Failure::Aws(message))), Some(task_id)) => {
            Err(Failure::Aws(format!("{message}\nTask {task_id} goes on. {}", cancel(&task_id))))
        }
        (Some(exported), _) => exported,
        (None, Some(task_id)) => {
            note(format_args!("Stopped following; task {task_id} goes on. {}", cancel(&task_id)));
            Ok(ExitStatus::Interrupted)
        }
        (None, None) => {
            note(format_args!("Stopped. Whether a task was created is unknown. See: aws logs describe-export-tasks{options}"));
            Ok(ExitStatus::Interrupted)
        }
    }
}

/// Sets `followed_task` while it follows the task.
async fn export(context: &Context, arguments: &Export, followed_task: &RefCell<Option<String>>) -> Result<ExitStatus, Failure> {
    let now = Utc::now().trunc_subsecs(3);
    let log_group = parse_name(&arguments.log_group)?;
    let stack = context.stack().await?;
    let window = Period::parse(&arguments.period, stack.settings.timezone, now)?.window();
    let schedule = Schedule::read(context, &stack).await?;
    let input = request::parse(&schedule.input_at(now)?, &stack.settings)?;
    let prefix = prefix::parse(&arguments.prefix, &stack.settings, &input)?;
    let archive = context.archive(&stack);
    check_log_group(&log_group, &archive.log_group(&log_group).await?, window, Millis::of(now))?;

    let logs = context.logs();
    let task = ExportTask { logs: &logs, stack: &stack.settings, log_group: &log_group, window, prefix: &prefix, now };
    let task_id = match task.create().await? {
        Creation::Created(task_id) => task_id,
        Creation::SlotIsBusy(reason) => {
            note(format_args!("Nothing was exported: {reason}. Repeat the command when the slot is free; `logs-archive plan` shows that."));
            return Ok(ExitStatus::Finding);
        }
    };
    note(format_args!("Created export task {task_id}"));
    followed_task.replace(Some(task_id.to_string()));
    let TaskEnd { status, message } = task.follow(&task_id, &context.output).await?;
    followed_task.replace(None);
    let folder = task_folder(prefix.as_str(), &task_id);
    let listed = archive.list_folder(stack.settings.bucket.as_str(), &folder, false).await?;
    let row = Row {
        log_group,
        from_utc: window.from.to_string(),
        to_utc: window.to.to_string(),
        task_id: task_id.to_string(),
        status,
        message,
        bucket: stack.settings.bucket.to_string(),
        folder,
        objects: listed.objects,
        bytes: listed.bytes,
    };
    print(context, &row)?;
    Ok(print_end(&row))
}

fn check_log_group(name: &LogGroupName, log_group: &LogGroup, window: Window, now: Millis) -> Result<(), Failure> {
    match log_group {
        LogGroup::Absent | LogGroup::Gone => {
            return Err(Failure::Usage(format!("log group {name} does not exist in this account and Region: correct the name")));
        }
        LogGroup::Present { is_exportable: false, .. } => return Err(Failure::Usage(format!("log group {name} {NOT_EXPORTABLE}"))),
        LogGroup::Present { .. } => {}
    }
    if let Some(kept_from) = log_group.complete_from(window, now) {
        note(format_args!("warning: retention has deleted events before {kept_from}, or will soon: they may be missing from the export"));
    }
    if Millis::of(window.complete_at()) > now {
        note(format_args!(
            "warning: it can take 12 hours until an event can be exported: the newest events may be missing. The whole window can be exported from {} on",
            Millis::of(window.complete_at())
        ));
    }
    Ok(())
}

fn print(context: &Context, row: &Row) -> Result<(), Failure> {
    let printed = match context.output.format {
        Format::Table => context.output.print_text(&format!("s3://{}/{}", row.bucket, row.folder)),
        Format::Json | Format::Jsonl => context.output.print_json(row),
    };
    match printed {
        // A closed pipe does not change the result of the task.
        Err(Failure::PipeClosed) => Ok(()),
        printed => printed,
    }
}

fn print_end(row: &Row) -> ExitStatus {
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
                "Task {task_id} is COMPLETED and wrote nothing: no event of that time could be exported. `logs-archive fetch --source` shows \
                 the events in CloudWatch Logs."
            ));
            ExitStatus::Success
        }
        "COMPLETED" => {
            note(format_args!("Task {task_id} is COMPLETED and wrote {written}."));
            ExitStatus::Success
        }
        _ => {
            note(format_args!("Task {task_id} is {status}{why}. It wrote {written}. Fix the cause, then repeat the command."));
            ExitStatus::Finding
        }
    }
}
