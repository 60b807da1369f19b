//! The speaker's sessions as the plan wants them, and what they say.

use crate::{
    observed::Observed,
    run::mind::Voices,
    speaker::{
        LiveSocket, Monitor, Netns, Ribs, SessionConfig, SessionRoutes, SessionStatus, Speaker,
        Touched,
    },
};
use directlink_bgp::{HoldTime, PrefixLimits, bfd};
use directlink_dataplane::{InterfaceNumber, StandIns};
use directlink_model::{
    ids::{BgpPeerId, InterfaceId},
    plan::{InterfacePlan, PeerPlan},
};
use directlink_net::{IpNet, Vni};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::oneshot};

/// A session as it was last heard of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) status: Option<Arc<SessionStatus>>,
}

/// What one session has learned, for whoever is told of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    pub(crate) routes: SessionRoutes,
    /// Those that are forwarded on to it.
    pub(crate) best: BTreeSet<IpNet>,
}

/// What all of them say together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) sessions: BTreeMap<BgpPeerId, Session>,
}

/// How soon the kernel has to hear of what sessions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News {
    /// Nothing that others wait for.
    None,
    /// Of routes, with what else comes in a moment.
    Routes,
    /// A session came up, or nobody waits for one any more.
    Sessions,
    /// A session is lost: packets go where they are lost too, until its ways are taken away.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Sessions {
    bfd: bfd::Settings,
    speaker: Speaker,
    limits: PrefixLimits,
    told: BTreeMap<BgpPeerId, Told>,
    heard: Heard,
    /// Since rows were last made of it.
    touched: Touched,
    /// Whose routes are others than were last told.
    untold: BTreeSet<BgpPeerId>,
    restart: Restart,
}

/// What a session was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    interface: InterfaceId,
    plan: InterfacePlan,
    /// The veth that it was for.
    ifindex: u32,
    /// What the tables call the interface.
    forwarding: Option<InterfaceNumber>,
}

/// Peers of interfaces that forwarded before this process began, until their customers have spoken.
#[derive(Debug, Default)]
struct Restart {
    /// All of them.
    restarted: BTreeSet<BgpPeerId>,
    unsettled: BTreeSet<BgpPeerId>,
    until: Option<Instant>,
}

/// The customers keep our routes for 120 s; whoever has not come back a while later will not.
pub(crate) const SETTLE: Duration = Duration::from_secs(180);

impl Session {
    /// When it was established, if it is.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.status.as_ref().and_then(|status| status.established_since)
    }
}

impl Sessions {
    /// `bfd`: what is offered to customers who have it.
    pub(crate) fn new(
        bfd: bfd::Settings,
        stand_ins: StandIns,
        limits: PrefixLimits,
        monitor: Option<Arc<Monitor>>,
    ) -> io::Result<Self> {
        let speaker = Speaker::with_stand_ins(Handle::current(), Some(stand_ins))?;
        Ok(Self {
            bfd,
            speaker: match monitor {
                Some(monitor) => speaker.monitored_by(monitor),
                None => speaker,
            },
            limits,
            told: BTreeMap::new(),
            heard: Heard::default(),
            touched: Touched::new(),
            untold: BTreeSet::new(),
            restart: Restart::default(),
        })
    }

    /// These forwarded while nobody spoke for them.
    pub(crate) fn restarted(&mut self, ids: BTreeSet<BgpPeerId>, now: Instant) {
        self.restart =
            Restart { restarted: ids.clone(), unsettled: ids, until: Some(now + SETTLE) };
    }

    /// Ends the sessions of peers that are no longer wanted. True if there were some: their
    /// customers should be heard out before the links go.
    pub(crate) fn retain(&mut self, wanted: impl Fn(InterfaceId, BgpPeerId) -> bool) -> bool {
        let before = self.told.len();
        let speaker = &self.speaker;
        self.told.retain(|&id, told| {
            let stays = wanted(told.interface, id);
            if !stays {
                speaker.remove(id);
            }
            stays
        });
        self.told.len() != before
    }

    /// Starts or changes the sessions of the interfaces that have their namespace and link.
    pub(crate) fn set<'a>(
        &mut self,
        plans: impl Iterator<Item = (InterfaceId, &'a InterfacePlan)>,
        observed: &Observed,
        path: impl Fn(InterfaceId) -> std::path::PathBuf,
    ) {
        let numbers = observed.numbers();
        for (interface, plan) in plans {
            let seen = observed.interfaces.get(&interface).filter(|seen| seen.inside.is_some());
            let Some(link) = seen.and_then(|seen| seen.link.as_ref()) else { continue };
            let (ifindex, forwarding) = (link.ifindex, numbers.get(&interface).copied());
            let told = Told { interface, plan: plan.clone(), ifindex, forwarding };
            for (id, peer) in plan.peers(interface) {
                if self.told.get(&id) == Some(&told) {
                    continue;
                }
                match self.config((id, &peer), plan, forwarding, &path(interface)) {
                    Ok(config) => {
                        if config.shutdown.is_some() {
                            // Nothing of before the restart is waited for from a session that is
                            // shut.
                            self.restart.unsettled.remove(&id);
                        }
                        self.speaker.set(config);
                        self.told.insert(id, told.clone());
                    }
                    Err(error) => tracing::warn!(%id, %error, "its namespace cannot be opened"),
                }
            }
        }
    }

    /// When what was kept over the restart is given up.
    pub(crate) fn settles_at(&self) -> Option<Instant> {
        self.restart.until.filter(|_| !self.restart.unsettled.is_empty())
    }

    pub(crate) fn give_up_unsettled(&mut self) {
        self.restart.unsettled.clear();
    }

    /// Waits for news. Cancelling it misses nothing.
    pub(crate) async fn changed(&self) {
        self.speaker.changed().await;
    }

    /// Takes the news. of a session that is up, or no longer, and of routes. That one dials
    /// again is told in its time.
    pub(crate) fn listen(&mut self) -> News {
        let changes = self.speaker.take_changes();
        let mut news = if changes.touched.is_empty() { News::None } else { News::Routes };
        for (vni, peers) in changes.touched {
            let net = self.touched.entry(vni).or_default();
            for (peer, prefixes) in peers {
                net.entry(peer).or_default().extend(prefixes);
            }
            // What one says decides which of the others is best.
            self.untold.extend(
                self.ribs().net(vni).iter().flat_map(|rib| rib.sessions().map(|(id, _)| *id)),
            );
        }
        for id in changes.sessions {
            let Some(status) = self.speaker.status(id) else {
                if self.heard.sessions.remove(&id).is_some() {
                    news = news.max(News::Sessions);
                }
                continue;
            };
            // Nothing that was forwarded before a restart is kept where there is no path any more.
            let is_dead = status.bfd.is_some_and(|path| {
                path.diagnostic == bfd::Diagnostic::ControlDetectionTimeExpired
            });
            if (status.bgp.converged || is_dead) && self.restart.unsettled.remove(&id) {
                news = news.max(News::Sessions);
            }
            let session = Session { status: Some(status) };
            let before = self.heard.sessions.insert(id, session.clone()).unwrap_or_default();
            let routes =
                |it: &Session| it.status.as_ref().map(|it| (it.bgp.routes, it.bgp.advertised));
            let moved = routes(&before) != routes(&session);
            self.untold.extend(moved.then_some(id));
            news = news.max(match (before.since(), session.since()) {
                (Some(_), None) => News::Lost,
                (was, is) if was != is => News::Sessions,
                _ if moved => News::Routes,
                _ => News::None,
            });
        }
        news
    }

    pub(crate) fn ribs(&self) -> Ribs {
        self.speaker.ribs()
    }

    /// What rows are to be made of; from now on it counts as done.
    pub(crate) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// What it has learned, for whoever waits elsewhere. It counts as told to nobody.
    pub(crate) fn ask_routes(&self, id: BgpPeerId) -> Option<oneshot::Receiver<SessionRoutes>> {
        self.speaker.ask_routes(id)
    }

    /// See [`Speaker::prove`].
    pub(crate) fn prove(&self, id: BgpPeerId) -> Option<oneshot::Receiver<Option<LiveSocket>>> {
        self.speaker.prove(id)
    }

    /// How many prefixes a peer may announce.
    pub(crate) const fn prefixes_max(&self) -> u32 {
        self.limits.prefixes_max
    }

    /// What it has learned; from now on that counts as told.
    pub(crate) async fn tell(&mut self, id: BgpPeerId, net: Option<Vni>) -> Learned {
        self.untold.remove(&id);
        let routes = self.speaker.routes(id).await.unwrap_or_default();
        let rib = net.and_then(|net| self.ribs().net(net));
        let is_best =
            |prefix: &IpNet| rib.as_ref().is_some_and(|rib| rib.decide(prefix).best.contains(&id));
        let accepted = routes.learned.iter().filter(|route| route.refused.is_none());
        let best = accepted.map(|route| route.prefix).filter(is_best).collect();
        Learned { routes, best }
    }

    fn config(
        &self,
        (id, peer): (BgpPeerId, &PeerPlan),
        plan: &InterfacePlan,
        forwarding: Option<InterfaceNumber>,
        netns: &Path,
    ) -> io::Result<SessionConfig> {
        Ok(SessionConfig {
            id,
            netns: Netns::open(netns)?,
            local_addr: peer.addresses.router().addr(),
            peer_addr: peer.addresses.customer().addr(),
            key: peer.key.clone(),
            local_asn: plan.router_asn,
            peer_asn: peer.customer_asn,
            router_id: plan.bgp_identifier,
            net: plan.net.as_ref().map(|net| net.vni),
            advertised: plan.net.iter().flat_map(|net| net.advertised.iter().copied()).collect(),
            limits: self.limits,
            hold_time: HoldTime::default(),
            restarting: self.restart.restarted.contains(&id),
            ttl_security: false,
            bfd: Some(self.bfd),
            forwarding,
            shutdown: peer.shutdown.clone(),
            drain: plan.drain,
        })
    }
}

impl Voices for Sessions {
    fn heard(&self) -> &Heard {
        &self.heard
    }

    fn is_settled(&self, id: BgpPeerId) -> bool {
        !self.restart.unsettled.contains(&id)
    }

    fn is_drained(&self, id: BgpPeerId) -> bool {
        self.told.get(&id).is_some_and(|told| told.plan.drain.is_some())
    }

    fn is_told(&self, id: BgpPeerId) -> bool {
        !self.untold.contains(&id)
    }
}
