//! CreateExportTask: its errors, and the test object.

use aws_sdk_cloudwatchlogs::types::LogGroupClass;
use serde_json::json;

use crate::stand_in::{FROM, REGION, StandIn, TO, error, error_of, status_code, unique_name};

const NO_ACL: &str =
    "GetBucketAcl call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.";

#[tokio::test]
async fn invalid_input_gets_the_errors_of_the_service_model() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let export = || stand_in.export_request(&group, &bucket);
    let long = "x".repeat(513);
    let pattern = r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+";
    let too_long = "Member must have length less than or equal to 512";
    let too_short = "Member must have length greater than or equal to 1";
    let negative = "Member must have value greater than or equal to 0";
    for (request, value, member, constraint) in [
        (export().log_group_name("/a b"), "/a b", "logGroupName", pattern),
        (export().log_group_name("/ログ"), "/ログ", "logGroupName", pattern),
        (export().log_group_name("a=b"), "a=b", "logGroupName", pattern),
        (export().log_group_name(&long), &long, "logGroupName", too_long),
        (export().log_group_name(""), "", "logGroupName", too_short),
        (export().destination(&long), &long, "destination", too_long),
        (export().destination(""), "", "destination", too_short),
        (export().task_name(&long), &long, "taskName", too_long),
        (export().task_name(""), "", "taskName", too_short),
        (export().log_stream_name_prefix(""), "", "logStreamNamePrefix", too_short),
        (export().log_stream_name_prefix("a:b"), "a:b", "logStreamNamePrefix", "Member must satisfy regular expression pattern: [^:*]*"),
        (export().log_stream_name_prefix("a*"), "a*", "logStreamNamePrefix", "Member must satisfy regular expression pattern: [^:*]*"),
        (export().from(-1), "-1", "from", negative),
        (export().from(-2).to(-1), "", "", ""),
    ] {
        let expected = match member {
            "" => format!(
                "2 validation errors detected: Value '-2' at 'from' failed to satisfy constraint: {negative}; \
                 Value '-1' at 'to' failed to satisfy constraint: {negative}"
            ),
            _ => format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"),
        };
        assert_eq!(error_of(request.send().await), error("InvalidParameterException", &expected));
    }
    let valid = export().task_name("x".repeat(512)).log_stream_name_prefix("日本").from(0).to(i64::MAX);
    stand_in.wait_until_ended(&valid.send().await.unwrap().task_id.unwrap()).await;
}

#[tokio::test]
async fn a_window_that_ends_before_it_starts_is_refused() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let message = format!("The specified time range is not valid: from ({TO}) is later than to ({FROM}).");
    let backwards = stand_in.export_request(&group, &bucket).from(TO).to(FROM);
    assert_eq!(error_of(backwards.send().await), error("InvalidParameterException", &message));
    let one_millisecond = stand_in.export_request(&group, &bucket).from(FROM).to(FROM).send().await.unwrap();
    stand_in.wait_until_completed(&one_millisecond.task_id.unwrap()).await;
}

#[tokio::test]
async fn a_prefix_that_leaves_no_room_for_a_key_is_refused() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let prefix = "p".repeat(1024 - "/aws-logs-write-test".len());
    let message = "The specified destinationPrefix is too long: an S3 key has at most 1024 bytes.";
    let longer = stand_in.export_request(&group, &bucket).destination_prefix(format!("{prefix}p"));
    assert_eq!(error_of(longer.send().await), error("InvalidParameterException", message));
    let longest = stand_in.export_request(&group, &bucket).destination_prefix(&prefix).send().await.unwrap();
    stand_in.wait_until_completed(&longest.task_id.unwrap()).await;
    assert_eq!(stand_in.keys(&bucket).await, [format!("{prefix}/aws-logs-write-test")]);
}

#[tokio::test]
async fn a_missing_log_group_is_refused() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let expected = error("ResourceNotFoundException", "The specified log group does not exist.");
    assert_eq!(error_of(stand_in.export_request(&unique_name("/unknown-"), &bucket).send().await), expected);
    // A prefix of its name does not find the log group.
    assert_eq!(error_of(stand_in.export_request(&group[..group.len() - 1], &bucket).send().await), expected);
    assert!(stand_in.keys(&bucket).await.is_empty());
}

#[tokio::test]
async fn only_the_standard_class_can_be_exported() {
    let stand_in = StandIn::start().await;
    let bucket = stand_in.bucket().await;
    for class in [LogGroupClass::InfrequentAccess, LogGroupClass::Delivery] {
        let group = unique_name("/test/class-");
        let create = stand_in.logs().create_log_group().log_group_name(&group).log_group_class(class.clone());
        create.send().await.unwrap();
        let message =
            format!("Export tasks are supported for log groups of the STANDARD class only; {group} is of the {} class.", class.as_str());
        assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), error("InvalidParameterException", &message));
    }
}

#[tokio::test]
async fn a_missing_bucket_is_refused() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    let message = "The given bucket does not exist. Please make sure the bucket is valid.";
    for bucket in ["no-such-bucket-anywhere", "368a7022dea3dd621", "Not A Bucket", "a/b"] {
        assert_eq!(error_of(stand_in.export_request(&group, bucket).send().await), error("InvalidParameterException", message), "{bucket}");
    }
}

#[tokio::test]
async fn a_bucket_in_another_region_is_refused() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    let s3 = stand_in.s3_as(&stand_in.account, "eu-west-1");
    let bucket = stand_in.bucket_in(&s3, "eu-west-1").await;
    let message = "The given bucket is in a different region (eu-west-1). Please use a bucket in region ap-northeast-1.";
    assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), error("InvalidParameterException", message));
    let other = StandIn::start().await;
    let group = other.log_group().await;
    assert_eq!(error_of(other.export_request(&group, &bucket).send().await), error("InvalidParameterException", message));
}

#[tokio::test]
async fn a_bucket_policy_must_let_the_service_read_the_acl() {
    let stand_in = StandIn::start().await;
    let (group, bucket) = (stand_in.log_group().await, stand_in.bucket_without_policy().await);
    assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), error("InvalidParameterException", NO_ACL));
    let mut policy = stand_in.documented_policy(&bucket);
    policy["Statement"][0]["Principal"] = json!({ "Service": "logs.eu-west-1.amazonaws.com" });
    stand_in.set_policy(&bucket, &policy).await;
    assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), error("InvalidParameterException", NO_ACL));
    policy = stand_in.documented_policy(&bucket);
    policy["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"] = json!(["999999999999"]);
    stand_in.set_policy(&bucket, &policy).await;
    assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), error("InvalidParameterException", NO_ACL));
    assert!(stand_in.keys(&bucket).await.is_empty());
}

#[tokio::test]
async fn a_bucket_policy_must_let_the_service_write_the_test_object() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    let expected = error("InvalidParameterException", &NO_ACL.replace("GetBucketAcl", "PutObject"));
    let mut policy = stand_in.documented_policy(&bucket);
    policy["Statement"][1]["Resource"] = format!("arn:aws:s3:::{bucket}/other/*").into();
    stand_in.set_policy(&bucket, &policy).await;
    assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), expected);
    policy = stand_in.documented_policy(&bucket);
    policy["Statement"][1]["Condition"]["ArnLike"]["aws:SourceArn"] =
        json!([format!("arn:aws:logs:{REGION}:{}:log-group:/elsewhere/*", stand_in.account)]);
    stand_in.set_policy(&bucket, &policy).await;
    assert_eq!(error_of(stand_in.export_request(&group, &bucket).send().await), expected);
    assert!(stand_in.keys(&bucket).await.is_empty());
    policy["Statement"][1]["Condition"]["ArnLike"]["aws:SourceArn"] =
        json!([format!("arn:aws:logs:{REGION}:{}:log-group:{group}:*", stand_in.account)]);
    stand_in.set_policy(&bucket, &policy).await;
    stand_in.export_and_wait(&group, &bucket).await;
}

#[tokio::test]
async fn the_test_object_is_written_at_create_time() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_timing(3_600_000, 0).await;
    let task_id = stand_in.create(&group, &bucket).await;
    let objects = stand_in.objects(&bucket).await;
    assert_eq!(status_code(&stand_in.describe(&task_id).await), "PENDING");
    assert_eq!(objects.keys().collect::<Vec<_>>(), ["logs/aws-logs-write-test"]);
    assert_eq!(objects["logs/aws-logs-write-test"], "Permission Check Successful");
}

#[tokio::test]
async fn without_a_prefix_the_test_object_is_at_the_root_and_the_data_is_not() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let create = stand_in.logs().create_export_task().log_group_name(&group).destination(&bucket).from(FROM).to(TO);
    for create in [create.clone(), create.destination_prefix("")] {
        let task_id = create.send().await.unwrap().task_id.unwrap();
        stand_in.wait_until_completed(&task_id).await;
        let keys = stand_in.keys(&bucket).await;
        assert!(keys.contains(&"aws-logs-write-test".to_owned()), "{keys:?}");
        assert!(keys.contains(&format!("exportedlogs/{task_id}/web/000000.gz")), "{keys:?}");
        assert_eq!(stand_in.describe(&task_id).await.destination_prefix(), Some("exportedlogs"));
    }
    assert_eq!(stand_in.keys(&bucket).await.len(), 3);
}

#[tokio::test]
async fn one_task_is_active_per_account_and_region() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_timing(3_600_000, 0).await;
    let first = stand_in.create(&group, &bucket).await;
    let expected = error("LimitExceededException", "Resource limit exceeded.");
    let second = || stand_in.export_request(&group, &bucket).destination_prefix("second").send();
    assert_eq!(error_of(second().await), expected);
    assert_eq!(stand_in.keys(&bucket).await, ["logs/aws-logs-write-test"], "a refused create writes nothing");

    // The same account has another slot in another Region.
    let elsewhere = stand_in.logs_as(&stand_in.account, "eu-west-1");
    let s3 = stand_in.s3_as(&stand_in.account, "eu-west-1");
    let other_bucket = stand_in.bucket_in(&s3, "eu-west-1").await;
    let policy = stand_in.documented_policy(&other_bucket).to_string().replace(REGION, "eu-west-1");
    s3.put_bucket_policy().bucket(&other_bucket).policy(policy).send().await.unwrap();
    elsewhere.create_log_group().log_group_name(&group).send().await.unwrap();
    let create = elsewhere.create_export_task().log_group_name(&group).destination(&other_bucket).from(FROM).to(TO);
    create.clone().send().await.unwrap();
    assert_eq!(error_of(create.send().await), expected);

    stand_in.set_timing(3_600_000, 3_600_000).await;
    assert_eq!(error_of(second().await), expected);
    stand_in.set_timing(0, 3_600_000).await;
    stand_in.wait_for_status(&first, "RUNNING").await;
    assert_eq!(error_of(second().await), expected);
    stand_in.set_timing(0, 0).await;
    stand_in.wait_until_completed(&first).await;
    second().await.unwrap();
}

#[tokio::test]
async fn one_of_many_concurrent_creates_gets_the_slot() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.set_timing(3_600_000, 0).await;
    let mut creates = tokio::task::JoinSet::new();
    for _ in 0..20 {
        creates.spawn(stand_in.export_request(&group, &bucket).send());
    }
    let answers = creates.join_all().await;
    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(created.len(), 1);
    for answer in refused {
        assert_eq!(error_of(answer), error("LimitExceededException", "Resource limit exceeded."));
    }
}

#[tokio::test]
async fn task_names_need_not_be_unique() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    for _ in 0..2 {
        let created = stand_in.export_request(&group, &bucket).task_name("monthly").send().await.unwrap();
        stand_in.wait_until_completed(&created.task_id.unwrap()).await;
    }
    let tasks = stand_in.logs().describe_export_tasks().send().await.unwrap();
    assert_eq!(tasks.export_tasks().iter().filter_map(|task| task.task_name()).collect::<Vec<_>>(), ["monthly", "monthly"]);
}

#[tokio::test]
async fn a_window_before_the_log_group_existed_is_accepted() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    // The public tests that ran against AWS give seconds instead of milliseconds. That is January 1970.
    let created = stand_in.export_request(&group, &bucket).from(1_611_316_574).to(1_642_852_574).send().await.unwrap();
    stand_in.wait_until_completed(&created.task_id.unwrap()).await;
}
