//! BFD sessions as the packet programs answer in them.

use super::v6::Address6;
use crate::stand_ins::StandIn;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::{NonZeroU8, NonZeroU32},
    time::Duration,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct BfdKey {
    pub(super) interface: u32,
    pub(super) customer: [u8; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct BfdRow {
    pub(super) sent_ns: u64,
    pub(super) silence_ns: u64,
    pub(super) patience_ns: u64,
    pub(super) heard_ns: u64,
    pub(super) router: [u8; 4],
    pub(super) discriminator: [u8; 4],
    pub(super) desired_tx: [u8; 4],
    pub(super) required_rx: [u8; 4],
    pub(super) their_discriminator: [u8; 4],
    pub(super) their_desired_tx: [u8; 4],
    pub(super) their_required_rx: [u8; 4],
    pub(super) source_port: [u8; 2],
    pub(super) detect_mult: u8,
    pub(super) their_detect_mult: u8,
    pub(super) over: u32,
    pub(super) zero: u32,
}

/// The same for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Bfd6Key {
    pub(super) interface: u32,
    pub(super) customer: Address6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Bfd6Row {
    /// Its `router` is zero.
    pub(super) session: BfdRow,
    pub(super) router: Address6,
}

impl Bfd6Key {
    pub(crate) fn new(interface: u32, customer: Ipv6Addr) -> Self {
        Self { interface, customer: customer.into() }
    }
}

impl Bfd6Row {
    pub(crate) fn new(of: &StandIn, router: Ipv6Addr) -> Self {
        Self { session: BfdRow::new(of, Ipv4Addr::UNSPECIFIED), router: router.into() }
    }

    /// `None`: the customer has ended it.
    pub(crate) fn stand_in(self) -> Option<StandIn> {
        self.session.by_router(Ipv6Addr::from(self.router).into())
    }
}

impl BfdKey {
    pub(crate) const fn new(interface: u32, customer: Ipv4Addr) -> Self {
        Self { interface, customer: customer.octets() }
    }
}

impl BfdRow {
    pub(crate) fn new(of: &StandIn, router: Ipv4Addr) -> Self {
        Self {
            sent_ns: nanoseconds(of.sent),
            silence_ns: nanoseconds(of.silence),
            patience_ns: nanoseconds(of.patience),
            heard_ns: nanoseconds(of.heard),
            router: router.octets(),
            discriminator: of.discriminator.get().to_be_bytes(),
            desired_tx: of.desired_tx_micros.to_be_bytes(),
            required_rx: of.required_rx_micros.to_be_bytes(),
            their_discriminator: of.their_discriminator.get().to_be_bytes(),
            their_desired_tx: of.their_desired_tx_micros.to_be_bytes(),
            their_required_rx: of.their_required_rx_micros.to_be_bytes(),
            source_port: of.source_port.to_be_bytes(),
            detect_mult: of.detect_mult.get(),
            their_detect_mult: of.their_detect_mult.get(),
            over: 0,
            zero: 0,
        }
    }

    /// `None`: the customer has ended it.
    pub(crate) fn stand_in(self) -> Option<StandIn> {
        self.by_router(Ipv4Addr::from(self.router).into())
    }

    fn by_router(self, router: IpAddr) -> Option<StandIn> {
        if self.over != 0 {
            return None;
        }
        Some(StandIn {
            router,
            source_port: u16::from_be_bytes(self.source_port),
            discriminator: NonZeroU32::new(u32::from_be_bytes(self.discriminator))?,
            detect_mult: NonZeroU8::new(self.detect_mult)?,
            desired_tx_micros: u32::from_be_bytes(self.desired_tx),
            required_rx_micros: u32::from_be_bytes(self.required_rx),
            their_discriminator: NonZeroU32::new(u32::from_be_bytes(self.their_discriminator))?,
            their_detect_mult: NonZeroU8::new(self.their_detect_mult)?,
            their_desired_tx_micros: u32::from_be_bytes(self.their_desired_tx),
            their_required_rx_micros: u32::from_be_bytes(self.their_required_rx),
            sent: Duration::from_nanos(self.sent_ns),
            silence: Duration::from_nanos(self.silence_ns),
            patience: Duration::from_nanos(self.patience_ns),
            heard: Duration::from_nanos(self.heard_ns),
        })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
