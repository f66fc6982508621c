//! Makes DescribeLogStreams answer like AWS's.

use serde_json::Value;

use crate::error::ApiError;

/// AWS refuses to sort a selection by prefix. The local AWS sorts it.
pub(crate) fn check_order(input: &[u8]) -> Result<(), ApiError> {
    let input: Value = serde_json::from_slice(input).unwrap_or_default();
    if input["orderBy"] == "LastEventTime" && input["logStreamNamePrefix"].is_string() {
        return Err(ApiError::invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    Ok(())
}

/// AWS reports the size 0 for every log stream. The local AWS reports the real size.
pub(crate) fn rewrite(answer: &[u8]) -> Option<Vec<u8>> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    for log_stream in answer["logStreams"].as_array_mut()? {
        log_stream["storedBytes"] = 0.into();
    }
    Some(answer.to_string().into_bytes())
}
