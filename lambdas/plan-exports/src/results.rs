//! The results of a round's children, which the map's ResultWriter wrote. The archive itself shows what was exported. So unreadable results
//! are only a warning: the run does not learn why exports failed.

use std::collections::HashMap;

use archive::WorkFolder;
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    contract::{
        create,
        plan::{ChildResult, Request},
    },
    place::Stack,
    text::truncate,
    warning::Warning,
};
use serde_json::Value;

/// How much of the map's error goes into a message.
const MAX_ERROR_CHARS: usize = 1000;

#[derive(Default)]
pub struct Results {
    pub by_task_name: HashMap<String, ChildResult>,
    /// The result of every child: the map failed as a whole.
    pub for_all: Option<ChildResult>,
    pub warning: Option<Warning>,
}

pub async fn read(stack: &Stack, work: &WorkFolder<'_>, request: &Request, now: DateTime<Utc>) -> Results {
    let state = &request.state;
    if let Some(error) = state.get("exportError") {
        let field = |name: &str| truncate(error[name].as_str().unwrap_or_default(), MAX_ERROR_CHARS);
        let failed = ChildResult::OtherError { error: field("Error"), cause: field("Cause") };
        let why = format!("the map ended with {}", truncate(&error.to_string(), MAX_ERROR_CHARS));
        return Results { for_all: Some(failed), ..unreadable(&why) };
    }
    let details = &state["exported"]["ResultWriterDetails"];
    let (Some(bucket), Some(key)) = (details["Bucket"].as_str(), details["Key"].as_str()) else {
        return unreadable("the map's output does not name them");
    };
    match read_records(work, bucket, key).await {
        Ok(records) => {
            let by_task_name = |record: &Value| {
                let (input, child) = ChildResult::parse(record)?;
                let target = create::Request::parse(&input, stack).and_then(|request| request.target(stack, now)).ok()?;
                Some((target.task_name(), child))
            };
            Results { by_task_name: records.iter().filter_map(by_task_name).collect(), ..Results::default() }
        }
        Err(error) => unreadable(&error.message),
    }
}

/// Every record of every file that the results' manifest names, in any order.
async fn read_records(work: &WorkFolder<'_>, bucket: &str, key: &str) -> Result<Vec<Value>, ExportError> {
    let manifest: Option<Value> = work.read_result(bucket, key).await?;
    let missing = || ExportError::new(ErrorName::Unexpected, format!("{key} of bucket {bucket} does not exist"));
    let manifest = manifest.ok_or_else(missing)?;
    let files = manifest["ResultFiles"].as_object().into_iter().flat_map(|kinds| kinds.values());
    let keys = files.filter_map(Value::as_array).flatten().filter_map(|file| file["Key"].as_str());
    let mut records = Vec::new();
    for key in keys {
        let file: Option<Vec<Value>> = work.read_result(bucket, key).await?;
        records.extend(file.unwrap_or_default());
    }
    Ok(records)
}

fn unreadable(why: &str) -> Results {
    Results { warning: Some(Warning::round_results_unreadable(why)), ..Results::default() }
}
