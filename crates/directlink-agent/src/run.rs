//! The agent's loop: plans, link events, sessions and time come in; passes over the kernel,
//! rows, answers and reports go out.
//!
//! ```text
//!   plan ──► ledger ──► scopes ──► pass due ─┐
//!   link event ──► light, report             ├─► one job at a time on the kernel thread
//!   session ──► heard ──► rows due, report ──┘        │
//!   time ──► facts, audit, report                     ▼
//!                                        outcome ──► sessions, Ack | Nack, report
//! ```
//!
//! Nothing here waits for the kernel, the server or a customer: while a job runs, light and
//! sessions are still heard and told.

mod answers;
mod applying;
mod asked;
pub(crate) mod jobs;
pub(crate) mod mind;
pub(crate) mod plans;
pub(crate) mod telling;

use crate::{
    AgentConfig,
    bmp::Stations,
    bundles, clock,
    evidence::Evidence,
    glass::{Glass, Looked},
    kernel::{self, Facts, Kernel, KernelError, KernelThread, LinkEvent, Watch},
    ledger::{Ledger, LedgerError},
    link::{FromServer, Link},
    names::Namespaces,
    report::Outcome,
    routes::{Neighbour, Via},
    schedule::{Chore, Schedule, pause, rest},
    sessions::{News, Sessions},
    sflow::Collectors,
    siblings::announcements,
    speaker::Monitor,
};
use applying::Applying;
use directlink_bgp::PrefixLimits;
use directlink_model::ids::{InterfaceId, PortName};
pub(crate) use jobs::Placed;
use jobs::{Done, Job};
use mind::{Mind, Reach};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use thiserror::Error;
use tokio::sync::mpsc;

#[derive(Debug, Error)]
pub enum AgentError {
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error("the ledger is not to be had: {0}")]
    Ledger(#[from] LedgerError),
    #[error("cannot {doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
}

/// Is the router's agent, until it fails or its future is dropped. Either leaves everything
/// in the kernel as it is, and the customers' routers holding our routes: to stop is to be
/// killed. [`crate::clean`] takes it away.
///
/// # Errors
/// The state directory, the router's namespace or the packet programs are not to be had; or,
/// later, the kernel thread or its sockets died.
pub async fn run(config: AgentConfig) -> Result<(), AgentError> {
    Agent::start(config).await?.run().await
}

/// How long changes are collected before rows are written and reports sent.
pub(crate) const COLLECT: Duration = Duration::from_millis(20);
/// How long a customer's router has to hear that its interface is deleted.
pub(crate) const FAREWELL: Duration = Duration::from_millis(50);
/// Between tries at what failed.
pub(crate) const RETRY: Duration = Duration::from_secs(5);
const ANNOUNCE_PERIOD: Duration = Duration::from_secs(1);
/// Looks that are over and not answered.
const LOOKS: usize = 64;
/// The least between two of a kind, and the most where they take long.
const FACTS_PERIOD: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
const REPORT_PERIOD: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];
const AUDIT_PERIOD: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];

struct Agent {
    ledger: Ledger,
    mind: Mind,
    kernel: KernelThread,
    watch: Watch,
    namespaces: Namespaces,
    uplink: String,
    link: Link,
    sessions: Sessions,
    _stations: Stations,
    collectors: Collectors,
    schedule: Schedule,
    applying: Applying,
    job: Option<Job>,
    job_began: Instant,
    /// Until the server has taken what was said before.
    report_waits: bool,
    reach: Reach,
    /// The next facts tell the data plane what neighbours the kernel knows.
    teach: bool,
    glass: Glass,
    looks: mpsc::Receiver<Looked>,
}

/// What was last seen, as far as reports need it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    outcome: Outcome,
    has_passed: bool,
    lights: BTreeMap<PortName, bool>,
    facts: Facts,
    evidence: Evidence,
    vias: BTreeMap<Neighbour, Via>,
    /// Other routers that lived and do not answer any more.
    dead: BTreeSet<Ipv4Addr>,
    /// Where each interface that is there was last known to be.
    ports: BTreeMap<InterfaceId, PortName>,
    /// The generation that each port was last brought to.
    applied: BTreeMap<PortName, u64>,
}

impl Agent {
    async fn start(config: AgentConfig) -> Result<Self, AgentError> {
        kernel::raise_open_files();
        let ledger = Ledger::open(&config.state_dir)?;
        let mut mind = Mind::new(plans::read(&ledger)?);
        let kernel = KernelThread::start(config.kernel.clone()).await?;
        let listen = |source| AgentError::Io { doing: "listen to the router's links", source };
        let pace = config.bfd;
        let subscription = kernel.run(move |kernel| kernel.subscribe(pace)).await?;
        let subscription = subscription.map_err(listen)?;
        let watch = Watch::new(subscription).map_err(listen)?;
        let lights = kernel.run(Kernel::lights).await?.map_err(listen)?;
        let stand_ins = kernel.run(Kernel::stand_ins).await?.map_err(KernelError::from)?;
        let limits = PrefixLimits { prefixes_max: config.prefixes_max, ..PrefixLimits::default() };
        let monitor = Arc::new(Monitor::default());
        let collectors = Collectors::start(&config.sflow);
        let stations = Stations::start(&config.bmp, &config.router, &monitor);
        let monitor = Some(monitor).filter(|_| !config.bmp.stations.is_empty());
        let sessions = Sessions::new(config.bfd, stand_ins, limits, monitor)
            .map_err(|source| AgentError::Io { doing: "start the BGP speaker", source })?;
        let prefix = &config.kernel.netns_prefix;
        let namespaces = Namespaces::new(Path::new(crate::NETNS_DIR), prefix);
        let mut schedule = Schedule::default();
        let now = clock::instant();
        schedule.at(Chore::Pass, now);
        schedule.after(Chore::Facts, now, FACTS_PERIOD[0]);
        schedule.after(Chore::Audit, now, AUDIT_PERIOD[0]);
        schedule.after(Chore::Report, now, REPORT_PERIOD[0]);
        let (looked, looks) = mpsc::channel(LOOKS);
        mind.see_lights(lights);
        for (port, status) in kernel.run(Kernel::lacp).await?.map_err(listen)? {
            mind.seen.evidence.hear_lacp(&port, status);
        }
        Ok(Self {
            ledger,
            kernel,
            watch,
            namespaces,
            uplink: config.kernel.uplink.clone(),
            link: Link::start(config, mind.held()),
            mind,
            sessions,
            _stations: stations,
            collectors,
            schedule,
            applying: Applying::default(),
            job: None,
            job_began: now,
            report_waits: false,
            reach: Reach::Everywhere,
            teach: false,
            glass: Glass::new(looked),
            looks,
        })
    }

    async fn run(mut self) -> Result<(), AgentError> {
        loop {
            self.work_through().await;
            let is_free = self.job.is_none();
            let wake = self.schedule.next(|chore| is_free || !chore.needs_kernel());
            tokio::select! {
                done = jobs::finished(&mut self.job) => self.finish(done?),
                event = self.watch.next() => {
                    let event = event.map_err(|source| {
                        AgentError::Io { doing: "listen to the router's links", source }
                    })?;
                    self.link_event(event);
                }
                () = self.sessions.changed() => {
                    let news = self.sessions.listen();
                    self.sessions_said(news);
                }
                Some(looked) = self.looks.recv() => self.looked(looked),
                Some(said) = self.link.from_server.recv() => self.server_said(said).await,
                () = self.link.places.wait(), if self.report_waits => {
                    self.report_waits = false;
                    self.schedule.at(Chore::Report, clock::instant());
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Does what is due, as far as the kernel thread is free for it.
    async fn work_through(&mut self) {
        let now = clock::instant();
        loop {
            let is_free = self.job.is_none();
            let due = self.schedule.take(now, |chore| is_free || !chore.needs_kernel());
            let Some(chore) = due else { return };
            self.job_began = if is_free { now } else { self.job_began };
            match chore {
                Chore::Pass => self.begin_pass(),
                Chore::Rows => self.begin_rows(),
                Chore::Facts => self.begin_facts(),
                Chore::Audit => {
                    self.reach = self.reach.max(Reach::Turn);
                    self.schedule.at(Chore::Pass, now);
                }
                Chore::Settle => {
                    self.sessions.give_up_unsettled();
                    self.schedule.at(Chore::Rows, now);
                }
                Chore::Announce => self.announce(),
                Chore::Report => {
                    self.report().await;
                    self.again(Chore::Report, REPORT_PERIOD, now);
                }
            }
        }
    }

    /// In good time after one that began then; sooner if there is a reason, but not much.
    fn again(&mut self, chore: Chore, span: [Duration; 2], began: Instant) {
        let now = clock::instant();
        let took = now.saturating_duration_since(began);
        self.schedule.rest(chore, now + rest(took));
        let interfaces = self.mind.seen.outcome.observed.interfaces.len();
        self.schedule.after(chore, now, pause(span, interfaces, took));
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Pass(passed) => {
                if passed.is_audit {
                    self.again(Chore::Audit, AUDIT_PERIOD, self.job_began);
                }
                self.passed(*passed);
            }
            Done::Rows { vias } => {
                self.mind.see_vias(vias);
                self.report_soon();
            }
            Done::Facts(facts) => {
                self.again(Chore::Facts, FACTS_PERIOD, self.job_began);
                let is_news = self.mind.see_facts(facts, clock::now());
                let vtep = self.mind.seen.outcome.observed.uplink.and_then(|uplink| uplink.vtep);
                let seen = (&*self.mind.wanted, &self.mind.seen.facts);
                self.collectors.tell(vtep, seen, &self.mind.seen.lights);
                if is_news {
                    self.report_soon();
                }
            }
            Done::Failed { chore, why } => {
                tracing::error!(?chore, why, "the kernel cannot be read or written");
                if chore == Chore::Pass {
                    self.reach = Reach::Everywhere;
                }
                self.schedule.after(chore, clock::instant(), RETRY);
            }
        }
    }

    fn sessions_said(&mut self, news: News) {
        let now = clock::instant();
        let wait = match news {
            News::None => return,
            News::Routes | News::Sessions => COLLECT,
            News::Lost => Duration::ZERO,
        };
        self.schedule.after(Chore::Rows, now, wait);
        if news >= News::Sessions {
            // A session that came up is how most neighbours become known.
            self.schedule.after(Chore::Facts, now, COLLECT);
        }
        self.report_soon();
    }

    fn link_event(&mut self, event: LinkEvent) {
        let observed = &self.mind.seen.outcome.observed;
        match event {
            LinkEvent::Changed { name, ifindex } if name == self.uplink => {
                if observed.uplink.map(|uplink| uplink.ifindex) != Some(ifindex) {
                    self.look_again();
                }
            }
            LinkEvent::Changed { name, ifindex } => {
                let known = |port: &PortName| observed.ports.get(port).map(|port| port.ifindex);
                if self.port(&name).is_some_and(|port| known(&port) != Some(ifindex)) {
                    self.look_again();
                }
            }
            LinkEvent::Gone { name } => {
                if name == self.uplink || self.port(&name).is_some() {
                    self.look_again();
                }
            }
            LinkEvent::Light { port, light } => {
                if self.mind.see_light(&port, light) {
                    tracing::info!(%port, light, "light");
                    self.follow();
                    self.schedule.at(Chore::Rows, clock::instant());
                    // After the rows: it takes its time to write.
                    self.report_soon();
                }
            }
            LinkEvent::Lacp { port, status } => {
                if self.mind.seen.evidence.hear_lacp(&port, status) {
                    self.schedule.at(Chore::Rows, clock::instant());
                }
                self.follow();
                self.report_soon();
            }
            LinkEvent::Router { vtep, lives } => {
                let is_news = match lives {
                    true => self.mind.seen.dead.remove(&vtep),
                    false => self.mind.seen.dead.insert(vtep),
                };
                if is_news {
                    tracing::info!(%vtep, lives, "another router");
                    let now = clock::instant();
                    self.schedule.at(Chore::Announce, now);
                    self.schedule.at(Chore::Rows, now);
                }
            }
            // Every pass knows the router's links, and lists them where news of them was lost.
            LinkEvent::Overrun => self.look_again(),
        }
    }

    /// Ports of LAGs speak LACP, and carry, as far as is known of them.
    fn follow(&mut self) {
        if !self.mind.seen.has_passed {
            return;
        }
        let Mind { scopes, wanted, .. } = &self.mind;
        let sight = self.mind.sight();
        let is_overtaken = bundles::is_overtaken(scopes, wanted, &sight);
        let members = bundles::members(wanted, &sight);
        self.mind.seen.evidence.retain_lacp(|port| members.contains_key(port));
        self.watch.bundle(members);
        if is_overtaken {
            self.schedule.at(Chore::Pass, clock::instant());
        }
    }

    /// Calls the hosts of dead routers here, again and again: one may come, or not have heard.
    fn announce(&mut self) {
        let dead = &self.mind.seen.dead;
        let own = self.mind.seen.outcome.observed.uplink.and_then(|uplink| uplink.vtep);
        if let Some(own) = own.filter(|_| !dead.is_empty()) {
            self.watch.announce(own, announcements(&self.mind.wanted, own, dead));
            self.schedule.after(Chore::Announce, clock::instant(), ANNOUNCE_PERIOD);
        }
    }

    /// The port of that name, if a plan is about it. All other links are somebody else's.
    fn port(&self, name: &str) -> Option<PortName> {
        name.parse().ok().filter(|port| self.mind.wanted.ports.contains_key(port))
    }

    /// A link is another than it was.
    fn look_again(&mut self) {
        self.schedule.after(Chore::Pass, clock::instant(), COLLECT);
        self.report_soon();
    }

    async fn server_said(&mut self, said: FromServer) {
        match said {
            FromServer::Attached(stream) => {
                self.mind.attached(stream.completes_reports());
                self.link.use_stream(stream);
                self.report().await;
            }
            FromServer::Plan(plan) => self.take_plan(plan).await,
            FromServer::Question(question) => self.asked(&question),
            FromServer::Lost => {}
        }
        self.answer();
    }

    fn answer(&mut self) {
        for message in self.mind.take_answers() {
            self.applying.answered(&message);
            self.link.say(message);
        }
    }

    fn report_soon(&mut self) {
        self.schedule.after(Chore::Report, clock::instant(), COLLECT);
    }
}

impl Chore {
    const fn needs_kernel(self) -> bool {
        matches!(self, Self::Pass | Self::Rows | Self::Facts)
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}
