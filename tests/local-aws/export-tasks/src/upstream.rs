//! The stand-in's client for the local AWS: CloudWatch Logs, S3 and STS over plain HTTP.
//!
//! The local AWS reads account and Region from the credential scope, and does not verify signatures. So a request needs a scope, but no
//! secret.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::http::request::Builder;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::scope::{Caller, CredentialScope};

/// ministack closes an idle connection after 75 s. A shorter timeout prevents a request on a closing connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// All characters except the unreserved ones.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// A key keeps its slashes.
const KEY: AsciiSet = SEGMENT.remove(b'/');

/// A call to the local AWS without a usable answer.
#[derive(Clone, Debug)]
pub(crate) enum UpstreamError {
    /// The connection failed.
    Unreachable(String),
    /// An AWS error.
    Error { status: StatusCode, code: String, message: String },
    /// An invalid answer.
    Invalid(String),
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the local AWS cannot be reached: {why}"),
            Self::Error { status, code, message } => {
                write!(f, "the local AWS answered HTTP {} {code}: {message}", status.as_u16())
            }
            Self::Invalid(why) => {
                write!(f, "the local AWS gave an invalid answer: {why}")
            }
        }
    }
}

impl std::error::Error for UpstreamError {}

/// The answer of HeadBucket.
#[derive(Debug, PartialEq)]
pub(crate) enum BucketHead {
    Missing,
    /// The calling account can read the bucket. `None`: the answer has no Region.
    Readable {
        region: Option<String>,
    },
    /// The bucket exists, but the calling account cannot read it, or not from this Region.
    NotReadable {
        region: Option<String>,
    },
}

/// A client for the local AWS at one address.
pub(crate) struct Upstream {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .http1_preserve_header_case(true)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Self { address, client }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, UpstreamError> {
        self.client.request(request).await.map_err(|error| UpstreamError::Unreachable(format!("{}: {}", self.address, innermost(&error))))
    }

    /// Calls a CloudWatch Logs operation.
    pub(crate) async fn logs(&self, caller: &Caller, operation: &str, input: &Value) -> Result<Bytes, UpstreamError> {
        let request = self
            .request(Method::POST, "/", caller, "logs")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .header(CONTENT_TYPE, "application/x-amz-json-1.1");
        let response = self.send(build(request, Bytes::from(input.to_string()))?).await?;
        let status = response.status();
        let body = read(response).await?;
        if status.is_success() {
            return Ok(body);
        }
        let error: Value = serde_json::from_slice(&body)
            .map_err(|_| UpstreamError::Invalid(format!("{operation} answered HTTP {} without a JSON error", status.as_u16())))?;
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err(UpstreamError::Error { status, code: text("__type"), message: text("message") })
    }

    /// The account of a key that is neither an account id nor a session's key.
    pub(crate) async fn default_account(&self, region: &str) -> Result<String, UpstreamError> {
        let unknown = CredentialScope { access_key_id: "unknown".to_owned(), region: region.to_owned(), service: "sts".to_owned() };
        self.account_of(&unknown, &HeaderMap::new()).await
    }

    /// The account of a key that is not an account id.
    pub(crate) async fn account_of(&self, scope: &CredentialScope, headers: &HeaderMap) -> Result<String, UpstreamError> {
        let caller = Caller { account: scope.access_key_id.clone(), region: scope.region.clone() };
        let mut request = self
            .request(Method::POST, "/", &caller, "sts")
            .header("x-amz-target", "AWSSecurityTokenServiceV20110615.GetCallerIdentity")
            .header(CONTENT_TYPE, "application/x-amz-json-1.1");
        if let Some(token) = headers.get("x-amz-security-token") {
            request = request.header("x-amz-security-token", token);
        }
        let response = self.send(build(request, Bytes::from_static(b"{}"))?).await?;
        let status = response.status();
        let body = read(response).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        answer["Account"].as_str().map(str::to_owned).ok_or_else(|| {
            UpstreamError::Invalid(format!(
                "GetCallerIdentity for {} answered HTTP {} without an account",
                scope.access_key_id,
                status.as_u16()
            ))
        })
    }

    pub(crate) async fn head_bucket(&self, caller: &Caller, bucket: &str) -> Result<BucketHead, UpstreamError> {
        let path = format!("/{}", encode(bucket, false));
        let request = self.request(Method::HEAD, &path, caller, "s3");
        let response = self.send(build(request, Bytes::new())?).await?;
        let region = response.headers().get("x-amz-bucket-region").and_then(|value| value.to_str().ok()).map(str::to_owned);
        match response.status().as_u16() {
            200..=299 => Ok(BucketHead::Readable { region }),
            301 | 403 => Ok(BucketHead::NotReadable { region }),
            // S3 answers an invalid bucket name with 400.
            400 | 404 => Ok(BucketHead::Missing),
            status => Err(UpstreamError::Invalid(format!("HeadBucket {bucket} answered HTTP {status}"))),
        }
    }

    /// The bucket's policy, if it has one.
    pub(crate) async fn bucket_policy(&self, owner: &Caller, bucket: &str) -> Result<Option<String>, UpstreamError> {
        let path = format!("/{}?policy", encode(bucket, false));
        let request = self.request(Method::GET, &path, owner, "s3");
        let response = self.send(build(request, Bytes::new())?).await?;
        let status = response.status();
        let body = read(response).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            return Ok(Some(text));
        }
        match s3_error(status, &text) {
            UpstreamError::Error { code, .. } if code == "NoSuchBucketPolicy" => Ok(None),
            error => Err(error),
        }
    }

    /// Writes an object with full control for the bucket's owner, as CloudWatch Logs does.
    pub(crate) async fn put_object(&self, owner: &Caller, bucket: &str, key: &str, body: Bytes) -> Result<(), UpstreamError> {
        let path = format!("/{}/{}", encode(bucket, false), encode(key, true));
        let request = self.request(Method::PUT, &path, owner, "s3").header("x-amz-acl", "bucket-owner-full-control");
        let response = self.send(build(request, body)?).await?;
        let status = response.status();
        let answer = read(response).await?;
        if status.is_success() {
            return Ok(());
        }
        Err(s3_error(status, &String::from_utf8_lossy(&answer)))
    }

    fn request(&self, method: Method, path: &str, caller: &Caller, service: &str) -> Builder {
        let Caller { account, region } = caller;
        Request::builder().method(method).uri(format!("http://{}{path}", self.address)).header(
            AUTHORIZATION,
            format!(
                "AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/{service}/aws4_request, \
                     SignedHeaders=host, Signature=0"
            ),
        )
    }
}

fn build(request: Builder, body: Bytes) -> Result<Request<Full<Bytes>>, UpstreamError> {
    request.body(Full::new(body)).map_err(|error| UpstreamError::Invalid(format!("the request is not valid: {error}")))
}

async fn read(response: Response<Incoming>) -> Result<Bytes, UpstreamError> {
    let body = response.into_body().collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| UpstreamError::Unreachable(innermost(&error).to_string()))
}

fn s3_error(status: StatusCode, xml: &str) -> UpstreamError {
    let element = |name: &str| {
        xml.split_once(&format!("<{name}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
            .map(|(text, _)| text.to_owned())
            .unwrap_or_default()
    };
    UpstreamError::Error { status, code: element("Code"), message: element("Message") }
}

/// Percent-encodes a part of a path.
fn encode(text: &str, keep_slash: bool) -> String {
    utf8_percent_encode(text, if keep_slash { &KEY } else { &SEGMENT }).to_string()
}

/// The root of an error chain, such as "connection refused". The outermost error is only "client error (Connect)".
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a dyn std::error::Error {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}
