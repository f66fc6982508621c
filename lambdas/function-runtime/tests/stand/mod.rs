//! Runs a function's own program as Lambda does, and hands over everything it says: its answers, the lines of its standard
//! output, and its requests to AWS. Lambda's Runtime API and AWS are one HTTP server on the loopback interface.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde_json::{Map, Value};

/// For a test that would otherwise hang for ever.
const PATIENCE: Duration = Duration::from_secs(60);
const RUNTIME_API: &str = "/2018-06-01/runtime/";

#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// By name in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// CloudWatch Logs' operation, or S3's method.
    pub fn operation(&self) -> &str {
        let target = self.headers.get("x-amz-target").and_then(|target| target.strip_prefix("Logs_20140328."));
        target.unwrap_or(&self.method)
    }
}

pub struct Said {
    pub answers: Vec<Value>,
    /// Each without its timestamps, which are looked at here.
    pub lines: Vec<Value>,
    pub requests: Vec<Request>,
}

type Aws = Box<dyn Fn(&Request) -> (u16, String) + Send + Sync>;

struct Stand {
    aws: Aws,
    events: Mutex<Receiver<Value>>,
    answers: Sender<Value>,
    requests: Mutex<Vec<Request>>,
}

/// Hands `events` to the program, one after another. `variables` come on top of those that Lambda always sets.
pub fn run(
    program: &str,
    variables: &[(&str, &str)],
    events: &[Value],
    aws: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static,
) -> Said {
    let ((give_event, next_event), (give_answer, next_answer)) = (channel(), channel());
    let stand = Arc::new(Stand { aws: Box::new(aws), events: Mutex::new(next_event), answers: give_answer, requests: Mutex::default() });
    let address = serve(Arc::clone(&stand));
    let mut function = start(program, &address, variables);
    let mut stdout = function.0.stdout.take().unwrap();
    let mut answers = Vec::new();
    for event in events {
        give_event.send(event.clone()).unwrap();
        answers.push(next_answer.recv_timeout(PATIENCE).expect("an answer"));
    }
    // All that belongs to an event is written before its answer is sent.
    drop(function);
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let requests = stand.requests.lock().unwrap().clone();
    Said { answers, lines: text.lines().map(without_timestamps).collect(), requests }
}

/// Ends with the test, however that ends.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        self.0.kill().expect("it is still running");
        self.0.wait().expect("its end");
    }
}

fn start(program: &str, address: &str, variables: &[(&str, &str)]) -> Function {
    let endpoint = format!("http://{address}");
    let lambdas = [
        ("AWS_LAMBDA_RUNTIME_API", address),
        ("AWS_LAMBDA_FUNCTION_NAME", "a-name-of-the-stack"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("AWS_REGION", "ap-northeast-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    let mut command = Command::new(program);
    command.env_clear().envs(lambdas).envs(variables.iter().copied()).stdout(Stdio::piped());
    Function(command.spawn().unwrap())
}

fn without_timestamps(line: &str) -> Value {
    let mut line: Map<String, Value> = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let timestamp = line.remove("timestamp").expect("a timestamp");
    let timestamp: chrono::DateTime<chrono::Utc> = timestamp.as_str().expect("a text").parse().expect("a time");
    if let Some(metadata) = line.get_mut("_aws").and_then(Value::as_object_mut) {
        assert_eq!(metadata.remove("Timestamp"), Some(timestamp.timestamp_millis().into()));
    }
    Value::Object(line)
}

fn serve(stand: Arc<Stand>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let stand = Arc::clone(&stand);
            // A connection ends when the program does.
            thread::spawn(move || while connection.as_ref().is_ok_and(|connection| answer(connection, &stand).is_some()) {});
        }
    });
    address
}

/// One request and its answer; nothing when there is no other.
fn answer(connection: &TcpStream, stand: &Stand) -> Option<()> {
    let request = read(connection)?;
    let (status, headers, body) = match request.path.strip_prefix(RUNTIME_API) {
        Some("invocation/next") => {
            let event = stand.events.lock().unwrap().recv().ok()?;
            (200, "lambda-runtime-aws-request-id: request-1\r\nlambda-runtime-deadline-ms: 4102444800000\r\n", event.to_string())
        }
        Some(_) => {
            stand.answers.send(serde_json::from_slice(&request.body).ok()?).ok()?;
            (202, "", "{}".to_owned())
        }
        None => {
            stand.requests.lock().unwrap().push(request.clone());
            let (status, body) = (stand.aws)(&request);
            (status, "", body)
        }
    };
    let length = body.len();
    let mut connection = connection;
    write!(connection, "HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\n\r\n{body}").ok()
}

fn read(connection: &TcpStream) -> Option<Request> {
    // What comes after a request is read by nobody else: the program waits for the answer.
    let mut reader = BufReader::new(connection);
    let mut line = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let (method, rest) = first.split_once(' ')?;
    let (path, _) = rest.split_once(' ')?;
    let mut headers = BTreeMap::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method: method.to_owned(), path: path.to_owned(), headers, body })
}
