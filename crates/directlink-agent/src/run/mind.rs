//! What the agent knows and decides, and no hand to do it with: documents, what they want, what was seen, what the
//! server is owed and was told. Pure but for the disk that documents were read from.
//!
//! ```text
//!   plan ──► weigh ──► (ledger) ──► take                 Agent: kernel, speaker, stream, clock
//!   look ──► [pass over the kernel] ──► passed           simulated::Router: the same mind with other hands
//!   tell ──► [routes of sessions] ──► port_report
//! ```

use super::{
    Memory,
    answers::Answers,
    jobs::{Passed, Placed, generations},
    plans::{Read, held},
    telling::{Told, Unsaid},
};
use crate::{
    bundles::{self, Sight},
    kernel::{Facts, Insides, Look},
    ledger::Held,
    link::HeldScopes,
    report::{Outcome, Seen, Spoken, interface_report, interfaces_of, port_report},
    routes::{Neighbour, Via},
    sessions::Heard,
    wanted::{Certainty, Known, Peer, Wanted},
};
use directlink_channel::{Plan, from_router::Message};
use directlink_model::{
    evidence::PortEvidence,
    ids::{BgpPeerId, InterfaceId, PortName},
    plan::Scope,
    report::{InterfaceReport, PortReport},
};
use directlink_net::Mtu;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

#[derive(Debug, Default)]
pub(crate) struct Mind {
    pub(super) scopes: BTreeMap<Scope, Known>,
    /// Of the scopes as they were at the last pass.
    pub(super) wanted: Arc<Wanted>,
    pub(super) answers: Answers,
    pub(super) seen: Memory,
    /// The last interface that an audit looked into; `None` before the first of a round.
    audited: Option<InterfaceId>,
    /// What the server was last told of each interface.
    pub(super) told: Told,
    /// The server knows of reports that leave out routes.
    leaves_out_routes: bool,
}

/// What is to be done with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Weighed {
    /// Nothing; the refusal is ready to be said.
    Refused,
    /// It is there already; a pass will say so.
    Held,
    /// To be put on the disk.
    New(Scope),
}

/// Into which interfaces a pass looks, each of which costs a namespace entered: a millisecond and more
/// while there are thousands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// Those that it is about.
    #[default]
    Changed,
    /// And the next ones in turn: an audit, which nothing else waits long for.
    Turn,
    /// All: nothing is known, or nothing that was known is sure.
    Everywhere,
}

/// Interfaces that an audit looks into at once.
const TURN: usize = 128;

/// What a pass has left.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    /// Nothing is left to do.
    pub(crate) is_whole: bool,
    pub(crate) has_failed: bool,
    /// It was the first: peers of interfaces that forwarded before.
    pub(crate) restarted: Option<BTreeSet<BgpPeerId>>,
}

/// Whoever speaks with customers.
pub(crate) trait Voices {
    fn heard(&self) -> &Heard;
    /// False while rows from before the restart are all that is known of its customer.
    fn is_settled(&self, id: BgpPeerId) -> bool;
    /// Whether another way is to be taken, also another router's.
    fn is_drained(&self, id: BgpPeerId) -> bool;
    /// Whether its routes are as they were last told.
    fn is_told(&self, id: BgpPeerId) -> bool;
}

impl Mind {
    /// Of what the disk has. The agent before this one may have died before it answered.
    pub(crate) fn new(Read { scopes, unreadable }: Read) -> Self {
        let mut answers = Answers::new(unreadable);
        for (scope, generation) in generations(&scopes) {
            answers.owe(scope, generation);
        }
        Self { scopes, answers, ..Self::default() }
    }

    /// What the next Hello says.
    pub(crate) fn held(&self) -> HeldScopes {
        held(&self.scopes)
    }

    pub(crate) fn generations(&self) -> BTreeMap<Scope, u64> {
        generations(&self.scopes)
    }

    pub(crate) const fn scopes(&self) -> &BTreeMap<Scope, Known> {
        &self.scopes
    }

    /// At the last pass.
    pub(crate) fn wanted(&self) -> Arc<Wanted> {
        Arc::clone(&self.wanted)
    }

    /// As the documents are now, and what is seen of ports.
    pub(crate) fn wants(&self) -> Wanted {
        let mut wanted = Wanted::of(&self.scopes);
        bundles::follow(&mut wanted, &self.sight());
        wanted
    }

    pub(crate) fn sight(&self) -> Sight<'_> {
        Sight { lights: &self.seen.lights, lacp: self.seen.evidence.lacp() }
    }

    pub(crate) const fn has_passed(&self) -> bool {
        self.seen.has_passed
    }

    /// A plan came.
    pub(crate) fn weigh(&mut self, plan: &Plan) -> Weighed {
        let Plan { scope: name, generation, .. } = plan;
        let scope = match name.parse::<Scope>() {
            Ok(scope) => scope,
            Err(error) => {
                self.answers.refuse(name.clone(), *generation, error.to_string());
                return Weighed::Refused;
            }
        };
        match self.scopes.get(&scope) {
            Some(Known::Current { generation: held, .. }) if held > generation => {
                let why = format!("older than generation {held}, which this router holds");
                self.answers.refuse(name.clone(), *generation, why);
                Weighed::Refused
            }
            Some(Known::Current { generation: held, .. }) if held == generation => {
                self.answers.owe(scope, *generation);
                Weighed::Held
            }
            _ => Weighed::New(scope),
        }
    }

    /// It is on the disk.
    pub(crate) fn take(&mut self, scope: Scope, Held { generation, document }: Held) {
        self.scopes.insert(scope.clone(), Known::Current { generation, document });
        self.answers.owe(scope, generation);
    }

    /// It could not be put there.
    pub(crate) fn refuse(&mut self, scope: String, generation: u64, why: String) {
        self.answers.refuse(scope, generation, why);
    }

    /// What the server is to hear of plans now.
    pub(crate) fn take_answers(&mut self) -> Vec<Message> {
        self.answers.take_ready()
    }

    pub(crate) fn see_lights(&mut self, lights: BTreeMap<PortName, bool>) {
        self.seen.lights = lights;
    }

    /// Whether that is news.
    pub(crate) fn see_light(&mut self, port: &PortName, light: bool) -> bool {
        self.seen.lights.insert(port.clone(), light) != Some(light)
    }

    /// Rows were made of these.
    pub(crate) fn see_vias(&mut self, vias: BTreeMap<Neighbour, Via>) {
        self.seen.vias = vias;
    }

    /// Whether they say anything that the server should hear soon.
    pub(crate) fn see_facts(&mut self, facts: Facts, now: Timestamp) -> bool {
        let has_evidence = self.seen.evidence.take(&facts, now);
        let is_news = has_evidence || self.seen.facts.neighbours != facts.neighbours;
        self.seen.facts = facts;
        is_news
    }

    /// A new stream: the server knows what is held, and nothing else.
    pub(crate) fn attached(&mut self, completes_reports: bool) {
        self.answers.repeat();
        self.told.clear();
        self.leaves_out_routes = completes_reports;
    }

    /// What to look at before a pass to `wanted`.
    pub(crate) fn look(&mut self, wanted: &Wanted, reach: Reach) -> Look {
        let insides = match reach {
            Reach::Everywhere => Insides::All,
            Reach::Changed => self.insides(wanted, BTreeSet::new()),
            Reach::Turn => {
                let turn = self.next_turn();
                self.insides(wanted, turn)
            }
        };
        Look { ports: wanted.ports.keys().cloned().collect(), vteps: wanted.vteps(), insides }
    }

    /// Whether links and rows are listed anew with such a pass: once in each round of an audit.
    pub(crate) const fn doubts(&self, reach: Reach) -> bool {
        match reach {
            Reach::Changed => false,
            Reach::Turn => self.audited.is_none(),
            Reach::Everywhere => true,
        }
    }

    fn next_turn(&mut self) -> BTreeSet<InterfaceId> {
        let from = self.audited.map_or(Bound::Unbounded, Bound::Excluded);
        let there = &self.seen.outcome.observed.interfaces;
        let mut rest = there.range((from, Bound::Unbounded)).map(|(id, _)| *id);
        let turn: BTreeSet<_> = rest.by_ref().take(TURN).collect();
        self.audited = rest.next().and_then(|_| turn.last().copied());
        turn
    }

    /// These, those that are wanted otherwise than before, and those that were not right.
    fn insides(&self, wanted: &Wanted, mut ids: BTreeSet<InterfaceId>) -> Insides {
        let (was, is) = (&self.wanted.interfaces, &wanted.interfaces);
        let all: BTreeSet<_> = was.keys().chain(is.keys()).copied().collect();
        ids.extend(all.into_iter().filter(|id| was.get(id) != is.get(id)));
        let outcome = &self.seen.outcome;
        let subjects = outcome.difference.changes.iter().map(crate::diff::Change::subject);
        ids.extend(subjects.chain(outcome.failures.keys().cloned()).filter_map(|s| s.interface()));
        Insides::Only { ids, before: outcome.observed.interfaces.clone() }
    }

    /// Whether a session goes on when this is wanted.
    pub(crate) fn stays(&self, wanted: &Wanted, id: InterfaceId, peer: BgpPeerId) -> bool {
        let interface = wanted.interfaces.get(&id);
        let is_wanted = interface.is_some_and(|it| it.peers.iter().any(|its| its.id == peer));
        let port = || self.seen.ports.get(&id);
        is_wanted || port().is_some_and(|port| wanted.certainty(port) == Certainty::Held)
    }

    /// A pass is over. What it leaves to say is ready.
    pub(crate) fn passed(&mut self, passed: Passed) -> Passage {
        let Passed { is_audit: _, wanted, generations, outcome, before } = passed;
        self.wanted = wanted;
        let siblings = self.siblings();
        self.seen.dead.retain(|router| siblings.contains(router));
        let is_first = !std::mem::replace(&mut self.seen.has_passed, true);
        let peers = |id| self.wanted.interfaces.get(id).into_iter().flat_map(|it| &it.peers);
        let restarted =
            is_first.then(|| before.iter().flat_map(peers).map(|peer| peer.id).collect());
        let is_whole = outcome.difference.changes.is_empty();
        let has_failed = !outcome.failures.is_empty();
        self.remember(outcome);
        if is_whole || has_failed {
            let ports = generations.iter().filter_map(|(scope, generation)| match scope {
                Scope::Port(port) => Some((port.clone(), *generation)),
                Scope::Net(_) => None,
            });
            self.seen.applied.extend(ports);
            self.judge(&generations);
        }
        Passage { is_whole, has_failed, restarted }
    }

    /// The other routers of its Nets.
    pub(crate) fn siblings(&self) -> BTreeSet<std::net::Ipv4Addr> {
        self.wanted.nets.values().flat_map(|net| net.routers.iter().copied()).collect()
    }

    fn remember(&mut self, outcome: Outcome) {
        let observed = &outcome.observed;
        let ports = &mut self.seen.ports;
        ports.retain(|id, _| observed.interfaces.contains_key(id));
        for (&id, seen) in &observed.interfaces {
            let wanted = || self.wanted.interfaces.get(&id).map(|it| it.port.clone());
            let port = seen.link.as_ref().and_then(|link| link.port.clone());
            ports.extend(port.or_else(wanted).map(|port| (id, port)));
        }
        self.seen.outcome = outcome;
    }

    /// The peers of interfaces that lead to a Net, by the kernel's rows, with what they say.
    pub(crate) fn vias(&self, voices: &impl Voices) -> BTreeMap<Neighbour, Via> {
        let rows = &self.seen.outcome.observed.tables.interfaces;
        let via = |peer: &Placed| {
            let row = rows.get(&peer.interface_number)?;
            Some((peer.neighbour(), self.via(peer, row, voices)?))
        };
        self.placed().iter().filter_map(via).collect()
    }

    /// Every peer that the tables have.
    pub(crate) fn placed(&self) -> Vec<Placed> {
        let observed = &self.seen.outcome.observed;
        let mut placed = Vec::new();
        for (interface, interface_number) in observed.numbers() {
            let row = observed.tables.interfaces.get(&interface_number);
            let wanted = self.wanted.interfaces.get(&interface);
            for &cell in row.iter().flat_map(|row| &row.peers) {
                let its = |peer: &&Peer| peer.customer == cell.customer;
                let wanted = wanted.and_then(|it| it.peers.iter().find(its));
                let peer = wanted.map(|peer| peer.id);
                let mtu = row.map_or(Mtu::MAX, |row| row.mtu);
                placed.push(Placed { interface, interface_number, cell, mtu, peer });
            }
        }
        placed
    }

    fn via(
        &self,
        peer: &Placed,
        row: &directlink_dataplane::Interface,
        voices: &impl Voices,
    ) -> Option<Via> {
        let &Placed { interface, interface_number, cell, peer, .. } = peer;
        let port = self.seen.ports.get(&interface)?;
        let is_held = self.wanted.certainty(port) == Certainty::Held;
        if !row.forwards || !(peer.is_some() || is_held) {
            return None;
        }
        let session = peer.and_then(|peer| voices.heard().sessions.get(&peer));
        let counts = session.and_then(|session| Some(session.status.as_ref()?.bgp.routes));
        let lag = self.wanted.lags.get(port);
        let is_lit = self.seen.lights.get(port).copied().unwrap_or_default();
        Some(Via {
            peer,
            number: cell.way,
            interface: interface_number,
            vni: row.vni,
            customer: cell.customer,
            light: is_lit || lag.is_some_and(|lag| self.sight().in_use(lag).next().is_some()),
            is_established: session.is_some_and(|session| session.since().is_some()),
            // Nobody speaks for an interface whose plan cannot be read.
            is_settled: peer.is_some_and(|peer| voices.is_settled(peer)),
            has_routes: counts.is_some_and(|counts| counts.accepted > 0),
            is_drained: peer.is_some_and(|peer| voices.is_drained(peer)),
            learned: Vec::new(),
        })
    }

    /// Every port with a plan, or with something of ours, and its light.
    pub(crate) fn ports(&self) -> Vec<(PortName, bool)> {
        if !self.seen.has_passed {
            return Vec::new();
        }
        let ports = self.wanted.ports.keys().chain(self.seen.ports.values());
        let ports: BTreeSet<&PortName> = ports.collect();
        // Before the first look nothing is said, lest a port seem dark that is not.
        let lit = |port: &PortName| Some((port.clone(), *self.seen.lights.get(port)?));
        ports.into_iter().filter_map(lit).collect()
    }

    /// What a report of the port is to speak of, without routes yet. From now on it counts as told.
    pub(crate) fn tell(&mut self, port: &PortName, voices: &impl Voices, now: Timestamp) -> Spoken {
        let ids = interfaces_of(port, &self.wanted, &self.seen.ports);
        self.told.retain(port, &ids);
        let mut spoken = Spoken::default();
        for id in ids {
            let mut report = interface_report(id, &self.seen(voices.heard(), now));
            let wanted = self.wanted.interfaces.get(&id).into_iter();
            let peers: Vec<_> = wanted.flat_map(|it| &it.peers).map(|peer| peer.id).collect();
            let unsaid = self.told.tell(port, id, (&report, &peers));
            let has_new_routes = !peers.into_iter().all(|peer| voices.is_told(peer));
            match unsaid {
                Unsaid::Nothing if !has_new_routes => {
                    spoken.unchanged.insert(id);
                    continue;
                }
                Unsaid::Nothing | Unsaid::ButRoutes => {
                    report.routes_unchanged = self.leaves_out_routes && !has_new_routes;
                }
                Unsaid::All => {}
            }
            spoken.interfaces.insert(id, report);
        }
        spoken
    }

    /// The report itself.
    pub(crate) fn port_report(
        &self,
        (port, light): (PortName, bool),
        spoken: Spoken,
        heard: &Heard,
        now: Timestamp,
    ) -> PortReport {
        let generation = self.seen.applied.get(&port).copied().unwrap_or_default();
        port_report(port, (generation, light), spoken, &self.seen(heard, now))
    }

    /// Of one interface, as it is now, and of its port.
    pub(crate) fn interface_now(
        &self,
        id: InterfaceId,
        heard: &Heard,
        now: Timestamp,
    ) -> (InterfaceReport, PortEvidence) {
        let report = interface_report(id, &self.seen(heard, now));
        let port = self.wanted.interfaces.get(&id).map(|it| &it.port);
        let evidence = port.map(|port| {
            let ifindex = self.seen.outcome.observed.ports.get(port).map(|port| port.ifindex);
            self.seen.evidence.of_port(port, ifindex, now)
        });
        (report, evidence.unwrap_or_default())
    }

    fn seen<'a>(&'a self, heard: &'a Heard, now: Timestamp) -> Seen<'a> {
        let memory = &self.seen;
        Seen {
            wanted: &self.wanted,
            outcome: &memory.outcome,
            facts: &memory.facts,
            evidence: &memory.evidence,
            now,
            vias: &memory.vias,
            heard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an audit looks into, of interfaces of which nothing has changed.
    fn turn(mind: &mut Mind) -> Vec<u32> {
        match mind.look(&Wanted::default(), Reach::Turn).insides {
            Insides::Only { ids, .. } => ids.into_iter().map(InterfaceId::bits).collect(),
            Insides::All => panic!("an audit does not look into all at once"),
        }
    }

    fn there(numbers: impl IntoIterator<Item = u32>) -> Mind {
        let mut mind = Mind::default();
        let interfaces = numbers.into_iter().map(|n| (InterfaceId::from_bits(n), <_>::default()));
        mind.seen.outcome.observed.interfaces = interfaces.collect();
        mind
    }

    #[test]
    fn an_audit_looks_into_each_interface_once_in_a_round_and_lists_rows_with_the_first() {
        let mut mind = there(1..=300);
        for _ in 0..2 {
            let mut seen = Vec::new();
            for (turn_of_round, many) in [128, 128, 44].into_iter().enumerate() {
                assert_eq!(mind.doubts(Reach::Turn), turn_of_round == 0);
                let ids = turn(&mut mind);
                assert_eq!(ids.len(), many);
                seen.extend(ids);
            }
            assert_eq!(seen, (1..=300).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_round_of_few_interfaces_or_none_is_one_turn() {
        for many in [0, 1, 128] {
            let mut mind = there(1..=many);
            for _ in 0..2 {
                assert!(mind.doubts(Reach::Turn));
                assert_eq!(turn(&mut mind), (1..=many).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_round_goes_on_after_an_interface_that_is_gone() {
        let mut mind = there(1..=200);
        assert_eq!(turn(&mut mind).last(), Some(&128));
        mind.seen.outcome.observed.interfaces.remove(&InterfaceId::from_bits(128));
        assert_eq!(turn(&mut mind), (129..=200).collect::<Vec<_>>());
    }
}
