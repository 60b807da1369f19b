//! What the server asks about an interface: what is known of it here, and who answers.

use super::{Agent, jobs::interface_plans};
use crate::glass::{self, Known, Subject};
use directlink_channel::Question;
use directlink_dataplane::InterfaceNumber;
use directlink_model::ids::InterfaceId;
use std::collections::BTreeMap;

impl Agent {
    /// Begins to answer; the loop goes on.
    pub(super) fn asked(&self, question: &Question) {
        let (number, reply) = (question.number, self.link.reply());
        match glass::read(number, &question.document) {
            Ok(question) => {
                let subject = self.subject(question.interface);
                self.glass.answer((number, question.ask), subject, self.kernel.clone(), reply);
            }
            Err(refusal) => reply.say(refusal),
        }
    }

    /// `None`: it is not in the kernel's tables, or no plan wants it.
    fn subject(&self, id: InterfaceId) -> Option<Subject> {
        let wanted = self.mind.wanted.interfaces.get(&id)?;
        let plan =
            interface_plans(&self.mind.scopes).find(|(it, _)| *it == id).map(|(_, plan)| plan)?;
        let placed = self.mind.placed();
        let here = || placed.iter().filter(|peer| peer.interface == id);
        let number = here().next()?.interface_number;
        let known = |peer: &crate::wanted::Peer| {
            let way = here().find(|it| it.cell.customer == peer.customer)?.cell.way;
            Some(Known::of(*peer, way, plan, id, &self.sessions))
        };
        Some(Subject {
            id,
            number,
            vlan: wanted.vlan,
            mtu: wanted.mtu,
            mac: wanted.mac,
            vni: wanted.vni,
            local_asn: plan.router_asn.as_u32(),
            peers: wanted.peers.iter().filter_map(known).collect(),
            prefixes_max: self.sessions.prefixes_max(),
            ways: self.ways_in(wanted.vni),
            ribs: self.sessions.ribs(),
        })
    }

    /// Whom rows of that Net can name.
    fn ways_in(&self, vni: Option<directlink_net::Vni>) -> BTreeMap<InterfaceNumber, String> {
        let is_there = |id: &InterfaceId| {
            let wanted = self.mind.wanted.interfaces.get(id);
            vni.is_some() && wanted.is_some_and(|it| it.vni == vni)
        };
        let placed = self.mind.placed();
        let its = placed.iter().filter(|peer| is_there(&peer.interface));
        its.map(|it| (it.cell.way, format!("{} on {}", it.cell.customer, it.interface))).collect()
    }
}
