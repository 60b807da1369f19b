//! A BGP peer: one session of an interface, with its own pair of addresses, AS number and key.
//!
//! An interface is born with one, of either family, and has at most two of each: the second is another
//! router of the customer on the same VLAN, or another session with the same, so that one may fail.
//!
//! ```text
//!   pending ──the router has it──► available        bgpStatus beside: unknown, down, up
//!      │ delete                        │ delete
//!      └─────────────┬─────────────────┘
//!                    ▼      the router's configuration is gone
//!                 deleting ────────────────────────────────► deleted
//! ```
//!
//! The peer that came with the interface is in the interface's own fields, and has its number;
//! [`Interface::peers`] shows it as the others.

use crate::{
    command::ChosenPeer,
    fault::Fault,
    ids::{BgpPeerId, InterfaceId},
    interface::{Interface, InterfaceState, Seen},
};
use directlink_net::{Asn, BgpKey, IpNet, PeerAddresses, RegionAsn};
use jiff::Timestamp;
use std::fmt;

/// So many of a family: what a row of the data plane holds.
pub const PEERS_PER_FAMILY: usize = 2;

/// The facts of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BgpPeer {
    pub id: BgpPeerId,
    pub asn: Asn,
    pub key: Option<BgpKey>,
    pub addresses: PeerAddresses,
    pub created_at: Timestamp,
    pub seen: Seen,
    pub deletion: Deletion,
}

/// How far a deletion is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    pub asked_at: Option<Timestamp>,
    /// The router no longer has it.
    pub done_at: Option<Timestamp>,
}

/// What a customer asks for, in good words.
#[derive(Clone, Debug)]
pub struct PeerProposal {
    pub asn: Asn,
    pub key: Option<BgpKey>,
    pub addresses: PeerAddresses,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BgpPeerState {
    Pending,
    Available,
    Deleting,
    Deleted,
}

impl BgpPeerState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for BgpPeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of the session itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BgpStatus {
    /// No router has it.
    Unknown,
    Down,
    /// Established.
    Up,
}

impl BgpStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

impl BgpPeer {
    /// `of`: the state of its interface.
    pub const fn state(&self, of: InterfaceState) -> BgpPeerState {
        match of {
            InterfaceState::Deleted | InterfaceState::Rejected | InterfaceState::Expired => {
                return BgpPeerState::Deleted;
            }
            InterfaceState::Deleting => return BgpPeerState::Deleting,
            InterfaceState::Confirming
            | InterfaceState::Pending
            | InterfaceState::Available
            | InterfaceState::Down
            | InterfaceState::Testing => {}
        }
        match (self.deletion.done_at, self.deletion.asked_at, self.seen.configured) {
            (Some(_), _, _) => BgpPeerState::Deleted,
            (None, Some(_), _) => BgpPeerState::Deleting,
            (None, None, true) => BgpPeerState::Available,
            (None, None, false) => BgpPeerState::Pending,
        }
    }

    /// `of`: the state of its interface.
    pub const fn status(&self, of: InterfaceState) -> BgpStatus {
        match (self.state(of), self.seen.session_up, self.seen.configured) {
            (BgpPeerState::Pending | BgpPeerState::Available, true, _) => BgpStatus::Up,
            (BgpPeerState::Available, false, true) => BgpStatus::Down,
            (BgpPeerState::Available | BgpPeerState::Pending, false, _)
            | (BgpPeerState::Deleting | BgpPeerState::Deleted, _, _) => BgpStatus::Unknown,
        }
    }

    /// Whether a router shall have it, as far as it alone says.
    pub const fn is_wanted(&self) -> bool {
        self.deletion.asked_at.is_none()
    }

    pub const fn is_ipv6(&self) -> bool {
        matches!(self.addresses.router(), IpNet::V6(_))
    }
}

impl Interface {
    /// The number of the peer that came with it is its own.
    pub const fn bgp_peer(&self) -> BgpPeerId {
        first_peer(self.id)
    }

    /// All that are not gone, in order of creation.
    pub fn peers(&self) -> impl Iterator<Item = BgpPeer> + '_ {
        let first = BgpPeer {
            id: self.bgp_peer(),
            asn: self.asn,
            key: self.key.clone(),
            addresses: self.peer,
            created_at: self.created_at,
            seen: self.seen,
            deletion: self.first_peer,
        };
        let further = self.further_peers.iter().cloned();
        std::iter::once(first).chain(further).filter(|peer| peer.deletion.done_at.is_none())
    }

    /// Those that a router shall have while it has the interface.
    pub fn wanted_peers(&self) -> impl Iterator<Item = BgpPeer> + '_ {
        self.peers().filter(BgpPeer::is_wanted)
    }

    /// The one that is shown where there is room for one: the first of IPv4, if there is one.
    pub fn main_peer(&self) -> BgpPeer {
        let peer = self.wanted_peers().min_by_key(BgpPeer::is_ipv6);
        peer.unwrap_or_else(|| unreachable!("the last peer of an interface is not deleted"))
    }

    /// Packets can flow: at least one peer does all that it is for.
    pub fn works(&self) -> bool {
        self.peers().any(|peer| peer.seen.works())
    }

    /// What of all of them there is at all, for a summary.
    pub fn overall(&self) -> Seen {
        self.peers().fold(Seen::default(), |all, BgpPeer { seen, .. }| Seen {
            configured: all.configured || seen.configured,
            session_up: all.session_up || seen.session_up,
            forwarding: all.forwarding || seen.forwarding,
        })
    }

    /// One more. `taken` are the peer subnets of the connection's live interfaces, this one's too.
    pub fn add_peer(
        &mut self,
        id: BgpPeerId,
        proposal: PeerProposal,
        region: RegionAsn,
        taken: &[IpNet],
        now: Timestamp,
    ) -> Result<BgpPeer, Fault> {
        let PeerProposal { asn, key, addresses } = proposal;
        if region.refuses(asn) {
            return Err(Fault::AsnOfProvider { asn, region });
        }
        self.check_room(matches!(addresses.router(), IpNet::V6(_)), now)?;
        let subnet = addresses.router().trunc();
        let meets = |other: &IpNet| other.contains(&subnet) || subnet.contains(&other.trunc());
        if let Some(other) = taken.iter().find(|other| meets(other)) {
            let (connection, by) = (self.connection, other.trunc());
            return Err(Fault::PeerAddressesTaken { connection, subnet, by });
        }
        let (seen, deletion) = (Seen::default(), Deletion::default());
        let peer = BgpPeer { id, asn, key, addresses, created_at: now, seen, deletion };
        self.further_peers.push(peer.clone());
        Ok(peer)
    }

    /// That one more of the family can be had. One that is being deleted holds its place: the
    /// router still has it.
    pub fn check_room(&self, ipv6: bool, now: Timestamp) -> Result<(), Fault> {
        self.check_changeable(now)?;
        let why = match ipv6 {
            true => "it has two ipv6 peers, the most that a router keeps on one VLAN",
            false => "it has two ipv4 peers, the most that a router keeps on one VLAN",
        };
        let of_family = self.peers().filter(|peer| peer.is_ipv6() == ipv6);
        match of_family.count() >= PEERS_PER_FAMILY {
            true => Err(Fault::BgpPeerNotCarried { interface: self.id, why }),
            false => Ok(()),
        }
    }

    /// Asks for the deletion of one. The last one goes with the interface only. Whether that is news.
    pub fn delete_peer(&mut self, id: BgpPeerId, now: Timestamp) -> Result<bool, Fault> {
        self.check_changeable(now)?;
        let peer = self.find_peer(ChosenPeer::Id(id))?;
        if !peer.is_wanted() {
            return Ok(false);
        }
        if self.wanted_peers().count() == 1 {
            return Err(Fault::LastBgpPeer(self.id));
        }
        // Of an interface that waits for its owner no router has anything to let go of.
        let done_at = Some(now).filter(|_| !self.state(false, now).is_wanted());
        if let Some(deletion) = self.deletion_mut(peer.id) {
            *deletion = Deletion { asked_at: Some(now), done_at };
        }
        Ok(true)
    }

    /// The router has let go of one whose deletion was asked. Whether that is news.
    pub fn see_peer_removed(&mut self, id: BgpPeerId, now: Timestamp) -> bool {
        let deletion = self.deletion_mut(id);
        let Some(deletion) = deletion.filter(|d| d.asked_at.is_some() && d.done_at.is_none())
        else {
            return false;
        };
        deletion.done_at = Some(now);
        true
    }

    pub fn find_peer(&self, chosen: ChosenPeer) -> Result<BgpPeer, Fault> {
        let is_it = |peer: &BgpPeer| match chosen {
            ChosenPeer::Id(id) => peer.id == id,
            ChosenPeer::Asn(asn, address) => {
                let there = peer.addresses.customer().addr();
                peer.asn == asn && address.is_none_or(|address| address == there)
            }
        };
        let mut found = self.peers().filter(is_it);
        match (found.next(), found.next(), chosen) {
            (Some(peer), None, _) => Ok(peer),
            (Some(_), Some(_), _) => Err(Fault::BadValue {
                parameter: "customerAddress",
                given: String::new(),
                expected: "several BGP peers have this AS number, so say which by customerAddress or bgpPeerId".into(),
            }),
            (None, _, chosen) => Err(Fault::NoSuchBgpPeer {
                interface: self.id,
                peer: match chosen {
                    ChosenPeer::Id(id) => id.to_string(),
                    ChosenPeer::Asn(asn, _) => format!("AS{asn}"),
                },
            }),
        }
    }

    fn deletion_mut(&mut self, id: BgpPeerId) -> Option<&mut Deletion> {
        if id == self.bgp_peer() {
            return Some(&mut self.first_peer);
        }
        self.further_peers.iter_mut().find(|peer| peer.id == id).map(|peer| &mut peer.deletion)
    }

    fn check_changeable(&self, now: Timestamp) -> Result<(), Fault> {
        match self.state(false, now).is_live() && self.delete_asked_at.is_none() {
            true => Ok(()),
            false => Err(Fault::NoSuchInterface(self.id)),
        }
    }
}

/// The number of the peer that an interface is born with.
pub const fn first_peer(interface: InterfaceId) -> BgpPeerId {
    BgpPeerId::from_bits(interface.bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{AccountId, ConnectionId, GatewayId},
        interface::Proposal,
    };
    use directlink_net::Mtu;

    const SECOND: BgpPeerId = BgpPeerId::from_bits(0xfeed);
    const WORKS: Seen = Seen { configured: true, session_up: true, forwarding: true };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn asn(n: u32) -> Asn {
        n.try_into().unwrap()
    }

    fn region() -> RegionAsn {
        RegionAsn(asn(50624))
    }

    fn pair(n: u16) -> PeerAddresses {
        PeerAddresses::allocated(n).unwrap()
    }

    fn interface() -> Interface {
        let proposal = Proposal {
            connection: ConnectionId::from_bits(1),
            lag: None,
            owner: AccountId::from_number(2),
            name: "i".into(),
            vlan: 101u16.try_into().unwrap(),
            asn: asn(65000),
            key: None,
            peer: pair(0),
            mtu: Mtu::MAX,
            gateway: Some(GatewayId::from_bits(7)),
        };
        Interface::propose(InterfaceId::from_bits(1), proposal, region(), &[], at(0)).unwrap()
    }

    fn add(i: &mut Interface, id: BgpPeerId, n: u16) -> Result<BgpPeer, Fault> {
        let taken: Vec<_> = i.peers().map(|peer| peer.addresses.router()).collect();
        let proposal = PeerProposal { asn: asn(65001), key: None, addresses: pair(n) };
        i.add_peer(id, proposal, region(), &taken, at(1))
    }

    fn with_two() -> Interface {
        let mut i = interface();
        add(&mut i, SECOND, 1).unwrap();
        i
    }

    #[test]
    fn the_whole_machine() {
        let mut table = String::from(
            "interface   fresh             configured        up                asked             removed\n",
        );
        for of in InterfaceState::ALL {
            let after = |acts: &[&dyn Fn(&mut Interface)]| {
                let mut i = with_two();
                acts.iter().for_each(|act| act(&mut i));
                let peer = i.further_peers[0].clone();
                format!("{} {}", peer.state(of), peer.status(of).as_str())
            };
            let down = |i: &mut Interface| {
                let idle = Seen { session_up: false, forwarding: false, ..WORKS };
                assert!(i.see_peer(SECOND, idle, at(2)));
            };
            let up = |i: &mut Interface| assert!(i.see_peer(SECOND, WORKS, at(2)));
            let delete = |i: &mut Interface| assert_eq!(i.delete_peer(SECOND, at(3)), Ok(true));
            let removed = |i: &mut Interface| assert!(i.see_peer_removed(SECOND, at(4)));
            table += &format!(
                "{of:<11} {:<17} {:<17} {:<17} {:<17} {}\n",
                after(&[]),
                after(&[&down]),
                after(&[&up]),
                after(&[&up, &delete]),
                after(&[&up, &delete, &removed]),
            );
        }
        insta::assert_snapshot!(table, @r"
        interface   fresh             configured        up                asked             removed
        confirming  pending unknown   available down    available up      deleting unknown  deleted unknown
        pending     pending unknown   available down    available up      deleting unknown  deleted unknown
        available   pending unknown   available down    available up      deleting unknown  deleted unknown
        down        pending unknown   available down    available up      deleting unknown  deleted unknown
        testing     pending unknown   available down    available up      deleting unknown  deleted unknown
        deleting    deleting unknown  deleting unknown  deleting unknown  deleting unknown  deleting unknown
        deleted     deleted unknown   deleted unknown   deleted unknown   deleted unknown   deleted unknown
        rejected    deleted unknown   deleted unknown   deleted unknown   deleted unknown   deleted unknown
        expired     deleted unknown   deleted unknown   deleted unknown   deleted unknown   deleted unknown
        ");
    }

    #[test]
    fn one_peer_that_works_makes_the_interface_available_whichever_it_is() {
        let idle = Seen { session_up: false, forwarding: false, ..WORKS };
        for (first, second, expected) in [
            (idle, idle, InterfaceState::Pending),
            (WORKS, idle, InterfaceState::Available),
            (idle, WORKS, InterfaceState::Available),
            // A session of one and the rows of the other are no road.
            (
                Seen { forwarding: false, ..WORKS },
                Seen { session_up: false, ..WORKS },
                InterfaceState::Pending,
            ),
        ] {
            let mut i = with_two();
            i.see(first, at(2));
            i.see_peer(SECOND, second, at(2));
            assert_eq!(i.state(true, at(3)), expected, "{first:?} {second:?}");
            assert_eq!(i.first_available_at.is_some(), expected == InterfaceState::Available);
        }
    }

    #[test]
    fn there_is_room_for_two_whose_addresses_do_not_meet() {
        let mut i = interface();
        let meets = add(&mut i, SECOND, 0);
        assert!(matches!(meets, Err(Fault::PeerAddressesTaken { .. })), "{meets:?}");
        add(&mut i, SECOND, 1).unwrap();
        let third = BgpPeerId::from_bits(3);
        assert!(matches!(add(&mut i, third, 2), Err(Fault::BgpPeerNotCarried { .. })));
        // One on its way out holds its place until the router has let go.
        i.delete_peer(SECOND, at(2)).unwrap();
        assert!(add(&mut i, third, 2).is_err());
        i.see_peer_removed(SECOND, at(3));
        add(&mut i, third, 2).unwrap();
        let own = PeerProposal { asn: asn(50624), key: None, addresses: pair(3) };
        let refused = i.add_peer(BgpPeerId::from_bits(4), own, region(), &[], at(1));
        assert!(matches!(refused, Err(Fault::AsnOfProvider { .. })));
    }

    #[test]
    fn the_last_one_stays_and_the_first_may_go_where_there_is_a_second() {
        let mut i = interface();
        let first = i.bgp_peer();
        assert_eq!(i.delete_peer(first, at(2)), Err(Fault::LastBgpPeer(i.id)));
        add(&mut i, SECOND, 1).unwrap();
        assert_eq!(i.delete_peer(first, at(2)), Ok(true));
        assert_eq!(i.delete_peer(first, at(3)), Ok(false), "asked already");
        let last = i.delete_peer(SECOND, at(3));
        assert_eq!(last, Err(Fault::LastBgpPeer(i.id)));
        assert_eq!(i.main_peer().id, SECOND);
        assert_eq!(i.peers().count(), 2, "shown while it is deleted");
        assert!(i.see_peer_removed(i.bgp_peer(), at(4)));
        assert_eq!(i.peers().map(|peer| peer.id).collect::<Vec<_>>(), [SECOND]);
    }

    #[test]
    fn each_family_has_room_for_two_and_the_last_of_either_may_go_before_the_other() {
        let mut i = with_two();
        let block: directlink_net::Ipv6Block = "fd44:4c00::/24".parse().unwrap();
        for (n, good) in [(0_u16, true), (1, true), (2, false)] {
            let addresses = block.peers(n).unwrap();
            let proposal = PeerProposal { asn: asn(65001), key: None, addresses };
            let id = BgpPeerId::from_bits(100 + u32::from(n));
            let added = i.add_peer(id, proposal, region(), &[], at(1));
            assert_eq!(added.is_ok(), good, "{added:?}");
        }
        assert_eq!(i.main_peer().id, i.bgp_peer());
        for left in [[i.bgp_peer(), SECOND], [100, 101].map(BgpPeerId::from_bits)] {
            let mut i = i.clone();
            let gone: Vec<_> = i.peers().map(|p| p.id).filter(|id| !left.contains(id)).collect();
            for id in gone {
                assert_eq!(i.delete_peer(id, at(2)), Ok(true));
            }
            assert_eq!(i.main_peer().id, left[0]);
            i.delete_peer(left[0], at(3)).unwrap();
            assert_eq!(i.delete_peer(left[1], at(4)), Err(Fault::LastBgpPeer(i.id)));
        }
    }

    #[test]
    fn a_peer_is_chosen_by_its_number_or_by_what_only_it_has() {
        let mut i = with_two();
        let there = |n: u16| Some(pair(n).customer().addr());
        for (chosen, found) in [
            (ChosenPeer::Id(SECOND), Some(SECOND)),
            (ChosenPeer::Id(BgpPeerId::from_bits(5)), None),
            (ChosenPeer::Asn(asn(65001), None), Some(SECOND)),
            (ChosenPeer::Asn(asn(65001), there(1)), Some(SECOND)),
            (ChosenPeer::Asn(asn(65001), there(0)), None),
            (ChosenPeer::Asn(asn(65000), there(0)), Some(i.bgp_peer())),
        ] {
            assert_eq!(i.find_peer(chosen).ok().map(|peer| peer.id), found, "{chosen:?}");
        }
        i.further_peers[0].asn = i.asn;
        let vague = i.find_peer(ChosenPeer::Asn(asn(65000), None));
        assert!(matches!(vague, Err(Fault::BadValue { .. })), "{vague:?}");
    }

    #[test]
    fn a_failover_test_shuts_the_chosen_peers_alone() {
        for (chosen, shut) in [(vec![], [true, true]), (vec![SECOND], [false, true])] {
            let mut i = with_two();
            i.see(WORKS, at(2));
            let id = crate::ids::FailoverTestId::from_bits(9);
            let test = crate::failover::FailoverTest::start(id, &mut i, &chosen, Some(1), at(3));
            assert_eq!(test.unwrap().peers.contains(&i.bgp_peer()), shut[0]);
            let told =
                |i: &Interface| [i.bgp_peer(), SECOND].map(|p| i.shutdown(p, at(4)).is_some());
            assert_eq!(told(&i), shut);
            i.end_test();
            assert_eq!(told(&i), [false, false]);
        }
    }
}
