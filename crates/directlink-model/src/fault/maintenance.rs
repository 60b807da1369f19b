//! What maintenance refuses.

use super::Fault;
use crate::{
    ids::{MaintenanceId, NetId},
    maintenance::State,
};
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MaintenanceFault {
    #[error("The maintenance '{0}' doesn't exist.")]
    NoSuch(MaintenanceId),
    #[error(
        "The maintenance '{id}' is '{state}': it can be moved and cancelled while it is 'planned', and its end while it is 'running'."
    )]
    NotPlanned { id: MaintenanceId, state: State },
    #[error("The maintenance '{id}' is '{state}': what is ended is 'running'.")]
    NotRunning { id: MaintenanceId, state: State },
    #[error("This would take the last way from {}. Force it to do it all the same.", nets(.0))]
    GoesDark(Vec<NetId>),
}

impl From<MaintenanceFault> for Fault {
    fn from(fault: MaintenanceFault) -> Self {
        Self::Inventory(fault.into())
    }
}

fn nets(nets: &[NetId]) -> String {
    nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
