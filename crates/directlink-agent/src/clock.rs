//! The only place of the router that asks the machine what time it is.

use jiff::Timestamp;
use std::time::Instant;

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
