//! A router in memory, with its agent and its customers' routers, on a time that is told: for simulations of a whole
//! Region, in one thread.
//!
//! ```text
//!   server ⇄ messages ⇄ Process: mind, schedule, ledger (a real disk), speaker        dies and comes again
//!                          │ pass, rows, facts
//!                          ▼
//!                       Kernel: links, namespaces, tables; ways of packets            outlives the process
//!                          │
//!                       Talks: both ends of each BGP session · light · customers      the world
//! ```
//!
//! What decides is the agent's own: [`Mind`], `diff`, `wanted`, `report`, `schedule`, the ledger, and the BGP peers.
//! The hands are others: a kernel in memory, a speaker without sockets, a stream that is a queue.

pub(crate) mod kernel;
mod process;
mod speaker;
mod talk;

use crate::{ledger::LedgerError, routes::RouteRows, run::mind::Mind};
use directlink_bgp::PeerConfig;
use directlink_channel::{FromRouter, Hello, Plan};
use directlink_model::{
    ids::{InterfaceId, PortName, RouterName},
    plan::Scope,
};
use directlink_net::{Asn, BgpKey, IpNet, PeerAddresses, Vlan, Vni};
use jiff::Timestamp;
use kernel::Kernel;
use process::Process;
use speaker::{Place, Talks, Ways};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};
use talk::Side;

/// One router, and whatever is plugged in it.
pub struct Router {
    name: RouterName,
    ledger: PathBuf,
    world: World,
    process: Option<Process>,
}

/// What is there whether the agent lives or not.
struct World {
    /// The civil time at zero.
    epoch: Timestamp,
    now: Duration,
    kernel: Kernel,
    lights: BTreeMap<PortName, bool>,
    customers: BTreeMap<Place, Customer>,
    talks: Talks,
    ways: Ways,
    /// Where packets go, in the tables.
    routes: RouteRows,
}

/// A customer's router on a VLAN, as its owner has configured it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub asn: Asn,
    pub router_asn: Asn,
    pub key: Option<BgpKey>,
    pub addresses: PeerAddresses,
    pub announces: BTreeSet<IpNet>,
}

/// What is true of an interface, whoever says what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub light: bool,
    /// Frames of its VLAN are its own.
    pub tag: bool,
    /// Both ends of the session are established.
    pub session: bool,
    /// Packets go where the customer announced.
    pub forwards: bool,
}

impl Truth {
    pub const fn is_whole(self) -> bool {
        self.light && self.tag && self.session && self.forwards
    }
}

impl Router {
    /// With its agent not yet started. `epoch`: the civil time of the zero of its time.
    pub fn new(
        name: RouterName,
        vtep: Ipv4Addr,
        ports: &[PortName],
        (ledger, epoch): (PathBuf, Timestamp),
    ) -> Self {
        let world = World {
            epoch,
            now: Duration::ZERO,
            kernel: Kernel::new(vtep, ports.iter().cloned()),
            lights: ports.iter().map(|port| (port.clone(), false)).collect(),
            customers: BTreeMap::new(),
            talks: Talks::new(),
            ways: Ways::new(),
            routes: RouteRows::default(),
        };
        Self { name, ledger, world, process: None }
    }

    pub const fn name(&self) -> &RouterName {
        &self.name
    }

    /// # Errors
    /// The disk refused.
    pub fn start_agent(&mut self) -> Result<(), LedgerError> {
        self.process = Some(Process::start(&self.ledger, &self.world)?);
        Ok(())
    }

    pub const fn is_agent_alive(&self) -> bool {
        self.process.is_some()
    }

    /// Dead between two instructions; packets go on.
    pub fn kill_agent(&mut self) {
        if self.process.take().is_some() {
            self.world.kernel.disown();
            let now = self.world.now;
            self.world.talks.values_mut().for_each(|talk| talk.die(Side::Ours, now));
        }
    }

    /// Nothing but the disk is left.
    pub fn reboot(&mut self) {
        self.kill_agent();
        self.world.kernel.reboot();
        self.world.ways.clear();
        self.world.routes = RouteRows::default();
    }

    /// The next changes of the kernel fail, and no more than so many are done in one go.
    pub const fn vex(&mut self, failures: u32, at_once: usize) {
        self.world.kernel.vex(failures, at_once);
    }

    pub fn set_light(&mut self, port: &PortName, light: bool) {
        self.world.lights.insert(port.clone(), light);
        if let Some(process) = &mut self.process {
            process.light(port, light, self.world.now);
        }
    }

    /// What a customer has configured there; `None`: nothing any more.
    pub fn set_customer(&mut self, (port, vlan): (PortName, Vlan), customer: Option<Customer>) {
        let (place, now) = ((port, vlan), self.world.now);
        match customer {
            Some(customer) => {
                let talk = self.world.talks.entry(place.clone()).or_default();
                if self.world.customers.get(&place) != Some(&customer) {
                    talk.die(Side::Theirs, now);
                    talk.set(Side::Theirs, customer.config(), now);
                }
                self.world.customers.insert(place, customer);
            }
            None => {
                self.world.customers.remove(&place);
                let talk = self.world.talks.get_mut(&place);
                talk.into_iter().for_each(|talk| talk.die(Side::Theirs, now));
            }
        }
    }

    /// What the agent says first. `None`: it is dead.
    pub fn hello(&self) -> Option<Hello> {
        let mind = &self.process.as_ref()?.mind;
        Some(Hello {
            router: self.name.to_string(),
            build: env!("CARGO_PKG_VERSION").into(),
            held: mind.held(),
            answers: vec![],
            // Its certificates are nobody's here.
            trusts: vec![],
            // It speaks when it is told that it is attached.
            waits: false,
        })
    }

    /// The server has answered the Hello.
    pub fn attached(&mut self) {
        if let Some(process) = &mut self.process {
            process.attached(&self.world);
        }
    }

    /// The stream is no more.
    pub fn lost(&mut self) {
        if let Some(process) = &mut self.process {
            process.lost();
        }
    }

    pub fn take_plan(&mut self, plan: Plan) {
        if let Some(process) = &mut self.process {
            process.take_plan(plan, self.world.now);
        }
    }

    /// What the agent has said since the last time.
    pub fn take_said(&mut self) -> Vec<FromRouter> {
        self.process.as_mut().map(Process::take_said).unwrap_or_default()
    }

    /// When something happens by itself.
    pub fn next_event(&self) -> Option<Duration> {
        let talks = self.world.talks.values().filter_map(talk::Talk::next_event);
        let chores = self.process.as_ref().and_then(Process::next_chore);
        talks.chain(chores).min().map(|at| at.max(self.world.now))
    }

    /// All that is due by then.
    pub fn run(&mut self, now: Duration) {
        self.world.now = self.world.now.max(now);
        self.world.open_paths();
        let now = self.world.now;
        self.world.talks.values_mut().for_each(|talk| talk.run(now));
        if let Some(process) = &mut self.process {
            process.work(&mut self.world);
        }
        self.world.open_paths();
    }

    /// Of the scopes that the agent holds now.
    pub fn held(&self) -> BTreeMap<Scope, u64> {
        let mind = self.process.as_ref().map(|process| &process.mind);
        mind.map(Mind::generations).unwrap_or_default()
    }

    /// Frames of which VLAN are whose, by the packet programs' tables, whoever's programs they are.
    pub fn rows(&self) -> BTreeMap<(PortName, Vlan), InterfaceId> {
        let observed = self.world.kernel.observed();
        let by_number: BTreeMap<_, _> =
            observed.numbers().into_iter().map(|(id, number)| (number, id)).collect();
        let rows = observed.tables.interfaces.values();
        let of_row = |row: &directlink_dataplane::Interface| {
            let place = (observed.port_with(row.port_ifindex)?, row.vlan);
            Some((place, *by_number.get(&row.number)?))
        };
        rows.filter_map(of_row).collect()
    }

    pub fn is_lit(&self, port: &PortName) -> bool {
        self.world.lights.get(port).copied().unwrap_or_default()
    }

    /// The Net that the interface there leads to.
    pub fn leads_to(&self, (port, vlan): &(PortName, Vlan)) -> Option<Vni> {
        let row = self.world.kernel.row(port, *vlan).map(|(_, row)| row);
        row.filter(|row| row.forwards).map(|row| row.vni)
    }

    /// Packets for what the customer there announces leave by it, by the tables alone.
    pub fn carries(&self, place: &(PortName, Vlan)) -> bool {
        let (port, vlan) = place;
        let Some((_, row)) = self.world.kernel.row(port, *vlan) else { return false };
        let Some(customer) = self.world.customers.get(place) else { return false };
        let ways: BTreeSet<_> = row.peers.iter().map(|peer| peer.way).collect();
        customer.announces.iter().all(|prefix| {
            let route = self.world.routes.routes.get(&(row.vni, *prefix));
            route.is_some_and(|route| route.iter().any(|way| ways.contains(way)))
        })
    }

    /// The customer there is configured as our side is.
    pub fn is_met(&self, place: &(PortName, Vlan)) -> bool {
        let ours = self.world.talks.get(place).and_then(|talk| talk.key(Side::Ours));
        let theirs = self.world.customers.get(place).map(|customer| customer.key.clone());
        ours.is_some() && ours == theirs && self.world.reaches(place)
    }

    /// Whatever bears an interface's name, with the MTU of its link, if it has one.
    pub fn interfaces(&self) -> BTreeMap<InterfaceId, Option<u32>> {
        let all = self.world.kernel.observed().interfaces.iter();
        all.map(|(id, it)| (*id, it.link.as_ref().map(|link| link.mtu))).collect()
    }

    /// What the documents that the agent holds want of a port is there, and nothing else is.
    pub fn is_as_planned(&self, port: &PortName) -> bool {
        let Some(process) = &self.process else { return false };
        let of_port: BTreeSet<InterfaceId> = process
            .mind
            .wants()
            .interfaces
            .iter()
            .filter(|(_, it)| it.port == *port)
            .map(|(id, _)| *id)
            .collect();
        let rows = self.rows().into_iter().filter(|((its, _), _)| its == port);
        rows.map(|(_, id)| id).collect::<BTreeSet<_>>() == of_port
    }

    pub fn truth(&self, id: InterfaceId, (port, vlan): &(PortName, Vlan)) -> Truth {
        let (world, place) = (&self.world, (port.clone(), *vlan));
        let row = world.kernel.row(port, *vlan).filter(|(its, _)| *its == id);
        let customer = world.customers.get(&place).map(Customer::address);
        let way = customer.and_then(|customer| world.ways.get(&(id, customer)));
        let is_up = |side| {
            let status = world.talks.get(&place).and_then(|it| it.status(side, world.now));
            status.is_some_and(|status| status.established_at.is_some())
        };
        Truth {
            light: world.lights.get(port).copied().unwrap_or_default(),
            tag: row.is_some(),
            session: is_up(Side::Ours) && is_up(Side::Theirs),
            forwards: way.is_some_and(crate::routes::Via::forwards) && world.reaches(&place),
        }
    }
}

impl World {
    fn civil(&self) -> Timestamp {
        self.epoch.checked_add(self.now).unwrap_or(self.epoch)
    }

    /// Whether frames go to the customer and back.
    fn reaches(&self, (port, vlan): &Place) -> bool {
        let customer = self.customers.get(&(port.clone(), *vlan));
        let has_row = |customer: &Customer| {
            let row = self.kernel.row(port, *vlan).map(|(_, row)| row);
            row.is_some_and(|row| row.peers.iter().any(|cell| cell.customer == customer.address()))
        };
        self.lights.get(port).copied().unwrap_or_default() && customer.is_some_and(has_row)
    }

    /// A session's path is there when frames go and both sign with one key.
    fn open_paths(&mut self) {
        let places: Vec<Place> = self.talks.keys().cloned().collect();
        for place in places {
            let reaches = self.reaches(&place);
            let key = self.customers.get(&place).map(|customer| customer.key.clone());
            let talk = self.talks.entry(place).or_default();
            // While our process is dead nobody signs otherwise.
            let signs = |ours: Option<BgpKey>| Some(ours) == key;
            let is_signed = talk.key(Side::Ours).is_none_or(signs);
            talk.set_path(reaches && is_signed);
        }
    }
}

impl Customer {
    fn address(&self) -> IpAddr {
        self.addresses.customer().addr()
    }

    fn config(&self) -> PeerConfig {
        let id = match self.address() {
            IpAddr::V4(address) => address,
            IpAddr::V6(_) => Ipv4Addr::new(192, 0, 2, 1),
        };
        PeerConfig {
            advertised: self.announces.clone(),
            ..PeerConfig::new(
                (self.asn, self.router_asn),
                id,
                (self.address(), self.addresses.router().addr()),
            )
        }
    }
}

#[cfg(test)]
mod tests;
