//! FilterLogEvents, which check-export-task calls for a task that wrote nothing.

use aws_sdk_cloudwatchlogs::operation::filter_log_events::builders::FilterLogEventsFluentBuilder;

use crate::stand_in::{FROM, StandIn, TO, error, error_of};

/// The messages of each page.
async fn pages(filter: FilterLogEventsFluentBuilder) -> Vec<String> {
    let mut found = Vec::new();
    let mut pages = filter.into_paginator().send();
    while let Some(page) = pages.next().await {
        found.push(page.unwrap().events().iter().filter_map(|event| event.message()).collect::<Vec<_>>().join(","));
    }
    found
}

async fn log_group(stand_in: &StandIn) -> String {
    let group = stand_in.log_group().await;
    stand_in.put(&group, "web/1", &[(FROM - 1, "before"), (FROM, "first"), (TO, "last"), (TO + 1, "after")]).await;
    stand_in.put(&group, "web/2", &[(FROM + 5, "second"), (FROM + 5, "third")]).await;
    stand_in.put(&group, "2026/10/05/[$LATEST]0a1b", &[(FROM + 7, "lambda")]).await;
    group
}

#[tokio::test]
async fn events_of_a_time_range_are_sorted_and_both_ends_are_included() {
    let stand_in = StandIn::start().await;
    let group = log_group(&stand_in).await;
    let filter = || stand_in.logs().filter_log_events().log_group_name(&group);
    assert_eq!(pages(filter()).await, ["before,first,second,third,lambda,last,after"]);
    assert_eq!(pages(filter().start_time(FROM).end_time(TO)).await, ["first,second,third,lambda,last"]);
    assert_eq!(pages(filter().start_time(TO + 1).end_time(TO + 1)).await, ["after"]);
    assert_eq!(pages(filter().start_time(FROM + 1).end_time(FROM + 4)).await, [""]);
}

#[tokio::test]
async fn log_streams_are_selected_by_prefix_or_name_but_not_by_both() {
    let stand_in = StandIn::start().await;
    let group = log_group(&stand_in).await;
    let filter = || stand_in.logs().filter_log_events().log_group_name(&group);
    assert_eq!(pages(filter().log_stream_name_prefix("web/2")).await, ["second,third"]);
    assert_eq!(pages(filter().log_stream_name_prefix("2026/10/")).await, ["lambda"]);
    // A part of the name is not a prefix.
    assert_eq!(pages(filter().log_stream_name_prefix("[$LATEST]")).await, [""]);
    assert_eq!(pages(filter().log_stream_names("web/2").filter_pattern("third")).await, ["third"]);
    let both = filter().log_stream_names("web/2").log_stream_name_prefix("web/").send().await;
    let message = "logStreamNames and logStreamNamePrefix are mutually exclusive.";
    assert_eq!(error_of(both), error("InvalidParameterException", message));
    let unknown = stand_in.logs().filter_log_events().log_group_name("/none").send().await;
    assert_eq!(error_of(unknown).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_limit_makes_pages() {
    let stand_in = StandIn::start().await;
    let group = log_group(&stand_in).await;
    let filter = || stand_in.logs().filter_log_events().log_group_name(&group).start_time(FROM).end_time(TO);
    assert_eq!(pages(filter().limit(2)).await, ["first,second", "third,lambda", "last"]);
    let page = filter().limit(5).send().await.unwrap();
    assert_eq!((page.events().len(), page.next_token()), (5, None), "the last page has no token");
    let wrong = filter().next_token("no-such-token").send().await;
    assert_eq!(error_of(wrong), error("InvalidParameterException", "The specified nextToken is invalid."));
    for limit in [-1, 10_001] {
        assert_eq!(error_of(filter().limit(limit).send().await).0, "InvalidParameterException", "{limit}");
    }
}
