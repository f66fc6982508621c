//! The function as the state machine calls it: the real SDK clients on AWS in memory.

use archive::{Archive, Work};
use export_core::{
    ErrorName::*,
    ExecutionArn, ExportError,
    contract::plan::{Decided, Next, Run},
    decide::LogGroup,
    planner::{Group, Progress},
};
use fake_aws::{Aws, EXECUTION, FROM, NOW, STACK, TO, manifest, merged, october, path_of, stack};
use function_runtime::{Invocation, Metric};
use report_archive::{ReportArchive, Topic};
use serde_json::{Value, from_value, json};

const REPORT: &str = "logs/runs/year=2026/month=10/2026-11-01T04-00-05.000Z-run-1.json";
const AT: &str = "The report is s3://archive/logs/runs/year=2026/month=10/2026-11-01T04-00-05.000Z-run-1.json.";

fn archive(aws: &Aws) -> Archive {
    let config = aws.config();
    Archive::new(stack(), aws_sdk_cloudwatchlogs::Client::new(&config), function_runtime::s3_client(&config))
}

fn source(log_group: &str) -> Value {
    json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": log_group})
}

/// What became of October of a log group.
fn decided(log_group: &str, settled: Value) -> Value {
    merged(json!({"source": source(log_group), "month": "2026-10", "window": {"from": FROM, "to": TO}}), settled)
}

fn exported() -> Value {
    decided("/ecs/web", json!({"became": "exported", "task_id": "task-1", "objects": 2, "bytes": 5, "seconds": 2.25}))
}

fn skipped(reason: &str) -> Value {
    decided("/idle", json!({"became": "skipped", "reason": reason}))
}

fn failed(log_group: &str, error: &str) -> Value {
    decided(log_group, json!({"became": "failed", "failure": {"error": error, "message": "in AWS's words."}}))
}

/// What a run of October left in the work bucket after its last plan, as its state has it.
async fn left(aws: &Aws, decided: Value, progress: Value) -> Value {
    let archive = archive(aws);
    let execution = ExecutionArn::parse(EXECUTION).unwrap();
    let work = Work::new(&archive, "work", &execution);
    let look = json!({"month": "2026-10", "window": {"from": FROM, "to": TO}, "after_first_covered": false});
    let run: Run =
        from_value(json!({"execution": EXECUTION, "start_time": NOW, "scheduled_time": "2026-11-01T04:00:00Z", "due_month": "2026-10",
        "timezone": "Asia/Tokyo", "looks": [look], "force": false, "compact": false, "warnings": []}))
        .unwrap();
    let source = from_value(source("/ecs/web")).unwrap();
    let group = Group { source, place: october("/ecs/web").place, log_group: LogGroup::Absent };
    work.fix_run(run, vec![group]).await.unwrap();
    let nothing = json!({"look": 1, "group": 0, "open": [], "exporting": false, "idle_rounds": 0, "archived": {"2026-10": 3}, "exported": [], "warnings": []});
    let progress: Progress = from_value(merged(nothing, progress)).unwrap();
    let decided: Vec<Decided> = from_value(decided).unwrap();
    let plan = work.write_step(1, Next::Report, Vec::new(), &[], &decided, &progress).await.unwrap();
    aws.forget_calls();
    json!({"plan": plan})
}

async fn handle(aws: &Aws, state: Value) -> Result<Value, ExportError> {
    handle_in(&mut Invocation::new("request-1", NOW.parse().unwrap()), aws, state, false).await
}

async fn handle_in(invocation: &mut Invocation, aws: &Aws, state: Value, notifies_on_success: bool) -> Result<Value, ExportError> {
    let sns = aws_sdk_sns::Client::new(&aws.config());
    let topic = Topic { sns, arn: "arn:aws:sns:topic".to_owned(), archive_name: "archive".to_owned(), notifies_on_success };
    let event = json!({"execution": EXECUTION, "startTime": NOW, "state": state});
    ReportArchive::with(archive(aws), "work".to_owned(), topic).handle(event, invocation).await
}

fn caught(error: &str) -> Value {
    json!({"Error": error, "Cause": json!({"errorType": error, "errorMessage": "in a function's words"}).to_string()})
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_well_leaves_its_report_its_skips_and_its_output() {
    let aws = Aws::default();
    let state = left(&aws, json!([exported(), skipped("NoEventsInMonth")]), json!({})).await;
    let mut invocation = Invocation::new("request-1", NOW.parse().unwrap());
    let output = handle_in(&mut invocation, &aws, state, false).await.unwrap();
    let counts = json!({"alreadyArchived": 3, "exported": 1, "repaired": 0, "empty": 0, "skipped": 1, "nothingYet": 0, "warned": 0, "failed": 0, "objects": 2,
        "bytes": 5, "slotSeconds": 2.25});
    let expected = json!({"dueMonth": "2026-10", "timezone": "Asia/Tokyo", "months": ["2026-10"], "warnings": [], "warningsInAll": 0,
        "report": {"bucket": "archive", "key": REPORT}});
    assert_eq!(output, merged(expected, counts.clone()));
    let report = json!({"schema_version": 1, "execution": EXECUTION, "started": NOW, "ended": "2026-11-01T04:00:05.000Z", "scheduled_time": "2026-11-01T04:00:00Z",
        "compared_everything": true, "due_month": "2026-10", "timezone": "Asia/Tokyo", "months": ["2026-10"], "counts": counts, "error": null,
        "compaction_error": null, "warnings": [], "decided": [exported(), skipped("NoEventsInMonth")]});
    assert_eq!(aws.get(&format!("archive/{REPORT}")), Some(report));
    let idle = october("/idle");
    let changes = json!({"outcome": "skipped", "reason": "NoEventsInMonth", "task_id": null, "objects": 0, "bytes": 0, "created": "2026-11-01T04:00:05.000Z",
        "completed": null, "execution": EXECUTION});
    assert_eq!(aws.get(&path_of(&idle)), Some(manifest(&idle, changes)));
    // The report first, and nobody is told of what is well.
    assert_eq!(aws.names(&["PUT", "DELETE", "Publish"]), [format!("PUT archive/{REPORT}"), format!("PUT {}", path_of(&idle))]);
    let metrics = [Metric::WindowsExported(1), Metric::WindowsEmpty(0), Metric::WindowsSkipped(1), Metric::WindowsFailed(0)];
    assert_eq!(invocation.metrics(), metrics);
    assert_eq!(invocation.log_fields()["month"], "2026-10");
}

#[tokio::test(start_paused = true)]
async fn how_a_run_ends_and_what_people_are_told() {
    let warned =
        decided("/gone", json!({"became": "warned", "warning": {"name": "LogGroupNotFound", "message": "log group /gone does not exist"}}));
    let failures = json!([failed("/b", "ExportTaskFailed"), failed("/a", "DestinationRejected"), failed("/c", "ExportTaskFailed")]);
    let incomplete = "3 log-group-months are not archived.\nDestinationRejected: /a 2026-10. in AWS's words. What to do: Add the statement that the message \
        names to the policy of the bucket or of its key, then start a new run.\nExportTaskFailed: /b 2026-10, /c 2026-10. in AWS's words. What to do: Read \
        what CloudWatch Logs says in the message, then start a new run.";
    let compaction = json!({"compactionError": caught("MonthNotComplete")});
    let compacted = "every export ended well, but the compaction to Parquet ended with MonthNotComplete: in a function's words";
    for (decided, more, tells, end, subject) in [
        (json!([exported()]), json!({}), false, None, None),
        (json!([exported()]), json!({}), true, None, Some("archive: 2026-10 archived")),
        (json!([warned]), json!({}), false, None, Some("archive: 2026-10 archived, 1 warnings")),
        (
            json!([exported()]),
            compaction.clone(),
            false,
            Some((CompactionFailed, compacted)),
            Some("archive: 2026-10 FAILED, CompactionFailed"),
        ),
        (failures.clone(), compaction, false, Some((ArchiveIncomplete, incomplete)), Some("archive: 2026-10 FAILED, 3 not archived")),
        (
            failures,
            json!({"error": caught("LogsThrottled")}),
            false,
            Some((LogsThrottled, "in a function's words")),
            Some("archive: 2026-10 FAILED, LogsThrottled"),
        ),
    ] {
        let aws = Aws::default();
        let state = merged(left(&aws, decided, json!({})).await, more);
        let mut invocation = Invocation::new("request-1", NOW.parse().unwrap());
        let ended = handle_in(&mut invocation, &aws, state, tells).await.err();
        let at = |message: &str, name| if name == LogsThrottled { message.to_owned() } else { format!("{message} {AT}") };
        assert_eq!(ended, end.map(|(name, message)| ExportError::new(name, at(message, name))));
        let published = aws.bodies("Publish");
        assert_eq!(published.first().and_then(|published| published["Subject"].as_str()), subject);
        if let Some(told) = published.first().and_then(|published| published["Message"].as_str()) {
            assert!(told.starts_with(&format!("Run {EXECUTION} looked at 2026-10 in Asia/Tokyo.\n\n")), "{told}");
            assert!(told.ends_with(&format!("\n\nReport: s3://archive/{REPORT}")), "{told}");
            assert!(end.is_none_or(|(_, message)| told.contains(message)), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_compaction_that_failed_is_told_in_its_own_words() {
    let execution = |more: Value| merged(json!({"ExecutionArn": "arn:compact-1", "Input": "{}", "Status": "FAILED"}), more).to_string();
    let cause = "1 of 2 log-group-months were not compacted: /b 2026-10: CompactionRowsDiffer";
    for (error, caught_cause, told) in [
        (
            "States.TaskFailed",
            execution(json!({"Error": "CompactionFailed", "Cause": cause})),
            format!("CompactionFailed: {cause} (execution arn:compact-1)"),
        ),
        ("States.TaskFailed", execution(json!({"Status": "ABORTED"})), "ABORTED: no cause (execution arn:compact-1)".to_owned()),
        ("States.Timeout", String::new(), "States.Timeout: ".to_owned()),
        ("States.TaskFailed", "{}".to_owned(), "States.TaskFailed: {}".to_owned()),
        (
            "StepFunctions.StateMachineDoesNotExistException",
            "gone".to_owned(),
            "StepFunctions.StateMachineDoesNotExistException: gone".to_owned(),
        ),
    ] {
        let aws = Aws::default();
        let failed = json!({"compactionError": {"Error": error, "Cause": caught_cause}});
        let state = merged(left(&aws, json!([exported()]), json!({})).await, failed);
        let message = format!("every export ended well, but the compaction to Parquet ended with {told} {AT}");
        assert_eq!(handle(&aws, state).await.unwrap_err(), ExportError::new(CompactionFailed, message));
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_that_ended_the_planning_ends_the_run() {
    let refused = json!({"logGroups": [], "error": caught("InvalidInput")});
    for (state, name, message) in [
        (refused, InvalidInput, "in a function's words"),
        (json!({"error": caught("MonthNotComplete")}), MonthNotComplete, "in a function's words"),
        (json!({"error": {"Error": "States.Timeout", "Cause": ""}}), Unexpected, "plan-exports ended with States.Timeout: "),
        // A false success would be the worst end.
        (json!({"logGroups": ["/ecs/web"]}), Unexpected, "the run has no plan that can be read"),
    ] {
        let aws = Aws::default();
        assert_eq!(handle(&aws, state).await.unwrap_err(), ExportError::new(name, message));
        let report = aws.get(&format!("archive/{REPORT}")).unwrap();
        assert_eq!(
            (&report["compared_everything"], &report["decided"], &report["due_month"]),
            (&json!(false), &json!([]), &json!("2026-10"))
        );
        assert_eq!(aws.bodies("Publish").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_was_not_looked_at_again_is_a_failure() {
    let open =
        |last: Value| json!({"open": [{"group": 0, "month": "2026-10", "window": {"from": FROM, "to": TO}, "last": last}], "look": 0});
    let last = json!({"error": "ExportTaskFailed", "message": "m"});
    let error = json!({"error": caught("LogsThrottled")});
    for (last, more, failure) in [
        (last, error.clone(), json!({"error": "ExportTaskFailed", "message": "m"})),
        (json!(null), error, json!({"error": "LogsThrottled", "message": "in a function's words"})),
        (json!(null), json!({}), json!({"error": "Unexpected", "message": "planning ended before this window was looked at again"})),
    ] {
        let aws = Aws::default();
        let state = merged(left(&aws, json!([]), open(last)).await, more);
        handle(&aws, state).await.unwrap_err();
        let report = aws.get(&format!("archive/{REPORT}")).unwrap();
        assert_eq!(
            (&report["decided"][0]["failure"], &report["counts"]["failed"], &report["compared_everything"]),
            (&failure, &json!(1), &json!(false))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_read_is_reported_and_ends_the_run() {
    for (name, code, status) in [("run.json", "AccessDenied", 403), ("0001/decided.json", "InvalidObjectState", 403)] {
        let aws = Aws::default();
        let state = left(&aws, json!([exported()]), json!({})).await;
        aws.state().refuse(&format!("GET work/plans/run-1/{name}"), status, code, "no");
        assert_eq!(handle(&aws, state).await.unwrap_err().name, Unexpected, "{name}");
        let report = aws.get(&format!("archive/{REPORT}")).unwrap();
        assert_eq!((&report["compared_everything"], &report["warnings"][0]["name"]), (&json!(false), &json!("ResultsUnreadable")));
    }
    // What may pass is asked again.
    let aws = Aws::default();
    let state = left(&aws, json!([exported()]), json!({})).await;
    aws.state().refuse("GET work/", 503, "SlowDown", "no");
    assert_eq!(handle(&aws, state).await.unwrap_err().name, DestinationUnavailable);
    assert_eq!(aws.names(&["PUT", "Publish"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_can_be_told_of_fails_with_its_own_error_first() {
    for (decided, name) in [
        (decided("/gone", json!({"became": "warned", "warning": {"name": "LogGroupNotFound", "message": "m"}})), NotificationFailed),
        (failed("/a", "ExportTaskFailed"), ArchiveIncomplete),
    ] {
        let aws = Aws::default();
        let state = left(&aws, json!([decided]), json!({})).await;
        aws.state().refuse("Publish", 403, "AuthorizationError", "not authorized to perform: SNS:Publish");
        let error = handle(&aws, state).await.unwrap_err();
        assert_eq!(error.name, name, "{error}");
        let told = error.message.contains("nobody was told: Publish answered AuthorizationError: not authorized to perform: SNS:Publish");
        assert_eq!(told, name == NotificationFailed, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_skip_gives_way_to_every_manifest_that_says_more() {
    let part = |first: i64| {
        let mut target = october("/idle");
        (target.window.from.0, target.window.to.0) = (FROM + first * 86_400_000, FROM + (first + 1) * 86_400_000 - 1);
        target
    };
    let skipped_of = |prefix: &str| json!({"outcome": "skipped", "reason": "ExpiredBeforeFirstRun", "task_id": null, "objects": 0, "bytes": 0, "log_stream_name_prefix": prefix});
    let (first, second) = (part(0), part(1));
    let own = format!("PUT {}", path_of(&october("/idle")));
    let (whole, empty) = (october("/idle"), json!({"outcome": "empty", "objects": 0, "bytes": 0}));
    for (targets, present, calls, end) in [
        // Those that answer for fewer log streams go after the new one is there.
        (
            vec![&first, &second],
            skipped_of("prod/"),
            vec![own.clone(), format!("DELETE {}", path_of(&first)), format!("DELETE {}", path_of(&second))],
            None,
        ),
        (vec![&whole], empty.clone(), vec![], None),
        // The rest of the month is in no manifest: that is no success.
        (vec![&first, &second], empty, vec![], Some(ArchiveIncomplete)),
    ] {
        let aws = Aws::default();
        let state = left(&aws, json!([skipped("NoEventsInMonth")]), json!({})).await;
        for target in targets {
            aws.state().put(&path_of(target), &manifest(target, present.clone()));
        }
        assert_eq!(handle(&aws, state).await.err().map(|error| error.name), end, "{present}");
        assert_eq!(aws.names(&["PUT archive/logs/manifests/", "DELETE"]), calls, "{present}");
        let failed = aws.get(&format!("archive/{REPORT}")).unwrap()["counts"]["failed"].clone();
        assert_eq!(failed, u64::from(end.is_some()), "the report says so too: {present}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_that_expired_before_the_first_run_are_a_skip_of_those_log_streams_and_a_warning() {
    let aws = Aws::default();
    let decided =
        merged(skipped("ExpiredBeforeFirstRun"), json!({"source": merged(source("/idle"), json!({"logStreamNamePrefix": "prod/"}))}));
    let state = left(&aws, json!([decided]), json!({})).await;
    let output = handle(&aws, state).await.unwrap();
    let written = aws.get(&path_of(&october("/idle"))).unwrap();
    assert_eq!((&written["reason"], &written["log_stream_name_prefix"]), (&json!("ExpiredBeforeFirstRun"), &json!("prod/")));
    let message = "/idle 2026-10: the export wrote nothing, and retention may have deleted the events before";
    assert_eq!(output["warnings"], json!([{"name": "ExpiredBeforeFirstRun", "message": message}]));
}

#[tokio::test(start_paused = true)]
async fn many_failures_are_cut_and_many_warnings_too() {
    let aws = Aws::default();
    let many: Vec<Value> = (0..25).map(|index| failed(&format!("/log-group-{index}"), "ExportTaskFailed")).collect();
    let warnings: Vec<Value> = (0..60).map(|index| json!({"name": "ObjectsChanged", "message": index.to_string()})).collect();
    let state = left(&aws, json!(many), json!({"warnings": warnings})).await;
    let error = handle(&aws, state).await.unwrap_err();
    assert!(error.message.contains("/log-group-19 2026-10, ... 25 in all. in AWS's words."), "{error}");
    let state = left(&aws, json!([]), json!({"warnings": warnings})).await;
    let output = handle(&aws, state).await.unwrap();
    assert_eq!((output["warnings"].as_array().unwrap().len(), &output["warningsInAll"]), (50, &json!(60)));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_does_not_fit_costs_no_call() {
    let aws = Aws::default();
    let sns = aws_sdk_sns::Client::new(&aws.config());
    let topic = Topic { sns, arn: String::new(), archive_name: STACK[0].1.to_owned(), notifies_on_success: false };
    let event = json!({"execution": EXECUTION, "startTime": "now", "state": {}, "more": 1});
    let mut invocation = Invocation::new("request-1", NOW.parse().unwrap());
    let error = ReportArchive::with(archive(&aws), "work".to_owned(), topic).handle(event, &mut invocation).await.unwrap_err();
    assert_eq!((error.name, aws.names(&[""])), (InvalidInput, vec![]));
}
