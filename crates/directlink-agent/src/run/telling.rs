//! Reports to the server: all of a port once, and then what changed.
//!
//! A port with thousands of interfaces has hundreds of thousands of routes. To say them all each few
//! seconds would cost the router more than its sessions do; to keep what was said, more memory than
//! its routes take. What was last told of an interface is remembered as a number, and its routes
//! are asked of its sessions when they are told.

use super::{Agent, mind::Voices as _};
use crate::clock;
use directlink_model::{
    ids::{BgpPeerId, InterfaceId, PortName},
    report::{InterfaceReport, PortReport},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, RandomState},
};

/// What the server knows, if it heard all that was said on this stream: a number for each interface, routes aside, and one
/// for the peers whose routes it was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    ports: BTreeMap<PortName, BTreeMap<InterfaceId, (u64, u64)>>,
    hasher: RandomState,
}

/// What there is to tell of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    Nothing,
    /// The server was told the routes of just these peers.
    ButRoutes,
    All,
}

impl Told {
    /// The server knows nothing.
    pub(super) fn clear(&mut self) {
        self.ports.clear();
    }

    /// What a report no longer names, the server forgets.
    pub(super) fn retain(&mut self, port: &PortName, ids: &BTreeSet<InterfaceId>) {
        if let Some(interfaces) = self.ports.get_mut(port) {
            interfaces.retain(|id, _| ids.contains(id));
        }
    }

    /// From now on the server was told this.
    pub(super) fn tell(
        &mut self,
        port: &PortName,
        id: InterfaceId,
        (report, peers): (&InterfaceReport, &[BgpPeerId]),
    ) -> Unsaid {
        let said = (self.hasher.hash_one(report), self.hasher.hash_one(peers));
        let interfaces = match self.ports.get_mut(port) {
            Some(interfaces) => interfaces,
            None => self.ports.entry(port.clone()).or_default(),
        };
        match interfaces.insert(id, said) {
            Some(before) if before == said => Unsaid::Nothing,
            Some((_, told)) if told == said.1 => Unsaid::ButRoutes,
            Some(_) | None => Unsaid::All,
        }
    }
}

impl Agent {
    /// Of all ports, if the server has taken what was said of them before: else when it has, and what changed meanwhile
    /// is told at once.
    pub(super) async fn report(&mut self) {
        let Some(place) = self.link.places.take() else {
            self.report_waits = true;
            return;
        };
        for (port, light) in self.mind.ports() {
            let report = self.port_report(port, light).await;
            if !self.link.report(document(&report), &place) {
                // What was not heard must be said again.
                self.mind.told.clear();
            }
        }
    }

    async fn port_report(&mut self, port: PortName, light: bool) -> PortReport {
        let mut spoken = self.mind.tell(&port, &self.sessions, clock::now());
        let mut learned = BTreeMap::new();
        for (peer, net) in spoken.speakers(&self.mind.wanted) {
            learned.insert(peer, self.sessions.tell(peer, net).await);
        }
        spoken.tell_routes(learned);
        self.mind.port_report((port, light), spoken, self.sessions.heard(), clock::now())
    }
}

pub(crate) fn document(report: &impl serde::Serialize) -> Vec<u8> {
    match serde_json::to_vec(report) {
        Ok(document) => document,
        Err(error) => unreachable!("a report of strings and numbers is JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_left_out_only_of_an_interface_of_whose_same_peers_they_were_told_on_the_same_port()
     {
        let [p0, p1] = ["p0", "p1"].map(|port| port.parse::<PortName>().unwrap());
        let [id, gone] = [1, 2].map(InterfaceId::from_bits);
        let [first, second] = [1, 2].map(BgpPeerId::from_bits);
        let calm = InterfaceReport::default();
        let counted =
            InterfaceReport { verdicts: [("to_router".into(), 1)].into(), ..calm.clone() };
        let mut told = Told::default();
        assert_eq!(told.tell(&p0, id, (&calm, &[first])), Unsaid::All);
        assert_eq!(told.tell(&p0, id, (&calm, &[first])), Unsaid::Nothing);
        assert_eq!(told.tell(&p0, id, (&counted, &[first])), Unsaid::ButRoutes);
        assert_eq!(told.tell(&p0, id, (&counted, &[second])), Unsaid::All, "of another peer");
        assert_eq!(told.tell(&p1, id, (&counted, &[second])), Unsaid::All, "it has moved");
        told.tell(&p0, gone, (&calm, &[]));
        told.retain(&p0, &[id].into());
        assert_eq!(told.tell(&p0, gone, (&calm, &[])), Unsaid::All, "it has come back");
        assert_eq!(told.tell(&p0, id, (&counted, &[second])), Unsaid::Nothing);
        told.clear();
        assert_eq!(told.tell(&p0, id, (&counted, &[second])), Unsaid::All, "on another stream");
    }
}
