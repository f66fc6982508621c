//! Entries of a run's input: which log groups they match, and where those land.

use e2e::{FROM, MONTH, S3_PREFIX, Stage, assert_counts, decided, place};
use local_aws::Engine;
use serde_json::json;

/// A log group named beside its prefix is exported once, by the named entry.
#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_entry_matches_page_by_page_and_the_named_one_wins() {
    let stage = Stage::take().await;
    let names: Vec<String> = (0..53).map(|n| format!("/app/{n:03}")).collect();
    for name in names.iter().map(String::as_str).chain(["/app/debug-1", "/app/debug-2", "/application"]) {
        stage.hello(name).await;
    }
    let arn = format!("arn:aws:logs:{}:{}:log-group:/app/009:*", stage.local.region(), stage.local.account_id());
    let input = stage.input(json!([
        {"logGroupNamePrefix": "/app/", "exclude": ["/app/debug-*", "/app/007"], "s3Prefix": "apps"},
        "/app/008",
        arn,
        "/app/008",
        {"logGroupNamePrefix": "/app/05", "s3Prefix": "fifties"},
    ]));
    let output = stage.run_well(&input).await;
    assert_counts(&output, json!({"exported": 52}));
    assert_eq!(output["warnings"][0]["name"], "EntryRepeated", "{output:#}");
    for (prefix, expected) in [
        // Without a prefix in input and entry, it is the stack's.
        (S3_PREFIX, vec!["/app/008", "/app/009"]),
        ("fifties", vec!["/app/050", "/app/051", "/app/052"]),
        (
            "apps",
            names
                .iter()
                .map(String::as_str)
                .filter(|name| *name < "/app/050" && !["/app/007", "/app/008", "/app/009"].contains(name))
                .collect(),
        ),
    ] {
        let keys = stage.keys(&format!("{prefix}/log_group=/app/")).await;
        let exported: Vec<_> =
            keys.iter().filter(|key| key.ends_with(".gz")).map(|key| key.split('/').take(4).collect::<Vec<_>>().join("/")).collect();
        let expected: Vec<_> = expected.iter().map(|name| format!("{prefix}/log_group={name}")).collect();
        assert_eq!(exported, expected, "{prefix}");
    }
    assert_eq!(stage.events("/app/008").await, ["hello"], "where the tables look");
    for name in names {
        assert_eq!(stage.created(&name).await.len(), usize::from(name != "/app/007"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_can_have_a_place_and_a_stream_prefix_of_its_own() {
    let stage = Stage::take().await;
    stage.log_group_of_streams("/own/web", &[("prod/1", &[(FROM, "in")]), ("test/1", &[(FROM, "out")])]).await;
    stage.log_group("/own/old", &[(FROM, "2019")]).await;
    let entries = json!([
        {"logGroupName": "/own/web", "s3Prefix": "web", "logStreamNamePrefix": "prod/"},
        {"logGroupName": "/own/old", "s3Prefix": "orders", "destinationPrefix": "{year}/{month}/{s3Prefix}"},
    ]);
    assert_counts(&stage.run_well(&stage.input(entries.clone())).await, json!({"exported": 2}));
    for (log_group, prefix, line) in [
        ("/own/old", "2024/10/orders".to_owned(), "2024-09-30T15:00:00.000Z 2019\n"),
        ("/own/web", place("web", "/own/web"), "2024-09-30T15:00:00.000Z in\n"),
    ] {
        let stored = stage.stored(&format!("{prefix}/")).await;
        let data: Vec<_> = stored.iter().filter(|(key, _)| key.ends_with(".gz")).map(|(_, text)| text.as_str()).collect();
        assert_eq!(data, [line]);
        assert_eq!(stage.manifest(log_group).await.1["destination_prefix"], json!(prefix));
    }
    assert_eq!(stage.manifest("/own/web").await.1["log_stream_name_prefix"], "prod/");
    assert_counts(&stage.run_well(&stage.input(entries)).await, json!({"alreadyArchived": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_groups_whose_bucket_policy_is_wrong_are_archived_once_it_is_mended() {
    const COUNT: usize = 120;
    let stage = Stage::take().await;
    let names: Vec<String> = (0..COUNT).map(|n| format!("/many/{n:03}")).collect();
    for name in &names {
        stage.hello(name).await;
    }
    let s3 = stage.s3();
    let bucket = stage.stack.bucket.as_str();
    let policy = s3.get_bucket_policy().bucket(bucket).send().await.expect("the bucket has one").policy.expect("its text");
    s3.delete_bucket_policy().bucket(bucket).send().await.expect("the policy goes");
    let notifications = stage.subscribe().await;
    let input = stage.input(json!([{"logGroupNamePrefix": "/many/"}]));
    let execution = stage.run(&input).await;
    s3.put_bucket_policy().bucket(bucket).policy(policy).send().await.expect("the policy comes back");

    let expected: Vec<_> = names.iter().map(|name| format!("{name} {MONTH} failed DestinationRejected")).collect();
    assert_eq!(decided(&stage.report(&execution.arn).await), expected);
    let (error, cause) = e2e::badly(execution);
    assert_eq!(error, "ArchiveIncomplete");
    assert!(cause.starts_with("120 windows not archived.\nDestinationRejected: /many/000 2024-10, /many/001 2024-10, "), "{cause}");
    assert_eq!(cause.matches("Add to the policy of bucket ").count(), 1, "said once: {cause}");
    assert!(cause.contains(", ... 120 in all. CreateExportTask answered "), "{cause}");
    assert_eq!(notifications.next().await.0, "cloudwatch-logs-archive: action needed: 120 windows not archived (2024-10)");

    let arn = stage.start_input(&input).await;
    assert_counts(&stage.wait_well(&arn).await, json!({"exported": COUNT}));
    for name in &names {
        assert_eq!(stage.created(name).await.len(), 1, "{name}");
    }
    if Engine::Ministack == Engine::Moto {
        let events = stage.local.history(&arn).await.expect("a history").events.len();
        assert!(events <= 40, "{events} events in the parent's history");
    }
}
