//! Writing the tables, and listing what is really in them.
//!
//! Every setter is idempotent (to put a row twice, or to remove one that is not there, is no
//! error), so that a second pass over the same wants changes nothing. Every table that a
//! setter writes can be listed: the agent compares its wants with that, not with what it
//! remembers.
//!
//! Each table has a twin for IPv6; a setter writes the one of the address that it is given, and a
//! list is of both.
//!
//! What a packet's shortcut may have come from is counted as a change after it was written
//! (`changes.rs`).
//!
//! Order within a setter is such that a packet in between is dropped, never misled: what
//! a row refers to is written before it, and removed after it.

use crate::{
    changes::Changed,
    load::Dataplane,
    rows::{Flow, Interface, InterfaceNumber, Nic, Route, Source, Subnet, Uplink},
    tables::{
        Address6Key, AddressKey, Bfd6Key, BfdKey, InterfaceKey, InterfaceRow, NicRow, Peers6Row,
        PresenceRow, RouteRow, Scoped, Scoped6, Subnet6Row, SubnetRow,
    },
};
use aya::maps::MapError;
use directlink_net::{IpNet, Vlan, Vni};
use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr},
};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum TableError {
    #[error("table {table}: {source}")]
    Map { table: &'static str, source: MapError },
    #[error("cannot count this machine's processors: {0}")]
    Processors(io::Error),
    #[error("a route has 1 to 4 ways, not {0}")]
    Ways(usize),
    #[error("a Subnet's gateway is of its range's family, not {0}")]
    Gateway(IpAddr),
    #[error("a session is of one family, not between {router} and {customer}")]
    TwoFamilies { router: IpAddr, customer: IpAddr },
    #[error("a prefix is relayed to 1 to 4 VTEPs of routers, not {0:?}")]
    Routers(Vec<Ipv4Addr>),
    #[error("an interface has 1 or 2 peers of a family, not {0}")]
    Peers(usize),
    #[error("a router has at most 1023 ports with a rate")]
    Ports,
    #[error("the kernel has no memory for a row of table {0}")]
    Memory(&'static str),
    #[error("a rule set holds at most 1,024 rules each way, not {0}")]
    Rules(usize),
    #[error("a Subnet's route table holds at most 1,024 routes by hand, not {0}")]
    HandRoutes(usize),
}

pub(crate) type Done = Result<(), TableError>;

/// Interfaces, and what hangs on their number.
impl Dataplane {
    /// Makes or replaces the interface with this number. If it had another port or VLAN, it
    /// moves.
    ///
    /// # Errors
    /// No peer or too many, or the kernel refused a row (a full table).
    pub fn put_interface(&mut self, interface: &Interface) -> Done {
        let written = self.write_interface(interface);
        self.count_change(Changed::Interface, written)
    }

    fn write_interface(&mut self, interface: &Interface) -> Done {
        let number = u32::from(interface.number);
        let key = InterfaceKey::new(interface.port_ifindex, interface.vlan);
        let row = InterfaceRow::new(interface).ok_or(TableError::Peers(interface.peers.len()))?;
        let peers6 = Peers6Row::new(interface).map_err(TableError::Peers)?;
        let before = self.interface_row(interface.number)?;
        let before6 = self.peers6(number)?;
        if before.is_none_or(|(_, row)| row.number() != Some(interface.number)) {
            self.start_tallies(interface.number)?;
        }
        if interface.slow_ifindex != 0 {
            self.tables
                .slow_links
                .insert(interface.slow_ifindex, number, 0)
                .map_err(in_table("slow_links"))?;
        }
        self.limit_interface(interface.number, interface.rate)?;
        let is_captured = before
            .is_some_and(|(_, row)| row.number() == Some(interface.number) && row.is_captured());
        let row = row.captured(is_captured);
        self.tables.interfaces.insert(key, row, 0).map_err(in_table("interfaces"))?;
        match peers6 {
            Some(peers) => self.tables.peers6.insert(number, peers, 0),
            None => absent(self.tables.peers6.remove(&number)),
        }
        .map_err(in_table("peers6"))?;
        // Afterwards: one that moves to another port is found there before it is looked for.
        let ways6 = peers6.iter().flat_map(Peers6Row::ways);
        let ways: Vec<_> = row.ways().chain(ways6).collect();
        for number in ways.iter().copied().map(u32::from).chain([number]) {
            self.tables.interface_keys.set(number, key, 0).map_err(in_table("interface_keys"))?;
        }
        let Some((old_key, old_row)) = before else { return Ok(()) };
        self.forget_former(old_key, &old_row, key, &row)?;
        let old_ways = old_row.ways().chain(before6.iter().flat_map(Peers6Row::ways));
        for way in old_ways.filter(|way| !ways.contains(way)) {
            let is_number = way == interface.number;
            self.forget_way(way, if is_number { key } else { InterfaceKey::NONE })?;
        }
        Ok(())
    }

    /// Removes the interface with its neighbours, its sources and its tallies. Routes that
    /// lead to it are the caller's: they drop as `interface_gone` until removed.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn remove_interface(&mut self, number: InterfaceNumber) -> Done {
        let erased = self.erase_interface(number);
        self.count_change(Changed::Interface, erased)
    }

    fn erase_interface(&mut self, number: InterfaceNumber) -> Done {
        if let Some((key, row)) = self.interface_row(number)? {
            absent(self.tables.interfaces.remove(&key)).map_err(in_table("interfaces"))?;
            absent(self.tables.slow_links.remove(&row.slow_ifindex()))
                .map_err(in_table("slow_links"))?;
            for customer in row.customers() {
                let session = BfdKey::new(number.into(), customer);
                absent(self.tables.bfd_sessions.remove(&session))
                    .map_err(in_table("bfd_sessions"))?;
            }
            let peers6 = self.peers6(u32::from(number))?;
            for customer in peers6.iter().flat_map(Peers6Row::customers) {
                let session = Bfd6Key::new(number.into(), customer);
                absent(self.tables.bfd6_sessions.remove(&session))
                    .map_err(in_table("bfd6_sessions"))?;
            }
            for way in row.ways().chain(peers6.iter().flat_map(Peers6Row::ways)) {
                self.forget_way(way, InterfaceKey::NONE)?;
            }
        }
        absent(self.tables.peers6.remove(&u32::from(number))).map_err(in_table("peers6"))?;
        self.forget_way(number, InterfaceKey::NONE)?;
        self.limit_interface(number, None)?;
        for source in self.sources()? {
            if source.interface == number {
                self.erase_source(source)?;
            }
        }
        self.remove_tallies(number)
    }

    /// # Errors
    /// The kernel refused.
    pub fn interfaces(&self) -> Result<Vec<Interface>, TableError> {
        let rows = self.tables.interfaces.iter();
        let rows: Vec<_> = listed("interfaces", rows, Some)?;
        let mut found = Vec::with_capacity(rows.len());
        for (key, row) in rows {
            let number = row.number();
            let rate = number.map(|number| self.interface_rate(number)).transpose()?;
            let peers6 = number.map(|number| self.peers6(number.into())).transpose()?;
            found.extend(row.interface(key, rate.flatten(), peers6.flatten()));
        }
        found.sort_unstable_by_key(|interface| interface.number);
        Ok(found)
    }

    /// # Errors
    /// The kernel refused (a full table).
    pub fn put_source(&mut self, Source { interface, prefix }: Source) -> Done {
        let (tables, row) = (&mut self.tables, PresenceRow::default());
        match prefix {
            IpNet::V4(v4) => tables.sources.insert(&Scoped::key(interface, v4), row, 0),
            IpNet::V6(v6) => tables.sources6.insert(&Scoped6::key(interface, v6), row, 0),
        }
        .map_err(in_table("sources"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_source(&mut self, source: Source) -> Done {
        let erased = self.erase_source(source);
        match self.interface_row(source.interface)? {
            Some((_, row)) => self.count_change(Changed::Net(row.vni()), erased),
            None => erased,
        }
    }

    fn erase_source(&mut self, Source { interface, prefix }: Source) -> Done {
        absent(match prefix {
            IpNet::V4(v4) => self.tables.sources.remove(&Scoped::key(interface, v4)),
            IpNet::V6(v6) => self.tables.sources6.remove(&Scoped6::key(interface, v6)),
        })
        .map_err(in_table("sources"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn sources(&self) -> Result<BTreeSet<Source>, TableError> {
        let source = |(number, prefix)| {
            Some(Source { interface: InterfaceNumber::try_from(number).ok()?, prefix })
        };
        let mut found: BTreeSet<_> =
            listed("sources", self.tables.sources.keys(), |key| source(Scoped::read(&key)?))?;
        let of_ipv6 = self.tables.sources6.keys();
        found.extend(listed::<_, _, Vec<_>>("sources6", of_ipv6, |key| {
            source(Scoped6::read(&key)?)
        })?);
        Ok(found)
    }

    pub(crate) fn peers6(&self, number: u32) -> Result<Option<Peers6Row>, TableError> {
        present(self.tables.peers6.get(&number, 0)).map_err(in_table("peers6"))
    }

    pub(crate) fn interface_row(
        &self,
        number: InterfaceNumber,
    ) -> Result<Option<(InterfaceKey, InterfaceRow)>, TableError> {
        let key = self
            .tables
            .interface_keys
            .get(&number.into(), 0)
            .map_err(in_table("interface_keys"))?;
        let row = present(self.tables.interfaces.get(&key, 0)).map_err(in_table("interfaces"))?;
        Ok(row.filter(|row| row.number() == Some(number)).map(|row| (key, row)))
    }

    fn forget_former(
        &mut self,
        old_key: InterfaceKey,
        old_row: &InterfaceRow,
        key: InterfaceKey,
        row: &InterfaceRow,
    ) -> Done {
        if old_key != key {
            absent(self.tables.interfaces.remove(&old_key)).map_err(in_table("interfaces"))?;
        }
        if old_row.slow_ifindex() != row.slow_ifindex() {
            absent(self.tables.slow_links.remove(&old_row.slow_ifindex()))
                .map_err(in_table("slow_links"))?;
        }
        Ok(())
    }

    /// Whoever has the number next must not be sent what was meant for this one.
    fn forget_way(&mut self, way: InterfaceNumber, key: InterfaceKey) -> Done {
        let forgotten = self.tables.interface_keys.set(u32::from(way), key, 0);
        forgotten.map_err(in_table("interface_keys"))?;
        self.remove_neighbour(way)
    }
}

/// Nets: where packets go.
impl Dataplane {
    /// # Errors
    /// The kernel refused.
    pub fn put_net(&mut self, vni: Vni) -> Done {
        self.tables.nets.insert(vni.as_u32(), PresenceRow::default(), 0).map_err(in_table("nets"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_net(&mut self, vni: Vni) -> Done {
        absent(self.tables.nets.remove(&vni.as_u32())).map_err(in_table("nets"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn nets(&self) -> Result<BTreeSet<Vni>, TableError> {
        listed("nets", self.tables.nets.iter(), |(vni, _)| Vni::try_from(vni).ok())
    }

    /// # Errors
    /// The kernel refused.
    pub fn put_subnet(&mut self, subnet: Subnet) -> Done {
        let Subnet { vni, range, gateway } = subnet;
        let tables = &mut self.tables;
        match (range, gateway) {
            (IpNet::V4(range), IpAddr::V4(gateway)) => {
                tables.subnets.insert(&Scoped::key(vni, range), SubnetRow::new(gateway), 0)
            }
            (IpNet::V6(range), IpAddr::V6(gateway)) => {
                tables.subnets6.insert(&Scoped6::key(vni, range), Subnet6Row::new(gateway), 0)
            }
            _ => return Err(TableError::Gateway(gateway)),
        }
        .map_err(in_table("subnets"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_subnet(&mut self, vni: Vni, range: IpNet) -> Done {
        absent(match range {
            IpNet::V4(v4) => self.tables.subnets.remove(&Scoped::key(vni, v4)),
            IpNet::V6(v6) => self.tables.subnets6.remove(&Scoped6::key(vni, v6)),
        })
        .map_err(in_table("subnets"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn subnets(&self) -> Result<BTreeSet<Subnet>, TableError> {
        let subnet =
            |(vni, range), gateway| Some(Subnet { vni: Vni::try_from(vni).ok()?, range, gateway });
        let of_ipv4 = self.tables.subnets.iter();
        let of_ipv6 = self.tables.subnets6.iter();
        let mut found: BTreeSet<_> =
            listed("subnets", of_ipv4, |(key, row)| subnet(Scoped::read(&key)?, row.gateway()))?;
        found.extend(listed::<_, _, Vec<_>>("subnets6", of_ipv6, |(key, row)| {
            subnet(Scoped6::read(&key)?, row.gateway())
        })?);
        Ok(found)
    }

    /// # Errors
    /// No way or too many, or the kernel refused (a full table).
    pub fn put_route(&mut self, route: &Route) -> Done {
        let row = RouteRow::new(&route.ways).ok_or(TableError::Ways(route.ways.len()))?;
        let (vni, tables) = (route.vni, &mut self.tables);
        let written = match route.prefix {
            IpNet::V4(v4) => tables.routes.insert(&Scoped::key(vni, v4), row, 0),
            IpNet::V6(v6) => tables.routes6.insert(&Scoped6::key(vni, v6), row, 0),
        }
        .map_err(in_table("routes"));
        self.count_change(Changed::Net(route.vni.as_u32()), written)
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_route(&mut self, vni: Vni, prefix: IpNet) -> Done {
        let erased = absent(match prefix {
            IpNet::V4(v4) => self.tables.routes.remove(&Scoped::key(vni, v4)),
            IpNet::V6(v6) => self.tables.routes6.remove(&Scoped6::key(vni, v6)),
        })
        .map_err(in_table("routes"));
        self.count_change(Changed::Net(vni.as_u32()), erased)
    }

    /// # Errors
    /// The kernel refused.
    pub fn routes(&self) -> Result<Vec<Route>, TableError> {
        let route = |(vni, prefix), row: RouteRow| {
            let ways = Some(row.ways()).filter(|ways| !ways.is_empty())?;
            Some(Route { vni: Vni::try_from(vni).ok()?, prefix, ways })
        };
        let mut found: Vec<_> = listed("routes", self.tables.routes.iter(), |(key, row)| {
            route(Scoped::read(&key)?, row)
        })?;
        found.extend(listed::<_, _, Vec<_>>(
            "routes6",
            self.tables.routes6.iter(),
            |(key, row)| route(Scoped6::read(&key)?, row),
        )?);
        found.sort_unstable_by_key(|route| (route.vni, route.prefix));
        Ok(found)
    }

    /// # Errors
    /// The kernel refused (a full table).
    pub fn put_nic(&mut self, nic: &Nic) -> Done {
        let (vni, row) = (nic.vni, NicRow::new(nic));
        let written = match nic.address {
            IpAddr::V4(v4) => self.tables.nics.insert(AddressKey::new(vni, v4), row, 0),
            IpAddr::V6(v6) => self.tables.nics6.insert(Address6Key::new(vni, v6), row, 0),
        }
        .map_err(in_table("nics"));
        self.count_change(Changed::Net(nic.vni.as_u32()), written)
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_nic(&mut self, vni: Vni, address: IpAddr) -> Done {
        let erased = absent(match address {
            IpAddr::V4(v4) => self.tables.nics.remove(&AddressKey::new(vni, v4)),
            IpAddr::V6(v6) => self.tables.nics6.remove(&Address6Key::new(vni, v6)),
        })
        .map_err(in_table("nics"));
        self.count_change(Changed::Net(vni.as_u32()), erased)
    }

    /// # Errors
    /// The kernel refused.
    pub fn nics(&self) -> Result<Vec<Nic>, TableError> {
        let mut found: Vec<_> = listed("nics", self.tables.nics.iter(), |(key, row)| row.nic(key))?;
        let of_ipv6 = self.tables.nics6.iter();
        found.extend(listed::<_, _, Vec<_>>("nics6", of_ipv6, |(key, row)| key.nic(row))?);
        found.sort_unstable_by_key(|nic| (nic.vni, nic.address));
        Ok(found)
    }
}

/// What the packets say.
impl Dataplane {
    /// The uplink that [`Dataplane::attach_fabric`] was last given.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn uplink(&self) -> Result<Option<Uplink>, TableError> {
        Ok(self.tables.router.get(&0, 0).map_err(in_table("router"))?.uplink())
    }

    /// Up to `limit` flows, in no order.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn flows(&self, limit: usize) -> Result<Vec<Flow>, TableError> {
        let of_ipv4 = self.tables.flows.iter().take(limit);
        let mut found: Vec<_> = listed("flows", of_ipv4, |(key, row)| row.flow(key))?;
        let of_ipv6 = self.tables.flows6.iter().take(limit - found.len().min(limit));
        found.extend(listed::<_, _, Vec<_>>("flows6", of_ipv6, |(key, row)| key.flow(row))?);
        Ok(found)
    }

    /// The VLANs that have an interface on a port.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn vlans(&self, port_ifindex: u32) -> Result<BTreeSet<Vlan>, TableError> {
        let interfaces = self.interfaces()?.into_iter();
        Ok(interfaces.filter(|i| i.port_ifindex == port_ifindex).map(|i| i.vlan).collect())
    }
}

/// Rows that can be read. One that goes away under the walk is not there.
pub(crate) fn listed<R, T, C: FromIterator<T>>(
    table: &'static str,
    rows: impl Iterator<Item = Result<R, MapError>>,
    read: impl Fn(R) -> Option<T>,
) -> Result<C, TableError> {
    rows.filter_map(|row| match row {
        Ok(row) => read(row).map(Ok),
        Err(e) if is_absent(&e) => None,
        Err(e) => Some(Err(in_table(table)(e))),
    })
    .collect()
}

pub(crate) fn in_table(table: &'static str) -> impl Fn(MapError) -> TableError {
    move |source| TableError::Map { table, source }
}

/// To remove what is not there is no error.
pub(crate) fn absent(outcome: Result<(), MapError>) -> Result<(), MapError> {
    present(outcome).map(|_| ())
}

pub(crate) fn present<T>(outcome: Result<T, MapError>) -> Result<Option<T>, MapError> {
    match outcome {
        Ok(row) => Ok(Some(row)),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

fn is_absent(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound | MapError::ElementNotFound => true,
        MapError::SyscallError(e) => e.io_error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}
