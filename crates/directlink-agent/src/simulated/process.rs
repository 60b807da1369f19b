//! The agent's process on a simulated router: the chores of [`crate::run`], in the same order, each done at once.

use super::{Kernel, Side, World, speaker::Speaker};
use crate::{
    bundles, clock,
    kernel::Facts,
    ledger::{Ledger, LedgerError},
    routes::{RouteRows, Via},
    run::{
        COLLECT, FAREWELL, RETRY,
        jobs::{Passed, interface_plans, pass},
        mind::{Mind, Passage, Reach, Voices as _, Weighed},
        plans,
        telling::document,
    },
    schedule::{Chore, Schedule},
    sessions::SETTLE,
};
use directlink_channel::{FromRouter, Plan, Report, from_router::Message};
use directlink_model::ids::{InterfaceId, PortName};
use directlink_net::Mac;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// As of an agent whose looks take no time.
const FACTS_EVERY: Duration = Duration::from_secs(2);
const REPORT_EVERY: Duration = Duration::from_secs(5);
const AUDIT_EVERY: Duration = Duration::from_secs(60);
/// A pass that did not do all goes on.
const GO_ON: Duration = Duration::from_millis(1);

pub(super) struct Process {
    pub(super) mind: Mind,
    ledger: Ledger,
    speaker: Speaker,
    schedule: Schedule,
    /// The schedule's time at the world's zero.
    zero: Instant,
    reach: Reach,
    is_attached: bool,
    said: Vec<FromRouter>,
}

impl Process {
    pub(super) fn start(ledger: &Path, world: &World) -> Result<Self, LedgerError> {
        let ledger = Ledger::open(ledger)?;
        let mut mind = Mind::new(plans::read(&ledger)?);
        mind.see_lights(world.lights.clone());
        let mut process = Self {
            mind,
            ledger,
            speaker: Speaker::default(),
            schedule: Schedule::default(),
            zero: clock::instant(),
            reach: Reach::Everywhere,
            is_attached: false,
            said: Vec::new(),
        };
        process.due(Chore::Pass, world.now);
        process.due(Chore::Facts, world.now + FACTS_EVERY);
        process.due(Chore::Audit, world.now + AUDIT_EVERY);
        process.due(Chore::Report, world.now + REPORT_EVERY);
        Ok(process)
    }

    fn due(&mut self, chore: Chore, at: Duration) {
        self.schedule.at(chore, self.zero + at);
    }

    pub(super) fn next_chore(&self) -> Option<Duration> {
        self.schedule.next(|_| true).map(|at| at.saturating_duration_since(self.zero))
    }

    pub(super) fn light(&mut self, port: &PortName, light: bool, now: Duration) {
        if self.mind.see_light(port, light) {
            self.due(Chore::Rows, now);
            self.due(Chore::Report, now + COLLECT);
            self.follow(now);
        }
    }

    fn follow(&mut self, now: Duration) {
        let (scopes, sight) = (self.mind.scopes(), self.mind.sight());
        if bundles::is_overtaken(scopes, &self.mind.wanted(), &sight) {
            self.due(Chore::Pass, now);
        }
    }

    pub(super) fn attached(&mut self, world: &World) {
        self.is_attached = true;
        self.mind.attached(true);
        self.report(world);
        self.answer();
    }

    pub(super) fn lost(&mut self) {
        self.is_attached = false;
        self.said.clear();
    }

    pub(super) fn take_said(&mut self) -> Vec<FromRouter> {
        std::mem::take(&mut self.said)
    }

    /// On the disk first, in the kernel after.
    pub(super) fn take_plan(&mut self, plan: Plan, now: Duration) {
        match self.mind.weigh(&plan) {
            Weighed::Refused => {}
            Weighed::Held => self.due(Chore::Pass, now),
            Weighed::New(scope) => {
                let Plan { scope: name, generation, document, .. } = plan;
                match self.ledger.keep(&scope, generation, &document) {
                    Ok(held) => {
                        self.mind.take(scope, held);
                        self.due(Chore::Pass, now + COLLECT / 4);
                    }
                    Err(error) => self.mind.refuse(name, generation, error.to_string()),
                }
            }
        }
        self.answer();
    }

    pub(super) fn work(&mut self, world: &mut World) {
        let now = world.now;
        if self.speaker.listen(&world.talks, (world.epoch, now)) {
            self.due(Chore::Rows, now + COLLECT);
            self.due(Chore::Facts, now + COLLECT);
            self.due(Chore::Report, now + COLLECT);
        }
        while let Some(chore) = self.schedule.take(self.zero + now, |_| true) {
            match chore {
                Chore::Pass => self.pass(world),
                Chore::Rows => self.rows(world),
                Chore::Facts => self.facts(world),
                Chore::Audit => {
                    self.reach = self.reach.max(Reach::Turn);
                    self.due(Chore::Pass, now);
                    self.due(Chore::Audit, now + AUDIT_EVERY);
                }
                Chore::Settle => {
                    self.speaker.give_up_unsettled();
                    self.due(Chore::Rows, now);
                }
                // Nobody else is told that a router is dead here.
                Chore::Announce => {}
                Chore::Report => {
                    self.report(world);
                    self.due(Chore::Report, now + REPORT_EVERY);
                }
            }
        }
    }

    /// Deleted interfaces say farewell first.
    fn pass(&mut self, world: &mut World) {
        let now = world.now;
        let wanted = self.mind.wants();
        let mind = &self.mind;
        let talks = (&mut world.talks, now);
        if self.speaker.retain(talks, |id, peer| mind.stays(&wanted, id, peer)) {
            return self.due(Chore::Pass, now + FAREWELL);
        }
        let reach = std::mem::take(&mut self.reach);
        let is_audit = reach > Reach::Changed;
        let look = self.mind.look(&wanted, reach);
        let Ok((outcome, before)) = pass(&mut world.kernel, &wanted, look) else { return };
        let generations = self.mind.generations();
        let wanted = Arc::new(wanted);
        let passed = Passed { is_audit, wanted, generations, outcome, before };
        let Passage { is_whole, has_failed, restarted } = self.mind.passed(passed);
        self.follow(now);
        if let Some(peers) = restarted {
            if !peers.is_empty() {
                self.due(Chore::Settle, now + SETTLE);
            }
            self.speaker.restarted(peers);
        }
        self.set_sessions(world);
        self.answer();
        if has_failed {
            self.due(Chore::Pass, now + RETRY);
        } else if !is_whole {
            self.due(Chore::Pass, now + GO_ON);
        }
        self.due(Chore::Rows, now);
        self.due(Chore::Facts, now);
        self.due(Chore::Report, now + COLLECT);
    }

    fn set_sessions(&mut self, world: &mut World) {
        let wanted = self.mind.wanted();
        for (id, plan) in interface_plans(self.mind.scopes()) {
            let Some(interface) = wanted.interfaces.get(&id) else { continue };
            let Some(ifindex) = inner_link(&world.kernel, id) else { continue };
            let place = ((interface.port.clone(), interface.vlan), ifindex);
            self.speaker.set((&mut world.talks, world.now), (id, plan), place);
            if let Some(talk) = world.talks.get_mut(&(interface.port.clone(), interface.vlan)) {
                talk.sign(Side::Ours, plan.key.clone());
            }
        }
    }

    fn rows(&mut self, world: &mut World) {
        if !self.mind.has_passed() {
            return;
        }
        let vias = self.mind.vias(&self.speaker);
        let told = |via: &Via| {
            let learned = self.speaker.learned(&world.talks, via);
            Via { learned, ..via.clone() }
        };
        let known: Vec<Via> = vias.values().map(told).collect();
        world.routes = RouteRows::wanted(&known, &world.routes);
        world.kernel.name(world.routes.numbers());
        world.ways.clone_from(&vias);
        self.mind.see_vias(vias);
        self.due(Chore::Report, world.now + COLLECT);
    }

    fn facts(&mut self, world: &World) {
        let mut facts = Facts::default();
        let wanted = self.mind.wanted();
        for peer in self.mind.placed() {
            let Some(interface) = wanted.interfaces.get(&peer.interface) else { continue };
            let place = (interface.port.clone(), interface.vlan);
            if world.reaches(&place) {
                facts.neighbours.insert(peer.neighbour(), Mac([2, 0, 0, 0, 0, 1]));
            }
        }
        if self.mind.see_facts(facts, world.civil()) {
            self.due(Chore::Report, world.now + COLLECT);
        }
        self.due(Chore::Facts, world.now + FACTS_EVERY);
    }

    fn report(&mut self, world: &World) {
        let now = world.civil();
        for (port, light) in self.mind.ports() {
            let mut spoken = self.mind.tell(&port, &self.speaker, now);
            let mut learned = BTreeMap::new();
            for (peer, net) in spoken.speakers(&self.mind.wanted()) {
                learned.insert(peer, self.speaker.tell(&world.talks, peer, net));
            }
            spoken.tell_routes(learned);
            let report = self.mind.port_report((port, light), spoken, self.speaker.heard(), now);
            let document = document(&report);
            self.say(Message::Report(Report { document, continues: false }));
        }
    }

    fn answer(&mut self) {
        for message in self.mind.take_answers() {
            self.say(message);
        }
    }

    /// What is said while there is no stream is dropped.
    fn say(&mut self, message: Message) {
        if self.is_attached {
            self.said.push(FromRouter { message: Some(message) });
        }
    }
}

/// The veth of an interface that has its inner end.
fn inner_link(kernel: &Kernel, id: InterfaceId) -> Option<u32> {
    let seen = kernel.observed().interfaces.get(&id).filter(|it| it.inside.is_some())?;
    seen.link.as_ref().map(|link| link.ifindex)
}
