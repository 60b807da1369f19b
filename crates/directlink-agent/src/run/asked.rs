//! What the server asks about an interface: what is known of it here, and who answers.

use super::{Agent, jobs::interface_plans, mind::Voices as _};
use crate::{
    clock,
    glass::{self, Known, Subject},
    schedule::Chore,
};
use directlink_channel::Question;
use directlink_dataplane::InterfaceNumber;
use directlink_model::{
    glass::{Answer, Ask, Looked},
    ids::InterfaceId,
};
use std::collections::BTreeMap;

impl Agent {
    /// Begins to answer; the loop goes on.
    pub(super) fn asked(&mut self, question: &Question) {
        let (number, reply) = (question.number, self.link.reply());
        match glass::read(number, &question.document) {
            Ok(question) => {
                let is_look = question.ask == Ask::Look;
                if is_look {
                    // What was counted until now belongs to it.
                    self.schedule.at(Chore::Facts, clock::instant());
                }
                let subject = self.subject(question.interface, is_look);
                self.glass.answer((number, question.ask), subject, self.kernel.clone(), reply);
            }
            Err(refusal) => reply.say(refusal),
        }
    }

    /// A look is over: its answer, with the interface as it is now.
    pub(super) fn looked(&mut self, looked: glass::Looked) {
        // What its sessions said meanwhile is part of it.
        let news = self.sessions.listen();
        self.sessions_said(news);
        let glass::Looked { number, id, fresh, reply } = looked;
        let (report, port) = self.mind.interface_now(id, self.sessions.heard(), clock::now());
        let answer = Answer::Looked(Box::new(Looked { report, port, fresh }));
        reply.say(glass::message(number, Ok((answer, Vec::new()))));
    }

    /// `None`: it is not in the kernel's tables, or no plan wants it.
    fn subject(&self, id: InterfaceId, proves: bool) -> Option<Subject> {
        let wanted = self.mind.wanted.interfaces.get(&id)?;
        let plan =
            interface_plans(&self.mind.scopes).find(|(it, _)| *it == id).map(|(_, plan)| plan)?;
        let placed = self.mind.placed();
        let here = || placed.iter().filter(|peer| peer.interface == id);
        let number = here().next()?.interface_number;
        let known = |peer: &crate::wanted::Peer| {
            let way = here().find(|it| it.cell.customer == peer.customer)?.cell.way;
            Some(Known::of(*peer, way, plan, id, (&self.sessions, proves)))
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
