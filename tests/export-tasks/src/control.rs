//! The controls: `/_local/...` tells the stand-in what to do next, and shows what it did.

mod fields;

use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::{Body, control_json};
use crate::faults::{Effect, Fault, default_http_status};
use crate::local::{Local, Settings};
use crate::overlay::Overlay;
use fields::{Fields, Problem};

/// Retention periods CloudWatch Logs knows.
const RETENTION_DAYS: [i64; 22] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Answers a control request.
pub(crate) fn respond(local: &Local, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
    let done = match (method.as_str(), path) {
        ("GET", "/_local/export-tasks") => Ok(show(local)),
        ("PUT", "/_local/export-tasks") => change_settings(local, body),
        ("POST", "/_local/export-tasks/faults") => add_fault(local, body),
        ("DELETE", "/_local/export-tasks/faults") => {
            local.state().faults.clear();
            Ok(json!({ "faults": [] }))
        }
        ("PUT", "/_local/log-groups") => overlay_log_group(local, body),
        _ => return no_such_control(method, path),
    };
    match done {
        Ok(answer) => control_json(StatusCode::OK, &answer),
        Err(problem) => control_json(StatusCode::BAD_REQUEST, &problem.to_json()),
    }
}

fn no_such_control(method: &Method, path: &str) -> Response<Body> {
    let message = format!(
        "There is no control {method} {path}. Controls: GET and PUT /_local/export-tasks, POST and DELETE \
         /_local/export-tasks/faults, PUT /_local/log-groups."
    );
    control_json(StatusCode::NOT_FOUND, &json!({ "message": message }))
}

fn show(local: &Local) -> Value {
    let settings = local.settings();
    let state = local.state();
    json!({
        "settings": settings,
        "faults": state.faults.list(),
        "logGroups": state.overlays,
        "tasks": state.tasks.iter().map(|task| task.inspect()).collect::<Vec<_>>(),
        "highWaterBytes": local.gauge.high_water(),
        "journal": state.journal,
    })
}

fn change_settings(local: &Local, body: &[u8]) -> Result<Value, Problem> {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let mut fields = Fields::read(body)?;
    let was = local.settings();
    let mut millis = |name, was| fields.number(name, 0, DAY).map(|ms| ms.unwrap_or(was));
    let settings = Settings {
        pending_ms: millis("pendingMs", was.pending_ms)?,
        running_ms: millis("runningMs", was.running_ms)?,
        cancel_ms: millis("cancelMs", was.cancel_ms)?,
        max_file_bytes: fields.number("maxFileBytes", 1, Settings::default().max_file_bytes)?.unwrap_or(was.max_file_bytes),
    };
    fields.finish()?;
    local.change_settings(settings);
    Ok(json!(settings))
}

fn add_fault(local: &Local, body: &[u8]) -> Result<Value, Problem> {
    let mut fields = Fields::read(body)?;
    let operation = fields.text("operation")?;
    let error = fields.text("error")?;
    let http_status = fields.number("httpStatus", 400, 599)?;
    let drop_response = fields.flag("dropResponse")?;
    let log_group_name = fields.text("logGroupName")?;
    let status = fields.text("status")?;
    let message = fields.text("message")?;
    let times = fields.number("times", 1, u64::from(u32::MAX))?.unwrap_or(1);
    let all = fields.finish()?;
    let misplaced = |name: &str, fix: &str| Err(Problem::new(name, all[name].clone(), fix));

    let effect = match (error, status, drop_response) {
        (Some(error), None, None) => Effect::Error {
            operation: known_operation(operation)?,
            http_status: http_status.and_then(|status| u16::try_from(status).ok()).unwrap_or_else(|| default_http_status(&error)),
            error,
            message,
        },
        (None, None, Some(true)) => {
            if message.is_some() || http_status.is_some() {
                let name = if message.is_some() { "message" } else { "httpStatus" };
                return misplaced(name, "leave it out: a dropped response has none");
            }
            Effect::DropResponse { operation: known_operation(operation)?, drop_response: true }
        }
        (None, Some(status), None) => {
            if operation.is_some() {
                return misplaced("operation", "leave it out: a status concerns tasks, not calls");
            }
            if http_status.is_some() {
                return misplaced("httpStatus", "leave it out: a status concerns tasks, not calls");
            }
            if log_group_name.is_none() {
                let fix = "name the log group whose next tasks shall have this status";
                return Err(Problem::new("logGroupName", Value::Null, fix));
            }
            Effect::Status { status, message }
        }
        (None, None, Some(false)) => {
            return misplaced("dropResponse", "write true, or leave it out");
        }
        _ => {
            let fix = "give exactly one of error, dropResponse (both with operation) and status (with logGroupName)";
            return Err(Problem::new("error | dropResponse | status", Value::Object(all), fix));
        }
    };
    let mut state = local.state();
    state.faults.add(Fault { log_group_name, effect, times });
    Ok(json!({ "faults": state.faults.list() }))
}

fn known_operation(operation: Option<String>) -> Result<String, Problem> {
    let fix = "name an operation of CloudWatch Logs, such as CreateExportTask or DescribeLogGroups";
    match operation {
        Some(name) if fields::OPERATIONS.contains(&name.as_str()) => Ok(name),
        other => Err(Problem::new("operation", json!(other), fix)),
    }
}

fn overlay_log_group(local: &Local, body: &[u8]) -> Result<Value, Problem> {
    let mut fields = Fields::read(body)?;
    let name = fields.text("logGroupName")?;
    let creation_time = fields.number("creationTime", 0, i64::MAX as u64)?;
    let retention = fields.number("retentionInDays", 0, 3653)?;
    let class = fields.text("logGroupClass")?;
    let all = fields.finish()?;
    let Some(name) = name else {
        let fix = "name the log group";
        return Err(Problem::new("logGroupName", Value::Null, fix));
    };
    let retention_in_days = retention.and_then(|days| i64::try_from(days).ok());
    if retention_in_days.is_some_and(|days| !RETENTION_DAYS.contains(&days)) {
        let fix = "give a retention CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, \
                   1096, 1827, 2192, 2557, 2922, 3288 or 3653";
        return Err(Problem::new("retentionInDays", all["retentionInDays"].clone(), fix));
    }
    if class.as_deref().is_some_and(|c| !["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"].contains(&c)) {
        let fix = "write STANDARD, INFREQUENT_ACCESS or DELIVERY";
        return Err(Problem::new("logGroupClass", all["logGroupClass"].clone(), fix));
    }
    let newer =
        Overlay { creation_time: creation_time.and_then(|time| i64::try_from(time).ok()), retention_in_days, log_group_class: class };
    let mut state = local.state();
    let overlay = state.overlays.entry(name).or_default();
    overlay.merge(newer);
    Ok(json!(overlay))
}
