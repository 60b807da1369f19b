//! What routers' agents have said since this process started: who is connected, and the last
//! report of each port. In memory only: facts that matter are folded into the store, and an agent
//! that vanishes changes no state.

mod asking;

use crate::app::AgentView;
use asking::{Asking, Unasked};
use directlink_channel::{Answer, Question};
use directlink_model::{
    connection::PortRef,
    evidence::Transceiver,
    ids::{InterfaceId, RouterName},
    report::{InterfaceReport, PortReport},
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// The last report of a port, complete.
struct Kept {
    report: PortReport,
    heard_at: Timestamp,
    /// The facts in it are in the store.
    is_folded: bool,
}

/// A report that leaves out what this process never heard.
#[derive(Debug, Error)]
#[error("a report leaves out an interface of which nothing was told before")]
pub(crate) struct Untold;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Agents(Arc<Mutex<BTreeMap<RouterName, Agent>>>);

#[derive(Default)]
struct Agent {
    /// Streams that are open: two for a moment, when an agent dials again before its old stream is
    /// known to be dead.
    streams: usize,
    /// All that ever were.
    numbers: u64,
    build: Option<String>,
    last_seen_at: Option<Timestamp>,
    reports: BTreeMap<PortRef, Kept>,
    /// Carries no data: a document of this router has changed.
    plans: watch::Sender<()>,
    asking: Asking,
}

/// A stream that was opened.
pub(crate) struct Attachment {
    pub(crate) number: u64,
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
        if let Some(agent) = self.agents.lock().get_mut(&self.router) {
            agent.asking.forget(self.number);
        }
    }
}

impl Agents {
    /// A stream was opened. `answers`: the kinds of questions that its agent knows.
    pub(crate) fn attach(
        &self,
        router: &RouterName,
        (build, answers): (&str, &[String]),
        now: Timestamp,
    ) -> Attachment {
        let mut all = self.lock();
        let agent = all.entry(router.clone()).or_default();
        agent.streams += 1;
        agent.numbers += 1;
        agent.build = Some(build.to_owned());
        agent.last_seen_at = Some(now);
        let number = agent.numbers;
        let questions = agent.asking.attach(number, answers);
        Attachment { number, changed: agent.plans.subscribe(), questions }
    }

    pub(crate) fn detach(&self, router: &RouterName, number: u64) {
        if let Some(agent) = self.lock().get_mut(router) {
            agent.streams = agent.streams.saturating_sub(1);
            agent.asking.detach(number);
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
        let agent = all.get_mut(router).ok_or(Unasked::Unheard)?;
        let (number, told) = agent.asking.ask(kind, document)?;
        Ok(Asked { agents: self.clone(), router: router.clone(), number, told })
    }

    pub(crate) fn answered(&self, router: &RouterName, answer: Answer) {
        if let Some(agent) = self.lock().get_mut(router) {
            agent.asking.answered(answer);
        }
    }

    pub(crate) fn see(&self, router: &RouterName, now: Timestamp) {
        if let Some(agent) = self.lock().get_mut(router) {
            agent.last_seen_at = Some(now);
        }
    }

    /// A document of the router has changed.
    pub(crate) fn wake(&self, router: &RouterName) {
        if let Some(agent) = self.lock().get(router) {
            agent.plans.send_replace(());
        }
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
        let agent = all.entry(port.router.clone()).or_default();
        let before = agent.reports.remove(port);
        let is_old = |kept: &Kept| kept.is_folded && !report.is_news_after(&kept.report);
        let is_news = !before.as_ref().is_some_and(is_old);
        let report = report.completed(before.map(|kept| kept.report)).ok_or(Untold)?;
        let news = is_news.then(|| report.clone());
        agent.reports.insert(port.clone(), Kept { report, heard_at: now, is_folded: true });
        Ok(news)
    }

    /// What was kept is not in the store: the next report is news whatever it says.
    pub(crate) fn not_folded(&self, port: &PortRef) {
        let mut all = self.lock();
        let kept = all.get_mut(&port.router).and_then(|agent| agent.reports.get_mut(port));
        if let Some(kept) = kept {
            kept.is_folded = false;
        }
    }

    pub(crate) fn report(&self, port: &PortRef) -> Option<PortReport> {
        Some(self.lock().get(&port.router)?.reports.get(port)?.report.clone())
    }

    /// What was last said of an interface, and when.
    pub(crate) fn interface(
        &self,
        port: &PortRef,
        id: InterfaceId,
    ) -> Option<(InterfaceReport, Timestamp)> {
        let all = self.lock();
        let kept = all.get(&port.router)?.reports.get(port)?;
        Some((kept.report.interfaces.get(&id)?.clone(), kept.heard_at))
    }

    pub(crate) fn light(&self, port: &PortRef) -> Option<bool> {
        Some(self.lock().get(&port.router)?.reports.get(port)?.report.light)
    }

    pub(crate) fn transceiver(&self, port: &PortRef) -> Option<Transceiver> {
        let all = self.lock();
        all.get(&port.router)?.reports.get(port)?.report.evidence.transceiver.clone()
    }

    pub(crate) fn view(&self, router: &RouterName) -> AgentView {
        let all = self.lock();
        let Some(agent) = all.get(router) else { return AgentView::default() };
        AgentView {
            connected: agent.streams > 0,
            build: agent.build.clone(),
            last_seen_at: agent.last_seen_at,
            scopes: vec![],
        }
    }

    /// Routers whose agent is connected.
    pub(crate) fn connected(&self) -> usize {
        self.lock().values().filter(|agent| agent.streams > 0).count()
    }

    /// A panic elsewhere leaves nothing half-written here.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<RouterName, Agent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
