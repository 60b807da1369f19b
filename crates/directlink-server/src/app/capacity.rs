//! How many ports of each location are free: what an order can hope for, and whether it is taken.
//!
//! Capacity is the ports that exist, fit what is sold (speed and optics), carry nothing, are dark, and are
//! not promised to an order that waits. Where a location has a meet-me room its inventory is kept, and an
//! order beyond it is refused. Where it has none the operator may be building still: orders wait.

use super::{App, Refusal};
use crate::store::{AnyConnection, inventory, sites};
use directlink_model::{
    Fault,
    connection::Bandwidth,
    ids::LocationCode,
    inventory::{Candidate, Stock, UnclaimedLight},
    location::{Location, Port},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityView {
    pub location: Location,
    /// Orders beyond it are refused.
    pub is_counted: bool,
    pub speeds: Vec<SpeedCapacity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeedCapacity {
    pub speed: Bandwidth,
    pub stock: Stock,
}

impl CapacityView {
    pub fn stock(&self, speed: Bandwidth) -> Stock {
        self.speeds.iter().find(|s| s.speed == speed).map_or_else(Stock::default, |s| s.stock)
    }
}

impl App {
    /// In order of the locations' codes.
    pub async fn capacity(&self) -> Result<Vec<CapacityView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let locations = sites::locations(&mut db).await?;
        let counts = sites::port_counts(&mut db).await?;
        let rooms = inventory::rooms(&mut db).await?;
        let waiting = inventory::waiting(&mut db).await?;
        let view = |location: Location| {
            let speeds = Bandwidth::ALL.map(|speed| {
                let here = counts.iter().filter(|c| c.location == location.code);
                let fitting = here.filter(|c| c.speed == speed && c.fits());
                let (ports, free) = fitting.fold((0, 0), |(a, b), c| (a + c.ports, b + c.free));
                let promised = waiting.get(&(location.code.clone(), speed));
                let stock = Stock { ports, free, promised: promised.copied().unwrap_or(0) };
                SpeedCapacity { speed, stock }
            });
            let is_counted = rooms.iter().any(|room| room.at.location == location.code);
            CapacityView { location, is_counted, speeds: speeds.into() }
        };
        Ok(locations.into_iter().map(view).collect())
    }

    /// The free ports of the location that an order of this speed can have. Those come last whose light
    /// has just gone, lest it come back.
    pub(super) async fn suitable_ports(
        &self,
        db: &mut AnyConnection,
        (location, speed): (&LocationCode, Bandwidth),
    ) -> Result<Vec<Port>, Refusal> {
        let dark_since = self.now() - UnclaimedLight::SETTLES;
        let mut free = sites::free_ports(db, (location, speed), dark_since).await?;
        free.retain(|port| self.suits(port, location, speed));
        Ok(free)
    }

    /// So many more orders of a location whose inventory is kept.
    pub(super) async fn check_capacity(
        &self,
        db: &mut AnyConnection,
        (location, speed): (&LocationCode, Bandwidth),
        orders: usize,
    ) -> Result<(), Refusal> {
        let free = self.suitable_ports(db, (location, speed)).await?.len();
        let waiting = inventory::waiting(db).await?;
        let promised = waiting.get(&(location.clone(), speed)).copied().unwrap_or(0);
        match (Stock { ports: free, free, promised }).has_room_for(orders) {
            true => Ok(()),
            false => Err(no_capacity(location, speed).into()),
        }
    }

    fn suits(&self, port: &Port, location: &LocationCode, speed: Bandwidth) -> bool {
        let seen = self.parts().agents.transceiver(&port.at());
        Candidate { port, location, seen: seen.as_ref() }.check(location, speed).is_ok()
    }
}

pub(super) fn no_capacity(location: &LocationCode, speed: Bandwidth) -> Fault {
    Fault::NoCapacity { location: location.clone(), speed: speed.as_str() }
}
