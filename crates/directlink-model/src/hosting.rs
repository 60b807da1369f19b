//! Hosted connections: a share of another's connection, allocated by its owner for a customer.
//!
//! ```text
//!   partner: allocate       customer: confirm
//!   (none) ─────► ordering ─────────────────► what the parent's wire is: pending, available, down
//!                    │ delete, by either side     │ delete, by either side, without interface
//!                    │ or 7 days                  ▼
//!                    └──────► rejected         deleting ── router has let go ──► deleted
//! ```
//!
//! It has one VLAN of the parent's wire, fixed by the partner, and carries one interface on it.
//! Location, port and light are the parent's: a [`Connection`] that is hosted has them as its own
//! facts, read from there, so whatever asks for the wire of a connection need not know of this.
//!
//! AWS has no `expired` for connections. An offer that nobody took shows as what it is to both
//! sides then, `rejected`; that time did it is in the fact.

use crate::{
    connection::{Bandwidth, Connection, ConnectionState},
    fault::{Fault, HostingFault},
    ids::{AccountId, ConnectionId, InterfaceId},
    interface::{CONFIRM_WITHIN, Confirmation},
};
use directlink_net::Vlan;
use jiff::Timestamp;
use std::{fmt, str::FromStr};

/// How much of a wire a hosted connection may use. A port's speed is a [`Bandwidth`]: nobody orders
/// a port of 50 Mbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capacity {
    Mbps50,
    Mbps100,
    Mbps200,
    Mbps300,
    Mbps400,
    Mbps500,
    Gbps1,
    Gbps2,
    Gbps5,
    Gbps10,
}

impl Capacity {
    pub const ALL: [Self; 10] = [
        Self::Mbps50,
        Self::Mbps100,
        Self::Mbps200,
        Self::Mbps300,
        Self::Mbps400,
        Self::Mbps500,
        Self::Gbps1,
        Self::Gbps2,
        Self::Gbps5,
        Self::Gbps10,
    ];

    /// AWS's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mbps50 => "50Mbps",
            Self::Mbps100 => "100Mbps",
            Self::Mbps200 => "200Mbps",
            Self::Mbps300 => "300Mbps",
            Self::Mbps400 => "400Mbps",
            Self::Mbps500 => "500Mbps",
            Self::Gbps1 => "1Gbps",
            Self::Gbps2 => "2Gbps",
            Self::Gbps5 => "5Gbps",
            Self::Gbps10 => "10Gbps",
        }
    }

    pub const fn bits_per_second(self) -> u64 {
        const MBPS: u64 = 1_000_000;
        match self {
            Self::Mbps50 => 50 * MBPS,
            Self::Mbps100 => 100 * MBPS,
            Self::Mbps200 => 200 * MBPS,
            Self::Mbps300 => 300 * MBPS,
            Self::Mbps400 => 400 * MBPS,
            Self::Mbps500 => 500 * MBPS,
            Self::Gbps1 => 1000 * MBPS,
            Self::Gbps2 => 2000 * MBPS,
            Self::Gbps5 => 5000 * MBPS,
            Self::Gbps10 => 10_000 * MBPS,
        }
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Capacity {
    type Err = Fault;
    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::ALL.into_iter().find(|c| c.as_str() == text).ok_or_else(|| Fault::BadValue {
            parameter: "bandwidth",
            given: text.to_owned(),
            expected: format!("give one of {}", Self::ALL.map(Self::as_str).join(", ")),
        })
    }
}

/// What makes a connection a hosted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosting {
    pub parent: ConnectionId,
    /// Whose the parent is.
    pub partner: AccountId,
    pub vlan: Vlan,
    pub capacity: Capacity,
    /// The customer's answer.
    pub offer: Confirmation,
}

/// Who has a VLAN of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Hosted(ConnectionId),
    Interface(InterfaceId),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosted(id) => id.fmt(f),
            Self::Interface(id) => id.fmt(f),
        }
    }
}

/// What a partner allocates, in good words.
#[derive(Clone, Debug)]
pub struct Allocation {
    pub id: ConnectionId,
    pub account: AccountId,
    pub name: String,
    pub vlan: Vlan,
    pub capacity: Capacity,
}

impl Connection {
    /// A hosted connection on `parent`, if the rules allow it. `hosted` are those that live there,
    /// `holder` is who has the VLAN.
    pub fn allocate(
        parent: &Self,
        allocation: Allocation,
        hosted: &[Self],
        holder: Option<Holder>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let Allocation { id, account, name, vlan, capacity } = allocation;
        parent.check_hosts()?;
        parent.check_free(vlan, holder)?;
        parent.check_room(capacity, hosted)?;
        let hosting = Hosting {
            parent: parent.id,
            partner: parent.account,
            vlan,
            capacity,
            offer: Confirmation::AwaitedUntil(now + CONFIRM_WITHIN),
        };
        Ok(Self {
            id,
            account,
            name,
            location: parent.location.clone(),
            bandwidth: parent.bandwidth,
            requested_at: now,
            approval: parent.approval.clone(),
            refused: None,
            light: parent.light,
            is_bundled: false,
            delete_asked_at: None,
            deleted_at: None,
            lag: None,
            hosting: Some(hosting),
        })
    }

    /// The customer takes the offer.
    pub fn confirm(&mut self, now: Timestamp) -> Result<(), Fault> {
        self.lapse(now);
        let state = self.state();
        match (state, &mut self.hosting) {
            (ConnectionState::Ordering, Some(hosting)) => {
                hosting.offer = Confirmation::Given;
                Ok(())
            }
            (_, _) => Err(HostingFault::NotOrdering { id: self.id, state }.into()),
        }
    }

    /// Stamps the end of an offer whose time is over. Whether that is news.
    pub fn lapse(&mut self, now: Timestamp) -> bool {
        match self.offer() {
            Some(Confirmation::AwaitedUntil(until)) if now >= until => {
                self.end_offer(Confirmation::ExpiredAt(until), until);
                true
            }
            Some(_) | None => false,
        }
    }

    /// As it reads at that time.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        self.lapse(now);
        self
    }

    /// The customer's answer, of a hosted one.
    pub fn offer(&self) -> Option<Confirmation> {
        self.hosting.as_ref().map(|hosting| hosting.offer)
    }

    /// No router ever knew of it.
    pub(crate) fn end_offer(&mut self, how: Confirmation, at: Timestamp) {
        if let Some(hosting) = &mut self.hosting {
            hosting.offer = how;
            self.deleted_at = Some(at);
        }
    }

    /// Moves it, with what it carries, to another connection of the same partner.
    pub fn rehost(
        &mut self,
        target: &Self,
        hosted: &[Self],
        holder: Option<Holder>,
    ) -> Result<(), Fault> {
        let id = self.id;
        match self.state() {
            ConnectionState::Deleting | ConnectionState::Deleted | ConnectionState::Rejected => {
                return Err(Fault::NoSuchConnection(id));
            }
            ConnectionState::Ordering
            | ConnectionState::Requested
            | ConnectionState::Pending
            | ConnectionState::Available
            | ConnectionState::Down => {}
        }
        let hosting = self.hosting.as_mut().ok_or(HostingFault::NotHosted(id))?;
        target.check_hosts()?;
        target.check_free(hosting.vlan, holder)?;
        target.check_room(hosting.capacity, hosted)?;
        hosting.parent = target.id;
        hosting.partner = target.account;
        self.location = target.location.clone();
        self.bandwidth = target.bandwidth;
        self.approval = target.approval.clone();
        self.light = target.light;
        Ok(())
    }

    /// The connection whose fibre carries this one.
    pub fn wire(&self) -> ConnectionId {
        self.hosting.as_ref().map_or(self.id, |hosting| hosting.parent)
    }

    /// What it may carry, in both APIs' words.
    pub fn capacity_str(&self) -> &'static str {
        match &self.hosting {
            Some(hosting) => hosting.capacity.as_str(),
            None => self.bandwidth.as_str(),
        }
    }

    /// What its interfaces may send and receive together, where that is less than the wire can.
    pub fn share_bits_per_second(&self) -> Option<u64> {
        self.hosting.as_ref().map(|hosting| hosting.capacity.bits_per_second())
    }

    /// Whether this account may end it: its own, or the partner's that allocated it.
    pub fn is_held_by(&self, account: AccountId) -> bool {
        self.account == account || self.hosting.as_ref().is_some_and(|h| h.partner == account)
    }

    /// That an interface may have this VLAN here.
    pub fn check_vlan(&self, vlan: Vlan, holder: Option<Holder>) -> Result<(), Fault> {
        if let Some(hosting) = &self.hosting {
            if vlan != hosting.vlan {
                let (connection, has) = (self.id, hosting.vlan);
                return Err(HostingFault::VlanIsFixed { connection, has, asked: vlan }.into());
            }
            if let Some(by) = holder {
                return Err(HostingFault::OneInterface { connection: self.id, by }.into());
            }
        }
        self.check_free(vlan, holder)
    }

    /// That nothing hosted lives on it.
    pub fn check_hosts_nothing(&self, hosted: &[Self]) -> Result<(), Fault> {
        match hosted.len() {
            0 => Ok(()),
            count => Err(HostingFault::HasHosted { id: self.id, count }.into()),
        }
    }

    fn check_hosts(&self) -> Result<(), Fault> {
        if let Some(lag) = self.lag {
            return Err(HostingFault::InLag { connection: self.id, lag }.into());
        }
        match (&self.hosting, self.wanted_port()) {
            (Some(_), _) => Err(HostingFault::IsHosted(self.id).into()),
            (None, None) => Err(HostingFault::NotReady { id: self.id, state: self.state() }.into()),
            (None, Some(_)) => Ok(()),
        }
    }

    fn check_free(&self, vlan: Vlan, holder: Option<Holder>) -> Result<(), Fault> {
        let connection = self.id;
        match holder {
            None => Ok(()),
            Some(Holder::Interface(by)) => Err(Fault::VlanTaken { connection, vlan, by }),
            Some(Holder::Hosted(by)) => {
                Err(HostingFault::VlanTaken { connection, vlan, by }.into())
            }
        }
    }

    fn check_room(&self, asked: Capacity, hosted: &[Self]) -> Result<(), Fault> {
        let all = Bandwidth::bits_per_second(self.bandwidth);
        let taken: u64 = hosted.iter().filter_map(Self::share_bits_per_second).sum();
        let left_bits_per_second = all.saturating_sub(taken);
        match asked.bits_per_second() <= left_bits_per_second {
            true => Ok(()),
            false => {
                let left_mbps = left_bits_per_second / 1_000_000;
                Err(HostingFault::NoRoom { connection: self.id, asked, left_mbps }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::PortRef;

    const DAY: i64 = 24 * 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn vlan(n: u16) -> Vlan {
        n.try_into().unwrap()
    }

    /// A connection of 1 Gbit/s with light.
    fn parent(id: u32) -> Connection {
        let mut c = Connection {
            id: ConnectionId::from_bits(id),
            account: AccountId::from_number(1),
            name: "the partner's".into(),
            location: "PAR1".parse().unwrap(),
            bandwidth: Bandwidth::OneGbps,
            requested_at: at(0),
            approval: None,
            refused: None,
            light: None,
            is_bundled: false,
            delete_asked_at: None,
            deleted_at: None,
            lag: None,
            hosting: None,
        };
        let port =
            PortRef { router: "r".parse().unwrap(), port: format!("p{id}").parse().unwrap() };
        c.approve(port, at(1)).unwrap();
        c.see_light(true, at(2));
        c
    }

    fn allocation(n: u16, capacity: Capacity) -> Allocation {
        Allocation {
            id: ConnectionId::from_bits(0x100 + u32::from(n)),
            account: AccountId::from_number(2),
            name: "the customer's".into(),
            vlan: vlan(n),
            capacity,
        }
    }

    fn hosted(n: u16, capacity: Capacity) -> Connection {
        Connection::allocate(&parent(1), allocation(n, capacity), &[], None, at(0)).unwrap()
    }

    fn name<T>(outcome: Result<T, Fault>) -> String {
        let Err(fault) = outcome else { return "ok".into() };
        let text = format!("{fault:?}").replace("Hosting(", "");
        text.split([' ', '(', '{']).next().unwrap().to_owned()
    }

    #[test]
    fn the_words_of_a_capacity_are_read_back_and_grow() {
        let mut before = 0;
        for capacity in Capacity::ALL {
            assert_eq!(capacity.as_str().parse(), Ok(capacity));
            assert!(capacity.bits_per_second() > before, "{capacity}");
            before = capacity.bits_per_second();
        }
        assert!(matches!("25Gbps".parse::<Capacity>(), Err(Fault::BadValue { .. })));
    }

    /// What, on which connection, how much, what it hosts already, who has the VLAN, the outcome.
    type Case<'a> = (&'a str, &'a Connection, Capacity, &'a [Connection], Option<Holder>, &'a str);

    #[test]
    fn what_is_allocated_fits_its_parent() {
        let mut requested = parent(1);
        requested.approval = None;
        let mut dark = parent(1);
        dark.see_light(false, at(3));
        let mut going = parent(1);
        going.ask_delete(0, at(3)).unwrap();
        let half = hosted(7, Capacity::Mbps500);
        let interface = Holder::Interface(InterfaceId::from_bits(5));
        let one = std::slice::from_ref(&half);
        let cases: [Case<'_>; 11] = [
            ("all of it", &parent(1), Capacity::Gbps1, &[], None, "ok"),
            ("more than the wire", &parent(1), Capacity::Gbps2, &[], None, "NoRoom"),
            ("the other half", &parent(1), Capacity::Mbps500, one, None, "ok"),
            ("more than is left", &parent(1), Capacity::Gbps1, one, None, "NoRoom"),
            ("an interface's", &parent(1), Capacity::Mbps50, &[], Some(interface), "VlanTaken"),
            (
                "another customer's",
                &parent(1),
                Capacity::Mbps50,
                &[],
                Some(Holder::Hosted(half.id)),
                "VlanTaken",
            ),
            ("not approved", &requested, Capacity::Mbps50, &[], None, "NotReady"),
            (
                "never lit",
                &Connection { light: None, ..parent(1) },
                Capacity::Mbps50,
                &[],
                None,
                "ok",
            ),
            ("dark", &dark, Capacity::Mbps50, &[], None, "ok"),
            ("going", &going, Capacity::Mbps50, &[], None, "NotReady"),
            ("on a hosted one", &half, Capacity::Mbps50, &[], None, "IsHosted"),
        ];
        for (what, parent, capacity, hosted, holder, expected) in cases {
            let made = Connection::allocate(parent, allocation(9, capacity), hosted, holder, at(9));
            assert_eq!(name(made), expected, "{what}");
        }
    }

    #[test]
    fn seven_days_end_to_the_second_and_a_stamped_lapse_stays() {
        let offer = hosted(7, Capacity::Mbps50);
        let state = |now| offer.clone().as_of(at(now)).state();
        assert_eq!(state(7 * DAY - 1), ConnectionState::Ordering);
        assert_eq!(state(7 * DAY), ConnectionState::Rejected);
        let mut late = offer.clone();
        assert_eq!(name(late.confirm(at(7 * DAY))), "NotOrdering");
        assert!(!late.lapse(at(8 * DAY)), "stamped once");
        assert_eq!(late.deleted_at, Some(at(7 * DAY)));
        assert_eq!(name(late.confirm(at(1))), "NotOrdering", "the clock stepped back");
        let mut taken = offer;
        taken.confirm(at(7 * DAY - 1)).unwrap();
        assert!(!taken.lapse(at(9 * DAY)));
    }

    #[test]
    fn only_the_offers_own_connection_can_be_confirmed() {
        assert_eq!(name(parent(1).confirm(at(3))), "NotOrdering");
    }

    #[test]
    fn an_interface_here_has_the_partners_vlan_and_is_the_only_one() {
        let c = hosted(7, Capacity::Mbps50);
        let other = Holder::Interface(InterfaceId::from_bits(5));
        for (asked, holder, expected) in
            [(7, None, "ok"), (8, None, "VlanIsFixed"), (7, Some(other), "OneInterface")]
        {
            assert_eq!(name(c.check_vlan(vlan(asked), holder)), expected, "{asked}");
        }
        assert_eq!(name(parent(1).check_vlan(vlan(7), Some(Holder::Hosted(c.id)))), "VlanTaken");
        assert_eq!(name(parent(1).check_vlan(vlan(8), None)), "ok");
    }

    #[test]
    fn a_move_takes_the_new_wires_port_and_light_or_changes_nothing() {
        let mut target = parent(2);
        target.see_light(false, at(5));
        let full = [hosted(9, Capacity::Gbps1)];
        let held = Some(Holder::Hosted(full[0].id));
        let mut c = hosted(7, Capacity::Mbps50);
        c.confirm(at(1)).unwrap();
        let before = c.clone();
        assert_eq!(name(c.rehost(&target, &full, None)), "NoRoom");
        assert_eq!(name(c.rehost(&target, &[], held)), "VlanTaken");
        assert_eq!(name(c.rehost(&full[0], &[], None)), "IsHosted");
        assert_eq!(c, before);
        assert_eq!(name(parent(1).rehost(&target, &[], None)), "NotHosted");
        let mut going = c.clone();
        going.ask_delete(0, at(6)).unwrap();
        assert_eq!(name(going.rehost(&target, &[], None)), "NoSuchConnection");
        c.rehost(&target, &[], None).unwrap();
        assert_eq!((c.wire(), c.state()), (target.id, ConnectionState::Down));
        assert_eq!(c.wanted_port(), target.wanted_port());
    }

    #[test]
    fn a_connection_that_hosts_is_not_deleted_and_both_sides_hold_a_hosted_one() {
        let c = hosted(7, Capacity::Mbps50);
        assert_eq!(name(parent(1).check_hosts_nothing(std::slice::from_ref(&c))), "HasHosted");
        assert_eq!(name(parent(1).check_hosts_nothing(&[])), "ok");
        let holds = [1, 2, 3].map(|n| c.is_held_by(AccountId::from_number(n)));
        assert_eq!(holds, [true, true, false]);
        assert!(!parent(1).is_held_by(AccountId::from_number(2)));
    }
}
