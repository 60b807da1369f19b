//! Single rows, for a looking glass: what the packets meet now, whatever anybody remembers.

use crate::{
    handle::{TableError, in_table, present},
    load::Dataplane,
    rows::{Interface, InterfaceNumber},
    tables::{RouteRow, Scoped, Scoped6},
};
use directlink_net::{IpNet, Mac, Vni};
use std::net::Ipv4Addr;

/// Where a row leads: equally good ways, one of which each flow takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leads {
    /// To customers' routers here.
    pub ways: Vec<InterfaceNumber>,
    /// To other routers of the Region.
    pub routers: Vec<Ipv4Addr>,
}

impl Dataplane {
    /// # Errors
    /// The kernel refused.
    pub fn interface(&self, number: InterfaceNumber) -> Result<Option<Interface>, TableError> {
        let Some((key, row)) = self.interface_row(number)? else { return Ok(None) };
        let (rate, peers6) = (self.interface_rate(number)?, self.peers6(number.into())?);
        Ok(row.interface(key, rate, peers6))
    }

    /// The MAC that packets of that way are sent to.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn neighbour(&self, way: InterfaceNumber) -> Result<Option<Mac>, TableError> {
        let row = self.tables.neighbours.get(&way.into(), 0);
        Ok(row.map_err(in_table("neighbours"))?.mac())
    }

    /// What the longest matching row says of a prefix.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn lookup(&self, vni: Vni, prefix: IpNet) -> Result<Option<Leads>, TableError> {
        let tables = &self.tables;
        let row = match prefix {
            IpNet::V4(v4) => tables.routes.get(&Scoped::key(vni, v4), 0),
            IpNet::V6(v6) => tables.routes6.get(&Scoped6::key(vni, v6), 0),
        };
        let row: Option<RouteRow> = present(row).map_err(in_table("routes"))?;
        Ok(row.map(|row| Leads { ways: row.ways(), routers: row.routers() }))
    }

    /// Whether packets from that prefix are let in.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn lets_in(&self, interface: InterfaceNumber, prefix: IpNet) -> Result<bool, TableError> {
        let tables = &self.tables;
        let row = match prefix {
            IpNet::V4(v4) => tables.sources.get(&Scoped::key(interface, v4), 0),
            IpNet::V6(v6) => tables.sources6.get(&Scoped6::key(interface, v6), 0),
        };
        Ok(present(row).map_err(in_table("sources"))?.is_some())
    }
}
