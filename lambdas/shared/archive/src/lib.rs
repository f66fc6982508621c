//! The archive in S3, and the account's log groups: gathers the evidence for decisions, and reads and writes manifests, open windows and
//! reports.
//!
//! **Invariant:** this crate does not depend on the Lambda runtime, because the operator's tool uses it too.

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
mod work_folder;

use aws_config::SdkConfig;
use export_core::place::Stack;

pub use client::{http_client, s3_client};
pub use comparison::ComparedSubject;
pub use entries::expand;
pub use failure::service_failure;
pub use manifests::ManifestIndex;
pub use objects::{FolderListing, ListedObject};
pub use reports::LastRuns;
pub use work_folder::{Step, WorkFolder};

use pace::Pace;

/// AWS allows an account 10, 25 and, in some Regions, 5 requests a second. A run makes no more than this.
const DESCRIBE_LOG_GROUPS_PER_SECOND: u32 = 10;
const DESCRIBE_LOG_STREAMS_PER_SECOND: u32 = 20;
const FILTER_LOG_EVENTS_PER_SECOND: u32 = 5;

/// An account's log groups in a Region, and the stack's archive.
pub struct Archive {
    pub stack: Stack,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub s3: aws_sdk_s3::Client,
    describe_log_groups: Pace,
    describe_log_streams: Pace,
    filter_log_events: Pace,
}

impl Archive {
    pub fn new(stack: Stack, config: &SdkConfig) -> Self {
        let (logs, s3) = (aws_sdk_cloudwatchlogs::Client::new(config), s3_client(config));
        Self {
            stack,
            logs,
            s3,
            describe_log_groups: Pace::per_second(DESCRIBE_LOG_GROUPS_PER_SECOND),
            describe_log_streams: Pace::per_second(DESCRIBE_LOG_STREAMS_PER_SECOND),
            filter_log_events: Pace::per_second(FILTER_LOG_EVENTS_PER_SECOND),
        }
    }
}
