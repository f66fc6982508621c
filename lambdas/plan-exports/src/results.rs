//! What the children of a round ended with, as the map's ResultWriter wrote it. Read leniently: the archive itself tells what was
//! exported, so results that cannot be read cost the reasons of failures and no more.

use std::collections::HashMap;

use archive::Work;
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    contract::{
        create,
        plan::{Child, Request},
    },
    place::Stack,
    warning::{Warning, WarningName},
};
use serde_json::Value;

#[derive(Default)]
pub struct Results {
    pub by_task_name: HashMap<String, Child>,
    /// Where the map failed as a whole.
    pub of_all: Option<Child>,
    pub warning: Option<Warning>,
}

pub async fn read(stack: &Stack, work: &Work<'_>, request: &Request, now: DateTime<Utc>) -> Results {
    let state = &request.state;
    if let Some(error) = state.get("exportError") {
        let field = |name: &str| text(error[name].as_str().unwrap_or_default());
        let failed = Child::Broken { error: field("Error"), cause: field("Cause") };
        return Results { of_all: Some(failed), ..unreadable(&format!("the map ended with {}", text(&error.to_string()))) };
    }
    let details = &state["exported"]["ResultWriterDetails"];
    let (Some(bucket), Some(key)) = (details["Bucket"].as_str(), details["Key"].as_str()) else {
        return unreadable("the map's output does not name them");
    };
    match read_records(work, bucket, key).await {
        Ok(records) => {
            let named = |record: &Value| {
                let (input, child) = Child::read(record)?;
                let target = create::Request::parse(&input, stack).and_then(|request| request.target(stack, now)).ok()?;
                Some((target.task_name(), child))
            };
            Results { by_task_name: records.iter().filter_map(named).collect(), ..Results::default() }
        }
        Err(error) => unreadable(&error.message),
    }
}

/// Every record of every file that the results' manifest names, in whatever order.
async fn read_records(work: &Work<'_>, bucket: &str, key: &str) -> Result<Vec<Value>, ExportError> {
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
    let message = format!("the results of a round cannot be read, so the run looked at the archive alone: {why}");
    Results { warning: Some(Warning::new(WarningName::ResultsUnreadable, message)), ..Results::default() }
}

fn text(text: &str) -> String {
    text.char_indices().nth(1000).map_or_else(|| text.to_owned(), |(end, _)| format!("{}...", &text[..end]))
}
