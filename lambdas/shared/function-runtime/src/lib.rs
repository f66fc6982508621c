//! What every function needs on Lambda: start-up, the error payload whose `errorType` the state machine matches, log lines, metrics.

mod config;
mod invocation;
mod logging;
mod metrics;
mod stack;

use std::{any::Any, panic::AssertUnwindSafe};

use aws_config::SdkConfig;
use chrono::Utc;
use export_core::{ErrorName, ExportError, error::Retry};
use futures_util::FutureExt;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, value::RawValue};
use tracing::{Instrument, error, info, warn};

pub use invocation::{Invocation, LogField};
pub use metrics::Metric;
pub use stack::{read_variable, run_time_limit, stack_from_environment};

/// Starts the log, and loads the SDK's configuration from the function's environment. Each request to AWS has the function's name, and
/// CloudTrail records it.
pub async fn load_config(function: &'static str) -> SdkConfig {
    logging::init();
    config::loader(function).load().await
}

/// Serves invocations until Lambda ends the process. The event arrives as raw JSON: an event that the runtime cannot deserialize would end
/// with an error name of the runtime. The clock is read once for each event, and once more for its metrics.
pub async fn serve<H>(function: &'static str, handle: H) -> Result<(), Error>
where
    H: AsyncFn(Value, &mut Invocation) -> Result<Value, ExportError>,
{
    let metrics = metrics::Metrics::from_environment(function);
    let (handle, metrics) = (&handle, &metrics);
    lambda_runtime::run(service_fn(move |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| async move {
        let mut invocation = Invocation::new(&context.request_id, Utc::now());
        let response = run(handle, &payload, &mut invocation).await;
        metrics.write(&invocation, response.as_ref().err().map(|error| error.name), Utc::now());
        response.map_err(diagnostic)
    }))
    .await
}

/// Runs the handler inside the invocation's span, so that every log line has the log fields. A panic becomes an error with a name, as any
/// other failure.
async fn run<H>(handle: &H, payload: &RawValue, invocation: &mut Invocation) -> Result<Value, ExportError>
where
    H: AsyncFn(Value, &mut Invocation) -> Result<Value, ExportError>,
{
    let span = invocation.span();
    let response = async {
        let event = parse(payload)?;
        invocation.set_log_fields_from(&event);
        handle(event, invocation).await
    };
    // Boxed: the nested futures of the SDK and the runtime exceed the compiler's default depth.
    let response = AssertUnwindSafe(Box::pin(response)).catch_unwind();
    async { response.await.unwrap_or_else(|panic| Err(panic_error(&*panic))).inspect_err(log_error) }.instrument(span).await
}

fn panic_error(panic: &(dyn Any + Send)) -> ExportError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ExportError::new(ErrorName::Unexpected, format!("the function panicked: {}", text.unwrap_or("no message")))
}

/// Logs an error. While the state machine polls or waits for the slot, an error is not a fault.
fn log_error(error: &ExportError) {
    const MESSAGE: &str = "ends with an error";
    let (name, cause) = (error.name.as_str(), error.message.as_str());
    match error.name.retry() {
        Retry::WhileTaskIsPending | Retry::WhileSlotIsBusy => info!(error = name, cause, "{MESSAGE}"),
        Retry::AfterBackoff => warn!(error = name, cause, "{MESSAGE}"),
        Retry::InNextRound | Retry::Never => error!(error = name, cause, "{MESSAGE}"),
    }
}

fn diagnostic(error: ExportError) -> Diagnostic {
    Diagnostic { error_type: error.name.as_str().to_owned(), error_message: error.message }
}

/// Lambda accepts JSON that serde_json cannot hold: nested too deeply, a number out of range, half a surrogate pair.
fn parse(payload: &RawValue) -> Result<Value, ExportError> {
    serde_json::from_str(payload.get())
        .map_err(|error| ExportError::new(ErrorName::InvalidInput, format!("the event cannot be read as JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use std::{io::BufRead, sync::Arc};

    use tokio::runtime::Builder;
    use tracing::subscriber::with_default;
    use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, registry};

    use super::*;

    /// The log lines of `act`, without their timestamps, which are checked here.
    fn lines_of(level: LevelFilter, act: impl FnOnce()) -> Vec<Value> {
        let (reader, writer) = std::io::pipe().unwrap();
        with_default(registry().with(level).with(logging::json_lines(Arc::new(writer))), act);
        let without_timestamp = |line: std::io::Result<String>| {
            let mut line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(export_core::time::parse_instant(timestamp.as_str().unwrap()).is_some(), "{timestamp}");
            line
        };
        std::io::BufReader::new(reader).lines().map(without_timestamp).collect()
    }

    /// The log lines of a handler for `event`, and its response.
    fn run_handler<H>(event: &str, handle: H) -> (Vec<Value>, Result<Value, ExportError>)
    where
        H: AsyncFn(Value, &mut Invocation) -> Result<Value, ExportError>,
    {
        let payload: Box<RawValue> = serde_json::from_str(event).unwrap();
        let mut response = None;
        // The highest level, because a filter that keeps a line has to keep its fields.
        let lines = lines_of(LevelFilter::ERROR, || {
            let mut invocation = Invocation::new("request-1", Utc::now());
            let runtime = Builder::new_current_thread().build().unwrap();
            response = Some(runtime.block_on(super::run(&handle, &payload, &mut invocation)));
        });
        (lines, response.unwrap())
    }

    #[test]
    fn an_error_has_the_log_fields_of_the_event() {
        let event =
            r#"{"execution": "arn:aws:states:run", "logGroupName": "/ecs/web", "month": "2026-10", "taskId": "t-1", "timezone": "UTC"}"#;
        let error = ExportError::new(ErrorName::AccessDenied, "no");
        let (lines, response) = run_handler(event, async |_, invocation| {
            invocation.set_log_field(LogField::LogGroup, "/ecs/web-2");
            Err(error.clone())
        });
        let line = json!({"level": "ERROR", "message": "ends with an error", "error": "AccessDenied", "cause": "no", "name": "invocation", "requestId": "request-1",
            "execution": "arn:aws:states:run", "log_group": "/ecs/web-2", "month": "2026-10", "task_id": "t-1"});
        assert_eq!((lines, response), (vec![line], Err(error)));
    }

    #[test]
    fn a_field_that_is_not_text_or_too_long_is_not_logged() {
        let event = json!({"execution": 7, "logGroupName": "x".repeat(513), "month": null, "taskId": "x".repeat(512)});
        let (lines, _) = run_handler(&event.to_string(), async |_, _| Err(ExportError::new(ErrorName::InvalidInput, "all of it")));
        let line = json!({"level": "ERROR", "message": "ends with an error", "error": "InvalidInput", "cause": "all of it",
            "name": "invocation", "requestId": "request-1", "task_id": "x".repeat(512)});
        assert_eq!(lines, [line]);
    }

    /// Also after an await.
    #[test]
    fn a_panic_has_a_name_and_the_log_fields_of_the_event() {
        let (lines, response) = run_handler(r#"{"taskId": "t-1"}"#, async |event, _| {
            tokio::task::yield_now().await;
            panic!("{} is one too many", event["taskId"])
        });
        let cause = "the function panicked: \"t-1\" is one too many";
        let line = json!({"level": "ERROR", "message": "ends with an error", "error": "Unexpected", "cause": cause,
            "name": "invocation", "requestId": "request-1", "task_id": "t-1"});
        assert_eq!((lines, response), (vec![line], Err(ExportError::new(ErrorName::Unexpected, cause))));
    }

    #[test]
    fn only_an_error_without_a_retry_is_logged_as_an_error() {
        for &name in ErrorName::ALL {
            let level = match name.retry() {
                Retry::WhileTaskIsPending | Retry::WhileSlotIsBusy => "INFO",
                Retry::AfterBackoff => "WARN",
                Retry::InNextRound | Retry::Never => "ERROR",
            };
            let lines = lines_of(LevelFilter::TRACE, || log_error(&ExportError::new(name, "m")));
            assert_eq!(lines, [json!({"level": level, "message": "ends with an error", "error": name.as_str(), "cause": "m"})]);
        }
    }

    #[test]
    fn json_that_serde_cannot_hold_is_invalid_input() {
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
