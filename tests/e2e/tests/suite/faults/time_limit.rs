//! A run starts no window after 20 h, also while it waits for a busy slot. What is left is the next run's.
//!
//! `RUN_TIME_LIMIT_SECONDS` is a setting of the functions that the template leaves alone.

use e2e::{Stage, assert_counts, badly, decided};
use local_aws::Engine;
use serde_json::json;

e2e::on_both_engines! {
    what_was_not_started_in_time_is_left_to_the_next_run,
    a_queue_for_a_busy_slot_ends_with_the_runs_time,
}

async fn what_was_not_started_in_time_is_left_to_the_next_run(engine: Engine) {
    let stage = Stage::take(engine).await;
    let log_groups = ["/late/1", "/late/2", "/late/3"];
    for log_group in log_groups {
        stage.hello(log_group).await;
    }
    stage.hold_tasks().await;
    let arn = stage.start(json!(log_groups)).await;
    stage.wait_for_task("/late/1", 1).await;
    limit_time(&stage, Some("0")).await;
    stage.let_tasks_go().await;
    let (error, cause) = badly(stage.wait(&arn).await);
    assert_eq!(error, "ArchiveIncomplete");
    assert!(
        cause.starts_with("2 log-group-months are not archived.\nRunTimeOver: /late/2 2024-10, /late/3 2024-10. the run had started "),
        "{cause}"
    );
    let expected = ["/late/1 2024-10 exported", "/late/2 2024-10 failed RunTimeOver", "/late/3 2024-10 failed RunTimeOver"];
    assert_eq!(decided(&stage.report(&arn).await), expected);
    assert_eq!(stage.created("/late/2").await, [""; 0]);

    limit_time(&stage, None).await;
    assert_counts(&stage.run_well(&stage.input(json!(log_groups))).await, json!({"alreadyArchived": 1, "exported": 2}));
    for log_group in log_groups {
        assert_eq!(stage.created(log_group).await.len(), 1);
        stage.assert_archived_once(log_group).await;
    }
}

async fn a_queue_for_a_busy_slot_ends_with_the_runs_time(engine: Engine) {
    let stage = Stage::take(engine).await;
    for log_group in ["/queue/mine", "/queue/theirs"] {
        stage.hello(log_group).await;
    }
    stage.hold_tasks().await;
    stage.foreign_task("/queue/theirs").await;
    let arn = stage.start(json!(["/queue/mine"])).await;
    stage.wait_for_refusals("/queue/mine", 1).await;
    limit_time(&stage, Some("0")).await;
    let (error, cause) = badly(stage.wait(&arn).await);
    assert_eq!(error, "ArchiveIncomplete", "{cause}");
    assert_eq!(decided(&stage.report(&arn).await), ["/queue/mine 2024-10 failed RunTimeOver"]);
    assert_eq!(stage.created("/queue/mine").await, [""; 0]);
    limit_time(&stage, None).await;
}

/// The time of a run; `None` is the 20 h.
async fn limit_time(stage: &Stage, seconds: Option<&str>) {
    for function in [&stage.stack.create_function_name, &stage.stack.plan_function_name] {
        stage.local.set_variable(function, "RUN_TIME_LIMIT_SECONDS", seconds).await.expect("the function takes it");
    }
}
