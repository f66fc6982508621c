//! A second Step Functions engine. It answers the requests about its executions; the local AWS answers all others.

use bytes::Bytes;
use hyper::Response;
use hyper::header::ACCEPT_ENCODING;
use hyper::http::request::Parts;
use serde_json::Value;

use crate::body::Body;
use crate::forward;
use crate::upstream::Upstream;

/// The operations on executions. State machines are in the local AWS.
const OPERATIONS: [&str; 7] = [
    "AWSStepFunctions.StartExecution",
    "AWSStepFunctions.StopExecution",
    "AWSStepFunctions.DescribeExecution",
    "AWSStepFunctions.GetExecutionHistory",
    "AWSStepFunctions.ListExecutions",
    "AWSStepFunctions.ListMapRuns",
    "AWSStepFunctions.DescribeMapRun",
];

/// The engine's answer. `None`: the local AWS must answer.
pub(crate) async fn answer(engine: &Upstream, parts: &Parts, body: &Bytes) -> Option<Response<Body>> {
    let target = parts.headers.get("x-amz-target")?.to_str().ok()?;
    if !OPERATIONS.contains(&target) {
        return None;
    }
    let mut parts = parts.clone();
    // Without compression, the stand-in can read the answer.
    parts.headers.remove(ACCEPT_ENCODING);
    let answer = match forward::forward(engine, parts, body.clone()).await {
        Ok(answer) => forward::collect(answer).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) if is_unknown(&answer) => None,
        Ok(answer) => {
            let body = answer.body().to_vec();
            Some(forward::replace(answer, body))
        }
        Err(error) => Some(forward::bad_gateway(&error)),
    }
}

fn is_unknown(answer: &Response<Bytes>) -> bool {
    let error: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let code = error["__type"].as_str().unwrap_or_default();
    !answer.status().is_success() && (code.ends_with("DoesNotExist") || code.ends_with("ResourceNotFound"))
}
