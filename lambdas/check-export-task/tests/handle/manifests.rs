//! The manifest of a COMPLETED task: what it states, what it replaces, and in which order.

use chrono::TimeDelta;
use export_core::{ErrorName::*, target::Target};
use fake_aws::{FROM, State, TO, manifest, merged, october, path_of};
use function_runtime::Metric;
use serde_json::{Value, json};

use crate::{PREFIX, aws, aws_with, event, handle, handle_in, invocation, wrote};

const DAY: i64 = 86_400_000;

const PATH: &str = "archive/logs/manifests/year=2026/month=10/dea2c239b93875e80517d2940bbf2e08-1790780400000-1793458799999.json";

/// Another window of the same place.
fn days(first: i64, last: i64) -> Target {
    fake_aws::days("/ecs/web", first, last)
}

fn put(target: Target, changes: Value) -> impl FnOnce(&mut State) {
    move |aws| aws.put(&path_of(&target), &manifest(&target, changes))
}

#[tokio::test(start_paused = true)]
async fn a_completed_task_gets_a_manifest_of_what_it_wrote() {
    let aws = aws();
    let mut invocation = invocation();
    let answer = handle_in(&mut invocation, &aws, event()).await.unwrap();
    let warnings = json!([{"name": "RetentionShorterThanMonth", "message": "m"}]);
    let expected = json!({"s3BucketName": "archive", "destinationPrefix": PREFIX, "logGroupName": "/ecs/web", "month": "2026-10", "from": FROM,
        "to": TO, "taskId": "task-1", "status": "COMPLETED", "outcome": "exported", "reason": null, "objects": 2, "bytes": 5, "seconds": 2.25,
        "warnings": warnings});
    assert_eq!(answer, expected);
    // One line. Its keys are the columns of the Athena table.
    let body = [
        r#"{"schema_version":2,"outcome":"exported","reason":null,"account":"123456789012","region":"ap-northeast-1","bucket":"archive","#,
        r#""log_group":"/ecs/web","log_stream_name_prefix":null,"timezone":"Asia/Tokyo","window_from":1790780400000,"#,
        r#""window_to":1793458799999,"complete_from":null,"destination_prefix":"logs/log_group=/ecs/web/year=2026/month=10","task_id":"task-1","objects":2,"#,
        r#""hidden_objects":0,"bytes":5,"digest":"f1f3800e7feab2c7433c881c5ae5e9cd86d0a9131c26912805cd1f7e4dc7ddb6","#,
        r#""created":"2026-11-01T03:00:05.000Z","completed":"2026-11-01T03:00:07.250Z","#,
        r#""execution":"arn:aws:states:ap-northeast-1:123456789012:execution:archive:run-1","#,
        r#""warnings":[{"message":"m","name":"RetentionShorterThanMonth"}]}"#,
    ];
    assert_eq!(aws.names(&["PUT", "DELETE"]), [format!("PUT {PATH}")]);
    assert_eq!(String::from_utf8(aws.objects()[PATH].clone()).unwrap(), body.concat());
    let metrics = [Metric::ExportDuration(TimeDelta::milliseconds(2250)), Metric::ArchivedObjects(2), Metric::ArchivedBytes(5)];
    assert_eq!(invocation.metrics(), metrics);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_check_has_the_same_response_and_writes_nothing() {
    let aws = aws();
    let first = handle(&aws, event()).await.unwrap();
    aws.forget_calls();
    let mut invocation = invocation();
    assert_eq!(handle_in(&mut invocation, &aws, event()).await.unwrap(), first);
    assert_eq!((aws.names(&["PUT", "DELETE"]), invocation.metrics()), (vec![], &[][..]));
}

#[tokio::test(start_paused = true)]
async fn a_task_without_times_is_archived_without_a_duration() {
    for info in [json!(null), json!({"creationTime": 1_793_502_005_000_i64})] {
        let aws = aws_with(|aws| aws.export_tasks[0] = merged(aws.export_tasks[0].clone(), json!({"executionInfo": info})));
        let mut invocation = invocation();
        assert_eq!(handle_in(&mut invocation, &aws, event()).await.unwrap()["seconds"], Value::Null);
        assert_eq!(invocation.metrics(), [Metric::ArchivedObjects(2), Metric::ArchivedBytes(5)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_wrote_nothing_is_empty_or_was_too_late() {
    type Case = (fn(&mut State), &'static str, Value);
    let cases: [Case; 4] = [
        (|_| {}, "empty", json!(null)),
        (|aws| aws.log_groups[0]["retentionInDays"] = json!(60), "empty", json!(null)),
        (|aws| aws.log_groups[0]["retentionInDays"] = json!(30), "skipped", json!("ExpiredBeforeFirstRun")),
        (|aws| aws.log_groups.clear(), "lost", json!("LogGroupDeleted")),
    ];
    for (change, outcome, reason) in cases {
        let aws = aws_with(|aws| aws.objects.clear());
        change(&mut aws.state());
        let answer = handle(&aws, event()).await.unwrap();
        assert_eq!((&answer["outcome"], &answer["reason"], &answer["objects"]), (&json!(outcome), &reason, &json!(0)));
        // report-archive records skipped windows.
        let written = aws.get(PATH).map(|manifest| (manifest["outcome"].clone(), manifest["task_id"].clone()));
        assert_eq!(written, (outcome == "empty").then(|| (json!("empty"), json!("task-1"))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_wrote_nothing_is_incomplete_if_the_window_has_an_event() {
    let of = |stream: &str, timestamp: i64| json!({"logStreamName": stream, "timestamp": timestamp, "message": "secret"});
    let prod = json!({"logStreamNamePrefix": "prod/"});
    let many = vec![of("a", TO + 1); 401];
    for (what, events, changes, expected) in [
        ("the first millisecond", vec![of("a", FROM)], json!({}), Err("the log group has an event of that time")),
        ("the last millisecond", vec![of("a", TO)], json!({}), Err("the log group has an event of that time")),
        ("before and after", vec![of("a", FROM - 1), of("a", TO + 1)], json!({}), Ok("empty")),
        (
            "a search without an end",
            many,
            json!({}),
            Err("FilterLogEvents did not come to an end, so the log group may have an event of that time"),
        ),
        ("another stream", vec![of("dev/a", FROM)], prod.clone(), Ok("empty")),
        ("one of the streams", vec![of("dev/a", FROM), of("prod/a", TO)], prod, Err("the log group has an event of that time")),
    ] {
        let aws = aws_with(|aws| {
            aws.objects.clear();
            aws.log_events = events;
        });
        let event = merged(event(), changes.clone());
        if changes != json!({}) {
            let mut target = october("/ecs/web");
            target.stream_prefix = Some(export_core::StreamPrefix::parse("prod/").unwrap());
            aws.state().export_tasks[0]["taskName"] = json!(target.task_name());
        }
        let answer = handle(&aws, event).await;
        let wrote_nothing = "export task task-1 of log group /ecs/web for 2026-09-30T15:00:00.000Z to 2026-10-31T14:59:59.999Z is COMPLETED and wrote nothing, but ";
        let expected = expected.map_err(|why| (ExportIncomplete, format!("{wrote_nothing}{why}")));
        assert_eq!(
            answer.as_ref().map(|answer| answer["outcome"].as_str().unwrap()).map_err(|e| (e.name, e.message.clone())),
            expected,
            "{what}"
        );
        assert_eq!(aws.get(PATH).is_some(), expected.is_ok(), "{what}");
        let asked = aws.bodies("FilterLogEvents");
        let first = merged(json!({"logGroupName": "/ecs/web", "startTime": FROM, "endTime": TO + 1, "limit": 1}), changes);
        assert_eq!((&asked[0], asked.len() <= 200), (&first, true), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_search_for_an_event_can_fail() {
    for (code, name) in [("ThrottlingException", LogsThrottled), ("AccessDeniedException", AccessDenied)] {
        let aws = aws_with(|aws| aws.objects.clear());
        aws.state().refuse("FilterLogEvents", 400, code, "no");
        let error = handle(&aws, event()).await.unwrap_err();
        assert_eq!((error.name, aws.names(&["PUT"])), (name, vec![]), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_states_from_when_the_export_is_complete() {
    let aws = aws();
    handle(&aws, event()).await.unwrap();
    assert_eq!(aws.get(PATH).unwrap()["complete_from"], json!(null));
    let aws = aws_with(|_| ());
    handle(&aws, merged(event(), json!({"completeFrom": FROM + DAY}))).await.unwrap();
    assert_eq!(aws.get(PATH).unwrap()["complete_from"], json!(FROM + DAY));
}

/// Retention may have deleted the events. A window that a run saw before is lost; a window that no run saw is skipped.
#[tokio::test(start_paused = true)]
async fn a_task_that_was_too_late_has_lost_a_seen_window() {
    let september = |outcome: &str, task_id: Value| {
        let mut target = october("/ecs/web");
        target.month = target.month.previous();
        (target.window.from.0, target.window.to.0) = (FROM - 30 * DAY, FROM - 1);
        put(
            target,
            json!({"outcome": outcome, "reason": task_id.is_null().then_some("NoEventsInMonth"), "task_id": task_id, "objects": 0, "bytes": 0}),
        )
    };
    type Change = Box<dyn FnOnce(&mut State)>;
    let (seen, not_seen) = (("lost", "Expired"), ("skipped", "ExpiredBeforeFirstRun"));
    // The history comes from plan-exports, and from the manifests of the month before.
    let cases: [(Value, Change, (&str, &str)); 4] = [
        (json!({}), Box::new(|_| {}), not_seen),
        (json!({"isOpen": true, "seenSince": "2026-10-02T04:00:00Z"}), Box::new(|_| {}), seen),
        (json!({}), Box::new(september("empty", json!("task-9"))), seen),
        (json!({}), Box::new(september("skipped", json!(null))), not_seen),
    ];
    for (history, change, (outcome, reason)) in cases {
        let aws = aws_with(|aws| {
            aws.objects.clear();
            aws.log_groups[0]["retentionInDays"] = json!(30);
        });
        change(&mut aws.state());
        let answer = handle(&aws, merged(event(), history.clone())).await.unwrap();
        assert_eq!((&answer["outcome"], &answer["reason"]), (&json!(outcome), &json!(reason)), "{history}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_export_that_cannot_be_restored_is_lost() {
    for (days, wrote_less, end) in [(Some(30), false, Ok("Damaged")), (Some(30), true, Ok("Damaged")), (None, false, Err(SmallerExport))] {
        let aws = aws_with(put(october("/ecs/web"), json!({"objects": 2, "bytes": 100})));
        {
            let mut state = aws.state();
            state.objects.retain(|path, _| path.contains("/manifests/"));
            wrote(&mut state, "task-0", &[("a", "abc")]);
            if wrote_less {
                wrote(&mut state, "task-1", &[("a", "ab")]);
            }
            state.log_groups[0]["retentionInDays"] = json!(days);
        }
        let answer = handle(&aws, event()).await;
        let reason = answer.as_ref().map(|answer| answer["reason"].as_str().unwrap()).map_err(|error| error.name);
        assert_eq!((reason, aws.names(&["PUT", "DELETE"])), (end, vec![]), "{days:?} {wrote_less}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_manifest_is_written_before_the_old_ones_are_removed() {
    let skipped = json!({"outcome": "skipped", "reason": "NoEventsInMonth", "task_id": null, "objects": 0, "bytes": 0});
    let (first, second, third) = (days(0, 0), days(1, 1), days(2, 2));
    let aws = aws_with(put(first.clone(), skipped));
    put(second.clone(), json!({"outcome": "empty", "task_id": "task-8", "objects": 0, "bytes": 0}))(&mut aws.state());
    // Its objects were deleted.
    put(third.clone(), json!({"task_id": "task-9", "bytes": 100}))(&mut aws.state());
    let answer = handle(&aws, event()).await.unwrap();
    let calls = [
        format!("PUT {PATH}"),
        format!("DELETE {}", path_of(&first)),
        format!("DELETE {}", path_of(&second)),
        format!("DELETE {}", path_of(&third)),
    ];
    assert_eq!(aws.names(&["PUT", "DELETE"]), calls);
    let warning = &answer["warnings"][1];
    assert_eq!(warning["name"], "SmallerThanBefore", "{answer}");
    assert!(
        warning["message"].as_str().unwrap().ends_with("states 100 bytes of task task-9, but the new task task-1 wrote 5 bytes"),
        "{answer}"
    );
    assert_eq!(aws.get(PATH).unwrap()["warnings"], answer["warnings"]);

    // An earlier call wrote the manifest and ended before it removed the others: it reported no metrics.
    put(first.clone(), json!({"outcome": "empty", "task_id": "task-8", "objects": 0, "bytes": 0}))(&mut aws.state());
    aws.forget_calls();
    let mut invocation = invocation();
    handle_in(&mut invocation, &aws, event()).await.unwrap();
    assert_eq!(aws.names(&["DELETE"]), [format!("DELETE {}", path_of(&first))]);
    let metrics = [Metric::ExportDuration(TimeDelta::milliseconds(2250)), Metric::ArchivedObjects(2), Metric::ArchivedBytes(5)];
    assert_eq!(invocation.metrics(), metrics);
}

#[tokio::test(start_paused = true)]
async fn an_export_smaller_than_the_remaining_objects_changes_nothing() {
    let old = |aws: &mut State, text: &str| {
        put(october("/ecs/web"), json!({"bytes": text.len()}))(aws);
        wrote(aws, "task-0", &[("a", text)]);
    };
    let five_percent_more = "a".repeat(20);
    for (was, is, days, ended) in [
        ("abcd", "abc", None, Err(SmallerExport)),
        (five_percent_more.as_str(), &five_percent_more[1..], None, Ok("exported")),
        // Retention may have deleted events of the window: then every byte counts.
        (five_percent_more.as_str(), &five_percent_more[1..], Some(30), Err(SmallerExport)),
        ("abc", "", None, Err(SmallerExport)),
    ] {
        let aws = aws_with(|aws| {
            aws.objects.clear();
            aws.log_groups[0]["retentionInDays"] = json!(days);
            old(aws, was);
            if !is.is_empty() {
                wrote(aws, "task-1", &[("a", is), ("b", "more of another log stream")]);
            }
        });
        let before = aws.objects();
        let answer = handle(&aws, event()).await;
        assert_eq!(answer.as_ref().map(|answer| answer["outcome"].as_str().unwrap()).map_err(|error| error.name), ended, "{was} {is}");
        if ended.is_err() {
            assert_eq!((aws.names(&["PUT", "DELETE"]), &aws.objects()), (vec![], &before));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_valid_manifest_with_other_bounds_is_not_replaced() {
    let aws = aws_with(put(days(0, 14), json!({})));
    wrote(&mut aws.state(), "task-0", &[("a", "abc")]);
    let error = handle(&aws, event()).await.unwrap_err();
    assert_eq!((error.name, aws.names(&["PUT", "DELETE"])), (OverlapRefused, vec![]), "{error}");
}

/// Another run writes a manifest between the decision and the write. Both may withdraw: the next round exports the window again.
#[tokio::test(start_paused = true)]
async fn a_manifest_is_withdrawn_if_another_one_was_written_meanwhile() {
    let race = |aws: &mut State| aws.before("PUT ", put(days(0, 0), json!({})));
    let aws = aws_with(race);
    let mut invocation = invocation();
    let error = handle_in(&mut invocation, &aws, event()).await.unwrap_err();
    assert_eq!((error.name, invocation.metrics()), (OverlapRefused, &[][..]));
    assert_eq!(aws.names(&["PUT", "DELETE"]), [format!("PUT {PATH}"), format!("DELETE {PATH}")]);

    // The damaged manifest that had its key is restored.
    let aws = aws_with(put(october("/ecs/web"), json!({"bytes": 100})));
    race(&mut aws.state());
    let before = aws.objects()[PATH].clone();
    assert_eq!(handle(&aws, event()).await.unwrap_err().name, OverlapRefused);
    assert_eq!(aws.names(&["PUT", "DELETE"]), vec![format!("PUT {PATH}"); 2]);
    assert_eq!(aws.objects()[PATH], before);
}

/// Two checks of one window: the second one writes nothing, whether there was a manifest before or not.
#[tokio::test(start_paused = true)]
async fn a_manifest_written_meanwhile_with_the_same_key_stays() {
    let damaged = put(october("/ecs/web"), json!({"bytes": 100}));
    for aws in [aws_with(|_| ()), aws_with(damaged)] {
        aws.state().before("PUT ", put(october("/ecs/web"), json!({"task_id": "task-2"})));
        let error = handle(&aws, event()).await.unwrap_err();
        assert_eq!((error.name, aws.names(&["PUT", "DELETE"])), (OverlapRefused, vec![format!("PUT {PATH}")]), "{error}");
        assert_eq!(aws.get(PATH).unwrap()["task_id"], "task-2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_cannot_be_read_is_not_replaced() {
    let aws = aws_with(put(october("/ecs/web"), json!({})));
    aws.state().refuse("GET ", 403, "InvalidObjectState", "The operation is not valid for the object's storage class");
    let error = handle(&aws, event()).await.unwrap_err();
    assert_eq!((error.name, aws.names(&["PUT", "DELETE"])), (ArchiveUnreadable, vec![]), "{error}");
}
