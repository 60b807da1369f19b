//! The only place of the router that asks the machine what time it is.

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Civil time, for people.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Time that only goes forward, for deadlines.
#[allow(clippy::disallowed_methods)]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// The same as the packet programs read it: since the zero of CLOCK_MONOTONIC.
pub(crate) fn monotonic() -> Duration {
    match clock_gettime(ClockId::CLOCK_MONOTONIC) {
        Ok(time) => time.into(),
        Err(error) => unreachable!("every Linux has CLOCK_MONOTONIC: {error}"),
    }
}
