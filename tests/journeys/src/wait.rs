//! Waiting for a condition, never for a time.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks until `look` returns a value, at most `limit` long.
///
/// # Errors
/// What `look` returned as an error, or that `what` did not happen within the limit.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let begun = Instant::now();
    loop {
        if let Some(value) = look().await? {
            return Ok(value);
        }
        anyhow::ensure!(
            begun.elapsed() < limit,
            "{what}: not within {} s",
            limit.as_secs()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
