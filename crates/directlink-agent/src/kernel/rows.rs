//! Routes and sources in the tables, and what packets and neighbours say.

use super::{
    Kernel,
    netlink::Netlink,
    netstat::{self, SignatureCounts},
    probe::Heard,
};
use crate::{
    routes::{Neighbour, RouteRows},
    run::Placed,
};
use directlink_dataplane::{Peer as PeerCell, Relay, Route, TableError, Tallies};
use directlink_model::{
    figures::{Tally, Traffic},
    ids::{InterfaceId, PortName},
};
use directlink_net::{IpNet, Mac};
use std::collections::{BTreeMap, BTreeSet};

/// What is seen of interfaces between two reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) neighbours: BTreeMap<Neighbour, Mac>,
    /// Packets by verdict.
    pub(crate) verdicts: BTreeMap<InterfaceId, BTreeMap<String, u64>>,
    pub(crate) traffic: BTreeMap<InterfaceId, Traffic>,
    /// Frames that belong to no interface, by the port's ifindex and the tag.
    pub(crate) strays: BTreeMap<(u32, Option<u16>), u64>,
    /// Frames that arrived broken.
    pub(crate) broken: BTreeMap<PortName, u64>,
    /// Of the interfaces whose sessions are down.
    pub(crate) signatures: BTreeMap<InterfaceId, SignatureCounts>,
    pub(crate) heard: BTreeMap<InterfaceId, Heard>,
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

/// Namespaces that are entered in one look for their signatures.
const SIGNATURES: usize = 256;

impl Kernel {
    /// Routes and sources as they are in the kernel: listed once, then as it took each change.
    pub(crate) fn rows(&mut self) -> Result<&RouteRows, TableError> {
        let rows = match self.rows.take() {
            Some(rows) => rows,
            None => {
                let routes = self.dataplane.routes()?.into_iter();
                let routes = routes.map(|route| ((route.vni, route.prefix), route.ways));
                let relays = self.dataplane.relays()?.into_iter();
                let relays = relays.map(|relay| ((relay.vni, relay.prefix.into()), relay.routers));
                RouteRows {
                    routes: routes.collect(),
                    relays: relays.collect(),
                    sources: self.dataplane.sources()?,
                }
            }
        };
        Ok(self.rows.insert(rows))
    }

    /// The next look at rows lists them again.
    pub(crate) fn doubt_rows(&mut self) {
        self.rows = None;
    }

    /// Tables of another build's layout serve nobody once every program is this one's.
    pub(crate) fn forget_former_layouts(&self) {
        if let Err(error) = self.dataplane.drop_other_layouts() {
            tracing::warn!(%error, "tables of another layout stay pinned");
        }
    }

    /// Brings the tables to what `wanted` makes of them. What is there then.
    pub(crate) fn sync_rows(
        &mut self,
        wanted: impl FnOnce(&RouteRows) -> RouteRows,
    ) -> Result<RouteRows, TableError> {
        let there = self.rows()?;
        let wanted = wanted(there);
        let changes = wanted.changes_from(there);
        if changes.is_empty() {
            return Ok(wanted);
        }
        // If one fails, what is there is read again.
        self.doubt_rows();
        for source in changes.put_sources {
            self.dataplane.put_source(source)?;
        }
        for ((vni, prefix), ways) in changes.put_routes {
            self.dataplane.put_route(&Route { vni, prefix, ways })?;
        }
        for ((vni, prefix), routers) in changes.put_relays {
            // No other is planned.
            if let IpNet::V4(prefix) = prefix {
                self.dataplane.put_relay(&Relay { vni, prefix, routers })?;
            }
        }
        for (vni, prefix) in changes.remove_routes {
            self.dataplane.remove_route(vni, prefix)?;
        }
        for source in changes.remove_sources {
            self.dataplane.remove_source(source)?;
        }
        self.rows = Some(wanted.clone());
        Ok(wanted)
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
                let seen = tallies.seen().map(|(v, tally)| (v.name().to_owned(), tally.packets));
                facts.verdicts.insert(peer.interface, seen.collect());
                facts.traffic.insert(peer.interface, traffic(&tallies));
            }
        }
        for port in ports {
            let link = self.netlink.link(port.as_str()).ok().flatten();
            facts.broken.extend(link.map(|link| (port.clone(), link.receive_errors)));
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
        let Ok(neighbours) = self.inner(id).and_then(Netlink::neighbours) else { return Ok(None) };
        let found = neighbours.into_iter().find(|neighbour| neighbour.address == peer.customer);
        let Some(mac) = found.and_then(|neighbour| neighbour.mac) else { return Ok(None) };
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
