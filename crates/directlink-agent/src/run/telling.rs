//! Reports to the server: all of a port once, and then what changed.
//!
//! A port with thousands of interfaces has hundreds of thousands of routes. To say them all each few
//! seconds would cost the router more than its sessions do; to keep what was said, more memory than
//! its routes take. What was last told of an interface is remembered as a number, and its routes
//! are asked of its sessions when they are told.

use super::{Agent, mind::Voices as _};
use crate::clock;
use directlink_channel::{Report, from_router::Message};
use directlink_model::{
    ids::{InterfaceId, PortName},
    report::{InterfaceReport, PortReport},
};
use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
};

/// What the server knows, if it heard all that was said on this stream.
#[derive(Debug, Default)]
pub(crate) struct Told {
    interfaces: BTreeMap<InterfaceId, u64>,
    hasher: RandomState,
}

impl Told {
    /// The server knows nothing.
    pub(super) fn clear(&mut self) {
        self.interfaces.clear();
    }

    /// Whether it was told the same before; from now on it was. Routes aside.
    pub(super) fn tell(&mut self, id: InterfaceId, report: &InterfaceReport) -> bool {
        let said = self.hasher.hash_one(document(report));
        self.interfaces.insert(id, said) == Some(said)
    }
}

impl Agent {
    pub(super) async fn report(&mut self) {
        for (port, light) in self.mind.ports() {
            let report = self.port_report(port, light).await;
            let document = document(&report);
            if !self.link.say(Message::Report(Report { document })) {
                // What was not heard must be said again.
                self.mind.told.clear();
            }
        }
    }

    async fn port_report(&mut self, port: PortName, light: bool) -> PortReport {
        let (ids, told) = self.mind.tell(&port, &self.sessions, clock::now());
        let mut learned = BTreeMap::new();
        let wanted = self.mind.wanted.clone();
        for it in ids.difference(&told).filter_map(|id| wanted.interfaces.get(id)) {
            for peer in &it.peers {
                learned.insert(peer.id, self.sessions.tell(peer.id, it.vni).await);
            }
        }
        let seen = (self.sessions.heard(), &learned);
        self.mind.port_report((port, light), (ids, told), seen, clock::now())
    }
}

pub(crate) fn document(report: &impl serde::Serialize) -> Vec<u8> {
    match serde_json::to_vec(report) {
        Ok(document) => document,
        Err(error) => unreachable!("a report of strings and numbers is JSON: {error}"),
    }
}
