//! Log groups by name, and how fast they are looked up.

use archive::Archive;
use export_core::{LogGroupName, decide::LogGroup};
use fake_aws::{Aws, stack};
use serde_json::json;
use tokio::time::Instant;

fn archive(aws: &Aws) -> Archive {
    Archive::new(stack(), &aws.config())
}

#[tokio::test(start_paused = true)]
async fn fifty_names_are_one_request_and_other_log_groups_are_ignored() {
    let aws = Aws::default();
    let names: Vec<LogGroupName> = (0..51).map(|index| LogGroupName::parse(&format!("/group-{index}")).unwrap()).collect();
    let (last, named) = names.split_last().unwrap();
    aws.state().log_groups = named.iter().map(|name| json!({"logGroupName": name, "retentionInDays": 7})).collect();
    let known = archive(&aws).named_log_groups(&names).await.unwrap();
    let present =
        LogGroup::Present { created: None, retention_in_days: Some(7), retention_policy: None, is_exportable: true, stored_bytes: None };
    assert!(named.iter().all(|name| known[name] == present));
    assert_eq!((known.len(), &known[last]), (51, &LogGroup::Absent));
    let mut asked = aws.bodies("DescribeLogGroups");
    asked.retain(|request| request["nextToken"].is_null());
    // The last call has one name: a name without an answer is looked up alone.
    assert_eq!(
        asked,
        [
            json!({"logGroupIdentifiers": named, "limit": 50}),
            json!({"logGroupIdentifiers": [last], "limit": 50}),
            json!({"logGroupNamePrefix": last, "limit": 50})
        ]
    );

    // A local AWS that ignores the identifiers.
    aws.state().log_groups = vec![json!({"logGroupName": "/other"}), json!({"logGroupName": "/group-5"})];
    let known = archive(&aws).named_log_groups(&names[5..6]).await.unwrap();
    assert_eq!(known.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn log_groups_are_described_ten_times_and_streams_twenty_times_a_second() {
    let aws = Aws::default();
    let (archive, name) = (archive(&aws), LogGroupName::parse("/ecs/web").unwrap());
    let began = Instant::now();
    for _ in 0..5 {
        archive.log_group(&name).await.unwrap();
    }
    assert_eq!((aws.bodies("DescribeLogGroups").len(), began.elapsed().as_millis()), (10, 900));
    let began = Instant::now();
    for _ in 0..5 {
        archive.newest_event(&name, export_core::time::Millis(0)).await.unwrap();
    }
    assert_eq!((aws.bodies("DescribeLogStreams").len(), began.elapsed().as_millis()), (10, 450));
}
