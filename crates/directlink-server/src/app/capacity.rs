//! How many ports of each location are free: what an order can hope for.

use super::{App, Refusal};
use crate::store::{connections, sites};
use directlink_model::{
    connection::{Bandwidth, PortRef},
    location::Location,
};
use std::collections::BTreeSet;

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
        let routers = sites::routers(&mut db).await?;
        let ports = sites::ports(&mut db).await?;
        let held = connections::holders(&mut db).await?;
        let held: BTreeSet<PortRef> = held.into_iter().map(|(port, _)| port).collect();
        let view = |location: Location| {
            let there: BTreeSet<_> =
                routers.iter().filter(|r| r.location == location.code).map(|r| &r.name).collect();
            let speeds = Bandwidth::ALL.map(|speed| {
                let fits = ports.iter().filter(|p| p.speed == speed && there.contains(&p.router));
                let (mut ports, mut free) = (0, 0);
                for port in fits {
                    let at = PortRef { router: port.router.clone(), port: port.name.clone() };
                    ports += 1;
                    free += usize::from(!held.contains(&at));
                }
                SpeedCapacity { speed, ports, free }
            });
            CapacityView { location, speeds: speeds.into() }
        };
        Ok(locations.into_iter().map(view).collect())
    }
}
