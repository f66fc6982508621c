//! `put` puts each line of stdin into the log stream, or reports the line.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use e2e::Stage;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::{
    endpoint::endpoint,
    tool::{Running, Tool},
};

async fn stage(log_group: &str) -> (Stage, Tool) {
    let stage = Stage::take().await;
    stage.logs().create_log_group().log_group_name(log_group).send().await.expect("a log group");
    let tool = Tool::of(&stage.local);
    (stage, tool)
}

/// The messages of a log stream, each with its time.
async fn events(stage: &Stage, log_group: &str, log_stream: &str) -> Vec<(i64, String)> {
    let request = stage.logs().get_log_events().log_group_name(log_group).log_stream_name(log_stream).start_from_head(true);
    let (mut events, mut token) = (Vec::new(), None);
    loop {
        let page = request.clone().set_next_token(token.clone()).send().await.expect("the log stream");
        events.extend(page.events().iter().map(|event| (event.timestamp().unwrap(), event.message().unwrap().to_owned())));
        if page.next_forward_token == token {
            return events;
        }
        token = page.next_forward_token;
    }
}

async fn messages(stage: &Stage, log_group: &str, log_stream: &str) -> Vec<String> {
    events(stage, log_group, log_stream).await.into_iter().map(|(_, message)| message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_and_each_line_of_stdin_become_events() {
    let name = "/put/lines";
    let (stage, tool) = stage(name).await;
    let before = chrono::Utc::now().timestamp_millis();
    let output = tool.run(&["put", name, "by-hand", "deployed\n\t1.2.3"]).await;
    let after = chrono::Utc::now().timestamp_millis();
    let printed = "Put 1 event into log stream by-hand of log group /put/lines.\n";
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (0, "", printed));
    let put = events(&stage, name, "by-hand").await;
    assert!(matches!(&put[..], [(at, message)] if (before..=after).contains(at) && message == "deployed\n\t1.2.3"), "{put:?}");

    let output = tool.run_with(&["put", name, "by-hand"], "one\n\ntwo\r\na\rb\n é🔒\n\nlast".as_bytes()).await;
    let printed =
        "Put 5 events into log stream by-hand of log group /put/lines.\nLeft out 2 empty lines: CloudWatch Logs accepts no empty event.\n";
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (0, "", printed));
    assert_eq!(messages(&stage, name, "by-hand").await[1..], ["one", "two", "a\rb", " é🔒", "last"]);

    let output = tool.run_with(&["put", name, "nothing", "--output", "json"], b"\n").await;
    let expected = json!({"logGroup": name, "logStream": "nothing", "events": 0, "emptyLines": 1, "notPutLines": 0, "notPut": []});
    assert_eq!((output.code, output.json()), (0, expected));
    let streams = stage.logs().describe_log_streams().log_group_name(name).send().await.expect("the log streams");
    assert_eq!(streams.log_streams().len(), 1, "nothing to put, no log stream: {streams:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_are_put_in_their_order() {
    let name = "/put/many";
    let (stage, tool) = stage(name).await;
    let lines: Vec<String> = (0..25_000).map(|number| format!("{number:05} {}", "x".repeat(100))).collect();
    let output = tool.run_with(&["put", name, "s"], lines.join("\n").as_bytes()).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(messages(&stage, name, "s").await == lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_cannot_be_an_event_is_reported_and_the_others_are_put() {
    let name = "/put/refused";
    let (stage, tool) = stage(name).await;
    let big = "b".repeat(300_000);
    let input = [b"one\nab\xff\n".to_vec(), vec![b'x'; 1_048_577], format!("\n{big}\n").into_bytes()].concat();
    let output = tool.run_with(&["put", name, "s", "--output", "json"], &input).await;
    let (utf8, long) = (
        "it is not UTF-8 after byte 2, and CloudWatch Logs accepts nothing else",
        "it has 1048577 bytes, and an event of CloudWatch Logs has 1048550 at most",
    );
    let row = |line: u64, reason: &str| json!({"fromLine": line, "toLine": line, "reason": reason});
    let expected = json!({
        "logGroup": name, "logStream": "s", "events": 2, "emptyLines": 0, "notPutLines": 2, "notPut": [row(2, utf8), row(3, long)],
    });
    assert_eq!((output.code, output.json()), (1, expected));
    let printed =
        format!("line 2 was not put: {utf8}\nline 3 was not put: {long}\nPut 2 events into log stream s of log group /put/refused.\n");
    assert_eq!(output.stderr, printed);
    assert!(messages(&stage, name, "s").await == ["one".to_owned(), big]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_of_put_names_the_next_step() {
    let (stage, tool) = stage("/put/present").await;
    let missing = "error: log group /put/missing does not exist in this account in ap-northeast-1: correct the name, or create it with `aws \
                   logs create-log-group --log-group-name '/put/missing' --region ap-northeast-1`\n";
    for (arguments, message) in [
        (&["put", "/put/missing", "s", "x"][..], missing),
        (&["put", "/put/present", "s", ""], "error: MESSAGE is empty, and CloudWatch Logs accepts no empty event: give a text\n"),
        (&["put", "/put/present", "a:b", "x"], "error: the log stream is \"a:b\": its name has 1 to 512 characters and no : or *\n"),
        (
            &["put", "a b", "s", "x"],
            "error: the log group is \"a b\": a log group name has 1 to 512 characters out of A-Z a-z 0-9 . - _ / #\n",
        ),
    ] {
        let output = tool.run(arguments).await;
        assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (2, "", message));
    }
    let streams = stage.logs().describe_log_streams().log_group_name("/put/present").send().await.expect("the log streams");
    assert!(streams.log_streams().is_empty(), "{streams:?}");
}

/// CloudWatch Logs with the responses of a test. There is no log stream until it is created.
#[derive(Clone, Default)]
struct Logs {
    put: Arc<Mutex<Vec<Value>>>,
    creates: Arc<Mutex<u32>>,
}

impl Logs {
    async fn tool(&self, create: (u16, Value), put: impl Fn(usize) -> (u16, Value) + Send + 'static) -> Tool {
        let Self { put: calls, creates } = self.clone();
        let url = endpoint(move |operation, request| match operation {
            "PutLogEvents" if *creates.lock().unwrap() == 0 => not_found(),
            "PutLogEvents" => {
                calls.lock().unwrap().push(request);
                put(calls.lock().unwrap().len())
            }
            "CreateLogStream" => {
                *creates.lock().unwrap() += 1;
                create.clone()
            }
            other => panic!("{other:?} is not for put: it works without a stack"),
        });
        Tool::bare()
            .with("AWS_ACCESS_KEY_ID", "id")
            .with("AWS_SECRET_ACCESS_KEY", "key")
            .with("AWS_REGION", "eu-west-1")
            .with("AWS_ENDPOINT_URL", &url.await)
    }
}

fn not_found() -> (u16, Value) {
    (400, json!({"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."}))
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_events_are_reported_by_line() {
    let logs = Logs::default();
    let info = json!({"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2, "tooNewLogEventStartIndex": 4});
    let answer = move |_| (200, json!({"nextSequenceToken": "1", "rejectedLogEventsInfo": info}));
    let tool = logs.tool((200, json!({})), answer).await;
    let output = tool.run_with(&["put", "/x", "s", "--output", "json"], b"1\n2\n\n4\n5\n6\n7\n").await;
    let done = output.json();
    let rejected = |why: &str| format!("CloudWatch Logs rejected it: its time is {why}. Set this machine's clock");
    let row = |from: u64, to: u64, why: &str| json!({"fromLine": from, "toLine": to, "reason": rejected(why)});
    let expected =
        json!([row(1, 1, "more than 14 days ago"), row(2, 2, "before the log group's retention"), row(6, 7, "more than 2 hours ahead"),]);
    assert_eq!((output.code, &done["events"], &done["notPutLines"], &done["notPut"]), (1, &json!(2), &json!(4), &expected), "{output:#?}");
    assert!(output.stderr.contains(&format!("line 7 was not put: {}\n", rejected("more than 2 hours ahead"))), "{}", output.stderr);
    let put = logs.put.lock().unwrap();
    let sent: Vec<_> = put[0]["logEvents"].as_array().unwrap().iter().map(|event| event["message"].clone()).collect();
    assert_eq!((put.len(), sent), (1, vec![json!("1"), json!("2"), json!("4"), json!("5"), json!("6"), json!("7")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_stream_created_by_somebody_else_is_used() {
    let logs = Logs::default();
    let exists = (400, json!({"__type": "ResourceAlreadyExistsException", "message": "The specified log stream already exists"}));
    // The log stream does not exist yet for the next call.
    let tool = logs.tool(exists, |call| if call == 1 { not_found() } else { (200, json!({})) }).await;
    let output = tool.run(&["put", "/x", "s", "hello"]).await;
    assert_eq!((output.code, output.stderr.as_str()), (0, "Put 1 event into log stream s of log group /x.\n"));
    assert_eq!((logs.put.lock().unwrap().len(), *logs.creates.lock().unwrap()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_action_and_the_events_that_were_put() {
    let logs = Logs::default();
    let denied = (400, json!({"__type": "AccessDeniedException", "message": "not you"}));
    let tool = logs.tool((200, json!({})), move |call| if call == 1 { (200, json!({})) } else { denied.clone() }).await;
    let lines = "x\n".repeat(10_001);
    let output = tool.run_with(&["put", "/x", "s"], lines.as_bytes()).await;
    let message = "error: PutLogEvents answered AccessDeniedException: not you\nAllow logs:PutLogEvents to the identity that you are signed in as.\n\
                10000 events were put before. Line 10001 and the lines after it were not put.\n";
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (3, "", message));
}

/// Ctrl-C is pressed between two lines.
#[tokio::test(flavor = "multi_thread")]
async fn after_ctrl_c_the_lines_that_were_read_are_put() {
    let name = "/put/stopped";
    let (stage, tool) = stage(name).await;
    let mut put = tool.command(&["put", name, "s"]).stdin(Stdio::piped()).spawn().expect("the tool starts");
    let mut stdin = put.stdin.take().expect("a pipe");
    stdin.write_all(b"one\n\xff\ntwo").await.expect("it reads");
    let mut put = Running::new(put);
    // After this message, the tool has read the first line.
    put.wait_for_line("line 2 was not put: it is not UTF-8").await;
    put.interrupt();
    let output = put.end().await;
    assert_eq!((output.code, output.stderr.as_str()), (130, "Stopped. 1 event was put before.\n"));
    assert_eq!(messages(&stage, name, "s").await, ["one"]);
    drop(stdin);
}
