//! Bad input fails the run at once, with the name, the field, the value and the fix, and starts no export.

use e2e::{Archive, FROM};
use local_aws::Engine;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_input_shows_to_be_wrong_is_refused_before_any_export() {
    let archive = Archive::deploy(Engine::Ministack).await;
    archive.log_group("/a", &[(FROM, "x")]).await;
    let notifications = archive.subscribe().await;
    let valid = archive.input(json!(["/a"]));
    let with = |field: &str, value: Value| {
        let mut input = valid.clone();
        input[field] = value;
        input
    };
    let mut without_bucket = valid.clone();
    without_bucket.as_object_mut().unwrap().remove("s3BucketName");
    for (input, error, cause) in [
        (without_bucket, "InvalidInput", "s3BucketName is missing: it is required"),
        (with("s3prefix", json!("x")), "InvalidInput", "s3prefix is not a known field: use one of s3BucketName, s3Prefix"),
        (with("month", json!("2026-13")), "InvalidInput", "month is \"2026-13\": it is not a calendar month"),
        (with("month", json!("9998-12")), "MonthNotComplete", "month 9998-12 in Asia/Tokyo is complete from 9999-01-01T"),
        (
            with("logGroups", json!(["/a", "/b:c"])),
            "InvalidInput",
            "logGroups[1] is \"/b:c\": a log group name has 1 to 512 characters out of",
        ),
        (with("logGroups", json!(vec!["/a"; 300])), "InvalidInput", "logGroups[9] and 290 more would write to the same place"),
        (json!([]), "InvalidInput", "the input is []: give a JSON object"),
    ] {
        let (found, text) = archive.run_badly(&input).await;
        assert_eq!(found, error, "{input}: {text}");
        assert!(text.contains(cause), "{input}: {text}");
        let (subject, message) = notifications.next().await;
        assert_eq!(subject, format!("CloudWatch Logs archive: refused: {error}"));
        assert!(message.contains(cause), "{message}");
    }
    assert_eq!(archive.local.export_tasks().await.unwrap(), [], "no export may have started");
    assert!(archive.stored(&archive.stack.bucket).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_cloudwatch_refuses_names_the_statement_to_add() {
    let archive = Archive::deploy(Engine::Ministack).await;
    archive.log_group("/a", &[(FROM, "x")]).await;
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&archive.local.sdk_config()).force_path_style(true).build());
    let region = archive.local.region().to_owned();
    s3.create_bucket()
        .bucket("no-policy")
        .create_bucket_configuration(
            aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(region.as_str().into()).build(),
        )
        .send()
        .await
        .unwrap();
    for (bucket, cause) in [
        ("no-such-bucket", "s3BucketName is \"no-such-bucket\": create it in "),
        ("no-policy", "Add to the policy of bucket \"no-policy\" the statements {\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"logs."),
    ] {
        let mut input = archive.input(json!(["/a"]));
        input["s3BucketName"] = json!(bucket);
        let (error, text) = archive.run_badly(&input).await;
        assert_eq!(error, "ExportsFailed", "{text}");
        assert!(
            text.starts_with("1 of 1 log groups failed: /a: DestinationRejected: CreateExportTask answered InvalidParameterException"),
            "{text}"
        );
        assert!(text.contains(cause), "{text}");
    }
    assert!(archive.stored("no-policy").await.is_empty());
    assert_eq!(archive.local.export_tasks().await.unwrap(), []);
}
