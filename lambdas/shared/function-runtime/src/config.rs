//! The SDK's configuration, from the environment.

use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn};

/// One call that hangs must not use up the function's own timeout: then the state machine would see an anonymous
/// `Lambda.Unknown` instead of a named error.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// The SDK's default.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3100);

/// One more attempt for a hiccup; for anything longer the state machine has the patience.
const MAX_ATTEMPTS: u32 = 2;

pub(crate) fn loader(function: &'static str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .app_name(AppName::new(function).expect("letters and hyphens, 50 at most"))
        .http_client(http_client())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
}

/// The SDK's connector, with ring instead of AWS-LC. It is made once, before the first invocation, because it reads all root certificates.
fn http_client() -> SharedHttpClient {
    let connector = Connector::builder()
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
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
