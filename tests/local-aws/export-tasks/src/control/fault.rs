//! Parses a fault, and refuses combinations without a meaning.

use std::num::NonZeroU32;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::empty_page;
use crate::faults::{Effect, Fault, default_http_status};
use crate::s3;

const FORMS: &str = "give exactly one of error, dropResponse, delayMs, emptyPage (each with operation), status and vanishes (each with logGroupName), \
                     with no other fields than docs/local-aws.md lists for it";

/// The operations of CloudWatch Logs that the stand-in or ministack has.
const LOGS_OPERATIONS: &str = "CancelExportTask CreateDelivery CreateExportTask CreateLogGroup CreateLogStream DeleteDelivery DeleteDeliveryDestination \
     DeleteDeliveryDestinationPolicy DeleteDeliverySource DeleteDestination DeleteLogGroup DeleteLogStream DeleteMetricFilter \
     DeleteResourcePolicy DeleteRetentionPolicy DeleteSubscriptionFilter DescribeDeliveries DescribeDeliveryDestinations \
     DescribeDeliverySources DescribeDestinations DescribeExportTasks DescribeLogGroups DescribeLogStreams DescribeMetricFilters \
     DescribeResourcePolicies DescribeSubscriptionFilters FilterLogEvents GetDelivery GetDeliveryDestination \
     GetDeliveryDestinationPolicy GetDeliverySource GetLogEvents GetLogGroupFields GetLogRecord GetQueryResults ListLogGroups \
     ListTagsForResource ListTagsLogGroup PutDeliveryDestination PutDeliveryDestinationPolicy PutDeliverySource PutDestination \
     PutDestinationPolicy PutLogEvents PutMetricFilter PutResourcePolicy PutRetentionPolicy PutSubscriptionFilter StartLiveTail \
     StartQuery StopQuery TagLogGroup TagResource TestMetricFilter UntagLogGroup UntagResource";

pub(super) fn parse(body: &[u8]) -> Result<Fault> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body)?;
    let times: Option<NonZeroU32> = serde_json::from_value(fields.remove("times").unwrap_or_default()).context("times")?;
    let log_group_name: Option<String> =
        serde_json::from_value(fields.remove("logGroupName").unwrap_or_default()).context("logGroupName")?;
    ensure!(log_group_name.as_deref() != Some(""), "logGroupName is empty");
    let mut effect: Effect = serde_json::from_value(Value::Object(fields)).context(FORMS)?;
    match &mut effect {
        Effect::Error { error, http_status, .. } => {
            ensure!(!error.is_empty(), "error is empty");
            if *http_status == 0 {
                *http_status = default_http_status(error);
            }
            ensure!((400..600).contains(http_status), "httpStatus is {http_status}: give a whole number from 400 to 599");
        }
        Effect::DropResponse { drop_response: true, .. } | Effect::Delay { delay_ms: 1.., .. } => {}
        Effect::Status { .. } | Effect::Vanish { vanishes: true } => {
            ensure!(log_group_name.is_some(), "logGroupName is missing: name the log group whose next task gets this fault");
        }
        Effect::EmptyPage { operation, empty_page: true, .. } => {
            ensure!(empty_page::is_listing(operation), "{operation} is not a listing: give one that has pages");
        }
        Effect::DropResponse { .. } | Effect::Delay { .. } | Effect::EmptyPage { .. } | Effect::Vanish { .. } => bail!(FORMS),
    }
    if let Effect::Error { operation, key_suffix, .. }
    | Effect::DropResponse { operation, key_suffix, .. }
    | Effect::Delay { operation, key_suffix, .. } = &effect
    {
        let is_s3 = s3::OPERATIONS.contains(&operation.as_str());
        ensure!(is_s3 || LOGS_OPERATIONS.split(' ').any(|name| name == operation), "{operation} is not an operation that can have faults");
        ensure!(key_suffix.is_none() || (is_s3 && operation != "ListObjectsV2"), "{operation} has no key: leave keySuffix out");
    }
    if let Effect::Error { operation, .. }
    | Effect::DropResponse { operation, .. }
    | Effect::Delay { operation, .. }
    | Effect::EmptyPage { operation, .. } = &effect
    {
        let is_s3 = s3::OPERATIONS.contains(&operation.as_str());
        ensure!(!is_s3 || log_group_name.is_none(), "S3 has no log groups: leave logGroupName out, and select objects by keySuffix");
    }
    Ok(Fault { log_group_name, effect, times: times.map_or(1, |times| times.get().into()) })
}
