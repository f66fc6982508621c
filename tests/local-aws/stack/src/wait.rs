//! Waiting for a condition, in tests.

use std::time::Duration;

/// It ends a test that would hang otherwise: no condition takes near as long.
const DEADLINE: Duration = Duration::from_secs(180);

/// Asks until there is an answer.
///
/// # Panics
///
/// If there is none within three minutes.
pub async fn wait_for<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}
