//! CancelExportTask: an active task becomes PENDING_CANCEL, and later CANCELLED.

use serde_json::{Value, json};

use super::input::Input;
use crate::error::ApiError;
use crate::export::task::TaskStatus;
use crate::local::Local;
use crate::scope::Caller;

pub(super) fn cancel(local: &Local, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let mut input = Input::new(input)?;
    let task_id = input.required_text("taskId")?;
    input.check_length("taskId", Some(task_id));
    input.finish()?;

    let mut state = local.state();
    let task = state.tasks.iter_mut().find(|task| task.caller == *caller && task.task_id == task_id).ok_or_else(ApiError::no_such_task)?;
    if !task.status.is_active() {
        return Err(ApiError::new("InvalidOperationException", "The specified export task has already finished"));
    }
    task.status = TaskStatus::PendingCancel;
    task.message = "Task is being cancelled".to_owned();
    task.cancel.send_replace(true);
    Ok(json!({}))
}
