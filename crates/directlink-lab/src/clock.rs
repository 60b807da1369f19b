//! The lab's clock: waiting for a fact, never for a duration, and measuring how long it took.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(5);

/// Looks again and again until `fact` is there, and fails after `limit`, saying what was awaited.
///
/// # Errors
/// The time is up, or looking failed.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut fact: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = fact()? {
            return Ok(found);
        }
        if watch.elapsed() > limit {
            bail!("waited {} s in vain: {what}", limit.as_secs_f32());
        }
        pause(PERIOD);
    }
}

/// How long something took.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods)] // the lab's one clock
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[allow(clippy::disallowed_methods)] // between two looks at a fact
fn pause(period: Duration) {
    std::thread::sleep(period);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_comes_is_named() {
        let never = || Ok(None::<()>);
        let error = until("the sea to part", Duration::ZERO, never).unwrap_err().to_string();
        assert!(error.ends_with("in vain: the sea to part"), "{error}");
    }

    #[test]
    fn what_comes_is_given() {
        let mut looks = 0;
        let third = || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        };
        assert_eq!(until("three", Duration::from_secs(5), third).unwrap(), 3);
    }
}
