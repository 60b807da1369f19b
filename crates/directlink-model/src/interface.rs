//! A DirectLink interface: a VLAN of a connection with its BGP peers, leading to one Net.
//!
//! ```text
//!  for oneself                          for another account (hosted)
//!      │                                   confirming ──7 days──► expired
//!      ▼              confirm + gateway     │      │ delete
//!   pending ◄─────────────────────────────┘      └──────────► rejected
//!      │  VLAN, BGP and forwarding seen
//!      ▼                     any of them gone
//!   available ◄──────────────────────────────► down
//!      │ delete (from pending, available, down)
//!      ▼              the router's configuration is gone
//!   deleting ───────────────────────────────────────► deleted
//!
//!   available, down ──failover test──► testing ──its time is over, or stopped──► available, down
//! ```
//!
//! `down` is ours and AWS's word: it was available once. The OUTSCALE API says `pending` for it.

use crate::{
    bgp_peer::{BgpPeer, Deletion},
    drain::Draining,
    fault::Fault,
    ids::{AccountId, BgpPeerId, ConnectionId, GatewayId, InterfaceId, LagId},
};
use directlink_net::{Asn, BgpKey, Mtu, PeerAddresses, RegionAsn, Vlan};
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeSet, fmt};

/// A hosted interface waits this long for its owner (the guide: 7 days).
pub const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What the router saw of a BGP peer of the interface when it last spoke; see [`crate::report`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// VLAN, addresses and rows are in the router's kernel.
    pub configured: bool,
    /// The BGP session is Established.
    pub session_up: bool,
    /// Packets can flow: the customer's MAC is resolved and its rows are in the kernel.
    pub forwarding: bool,
}

impl Seen {
    pub const fn works(self) -> bool {
        self.configured && self.session_up && self.forwarding
    }
}

/// The wait for the owner of a hosted interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Created by its own owner, or accepted.
    Given,
    AwaitedUntil(Timestamp),
    /// Stamped once, so that a clock that steps back revives nothing.
    ExpiredAt(Timestamp),
    RejectedAt(Timestamp),
}

/// The facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub id: InterfaceId,
    /// The connection that carries it: of a LAG the member whose turn it is.
    pub connection: ConnectionId,
    /// The LAG that it was made on, if it was.
    pub lag: Option<LagId>,
    /// Who uses it: for a hosted interface not the connection's owner.
    pub owner: AccountId,
    pub name: String,
    pub vlan: Vlan,
    /// Of the BGP peer that it was born with; see [`crate::bgp_peer`].
    pub asn: Asn,
    pub key: Option<BgpKey>,
    pub peer: PeerAddresses,
    pub mtu: Mtu,
    pub gateway: Option<GatewayId>,
    pub created_at: Timestamp,
    pub confirmation: Confirmation,
    /// Of the BGP peer that it was born with.
    pub seen: Seen,
    /// Whether that peer is to go.
    pub first_peer: Deletion,
    pub further_peers: Vec<BgpPeer>,
    /// When it first worked; from then on a failure reads `down`, not `pending`.
    pub first_available_at: Option<Timestamp>,
    /// Until then a failover test keeps sessions shut; see [`crate::failover`].
    pub testing_until: Option<Timestamp>,
    /// Whose sessions those are. None: of all its peers.
    pub tested_peers: BTreeSet<BgpPeerId>,
    /// Its traffic is sent away for a maintenance; see [`crate::drain`].
    pub drain: Option<Draining>,
    pub delete_asked_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InterfaceState {
    Confirming,
    Pending,
    Available,
    Down,
    Testing,
    Deleting,
    Deleted,
    Rejected,
    Expired,
}

impl InterfaceState {
    pub const ALL: [Self; 9] = [
        Self::Confirming,
        Self::Pending,
        Self::Available,
        Self::Down,
        Self::Testing,
        Self::Deleting,
        Self::Deleted,
        Self::Rejected,
        Self::Expired,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirming => "confirming",
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Down => "down",
            Self::Testing => "testing",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }

    /// Whether its VLAN is taken on the connection.
    pub const fn is_live(self) -> bool {
        match self {
            Self::Confirming
            | Self::Pending
            | Self::Available
            | Self::Down
            | Self::Testing
            | Self::Deleting => true,
            Self::Deleted | Self::Rejected | Self::Expired => false,
        }
    }

    /// Whether a router shall carry it.
    pub const fn is_wanted(self) -> bool {
        match self {
            Self::Pending | Self::Available | Self::Down | Self::Testing => true,
            Self::Confirming | Self::Deleting | Self::Deleted | Self::Rejected | Self::Expired => {
                false
            }
        }
    }
}

impl fmt::Display for InterfaceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a customer asks for, in good words; whether it may be had is [`Interface::propose`]'s to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub connection: ConnectionId,
    pub lag: Option<LagId>,
    pub owner: AccountId,
    pub name: String,
    pub vlan: Vlan,
    pub asn: Asn,
    pub key: Option<BgpKey>,
    pub peer: PeerAddresses,
    pub mtu: Mtu,
    pub gateway: Option<GatewayId>,
}

impl Interface {
    /// A new interface, if the rules allow it. Without a gateway it waits for its owner.
    /// `taken` are the VLANs of the connection's live interfaces.
    pub fn propose(
        id: InterfaceId,
        proposal: Proposal,
        region: RegionAsn,
        taken: &[(InterfaceId, Vlan)],
        now: Timestamp,
    ) -> Result<Self, Fault> {
        check_asn(proposal.asn, region)?;
        if let Some((other, _)) = taken.iter().find(|(_, vlan)| *vlan == proposal.vlan) {
            return Err(Fault::VlanTaken {
                connection: proposal.connection,
                vlan: proposal.vlan,
                by: *other,
            });
        }
        let confirmation = match proposal.gateway {
            Some(_) => Confirmation::Given,
            None => Confirmation::AwaitedUntil(now + CONFIRM_WITHIN),
        };
        let Proposal { connection, lag, owner, name, vlan, asn, key, peer, mtu, gateway } =
            proposal;
        Ok(Self {
            id,
            connection,
            lag,
            owner,
            name,
            vlan,
            asn,
            key,
            peer,
            mtu,
            gateway,
            created_at: now,
            confirmation,
            seen: Seen::default(),
            first_peer: Deletion::default(),
            further_peers: vec![],
            first_available_at: None,
            testing_until: None,
            tested_peers: BTreeSet::new(),
            drain: None,
            delete_asked_at: None,
            deleted_at: None,
        })
    }

    /// `wire_on`: the connection is available.
    pub fn state(&self, wire_on: bool, now: Timestamp) -> InterfaceState {
        match self.confirmation {
            Confirmation::RejectedAt(_) => return InterfaceState::Rejected,
            Confirmation::ExpiredAt(_) => return InterfaceState::Expired,
            Confirmation::AwaitedUntil(until) if now >= until => return InterfaceState::Expired,
            Confirmation::AwaitedUntil(_) => return InterfaceState::Confirming,
            Confirmation::Given => {}
        }
        match (self.deleted_at, self.delete_asked_at) {
            (Some(_), _) => return InterfaceState::Deleted,
            (None, Some(_)) => return InterfaceState::Deleting,
            (None, None) => {}
        }
        if self.testing_until.is_some_and(|until| now < until) {
            return InterfaceState::Testing;
        }
        match (wire_on && self.works(), self.first_available_at) {
            (true, _) => InterfaceState::Available,
            (false, None) => InterfaceState::Pending,
            (false, Some(_)) => InterfaceState::Down,
        }
    }

    /// When the state changes by time alone.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.confirmation {
            Confirmation::AwaitedUntil(until) => Some(until),
            Confirmation::Given => self.testing_until,
            Confirmation::ExpiredAt(_) | Confirmation::RejectedAt(_) => None,
        }
    }

    /// The owner accepts, and says through which gateway.
    pub fn confirm(&mut self, gateway: GatewayId, now: Timestamp) -> Result<(), Fault> {
        match self.state(false, now) {
            InterfaceState::Confirming => {
                self.confirmation = Confirmation::Given;
                self.gateway = Some(gateway);
                Ok(())
            }
            state => Err(Fault::InterfaceNotConfirming { id: self.id, state }),
        }
    }

    /// Its owner or the connection's asks for deletion. While it waits for its owner, that is a rejection.
    pub fn ask_delete(&mut self, now: Timestamp) -> Result<(), Fault> {
        match self.state(false, now) {
            InterfaceState::Confirming => self.confirmation = Confirmation::RejectedAt(now),
            InterfaceState::Pending
            | InterfaceState::Available
            | InterfaceState::Down
            | InterfaceState::Testing => {
                self.delete_asked_at = Some(now);
                self.end_test();
            }
            InterfaceState::Deleting => {}
            InterfaceState::Deleted | InterfaceState::Rejected | InterfaceState::Expired => {
                return Err(Fault::NoSuchInterface(self.id));
            }
        }
        Ok(())
    }

    pub fn change_mtu(&mut self, mtu: Mtu, now: Timestamp) -> Result<(), Fault> {
        match self.state(false, now).is_live() && self.delete_asked_at.is_none() {
            true => {
                self.mtu = mtu;
                Ok(())
            }
            false => Err(Fault::NoSuchInterface(self.id)),
        }
    }

    pub fn rename(&mut self, name: String, now: Timestamp) -> Result<(), Fault> {
        match self.state(false, now).is_live() && self.delete_asked_at.is_none() {
            true => {
                self.name = name;
                Ok(())
            }
            false => Err(Fault::NoSuchInterface(self.id)),
        }
    }

    /// Stamps an expiry that has come. Whether that is news.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        match self.confirmation {
            Confirmation::AwaitedUntil(until) if now >= until => {
                self.confirmation = Confirmation::ExpiredAt(until);
                true
            }
            Confirmation::AwaitedUntil(_)
            | Confirmation::Given
            | Confirmation::ExpiredAt(_)
            | Confirmation::RejectedAt(_) => false,
        }
    }

    /// What the router says of the peer that it was born with. Whether that is news.
    pub fn see(&mut self, seen: Seen, now: Timestamp) -> bool {
        self.see_peer(self.bgp_peer(), seen, now)
    }

    /// What the router says of one of its peers. Whether that is news.
    pub fn see_peer(&mut self, id: BgpPeerId, seen: Seen, now: Timestamp) -> bool {
        let known = match id == self.bgp_peer() {
            true => Some(&mut self.seen),
            false => self.further_peers.iter_mut().find(|p| p.id == id).map(|p| &mut p.seen),
        };
        let Some(known) = known else { return false };
        let news = *known != seen;
        *known = seen;
        if self.works() && self.first_available_at.is_none() {
            self.first_available_at = Some(now);
        }
        news
    }

    /// The router says that nothing of it is left there. Whether that is news.
    pub fn see_removed(&mut self, now: Timestamp) -> bool {
        let news = self.state(false, now) == InterfaceState::Deleting;
        if news {
            self.deleted_at = Some(now);
            self.seen = Seen::default();
            self.further_peers.iter_mut().for_each(|peer| peer.seen = Seen::default());
        }
        news
    }
}

fn check_asn(asn: Asn, region: RegionAsn) -> Result<(), Fault> {
    match region.refuses(asn) {
        true => Err(Fault::AsnOfProvider { asn, region }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn region() -> RegionAsn {
        RegionAsn(Asn::try_from(50624u32).unwrap())
    }

    fn proposal(gateway: Option<GatewayId>) -> Proposal {
        Proposal {
            connection: ConnectionId::from_bits(1),
            lag: None,
            owner: AccountId::from_number(2),
            name: "to my Net".into(),
            vlan: Vlan::try_from(101u16).unwrap(),
            asn: Asn::try_from(65000u32).unwrap(),
            key: None,
            peer: PeerAddresses::allocated(0).unwrap(),
            mtu: Mtu::MAX,
            gateway,
        }
    }

    const GATEWAY: GatewayId = GatewayId::from_bits(7);
    const WORKS: Seen = Seen { configured: true, session_up: true, forwarding: true };
    const DAY: i64 = 24 * 3600;

    fn hosted() -> Interface {
        Interface::propose(InterfaceId::from_bits(1), proposal(None), region(), &[], at(0)).unwrap()
    }

    /// An interface brought into `state` by the acts that lead there, before second 100.
    fn in_state(state: InterfaceState) -> Interface {
        let mut i = hosted();
        match state {
            InterfaceState::Confirming => return i,
            InterfaceState::Rejected => {
                i.ask_delete(at(10)).unwrap();
                return i;
            }
            InterfaceState::Expired => {
                assert!(i.expire(at(7 * DAY)));
                return i;
            }
            _ => i.confirm(GATEWAY, at(10)).unwrap(),
        }
        if state == InterfaceState::Pending {
            return i;
        }
        i.see(WORKS, at(20));
        match state {
            InterfaceState::Testing => i.begin_test(BTreeSet::new(), at(3 * DAY), at(30)).unwrap(),
            InterfaceState::Down => {
                i.see(Seen { session_up: false, ..WORKS }, at(30));
            }
            InterfaceState::Deleting => i.ask_delete(at(30)).unwrap(),
            InterfaceState::Deleted => {
                i.ask_delete(at(30)).unwrap();
                i.see_removed(at(40));
            }
            _ => {}
        }
        i
    }

    #[test]
    fn the_whole_machine() {
        let mut table = String::from(
            "state       confirm    works      fails      wire off   test       delete     removed    day 7      live  wanted\n",
        );
        for state in InterfaceState::ALL {
            let now = at(100);
            assert_eq!(in_state(state).state(true, now), state);
            let after = |act: &dyn Fn(&mut Interface) -> Result<(), Fault>| {
                let mut i = in_state(state);
                act(&mut i).map_or("refused", |()| i.state(true, now).as_str())
            };
            table += &format!(
                "{state:<11} {:<10} {:<10} {:<10} {:<10} {:<10} {:<10} {:<10} {:<10} {:<5} {}\n",
                after(&|i| i.confirm(GATEWAY, now)),
                after(&|i| {
                    i.see(WORKS, now);
                    Ok(())
                }),
                after(&|i| {
                    i.see(Seen::default(), now);
                    Ok(())
                }),
                in_state(state).state(false, now).as_str(),
                after(&|i| i.begin_test(BTreeSet::new(), at(200), now)),
                after(&|i| i.ask_delete(now)),
                after(&|i| {
                    i.see_removed(now);
                    Ok(())
                }),
                in_state(state).state(true, at(7 * DAY)).as_str(),
                state.is_live(),
                state.is_wanted(),
            );
        }
        insta::assert_snapshot!(table, @r"
        state       confirm    works      fails      wire off   test       delete     removed    day 7      live  wanted
        confirming  pending    confirming confirming confirming refused    rejected   confirming expired    true  false
        pending     refused    available  pending    pending    refused    deleting   pending    pending    true  true
        available   refused    available  down       down       testing    deleting   available  available  true  true
        down        refused    available  down       down       testing    deleting   down       down       true  true
        testing     refused    testing    testing    testing    refused    deleting   testing    available  true  true
        deleting    refused    deleting   deleting   deleting   refused    deleting   deleted    deleting   true  false
        deleted     refused    deleted    deleted    deleted    refused    refused    deleted    deleted    false false
        rejected    refused    rejected   rejected   rejected   refused    refused    rejected   rejected   false false
        expired     refused    expired    expired    expired    refused    refused    expired    expired    false false
        ");
    }

    #[test]
    fn seven_days_end_to_the_second_and_a_stamped_expiry_stays() {
        let mut i = hosted();
        assert_eq!(i.deadline(), Some(at(7 * DAY)));
        assert_eq!(i.state(true, at(7 * DAY - 1)), InterfaceState::Confirming);
        assert_eq!(i.state(true, at(7 * DAY)), InterfaceState::Expired);
        assert!(i.expire(at(7 * DAY)));
        assert_eq!(i.state(true, at(1)), InterfaceState::Expired, "the clock stepped back");
        assert!(i.confirm(GATEWAY, at(1)).is_err());
    }

    #[test]
    fn every_missing_piece_keeps_it_from_being_available() {
        for seen in [
            Seen { configured: false, ..WORKS },
            Seen { session_up: false, ..WORKS },
            Seen { forwarding: false, ..WORKS },
        ] {
            let mut i = in_state(InterfaceState::Pending);
            i.see(seen, at(50));
            assert_eq!(i.state(true, at(50)), InterfaceState::Pending, "{seen:?}");
        }
    }

    #[test]
    fn a_vlan_is_taken_once_per_connection() {
        let taken = [(InterfaceId::from_bits(9), Vlan::try_from(101u16).unwrap())];
        let refused = Interface::propose(
            InterfaceId::from_bits(1),
            proposal(Some(GATEWAY)),
            region(),
            &taken,
            at(0),
        );
        assert!(matches!(refused, Err(Fault::VlanTaken { .. })));
    }

    #[test]
    fn the_regions_own_asn_is_refused() {
        for asn in [50624u32, 53306, 132_418] {
            let proposal = Proposal { asn: asn.try_into().unwrap(), ..proposal(Some(GATEWAY)) };
            let refused =
                Interface::propose(InterfaceId::from_bits(1), proposal, region(), &[], at(0));
            assert!(matches!(refused, Err(Fault::AsnOfProvider { .. })), "{asn}");
        }
    }
}
