//! DescribeExportTasks: filters, order and pages.

use aws_sdk_cloudwatchlogs::types::ExportTaskStatusCode;

use crate::stand_in::{REGION, StandIn, error, error_of};

async fn five_tasks(stand_in: &StandIn) -> (String, String, Vec<String>) {
    let (group, bucket) = (stand_in.log_group().await, stand_in.bucket().await);
    let mut newest_first = Vec::new();
    for _ in 0..5 {
        newest_first.insert(0, stand_in.export_and_wait(&group, &bucket).await);
    }
    (group, bucket, newest_first)
}

async fn page(stand_in: &StandIn, limit: i32, token: Option<&str>) -> (Vec<String>, Option<String>) {
    let describe = stand_in.logs().describe_export_tasks().limit(limit).set_next_token(token.map(str::to_owned));
    let answer = describe.send().await.unwrap();
    let ids = answer.export_tasks().iter().map(|task| task.task_id().unwrap().to_owned()).collect();
    (ids, answer.next_token)
}

#[tokio::test]
async fn tasks_come_in_pages_newest_first() {
    let stand_in = StandIn::start().await;
    let (group, bucket, tasks) = five_tasks(&stand_in).await;
    let (first, token) = page(&stand_in, 2, None).await;
    assert_eq!(first, tasks[..2]);
    // A task created between two pages does not shift them.
    stand_in.export_and_wait(&group, &bucket).await;
    let (second, token) = page(&stand_in, 2, token.as_deref()).await;
    assert_eq!(second, tasks[2..4]);
    assert_eq!(page(&stand_in, 2, token.as_deref()).await, (tasks[4..].to_vec(), None));
    assert_eq!(page(&stand_in, 6, None).await.1, None, "a full last page has no token");
}

#[tokio::test]
async fn the_default_page_has_fifty() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    for _ in 0..51 {
        stand_in.export_and_wait(&group, &bucket).await;
    }
    let answer = stand_in.logs().describe_export_tasks().send().await.unwrap();
    assert_eq!(answer.export_tasks().len(), 50);
    assert!(answer.next_token().is_some());
}

#[tokio::test]
async fn a_task_id_selects_one_task_or_none() {
    let stand_in = StandIn::start().await;
    let (_, _, tasks) = five_tasks(&stand_in).await;
    assert_eq!(stand_in.describe(&tasks[3]).await.task_id(), Some(tasks[3].as_str()));
    let none = stand_in.logs().describe_export_tasks().task_id("00000000-0000-4000-8000-000000000000").send().await.unwrap();
    assert_eq!(none.export_tasks(), []);
}

#[tokio::test]
async fn a_status_code_selects_tasks() {
    let stand_in = StandIn::start().await;
    let (group, bucket, tasks) = five_tasks(&stand_in).await;
    stand_in.set_timing(3_600_000, 0).await;
    let pending = stand_in.create(&group, &bucket).await;
    for (status, expected) in [
        (ExportTaskStatusCode::Pending, vec![pending.as_str()]),
        (ExportTaskStatusCode::Completed, tasks.iter().map(String::as_str).collect()),
        (ExportTaskStatusCode::Failed, vec![]),
    ] {
        let answer = stand_in.logs().describe_export_tasks().status_code(status).send().await.unwrap();
        assert_eq!(answer.export_tasks().iter().filter_map(|task| task.task_id()).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn tasks_are_visible_only_in_their_account_and_region() {
    let stand_in = StandIn::start().await;
    let (_, _, tasks) = five_tasks(&stand_in).await;
    for logs in [stand_in.logs_as(&stand_in.account, "eu-west-1"), stand_in.logs_as("999999999999", REGION)] {
        let answer = logs.describe_export_tasks().task_id(&tasks[0]).send().await.unwrap();
        assert_eq!(answer.export_tasks(), []);
        let expected = error("ResourceNotFoundException", "The specified export task does not exist.");
        assert_eq!(error_of(logs.cancel_export_task().task_id(&tasks[0]).send().await), expected);
    }
}

#[tokio::test]
async fn invalid_filters_are_refused() {
    let stand_in = StandIn::start().await;
    let describe = || stand_in.logs().describe_export_tasks();
    let codes = "CANCELLED, COMPLETED, FAILED, PENDING, PENDING_CANCEL, RUNNING";
    for (request, message) in [
        (
            describe().limit(0),
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or \
             equal to 1"
                .to_owned(),
        ),
        (
            describe().limit(51),
            "1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or \
             equal to 50"
                .to_owned(),
        ),
        (
            describe().status_code(ExportTaskStatusCode::from("DONE")),
            format!(
                "1 validation error detected: Value 'DONE' at 'statusCode' failed to satisfy constraint: Member must satisfy enum \
                 value set: [{codes}]"
            ),
        ),
        (describe().next_token("garbage"), "The specified nextToken is invalid.".to_owned()),
    ] {
        assert_eq!(error_of(request.send().await), error("InvalidParameterException", &message));
    }
}
