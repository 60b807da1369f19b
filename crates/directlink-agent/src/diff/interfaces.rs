//! The difference of interfaces: namespace, veth, what is inside, and the VLAN's row.

use super::{Change, Difference, Subject};
use crate::{
    observed::{Inside, Link, Observed},
    wanted::{Certainty, Interface, Peer, Wanted},
};
use directlink_dataplane::{Interface as Row, InterfaceNumber, Peer as PeerCell};
use directlink_model::ids::{InterfaceId, PortName};
use directlink_net::{Vlan, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

pub(super) fn diff(wanted: &Wanted, observed: &Observed, difference: &mut Difference) {
    let mut differ = Differ::new(wanted, observed);
    differ.remove_unwanted(difference);
    for (&id, interface) in &wanted.interfaces {
        differ.bring_about(id, interface, difference);
    }
}

/// The VNI in the row of an interface that leads nowhere; the row does not forward.
fn nowhere() -> Vni {
    Vni::try_from(0x00ff_ffff).unwrap_or_else(|_| unreachable!("it has 24 bits"))
}

struct Differ<'a> {
    wanted: &'a Wanted,
    observed: &'a Observed,
    by_link: BTreeMap<u32, &'a Row>,
    by_vlan: BTreeMap<(u32, Vlan), &'a Row>,
    taken: BTreeSet<InterfaceNumber>,
    /// Those not yet looked at: thousands of interfaces that come at once do not each look from the first on.
    numbers: RangeInclusive<u16>,
}

impl<'a> Differ<'a> {
    fn new(wanted: &'a Wanted, observed: &'a Observed) -> Self {
        let tables = &observed.tables;
        let rows = || tables.interfaces.values();
        Self {
            wanted,
            observed,
            by_link: rows().map(|row| (row.slow_ifindex, row)).collect(),
            by_vlan: rows().map(|row| ((row.port_ifindex, row.vlan), row)).collect(),
            taken: rows()
                .flat_map(|row| row.peers.iter().map(|peer| peer.way).chain([row.number]))
                .chain(tables.named.iter().copied())
                .collect(),
            numbers: 1..=u16::MAX,
        }
    }

    fn remove_unwanted(&self, difference: &mut Difference) {
        let links: BTreeMap<u32, InterfaceId> = self
            .observed
            .interfaces
            .iter()
            .filter_map(|(&id, seen)| Some((seen.link.as_ref()?.ifindex, id)))
            .collect();
        let is_wanted = |id| self.wanted.interfaces.contains_key(&id);
        for row in self.observed.tables.interfaces.values() {
            let id = links.get(&row.slow_ifindex).copied();
            let stays = match id {
                Some(id) => is_wanted(id) || !self.may_go(id),
                // Its veth is gone; another number will lead to the new one.
                None => false,
            };
            if !stays {
                difference.changes.push(Change::RemoveRow { id, number: row.number });
            }
        }
        let interfaces = self.observed.interfaces.iter();
        let going = || interfaces.clone().filter(|(id, _)| !is_wanted(**id) && self.may_go(**id));
        // Links in a row, which go together.
        let links = going().filter(|(_, seen)| seen.link.is_some());
        difference.changes.extend(links.map(|(&id, _)| Change::RemoveLink(id)));
        let namespaces = going().filter(|(_, seen)| seen.has_namespace);
        difference.changes.extend(namespaces.map(|(&id, _)| Change::RemoveNamespace(id)));
    }

    /// What bears no sign of a port carries nothing.
    fn may_go(&self, id: InterfaceId) -> bool {
        let certain = |port: PortName| self.wanted.certainty(&port) == Certainty::Current;
        self.port_of(id).is_none_or(certain)
    }

    fn port_of(&self, id: InterfaceId) -> Option<PortName> {
        let link = self.observed.interfaces.get(&id)?.link.as_ref()?;
        let row = self.by_link.get(&link.ifindex);
        row.and_then(|row| self.observed.port_with(row.port_ifindex)).or_else(|| link.port.clone())
    }

    fn bring_about(&mut self, id: InterfaceId, wanted: &Interface, difference: &mut Difference) {
        let seen = self.observed.interfaces.get(&id).cloned().unwrap_or_default();
        let Some(port) = self.observed.ports.get(&wanted.port) else {
            let why = format!("port {} has no link in the router's namespace", wanted.port);
            difference.blocked.insert(Subject::Interface(id), why);
            return;
        };
        let row = seen.link.as_ref().and_then(|link| self.by_link.get(&link.ifindex).copied());
        if self.wanted.certainty(&wanted.port) == Certainty::Held
            && (row.is_some() || self.by_vlan.contains_key(&(port.ifindex, wanted.vlan)))
        {
            // A former plan's word is not worth a packet.
            return;
        }
        let changes = &mut difference.changes;
        if !seen.has_namespace {
            changes.push(Change::MakeNamespace(id));
        }
        if seen.inside.as_ref().is_none_or(|inside| !inside.is_tuned) {
            changes.push(Change::Tune(id));
        }
        let fits = |inside: &&Inside| inside.vlan == wanted.vlan && inside.mac == wanted.mac;
        let pair = seen.link.as_ref().zip(seen.inside.as_ref().filter(fits));
        // Half of a pair, or one of another VLAN, is no use.
        if pair.is_none() && seen.link.is_some() {
            changes.push(Change::RemoveLink(id));
        }
        veth(id, wanted, pair, changes);
        match self.row(wanted, port.ifindex, pair.and(row)) {
            Some(put) if row != Some(&put) => changes.push(Change::PutRow { id, row: put }),
            Some(_) => {}
            None => {
                let why = "all 65535 numbers of interfaces are in use".into();
                difference.blocked.insert(Subject::Interface(id), why);
            }
        }
    }

    /// The wanted row, under the number that the interface has, or a new one. So is the way to
    /// each peer; in a new row that to the first has the interface's own number.
    fn row(&mut self, wanted: &Interface, port_ifindex: u32, now: Option<&Row>) -> Option<Row> {
        let number = match now {
            Some(row) => row.number,
            None => self.free_number()?,
        };
        Some(Row {
            number,
            port_ifindex,
            vlan: wanted.vlan,
            vni: wanted.vni.unwrap_or_else(nowhere),
            mtu: wanted.mtu,
            slow_ifindex: now.map_or(0, |row| row.slow_ifindex),
            peers: self.peers(&wanted.peers, number, now.map(|row| row.peers.as_slice()))?,
            router_mac: wanted.mac,
            forwards: wanted.vni.is_some(),
            rate: wanted.rate,
        })
    }

    fn peers(
        &mut self,
        wanted: &[Peer],
        own: InterfaceNumber,
        now: Option<&[PeerCell]>,
    ) -> Option<Vec<PeerCell>> {
        // Routes may still lead to whom an old row's own number meant.
        let mut own = Some(own).filter(|_| now.is_none());
        let now = now.unwrap_or_default();
        let stays = |peer: &Peer| now.iter().find(|cell| cell.customer == peer.customer);
        let mut cell = |peer: &Peer| {
            let way = stays(peer).map(|cell| cell.way).or_else(|| own.take());
            let way = way.or_else(|| self.free_number())?;
            Some(PeerCell { way, router: peer.router, customer: peer.customer })
        };
        wanted.iter().map(&mut cell).collect()
    }

    fn free_number(&mut self) -> Option<InterfaceNumber> {
        let taken = &self.taken;
        let mut numbers = self.numbers.by_ref().filter_map(InterfaceNumber::new);
        numbers.find(|number| !taken.contains(number))
    }
}

/// The veth and what hangs on its inner end.
fn veth(
    id: InterfaceId,
    wanted: &Interface,
    pair: Option<(&Link, &Inside)>,
    changes: &mut Vec<Change>,
) {
    let vlan = wanted.vlan;
    let Some((link, inside)) = pair else {
        let (port, mac, mtu) = (wanted.port.clone(), wanted.mac, wanted.mtu);
        let peers = || wanted.peers.iter();
        changes.push(Change::MakeLink { id, port, vlan, mac, mtu });
        changes.extend(peers().map(|peer| Change::AddAddress { id, vlan, address: peer.router }));
        changes.push(Change::Raise { id, vlan });
        changes.extend(peers().map(|peer| Change::KeepNeighbour {
            id,
            vlan,
            address: peer.customer,
        }));
        changes.push(Change::AttachSlow(id));
        return;
    };
    if link.port.as_ref() != Some(&wanted.port) {
        changes.push(Change::Relabel { id, port: wanted.port.clone() });
    }
    let mtu = u32::from(wanted.mtu.as_u16());
    if link.mtu != mtu || inside.mtu != mtu {
        changes.push(Change::Resize { id, vlan, mtu: wanted.mtu });
    }
    // While the address is there, which says that there may be some.
    let customers: BTreeSet<_> = wanted.peers.iter().map(|peer| peer.customer).collect();
    let strays = inside.kept.difference(&customers);
    changes.extend(strays.map(|&address| Change::ReleaseNeighbour { id, vlan, address }));
    let addresses: BTreeSet<_> = wanted.peers.iter().map(|peer| peer.router).collect();
    let strays = inside.addresses.difference(&addresses);
    changes.extend(strays.map(|&address| Change::RemoveAddress { id, vlan, address }));
    let missing = addresses.difference(&inside.addresses);
    changes.extend(missing.map(|&address| Change::AddAddress { id, vlan, address }));
    if !(link.is_up && inside.is_up) {
        changes.push(Change::Raise { id, vlan });
    }
    let missing = customers.difference(&inside.kept);
    changes.extend(missing.map(|&address| Change::KeepNeighbour { id, vlan, address }));
    if !link.attached {
        changes.push(Change::AttachSlow(id));
    }
}
