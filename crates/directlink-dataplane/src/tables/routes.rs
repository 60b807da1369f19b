//! Where a prefix leads: to customers' routers here, or to other routers of the Region.

use super::NEXT_HOPS_PER_ROUTE;
use crate::rows::InterfaceNumber;
use std::net::Ipv4Addr;

/// Above it a way is a router's VTEP.
const WAY_MAX: u32 = 0xffff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct RouteRow {
    pub(super) count: u32,
    pub(super) ways: [u32; NEXT_HOPS_PER_ROUTE],
}

impl RouteRow {
    /// `None` for no way, or more than a route can hold.
    pub(crate) fn new(next: &[InterfaceNumber]) -> Option<Self> {
        Self::of(next.iter().map(|&number| number.into()))
    }

    /// To other routers; `own` takes what they relay to us. `None` also for an address that none can
    /// have, and for more than fits.
    pub(crate) fn relay(vteps: &[Ipv4Addr], own: &[InterfaceNumber]) -> Option<Self> {
        let mut row = Self::of(vteps.iter().map(|&vtep| vtep.into()))
            .filter(|row| row.routers().len() == vteps.len())?;
        let free = row.ways.get_mut(vteps.len()..)?;
        if own.len() > free.len() {
            return None;
        }
        for (slot, &number) in free.iter_mut().zip(own) {
            *slot = number.into();
        }
        Some(row)
    }

    fn of(next: impl ExactSizeIterator<Item = u32>) -> Option<Self> {
        let mut ways = [0; NEXT_HOPS_PER_ROUTE];
        let count = next.len();
        if count == 0 || count > ways.len() {
            return None;
        }
        for (slot, way) in ways.iter_mut().zip(next) {
            *slot = way;
        }
        Some(Self { count: u32::try_from(count).ok()?, ways })
    }

    /// The other routers among its ways.
    pub(crate) fn routers(&self) -> Vec<Ipv4Addr> {
        let count = usize::try_from(self.count).unwrap_or_default();
        let ways = self.ways.iter().take(count);
        ways.filter(|&&way| way > WAY_MAX).map(|&way| way.into()).collect()
    }

    /// Ways of our own that stand behind other routers.
    pub(crate) fn own(&self) -> Vec<InterfaceNumber> {
        let count = usize::try_from(self.count).unwrap_or_default();
        let numbers = self.ways.iter().skip(count);
        numbers.filter_map(|&n| InterfaceNumber::try_from(n).ok()).collect()
    }

    pub(crate) fn ways(&self) -> Vec<InterfaceNumber> {
        let count = usize::try_from(self.count).unwrap_or_default();
        let numbers = self.ways.iter().take(count);
        numbers.filter_map(|&n| InterfaceNumber::try_from(n).ok()).collect()
    }
}
