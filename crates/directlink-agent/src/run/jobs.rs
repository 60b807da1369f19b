//! The jobs of the kernel thread: begun by the loop, one at a time, and what becomes of each.

use super::{Agent, FAREWELL, RETRY};
use crate::{
    clock,
    diff::diff,
    kernel::{Facts, Insides, Kernel, KernelError, Look, ObserveError, Question, RowWish},
    observed::{Interface, Observed},
    relays::Elsewhere,
    report::Outcome,
    routes::{Neighbour, Via},
    schedule::Chore,
    wanted::{Certainty, Known, Peer, Wanted},
};
use directlink_dataplane::{InterfaceNumber, Peer as PeerCell};
use directlink_model::{
    ids::{BgpPeerId, InterfaceId},
    plan::{Document, InterfacePlan, Scope},
};
use directlink_net::Mtu;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

/// One that runs.
pub(super) type Job = Pin<Box<dyn Future<Output = Result<Done, KernelError>> + Send>>;

pub(super) enum Done {
    Pass(Box<Passed>),
    Rows { vias: BTreeMap<Neighbour, Via> },
    Facts(Facts),
    Failed { chore: Chore, why: String },
}

pub(super) struct Passed {
    /// It looked everywhere.
    pub(super) is_audit: bool,
    wanted: Arc<Wanted>,
    /// Of the plans that it was made of.
    generations: BTreeMap<Scope, u64>,
    outcome: Outcome,
    /// Interfaces that had their row before anything was done.
    before: BTreeSet<InterfaceId>,
}

/// A peer that the tables have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) interface: InterfaceId,
    pub(crate) interface_number: InterfaceNumber,
    pub(crate) cell: PeerCell,
    pub(crate) mtu: Mtu,
    /// Which one it is, if a plan says.
    pub(super) peer: Option<BgpPeerId>,
}

impl Placed {
    pub(crate) const fn neighbour(&self) -> Neighbour {
        (self.interface, self.cell.customer)
    }
}

/// So long at once, and routes and neighbours have their turn.
const PASS_TIME: Duration = Duration::from_millis(500);

/// Waits for the job; forever if there is none.
pub(super) async fn finished(job: &mut Option<Job>) -> Result<Done, KernelError> {
    let Some(running) = job else { return std::future::pending().await };
    let done = running.await;
    *job = None;
    done
}

impl Agent {
    /// Wanted against observed. Deleted interfaces say farewell first.
    pub(super) fn begin_pass(&mut self) {
        let wanted = Wanted::of(&self.scopes);
        let memory = &self.seen;
        let is_wanted = |id: InterfaceId, peer: BgpPeerId| {
            let interface = wanted.interfaces.get(&id);
            interface.is_some_and(|it| it.peers.iter().any(|wanted| wanted.id == peer))
        };
        let stays = |id, peer| match memory.ports.get(&id) {
            _ if is_wanted(id, peer) => true,
            Some(port) => wanted.certainty(port) == Certainty::Held,
            None => false,
        };
        if self.sessions.retain(stays) {
            self.schedule.after(Chore::Pass, clock::instant(), FAREWELL);
            return;
        }
        self.watch.look_at(wanted.ports.keys().cloned().collect());
        let look = Look {
            ports: wanted.ports.keys().cloned().collect(),
            vteps: wanted.vteps(),
            insides: self.insides(&wanted),
        };
        let is_audit = std::mem::take(&mut self.look_everywhere);
        self.teach |= is_audit;
        let wanted = Arc::new(wanted);
        let generations = generations(&self.scopes);
        let kernel = self.kernel.clone();
        self.job = Some(Box::pin(async move {
            let pass = move |kernel: &mut Kernel| {
                if is_audit {
                    kernel.doubt_rows();
                }
                let (outcome, before) = pass(kernel, &wanted, look)?;
                Ok::<_, ObserveError>(Passed { is_audit, wanted, generations, outcome, before })
            };
            Ok(match kernel.run(pass).await? {
                Ok(passed) => Done::Pass(Box::new(passed)),
                Err(error) => Done::Failed { chore: Chore::Pass, why: error.to_string() },
            })
        }));
    }

    /// Those that are wanted otherwise than before, or were not right; at an audit, all.
    fn insides(&self, wanted: &Wanted) -> Insides {
        if self.look_everywhere {
            return Insides::All;
        }
        let (was, is) = (&self.wanted.interfaces, &wanted.interfaces);
        let all: BTreeSet<_> = was.keys().chain(is.keys()).copied().collect();
        let mut ids: BTreeSet<_> = all.into_iter().filter(|id| was.get(id) != is.get(id)).collect();
        let outcome = &self.seen.outcome;
        let subjects = outcome.difference.changes.iter().map(crate::diff::Change::subject);
        ids.extend(subjects.chain(outcome.failures.keys().cloned()).filter_map(|s| s.interface()));
        Insides::Only { ids, before: outcome.observed.interfaces.clone() }
    }

    pub(super) fn passed(&mut self, passed: Passed) {
        let Passed { is_audit: _, wanted, generations, outcome, before } = passed;
        let now = clock::instant();
        self.wanted = wanted;
        let siblings = self.wanted.nets.values().flat_map(|net| net.routers.iter().copied());
        let siblings: BTreeSet<_> = siblings.collect();
        self.seen.dead.retain(|router| siblings.contains(router));
        self.watch.ask(siblings);
        if !self.seen.has_passed {
            self.seen.has_passed = true;
            let peers = |id| self.wanted.interfaces.get(id).into_iter().flat_map(|it| &it.peers);
            let peers = before.iter().flat_map(peers).map(|peer| peer.id).collect();
            self.sessions.restarted(peers, now);
            if let Some(when) = self.sessions.settles_at() {
                self.schedule.at(Chore::Settle, when);
            }
        }
        let is_whole = outcome.difference.changes.is_empty();
        let has_failed = !outcome.failures.is_empty();
        self.remember(outcome);
        self.set_sessions();
        if is_whole || has_failed {
            let ports = generations.iter().filter_map(|(scope, generation)| match scope {
                Scope::Port(port) => Some((port.clone(), *generation)),
                Scope::Net(_) => None,
            });
            self.seen.applied.extend(ports);
            self.judge(&generations);
        }
        if has_failed {
            self.schedule.after(Chore::Pass, now, RETRY);
        } else if !is_whole {
            self.schedule.at(Chore::Pass, now);
        }
        self.schedule.at(Chore::Rows, now);
        self.schedule.at(Chore::Facts, now);
        self.report_soon();
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

    fn set_sessions(&mut self) {
        let observed = &self.seen.outcome.observed;
        let wanted = &self.wanted;
        let plans =
            interface_plans(&self.scopes).filter(|(id, _)| wanted.interfaces.contains_key(id));
        let namespaces = &self.namespaces;
        self.sessions.set(plans, observed, |id| namespaces.path(id));
    }

    /// Before the first pass nothing is known of what the rows that are there are for.
    pub(super) fn begin_rows(&mut self) {
        if !self.seen.has_passed {
            return;
        }
        let wish = RowWish {
            vias: self.vias(),
            elsewhere: Elsewhere::of(&self.wanted, &self.seen.dead),
            ribs: self.sessions.ribs(),
            touched: self.sessions.take_touched(),
        };
        let kernel = self.kernel.clone();
        self.job = Some(Box::pin(async move {
            let sync = move |kernel: &mut Kernel| kernel.sync_rows(&wish).map(|()| wish.vias);
            Ok(match kernel.run(sync).await? {
                Ok(vias) => Done::Rows { vias },
                Err(error) => Done::Failed { chore: Chore::Rows, why: error.to_string() },
            })
        }));
    }

    /// The peers of interfaces that lead to a Net, by the kernel's rows, with what they say.
    fn vias(&self) -> BTreeMap<Neighbour, Via> {
        let rows = &self.seen.outcome.observed.tables.interfaces;
        let via = |peer: &Placed| {
            Some((peer.neighbour(), self.via(peer, rows.get(&peer.interface_number)?)?))
        };
        self.placed().iter().filter_map(via).collect()
    }

    /// Every peer that the tables have.
    pub(super) fn placed(&self) -> Vec<Placed> {
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

    fn via(&self, peer: &Placed, row: &directlink_dataplane::Interface) -> Option<Via> {
        let &Placed { interface, interface_number, cell, peer, .. } = peer;
        let port = self.seen.ports.get(&interface)?;
        let is_held = self.wanted.certainty(port) == Certainty::Held;
        if !row.forwards || !(peer.is_some() || is_held) {
            return None;
        }
        let heard = self.sessions.heard();
        let session = peer.and_then(|peer| heard.sessions.get(&peer));
        let counts = session.and_then(|session| Some(session.status.as_ref()?.bgp.routes));
        Some(Via {
            peer,
            number: cell.way,
            interface: interface_number,
            vni: row.vni,
            customer: cell.customer,
            light: self.seen.lights.get(port).copied().unwrap_or_default(),
            is_established: session.is_some_and(|session| session.since().is_some()),
            // Nobody speaks for an interface whose plan cannot be read.
            is_settled: peer.is_some_and(|peer| self.sessions.is_settled(peer)),
            has_routes: counts.is_some_and(|counts| counts.accepted > 0),
            is_drained: peer.is_some_and(|peer| self.sessions.is_drained(peer)),
            learned: Vec::new(),
        })
    }

    pub(super) fn begin_facts(&mut self) {
        let peers = self.placed();
        let heard = self.sessions.heard();
        let is_up = |peer: &Placed| {
            let session = peer.peer.and_then(|peer| heard.sessions.get(&peer));
            session.is_some_and(|session| session.since().is_some())
        };
        let question = Question {
            down: peers.iter().filter(|peer| !is_up(peer)).map(|peer| peer.interface).collect(),
            ports: self.wanted.ports.keys().cloned().collect(),
            peers,
            teach: std::mem::take(&mut self.teach),
        };
        let kernel = self.kernel.clone();
        self.job = Some(Box::pin(async move {
            Ok(match kernel.run(move |kernel| kernel.facts(&question)).await? {
                Ok(facts) => Done::Facts(facts),
                Err(error) => Done::Failed { chore: Chore::Facts, why: error.to_string() },
            })
        }));
    }
}

/// Observes, does what differs, and observes that again.
fn pass(
    kernel: &mut Kernel,
    wanted: &Wanted,
    look: Look,
) -> Result<(Outcome, BTreeSet<InterfaceId>), ObserveError> {
    let observed = kernel.observe(&look)?;
    let before = observed.numbers().into_keys().collect();
    let difference = diff(wanted, &observed);
    if difference.changes.is_empty() {
        kernel.forget_former_layouts();
        return Ok((Outcome { observed, difference, ..Outcome::default() }, before));
    }
    let (done, failures) = kernel.apply(&difference.changes, clock::instant() + PASS_TIME);
    kernel.take_late_flows();
    let tried = difference.changes.iter().take(done);
    let ids = tried.filter_map(|change| change.subject().interface()).collect();
    let insides = Insides::Only { ids, before: into_interfaces(observed) };
    let observed = kernel.observe(&Look { insides, ..look })?;
    let difference = diff(wanted, &observed);
    if difference.changes.is_empty() && failures.is_empty() {
        kernel.forget_former_layouts();
    }
    let failures = failures.into_iter().map(|(subject, e)| (subject, e.to_string())).collect();
    Ok((Outcome { observed, difference, failures }, before))
}

fn into_interfaces(observed: Observed) -> BTreeMap<InterfaceId, Interface> {
    observed.interfaces
}

pub(super) fn generations(scopes: &BTreeMap<Scope, Known>) -> BTreeMap<Scope, u64> {
    let current = scopes.iter().filter_map(|(scope, known)| match known {
        Known::Current { generation, .. } => Some((scope.clone(), *generation)),
        Known::Former(_) => None,
    });
    current.collect()
}

/// All interfaces of all ports, from documents of whatever age.
pub(super) fn interface_plans(
    scopes: &BTreeMap<Scope, Known>,
) -> impl Iterator<Item = (InterfaceId, &InterfacePlan)> {
    let documents = scopes.values().filter_map(|known| match known {
        Known::Current { document, .. } => Some(document),
        Known::Former(document) => document.as_ref(),
    });
    let ports = documents.filter_map(|document| match document {
        Document::Port(plan) => Some(plan),
        Document::Net(_) => None,
    });
    ports.flat_map(|plan| plan.interfaces.iter().map(|(&id, plan)| (id, plan)))
}
