//! An interface as it is now: its sessions' own words, and the rows in the kernel.

use super::{Known, Said, Subject, Task, failed};
use crate::{
    clock,
    kernel::{RowsQuestion, RowsSeen},
    report::bfd_report,
    speaker::SessionRoutes,
};
use directlink_bgp::LearnedRoute;
use directlink_model::glass::{
    Advertised, Answer, Capabilities, Received, Row, SessionShown, Show, Shown, ShownPeer,
    Standing, Timers,
};
use directlink_net::IpNet;
use jiff::Timestamp;
use std::collections::BTreeMap;

impl Task {
    pub(super) async fn show(mut self, show: Show) -> Said {
        let routes_max = usize::try_from(show.routes).unwrap_or(usize::MAX);
        let mut routes = Vec::new();
        for known in &mut self.subject.peers {
            routes.push(known.routes().await);
        }
        let prefixes = routes.iter().flat_map(|it| it.learned.iter().take(routes_max));
        let accepted = prefixes.filter(|it| it.refused.is_none()).map(|it| it.prefix);
        let question = RowsQuestion {
            number: self.subject.number,
            vni: self.subject.vni,
            ways: self.subject.peers.iter().map(|known| known.way).collect(),
            prefixes: accepted.collect(),
        };
        let rows = self.kernel.run(move |kernel| kernel.rows_of(&question)).await;
        let rows = rows.map_err(failed)?.map_err(failed)?;
        let (subject, now) = (&self.subject, clock::now());
        let peers = subject.peers.iter().zip(&routes);
        let peers =
            peers.map(|(known, routes)| peer(subject, known, routes, &rows, routes_max, now));
        let shown = Shown {
            at: now,
            vlan: subject.vlan.as_u16(),
            mtu: rows.mtu.unwrap_or(subject.mtu).as_u16(),
            router_mac: subject.mac,
            vni: subject.vni.map(directlink_net::Vni::as_u32),
            forwards: rows.forwards,
            peers: peers.collect(),
        };
        Ok((Answer::Shown(Box::new(shown)), Vec::new()))
    }
}

fn peer(
    subject: &Subject,
    known: &Known,
    routes: &SessionRoutes,
    rows: &RowsSeen,
    routes_max: usize,
    now: Timestamp,
) -> ShownPeer {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let told = |prefix: &IpNet| Advertised {
        prefix: *prefix,
        as_path: vec![subject.local_asn],
        next_hop: known.peer.router.addr(),
    };
    let received = routes.learned.iter().take(routes_max);
    ShownPeer {
        id: known.peer.id,
        router: known.peer.router,
        customer: known.peer.customer,
        neighbour: rows.neighbours.get(&known.way).copied(),
        session: session(subject, known, now),
        received: received.map(|route| self::received(subject, known, route, rows)).collect(),
        received_count: count(routes.learned.len()),
        advertised: routes.advertised.iter().take(routes_max).map(told).collect(),
        advertised_count: count(routes.advertised.len()),
    }
}

fn session(subject: &Subject, known: &Known, now: Timestamp) -> SessionShown {
    let (local_asn, peer_asn, has_key) = (subject.local_asn, known.asn, known.has_key);
    let prefixes_max = subject.prefixes_max;
    let none = || SessionShown {
        state: "Idle".into(),
        local_asn,
        peer_asn,
        has_key,
        prefixes_max,
        ..SessionShown::default()
    };
    let Some(status) = &known.status else { return none() };
    let agreed = status.bgp.negotiated.as_ref();
    let ended = status.bgp.last_down.as_ref().map(|(at, _)| *at);
    let failed = status.bgp.last_failure.as_ref().map(|(at, _)| *at);
    let came_up = status.established_since;
    let uptime = came_up.map(|since| now.duration_since(since).as_secs());
    SessionShown {
        state: status.bgp.state.name().into(),
        local_asn,
        peer_asn,
        peer_identifier: agreed.map(|it| it.peer_router_id),
        has_key,
        established_since: came_up,
        timers: Timers {
            hold_seconds: agreed.map(|it| it.hold_time_seconds),
            keepalive_seconds: agreed.map(|it| it.keepalive_seconds),
            uptime_seconds: uptime.and_then(|seconds| u64::try_from(seconds).ok()),
        },
        last_change: came_up.into_iter().chain(ended.map(|at| status.civil(at))).max(),
        last_error: status.last_error(),
        last_error_at: ended.into_iter().chain(failed).max().map(|at| status.civil(at)),
        retry_at: status.bgp.retry_at.map(|at| status.civil(at)),
        prefixes_max,
        capabilities: agreed.map_or_else(Capabilities::default, |it| Capabilities {
            ours: it.capabilities.ours.clone(),
            theirs: it.capabilities.theirs.clone(),
        }),
        bfd: status.bfd.as_ref().and_then(bfd_report),
    }
}

fn received(subject: &Subject, known: &Known, route: &LearnedRoute, rows: &RowsSeen) -> Received {
    let attributes = route.attributes.as_ref();
    let is_accepted = route.refused.is_none();
    let community = |it: &u32| format!("{}:{}", it >> 16, it & 0xffff);
    let large = |[a, b, c]: &[u32; 3]| format!("{a}:{b}:{c}");
    let communities = attributes.map(|it| {
        let all = it.communities.iter().map(community);
        all.chain(it.large_communities.iter().map(large)).collect()
    });
    Received {
        prefix: route.prefix,
        origin: attributes.map(|it| format!("{:?}", it.origin).to_lowercase()),
        as_path: attributes.map(|it| it.as_path.clone()).unwrap_or_default(),
        next_hop: attributes.map(|it| it.next_hop),
        med: attributes.and_then(|it| it.med),
        local_pref: route.preference.local_pref(),
        communities: communities.unwrap_or_default(),
        stale: route.stale,
        refused: route.refused.map(|refusal| refusal.to_string()),
        standing: is_accepted.then(|| standing(subject, known, &route.prefix)).flatten(),
        row: is_accepted.then(|| row(&route.prefix, rows, &subject.ways)).flatten(),
    }
}

fn standing(subject: &Subject, known: &Known, prefix: &IpNet) -> Option<Standing> {
    let rib = subject.ribs.net(subject.vni?)?;
    let standing = *rib.explain(prefix).get(&known.peer.id)?;
    Some(Standing { is_best: standing.is_best(), why: standing.to_string() })
}

fn row(
    prefix: &IpNet,
    rows: &RowsSeen,
    ways: &BTreeMap<directlink_dataplane::InterfaceNumber, String>,
) -> Option<Row> {
    let seen = rows.prefixes.get(prefix)?;
    let leads = seen.leads.clone().unwrap_or_default();
    let name = |way| ways.get(way).cloned().unwrap_or_else(|| format!("way {way}"));
    let relays = leads.routers.iter().map(|vtep| format!("router {vtep}"));
    Some(Row {
        leads_to: leads.ways.iter().map(name).chain(relays).collect(),
        lets_in: seen.lets_in,
    })
}
