//! The test server behind the stand-in: CloudWatch Logs that generates the events of each response, Amazon S3 in memory, CloudFormation with
//! one stack, and Amazon SNS, which accepts every notification.

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
use crate::fixtures::{S3_PREFIX, TIMEZONE};
use crate::month;

pub const LOG_GROUP: &str = "/bench/stand-in";
pub const BUCKET: &str = "bench-archive";
pub const WORK_BUCKET: &str = "bench-work";
pub const REGION: &str = "ap-northeast-1";
pub const ACCOUNT: &str = "000000000000";
const EVENTS_PER_PAGE: usize = 10_000;
const LOG_GROUPS_PER_PAGE: usize = 50;

/// The contents of CloudWatch Logs. All log groups have the same streams and events.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Sorted by name.
    pub log_groups: Vec<String>,
    pub created: i64,
    /// The events of one log group, over all its streams.
    pub events: usize,
    pub streams: usize,
    /// The milliseconds between two events of a log stream.
    pub event_interval: i64,
}

impl Contents {
    /// [`LOG_GROUP`] alone.
    pub fn one_log_group(events: usize) -> Self {
        Self::log_groups(vec![LOG_GROUP.to_owned()], month::CREATED, events)
    }

    /// Each has ten log streams.
    pub fn log_groups(log_groups: Vec<String>, created: i64, events: usize) -> Self {
        Self { log_groups, created, events, streams: 10, event_interval: 1 }
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
        let server = TestServer::start({
            let (objects, calls) = (Arc::clone(&objects), Arc::clone(&calls));
            async move |request| {
                calls.fetch_add(1, Ordering::Relaxed);
                respond(request, &contents, &objects)
            }
        })?;
        Ok(Self { server, objects, calls })
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn objects(&self) -> MutexGuard<'_, Objects> {
        lock(&self.objects)
    }

    /// The number of calls to all services.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The number of lines in all exported objects.
    pub fn count_lines(&self) -> Result<usize> {
        let objects = self.objects();
        let mut lines = 0;
        for body in objects.bodies_by_suffix(".gz") {
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
        "GetLogEvents" => json(stream_page(&input(), contents)),
        "FilterLogEvents" => json(log_group_page(&input(), contents)),
        "GET" if request.uri().query() == Some("policy") => response(200, "application/json", policy()),
        "GET" | "HEAD" | "PUT" | "DELETE" => lock(objects).respond(request),
        // CloudFormation and Amazon SNS use the query protocol.
        "POST" if request.body().starts_with(b"Action=DescribeStacks") => response(200, "text/xml", stack_description()),
        "POST" => response(200, "text/xml", "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"),
        other => response(400, "application/x-amz-json-1.1", json!({"__type": "UnknownOperationException", "message": other}).to_string()),
    }
}

/// The token of every listing is the index of the next item.
fn first_index(input: &Value) -> Option<usize> {
    input["nextToken"].as_str()?.parse().ok()
}

/// A page of DescribeLogGroups, selected by prefix or by names.
fn log_groups(input: &Value, contents: &Contents) -> String {
    let prefix = input["logGroupNamePrefix"].as_str().unwrap_or_default();
    let names = input["logGroupIdentifiers"].as_array();
    let is_selected =
        |name: &&String| name.starts_with(prefix) && names.is_none_or(|names| names.iter().any(|other| other == name.as_str()));
    let first = first_index(input).unwrap_or(0);
    let mut selected = contents.log_groups.iter().filter(is_selected).skip(first);
    let group = |name: &String| json!({"logGroupName": name, "creationTime": contents.created, "logGroupClass": "STANDARD"});
    let page: Vec<Value> = selected.by_ref().take(LOG_GROUPS_PER_PAGE).map(group).collect();
    let mut answer = json!({"logGroups": page});
    if selected.next().is_some() {
        answer["nextToken"] = (first + LOG_GROUPS_PER_PAGE).to_string().into();
    }
    answer.to_string()
}

/// A page of GetLogEvents, the oldest event first.
fn stream_page(input: &Value, contents: &Contents) -> String {
    let first = first_index(input).unwrap_or(0);
    let limit = input["limit"].as_u64().unwrap_or(EVENTS_PER_PAGE as u64) as usize;
    let next = (contents.events / contents.streams).min(first + limit);
    let mut page = String::from(r#"{"events":["#);
    for index in first..next {
        let comma = if index == first { "" } else { "," };
        let timestamp = month::FROM + index as i64 * contents.event_interval;
        // Writing to a String cannot fail.
        let _infallible = write!(page, r#"{comma}{{"timestamp":{timestamp},"ingestionTime":{timestamp},"message":"#);
        write_message(&mut page, index);
        page.push('}');
    }
    let _infallible = write!(page, r#"],"nextForwardToken":"{next}","nextBackwardToken":"{first}"}}"#);
    page
}

/// A page of FilterLogEvents: the first event of each log stream, then the second of each, and so on.
fn log_group_page(input: &Value, contents: &Contents) -> String {
    let index_at = |millis: i64| ((millis - month::FROM).max(0) as u64).div_ceil(contents.event_interval as u64) as usize;
    let last = contents.events / contents.streams;
    let [begin, end] = [input["startTime"].as_i64().unwrap_or(0), input["endTime"].as_i64().unwrap_or(i64::MAX / 2) + 1];
    let [begin, end] = [begin, end].map(|millis| index_at(millis).min(last) * contents.streams);
    let first = first_index(input).unwrap_or(begin);
    let next = end.min(first + EVENTS_PER_PAGE);
    let mut page = String::from(r#"{"searchedLogStreams":[],"events":["#);
    for number in first..next {
        let comma = if number == first { "" } else { "," };
        let (index, stream) = (number / contents.streams, number % contents.streams);
        let timestamp = month::FROM + index as i64 * contents.event_interval;
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

/// Writes a message as a JSON string. It has some 200 bytes, and half of them compress well, as in real logs.
fn write_message(page: &mut String, index: usize) {
    // A hash of the index: the golden ratio in 64 bits spreads consecutive numbers.
    let hash = |salt: u64| (index as u64 ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let _infallible = write!(
        page,
        r#""INFO request {:016x} path=/api/v1/orders/{index:08} status=200 duration={:04}ms user={:016x} session={:016x} region=ap-northeast-1 service=orders version=1.42.0 message=done""#,
        hash(1),
        hash(2) % 1000,
        hash(3),
        hash(4),
    );
}

/// DescribeStacks' answer for the deployed stack, which the operator's tool reads.
fn stack_description() -> String {
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

/// The bucket policy that AWS documents for exports.
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
