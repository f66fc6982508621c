//! What is archived stays in the views: no later run takes it away, and what was damaged is exported again.

use aws_sdk_s3::types::StorageClass;
use e2e::{DAY, FROM, MONTH, S3_PREFIX, Stage, TO, assert_counts, place};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_exports_nothing_and_force_exports_anew() {
    let stage = Stage::take().await;
    stage.hello("/again").await;
    let mut input = stage.input(json!(["/again"]));
    assert_counts(&stage.run_well(&input).await, json!({"exported": 1}));
    let (_, first) = stage.manifest("/again").await;
    assert_counts(&stage.run_well(&input).await, json!({"alreadyArchived": 1}));
    assert_eq!(stage.manifest("/again").await.1, first);

    input["force"] = json!(true);
    assert_counts(&stage.run_well(&input).await, json!({"exported": 1}));
    let (_, second) = stage.manifest("/again").await;
    assert_eq!(second["task_id"], json!(stage.created("/again").await[1]), "the manifest names the new task");
    assert_eq!(stage.data_keys("/again").await.len(), 2, "what the first export wrote is not touched");
    assert_eq!(stage.events("/again").await, ["hello"]);
}

/// After a good export of two log streams, each a run by hand that once replaced the manifest.
#[tokio::test(flavor = "multi_thread")]
async fn no_later_run_by_hand_shrinks_the_view() {
    let stage = Stage::take().await;
    let of_a: &[(i64, &str)] = &[(FROM, "first")];
    let of_b: &[(i64, &str)] = &[(TO, "last")];
    let cases = [
        // Its months overlap the archived one: only what lies outside is exported, or nothing.
        ("zone", json!({"timezone": "UTC"}), json!({}), &[][..], None),
        ("prefix", json!({}), json!({"logStreamNamePrefix": "nothing/"}), &[], None),
        ("zone-forced", json!({"timezone": "UTC", "force": true}), json!({}), &[], None),
        ("prefix-forced", json!({"force": true}), json!({"logStreamNamePrefix": "nothing/"}), &[], Some("PlaceTaken")),
        ("narrower-forced", json!({"force": true}), json!({"logStreamNamePrefix": "a"}), &[], Some("PlaceTaken")),
        ("expired", json!({"force": true}), json!({}), &["a", "b"], Some("SmallerExport")),
        ("expired-in-part", json!({"force": true}), json!({}), &["b"], Some("SmallerExport")),
    ];
    let log_groups: Vec<String> = cases.iter().map(|(case, ..)| format!("/keeps/{case}")).collect();
    for log_group in &log_groups {
        stage.log_group_of_streams(log_group, &[("a", of_a), ("b", of_b)]).await;
    }
    stage.run_exports(&log_groups).await;
    for (log_group, (case, mut input, mut entry, deleted, error)) in log_groups.iter().zip(cases) {
        for stream in deleted {
            let delete = stage.logs().delete_log_stream().log_group_name(log_group).log_stream_name(*stream);
            delete.send().await.expect("the log stream goes");
        }
        let (_, before) = stage.manifest(log_group).await;
        entry["logGroupName"] = json!(log_group);
        (input["month"], input["logGroups"]) = (json!(MONTH), json!([entry]));
        match error {
            None => drop(stage.run_well(&input).await),
            Some(error) => {
                let (found, cause) = stage.run_badly(&input).await;
                assert_eq!(found, "ArchiveIncomplete");
                assert!(cause.contains(&format!("\n{error}: {log_group} {MONTH}. ")), "{case}: {cause}");
            }
        }
        let manifests = stage.manifests(log_group).await;
        let is_kept = manifests.iter().any(|(_, manifest)| *manifest == before) || case == "zone-forced";
        assert!(is_kept, "{case}: {manifests:#?}");
    }
    let events = stage.events_of(&log_groups).await;
    for log_group in &log_groups {
        assert_eq!(events[log_group], ["first", "last"], "{log_group}");
    }
    assert_counts(&stage.run_well(&stage.input(json!(log_groups))).await, json!({"alreadyArchived": log_groups.len()}));

    // Two prefixes cannot share a place.
    let log_group = "/keeps/two-prefixes";
    stage.log_group_of_streams(log_group, &[("a", of_a), ("b", of_b)]).await;
    let with = |prefix: &str| stage.input(json!([{"logGroupName": log_group, "logStreamNamePrefix": prefix}]));
    stage.run_well(&with("a")).await;
    let (_, cause) = stage.run_badly(&with("b")).await;
    assert!(cause.contains(&format!("\nPlaceTaken: {log_group} {MONTH}. manifest ")), "{cause}");
    assert_eq!(stage.events(log_group).await, ["first"]);
    // One without a prefix has them all.
    stage.run_exports(&[log_group]).await;
    assert_eq!(stage.events(log_group).await, ["first", "last"]);
    assert_eq!(stage.manifests(log_group).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_damaged_is_exported_again() {
    const STREAMS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];
    let stage = Stage::take().await;
    let damages = ["five of six deleted", "all deleted", "last overwritten", "manifest deleted"];
    let log_groups = damages.map(|damage| format!("/damaged/{}", damage.replace(' ', "-")));
    let events = STREAMS.map(|stream| [(FROM, stream)]);
    for log_group in &log_groups {
        let streams: Vec<(&str, &[(i64, &str)])> = STREAMS.iter().zip(&events).map(|(stream, events)| (*stream, &events[..])).collect();
        stage.log_group_of_streams(log_group, &streams).await;
    }
    stage.run_exports(&log_groups).await;
    for (damage, log_group) in damages.iter().zip(&log_groups) {
        let keys = stage.data_keys(log_group).await;
        assert_eq!(keys.len(), 6);
        match *damage {
            "five of six deleted" => stage.delete(&keys[..5]).await,
            "all deleted" => stage.delete(&keys).await,
            "last overwritten" => stage.put(&keys[5], "x").await,
            _ => stage.delete(&[stage.manifest(log_group).await.0]).await,
        }
    }
    stage.run_exports(&log_groups).await;
    // What is no gzip fails a query over its folder: somebody has to remove it.
    let broken = stage.data_keys(&log_groups[2]).await;
    let first_task = &stage.created(&log_groups[2]).await[0];
    stage.delete(&broken.into_iter().filter(|key| key.contains(first_task) && key.contains("/6/")).collect::<Vec<_>>()).await;
    let events = stage.events_of(&log_groups).await;
    for log_group in &log_groups {
        assert_eq!(events[log_group], STREAMS, "{log_group}");
        let (_, repaired) = stage.manifest(log_group).await;
        let created = stage.created(log_group).await;
        assert_eq!((&repaired["task_id"], &repaired["objects"], created.len()), (&json!(created[1]), &json!(6), 2), "{log_group}");
    }
    assert_counts(&stage.run_well(&stage.input(json!(log_groups))).await, json!({"alreadyArchived": 4}));

    // What is there besides is damage too, and no export has it: a person has to look.
    stage.hello("/damaged/one-added").await;
    stage.run_exports(&["/damaged/one-added"]).await;
    let added = stage.data_keys("/damaged/one-added").await[0].replace("000000.gz", "000001.gz");
    stage.put(&added, "more").await;
    let failure = stage.run_fails("/damaged/one-added").await;
    assert!(failure.starts_with("SmallerExport: log stream folder main has "), "{failure}");
    stage.delete(&[added]).await;
    assert_counts(&stage.run_well(&stage.input(json!(["/damaged/one-added"]))).await, json!({"alreadyArchived": 1}));

    // As large as it was, and another: no damage that can be told, but a warning.
    stage.hello("/damaged/same-size").await;
    stage.run_exports(&["/damaged/same-size"]).await;
    let key = stage.data_keys("/damaged/same-size").await.remove(0);
    let mut body = stage.local.read_object(&stage.stack.bucket, &key).await.unwrap();
    // The time in the head of a gzip file.
    body[4] ^= 1;
    stage.put(&key, body).await;
    let output = stage.run_well(&stage.input(json!(["/damaged/same-size"]))).await;
    assert_counts(&output, json!({"alreadyArchived": 1}));
    assert_eq!(output["warnings"][0]["name"], "ObjectsChanged", "{output:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_does_not_fit_is_not_believed() {
    let stage = Stage::take().await;
    let with = |field: &'static str, value: Value| {
        move |mut manifest: Value| {
            manifest[field] = value;
            manifest.to_string()
        }
    };
    type Forge = Box<dyn FnOnce(Value) -> String>;
    let foreign = |mut manifest: Value| {
        manifest["objects"] = json!(0);
        manifest["bytes"] = json!(0);
        manifest["outcome"] = json!("empty");
        manifest["created"] = json!("2099-01-01T00:00:00.000Z");
        manifest["execution"] = json!("arn:aws:states:us-east-1:999999999999:execution:x:y");
        manifest.to_string()
    };
    let forgeries: [(&str, Forge); 11] = [
        ("foreign-of-2099", Box::new(foreign)),
        ("empty", Box::new(|_| String::new())),
        ("cut", Box::new(|manifest| manifest.to_string()[..40].to_owned())),
        ("binary", Box::new(|_| "\u{0}\u{1}".to_owned())),
        ("other-json", Box::new(|_| "[]".to_owned())),
        ("schema-1", Box::new(with("schema_version", json!(1)))),
        ("account", Box::new(with("account", json!("999999999999")))),
        ("log-group", Box::new(with("log_group", json!("/forged/other")))),
        ("window", Box::new(with("window_to", json!(TO + DAY)))),
        ("too-early", Box::new(with("created", json!("2024-10-31T15:00:00Z")))),
        ("no-task", Box::new(with("task_id", Value::Null))),
    ];
    let log_groups: Vec<String> = forgeries.iter().map(|(case, _)| format!("/forged/{case}")).collect();
    for log_group in &log_groups {
        stage.hello(log_group).await;
    }
    stage.run_exports(&log_groups).await;
    for (log_group, (_, forge)) in log_groups.iter().zip(forgeries) {
        let (key, manifest) = stage.manifest(log_group).await;
        stage.delete(&stage.data_keys(log_group).await).await;
        stage.put(&key, forge(manifest)).await;
    }
    stage.run_exports(&log_groups).await;
    let events = stage.events_of(&log_groups).await;
    for log_group in &log_groups {
        assert_eq!((stage.created(log_group).await.len(), &events[log_group][..]), (2, &["hello".to_owned()][..]), "{log_group}");
        stage.assert_archived_once(log_group).await;
    }

    // The counter-proof: one that fits is believed, here of an export that wrote nothing.
    stage.hello("/forged/right").await;
    stage.run_exports(&["/forged/right"]).await;
    let (key, mut manifest) = stage.manifest("/forged/right").await;
    stage.delete(&stage.data_keys("/forged/right").await).await;
    (manifest["outcome"], manifest["objects"], manifest["bytes"]) = (json!("empty"), json!(0), json!(0));
    stage.put(&key, manifest.to_string()).await;
    assert_counts(&stage.run_well(&stage.input(json!(["/forged/right"]))).await, json!({"alreadyArchived": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_in_glacier_is_left_alone() {
    let stage = Stage::take().await;
    stage.hello("/glacier").await;
    stage.run_exports(&["/glacier"]).await;
    let (key, manifest) = stage.manifest("/glacier").await;
    let put = stage.s3().put_object().bucket(&stage.stack.bucket).key(&key).body(manifest.to_string().into_bytes().into());
    put.storage_class(StorageClass::Glacier).send().await.expect("the object is stored");
    for force in [false, true] {
        let mut input = stage.input(json!(["/glacier"]));
        input["force"] = json!(force);
        let (error, cause) = stage.run_badly(&input).await;
        assert_eq!(error, "ArchiveIncomplete");
        assert!(cause.contains(&format!("\nArchiveUnreadable: /glacier {MONTH}. manifest ")), "{cause}");
        assert!(cause.contains("GetObject answered InvalidObjectState"), "{cause}");
        assert_eq!(stage.created("/glacier").await.len(), 1, "nothing is exported");
    }
    stage.put(&key, manifest.to_string()).await;
    assert_counts(&stage.run_well(&stage.input(json!(["/glacier"]))).await, json!({"alreadyArchived": 1}));
    assert!(stage.keys(&place(S3_PREFIX, "/glacier")).await.len() == 2, "one object, and CloudWatch's own");
}
