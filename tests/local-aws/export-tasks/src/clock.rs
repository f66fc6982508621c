//! The one place that reads the clock: tasks carry times in epoch milliseconds, as CloudWatch's do.

/// Now, in epoch milliseconds.
pub(crate) fn now_millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
