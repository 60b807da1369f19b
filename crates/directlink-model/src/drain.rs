//! An interface is drained: its traffic is moved to the customer's other ways, and back, while its BGP
//! sessions stay up and whatever still comes is forwarded.
//!
//! ```text
//!   asked ──► moving ── no traffic any more, or its time is over ──► withdrawn ◄── traffic ──► drained
//!             less wanted                                            not advertised    none
//!               │ ended                                                 │ ended          │
//!               ▼                                                       ▼                ▼
//!             none ◄──────────────── a while later ─────────────────  returning: less wanted
//! ```
//!
//! *Less wanted* is our AS number three times more in AS_PATH, GRACEFUL_SHUTDOWN (RFC 8326), and on
//! our side the lowest preference. Whether there is traffic is what the router's counters say: as
//! long as the router is silent nothing is called drained.

use crate::{interface::Interface, plan, report::InterfaceReport};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// For so long no packet is seen before it is believed that none comes.
pub const QUIET: SignedDuration = SignedDuration::from_secs(8);
/// Customers whose routers take no hint are moved by the withdrawal, after this time.
pub const AT_MOST_DEFAULT: SignedDuration = SignedDuration::from_secs(60);
pub const AT_MOST_MAX: SignedDuration = SignedDuration::from_hours(24);

/// The facts of an interface that is drained, or comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draining {
    pub asked_at: Timestamp,
    /// So long after that it is withdrawn whatever the counters say.
    pub at_most: SignedDuration,
    /// Stamped once, so that a clock that steps back advertises nothing.
    pub withdrawn_at: Option<Timestamp>,
    pub returning_at: Option<Timestamp>,
    pub heard: Heard,
}

/// What the router's counters have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Packets that went on, both ways, when the router last spoke.
    pub packets: Option<u64>,
    /// When they were last others than before.
    pub traffic_at: Option<Timestamp>,
    /// When the router last spoke.
    pub at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Less wanted; traffic is on its way to other ways.
    Moving,
    /// Not advertised any more, and there was still traffic a moment ago, or nobody knows.
    Withdrawn,
    /// Not advertised, and no traffic is seen.
    Drained,
    /// Advertised again, less wanted.
    Returning,
}

/// What time, or the counters, have made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    None,
    Withdrawn,
    /// It is as if it had never been drained.
    Over,
}

impl Phase {
    pub const ALL: [Self; 4] = [Self::Moving, Self::Withdrawn, Self::Drained, Self::Returning];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moving => "moving",
            Self::Withdrawn => "withdrawn",
            Self::Drained => "drained",
            Self::Returning => "returning",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Draining {
    pub const fn begin(at_most: SignedDuration, now: Timestamp) -> Self {
        let heard = Heard { packets: None, traffic_at: None, at: None };
        Self { asked_at: now, at_most, withdrawn_at: None, returning_at: None, heard }
    }

    pub fn phase(&self) -> Phase {
        match (self.returning_at, self.withdrawn_at) {
            (Some(_), _) => Phase::Returning,
            (None, None) => Phase::Moving,
            (None, Some(at)) if self.is_quiet_since(at) => Phase::Drained,
            (None, Some(_)) => Phase::Withdrawn,
        }
    }

    /// What the router is told.
    pub fn says(&self) -> plan::Drain {
        match self.phase() {
            Phase::Moving | Phase::Returning => plan::Drain::Prepend,
            Phase::Withdrawn | Phase::Drained => plan::Drain::Withdraw,
        }
    }

    /// A report of the router's, taken `at`. One that was heard before says nothing new. As long as
    /// the customer is still told of the Net it is as if there were traffic.
    pub fn hear(&mut self, report: &InterfaceReport, at: Timestamp) {
        if self.heard.at.is_some_and(|heard| at <= heard) {
            return;
        }
        let traffic = report.traffic;
        let packets = traffic.from_customer.packets.wrapping_add(traffic.to_customer.packets);
        let is_advertised = report.advertised_to_any() && self.withdrawn_at.is_some();
        if self.heard.packets != Some(packets) || is_advertised {
            self.heard.packets = Some(packets);
            self.heard.traffic_at = Some(at);
        }
        self.heard.at = Some(at);
    }

    /// Takes the step whose time has come.
    pub fn step(&mut self, now: Timestamp) -> Step {
        match self.phase() {
            Phase::Moving if now >= self.withdraw_by() || self.is_quiet_since(self.asked_at) => {
                self.withdrawn_at = Some(now);
                Step::Withdrawn
            }
            Phase::Returning if self.deadline().is_some_and(|at| now >= at) => Step::Over,
            Phase::Moving | Phase::Withdrawn | Phase::Drained | Phase::Returning => Step::None,
        }
    }

    /// Nobody wants it drained any more. What was not withdrawn is at once as it was.
    pub fn end(&mut self, now: Timestamp) -> Step {
        match self.withdrawn_at {
            None => Step::Over,
            Some(_) => {
                self.returning_at.get_or_insert(now);
                Step::None
            }
        }
    }

    /// When time alone takes the next step.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.phase() {
            Phase::Moving => Some(self.withdraw_by()),
            Phase::Withdrawn | Phase::Drained => None,
            Phase::Returning => self.returning_at.map(|at| at + QUIET),
        }
    }

    fn withdraw_by(&self) -> Timestamp {
        self.asked_at + self.at_most
    }

    fn is_quiet_since(&self, since: Timestamp) -> bool {
        let loud = self.heard.traffic_at.map_or(since, |at| at.max(since));
        self.heard.at.is_some_and(|heard| heard.duration_since(loud) >= QUIET)
    }
}

/// What becomes of an interface's drain. `wanted`: by a maintenance that runs, with the time that its
/// traffic has to move. `said`: the router's last report, and when it came.
pub fn next(
    was: Option<&Draining>,
    wanted: Option<SignedDuration>,
    said: Option<(&InterfaceReport, Timestamp)>,
    now: Timestamp,
) -> Option<Draining> {
    let mut it = match (was, wanted) {
        (None, None) => return None,
        (Some(was), _) if wanted.is_none() || was.returning_at.is_none() => was.clone(),
        (_, Some(at_most)) => Draining::begin(at_most, now),
        (Some(was), None) => was.clone(),
    };
    if let Some((report, at)) = said {
        it.hear(report, at);
    }
    if wanted.is_none() && it.end(now) == Step::Over {
        return None;
    }
    (it.step(now) != Step::Over).then_some(it)
}

impl Interface {
    /// Where it is in a maintenance, if it is.
    pub fn drain_phase(&self) -> Option<Phase> {
        self.drain.as_ref().map(Draining::phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Tally, Traffic};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn report(packets: u64, advertised: bool) -> InterfaceReport {
        let from_customer = Tally { packets, bytes: packets };
        InterfaceReport {
            traffic: Traffic { from_customer, ..Traffic::default() },
            advertised: advertised.then(|| "10.0.0.0/16".parse().unwrap()).into_iter().collect(),
            ..InterfaceReport::default()
        }
    }

    fn begun() -> Draining {
        Draining::begin(AT_MOST_DEFAULT, at(100))
    }

    #[test]
    fn it_is_withdrawn_once_no_packet_is_seen_and_drained_once_none_is_seen_after_that() {
        let mut it = begun();
        for (second, packets) in [(101, 10), (106, 20), (111, 30), (116, 30)] {
            it.hear(&report(packets, true), at(second));
            assert_eq!((it.step(at(second)), it.phase()), (Step::None, Phase::Moving));
        }
        it.hear(&report(30, true), at(121));
        assert_eq!((it.step(at(121)), it.phase()), (Step::Withdrawn, Phase::Withdrawn));
        assert_eq!((it.says(), it.deadline()), (plan::Drain::Withdraw, None));
        it.hear(&report(30, true), at(130));
        assert_eq!(it.phase(), Phase::Withdrawn, "the customer is still told of the Net");
        it.hear(&report(30, false), at(135));
        assert_eq!(it.phase(), Phase::Withdrawn);
        it.hear(&report(30, false), at(140));
        assert_eq!(it.phase(), Phase::Drained);
        it.hear(&report(31, false), at(145));
        assert_eq!(it.phase(), Phase::Withdrawn, "a packet came");
    }

    #[test]
    fn a_customer_who_takes_no_hint_is_withdrawn_from_when_the_time_is_over() {
        let mut it = begun();
        assert_eq!(it.deadline(), Some(at(160)));
        for (second, step) in [(159, Step::None), (160, Step::Withdrawn), (161, Step::None)] {
            it.hear(&report(u64::try_from(second).unwrap(), true), at(second));
            assert_eq!(it.step(at(second)), step, "{second}");
        }
        assert_eq!(it.step(at(99)), Step::None);
        assert_eq!(it.phase(), Phase::Withdrawn, "a clock that steps back advertises nothing");
    }

    #[test]
    fn of_a_silent_router_nothing_is_called_drained() {
        let mut it = begun();
        assert_eq!(it.step(at(160)), Step::Withdrawn);
        assert_eq!(it.step(at(9999)), Step::None);
        assert_eq!(it.phase(), Phase::Withdrawn);
        // The same report, looked at again.
        it.hear(&report(5, false), at(200));
        for second in [200, 300] {
            it.hear(&report(5, false), at(200));
            assert_eq!(it.phase(), Phase::Withdrawn, "{second}");
        }
    }

    #[test]
    fn what_is_wanted_and_what_is_said_lead_from_one_phase_to_the_next() {
        let wanted = Some(AT_MOST_DEFAULT);
        let mut it = None;
        for (second, wanted, said, expected) in [
            (0, None, None, None),
            (0, wanted, None, Some(Phase::Moving)),
            (9, wanted, Some((5, true)), Some(Phase::Moving)),
            (18, wanted, Some((5, true)), Some(Phase::Withdrawn)),
            (27, wanted, Some((5, false)), Some(Phase::Drained)),
            (30, None, Some((5, false)), Some(Phase::Returning)),
            // Wanted once more, before it was back: from the beginning.
            (33, wanted, None, Some(Phase::Moving)),
            (34, None, None, None),
        ] {
            let said = said.map(|(packets, advertised)| (report(packets, advertised), at(second)));
            let said = said.as_ref().map(|(report, at)| (report, *at));
            it = next(it.as_ref(), wanted, said, at(second));
            assert_eq!(it.as_ref().map(Draining::phase), expected, "{second}");
        }
        let mut gone = Draining::begin(AT_MOST_DEFAULT, at(0));
        (gone.withdrawn_at, gone.returning_at) = (Some(at(1)), Some(at(2)));
        assert_eq!(next(Some(&gone), None, None, at(10)), None, "its time is over");
    }

    #[test]
    fn it_comes_back_in_the_reverse_order() {
        let mut it = begun();
        assert_eq!((it.clone().end(at(110)), it.says()), (Step::Over, plan::Drain::Prepend));
        it.step(at(160));
        assert_eq!(it.end(at(200)), Step::None);
        assert_eq!((it.phase(), it.says()), (Phase::Returning, plan::Drain::Prepend));
        assert_eq!(it.end(at(205)), Step::None);
        assert_eq!((it.deadline(), it.step(at(207))), (Some(at(208)), Step::None));
        assert_eq!(it.step(at(208)), Step::Over);
    }
}
