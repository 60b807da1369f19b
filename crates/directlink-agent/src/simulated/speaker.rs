//! Who speaks with customers, in memory: a peer per VLAN as the plans want it, and what is heard of each.

use super::talk::{Side, Talk};
use crate::{
    routes::{Neighbour, Via, WAYS_MAX},
    run::mind::Voices,
    sessions::{Heard, Learned, Session},
    speaker::{DRAIN_PREPEND, SessionRoutes, SessionStatus},
};
use directlink_bgp::{GracefulRestart, LocRib, Peer, PeerConfig, PeerOffers};
use directlink_model::{
    ids::{BgpPeerId, InterfaceId, PortName},
    plan::{Drain, InterfacePlan, PeerPlan},
    report::ROUTES_LISTED_MAX,
};
use directlink_net::{IpNet, Vlan, Vni};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Where a session is.
pub(super) type Place = (PortName, Vlan);
pub(super) type Talks = BTreeMap<Place, Talk>;

/// What the agent's process knows of its sessions. The talks themselves are the world's.
#[derive(Debug, Default)]
pub(super) struct Speaker {
    told: BTreeMap<BgpPeerId, Told>,
    heard: Heard,
    untold: BTreeSet<BgpPeerId>,
    restarted: BTreeSet<BgpPeerId>,
    unsettled: BTreeSet<BgpPeerId>,
}

/// What a session was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    interface: InterfaceId,
    place: Place,
    plan: InterfacePlan,
    peer: PeerPlan,
    /// The veth that it was for.
    ifindex: u32,
}

impl Speaker {
    /// These forwarded while nobody spoke for them.
    pub(super) fn restarted(&mut self, ids: BTreeSet<BgpPeerId>) {
        self.unsettled.clone_from(&ids);
        self.restarted = ids;
    }

    pub(super) fn give_up_unsettled(&mut self) {
        self.unsettled.clear();
    }

    /// Ends those that are no longer wanted; true if there were some.
    pub(super) fn retain(
        &mut self,
        (talks, now): (&mut Talks, Duration),
        stays: impl Fn(InterfaceId, BgpPeerId) -> bool,
    ) -> bool {
        let before = self.told.len();
        self.told.retain(|&id, told| {
            let goes = !stays(told.interface, id);
            if goes && let Some(talk) = talks.get_mut(&told.place) {
                talk.end(Side::Ours, now);
            }
            !goes
        });
        self.heard.sessions.retain(|id, _| self.told.contains_key(id));
        self.told.len() != before
    }

    /// Begins or changes the session of an interface whose link is there.
    pub(super) fn set(
        &mut self,
        (talks, now): (&mut Talks, Duration),
        (interface, plan): (InterfaceId, &InterfacePlan),
        (place, ifindex): (Place, u32),
    ) {
        // One peer on a VLAN is enough here.
        let Some((id, peer)) = plan.peers(interface).next() else { return };
        let told = Told { interface, place, plan: plan.clone(), peer, ifindex };
        let before = self.told.get(&id);
        if before == Some(&told) {
            return;
        }
        let config = self.config(id, &told);
        // A socket does not move.
        let moved = before.filter(|it| (&it.place, it.ifindex) != (&told.place, ifindex));
        let stays = before.filter(|_| moved.is_none());
        let was_shut = stays.and_then(|it| it.peer.shutdown.clone());
        if let Some(talk) = moved.and_then(|it| talks.get_mut(&it.place)) {
            talk.die(Side::Ours, now);
        }
        let talk = talks.entry(told.place.clone()).or_default();
        talk.set(Side::Ours, config, now);
        let shutdown = told.peer.shutdown.clone();
        if shutdown.is_some() {
            // Nothing of before the restart is waited for from a session that is shut.
            self.unsettled.remove(&id);
        }
        if shutdown != was_shut {
            talk.open_or_shut(Side::Ours, shutdown, now);
        }
        self.told.insert(id, told);
    }

    fn config(&self, id: BgpPeerId, told: &Told) -> PeerConfig {
        let (plan, addresses) = (&told.plan, &told.peer.addresses);
        let net_ranges: BTreeSet<_> =
            plan.net.iter().flat_map(|net| net.advertised.iter().copied()).collect();
        let is_withdrawn = plan.drain == Some(Drain::Withdraw);
        let restarting = self.restarted.contains(&id);
        PeerConfig {
            graceful_restart: Some(GracefulRestart { restarting, ..GracefulRestart::default() }),
            net_ranges: net_ranges.iter().copied().collect(),
            advertised: if is_withdrawn { BTreeSet::new() } else { net_ranges },
            prepend: if plan.drain.is_some() { DRAIN_PREPEND } else { 0 },
            graceful_shutdown: plan.drain.is_some(),
            ..PeerConfig::new(
                (plan.router_asn, told.peer.customer_asn),
                plan.bgp_identifier,
                (addresses.router().addr(), addresses.customer().addr()),
            )
        }
    }

    /// Hears what the talks say. Whether anything that others wait for is another than before.
    pub(super) fn listen(&mut self, talks: &Talks, (epoch, now): (Timestamp, Duration)) -> bool {
        let mut is_news = false;
        for (&id, told) in &self.told {
            let Some(talk) = talks.get(&told.place) else { continue };
            let Some(bgp) = talk.status(Side::Ours, now) else { continue };
            let established_since =
                bgp.established_at.map(|at| epoch.checked_add(at).unwrap_or(epoch));
            if bgp.converged && self.unsettled.remove(&id) {
                is_news = true;
            }
            let status = SessionStatus { bgp, epoch, established_since, bfd: None };
            let session = Session { status: Some(status.into()) };
            let before = self.heard.sessions.insert(id, session.clone()).unwrap_or_default();
            let routes =
                |it: &Session| it.status.as_ref().map(|it| (it.bgp.routes, it.bgp.advertised));
            let moved = routes(&before) != routes(&session);
            self.untold.extend(moved.then_some(id));
            is_news |= moved || before.since() != session.since();
        }
        is_news
    }

    /// What a session has learned; from now on that counts as told.
    pub(super) fn tell(&mut self, talks: &Talks, id: BgpPeerId, net: Option<Vni>) -> Learned {
        self.untold.remove(&id);
        let peer_of = |told: &Told| talks.get(&told.place).and_then(|it| it.peer(Side::Ours));
        let Some(peer) = self.told.get(&id).and_then(peer_of) else { return Learned::default() };
        let rib = self.rib(talks, net);
        let routes = SessionRoutes {
            learned: peer.first_routes(ROUTES_LISTED_MAX),
            advertised: peer.advertised().collect(),
        };
        let accepted = routes.learned.iter().filter(|route| route.refused.is_none());
        let is_best = |prefix: &_| rib.decide(prefix).best.contains(&id);
        let best = accepted.map(|route| route.prefix).filter(is_best).collect();
        Learned { routes, best }
    }

    /// What was accepted of a way's customer, and whether it is forwarded on.
    pub(super) fn learned(&self, talks: &Talks, via: &Via) -> Vec<(IpNet, bool)> {
        let told = via.peer.and_then(|id| Some((id, self.told.get(&id)?)));
        let Some((id, told)) = told else { return Vec::new() };
        let peer = talks.get(&told.place).and_then(|it| it.peer(Side::Ours));
        let rib = self.rib(talks, Some(via.vni));
        let routes = peer.map(Peer::routes).unwrap_or_default();
        let accepted = routes.into_iter().filter(|route| route.refused.is_none());
        accepted.map(|it| (it.prefix, rib.decide(&it.prefix).best.contains(&id))).collect()
    }

    /// Of the sessions that lead to a Net.
    fn rib(&self, talks: &Talks, net: Option<Vni>) -> LocRib<BgpPeerId, PeerOffers> {
        let mut rib = LocRib::new(WAYS_MAX);
        let leads_there = |told: &&Told| net == told.plan.net.as_ref().map(|net| net.vni);
        for (id, told) in self.told.iter().filter(|(_, told)| net.is_some() && leads_there(told)) {
            let peer = talks.get(&told.place).and_then(|it| it.peer(Side::Ours));
            peer.into_iter().for_each(|peer| rib.join(*id, peer.offers()));
        }
        rib
    }
}

impl Voices for Speaker {
    fn heard(&self) -> &Heard {
        &self.heard
    }

    fn is_settled(&self, id: BgpPeerId) -> bool {
        !self.unsettled.contains(&id)
    }

    fn is_drained(&self, id: BgpPeerId) -> bool {
        self.told.get(&id).is_some_and(|told| told.plan.drain.is_some())
    }

    fn is_told(&self, id: BgpPeerId) -> bool {
        !self.untold.contains(&id)
    }
}

/// The rows of routes, as far as they are looked at here: by whom packets are forwarded.
pub(super) type Ways = BTreeMap<Neighbour, Via>;
