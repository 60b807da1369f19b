//! BFD sessions that the packet programs keep Up while the agent is silent (`ebpf/bfd.h`).
//!
//! A handle of its own beside [`Dataplane`]: BFD has a thread of its own, which waits for nobody.

use crate::{
    handle::{TableError, absent, in_table, present},
    load::{Dataplane, LAYOUT, OpenError, pinned, tables_dir},
    rows::InterfaceNumber,
    tables::{Bfd6Key, Bfd6Row, BfdKey, BfdRow},
};
use aya::maps::{HashMap, MapData};
use std::{
    net::IpAddr,
    num::{NonZeroU8, NonZeroU32},
    time::Duration,
};

/// A session that is Up. Times are since the zero of CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// Our address, of the customer's family.
    pub router: IpAddr,
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

/// The tables of these, by interface and the customer's address.
#[derive(Debug)]
pub struct StandIns {
    v4: HashMap<MapData, BfdKey, BfdRow>,
    v6: HashMap<MapData, Bfd6Key, Bfd6Row>,
}

const TABLE: &str = "bfd_sessions";
const TABLE6: &str = "bfd6_sessions";

impl Dataplane {
    /// # Errors
    /// The tables are not to be had.
    pub fn stand_ins(&self) -> Result<StandIns, OpenError> {
        let dir = tables_dir(&self.pin_dir, LAYOUT);
        Ok(StandIns { v4: pinned(&dir, TABLE)?, v6: pinned(&dir, TABLE6)? })
    }
}

impl StandIns {
    /// # Errors
    /// The kernel refused (a full table), or the addresses are of two families.
    pub fn put(
        &mut self,
        interface: InterfaceNumber,
        customer: IpAddr,
        session: &StandIn,
    ) -> Result<(), TableError> {
        let interface = interface.into();
        match (session.router, customer) {
            (IpAddr::V4(router), IpAddr::V4(customer)) => {
                let (key, row) = (BfdKey::new(interface, customer), BfdRow::new(session, router));
                self.v4.insert(key, row, 0).map_err(in_table(TABLE))
            }
            (IpAddr::V6(router), IpAddr::V6(customer)) => {
                let (key, row) = (Bfd6Key::new(interface, customer), Bfd6Row::new(session, router));
                self.v6.insert(key, row, 0).map_err(in_table(TABLE6))
            }
            (router, customer) => Err(TableError::TwoFamilies { router, customer }),
        }
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove(
        &mut self,
        interface: InterfaceNumber,
        customer: IpAddr,
    ) -> Result<(), TableError> {
        let interface = interface.into();
        match customer {
            IpAddr::V4(customer) => {
                absent(self.v4.remove(&BfdKey::new(interface, customer))).map_err(in_table(TABLE))
            }
            IpAddr::V6(customer) => {
                absent(self.v6.remove(&Bfd6Key::new(interface, customer))).map_err(in_table(TABLE6))
            }
        }
    }

    /// `None`: there is none, or the customer has ended it.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn get(
        &self,
        interface: InterfaceNumber,
        customer: IpAddr,
    ) -> Result<Option<StandIn>, TableError> {
        let interface = interface.into();
        match customer {
            IpAddr::V4(customer) => present(self.v4.get(&BfdKey::new(interface, customer), 0))
                .map(|row| row.and_then(BfdRow::stand_in))
                .map_err(in_table(TABLE)),
            IpAddr::V6(customer) => present(self.v6.get(&Bfd6Key::new(interface, customer), 0))
                .map(|row| row.and_then(Bfd6Row::stand_in))
                .map_err(in_table(TABLE6)),
        }
    }
}
