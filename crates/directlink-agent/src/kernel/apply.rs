//! Doing the changes. One that fails is told, and keeps the others of its subject waiting; the
//! rest goes on.

use super::{Kernel, Netns, links::Veth, netlink::Netlink};
use crate::{
    clock,
    diff::{Change, Subject},
    names,
    observed::NicRow,
};
use directlink_dataplane::{
    AttachError, Interface, Nic, TableError, Uplink,
    offload::{self, OffloadError},
};
use directlink_model::ids::{InterfaceId, PortName};
use directlink_net::{Mac, Mtu, Vlan};
use std::{collections::BTreeMap, io, os::fd::AsFd as _, time::Instant};
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum ApplyError {
    #[error("cannot {doing}: {source}")]
    Io { doing: String, source: io::Error },
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Kernel {
    /// Does what can be done until `deadline`, and at least all of one subject: what is done to a namespace
    /// shows when its link is there, and would be begun anew for ever. How many that were,
    /// and what of them could not be done, by subject.
    pub(crate) fn apply(
        &mut self,
        changes: &[Change],
        deadline: Instant,
    ) -> (usize, BTreeMap<Subject, ApplyError>) {
        let mut failures = BTreeMap::new();
        let mut done = 0;
        for run in changes.chunk_by(|a, b| link_going(a).is_some() && link_going(b).is_some()) {
            if is_between(changes, done) && clock::instant() >= deadline {
                break;
            }
            done += run.len();
            self.remove_links_together(run);
            for change in run {
                self.try_one(change, &mut failures);
            }
        }
        (done, failures)
    }

    fn try_one(&mut self, change: &Change, failures: &mut BTreeMap<Subject, ApplyError>) {
        let subject = change.subject();
        if failures.contains_key(&subject) {
            return;
        }
        tracing::debug!(%subject, ?change, "apply");
        if let Err(error) = self.apply_one(change) {
            tracing::warn!(%subject, %error, "a change failed");
            failures.insert(subject, error);
        }
    }

    /// Of several links; each is tried once more by itself, which finds it gone.
    fn remove_links_together(&mut self, run: &[Change]) {
        let names: Vec<_> = run.iter().filter_map(link_going).map(names::router_link).collect();
        if names.len() > 1
            && let Err(error) = self.netlink.remove_links(&names)
        {
            tracing::warn!(%error, "links cannot be removed together");
        }
    }

    fn apply_one(&mut self, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::AttachUplink(uplink) => self.attach_uplink(uplink),
            Change::AttachPort { ifindex, .. } => {
                self.dataplane.attach_port(*ifindex)?;
                self.attached.insert(*ifindex);
                Ok(())
            }
            Change::Detach(ifindex) => {
                self.attached.remove(ifindex);
                Ok(self.dataplane.detach(*ifindex)?)
            }
            Change::KeepNextHop(hop) => {
                let keep = self
                    .uplink_ifindex()
                    .and_then(|i| self.netlink.keep_neighbour(i, (*hop).into()));
                keep.map_err(io_error("have the next hop resolved"))
            }
            Change::ReleaseNextHop(hop) => {
                let uplink = self.uplink_ifindex();
                let release = uplink.and_then(|i| self.netlink.release_neighbour(i, (*hop).into()));
                release.map_err(io_error("forget a next hop"))
            }
            Change::PutRate { ifindex, rate, .. } => {
                Ok(self.dataplane.put_port_rate(*ifindex, *rate)?)
            }
            Change::RemoveRate(ifindex) => Ok(self.dataplane.remove_port_rate(*ifindex)?),
            Change::PutNet(vni) => Ok(self.dataplane.put_net(*vni)?),
            Change::RemoveNet(vni) => Ok(self.dataplane.remove_net(*vni)?),
            Change::PutSubnet(subnet) => Ok(self.dataplane.put_subnet(*subnet)?),
            Change::RemoveSubnet { vni, range } => {
                Ok(self.dataplane.remove_subnet(*vni, *range)?)
            }
            Change::PutRuleSet { number, rules, .. } => {
                Ok(self.dataplane.put_rule_set(*number, rules)?)
            }
            Change::RemoveRuleSet(number) => Ok(self.dataplane.remove_rule_set(*number)?),
            Change::PutNic { vni, address, row } => {
                let NicRow { mac, vtep, rule_set } = *row;
                let nic = Nic { vni: *vni, address: *address, mac, vtep, rule_set };
                Ok(self.dataplane.put_nic(&nic)?)
            }
            Change::RemoveNic { vni, address } => Ok(self.dataplane.remove_nic(*vni, *address)?),
            Change::PutRouter { vni, vtep } => Ok(self.dataplane.put_router(*vni, *vtep)?),
            Change::RemoveRouter { vni, vtep } => Ok(self.dataplane.remove_router(*vni, *vtep)?),
            interface => self.apply_to_interface(interface),
        }
    }

    fn apply_to_interface(&mut self, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::MakeNamespace(id) => {
                self.inner = None;
                Netns::make(&self.names.path(*id)).map_err(io_error("make a namespace"))
            }
            Change::Tune(id) => self
                .inside(*id, || self.switches.tune())
                .map_err(io_error("set the namespace's switches")),
            Change::MakeLink { id, port, vlan, mac, mtu } => {
                self.make_link(*id, *vlan, *mac, *mtu)?;
                self.relabel(*id, port)
            }
            Change::Relabel { id, port } => self.relabel(*id, port),
            Change::PutRow { id, row } => self.put_row(*id, row),
            Change::RemoveRow { number, .. } => Ok(self.dataplane.remove_interface(*number)?),
            Change::AttachSlow(id) => {
                let ifindex = self.netlink.ifindex(&names::router_link(*id));
                let ifindex = ifindex.map_err(io_error("find the interface's link"))?;
                self.dataplane.attach_slow(ifindex)?;
                self.attached.insert(ifindex);
                Ok(())
            }
            Change::RemoveLink(id) => self
                .netlink
                .remove_link(&names::router_link(*id))
                .map_err(io_error("remove the interface's link")),
            Change::RemoveNamespace(id) => {
                // A socket would keep it.
                self.inner = None;
                Netns::remove(&self.names.path(*id))
                    .map_err(io_error("remove the interface's namespace"))
            }
            stack => self.apply_to_stack(stack),
        }
    }

    /// What netlink does on both ends or on the inner one.
    fn apply_to_stack(&mut self, change: &Change) -> Result<(), ApplyError> {
        match *change {
            Change::Resize { id, vlan, mtu } => {
                let mtu = u32::from(mtu.as_u16());
                self.netlink
                    .set_mtu(&names::router_link(id), mtu)
                    .and_then(|()| self.inner(id)?.set_mtu(&names::inner_link(vlan), mtu))
                    .map_err(io_error("set the MTU"))
            }
            Change::Raise { id, vlan } => self
                .inner(id)
                .and_then(|n| n.set_up("lo").and_then(|()| n.set_up(&names::inner_link(vlan))))
                .and_then(|()| self.netlink.set_up(&names::router_link(id)))
                .map_err(io_error("set the link up")),
            Change::AddAddress { id, vlan, address } => {
                if address.addr().is_ipv6() {
                    let link = names::inner_link(vlan);
                    self.inside(id, || self.switches.speak_ipv6(&link))
                        .map_err(io_error("let the link speak IPv6"))?;
                }
                let add = self.on_inner(id, vlan, |n, ifindex| n.add_address(ifindex, address));
                add.map_err(io_error("set the address"))
            }
            Change::RemoveAddress { id, vlan, address } => {
                let remove =
                    self.on_inner(id, vlan, |n, ifindex| n.remove_address(ifindex, address));
                remove.map_err(io_error("remove an address"))
            }
            Change::KeepNeighbour { id, vlan, address } => {
                let keep = self.on_inner(id, vlan, |n, ifindex| n.keep_neighbour(ifindex, address));
                keep.map_err(io_error("have the customer's address resolved"))
            }
            Change::ReleaseNeighbour { id, vlan, address } => {
                let release =
                    self.on_inner(id, vlan, |n, ifindex| n.release_neighbour(ifindex, address));
                release.map_err(io_error("forget a neighbour"))
            }
            ref other => unreachable!("{other:?} is done elsewhere"),
        }
    }

    fn attach_uplink(&mut self, uplink: &Uplink) -> Result<(), ApplyError> {
        self.dataplane.attach_fabric(uplink)?;
        self.attached.insert(uplink.ifindex);
        Ok(())
    }

    fn make_link(
        &mut self,
        id: InterfaceId,
        vlan: Vlan,
        mac: Mac,
        mtu: Mtu,
    ) -> Result<(), ApplyError> {
        let (name, inner_name) = (names::router_link(id), names::inner_link(vlan));
        let namespace = Netns::open(&self.names.path(id)).map_err(io_error("open a namespace"))?;
        let veth = Veth {
            name: &name,
            inner_name: &inner_name,
            inner_namespace: namespace.as_fd(),
            inner_mac: mac,
            mtu: mtu.as_u16().into(),
        };
        self.netlink.add_veth(&veth).map_err(io_error("make the interface's link"))?;
        self.switches.silence(&name).map_err(io_error("silence the router's end"))?;
        // The frames leave by a port without passing hardware that would finish them.
        self.inside(id, || offload::finish_frames(&inner_name).map_err(offload_error))
            .map_err(io_error("switch offload off"))
    }

    fn relabel(&mut self, id: InterfaceId, port: &PortName) -> Result<(), ApplyError> {
        let name = names::router_link(id);
        let named = self.netlink.set_alias(&name, &names::alias(port));
        let link = named.and_then(|()| self.netlink.link(&name));
        if let Some(link) = link.map_err(io_error("name the interface's port"))? {
            self.links.see(link);
        }
        Ok(())
    }

    fn put_row(&mut self, id: InterfaceId, row: &Interface) -> Result<(), ApplyError> {
        let link = self.netlink.ifindex(&names::router_link(id));
        let slow_ifindex = link.map_err(io_error("find the interface's link"))?;
        Ok(self.dataplane.put_interface(&Interface { slow_ifindex, ..row.clone() })?)
    }

    fn on_inner(
        &mut self,
        id: InterfaceId,
        vlan: Vlan,
        work: impl FnOnce(&mut Netlink, u32) -> io::Result<()>,
    ) -> io::Result<()> {
        let netlink = self.inner(id)?;
        let ifindex = netlink.ifindex(&names::inner_link(vlan))?;
        work(netlink, ifindex)
    }

    fn uplink_ifindex(&mut self) -> io::Result<u32> {
        self.netlink.ifindex(&self.uplink)
    }
}

/// Whether the changes of one subject are done, and those of another are next.
pub(crate) fn is_between(changes: &[Change], done: usize) -> bool {
    let subject = |n: Option<usize>| changes.get(n?).map(Change::subject);
    done > 0 && subject(done.checked_sub(1)) != subject(Some(done))
}

const fn link_going(change: &Change) -> Option<InterfaceId> {
    match change {
        Change::RemoveLink(id) => Some(*id),
        _ => None,
    }
}

fn io_error(doing: &str) -> impl FnOnce(io::Error) -> ApplyError {
    let doing = doing.to_owned();
    move |source| ApplyError::Io { doing, source }
}

fn offload_error(error: OffloadError) -> io::Error {
    io::Error::other(error)
}
