//! The SDK's configuration, from the environment variables that Lambda sets and those that a function may be given. The
//! SDK's own loader also looks for profile files, a metadata service and sign-in sessions, which Lambda has not, and would
//! be a tenth of a function's package.

use std::time::Duration;

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn},
    shared::IntoShared,
};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// One call that hangs must not use up the function's own timeout: then the state machine would see an anonymous
/// `Lambda.Unknown` instead of a named error.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// What the SDK's own loader gives a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3100);

/// One more attempt for a hiccup; for anything longer the state machine has the patience.
const MAX_ATTEMPTS: u32 = 2;

pub(crate) fn from_environment<E>(function: &'static str, environment: E) -> SdkConfig
where
    E: Fn(&str) -> Option<String> + Send + Sync + 'static,
{
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .app_name(AppName::new(function).expect("letters and hyphens, 50 at most"))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .http_client(http_client(trust(&environment), ProxyConfig::from_env()))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS));
    let flag = |name| environment(name).map(|value| value.eq_ignore_ascii_case("true"));
    config.set_region(environment("AWS_REGION").or_else(|| environment("AWS_DEFAULT_REGION")).map(Region::new));
    config.set_endpoint_url(environment("AWS_ENDPOINT_URL"));
    config.set_use_fips(flag("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(flag("AWS_USE_DUALSTACK_ENDPOINT"));
    config.service_config(Variables(environment)).build()
}

/// Bundles of the machine's roots of trust: Amazon Linux, where the functions run, and Debian, where some develop.
const ROOTS: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// The machine's own roots. By default every file of their folder is read as well, which has the same roots again, each in
/// a file of its own, and takes as long as the rest of the start. Whoever names a file or a folder of roots has it their way.
fn trust(environment: impl Fn(&str) -> Option<String>) -> TlsContext {
    let chosen = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| environment(name).is_some());
    let bundle = ROOTS.iter().filter(|_| !chosen).find_map(|path| std::fs::read(path).ok());
    let store = bundle.filter(|bundle| is_readable(bundle)).map(|bundle| TrustStore::empty().with_pem_certificate(bundle));
    store.and_then(|store| TlsContext::builder().with_trust_store(store).build().ok()).unwrap_or_default()
}

/// Whether every certificate of a bundle is one that rustls takes. The SDK panics at one that is not; the default passes
/// over it.
fn is_readable(bundle: &[u8]) -> bool {
    let Ok(certificates) = CertificateDer::pem_slice_iter(bundle).collect::<Result<Vec<_>, _>>() else { return false };
    let (taken, passed_over) = RootCertStore::empty().add_parsable_certificates(certificates);
    taken > 0 && passed_over == 0
}

/// The variables that may be set for one service, such as `AWS_ENDPOINT_URL_S3`.
struct Variables<E>(E);

impl<E> std::fmt::Debug for Variables<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Variables")
    }
}

impl<E: Fn(&str) -> Option<String> + Send + Sync> LoadServiceConfig for Variables<E> {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        self.0(&format!("{}_{service}", key.env())).or_else(|| self.0(key.env()))
    }
}

/// One client for all services, made before the first invocation, which need not wait for the roots of trust to be read.
fn http_client(tls: TlsContext, proxies: ProxyConfig) -> SharedHttpClient {
    let connector: SharedHttpConnector = Connector::builder()
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .proxy_config(proxies)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build()
        .into_shared();
    http_client_fn(move |_, _| connector.clone())
}

#[cfg(test)]
mod tests {
    use std::{
        error::Error,
        io::{BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
        sync::Arc,
        thread,
    };

    use aws_sdk_s3::config::Credentials;
    use aws_smithy_types::error::display::DisplayErrorContext;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};

    use super::*;

    fn config(variables: &'static [(&str, &str)]) -> SdkConfig {
        from_environment("create-export-task", |wanted| {
            variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_lambda_sets() {
        let config = config(&[("AWS_REGION", "ap-northeast-1"), ("AWS_DEFAULT_REGION", "us-east-1")]);
        assert_eq!(config.region(), Some(&Region::from_static("ap-northeast-1")));
        assert_eq!((config.endpoint_url(), config.use_fips(), config.use_dual_stack()), (None, None, None));
        assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(2));
        assert_eq!(config.timeout_config().and_then(TimeoutConfig::operation_attempt_timeout), Some(Duration::from_secs(15)));
    }

    #[test]
    fn what_a_function_may_be_given() {
        let config = config(&[
            ("AWS_DEFAULT_REGION", "us-gov-west-1"),
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://logs"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
        ]);
        assert_eq!(config.region(), Some(&Region::from_static("us-gov-west-1")));
        assert_eq!((config.endpoint_url(), config.use_fips(), config.use_dual_stack()), (Some("http://all"), Some(true), Some(false)));
        let endpoint = |service| {
            let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
            config.service_config().and_then(|variables| variables.load_config(key.expect("a complete key")))
        };
        assert_eq!(endpoint("CloudWatch Logs").as_deref(), Some("http://logs"));
        assert_eq!(endpoint("S3").as_deref(), Some("http://all"));
    }

    #[tokio::test]
    async fn an_endpoint_with_a_certificate_that_is_trusted_answers() {
        let (endpoint, certificate) = https_server();
        let trusted = TrustStore::empty().with_pem_certificate(certificate);
        let tls = TlsContext::builder().with_trust_store(trusted).build().unwrap();
        assert_eq!(get_object(endpoint, http_client(tls, ProxyConfig::disabled())).await.unwrap(), b"archived");
    }

    /// With the machine's own roots, as in a function.
    #[tokio::test]
    async fn an_endpoint_that_no_root_vouches_for_is_refused() {
        let (endpoint, _) = https_server();
        let error = get_object(endpoint, http_client(trust(|_| None), ProxyConfig::disabled())).await.unwrap_err();
        assert!(DisplayErrorContext(&*error).to_string().contains("invalid peer certificate: UnknownIssuer"), "{error:?}");
    }

    #[test]
    fn a_bundle_counts_if_all_of_it_can_be_read() {
        let CertifiedKey { cert, .. } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let good = cert.pem();
        assert!(is_readable(good.as_bytes()));
        assert!(is_readable(format!("# a comment\n{good}{good}").as_bytes()));
        let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for bundle in ["".to_owned(), "text".to_owned(), broken.to_owned(), format!("{good}{broken}"), good.replace("END", "TAIL")] {
            assert!(!is_readable(bundle.as_bytes()), "{bundle}");
        }
    }

    async fn get_object(endpoint: String, http_client: SharedHttpClient) -> Result<Vec<u8>, Box<dyn Error>> {
        let config = config(&[("AWS_REGION", "ap-northeast-1")])
            .into_builder()
            .http_client(http_client)
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .build();
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let object = aws_sdk_s3::Client::from_conf(config).get_object().bucket("archive").key("manifest").send().await?;
        Ok(object.body.collect().await?.to_vec())
    }

    /// Answers every request alike until the tests end. Its address, and its certificate, which nobody has signed.
    fn https_server() -> (String, String) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
            .map(Arc::new)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        thread::spawn(move || {
            for connection in listener.incoming() {
                // The client that refuses the certificate breaks off.
                if let Err(error) = answer(connection.unwrap(), Arc::clone(&config)) {
                    eprintln!("the server: {error}");
                }
            }
        });
        (endpoint, cert.pem())
    }

    fn answer(connection: TcpStream, config: Arc<ServerConfig>) -> Result<(), Box<dyn Error>> {
        let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config)?, connection));
        let mut line = String::from("the request");
        while !line.trim().is_empty() {
            line.clear();
            stream.read_line(&mut line)?;
        }
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\narchived")?;
        Ok(stream.get_mut().flush()?)
    }
}
