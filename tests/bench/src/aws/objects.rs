//! Amazon S3 in memory: buckets that keep what is put, list it in pages and count the calls.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use hyper::Method;
use hyper::header::HeaderValue;
use percent_encoding::percent_decode_str;
use runtime_api::{Request, Response, response};

use super::source::REGION;
use crate::planted::ETAG;

/// Keys in a page of a listing.
const PAGE: usize = 1_000;
const XML: &str = "application/xml";

#[derive(Clone, Debug)]
struct Object {
    body: Bytes,
    modified: DateTime<Utc>,
}

/// By path: the bucket, a slash and the key.
#[derive(Debug, Default)]
pub struct Objects {
    by_path: BTreeMap<String, Object>,
    calls: BTreeMap<&'static str, u64>,
}

impl Objects {
    pub fn put(&mut self, bucket: &str, key: &str, body: Bytes) {
        self.put_at(bucket, key, body, Utc::now());
    }

    /// As it was put at some time.
    pub fn put_at(&mut self, bucket: &str, key: &str, body: Bytes, modified: DateTime<Utc>) {
        self.by_path.insert(format!("{bucket}/{key}"), Object { body, modified });
    }

    pub fn get(&self, bucket: &str, key: &str) -> Option<&Bytes> {
        self.by_path.get(&format!("{bucket}/{key}")).map(|object| &object.body)
    }

    pub fn bodies_of(&self, ending: &str) -> impl Iterator<Item = &Bytes> {
        self.by_path.iter().filter(move |(path, _)| path.ends_with(ending)).map(|(_, object)| &object.body)
    }

    /// Calls so far, by their operation.
    pub fn calls(&self) -> &BTreeMap<&'static str, u64> {
        &self.calls
    }

    pub fn respond(&mut self, request: Request) -> Response {
        let path = percent_decode_str(request.uri().path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
        let query = request.uri().query().unwrap_or_default();
        let is_object = path.contains('/') && !path.ends_with('/');
        let operation = match (request.method(), is_object) {
            (&Method::GET, true) => "GetObject",
            (&Method::GET, false) => "ListObjectsV2",
            (&Method::PUT, _) => "PutObject",
            (&Method::DELETE, _) => "DeleteObject",
            _ => "HeadBucket",
        };
        *self.calls.entry(operation).or_default() += 1;
        match operation {
            "GetObject" => match self.by_path.get(&path) {
                Some(object) => tagged(response(200, "application/json", object.body.clone())),
                None => response(404, XML, "<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>"),
            },
            "ListObjectsV2" => response(200, XML, self.list(path.trim_end_matches('/'), query)),
            "PutObject" => {
                self.by_path.insert(path, Object { body: request.into_body(), modified: Utc::now() });
                tagged(response(200, XML, ""))
            }
            "DeleteObject" => {
                self.by_path.remove(&path);
                response(204, XML, "")
            }
            _ => {
                let mut found = response(200, XML, "");
                found.headers_mut().insert("x-amz-bucket-region", HeaderValue::from_static(REGION));
                found
            }
        }
    }

    /// The token is the last key of the page before. No key here has a character that XML or a URL would change.
    fn list(&self, bucket: &str, query: &str) -> String {
        let parameter = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned())
        };
        let beginning = format!("{bucket}/{}", parameter("prefix").unwrap_or_default());
        let from = match parameter("continuation-token").or_else(|| parameter("start-after")) {
            Some(last) => Bound::Excluded(format!("{bucket}/{last}")),
            None => Bound::Included(beginning.clone()),
        };
        let mut keys = self.by_path.range((from, Bound::Unbounded)).take_while(|(path, _)| path.starts_with(&beginning));
        let mut page = String::from("<ListBucketResult>");
        let (mut last, mut count) = ("", 0);
        for (path, Object { body, modified }) in keys.by_ref().take(PAGE) {
            last = &path[bucket.len() + 1..];
            count += 1;
            let etag = ETAG.replace('"', "&quot;");
            // A String takes whatever is written to it.
            let (size, modified) = (body.len(), modified.to_rfc3339_opts(SecondsFormat::Millis, true));
            let _infallible = write!(
                page,
                "<Contents><Key>{last}</Key><LastModified>{modified}</LastModified><Size>{size}</Size><ETag>{etag}</ETag></Contents>"
            );
        }
        let token = if keys.next().is_some() { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
        let _infallible =
            write!(page, "<KeyCount>{count}</KeyCount><IsTruncated>{}</IsTruncated>{token}</ListBucketResult>", !token.is_empty());
        page
    }
}

fn tagged(mut response: Response) -> Response {
    response.headers_mut().insert("etag", HeaderValue::from_static(ETAG));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_have_pages_of_a_thousand_and_end_without_a_token() {
        let mut objects = Objects::default();
        for index in 0..1_001 {
            objects.put("b", &format!("a={index:04}"), Bytes::new());
        }
        objects.put("b", "c", Bytes::new());
        let first = objects.list("b", "list-type=2&prefix=a%3D");
        assert!(first.contains("<IsTruncated>true</IsTruncated><NextContinuationToken>a=0999</NextContinuationToken>"), "{first}");
        let second = objects.list("b", "prefix=a%3D&continuation-token=a%3D0999");
        assert_eq!((second.matches("<Key>").count(), second.contains("NextContinuationToken")), (1, false), "{second}");
        assert_eq!(objects.list("b", "prefix=d").matches("<Key>").count(), 0);
    }
}
