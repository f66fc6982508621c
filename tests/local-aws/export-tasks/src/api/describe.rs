//! DescribeExportTasks: lists tasks in pages, the newest first.

use serde_json::{Value, json};

use super::input::Input;
use crate::error::ApiError;
use crate::export::task::TaskStatus;
use crate::local::Local;
use crate::scope::Caller;

pub(super) fn describe(local: &Local, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let mut input = Input::new(input)?;
    let task_id = input.text("taskId")?;
    let status_code = input.text("statusCode")?;
    let limit = input.number("limit")?;
    let token = input.text("nextToken")?;

    input.check_length("taskId", task_id);
    input.check(
        "statusCode",
        &format!("Member must satisfy enum value set: [{}]", TaskStatus::CODES.join(", ")),
        status_code.is_none_or(|code| TaskStatus::CODES.contains(&code)),
    );
    input.check("limit", "Member must have value greater than or equal to 1", limit.is_none_or(|limit| limit >= 1));
    input.check("limit", "Member must have value less than or equal to 50", limit.is_none_or(|limit| limit <= 50));
    input.finish()?;
    let limit = usize::try_from(limit.unwrap_or(50)).unwrap_or(50);

    let state = local.state();
    // A token is the id of the page's last task, so that tasks created meanwhile do not shift the pages.
    let end = match token {
        None => state.tasks.len(),
        Some(token) => state
            .tasks
            .iter()
            .position(|task| task.caller == *caller && task.task_id == token)
            .ok_or_else(|| ApiError::invalid_parameter("The specified nextToken is invalid."))?,
    };
    let mut matching = state.tasks[..end].iter().rev().filter(|task| {
        task.caller == *caller && task_id.is_none_or(|id| task.task_id == id) && status_code.is_none_or(|code| task.status.code() == code)
    });
    let page: Vec<_> = matching.by_ref().take(limit).collect();
    let mut answer = json!({
        "exportTasks": page.iter().map(|task| task.describe()).collect::<Vec<_>>(),
    });
    if let (Some(last), Some(_)) = (page.last(), matching.next()) {
        answer["nextToken"] = last.task_id.as_str().into();
    }
    Ok(answer)
}
