//! A small HTTP/1.1 server and client on loopback, blocking, a thread for each connection.
//!
//! What is measured here takes fractions of a millisecond, so the other end of the wire must take next to nothing, and the same for
//! everyone. Bodies are held whole.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result, bail};

#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    headers: Headers,
    pub body: Vec<u8>,
    /// When the last byte was read.
    pub arrived: Instant,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

impl Response {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// `handle` answers each request; `None` closes the connection.
    pub fn start(handle: impl Fn(Request) -> Option<Response> + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
        let addr = listener.local_addr().context("cannot read the address of a socket")?;
        let stopped = Arc::new(AtomicBool::new(false));
        let handle = Arc::new(handle);
        let accepting = std::thread::spawn({
            let stopped = Arc::clone(&stopped);
            move || {
                for stream in listener.incoming() {
                    if stopped.load(Ordering::Acquire) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let handle = Arc::clone(&handle);
                    std::thread::spawn(move || {
                        // A client that is killed, as those measured are, breaks its connections: nothing to report.
                        let _ended = converse(stream, &*handle);
                    });
                }
            }
        });
        Ok(Self { addr, stopped, accepting: Some(accepting) })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        if TcpStream::connect(self.addr).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _panicked = accepting.join();
        }
    }
}

fn converse(stream: TcpStream, handle: &dyn Fn(Request) -> Option<Response>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader, &mut writer)? {
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let without_body = request.method == "HEAD";
        let Some(response) = handle(request) else { return Ok(()) };
        let mut bytes = format!("HTTP/1.1 {} -\r\n", response.status).into_bytes();
        for (name, value) in &response.headers {
            write!(bytes, "{name}: {value}\r\n")?;
        }
        write!(bytes, "content-length: {}\r\n\r\n", response.body.len())?;
        if !without_body {
            bytes.extend_from_slice(&response.body);
        }
        // In one piece: head and body would be two packets.
        writer.write_all(&bytes)?;
        if close {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends a request on a connection of its own and reads the answer.
pub fn exchange(addr: SocketAddr, request: &Request) -> Result<Response> {
    let mut stream = TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
    stream.set_nodelay(true)?;
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, request.path).into_bytes();
    for (name, value) in request.headers.0.iter().filter(|(name, _)| !is_of_the_connection(name)) {
        write!(bytes, "{name}: {value}\r\n")?;
    }
    write!(bytes, "content-length: {}\r\nconnection: close\r\n\r\n", request.body.len())?;
    bytes.extend_from_slice(&request.body);
    stream.write_all(&bytes)?;

    let mut reader = BufReader::new(stream);
    let status_line = read_line(&mut reader)?.context("the connection closed without an answer")?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).with_context(|| format!("no status: {status_line}"))?;
    let headers = read_headers(&mut reader)?;
    let mut body = Vec::new();
    if request.method == "HEAD" {
        // Its content-length is that of the GET.
    } else if headers.is_chunked() || headers.get("content-length").is_some() {
        body = read_body(&mut reader, &headers)?;
    } else {
        reader.read_to_end(&mut body)?;
    }
    let headers = headers.0.into_iter().filter(|(name, _)| !is_of_the_connection(name)).collect();
    Ok(Response { status, headers, body })
}

fn is_of_the_connection(name: &str) -> bool {
    ["connection", "content-length", "transfer-encoding", "expect", "keep-alive"].contains(&name)
}

/// Names in lower case.
#[derive(Debug, Default)]
struct Headers(Vec<(String, String)>);

impl Headers {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    fn is_chunked(&self) -> bool {
        self.get("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }
}

/// `None` where the client has closed the connection.
fn read_request(reader: &mut BufReader<TcpStream>, writer: &mut TcpStream) -> Result<Option<Request>> {
    let Some(line) = read_line(reader)? else { return Ok(None) };
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { bail!("no request line: {line}") };
    let headers = read_headers(reader)?;
    if headers.get("expect").is_some() {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = read_body(reader, &headers)?;
    Ok(Some(Request { method, path, headers, body, arrived: Instant::now() }))
}

fn read_headers(reader: &mut impl BufRead) -> Result<Headers> {
    let mut headers = Headers::default();
    loop {
        let line = read_line(reader)?.context("the head of a message breaks off")?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').with_context(|| format!("no header: {line}"))?;
        headers.0.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_body(reader: &mut impl BufRead, headers: &Headers) -> Result<Vec<u8>> {
    if !headers.is_chunked() {
        let length = headers.get("content-length").map(str::parse).transpose()?.unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        return Ok(body);
    }
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?.context("a chunk breaks off")?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).with_context(|| format!("no size of a chunk: {line}"))?;
        if size == 0 {
            while read_line(reader)?.is_some_and(|trailer| !trailer.is_empty()) {}
            return Ok(body);
        }
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..])?;
        read_line(reader)?;
    }
}

fn read_line(reader: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server hears, and what its client gets.
    fn echo(raw: &str) -> String {
        let server = Server::start(|request| {
            let said = format!("{} {} {}", request.method, request.path, String::from_utf8_lossy(&request.body));
            Some(Response::new(200, "text/plain", said))
        })
        .unwrap();
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.write_all(raw.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
    }

    #[test]
    fn bodies_come_by_length_and_in_chunks() {
        assert_eq!(echo("POST /a HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"), "POST /a hi");
        let chunks = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n";
        assert_eq!(echo(chunks), "POST /a hi");
    }

    #[test]
    fn a_connection_serves_several_requests() {
        let two = "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n";
        assert_eq!(echo(two), "GET /b ");
    }

    #[test]
    fn a_request_is_passed_on_with_its_body() {
        let server = Server::start(|request| {
            let kind = request.header("x-kind").unwrap_or("none").to_owned();
            Some(Response::new(404, "text/plain", request.body).with_header("x-kind", &kind))
        })
        .unwrap();
        let headers = Headers(vec![("x-kind".to_owned(), "test".to_owned()), ("connection".to_owned(), "keep-alive".to_owned())]);
        let request = Request { method: "PUT".to_owned(), path: "/".to_owned(), headers, body: b"body".to_vec(), arrived: Instant::now() };
        let response = exchange(server.addr(), &request).unwrap();
        assert_eq!((response.status, response.body.as_slice()), (404, &b"body"[..]));
        assert!(response.headers.contains(&("x-kind".to_owned(), "test".to_owned())), "{:?}", response.headers);
    }
}
