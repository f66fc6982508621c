//! The SDK's configuration, from the environment.

use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// One call that hangs must not use up the function's own timeout: then the state machine would see an anonymous
/// `Lambda.Unknown` instead of a named error.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// One more attempt for a hiccup; for anything longer the state machine has the patience.
const MAX_ATTEMPTS: u32 = 2;

pub(crate) fn loader(function: &'static str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .app_name(AppName::new(function).expect("letters and hyphens, 50 at most"))
        .http_client(http_client())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
}

/// The SDK's default client, with ring instead of AWS-LC.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, _| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    })
}

/// Path-style addresses are only for endpoints on one machine, which have no name for each bucket.
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let path_style = config.endpoint_url().is_some();
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build())
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
