//! Moving an interface to another connection, by itself or with the hosted connection under it.
//!
//! ```text
//!   available ── moved: planned on the new port, no longer on the old ──► pending ── the new router says that it works ──► available
//! ```
//!
//! It begins anew: what the old router saw says nothing about the new one. The old router lets go
//! when it hears its plan; whether it has is not waited for, as its fibre is another.

use crate::{
    connection::Connection,
    fault::{Fault, HostingFault},
    hosting::Holder,
    interface::{Interface, Seen},
};
use directlink_net::IpNet;
use jiff::Timestamp;

impl Interface {
    /// Moves it from one connection to another, if the rules allow it. `holder` has its VLAN there,
    /// `others` are the interfaces on the target's wire.
    pub fn move_to(
        &mut self,
        (from, target): (&Connection, &Connection),
        holder: Option<Holder>,
        others: &[Self],
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.check_moves(from, now)?;
        // The member that carries a LAG takes what goes to the LAG, and nothing for itself.
        if target.lag.is_none() {
            target.check_takes_interfaces()?;
        }
        target.check_vlan(self.vlan, holder)?;
        self.check_addresses(target, others)?;
        self.connection = target.id;
        self.lag = target.lag;
        self.begin_anew();
        Ok(())
    }

    /// That it can go anywhere at all.
    pub fn check_moves(&self, from: &Connection, now: Timestamp) -> Result<(), Fault> {
        let living = self.state(false, now).is_live() && self.delete_asked_at.is_none();
        match &from.hosting {
            _ if !living => Err(Fault::NoSuchInterface(self.id)),
            Some(_) => {
                let (interface, connection) = (self.id, from.id);
                Err(HostingFault::InterfaceStays { interface, connection }.into())
            }
            None => Ok(()),
        }
    }

    /// That none of these has addresses in its subnets.
    pub fn check_addresses(&self, target: &Connection, others: &[Self]) -> Result<(), Fault> {
        let others = || others.iter().filter(|other| other.id != self.id);
        for subnet in subnets(self) {
            if let Some(by) = others().flat_map(subnets).find(|other| overlap(subnet, *other)) {
                return Err(Fault::PeerAddressesTaken { connection: target.id, subnet, by });
            }
        }
        Ok(())
    }

    /// Another router has it from now on.
    pub fn begin_anew(&mut self) {
        self.seen = Seen::default();
        self.further_peers.iter_mut().for_each(|peer| peer.seen = Seen::default());
        self.first_available_at = None;
        self.end_test();
    }
}

/// Of all its peers.
fn subnets(interface: &Interface) -> impl Iterator<Item = IpNet> + '_ {
    interface.peers().map(|peer| peer.addresses.router().trunc())
}

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::{Bandwidth, PortRef},
        hosting::{Allocation, Capacity},
        ids::{AccountId, ConnectionId, GatewayId, InterfaceId},
        interface::{InterfaceState, Proposal},
    };
    use directlink_net::{Asn, Mtu, PeerAddresses, RegionAsn};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn connection(id: u32) -> Connection {
        let mut c = Connection {
            id: ConnectionId::from_bits(id),
            account: AccountId::from_number(1),
            name: "c".into(),
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

    fn hosted_on(parent: &Connection) -> Connection {
        let allocation = Allocation {
            id: ConnectionId::from_bits(0x99),
            account: AccountId::from_number(1),
            name: "a share".into(),
            vlan: 101u16.try_into().unwrap(),
            capacity: Capacity::Mbps50,
        };
        let mut c = Connection::allocate(parent, allocation, &[], None, at(3)).unwrap();
        c.confirm(at(3)).unwrap();
        c
    }

    /// One that works, on connection 1.
    fn interface(id: u32, pair: u16) -> Interface {
        let proposal = Proposal {
            connection: ConnectionId::from_bits(1),
            lag: None,
            owner: AccountId::from_number(1),
            name: "i".into(),
            vlan: 101u16.try_into().unwrap(),
            asn: 65000u32.try_into().unwrap(),
            key: None,
            peer: PeerAddresses::allocated(pair).unwrap(),
            mtu: Mtu::MAX,
            gateway: Some(GatewayId::from_bits(1)),
        };
        let region = RegionAsn(Asn::try_from(50624u32).unwrap());
        let id = InterfaceId::from_bits(id);
        let mut i = Interface::propose(id, proposal, region, &[], at(3)).unwrap();
        i.see(Seen { configured: true, session_up: true, forwarding: true }, at(4));
        i
    }

    #[test]
    fn a_moved_interface_is_pending_until_its_new_router_says_that_it_works() {
        let mut i = interface(1, 0);
        i.begin_test([].into(), at(100), at(5)).unwrap();
        i.move_to((&connection(1), &connection(2)), None, &[], at(6)).unwrap();
        assert_eq!(i.connection, ConnectionId::from_bits(2));
        assert_eq!(i.state(true, at(6)), InterfaceState::Pending);
        i.see(Seen { configured: true, session_up: true, forwarding: true }, at(7));
        assert_eq!(i.state(true, at(7)), InterfaceState::Available);
    }

    /// What, the interface, from and to, who has the VLAN there, what else is there, the outcome.
    type Case<'a> =
        (&'a str, Interface, [&'a Connection; 2], Option<Holder>, &'a [Interface], &'a str);

    #[test]
    fn what_cannot_move_stays_as_it_is() {
        let (here, there) = (connection(1), connection(2));
        let mut dark = connection(2);
        dark.see_light(false, at(3));
        let mut going = interface(1, 0);
        going.ask_delete(at(5)).unwrap();
        let (hosted, elsewhere) = (hosted_on(&here), hosted_on(&there));
        let on_other_vlan = Interface { vlan: 102u16.try_into().unwrap(), ..interface(1, 0) };
        let holder = Some(Holder::Interface(InterfaceId::from_bits(9)));
        let (same, other) = ([interface(9, 0)], [interface(9, 1)]);
        let cases: [Case<'_>; 9] = [
            ("free", interface(1, 0), [&here, &there], None, &other, "ok"),
            ("going", going, [&here, &there], None, &[], "NoSuchInterface"),
            ("dark", interface(1, 0), [&here, &dark], None, &[], "ConnectionNotAvailable"),
            ("VLAN taken", interface(1, 0), [&here, &there], holder, &[], "VlanTaken"),
            (
                "addresses taken",
                interface(1, 0),
                [&here, &there],
                None,
                &same,
                "PeerAddressesTaken",
            ),
            ("off a hosted one", interface(1, 0), [&hosted, &there], None, &[], "InterfaceStays"),
            ("onto a hosted one", interface(1, 0), [&here, &elsewhere], None, &[], "ok"),
            ("onto another VLAN", on_other_vlan, [&here, &elsewhere], None, &[], "VlanIsFixed"),
            ("onto a used one", interface(1, 0), [&here, &elsewhere], holder, &[], "OneInterface"),
        ];
        for (what, before, [from, to], holder, others, expected) in cases {
            let mut i = before.clone();
            let outcome = i.move_to((from, to), holder, others, at(6));
            let text = format!("{outcome:?}");
            match expected {
                "ok" => assert_eq!(outcome, Ok(()), "{what}"),
                _ => assert!(text.contains(expected) && i == before, "{what}: {text}"),
            }
        }
    }
}
