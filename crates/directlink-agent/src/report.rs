//! What a router says of a port: composed from what is seen, never from what is hoped. Pure.

use crate::{
    diff::{Difference, Subject},
    evidence::Evidence,
    kernel::Facts,
    observed::Observed,
    routes::{Neighbour, Via},
    sessions::{Heard, Learned, Session},
    wanted::{Peer, Wanted},
};
use directlink_bgp::{Refusal, bfd};
use directlink_model::{
    bgp_peer::first_peer,
    ids::{BgpPeerId, InterfaceId, PortName},
    report::{
        BfdReport, InterfaceReport, LearnedRoute, PeerReport, PortReport, ROUTES_LISTED_MAX,
        RefusedRoute, SessionReport,
    },
};
use directlink_net::Vni;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What a pass over the kernel left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) observed: Observed,
    /// What is still to be done.
    pub(crate) difference: Difference,
    /// What was tried and failed.
    pub(crate) failures: BTreeMap<Subject, String>,
}

/// All that is known of one port.
pub(crate) struct Seen<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) outcome: &'a Outcome,
    pub(crate) facts: &'a Facts,
    pub(crate) evidence: &'a Evidence,
    pub(crate) now: Timestamp,
    pub(crate) vias: &'a BTreeMap<Neighbour, Via>,
    pub(crate) heard: &'a Heard,
}

/// What is said of the interfaces of a port.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    /// Those of which something changed. Their routes come later, but for those that are unchanged.
    pub(crate) interfaces: BTreeMap<InterfaceId, InterfaceReport>,
    pub(crate) unchanged: BTreeSet<InterfaceId>,
}

impl Spoken {
    /// Whose routes are to be told.
    pub(crate) fn speakers(&self, wanted: &Wanted) -> Vec<(BgpPeerId, Option<Vni>)> {
        let anew = self.interfaces.iter().filter(|(_, report)| !report.routes_unchanged);
        let wanted = anew.filter_map(|(id, _)| wanted.interfaces.get(id));
        wanted.flat_map(|it| it.peers.iter().map(|peer| (peer.id, it.vni))).collect()
    }

    /// Each of these has told its routes.
    pub(crate) fn tell_routes(&mut self, mut learned: BTreeMap<BgpPeerId, Learned>) {
        for (id, report) in &mut self.interfaces {
            if let Some(first) = learned.remove(&first_peer(*id)) {
                (report.learned, report.refused) = listed(&first);
                report.advertised = first.routes.advertised;
            }
            for (id, peer) in &mut report.further_peers {
                let Some(told) = learned.remove(id) else { continue };
                (peer.learned, peer.refused) = listed(&told);
                peer.advertised = told.routes.advertised;
            }
        }
    }
}

impl Outcome {
    /// Why the interface is not as the plan says, if there is a reason to tell.
    pub(crate) fn failure(&self, wanted: &Wanted, id: InterfaceId) -> Option<String> {
        let subject = Subject::Interface(id);
        let refused = || wanted.refused.get(&id).map(|(_, why)| why.clone());
        let blocked = |subject| self.difference.blocked.get(subject).cloned();
        let failed = |subject| self.failures.get(subject).cloned();
        // A port or an uplink that fails is the interface's failure too.
        let port = wanted.interfaces.get(&id).map(|it| Subject::Port(it.port.clone()));
        let leads_on = wanted.interfaces.get(&id).is_some_and(|it| it.vni.is_some());
        let router = Some(Subject::Router).filter(|_| leads_on);
        refused().or_else(|| failed(&subject)).or_else(|| blocked(&subject)).or_else(|| {
            port.iter()
                .chain(&router)
                .find_map(|subject| failed(subject).or_else(|| blocked(subject)))
        })
    }

    /// VLAN, addresses and rows are as the plan says.
    fn is_configured(&self, wanted: &Wanted, id: InterfaceId) -> bool {
        wanted.interfaces.contains_key(&id)
            && self.failure(wanted, id).is_none()
            && !self.difference.is_about(&Subject::Interface(id))
    }
}

/// The interfaces to speak of on a port: what is there, and what should be. `on` says where
/// each that is there belongs.
pub(crate) fn interfaces_of(
    port: &PortName,
    wanted: &Wanted,
    on: &BTreeMap<InterfaceId, PortName>,
) -> BTreeSet<InterfaceId> {
    let wanted_here = wanted.interfaces.iter().filter(|(_, it)| it.port == *port);
    let refused = wanted.refused.iter().filter(|(_, (p, _))| p == port).map(|(id, _)| *id);
    let there = on.iter().filter(|(_, p)| *p == port).map(|(id, _)| *id);
    wanted_here.map(|(id, _)| *id).chain(refused).chain(there).collect()
}

pub(crate) fn port_report(
    port: PortName,
    (applied_generation, light): (u64, bool),
    Spoken { interfaces, unchanged }: Spoken,
    seen: &Seen<'_>,
) -> PortReport {
    let ifindex = seen.outcome.observed.ports.get(&port).map(|port| port.ifindex);
    let evidence = seen.evidence.of_port(&port, ifindex, seen.now);
    PortReport { port, applied_generation, light, interfaces, unchanged, evidence }
}

/// Without its routes.
pub(crate) fn interface_report(id: InterfaceId, seen: &Seen<'_>) -> InterfaceReport {
    let wanted = seen.wanted.interfaces.get(&id);
    let peers = wanted.into_iter().flat_map(|it| &it.peers);
    let mut peers: BTreeMap<_, _> =
        peers.map(|peer| (peer.id, peer_report(id, peer, seen))).collect();
    let first = peers.remove(&first_peer(id)).unwrap_or_default();
    let verdicts = seen.facts.verdicts.get(&id).into_iter().flatten();
    let PeerReport { session, neighbour, rows_in_kernel, learned, refused, advertised } = first;
    InterfaceReport {
        configured: seen.outcome.is_configured(seen.wanted, id),
        failure: seen.outcome.failure(seen.wanted, id),
        session,
        neighbour,
        rows_in_kernel,
        learned,
        refused,
        advertised,
        verdicts: verdicts
            .map(|(verdict, packets)| (verdict.name().to_owned(), *packets))
            .collect(),
        traffic: seen.facts.traffic.get(&id).copied().unwrap_or_default(),
        further_peers: peers,
        evidence: seen.evidence.of_interface(id),
        routes_unchanged: false,
        takes_relayed_ipv6: true,
    }
}

fn peer_report(interface: InterfaceId, peer: &Peer, seen: &Seen<'_>) -> PeerReport {
    let session = seen.heard.sessions.get(&peer.id);
    let neighbour = (interface, peer.customer);
    PeerReport {
        session: session.map(session_report).unwrap_or_default(),
        neighbour: seen.facts.neighbours.get(&neighbour).copied(),
        rows_in_kernel: seen.vias.get(&neighbour).is_some_and(Via::forwards),
        ..PeerReport::default()
    }
}

/// What was taken of a customer's routes, and what was not.
fn listed(Learned { routes, best }: &Learned) -> (Vec<LearnedRoute>, Vec<RefusedRoute>) {
    let (mut learned, mut refused) = (vec![], vec![]);
    for route in &routes.learned {
        let prefix = route.prefix;
        match (&route.refused, &route.attributes) {
            (Some(refusal), _) => {
                let is_echo = *refusal == Refusal::AsLoop && routes.advertised.contains(&prefix);
                refused.push(RefusedRoute { prefix, reason: refusal.to_string(), is_echo });
            }
            (None, attributes) => learned.push(LearnedRoute {
                prefix,
                as_path: attributes.as_ref().map(|a| a.as_path.clone()).unwrap_or_default(),
                med: attributes.as_ref().and_then(|a| a.med),
                local_pref: route.preference.local_pref(),
                best: best.contains(&prefix),
            }),
        }
    }
    (learned, refused)
}

fn session_report(session: &Session) -> SessionReport {
    match &session.status {
        Some(status) => SessionReport {
            state: status.bgp.state.name().into(),
            established_since: status.established_since,
            last_error: status.last_error(),
            near_prefix_limit: status.bgp.near_limit,
            unlisted_prefixes: unlisted(status.bgp.routes.received),
            bfd: status.bfd.as_ref().and_then(bfd_report),
            evidence: status.evidence(),
        },
        None => SessionReport::default(),
    }
}

fn unlisted(received: u32) -> u32 {
    let listed = u32::try_from(ROUTES_LISTED_MAX).unwrap_or(u32::MAX);
    received.saturating_sub(listed)
}

/// `None` while the customer has said nothing of it.
pub(crate) fn bfd_report(status: &bfd::Status) -> Option<BfdReport> {
    let was_heard = status.remote.is_some() || status.diagnostic != bfd::Diagnostic::None;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    was_heard.then(|| BfdReport {
        state: status.state.name().into(),
        remote_state: status.remote.map(|(state, _)| state.name().into()),
        diagnostic: status.diagnostic.to_string(),
        transmit_interval_millis: millis(status.transmit_interval),
        detection_time_millis: status.detection_time.map(millis),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diff::Change, wanted::Interface};
    use directlink_dataplane::Verdict;
    use directlink_net::Mac;

    fn id(n: u32) -> InterfaceId {
        InterfaceId::from_bits(n)
    }

    /// One that got another name would never be seen again.
    #[test]
    fn the_server_reads_verdicts_that_there_are() {
        let names = Verdict::ALL.map(Verdict::name);
        for read in directlink_model::diagnosis::verdicts() {
            assert!(names.contains(&read), "{read}");
        }
        for verdict in Verdict::ALL {
            let went_on = directlink_model::figures::went_on(verdict.name());
            assert_eq!(went_on, verdict.went_on(), "{verdict}");
        }
    }

    fn p0() -> PortName {
        "p0".parse().unwrap()
    }

    fn peer(n: u32, router: &str, customer: &str) -> Peer {
        let (router, customer) = (router.parse().unwrap(), customer.parse().unwrap());
        Peer { id: BgpPeerId::from_bits(n), router, customer }
    }

    fn wanted() -> Wanted {
        let interface = Interface {
            port: p0(),
            vlan: 100_u16.try_into().unwrap(),
            mtu: 1500_i64.try_into().unwrap(),
            mac: Mac([6; 6]),
            peers: vec![peer(1, "172.16.0.1/30", "172.16.0.2")],
            vni: Some(1000_u32.try_into().unwrap()),
            rate: None,
        };
        let refused = (p0(), "IPv4 only".to_owned());
        Wanted {
            interfaces: [(id(1), interface)].into(),
            refused: [(id(2), refused)].into(),
            ..Wanted::default()
        }
    }

    #[test]
    fn an_interface_is_configured_when_nothing_is_left_to_do_and_else_says_why() {
        let subject = Subject::Interface(id(1));
        let why = || "cannot make a namespace".to_owned();
        let no_port = Subject::Port(p0());
        let table: [(Outcome, bool, Option<&str>); 6] = [
            (Outcome::default(), true, None),
            (with(|o| o.difference.changes.push(Change::MakeNamespace(id(1)))), false, None),
            (with(|o| o.difference.changes.push(Change::MakeNamespace(id(7)))), true, None),
            (with(|o| drop(o.failures.insert(subject, why()))), false, Some("namespace")),
            (with(|o| drop(o.failures.insert(no_port, "taken".into()))), false, Some("taken")),
            (
                with(|o| drop(o.difference.blocked.insert(Subject::Router, "no uplink".into()))),
                false,
                Some("no uplink"),
            ),
        ];
        for (outcome, configured, failure) in table {
            let said = outcome.failure(&wanted(), id(1));
            assert_eq!(said.is_some(), failure.is_some(), "{outcome:?}");
            assert!(failure.is_none_or(|text| said.unwrap().contains(text)));
            assert_eq!(outcome.is_configured(&wanted(), id(1)), configured, "{outcome:?}");
        }
    }

    fn with(change: impl FnOnce(&mut Outcome)) -> Outcome {
        let mut outcome = Outcome::default();
        change(&mut outcome);
        outcome
    }

    #[test]
    fn a_second_peer_is_told_beside_the_first_and_alone_where_that_is_gone() {
        let report = |peers: Vec<Peer>| {
            let mut wanted = wanted();
            wanted.interfaces.get_mut(&id(1)).unwrap().peers = peers;
            let mac =
                |n, customer: &str| ((id(1), customer.parse().unwrap()), Mac([2, 0, 0, 0, 0, n]));
            let neighbours = [mac(1, "172.16.0.2"), mac(9, "172.16.0.6")].into();
            let facts = Facts { neighbours, ..Facts::default() };
            let seen = Seen {
                wanted: &wanted,
                outcome: &Outcome::default(),
                facts: &facts,
                evidence: &Evidence::default(),
                now: Timestamp::UNIX_EPOCH,
                vias: &BTreeMap::new(),
                heard: &Heard::default(),
            };
            let report = interface_report(id(1), &seen);
            let last = |mac: Option<Mac>| mac.map(|mac| mac.0[5]);
            let further =
                report.further_peers.iter().map(|(id, it)| (id.bits(), last(it.neighbour)));
            (last(report.neighbour), further.collect::<Vec<_>>())
        };
        let first = peer(1, "172.16.0.1/30", "172.16.0.2");
        let second = peer(9, "172.16.0.5/30", "172.16.0.6");
        assert_eq!(report(vec![first]), (Some(1), vec![]));
        assert_eq!(report(vec![first, second]), (Some(1), vec![(9, Some(9))]));
        assert_eq!(report(vec![second]), (None, vec![(9, Some(9))]));
    }

    #[test]
    fn a_port_speaks_of_what_is_there_what_should_be_and_what_cannot_be() {
        let on = [(id(3), p0()), (id(4), "p1".parse().unwrap())].into();
        let ids: Vec<_> = interfaces_of(&p0(), &wanted(), &on).into_iter().collect();
        assert_eq!(ids, [id(1), id(2), id(3)]);
        let seen = Seen {
            wanted: &wanted(),
            outcome: &Outcome::default(),
            facts: &Facts::default(),
            evidence: &Evidence::default(),
            now: Timestamp::UNIX_EPOCH,
            vias: &BTreeMap::new(),
            heard: &Heard::default(),
        };
        let interfaces = ids.into_iter().map(|id| (id, interface_report(id, &seen))).collect();
        let spoken = Spoken { interfaces, ..Spoken::default() };
        let report = port_report(p0(), (7, true), spoken, &seen);
        let left_over = &report.interfaces[&id(3)];
        assert!(!left_over.configured && left_over.failure.is_none());
        assert_eq!(report.interfaces[&id(2)].failure.as_deref(), Some("IPv4 only"));
        assert_eq!(report.interfaces[&id(1)].session.state, "Idle");
    }
}
