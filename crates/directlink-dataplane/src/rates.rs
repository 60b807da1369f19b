//! Rates: how much a port and an interface may carry, each way.
//!
//! ```text
//! ports    ifindex ──► limit        1 …  1023   the connection's bandwidth, of all VLANs together
//! limits   limit ──► rate, burst    1024 + number   an interface's own
//! ```
//!
//! Only what is forwarded counts, not what the router itself is sent or says: a customer at the
//! limit keeps BGP. How packets count it is in `ebpf/rate.h`. Apart from `handle.rs` because a
//! limit is not a row like others: the packets keep state beside it.

use crate::{
    changes::Changed,
    handle::{Done, TableError, absent, in_table, listed, present},
    load::Dataplane,
    rows::{InterfaceNumber, Rate},
    tables::{LimitRow, PORT_LIMITS, PortRow},
};
use std::collections::{BTreeMap, BTreeSet};

impl Dataplane {
    /// What a port carries at most, each way: its connection's bandwidth.
    ///
    /// # Errors
    /// More than 1,023 ports, or the kernel refused.
    pub fn put_port_rate(&mut self, port_ifindex: u32, rate: Rate) -> Done {
        let written = self.write_port_rate(port_ifindex, rate);
        self.count_change(Changed::Interface, written)
    }

    fn write_port_rate(&mut self, port_ifindex: u32, rate: Rate) -> Done {
        let known = present(self.tables.ports.get(&port_ifindex, 0)).map_err(in_table("ports"))?;
        if let Some(row) = known {
            return self.limit(row.limit(), Some(rate));
        }
        let taken: BTreeSet<u32> =
            listed("ports", self.tables.ports.iter(), |(_, row)| Some(row.limit()))?;
        let free = (1..PORT_LIMITS).find(|limit| !taken.contains(limit));
        let limit = free.ok_or(TableError::Ports)?;
        self.limit(limit, Some(rate))?;
        self.tables.ports.insert(port_ifindex, PortRow::new(limit), 0).map_err(in_table("ports"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_port_rate(&mut self, port_ifindex: u32) -> Done {
        let known = present(self.tables.ports.get(&port_ifindex, 0)).map_err(in_table("ports"))?;
        let Some(row) = known else { return Ok(()) };
        let removed = absent(self.tables.ports.remove(&port_ifindex)).map_err(in_table("ports"));
        let unlimited = removed.and_then(|()| self.limit(row.limit(), None));
        self.count_change(Changed::Interface, unlimited)
    }

    /// Of each port that has one, by ifindex.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn port_rates(&self) -> Result<BTreeMap<u32, Rate>, TableError> {
        let ports: Vec<_> = listed("ports", self.tables.ports.iter(), |(ifindex, row)| {
            Some((ifindex, row.limit()))
        })?;
        let rate = |(ifindex, limit)| Ok(self.rate_of(limit)?.map(|rate| (ifindex, rate)));
        ports.into_iter().filter_map(|port| rate(port).transpose()).collect()
    }

    pub(crate) fn limit_interface(&mut self, number: InterfaceNumber, rate: Option<Rate>) -> Done {
        self.limit(interface_limit(number), rate)
    }

    pub(crate) fn interface_rate(
        &self,
        number: InterfaceNumber,
    ) -> Result<Option<Rate>, TableError> {
        self.rate_of(interface_limit(number))
    }

    fn limit(&mut self, limit: u32, rate: Option<Rate>) -> Done {
        let row = rate.map_or(LimitRow::NONE, LimitRow::new);
        self.tables.limits.set(limit, row, 0).map_err(in_table("limits"))
    }

    fn rate_of(&self, limit: u32) -> Result<Option<Rate>, TableError> {
        let row = self.tables.limits.get(&limit, 0).map_err(in_table("limits"))?;
        Ok(row.rate())
    }
}

fn interface_limit(number: InterfaceNumber) -> u32 {
    PORT_LIMITS + u32::from(number)
}
