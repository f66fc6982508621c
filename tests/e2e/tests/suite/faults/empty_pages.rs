//! A page of a listing may be empty and not be the last: it ends no search.

use e2e::{Stage, assert_counts};
use serde_json::json;

const LISTINGS: [&str; 4] = ["DescribeExportTasks", "DescribeLogGroups", "DescribeLogStreams", "ListObjectsV2"];
/// More than two runs list.
const TIMES: u64 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_before_each_page_of_every_listing_change_nothing() {
    let stage = Stage::take().await;
    let log_groups = ["/empty-pages/a", "/empty-pages/b"];
    for log_group in log_groups {
        stage.hello(log_group).await;
    }
    for listing in LISTINGS {
        stage.fault(json!({"operation": listing, "emptyPage": true, "times": TIMES})).await;
    }
    // Its task is over before the workflow tries again: it must be found, or the month is exported twice.
    stage.fault(json!({"operation": "CreateExportTask", "logGroupName": log_groups[0], "dropResponse": true})).await;
    let input = stage.input(json!([log_groups[0], {"logGroupNamePrefix": "/empty-pages/"}]));
    assert_counts(&stage.run_well(&input).await, json!({"exported": 2}));
    assert_counts(&stage.run_well(&input).await, json!({"alreadyArchived": 2}));

    let left = stage.faults_left().await;
    let left: Vec<_> = left.as_array().expect("a list").iter().map(|fault| (&fault["operation"], fault["times"].as_u64())).collect();
    assert_eq!(left.iter().map(|(operation, _)| *operation).collect::<Vec<_>>(), LISTINGS, "the answer of a create was lost");
    assert!(left.iter().all(|(_, times)| *times < Some(TIMES)), "each listing had empty pages: {left:?}");
    stage.local.clear_faults().await.expect("the stand-in takes it");
    for log_group in log_groups {
        assert_eq!(stage.created(log_group).await.len(), 1, "{log_group}");
        stage.assert_archived_once(log_group).await;
    }
}
