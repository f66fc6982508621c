//! An HTTP/1.1 server on loopback, on its own thread, until it is dropped.
//!
//! The benchmark measures fractions of a millisecond, so the server does only what a test needs.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Response as HttpResponse, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

pub type Request = hyper::Request<Bytes>;
pub type Response = HttpResponse<Full<Bytes>>;

/// The operation of an AWS JSON request, or the method of any other request.
pub fn operation(request: &Request) -> &str {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()?.split_once('.'));
    target.map_or(request.method().as_str(), |(_, operation)| operation)
}

pub fn response(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = HttpResponse::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// `handler` gets each request with its complete body.
    pub fn start(handler: impl AsyncFn(Request) -> Response + Send + 'static) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("cannot make a runtime")?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let serve = async {
                tokio::select! {
                    result = serve(listener, handler) => result,
                    _ = stopped => Ok(()),
                }
            };
            if let Err(error) = LocalSet::new().block_on(&runtime, serve) {
                eprintln!("the test server has ended: {error}");
            }
        });
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic of the handler ends its connection, but not the thread.
        let _joined = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(listener: std::net::TcpListener, handler: impl AsyncFn(Request) -> Response + 'static) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let handler = Rc::new(handler);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let handler = Rc::clone(&handler);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let handler = Rc::clone(&handler);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok::<_, hyper::Error>(handler(Request::from_parts(parts, body)).await)
            }
        });
        tokio::task::spawn_local(async move {
            // A client that is killed breaks its connection.
            let _result = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_server_answers_until_it_is_dropped() {
        let owned_by_handler = Arc::new(());
        let clone = Arc::clone(&owned_by_handler);
        let server = TestServer::start(async move |request: Request| {
            let _clone = &clone;
            let text = format!("{} {} {:?}", operation(&request), request.uri(), request.body());
            response(404, "text/plain", text)
        })
        .unwrap();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = "POST /a HTTP/1.1\r\nhost: x\r\nx-amz-target: Logs_20140328.DescribeLogGroups\r\n";
        write!(stream, "{head}content-length: 2\r\n\r\nhi").unwrap();
        write!(stream, "PUT /b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n").unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert_eq!(answers.matches("HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n").count(), 2, "{answers}");
        assert!(answers.contains("\r\n\r\nDescribeLogGroups /a b\"hi\"HTTP"), "{answers}");
        assert!(answers.ends_with("\r\n\r\nPUT /b b\"x\""), "{answers}");

        // Another server could have its port by now, so the test counts owners instead.
        drop(server);
        assert_eq!(Arc::strong_count(&owned_by_handler), 1);
    }
}
