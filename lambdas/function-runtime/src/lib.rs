//! What both functions need to run on Lambda, once: start-up, the error payload whose `errorType` the state machine
//! matches, and the AWS SDK's failures in the terms of `export-core`.

mod config;
mod failure;
mod logging;
mod manifest;

use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use export_core::{ErrorName, ExportError};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, value::RawValue};

pub use failure::service_failure;
pub use manifest::read_manifest;

/// The SDK's configuration, from the function's environment; from here on there is a log as well.
pub fn load_config() -> SdkConfig {
    logging::init();
    config::from_environment(|name| std::env::var(name).ok())
}

/// Path-style addresses are only for endpoints on one machine, which have no name for each bucket.
pub fn s3_config(config: &SdkConfig) -> aws_sdk_s3::Config {
    let path_style = std::env::var_os("AWS_ENDPOINT_URL").is_some();
    aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build()
}

/// Serves invocations until Lambda ends the process. The event is taken as it comes, because what the runtime cannot
/// deserialize never reaches a handler and ends in an error name of the runtime's. The clock is read here, once for each
/// event.
pub async fn serve<H>(handle: H) -> Result<(), Error>
where
    H: AsyncFn(Value, DateTime<Utc>) -> Result<Value, ExportError>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(move |invocation: LambdaEvent<Box<RawValue>>| async move {
        let event = parse(&invocation.payload).map_err(diagnostic)?;
        // Boxed: the nested futures of the SDK and the runtime together are deeper than the compiler's default limit.
        Box::pin(handle(event, Utc::now())).await.map_err(diagnostic)
    }))
    .await
}

fn diagnostic(error: ExportError) -> Diagnostic {
    tracing::warn!(error = error.name.as_str(), cause = error.message.as_str(), "ends with an error");
    Diagnostic { error_type: error.name.as_str().to_owned(), error_message: error.message }
}

/// JSON that Lambda lets through and serde_json does not hold: too deep, a number out of range, half a surrogate pair.
fn parse(payload: &RawValue) -> Result<Value, ExportError> {
    serde_json::from_str(payload.get())
        .map_err(|error| ExportError::new(ErrorName::InvalidInput, format!("the event cannot be read as JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_no_value_can_hold_has_a_name_too() {
        for (text, reason) in [
            ("[".repeat(200) + &"]".repeat(200), "recursion limit exceeded"),
            ("1e400".to_owned(), "number out of range"),
            (r#""\ud800""#.to_owned(), "hex escape"),
        ] {
            let payload: Box<RawValue> = serde_json::from_str(&text).expect("what the runtime takes");
            let error = parse(&payload).unwrap_err();
            assert_eq!(error.name, ErrorName::InvalidInput);
            assert!(error.message.contains(reason), "{error}");
        }
    }
}
