//! Writing the tables, and listing what is really in them.
//!
//! Every setter is idempotent (to put a row twice, or to remove one that is not there, is no
//! error), so that a second pass over the same wants changes nothing. Every table that a
//! setter writes can be listed: the agent compares its wants with that, not with what it
//! remembers.
//!
//! What a packet's shortcut may have come from is counted as a change after it was written
//! (`changes.rs`).
//!
//! Order within a setter is such that a packet in between is dropped, never misled: what
//! a row refers to is written before it, and removed after it.

use crate::{
    changes::Changed,
    load::Dataplane,
    rows::{
        Flow, Interface, InterfaceNumber, Nic, Route, Rule, RuleSet, RuleSetNumber, Source, Subnet,
        Uplink,
    },
    tables::{
        AddressKey, Direction, InterfaceKey, InterfaceRow, NicRow, PresenceRow, RULE_ROWS_PER_SET,
        RULES_PER_ROW, RouteRow, RuleKey, RuleRow, Scoped, SubnetRow,
    },
};
use aya::maps::MapError;
use directlink_net::{Ipv4Net, Vlan, Vni};
use std::{collections::BTreeSet, io, net::Ipv4Addr};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum TableError {
    #[error("table {table}: {source}")]
    Map { table: &'static str, source: MapError },
    #[error("cannot count this machine's processors: {0}")]
    Processors(io::Error),
    #[error("a route has 1 to 4 ways, not {0}")]
    Ways(usize),
    #[error("a prefix is relayed to 1 to 4 VTEPs of routers, not {0:?}")]
    Routers(Vec<Ipv4Addr>),
    #[error("an interface has 1 or 2 peers, not {0}")]
    Peers(usize),
    #[error("a router has at most 1023 ports with a rate")]
    Ports,
    #[error("a rule set holds at most 512 rules each way, not {0}")]
    Rules(usize),
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
        let before = self.interface_row(interface.number)?;
        if before.is_none_or(|(_, row)| row.number() != Some(interface.number)) {
            self.start_tallies(interface.number)?;
        }
        if interface.slow_ifindex != 0 {
            self.tables
                .slow_links
                .insert(interface.slow_ifindex, number, 0)
                .map_err(in_table("slow_links"))?;
        }
        for number in row.ways().map(u32::from).chain([number]) {
            self.tables.interface_keys.set(number, key, 0).map_err(in_table("interface_keys"))?;
        }
        self.limit_interface(interface.number, interface.rate)?;
        self.tables.interfaces.insert(key, row, 0).map_err(in_table("interfaces"))?;
        match before {
            Some((old_key, old_row)) => self.forget_former(old_key, &old_row, key, &row),
            None => Ok(()),
        }
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
            for way in row.ways() {
                self.forget_way(way, InterfaceKey::NONE)?;
            }
        }
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
        let rows: Vec<_> = listed("interfaces", self.tables.interfaces.iter(), Some)?;
        let mut found = Vec::with_capacity(rows.len());
        for (key, row) in rows {
            let rate = row.number().map(|number| self.interface_rate(number)).transpose()?;
            found.extend(row.interface(key, rate.flatten()));
        }
        found.sort_unstable_by_key(|interface| interface.number);
        Ok(found)
    }

    /// # Errors
    /// The kernel refused (a full table).
    pub fn put_source(&mut self, Source { interface, prefix }: Source) -> Done {
        self.tables
            .sources
            .insert(&Scoped::key(interface, prefix), PresenceRow::default(), 0)
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
        absent(self.tables.sources.remove(&Scoped::key(interface, prefix)))
            .map_err(in_table("sources"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn sources(&self) -> Result<BTreeSet<Source>, TableError> {
        listed("sources", self.tables.sources.keys().map(|key| Ok((key?, ()))), |(key, ())| {
            let (number, prefix) = Scoped::read(&key)?;
            Some(Source { interface: InterfaceNumber::try_from(number).ok()?, prefix })
        })
    }

    fn interface_row(
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
        for way in old_row.ways().filter(|way| !row.ways().any(|stays| stays == *way)) {
            let is_number = row.number() == Some(way);
            self.forget_way(way, if is_number { key } else { InterfaceKey::NONE })?;
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
        self.tables
            .subnets
            .insert(&Scoped::key(subnet.vni, subnet.range), SubnetRow::new(subnet.gateway), 0)
            .map_err(in_table("subnets"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_subnet(&mut self, vni: Vni, range: Ipv4Net) -> Done {
        absent(self.tables.subnets.remove(&Scoped::key(vni, range))).map_err(in_table("subnets"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn subnets(&self) -> Result<BTreeSet<Subnet>, TableError> {
        listed("subnets", self.tables.subnets.iter(), |(key, row)| {
            let (vni, range) = Scoped::read(&key)?;
            Some(Subnet { vni: Vni::try_from(vni).ok()?, range, gateway: row.gateway() })
        })
    }

    /// # Errors
    /// No way or too many, or the kernel refused (a full table).
    pub fn put_route(&mut self, route: &Route) -> Done {
        let row = RouteRow::new(&route.ways).ok_or(TableError::Ways(route.ways.len()))?;
        let key = Scoped::key(route.vni, route.prefix);
        let written = self.tables.routes.insert(&key, row, 0).map_err(in_table("routes"));
        self.count_change(Changed::Net(route.vni.as_u32()), written)
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_route(&mut self, vni: Vni, prefix: Ipv4Net) -> Done {
        let key = Scoped::key(vni, prefix);
        let erased = absent(self.tables.routes.remove(&key)).map_err(in_table("routes"));
        self.count_change(Changed::Net(vni.as_u32()), erased)
    }

    /// # Errors
    /// The kernel refused.
    pub fn routes(&self) -> Result<Vec<Route>, TableError> {
        let mut found: Vec<_> = listed("routes", self.tables.routes.iter(), |(key, row)| {
            let (vni, prefix) = Scoped::read(&key)?;
            let ways = Some(row.ways()).filter(|ways| !ways.is_empty())?;
            Some(Route { vni: Vni::try_from(vni).ok()?, prefix, ways })
        })?;
        found.sort_unstable_by_key(|route| (route.vni, route.prefix));
        Ok(found)
    }

    /// # Errors
    /// The kernel refused (a full table).
    pub fn put_nic(&mut self, nic: &Nic) -> Done {
        let key = AddressKey::new(nic.vni, nic.address);
        let written = self.tables.nics.insert(key, NicRow::new(nic), 0).map_err(in_table("nics"));
        self.count_change(Changed::Net(nic.vni.as_u32()), written)
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_nic(&mut self, vni: Vni, address: Ipv4Addr) -> Done {
        let key = AddressKey::new(vni, address);
        let erased = absent(self.tables.nics.remove(&key)).map_err(in_table("nics"));
        self.count_change(Changed::Net(vni.as_u32()), erased)
    }

    /// # Errors
    /// The kernel refused.
    pub fn nics(&self) -> Result<Vec<Nic>, TableError> {
        let mut found: Vec<_> = listed("nics", self.tables.nics.iter(), |(key, row)| row.nic(key))?;
        found.sort_unstable_by_key(|nic| (nic.vni, nic.address));
        Ok(found)
    }
}

/// Security groups.
impl Dataplane {
    /// Writes a set of rules. Put it before the NIC that names it, and never over a set that
    /// a NIC names: packets would meet it half written.
    ///
    /// # Errors
    /// More than 512 rules one way, or the kernel refused (a full table).
    pub fn put_rule_set(&mut self, number: RuleSetNumber, set: &RuleSet) -> Done {
        for (direction, rules) in Direction::BOTH.into_iter().zip([&set.inbound, &set.outbound]) {
            if rules.len() > RULES_PER_ROW * RULE_ROWS_PER_SET {
                return Err(TableError::Rules(rules.len()));
            }
            for (row, chunk) in (0..).zip(rule_chunks(rules)) {
                self.tables
                    .rules
                    .insert(RuleKey::new(number, direction, row), RuleRow::new(chunk), 0)
                    .map_err(in_table("rules"))?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_rule_set(&mut self, number: RuleSetNumber) -> Done {
        for direction in Direction::BOTH {
            for row in 0.. {
                let key = RuleKey::new(number, direction, row);
                match self.tables.rules.remove(&key) {
                    Ok(()) => {}
                    Err(e) if is_absent(&e) => break,
                    Err(e) => return Err(in_table("rules")(e)),
                }
            }
        }
        Ok(())
    }

    /// `None` if there is no such set.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn rule_set(&self, number: RuleSetNumber) -> Result<Option<RuleSet>, TableError> {
        let inbound = self.rules(number, Direction::Inbound)?;
        let outbound = self.rules(number, Direction::Outbound)?;
        Ok(inbound.zip(outbound).map(|(inbound, outbound)| RuleSet { inbound, outbound }))
    }

    /// The numbers of all sets.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn rule_sets(&self) -> Result<BTreeSet<RuleSetNumber>, TableError> {
        listed("rules", self.tables.rules.keys().map(|key| Ok((key?, ()))), |(key, ())| {
            key.rule_set()
        })
    }

    fn rules(
        &self,
        number: RuleSetNumber,
        direction: Direction,
    ) -> Result<Option<Vec<Rule>>, TableError> {
        let mut found = None;
        for row in 0.. {
            let key = RuleKey::new(number, direction, row);
            match present(self.tables.rules.get(&key, 0)).map_err(in_table("rules"))? {
                Some(row) => found.get_or_insert_with(Vec::new).extend(row.rules()),
                None => break,
            }
        }
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
        listed("flows", self.tables.flows.iter().take(limit), |(key, row)| row.flow(key))
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

/// At least one row, so that an empty set is a set that is there.
fn rule_chunks(rules: &[Rule]) -> impl Iterator<Item = &[Rule]> {
    let empty = rules.is_empty().then_some([].as_slice());
    empty.into_iter().chain(rules.chunks(RULES_PER_ROW))
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
