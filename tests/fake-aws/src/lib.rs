//! AWS in memory, as an HTTP connector of the SDK's clients. Tests set its contents and its errors, and read its calls.
//!
//! It is as difficult as the real one: every listing starts with an empty page that is not the last, and the other pages have two items.

mod fixtures;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub use fixtures::{EXECUTION, FROM, NOW, STACK, TO, days, manifest, merged, october, open_path_of, open_window, path_of, stack, task};

#[derive(Clone, Default)]
pub struct Aws(Arc<Mutex<State>>);

#[derive(Default)]
pub struct State {
    /// The bodies by bucket and key, such as `archive/logs/runs/x.json`.
    pub objects: BTreeMap<String, Vec<u8>>,
    pub log_groups: Vec<Value>,
    /// The same for every log group.
    pub log_streams: Vec<Value>,
    /// The events of FilterLogEvents, the same for every log group.
    pub log_events: Vec<Value>,
    pub export_tasks: Vec<Value>,
    /// The inputs of schedules by their names.
    pub schedules: BTreeMap<String, String>,
    calls: Vec<Call>,
    errors: Vec<InjectedError>,
    events: Vec<(String, Event)>,
}

#[derive(Debug, Clone)]
pub struct Call {
    /// The operation. For S3: LIST, NEXT (a further page), GET, PUT or DELETE, and the path.
    pub name: String,
    pub body: Value,
}

struct InjectedError {
    /// The prefix of the calls that fail.
    call: String,
    response: ErrorResponse,
    is_once: bool,
}

#[derive(Clone, Copy)]
struct ErrorResponse {
    status: u16,
    code: &'static str,
    message: &'static str,
}

type Event = Box<dyn FnOnce(&mut State) + Send>;

impl State {
    /// From now on, every call with this prefix fails with an HTTP status, a code and a message.
    pub fn refuse(&mut self, call: &str, status: u16, code: &'static str, message: &'static str) {
        self.errors.push(InjectedError { call: call.to_owned(), response: ErrorResponse { status, code, message }, is_once: false });
    }

    /// The next call with this prefix fails.
    pub fn refuse_once(&mut self, call: &str, status: u16, code: &'static str, message: &'static str) {
        self.errors.push(InjectedError { call: call.to_owned(), response: ErrorResponse { status, code, message }, is_once: true });
    }

    /// Changes the state once, before the next call with this prefix.
    pub fn before(&mut self, call: &str, event: impl FnOnce(&mut Self) + Send + 'static) {
        self.events.push((call.to_owned(), Box::new(event)));
    }

    pub fn put(&mut self, path: &str, object: &Value) {
        self.objects.insert(path.to_owned(), object.to_string().into_bytes());
    }

    /// Records a call. Returns its injected error, if it has one.
    fn record(&mut self, name: &str, body: Value) -> Option<ErrorResponse> {
        self.calls.push(Call { name: name.to_owned(), body });
        let (due, later) = std::mem::take(&mut self.events).into_iter().partition(|(call, _)| name.starts_with(call.as_str()));
        self.events = later;
        let due: Vec<(String, Event)> = due;
        due.into_iter().for_each(|(_, event)| event(self));
        let index = self.errors.iter().position(|error| name.starts_with(error.call.as_str()))?;
        let InjectedError { response, is_once, .. } = self.errors[index];
        if is_once {
            self.errors.remove(index);
        }
        Some(response)
    }

    fn answer(&mut self, request: &HttpRequest) -> (u16, Vec<u8>) {
        let body = request.body().bytes().unwrap_or_default();
        match request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next()) {
            Some(operation) => {
                let (status, body) = self.logs(operation, &serde_json::from_slice(body).expect("a request in JSON"));
                (status, body.to_string().into_bytes())
            }
            None if body.starts_with(b"Action=Publish&") => self.sns(&String::from_utf8_lossy(body)),
            None => {
                let (_, rest) = request.uri().trim_start_matches("http://").split_once('/').expect("a path");
                let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
                if let Some(schedule) = path.strip_prefix("schedules/") {
                    return self.schedule(schedule);
                }
                let condition = ["if-match", "if-none-match"].into_iter().find_map(|name| request.headers().get(name));
                self.s3(request.method(), &decode(path), &parameters(query), body, condition)
            }
        }
    }

    fn logs(&mut self, operation: &str, request: &Value) -> (u16, Value) {
        if let Some(ErrorResponse { status, code, message }) = self.record(operation, request.clone()) {
            return (status, json!({"__type": code, "message": message}));
        }
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        let is_selected_group = |group: &Value| match request["logGroupIdentifiers"].as_array() {
            Some(names) => names.contains(&group["logGroupName"]),
            None => text(group, "logGroupName").unwrap_or_default().starts_with(request["logGroupNamePrefix"].as_str().unwrap_or_default()),
        };
        let has_prefix = |item: &&Value| {
            text(item, "logStreamName").unwrap_or_default().starts_with(request["logStreamNamePrefix"].as_str().unwrap_or_default())
        };
        let is_in_time_range =
            |event: &&Value| (request["startTime"].as_i64()..=request["endTime"].as_i64()).contains(&event["timestamp"].as_i64());
        let is_selected_task = |task: &Value| request["taskId"].is_null() || task["taskId"] == request["taskId"];
        let token = text(request, "nextToken");
        let answer = match operation {
            "DescribeLogGroups" => page("logGroups", self.log_groups.iter().filter(|group| is_selected_group(group)), token),
            "DescribeLogStreams" => page("logStreams", self.log_streams.iter().filter(has_prefix), token),
            "FilterLogEvents" => page("events", self.log_events.iter().filter(has_prefix).filter(is_in_time_range), token),
            "DescribeExportTasks" => page("exportTasks", self.export_tasks.iter().filter(|task| is_selected_task(task)), token),
            "CreateExportTask" => json!({"taskId": "task-1"}),
            "CancelExportTask" => json!({}),
            other => panic!("{other} is not supported"),
        };
        (200, answer)
    }

    /// `condition` is the ETag of the object that must exist, or `*` if none may exist.
    fn s3(&mut self, method: &str, path: &str, query: &BTreeMap<String, String>, body: &[u8], condition: Option<&str>) -> (u16, Vec<u8>) {
        let token = query.get("continuation-token").cloned();
        let prefix = query.get("prefix").map(|prefix| format!("{}/{prefix}", path.trim_end_matches('/')));
        let name = match &prefix {
            Some(prefix) => format!("{} {prefix}", if token.is_some() { "NEXT" } else { "LIST" }),
            None => format!("{method} {path}"),
        };
        let recorded = serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into());
        let error = |ErrorResponse { status, code, message }| {
            (status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>").into_bytes())
        };
        if let Some(response) = self.record(&name, recorded) {
            return error(response);
        }
        match (method, prefix) {
            (_, Some(prefix)) => (200, self.listing(&prefix, token).into_bytes()),
            ("GET", None) => match self.objects.get(path) {
                Some(bytes) => (200, bytes.clone()),
                None => error(ErrorResponse { status: 404, code: "NoSuchKey", message: "The specified key does not exist." }),
            },
            ("PUT", None) if condition.is_some_and(|etag| self.objects.get(path).map_or("*".into(), |bytes| tag(bytes)) != etag) => {
                let message = "At least one of the pre-conditions you specified did not hold";
                error(ErrorResponse { status: 412, code: "PreconditionFailed", message })
            }
            ("PUT", None) => {
                self.objects.insert(path.to_owned(), body.to_vec());
                // The body of the response only makes the ETag.
                (200, body.to_vec())
            }
            ("DELETE", None) => {
                self.objects.remove(path);
                (204, Vec::new())
            }
            (other, None) => panic!("{other} is not supported"),
        }
    }

    fn listing(&self, prefix: &str, token: Option<String>) -> String {
        let objects = self
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with(prefix))
            .map(|(path, bytes)| json!([path, bytes.len(), String::from_utf8_lossy(bytes)]));
        let objects: Vec<Value> = objects.collect();
        let page = page("objects", objects.iter(), token);
        let contents = page["objects"].as_array().into_iter().flatten().map(|object| {
            let (_, key) = object[0].as_str().and_then(|path| path.split_once('/')).unwrap_or_default();
            let tag = object[2].as_str().unwrap_or_default().replace('"', "&quot;");
            format!("<Contents><Key>{key}</Key><Size>{}</Size><ETag>&quot;{tag}&quot;</ETag></Contents>", object[1])
        });
        let contents: String = contents.collect();
        let next = page["nextToken"].as_str().map(|next| format!("<NextContinuationToken>{next}</NextContinuationToken>"));
        format!("<ListBucketResult><IsTruncated>{}</IsTruncated>{}{contents}</ListBucketResult>", next.is_some(), next.unwrap_or_default())
    }

    fn schedule(&mut self, name: &str) -> (u16, Vec<u8>) {
        let error = self.record("GetSchedule", json!(name));
        let (status, answer) = match (error, self.schedules.get(name)) {
            (Some(ErrorResponse { status, code, message }), _) => (status, json!({"__type": code, "Message": message})),
            (None, Some(input)) => (200, json!({"Name": name, "Target": {"Arn": "arn", "RoleArn": "arn", "Input": input}})),
            (None, None) => (404, json!({"__type": "ResourceNotFoundException", "Message": "no such schedule"})),
        };
        (status, answer.to_string().into_bytes())
    }

    fn sns(&mut self, form: &str) -> (u16, Vec<u8>) {
        match self.record("Publish", json!(parameters(&form.replace('+', "%20")))) {
            Some(ErrorResponse { status, code, message }) => (
                status,
                format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>").into_bytes(),
            ),
            None => (200, b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>".to_vec()),
        }
    }
}

/// The first page is empty. The others have two items.
fn page<'a>(name: &str, items: impl Iterator<Item = &'a Value>, token: Option<String>) -> Value {
    let items: Vec<&Value> = items.collect();
    let Some(at) = token.map(|token| token.parse::<usize>().expect("a token of this server")) else {
        return json!({name: [], "nextToken": "0"});
    };
    let mut page = json!({name: items.iter().skip(at).take(2).collect::<Vec<_>>()});
    if at + 2 < items.len() {
        page["nextToken"] = json!((at + 2).to_string());
    }
    page
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    query.split('&').filter_map(|part| part.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}

impl Aws {
    /// Locks the state. Calls wait until the guard is dropped.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test has panicked in a call")
    }

    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().objects.clone()
    }

    /// A JSON object.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.get(path).map(|bytes| serde_json::from_slice(bytes).expect("the object is JSON"))
    }

    /// The names of the calls that have one of these prefixes.
    pub fn names(&self, prefixes: &[&str]) -> Vec<String> {
        let calls = &self.state().calls;
        calls.iter().map(|call| call.name.clone()).filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect()
    }

    /// The bodies of the calls with this prefix.
    pub fn bodies(&self, prefix: &str) -> Vec<Value> {
        self.state().calls.iter().filter(|call| call.name.starts_with(prefix)).map(|call| call.body.clone()).collect()
    }

    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// The configuration for the SDK's clients.
    pub fn config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("ap-northeast-1"))
            .endpoint_url("http://aws")
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "fake-aws")))
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build()
    }
}

/// The ETag is the object's text.
fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", String::from_utf8_lossy(bytes))
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = self.state().answer(&request);
        let etag = tag(&body);
        let mut response = HttpResponse::new(status.try_into().expect("an HTTP status"), SdkBody::from(body));
        // Only responses of objects need an ETag. A text that is not a valid header value has none.
        let _previous = response.headers_mut().try_insert("etag", etag);
        HttpConnectorFuture::new(async move {
            // All concurrent calls start before the first answer.
            tokio::task::yield_now().await;
            Ok(response)
        })
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aws")
    }
}
