//! The report: what a router sees on one of its ports. It names every interface of that port each
//! time; of one that is as it was last told on the same stream it says just that.
//!
//! Packets move its counters all the time, and its routes hardly ever: these are left out in the same way.
//!
//! `interfaces` and `unchanged` list whatever of ours is in the kernel, wanted or not: what is in
//! neither is gone, which is how the server knows that a deletion is done.

use crate::{
    bgp_peer::first_peer,
    evidence::{InterfaceEvidence, PortEvidence, SessionEvidence},
    figures::Traffic,
    ids::{BgpPeerId, InterfaceId, PortName},
    interface::Seen,
};
use directlink_net::{IpNet, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortReport {
    pub port: PortName,
    /// The generation of the port's plan that the kernel was last brought to; 0: none yet.
    pub applied_generation: u64,
    /// Light at both ends (carrier).
    pub light: bool,
    pub interfaces: BTreeMap<InterfaceId, InterfaceReport>,
    /// Those of which nothing changed since the report before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unchanged: BTreeSet<InterfaceId>,
    #[serde(default)]
    pub evidence: PortEvidence,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InterfaceReport {
    /// VLAN, addresses and rows are as the plan says.
    pub configured: bool,
    /// Why not, if not.
    pub failure: Option<String>,
    // Of the BGP peer that the interface was born with; nothing where that is gone.
    pub session: SessionReport,
    /// The customer's MAC address, once it has answered.
    pub neighbour: Option<Mac>,
    /// The rows of its prefixes are in the kernel.
    pub rows_in_kernel: bool,
    pub learned: Vec<LearnedRoute>,
    pub refused: Vec<RefusedRoute>,
    pub advertised: Vec<IpNet>,
    /// Packets by verdict, both directions together; only those that are not zero.
    pub verdicts: BTreeMap<String, u64>,
    /// What went on to where it was to go.
    #[serde(default)]
    pub traffic: Traffic,
    /// Its other BGP peers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub further_peers: BTreeMap<BgpPeerId, PeerReport>,
    #[serde(default)]
    pub evidence: InterfaceEvidence,
    /// The routes of all its peers (learned, refused, advertised) are as last told on the same stream, and left out
    /// here. Said only to a server that knows of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub routes_unchanged: bool,
    /// The router takes packets of IPv6 that others of the Region hand on. One of before takes them for spoofed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_relayed_ipv6: bool,
}

/// A BGP peer beside the one that the interface was born with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerReport {
    pub session: SessionReport,
    pub neighbour: Option<Mac>,
    pub rows_in_kernel: bool,
    pub learned: Vec<LearnedRoute>,
    pub refused: Vec<RefusedRoute>,
    pub advertised: Vec<IpNet>,
}

/// So many prefixes of a session are listed, in order; all are counted, and forwarded. A hundred times
/// as many as a customer may announce unless the operator allows more.
pub const ROUTES_LISTED_MAX: usize = 10_000;

/// The BGP session, in the words of RFC 4271 §8.2.2.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionReport {
    /// Idle, Connect, Active, OpenSent, OpenConfirm, Established.
    pub state: String,
    pub established_since: Option<Timestamp>,
    /// The last thing that ended it, in words: a NOTIFICATION and by whom, a timer, a refusal.
    pub last_error: Option<String>,
    /// It has four fifths of the prefixes that it may announce, or more: one too many ends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub near_prefix_limit: bool,
    /// Prefixes that were received and are not listed: those after the first [`ROUTES_LISTED_MAX`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlisted_prefixes: u32,
    /// Once the customer speaks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd: Option<BfdReport>,
    #[serde(default)]
    pub evidence: SessionEvidence,
}

/// BFD on the session's path, in the words of RFC 5880.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BfdReport {
    /// AdminDown, Down, Init, Up.
    pub state: String,
    /// As the customer last said; `None`: it is silent.
    pub remote_state: Option<String>,
    /// Why it last changed.
    pub diagnostic: String,
    pub transmit_interval_millis: u64,
    /// How long the customer may be silent.
    pub detection_time_millis: Option<u64>,
}

// serde wants a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl PeerReport {
    fn says_as(&self, other: &Self, with_routes: bool) -> bool {
        let Self { session, neighbour, rows_in_kernel, learned, refused, advertised } = self;
        (neighbour, rows_in_kernel) == (&other.neighbour, &other.rows_in_kernel)
            && session.says_as(&other.session)
            && (!with_routes
                || (learned, refused, advertised)
                    == (&other.learned, &other.refused, &other.advertised))
    }
}

impl SessionReport {
    fn says_as(&self, other: &Self) -> bool {
        let Self {
            state,
            established_since,
            last_error,
            near_prefix_limit,
            unlisted_prefixes,
            bfd,
            evidence: _,
        } = self;
        (state, established_since, last_error, near_prefix_limit, unlisted_prefixes, bfd)
            == (
                &other.state,
                &other.established_since,
                &other.last_error,
                &other.near_prefix_limit,
                &other.unlisted_prefixes,
                &other.bfd,
            )
    }

    pub const ESTABLISHED: &'static str = "Established";

    pub fn is_established(&self) -> bool {
        self.state == Self::ESTABLISHED
    }
}

impl Default for SessionReport {
    fn default() -> Self {
        Self {
            state: "Idle".into(),
            established_since: None,
            last_error: None,
            near_prefix_limit: false,
            unlisted_prefixes: 0,
            bfd: None,
            evidence: SessionEvidence::default(),
        }
    }
}

/// A prefix taken from the customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LearnedRoute {
    pub prefix: IpNet,
    pub as_path: Vec<u32>,
    pub med: Option<u32>,
    /// As its communities say (RFC 4271 §5.1.5); a router of an older version does not tell.
    #[serde(default = "usual_preference", skip_serializing_if = "is_usual")]
    pub local_pref: u32,
    /// It is the one that is forwarded on, or one of several.
    pub best: bool,
}

/// The degree of preference without a community.
pub const USUAL_PREFERENCE: u32 = 100;

const fn usual_preference() -> u32 {
    USUAL_PREFERENCE
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_usual(preference: &u32) -> bool {
    *preference == USUAL_PREFERENCE
}

/// A prefix not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RefusedRoute {
    pub prefix: IpNet,
    pub reason: String,
    /// It came from us: many routers announce to a neighbour what they learned from it. BGP's own
    /// loop check drops it, and nobody need mend that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_echo: bool,
}

impl PortReport {
    /// Whether it tells more than the one before, which was complete: counters, times and endings
    /// that moved are no news.
    pub fn is_news_after(&self, before: &Self) -> bool {
        let ids = |report: &Self| -> BTreeSet<InterfaceId> {
            report.interfaces.keys().chain(&report.unchanged).copied().collect()
        };
        let differs = |(id, it): (&InterfaceId, &InterfaceReport)| {
            !before.interfaces.get(id).is_some_and(|was| it.says_as(was))
        };
        (self.applied_generation, self.light) != (before.applied_generation, before.light)
            || self.evidence.lacp != before.evidence.lacp
            || ids(self) != ids(before)
            || self.interfaces.iter().any(differs)
    }

    /// With what it leaves out because the report before said it. `None` if that did not.
    #[must_use]
    pub fn completed(mut self, before: Option<Self>) -> Option<Self> {
        let mut before = before.map(|before| before.interfaces).unwrap_or_default();
        let unchanged = std::mem::take(&mut self.unchanged).into_iter();
        let said = unchanged.map(|id| Some((id, before.remove(&id)?)));
        let mut all = said.collect::<Option<Vec<_>>>()?;
        for (id, told) in std::mem::take(&mut self.interfaces) {
            all.push((id, told.completed(before.remove(&id))?));
        }
        // Collected, a map has full nodes; of two with one name the last stays. A server keeps hundreds of thousands.
        self.interfaces = all.into_iter().collect();
        Some(self)
    }
}

impl InterfaceReport {
    /// Whether it says the same as another, which is complete, but for what moves although nothing changed. Asked of each
    /// interface of each router that comes back: nothing is copied for it.
    fn says_as(&self, other: &Self) -> bool {
        let Self {
            configured,
            failure,
            session,
            neighbour,
            rows_in_kernel,
            learned,
            refused,
            advertised,
            verdicts: _,
            traffic: _,
            further_peers,
            evidence: _,
            routes_unchanged,
            takes_relayed_ipv6,
        } = self;
        let with_routes = !routes_unchanged;
        let peers = further_peers.iter().zip(&other.further_peers);
        (configured, failure, neighbour, rows_in_kernel)
            == (&other.configured, &other.failure, &other.neighbour, &other.rows_in_kernel)
            && (!with_routes
                || (learned, refused, advertised)
                    == (&other.learned, &other.refused, &other.advertised))
            && *takes_relayed_ipv6 == other.takes_relayed_ipv6
            && session.says_as(&other.session)
            && further_peers.len() == other.further_peers.len()
            && peers
                .into_iter()
                .all(|(ours, theirs)| ours.0 == theirs.0 && ours.1.says_as(theirs.1, with_routes))
    }

    /// With the routes that it leaves out because the report before told them. `None` if that did not.
    fn completed(mut self, before: Option<Self>) -> Option<Self> {
        if std::mem::take(&mut self.routes_unchanged) {
            let mut before = before?;
            (self.learned, self.refused) = (before.learned, before.refused);
            self.advertised = before.advertised;
            for (id, peer) in &mut self.further_peers {
                // One that has just come has none.
                let Some(before) = before.further_peers.remove(id) else { continue };
                (peer.learned, peer.refused) = (before.learned, before.refused);
                peer.advertised = before.advertised;
            }
        }
        Some(self)
    }

    /// Without what moves although nothing changed.
    #[must_use]
    pub fn without_evidence(&self) -> Self {
        let mut report = self.clone();
        report.verdicts.clear();
        report.traffic = Traffic::default();
        report.evidence = InterfaceEvidence::default();
        let further = report.further_peers.values_mut().map(|peer| &mut peer.session);
        for session in std::iter::once(&mut report.session).chain(further) {
            session.evidence = SessionEvidence::default();
        }
        report
    }

    /// With the routes of another, which was told when they last changed.
    #[must_use]
    pub fn with_routes_of(mut self, other: &Self) -> Self {
        self.learned.clone_from(&other.learned);
        self.refused.clone_from(&other.refused);
        self.advertised.clone_from(&other.advertised);
        for (id, peer) in &mut self.further_peers {
            let Some(other) = other.further_peers.get(id) else { continue };
            peer.learned.clone_from(&other.learned);
            peer.refused.clone_from(&other.refused);
            peer.advertised.clone_from(&other.advertised);
        }
        self
    }

    /// Whether some customer's router is told of the Net.
    pub fn advertised_to_any(&self) -> bool {
        let mut further = self.further_peers.values();
        !self.advertised.is_empty() || further.any(|peer| !peer.advertised.is_empty())
    }

    /// What the rules need to know of one of its peers. `id`: the interface's.
    pub fn seen(&self, id: InterfaceId, peer: BgpPeerId) -> Seen {
        let report = self.peer(id, peer);
        Seen {
            configured: self.configured && report.is_some(),
            session_up: report.as_ref().is_some_and(|peer| peer.session.is_established()),
            forwarding: report.is_some_and(|peer| peer.neighbour.is_some() && peer.rows_in_kernel),
        }
    }

    /// All its peers, the first first. `id`: the interface's.
    pub fn peers(&self, id: InterfaceId) -> impl Iterator<Item = (BgpPeerId, PeerReport)> + '_ {
        let first = self.peer(id, first_peer(id)).map(|report| (first_peer(id), report));
        let further = self.further_peers.iter().map(|(&id, report)| (id, report.clone()));
        first.into_iter().chain(further)
    }

    /// The prefixes that any of its peers has announced, as taken.
    pub fn learned(&self) -> impl Iterator<Item = &LearnedRoute> + '_ {
        self.learned.iter().chain(self.further_peers.values().flat_map(|peer| &peer.learned))
    }

    /// Of one of its peers. `id`: the interface's.
    pub fn peer(&self, id: InterfaceId, peer: BgpPeerId) -> Option<PeerReport> {
        match peer == first_peer(id) {
            true => Some(PeerReport {
                session: self.session.clone(),
                neighbour: self.neighbour,
                rows_in_kernel: self.rows_in_kernel,
                learned: self.learned.clone(),
                refused: self.refused.clone(),
                advertised: self.advertised.clone(),
            }),
            false => self.further_peers.get(&peer).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Lacp;

    fn report(interfaces: &[(u32, bool)], unchanged: &[u32]) -> PortReport {
        let interface = |&(n, configured): &(u32, bool)| {
            let report = InterfaceReport { configured, ..InterfaceReport::default() };
            (InterfaceId::from_bits(n), report)
        };
        PortReport {
            port: "p0".parse().unwrap(),
            applied_generation: 1,
            light: true,
            interfaces: interfaces.iter().map(interface).collect(),
            unchanged: unchanged.iter().map(|&n| InterfaceId::from_bits(n)).collect(),
            evidence: PortEvidence::default(),
        }
    }

    #[test]
    fn what_a_report_leaves_out_is_as_the_one_before_said() {
        let before = report(&[(1, true), (2, false), (3, true)], &[]);
        let next = report(&[(2, true)], &[1]);
        assert!(next.is_news_after(&before));
        let complete = next.completed(Some(before.clone())).unwrap();
        assert_eq!(complete, report(&[(1, true), (2, true)], &[]), "the third is gone");
        let same = report(&[], &[1, 2, 3]);
        assert!(!same.is_news_after(&before));
        assert_eq!(same.clone().completed(Some(before.clone())), Some(before));
        assert_eq!(same.completed(None), None, "nobody said it");
        assert_eq!(report(&[], &[4]).completed(Some(report(&[], &[]))), None);
    }

    fn route(text: &str) -> LearnedRoute {
        LearnedRoute {
            prefix: text.parse().unwrap(),
            as_path: vec![65001],
            med: None,
            local_pref: USUAL_PREFERENCE,
            best: true,
        }
    }

    #[test]
    fn routes_that_are_left_out_are_as_told_before_and_of_a_peer_that_came_none() {
        let (id, [second, third]) = (InterfaceId::from_bits(1), [2, 3].map(BgpPeerId::from_bits));
        let peer = |learned| PeerReport { learned, ..PeerReport::default() };
        let told = InterfaceReport {
            learned: vec![route("10.0.0.0/24")],
            advertised: vec!["10.1.0.0/16".parse().unwrap()],
            further_peers: [(second, peer(vec![route("10.2.0.0/24")]))].into(),
            ..InterfaceReport::default()
        };
        let of =
            |it: InterfaceReport| PortReport { interfaces: [(id, it)].into(), ..report(&[], &[]) };
        let before = of(told.clone());
        let left_out = |peers: &[BgpPeerId]| InterfaceReport {
            routes_unchanged: true,
            verdicts: [("to_router".to_owned(), 7)].into(),
            further_peers: peers.iter().map(|&id| (id, peer(vec![]))).collect(),
            ..InterfaceReport::default()
        };
        let next = of(left_out(&[second]));
        assert!(!next.is_news_after(&before), "a counter is no news");
        let complete = next.clone().completed(Some(before.clone())).unwrap();
        let counted = InterfaceReport { verdicts: [("to_router".to_owned(), 7)].into(), ..told };
        assert_eq!(complete, of(counted.clone()));
        assert_eq!(next.completed(None), None, "nobody told them");
        let more = of(left_out(&[second, third]));
        assert!(more.is_news_after(&before), "another peer is");
        let mut expected = counted;
        expected.further_peers.insert(third, peer(vec![]));
        assert_eq!(more.completed(Some(before.clone())), Some(of(expected)));
        let mut bundled = before.clone();
        bundled.evidence.lacp = Some(Lacp::default());
        assert!(bundled.is_news_after(&before), "and what LACP says");
        let down = InterfaceReport { configured: true, ..left_out(&[second]) };
        assert!(of(down).is_news_after(&before), "and whatever else changed");
        let withdrawn = of(InterfaceReport { routes_unchanged: false, ..left_out(&[second]) });
        assert!(withdrawn.is_news_after(&before), "and routes that are gone");
    }
}
