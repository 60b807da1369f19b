//! Counting changes, so that no packet takes a shortcut that is no more.
//!
//! ```text
//! setter ── row ──► table            packet ── key, both counts as before? ─┬─► shortcut
//!    └──── then ──► `changes`                                              └─► whole road
//! ```
//!
//! A shortcut (`ebpf/shortcuts.h`) is what the rows came to when a packet of that flow last took the whole
//! road. It stands only while the counts are those of that moment: what a setter wrote holds for
//! every packet from the setter's return on, for flows that are under way as for new ones.
//!
//! The first count is for all: interfaces, and the router's own row. The others are for Nets, so
//! that one customer's flapping routes do not send all others' packets the whole road. Kept
//! apart from `handle.rs` because every setter needs it and none needs to know how.
//!
//! Not counted is what can make no shortcut wrong: a new source, a Subnet, a Net's presence (they only
//! tell refusals apart), rule sets (a NIC names another set when rules change), and a neighbour,
//! which is read for each packet.

use crate::{
    handle::{Done, in_table},
    load::Dataplane,
    tables::{ChangeRow, NET_CHANGES},
};

/// Whose rows changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    Router,
    Interface,
    /// NICs, routes, routers, and the sources of an interface, by VNI.
    Net(u32),
}

impl Changed {
    const fn row(self) -> u32 {
        match self {
            Self::Router | Self::Interface => 0,
            Self::Net(vni) => 1 + vni % NET_CHANGES,
        }
    }
}

impl Dataplane {
    /// Counts after a change, also after one that failed: it may have got half-way.
    ///
    /// There is one writer, as for every table; packets only read.
    ///
    /// # Errors
    /// The change's own, or the kernel refused to count.
    pub(crate) fn count_change(&mut self, changed: Changed, done: Done) -> Done {
        let row = changed.row();
        let counted = self
            .tables
            .changes
            .get(&row, 0)
            .and_then(|count: ChangeRow| self.tables.changes.set(row, count.next(), 0))
            .map_err(in_table("changes"));
        done.and(counted)
    }
}
