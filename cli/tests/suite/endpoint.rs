//! An endpoint of AWS that returns the JSON of a test, for responses that the local AWS does not have.

use std::{collections::HashMap, net::Ipv4Addr};

use archive::http_client;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// The configuration of a client for an endpoint in this program.
pub fn sdk_config(endpoint: String) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
        .http_client(http_client())
        .endpoint_url(endpoint)
        .build()
}

/// A listener, and its address as an endpoint.
pub async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, endpoint)
}

/// The headers of a request, their names in lower case.
pub async fn read_headers(connection: &mut BufReader<TcpStream>) -> HashMap<String, String> {
    let (mut line, mut headers) = (String::new(), HashMap::new());
    while connection.read_line(&mut line).await.is_ok_and(|bytes| bytes > 2) {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        line.clear();
    }
    headers
}

/// `answer` returns the HTTP status and the body for an operation and its request. Returns the endpoint's address.
pub async fn endpoint(answer: impl Fn(&str, Value) -> (u16, Value) + Send + 'static) -> String {
    let (listener, endpoint) = listen().await;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let mut connection = BufReader::new(connection);
            let headers = read_headers(&mut connection).await;
            let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a number"));
            let operation = headers.get("x-amz-target").and_then(|target| target.rsplit('.').next()).unwrap_or_default();
            let mut request = vec![0; length];
            let _ = connection.read_exact(&mut request).await;
            let (status, body) = answer(operation, serde_json::from_slice(&request).unwrap_or_default());
            let error = body["__type"].as_str().map(|code| format!("x-amzn-errortype: {code}\r\n")).unwrap_or_default();
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} \r\n{error}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    endpoint
}
