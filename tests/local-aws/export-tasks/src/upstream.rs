//! The local AWS behind the stand-in, as the stand-in itself calls it: CloudWatch Logs, S3 and STS over plain HTTP.
//!
//! The local AWS takes account and Region from the credential scope and does not verify signatures, so that a request
//! made here needs a scope and no secret.

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

/// How long a connection is kept for the next request: shorter than the 75 s after which ministack closes it, so that no
/// request is sent into a closing one.
const IDLE: Duration = Duration::from_secs(30);

/// All but unreserved characters.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The slash separates.
const KEY: AsciiSet = SEGMENT.remove(b'/');

/// Why the local AWS gave no usable answer.
#[derive(Clone, Debug)]
pub(crate) enum UpstreamError {
    /// No connection, or one that broke.
    Unreachable(String),
    /// An error in AWS's own form.
    Refused { status: StatusCode, code: String, message: String },
    /// An answer that is not what the operation answers.
    Garbled(String),
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the local AWS cannot be reached: {why}"),
            Self::Refused { status, code, message } => {
                write!(f, "the local AWS answered HTTP {} {code}: {message}", status.as_u16())
            }
            Self::Garbled(why) => {
                write!(f, "the local AWS gave an answer that makes no sense: {why}")
            }
        }
    }
}

impl std::error::Error for UpstreamError {}

/// What HeadBucket tells about a bucket.
#[derive(Debug, PartialEq)]
pub(crate) enum BucketHead {
    Missing,
    /// Readable for the account that asked. `None` where the Region was not told.
    Own {
        region: Option<String>,
    },
    /// It exists, and this account may not look at it, or not from this Region.
    Elsewhere {
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
            .pool_idle_timeout(IDLE)
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
            .map_err(|_| UpstreamError::Garbled(format!("{operation} answered HTTP {} without a JSON error", status.as_u16())))?;
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err(UpstreamError::Refused { status, code: text("__type"), message: text("message") })
    }

    /// The account of everyone whose key is neither an account id nor a session's.
    pub(crate) async fn default_account(&self, region: &str) -> Result<String, UpstreamError> {
        let nobody = CredentialScope { access_key_id: "nobody".to_owned(), region: region.to_owned(), service: "sts".to_owned() };
        self.account_of(&nobody, &HeaderMap::new()).await
    }

    /// The account a key acts in that is not an account id itself.
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
            UpstreamError::Garbled(format!(
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
            200..=299 => Ok(BucketHead::Own { region }),
            301 | 403 => Ok(BucketHead::Elsewhere { region }),
            // S3 answers a name that no bucket can have with 400.
            400 | 404 => Ok(BucketHead::Missing),
            status => Err(UpstreamError::Garbled(format!("HeadBucket {bucket} answered HTTP {status}"))),
        }
    }

    /// The bucket's policy; `None` where it has none.
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
            UpstreamError::Refused { code, .. } if code == "NoSuchBucketPolicy" => Ok(None),
            error => Err(error),
        }
    }

    /// Writes an object as CloudWatch Logs does: with full control for the bucket's owner.
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
    request.body(Full::new(body)).map_err(|error| UpstreamError::Garbled(format!("a request to it cannot be formed: {error}")))
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
    UpstreamError::Refused { status, code: element("Code"), message: element("Message") }
}

/// Percent-encodes for a path, as S3 wants keys.
fn encode(text: &str, keep_slash: bool) -> String {
    utf8_percent_encode(text, if keep_slash { &KEY } else { &SEGMENT }).to_string()
}

/// The root of an error chain: "connection refused" says more than "client error (Connect)".
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a dyn std::error::Error {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}
