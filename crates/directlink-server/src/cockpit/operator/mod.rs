//! The operator's pages: orders and the ports for them, the physical inventory, letters, routers and their agents, accounts and their
//! quotas, everybody's connections and interfaces, what was mailed, and the audit trail.

pub(super) mod accounts;
pub(super) mod cross_connects;
pub(super) mod inventory;
pub(super) mod letters;
pub(super) mod lines;
pub(super) mod mail;
pub(super) mod maintenance;
pub(super) mod orders;
pub(super) mod sites;
pub(super) mod trail;

use super::words::When;

/// The ports of a location.
struct CapacityRow {
    code: String,
    name: String,
    subregion: String,
    /// Speed, free, all, promised.
    speeds: Vec<(&'static str, usize, usize, usize)>,
}

fn capacity_row(view: &crate::app::CapacityView) -> CapacityRow {
    CapacityRow {
        code: view.location.code.to_string(),
        name: view.location.name.clone(),
        subregion: view.location.subregion.to_string(),
        speeds: view
            .speeds
            .iter()
            .map(|s| (s.speed.as_str(), s.stock.free, s.stock.ports, s.stock.promised))
            .collect(),
    }
}

/// An order that waits.
struct OrderRow {
    id: String,
    name: String,
    account: String,
    location: String,
    bandwidth: &'static str,
    ordered: When,
    free: usize,
    /// What its customer told.
    needs: String,
}
