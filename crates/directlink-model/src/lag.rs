//! A link aggregation group (LAG): up to four connections of one speed, ending at one router, that
//! stand in for each other. What is true of it is read from its members.
//!
//! ```text
//!   requested ──a member approved──► pending ──enough members have light──► available ◄──► down
//!        └────────────────┴──────────── delete, without interfaces ────────────┴──────┘
//!                                              ▼
//!                                           deleted        its members stay, each for itself
//! ```
//!
//! Nothing of a LAG itself is on a router, so deletion waits for nothing: there is no `deleting`.
//!
//! One member at a time has the interfaces: the first lit one in the order of the ports' names, of
//! those that the customer has in its bundle if it has any (LACP). When its light goes they move to the
//! next, on the same router, with their sessions. Flows go over all members that LACP has in use; without it the
//! capacity is one link's (docs/decisions/0010-link-aggregation.md).

use crate::{
    connection::{Bandwidth, Connection, ConnectionState},
    fault::{Fault, LagFault},
    ids::{AccountId, BadId, ConnectionId, LagId, LocationCode, RouterName},
    interface::Interface,
};
use jiff::Timestamp;
use std::{fmt, str::FromStr};

/// Of 1 or 10 Gbps; the API has no other speed here.
pub const MEMBERS_MAX: usize = 4;

/// What carries VLANs: a connection by itself, or a LAG as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trunk {
    Connection(ConnectionId),
    Lag(LagId),
}

impl Trunk {
    pub const fn lag(self) -> Option<LagId> {
        match self {
            Self::Connection(_) => None,
            Self::Lag(id) => Some(id),
        }
    }
}

impl fmt::Display for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(id) => id.fmt(f),
            Self::Lag(id) => id.fmt(f),
        }
    }
}

impl FromStr for Trunk {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        match text.split_once('-').map_or(text, |(prefix, _)| prefix) {
            LagId::PREFIX => text.parse().map(Self::Lag),
            _ => text.parse().map(Self::Connection),
        }
    }
}

impl From<ConnectionId> for Trunk {
    fn from(id: ConnectionId) -> Self {
        Self::Connection(id)
    }
}

impl From<LagId> for Trunk {
    fn from(id: LagId) -> Self {
        Self::Lag(id)
    }
}

impl Interface {
    /// What its customer made it on.
    pub fn trunk(&self) -> Trunk {
        self.lag.map_or(Trunk::Connection(self.connection), Trunk::Lag)
    }
}

/// The facts. Which connections are its members is a fact of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    pub id: LagId,
    pub account: AccountId,
    pub name: String,
    pub location: LocationCode,
    /// Of each member.
    pub bandwidth: Bandwidth,
    /// With fewer lit members it carries nothing.
    pub minimum_links: u32,
    pub requested_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LagState {
    Requested,
    Pending,
    Available,
    Down,
    Deleted,
}

impl LagState {
    /// The API's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Down => "down",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for LagState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A LAG and its members, in any order: none of them deleting or deleted.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub lag: Lag,
    pub members: Vec<Connection>,
}

impl Bundle {
    pub fn state(&self) -> LagState {
        let has_had_light = self.members.iter().any(|member| member.light.is_some());
        let is_approved = self.members.iter().any(|member| member.approval.is_some());
        match (self.lag.deleted_at, self.members.is_empty()) {
            (Some(_), _) => LagState::Deleted,
            (None, true) => LagState::Down,
            (None, false) if self.lit() >= self.lag.minimum_links.max(1) as usize => {
                LagState::Available
            }
            (None, false) if has_had_light => LagState::Down,
            (None, false) if is_approved => LagState::Pending,
            (None, false) => LagState::Requested,
        }
    }

    /// The member that carries the interfaces: the same for the same facts, however they came about,
    /// so that a customer can prefer the same one. A customer who speaks LACP takes seconds until a
    /// cable that is plugged again is in its bundle; until then another carries them.
    pub fn carrier(&self) -> Option<&Connection> {
        self.members.iter().min_by_key(|member| {
            let port = member.approval.as_ref().map(|approval| &approval.port);
            (!is_lit(member), !member.is_bundled, port.is_none(), port, member.id)
        })
    }

    /// Whether a router shall carry its interfaces. With no more than one link to wait for, a dark
    /// LAG keeps them, as a dark connection does: light alone brings them back.
    pub fn is_carried(&self) -> bool {
        self.lag.minimum_links <= 1 || self.lit() >= self.lag.minimum_links as usize
    }

    /// The router that its approved members end at, and every other must.
    pub fn router(&self) -> Option<&RouterName> {
        let approved = self.members.iter().find_map(|member| member.approval.as_ref());
        approved.map(|approval| &approval.port.router)
    }

    /// While it is available: the member that will carry them.
    pub fn check_takes_interfaces(&self) -> Result<&Connection, Fault> {
        match self.state() {
            LagState::Available => Ok(self.carrier().unwrap_or_else(|| unreachable!("one is lit"))),
            LagState::Deleted => Err(LagFault::NoSuchLag(self.lag.id).into()),
            state @ (LagState::Requested | LagState::Pending | LagState::Down) => {
                Err(LagFault::NotAvailable { lag: self.lag.id, state }.into())
            }
        }
    }

    /// A connection, there already or just being ordered, becomes a member.
    pub fn join(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        self.check_is_there()?;
        let (lag, id) = (self.lag.id, connection.id);
        match connection.state() {
            ConnectionState::Ordering
            | ConnectionState::Requested
            | ConnectionState::Pending
            | ConnectionState::Available
            | ConnectionState::Down => {}
            ConnectionState::Deleting | ConnectionState::Deleted | ConnectionState::Rejected => {
                return Err(Fault::NoSuchConnection(id));
            }
        }
        if connection.lag == Some(lag) {
            return Err(LagFault::AlreadyMember { lag, connection: id }.into());
        }
        if self.members.len() >= MEMBERS_MAX {
            return Err(LagFault::Full { lag, limit: MEMBERS_MAX }.into());
        }
        let apart = |why| Fault::from(LagFault::Apart { lag, connection: id, why });
        if connection.hosting.is_some() {
            return Err(apart("it is hosted on another".into()));
        }
        if connection.location != self.lag.location {
            return Err(apart(format!(
                "it is at {}, not {}",
                connection.location, self.lag.location
            )));
        }
        if connection.bandwidth != self.lag.bandwidth {
            return Err(apart(format!(
                "it has {}, not {}",
                connection.bandwidth, self.lag.bandwidth
            )));
        }
        let ends_at = connection.approval.as_ref().map(|approval| &approval.port.router);
        if let (Some(at), Some(ours)) = (ends_at, self.router())
            && at != ours
        {
            return Err(apart(format!("it ends at the router {at}, not {ours}")));
        }
        connection.lag = Some(lag);
        self.members.push(connection.clone());
        Ok(())
    }

    /// A member goes, to stand alone or to be deleted. The last one may while nothing needs it.
    pub fn leave(
        &mut self,
        connection: &mut Connection,
        live_interfaces: usize,
    ) -> Result<(), Fault> {
        let (lag, id) = (self.lag.id, connection.id);
        if connection.lag != Some(lag) {
            return Err(LagFault::NotMember { lag, connection: id }.into());
        }
        let mut left = self.clone();
        left.members.retain(|member| member.id != id);
        let minimum = self.lag.minimum_links as usize;
        let falls_below =
            left.members.len() < minimum || (left.lit() < minimum && self.lit() >= minimum);
        match left.members.len() {
            0 if live_interfaces > 0 => {
                return Err(
                    LagFault::LastMember { lag, connection: id, count: live_interfaces }.into()
                );
            }
            1.. if falls_below => {
                return Err(LagFault::BelowMinimum { lag, connection: id, minimum }.into());
            }
            _ => {}
        }
        connection.lag = None;
        *self = left;
        Ok(())
    }

    /// Another name, another minimum. `None`: stays as it is.
    pub fn change(
        &mut self,
        name: Option<String>,
        minimum_links: Option<i64>,
    ) -> Result<(), Fault> {
        self.check_is_there()?;
        if let Some(given) = minimum_links {
            let members = self.members.len();
            let good = u32::try_from(given).ok().filter(|minimum| *minimum as usize <= members);
            let bad = LagFault::MinimumLinks { lag: self.lag.id, given, members };
            self.lag.minimum_links = good.ok_or(bad)?;
        }
        if let Some(name) = name {
            self.lag.name = name;
        }
        Ok(())
    }

    /// Its members go on, each for itself.
    pub fn delete(
        &mut self,
        live_interfaces: usize,
        now: Timestamp,
    ) -> Result<Vec<Connection>, Fault> {
        self.check_is_there()?;
        if live_interfaces > 0 {
            return Err(LagFault::HasInterfaces { lag: self.lag.id, count: live_interfaces }.into());
        }
        self.lag.deleted_at = Some(now);
        let mut freed = std::mem::take(&mut self.members);
        freed.iter_mut().for_each(|member| member.lag = None);
        Ok(freed)
    }

    fn check_is_there(&self) -> Result<(), Fault> {
        match self.lag.deleted_at {
            None => Ok(()),
            Some(_) => Err(LagFault::NoSuchLag(self.lag.id).into()),
        }
    }

    fn lit(&self) -> usize {
        self.members.iter().filter(|member| is_lit(member)).count()
    }
}

fn is_lit(connection: &Connection) -> bool {
    connection.state() == ConnectionState::Available
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::PortRef;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ordered(n: u32) -> Connection {
        Connection {
            id: ConnectionId::from_bits(n),
            account: AccountId::from_number(1),
            name: n.to_string(),
            location: "PAR1".parse().unwrap(),
            bandwidth: Bandwidth::TenGbps,
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

    /// `r` requested, `p` pending, `+` lit, `=` and in the customer's bundle too, `-` dark after light; the
    /// later ones at earlier ports.
    fn member(n: usize, count: usize, state: char) -> Connection {
        let mut c = ordered(u32::try_from(n).unwrap());
        if state == 'r' {
            return c;
        }
        let port = format!("p{}", count - n).parse().unwrap();
        c.approve(PortRef { router: "par1-r1".parse().unwrap(), port }, at(1)).unwrap();
        if matches!(state, '+' | '=' | '-') {
            c.see_light(true, at(2));
            c.see_light(state != '-', at(3));
        }
        c.is_bundled = state == '=';
        c
    }

    fn bundle(members: &str, minimum_links: u32) -> Bundle {
        let lag = Lag {
            id: LagId::from_bits(1),
            account: AccountId::from_number(1),
            name: "both".into(),
            location: "PAR1".parse().unwrap(),
            bandwidth: Bandwidth::TenGbps,
            minimum_links: 0,
            requested_at: at(0),
            deleted_at: None,
        };
        let mut bundle = Bundle { lag, members: vec![] };
        for (n, state) in members.chars().enumerate() {
            bundle.join(&mut member(n, members.len(), state)).unwrap();
        }
        bundle.lag.minimum_links = minimum_links;
        bundle
    }

    #[test]
    fn the_state_is_its_members() {
        let mut table =
            String::from("members  min  state      carried by  planned  the first leaves\n");
        for (members, minimum) in [
            ("", 0),
            ("rr", 0),
            ("rp", 0),
            ("pp", 2),
            ("r+", 0),
            ("+r", 2),
            ("++", 0),
            ("++", 2),
            ("+-", 0),
            ("+-", 1),
            ("+-", 2),
            ("-+", 1),
            ("--", 0),
            ("--", 2),
            ("p-", 1),
            ("+++-", 3),
            ("++--", 3),
            ("=+", 0),
            ("==", 0),
            ("=+-", 0),
        ] {
            let b = bundle(members, minimum);
            let carrier = b.carrier().map_or_else(
                || "nothing".into(),
                |c| match &c.approval {
                    Some(approval) => approval.port.port.to_string(),
                    None => "an order".into(),
                },
            );
            let left = b.members.first().map_or("", |first| {
                match b.clone().leave(&mut first.clone(), 0) {
                    Ok(()) => "yes",
                    Err(_) => "refused",
                }
            });
            table += format!(
                "{members:<8} {minimum:<4} {:<10} {carrier:<11} {:<8} {left}",
                b.state(),
                b.is_carried()
            )
            .trim_end();
            table += "\n";
        }
        insta::assert_snapshot!(table, @r"
        members  min  state      carried by  planned  the first leaves
                 0    down       nothing     true
        rr       0    requested  an order    true     yes
        rp       0    pending    p1          true     yes
        pp       2    pending    p1          false    refused
        r+       0    available  p1          true     yes
        +r       2    down       p2          false    refused
        ++       0    available  p1          true     yes
        ++       2    available  p1          true     refused
        +-       0    available  p2          true     yes
        +-       1    available  p2          true     refused
        +-       2    down       p2          false    refused
        -+       1    available  p1          true     yes
        --       0    down       p1          true     yes
        --       2    down       p1          false    refused
        p-       1    down       p1          true     yes
        +++-     3    available  p2          true     refused
        ++--     3    down       p3          false    yes
        =+       0    available  p2          true     yes
        ==       0    available  p1          true     yes
        =+-      0    available  p3          true     yes
        ");
    }

    #[test]
    fn only_what_fits_and_has_room_joins() {
        type Spoil = fn(&mut Connection);
        let spoil: [(&str, Spoil); 6] = [
            ("ok", |_| {}),
            ("Apart", |c| c.location = "PAR4".parse().unwrap()),
            ("Apart", |c| c.bandwidth = Bandwidth::OneGbps),
            ("Apart", |c| c.approval.as_mut().unwrap().port.router = "par1-r2".parse().unwrap()),
            ("AlreadyMember", |c| c.lag = Some(LagId::from_bits(1))),
            ("NoSuchConnection", |c| c.delete_asked_at = Some(at(9))),
        ];
        for (expected, spoil) in spoil {
            let mut b = bundle("+", 0);
            let mut c = member(3, 3, '+');
            spoil(&mut c);
            let before = c.clone();
            let outcome = b.join(&mut c);
            assert_eq!(word(&outcome), expected);
            match outcome {
                Ok(()) => assert_eq!((c.lag, b.members.len()), (Some(b.lag.id), 2)),
                Err(_) => assert_eq!((c, b.members.len()), (before, 1)),
            }
        }
        assert_eq!(word(&bundle("++++", 0).join(&mut ordered(9))), "Full");
    }

    fn word<T>(outcome: &Result<T, Fault>) -> String {
        let text = match outcome {
            Ok(_) => return "ok".into(),
            Err(Fault::Lag(fault)) => format!("{fault:?}"),
            Err(other) => format!("{other:?}"),
        };
        text.split([' ', '(']).next().unwrap().to_owned()
    }

    #[test]
    fn the_last_member_stays_while_interfaces_need_it_and_a_stranger_cannot_leave() {
        let leave = |interfaces| {
            let mut b = bundle("+", 1);
            let mut c = b.members[0].clone();
            let outcome = word(&b.leave(&mut c, interfaces));
            (outcome, c.lag, b.state())
        };
        assert_eq!(leave(1), ("LastMember".into(), Some(LagId::from_bits(1)), LagState::Available));
        assert_eq!(leave(0), ("ok".into(), None, LagState::Down));
        assert_eq!(word(&bundle("+", 0).leave(&mut ordered(9), 0)), "NotMember");
    }

    #[test]
    fn the_minimum_is_at_most_the_number_of_members() {
        for (given, good) in [(0, true), (2, true), (3, false), (-1, false), (i64::MAX, false)] {
            let mut b = bundle("+r", 1);
            assert_eq!(b.change(None, Some(given)).is_ok(), good, "{given}");
            assert_eq!(i64::from(b.lag.minimum_links), if good { given } else { 1 });
        }
    }

    #[test]
    fn deletion_frees_the_members_and_is_refused_while_interfaces_exist() {
        let mut b = bundle("+-", 0);
        assert_eq!(word(&b.delete(1, at(9))), "HasInterfaces");
        assert_eq!(b.members.len(), 2);
        let freed = b.delete(0, at(9)).unwrap();
        assert!(freed.len() == 2 && freed.iter().all(|c| c.lag.is_none()));
        assert_eq!(b.state(), LagState::Deleted);
        for outcome in [
            b.delete(0, at(9)).map(drop),
            b.join(&mut ordered(9)),
            b.change(None, None),
            b.check_takes_interfaces().map(drop),
        ] {
            assert_eq!(word(&outcome), "NoSuchLag");
        }
    }

    #[test]
    fn a_trunk_reads_as_written() {
        for text in ["dxcon-0000000a", "dxlag-0000000a"] {
            assert_eq!(text.parse::<Trunk>().unwrap().to_string(), text);
        }
        for text in ["dxvif-0000000a", "dxlag-a", "dxlag", ""] {
            assert!(text.parse::<Trunk>().is_err(), "{text}");
        }
    }
}
