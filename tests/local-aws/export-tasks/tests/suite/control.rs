//! The control endpoints.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::stand_in::{StandIn, status_code, unique_name};

#[tokio::test]
async fn settings_change_one_by_one_also_for_running_tasks() {
    let stand_in = StandIn::start().await;
    let defaults = json!({ "pendingMs": 0, "runningMs": 0, "cancelMs": 0, "maxFileBytes": 8 * 1024 * 1024 });
    assert_eq!(stand_in.inspect().await["settings"], defaults);
    stand_in.set_settings(&json!({ "pendingMs": 3_600_000 })).await;
    let (group, bucket) = (stand_in.log_group().await, stand_in.bucket().await);
    let task_id = stand_in.create(&group, &bucket).await;
    let (status, settings) = stand_in.control(Method::PUT, "/_local/export-tasks", &json!({ "runningMs": 5 })).await;
    let changed = json!({ "pendingMs": 3_600_000, "runningMs": 5, "cancelMs": 0, "maxFileBytes": 8 * 1024 * 1024 });
    assert_eq!((status, settings), (StatusCode::OK, changed));
    assert_eq!(status_code(&stand_in.describe(&task_id).await), "PENDING");
    stand_in.set_settings(&json!({ "pendingMs": 0 })).await;
    stand_in.wait_until_completed(&task_id).await;
    stand_in.set_settings(&json!({ "hoursPerDay": 1.5 })).await;
    assert_eq!(stand_in.inspect().await["settings"]["hoursPerDay"], 1.5);
    stand_in.set_settings(&json!({ "runningMs": 0, "hoursPerDay": 0 })).await;
    assert_eq!(stand_in.inspect().await["settings"], defaults);
}

#[tokio::test]
async fn a_mistake_is_refused_with_its_reason_and_changes_nothing() {
    let stand_in = StandIn::start().await;
    let before = stand_in.inspect().await;
    let (settings, faults, groups) = ("/_local/export-tasks", "/_local/export-tasks/faults", "/_local/log-groups");
    for (path, body, reason) in [
        (settings, json!({ "pendingMs": -1 }), "expected u64"),
        (settings, json!({ "pendingMs": 1, "runningMs": "soon" }), "expected u64"),
        (settings, json!({ "cancelMs": 86_400_001 }), "at most 86400000 milliseconds"),
        (settings, json!({ "maxFileBytes": 0 }), "from 1 to 8388608"),
        (settings, json!({ "hoursPerDay": -1 }), "hoursPerDay: give a number from 0 to 10000"),
        (settings, json!({ "hoursPerDay": 10_001 }), "hoursPerDay: give a number from 0 to 10000"),
        (settings, json!({ "hoursPerDay": "all" }), "expected f64"),
        (settings, json!({ "pendingMS": 5 }), "unknown field `pendingMS`"),
        (settings, json!([1]), "invalid"),
        (faults, json!({}), "give exactly one of error, dropResponse, delayMs"),
        (faults, json!({ "error": "", "operation": "CreateExportTask" }), "error is empty"),
        (faults, json!({ "logGroupName": "", "vanishes": true }), "logGroupName is empty"),
        (faults, json!({ "error": "A", "status": "FAILED" }), "give exactly one"),
        (faults, json!({ "error": "A" }), "give exactly one"),
        (faults, json!({ "error": "A", "operation": "CreateExportTsk" }), "CreateExportTsk is not an operation"),
        (faults, json!({ "error": "A", "operation": "CreateExportTask", "times": 0 }), "times: invalid value"),
        (faults, json!({ "error": "A", "operation": "CreateExportTask", "httpStatus": 200 }), "from 400 to 599"),
        (faults, json!({ "operation": "CreateExportTask", "dropResponse": false }), "give exactly one"),
        (faults, json!({ "operation": "CreateExportTask", "dropResponse": true, "message": "x" }), "give exactly one"),
        (faults, json!({ "status": "FAILED" }), "logGroupName is missing"),
        (faults, json!({ "status": "FAILED", "logGroupName": "/x", "operation": "CreateExportTask" }), "give exactly one"),
        (faults, json!({ "logGroupName": "/x", "vanishes": true, "message": "x" }), "give exactly one"),
        (faults, json!({ "operation": "GetObject", "delayMs": 0 }), "give exactly one"),
        (faults, json!({ "operation": "GetObject", "delayMs": 1, "httpStatus": 500 }), "give exactly one"),
        (faults, json!({ "operation": "GetObject", "error": "SlowDown", "logGroupName": "/x" }), "S3 has no log groups"),
        (faults, json!({ "operation": "ListObjectsV2", "error": "SlowDown", "keySuffix": "x" }), "ListObjectsV2 has no key"),
        (faults, json!({ "operation": "CreateExportTask", "error": "A", "keySuffix": "x" }), "CreateExportTask has no key"),
        (faults, json!({ "operation": "DescribeExportTasks", "emptyPage": false }), "give exactly one"),
        (faults, json!({ "operation": "DescribeExportTasks", "emptyPage": true, "message": "x" }), "give exactly one"),
        (faults, json!({ "operation": "DescribeExportTasks", "emptyPage": true, "inARow": 2 }), "give exactly one"),
        (faults, json!({ "operation": "PutLogEvents", "emptyPage": true }), "PutLogEvents is not a listing"),
        (faults, json!({ "operation": "ListObjectsV2", "emptyPage": true, "logGroupName": "/x" }), "S3 has no log groups"),
        (groups, json!({ "creationTime": 1 }), "missing field `logGroupName`"),
        (groups, json!({ "logGroupName": "/x", "retentionInDays": 31 }), "retentionInDays: give one of [1, 3, 5,"),
        (groups, json!({ "logGroupName": "/x", "logGroupClass": "CHEAP" }), "logGroupClass: give one of"),
        (groups, json!({ "logGroupName": "/x", "retentionPolicyName": "" }), "retentionPolicyName is empty"),
    ] {
        let method = if path == faults { Method::POST } else { Method::PUT };
        let (status, problem) = stand_in.control(method, path, &body).await;
        let message = problem["message"].as_str().unwrap();
        assert!(status == StatusCode::BAD_REQUEST && message.contains(reason), "{body}: {status} {message}");
    }
    assert_eq!(stand_in.inspect().await, before);
    let (status, problem) = stand_in.control(Method::POST, groups, &json!({})).await;
    let message = problem["message"].as_str().unwrap();
    assert!(
        status == StatusCode::NOT_FOUND && message.starts_with("The control POST /_local/log-groups does not exist. Controls: "),
        "{message}"
    );
}

#[tokio::test]
async fn the_journal_has_every_call_with_its_request_and_outcome() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let export =
        || stand_in.logs().create_export_task().from(1).to(2).destination(&bucket).task_name("monthly").log_stream_name_prefix("web");
    let create = || export().log_group_name(&group);
    stand_in.inject_fault(&json!({ "operation": "CreateExportTask", "error": "ThrottlingException" })).await;
    create().send().await.unwrap_err();
    stand_in.inject_fault(&json!({ "operation": "CreateExportTask", "dropResponse": true })).await;
    create().send().await.unwrap_err();
    let unknown = unique_name("/unknown-");
    export().log_group_name(&unknown).send().await.unwrap_err();

    let journal = stand_in.journal().await;
    let task = stand_in.inspect().await["tasks"][0].clone();
    // DescribeExportTasks does not show the stream prefix.
    assert_eq!(task["logStreamNamePrefix"], "web");
    let request =
        json!({ "logGroupName": group, "from": 1, "to": 2, "destination": bucket, "taskName": "monthly", "logStreamNamePrefix": "web" });
    let outcomes = [
        json!({ "httpStatus": 400, "error": "ThrottlingException", "message": "Rate exceeded", "injected": true }),
        json!({ "httpStatus": 200, "response": { "taskId": task["taskId"] }, "dropped": true }),
        json!({ "httpStatus": 400, "error": "ResourceNotFoundException", "message": "The specified log group does not exist." }),
    ];
    assert_eq!(journal.as_array().unwrap().len(), 3);
    for (i, outcome) in outcomes.iter().enumerate() {
        let call = &journal[i];
        assert_eq!((&call["operation"], &call["outcome"]), (&json!("CreateExportTask"), outcome));
        assert_eq!((&call["accountId"], &call["region"]), (&json!(stand_in.account), &json!("ap-northeast-1")));
        assert!(call["time"].is_u64());
    }
    assert_eq!((&journal[0]["request"], &journal[1]["request"]), (&request, &request));
    assert_eq!(journal[2]["request"]["logGroupName"], unknown);
    let path = |query: &str| format!("/_local/export-tasks/journal?{query}");
    let unknown = unknown.replace('/', "%2F");
    for (query, expected) in [
        (format!("operation=CreateExportTask&logGroupName={unknown}"), json!([journal[2]])),
        ("operation=DescribeExportTasks".to_owned(), json!([])),
        ("destinationPrefix=".to_owned(), journal.clone()),
        ("taskName=".to_owned(), json!([])),
    ] {
        let (_, answer) = stand_in.control(Method::GET, &path(&query), &json!(null)).await;
        assert_eq!(answer, json!({ "journal": expected }), "{query}");
    }
}
