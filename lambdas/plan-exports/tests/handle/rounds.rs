//! Later calls: the results of a round, and what is planned again.

use export_core::ErrorName::*;
use fake_aws::{Aws, EXECUTION, State, manifest, october, path_of};
use serde_json::{Value, json};

use crate::{STEPS, aws, decided, handle, handle_at, of_step, planned, run};

const RESULTS: &str = "plans/run-1/0001/results/x";

/// A run of two log groups after its first round, in which `/ecs/api` was exported.
async fn after_a_round(compact: bool) -> (Aws, Value) {
    let aws = aws();
    let plan = handle(&aws, run(json!({"logGroups": ["/ecs/api", "/ecs/web"], "compact": compact}))).await.unwrap();
    let target = october("/ecs/api");
    let changes = json!({"execution": EXECUTION, "warnings": [{"name": "RetentionShorterThanMonth", "message": "m"}, {"name": "OfTomorrow", "message": "m"}]});
    aws.state().put(&path_of(&target), &manifest(&target, changes));
    aws.state().objects.insert(format!("archive/{}/task-0/s/000000.gz", target.destination_prefix()), b"abc".to_vec());
    (aws, plan)
}

/// The results as the ResultWriter writes them: `/ecs/api` succeeded, and `/ecs/web` has the given result.
fn write_results(aws: &Aws, web: Value) -> Value {
    let items = of_step(aws, 1, "windows");
    let input = |index: usize| items[index].to_string();
    let checked = json!({"status": "COMPLETED", "outcome": "exported", "reason": null, "taskId": "task-0", "objects": 1, "bytes": 3, "seconds": 9.0, "warnings": []});
    let mut record = json!({"Input": input(1)});
    record.as_object_mut().unwrap().extend(web.as_object().unwrap().clone());
    let state = &mut aws.state();
    state.put(
        &format!("work/{RESULTS}/SUCCEEDED_0.json"),
        &json!([{"Input": input(0), "Status": "SUCCEEDED", "Output": checked.to_string()}]),
    );
    state.put(&format!("work/{RESULTS}/FAILED_0.json"), &json!([{"no": "record"}, record]));
    let files = json!({"FAILED": [{"Key": format!("{RESULTS}/FAILED_0.json")}], "PENDING": [], "SUCCEEDED": [{"Key": format!("{RESULTS}/SUCCEEDED_0.json")}]});
    state.put(&format!("work/{RESULTS}/manifest.json"), &json!({"DestinationBucket": "work", "ResultFiles": files}));
    json!({"ResultWriterDetails": {"Bucket": "work", "Key": format!("{RESULTS}/manifest.json")}})
}

fn failed(error: &str) -> Value {
    json!({"Status": "FAILED", "Error": error, "Cause": json!({"errorType": error, "errorMessage": "in AWS's words"}).to_string()})
}

fn succeeded(output: Value) -> Value {
    json!({"Status": "SUCCEEDED", "Output": output.to_string()})
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_child_decides_whether_its_window_is_planned_again() {
    for (web, next, settled) in [
        (failed("DestinationRejected"), "REPORT", Some(["failed", "DestinationRejected"])),
        (failed("SmallerExport"), "REPORT", Some(["failed", "SmallerExport"])),
        (failed("ExportTaskFailed"), "EXPORT", None),
        (failed("ExportSlotBusy"), "EXPORT", None),
        (failed("Sandbox.Timedout"), "EXPORT", None),
        (json!({"Status": "PENDING"}), "EXPORT", None),
        (succeeded(json!({"status": "SKIPPED", "reason": "PartlyArchived"})), "EXPORT", None),
        (succeeded(json!({"status": "SKIPPED", "reason": "RunTimeOver"})), "REPORT", Some(["waiting", ""])),
        (succeeded(json!({"outcome": "skipped", "reason": "ExpiredBeforeFirstRun"})), "REPORT", Some(["skipped", "ExpiredBeforeFirstRun"])),
        (succeeded(json!({"outcome": "lost", "reason": "LogGroupDeleted"})), "REPORT", Some(["lost", "LogGroupDeleted"])),
    ] {
        let (aws, plan) = after_a_round(false).await;
        let exported = write_results(&aws, web.clone());
        let answer = handle(&aws, run(json!({"plan": plan, "exported": exported}))).await.unwrap();
        assert_eq!((&answer["next"], &answer["sequence"], &answer["compact"]), (&json!(next), &json!(2), &json!([])), "{web}");
        let again = if next == "EXPORT" { vec!["/ecs/web".to_owned()] } else { vec![] };
        assert_eq!(planned(&aws, 2), again, "{web}");
        let mut expected = vec![["/ecs/api", "exported", ""].map(str::to_owned)];
        expected.extend(settled.map(|[became, why]| ["/ecs/web", became, why].map(str::to_owned)));
        let mut settled = decided(&aws, 2);
        settled.sort();
        assert_eq!(settled, expected, "{web}");
        let warnings = json!([{"name": "RetentionShorterThanMonth", "message": "/ecs/api 2026-10: m"}]);
        assert_eq!(of_step(&aws, 2, "progress")["warnings"], warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_names_the_months_to_compact() {
    let (aws, plan) = after_a_round(true).await;
    let exported = write_results(&aws, failed("DestinationRejected"));
    let answer = handle(&aws, run(json!({"plan": plan, "exported": exported}))).await.unwrap();
    assert_eq!((&answer["next"], &answer["compact"]), (&json!("COMPACT"), &json!(["2026-10"])));
}

#[tokio::test(start_paused = true)]
async fn unreadable_results_are_a_warning_and_the_archive_is_compared() {
    type Case = (&'static str, fn(&mut State), fn(Value) -> Value);
    let given: fn(Value) -> Value = |exported| json!({"exported": exported});
    let cases: [Case; 5] = [
        (
            "the map ended with {\"Cause\":\"c\",\"Error\":\"States.ItemReaderFailed\"}",
            |_| {},
            |_| json!({"exportError": {"Error": "States.ItemReaderFailed", "Cause": "c"}}),
        ),
        ("the map's output does not name them", |_| {}, |_| json!({"exported": {}})),
        ("manifest.json of bucket work does not exist", |aws| drop(aws.objects.remove(&format!("work/{RESULTS}/manifest.json"))), given),
        ("answered AccessDenied: no", |aws| aws.refuse(&format!("GET work/{RESULTS}"), 403, "AccessDenied", "no"), given),
        ("cannot be read", |aws| aws.put(&format!("work/{RESULTS}/FAILED_0.json"), &json!("?")), given),
    ];
    for (why, change, state) in cases {
        let (aws, plan) = after_a_round(false).await;
        let mut state = state(write_results(&aws, failed("DestinationRejected")));
        change(&mut aws.state());
        state["plan"] = plan;
        let answer = handle(&aws, run(state)).await.unwrap();
        assert_eq!((&answer["next"], planned(&aws, 2)), (&json!("EXPORT"), vec!["/ecs/web".to_owned()]), "{why}");
        assert_eq!(decided(&aws, 2), [["/ecs/api", "exported", ""]], "{why}");
        let warning = &of_step(&aws, 2, "progress")["warnings"][0];
        assert_eq!(warning["name"], "ResultsUnreadable");
        assert!(warning["message"].as_str().unwrap().contains(why), "{warning}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_does_the_same_again() {
    let (aws, plan) = after_a_round(false).await;
    let exported = write_results(&aws, failed("ExportTaskFailed"));
    let event = run(json!({"plan": plan, "exported": exported}));
    let first = handle(&aws, event.clone()).await.unwrap();
    let objects = aws.objects();
    assert_eq!(handle(&aws, event).await.unwrap(), first);
    assert_eq!(aws.objects(), objects);
}

#[tokio::test(start_paused = true)]
async fn after_20_hours_the_remaining_windows_fail_with_their_last_error() {
    let (aws, plan) = after_a_round(false).await;
    let exported = write_results(&aws, failed("ExportTaskFailed"));
    let answer = handle_at(&aws, run(json!({"plan": plan, "exported": exported})), "2026-11-02T00:00:06Z").await.unwrap();
    assert_eq!(answer["next"], "REPORT");
    assert_eq!(decided(&aws, 2)[1], ["/ecs/web", "failed", "ExportTaskFailed"]);
    assert_eq!(of_step(&aws, 2, "decided")[1]["failure"]["message"], "in AWS's words");
}

#[tokio::test(start_paused = true)]
async fn a_state_with_an_unknown_plan_is_an_invalid_input() {
    let (aws, plan) = after_a_round(false).await;
    aws.state().objects.remove(&format!("{STEPS}/0001/progress.json"));
    let error = handle(&aws, run(json!({"plan": plan}))).await.unwrap_err();
    assert_eq!(error.name, InvalidInput);
    assert!(error.message.starts_with("plan is not a known field of a run's input"), "{error}");
}
