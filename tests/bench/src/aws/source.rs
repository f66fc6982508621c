//! What lies behind the stand-in here: log groups whose events are made up as they are asked for, Amazon S3 in memory, and a topic that
//! takes every notification.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use flate2::read::MultiGzDecoder;
use runtime_api::{Request, Response, TestServer, operation, response};
use serde_json::{Value, json};

use super::objects::Objects;
use crate::month;
use crate::planted::{S3_PREFIX, TIMEZONE};

pub const LOG_GROUP: &str = "/bench/stand-in";
pub const BUCKET: &str = "bench-archive";
pub const WORK_BUCKET: &str = "bench-work";
pub const REGION: &str = "ap-northeast-1";
pub const ACCOUNT: &str = "000000000000";
/// Events in a page, at most.
const PAGE: usize = 10_000;
/// DescribeLogGroups answers so many at once.
const LOG_GROUPS_OF_A_PAGE: usize = 50;

/// What is in CloudWatch Logs.
#[derive(Clone, Debug)]
pub struct Contents {
    /// In the order of their names; each has the same streams and events.
    pub log_groups: Vec<String>,
    pub created: i64,
    /// Of a log group, spread over its streams.
    pub events: usize,
    pub streams: usize,
    /// Milliseconds between two events of a log stream.
    pub step: i64,
}

impl Contents {
    /// [`LOG_GROUP`] alone.
    pub fn one_log_group(events: usize) -> Self {
        Self::log_groups(vec![LOG_GROUP.to_owned()], month::CREATED, events)
    }

    /// With ten log streams.
    pub fn log_groups(log_groups: Vec<String>, created: i64, events: usize) -> Self {
        Self { log_groups, created, events, streams: 10, step: 1 }
    }
}

pub struct Source {
    server: TestServer,
    objects: Arc<Mutex<Objects>>,
    calls: Arc<AtomicU64>,
}

impl Source {
    pub fn start(contents: Contents) -> Result<Self> {
        let objects = Arc::new(Mutex::new(Objects::default()));
        let calls = Arc::new(AtomicU64::new(0));
        let (kept, counted) = (Arc::clone(&objects), Arc::clone(&calls));
        let server = TestServer::start(async move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            respond(request, &contents, &kept)
        })?;
        Ok(Self { server, objects, calls })
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn objects(&self) -> MutexGuard<'_, Objects> {
        lock(&self.objects)
    }

    /// Calls so far, of every service.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Events in the objects that were put.
    pub fn written_lines(&self) -> Result<usize> {
        let objects = self.objects();
        let mut lines = 0;
        for body in objects.bodies_of(".gz") {
            for line in BufReader::new(MultiGzDecoder::new(&body[..])).split(b'\n') {
                line?;
                lines += 1;
            }
        }
        Ok(lines)
    }
}

fn lock(objects: &Mutex<Objects>) -> MutexGuard<'_, Objects> {
    objects.lock().unwrap_or_else(PoisonError::into_inner)
}

fn respond(request: Request, contents: &Contents, objects: &Mutex<Objects>) -> Response {
    let json = |body: String| response(200, "application/x-amz-json-1.1", body);
    let input = || serde_json::from_slice::<Value>(request.body()).unwrap_or_default();
    match operation(&request) {
        "DescribeLogGroups" => json(log_groups(&input(), contents)),
        "DescribeLogStreams" => {
            let streams: Vec<Value> = (0..contents.streams).map(|index| json!({"logStreamName": format!("stream-{index:02}")})).collect();
            json(json!({"logStreams": streams}).to_string())
        }
        "GetLogEvents" => json(page(&input(), contents)),
        "FilterLogEvents" => json(filtered(&input(), contents)),
        "GET" if request.uri().query() == Some("policy") => response(200, "application/json", policy()),
        "GET" | "HEAD" | "PUT" | "DELETE" => lock(objects).respond(request),
        // CloudFormation and Amazon SNS speak the query protocol.
        "POST" if request.body().starts_with(b"Action=DescribeStacks") => response(200, "text/xml", described_stack()),
        "POST" => response(200, "text/xml", "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"),
        other => response(400, "application/x-amz-json-1.1", json!({"__type": "UnknownOperationException", "message": other}).to_string()),
    }
}

/// By prefix or by names; the token is the place of the next one.
fn log_groups(input: &Value, contents: &Contents) -> String {
    let prefix = input["logGroupNamePrefix"].as_str().unwrap_or_default();
    let named = input["logGroupIdentifiers"].as_array();
    let is_asked = |name: &&String| name.starts_with(prefix) && named.is_none_or(|named| named.iter().any(|one| *one == name.as_str()));
    let first = input["nextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let mut asked = contents.log_groups.iter().filter(is_asked).skip(first);
    let group = |name: &String| json!({"logGroupName": name, "creationTime": contents.created, "logGroupClass": "STANDARD"});
    let page: Vec<Value> = asked.by_ref().take(LOG_GROUPS_OF_A_PAGE).map(group).collect();
    let mut answer = json!({"logGroups": page});
    if asked.next().is_some() {
        answer["nextToken"] = (first + LOG_GROUPS_OF_A_PAGE).to_string().into();
    }
    answer.to_string()
}

/// A page of GetLogEvents from the head: its token is the number of the next event.
fn page(input: &Value, contents: &Contents) -> String {
    let first = input["nextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let limit = input["limit"].as_u64().unwrap_or(PAGE as u64) as usize;
    let next = (contents.events / contents.streams).min(first + limit);
    let mut page = String::from(r#"{"events":["#);
    for index in first..next {
        let comma = if index == first { "" } else { "," };
        let timestamp = month::FROM + index as i64 * contents.step;
        // A String takes whatever is written to it.
        let _infallible = write!(page, r#"{comma}{{"timestamp":{timestamp},"ingestionTime":{timestamp},"message":"#);
        write_message(&mut page, index);
        page.push('}');
    }
    let _infallible = write!(page, r#"],"nextForwardToken":"{next}","nextBackwardToken":"{first}"}}"#);
    page
}

/// A page of FilterLogEvents: one event of each log stream after another. Its token is the number of the next event.
fn filtered(input: &Value, contents: &Contents) -> String {
    let index_from = |millis: i64| ((millis - month::FROM).max(0) as u64).div_ceil(contents.step as u64) as usize;
    let last = contents.events / contents.streams;
    let [begin, end] = [input["startTime"].as_i64().unwrap_or(0), input["endTime"].as_i64().unwrap_or(i64::MAX / 2) + 1];
    let [begin, end] = [begin, end].map(|millis| index_from(millis).min(last) * contents.streams);
    let first = input["nextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(begin);
    let next = end.min(first + PAGE);
    let mut page = String::from(r#"{"searchedLogStreams":[],"events":["#);
    for number in first..next {
        let comma = if number == first { "" } else { "," };
        let (index, stream) = (number / contents.streams, number % contents.streams);
        let timestamp = month::FROM + index as i64 * contents.step;
        let _infallible = write!(
            page,
            r#"{comma}{{"logStreamName":"stream-{stream:02}","eventId":"{number:056}","timestamp":{timestamp},"ingestionTime":{timestamp},"message":"#
        );
        write_message(&mut page, index);
        page.push('}');
    }
    page.push(']');
    if next < end {
        let _infallible = write!(page, r#","nextToken":"{next}""#);
    }
    page + "}"
}

/// As JSON: some 200 bytes, half of which compress well, as those of real logs.
fn write_message(page: &mut String, index: usize) {
    let mixed = |salt: u64| (index as u64 ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let _infallible = write!(
        page,
        r#""INFO request {:016x} path=/api/v1/orders/{index:08} status=200 duration={:04}ms user={:016x} session={:016x} region=ap-northeast-1 service=orders version=1.42.0 message=done""#,
        mixed(1),
        mixed(2) % 1000,
        mixed(3),
        mixed(4),
    );
}

/// The deployed stack, as the operator's tool finds it.
fn described_stack() -> String {
    let member =
        |kind: &str, (key, value): (&str, &str)| format!("<member><{kind}Key>{key}</{kind}Key><{kind}Value>{value}</{kind}Value></member>");
    let prefix = format!("{S3_PREFIX}/");
    let outputs = [
        ("StateMachineArn", "arn:aws:states:ap-northeast-1:000000000000:stateMachine:bench"),
        ("ArchiveBucketName", BUCKET),
        ("ArchivePrefix", &prefix),
        ("WorkBucketName", WORK_BUCKET),
        ("NotificationTopicArn", "arn:aws:sns:ap-northeast-1:000000000000:bench"),
        ("PlanExportsFunctionName", "plan"),
        ("CreateExportTaskFunctionName", "create"),
        ("CheckExportTaskFunctionName", "check"),
        ("ReportArchiveFunctionName", "report"),
        ("ScheduleName", "bench"),
    ];
    let outputs: String = outputs.map(|output| member("Output", output)).concat();
    let parameters: String = [("TimeZone", TIMEZONE), ("SettleDays", "0")].map(|parameter| member("Parameter", parameter)).concat();
    format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks><member>\
         <StackId>arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/bench/1</StackId><StackName>bench</StackName>\
         <CreationTime>2024-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{outputs}</Outputs>\
         <Parameters>{parameters}</Parameters></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
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
