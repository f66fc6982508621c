//! The only module that reads the clock.

/// The time in epoch milliseconds, as in CloudWatch.
pub(crate) fn now_millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
