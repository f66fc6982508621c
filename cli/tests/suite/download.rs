//! Interrupted downloads.

use std::sync::{Arc, Mutex};

use archive::s3_client;
use aws_sdk_s3::Client;
use logs_archive::events::{exported::read_records, records::Record};
use tokio::io::{AsyncWriteExt, BufReader};

use crate::endpoint::{listen, read_headers, sdk_config};

const ETAG: &str = "\"0123\"";
const TEXT: &str = "2026-10-04T00:00:00.001Z one\n2026-10-04T00:00:00.002Z two\n2026-10-04T00:00:00.003Z three\n";

/// An S3 with one object. It sends the given number of bytes for each request, and then closes the connection. Returns a client, and
/// the `Range` and `If-Match` of each request.
async fn interrupted_s3(sends: &'static [usize], is_replaced: bool) -> (Client, Arc<Mutex<Vec<[String; 2]>>>) {
    let (listener, endpoint) = listen().await;
    let requests: Arc<Mutex<Vec<[String; 2]>>> = Arc::default();
    let recorded = Arc::clone(&requests);
    tokio::spawn(async move {
        for sends in sends {
            let (connection, _) = listener.accept().await.expect("a connection");
            let mut connection = BufReader::new(connection);
            let headers = read_headers(&mut connection).await;
            let conditions = ["range", "if-match"].map(|name| headers.get(name).cloned().unwrap_or_default());
            let from = conditions[0].trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0);
            let is_refused = is_replaced && from > 0;
            recorded.lock().expect("no test has panicked").push(conditions);
            let rest = if is_refused { "<Error><Code>PreconditionFailed</Code></Error>" } else { &TEXT[from..] };
            let status = if is_refused { 412 } else { 200 };
            let head = format!("HTTP/1.1 {status} \r\netag: {ETAG}\r\ncontent-length: {}\r\n\r\n", rest.len());
            let answer = [head.as_bytes(), &rest.as_bytes()[..rest.len().min(*sends)]].concat();
            connection.write_all(&answer).await.expect("the client reads");
        }
    });
    (s3_client(&sdk_config(endpoint)), requests)
}

/// The messages of the object, and the problem.
async fn read(client: &Client) -> (Vec<String>, String) {
    let mut messages = Vec::new();
    let visit = |record: Record| messages.push(String::from_utf8_lossy(record.message()).into_owned());
    let problem = match read_records(client, "bucket", "key", None, visit).await {
        Ok(Ok(())) => String::new(),
        Ok(Err(problem)) => format!("{problem:?}"),
        Err(failure) => failure.to_string(),
    };
    (messages, problem)
}

#[tokio::test]
async fn an_interrupted_download_continues() {
    // The second response has no body.
    let (client, requests) = interrupted_s3(&[40, 0, 20, 1000], false).await;
    assert_eq!(read(&client).await, (["one", "two", "three"].map(str::to_owned).to_vec(), String::new()));
    let rest = |from: usize| [format!("bytes={from}-"), ETAG.to_owned()];
    assert_eq!(*requests.lock().expect("no test has panicked"), [[String::new(), String::new()], rest(40), rest(40), rest(60)]);
}

#[tokio::test]
async fn too_many_interruptions_are_a_failure() {
    let (client, requests) = interrupted_s3(&[60, 0, 0, 0], false).await;
    let (messages, problem) = read(&client).await;
    assert!(messages == ["one"] && problem.contains("GetObject got no answer: the download was interrupted"), "{messages:?} {problem}");
    assert_eq!(requests.lock().expect("no test has panicked").len(), 4);
}

#[tokio::test]
async fn an_object_replaced_during_the_download_is_an_error() {
    let (client, _) = interrupted_s3(&[60, 1000], true).await;
    let (messages, problem) = read(&client).await;
    assert!(
        messages == ["one"] && problem.contains("object key was replaced while it was read: repeat the command"),
        "{messages:?} {problem}"
    );
}
