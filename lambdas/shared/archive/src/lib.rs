//! What AWS holds: the evidence for a decision, and the archive's memory, manifests and reports. No Lambda runtime, so that an
//! operator's tool can use it too.

mod client;
mod comparison;
mod entries;
mod evidence;
mod failure;
mod log_groups;
mod manifests;
mod missing;
mod objects;
mod pace;
mod reports;
mod streams;
mod work;

use aws_config::SdkConfig;
use export_core::place::Stack;

pub use client::{http_client, http_connector, s3_client};
pub use comparison::Compared;
pub use entries::expand;
pub use failure::service_failure;
pub use manifests::ManifestIndex;
pub use objects::{FolderListing, Listed, Permissions};
pub use reports::LastRuns;
pub use work::{Step, Work};

use pace::Pace;

/// An account's log groups in a Region, and the stack's archive.
pub struct Archive {
    pub stack: Stack,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub s3: aws_sdk_s3::Client,
    /// AWS allows 10, 25 and, in some Regions, 5 requests a second to the whole account: a run takes no more than these.
    describe_log_groups: Pace,
    describe_log_streams: Pace,
    filter_log_events: Pace,
}

impl Archive {
    pub fn new(stack: Stack, config: &SdkConfig) -> Self {
        let (logs, s3) = (aws_sdk_cloudwatchlogs::Client::new(config), s3_client(config));
        let [describe_log_groups, describe_log_streams, filter_log_events] = [10, 20, 5].map(Pace::per_second);
        Self { stack, logs, s3, describe_log_groups, describe_log_streams, filter_log_events }
    }
}
