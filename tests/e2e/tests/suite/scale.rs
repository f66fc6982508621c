//! How far a run is from Step Functions' limits: 25,000 events in an execution's history, 256 KiB in a payload.
//!
//! Measured on the engine whose history is like AWS's. `SCALE_LOG_GROUPS=1000 cargo test -p e2e scale:: -- --nocapture`
//! measures a larger run; `cargo bench-all` has the figures of docs/decisions/0003.

use std::time::Duration;

use e2e::{Archive, FROM, TO};
use local_aws::Engine;
use serde_json::json;

const EVENTS: usize = 25_000;
const PAYLOAD: usize = 256 * 1024;

/// The largest account this is for.
const LOG_GROUPS: usize = 10_000;
const PAGE: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_log_groups_stay_far_below_the_limits() {
    let archive = Archive::deploy_scaled(Engine::Moto, 0.0).await;
    let many: usize = std::env::var("SCALE_LOG_GROUPS").map_or(150, |text| text.parse().expect("SCALE_LOG_GROUPS is a number"));
    let few = PAGE;
    let mut measured = Vec::new();
    for count in [few, many] {
        // Long names, and none of them there: what an entry costs the parent is the same whatever becomes of it.
        let names: Vec<String> = (0..count).map(|n| format!("/aws/lambda/{n:0>88}")).collect();
        let input = archive.input(json!(names));
        let arn = archive.local.start_execution(&archive.stack, &input).await.unwrap();
        let started = tokio::time::Instant::now();
        let output = archive.wait(&arn).await.output.unwrap();
        assert_eq!(output["counts"]["skipped"], count);
        let history = archive.local.history(&arn).await.unwrap();
        let payload = history.largest_payload().unwrap();
        let variables = history.largest_assignment().unwrap();
        eprintln!(
            "{count} log groups: {} events in the parent, largest payload {} bytes ({:?} {:?}), largest variables {} bytes, {:.1} s",
            history.events.len(),
            payload.bytes,
            payload.event,
            payload.state,
            variables.bytes,
            started.elapsed().as_secs_f64()
        );
        measured.push((count.div_ceil(PAGE), history.events.len(), payload.bytes));
    }
    let [(few_pages, few_events, _), (many_pages, many_events, largest)] = measured[..] else { unreachable!("two runs") };
    let per_page = (many_events - few_events).div_ceil(many_pages - few_pages);
    let at_most = few_events + per_page * LOG_GROUPS / PAGE;
    eprintln!("{per_page} events for each page of {PAGE}: {at_most} for {LOG_GROUPS} log groups");
    assert!(at_most < EVENTS / 4, "{at_most} events in the parent");
    // Of the validated input, which grows with the list and has its own limit, a payload holds one page only.
    assert!(largest < PAYLOAD, "{largest} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_never_free_fails_the_entry_and_names_its_holder() {
    let archive = Archive::deploy_scaled(Engine::Moto, 0.0).await;
    archive.log_group("/mine", &[(FROM, "x")]).await;
    archive.log_group("/theirs", &[(FROM, "y")]).await;
    archive.local.set_task_timing(Duration::from_secs(3600), Duration::ZERO).await.unwrap();
    let logs = aws_sdk_cloudwatchlogs::Client::new(&archive.local.sdk_config());
    let create = logs
        .create_export_task()
        .log_group_name("/theirs")
        .from(FROM)
        .to(TO)
        .destination(&archive.stack.bucket)
        .destination_prefix("other");
    let holder = create.send().await.unwrap().task_id.unwrap();

    let arn = archive.local.start_execution(&archive.stack, &archive.input(json!(["/mine"]))).await.unwrap();
    let execution = archive.wait(&arn).await;
    assert_eq!(execution.error.as_deref(), Some("ExportsFailed"));
    let cause = execution.cause.unwrap();
    let expected = format!(
        "1 of 1 log groups failed: /mine: ExportSlotBusy: the account's only export slot in this Region is held by task {holder} of log group /theirs ("
    );
    assert!(cause.starts_with(&expected), "{cause}");
    assert_eq!(archive.local.export_tasks().await.unwrap().len(), 1, "nothing of ours was created");

    let [child] = &archive.local.child_histories(&arn).await.unwrap()[..] else { panic!("one child") };
    eprintln!("{} events in the history of a log group that queued to the end", child.events.len());
    assert!((2_000..EVENTS / 4).contains(&child.events.len()), "{} events", child.events.len());
}
