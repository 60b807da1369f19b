//! The jobs of the kernel thread: begun by the loop, one at a time, and what becomes of each.

use super::{
    Agent, FAREWELL, RETRY,
    mind::{Passage, Reach, Voices as _},
};
use crate::{
    bundles, clock,
    diff::diff,
    kernel::{Facts, Hands, Insides, Kernel, KernelError, Look, ObserveError, Question, RowWish},
    observed::{Interface, Observed},
    relays::Elsewhere,
    report::Outcome,
    routes::{Neighbour, Via},
    schedule::Chore,
    wanted::{Known, Wanted},
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
use tracing::Instrument as _;

/// One that runs.
pub(super) type Job = Pin<Box<dyn Future<Output = Result<Done, KernelError>> + Send>>;

pub(super) enum Done {
    Pass(Box<Passed>),
    Rows { vias: BTreeMap<Neighbour, Via> },
    Facts(Facts),
    Failed { chore: Chore, why: String },
}

pub(crate) struct Passed {
    /// It looked into more than what it was about.
    pub(crate) is_audit: bool,
    pub(crate) wanted: Arc<Wanted>,
    /// Of the plans that it was made of.
    pub(crate) generations: BTreeMap<Scope, u64>,
    pub(crate) outcome: Outcome,
    /// Interfaces that had their row before anything was done.
    pub(crate) before: BTreeSet<InterfaceId>,
}

/// A peer that the tables have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) interface: InterfaceId,
    pub(crate) interface_number: InterfaceNumber,
    pub(crate) cell: PeerCell,
    pub(crate) mtu: Mtu,
    /// Which one it is, if a plan says.
    pub(crate) peer: Option<BgpPeerId>,
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
        let wanted = self.mind.wants();
        let mind = &self.mind;
        if self.sessions.retain(|id, peer| mind.stays(&wanted, id, peer)) {
            self.schedule.after(Chore::Pass, clock::instant(), FAREWELL);
            return;
        }
        self.watch.look_at(wanted.ports.keys().cloned().collect());
        let reach = std::mem::take(&mut self.reach);
        let is_audit = reach > Reach::Changed;
        let doubts = self.mind.doubts(reach);
        let look = self.mind.look(&wanted, reach);
        self.teach |= is_audit;
        let wanted = Arc::new(wanted);
        let generations = generations(&self.mind.scopes);
        let kernel = self.kernel.clone();
        let span = self.applying.pass();
        let job = async move {
            let pass = move |kernel: &mut Kernel| {
                if doubts {
                    kernel.doubt();
                }
                let (outcome, before) = pass(kernel, &wanted, look)?;
                Ok::<_, ObserveError>(Passed { is_audit, wanted, generations, outcome, before })
            };
            Ok(match kernel.run(pass).await? {
                Ok(passed) => Done::Pass(Box::new(passed)),
                Err(error) => Done::Failed { chore: Chore::Pass, why: error.to_string() },
            })
        };
        self.job = Some(Box::pin(job.instrument(span)));
    }

    pub(super) fn passed(&mut self, passed: Passed) {
        let now = clock::instant();
        let Passage { is_whole, has_failed, restarted } = self.mind.passed(passed);
        self.watch.ask(self.mind.siblings());
        self.follow();
        if let Some(peers) = restarted {
            self.sessions.restarted(peers, now);
            if let Some(when) = self.sessions.settles_at() {
                self.schedule.at(Chore::Settle, when);
            }
        }
        self.set_sessions();
        self.answer();
        if has_failed {
            self.schedule.after(Chore::Pass, now, RETRY);
        } else if !is_whole {
            self.schedule.at(Chore::Pass, now);
        }
        self.schedule.at(Chore::Rows, now);
        self.schedule.at(Chore::Facts, now);
        self.report_soon();
    }

    fn set_sessions(&mut self) {
        let observed = &self.mind.seen.outcome.observed;
        let wanted = &self.mind.wanted;
        let plans =
            interface_plans(&self.mind.scopes).filter(|(id, _)| wanted.interfaces.contains_key(id));
        let namespaces = &self.namespaces;
        self.sessions.set(plans, observed, |id| namespaces.path(id));
    }

    /// Before the first pass nothing is known of what the rows that are there are for.
    pub(super) fn begin_rows(&mut self) {
        if !self.mind.seen.has_passed {
            return;
        }
        let wish = RowWish {
            vias: self.mind.vias(&self.sessions),
            elsewhere: Elsewhere::of(&self.mind.wanted, &self.mind.seen.dead),
            ribs: self.sessions.ribs(),
            touched: self.sessions.take_touched(),
            in_use: bundles::in_use(&self.mind.wanted, &self.mind.sight()),
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

    pub(super) fn begin_facts(&mut self) {
        let peers = self.mind.placed();
        let heard = self.sessions.heard();
        let is_up = |peer: &Placed| {
            let session = peer.peer.and_then(|peer| heard.sessions.get(&peer));
            session.is_some_and(|session| session.since().is_some())
        };
        let question = Question {
            down: peers.iter().filter(|peer| !is_up(peer)).map(|peer| peer.interface).collect(),
            ports: self.mind.wanted.ports.keys().cloned().collect(),
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
pub(crate) fn pass(
    kernel: &mut impl Hands,
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

pub(crate) fn generations(scopes: &BTreeMap<Scope, Known>) -> BTreeMap<Scope, u64> {
    let current = scopes.iter().filter_map(|(scope, known)| match known {
        Known::Current { generation, .. } => Some((scope.clone(), *generation)),
        Known::Former(_) => None,
    });
    current.collect()
}

/// All interfaces of all ports, from documents of whatever age.
pub(crate) fn interface_plans(
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
