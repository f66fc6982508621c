//! Downloads that break off.

use std::sync::{Arc, Mutex};

use archive::s3_client;
use aws_sdk_s3::Client;
use logs_archive::events::{exported::records, records::Record};
use tokio::io::{AsyncWriteExt, BufReader};

use crate::endpoint::{listen, read_headers, sdk_config};

const ETAG: &str = "\"0123\"";
const TEXT: &str = "2026-10-04T00:00:00.001Z one\n2026-10-04T00:00:00.002Z two\n2026-10-04T00:00:00.003Z three\n";

/// An S3 with one object. It sends as many bytes for each request as told, and then closes the connection. Returns a client, and what
/// each request asked for: its `Range` and `If-Match`.
async fn breaking_s3(sends: &'static [usize], is_replaced: bool) -> (Client, Arc<Mutex<Vec<[String; 2]>>>) {
    let (listener, endpoint) = listen().await;
    let requests: Arc<Mutex<Vec<[String; 2]>>> = Arc::default();
    let asked = Arc::clone(&requests);
    tokio::spawn(async move {
        for sends in sends {
            let (connection, _) = listener.accept().await.expect("a connection");
            let mut connection = BufReader::new(connection);
            let headers = read_headers(&mut connection).await;
            let conditions = ["range", "if-match"].map(|name| headers.get(name).cloned().unwrap_or_default());
            let from = conditions[0].trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0);
            let is_refused = is_replaced && from > 0;
            asked.lock().expect("no test has panicked").push(conditions);
            let rest = if is_refused { "<Error><Code>PreconditionFailed</Code></Error>" } else { &TEXT[from..] };
            let status = if is_refused { 412 } else { 200 };
            let head = format!("HTTP/1.1 {status} \r\netag: {ETAG}\r\ncontent-length: {}\r\n\r\n", rest.len());
            let answer = [head.as_bytes(), &rest.as_bytes()[..rest.len().min(*sends)]].concat();
            connection.write_all(&answer).await.expect("the client reads");
        }
    });
    (s3_client(&sdk_config(endpoint)), requests)
}

/// The messages of the object, and what is wrong.
async fn read(client: &Client) -> (Vec<String>, String) {
    let mut messages = Vec::new();
    let visit = |record: Record| messages.push(String::from_utf8_lossy(record.message()).into_owned());
    let wrong = match records(client, "bucket", "key", None, visit).await {
        Ok(Ok(())) => String::new(),
        Ok(Err(unread)) => format!("{unread:?}"),
        Err(failure) => failure.to_string(),
    };
    (messages, wrong)
}

#[tokio::test]
async fn it_goes_on_where_it_broke_off() {
    // The second answer has its head alone.
    let (client, requests) = breaking_s3(&[40, 0, 20, 1000], false).await;
    assert_eq!(read(&client).await, (["one", "two", "three"].map(str::to_owned).to_vec(), String::new()));
    let rest = |from: usize| [format!("bytes={from}-"), ETAG.to_owned()];
    assert_eq!(*requests.lock().expect("no test has panicked"), [[String::new(), String::new()], rest(40), rest(40), rest(60)]);
}

#[tokio::test]
async fn what_breaks_off_again_and_again_is_a_failure() {
    let (client, requests) = breaking_s3(&[60, 0, 0, 0], false).await;
    let (messages, wrong) = read(&client).await;
    assert!(messages == ["one"] && wrong.contains("GetObject got no answer: the answer broke off"), "{messages:?} {wrong}");
    assert_eq!(requests.lock().expect("no test has panicked").len(), 4);
}

#[tokio::test]
async fn parts_of_two_objects_are_not_put_together() {
    let (client, _) = breaking_s3(&[60, 1000], true).await;
    let (messages, wrong) = read(&client).await;
    assert!(messages == ["one"] && wrong.contains("object key was replaced while it was read: repeat the command"), "{messages:?} {wrong}");
}
