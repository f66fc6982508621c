//! The requests to CreateExportTask, and the windows that are not exported.

use export_core::ErrorName::{self, *};
use fake_aws::{EXECUTION, FROM, State, TO, manifest, merged, october, path_of};
use function_runtime::Metric;
use serde_json::{Value, json};

use crate::{DAY, aws, aws_with, creations, handle, handle_in, invocation};

const PREFIX: &str = "logs/log_group=/ecs/web/year=2026/month=10";

#[tokio::test(start_paused = true)]
async fn the_function_exports_exactly_the_window() {
    let aws = aws();
    let answer = handle(&aws, json!({"execution": EXECUTION})).await.unwrap();
    let name = october("/ecs/web").task_name();
    assert!(name.starts_with("archive-2026-10-"), "{name}");
    let request = json!({"taskName": name, "logGroupName": "/ecs/web", "from": FROM, "to": TO, "destination": "archive", "destinationPrefix": PREFIX});
    assert_eq!(aws.bodies("CreateExportTask"), [request]);
    let expected = json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web", "timezone": "Asia/Tokyo", "force": false,
        "execution": EXECUTION, "month": "2026-10", "from": FROM, "to": TO, "destinationPrefix": PREFIX,
        "destination": "logs/log_group=/ecs/web/year={year}/month={month}", "taskId": "task-1", "status": "CREATED", "reason": null, "warnings": [],
        "isOpen": false});
    assert_eq!(answer, expected);
}

#[tokio::test(start_paused = true)]
async fn the_response_has_the_fields_of_the_event() {
    for (event, request) in [
        (json!({"logStreamNamePrefix": "prod/"}), json!({"logStreamNamePrefix": "prod/"})),
        (
            json!({"s3BucketName": "other", "s3Prefix": ""}),
            json!({"destination": "other", "destinationPrefix": "log_group=/ecs/web/year=2026/month=10"}),
        ),
        (json!({"destinationPrefix": "{year}/{month}/{s3Prefix}"}), json!({"destinationPrefix": "2026/10/logs"})),
        (
            json!({"month": "2026-10", "from": FROM, "to": FROM + DAY - 1}),
            json!({"from": FROM, "to": FROM + DAY - 1, "destinationPrefix": PREFIX}),
        ),
        (json!({"timezone": "UTC", "month": "2026-09"}), json!({"from": 1_788_220_800_000_i64, "to": 1_790_812_799_999_i64})),
    ] {
        let aws = aws();
        let answer = handle(&aws, event.clone()).await.unwrap();
        assert_eq!(answer["status"], "CREATED", "{event}");
        let asked = aws.bodies("CreateExportTask").remove(0);
        let asked: Value =
            request.as_object().unwrap().keys().map(|name| (name.clone(), asked[name].clone())).collect::<serde_json::Map<_, _>>().into();
        assert_eq!(asked, request, "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_not_exported_has_a_reason() {
    type Case = (&'static str, Value, fn(&mut State));
    let cases: [Case; 12] = [
        ("NoEventsYet", json!({}), |aws| aws.log_streams.clear()),
        ("NoEventsInMonth", json!({"month": "2026-09"}), |aws| aws.log_streams.clear()),
        // The time of the newest event can be two weeks too early.
        ("NoEventsInMonth", json!({"month": "2026-09"}), |aws| {
            let newest = FROM - 30 * DAY - 15 * DAY - 1;
            aws.log_streams =
                vec![json!({"logStreamName": "a", "lastEventTimestamp": newest}), json!({"logStreamName": "b", "lastEventTimestamp": 1})];
        }),
        ("CreatedAfterMonth", json!({}), |aws| aws.log_groups[1]["creationTime"] = json!(TO + 14 * DAY + 1)),
        ("LogGroupNotFound", json!({}), |aws| aws.log_groups.clear()),
        ("LogGroupNotFound", json!({}), |aws| drop(aws.log_groups.pop())),
        ("LogGroupNotFound", json!({}), |aws| {
            aws.refuse("CreateExportTask", 400, "ResourceNotFoundException", "The specified log group does not exist.")
        }),
        ("LogClassNotExportable", json!({}), |aws| aws.log_groups[1]["logGroupClass"] = json!("INFREQUENT_ACCESS")),
        ("LogClassNotExportable", json!({}), |aws| aws.log_groups[1]["logGroupClass"] = json!("DELIVERY")),
        ("PartlyArchived", json!({}), |aws| {
            let mut target = october("/ecs/web");
            target.window.to.0 = FROM + DAY - 1;
            aws.put(&path_of(&target), &manifest(&target, json!({"outcome": "empty", "objects": 0, "bytes": 0})));
        }),
        ("RunTimeOver", json!({"month": "2026-09", "startTime": "2026-10-31T08:00:04.999Z"}), |_| {}),
        // Also while the window waits for the slot.
        (
            "RunTimeOver",
            json!({"month": "2026-09", "startTime": "2026-10-31T08:00:04.999Z", "queuedSince": "2026-10-31T20:00:00Z"}),
            |aws| {
                aws.refuse("CreateExportTask", 400, "LimitExceededException", "Resource limit exceeded.");
            },
        ),
    ];
    for (reason, event, change) in cases {
        let aws = aws_with(change);
        let answer = handle(&aws, event.clone()).await.unwrap();
        assert_eq!((&answer["status"], &answer["reason"], &answer["taskId"]), (&json!("SKIPPED"), &json!(reason), &Value::Null), "{event}");
        if reason == "RunTimeOver" {
            assert_eq!(aws.names(&[""]), [""; 0], "the time alone decides");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_with_unknown_events_is_exported() {
    let sept = FROM - 30 * DAY;
    type Case = (&'static str, Box<dyn FnOnce(&mut State)>);
    let cases: [Case; 6] = [
        ("an event that may be in it", Box::new(move |aws| aws.log_streams[0]["lastEventTimestamp"] = json!(sept - 15 * DAY))),
        (
            "a log stream without a time",
            Box::new(|aws| aws.log_streams = vec![json!({"logStreamName": "a", "lastEventTimestamp": 1}), json!({"logStreamName": "b"})]),
        ),
        ("log streams that are gone", Box::new(|aws| aws.refuse("DescribeLogStreams", 400, "ResourceNotFoundException", "gone"))),
        (
            "more log streams than are read",
            Box::new(|aws| aws.log_streams = vec![json!({"logStreamName": "a", "lastEventTimestamp": 1}); 50]),
        ),
        ("a class that is new", Box::new(|aws| aws.log_groups[1]["logGroupClass"] = json!("SOMETHING_NEW"))),
        ("a log group that may have late events", Box::new(move |aws| aws.log_groups[1]["creationTime"] = json!(FROM - 1 + 14 * DAY))),
    ];
    for (what, change) in cases {
        let aws = aws_with(change);
        assert_eq!(handle(&aws, json!({"month": "2026-09"})).await.unwrap()["status"], "CREATED", "{what}");
        let asked = aws.bodies("DescribeLogStreams").remove(0);
        assert_eq!(asked, json!({"logGroupName": "/ecs/web", "orderBy": "LastEventTime", "descending": true, "limit": 50}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retention_that_does_not_reach_back_to_the_window_is_a_warning() {
    let message = "the log group keeps events for 30 days. Events before 2026-10-02T04:00:05.000Z are deleted or about to be deleted, and may be missing from the \
        archive. To export whole months, keep events for 60 days or more";
    let from = json!(1_790_913_605_000_i64);
    for (days, from, warnings) in
        [(30, from, json!([{"name": "RetentionShorterThanMonth", "message": message}])), (60, json!(null), json!([]))]
    {
        let aws = aws_with(|aws| aws.log_groups[1]["retentionInDays"] = json!(days));
        let answer = handle(&aws, json!({})).await.unwrap();
        assert_eq!((&answer["status"], &answer["completeFrom"], &answer["warnings"]), (&json!("CREATED"), &from, &warnings));
    }
    // An account-level policy overrides the log group's own retention, and DescribeLogGroups names it.
    let aws =
        aws_with(|aws| aws.log_groups[1] = merged(aws.log_groups[1].clone(), json!({"retentionInDays": 7, "retentionPolicyName": "org"})));
    let warning = handle(&aws, json!({})).await.unwrap()["warnings"][0]["message"].as_str().unwrap().to_owned();
    assert!(
        warning.starts_with("the account-level policy org keeps events for 7 days. Events before 2026-10-25T04:00:05.000Z"),
        "{warning}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_prefix_that_no_log_stream_has_is_not_exported() {
    for (streams, prefix, status, reason) in [
        (vec!["2026/10/05/[$LATEST]abc"], "[$LATEST]", "SKIPPED", json!("NoStreamHasPrefix")),
        (vec!["2026/10/05/[$LATEST]abc"], "2026/10/", "CREATED", json!(null)),
        (vec![], "2026/10/", "SKIPPED", json!("NoStreamHasPrefix")),
    ] {
        let aws = aws_with(|aws| {
            // The metadata do not show which events it has.
            aws.log_streams =
                streams.iter().map(|name| json!({"logStreamName": name})).chain([json!({"logStreamName": "other"})]).collect();
        });
        let answer = handle(&aws, json!({"logStreamNamePrefix": prefix})).await.unwrap();
        assert_eq!((&answer["status"], &answer["reason"]), (&json!(status), &reason), "{prefix}");
        assert_eq!(creations(&aws), usize::from(status == "CREATED"));
        let asked = aws.bodies("DescribeLogStreams").into_iter().find(|body| body["logStreamNamePrefix"] == prefix).unwrap();
        assert_eq!(asked, json!({"logGroupName": "/ecs/web", "logStreamNamePrefix": prefix, "limit": 1}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_group_that_was_created_inside_the_window_is_a_warning() {
    let aws = || aws_with(|aws| aws.log_groups[1]["creationTime"] = json!(FROM + DAY));
    let message = "the log group was created at 2026-10-01T15:00:00.000Z, inside the window";
    let lost = "; the events of the earlier log group of this name are lost";
    for (event, suffix) in
        [(json!({}), ""), (json!({"seenSince": "2026-10-01T04:00:00Z"}), lost), (json!({"seenSince": "2026-10-03T04:00:00Z"}), "")]
    {
        let answer = handle(&aws(), event.clone()).await.unwrap();
        assert_eq!(answer["warnings"], json!([{"name": "CreatedDuringMonth", "message": format!("{message}{suffix}")}]), "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_event_makes_no_call() {
    for (event, name) in [
        (json!({"logGroupName": "a:b"}), InvalidInput),
        (json!({"validate": {}}), InvalidInput),
        (json!(["no", "object"]), InvalidInput),
        (json!(null), InvalidInput),
        (json!({"from": FROM, "to": TO}), InvalidInput),
        (json!({"month": "2026-11"}), MonthNotComplete),
        (json!({"month": "2026-10", "from": FROM, "to": TO, "startTime": "2026-11-01T02:59:59Z"}), MonthNotComplete),
    ] {
        let aws = aws();
        assert_eq!(handle(&aws, event.clone()).await.unwrap_err().name, name, "{event}");
        assert_eq!(aws.names(&[""]), [""; 0], "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_failure_has_its_name_quotes_aws_and_is_not_repeated_by_the_sdk() {
    for (status, code, message, name) in [
        (400, "ThrottlingException", "Rate exceeded", LogsThrottled),
        (400, "LimitExceededException", "Rate exceeded", LogsThrottled),
        (503, "ServiceUnavailableException", "try later", LogsUnavailable),
        (400, "OperationAbortedException", "conflict", LogsUnavailable),
        (400, "ExpiredTokenException", "The security token is expired", LogsUnavailable),
        (400, "InvalidParameterException", "The given bucket does not exist. Please make sure the bucket is valid.", DestinationRejected),
        (400, "AccessDeniedException", "GetBucketAcl call on the given bucket failed.", DestinationRejected),
        (400, "AccessDeniedException", "User is not authorized to perform: logs:CreateExportTask", AccessDenied),
        (400, "InvalidParameterException", "1 validation error detected", InvalidInput),
        (400, "SomethingNewException", "surprise", Unexpected),
    ] {
        let aws = aws_with(|aws| aws.refuse("CreateExportTask", status, code, message));
        let error = handle(&aws, json!({})).await.unwrap_err();
        assert_eq!(error.name, name, "{code}: {error}");
        assert!(error.message.starts_with(&format!("CreateExportTask answered {code}: {message}")), "{error}");
        assert_eq!(creations(&aws), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_without_evidence_is_not_exported() {
    for (call, code, name) in [
        ("DescribeLogGroups", "ThrottlingException", LogsThrottled),
        ("DescribeLogGroups", "AccessDeniedException", ErrorName::AccessDenied),
        ("DescribeLogStreams", "ThrottlingException", LogsThrottled),
        ("DescribeExportTasks", "ThrottlingException", LogsThrottled),
    ] {
        let aws = aws_with(|aws| aws.refuse(call, 400, code, "no"));
        let error = handle(&aws, json!({})).await.unwrap_err();
        assert_eq!(error.name, name, "{call}: {error}");
        assert!(error.message.starts_with(&format!("{call} answered {code}: no")), "{error}");
        assert_eq!(creations(&aws), 0, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_the_slot_ends_with_the_creation_of_the_task() {
    let wait = vec![Metric::SlotWait(chrono::TimeDelta::milliseconds(3_600_250))];
    let queued = json!({"queuedSince": "2026-11-01T03:00:04.750Z"});
    let busy: fn(&mut State) = |aws| aws.refuse("CreateExportTask", 400, "LimitExceededException", "Resource limit exceeded.");
    let adopted: fn(&mut State) =
        |aws| aws.export_tasks = vec![fake_aws::task(&october("/ecs/web"), json!({"status": {"code": "RUNNING"}}))];
    for (event, change, metrics, task_id) in [
        (queued.clone(), (|_| {}) as fn(&mut State), wait, Some("task-1")),
        (json!({}), |_| {}, vec![], Some("task-1")),
        (queued.clone(), adopted, vec![], Some("task-1")),
        (queued.clone(), busy, vec![], None),
        (queued, |aws| aws.log_groups.clear(), vec![], None),
    ] {
        let mut invocation = invocation();
        // Only metrics and log fields count here: one of the calls fails.
        let _ = handle_in(&mut invocation, &aws_with(change), event).await;
        assert_eq!(invocation.metrics(), metrics);
        let fields = invocation.log_fields();
        assert_eq!((&fields["month"], fields.get("task_id").and_then(Value::as_str)), (&json!("2026-10"), task_id));
    }
}
