//! How far a run is from Step Functions' limits: 25,000 events in an execution's history, 256 KiB in a payload.
//!
//! Measured on the engine whose history is like AWS's. `cargo bench-all` has the figures of larger runs.

use e2e::{Stage, assert_counts};
use local_aws::Engine;
use serde_json::json;

const PAYLOAD: usize = 256 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn neither_history_nor_payloads_grow_with_the_number_of_log_groups() {
    let stage = Stage::take_on(Engine::Moto).await;
    let mut measured = Vec::new();
    for count in [10, 1_000] {
        // Long names; that the log groups exist or not is the same to the parent.
        let prefix = format!("/scale/{count}/{:0>400}", "");
        for number in 0..3 {
            stage.hello(&format!("{prefix}{number}")).await;
        }
        let mut names: Vec<String> = (3..count).map(|number| format!("/scale/{number:0>88}")).collect();
        names.extend((0..3).map(|number| format!("{prefix}{number}")));
        let arn = stage.start(json!(names)).await;
        assert_counts(&stage.wait_well(&arn).await, json!({"exported": 3, "warned": count - 3}));
        let history = stage.local.history(&arn).await.expect("a history");
        measured.push((history.events.len(), history.largest_payload().expect("a payload").bytes));
    }
    let [(few, _), (many, payload)] = measured[..] else { unreachable!("two runs") };
    eprintln!("{few} and {many} events, largest payload {payload} bytes");
    assert!(many <= 40 && many == few, "{few} and {many} events in the parent");
    // The input, and an output with 50 warnings.
    assert!(payload < PAYLOAD, "{payload} bytes");
}
