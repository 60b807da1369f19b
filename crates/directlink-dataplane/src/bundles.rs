//! Ports that are part of a bundle: their LACP goes up to the agent, and is answered while that is silent
//! (`ebpf/lacp.h`); what one of them has, all carry that are in use (`ebpf/bundle.h`).
//!
//! A handle of its own beside [`Dataplane`]: LACP has a thread of its own, which waits for nobody.

use crate::{
    changes::Changed,
    handle::{TableError, absent, in_table, listed, present},
    load::{Dataplane, LAYOUT, OpenError, pinned, tables_dir},
    tables::BundledPortRow,
};
use aya::maps::{HashMap, MapData};
use directlink_net::{Mac, Vni};
use std::{collections::BTreeMap, time::Duration};

/// What the programs say for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundledPort {
    pub mac: Mac,
    /// What the agent last said of itself, as it stands in an LACPDU behind type and length.
    pub said: [u8; Self::SAID],
    /// The customer's part of the last one that came, whoever took it. All zero: none did.
    pub heard: [u8; Self::SAID],
    /// The indices of the bundle's ports, this one among them; 0: no more. What one of them has is taken from
    /// the customer by each whose state says that it collects, and spread over those that distribute.
    pub ports: [u32; Self::PORTS_MAX],
    /// When the agent last lived, since the zero of CLOCK_MONOTONIC: 1.9 s later the programs speak.
    pub alive: Duration,
}

impl BundledPort {
    /// System priority, system, key, port priority, port and states.
    pub const SAID: usize = 15;
    /// A LAG has no more connections.
    pub const PORTS_MAX: usize = 4;
}

/// The table of these, by the port's index.
#[derive(Debug)]
pub struct BundledPorts(HashMap<MapData, u32, BundledPortRow>);

const TABLE: &str = "bundled_ports";

impl Dataplane {
    /// # Errors
    /// The table is not to be had.
    pub fn bundled_ports(&self) -> Result<BundledPorts, OpenError> {
        Ok(BundledPorts(pinned(&tables_dir(&self.pin_dir, LAYOUT), TABLE)?))
    }

    /// Other ports of bundles than before are in use for what the Net sends: its flows choose theirs anew.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn bundles_changed(&mut self, vni: Vni) -> Result<(), TableError> {
        self.count_change(Changed::Net(vni.as_u32()), Ok(()))
    }
}

impl BundledPorts {
    /// Makes or replaces the port's row. How many PDUs the port has taken lately stays as it is.
    ///
    /// # Errors
    /// The kernel refused (a full table).
    pub fn put(&mut self, ifindex: u32, port: &BundledPort) -> Result<(), TableError> {
        let before = present(self.0.get(&ifindex, 0)).map_err(in_table(TABLE))?;
        let row = BundledPortRow::new(port, before.as_ref());
        self.0.insert(ifindex, row, 0).map_err(in_table(TABLE))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove(&mut self, ifindex: u32) -> Result<(), TableError> {
        absent(self.0.remove(&ifindex)).map_err(in_table(TABLE))
    }

    /// # Errors
    /// The kernel refused.
    pub fn get(&self, ifindex: u32) -> Result<Option<BundledPort>, TableError> {
        let row = present(self.0.get(&ifindex, 0)).map_err(in_table(TABLE))?;
        Ok(row.map(BundledPortRow::port))
    }

    /// # Errors
    /// The kernel refused.
    pub fn list(&self) -> Result<BTreeMap<u32, BundledPort>, TableError> {
        listed(TABLE, self.0.iter(), |(ifindex, row)| Some((ifindex, row.port())))
    }
}
