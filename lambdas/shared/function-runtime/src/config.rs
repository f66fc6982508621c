//! The SDK's configuration, from the environment.

use std::time::Duration;

use archive::http_client;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, retry::RetryConfig, timeout::TimeoutConfig};

/// A call that hangs must not use up the function's timeout. Otherwise the state machine would get `Lambda.Unknown` instead of a named
/// error.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// One retry. For longer faults, the state machine retries the function.
const MAX_ATTEMPTS: u32 = 2;

pub(crate) fn loader(function: &'static str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .app_name(AppName::new(function).expect("letters and hyphens, 50 at most"))
        .http_client(http_client())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_limited_in_time_and_attempts() {
        let config = loader("create-export-task").region("ap-northeast-1").load().await;
        assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(2));
        let timeouts = config.timeout_config().unwrap();
        assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(15)));
        assert_eq!(timeouts.connect_timeout(), Some(Duration::from_millis(3100)));
    }
}
