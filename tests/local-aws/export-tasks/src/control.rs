//! The control endpoints below `/_local/`: settings, faults, the age of log groups, and the journals.

mod fault;

use anyhow::{Result, ensure};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::{Body, control_json};
use crate::local::{Call, Local, Settings};
use crate::overlay::Overlay;
use crate::s3::query_pairs;

/// The retention periods that CloudWatch Logs allows.
const RETENTION_DAYS: [i64; 22] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
/// At this maximum, a window of four minutes already takes more than 24 hours.
const MAX_HOURS_PER_DAY: f64 = 10_000.0;
const CLASSES: [&str; 3] = ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];

/// Answers a control request.
pub(crate) fn respond(local: &Local, parts: &Parts, body: &[u8]) -> Response<Body> {
    let (method, path) = (&parts.method, parts.uri.path());
    let result = match (method.as_str(), path) {
        ("GET", "/_local/export-tasks") => Ok(describe(local)),
        ("PUT", "/_local/export-tasks") => change_settings(local, body),
        ("GET", "/_local/export-tasks/journal") => Ok(journal(local, parts)),
        ("POST", "/_local/export-tasks/faults") => fault::parse(body).map(|fault| {
            let mut state = local.state();
            state.faults.add(fault);
            json!({ "faults": state.faults.list() })
        }),
        ("DELETE", "/_local/export-tasks/faults") => {
            local.state().faults.clear();
            Ok(json!({ "faults": [] }))
        }
        ("PUT", "/_local/log-groups") => overlay_log_group(local, body),
        ("GET", "/_local/requests") => Ok(local.state().requests.describe()),
        _ => return no_such_control(method, path),
    };
    match result {
        Ok(answer) => control_json(StatusCode::OK, &answer),
        Err(error) => control_json(StatusCode::BAD_REQUEST, &json!({ "message": format!("{error:#}") })),
    }
}

fn no_such_control(method: &Method, path: &str) -> Response<Body> {
    let message = format!(
        "The control {method} {path} does not exist. Controls: GET and PUT /_local/export-tasks, POST and DELETE \
         /_local/export-tasks/faults, GET /_local/export-tasks/journal, PUT /_local/log-groups, GET /_local/requests."
    );
    control_json(StatusCode::NOT_FOUND, &json!({ "message": message }))
}

fn describe(local: &Local) -> Value {
    let settings = local.settings();
    let state = local.state();
    json!({
        "settings": settings,
        "faults": state.faults.list(),
        "logGroups": state.overlays,
        "tasks": state.tasks.iter().map(|task| task.inspect()).collect::<Vec<_>>(),
    })
}

/// The calls with this operation, and with these texts in fields of their request; an empty text stands for an absent field. A test that
/// waits for a call asks often, and the whole journal is long.
fn journal(local: &Local, parts: &Parts) -> Value {
    let wanted = query_pairs(parts);
    let matches = |call: &&Call| {
        wanted.iter().all(|(name, text)| match name.as_str() {
            "operation" => call.operation == *text,
            field if text.is_empty() => call.request[field].is_null(),
            field => call.request[field] == **text,
        })
    };
    json!({ "journal": local.state().journal.iter().filter(matches).collect::<Vec<_>>() })
}

/// An absent field keeps its value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSettings {
    pending_ms: Option<u64>,
    running_ms: Option<u64>,
    cancel_ms: Option<u64>,
    max_file_bytes: Option<u64>,
    hours_per_day: Option<f64>,
}

fn change_settings(local: &Local, body: &[u8]) -> Result<Value> {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let new: NewSettings = serde_json::from_slice(body)?;
    let old = local.settings();
    let settings = Settings {
        pending_ms: new.pending_ms.unwrap_or(old.pending_ms),
        running_ms: new.running_ms.unwrap_or(old.running_ms),
        cancel_ms: new.cancel_ms.unwrap_or(old.cancel_ms),
        max_file_bytes: new.max_file_bytes.unwrap_or(old.max_file_bytes),
        hours_per_day: new.hours_per_day.unwrap_or(old.hours_per_day),
    };
    ensure!([settings.pending_ms, settings.running_ms, settings.cancel_ms].iter().all(|ms| *ms <= DAY), "give at most {DAY} milliseconds");
    let largest = Settings::default().max_file_bytes;
    ensure!((1..=largest).contains(&settings.max_file_bytes), "maxFileBytes: give a whole number from 1 to {largest}");
    ensure!((0.0..=MAX_HOURS_PER_DAY).contains(&settings.hours_per_day), "hoursPerDay: give a number from 0 to {MAX_HOURS_PER_DAY}");
    local.change_settings(settings);
    Ok(json!(settings))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogGroupOverlay {
    log_group_name: String,
    creation_time: Option<u64>,
    retention_in_days: Option<i64>,
    log_group_class: Option<String>,
    retention_policy_name: Option<String>,
}

fn overlay_log_group(local: &Local, body: &[u8]) -> Result<Value> {
    let group: LogGroupOverlay = serde_json::from_slice(body)?;
    let (days, class, policy) = (group.retention_in_days, group.log_group_class, group.retention_policy_name);
    ensure!(days.is_none_or(|days| RETENTION_DAYS.contains(&days)), "retentionInDays: give one of {RETENTION_DAYS:?}");
    ensure!(class.as_deref().is_none_or(|class| CLASSES.contains(&class)), "logGroupClass: give one of {CLASSES:?}");
    ensure!(policy.as_deref() != Some(""), "retentionPolicyName is empty");
    let creation_time = group.creation_time.map(i64::try_from).transpose()?;
    let mut state = local.state();
    let overlay = state.overlays.entry(group.log_group_name).or_default();
    overlay.merge(Overlay { creation_time, retention_in_days: days, log_group_class: class, retention_policy_name: policy });
    Ok(json!(overlay))
}
