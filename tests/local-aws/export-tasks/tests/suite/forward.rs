//! The stand-in forwards all other requests unchanged.

use aws_sdk_s3::primitives::ByteStream;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::stand_in::{StandIn, error, error_of, unique_name};

/// Sends bytes through a stand-in to a listener that answers with fixed bytes. Returns the bytes that each end received.
async fn exchange(request: &[u8], answer: &'static [u8]) -> (String, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let stand_in = StandIn::in_front_of(listener.local_addr().unwrap()).await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        while !is_complete(&received) {
            assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0);
        }
        stream.write_all(answer).await.unwrap();
        String::from_utf8(received).unwrap()
    });
    let mut stream = TcpStream::connect(stand_in.addr).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answered = Vec::new();
    stream.read_to_end(&mut answered).await.unwrap();
    (upstream.await.unwrap(), String::from_utf8(answered).unwrap())
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    body.len() >= length
}

#[tokio::test]
async fn method_path_query_headers_and_body_pass_unchanged() {
    let request = b"PROPFIND /b%2fc//d/..%20/%E6%97%A5?x=%2B+1&&y&list-type=2 HTTP/1.1\r\nHost: bucket.localhost:1234\r\nX-Twice: 1\r\n\
        X-Twice: 2\r\nx-amz-Meta-A: caf\xc3\xa9\r\ncontent-length: 5\r\nConnection: close, x-private\r\nX-Private: hop\r\n\r\nhello";
    let answer = b"HTTP/1.1 299 OK\r\nX-Reply: a\r\nX-Reply: b\r\nSet-Cookie: c\r\ncontent-length: 3\r\nkeep-alive: timeout=5\r\n\r\nbye";
    let (received, answered) = exchange(request, answer).await;
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!(lines.remove(0), "PROPFIND /b%2fc//d/..%20/%E6%97%A5?x=%2B+1&&y&list-type=2 HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(lines, ["Host: bucket.localhost:1234", "X-Twice: 1", "X-Twice: 2", "content-length: 5", "x-amz-Meta-A: café"]);
    assert_eq!(body, "hello");

    let (head, body) = answered.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 299"), "{head}");
    assert!(head.contains("X-Reply: a\r\nX-Reply: b\r\n") && head.contains("Set-Cookie: c"), "{head}");
    assert!(!head.contains("keep-alive"), "that header is for one connection: {head}");
    assert_eq!(body, "bye");
}

#[tokio::test]
async fn a_chunked_request_keeps_its_bytes() {
    let request =
        b"PUT /b/k HTTP/1.1\r\nhost: x\r\ncontent-encoding: aws-chunked\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
        5\r\nab\r\nc\r\n3\r\n\r\n0\r\n0\r\n\r\n";
    let (received, _) = exchange(request, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-encoding: aws-chunked") && head.contains("content-length: 8"), "{head}");
    assert_eq!(body, "ab\r\nc\r\n0");
}

#[tokio::test]
async fn s3_works_through_the_stand_in() {
    let stand_in = StandIn::start().await;
    let bucket = stand_in.bucket().await;
    let large: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let keys = ["plain", "log_group=/aws/lambda/x/year=2026/a b+c%2F?&#日本.gz", "a//b/"];
    for key in keys {
        stand_in.put_object(&bucket, key, large.clone()).await;
    }
    let mut expected = keys.map(str::to_owned);
    expected.sort_unstable();
    let objects = stand_in.objects(&bucket).await;
    assert_eq!(objects.keys().cloned().collect::<Vec<_>>(), expected);
    assert!(objects.values().all(|body| *body == large));

    // The SDK sends an upload of unknown length as aws-chunked, with its checksum in a trailer.
    let file = std::env::temp_dir().join(unique_name(&format!("export-tasks-{}-", std::process::id())));
    std::fs::write(&file, &large).unwrap();
    let body = ByteStream::from_path(&file).await.unwrap();
    stand_in.s3().put_object().bucket(&bucket).key("streamed").body(body).send().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    let head = stand_in.s3().head_object().bucket(&bucket).key("streamed").send().await.unwrap();
    assert_eq!(head.content_length(), Some(1_000_000));
    let range = stand_in.s3().get_object().bucket(&bucket).key("streamed").range("bytes=100-199").send().await.unwrap();
    assert_eq!(range.body.collect().await.unwrap().into_bytes(), large[100..200]);
}

/// An address without a listener. The socket prevents another process from using it.
fn unused_address() -> (tokio::net::TcpSocket, std::net::SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn an_unreachable_local_aws_gives_clear_errors() {
    let (_socket, address) = unused_address();
    let stand_in = StandIn::in_front_of(address).await;
    let refused_error = std::net::TcpStream::connect(address).unwrap_err();
    let reason = format!("the local AWS cannot be reached: {address}: {refused_error}");
    let (status, body) = local_aws::http::request(stand_in.addr, Method::GET, "/bucket", Default::default()).await.unwrap();
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body, json!({ "__type": "BadGateway", "message": reason }));

    let refused = stand_in.export_request("/x", "bucket").send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 503);
    assert_eq!(error_of(Err::<(), _>(refused)), error("ServiceUnavailableException", &reason));
    let refused = stand_in.logs().describe_log_groups().send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 502);
    // This call does not need the local AWS.
    assert_eq!(stand_in.logs().describe_export_tasks().send().await.unwrap().export_tasks(), []);
}
