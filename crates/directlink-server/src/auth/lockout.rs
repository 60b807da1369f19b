//! Guessing is made slow: four wrong attempts in a row with one credential lock it for a minute, four
//! more for two, up to ten. Others are not touched.
//!
//! Here it is in memory, and bounded: logins that do not exist cannot fill the memory. Several servers on one database
//! count there instead (`api/guard`).

use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

const ATTEMPTS: u32 = 4;
const MINUTES_MAX: u32 = 10;
const CREDENTIALS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Lockout {
    wrong: Mutex<HashMap<String, Wrong>>,
}

/// Wrong attempts with one credential.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wrong {
    pub in_a_row: u32,
    pub locked_until: Option<Timestamp>,
}

impl Wrong {
    pub fn is_locked(self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// One more.
    #[must_use]
    pub fn and_again(self, now: Timestamp) -> Self {
        let in_a_row = self.in_a_row.saturating_add(1);
        if !in_a_row.is_multiple_of(ATTEMPTS) {
            return Self { in_a_row, ..self };
        }
        let minutes = (in_a_row / ATTEMPTS).min(MINUTES_MAX);
        Self { in_a_row, locked_until: Some(now + SignedDuration::from_mins(minutes.into())) }
    }
}

impl Lockout {
    pub fn is_locked(&self, credential: &str, now: Timestamp) -> bool {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.get(credential).is_some_and(|wrong| wrong.is_locked(now))
    }

    pub fn count_wrong(&self, credential: &str, now: Timestamp) {
        let mut all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CREDENTIALS_MAX && !all.contains_key(credential) {
            all.retain(|_, wrong| wrong.is_locked(now));
            if all.len() >= CREDENTIALS_MAX {
                return;
            }
        }
        let wrong = all.entry(credential.to_owned()).or_default();
        *wrong = wrong.and_again(now);
    }

    pub fn forgive(&self, credential: &str) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).remove(credential);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_four_wrong_attempts_lock_a_minute_longer_up_to_ten() {
        let lockout = Lockout::default();
        let mut now = Timestamp::UNIX_EPOCH;
        let mut minutes = vec![];
        for _ in 0..12 {
            for _ in 0..3 {
                lockout.count_wrong("A", now);
                assert!(!lockout.is_locked("A", now));
            }
            lockout.count_wrong("A", now);
            assert!(!lockout.is_locked("B", now), "another's key still works");
            let mut locked = 0;
            while lockout.is_locked("A", now) {
                now += SignedDuration::from_mins(1);
                locked += 1;
            }
            minutes.push(locked);
        }
        assert_eq!(minutes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]);
    }

    #[test]
    fn made_up_credentials_cannot_fill_the_memory() {
        let lockout = Lockout::default();
        for n in 0..=2 * CREDENTIALS_MAX {
            lockout.count_wrong(&n.to_string(), Timestamp::UNIX_EPOCH);
        }
        assert!(lockout.wrong.lock().unwrap().len() <= CREDENTIALS_MAX);
    }

    #[test]
    fn a_good_attempt_starts_the_count_anew() {
        let lockout = Lockout::default();
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..3 {
            lockout.count_wrong("A", now);
        }
        lockout.forgive("A");
        lockout.count_wrong("A", now);
        assert!(!lockout.is_locked("A", now));
    }
}
