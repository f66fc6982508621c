//! What both functions need to run on Lambda, once: start-up, the error payload whose `errorType` the state machine
//! matches, and the AWS SDK's failures in the terms of `export-core`.

mod failure;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use chrono::{DateTime, Utc};
use export_core::ExportError;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn, tracing};
use serde_json::Value;

pub use failure::service_failure;

/// One call that hangs must not use up the function's own timeout: then the state machine would see an anonymous
/// `Lambda.Unknown` instead of a named error.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// One more attempt for a hiccup; for anything longer the state machine has the patience.
const MAX_ATTEMPTS: u32 = 2;

/// Configuration from the function's environment. Region and endpoint come from there as well, never from code.
pub async fn load_config() -> SdkConfig {
    tracing::init_default_subscriber();
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
    aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).retry_config(retries).load().await
}

/// Path-style addresses are only for endpoints on one machine, which have no name for each bucket.
pub fn s3_config(config: &SdkConfig) -> aws_sdk_s3::Config {
    let path_style = std::env::var_os("AWS_ENDPOINT_URL").is_some();
    aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build()
}

/// Serves invocations until Lambda ends the process. The event is taken as any JSON, so that one that does not fit gets
/// an error name of ours as well. The clock is read here, once for each event.
pub async fn serve<H>(handle: H) -> Result<(), Error>
where
    H: AsyncFn(Value, DateTime<Utc>) -> Result<Value, ExportError>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(move |invocation: LambdaEvent<Value>| async move {
        // Boxed: the nested futures of the SDK and the runtime together are deeper than the compiler's default limit.
        Box::pin(handle(invocation.payload, Utc::now())).await.map_err(diagnostic)
    }))
    .await
}

fn diagnostic(error: ExportError) -> Diagnostic {
    tracing::warn!(error = error.name.as_str(), message = error.message.as_str(), "ends with an error");
    Diagnostic { error_type: error.name.as_str().to_owned(), error_message: error.message }
}
