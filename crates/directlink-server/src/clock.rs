//! The time: the only place of the server that asks the machine for it.
//!
//! A lab may run on a virtual clock, which goes as the machine's does and can be moved on: seven
//! days pass in a millisecond. Everything else takes `now` as an argument.

use jiff::{SignedDuration, Timestamp};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Cheap to clone; clones show the same time.
///
/// No two looks show the same microsecond, so that the order of creation is the order of asking.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    /// Microseconds since 1970, as last shown.
    shown: AtomicI64,
}

#[derive(Debug)]
enum Kind {
    Real,
    /// Ahead of the machine by so many microseconds.
    Virtual(AtomicI64),
    /// Stands still, at microseconds since 1970.
    Stopped(AtomicI64),
}

/// Looks that are too near each other are set apart by so much at most; where the machine's clock
/// was set back further, that is the time now.
const APART_MAX_US: i64 = 1_000_000;

impl Clock {
    /// The machine's.
    pub fn real() -> Self {
        Self::new(Kind::Real)
    }

    /// The machine's, and `ahead` of it.
    pub fn ahead_of_real(ahead: SignedDuration) -> Self {
        Self::new(Kind::Virtual(AtomicI64::new(micros(ahead))))
    }

    /// One that moves only when told to (and by a microsecond when looked at).
    pub fn stopped_at(at: Timestamp) -> Self {
        Self::new(Kind::Stopped(AtomicI64::new(at.as_microsecond())))
    }

    fn new(kind: Kind) -> Self {
        Self(Arc::new(Inner { kind, shown: AtomicI64::new(i64::MIN) }))
    }

    /// Whole microseconds: what the store keeps.
    pub fn now(&self) -> Timestamp {
        let us = match &self.0.kind {
            Kind::Real => machine_us(),
            Kind::Virtual(ahead) => machine_us().saturating_add(ahead.load(Ordering::SeqCst)),
            Kind::Stopped(at) => at.fetch_add(1, Ordering::SeqCst),
        };
        let next = |shown: i64| match us <= shown && shown.saturating_sub(us) < APART_MAX_US {
            true => shown + 1,
            false => us,
        };
        let update =
            self.0.shown.try_update(Ordering::SeqCst, Ordering::SeqCst, |shown| Some(next(shown)));
        timestamp(update.map_or(us, next))
    }

    /// The machine's own time, whatever this clock shows.
    pub fn machine_now(&self) -> Timestamp {
        timestamp(machine_us())
    }

    pub fn is_virtual(&self) -> bool {
        match &self.0.kind {
            Kind::Real => false,
            Kind::Virtual(_) | Kind::Stopped(_) => true,
        }
    }

    /// Moves a virtual clock on, never back. How far it is ahead then; `None`: it is real.
    pub fn advance(&self, by: SignedDuration) -> Option<SignedDuration> {
        let by = micros(by).max(0);
        match &self.0.kind {
            Kind::Real => None,
            Kind::Virtual(us) | Kind::Stopped(us) => {
                Some(SignedDuration::from_micros(us.fetch_add(by, Ordering::SeqCst) + by))
            }
        }
    }
}

#[allow(clippy::disallowed_methods)]
fn machine_us() -> i64 {
    Timestamp::now().as_microsecond()
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Clamped: a clock that was moved past the year 9999 stays there.
fn timestamp(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_virtual_clock_moves_when_told_to() {
        let hour = SignedDuration::from_hours(1);
        assert_eq!(Clock::real().advance(hour), None);
        let ahead = Clock::ahead_of_real(hour);
        let machine = ahead.machine_now();
        assert!(ahead.now().duration_since(machine) >= hour);
        let stopped = Clock::stopped_at(Timestamp::UNIX_EPOCH);
        stopped.clone().advance(hour);
        assert_eq!(stopped.now(), Timestamp::UNIX_EPOCH + hour);
        stopped.advance(-hour);
        assert!(stopped.now() > Timestamp::UNIX_EPOCH + hour, "time does not go back");
    }
    #[test]
    fn no_two_looks_show_the_same_time() {
        for clock in [Clock::real(), Clock::stopped_at(Timestamp::UNIX_EPOCH)] {
            let looks: Vec<_> = (0..1000).map(|_| clock.now()).collect();
            assert!(looks.is_sorted_by(|a, b| a < b));
        }
    }
}
