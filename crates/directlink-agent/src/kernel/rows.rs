//! Routes and sources in the tables, and what packets and neighbours say.

use super::{
    Kernel,
    links::Wire,
    netstat::{self, SignatureCounts},
    observe::inner_link,
    probe::Heard,
};
use crate::{
    bundles::InUse,
    relays::Elsewhere,
    routes::{Neighbour, Net, Relayed, RouteChanges, RouteRows, Slice, Via, drained},
    run::Placed,
    speaker::{Ribs, Touched},
};
use directlink_dataplane::{
    InterfaceNumber, Peer as PeerCell, Relay, Route, TableError, Tallies, Verdict,
};
use directlink_model::{
    evidence::Transceiver,
    figures::{Tally, Traffic},
    ids::{BgpPeerId, InterfaceId, PortName},
};
use directlink_net::{IpNet, Mac, Vni};
use std::collections::{BTreeMap, BTreeSet};

/// What is seen of interfaces between two reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) neighbours: BTreeMap<Neighbour, Mac>,
    /// Packets by verdict.
    pub(crate) verdicts: BTreeMap<InterfaceId, BTreeMap<Verdict, u64>>,
    pub(crate) traffic: BTreeMap<InterfaceId, Traffic>,
    /// Frames that belong to no interface, by the port's ifindex and the tag.
    pub(crate) strays: BTreeMap<(u32, Option<u16>), u64>,
    /// What ports have counted.
    pub(crate) wires: BTreeMap<PortName, Wire>,
    /// Of the interfaces whose sessions are down.
    pub(crate) signatures: BTreeMap<InterfaceId, SignatureCounts>,
    pub(crate) heard: BTreeMap<InterfaceId, Heard>,
    /// Where a port has one that tells.
    pub(crate) transceivers: BTreeMap<PortName, Transceiver>,
}

/// What the facts are asked about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    pub(crate) peers: Vec<Placed>,
    /// Tell the data plane what the kernel knows of neighbours.
    pub(crate) teach: bool,
    pub(crate) ports: BTreeSet<PortName>,
    /// Interfaces with a session that is down.
    pub(crate) down: BTreeSet<InterfaceId>,
}

/// What decides about routes and sources.
#[derive(Debug)]
pub(crate) struct RowWish {
    pub(crate) vias: BTreeMap<Neighbour, Via>,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) ribs: Ribs,
    /// Since the last wish that was done.
    pub(crate) touched: Touched,
    pub(crate) in_use: InUse,
}

/// What was last made of a wish.
#[derive(Debug)]
pub(super) struct Written {
    named: BTreeSet<InterfaceNumber>,
    vias: BTreeMap<Neighbour, Via>,
    elsewhere: Elsewhere,
    in_use: InUse,
    /// Rows that were there before this process, while they wait to be confirmed.
    remembered: RouteRows,
}

/// The vias of each Net.
type Nets<'a> = BTreeMap<Vni, Vec<&'a Via>>;

fn by_net(vias: &BTreeMap<Neighbour, Via>) -> Nets<'_> {
    let mut nets = Nets::new();
    for via in vias.values() {
        nets.entry(via.vni).or_default().push(via);
    }
    nets
}

/// What was touched, in parts of a size that costs no memory to speak of.
fn slices(touched: &BTreeMap<BgpPeerId, Vec<IpNet>>, net: &Net<'_>, before: &[&Via]) -> Vec<Slice> {
    let mut slices = Vec::new();
    for (peer, prefixes) in touched {
        let via = net.vias.iter().chain(before).find(|via| via.peer == Some(*peer));
        for part in prefixes.chunks(SLICE) {
            let mut slice = Slice::default();
            slice.add(part, via.copied());
            slices.push(slice);
        }
    }
    slices
}

impl RowWish {
    fn nets(&self) -> Nets<'_> {
        by_net(&self.vias)
    }

    fn net<'a>(&'a self, vni: Vni, nets: &Nets<'a>, remembered: &'a RouteRows) -> Net<'a> {
        let vias = nets.get(&vni).cloned().unwrap_or_default();
        Net { vni, vias, rib: self.ribs.net(vni), elsewhere: &self.elsewhere, remembered }
    }
}

/// Prefixes that are looked at together.
const SLICE: usize = 4096;

/// Namespaces that are entered in one look for their signatures.
const SIGNATURES: usize = 256;

impl Kernel {
    /// The numbers that some row names, or named since they were last listed.
    pub(super) fn named(&mut self) -> Result<BTreeSet<InterfaceNumber>, TableError> {
        match &self.rows {
            Some(written) => Ok(written.named.clone()),
            None => Ok(self.listed()?.numbers()),
        }
    }

    /// The next looks at links and at rows list them again.
    pub(crate) fn doubt(&mut self) {
        self.links.doubt();
        self.rows = None;
    }

    /// Brings the tables to what is wanted: all of them if there is any doubt of what is there,
    /// otherwise what was touched, and Nets whose ways are others than before.
    pub(crate) fn sync_rows(&mut self, wish: &RowWish) -> Result<(), TableError> {
        // If a write fails, what is there is read again.
        let written = match self.rows.take() {
            Some(written) => self.sync_part(wish, written)?,
            None => self.sync_all(wish)?,
        };
        self.rows = Some(written);
        Ok(())
    }

    fn sync_all(&mut self, wish: &RowWish) -> Result<Written, TableError> {
        let there = self.listed()?;
        let none = RouteRows::default();
        let nets = wish.nets();
        let learned = |vni: &Vni| wish.net(*vni, &nets, &none).learned_in_all();
        let vias: Vec<Via> = nets.keys().flat_map(learned).collect();
        let wanted = RouteRows::wanted(&vias, &there);
        let wanted = wanted.with_relays(&wish.elsewhere, &there, &drained(&vias));
        self.write_rows(wanted.changes_from(&there))?;
        self.spread(wish.in_use.keys())?;
        let is_settled = vias.iter().all(|via| via.is_settled) && !wish.elsewhere.holds();
        Ok(Written {
            named: wanted.numbers(),
            vias: wish.vias.clone(),
            elsewhere: wish.elsewhere.clone(),
            in_use: wish.in_use.clone(),
            remembered: if is_settled { none } else { there },
        })
    }

    fn sync_part(&mut self, wish: &RowWish, mut written: Written) -> Result<Written, TableError> {
        let (before, nets) = (by_net(&written.vias), wish.nets());
        let mut others = wish.elsewhere.unlike(&written.elsewhere);
        let unlike = |vni: &&Vni| before.get(*vni) != nets.get(*vni);
        others.extend(before.keys().chain(nets.keys()).filter(unlike));
        let nothing = BTreeMap::new();
        let touched = wish.touched.keys().filter(|vni| !others.contains(*vni));
        for &vni in others.iter().chain(touched) {
            let net = wish.net(vni, &nets, &written.remembered);
            let before = before.get(&vni).map(Vec::as_slice).unwrap_or_default();
            let touched = wish.touched.get(&vni).unwrap_or(&nothing);
            let mut slices = slices(touched, &net, before);
            if others.contains(&vni) {
                slices.push(net.whole(before));
            }
            for slice in slices {
                let changes = net.changes(&slice);
                let ways = changes.put_routes.iter().flat_map(|(_, ways)| ways);
                let behind = changes.put_relays.iter().flat_map(|(_, relayed)| &relayed.own);
                written.named.extend(ways.chain(behind));
                written.named.extend(changes.put_sources.iter().map(|source| source.interface));
                self.write_rows(changes)?;
            }
        }
        let (was, is) = (&written.in_use, &wish.in_use);
        self.spread(was.keys().chain(is.keys()).filter(|vni| was.get(*vni) != is.get(*vni)))?;
        if wish.vias.values().all(|via| via.is_settled) && !wish.elsewhere.holds() {
            written.remembered = RouteRows::default();
        }
        let (vias, elsewhere) = (wish.vias.clone(), wish.elsewhere.clone());
        drop(before);
        Ok(Written { vias, elsewhere, in_use: wish.in_use.clone(), ..written })
    }

    /// Flows of these Nets choose anew among the ports of their bundles.
    fn spread<'a>(&mut self, mut nets: impl Iterator<Item = &'a Vni>) -> Result<(), TableError> {
        nets.try_for_each(|vni| self.dataplane.bundles_changed(*vni))
    }

    pub(super) fn listed(&self) -> Result<RouteRows, TableError> {
        let routes = self.dataplane.routes()?.into_iter();
        let relays = self.dataplane.relays()?.into_iter();
        Ok(RouteRows {
            routes: routes.map(|route| ((route.vni, route.prefix), route.ways)).collect(),
            relays: relays
                .map(|it| {
                    let relayed = Relayed { routers: it.routers, own: it.own };
                    ((it.vni, it.prefix), relayed)
                })
                .collect(),
            sources: self.dataplane.sources()?,
        })
    }

    fn write_rows(&mut self, changes: RouteChanges) -> Result<(), TableError> {
        self.dataplane.put_sources(&changes.put_sources)?;
        let routes = changes.put_routes.into_iter();
        let routes = routes.map(|((vni, prefix), ways)| Route { vni, prefix, ways });
        self.dataplane.put_routes(&routes.collect::<Vec<_>>())?;
        for ((vni, prefix), Relayed { routers, own }) in changes.put_relays {
            self.dataplane.put_relay(&Relay { vni, prefix, routers, own })?;
        }
        for (vni, prefix) in changes.remove_routes {
            self.dataplane.remove_route(vni, prefix)?;
        }
        for source in changes.remove_sources {
            self.dataplane.remove_source(source)?;
        }
        Ok(())
    }

    /// The MACs of these peers, and the verdicts of their interfaces.
    ///
    /// With `teach`, also what the kernel knows of neighbours and the data plane does not. That
    /// learns them from what the kernel sends; with new tables it would wait for it.
    pub(crate) fn facts(&mut self, question: &Question) -> Result<Facts, TableError> {
        let Question { peers, teach, ports, down } = question;
        let taught = self.dataplane.neighbours()?;
        let mut facts = Facts { strays: self.dataplane.strays()?, ..Facts::default() };
        for peer in peers {
            let mac = match taught.get(&peer.cell.way) {
                Some(mac) => Some(*mac),
                None if *teach => self.teach_neighbour(peer.interface, peer.cell)?,
                None => None,
            };
            facts.neighbours.extend(mac.map(|mac| (peer.neighbour(), mac)));
            if facts.verdicts.contains_key(&peer.interface) {
                continue;
            }
            if let Some(tallies) = self.dataplane.interface_tallies(peer.interface_number)? {
                let seen = tallies.seen().map(|(verdict, tally)| (verdict, tally.packets));
                facts.verdicts.insert(peer.interface, seen.collect());
                facts.traffic.insert(peer.interface, traffic(&tallies));
            }
        }
        facts.transceivers = self.modules.of(ports);
        for port in ports {
            let wire = self.netlink.wire(port.as_str()).ok().flatten();
            facts.wires.extend(wire.map(|wire| (port.clone(), wire)));
        }
        for &id in down.iter().take(SIGNATURES) {
            let counts = self.inside(id, netstat::signatures).ok();
            facts.signatures.extend(counts.map(|counts| (id, counts)));
        }
        facts.heard = self.probe(peers, &facts.neighbours.keys().copied().collect());
        Ok(facts)
    }

    fn teach_neighbour(
        &mut self,
        id: InterfaceId,
        peer: PeerCell,
    ) -> Result<Option<Mac>, TableError> {
        let known = self.inner(id).and_then(|netlink| {
            let Some((_, link)) = inner_link(netlink)? else { return Ok(None) };
            netlink.neighbour(link.ifindex, peer.customer)
        });
        let Some(mac) = known.ok().flatten().and_then(|known| known.mac) else { return Ok(None) };
        self.dataplane.put_neighbour(peer.way, mac)?;
        Ok(Some(mac))
    }
}

fn traffic(tallies: &Tallies) -> Traffic {
    let (from, to) = tallies.carried();
    Traffic {
        from_customer: Tally { packets: from.packets, bytes: from.bytes },
        to_customer: Tally { packets: to.packets, bytes: to.bytes },
    }
}
