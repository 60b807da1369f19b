//! What routers' agents have said: who is connected, and the last report of each port. In memory: facts that matter are
//! folded into the store, and an agent that vanishes changes no state.
//!
//! ```text
//!   own         agents whose streams are this server's: all that they said
//!   elsewhere   those of other servers on the same database, as they were a moment ago (see fleet): who is connected,
//!               light and transceivers; their reports are read when somebody asks
//! ```

mod asking;
mod turns;

use super::causes::Causes;
use crate::{
    app::AgentView,
    store::{
        Planned,
        fleet::{AgentRow, Signal},
        plans::Changes,
    },
};
use asking::{Asking, Unasked};
use directlink_channel::{Answer, Question};
use directlink_model::{
    connection::PortRef,
    evidence::Transceiver,
    ids::{InterfaceId, RouterName},
    plan::Scope,
    report::{InterfaceReport, PortReport},
};
use directlink_telemetry::Origin;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use thiserror::Error;
use tokio::sync::{SemaphorePermit, mpsc, oneshot, watch};
use turns::Turns;
use uuid::Uuid;

/// An agent of which its server has said nothing for so long is gone: that server is.
const GONE_AFTER: SignedDuration = SignedDuration::from_secs(20);

/// The last report of a port, complete.
struct Kept {
    report: PortReport,
    heard_at: Timestamp,
    /// The facts in it are in the store.
    is_folded: bool,
    /// It is in the store itself, where others read it.
    is_shown: bool,
}

/// A report that leaves out what this process never heard.
#[derive(Debug, Error)]
#[error("a report leaves out an interface of which nothing was told before")]
pub(crate) struct Untold;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Agents {
    all: Arc<Mutex<All>>,
    turns: Turns,
}

#[derive(Default)]
struct All {
    own: BTreeMap<RouterName, Agent>,
    elsewhere: BTreeMap<RouterName, Elsewhere>,
    causes: Causes,
}

#[derive(Default)]
struct Agent {
    /// Those that are open: two for a moment, when an agent dials again before its old stream is
    /// known to be dead.
    streams: Vec<Uuid>,
    /// The last that was opened. What comes on an older one was said before, and says nothing now.
    newest: Option<Uuid>,
    build: Option<String>,
    last_seen_at: Option<Timestamp>,
    reports: BTreeMap<PortRef, Kept>,
    /// Carries no data: a document of this router has changed.
    plans: watch::Sender<()>,
    /// How far its documents were when they were last read, and the generation of each.
    documents: Option<(Changes, Arc<Generations>)>,
    asking: Asking,
}

impl Agent {
    fn stream(&self) -> Option<Uuid> {
        self.newest.filter(|newest| self.streams.contains(newest))
    }
}

/// Of each document of a router.
pub(crate) type Generations = BTreeMap<Scope, u64>;

/// A stream that was opened.
pub(crate) struct Attachment {
    /// Woken when a document of the router has changed.
    pub(crate) changed: watch::Receiver<()>,
    pub(crate) questions: mpsc::Receiver<Question>,
}

/// A question on its way. Whoever drops it waits no longer.
pub(crate) struct Asked {
    agents: Agents,
    router: RouterName,
    number: u64,
    told: oneshot::Receiver<Answer>,
}

/// `None`: the router is gone.
impl Future for Asked {
    type Output = Option<Answer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Answer>> {
        Pin::new(&mut self.told).poll(cx).map(Result::ok)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(agent) = self.agents.lock().own.get_mut(&self.router) {
            agent.asking.forget(self.number);
        }
    }
}

struct Elsewhere {
    view: AgentView,
    signals: BTreeMap<PortRef, (bool, Option<Transceiver>)>,
}

impl All {
    /// Of an agent that is here, or was and is nowhere else.
    fn own(&self, router: &RouterName) -> Option<&Agent> {
        let is_elsewhere = self.elsewhere.contains_key(router);
        self.own.get(router).filter(|agent| !agent.streams.is_empty() || !is_elsewhere)
    }

    fn signal<T>(
        &self,
        port: &PortRef,
        of_report: impl Fn(&PortReport) -> T,
        of_signal: impl Fn(&(bool, Option<Transceiver>)) -> T,
    ) -> Option<T> {
        match self.own(&port.router) {
            Some(agent) => agent.reports.get(port).map(|kept| of_report(&kept.report)),
            None => self.elsewhere.get(&port.router)?.signals.get(port).map(of_signal),
        }
    }
}

impl Agents {
    /// An agent has come, or is a step further on the way to its stream: what others say waits a moment.
    pub(crate) fn come(&self) {
        self.turns.come();
    }

    /// A turn at opening a stream, until dropped.
    pub(crate) async fn turn_to_open(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.open().await
    }

    /// A turn at hearing what an agent has to say when it comes, until dropped.
    pub(crate) async fn turn_to_catch_up(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.hear().await
    }

    /// A turn at reading a report and folding it, until dropped.
    pub(crate) async fn turn_to_report(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.report().await
    }

    /// Documents that came of calls are there to be sent.
    pub(crate) fn planned(&self, planned: Vec<Planned>) {
        if !planned.is_empty() {
            self.lock().causes.add(planned);
        }
    }

    /// What a document came of, which is about to be sent.
    pub(crate) fn cause(
        &self,
        router: &RouterName,
        scope: &Scope,
        generation: u64,
    ) -> Option<Origin> {
        self.lock().causes.take(router, scope, generation)
    }

    /// A stream was opened. `answers`: the kinds of questions that its agent knows.
    pub(crate) fn attach(
        &self,
        (router, stream): (&RouterName, Uuid),
        (build, answers): (&str, &[String]),
        now: Timestamp,
    ) -> Attachment {
        let mut all = self.lock();
        let agent = all.own.entry(router.clone()).or_default();
        agent.streams.push(stream);
        agent.newest = Some(stream);
        agent.build = Some(build.to_owned());
        agent.last_seen_at = Some(now);
        let questions = agent.asking.attach(stream, answers);
        Attachment { changed: agent.plans.subscribe(), questions }
    }

    /// The generations of a router's documents, if they are known as of then: when all routers come back at once, reading
    /// them takes longer than all the rest.
    pub(crate) fn documents(
        &self,
        router: &RouterName,
        there: Changes,
    ) -> Option<Arc<Generations>> {
        let all = self.lock();
        let (known, documents) = all.own.get(router)?.documents.as_ref()?;
        (*known == there).then(|| Arc::clone(documents))
    }

    pub(crate) fn keep_documents(
        &self,
        router: &RouterName,
        there: Changes,
        documents: Arc<Generations>,
    ) {
        let mut all = self.lock();
        all.own.entry(router.clone()).or_default().documents = Some((there, documents));
    }

    pub(crate) fn detach(&self, router: &RouterName, stream: Uuid) {
        if let Some(agent) = self.lock().own.get_mut(router) {
            agent.streams.retain(|open| *open != stream);
            agent.asking.detach(stream);
        }
    }

    /// Sends a question to a router's agent.
    ///
    /// # Errors
    /// It is not connected here, or knows no such question, or has too many.
    pub(crate) fn ask(
        &self,
        router: &RouterName,
        kind: &str,
        document: Vec<u8>,
    ) -> Result<Asked, Unasked> {
        let mut all = self.lock();
        let agent = all.own.get_mut(router).ok_or(Unasked::Unheard)?;
        let (number, told) = agent.asking.ask(kind, document)?;
        Ok(Asked { agents: self.clone(), router: router.clone(), number, told })
    }

    pub(crate) fn answered(&self, router: &RouterName, answer: Answer) {
        if let Some(agent) = self.lock().own.get_mut(router) {
            agent.asking.answered(answer);
        }
    }

    pub(crate) fn see(&self, router: &RouterName, now: Timestamp) {
        if let Some(agent) = self.lock().own.get_mut(router) {
            agent.last_seen_at = Some(now);
        }
    }

    /// A document of the router has changed.
    pub(crate) fn wake(&self, router: &RouterName) {
        if let Some(agent) = self.lock().own.get(router) {
            agent.plans.send_replace(());
        }
    }

    /// Any document may have changed.
    pub(crate) fn wake_all(&self) {
        let all = self.lock();
        all.own.values().for_each(|agent| agent.plans.send_replace(()));
    }

    /// Keeps a report; the whole of it, if it tells more than the one before.
    ///
    /// # Errors
    /// It builds on one that was not heard: the agent must tell everything again.
    pub(crate) fn keep(
        &self,
        port: &PortRef,
        report: PortReport,
        now: Timestamp,
    ) -> Result<Option<PortReport>, Untold> {
        let mut all = self.lock();
        let agent = all.own.entry(port.router.clone()).or_default();
        let before = agent.reports.remove(port);
        let is_old = |kept: &Kept| kept.is_folded && !report.is_news_after(&kept.report);
        let is_news = !before.as_ref().is_some_and(is_old);
        let report = report.completed(before.map(|kept| kept.report)).ok_or(Untold)?;
        let news = is_news.then(|| report.clone());
        // What is news is shown with its facts.
        let kept = Kept { report, heard_at: now, is_folded: true, is_shown: is_news };
        agent.reports.insert(port.clone(), kept);
        Ok(news)
    }

    /// What was kept is not in the store: the next report is news whatever it says.
    pub(crate) fn not_folded(&self, port: &PortRef) {
        let mut all = self.lock();
        let kept = all.own.get_mut(&port.router).and_then(|agent| agent.reports.get_mut(port));
        if let Some(kept) = kept {
            kept.is_folded = false;
        }
    }

    /// As this server heard it, and no other has heard a later one.
    pub(crate) fn report(&self, port: &PortRef) -> Option<PortReport> {
        self.with_report(port, PortReport::clone)
    }

    /// The same without a copy. Whoever reports meanwhile waits.
    pub(crate) fn with_report<T>(
        &self,
        port: &PortRef,
        look: impl FnOnce(&PortReport) -> T,
    ) -> Option<T> {
        Some(look(&self.lock().own(&port.router)?.reports.get(port)?.report))
    }

    /// What was last said of an interface, and when.
    pub(crate) fn interface(
        &self,
        port: &PortRef,
        id: InterfaceId,
    ) -> Option<(InterfaceReport, Timestamp)> {
        let all = self.lock();
        let kept = all.own(&port.router)?.reports.get(port)?;
        Some((kept.report.interfaces.get(&id)?.clone(), kept.heard_at))
    }

    /// Looks at the last report of each port that this server hears. Whoever reports meanwhile waits.
    pub(crate) fn each_report(&self, mut look: impl FnMut(&PortRef, &PortReport)) {
        for agent in self.lock().own.values() {
            agent.reports.iter().for_each(|(port, kept)| look(port, &kept.report));
        }
    }

    pub(crate) fn light(&self, port: &PortRef) -> Option<bool> {
        self.lock().signal(port, |report| report.light, |(light, _)| *light)
    }

    pub(crate) fn transceiver(&self, port: &PortRef) -> Option<Transceiver> {
        let of_report = |report: &PortReport| report.evidence.transceiver.clone();
        self.lock().signal(port, of_report, |(_, transceiver)| transceiver.clone()).flatten()
    }

    pub(crate) fn view(&self, router: &RouterName) -> AgentView {
        let all = self.lock();
        match all.own(router) {
            Some(agent) => AgentView {
                connected: !agent.streams.is_empty(),
                build: agent.build.clone(),
                last_seen_at: agent.last_seen_at,
                scopes: vec![],
            },
            None => all.elsewhere.get(router).map(|one| one.view.clone()).unwrap_or_default(),
        }
    }

    /// Routers whose agent is connected to this server.
    pub(crate) fn connected(&self) -> usize {
        self.lock().own.values().filter(|agent| !agent.streams.is_empty()).count()
    }

    /// The newest stream of a router here, also if it is over.
    pub(crate) fn last_stream(&self, router: &RouterName) -> Option<Uuid> {
        self.lock().own.get(router)?.newest
    }

    /// Another server has heard the router since: what it said here last need not be what is in the store.
    pub(crate) fn was_elsewhere(&self, router: &RouterName) {
        if let Some(agent) = self.lock().own.get_mut(router) {
            agent.reports.values_mut().for_each(|kept| kept.is_folded = false);
        }
    }

    /// The newest stream of a router here, while it is open.
    pub(crate) fn stream(&self, router: &RouterName) -> Option<Uuid> {
        self.lock().own.get(router)?.stream()
    }

    /// Routers whose agent is here, each with its newest stream and when it was last heard.
    pub(crate) fn present(&self) -> Vec<(RouterName, Uuid, Timestamp)> {
        let all = self.lock();
        let present = |(router, agent): (&RouterName, &Agent)| {
            Some((router.clone(), agent.stream()?, agent.last_seen_at?))
        };
        all.own.iter().filter_map(present).collect()
    }

    /// Ports of agents that are here whose last report others cannot read yet. They are taken as shown.
    pub(crate) fn to_show(&self) -> Vec<PortRef> {
        let mut all = self.lock();
        let here = all.own.values_mut().filter(|agent| !agent.streams.is_empty());
        let ports = here.flat_map(|agent| agent.reports.iter_mut());
        let hidden = |(port, kept): (&PortRef, &mut Kept)| {
            (!std::mem::replace(&mut kept.is_shown, true)).then(|| port.clone())
        };
        ports.filter_map(hidden).collect()
    }

    /// What all servers have said; of agents that are here this one knows better.
    pub(crate) fn learn(&self, agents: Vec<AgentRow>, signals: Vec<Signal>, now: Timestamp) {
        let view = |row: AgentRow| {
            let is_heard = now.duration_since(row.seen_at) < GONE_AFTER;
            let view = AgentView {
                connected: row.is_attached && is_heard,
                build: Some(row.build),
                last_seen_at: Some(row.seen_at),
                scopes: vec![],
            };
            (row.router, Elsewhere { view, signals: BTreeMap::new() })
        };
        let mut elsewhere: BTreeMap<_, _> = agents.into_iter().map(view).collect();
        for Signal { port, light, transceiver } in signals {
            if let Some(one) = elsewhere.get_mut(&port.router) {
                one.signals.insert(port, (light, transceiver));
            }
        }
        self.lock().elsewhere = elsewhere;
    }

    /// A panic elsewhere leaves nothing half-written here.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
