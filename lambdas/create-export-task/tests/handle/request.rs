//! What CreateExportTask is asked for.

use serde_json::json;
use std::sync::Arc;

use crate::{
    WINDOW,
    aws::{create_answers, log_groups},
    event, handle,
};

#[tokio::test]
async fn asks_cloudwatch_for_exactly_the_month() {
    let requests = Arc::default();
    let create = create_answers(Arc::clone(&requests));
    let answer = handle(event(), &[&log_groups(&["/ecs/web"]), &create]).await.unwrap();
    let requests = requests.lock().unwrap();
    let [request] = requests.as_slice() else { panic!("one request, not {requests:?}") };
    assert_eq!((request.from(), request.to()), (Some(WINDOW.0), Some(WINDOW.1)));
    assert_eq!(request.log_group_name(), Some("/ecs/web"));
    assert_eq!(request.destination(), Some("archive"));
    assert_eq!(request.destination_prefix(), Some("logs/log_group=/ecs/web/year=2026/month=10"));
    assert_eq!(request.log_stream_name_prefix(), None);
    assert!(request.task_name().unwrap().starts_with("archive-2026-10-"));
    assert_eq!(
        answer,
        json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web", "timezone": "Asia/Tokyo", "force": false,
            "allowIncompleteMonth": false, "month": "2026-10", "from": WINDOW.0, "to": WINDOW.1,
            "destinationPrefix": "logs/log_group=/ecs/web/year=2026/month=10", "taskId": "task-1", "status": "CREATED", "reason": null, "warnings": []})
    );
}

#[tokio::test]
async fn hands_on_the_log_stream_prefix() {
    let requests = Arc::default();
    let create = create_answers(Arc::clone(&requests));
    let event = json!({"s3BucketName": "archive", "logGroupName": "/ecs/web", "logStreamNamePrefix": "prod/"});
    handle(event, &[&log_groups(&["/ecs/web"]), &create]).await.unwrap();
    assert_eq!(requests.lock().unwrap()[0].log_stream_name_prefix(), Some("prod/"));
}
