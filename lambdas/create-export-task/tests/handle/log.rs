//! What the log and the metrics say.

use chrono::TimeDelta;
use function_runtime::{Invocation, Metric};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::{
    adoption::own_task,
    aws::{create_answers, create_refuses, export_tasks, log_groups},
    event, handle_in, now,
};

fn queued(since: &str) -> Value {
    let mut event = event();
    event["queuedSince"] = json!(since);
    event
}

#[tokio::test]
async fn the_wait_for_the_slot_ends_with_the_creation_of_the_task() {
    let rules = [&log_groups(&["/ecs/web"]), &create_answers(Arc::default())];
    for (event, metrics) in
        [(queued("2026-11-01T03:00:04.750Z"), vec![Metric::SlotWait(TimeDelta::milliseconds(3_600_250))]), (event(), vec![])]
    {
        let mut invocation = Invocation::new("request-1", now());
        handle_in(&mut invocation, event, &rules, &[]).await.unwrap();
        assert_eq!(invocation.metrics(), metrics);
        assert_eq!(json!(invocation.log_fields()), json!({"requestId": "request-1", "month": "2026-10", "task_id": "task-1"}));
    }
}

#[tokio::test]
async fn without_a_task_of_ones_own_making_there_is_no_wait() {
    let running = export_tasks(json!([own_task(json!({})).await]));
    let busy = create_refuses(400, "LimitExceededException", "Resource limit exceeded.");
    let found = log_groups(&["/ecs/web"]);
    for (rules, about) in [
        (vec![&found, &running], json!({"requestId": "request-1", "month": "2026-10", "task_id": "own"})),
        (vec![&found, &busy], json!({"requestId": "request-1", "month": "2026-10"})),
        (vec![&log_groups(&[])], json!({"requestId": "request-1", "month": "2026-10"})),
    ] {
        let mut invocation = Invocation::new("request-1", now());
        // Only log fields and metrics are looked at: one of them is an error.
        let _ = handle_in(&mut invocation, queued("2026-11-01T03:00:00Z"), &rules, &[]).await;
        assert_eq!((invocation.metrics(), json!(invocation.log_fields())), (&[][..], about));
    }
}

#[tokio::test]
async fn a_plan_logs_its_month() {
    let mut invocation = Invocation::new("request-1", now());
    let input = json!({"s3BucketName": "archive", "logGroups": ["/ecs/web"]});
    let event = json!({"validate": input, "startTime": "2026-11-01T04:00:05Z", "execution": "arn:aws:states:run"});
    handle_in(&mut invocation, event, &[], &[]).await.unwrap();
    assert_eq!(json!(invocation.log_fields()), json!({"requestId": "request-1", "month": "2026-10"}));
}
