//! How long to wait before asking again, and when to stop asking.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(5);
/// All waits together, after which asking stops.
const TOTAL: Duration = Duration::from_mins(1);

/// Waits that double from 200 ms to 5 s, one minute in all.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    waited: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            next: FIRST,
            waited: Duration::ZERO,
        }
    }
}

impl Backoff {
    /// The next wait; none when it is time to give up.
    pub fn next_delay(&mut self) -> Option<Duration> {
        let delay = self.next;
        if self.waited >= TOTAL {
            return None;
        }
        self.waited += delay;
        self.next = (delay * 2).min(LONGEST);
        Some(delay)
    }

    /// Things work again: the next trouble starts from the first wait.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether no wait was asked for since the start or the last reset.
    pub fn is_fresh(&self) -> bool {
        self.waited.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_five_seconds_and_gives_up_after_a_minute() {
        let mut backoff = Backoff::default();
        let delays: Vec<u128> = std::iter::from_fn(|| backoff.next_delay())
            .map(|delay| delay.as_millis())
            .collect();
        assert_eq!(delays[..6], [200, 400, 800, 1600, 3200, 5000]);
        let total: u128 = delays.iter().sum();
        assert!((60_000..66_000).contains(&total), "{total}");
        backoff.reset();
        assert!(backoff.is_fresh());
        assert_eq!(backoff.next_delay(), Some(FIRST));
    }
}
