//! `status`: states, totals, exit codes, and the number of calls.

use aws_sdk_cloudformation::types::StackStatus;
use chrono::Utc;
use chrono_tz::Asia::Tokyo;
use e2e::{MONTH, Stage, badly};
use export_core::{
    Month, Window,
    manifest::{Outcome, Reason},
    missing::OpenOutcome,
};
use local_aws::wait_for;
use logs_archive::stack::OUTPUTS;
use serde_json::{Value, json};

use crate::{
    fixtures::{month, put_json, put_manifest, put_new_open_window, stack, target},
    list::requests_of_tool,
    tool::Tool,
};

/// A stage where a scheduled run has compared the whole list. Without such a run, it is unknown what is missing.
async fn compared_stage() -> (Stage, Tool) {
    let (stage, tool) = Tool::on_stage().await;
    compare(&stage).await;
    (stage, tool)
}

/// Runs a scheduled run with a log group that does not exist.
async fn compare(stage: &Stage) {
    stage.run_well(&json!({"scheduledTime": "2024-11-02T04:00:00Z", "logGroups": ["/compared"]})).await;
}

/// The log group, month and state of each row.
fn states(rows: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().expect("an array").iter();
    rows.map(|row| format!("{} {} {}", text(&row["logGroup"]), text(&row["month"]), text(&row["state"]))).collect()
}

/// One log group for each state, with the exit codes of `--missing` and `--lost`.
#[tokio::test(flavor = "multi_thread")]
async fn each_state_has_its_name_and_its_exit_codes() {
    let (stage, tool) = compared_stage().await;
    let stack = stack(&stage);
    let of = |name: &str| target(&stack, &format!("/status-state/{name}"), MONTH);
    put_manifest(&stage, &of("archived"), Outcome::Exported, None, 3).await;
    put_manifest(&stage, &of("empty"), Outcome::Empty, None, 0).await;
    put_manifest(&stage, &of("skipped"), Outcome::Skipped, Some(Reason::NoEventsInMonth), 0).await;
    put_manifest(&stage, &of("lost"), Outcome::Lost, Some(Reason::LogGroupDeleted), 0).await;
    let mut half = of("in-part");
    half.window = half.window.split_equally(2)[0];
    put_manifest(&stage, &half, Outcome::Exported, None, 1).await;
    // Two months of another time zone cover the month together.
    for around in ["2024-09", MONTH] {
        let mut utc = target(&stack, "/status-state/utc", around);
        utc.window = Window::of(month(around), chrono_tz::UTC);
        put_manifest(&stage, &utc, Outcome::Exported, None, 1).await;
    }
    put_new_open_window(&stage, &of("failed"), OpenOutcome::Failed, 0).await;
    put_new_open_window(&stage, &of("waiting"), OpenOutcome::Waiting, 6).await;
    put_new_open_window(&stage, &of("waiting-long"), OpenOutcome::Waiting, 7).await;
    put_new_open_window(&stage, &of("not-asked"), OpenOutcome::NotAsked, 99).await;
    for (name, state, [plain, missing, lost]) in [
        ("archived", "archived", [0, 0, 0]),
        ("empty", "empty", [0, 0, 0]),
        ("skipped", "skipped", [0, 0, 0]),
        ("lost", "lost", [0, 0, 1]),
        ("in-part", "coveredInPart", [0, 0, 0]),
        ("utc", "archived", [0, 0, 0]),
        ("failed", "failed", [0, 1, 1]),
        ("waiting", "waiting", [0, 0, 0]),
        ("waiting-long", "waiting", [0, 1, 1]),
        ("not-asked", "notAsked", [0, 0, 0]),
    ] {
        let group = format!("/status-state/{name}");
        let arguments = ["status", "--from", MONTH, "--to", MONTH, "--group", &group];
        let rows = tool.json(plain, &arguments).await;
        assert_eq!(states(&rows), [format!("{group} {MONTH} {state}")]);
        tool.json(missing, &[&arguments[..], &["--missing"]].concat()).await;
        tool.json(lost, &[&arguments[..], &["--lost"]].concat()).await;
    }
    let row = tool.json(0, &["status", "--to", MONTH, "--group", "/status-state/archived"]).await;
    assert_eq!(row, json!([{"logGroup": "/status-state/archived", "month": MONTH, "state": "archived", "objects": 3, "bytes": 300}]));

    let output = tool.run(&["status", "--from", MONTH, "--to", MONTH, "--group", "/status-state/*"]).await;
    let expected = "
 LOG GROUP                  2024 BYTES
                              10
 /status-state/archived        a 300 B
 /status-state/empty           e   0 B
 /status-state/failed          F   0 B
 /status-state/in-part         P 100 B
 /status-state/lost            L   0 B
 /status-state/not-asked       N   0 B
 /status-state/skipped         s   0 B
 /status-state/utc             a 100 B
 /status-state/waiting         W   0 B
 /status-state/waiting-long    W   0 B

a 2 archived   e 1 empty   s 1 skipped   P 1 covered in part   W 2 waiting   F 1 failed   L 1 lost   N 1 not asked
10 log groups, 1 months: 5 objects, 500 B; 2 missing
";
    let (matrix, open) = output.stdout.split_once("\n MONTH ").expect("the open windows follow the matrix");
    assert_eq!((output.code, output.stderr.as_str(), format!("\n{matrix}")), (0, "", expected.to_owned()));
    let open: Vec<String> = open
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().take(4).filter(|word| !word.starts_with("20") || *word == MONTH).collect::<Vec<_>>().join(" "))
        .collect();
    let of = |name: &str, outcome: &str| format!("{MONTH} /status-state/{name} {outcome}");
    assert_eq!(
        open,
        [of("failed", "failed AccessDenied"), of("not-asked", "not asked"), of("waiting", "waiting"), of("waiting-long", "waiting")]
    );
}

/// Without a scheduled run, or with a manifest that is not valid or cannot be read, it is unknown what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_windows_count_as_missing() {
    let (stage, tool) = Tool::on_stage().await;
    stage.forget_runs().await;
    for (arguments, code) in [(&["status"][..], 0), (&["status", "--missing"], 1), (&["status", "--lost"], 1)] {
        let output = tool.run(arguments).await;
        let is_reported = output.stderr.contains("No scheduled run has compared the whole list yet");
        assert_eq!((output.code, is_reported), (code, code == 1), "{output:#?}");
    }

    compare(&stage).await;
    let stack = stack(&stage);
    let [good, bad] = ["good", "bad"].map(|name| target(&stack, &format!("/status-known/{name}"), "2024-08"));
    put_manifest(&stage, &good, Outcome::Empty, None, 0).await;
    put_manifest(&stage, &bad, Outcome::Empty, None, 0).await;
    let arguments = ["status", "--from", "2024-08", "--to", "2024-08", "--group", "/status-known/*", "--missing"];
    tool.json(0, &arguments).await;
    let key = stack.manifest_key(&bad.manifest_key());
    stage.fault(json!({"operation": "GetObject", "keySuffix": key, "error": "AccessDenied", "httpStatus": 403, "times": 99})).await;
    let denied = tool.run(&[&arguments[..], &["--output", "json"]].concat()).await;
    stage.local.clear_faults().await.expect("the stand-in takes it");
    put_json(&stage, &key, &json!({"schema_version": 2})).await;
    let cut = tool.run(&[&arguments[..], &["--output", "json"]].concat()).await;
    stage.delete(std::slice::from_ref(&key)).await;
    for (output, message) in [(denied, "cannot be read, and runs fail with ArchiveUnreadable"), (cut, "is not valid: ")] {
        assert!(output.code == 1 && output.stderr.contains(&format!("warning: manifest {key} {message}")), "{output:#?}");
        assert_eq!(states(&serde_json::from_str(&output.stdout).expect("JSON")), ["/status-known/good 2024-08 empty"]);
    }
}

/// `status` shows exactly the missing windows of the failed run's report.
#[tokio::test(flavor = "multi_thread")]
async fn status_and_the_report_of_a_run_agree() {
    let (stage, tool) = Tool::on_stage().await;
    let [good, bad, quiet, gone] = ["good", "bad", "quiet", "gone"].map(|name| format!("/status-run/{name}"));
    stage.hello(&good).await;
    stage.hello(&bad).await;
    stage.log_group(&quiet, &[(e2e::FROM - 40 * e2e::DAY, "August")]).await;
    stage.fault(json!({"operation": "CreateExportTask", "logGroupName": bad, "error": "AccessDeniedException", "times": 99})).await;
    let input = json!({"scheduledTime": "2024-11-02T04:00:00Z", "logGroups": [good, bad, quiet, gone]});
    let run = stage.run(&input).await;
    let report = stage.report(&run.arn).await;
    assert_eq!(badly(run).0, "ArchiveIncomplete");

    let arguments = ["status", "--from", MONTH, "--to", "2024-11", "--group", "/status-run/*", "--missing"];
    let rows = tool.json(1, &arguments).await;
    let expected = [
        format!("{bad} {MONTH} failed"),
        // November is due, and no scheduled run has compared it.
        format!("{bad} 2024-11 waiting"),
        format!("{good} {MONTH} archived"),
        format!("{good} 2024-11 waiting"),
        format!("{quiet} {MONTH} skipped"),
        format!("{quiet} 2024-11 waiting"),
    ];
    assert_eq!(states(&rows), expected);
    assert_eq!(report["missing"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["missing"][0]["log_group"], bad);
    let (_, manifest) = stage.manifest(&good).await;
    assert_eq!((&rows[2]["objects"], &rows[2]["bytes"]), (&manifest["objects"], &manifest["bytes"]));

    // The next run exports a month whose manifest was removed.
    let (key, _) = stage.manifest(&good).await;
    stage.delete(&[key]).await;
    let rows = tool.json(0, &["status", "--from", MONTH, "--to", MONTH, "--group", &good]).await;
    assert_eq!(states(&rows), [format!("{good} {MONTH} waiting")]);

    stage.local.clear_faults().await.expect("the stand-in takes it");
    let output = stage.run_well(&json!({"scheduledTime": "2024-11-03T04:00:00Z", "logGroups": [good, bad, quiet]})).await;
    e2e::assert_counts(&output, json!({"exported": 2, "alreadyArchived": 1}));
    let rows = tool.json(0, &["status", "--from", MONTH, "--to", MONTH, "--group", "/status-run/*", "--missing"]).await;
    let expected = [format!("{bad} {MONTH} archived"), format!("{good} {MONTH} archived"), format!("{quiet} {MONTH} skipped")];
    assert_eq!(states(&rows), expected);
}

/// A month is not yet due until it has settled.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_due_when_a_run_exports_it() {
    let (stage, tool) = Tool::on_stage().await;
    let this = Month::at(Utc::now(), Tokyo);
    put_manifest(&stage, &target(&stack(&stage), "/status-due", &this.previous().previous().to_string()), Outcome::Exported, None, 1).await;
    let rows = tool.json(0, &["status", "--group", "/status-due"]).await;
    let mut expected = vec![format!("/status-due {} archived", this.previous().previous())];
    // On the 1st, the month before has not settled before noon.
    if Utc::now() < Window::of(this.previous(), Tokyo).complete_at() {
        expected.push(format!("/status-due {} notYetDue", this.previous()));
    }
    expected.push(format!("/status-due {this} notYetDue"));
    assert_eq!(states(&rows), expected);
}

/// One report replaces the reading of all manifests of its run.
#[tokio::test(flavor = "multi_thread")]
async fn manifests_that_a_report_covers_are_not_read() {
    let (stage, tool) = Tool::on_stage().await;
    let names: Vec<String> = (0..12).map(|number| format!("/status-calls/{number:02}")).collect();
    for name in &names {
        stage.log_group(name, &[(e2e::FROM - 20 * e2e::DAY, "September"), (e2e::FROM, "October")]).await;
    }
    for day in ["2024-10-01", "2024-11-01"] {
        stage.run_well(&json!({"scheduledTime": format!("{day}T04:00:00Z"), "logGroups": names})).await;
    }
    let calls = async || -> Vec<String> {
        let requests = requests_of_tool(&stage).await;
        requests.iter().map(|request| format!("{} {}", request["operation"], request["resource"]["key"])).collect()
    };
    let before = calls().await.len();
    let rows = tool.json(0, &["status", "--from", "2024-09", "--to", MONTH, "--group", "/status-calls/*"]).await;
    assert_eq!(states(&rows).iter().filter(|row| row.ends_with(" archived")).count(), 24);
    let made = calls().await.split_off(before);
    let reads = |part: &str| made.iter().filter(|call| call.contains("GetObject") && call.contains(part)).count();
    let of_place: Vec<String> =
        names.iter().flat_map(|name| ["2024-09", MONTH].map(|of| target(&stack(&stage), name, of).manifest_key().to_string())).collect();
    assert_eq!((reads("runs/"), of_place.iter().map(|key| reads(key)).sum::<usize>()), (2, 0), "{made:#?}");

    // A manifest that was written after the end of its run is read.
    let key = stage.keys(&format!("{}/runs/", e2e::S3_PREFIX)).await.into_iter().find(|key| key.contains("month=10")).expect("a report");
    let mut report = stage.json(&key).await;
    report["ended"] = json!("2020-01-01T00:00:01Z");
    report["started"] = json!("2020-01-01T00:00:00Z");
    put_json(&stage, &key, &report).await;
    let changed = target(&stack(&stage), &names[0], MONTH);
    put_manifest(&stage, &changed, Outcome::Skipped, Some(Reason::NoEventsInMonth), 0).await;
    let before = calls().await.len();
    let rows = tool.json(0, &["status", "--from", MONTH, "--to", MONTH, "--group", &names[0]]).await;
    assert_eq!(states(&rows), [format!("{} {MONTH} skipped", names[0])]);
    let made = calls().await.split_off(before);
    let is_read = |key: &&String| made.iter().any(|call| call.contains("GetObject") && call.contains(key.as_str()));
    assert_eq!(of_place.iter().filter(is_read).count(), 12, "{made:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_single_stack_the_message_lists_the_stacks() {
    let (stage, tool) = Tool::on_stage().await;
    let elsewhere_output = Tool::of(&stage.local).with("AWS_REGION", "eu-west-1").run(&["status"]).await;
    assert_eq!((elsewhere_output.code, elsewhere_output.stdout.as_str()), (2, ""));
    assert!(
        elsewhere_output.stderr.contains("this account has no stack of cloudwatch-logs-archive in eu-west-1"),
        "{}",
        elsewhere_output.stderr
    );
    let unknown = tool.run(&["status", "--stack", "no-such-stack"]).await;
    assert!(unknown.code == 2 && unknown.stderr.contains("this account has no stack no-such-stack"), "{unknown:#?}");
    for arguments in [["status", "--stack", "cloudwatch-logs-archive"], ["--stack", "cloudwatch-logs-archive", "status"]] {
        assert_eq!(tool.run(&arguments).await.code, 0);
    }
    // Two stacks of the template in a Region, and another stack.
    let region = "eu-north-1";
    for (name, outputs) in [("archive-b", true), ("archive-a", true), ("other", false)] {
        create_stack(&stage, region, name, outputs).await;
    }
    let elsewhere = Tool::of(&stage.local).with("AWS_REGION", region);
    let several = elsewhere.run(&["status"]).await;
    let expected = "error: this account has several stacks of cloudwatch-logs-archive in eu-north-1: choose one with --stack\n  archive-a\n  archive-b\n";
    assert_eq!((several.code, several.stderr.as_str()), (2, expected));
    let other = elsewhere.run(&["status", "--stack", "other"]).await;
    assert!(other.code == 2 && other.stderr.contains("stack other is CREATE_COMPLETE and has no output StateMachineArn"), "{other:#?}");
    let backwards = tool.run(&["status", "--from", "2024-10", "--to", "2024-09"]).await;
    assert!(backwards.code == 2 && backwards.stderr.contains("swap them"), "{backwards:#?}");
}

/// A stack of one topic, with the outputs of the template or with none.
async fn create_stack(stage: &Stage, region: &str, name: &str, has_outputs: bool) {
    let outputs: serde_json::Map<String, Value> =
        OUTPUTS.iter().map(|name| ((*name).to_owned(), json!({"Value": "x"}))).filter(|_| has_outputs).collect();
    let template = json!({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}).to_string();
    let config = stage.local.sdk_config().into_builder().region(aws_config::Region::new(region.to_owned())).build();
    let client = aws_sdk_cloudformation::Client::new(&config);
    client.create_stack().stack_name(name).template_body(template).send().await.expect("the stack is created");
    wait_for("the stack", async || {
        let described = client.describe_stacks().stack_name(name).send().await.expect("the stack exists");
        described.stacks().iter().all(|stack| stack.stack_status() == Some(&StackStatus::CreateComplete)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_months_are_shown_and_can_be_limited() {
    let (stage, tool) = Tool::on_stage().await;
    let months: Vec<String> =
        std::iter::successors(Some(month("2004-03")), |month| Some(month.next())).take(200).map(|month| month.to_string()).collect();
    for (number, of) in months.iter().enumerate() {
        put_manifest(&stage, &target(&stack(&stage), "/status-long", of), Outcome::Exported, None, 1 + number as u64).await;
    }
    let last = months.last().expect("there are 200");
    let rows = tool.json(0, &["status", "--to", last, "--group", "/status-long"]).await;
    let expected: Vec<String> = months.iter().map(|month| format!("/status-long {month} archived")).collect();
    assert_eq!(states(&rows), expected);
    assert_eq!(rows[199]["objects"], 200);
    let rows = tool.json(0, &["status", "--from", &months[198], "--to", last, "--group", "/status-long"]).await;
    assert_eq!(states(&rows), expected[198..]);
}
