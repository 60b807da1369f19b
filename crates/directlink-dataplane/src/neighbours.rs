//! The customer routers' MACs: the one table that both the agent and the packets write.
//!
//! A packet reads it each time, so a MAC that the kernel resolved anew holds at once. Apart from
//! the other setters because a row is never absent, only empty.

use crate::{
    handle::{Done, TableError, in_table},
    load::Dataplane,
    rows::InterfaceNumber,
    tables::NeighbourRow,
};
use directlink_net::Mac;
use std::collections::BTreeMap;

impl Dataplane {
    /// The kernel teaches these itself (see the crate's drawing); an agent has no need to.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn put_neighbour(&mut self, way: InterfaceNumber, mac: Mac) -> Done {
        self.set_neighbour(way, NeighbourRow::new(mac))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_neighbour(&mut self, way: InterfaceNumber) -> Done {
        self.set_neighbour(way, NeighbourRow::NONE)
    }

    /// The customer routers' MACs, by way, as the kernel last resolved them.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn neighbours(&self) -> Result<BTreeMap<InterfaceNumber, Mac>, TableError> {
        let known = |number: InterfaceNumber| {
            let row = self.tables.neighbours.get(&number.into(), 0);
            let mac = row.map_err(in_table("neighbours"))?.mac();
            Ok(mac.map(|mac| (number, mac)))
        };
        let interfaces = self.interfaces()?.into_iter();
        let ways = interfaces.flat_map(|interface| interface.peers).map(|peer| peer.way);
        ways.filter_map(|way| known(way).transpose()).collect()
    }

    fn set_neighbour(&mut self, way: InterfaceNumber, row: NeighbourRow) -> Done {
        self.tables.neighbours.set(way.into(), row, 0).map_err(in_table("neighbours"))
    }
}
