//! What lies behind the stand-in here: one log group whose events are made up as they are asked for, and a bucket that keeps what is put.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use hyper::Method;
use hyper::header::HeaderValue;
use runtime_api::{Request, Response, TestServer, operation, response};
use serde_json::{Value, json};

use crate::month;

pub const LOG_GROUP: &str = "/bench/stand-in";
pub const BUCKET: &str = "bench-archive";
pub const REGION: &str = "ap-northeast-1";
pub const ACCOUNT: &str = "000000000000";
const STREAMS: usize = 10;

/// What was put: path and body.
type Objects = Mutex<Vec<(String, Bytes)>>;

pub struct Source {
    server: TestServer,
    objects: Arc<Objects>,
}

impl Source {
    /// With so many events, spread over the streams.
    pub fn start(events: usize) -> Result<Self> {
        let objects = Arc::new(Objects::default());
        let kept = Arc::clone(&objects);
        let server = TestServer::start(async move |request| respond(request, events / STREAMS, &kept))?;
        Ok(Self { server, objects })
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.address()
    }

    /// Events in the objects that were put.
    pub fn written_lines(&self) -> Result<usize> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = 0;
        for (_, body) in objects.iter().filter(|(path, _)| path.ends_with(".gz")) {
            for line in BufReader::new(MultiGzDecoder::new(&body[..])).split(b'\n') {
                line?;
                lines += 1;
            }
        }
        Ok(lines)
    }
}

fn respond(request: Request, events: usize, objects: &Objects) -> Response {
    let json = |body: String| response(200, "application/x-amz-json-1.1", body);
    match operation(&request) {
        "DescribeLogGroups" => json(
            json!({"logGroups": [{"logGroupName": LOG_GROUP, "creationTime": month::CREATED, "logGroupClass": "STANDARD"}]}).to_string(),
        ),
        "DescribeLogStreams" => {
            let streams: Vec<Value> = (0..STREAMS).map(|index| json!({"logStreamName": format!("stream-{index}")})).collect();
            json(json!({"logStreams": streams}).to_string())
        }
        "GetLogEvents" => json(page(&serde_json::from_slice(request.body()).unwrap_or_default(), events)),
        "GET" if request.uri().query() == Some("policy") => response(200, "application/json", policy()),
        // No manifest lies in the archive.
        "GET" => response(404, "application/xml", "<Error><Code>NoSuchKey</Code></Error>"),
        "HEAD" | "PUT" => {
            if request.method() == Method::PUT {
                let path = request.uri().path().to_owned();
                objects.lock().unwrap_or_else(PoisonError::into_inner).push((path, request.into_body()));
            }
            let mut response = response(200, "application/xml", "");
            response.headers_mut().insert("x-amz-bucket-region", HeaderValue::from_static(REGION));
            response
        }
        other => response(400, "application/x-amz-json-1.1", json!({"__type": "UnknownOperationException", "message": other}).to_string()),
    }
}

/// A page of GetLogEvents from the head: its token is the number of the next event.
fn page(input: &Value, events: usize) -> String {
    let first = input["nextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let limit = input["limit"].as_u64().unwrap_or(10_000) as usize;
    let next = events.min(first + limit);
    let mut page = String::from(r#"{"events":["#);
    for index in first..next {
        let comma = if index == first { "" } else { "," };
        let timestamp = month::FROM + index as i64;
        // Some 200 bytes, half of which compress well, as those of real logs.
        let mixed = |salt: u64| (index as u64 ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // A String takes whatever is written to it.
        let _infallible = write!(
            page,
            r#"{comma}{{"timestamp":{timestamp},"ingestionTime":{timestamp},"message":"INFO request {:016x} path=/api/v1/orders/{index:08} status=200 duration={:04}ms user={:016x} session={:016x} region=ap-northeast-1 service=orders version=1.42.0 message=done"}}"#,
            mixed(1),
            mixed(2) % 1000,
            mixed(3),
            mixed(4),
        );
    }
    let _infallible = write!(page, r#"],"nextForwardToken":"{next}","nextBackwardToken":"{first}"}}"#);
    page
}

/// What the documentation asks of a bucket policy.
fn policy() -> String {
    let principal = json!({"Service": format!("logs.{REGION}.amazonaws.com")});
    let statement =
        |action: &str, resource: String| json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource});
    let bucket = format!("arn:aws:s3:::{BUCKET}");
    json!({
        "Version": "2012-10-17",
        "Statement": [statement("s3:GetBucketAcl", bucket.clone()), statement("s3:PutObject", format!("{bucket}/*"))],
    })
    .to_string()
}
