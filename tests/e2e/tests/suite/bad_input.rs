//! Bad input fails the run at once, with the name, the field, the value and the fix, starts no export, and is reported like every
//! other end.

use e2e::Stage;
use local_aws::Engine;
use serde_json::{Value, json};

e2e::on_both_engines! {
    what_the_input_shows_to_be_wrong_is_refused_before_any_export,
}

async fn what_the_input_shows_to_be_wrong_is_refused_before_any_export(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    stage.hello("/refused").await;
    let notifications = stage.subscribe().await;
    let valid = stage.input(json!(["/refused"]));
    let with = |field: &str, value: Value| {
        let mut input = valid.clone();
        input[field] = value;
        input
    };
    let two_of_a_place = json!([{"logGroupName": "/refused", "logStreamNamePrefix": "a"}, "/refused"]);
    for (input, error, cause) in [
        (json!({"month": "2024-10"}), "InvalidInput", "logGroups is missing: it is required"),
        (with("s3prefix", json!("x")), "InvalidInput", "s3prefix is not a known field: use one of s3BucketName, s3Prefix"),
        (with("plan", json!({"sequence": 1})), "InvalidInput", "plan is not a known field"),
        (with("month", json!("2026-13")), "InvalidInput", "month is \"2026-13\": it is not a calendar month"),
        (with("month", json!("9998-12")), "MonthNotComplete", "month 9998-12 in Asia/Tokyo is complete from 9999-01-01T"),
        (with("settleDays", json!(16)), "InvalidInput", "settleDays is 16: give a whole number of days from 0 to 15"),
        (with("since", json!("2024-01")), "InvalidInput", "since is given together with month: leave one of them out"),
        (with("scheduledTime", json!("2024-11-01T04:00:00Z")), "InvalidInput", "month is given together with scheduledTime: "),
        (with("logGroups", json!([])), "InvalidInput", "logGroups is []: name at least one log group"),
        (
            with("logGroups", json!(["/refused", "/b:c"])),
            "InvalidInput",
            "logGroups[1] is \"/b:c\": a log group name has 1 to 512 characters out of",
        ),
        (with("logGroups", json!(["/b/*"])), "InvalidInput", "logGroups[0] is \"/b/*\": "),
        (with("logGroups", two_of_a_place), "InvalidInput", "logGroups[0] and logGroups[1] would write to the same place: "),
        (json!([]), "InvalidInput", "the input is []: give a JSON object"),
    ] {
        let execution = stage.run(&input).await;
        let report = stage.report(&execution.arn).await;
        let (found, text) = e2e::badly(execution);
        assert_eq!(found, error, "{input}: {text}");
        assert!(text.contains(cause), "{input}: {text}");
        assert_eq!(
            (&report["error"]["error"], &report["compared_everything"], &report["decided"]),
            (&json!(error), &json!(false), &json!([]))
        );
        let (subject, message) = notifications.next().await;
        assert_eq!(subject, format!("cloudwatch-logs-archive: action needed: run failed with {error}"));
        assert!(message.contains(cause) && message.contains("\nWhat to do: "), "{message}");
    }
    assert_eq!(stage.created("/refused").await, [""; 0], "no export may have started");
    assert_eq!(stage.manifests("/refused").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_cloudwatch_refuses_names_the_statement_to_add() {
    let stage = Stage::take().await;
    stage.hello("/rejected").await;
    let location = aws_sdk_s3::types::BucketLocationConstraint::from(stage.local.region());
    let configuration = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(location).build();
    stage.s3().create_bucket().bucket("no-policy").create_bucket_configuration(configuration).send().await.unwrap();
    for (bucket, cause) in [
        ("no-such-bucket", "s3BucketName is \"no-such-bucket\": create it in "),
        ("no-policy", "Add to the policy of bucket \"no-policy\" the statements {\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"logs."),
    ] {
        let mut input = stage.input(json!(["/rejected"]));
        input["s3BucketName"] = json!(bucket);
        let (error, text) = stage.run_badly(&input).await;
        assert_eq!(error, "ArchiveIncomplete", "{text}");
        assert!(text.contains("\nDestinationRejected: /rejected 2024-10. CreateExportTask answered InvalidParameterException"), "{text}");
        assert!(text.contains(cause), "{text}");
    }
    assert_eq!(stage.keys_in("no-policy", "").await, [""; 0]);
    assert_eq!(stage.created("/rejected").await, [""; 0]);
}
