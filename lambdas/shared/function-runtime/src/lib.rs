//! What every function needs to run on Lambda, once: start-up, the error payload whose `errorType` the state machine matches, and log
//! and metrics that say what they are about.

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
pub use stack::{run_time_limit, stack_from_environment, stack_in_utc, variable};

/// The SDK's configuration, from the function's environment; from here on there is a log as well. AWS sees the function's
/// name in each request, and CloudTrail keeps it.
pub async fn load_config(function: &'static str) -> SdkConfig {
    logging::init();
    config::loader(function).load().await
}

/// Serves invocations until Lambda ends the process. The event is taken as it comes, because what the runtime cannot
/// deserialize never reaches a handler and ends in an error name of the runtime's. The clock is read here: once for each
/// event, and once more for the metrics that are left of it.
pub async fn serve<H>(function: &'static str, handle: H) -> Result<(), Error>
where
    H: AsyncFn(Value, &mut Invocation) -> Result<Value, ExportError>,
{
    let metrics = metrics::Metrics::from_environment(function);
    let (handle, metrics) = (&handle, &metrics);
    lambda_runtime::run(service_fn(move |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| async move {
        let mut invocation = Invocation::new(&context.request_id, Utc::now());
        let answer = answer(handle, &payload, &mut invocation).await;
        metrics.write(&invocation, answer.as_ref().err().map(|error| error.name), Utc::now());
        answer.map_err(diagnostic)
    }))
    .await
}

/// Whatever comes of it, its log says what it was about. A panic is an error like any other: with a name, in the log and in
/// the metrics. What it leaves behind is of this event alone.
async fn answer<H>(handle: &H, payload: &RawValue, invocation: &mut Invocation) -> Result<Value, ExportError>
where
    H: AsyncFn(Value, &mut Invocation) -> Result<Value, ExportError>,
{
    let span = invocation.span();
    let answer = async {
        let event = parse(payload)?;
        invocation.set_log_fields_of(&event);
        handle(event, invocation).await
    };
    // Boxed: the nested futures of the SDK and the runtime together are deeper than the compiler's default limit.
    let answer = AssertUnwindSafe(Box::pin(answer)).catch_unwind();
    async { answer.await.unwrap_or_else(|panic| Err(panicked(&*panic))).inspect_err(log) }.instrument(span).await
}

fn panicked(panic: &(dyn Any + Send)) -> ExportError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ExportError::new(ErrorName::Unexpected, format!("the function panicked: {}", text.unwrap_or("no message")))
}

/// To poll and to queue are what the errors of those names are for; nothing is wrong.
fn log(error: &ExportError) {
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

/// JSON that Lambda lets through and serde_json does not hold: too deep, a number out of range, half a surrogate pair.
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

    /// What `act` logs, each line without its timestamp, which is looked at here.
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

    /// The lines of a handler that is given `event`, and its answer.
    fn answered<H>(event: &str, handle: H) -> (Vec<Value>, Result<Value, ExportError>)
    where
        H: AsyncFn(Value, &mut Invocation) -> Result<Value, ExportError>,
    {
        let payload: Box<RawValue> = serde_json::from_str(event).unwrap();
        let mut answer = None;
        // At the highest level there is, because a filter that keeps a line has to keep its fields.
        let lines = lines_of(LevelFilter::ERROR, || {
            let mut invocation = Invocation::new("request-1", Utc::now());
            let runtime = Builder::new_current_thread().build().unwrap();
            answer = Some(runtime.block_on(super::answer(&handle, &payload, &mut invocation)));
        });
        (lines, answer.unwrap())
    }

    #[test]
    fn an_error_has_the_log_fields_of_the_event() {
        let event =
            r#"{"execution": "arn:aws:states:run", "logGroupName": "/ecs/web", "month": "2026-10", "taskId": "t-1", "timezone": "UTC"}"#;
        let error = ExportError::new(ErrorName::AccessDenied, "no");
        let (lines, answer) = answered(event, async |_, invocation| {
            invocation.set_log_field(LogField::LogGroup, "/ecs/web-2");
            Err(error.clone())
        });
        let line = json!({"level": "ERROR", "message": "ends with an error", "error": "AccessDenied", "cause": "no", "name": "invocation", "requestId": "request-1",
            "execution": "arn:aws:states:run", "log_group": "/ecs/web-2", "month": "2026-10", "task_id": "t-1"});
        assert_eq!((lines, answer), (vec![line], Err(error)));
    }

    #[test]
    fn a_field_that_is_no_text_or_too_long_is_no_log_field() {
        let event = json!({"execution": 7, "logGroupName": "x".repeat(513), "month": null, "taskId": "x".repeat(512)});
        let (lines, _) = answered(&event.to_string(), async |_, _| Err(ExportError::new(ErrorName::InvalidInput, "all of it")));
        let line = json!({"level": "ERROR", "message": "ends with an error", "error": "InvalidInput", "cause": "all of it",
            "name": "invocation", "requestId": "request-1", "task_id": "x".repeat(512)});
        assert_eq!(lines, [line]);
    }

    /// After an await as well as before.
    #[test]
    fn a_panic_has_a_name_and_the_log_fields_of_the_event() {
        let (lines, answer) = answered(r#"{"taskId": "t-1"}"#, async |event, _| {
            tokio::task::yield_now().await;
            panic!("{} is one too many", event["taskId"])
        });
        let cause = "the function panicked: \"t-1\" is one too many";
        let line = json!({"level": "ERROR", "message": "ends with an error", "error": "Unexpected", "cause": cause,
            "name": "invocation", "requestId": "request-1", "task_id": "t-1"});
        assert_eq!((lines, answer), (vec![line], Err(ExportError::new(ErrorName::Unexpected, cause))));
    }

    #[test]
    fn only_what_nobody_retries_is_an_error_of_the_log() {
        for &name in ErrorName::ALL {
            let level = match name.retry() {
                Retry::WhileTaskIsPending | Retry::WhileSlotIsBusy => "INFO",
                Retry::AfterBackoff => "WARN",
                Retry::InNextRound | Retry::Never => "ERROR",
            };
            let lines = lines_of(LevelFilter::TRACE, || log(&ExportError::new(name, "m")));
            assert_eq!(lines, [json!({"level": level, "message": "ends with an error", "error": name.as_str(), "cause": "m"})]);
        }
    }

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
