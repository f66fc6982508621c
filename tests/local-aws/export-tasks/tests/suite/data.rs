//! The data of a task, byte for byte.

use std::collections::BTreeMap;

use serde_json::json;

use crate::stand_in::{FROM, StandIn, TO, status_code, status_message};

/// The keys and texts of files.
fn text(files: BTreeMap<String, Vec<u8>>) -> Vec<(String, String)> {
    files.into_iter().map(|(key, bytes)| (key, String::from_utf8(bytes).unwrap())).collect()
}

fn file(key: &str, content: &str) -> (String, String) {
    (key.to_owned(), content.to_owned())
}

#[tokio::test]
async fn both_ends_of_the_window_are_included() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let events = [(FROM - 1, "before"), (FROM, "first"), (FROM + 1, "second"), (TO, "last"), (TO + 1, "after")];
    stand_in.put(&group, "web", &events).await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    let expected = "2026-09-30T15:00:00.000Z first\n2026-09-30T15:00:00.001Z second\n2026-10-31T14:59:59.999Z last\n";
    assert_eq!(text(stand_in.files(&bucket, &task_id).await), [file("web/000000.gz", expected)]);
}

#[tokio::test]
async fn events_are_selected_by_timestamp_not_by_arrival() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.put(&group, "web", &[(TO + 1, "after"), (FROM + 5, "early")]).await;
    stand_in.put(&group, "web", &[(FROM, "late arrival")]).await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    let expected = "2026-09-30T15:00:00.000Z late arrival\n2026-09-30T15:00:00.005Z early\n";
    assert_eq!(text(stand_in.files(&bucket, &task_id).await), [file("web/000000.gz", expected)]);
}

#[tokio::test]
async fn messages_are_exported_byte_for_byte() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let large = "0123456789abcdef".repeat(65_536);
    let messages = [
        "java.lang.IllegalStateException: broken\n\tat com.example.A.b(A.java:1)\n\tat com.example.C.d(C.java:2)",
        "日本語のログ 🗾 \u{0} \u{1b}[31mred\u{1b}[0m",
        "windows\r\nlines\r\n",
        "trailing newline\n",
        "\n\nleading newlines",
        "tab\tquote\"back\\slash/ \u{2028} \u{feff}",
        " spaces around ",
        " ",
        "",
        "2026-10-05T00:00:00.000Z looks like a line of its own",
        &large,
        "after the large one",
    ];
    // The last millisecond of October 5th in UTC.
    let time = 1_791_244_799_999;
    let events: Vec<_> = messages.iter().map(|message| (time, *message)).collect();
    stand_in.put(&group, "web", &events).await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    let expected: String = messages.iter().map(|message| format!("2026-10-05T23:59:59.999Z {message}\n")).collect();
    let files = stand_in.files(&bucket, &task_id).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["web/000000.gz"]);
    assert!(files["web/000000.gz"] == expected.as_bytes(), "{} and {} bytes", files["web/000000.gz"].len(), expected.len());
}

#[tokio::test]
async fn each_stream_has_a_folder_named_without_slashes() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    for stream in ["2026/10/05/[$LATEST]0a1b", "ecs/web/日本 語", "a+b%2F?&#=", "plain"] {
        stand_in.put(&group, stream, &[(FROM, stream)]).await;
    }
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    let line = |stream: &str| format!("2026-09-30T15:00:00.000Z {stream}\n");
    let expected = [
        file("2026-10-05-[$LATEST]0a1b/000000.gz", &line("2026/10/05/[$LATEST]0a1b")),
        file("a+b%2F?&#=/000000.gz", &line("a+b%2F?&#=")),
        file("ecs-web-日本 語/000000.gz", &line("ecs/web/日本 語")),
        file("plain/000000.gz", &line("plain")),
    ];
    assert_eq!(text(stand_in.files(&bucket, &task_id).await), expected);
}

#[tokio::test]
async fn streams_that_share_a_folder_do_not_overwrite_each_other() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.put(&group, "a/b", &[(FROM, "slash")]).await;
    stand_in.put(&group, "a-b", &[(FROM, "dash")]).await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    let expected = [file("a-b/000000.gz", "2026-09-30T15:00:00.000Z dash\n"), file("a-b/000001.gz", "2026-09-30T15:00:00.000Z slash\n")];
    assert_eq!(text(stand_in.files(&bucket, &task_id).await), expected);
}

#[tokio::test]
async fn a_key_longer_than_the_limit_of_s3_fails_the_task() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    // 512 characters, the limit for a stream's name, of three bytes each.
    let stream = "ログ".repeat(256);
    stand_in.put(&group, &stream, &[(FROM, "hello")]).await;
    let task_id = stand_in.create(&group, &bucket).await;
    let task = stand_in.wait_until_ended(&task_id).await;
    let key = format!("logs/{task_id}/{stream}/000000.gz");
    let expected = format!("The key {key} has {} bytes; an S3 key has at most 1024.", key.len());
    assert_eq!((status_code(&task), status_message(&task)), ("FAILED", expected.as_str()));
    assert_eq!(stand_in.keys(&bucket).await, ["logs/aws-logs-write-test"]);
}

#[tokio::test]
async fn a_stream_prefix_selects_streams() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    for stream in ["prod/web", "prod/api", "product", "test/web"] {
        stand_in.put(&group, stream, &[(FROM, stream)]).await;
    }
    let created = stand_in.export_request(&group, &bucket).log_stream_name_prefix("prod/").send().await.unwrap();
    let task_id = created.task_id.unwrap();
    stand_in.wait_until_completed(&task_id).await;
    let files = stand_in.files(&bucket, &task_id).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["prod-api/000000.gz", "prod-web/000000.gz"]);
}

#[tokio::test]
async fn streams_beyond_one_page_of_the_listing_are_exported() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    // A page has 50 streams. The first and the last stream of each of three pages have an event.
    let names: Vec<_> = (0..101).map(|i| format!("stream-{i:03}")).collect();
    let (with_event, without_event): (Vec<_>, Vec<_>) = names.iter().enumerate().partition(|(i, _)| [0, 1, 49].contains(&(i % 50)));
    for (_, name) in &without_event {
        stand_in.put(&group, name, &[]).await;
    }
    for (_, name) in &with_event {
        stand_in.put(&group, name, &[(FROM, name)]).await;
    }
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    let line = |name: &String| file(&format!("{name}/000000.gz"), &format!("2026-09-30T15:00:00.000Z {name}\n"));
    let expected: Vec<_> = with_event.into_iter().map(|(_, name)| line(name)).collect();
    assert_eq!(text(stand_in.files(&bucket, &task_id).await), expected);
}

#[tokio::test]
async fn a_task_without_events_completes_with_only_the_test_object() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.put(&group, "empty", &[]).await;
    stand_in.put(&group, "elsewhere", &[(FROM - 1, "before"), (TO + 1, "after")]).await;
    stand_in.export_and_wait(&group, &bucket).await;
    assert_eq!(stand_in.keys(&bucket).await, ["logs/aws-logs-write-test"]);
}

#[tokio::test]
async fn a_full_file_is_followed_by_the_next_and_no_event_is_split() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_settings(&json!({ "maxFileBytes": 4_096 })).await;
    // These numbers do not compress well, so that they fill several files. They also fill several pages.
    let messages: Vec<_> = (0..9_000_u64).map(|i| format!("{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let events: Vec<_> = (FROM..).zip(messages.iter().map(String::as_str)).collect();
    stand_in.put(&group, "web", &events).await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;

    let files = stand_in.files(&bucket, &task_id).await;
    assert!(files.len() >= 3, "{} files", files.len());
    let numbered: Vec<_> = (0..files.len()).map(|i| format!("web/{i:06}.gz")).collect();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), numbered);
    let mut lines = Vec::new();
    for content in files.values() {
        assert_eq!(content.last(), Some(&b'\n'), "a file ends with a whole event");
        lines.extend(std::str::from_utf8(content).unwrap().lines().map(|line| line[25..].to_owned()));
    }
    assert_eq!(lines, messages);
    let sizes: Vec<_> = stand_in.objects(&bucket).await.iter().filter(|(key, _)| key.contains("/web/")).map(|(_, b)| b.len()).collect();
    // deflate writes blocks, so a file can exceed the limit by one block.
    assert!(sizes.iter().all(|size| *size < 4_096 + 65_536), "{sizes:?}");
}
