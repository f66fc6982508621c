//! The first call of a run: its input, its log groups, its months, and the first windows.

use std::time::Duration;

use export_core::{
    ErrorName::{self, *},
    Window,
    target::Target,
    time::Millis,
};
use fake_aws::{EXECUTION, FROM, NOW, State, TO, manifest, merged, october, path_of, stack};
use function_runtime::Invocation;
use serde_json::{Value, json};

use crate::{DAY, STEPS, aws, aws_with, decided, function, handle, handle_at, of_step, planned, run};

#[tokio::test(start_paused = true)]
async fn the_first_step_plans_and_writes_the_uncovered_windows() {
    let aws = aws();
    let input = json!({"logGroups": [{"logGroupNamePrefix": "/aws/lambda/", "exclude": ["/aws/lambda/debug-*"]},
        {"logGroupName": "/ecs/web", "s3Prefix": "web", "logStreamNamePrefix": "prod/"}, {"logGroupNamePrefix": "/aws/"}, {"logGroupNamePrefix": "/none"}]});
    let answer = handle(&aws, run(input)).await.unwrap();
    let expected = json!({"sequence": 1, "next": "EXPORT", "items": {"bucket": "work", "key": "plans/run-1/0001/windows.json"},
        "results": {"bucket": "work", "prefix": "plans/run-1/0001/results"}, "compact": []});
    assert_eq!(answer, expected);
    // The longest prefix that does not exclude it applies.
    assert_eq!(planned(&aws, 1), ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/debug-1", "/ecs/web"]);
    let item = json!({"s3BucketName": "archive", "s3Prefix": "web", "logGroupName": "/ecs/web", "logStreamNamePrefix": "prod/", "timezone": "Asia/Tokyo",
        "month": "2026-10", "from": FROM, "to": TO, "force": false, "startTime": NOW, "execution": EXECUTION, "isOpen": false});
    assert_eq!(of_step(&aws, 1, "windows")[3], item);
    let warnings = &aws.get(&format!("{STEPS}/run.json")).unwrap()["warnings"];
    assert_eq!(warnings.as_array().unwrap().iter().map(|warning| &warning["name"]).collect::<Vec<_>>(), ["EntryMatchesNothing"]);
    // A prefix inside another is not listed again. Named log groups are looked up in one call.
    let mut asked = aws.bodies("DescribeLogGroups");
    asked.retain(|request| request["nextToken"].is_null());
    let expected = [
        json!({"logGroupNamePrefix": "/aws/", "limit": 50}),
        json!({"logGroupNamePrefix": "/none", "limit": 50}),
        json!({"logGroupIdentifiers": ["/ecs/web"], "limit": 50}),
    ];
    assert_eq!(asked, expected);
    assert_eq!(aws.names(&["PUT archive", "DELETE"]), [""; 0], "the archive is only read");
}

#[tokio::test(start_paused = true)]
async fn named_log_groups_are_looked_up_alone_if_aws_refuses_many() {
    for code in ["InvalidParameterException", "ResourceNotFoundException"] {
        let aws = aws_with(|aws| aws.refuse_once("DescribeLogGroups", 400, code, "no"));
        let answer = handle(&aws, run(json!({"logGroups": ["/ecs/web", "/gone"]}))).await.unwrap();
        assert_eq!((&answer["next"], planned(&aws, 1)), (&json!("EXPORT"), vec!["/ecs/web".to_owned()]));
        assert_eq!(decided(&aws, 1), [["/gone", "warned", "LogGroupNotFound"]]);
        let mut asked = aws.bodies("DescribeLogGroups");
        asked.retain(|request| request["nextToken"].is_null());
        let singly = |name: &str| json!({"logGroupNamePrefix": name, "limit": 50});
        assert_eq!(asked[1..], [singly("/ecs/web"), singly("/gone")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_group_month_is_decided_by_its_evidence() {
    type Case = (fn(&mut State), &'static str, Option<[&'static str; 2]>);
    let archived = |aws: &mut State, changes: Value| aws.put(&path_of(&october("/ecs/web")), &manifest(&october("/ecs/web"), changes));
    let empty = json!({"outcome": "empty", "objects": 0, "bytes": 0});
    let cases: [(Case, &Value); 8] = [
        ((|_| {}, "REPORT", None), &empty),
        // Its object was deleted.
        ((|_| {}, "EXPORT", None), &json!({})),
        ((|_| {}, "EXPORT", None), &merged(empty.clone(), json!({"created": "2099-01-01T00:00:00Z"}))),
        (
            (
                |aws| aws.refuse("GET archive/logs/manifests/", 403, "InvalidObjectState", "no"),
                "REPORT",
                Some(["failed", "ArchiveUnreadable"]),
            ),
            &empty,
        ),
        ((|aws| aws.refuse("LIST archive/logs/log_group=", 403, "AccessDenied", "no"), "REPORT", Some(["failed", "AccessDenied"])), &empty),
        (
            (|aws| aws.refuse("DescribeLogStreams", 400, "AccessDeniedException", "no"), "REPORT", Some(["failed", "AccessDenied"])),
            &json!({"account": "1", "outcome": "empty", "task_id": null}),
        ),
        ((|aws| aws.log_streams.clear(), "REPORT", Some(["nothingYet", ""])), &json!({"account": "1", "task_id": null})),
        (
            (|aws| aws.log_groups[4]["creationTime"] = json!(TO + 14 * DAY + 1), "REPORT", Some(["skipped", "CreatedAfterMonth"])),
            &json!({"account": "1", "task_id": null}),
        ),
    ];
    for ((change, next, settled), present) in cases {
        let aws = aws_with(change);
        archived(&mut aws.state(), present.clone());
        let answer = handle(&aws, run(json!({"logGroups": ["/ecs/web"]}))).await.unwrap();
        assert_eq!(answer["next"], next, "{present}");
        let settled: Vec<_> = settled.iter().map(|[became, why]| ["/ecs/web", became, why]).collect();
        assert_eq!(decided(&aws, 1), settled, "{present}");
    }
}

/// The longest window of the two months before shows how long the month's task takes.
#[tokio::test(start_paused = true)]
async fn a_month_whose_task_would_take_too_long_is_planned_in_parts() {
    let months_ago = |months: i32| {
        let mut target = october("/ecs/web");
        (0..months).for_each(|_| target.month = target.month.previous());
        target.window = Window::of(target.month, stack().timezone);
        target
    };
    let took = |target: &Target, hours: i64| {
        let created = Millis(target.window.to.0 + 1 + DAY);
        let completed = Millis(created.0 + hours * 3_600_000);
        manifest(
            target,
            json!({"outcome": "empty", "objects": 0, "bytes": 0, "created": created.to_string(), "completed": completed.to_string()}),
        )
    };
    let (july, august, september) = (months_ago(3), months_ago(2), months_ago(1));
    let first = |ms: i64| Target {
        window: Window { from: september.window.from, to: Millis(september.window.from.0 + ms - 1) },
        ..september.clone()
    };
    let (day, hours) = (first(DAY), first(DAY - 1));
    for (archived, parts) in [
        (vec![], 1),
        (vec![(&september, 15)], 1),
        (vec![(&september, 16)], 2),
        (vec![(&september, 40), (&august, 15)], 1),
        (vec![(&september, 1), (&august, 33)], 3),
        (vec![(&july, 40)], 1),
        (vec![(&day, 10)], 20),
        (vec![(&hours, 10)], 1),
    ] {
        let aws = aws_with(|aws| archived.iter().for_each(|(target, hours)| aws.put(&path_of(target), &took(target, *hours))));
        handle(&aws, run(json!({"month": "2026-10", "logGroups": ["/ecs/web"]}))).await.unwrap();
        let windows = of_step(&aws, 1, "windows");
        let bounds: Vec<[i64; 2]> =
            windows.as_array().unwrap().iter().map(|one| ["from", "to"].map(|name| one[name].as_i64().unwrap())).collect();
        let length = (TO + 1 - FROM) / parts;
        let expected: Vec<[i64; 2]> = (0..parts).map(|part| [FROM + part * length, FROM + (part + 1) * length - 1]).collect();
        assert_eq!(bounds, expected, "{archived:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_listing_serves_all_log_groups_of_a_month() {
    let aws = aws();
    handle(&aws, run(json!({"logGroups": [{"logGroupNamePrefix": "/"}]}))).await.unwrap();
    let folders = ["09", "10", "11", "08"].map(|month| format!("LIST archive/logs/manifests/year=2026/month={month}/"));
    assert_eq!(aws.names(&["LIST archive/logs/manifests/"]), folders);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_short_of_time_continues_in_the_next_call() {
    let aws = aws();
    let first = function(&aws, Duration::ZERO)
        .handle(run(json!({"logGroups": ["/ecs/web"]})), &mut Invocation::new("r", NOW.parse().unwrap()))
        .await
        .unwrap();
    assert_eq!((&first["next"], planned(&aws, 1)), (&json!("PLAN"), vec![]));
    let second = handle(&aws, run(json!({"plan": first}))).await.unwrap();
    assert_eq!((&second["sequence"], &second["next"], planned(&aws, 2)), (&json!(2), &json!("EXPORT"), vec!["/ecs/web".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_20_hours_old_plans_nothing_more() {
    let aws = aws();
    let answer = handle_at(&aws, run(json!({"logGroups": ["/ecs/web"]})), "2026-11-02T00:00:06Z").await.unwrap();
    assert_eq!((&answer["next"], decided(&aws, 1)), (&json!("REPORT"), vec![["/ecs/web", "waiting", ""].map(str::to_owned)]));
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_run_starts_at_the_last_run_that_compared_everything() {
    let report = |due_month: &str, everything: bool, scheduled: Option<&str>| json!({"due_month": due_month, "compared_everything": everything, "scheduled_time": scheduled});
    let reports = |aws: &mut fake_aws::State| {
        aws.put("archive/logs/runs/year=2026/month=07/2026-08-01.json", &report("2026-07", true, Some("2026-08-01T04:00:00Z")));
        aws.put("archive/logs/runs/year=2026/month=08/2026-09-01.json", &report("2026-08", true, Some("2026-09-01T04:00:00Z")));
        aws.put("archive/logs/runs/year=2026/month=09/2026-10-01.json", &report("2026-09", false, Some("2026-10-01T04:00:00Z")));
        aws.put("archive/logs/runs/year=2026/month=09/2026-10-02.json", &report("2026-09", true, None));
        aws.put("archive/logs/runs/year=2026/month=09/2026-10-03.json", &json!("no report"));
    };
    for (scheduled, months, warnings) in [
        ("2026-11-01T04:00:00Z", vec!["2026-10", "2026-09", "2026-08", "2026-07"], vec![]),
        // A later scheduled run has ended: this run counts as a run by hand.
        ("2026-09-15T04:00:00Z", vec!["2026-10"], vec!["ScheduledTimeOvertaken"]),
    ] {
        let aws = aws_with(reports);
        handle(&aws, run(json!({"scheduledTime": scheduled, "logGroups": ["/ecs/web"]}))).await.unwrap();
        let run = aws.get(&format!("{STEPS}/run.json")).unwrap();
        let of = |list: &Value, name: &str| {
            list.as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            (of(&run["looks"], "month"), of(&run["warnings"], "name")),
            (months.iter().map(|month| month.to_string()).collect(), warnings.iter().map(|name| name.to_string()).collect())
        );
    }
}

/// The newest report is the last one, although its due month is older.
#[tokio::test(start_paused = true)]
async fn a_scheduled_run_starts_at_the_last_run_also_if_that_had_more_settle_days() {
    let aws = aws_with(|aws| {
        for (name, due_month) in [("10/2026-11-04", "2026-10"), ("09/2026-11-05", "2026-09")] {
            let report = json!({"due_month": due_month, "compared_everything": true, "scheduled_time": "2026-11-04T04:00:00Z"});
            aws.put(&format!("archive/logs/runs/year=2026/month={name}.json"), &report);
        }
    });
    let event = json!({"execution": EXECUTION, "startTime": "2026-11-16T04:00:05Z",
        "state": {"scheduledTime": "2026-11-16T04:00:00Z", "settleDays": 15, "logGroups": ["/ecs/web"]}});
    handle_at(&aws, event, "2026-11-16T04:00:06Z").await.unwrap();
    let run = aws.get(&format!("{STEPS}/run.json")).unwrap();
    let months: Vec<&Value> = run["looks"].as_array().unwrap().iter().map(|look| &look["month"]).collect();
    assert_eq!((&run["due_month"], months), (&json!("2026-10"), vec![&json!("2026-10"), &json!("2026-09"), &json!("2026-08")]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_input_makes_no_call() {
    for (event, name) in [
        (json!(null), InvalidInput),
        (json!({"state": {}}), InvalidInput),
        (merged(run(json!({})), json!({"more": 1})), InvalidInput),
        (run(json!({"logGroups": ["/a"], "months": 1})), InvalidInput),
        (run(json!({"logGroups": []})), InvalidInput),
        (run(json!("text")), InvalidInput),
        // Not the state of a run, but an input with an unknown field.
        (run(json!({"logGroups": ["/a"], "plan": {}})), InvalidInput),
        (run(json!({"plan": {"sequence": 1}})), InvalidInput),
    ] {
        let aws = aws();
        assert_eq!(handle(&aws, event.clone()).await.unwrap_err().name, name, "{event}");
        assert_eq!(aws.names(&[""]), [""; 0], "{event}");
    }
    let error = handle(&aws(), run(json!({"logGroups": ["/a"], "month": "2026-11"}))).await.unwrap_err();
    assert_eq!(error.name, MonthNotComplete);
}

/// The state machine repeats the call.
#[tokio::test(start_paused = true)]
async fn a_temporary_error_fails_the_call() {
    let cases: [(&str, u16, &str, ErrorName); 8] = [
        ("DescribeLogGroups", 400, "ThrottlingException", LogsThrottled),
        ("DescribeLogStreams", 400, "ThrottlingException", LogsThrottled),
        ("DescribeLogStreams", 500, "ServiceUnavailableException", LogsUnavailable),
        ("LIST archive/logs/runs/", 503, "SlowDown", DestinationUnavailable),
        ("LIST archive/logs/manifests/", 503, "SlowDown", DestinationUnavailable),
        ("PUT work/", 503, "SlowDown", DestinationUnavailable),
        // A permanent error that is not of one log group alone fails the call too.
        ("LIST archive/logs/manifests/", 403, "AccessDenied", AccessDenied),
        ("DescribeLogGroups", 400, "AccessDeniedException", AccessDenied),
    ];
    for (call, status, code, name) in cases {
        let aws = aws_with(|aws| aws.refuse(call, status, code, "no"));
        let scheduled = json!({"logGroups": ["/ecs/web"], "scheduledTime": "2026-11-01T04:00:00Z"});
        let error = handle(&aws, run(scheduled)).await.unwrap_err();
        assert_eq!(error.name, name, "{call}: {error}");
        assert!(error.message.contains(&format!("answered {code}: no")), "{error}");
    }
}
