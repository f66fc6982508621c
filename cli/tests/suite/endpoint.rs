//! An endpoint of AWS in JSON that answers what a test tells it, for what the local AWS cannot answer.

use std::net::Ipv4Addr;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

/// `answer` takes the operation and the request, and gives an HTTP status and a body. Returns the endpoint's address.
pub async fn endpoint(answer: impl Fn(&str, Value) -> (u16, Value) + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let mut connection = BufReader::new(connection);
            let (mut line, mut length, mut operation) = (String::new(), 0, String::new());
            while connection.read_line(&mut line).await.is_ok_and(|bytes| bytes > 2) {
                let (name, value) = line.trim().split_once(':').unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().expect("a number"),
                    "x-amz-target" => value.rsplit('.').next().unwrap_or_default().clone_into(&mut operation),
                    _ => {}
                }
                line.clear();
            }
            let mut request = vec![0; length];
            let _ = connection.read_exact(&mut request).await;
            let (status, body) = answer(&operation, serde_json::from_slice(&request).unwrap_or_default());
            let error = body["__type"].as_str().map(|code| format!("x-amzn-errortype: {code}\r\n")).unwrap_or_default();
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} \r\n{error}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    endpoint
}
