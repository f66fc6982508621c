//! The journal of all requests, with caller, operation and resource. Tests compare a role's permissions with it.

use std::collections::VecDeque;

use hyper::header::USER_AGENT;
use hyper::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::now_millis;
use crate::s3;
use crate::scope::CredentialScope;

/// The maximum number of requests. The oldest are dropped.
const MAX_REQUESTS: usize = 10_000;

/// A request. An unreadable member is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordedRequest {
    time: i64,
    /// The application name that the SDK sends.
    app: Option<String>,
    account_id: Option<String>,
    region: Option<String>,
    /// The service in the signature: `logs`, `s3`, `states`.
    service: Option<String>,
    operation: Option<String>,
    method: String,
    path: String,
    resource: Resource,
}

/// The resource that a request names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(alias = "destination", skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(alias = "destinationPrefix", skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_group_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_group_name_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_stream_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<String>,
}

impl RecordedRequest {
    pub(crate) fn parse(parts: &Parts, body: &[u8]) -> Self {
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let scope = CredentialScope::read(&parts.headers).ok();
        let (operation, resource) = match (header("x-amz-target"), scope.as_ref().map(|scope| scope.service.as_str())) {
            // AWS JSON, such as `Logs_20140328.DescribeLogGroups`.
            (Some(target), _) => (target.rsplit('.').next().map(str::to_owned), serde_json::from_slice(body).unwrap_or_default()),
            (None, Some("s3")) => (s3::operation(parts).map(|operation| operation.name.to_owned()), s3_resource(parts)),
            _ => (None, Resource::default()),
        };
        Self {
            time: now_millis(),
            app: header(USER_AGENT.as_str()).and_then(app),
            account_id: scope.as_ref().and_then(CredentialScope::account).map(str::to_owned),
            region: scope.as_ref().map(|scope| scope.region.clone()),
            service: scope.map(|scope| scope.service),
            operation,
            method: parts.method.to_string(),
            path: parts.uri.to_string(),
            resource,
        }
    }
}

fn app(user_agent: &str) -> Option<String> {
    user_agent.split(' ').find_map(|part| part.strip_prefix("app/")).map(str::to_owned)
}

fn s3_resource(parts: &Parts) -> Resource {
    let (bucket, key) = s3::bucket_and_key(parts);
    Resource { bucket, key, prefix: s3::parameter(parts, "prefix"), ..Resource::default() }
}

#[derive(Default)]
pub(crate) struct Requests {
    newest: VecDeque<RecordedRequest>,
    forgotten: u64,
}

impl Requests {
    pub(crate) fn record(&mut self, request: RecordedRequest) {
        if self.newest.len() == MAX_REQUESTS {
            self.newest.pop_front();
            self.forgotten += 1;
        }
        self.newest.push_back(request);
    }

    pub(crate) fn describe(&self) -> Value {
        json!({ "requests": self.newest, "forgotten": self.forgotten })
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::{MAX_REQUESTS, RecordedRequest, Requests};

    fn read(path: &str, headers: &[(&str, &str)], body: &str) -> RecordedRequest {
        let request =
            headers.iter().fold(Request::builder().method("POST").uri(path), |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        RecordedRequest::parse(&parts, body.as_bytes())
    }

    #[test]
    fn an_unreadable_member_is_absent() {
        let recorded = read("/x?y", &[("user-agent", "curl/8"), ("authorization", "Basic abc")], "[");
        let absent = (&recorded.app, &recorded.account_id, &recorded.region, &recorded.service, &recorded.operation);
        assert_eq!(absent, (&None, &None, &None, &None, &None));
        assert_eq!((recorded.method.as_str(), recorded.path.as_str()), ("POST", "/x?y"));
        let recorded = read("/", &[("x-amz-target", "Logs_20140328.DescribeLogGroups")], r#"{"logGroupNamePrefix": 1}"#);
        assert_eq!((recorded.operation.as_deref(), recorded.resource), (Some("DescribeLogGroups"), Default::default()));
    }

    #[test]
    fn the_oldest_requests_are_dropped_and_counted() {
        let mut requests = Requests::default();
        for number in 0..MAX_REQUESTS + 2 {
            requests.record(read(&format!("/{number}"), &[], ""));
        }
        assert_eq!((requests.newest.len(), requests.forgotten), (MAX_REQUESTS, 2));
        assert_eq!(requests.newest.front().map(|request| request.path.as_str()), Some("/2"));
    }
}
