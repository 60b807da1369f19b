//! How many ports of each location are free: what an order can hope for.

use super::{App, Refusal};
use crate::store::sites;
use directlink_model::{connection::Bandwidth, location::Location};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityView {
    pub location: Location,
    pub speeds: Vec<SpeedCapacity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeedCapacity {
    pub speed: Bandwidth,
    pub ports: usize,
    pub free: usize,
}

impl CapacityView {
    pub fn free(&self, speed: Bandwidth) -> usize {
        self.speeds.iter().find(|s| s.speed == speed).map_or(0, |s| s.free)
    }
}

impl App {
    /// In order of the locations' codes.
    pub async fn capacity(&self) -> Result<Vec<CapacityView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let locations = sites::locations(&mut db).await?;
        let counts = sites::port_counts(&mut db).await?;
        let view = |location: Location| {
            let speeds = Bandwidth::ALL.map(|speed| {
                let mut there = counts.iter().filter(|c| c.location == location.code);
                let count = there.find(|c| c.speed == speed);
                let (ports, free) = count.map_or((0, 0), |c| (c.ports, c.free));
                SpeedCapacity { speed, ports, free }
            });
            CapacityView { location, speeds: speeds.into() }
        };
        Ok(locations.into_iter().map(view).collect())
    }
}
