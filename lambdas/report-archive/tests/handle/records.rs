//! Windows that are recorded as skipped or lost, and other manifests near them.

use export_core::ErrorName::*;
use fake_aws::{Aws, EXECUTION, days, manifest, merged, october, path_of};
use serde_json::json;

use crate::{handle, left, lost, report, skipped, source};

#[tokio::test(start_paused = true)]
async fn a_skip_does_not_replace_a_manifest_that_says_more() {
    let skipped_of = |prefix: &str| json!({"outcome": "skipped", "reason": "ExpiredBeforeFirstRun", "task_id": null, "objects": 0, "bytes": 0, "log_stream_name_prefix": prefix});
    let (first, second) = (days("/idle", 0, 0), days("/idle", 1, 1));
    let own = format!("PUT {}", path_of(&october("/idle")));
    let (whole, empty) = (october("/idle"), json!({"outcome": "empty", "objects": 0, "bytes": 0}));
    for (targets, present, calls, end) in [
        // Manifests of fewer log streams are removed after the new one is written.
        (
            vec![&first, &second],
            skipped_of("prod/"),
            vec![own.clone(), format!("DELETE {}", path_of(&first)), format!("DELETE {}", path_of(&second))],
            None,
        ),
        (vec![&whole], empty.clone(), vec![], None),
        // No manifest covers the rest of the month, so the run does not succeed.
        (vec![&first, &second], empty, vec![], Some(ArchiveIncomplete)),
    ] {
        let aws = Aws::default();
        let state = left(&aws, json!([skipped("NoEventsInMonth")]), json!({})).await;
        for target in targets {
            aws.state().put(&path_of(target), &manifest(target, present.clone()));
        }
        assert_eq!(handle(&aws, state).await.err().map(|error| error.name), end, "{present}");
        assert_eq!(aws.names(&["PUT archive/logs/manifests/", "DELETE"]), calls, "{present}");
        assert_eq!(report(&aws)["counts"]["failed"], u64::from(end.is_some()), "the report says so too: {present}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_that_expired_before_the_first_run_are_skipped_with_a_warning() {
    let aws = Aws::default();
    let decided =
        merged(skipped("ExpiredBeforeFirstRun"), json!({"source": merged(source("/idle"), json!({"logStreamNamePrefix": "prod/"}))}));
    let state = left(&aws, json!([decided]), json!({})).await;
    let output = handle(&aws, state).await.unwrap();
    let written = aws.get(&path_of(&october("/idle"))).unwrap();
    assert_eq!((&written["reason"], &written["log_stream_name_prefix"]), (&json!("ExpiredBeforeFirstRun"), &json!("prod/")));
    let message = "/idle 2026-10: the export wrote nothing, and retention may have deleted the events before the first run";
    assert_eq!(output["warnings"], json!([{"name": "ExpiredBeforeFirstRun", "message": message}]));
}

#[tokio::test(start_paused = true)]
async fn a_lost_damaged_manifest_states_the_remaining_objects() {
    let aws = Aws::default();
    let target = october("/b");
    aws.state().put(&path_of(&target), &manifest(&target, json!({"objects": 2, "bytes": 9})));
    aws.state().objects.insert(format!("archive/{}/task-0/s/000000.gz", target.destination_prefix()), b"abc".to_vec());
    let state = left(&aws, json!([lost("/b", "Damaged")]), json!({})).await;
    assert_eq!(handle(&aws, state).await.unwrap_err().name, ArchiveIncomplete);
    let written = aws.get(&path_of(&target)).unwrap();
    let digest = written["digest"].clone();
    let changes = json!({"outcome": "lost", "reason": "Damaged", "digest": digest, "execution": EXECUTION});
    assert_eq!((written, digest.is_string()), (manifest(&target, changes), true));
}

#[tokio::test(start_paused = true)]
async fn a_removed_damaged_manifest_is_not_recorded_as_lost() {
    let aws = Aws::default();
    let state = left(&aws, json!([lost("/b", "Damaged")]), json!({})).await;
    let error = handle(&aws, state).await.unwrap_err();
    assert!(error.message.starts_with("1 window not archived.\nOverlapRefused: /b 2026-10"), "{error}");
    assert_eq!(aws.get(&path_of(&october("/b"))), None);
}
