//! How long to wait before dialling again: longer each time, and not all routers at once.

use std::time::Duration;

/// Waits from short to long.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

/// A connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    pub(crate) fn ended_after(&mut self, lasted: Duration) {
        if lasted >= GOOD {
            self.failures = 0;
        }
    }

    /// `chance` in 0 to 1 shortens the wait by up to a half.
    pub(crate) fn next(&mut self, chance: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(10)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        doubled.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_limit_and_a_good_connection_forgets_them() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let waits: Vec<_> = (0..7).map(|_| backoff.next(0.0).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.ended_after(Duration::from_secs(1));
        assert_eq!(backoff.next(1.0), Duration::from_millis(2500));
        backoff.ended_after(GOOD);
        assert_eq!(backoff.next(1.0), Duration::from_millis(100));
    }
}
