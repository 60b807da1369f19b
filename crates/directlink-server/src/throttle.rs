//! Nobody is asked faster than a rate: the rest is refused, and told when to come again.
//!
//! ```text
//!              now        full_at                 a call moves full_at on by 1/rate;
//!   ────────────┼────────────┼──────────►         further than burst/rate from now: refused
//!                ◄─ owed ───►                     full_at ≤ now: as if it had never called
//! ```
//!
//! A token bucket whose whole state is one time, the one at which it is full again: nothing fills
//! buckets in the background, and one that is full need not be kept. So memory is bounded without
//! forgetting anybody who matters; when even those are too many, newcomers share one bucket.

use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    num::NonZeroU32,
    str::FromStr,
    sync::{Mutex, PoisonError},
};
use thiserror::Error;

/// How fast calls may come, for ever and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub calls: NonZeroU32,
    pub per: Per,
    /// So many may come at once, after a while without any.
    pub burst: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Second,
    Minute,
    Hour,
}

impl Per {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    const fn letter(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }

    const fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }
}

/// A rate, or none: `100/s:500`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Off,
    Rate(Rate),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("give CALLS/UNIT:BURST with a unit of s, m or h, as 100/s:500, or off")]
pub struct BadLimit;

impl Limit {
    /// So many a second; none is one.
    pub const fn per_second(calls: u32, burst: u32) -> Self {
        let calls = NonZeroU32::MIN.saturating_add(calls.saturating_sub(1));
        let burst = NonZeroU32::MIN.saturating_add(burst.saturating_sub(1));
        Self::Rate(Rate { calls, per: Per::Second, burst })
    }
}

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let (calls, rest) = text.split_once('/').ok_or(BadLimit)?;
        let (letter, burst) = rest.split_once(':').ok_or(BadLimit)?;
        let per = Per::ALL.into_iter().find(|per| per.letter() == letter).ok_or(BadLimit)?;
        let number = |text: &str| text.parse().map_err(|_| BadLimit);
        Ok(Self::Rate(Rate { calls: number(calls)?, per, burst: number(burst)? }))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Rate(Rate { calls, per, burst }) => {
                write!(f, "{calls}/{}:{burst}", per.letter())
            }
        }
    }
}

/// Too many calls; after so long there is room for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    pub wait: SignedDuration,
}

impl TooFast {
    /// For a `Retry-After` header: whole seconds, at least one.
    pub fn retry_after_seconds(self) -> i64 {
        let started = i64::from(self.wait.subsec_nanos() > 0);
        self.wait.as_secs().saturating_add(started).max(1)
    }
}

impl Rate {
    /// From one call to the next.
    fn each(self) -> SignedDuration {
        SignedDuration::from_nanos(self.per.seconds() * 1_000_000_000 / i64::from(self.calls.get()))
    }

    /// From an empty bucket to a full one.
    fn whole(self) -> SignedDuration {
        self.each().saturating_mul(i32::try_from(self.burst.get()).unwrap_or(i32::MAX))
    }

    /// How long until a bucket is full. After a clock was set back, no longer than from empty.
    fn owed(self, full_at: Option<Timestamp>, now: Timestamp) -> SignedDuration {
        let owed = full_at.map_or(SignedDuration::ZERO, |at| at.duration_since(now));
        owed.clamp(SignedDuration::ZERO, self.whole())
    }

    fn room(self, owed: SignedDuration) -> Result<(), TooFast> {
        let wait = owed + self.each() - self.whole();
        match wait.is_positive() {
            true => Err(TooFast { wait }),
            false => Ok(()),
        }
    }
}

/// A bucket for each of those who called lately.
#[derive(Debug)]
pub struct Throttle<K> {
    limit: Limit,
    /// Other servers count the same callers.
    is_shared: bool,
    buckets: Mutex<Buckets<K>>,
}

const BUCKETS_MAX: usize = 10_000;
/// Whoever has spent less than this part of a burst is not told of.
const LITTLE: i32 = 8;
const SWEEP_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// When each is full; one that is not here is.
#[derive(Debug)]
struct Buckets<K> {
    full_at: HashMap<K, Timestamp>,
    /// Calls that other servers have not heard of.
    untold: HashMap<K, u32>,
    /// The one of all who found no room for their own.
    others_full_at: Option<Timestamp>,
    swept_at: Option<Timestamp>,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    pub fn new(limit: Limit, is_shared: bool) -> Self {
        let (full_at, untold) = (HashMap::new(), HashMap::new());
        let buckets = Buckets { full_at, untold, others_full_at: None, swept_at: None };
        Self { limit, is_shared, buckets: Mutex::new(buckets) }
    }

    /// What callers have spent that other servers have not heard of; those who call little are not told of.
    pub fn take_spent(&self, now: Timestamp) -> Vec<(K, SignedDuration)> {
        let Limit::Rate(rate) = self.limit else { return Vec::new() };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = std::mem::take(&mut buckets.untold);
        let hurries =
            |who: &K| rate.owed(buckets.full_at.get(who).copied(), now) * LITTLE > rate.whole();
        let spent =
            |calls: u32| rate.each().saturating_mul(i32::try_from(calls).unwrap_or(i32::MAX));
        let told = untold.into_iter().filter(|(who, _)| hurries(who));
        told.map(|(who, calls)| (who, spent(calls))).collect()
    }

    /// When a caller's bucket is full, with what they have spent at all servers.
    pub fn learn(&self, who: K, full_at: Timestamp, now: Timestamp) {
        let Limit::Rate(rate) = self.limit else { return };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // No longer than from empty.
        let full_at = now + rate.owed(Some(full_at), now);
        let own = buckets.full_at.entry(who).or_insert(full_at);
        *own = full_at.max(*own);
    }

    /// Whether there is room for a call. Spends nothing.
    ///
    /// # Errors
    /// There is none.
    pub fn room(&self, who: K, now: Timestamp) -> Result<(), TooFast> {
        self.ask(who, now, false)
    }

    /// One call, if there is room for it. A refused one costs nothing.
    ///
    /// # Errors
    /// There is none.
    pub fn spend(&self, who: K, now: Timestamp) -> Result<(), TooFast> {
        self.ask(who, now, true)
    }

    fn ask(&self, who: K, now: Timestamp, spend: bool) -> Result<(), TooFast> {
        let Limit::Rate(rate) = self.limit else { return Ok(()) };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let own = buckets.finds_own(rate, &who, now);
        let full_at = if own { buckets.full_at.get(&who).copied() } else { buckets.others_full_at };
        let owed = rate.owed(full_at, now);
        let room = rate.room(owed);
        let owed = if spend && room.is_ok() { owed + rate.each() } else { owed };
        let full_at = owed.is_positive().then(|| now + owed);
        if self.is_shared && own && spend && room.is_ok() {
            *buckets.untold.entry(who.clone()).or_default() += 1;
        }
        match (own, full_at) {
            (true, Some(at)) => drop(buckets.full_at.insert(who, at)),
            (true, None) => drop(buckets.full_at.remove(&who)),
            (false, at) => buckets.others_full_at = at,
        }
        room
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Whether there is a bucket of one's own, or room for one.
    fn finds_own(&mut self, rate: Rate, who: &K, now: Timestamp) -> bool {
        if self.full_at.len() < BUCKETS_MAX || self.full_at.contains_key(who) {
            return true;
        }
        let just_swept = |at: Timestamp| now.duration_since(at).abs() < SWEEP_EVERY;
        if !self.swept_at.is_some_and(just_swept) {
            self.swept_at = Some(now);
            self.full_at.retain(|_, at| rate.owed(Some(*at), now).is_positive());
        }
        self.full_at.len() < BUCKETS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn a_burst_then_the_rate_and_each_refusal_says_when() {
        // 4 a second, 3 at once.
        let throttle = Throttle::new(Limit::per_second(4, 3), false);
        for (ms, wait_ms) in [
            (0, None),
            (0, None),
            (0, None),
            (0, Some(250)),
            (100, Some(150)),
            (249, Some(1)),
            (250, None),
            (250, Some(250)),
            (750, None),
            (750, None),
            (750, Some(250)),
            // However long the pause: no more than the burst.
            (60_000, None),
            (60_000, None),
            (60_000, None),
            (60_000, Some(250)),
            // A clock that was set back makes nobody wait longer than from empty.
            (0, Some(250)),
            (250, None),
        ] {
            let waits = throttle.spend("A", at(ms)).err().map(|e| e.wait.as_millis());
            assert_eq!(waits, wait_ms, "at {ms} ms");
            assert_eq!(throttle.room("B", at(ms)), Ok(()), "another is not touched");
        }
    }

    #[test]
    fn servers_that_tell_each_other_grant_no_more_than_one() {
        let limit = Limit::per_second(10, 100);
        let [one, other] = [(); 2].map(|()| Throttle::new(limit, true));
        for _ in 0..60 {
            one.spend("A", at(0)).unwrap();
        }
        for _ in 0..5 {
            one.spend("B", at(0)).unwrap();
        }
        let spent = one.take_spent(at(0));
        assert_eq!(spent, [("A", SignedDuration::from_secs(6))], "B calls little");
        assert!(one.take_spent(at(0)).is_empty(), "it was told");
        other.learn("A", at(6000), at(0));
        assert_eq!((0..100).filter(|_| other.spend("A", at(0)).is_ok()).count(), 40);
        other.learn("B", at(60_000), at(0));
        assert_eq!(other.spend("B", at(100)), Ok(()), "nobody waits longer than from empty");
    }

    #[test]
    fn asking_for_room_spends_none() {
        let throttle = Throttle::new(Limit::per_second(1, 1), false);
        for _ in 0..3 {
            assert_eq!(throttle.room(1, at(0)), Ok(()));
        }
        assert_eq!(throttle.spend(1, at(0)), Ok(()));
        assert!(throttle.room(1, at(999)).is_err());
        assert_eq!(throttle.room(1, at(1000)), Ok(()));
    }

    #[test]
    fn off_refuses_nothing_and_keeps_nothing() {
        let throttle = Throttle::new(Limit::Off, false);
        assert!((0..10_000).all(|_| throttle.spend(1, at(0)).is_ok()));
        assert!(throttle.buckets.lock().unwrap().full_at.is_empty());
    }

    #[test]
    fn made_up_callers_cannot_fill_the_memory_and_share_what_is_left() {
        let throttle = Throttle::new(Limit::per_second(1, 2), false);
        let crowd = u32::try_from(BUCKETS_MAX).unwrap();
        assert!((0..crowd).all(|n| throttle.spend(n, at(0)).is_ok()));
        let newcomers = (crowd..crowd + 50).filter(|n| throttle.spend(*n, at(1)).is_ok());
        assert_eq!(newcomers.count(), 2, "one bucket for all of them");
        assert_eq!(throttle.spend(0, at(1)), Ok(()), "who has a bucket keeps it");
        assert_eq!(throttle.buckets.lock().unwrap().full_at.len(), BUCKETS_MAX);
        assert_eq!(throttle.spend(crowd, at(5000)), Ok(()), "the crowd has gone");
        assert_eq!(throttle.buckets.lock().unwrap().full_at.len(), 1);
    }

    #[test]
    fn retry_after_is_whole_seconds_rounded_up() {
        for (wait_ms, seconds) in [(1, 1), (1000, 1), (1001, 2), (9999, 10)] {
            let wait = SignedDuration::from_millis(wait_ms);
            assert_eq!(TooFast { wait }.retry_after_seconds(), seconds, "{wait_ms}");
        }
    }

    #[test]
    fn limits_are_written_as_they_are_read() {
        for text in ["off", "100/s:500", "6/m:1", "1/h:3"] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        for bad in ["", "100", "100/s", "0/s:5", "5/s:0", "-1/s:5", "on", "5/d:5", "5/:5"] {
            assert_eq!(bad.parse::<Limit>(), Err(BadLimit), "{bad}");
        }
    }
}
