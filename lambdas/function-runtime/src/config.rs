//! The SDK's configuration, from the environment.

use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

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
        .tls_context(trust())
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

/// Bundles of the machine's root certificates: Amazon Linux, where the functions run, and Debian.
const BUNDLES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// The machine's bundle. The SDK's default also reads each file of the folder, which has the same certificates again: see
/// docs/decisions/0014. That default stays where a user names certificates, and where a bundle cannot be read whole.
fn trust() -> TlsContext {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    let bundle = BUNDLES.iter().filter(|_| !named).find_map(|path| std::fs::read(path).ok()).filter(|bundle| is_readable(bundle));
    let store = bundle.map(|bundle| TrustStore::empty().with_pem_certificate(bundle));
    store.and_then(|store| TlsContext::builder().with_trust_store(store).build().ok()).unwrap_or_default()
}

/// Whether rustls takes every certificate. The SDK panics at one that it does not take.
fn is_readable(bundle: &[u8]) -> bool {
    let Ok(certificates) = CertificateDer::pem_slice_iter(bundle).collect::<Result<Vec<_>, _>>() else { return false };
    let (taken, ignored) = RootCertStore::empty().add_parsable_certificates(certificates);
    taken > 0 && ignored == 0
}

/// Path-style addresses are only for endpoints on one machine, which have no name for each bucket.
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let path_style = config.endpoint_url().is_some();
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUThjUSgsutWj8WlOVP6Z22pzMDW4wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzE0NDA1NloYDzIxMjYxMTAz
MTQ0MDU2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARnMiQPsYZUdmTiw5m7CCaGcfvoOXdwqPpeJFZ5tRa46U7QoaQws5gC
af/uMvnwn2vWIm7b3AUQexiKU8KLPuH4o1MwUTAdBgNVHQ4EFgQU/68McMMo/Z6n
BsgkaTMIY8/vPX8wHwYDVR0jBBgwFoAU/68McMMo/Z6nBsgkaTMIY8/vPX8wDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiARqZbDxDNsZwgyM3JXjKkm
f4uImlB6CkquIE0nAqaKKwIgBcZXrLusmtXil7UforB7m2C7BvhkJSjnb/VDAo4/
lhE=
-----END CERTIFICATE-----
";

    #[test]
    fn a_bundle_counts_if_all_of_it_can_be_read() {
        assert!(is_readable(CERTIFICATE.as_bytes()));
        assert!(is_readable(format!("# a comment\n{CERTIFICATE}{CERTIFICATE}").as_bytes()));
        let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for bundle in ["", "text", broken, &format!("{CERTIFICATE}{broken}"), &CERTIFICATE.replace("END", "TAIL")] {
            assert!(!is_readable(bundle.as_bytes()), "{bundle}");
        }
    }

    #[tokio::test]
    async fn a_call_is_limited_in_time_and_attempts() {
        let config = loader("create-export-task").region("ap-northeast-1").load().await;
        assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(2));
        let timeouts = config.timeout_config().unwrap();
        assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(15)));
        assert_eq!(timeouts.connect_timeout(), Some(Duration::from_millis(3100)));
    }
}
