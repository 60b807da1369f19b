//! The intervals of a session (RFC 5880 §6.8.2 to §6.8.4, §6.8.7): what both sides ask for, and
//! what follows from it.
//!
//! A number that is asked for is told at once, but may be used only later: while the session is
//! Up, neither may packets become rarer nor patience shorter before the peer has answered a
//! Poll Sequence, or it would take the change for a failure.

use std::{num::NonZeroU8, time::Duration};
use thiserror::Error;

/// What an operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(super) interval_micros: u32,
    pub(super) detect_mult: NonZeroU8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadSettings {
    #[error("a BFD interval of {0:?} is not possible: give 50 ms to 60 s")]
    Interval(Duration),
    #[error("a BFD detect multiplier of {0} is not possible: give 3 or more")]
    DetectMult(u8),
}

/// An interval that is told, and the one in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) told_micros: u32,
    used_micros: u32,
}

impl Settings {
    /// Both directions alike. Below 50 ms a control packet that waits for a busy processor is
    /// taken for a dead path; below 3, two that are lost are.
    ///
    /// # Errors
    /// Either is outside of its range.
    pub fn new(interval: Duration, detect_mult: u8) -> Result<Self, BadSettings> {
        if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
            return Err(BadSettings::Interval(interval));
        }
        let enough = NonZeroU8::new(detect_mult).filter(|mult| *mult >= DETECT_MULT_MIN);
        let detect_mult = enough.ok_or(BadSettings::DetectMult(detect_mult))?;
        Ok(Self { interval_micros: micros(interval), detect_mult })
    }

    pub const fn interval(&self) -> Duration {
        Duration::from_micros(self.interval_micros as u64)
    }

    pub const fn detect_mult(&self) -> u8 {
        self.detect_mult.get()
    }
}

impl Default for Settings {
    /// What the great clouds use.
    fn default() -> Self {
        Self { interval_micros: 300_000, detect_mult: DETECT_MULT_MIN }
    }
}

impl Interval {
    pub(super) const fn new(micros: u32) -> Self {
        Self { told_micros: micros, used_micros: micros }
    }

    pub(super) const fn used(&self) -> u32 {
        self.used_micros
    }

    /// True if it changed, so that the peer has to be polled. `waits`: not to be used before the
    /// peer has answered.
    pub(super) fn set(&mut self, micros: u32, waits: impl FnOnce(u32, u32) -> bool) -> bool {
        if self.told_micros == micros {
            return false;
        }
        self.told_micros = micros;
        if !waits(self.used_micros, micros) {
            self.used_micros = micros;
        }
        true
    }

    /// The peer knows.
    pub(super) const fn confirm(&mut self) {
        self.used_micros = self.told_micros;
    }
}

/// 75 to 100 % of `interval` (RFC 5880 §6.8.7), so that thousands of sessions do not beat as one.
/// A detect multiplier of 1 would need less than 100 %; [`Settings`] has none.
pub(super) fn jittered(interval: Duration, random: u32) -> Duration {
    let quarter = interval.as_nanos() as u64 / 4;
    let less = (u128::from(quarter) * u128::from(random) / u128::from(u32::MAX)) as u64;
    interval - Duration::from_nanos(less)
}

pub(super) const fn duration(micros: u32) -> Duration {
    Duration::from_micros(micros as u64)
}

fn micros(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}

/// While a session is not Up, no more than a packet per second (RFC 5880 §6.8.3).
pub(super) const SLOW_MICROS: u32 = 1_000_000;

const INTERVAL_MIN: Duration = Duration::from_millis(50);
const INTERVAL_MAX: Duration = Duration::from_secs(60);
const DETECT_MULT_MIN: NonZeroU8 = NonZeroU8::new(3).unwrap();

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_a_router_can_keep_up_with_can_be_set() {
        let ms = Duration::from_millis;
        let table = [
            (ms(50), 3, Ok(())),
            (ms(300), 3, Ok(())),
            (ms(60_000), 255, Ok(())),
            (ms(49), 3, Err(BadSettings::Interval(ms(49)))),
            (ms(60_001), 3, Err(BadSettings::Interval(ms(60_001)))),
            (ms(300), 2, Err(BadSettings::DetectMult(2))),
            (ms(300), 0, Err(BadSettings::DetectMult(0))),
        ];
        for (interval, detect_mult, verdict) in table {
            let settings = Settings::new(interval, detect_mult);
            assert_eq!(settings.map(|_| ()), verdict, "{interval:?} {detect_mult}");
        }
        assert_eq!(Settings::new(ms(300), 3), Ok(Settings::default()));
    }

    #[test]
    fn an_interval_that_waits_is_told_and_not_used_until_the_peer_answers() {
        let mut interval = Interval::new(10);
        assert!(!interval.set(10, |_, _| true), "no change");
        assert!(interval.set(20, |used, new| new > used));
        assert_eq!((interval.told_micros, interval.used()), (20, 10));
        interval.confirm();
        assert_eq!(interval.used(), 20);
        assert!(interval.set(5, |used, new| new > used));
        assert_eq!(interval.used(), 5, "sooner is safe at once");
    }

    proptest! {
        #[test]
        fn jitter_takes_nothing_to_a_quarter(micros in 0..u32::MAX, random in any::<u32>()) {
            let (whole, less) = (duration(micros), jittered(duration(micros), random));
            prop_assert!(less <= whole && less >= whole * 3 / 4);
        }
    }
}
