//! The command's clock: for signatures, which carry the time, and for waiting on facts.

use anyhow::{Result, bail};
use jiff::Timestamp;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(10);

#[allow(clippy::disallowed_methods)] // the command's one clock
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// How long something took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods)] // the command's one clock
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Asks again and again until `fact` is there; after `limit`, fails and says what was awaited.
pub(crate) async fn until<T>(
    what: &str,
    limit: Duration,
    mut fact: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = fact().await? {
            return Ok(found);
        }
        if watch.elapsed() > limit {
            bail!("waited {} s in vain: {what}", limit.as_secs_f32());
        }
        tokio::time::sleep(PERIOD).await;
    }
}
