//! BFD sessions that the packet programs keep Up while the agent is silent (`ebpf/bfd.h`).
//!
//! A handle of its own beside [`Dataplane`]: BFD has a thread of its own, which waits for nobody.

use crate::{
    handle::{TableError, absent, in_table, present},
    load::{Dataplane, LAYOUT, OpenError, pinned, tables_dir},
    rows::InterfaceNumber,
    tables::{BfdKey, BfdRow},
};
use aya::maps::{HashMap, MapData};
use std::{
    net::Ipv4Addr,
    num::{NonZeroU8, NonZeroU32},
    time::Duration,
};

/// A session that is Up. Times are since the zero of CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// Our address.
    pub router: Ipv4Addr,
    pub source_port: u16,
    pub discriminator: NonZeroU32,
    pub detect_mult: NonZeroU8,
    pub desired_tx_micros: u32,
    pub required_rx_micros: u32,
    pub their_discriminator: NonZeroU32,
    pub their_detect_mult: NonZeroU8,
    pub their_desired_tx_micros: u32,
    pub their_required_rx_micros: u32,
    /// When the agent last spoke.
    pub sent: Duration,
    /// After so much silence of the agent the programs speak,
    pub silence: Duration,
    /// and after so much no longer.
    pub patience: Duration,
    /// When the customer was last heard, by whomever.
    pub heard: Duration,
}

/// The table of these, by interface and the customer's address.
#[derive(Debug)]
pub struct StandIns(HashMap<MapData, BfdKey, BfdRow>);

const TABLE: &str = "bfd_sessions";

impl Dataplane {
    /// # Errors
    /// The table is not to be had.
    pub fn stand_ins(&self) -> Result<StandIns, OpenError> {
        pinned(&tables_dir(&self.pin_dir, LAYOUT), TABLE).map(StandIns)
    }
}

impl StandIns {
    /// # Errors
    /// The kernel refused (a full table).
    pub fn put(
        &mut self,
        interface: InterfaceNumber,
        customer: Ipv4Addr,
        session: &StandIn,
    ) -> Result<(), TableError> {
        let key = BfdKey::new(interface.into(), customer);
        self.0.insert(key, BfdRow::new(session), 0).map_err(in_table(TABLE))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove(
        &mut self,
        interface: InterfaceNumber,
        customer: Ipv4Addr,
    ) -> Result<(), TableError> {
        let key = BfdKey::new(interface.into(), customer);
        absent(self.0.remove(&key)).map_err(in_table(TABLE))
    }

    /// `None`: there is none, or the customer has ended it.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn get(
        &self,
        interface: InterfaceNumber,
        customer: Ipv4Addr,
    ) -> Result<Option<StandIn>, TableError> {
        let key = BfdKey::new(interface.into(), customer);
        let row = present(self.0.get(&key, 0)).map_err(in_table(TABLE))?;
        Ok(row.and_then(BfdRow::stand_in))
    }
}
