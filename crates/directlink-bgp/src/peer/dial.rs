//! When to dial, and how long to leave a peer alone after a failure.
//!
//! ```text
//!            start            due                 opened
//!   Quiet ──────────► Wait ─────────► Dialling ─────────► (a session has it)
//!     ▲                ▲  ◄───────────── │ failed, too slow      │
//!     └── stopped ─────┴──────────────────── ended ◄─────────────┘
//! ```
//!
//! RFC 4271 §8.1.1 leaves DampPeerOscillations to us: waits double from failure to failure and
//! are forgotten after a session that lasted. A peer whose connection was merely lost may dial us
//! at once; one that broke the protocol, or its prefix limit, is refused for a while.

use super::{ConnId, DownReason, Timings, session::jittered};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Dialer {
    timings: Timings,
    seed: u64,
    state: DialState,
    refuse_until: Duration,
    failures: u32,
    over_limits: u32,
    dials: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DialState {
    Quiet,
    Wait { until: Duration },
    Dialling { conn: ConnId, until: Duration },
}

/// What a tick of the dialer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Dial(ConnId),
    GiveUp(ConnId),
}

impl Dialer {
    /// `seed` makes the jitter of two peers differ.
    pub(super) const fn new(timings: Timings, seed: u64) -> Self {
        Self {
            timings,
            seed,
            state: DialState::Quiet,
            refuse_until: Duration::ZERO,
            failures: 0,
            over_limits: 0,
            dials: 0,
        }
    }

    pub(super) const fn set_timings(&mut self, timings: Timings) {
        self.timings = timings;
    }

    /// Dial now, whatever was before.
    pub(super) const fn forgive(&mut self, now: Duration) {
        self.refuse_until = Duration::ZERO;
        self.failures = 0;
        self.over_limits = 0;
        if !matches!(self.state, DialState::Dialling { .. }) {
            self.state = DialState::Wait { until: now };
        }
    }

    /// Ends waiting or dialling; gives back the dial that is in flight.
    pub(super) fn quiet(&mut self) -> Option<ConnId> {
        match std::mem::replace(&mut self.state, DialState::Quiet) {
            DialState::Dialling { conn, .. } => Some(conn),
            DialState::Quiet | DialState::Wait { .. } => None,
        }
    }

    /// Whether `conn` is the dial in flight, which it then no longer is.
    pub(super) fn settle(&mut self, conn: ConnId) -> bool {
        let ours =
            matches!(self.state, DialState::Dialling { conn: dialled, .. } if dialled == conn);
        if ours {
            self.state = DialState::Quiet;
        }
        ours
    }

    /// Sets the next dial after `reason` ended an attempt, or a session that `lasted` so long.
    pub(super) fn wait_after(&mut self, now: Duration, reason: &DownReason, lasted: Duration) {
        if lasted >= self.timings.stable {
            self.failures = 0;
            if !matches!(reason, DownReason::MaximumPrefixes { .. }) {
                self.over_limits = 0;
            }
        }
        let Timings { retry_first, retry_max, connect_retry, .. } = self.timings;
        let wait = match reason {
            DownReason::ConfigurationChanged | DownReason::Superseded => Duration::ZERO,
            DownReason::MaximumPrefixes { .. } => {
                let Timings { over_limit_first, over_limit_max, .. } = self.timings;
                let wait = doubled(over_limit_first, self.over_limits, over_limit_max);
                self.over_limits = self.over_limits.saturating_add(1);
                self.refuse_until = now + wait;
                wait
            }
            DownReason::ConnectFailed(_) => self.fail(now, retry_first, connect_retry),
            DownReason::NotificationSent(_) => {
                self.refuse_until = now + self.timings.refuse;
                self.fail(now, retry_first, retry_max)
            }
            DownReason::Closed(_)
            | DownReason::Collision
            | DownReason::PathFailed
            | DownReason::HoldTimerExpired
            | DownReason::NotificationReceived(_)
            | DownReason::SendHoldTimerExpired
            | DownReason::Stopped(_) => self.fail(now, retry_first, retry_max),
        };
        self.state = DialState::Wait { until: now + wait };
    }

    /// The next dial is due, unless the peer is left alone for what it did.
    pub(super) fn hurry(&mut self, now: Duration) {
        if self.over_limits > 0 || self.refuses(now) {
            return;
        }
        if let DialState::Wait { until } = &mut self.state {
            *until = (*until).min(now);
        }
    }

    /// Leaves the next dial to the peer, for a moment.
    pub(super) fn give_way(&mut self, now: Duration) {
        if let DialState::Wait { until } = &mut self.state {
            *until = (*until).max(now + 3 * self.timings.retry_first);
        }
    }

    pub(super) fn tick(&mut self, now: Duration) -> Option<Due> {
        match self.state {
            DialState::Wait { until } if until <= now => {
                self.dials += 1;
                let conn = ConnId::Ours(self.dials);
                self.state = DialState::Dialling { conn, until: now + self.timings.connect_retry };
                Some(Due::Dial(conn))
            }
            DialState::Dialling { conn, until } if until <= now => {
                self.state = DialState::Wait { until: now };
                Some(Due::GiveUp(conn))
            }
            _ => None,
        }
    }

    pub(super) const fn next_deadline(&self) -> Option<Duration> {
        match self.state {
            DialState::Quiet => None,
            DialState::Wait { until } | DialState::Dialling { until, .. } => Some(until),
        }
    }

    /// When the next dial is due, if none is on its way.
    pub(super) const fn retry_at(&self) -> Option<Duration> {
        match self.state {
            DialState::Wait { until } => Some(until),
            DialState::Quiet | DialState::Dialling { .. } => None,
        }
    }

    pub(super) const fn is_dialling(&self) -> bool {
        matches!(self.state, DialState::Dialling { .. })
    }

    pub(super) fn refuses(&self, now: Duration) -> bool {
        now < self.refuse_until
    }

    fn fail(&mut self, now: Duration, first: Duration, max: Duration) -> Duration {
        let wait = doubled(first, self.failures, max);
        self.failures = self.failures.saturating_add(1);
        jittered(wait, self.seed ^ u64::from(self.failures) ^ now.as_nanos() as u64)
    }
}

fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX)).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Family, peer::DialFailure};

    const SECOND: Duration = Duration::from_secs(1);

    fn waits(reason: &DownReason, lasted: Duration, times: usize) -> Vec<u64> {
        let mut dialer = Dialer::new(Timings::default(), 7);
        let wait = |dialer: &mut Dialer| {
            dialer.wait_after(Duration::ZERO, reason, lasted);
            // Jitter takes up to a quarter: undo it by rounding up to what was meant.
            dialer.retry_at().map_or(0, |at| at.as_secs_f64().ceil() as u64)
        };
        (0..times).map(|_| wait(&mut dialer)).collect()
    }

    #[test]
    fn who_looks_need_not_wait_but_a_peer_that_is_left_alone_is_left_alone() {
        let after = |reason: &DownReason| {
            let mut dialer = Dialer::new(Timings::default(), 7);
            dialer.wait_after(Duration::ZERO, reason, Duration::ZERO);
            dialer.hurry(Duration::ZERO);
            dialer.tick(Duration::ZERO)
        };
        let refused = DownReason::ConnectFailed(DialFailure::Refused);
        assert!(matches!(after(&refused), Some(Due::Dial(_))));
        let over = DownReason::MaximumPrefixes { family: Family::Ipv4Unicast, max: 100 };
        assert_eq!(after(&over), None);
    }

    #[test]
    fn waits_double_up_to_their_limit() {
        let closed = DownReason::Closed(String::new());
        let lost = waits(&closed, Duration::ZERO, 8);
        assert_eq!(lost[..2], [1, 2]);
        assert!(
            lost[..5].is_sorted() && lost[5..].iter().all(|s| (23..=30).contains(s)),
            "{lost:?}"
        );
        let over = DownReason::MaximumPrefixes { family: Family::Ipv4Unicast, max: 100 };
        assert_eq!(waits(&over, Duration::ZERO, 6), [60, 120, 240, 480, 900, 900]);
        let dials = waits(&DownReason::ConnectFailed(DialFailure::Refused), Duration::ZERO, 8);
        assert!((8..=10).contains(&dials[7]), "{dials:?}");
    }

    #[test]
    fn a_session_that_lasted_forgets_earlier_failures() {
        let closed = DownReason::Closed(String::new());
        assert_eq!(waits(&closed, 60 * SECOND, 5), [1; 5]);
    }

    #[test]
    fn only_protocol_errors_refuse_the_peers_own_dials() {
        let notification = crate::Notification { code: 2, subcode: 2, data: vec![] };
        let table = [
            (DownReason::Closed(String::new()), 0),
            (DownReason::HoldTimerExpired, 0),
            (DownReason::NotificationReceived(notification.clone()), 0),
            (DownReason::NotificationSent(notification), 3),
            (DownReason::MaximumPrefixes { family: Family::Ipv4Unicast, max: 1 }, 60),
        ];
        for (reason, seconds) in table {
            let mut dialer = Dialer::new(Timings::default(), 7);
            dialer.wait_after(Duration::ZERO, &reason, Duration::ZERO);
            let refused = (0..).find(|s| !dialer.refuses(SECOND * *s)).unwrap();
            assert_eq!(refused, seconds, "{reason}");
        }
    }

    #[test]
    fn a_dial_that_takes_too_long_is_given_up_and_repeated() {
        let mut dialer = Dialer::new(Timings::default(), 7);
        dialer.forgive(Duration::ZERO);
        assert_eq!(dialer.tick(Duration::ZERO), Some(Due::Dial(ConnId::Ours(1))));
        assert_eq!(dialer.tick(9 * SECOND), None);
        assert_eq!(dialer.tick(10 * SECOND), Some(Due::GiveUp(ConnId::Ours(1))));
        assert_eq!(dialer.tick(10 * SECOND), Some(Due::Dial(ConnId::Ours(2))));
        assert!(!dialer.settle(ConnId::Ours(1)), "given up");
        assert!(dialer.settle(ConnId::Ours(2)));
    }
}
