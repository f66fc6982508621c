//! Makes DescribeLogStreams answer as AWS does where the local AWS answers otherwise.

use serde_json::Value;

use crate::error::ApiError;

/// The local AWS would sort a selection by prefix; AWS refuses to.
pub(crate) fn refusal(input: &[u8]) -> Option<ApiError> {
    let input: Value = serde_json::from_slice(input).ok()?;
    let refused = input["orderBy"] == "LastEventTime" && input["logStreamNamePrefix"].is_string();
    refused.then(|| ApiError::invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."))
}

/// The size of a log stream is 0, whatever it holds; the local AWS tells the real one, on which nobody may come to rely.
pub(crate) fn rewrite(answer: &[u8]) -> Option<Vec<u8>> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    for log_stream in answer["logStreams"].as_array_mut()? {
        log_stream["storedBytes"] = 0.into();
    }
    Some(answer.to_string().into_bytes())
}
