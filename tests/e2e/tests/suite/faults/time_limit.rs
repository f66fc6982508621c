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
    let restore = let_time_run_out(&stage).await;
    stage.let_tasks_go().await;
    let (error, cause) = badly(stage.wait(&arn).await);
    assert_eq!(error, "ArchiveIncomplete");
    assert!(cause.starts_with("2 log-group-months are not archived.\nRunTimeOver: /late/2 2024-10, /late/3 2024-10. the run had started "), "{cause}");
    let expected = ["/late/1 2024-10 exported", "/late/2 2024-10 failed RunTimeOver", "/late/3 2024-10 failed RunTimeOver"];
    assert_eq!(decided(&stage.report(&arn).await), expected);
    assert_eq!(stage.created("/late/2").await, [""; 0]);

    restore_time(&stage, restore).await;
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
    let restore = let_time_run_out(&stage).await;
    let (error, cause) = badly(stage.wait(&arn).await);
    assert_eq!(error, "ArchiveIncomplete", "{cause}");
    assert_eq!(decided(&stage.report(&arn).await), ["/queue/mine 2024-10 failed RunTimeOver"]);
    assert_eq!(stage.created("/queue/mine").await, [""; 0]);
    restore_time(&stage, restore).await;
}

type Settings = Vec<(String, serde_json::Value)>;

/// From now on 20 h are over. Returns what the functions had.
async fn let_time_run_out(stage: &Stage) -> Settings {
    let mut were = Vec::new();
    for function in [&stage.stack.create_function_name, &stage.stack.plan_function_name] {
        let was = stage.configure(function, &json!({})).await["Environment"].clone();
        let mut variables = was["Variables"].clone();
        variables["RUN_TIME_LIMIT_SECONDS"] = json!("0");
        stage.configure(function, &json!({"Environment": {"Variables": variables}})).await;
        were.push((function.clone(), json!({"Variables": was["Variables"]})));
    }
    were
}

async fn restore_time(stage: &Stage, were: Settings) {
    for (function, environment) in were {
        stage.configure(&function, &json!({"Environment": environment})).await;
    }
}
