//! Injected faults of the export calls.

use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use hyper::{Method, StatusCode};
use local_aws::wait_for;
use serde_json::{Value, json};

use crate::stand_in::{FROM, REGION, StandIn, error, error_of, status_code, status_message};

#[tokio::test]
async fn an_error_occurs_as_often_as_requested() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.inject_fault(&json!({ "operation": "CreateExportTask", "error": "ThrottlingException", "times": 2 })).await;
    for _ in 0..2 {
        assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), error("ThrottlingException", "Rate exceeded"));
    }
    assert!(stand_in.keys(&bucket).await.is_empty(), "the call wrote nothing");
    stand_in.export_and_wait(&group, &bucket).await;
}

#[tokio::test]
async fn each_operation_has_its_own_faults() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    for operation in ["DescribeExportTasks", "CancelExportTask", "DescribeLogGroups", "DescribeLogStreams"] {
        stand_in.inject_fault(&json!({ "operation": operation, "error": "AccessDeniedException", "message": operation })).await;
    }
    let logs = stand_in.logs();
    let denied = |operation| error("AccessDeniedException", operation);
    assert_eq!(error_of(logs.describe_log_groups().send().await), denied("DescribeLogGroups"));
    assert_eq!(error_of(logs.describe_log_streams().log_group_name(&group).send().await), denied("DescribeLogStreams"));
    assert_eq!(error_of(logs.cancel_export_task().task_id(&task_id).send().await), denied("CancelExportTask"));
    assert_eq!(error_of(logs.describe_export_tasks().send().await), denied("DescribeExportTasks"));
    logs.describe_log_groups().send().await.unwrap();
    logs.describe_log_streams().log_group_name(&group).send().await.unwrap();
    assert_eq!(status_code(&stand_in.describe(&task_id).await), "COMPLETED");
}

#[tokio::test]
async fn service_errors_have_5xx_statuses() {
    let stand_in = StandIn::start().await;
    let faults = [
        (json!({ "error": "ServiceUnavailableException" }), 503),
        (json!({ "error": "InternalFailure" }), 500),
        (json!({ "error": "ThrottlingException" }), 400),
        (json!({ "error": "ThrottlingException", "httpStatus": 429 }), 429),
    ];
    for (mut fault, status) in faults {
        fault["operation"] = "DescribeExportTasks".into();
        stand_in.inject_fault(&fault).await;
        let refused = stand_in.logs().describe_export_tasks().send().await.unwrap_err();
        assert_eq!(refused.raw_response().unwrap().status().as_u16(), status, "{fault}");
        assert_eq!(refused.code(), fault["error"].as_str());
    }
}

#[tokio::test]
async fn a_fault_can_apply_to_one_log_group() {
    let stand_in = StandIn::start().await;
    let (affected, other, bucket) = (stand_in.log_group().await, stand_in.log_group().await, stand_in.bucket().await);
    stand_in.inject_fault(&json!({ "operation": "CreateExportTask", "logGroupName": affected, "error": "ThrottlingException" })).await;
    stand_in.export_and_wait(&other, &bucket).await;
    assert_eq!(error_of(stand_in.export_request(&affected, &bucket).send().await), error("ThrottlingException", "Rate exceeded"));
    stand_in.export_and_wait(&affected, &bucket).await;
}

#[tokio::test]
async fn a_dropped_response_leaves_a_task() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.inject_fault(&json!({ "operation": "CreateExportTask", "dropResponse": true, "times": 1 })).await;
    let lost = stand_in.export_request(&group, &bucket).task_name("lost").send().await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "the call has no response: {lost:?}");
    let tasks = stand_in.logs().describe_export_tasks().send().await.unwrap();
    assert_eq!(tasks.export_tasks().iter().filter_map(|task| task.task_name()).collect::<Vec<_>>(), ["lost"]);
    stand_in.wait_until_completed(tasks.export_tasks()[0].task_id().unwrap()).await;
    stand_in.export_and_wait(&group, &bucket).await;
}

#[tokio::test]
async fn a_fault_can_set_the_last_status_of_a_task() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    for (status, text) in [("FAILED", "disk on fire"), ("CANCELLED", "by an operator"), ("ARCHIVED", "?"), ("COMPLETED", "nothing")] {
        stand_in.inject_fault(&json!({ "logGroupName": group, "status": status, "message": text, "times": 1 })).await;
        let task = stand_in.wait_until_ended(&stand_in.create(&group, &bucket).await).await;
        assert_eq!((status_code(&task), status_message(&task)), (status, text));
        assert_eq!(stand_in.keys(&bucket).await, ["logs/aws-logs-write-test"], "{status}");
    }
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    assert_eq!(stand_in.files(&bucket, &task_id).await.len(), 1, "the next task has no fault");
}

#[tokio::test]
async fn a_fault_can_keep_a_status_until_the_task_is_cancelled() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    for status in ["PENDING", "RUNNING", "PENDING_CANCEL"] {
        stand_in.inject_fault(&json!({ "logGroupName": group, "status": status, "message": "stuck" })).await;
        let task_id = stand_in.create(&group, &bucket).await;
        wait_for(status, || async { (status_message(&stand_in.describe(&task_id).await) == "stuck").then_some(()) }).await;
        // The task keeps the slot.
        assert_eq!(
            error_of(stand_in.export_request(&group, &bucket).send().await),
            error("LimitExceededException", "Resource limit exceeded.")
        );
        assert_eq!(status_code(&stand_in.describe(&task_id).await), status);
        stand_in.logs().cancel_export_task().task_id(&task_id).send().await.unwrap();
        assert_eq!(status_code(&stand_in.wait_until_ended(&task_id).await), "CANCELLED");
    }
}

#[tokio::test]
async fn a_fault_can_make_a_task_old() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let mut times = Vec::new();
    for age_ms in [0, 100_000_000] {
        stand_in.inject_fault(&json!({ "logGroupName": group, "status": "COMPLETED", "ageMs": age_ms })).await;
        let task_id = stand_in.create(&group, &bucket).await;
        stand_in.wait_until_completed(&task_id).await;
        times.push(stand_in.describe(&task_id).await.execution_info().unwrap().creation_time().unwrap());
    }
    assert!((90_000_000..=100_000_000).contains(&(times[0] - times[1])), "{times:?}");
}

#[tokio::test]
async fn faults_apply_in_order_in_every_account_and_can_be_cleared() {
    let stand_in = StandIn::start().await;
    for (name, times) in [("First", 1), ("Second", 1), ("Third", 100)] {
        stand_in.inject_fault(&json!({ "operation": "DescribeExportTasks", "error": name, "times": times })).await;
    }
    let other = stand_in.logs_as("999999999999", REGION);
    let names = [
        error_of(stand_in.logs().describe_export_tasks().send().await).0,
        error_of(other.describe_export_tasks().send().await).0,
        error_of(stand_in.logs().describe_export_tasks().send().await).0,
    ];
    assert_eq!(names, ["First", "Second", "Third"]);
    let left = json!([{ "operation": "DescribeExportTasks", "error": "Third", "httpStatus": 400, "times": 99 }]);
    assert_eq!(stand_in.inspect().await["faults"], left);
    let (status, answer) = stand_in.control(Method::DELETE, "/_local/export-tasks/faults", &Value::Null).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "faults": [] })));
    stand_in.logs().describe_export_tasks().send().await.unwrap();
}

#[tokio::test]
async fn a_delayed_response_comes_after_the_executed_call() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let hour = 3_600_000;
    stand_in.inject_fault(&json!({ "operation": "CreateExportTask", "delayMs": hour })).await;
    let caller = tokio::spawn(stand_in.export_request(&group, &bucket).send());
    let task_id = wait_for("the task exists", || async {
        let tasks = stand_in.inspect().await["tasks"].clone();
        tasks[0]["taskId"].as_str().map(str::to_owned)
    })
    .await;
    stand_in.wait_until_completed(&task_id).await;
    assert!(!caller.is_finished(), "the task has ended, but the create has no response yet");
    assert_eq!(stand_in.journal().await[0]["outcome"], json!({ "httpStatus": 200, "response": { "taskId": task_id }, "delayMs": hour }));
    caller.abort();

    // Responses with a short delay arrive.
    for operation in ["CreateExportTask", "DescribeExportTasks", "DescribeLogGroups", "DescribeLogStreams", "ListObjectsV2", "PutObject"] {
        stand_in.inject_fault(&json!({ "operation": operation, "delayMs": 1 })).await;
    }
    let task_id = stand_in.create(&group, &bucket).await;
    stand_in.wait_until_completed(&task_id).await;
    stand_in.logs().describe_log_groups().send().await.unwrap();
    stand_in.logs().describe_log_streams().log_group_name(&group).send().await.unwrap();
    stand_in.put_object(&bucket, "late", b"body".to_vec()).await;
    assert_eq!(stand_in.keys(&bucket).await, ["late", "logs/aws-logs-write-test"]);
    assert_eq!(stand_in.inspect().await["faults"], json!([]));
}

#[tokio::test]
async fn an_empty_page_can_precede_each_page_of_a_listing() {
    let stand_in = StandIn::start().await;
    let (group, bucket) = (stand_in.log_group().await, stand_in.bucket().await);
    let mut tasks = [stand_in.export_and_wait(&group, &bucket).await, stand_in.export_and_wait(&group, &bucket).await];
    tasks.reverse();
    for stream in ["a", "b"] {
        stand_in.put(&group, stream, &[(FROM, "hello")]).await;
    }
    for key in ["x/1", "x/2 & <3>"] {
        stand_in.put_object(&bucket, key, Vec::new()).await;
    }
    for operation in ["DescribeExportTasks", "DescribeLogGroups", "DescribeLogStreams", "FilterLogEvents", "GetLogEvents", "ListObjectsV2"]
    {
        stand_in.inject_fault(&json!({ "operation": operation, "emptyPage": true, "times": 2 })).await;
    }
    let logs = stand_in.logs();
    // There are two pages with one item each, and an empty one before each.
    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..4 {
        let page = logs.describe_export_tasks().limit(1).set_next_token(token).send().await.unwrap();
        found.push(page.export_tasks().iter().filter_map(|task| task.task_id()).map(str::to_owned).collect::<Vec<_>>());
        token = page.next_token;
    }
    assert_eq!((found, token), (vec![vec![], vec![tasks[0].clone()], vec![], vec![tasks[1].clone()]], None));
    let outcome =
        stand_in.journal().await.as_array().unwrap()[tasks.len()..].iter().find(|call| call["outcome"]["injected"] == true).cloned();
    assert_eq!(outcome.unwrap()["outcome"]["response"], json!({ "exportTasks": [], "nextToken": "after-an-empty-page." }));

    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..4 {
        let page = logs.describe_log_streams().log_group_name(&group).limit(1).set_next_token(token).send().await.unwrap();
        found
            .push(page.log_streams().iter().filter_map(|stream| stream.log_stream_name()).map(str::to_owned).collect::<Vec<_>>().join(","));
        token = page.next_token;
    }
    assert_eq!((&found[..], token), (&["", "a", "", "b"].map(str::to_owned)[..], None));

    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..4 {
        let page = logs.filter_log_events().log_group_name(&group).limit(1).set_next_token(token).send().await.unwrap();
        found.push(page.events().iter().filter_map(|event| event.log_stream_name()).map(str::to_owned).collect::<Vec<_>>().join(","));
        token = page.next_token;
    }
    assert_eq!((&found[..], token), (&["", "a", "", "b"].map(str::to_owned)[..], None));

    // The last token of GetLogEvents repeats.
    let (mut found, mut tokens) = (Vec::new(), vec![None]);
    for _ in 0..4 {
        let request = logs.get_log_events().log_group_name(&group).log_stream_name("a").start_from_head(true).limit(1);
        let page = request.set_next_token(tokens.last().cloned().flatten()).send().await.unwrap();
        found.push(page.events().iter().filter_map(|event| event.message()).map(str::to_owned).collect::<Vec<_>>().join(","));
        tokens.push(page.next_forward_token);
    }
    assert_eq!((&found[..], &tokens[4]), (&["", "hello", "", ""].map(str::to_owned)[..], &tokens[2]));

    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..4 {
        let page =
            stand_in.s3().list_objects_v2().bucket(&bucket).prefix("x/").max_keys(1).set_continuation_token(token).send().await.unwrap();
        found.push(page.contents().iter().filter_map(|object| object.key()).map(str::to_owned).collect::<Vec<_>>().join(","));
        token = page.next_continuation_token;
    }
    assert_eq!((&found[..], token), (&["", "x/1", "", "x/2 & <3>"].map(str::to_owned)[..], None));

    let page = logs.describe_log_groups().log_group_name_prefix(&group).send().await.unwrap();
    assert_eq!((page.log_groups().len(), page.next_token()), (0, Some("after-an-empty-page.")));
    let page = logs.describe_log_groups().log_group_name_prefix(&group).next_token("after-an-empty-page.").send().await.unwrap();
    assert_eq!((page.log_groups().len(), page.next_token()), (1, None));
    let left = json!([{ "operation": "DescribeLogGroups", "emptyPage": true, "times": 1 }]);
    assert_eq!(stand_in.inspect().await["faults"], left, "all other faults were used");
}

#[tokio::test]
async fn many_empty_pages_can_come_in_a_row() {
    const EMPTY_PAGES: usize = 12;
    let stand_in = StandIn::start().await;
    let (group, bucket) = (stand_in.log_group().await, stand_in.bucket().await);
    for stream in ["other", "web/1", "web/2"] {
        stand_in.put(&group, stream, &[(FROM, stream)]).await;
    }
    for key in ["x/1", "x/2"] {
        stand_in.put_object(&bucket, key, Vec::new()).await;
    }
    for operation in ["FilterLogEvents", "DescribeLogStreams", "ListObjectsV2"] {
        stand_in.inject_fault(&json!({ "operation": operation, "emptyPage": true, "inARow": true, "times": EMPTY_PAGES })).await;
    }
    // The paginator would stop at a repeated token.
    let logs = stand_in.logs();
    let (mut found, mut tokens) = (Vec::new(), Vec::new());
    let mut pages = logs.filter_log_events().log_group_name(&group).log_stream_name_prefix("web/").limit(1).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        found.push(page.events().iter().filter_map(|event| event.message()).collect::<Vec<_>>().join(","));
        tokens.push(page.next_token);
    }
    assert_eq!(found, [&vec![""; EMPTY_PAGES][..], &["web/1", "web/2"]].concat());
    let token = |number: usize| tokens[number].as_deref();
    assert_eq!(
        (token(0), token(1), token(EMPTY_PAGES - 1)),
        (Some("after-an-empty-page."), Some("after-2-empty-pages."), Some("after-12-empty-pages."))
    );

    let mut found = Vec::new();
    let mut pages = logs.describe_log_streams().log_group_name(&group).log_stream_name_prefix("web/").limit(1).into_paginator().send();
    while let Some(page) = pages.next().await {
        found.push(page.unwrap().log_streams().iter().filter_map(|stream| stream.log_stream_name()).collect::<Vec<_>>().join(","));
    }
    assert_eq!(found, [&vec![""; EMPTY_PAGES][..], &["web/1", "web/2"]].concat());
    let mut pages = stand_in.s3().list_objects_v2().bucket(&bucket).prefix("x/").max_keys(1).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.push(page.unwrap().contents().iter().filter_map(|object| object.key()).collect::<Vec<_>>().join(","));
    }
    assert_eq!(found, [&vec![""; EMPTY_PAGES][..], &["x/1", "x/2"]].concat());
    assert_eq!(stand_in.inspect().await["faults"], json!([]));
}

#[tokio::test]
async fn a_fault_can_make_a_task_vanish() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_timing(3_600_000, 0).await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    stand_in.inject_fault(&json!({ "logGroupName": group, "vanishes": true, "times": 1 })).await;
    let vanished = stand_in.create(&group, &bucket).await;
    let logs = stand_in.logs();
    assert!(logs.describe_export_tasks().task_id(&vanished).send().await.unwrap().export_tasks().is_empty());
    assert!(logs.describe_export_tasks().send().await.unwrap().export_tasks().is_empty());
    let unknown = error("ResourceNotFoundException", "The specified export task does not exist.");
    assert_eq!(error_of(logs.cancel_export_task().task_id(&vanished).send().await), unknown);
    assert_eq!(stand_in.inspect().await["tasks"], json!([]));
    assert_eq!(stand_in.journal().await[0]["outcome"]["response"]["taskId"], json!(vanished));
    assert_eq!(stand_in.keys(&bucket).await, ["logs/aws-logs-write-test"]);
    // The vanished task holds no slot.
    stand_in.set_timing(0, 0).await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    assert_eq!(stand_in.files(&bucket, &task_id).await.len(), 1);
}
