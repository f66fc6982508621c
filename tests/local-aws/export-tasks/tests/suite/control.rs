//! The controls: what they take, what they refuse, what they show.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stand::{Stand, code, unique};

#[tokio::test]
async fn settings_change_one_by_one_and_reach_tasks_under_way() {
    let stand = Stand::start().await;
    let defaults = json!({ "pendingMs": 0, "runningMs": 0, "cancelMs": 0, "maxFileBytes": 8 * 1024 * 1024 });
    assert_eq!(stand.inspect().await["settings"], defaults);
    stand.settings(&json!({ "pendingMs": 3_600_000 })).await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    let task_id = stand.create(&group, &bucket).await;
    let (status, settings) = stand.control(Method::PUT, "/_local/export-tasks", &json!({ "runningMs": 5 })).await;
    let changed = json!({ "pendingMs": 3_600_000, "runningMs": 5, "cancelMs": 0, "maxFileBytes": 8 * 1024 * 1024 });
    assert_eq!((status, settings), (StatusCode::OK, changed));
    assert_eq!(code(&stand.describe(&task_id).await), "PENDING");
    stand.settings(&json!({ "pendingMs": 0 })).await;
    stand.completed(&task_id).await;
}

#[tokio::test]
async fn mistakes_are_answered_with_field_value_and_fix() {
    let stand = Stand::start().await;
    let before = stand.inspect().await;
    let (settings, faults, groups) = ("/_local/export-tasks", "/_local/export-tasks/faults", "/_local/log-groups");
    let exactly_one =
        "give exactly one of error, dropResponse, delayMs (each with operation), status and vanishes (each with logGroupName)";
    let operation = "name an operation of CloudWatch Logs, such as CreateExportTask or DescribeLogGroups, or one of S3: \
                     GetObject, HeadObject, ListObjectsV2, PutObject";
    let kinds = "error | dropResponse | delayMs | status | vanishes";
    let day = "give a whole number from 0 to 86400000";
    for (path, body, field, value, fix) in [
        (settings, json!({ "pendingMs": -1 }), "pendingMs", json!(-1), day),
        (settings, json!({ "runningMs": 1.5 }), "runningMs", json!(1.5), day),
        (settings, json!({ "pendingMs": 1, "runningMs": "soon" }), "runningMs", json!("soon"), day),
        (settings, json!({ "maxFileBytes": 0 }), "maxFileBytes", json!(0), "give a whole number from 1 to 8388608"),
        (
            settings,
            json!({ "pendingMS": 5 }),
            "pendingMS",
            json!(5),
            "this field is unknown; the fields are cancelMs, maxFileBytes, pendingMs, runningMs",
        ),
        (settings, json!([]), "body", json!([]), "send a JSON object"),
        (faults, json!({}), kinds, json!({}), exactly_one),
        (faults, json!({ "error": "A", "status": "FAILED" }), kinds, json!({ "error": "A", "status": "FAILED" }), exactly_one),
        (faults, json!({ "error": "A" }), "operation", Value::Null, operation),
        (faults, json!({ "error": "A", "operation": "CreateExportTsk" }), "operation", json!("CreateExportTsk"), operation),
        (faults, json!({ "error": "", "operation": "CreateExportTask" }), "error", json!(""), "give a string that is not empty"),
        (
            faults,
            json!({ "error": "A", "operation": "CreateExportTask", "times": 0 }),
            "times",
            json!(0),
            "give a whole number from 1 to 4294967295",
        ),
        (
            faults,
            json!({ "error": "A", "operation": "CreateExportTask", "httpStatus": 200 }),
            "httpStatus",
            json!(200),
            "give a whole number from 400 to 599",
        ),
        (faults, json!({ "dropResponse": "yes" }), "dropResponse", json!("yes"), "give true or false"),
        (faults, json!({ "dropResponse": false }), "dropResponse", json!(false), "write true, or leave it out"),
        (
            faults,
            json!({ "operation": "CreateExportTask", "dropResponse": true, "message": "x" }),
            "message",
            json!("x"),
            "leave it out: a dropped response has none",
        ),
        (faults, json!({ "status": "FAILED" }), "logGroupName", Value::Null, "name the log group whose next tasks this is for"),
        (
            faults,
            json!({ "status": "FAILED", "logGroupName": "/x", "operation": "CreateExportTask" }),
            "operation",
            json!("CreateExportTask"),
            "leave it out: a status concerns tasks, not calls",
        ),
        (faults, json!({ "vanishes": true }), "logGroupName", Value::Null, "name the log group whose next tasks this is for"),
        (
            faults,
            json!({ "logGroupName": "/x", "vanishes": true, "message": "x" }),
            "message",
            json!("x"),
            "leave it out: nobody sees the task",
        ),
        (faults, json!({ "operation": "GetObject", "delayMs": 0 }), "delayMs", json!(0), "give a whole number from 1 to 86400000"),
        (
            faults,
            json!({ "operation": "GetObject", "delayMs": 1, "httpStatus": 500 }),
            "httpStatus",
            json!(500),
            "leave it out: the answer stays as it is",
        ),
        (
            faults,
            json!({ "operation": "GetObject", "error": "SlowDown", "logGroupName": "/x" }),
            "logGroupName",
            json!("/x"),
            "leave it out: S3 knows no log groups; keySuffix tells objects apart",
        ),
        (
            faults,
            json!({ "operation": "ListObjectsV2", "error": "SlowDown", "keySuffix": "x" }),
            "keySuffix",
            json!("x"),
            "leave it out: a listing has no key",
        ),
        (
            faults,
            json!({ "operation": "CreateExportTask", "error": "A", "keySuffix": "x" }),
            "keySuffix",
            json!("x"),
            "leave it out: only objects of S3 have a key",
        ),
        (groups, json!({ "creationTime": 1 }), "logGroupName", Value::Null, "name the log group"),
        (
            groups,
            json!({ "logGroupName": "/x", "retentionInDays": 31 }),
            "retentionInDays",
            json!(31),
            "give a retention CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, \
             2557, 2922, 3288 or 3653",
        ),
        (
            groups,
            json!({ "logGroupName": "/x", "logGroupClass": "CHEAP" }),
            "logGroupClass",
            json!("CHEAP"),
            "write STANDARD, INFREQUENT_ACCESS or DELIVERY",
        ),
    ] {
        let method = if path == faults { Method::POST } else { Method::PUT };
        let (status, problem) = stand.control(method, path, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        let message = format!("{field} is {value}: {fix}");
        assert_eq!(problem, json!({ "field": field, "value": value, "fix": fix, "message": message }), "{body}");
    }
    let (status, answer) = local_aws::http::request(stand.addr, Method::PUT, settings, "{".into()).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let problem: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((&problem["field"], &problem["value"]), (&json!("body"), &json!("{")));
    assert_eq!(stand.inspect().await, before, "a refused control changes nothing");
}

#[tokio::test]
async fn unknown_controls_are_named_with_the_known_ones() {
    let stand = Stand::start().await;
    for (method, path) in [(Method::GET, "/_local/"), (Method::POST, "/_local/export-tasks"), (Method::PUT, "/_local/loggroups")] {
        let (status, answer) = stand.control(method.clone(), path, &Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let message = format!(
            "There is no control {method} {path}. Controls: GET and PUT /_local/export-tasks, POST and DELETE \
             /_local/export-tasks/faults, PUT /_local/log-groups, GET /_local/requests."
        );
        assert_eq!(answer, json!({ "message": message }));
    }
}

#[tokio::test]
async fn the_journal_tells_every_call_its_request_and_its_outcome() {
    let stand = Stand::start().await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    let create = || stand.logs().create_export_task().log_group_name(&group).from(1).to(2).destination(&bucket).task_name("monthly");
    stand.fault(&json!({ "operation": "CreateExportTask", "error": "ThrottlingException" })).await;
    create().send().await.unwrap_err();
    stand.fault(&json!({ "operation": "CreateExportTask", "dropResponse": true })).await;
    create().send().await.unwrap_err();
    let none = unique("/none-");
    create().log_group_name(&none).send().await.unwrap_err();

    let journal = stand.inspect().await["journal"].clone();
    let task_id = stand.inspect().await["tasks"][0]["taskId"].clone();
    let request = json!({ "logGroupName": group, "from": 1, "to": 2, "destination": bucket, "taskName": "monthly" });
    let outcomes = [
        json!({ "httpStatus": 400, "error": "ThrottlingException", "message": "Rate exceeded", "injected": true }),
        json!({ "httpStatus": 200, "response": { "taskId": task_id }, "dropped": true }),
        json!({ "httpStatus": 400, "error": "ResourceNotFoundException", "message": "The specified log group does not exist." }),
    ];
    assert_eq!(journal.as_array().unwrap().len(), 3);
    for (i, outcome) in outcomes.iter().enumerate() {
        let call = &journal[i];
        assert_eq!((&call["operation"], &call["outcome"]), (&json!("CreateExportTask"), outcome));
        assert_eq!((&call["accountId"], &call["region"]), (&json!(stand.account), &json!("ap-northeast-1")));
        assert!(call["time"].is_u64());
    }
    assert_eq!((&journal[0]["request"], &journal[1]["request"]), (&request, &request));
    assert_eq!(journal[2]["request"]["logGroupName"], none);
}

#[tokio::test]
async fn tasks_are_shown_with_account_region_and_stream_prefix() {
    let stand = Stand::start().await;
    let (group, bucket) = (stand.log_group().await, stand.bucket().await);
    let created = stand.export(&group, &bucket).log_stream_name_prefix("prod/").send().await.unwrap();
    let task_id = created.task_id.unwrap();
    stand.completed(&task_id).await;
    let task = &stand.inspect().await["tasks"][0];
    assert_eq!(
        json!([task["taskId"], task["accountId"], task["region"], task["logStreamNamePrefix"], task["status"]["code"]]),
        json!([task_id, stand.account, "ap-northeast-1", "prod/", "COMPLETED"])
    );
}
