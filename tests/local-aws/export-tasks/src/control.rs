//! The controls: `/_local/...` tells the stand-in what to do next, and shows what it did.

mod fault;
mod fields;

use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::{Body, control_json};
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
        ("POST", "/_local/export-tasks/faults") => fault::read(body).map(|fault| {
            let mut state = local.state();
            state.faults.add(fault);
            json!({ "faults": state.faults.list() })
        }),
        ("DELETE", "/_local/export-tasks/faults") => {
            local.state().faults.clear();
            Ok(json!({ "faults": [] }))
        }
        ("PUT", "/_local/log-groups") => overlay_log_group(local, body),
        ("GET", "/_local/requests") => Ok(local.state().requests.show()),
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
         /_local/export-tasks/faults, PUT /_local/log-groups, GET /_local/requests."
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
