//! Ports that are part of a bundle: their LACP goes up to the agent, and is answered while that is silent
//! (`ebpf/lacp.h`).
//!
//! A handle of its own beside [`Dataplane`]: LACP has a thread of its own, which waits for nobody.

use crate::{
    handle::{TableError, absent, in_table, listed, present},
    load::{Dataplane, LAYOUT, OpenError, pinned, tables_dir},
    tables::BundledPortRow,
};
use aya::maps::{HashMap, MapData};
use directlink_net::Mac;
use std::{collections::BTreeMap, time::Duration};

/// What the programs say for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundledPort {
    pub mac: Mac,
    /// What the agent last said of itself, as it stands in an LACPDU behind type and length.
    pub said: [u8; Self::SAID],
    /// The customer's part of the last one that came, whoever took it. All zero: none did.
    pub heard: [u8; Self::SAID],
    /// When the agent last lived, since the zero of CLOCK_MONOTONIC: 1.9 s later the programs speak.
    pub alive: Duration,
}

impl BundledPort {
    /// System priority, system, key, port priority, port and states.
    pub const SAID: usize = 15;
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
}

impl BundledPorts {
    /// # Errors
    /// The kernel refused (a full table).
    pub fn put(&mut self, ifindex: u32, port: &BundledPort) -> Result<(), TableError> {
        self.0.insert(ifindex, BundledPortRow::new(port), 0).map_err(in_table(TABLE))
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
