//! DescribeLogStreams.

use aws_sdk_cloudwatchlogs::types::OrderBy;

use crate::stand_in::{FROM, StandIn, TO, error, error_of};

#[tokio::test]
async fn streams_are_sorted_by_their_last_event_and_empty_ones_come_last() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    stand_in.put(&group, "a-empty", &[]).await;
    stand_in.put(&group, "b-old", &[(FROM, "hello")]).await;
    stand_in.put(&group, "c-new", &[(FROM + 1, "hello"), (TO, "hello")]).await;
    stand_in.put(&group, "d-late", &[(TO - 1, "hello")]).await;
    // This event arrives last, but its timestamp is older.
    stand_in.put(&group, "d-late", &[(FROM - 5, "late")]).await;
    let newest = || stand_in.logs().describe_log_streams().log_group_name(&group).order_by(OrderBy::LastEventTime).descending(true);
    let answer = newest().send().await.unwrap();
    let streams: Vec<_> =
        answer.log_streams().iter().map(|stream| (stream.log_stream_name().unwrap(), stream.last_event_timestamp())).collect();
    assert_eq!(streams, [("c-new", Some(TO)), ("d-late", Some(TO - 1)), ("b-old", Some(FROM)), ("a-empty", None)]);

    let first = newest().limit(1).send().await.unwrap();
    assert_eq!(first.log_streams(), &answer.log_streams()[..1]);
    let second = newest().limit(1).set_next_token(first.next_token).send().await.unwrap();
    assert_eq!(second.log_streams(), &answer.log_streams()[1..2]);
}

#[tokio::test]
async fn ordering_by_last_event_excludes_a_prefix() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    let ordered =
        stand_in.logs().describe_log_streams().log_group_name(&group).order_by(OrderBy::LastEventTime).log_stream_name_prefix("a");
    let message = "Cannot order by LastEventTime with a logStreamNamePrefix.";
    assert_eq!(error_of(ordered.send().await), error("InvalidParameterException", message));
}

#[tokio::test]
async fn the_size_of_a_stream_is_always_zero() {
    let stand_in = StandIn::start().await;
    let group = stand_in.log_group().await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    let answer = stand_in.logs().describe_log_streams().log_group_name(&group).log_stream_name_prefix("w").send().await.unwrap();
    #[expect(deprecated, reason = "the test proves that the member has no information")]
    let sizes: Vec<_> = answer.log_streams().iter().map(|stream| stream.stored_bytes()).collect();
    assert_eq!(sizes, [Some(0)]);
}
