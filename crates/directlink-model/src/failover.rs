//! Failover tests: for a while sessions of an interface are shut, as if its router had failed, so
//! that its owner sees whether the traffic finds another way. That way may be another peer of the
//! same interface, where the test is of some of its peers only.
//!
//! ```text
//!   start ─► in progress ──its minutes are over──► completed
//!                        ──stopped, or the interface is deleted──► cancelled
//! ```
//!
//! The session is shut administratively: the customer's router hears why (RFC 9003), keeps none of
//! our routes, and is let in again afterwards.

use crate::{
    fault::Fault,
    ids::{AccountId, BgpPeerId, FailoverTestId, InterfaceId},
    interface::{Interface, InterfaceState},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// AWS: 180 minutes if none are given, at most 72 hours.
pub const MINUTES_DEFAULT: u16 = 180;
pub const MINUTES_MAX: u16 = 72 * 60;
/// What was tested can be read for a year.
pub const HISTORY_KEPT: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The facts of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailoverTest {
    pub id: FailoverTestId,
    pub interface: InterfaceId,
    pub owner: AccountId,
    /// Whose sessions are shut: at least one.
    pub peers: BTreeSet<BgpPeerId>,
    pub minutes: u16,
    pub started_at: Timestamp,
    /// Stamped once, so that a clock that steps back begins nothing again.
    pub ended: Option<Ended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub at: Timestamp,
    /// Before its minutes were over.
    pub early: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TestStatus {
    InProgress,
    Completed,
    Cancelled,
}

impl FailoverTest {
    /// Begins one on `interface`: of these peers, or, where there are none, of all that it has.
    pub fn start(
        id: FailoverTestId,
        interface: &mut Interface,
        peers: &[BgpPeerId],
        minutes: Option<i64>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let peers = interface.peers_to_test(peers)?;
        let given = minutes.unwrap_or_else(|| MINUTES_DEFAULT.into());
        let minutes = u16::try_from(given).ok().filter(|m| (1..=MINUTES_MAX).contains(m));
        let minutes = minutes.ok_or_else(|| Fault::BadValue {
            parameter: "testDurationInMinutes",
            given: given.to_string(),
            expected: format!("a test lasts 1 to {MINUTES_MAX} minutes"),
        })?;
        let (on, owner) = (interface.id, interface.owner);
        let test = Self { id, interface: on, owner, peers, minutes, started_at: now, ended: None };
        interface.begin_test(test.peers.clone(), test.until(), now)?;
        Ok(test)
    }

    pub fn until(&self) -> Timestamp {
        self.started_at + SignedDuration::from_mins(self.minutes.into())
    }

    /// Stopped, or over.
    pub fn end(&mut self, now: Timestamp) {
        let until = self.until();
        self.ended.get_or_insert_with(|| Ended { at: now.min(until), early: now < until });
    }

    pub fn status(&self, now: Timestamp) -> TestStatus {
        match self.ended {
            Some(Ended { early: true, .. }) => TestStatus::Cancelled,
            Some(Ended { early: false, .. }) => TestStatus::Completed,
            None if now >= self.until() => TestStatus::Completed,
            None => TestStatus::InProgress,
        }
    }

    /// When its session was let in again.
    pub fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.ended {
            Some(ended) => Some(ended.at),
            None => Some(self.until()).filter(|until| now >= *until),
        }
    }
}

impl Interface {
    /// Shuts the sessions of these peers until then.
    pub fn begin_test(
        &mut self,
        peers: BTreeSet<BgpPeerId>,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        match self.state(false, now) {
            InterfaceState::Available | InterfaceState::Down => {
                self.tested_peers = peers;
                self.testing_until = Some(until);
                Ok(())
            }
            state => Err(Fault::InterfaceNotTestable { id: self.id, state }),
        }
    }

    /// Stopped, or its time has come: whether there was anything to end.
    pub fn end_test(&mut self) -> bool {
        self.tested_peers.clear();
        self.testing_until.take().is_some()
    }

    /// What a peer's router is told while its session is shut.
    pub fn shutdown(&self, peer: BgpPeerId, now: Timestamp) -> Option<String> {
        let is_tested = self.tested_peers.is_empty() || self.tested_peers.contains(&peer);
        let until = self.testing_until.filter(|until| is_tested && now < *until)?;
        Some(format!("failover test of {} until {until:.0}", self.id))
    }

    fn peers_to_test(&self, given: &[BgpPeerId]) -> Result<BTreeSet<BgpPeerId>, Fault> {
        let all: BTreeSet<_> = self.wanted_peers().map(|peer| peer.id).collect();
        match given.iter().find(|peer| !all.contains(peer)) {
            Some(other) => {
                Err(Fault::NoSuchBgpPeer { interface: self.id, peer: other.to_string() })
            }
            None if given.is_empty() => Ok(all),
            None => Ok(given.iter().copied().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{ConnectionId, GatewayId},
        interface::{Proposal, Seen},
    };
    use directlink_net::{Mtu, PeerAddresses, RegionAsn};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// It worked from second 1 on.
    fn interface() -> Interface {
        let proposal = Proposal {
            connection: ConnectionId::from_bits(1),
            lag: None,
            owner: AccountId::from_number(2),
            name: "i".into(),
            vlan: 101u16.try_into().unwrap(),
            asn: 65000u32.try_into().unwrap(),
            key: None,
            peer: PeerAddresses::allocated(0).unwrap(),
            mtu: Mtu::MAX,
            gateway: Some(GatewayId::from_bits(7)),
        };
        let region = RegionAsn(50624u32.try_into().unwrap());
        let mut i =
            Interface::propose(InterfaceId::from_bits(1), proposal, region, &[], at(0)).unwrap();
        i.see(Seen { configured: true, session_up: true, forwarding: true }, at(1));
        i
    }

    fn start(i: &mut Interface, minutes: Option<i64>) -> Result<FailoverTest, Fault> {
        FailoverTest::start(FailoverTestId::from_bits(9), i, &[], minutes, at(60))
    }

    #[test]
    fn a_test_lasts_its_minutes_to_the_second() {
        for (given, expected) in [
            (None, Some(180)),
            (Some(1), Some(1)),
            (Some(4320), Some(4320)),
            (Some(0), None),
            (Some(4321), None),
            (Some(-1), None),
            (Some(i64::MAX), None),
        ] {
            let mut i = interface();
            let Ok(test) = start(&mut i, given) else {
                assert_eq!(expected, None, "{given:?}");
                assert_eq!(i.testing_until, None);
                continue;
            };
            assert_eq!(Some(test.minutes), expected);
            let until = test.until();
            assert_eq!(i.deadline(), Some(until));
            let second = SignedDuration::from_secs(1);
            assert_eq!(i.state(true, until - second), InterfaceState::Testing);
            assert_eq!(i.state(true, until), InterfaceState::Available);
            assert_eq!(test.status(until - second), TestStatus::InProgress);
            assert_eq!(
                (test.status(until), test.ended_at(until)),
                (TestStatus::Completed, Some(until))
            );
        }
    }

    #[test]
    fn stopped_early_it_is_cancelled_and_stays_so() {
        let mut i = interface();
        let mut test = start(&mut i, Some(10)).unwrap();
        assert!(start(&mut i, None).is_err(), "one at a time");
        assert!(i.end_test() && !i.end_test());
        test.end(at(120));
        test.end(at(9999));
        assert_eq!(test.ended, Some(Ended { at: at(120), early: true }));
        assert_eq!(test.status(at(9999)), TestStatus::Cancelled);
        assert_eq!(i.state(true, at(120)), InterfaceState::Available);
    }

    #[test]
    fn a_deletion_ends_it_and_the_words_fit_the_message() {
        let mut i = interface();
        start(&mut i, None).unwrap();
        // RFC 9003: at most 255 octets; older routers (RFC 8203) take 128.
        assert!(i.shutdown(i.bgp_peer(), at(61)).unwrap().len() <= 128);
        i.ask_delete(at(61)).unwrap();
        assert_eq!((i.testing_until, i.shutdown(i.bgp_peer(), at(61))), (None, None));
    }
}
