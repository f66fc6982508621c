//! The last pages of GetLogEvents and FilterLogEvents in AWS, which the local AWS does not reproduce.

use std::sync::{Arc, Mutex};

use aws_sdk_cloudwatchlogs::Client;
use export_core::{LogGroupName, Window, time::Millis};
use logs_archive::events::source::{End, read_log_group, read_stream};
use serde_json::{Value, json};

use crate::endpoint::{endpoint, sdk_config};

const WINDOW: Window = Window { from: Millis(10), to: Millis(19) };

/// The times of a page's events, and its token.
type Page = (&'static [i64], Option<&'static str>);

/// A client whose endpoint returns one page after another, and the tokens of the requests.
async fn pages(token_field: &'static str, pages: &'static [Page]) -> (Client, Arc<Mutex<Vec<Value>>>) {
    let tokens: Arc<Mutex<Vec<Value>>> = Arc::default();
    let recorded = Arc::clone(&tokens);
    let endpoint = endpoint(move |_, request| {
        let mut recorded = recorded.lock().expect("no test has panicked");
        let (times, token) = pages[recorded.len()];
        recorded.push(request["nextToken"].clone());
        let events: Vec<_> = times.iter().map(|at| json!({"timestamp": at, "message": at.to_string()})).collect();
        (200, json!({"events": events, token_field: token}))
    })
    .await;
    (Client::new(&sdk_config(endpoint)), tokens)
}

/// The last page repeats the token. An empty page is not the last one.
#[tokio::test]
async fn a_gap_is_not_the_end_of_a_log_stream() {
    const PAGES: &[Page] = &[(&[], Some("a")), (&[10, 11], Some("b")), (&[], Some("c")), (&[19, 20], Some("d")), (&[], Some("d"))];
    let (client, tokens) = pages("nextForwardToken", PAGES).await;
    let mut found = Vec::new();
    let end = read_stream(&client, "/g", "s", WINDOW, |event| found.extend(event.timestamp())).await.expect("pages");
    // The request has a later end, and later events are dropped.
    assert_eq!((end, found), (End::Complete, vec![10, 11, 19]));
    assert_eq!(*tokens.lock().expect("no test has panicked"), [Value::Null, json!("a"), json!("b"), json!("c"), json!("d")]);
}

/// The last page has no token.
#[tokio::test]
async fn an_empty_page_is_not_the_end_of_a_log_group() {
    const PAGES: &[Page] = &[(&[], Some("a")), (&[12, 20], Some("b")), (&[], Some("c")), (&[9, 13], None)];
    let (client, tokens) = pages("nextToken", PAGES).await;
    let (log_group, mut found) = (LogGroupName::parse("/g").expect("a name"), Vec::new());
    let end = read_log_group(&client, &log_group, None, WINDOW, |event| found.extend(event.timestamp())).await.expect("pages");
    assert_eq!((end, found), (End::Complete, vec![12, 13]));
    assert_eq!(*tokens.lock().expect("no test has panicked"), [Value::Null, json!("a"), json!("b"), json!("c")]);
}
