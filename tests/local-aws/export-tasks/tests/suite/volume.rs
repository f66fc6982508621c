//! Large log groups: every event, in bounded memory. No clock: memory is counted by the stand-in itself.

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use serde_json::json;

use crate::stand::{FROM, Stand};

/// Puts `count` events of about `size` bytes; each message begins with its number.
async fn fill(stand: &Stand, log_group: &str, count: usize, size: usize) {
    let logs = stand.logs();
    logs.create_log_stream().log_group_name(log_group).log_stream_name("web").send().await.unwrap();
    for start in (0..count).step_by(10_000) {
        let events = (start..count.min(start + 10_000))
            .map(|i| InputLogEvent::builder().timestamp(FROM + i as i64).message(message(i, size)).build().unwrap());
        let put = logs.put_log_events().log_group_name(log_group).log_stream_name("web");
        put.set_log_events(Some(events.collect())).send().await.unwrap();
    }
}

fn message(i: usize, size: usize) -> String {
    let hash = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{i:08} {hash:016x} 日本語{}", "x".repeat(size.saturating_sub(35)))
}

/// Exports a group of that many events, checks each of them, and tells the most bytes held at once.
async fn high_water(count: usize, size: usize) -> u64 {
    let stand = Stand::start().await;
    stand.settings(&json!({ "maxFileBytes": 65_536 })).await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    fill(&stand, &group, count, size).await;
    let task_id = stand.exported(&group, &bucket).await;

    let mut next = 0;
    for (key, content) in stand.files(&bucket, &task_id).await {
        for line in std::str::from_utf8(&content).unwrap().lines() {
            assert_eq!(line[25..], message(next, size), "{key}");
            next += 1;
        }
    }
    assert_eq!(next, count);
    let high_water = stand.inspect().await["highWaterBytes"].as_u64().unwrap();
    stand.logs().delete_log_group().log_group_name(&group).send().await.unwrap();
    high_water
}

#[tokio::test]
async fn a_hundred_thousand_events_are_exported_in_memory_that_does_not_grow() {
    let small = high_water(20_000, 200).await;
    let large = high_water(100_000, 200).await;
    assert!(small > 500_000, "the gauge counts what is held: {small}");
    assert!(large < small + small / 4, "five times the events, yet {small} and {large} bytes");
    assert!(large < 8_000_000, "{large} bytes for about 20 MB of events");
}

#[tokio::test]
async fn pages_of_megabyte_events_are_bounded_too() {
    const MEGABYTE: usize = 1_000_000;
    let high_water = high_water(40, MEGABYTE).await;
    assert!(high_water > 1_000_000 && high_water < 24_000_000, "{high_water} bytes for 40 MB of events");
}

#[tokio::test]
async fn large_events_after_many_small_ones_do_not_break_the_bound() {
    let stand = Stand::start().await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    fill(&stand, &group, 10_000, 100).await;
    let large = "x".repeat(1_000_000);
    for i in 0..30 {
        stand.put(&group, "web", &[(FROM + 20_000 + i, &large)]).await;
    }
    let task_id = stand.exported(&group, &bucket).await;
    let files = stand.files(&bucket, &task_id).await;
    assert_eq!(files.values().map(|content| content.iter().filter(|b| **b == b'\n').count()).sum::<usize>(), 10_030);
    let high_water = stand.inspect().await["highWaterBytes"].as_u64().unwrap();
    assert!(high_water < 24_000_000, "{high_water} bytes");
}
