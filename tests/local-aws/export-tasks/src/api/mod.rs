//! The three export operations.

mod cancel;
mod create;
mod describe;
mod input;

use std::sync::Arc;

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::clock::now_millis;
use crate::empty_page;
use crate::error::ApiError;
use crate::faults::CallFault;
use crate::local::{Call, Local};
use crate::scope::CredentialScope;

/// The prefix of `X-Amz-Target` for CloudWatch Logs.
pub(crate) const TARGET_PREFIX: &str = "Logs_20140328.";

pub(crate) fn is_export_operation(operation: &str) -> bool {
    matches!(operation, "CreateExportTask" | "DescribeExportTasks" | "CancelExportTask")
}

/// Executes an export operation and records it in the journal. The server drops or delays a response; this function only records that.
pub(crate) async fn call(
    local: &Arc<Local>,
    operation: &str,
    headers: &HeaderMap,
    body: &[u8],
    fault: Option<&CallFault>,
) -> Result<Value, ApiError> {
    let scope = CredentialScope::read(headers);
    let mut call = Call {
        time: now_millis(),
        operation: operation.to_owned(),
        account_id: scope.as_ref().ok().and_then(|s| s.account()).map(str::to_owned),
        region: scope.as_ref().ok().map(|s| s.region.clone()),
        request: serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into()),
        outcome: Value::Null,
    };
    let answer = match (fault, scope) {
        (Some(CallFault::Error(error)), _) => Err(error.clone()),
        (Some(CallFault::EmptyPage { number }), _) => Ok(empty_page::logs_page(operation, &call.request, *number)),
        (_, Err(error)) => Err(error),
        (_, Ok(scope)) => answer(local, operation, scope, headers, body).await.map(|(account, answer)| {
            call.account_id = Some(account);
            answer
        }),
    };
    call.outcome = match &answer {
        Ok(answer) => json!({ "httpStatus": 200, "response": answer }),
        Err(error) => {
            json!({ "httpStatus": error.http_status, "error": error.name, "message": error.message })
        }
    };
    match fault {
        Some(CallFault::Error(_) | CallFault::EmptyPage { .. }) => call.outcome["injected"] = true.into(),
        Some(CallFault::DropResponse) => call.outcome["dropped"] = true.into(),
        Some(CallFault::Delay(delay)) => call.outcome["delayMs"] = json!(delay.as_millis()),
        None => {}
    }
    local.state().record(call);
    answer
}

async fn answer(
    local: &Arc<Local>,
    operation: &str,
    scope: CredentialScope,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(String, Value), ApiError> {
    let input = serde_json::from_slice(body).map_err(|error| ApiError::serialization(format!("The request is not valid JSON: {error}")))?;
    let caller = scope.caller(headers, &local.upstream).await?;
    let answer = match operation {
        "CreateExportTask" => create::create(local, &caller, &input).await,
        "DescribeExportTasks" => describe::describe(local, &caller, &input),
        _ => cancel::cancel(local, &caller, &input),
    }?;
    Ok((caller.account, answer))
}
