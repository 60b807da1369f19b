//! What routers' agents have said since this process started: who is connected, and the last
//! report of each port. In memory only: facts that matter are folded into the store, and an agent
//! that vanishes changes no state.

use crate::app::AgentView;
use directlink_model::{
    connection::PortRef, evidence::Transceiver, ids::RouterName, report::PortReport,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;
use tokio::sync::watch;

/// The last report of a port, complete.
struct Kept {
    report: PortReport,
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
    build: Option<String>,
    last_seen_at: Option<Timestamp>,
    reports: BTreeMap<PortRef, Kept>,
    /// Carries no data: a document of this router has changed.
    plans: watch::Sender<()>,
}

impl Agents {
    /// A stream was opened. The receiver is woken when a document of the router has changed.
    pub(crate) fn attach(
        &self,
        router: &RouterName,
        build: &str,
        now: Timestamp,
    ) -> watch::Receiver<()> {
        let mut all = self.lock();
        let agent = all.entry(router.clone()).or_default();
        agent.streams += 1;
        agent.build = Some(build.to_owned());
        agent.last_seen_at = Some(now);
        agent.plans.subscribe()
    }

    pub(crate) fn detach(&self, router: &RouterName) {
        if let Some(agent) = self.lock().get_mut(router) {
            agent.streams = agent.streams.saturating_sub(1);
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
    ) -> Result<Option<PortReport>, Untold> {
        let mut all = self.lock();
        let agent = all.entry(port.router.clone()).or_default();
        let before = agent.reports.remove(port);
        let is_old = |kept: &Kept| kept.is_folded && !report.is_news_after(&kept.report);
        let is_news = !before.as_ref().is_some_and(is_old);
        let report = report.completed(before.map(|kept| kept.report)).ok_or(Untold)?;
        let news = is_news.then(|| report.clone());
        agent.reports.insert(port.clone(), Kept { report, is_folded: true });
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

    /// Looks at the last report of each port. Whoever reports meanwhile waits.
    pub(crate) fn each_report(&self, mut look: impl FnMut(&PortRef, &PortReport)) {
        for agent in self.lock().values() {
            agent.reports.iter().for_each(|(port, kept)| look(port, &kept.report));
        }
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
