//! CreateExportTask: makes all checks before it creates the task.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::input::Input;
use crate::clock::now_millis;
use crate::error::ApiError;
use crate::export::destination::{Destination, PutError, permission_error};
use crate::export::files::MAX_KEY_BYTES;
use crate::export::lifecycle::Lifecycle;
use crate::export::task::{ExportRequest, ExportTask, TaskStatus};
use crate::faults::TaskFault;
use crate::local::Local;
use crate::scope::Caller;

pub(super) async fn create(local: &Arc<Local>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let request = validate(input)?;
    check_log_group(local, caller, &request.log_group_name).await?;
    let destination = Destination::find(local, caller, &request.destination).await?;
    destination.check_readable(local, caller, &request.log_group_name).await?;
    // A refused create writes no test object.
    local.state().require_free_slot(caller)?;
    write_test_object(local, caller, &destination, &request).await?;
    let task_id = start(local, caller, request, destination)?;
    Ok(json!({ "taskId": task_id }))
}

fn validate(input: &Value) -> Result<ExportRequest, ApiError> {
    let mut input = Input::new(input)?;
    let log_group_name = input.required_text("logGroupName")?;
    let from = input.required_number("from")?;
    let to = input.required_number("to")?;
    let destination = input.required_text("destination")?;
    let task_name = input.text("taskName")?;
    let log_stream_name_prefix = input.text("logStreamNamePrefix")?;
    let destination_prefix = input.text("destinationPrefix")?;

    input.check_length("taskName", task_name);
    input.check_length("logGroupName", Some(log_group_name));
    input.check(
        "logGroupName",
        r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
        log_group_name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_/#".contains(c)),
    );
    input.check_length("logStreamNamePrefix", log_stream_name_prefix);
    input.check(
        "logStreamNamePrefix",
        "Member must satisfy regular expression pattern: [^:*]*",
        !log_stream_name_prefix.is_some_and(|prefix| prefix.contains([':', '*'])),
    );
    for (name, time) in [("from", from), ("to", to)] {
        input.check(name, "Member must have value greater than or equal to 0", time >= 0);
    }
    input.check_length("destination", Some(destination));
    input.finish()?;

    if from > to {
        return Err(ApiError::invalid_parameter(format!("The specified time range is not valid: from ({from}) is later than to ({to}).")));
    }
    let request = ExportRequest {
        task_name: task_name.map(str::to_owned),
        log_group_name: log_group_name.to_owned(),
        log_stream_name_prefix: log_stream_name_prefix.map(str::to_owned),
        from,
        to,
        destination: destination.to_owned(),
        destination_prefix: destination_prefix.filter(|prefix| !prefix.is_empty()).map(str::to_owned),
    };
    if request.test_object_key().len() > MAX_KEY_BYTES {
        return Err(ApiError::invalid_parameter(format!(
            "The specified destinationPrefix is too long: an S3 key has at most {MAX_KEY_BYTES} bytes."
        )));
    }
    Ok(request)
}

/// The log group must exist, and DescribeLogGroups must report a class that can be exported.
async fn check_log_group(local: &Local, caller: &Caller, name: &str) -> Result<(), ApiError> {
    // The listing is sorted, so the first name with this prefix is the group itself, if it exists.
    let input = json!({ "logGroupNamePrefix": name, "limit": 1 });
    let answer = local.upstream.logs(caller, "DescribeLogGroups", &input).await?;
    let answer: Value = serde_json::from_slice(&answer)
        .map_err(|error| ApiError::unavailable(format!("the answer of DescribeLogGroups is not JSON: {error}")))?;
    let log_group = &answer["logGroups"][0];
    if log_group["logGroupName"] != name {
        return Err(ApiError::no_such_log_group());
    }
    let class_of_overlay = local.state().overlays.get(name).and_then(|overlay| overlay.log_group_class.clone());
    let class = class_of_overlay.as_deref().or(log_group["logGroupClass"].as_str());
    match class {
        None | Some("STANDARD") => Ok(()),
        Some(class) => Err(ApiError::invalid_parameter(format!(
            "Export tasks are supported for log groups of the STANDARD class only; {name} is of the {class} class."
        ))),
    }
}

async fn write_test_object(local: &Local, caller: &Caller, destination: &Destination, request: &ExportRequest) -> Result<(), ApiError> {
    let written = destination
        .put(local, caller, &request.log_group_name, &request.test_object_key(), Bytes::from_static(b"Permission Check Successful"))
        .await;
    written.map_err(|error| match error {
        PutError::NotAllowed => permission_error("PutObject"),
        PutError::Upstream(error) => error.into(),
    })
}

/// Takes the slot and starts the task. Checks the slot again, because another call can have taken it meanwhile.
fn start(local: &Arc<Local>, caller: &Caller, request: ExportRequest, destination: Destination) -> Result<String, ApiError> {
    let task_id = uuid::Uuid::new_v4().to_string();
    let (cancel, cancelled) = watch::channel(false);
    let forced_status = {
        let mut state = local.state();
        state.require_free_slot(caller)?;
        let forced_status = match state.faults.take_task_fault(&request.log_group_name) {
            // A vanished task has no record, writes no data and holds no slot.
            Some(TaskFault::Vanish) => return Ok(task_id),
            Some(TaskFault::Status(status)) => Some(status),
            None => None,
        };
        state.tasks.push(ExportTask {
            task_id: task_id.clone(),
            caller: caller.clone(),
            request: request.clone(),
            status: TaskStatus::Pending,
            message: "Task is pending".to_owned(),
            creation_time: now_millis() - forced_status.as_ref().map_or(0, |status| status.age_ms.into()),
            completion_time: None,
            cancel,
        });
        forced_status
    };
    let lifecycle = Lifecycle {
        local: Arc::clone(local),
        task_id: task_id.clone(),
        caller: caller.clone(),
        request,
        destination,
        forced_status,
        cancel: cancelled,
    };
    local.start(Box::pin(lifecycle.run()));
    Ok(task_id)
}
