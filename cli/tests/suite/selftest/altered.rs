//! Proxies of S3 that change objects, rename keys, or refuse to delete.

use std::{
    convert::Infallible,
    io::{Read, Write},
    sync::{Arc, Mutex},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, Uri,
    body::{Bytes, Incoming},
    header::CONTENT_LENGTH,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};

use crate::endpoint::listen;

type Alter = Arc<Mutex<dyn FnMut(String) -> String + Send>>;

/// The end of keys, and its replacement in responses.
type Renamed = (&'static str, &'static str);

/// Forwards requests to `endpoint`, and changes each gzip object with `alter`. Returns the proxy's endpoint.
pub async fn altered_s3(endpoint: &str, alter: impl FnMut(String) -> String + Send + 'static) -> String {
    serve(endpoint, Arc::new(Mutex::new(alter)), None, true).await
}

/// Replaces `from` by `to` at the end of keys. Returns the proxy's endpoint.
pub async fn renaming_s3(endpoint: &str, from: &'static str, to: &'static str) -> String {
    serve(endpoint, Arc::new(Mutex::new(|text| text)), Some((from, to)), true).await
}

/// Denies every DELETE. Returns the proxy's endpoint.
pub async fn keeping_s3(endpoint: &str) -> String {
    serve(endpoint, Arc::new(Mutex::new(|text| text)), None, false).await
}

async fn serve(endpoint: &str, alter: Alter, renamed: Option<Renamed>, deletes: bool) -> String {
    let (listener, altered) = listen().await;
    let endpoint = endpoint.to_owned();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (endpoint, alter) = (endpoint.clone(), alter.clone());
            let serve = service_fn(move |request| {
                let (endpoint, alter) = (endpoint.clone(), alter.clone());
                async move {
                    Ok::<_, Infallible>(if deletes || request.method() != Method::DELETE {
                        forward(request, &endpoint, &alter, renamed).await
                    } else {
                        denied()
                    })
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), serve));
        }
    });
    altered
}

fn denied() -> Response<Full<Bytes>> {
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    Response::builder().status(403).body(Full::from(body)).expect("an answer")
}

async fn forward(request: Request<Incoming>, endpoint: &str, alter: &Alter, renamed: Option<Renamed>) -> Response<Full<Bytes>> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let is_object = parts.method == Method::GET && parts.uri.path().ends_with(".gz");
    let path = renamed.map_or_else(|| path.to_owned(), |(from, to)| path.replace(to, from));
    parts.uri = format!("{endpoint}{path}").parse::<Uri>().expect("an address");
    let body = body.collect().await.expect("the whole request").to_bytes();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let answer = client.request(Request::from_parts(parts, Full::new(body))).await.expect("the local AWS answers");
    let (mut parts, body) = answer.into_parts();
    let mut bytes = body.collect().await.expect("the whole answer").to_bytes();
    if is_object && parts.status.is_success() {
        let mut text = String::new();
        MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
        let altered = (alter.lock().expect("no panic"))(text);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(altered.as_bytes()).expect("in memory");
        bytes = encoder.finish().expect("in memory").into();
        let checksums: Vec<_> = parts.headers.keys().filter(|name| name.as_str().starts_with("x-amz-checksum")).cloned().collect();
        checksums.into_iter().for_each(|name| drop(parts.headers.remove(name)));
    }
    if let (Some((from, to)), false) = (renamed, is_object) {
        bytes = String::from_utf8_lossy(&bytes).replace(from, to).into();
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Full::new(bytes))
}
