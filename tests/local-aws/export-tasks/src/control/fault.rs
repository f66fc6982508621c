//! Reads a fault on order, and refuses combinations that mean nothing.

use serde_json::{Map, Value, json};

use super::fields::{Fields, OPERATIONS, Problem};
use crate::faults::{Effect, Fault, default_http_status};
use crate::s3;

/// The fields of which a fault has exactly one; it says what the fault does.
const KINDS: [&str; 5] = ["error", "dropResponse", "delayMs", "status", "vanishes"];

const DAY: u64 = 24 * 60 * 60 * 1000;

pub(super) fn read(body: &[u8]) -> Result<Fault, Problem> {
    let mut fields = Fields::read(body)?;
    let operation = fields.text("operation")?;
    let key_suffix = fields.text("keySuffix")?;
    let error = fields.text("error")?;
    let http_status = fields.number("httpStatus", 400, 599)?.and_then(|status| u16::try_from(status).ok());
    let drop_response = fields.flag("dropResponse")?;
    let delay_ms = fields.number("delayMs", 1, DAY)?;
    let log_group_name = fields.text("logGroupName")?;
    let status = fields.text("status")?;
    let vanishes = fields.flag("vanishes")?;
    let message = fields.text("message")?;
    let times = fields.number("times", 1, u64::from(u32::MAX))?.unwrap_or(1);
    let given = Given(fields.finish()?);

    let kind = given.kind()?;
    let effect = if matches!(kind, "status" | "vanishes") {
        given.refuse(&["operation", "keySuffix", "httpStatus"], "leave it out: a status concerns tasks, not calls")?;
        if log_group_name.is_none() {
            return Err(Problem::new("logGroupName", Value::Null, "name the log group whose next tasks this is for"));
        }
        match (status, vanishes) {
            (Some(status), _) => Effect::Status { status, message },
            (None, _) => {
                given.refuse(&["message"], "leave it out: nobody sees the task")?;
                Effect::Vanish { vanishes: true }
            }
        }
    } else {
        let operation = given.operation(operation)?;
        match (error, drop_response, delay_ms) {
            (Some(error), ..) => {
                let http_status = http_status.unwrap_or_else(|| default_http_status(&error));
                Effect::Error { operation, http_status, error, message, key_suffix }
            }
            (None, _, Some(delay_ms)) => {
                given.refuse(&["message", "httpStatus"], "leave it out: the answer stays as it is")?;
                Effect::Delay { operation, delay_ms, key_suffix }
            }
            (None, ..) => {
                given.refuse(&["message", "httpStatus"], "leave it out: a dropped response has none")?;
                Effect::DropResponse { operation, drop_response: true, key_suffix }
            }
        }
    };
    Ok(Fault { log_group_name, effect, times })
}

/// The fields as they were sent.
struct Given(Map<String, Value>);

impl Given {
    fn kind(&self) -> Result<&'static str, Problem> {
        let kinds: Vec<&'static str> = KINDS.into_iter().filter(|kind| self.0.contains_key(*kind)).collect();
        let [kind] = kinds[..] else {
            let fix =
                "give exactly one of error, dropResponse, delayMs (each with operation), status and vanishes (each with logGroupName)";
            return Err(Problem::new(&KINDS.join(" | "), Value::Object(self.0.clone()), fix));
        };
        if self.0[kind] == false {
            return Err(Problem::new(kind, json!(false), "write true, or leave it out"));
        }
        Ok(kind)
    }

    fn operation(&self, operation: Option<String>) -> Result<String, Problem> {
        let name = match operation {
            Some(name) if OPERATIONS.contains(&name.as_str()) => {
                self.refuse(&["keySuffix"], "leave it out: only objects of S3 have a key")?;
                name
            }
            Some(name) if s3::OPERATIONS.contains(&name.as_str()) => {
                self.refuse(&["logGroupName"], "leave it out: S3 knows no log groups; keySuffix tells objects apart")?;
                if name == "ListObjectsV2" {
                    self.refuse(&["keySuffix"], "leave it out: a listing has no key")?;
                }
                name
            }
            other => {
                let fix = format!(
                    "name an operation of CloudWatch Logs, such as CreateExportTask or DescribeLogGroups, or one of S3: {}",
                    s3::OPERATIONS.join(", ")
                );
                return Err(Problem::new("operation", json!(other), fix));
            }
        };
        Ok(name)
    }

    fn refuse(&self, names: &[&str], fix: &str) -> Result<(), Problem> {
        match names.iter().find_map(|name| Some((name, self.0.get(*name)?))) {
            Some((name, value)) => Err(Problem::new(name, value.clone(), fix)),
            None => Ok(()),
        }
    }
}
