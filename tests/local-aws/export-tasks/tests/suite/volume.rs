//! A log group that fills many pages and files.

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use serde_json::json;

use crate::stand_in::{FROM, StandIn};

const EVENTS: usize = 20_000;

fn message(i: usize) -> String {
    // Half of it does not compress.
    format!("{i:08} {:016x} 日本語", (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[tokio::test]
async fn every_event_of_a_large_stream_is_exported_once_and_in_order() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.settings(&json!({ "maxFileBytes": 65_536 })).await;
    stand_in.put(&group, "web", &[]).await;
    for start in (0..EVENTS).step_by(10_000) {
        let event = |i: usize| InputLogEvent::builder().timestamp(FROM + i as i64).message(message(i)).build().unwrap();
        let events = (start..start + 10_000).map(event).collect();
        let put = stand_in.logs().put_log_events().log_group_name(&group).log_stream_name("web");
        put.set_log_events(Some(events)).send().await.unwrap();
    }
    let task_id = stand_in.exported(&group, &bucket).await;
    let files = stand_in.files(&bucket, &task_id).await;
    let lines = files.values().flat_map(|content| std::str::from_utf8(content).unwrap().lines());
    assert!(files.len() > 1 && lines.map(|line| &line[25..]).eq((0..EVENTS).map(message)), "{} files", files.len());
}
