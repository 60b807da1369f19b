//! Reports to the server: all of a port once, and then what changed.
//!
//! A port with thousands of interfaces has hundreds of thousands of routes. To say them all each few
//! seconds would cost the router more than its sessions do; to keep what was said, more memory than
//! its routes take. What was last told of an interface is remembered as a number, and its routes
//! are asked of its sessions when they are told.

use super::Agent;
use crate::{
    clock,
    report::{Seen, interface_report, interfaces_of, port_report},
    sessions::Learned,
};
use directlink_channel::{Report, from_router::Message};
use directlink_model::{
    ids::{BgpPeerId, InterfaceId, PortName},
    report::{InterfaceReport, PortReport},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, RandomState},
};

/// What the server knows, if it heard all that was said on this stream.
#[derive(Debug, Default)]
pub(super) struct Told {
    interfaces: BTreeMap<InterfaceId, u64>,
    hasher: RandomState,
}

impl Told {
    /// The server knows nothing.
    pub(super) fn clear(&mut self) {
        self.interfaces.clear();
    }

    /// Whether it was told the same before; from now on it was. Routes aside.
    fn tell(&mut self, id: InterfaceId, report: &InterfaceReport) -> bool {
        let said = self.hasher.hash_one(document(report));
        self.interfaces.insert(id, said) == Some(said)
    }
}

impl Agent {
    /// Every port with a plan, or with something of ours.
    pub(super) async fn report(&mut self) {
        if !self.seen.has_passed {
            return;
        }
        let ports = self.wanted.ports.keys().chain(self.seen.ports.values());
        let ports: BTreeSet<PortName> = ports.cloned().collect();
        for port in ports {
            // Before the first look nothing is said, lest a port seem dark that is not.
            let Some(&light) = self.seen.lights.get(&port) else { continue };
            let report = self.port_report(port, light).await;
            let document = document(&report);
            if !self.link.say(Message::Report(Report { document })) {
                // What was not heard must be said again.
                self.told.clear();
            }
        }
    }

    async fn port_report(&mut self, port: PortName, light: bool) -> PortReport {
        let ids = interfaces_of(&port, &self.wanted, &self.seen.ports);
        let generation = self.seen.applied.get(&port).copied().unwrap_or_default();
        let mut told = BTreeSet::new();
        for &id in &ids {
            let report = interface_report(id, &self.seen(&BTreeMap::new()));
            let is_same = self.told.tell(id, &report);
            let peers = self.wanted.interfaces.get(&id).into_iter().flat_map(|it| &it.peers);
            if is_same && peers.into_iter().all(|peer| self.sessions.is_told(peer.id)) {
                told.insert(id);
            }
        }
        let mut learned = BTreeMap::new();
        let wanted = self.wanted.clone();
        for it in ids.difference(&told).filter_map(|id| wanted.interfaces.get(id)) {
            for peer in &it.peers {
                learned.insert(peer.id, self.sessions.tell(peer.id, it.vni).await);
            }
        }
        port_report(port, (generation, light), (&ids, told), &self.seen(&learned))
    }

    pub(super) fn seen<'a>(&'a self, learned: &'a BTreeMap<BgpPeerId, Learned>) -> Seen<'a> {
        let memory = &self.seen;
        Seen {
            wanted: &self.wanted,
            outcome: &memory.outcome,
            facts: &memory.facts,
            evidence: &memory.evidence,
            now: clock::now(),
            vias: &memory.vias,
            heard: self.sessions.heard(),
            learned,
        }
    }
}

fn document(report: &impl serde::Serialize) -> Vec<u8> {
    match serde_json::to_vec(report) {
        Ok(document) => document,
        Err(error) => unreachable!("a report of strings and numbers is JSON: {error}"),
    }
}
