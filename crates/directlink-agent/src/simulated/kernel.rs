//! A kernel in memory: what of ours is in it, and what a change does to it. It refuses what the real one refuses.

use crate::{
    diff::{Change, Subject},
    kernel::{ApplyError, Hands, Look, ObserveError, is_between},
    observed::{Inside, Interface, Link, Observed, Port, Tables, Uplink},
};
use directlink_dataplane::{Interface as Row, InterfaceNumber};
use directlink_model::ids::{InterfaceId, PortName};
use directlink_net::Vlan;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
    time::Instant,
};

const UPLINK: u32 = 1;
const FIRST_PORT: u32 = 10;
const FIRST_LINK: u32 = 1000;

/// The router's kernel and its packet programs. They outlive the agent.
#[derive(Debug)]
pub(crate) struct Kernel {
    observed: Observed,
    last_ifindex: u32,
    /// Links with a program of ours, whichever process brought it.
    programs: BTreeSet<u32>,
    /// So many of the next changes fail.
    failures: u32,
    /// So many changes are done in one go at most.
    at_once: usize,
}

impl Kernel {
    pub(crate) fn new(vtep: Ipv4Addr, ports: impl IntoIterator<Item = PortName>) -> Self {
        let port = |(ifindex, name)| (name, Port { ifindex, attached: false });
        let observed = Observed {
            ports: (FIRST_PORT..).zip(ports).map(port).collect(),
            uplink: Some(Uplink { ifindex: UPLINK, vtep: Some(vtep), attached: false }),
            ..Observed::default()
        };
        let programs = BTreeSet::new();
        let (last_ifindex, failures, at_once) = (FIRST_LINK, 0, usize::MAX);
        Self { observed, last_ifindex, programs, failures, at_once }
    }

    pub(crate) const fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The next changes fail, and no more than so many are done in one go.
    pub(crate) const fn vex(&mut self, failures: u32, at_once: usize) {
        self.failures = failures;
        self.at_once = at_once;
    }

    /// Numbers that rows of routes name.
    pub(crate) fn name(&mut self, numbers: BTreeSet<InterfaceNumber>) {
        self.observed.tables.named = numbers;
    }

    /// The programs of an agent that is gone stay, and are another's.
    pub(crate) fn disown(&mut self) {
        let observed = &mut self.observed;
        observed.ports.values_mut().for_each(|port| port.attached = false);
        observed.uplink.iter_mut().for_each(|uplink| uplink.attached = false);
        let links = observed.interfaces.values_mut().filter_map(|it| it.link.as_mut());
        links.for_each(|link| link.attached = false);
    }

    /// Nothing of ours outlives that.
    pub(crate) fn reboot(&mut self) {
        self.disown();
        self.programs.clear();
        let Observed { ports, uplink, .. } = std::mem::take(&mut self.observed);
        self.observed = Observed { ports, uplink, ..Observed::default() };
    }

    /// The row by which frames of a VLAN are an interface's, if all is there that they need.
    pub(crate) fn row(&self, port: &PortName, vlan: Vlan) -> Option<(InterfaceId, &Row)> {
        let ifindex = self.observed.ports.get(port)?.ifindex;
        if !self.programs.contains(&ifindex) {
            return None;
        }
        let mut rows = self.observed.tables.interfaces.values();
        let row = rows.find(|row| (row.port_ifindex, row.vlan) == (ifindex, vlan))?;
        let is_its = |link: &Link| {
            link.ifindex == row.slow_ifindex && link.is_up && self.programs.contains(&link.ifindex)
        };
        let mut all = self.observed.interfaces.iter();
        let (id, _) = all.find(|(_, it)| {
            let is_inside = it.inside.as_ref().is_some_and(|it| it.vlan == vlan && it.is_up);
            is_inside && it.link.as_ref().is_some_and(is_its)
        })?;
        Some((*id, row))
    }
}

impl Kernel {
    fn do_one(&mut self, change: &Change) -> io::Result<()> {
        do_change(&mut self.observed, change, &mut self.last_ifindex)?;
        match change {
            Change::AttachPort { ifindex, .. } => drop(self.programs.insert(*ifindex)),
            Change::AttachSlow(id) => {
                let link = self.observed.interfaces.get(id).and_then(|it| it.link.as_ref());
                self.programs.extend(link.map(|link| link.ifindex));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Hands for Kernel {
    fn observe(&mut self, look: &Look) -> Result<Observed, ObserveError> {
        let mut seen = self.observed.clone();
        for (id, interface) in &mut seen.interfaces {
            // What need not be looked into is as it was seen before.
            if interface.has_namespace
                && let Some(inside) = look.known(*id, interface)
            {
                interface.inside = Some(inside);
            }
        }
        let aliased = seen.interfaces.values().filter_map(|it| it.link.as_ref()?.port.clone());
        let asked: BTreeSet<PortName> = aliased.chain(look.ports.iter().cloned()).collect();
        seen.ports.retain(|name, _| asked.contains(name));
        seen.next_hops = look.vteps.iter().map(|vtep| (*vtep, *vtep)).collect();
        Ok(seen)
    }

    fn apply(
        &mut self,
        changes: &[Change],
        _deadline: Instant,
    ) -> (usize, BTreeMap<Subject, ApplyError>) {
        let mut failures = BTreeMap::new();
        let few = self.at_once.max(1)..changes.len();
        let end = few.into_iter().find(|&done| is_between(changes, done)).unwrap_or(changes.len());
        let some = &changes[..end];
        for change in some {
            let subject = change.subject();
            if failures.contains_key(&subject) {
                continue;
            }
            let done = match self.failures {
                0 => self.do_one(change),
                _ => Err(io::Error::other("it will not")),
            };
            if let Err(source) = done {
                self.failures = self.failures.saturating_sub(1);
                failures.insert(subject, ApplyError::Io { doing: "do that".into(), source });
            }
        }
        (some.len(), failures)
    }

    fn take_late_flows(&mut self) {}

    fn forget_former_layouts(&self) {}
}

/// Does a change as the kernel would. New links have numbers after the last.
pub(crate) fn do_change(
    kernel: &mut Observed,
    change: &Change,
    last_ifindex: &mut u32,
) -> io::Result<()> {
    match change {
        Change::AttachUplink(row) => {
            kernel.tables.uplink = Some(*row);
            kernel.uplink.as_mut().ok_or_else(missing)?.attached = true;
        }
        Change::AttachPort { port, .. } => {
            kernel.ports.get_mut(port).ok_or_else(missing)?.attached = true;
        }
        Change::Detach(ifindex) => drop(kernel.lost_attachments.remove(ifindex)),
        Change::KeepNextHop(hop) => drop(kernel.kept_next_hops.insert(*hop)),
        Change::ReleaseNextHop(hop) => drop(kernel.kept_next_hops.remove(hop)),
        Change::MakeNamespace(id) => {
            kernel.interfaces.entry(*id).or_default().has_namespace = true;
        }
        Change::MakeLink { id, port, .. } => {
            *last_ifindex += 1;
            make_link(kernel.interfaces.entry(*id).or_default(), change, port, *last_ifindex)?;
        }
        Change::PutRow { id, row } => {
            let link = kernel.interfaces.get(id).and_then(|it| it.link.as_ref());
            let slow_ifindex = link.ok_or_else(missing)?.ifindex;
            let row = Row { slow_ifindex, ..row.clone() };
            let key = |row: &Row| (row.port_ifindex, row.vlan);
            kernel.tables.interfaces.retain(|_, other| key(other) != key(&row));
            kernel.tables.interfaces.insert(row.number, row);
        }
        Change::RemoveNamespace(id) => drop(kernel.interfaces.remove(id)),
        Change::RemoveLink(id) => {
            let it = kernel.interfaces.get_mut(id).ok_or_else(missing)?;
            (it.link, it.inside) = (None, None);
            if !it.has_namespace {
                kernel.interfaces.remove(id);
            }
        }
        Change::Tune(id) => {
            let inside = kernel.interfaces.get_mut(id).ok_or_else(missing)?.inside.as_mut();
            inside.into_iter().for_each(|inside| inside.is_tuned = true);
        }
        other => match other.subject() {
            Subject::Interface(id) if !matches!(other, Change::RemoveRow { .. }) => {
                change_inside(kernel.interfaces.get_mut(&id).ok_or_else(missing)?, other)?;
            }
            _ => change_tables(&mut kernel.tables, other)?,
        },
    }
    Ok(())
}

fn make_link(it: &mut Interface, change: &Change, port: &PortName, ifindex: u32) -> io::Result<()> {
    let Change::MakeLink { vlan, mac, mtu, .. } = change else { return Err(missing()) };
    if !it.has_namespace {
        return Err(missing());
    }
    if it.link.is_some() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let (port, mtu) = (Some(port.clone()), mtu.as_u16().into());
    it.link = Some(Link { ifindex, port, mtu, is_up: false, attached: false });
    it.inside = Some(Inside {
        vlan: *vlan,
        mac: *mac,
        mtu,
        is_up: false,
        addresses: BTreeSet::new(),
        kept: BTreeSet::new(),
        // As of the namespace, which was tuned before.
        is_tuned: true,
    });
    Ok(())
}

fn change_inside(it: &mut Interface, change: &Change) -> io::Result<()> {
    let link = it.link.as_mut().ok_or_else(missing)?;
    let inside = it.inside.as_mut().ok_or_else(missing)?;
    match change {
        Change::Relabel { port, .. } => link.port = Some(port.clone()),
        Change::Resize { mtu, .. } => {
            link.mtu = mtu.as_u16().into();
            inside.mtu = link.mtu;
        }
        Change::Raise { .. } => (link.is_up, inside.is_up) = (true, true),
        Change::AddAddress { address, .. } => drop(inside.addresses.insert(*address)),
        Change::RemoveAddress { address, .. } => drop(inside.addresses.remove(address)),
        Change::KeepNeighbour { address, .. } => drop(inside.kept.insert(*address)),
        Change::ReleaseNeighbour { address, .. } => drop(inside.kept.remove(address)),
        Change::AttachSlow(_) => link.attached = true,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    }
    Ok(())
}

fn change_tables(tables: &mut Tables, change: &Change) -> io::Result<()> {
    match change {
        Change::PutRate { ifindex, rate, .. } => drop(tables.rates.insert(*ifindex, *rate)),
        Change::RemoveRate(ifindex) => drop(tables.rates.remove(ifindex)),
        Change::RemoveRow { number, .. } => drop(tables.interfaces.remove(number)),
        Change::PutNet(vni) => drop(tables.nets.insert(*vni)),
        Change::RemoveNet(vni) => drop(tables.nets.remove(vni)),
        Change::PutSubnet(it) => drop(tables.subnets.insert((it.vni, it.range), it.gateway)),
        Change::RemoveSubnet { vni, range } => drop(tables.subnets.remove(&(*vni, *range))),
        Change::PutRuleSet { number, rules, .. } => {
            tables.rule_sets.insert(*number, rules.clone());
        }
        Change::RemoveRuleSet(number) => drop(tables.rule_sets.remove(number)),
        Change::PutNic { vni, address, row } => {
            if row.rule_set.is_some_and(|set| !tables.rule_sets.contains_key(&set)) {
                return Err(missing());
            }
            tables.nics.insert((*vni, *address), *row);
        }
        Change::RemoveNic { vni, address } => drop(tables.nics.remove(&(*vni, *address))),
        Change::PutRouter { vni, vtep } => drop(tables.routers.insert((*vni, *vtep))),
        Change::RemoveRouter { vni, vtep } => drop(tables.routers.remove(&(*vni, *vtep))),
        _ => return Err(io::ErrorKind::Unsupported.into()),
    }
    Ok(())
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}
