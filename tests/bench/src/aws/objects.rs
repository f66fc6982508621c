//! Amazon S3 in memory. It stores objects, lists them in pages, and counts the calls.

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
use crate::fixtures::ETAG;

const KEYS_PER_PAGE: usize = 1_000;
const XML: &str = "application/xml";

#[derive(Clone, Debug)]
struct Object {
    body: Bytes,
    modified: DateTime<Utc>,
}

#[derive(Debug, Default)]
pub struct Objects {
    /// A path is the bucket, a slash and the key.
    by_path: BTreeMap<String, Object>,
    calls: u64,
}

impl Objects {
    pub fn put(&mut self, bucket: &str, key: &str, body: Bytes) {
        self.put_at(bucket, key, body, Utc::now());
    }

    pub fn put_at(&mut self, bucket: &str, key: &str, body: Bytes, modified: DateTime<Utc>) {
        self.by_path.insert(format!("{bucket}/{key}"), Object { body, modified });
    }

    pub fn get(&self, bucket: &str, key: &str) -> Option<&Bytes> {
        self.by_path.get(&format!("{bucket}/{key}")).map(|object| &object.body)
    }

    pub fn bodies_by_suffix(&self, suffix: &str) -> impl Iterator<Item = &Bytes> {
        self.by_path.iter().filter(move |(path, _)| path.ends_with(suffix)).map(|(_, object)| &object.body)
    }

    pub fn calls(&self) -> u64 {
        self.calls
    }

    pub fn respond(&mut self, request: Request) -> Response {
        let path = percent_decode_str(request.uri().path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
        let query = request.uri().query().unwrap_or_default();
        let is_object = path.contains('/') && !path.ends_with('/');
        self.calls += 1;
        match (request.method(), is_object) {
            (&Method::GET, true) => match self.by_path.get(&path) {
                Some(object) => with_etag(response(200, "application/json", object.body.clone())),
                None => response(404, XML, "<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>"),
            },
            (&Method::GET, false) => response(200, XML, self.list(path.trim_end_matches('/'), query)),
            (&Method::PUT, _) => {
                self.by_path.insert(path, Object { body: request.into_body(), modified: Utc::now() });
                with_etag(response(200, XML, ""))
            }
            (&Method::DELETE, _) => {
                self.by_path.remove(&path);
                response(204, XML, "")
            }
            // HeadBucket.
            _ => {
                let mut head = response(200, XML, "");
                head.headers_mut().insert("x-amz-bucket-region", HeaderValue::from_static(REGION));
                head
            }
        }
    }

    /// A page of ListObjectsV2. Its token is its last key. No key in the benchmark needs escapes in XML or in a URL.
    fn list(&self, bucket: &str, query: &str) -> String {
        let parameter = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned())
        };
        let prefix = format!("{bucket}/{}", parameter("prefix").unwrap_or_default());
        let from = match parameter("continuation-token").or_else(|| parameter("start-after")) {
            Some(last) => Bound::Excluded(format!("{bucket}/{last}")),
            None => Bound::Included(prefix.clone()),
        };
        let mut keys = self.by_path.range((from, Bound::Unbounded)).take_while(|(path, _)| path.starts_with(&prefix));
        let mut page = String::from("<ListBucketResult>");
        let (mut last, mut count) = ("", 0);
        for (path, Object { body, modified }) in keys.by_ref().take(KEYS_PER_PAGE) {
            last = &path[bucket.len() + 1..];
            count += 1;
            let etag = ETAG.replace('"', "&quot;");
            // Writing to a String cannot fail.
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

fn with_etag(mut response: Response) -> Response {
    response.headers_mut().insert("etag", HeaderValue::from_static(ETAG));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_has_pages_of_1000_keys_and_the_last_page_has_no_token() {
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
