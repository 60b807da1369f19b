//! Reading the kernel: what of ours is there.

use super::{Kernel, Netns, links::Link, netlink::Netlink, sysctl::Switches};
use crate::{
    names,
    observed::{Inside, Interface, Link as SeenLink, NicRow, Observed, Port, Tables, Uplink},
};
use directlink_bgp::lacp;
use directlink_dataplane::{AttachError, TableError};
use directlink_model::ids::{InterfaceId, PortName};
use directlink_net::Vlan;
use rtnetlink::packet_route::AddressFamily;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{IpAddr, Ipv4Addr},
};
use thiserror::Error;

/// What to look for beyond what bears our names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) ports: BTreeSet<PortName>,
    pub(crate) vteps: BTreeSet<Ipv4Addr>,
    pub(crate) insides: Insides,
}

/// Which interfaces to look into. Each costs a namespace entered.
#[derive(Clone, Debug, Default)]
pub(crate) enum Insides {
    #[default]
    All,
    /// Only these, and those whose veth is another than before; of the rest what was
    /// seen then.
    Only { ids: BTreeSet<InterfaceId>, before: BTreeMap<InterfaceId, Interface> },
}

#[derive(Debug, Error)]
pub(crate) enum ObserveError {
    #[error("cannot list {what}: {source}")]
    List { what: &'static str, source: io::Error },
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Attached(#[from] AttachError),
}

impl Kernel {
    pub(crate) fn observe(&mut self, look: &Look) -> Result<Observed, ObserveError> {
        self.links.update(&mut self.netlink).map_err(list("links"))?;
        let interfaces = self.interfaces(look)?;
        let aliased = interfaces.values().filter_map(|seen| seen.link.as_ref()?.port.clone());
        let asked: BTreeSet<PortName> = look.ports.iter().cloned().chain(aliased).collect();
        let mut ports = BTreeMap::new();
        for name in asked {
            let link = self.netlink.link(name.as_str()).map_err(list("a port"))?;
            let port = link
                .map(|link| Port { ifindex: link.ifindex, attached: self.has_our_program(&link) });
            ports.extend(port.map(|port| (name, port)));
        }
        let uplink = self.uplink()?;
        let pinned = self.dataplane.attached()?;
        let is_there = |ifindex: &u32| self.links.by_ifindex().contains_key(ifindex);
        let lost = pinned.ports.iter().chain(&pinned.uplinks).filter(|i| !is_there(i)).copied();
        let lost_attachments = lost.collect();
        let mut observed = Observed {
            ports,
            uplink,
            interfaces,
            tables: self.tables()?,
            lost_attachments,
            ..Observed::default()
        };
        if let Some(uplink) = uplink {
            self.next_hops(uplink.ifindex, look, &mut observed)?;
        }
        Ok(observed)
    }

    /// Light on whatever could be a port.
    pub(crate) fn lights(&mut self) -> io::Result<BTreeMap<PortName, bool>> {
        let links = self.netlink.links()?.into_iter();
        Ok(links.filter_map(|link| Some((link.name.parse().ok()?, link.light))).collect())
    }

    /// What LACP said on ports when somebody last wrote that down: this process's predecessor, or the packet
    /// programs in its place.
    pub(crate) fn lacp(&mut self) -> io::Result<BTreeMap<PortName, lacp::Status>> {
        let table = self.dataplane.bundled_ports().map_err(io::Error::other)?;
        let rows = table.list().map_err(io::Error::other)?;
        let links = self.netlink.links()?.into_iter();
        let status = |link: Link| {
            let row = rows.get(&link.ifindex)?;
            let [said, heard] = [row.said, row.heard].map(lacp::Information::from_bytes);
            Some((link.name.parse().ok()?, lacp::Status::between(said, heard)))
        };
        Ok(links.filter_map(status).collect())
    }

    fn has_our_program(&self, link: &Link) -> bool {
        link.has_xdp && self.attached.contains(&link.ifindex)
    }

    fn uplink(&mut self) -> Result<Option<Uplink>, ObserveError> {
        let link = self.netlink.link(&self.uplink).map_err(list("the uplink"))?;
        let Some(link) = link else { return Ok(None) };
        let addresses = self.netlink.addresses().map_err(list("addresses"))?;
        let mut own = addresses.iter().filter(|(ifindex, _)| *ifindex == link.ifindex);
        let first = own.find_map(|(_, net)| match net.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        Ok(Some(Uplink {
            ifindex: link.ifindex,
            vtep: first,
            attached: self.has_our_program(&link),
        }))
    }

    fn interfaces(&self, look: &Look) -> Result<BTreeMap<InterfaceId, Interface>, ObserveError> {
        let mut found: BTreeMap<InterfaceId, Interface> = BTreeMap::new();
        for link in self.links.by_ifindex().values() {
            if let Ok(id) = link.name.parse::<InterfaceId>() {
                found.entry(id).or_default().link = Some(SeenLink {
                    ifindex: link.ifindex,
                    port: link.alias.as_deref().and_then(names::port_of),
                    mtu: link.mtu,
                    is_up: link.is_up,
                    attached: self.attached.contains(&link.ifindex),
                });
            }
        }
        for id in self.namespaces()? {
            found.entry(id).or_default().has_namespace = true;
        }
        for (&id, interface) in &mut found {
            if interface.has_namespace {
                interface.inside = match look.known(id, interface) {
                    Some(inside) => Some(inside),
                    None => self
                        .inside(id, || read_inside(&self.switches))
                        .map_err(list("an interface's links"))?,
                };
            }
        }
        Ok(found)
    }

    pub(super) fn namespaces(&self) -> Result<BTreeSet<InterfaceId>, ObserveError> {
        let entries = match fs::read_dir(self.names.dir()) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(e) => return Err(list("namespaces")(e)),
        };
        let mut found = BTreeSet::new();
        for entry in entries {
            let entry = entry.map_err(list("namespaces"))?;
            let id = entry.file_name().to_str().and_then(|name| self.names.id(name));
            found.extend(id.filter(|_| Netns::is_one(&entry.path())));
        }
        Ok(found)
    }

    fn tables(&mut self) -> Result<Tables, ObserveError> {
        let named = self.named()?;
        let dataplane = &self.dataplane;
        let interfaces = dataplane.interfaces()?.into_iter().map(|row| (row.number, row));
        let subnets = dataplane.subnets()?.into_iter();
        let nics = dataplane.nics()?.into_iter().map(|nic| {
            let row = NicRow { mac: nic.mac, vtep: nic.vtep, rule_set: nic.rule_set };
            ((nic.vni, nic.address), row)
        });
        let mut rule_sets = BTreeMap::new();
        for number in dataplane.rule_sets()? {
            rule_sets.insert(number, dataplane.rule_set(number)?.unwrap_or_default());
        }
        Ok(Tables {
            uplink: dataplane.uplink()?,
            interfaces: interfaces.collect(),
            rates: dataplane.port_rates()?,
            named,
            nets: dataplane.nets()?,
            subnets: subnets.map(|s| ((s.vni, s.range), s.gateway)).collect(),
            nics: nics.collect(),
            routers: dataplane.routers()?,
            rule_sets,
        })
    }

    fn next_hops(
        &mut self,
        uplink: u32,
        look: &Look,
        observed: &mut Observed,
    ) -> Result<(), ObserveError> {
        for &vtep in &look.vteps {
            observed.next_hops.extend(self.netlink.next_hop(vtep, uplink).map(|hop| (vtep, hop)));
        }
        let listed = self.netlink.neighbours(AddressFamily::Inet);
        let neighbours = listed.map_err(list("neighbours"))?;
        let kept = neighbours.iter().filter(|n| n.ifindex == uplink && n.is_kept_for_us);
        let of_ipv4 = kept.filter_map(|neighbour| match neighbour.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        observed.kept_next_hops = of_ipv4.collect();
        Ok(())
    }
}

impl Look {
    /// What was seen before of an interface that need not be looked into.
    pub(crate) fn known(&self, id: InterfaceId, now: &Interface) -> Option<Inside> {
        let Insides::Only { ids, before } = &self.insides else { return None };
        let before = before.get(&id).filter(|_| !ids.contains(&id))?;
        let ifindex = |it: &Interface| it.link.as_ref().map(|link| link.ifindex);
        before.inside.clone().filter(|_| ifindex(before) == ifindex(now))
    }
}

/// `None`: no veth of ours is there.
fn read_inside(switches: &Switches) -> io::Result<Option<Inside>> {
    let mut netlink = Netlink::open()?;
    let Some((vlan, link)) = inner_link(&mut netlink)? else { return Ok(None) };
    let here = |ifindex: u32| ifindex == link.ifindex;
    let addresses = netlink.addresses()?.into_iter().filter(|(i, _)| here(*i));
    let addresses: BTreeSet<_> = addresses.map(|(_, net)| net).collect();
    // Where our own address is gone no neighbour of its net is kept: that was released first.
    let mut kept = BTreeSet::new();
    for own in &addresses {
        let ours = netlink.neighbours_of(link.ifindex, *own)?.into_iter();
        kept.extend(ours.filter(|it| it.is_kept_for_us).map(|it| it.address));
    }
    Ok(Some(Inside {
        vlan,
        mac: link.mac.unwrap_or(directlink_net::Mac([0; 6])),
        mtu: link.mtu,
        is_up: link.is_up,
        addresses,
        kept,
        is_tuned: switches.is_tuned(),
    }))
}

/// Ours, of an interface whose namespace `netlink` is in, and the VLAN that its name says.
pub(super) fn inner_link(netlink: &mut Netlink) -> io::Result<Option<(Vlan, Link)>> {
    let mut links = netlink.links()?.into_iter();
    Ok(links.find_map(|link| Some((names::vlan_of(&link.name)?, link))))
}

fn list(what: &'static str) -> impl Fn(io::Error) -> ObserveError {
    move |source| ObserveError::List { what, source }
}
