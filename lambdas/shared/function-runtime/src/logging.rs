//! The function's log on standard output, in the format and at the level of Lambda's logging controls.

use tracing::Subscriber;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// The runtime logs every error of a handler again, as an ERROR. So each poll would be an ERROR.
const RUNTIME_ERRORS: &str = "lambda_runtime::layers::panic";

pub(crate) fn init() {
    let variable = |name| std::env::var(name).ok();
    let json = variable("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let lines = if json { json_lines(std::io::stdout).boxed() } else { fmt::layer().with_target(false).without_time().boxed() };
    registry().with(filter(variable("RUST_LOG"), variable("AWS_LAMBDA_LOG_LEVEL"))).with(lines).init();
    // The lines of the standard hook are not JSON, and have no log fields.
    std::panic::set_hook(Box::new(|panic| tracing::error!(cause = %panic, "panicked")));
}

/// One flat object for each line, so that queries find the fields of spans and events by name.
pub(crate) fn json_lines<S, W>(writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = json_subscriber::fmt::layer().with_writer(writer).with_target(false);
    lines.flatten_event(true).with_current_span(false).flatten_span_list_on_top_level(true)
}

/// `RUST_LOG` comes first: a person sets it, and it can differ by module.
fn filter(rust_log: Option<String>, lambda_log_level: Option<String>) -> Targets {
    let level = lambda_log_level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let lambda_filter = || Targets::new().with_default(level).with_target(RUNTIME_ERRORS, LevelFilter::OFF);
    rust_log.and_then(|targets| targets.parse().ok()).unwrap_or_else(lambda_filter)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn rust_log_comes_before_lambdas_level_and_that_before_info() {
        for (rust_log, lambda, function, hyper, runtime) in [
            (None, None, Some(Level::INFO), Some(Level::INFO), None),
            (None, Some("DEBUG"), Some(Level::DEBUG), Some(Level::DEBUG), None),
            (None, Some("FATAL"), Some(Level::INFO), Some(Level::INFO), None),
            (Some("hyper=warn,trace"), Some("ERROR"), Some(Level::TRACE), Some(Level::WARN), Some(Level::TRACE)),
            (Some("hyper=loud"), Some("WARN"), Some(Level::WARN), Some(Level::WARN), None),
        ] {
            let filter = filter(rust_log.map(str::to_owned), lambda.map(str::to_owned));
            let max_level = |target| {
                [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR]
                    .into_iter()
                    .find(|level| filter.would_enable(target, level))
            };
            assert_eq!(
                (max_level("create_export_task"), max_level("hyper"), max_level(RUNTIME_ERRORS)),
                (function, hyper, runtime),
                "{rust_log:?} {lambda:?}"
            );
        }
    }
}
