//! A connection: one fibre between a customer's router and a port of a DirectLink router.
//!
//! ```text
//!            order            approve: port + LOA           light                no light
//!   (none) ─────────► requested ─────────────► pending ─────────► available ◄──────────► down
//!                         │ delete · refuse       │ delete             │ delete            │
//!                         ▼                       └──────────┬─────────┴───────────────────┘
//!              deleted · rejected    deleted ◄── router has let go ──── deleting
//! ```
//!
//! A hosted connection is a share of another one's wire: see [`crate::hosting`].
//!
//! Nothing here is a stored state: the facts are, and [`Connection::state`] reads them.

use crate::{
    fault::{Fault, HostingFault, InventoryFault, LagFault},
    hosting::Hosting,
    ids::{AccountId, ConnectionId, LagId, LocationCode, PortName, RouterName},
    interface::Confirmation,
};
use jiff::{SignedDuration, Timestamp};
use std::{fmt, str::FromStr};

/// What was ordered; the optics follow from it (1000BASE-LX, 10GBASE-LR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bandwidth {
    OneGbps,
    TenGbps,
}

impl Bandwidth {
    pub const ALL: [Self; 2] = [Self::OneGbps, Self::TenGbps];

    /// Both APIs' word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneGbps => "1Gbps",
            Self::TenGbps => "10Gbps",
        }
    }

    pub const fn optics(self) -> &'static str {
        match self {
            Self::OneGbps => "1000BASE-LX (1310nm)",
            Self::TenGbps => "10GBASE-LR (1310nm)",
        }
    }

    pub const fn bits_per_second(self) -> u64 {
        match self {
            Self::OneGbps => 1_000_000_000,
            Self::TenGbps => 10_000_000_000,
        }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Bandwidth {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|b| b.as_str() == text).ok_or(())
    }
}

/// A port of a router: the far end of the fibre.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRef {
    pub router: RouterName,
    pub port: PortName,
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.router, self.port)
    }
}

/// The operator's yes: a port taken and the Letter of Authorization sent, in one act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub approved_at: Timestamp,
    pub port: PortRef,
    /// When the newest Letter of Authorization was issued: with the approval, or anew.
    pub letter_at: Timestamp,
}

impl Approval {
    /// So long the letter is good.
    pub fn letter_until(&self) -> Timestamp {
        self.letter_at + LETTER_VALID
    }
}

/// The operator's no, and what the customer is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub at: Timestamp,
    pub reason: String,
}

/// A Letter of Authorization is good for so long after its issue: the cross-connect is made meanwhile.
pub const LETTER_VALID: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a Letter of Authorization is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The cross-connect may be made.
    Valid { until: Timestamp },
    /// It was made: the port has had light.
    InUse { since: Timestamp },
    /// It ran out before the fibre was plugged. The order is not gone.
    Lapsed { since: Timestamp },
    /// The connection is deleted, or to be.
    Withdrawn,
}

impl Standing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid { .. } => "valid",
            Self::InUse { .. } => "in use",
            Self::Lapsed { .. } => "run out",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What the router sees on the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Light {
    pub on: bool,
    /// When it last changed.
    pub since: Timestamp,
}

/// The facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    pub account: AccountId,
    pub name: String,
    pub location: LocationCode,
    pub bandwidth: Bandwidth,
    /// The LAG that it is a member of.
    pub lag: Option<LagId>,
    pub requested_at: Timestamp,
    pub approval: Option<Approval>,
    pub refused: Option<Refused>,
    /// `None` until the port first had light after the approval.
    pub light: Option<Light>,
    /// A LAG's member that the customer's router has in its bundle too, by LACP.
    pub is_bundled: bool,
    pub delete_asked_at: Option<Timestamp>,
    /// The router no longer carries it.
    pub deleted_at: Option<Timestamp>,
    /// Of a hosted connection; its location, bandwidth, approval and light are its parent's.
    pub hosting: Option<Hosting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionState {
    /// Hosted, and not confirmed yet.
    Ordering,
    Requested,
    Pending,
    Available,
    Down,
    Deleting,
    Deleted,
    /// Refused by the operator; or hosted, and refused by the customer, withdrawn by the partner, or
    /// not confirmed in time.
    Rejected,
}

impl ConnectionState {
    pub const ALL: [Self; 8] = [
        Self::Ordering,
        Self::Requested,
        Self::Pending,
        Self::Available,
        Self::Down,
        Self::Deleting,
        Self::Deleted,
        Self::Rejected,
    ];

    /// The guides' word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordering => "ordering",
            Self::Requested => "requested",
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Down => "down",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Connection {
    pub const fn state(&self) -> ConnectionState {
        if let Some(hosting) = &self.hosting {
            match hosting.offer {
                Confirmation::AwaitedUntil(_) => return ConnectionState::Ordering,
                Confirmation::ExpiredAt(_) | Confirmation::RejectedAt(_) => {
                    return ConnectionState::Rejected;
                }
                Confirmation::Given => {}
            }
        }
        if self.refused.is_some() {
            return ConnectionState::Rejected;
        }
        match (&self.deleted_at, &self.delete_asked_at, &self.approval, &self.light) {
            (Some(_), _, _, _) => ConnectionState::Deleted,
            (None, Some(_), _, _) => ConnectionState::Deleting,
            (None, None, None, _) => ConnectionState::Requested,
            (None, None, Some(_), None) => ConnectionState::Pending,
            (None, None, Some(_), Some(Light { on: true, .. })) => ConnectionState::Available,
            (None, None, Some(_), Some(Light { on: false, .. })) => ConnectionState::Down,
        }
    }

    /// The port that shall carry this connection now.
    pub fn wanted_port(&self) -> Option<&PortRef> {
        match self.state() {
            ConnectionState::Pending | ConnectionState::Available | ConnectionState::Down => {
                self.approval.as_ref().map(|a| &a.port)
            }
            ConnectionState::Ordering
            | ConnectionState::Requested
            | ConnectionState::Deleting
            | ConnectionState::Deleted
            | ConnectionState::Rejected => None,
        }
    }

    /// The operator takes a port for it and sends the letter.
    pub fn approve(&mut self, port: PortRef, now: Timestamp) -> Result<(), Fault> {
        match self.state() {
            ConnectionState::Requested => {
                self.approval = Some(Approval { approved_at: now, port, letter_at: now });
                Ok(())
            }
            state => Err(Fault::ConnectionNotRequested { id: self.id, state }),
        }
    }

    /// The operator will not build it. It holds nothing any more.
    pub fn refuse(&mut self, reason: String, now: Timestamp) -> Result<(), Fault> {
        match self.state() {
            ConnectionState::Requested => {
                self.refused = Some(Refused { at: now, reason });
                self.deleted_at = Some(now);
                Ok(())
            }
            state => Err(Fault::ConnectionNotRequested { id: self.id, state }),
        }
    }

    /// The approval that its Letter of Authorization attests, while there is something to authorise.
    pub fn letter(&self) -> Result<&Approval, Fault> {
        if self.hosting.is_some() {
            return Err(HostingFault::NoLetter(self.id).into());
        }
        let state = self.state();
        let wanted = self.wanted_port().is_some();
        let approval = self.approval.as_ref().filter(|_| wanted);
        approval.ok_or(Fault::NoLetter { id: self.id, state })
    }

    /// A new letter for the same port, good from now on. Not needed once there was light.
    pub fn renew_letter(&mut self, now: Timestamp) -> Result<(), Fault> {
        self.letter()?;
        if self.light.is_some() {
            return Err(InventoryFault::LetterServed(self.id).into());
        }
        if let Some(approval) = &mut self.approval {
            approval.letter_at = now;
        }
        Ok(())
    }

    /// What its letter is worth at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        let Ok(approval) = self.letter() else { return Standing::Withdrawn };
        let until = approval.letter_until();
        match self.light {
            Some(light) => Standing::InUse { since: light.since },
            None if now < until => Standing::Valid { until },
            None => Standing::Lapsed { since: until },
        }
    }

    /// An approved order whose fibre is not plugged although its letter has run out.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        matches!(self.standing(now), Standing::Lapsed { .. })
    }

    pub fn rename(&mut self, name: String) -> Result<(), Fault> {
        match self.state() {
            ConnectionState::Ordering
            | ConnectionState::Requested
            | ConnectionState::Pending
            | ConnectionState::Available
            | ConnectionState::Down => {
                self.name = name;
                Ok(())
            }
            ConnectionState::Deleting | ConnectionState::Deleted | ConnectionState::Rejected => {
                Err(Fault::NoSuchConnection(self.id))
            }
        }
    }

    /// Only an available connection takes new interfaces, and no member of a LAG its own.
    pub fn check_takes_interfaces(&self) -> Result<(), Fault> {
        if let Some(lag) = self.lag {
            return Err(LagFault::MemberTakesNone { lag, connection: self.id }.into());
        }
        match self.state() {
            ConnectionState::Available => Ok(()),
            state => Err(Fault::ConnectionNotAvailable { id: self.id, state }),
        }
    }

    /// The customer asks for deletion; `live_interfaces` are those not deleted, rejected or expired.
    /// An order that nobody has approved yet is gone at once: no router knows of it. An offer that
    /// waits for its customer is rejected.
    pub fn ask_delete(&mut self, live_interfaces: usize, now: Timestamp) -> Result<(), Fault> {
        match self.state() {
            ConnectionState::Deleted | ConnectionState::Rejected => {
                return Err(Fault::NoSuchConnection(self.id));
            }
            ConnectionState::Deleting => return Ok(()),
            ConnectionState::Ordering => {
                self.end_offer(Confirmation::RejectedAt(now), now);
                return Ok(());
            }
            ConnectionState::Requested
            | ConnectionState::Pending
            | ConnectionState::Available
            | ConnectionState::Down => {}
        }
        if live_interfaces > 0 {
            return Err(Fault::ConnectionHasInterfaces { id: self.id, count: live_interfaces });
        }
        self.delete_asked_at = Some(now);
        if self.approval.is_none() {
            self.deleted_at = Some(now);
        }
        Ok(())
    }

    /// The router says whether the port has light. Darkness before the first light is not news:
    /// the cross-connect is still being made.
    pub fn see_light(&mut self, on: bool, now: Timestamp) -> bool {
        let news = self.approval.is_some()
            && match self.light {
                None => on,
                Some(light) => light.on != on,
            };
        if news {
            self.light = Some(Light { on, since: now });
        }
        news
    }

    /// The router says that its port no longer carries this connection.
    pub fn see_released(&mut self, now: Timestamp) -> bool {
        let news = self.state() == ConnectionState::Deleting;
        if news {
            self.deleted_at = Some(now);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosting::{Allocation, Capacity};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn port() -> PortRef {
        PortRef { router: "par1-r1".parse().unwrap(), port: "p0".parse().unwrap() }
    }

    fn requested() -> Connection {
        Connection {
            id: ConnectionId::from_bits(1),
            account: AccountId::from_number(1),
            name: "to the cloud".into(),
            location: "PAR1".parse().unwrap(),
            bandwidth: Bandwidth::OneGbps,
            lag: None,
            requested_at: at(0),
            approval: None,
            refused: None,
            light: None,
            is_bundled: false,
            delete_asked_at: None,
            deleted_at: None,
            hosting: None,
        }
    }

    /// An offer on a connection with light.
    fn hosted() -> Connection {
        let allocation = Allocation {
            id: ConnectionId::from_bits(2),
            account: AccountId::from_number(2),
            name: "a share".into(),
            vlan: 101u16.try_into().unwrap(),
            capacity: Capacity::Mbps50,
        };
        let parent = in_state(ConnectionState::Available);
        Connection::allocate(&parent, allocation, &[], None, at(5)).unwrap()
    }

    /// A connection brought into `state` by the acts that lead there.
    fn in_state(state: ConnectionState) -> Connection {
        let mut c = match state {
            ConnectionState::Ordering => return hosted(),
            ConnectionState::Rejected => {
                let mut c = hosted();
                c.ask_delete(0, at(6)).unwrap();
                return c;
            }
            _ => requested(),
        };
        if state == ConnectionState::Requested {
            return c;
        }
        c.approve(port(), at(1)).unwrap();
        if state == ConnectionState::Pending {
            return c;
        }
        c.see_light(true, at(2));
        match state {
            ConnectionState::Down => {
                c.see_light(false, at(3));
            }
            ConnectionState::Deleting => c.ask_delete(0, at(3)).unwrap(),
            ConnectionState::Deleted => {
                c.ask_delete(0, at(3)).unwrap();
                c.see_released(at(4));
            }
            _ => {}
        }
        c
    }

    #[test]
    fn the_whole_machine() {
        let mut table = String::from(
            "state      approve    confirm    light      dark       delete     released   day 8      interface\n",
        );
        for state in ConnectionState::ALL {
            let fresh = || in_state(state);
            assert_eq!(fresh().state(), state);
            let after = |act: &dyn Fn(&mut Connection) -> Result<(), Fault>| {
                let mut c = fresh();
                act(&mut c).map_or("refused", |()| c.state().as_str())
            };
            table += &format!(
                "{state:<10} {:<10} {:<10} {:<10} {:<10} {:<10} {:<10} {:<10} {}\n",
                after(&|c| c.approve(port(), at(9))),
                after(&|c| c.confirm(at(9))),
                after(&|c| {
                    c.see_light(true, at(9));
                    Ok(())
                }),
                after(&|c| {
                    c.see_light(false, at(9));
                    Ok(())
                }),
                after(&|c| c.ask_delete(0, at(9))),
                after(&|c| {
                    c.see_released(at(9));
                    Ok(())
                }),
                fresh().as_of(at(8 * 24 * 3600)).state().as_str(),
                fresh().check_takes_interfaces().map_or("refused", |()| "taken"),
            );
        }
        insta::assert_snapshot!(table, @r"
        state      approve    confirm    light      dark       delete     released   day 8      interface
        ordering   refused    available  ordering   ordering   rejected   ordering   rejected   refused
        requested  pending    refused    requested  requested  deleted    requested  requested  refused
        pending    refused    refused    available  pending    deleting   pending    pending    refused
        available  refused    refused    available  down       deleting   available  available  taken
        down       refused    refused    available  down       deleting   down       down       refused
        deleting   refused    refused    deleting   deleting   deleting   deleted    deleting   refused
        deleted    refused    refused    deleted    deleted    refused    deleted    deleted    refused
        rejected   refused    refused    rejected   rejected   refused    rejected   rejected   refused
        ");
    }

    #[test]
    fn a_letter_is_valid_for_90_days_and_in_use_once_there_was_light() {
        let until = at(1) + LETTER_VALID;
        let mut c = in_state(ConnectionState::Pending);
        let second = SignedDuration::from_secs(1);
        assert_eq!(c.standing(until - second), Standing::Valid { until });
        assert_eq!(c.standing(until), Standing::Lapsed { since: until });
        assert!(c.is_overdue(until) && !c.is_overdue(until - second));
        assert_eq!(c.state(), ConnectionState::Pending, "not silently dropped");
        c.see_light(true, at(5));
        assert_eq!(c.standing(until), Standing::InUse { since: at(5) });
        c.ask_delete(0, at(6)).unwrap();
        assert_eq!(c.standing(at(7)), Standing::Withdrawn);
        assert_eq!(requested().standing(at(7)), Standing::Withdrawn);
    }

    #[test]
    fn only_a_requested_order_is_refused_and_then_it_is_rejected() {
        for state in ConnectionState::ALL {
            let mut c = in_state(state);
            let refused = c.refuse("no room".into(), at(9)).is_ok();
            assert_eq!(refused, state == ConnectionState::Requested, "{state}");
            if refused {
                assert_eq!(c.state(), ConnectionState::Rejected);
                assert!(c.approve(port(), at(10)).is_err());
                assert_eq!(c.wanted_port(), None);
            }
        }
    }

    #[test]
    fn deletion_is_refused_while_interfaces_exist_and_changes_nothing() {
        let mut c = in_state(ConnectionState::Available);
        let before = c.clone();
        let refused = c.ask_delete(2, at(9));
        assert!(matches!(refused, Err(Fault::ConnectionHasInterfaces { count: 2, .. })));
        assert_eq!(c, before);
    }
}
