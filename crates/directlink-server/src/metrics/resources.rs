//! Metrics of each connection, interface and router. Where AWS Direct Connect has a metric, ours is
//! named as that, in snake case, and its help begins with AWS's name. As there, *egress* is towards
//! the customer.

use super::Labels;
use crate::app::{App, AuthorityView, Refusal, RouterLine};
use directlink_model::{
    connection::{ConnectionState, PortRef},
    figures::{Rate, went_on},
    ids::{BgpPeerId, ConnectionId, InterfaceId},
    report::{InterfaceReport, PortReport},
    view::{ConnectionView, InterfaceView},
};
use jiff::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{collections::BTreeMap, sync::atomic::AtomicU64};

/// Of connections, and of interfaces, so many have series of their own: more would be slow to scrape
/// and to keep. How many have none is told.
pub(super) const SERIES_MAX: usize = 10_000;

/// All that is counted.
pub(super) struct Look {
    pub(super) connections: Vec<ConnectionView>,
    pub(super) interfaces: Vec<InterfaceView>,
    routers: Vec<RouterLine>,
    authorities: Vec<AuthorityView>,
    lines: BTreeMap<PortRef, Line>,
    seen: BTreeMap<InterfaceId, Seen>,
    rates: BTreeMap<InterfaceId, Rate>,
    line_rates: BTreeMap<PortRef, Rate>,
}

/// What a port's router says of it.
struct Line {
    interfaces: Vec<InterfaceId>,
    receive_millidbm: Option<i32>,
    transmit_millidbm: Option<i32>,
    receive_errors: Option<u64>,
}

/// And of an interface.
struct Seen {
    peers: Vec<(BgpPeerId, Peer)>,
    dropped: u64,
}

struct Peer {
    is_established: bool,
    is_bfd_up: Option<bool>,
    accepted: usize,
    refused: usize,
    advertised: usize,
}

impl Look {
    pub(super) async fn of(app: &App) -> Result<Self, Refusal> {
        let mut look = Self {
            connections: app.all_connections(None).await?,
            interfaces: app.all_interfaces().await?,
            routers: app.router_lines().await?,
            authorities: app.authorities().await?,
            lines: BTreeMap::new(),
            seen: BTreeMap::new(),
            rates: app.parts().figures.all_rates(),
            line_rates: app.parts().figures.line_rates(),
        };
        app.parts().agents.each_report(|port, report| {
            look.lines.insert(port.clone(), Line::of(report));
            let seen = |(id, it): (&InterfaceId, &InterfaceReport)| (*id, Seen::of(*id, it));
            look.seen.extend(report.interfaces.iter().map(seen));
        });
        Ok(look)
    }
}

impl Line {
    fn of(report: &PortReport) -> Self {
        let module = report.evidence.transceiver.as_ref();
        Self {
            interfaces: report.interfaces.keys().copied().collect(),
            receive_millidbm: module.and_then(|module| module.receive_millidbm),
            transmit_millidbm: module.and_then(|module| module.transmit_millidbm),
            receive_errors: report.evidence.receive_errors.map(|errors| errors.count),
        }
    }
}

impl Seen {
    fn of(id: InterfaceId, report: &InterfaceReport) -> Self {
        let peers = report.peers(id).map(|(id, peer)| {
            let is_bfd_up = peer.session.bfd.as_ref().map(|bfd| bfd.state == "Up");
            let peer = Peer {
                is_established: peer.session.is_established(),
                is_bfd_up,
                accepted: peer.learned.len(),
                refused: peer.refused.len(),
                advertised: peer.advertised.len(),
            };
            (id, peer)
        });
        let drops = report.verdicts.iter().filter(|(verdict, _)| !went_on(verdict));
        Self { peers: peers.collect(), dropped: drops.map(|(_, packets)| packets).sum() }
    }
}

pub(super) fn register(registry: &mut Registry, look: &Look, at_most: usize) {
    let connections: Vec<_> = look
        .connections
        .iter()
        // Before it first had light there is nothing that could be down.
        .filter(|view| matches!(view.state, ConnectionState::Available | ConnectionState::Down))
        .collect();
    let is_live = |view: &&InterfaceView| view.state.is_live();
    let interfaces: Vec<_> = look.interfaces.iter().filter(is_live).collect();
    let left_out = family(registry, "series_left_out", "Resources without series of their own");
    for (kind, count) in [("connection", connections.len()), ("interface", interfaces.len())] {
        let labels = vec![("kind", kind.to_owned())];
        left_out.get_or_create(&labels).set(count.saturating_sub(at_most) as f64);
    }
    register_connections(registry, look, &connections[..connections.len().min(at_most)]);
    let shown = &interfaces[..interfaces.len().min(at_most)];
    register_interfaces(registry, look, shown);
    register_sessions(registry, look, shown);
    register_routers(registry, &look.routers);
    let expires = family(
        registry,
        "authority_expiry_timestamp_seconds",
        "When the certificate authority's own certificate runs out",
    );
    for view in &look.authorities {
        if let Some(at) = view.expires_at {
            let labels = vec![("authority", view.id.clone()), ("signs", view.signs.to_string())];
            expires.get_or_create(&labels).set(at.as_second() as f64);
        }
    }
}

type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

fn family(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let family = Gauges::default();
    registry.register(name, help, family.clone());
    family
}

fn register_connections(registry: &mut Registry, look: &Look, views: &[&ConnectionView]) {
    let state = family(registry, "connection_state", "ConnectionState: 1 with light, 0 without");
    let traffic = TrafficGauges::new(registry, ["connection", "Connection"]);
    let transmitted = family(
        registry,
        "connection_light_level_tx",
        "ConnectionLightLevelTx: light that the port sends, in dBm",
    );
    let received = family(
        registry,
        "connection_light_level_rx",
        "ConnectionLightLevelRx: light that the port receives, in dBm",
    );
    let errors = Family::<Labels, Counter>::default();
    registry.register(
        "connection_error_count",
        "ConnectionErrorCount: frames that arrived broken",
        errors.clone(),
    );
    let mut on: BTreeMap<ConnectionId, Vec<InterfaceId>> = BTreeMap::new();
    for view in &look.interfaces {
        on.entry(view.interface.connection).or_default().push(view.interface.id);
    }
    for view in views {
        let connection = &view.connection;
        let labels = vec![
            ("connection", connection.id.to_string()),
            ("account", connection.account.to_string()),
            ("location", connection.location.to_string()),
        ];
        let is_up = view.state == ConnectionState::Available;
        state.get_or_create(&labels).set(f64::from(u8::from(is_up)));
        let is_hosted = connection.hosting.is_some();
        let port = connection.approval.as_ref().map(|approval| &approval.port);
        // Light, errors and others' traffic are the parent's.
        let line = port.and_then(|port| look.lines.get(port)).filter(|_| !is_hosted);
        let theirs = line.map(|line| &line.interfaces).or_else(|| on.get(&connection.id));
        match port.and_then(|port| look.line_rates.get(port)).filter(|_| !is_hosted) {
            Some(rate) => traffic.set(&labels, [rate].into_iter()),
            None => {
                let theirs = theirs.into_iter().flatten();
                traffic.set(&labels, theirs.filter_map(|id| look.rates.get(id)));
            }
        }
        let Some(line) = line else { continue };
        for (gauge, level) in
            [(&transmitted, line.transmit_millidbm), (&received, line.receive_millidbm)]
        {
            if let Some(level) = level {
                gauge.get_or_create(&labels).set(f64::from(level) / 1000.0);
            }
        }
        if let Some(count) = line.receive_errors {
            errors.get_or_create(&labels).inc_by(count);
        }
    }
}

fn register_interfaces(registry: &mut Registry, look: &Look, views: &[&InterfaceView]) {
    let traffic = TrafficGauges::new(registry, ["virtual_interface", "VirtualInterface"]);
    let dropped = Family::<Labels, Counter>::default();
    registry.register(
        "virtual_interface_dropped_packets",
        "Packets of the interface that went nowhere, either way",
        dropped.clone(),
    );
    for view in views {
        let labels = labels_of(view);
        let id = view.interface.id;
        traffic.set(&labels, look.rates.get(&id).into_iter());
        if let Some(seen) = look.seen.get(&id) {
            dropped.get_or_create(&labels).inc_by(seen.dropped);
        }
    }
}

fn labels_of(view: &InterfaceView) -> Labels {
    vec![
        ("interface", view.interface.id.to_string()),
        ("connection", view.interface.connection.to_string()),
        ("account", view.interface.owner.to_string()),
    ]
}

fn register_sessions(registry: &mut Registry, look: &Look, views: &[&InterfaceView]) {
    let mut gauge = |name: &str, help: &str| family(registry, name, help);
    let status = gauge(
        "virtual_interface_bgp_status",
        "VirtualInterfaceBgpStatus: 1 where the BGP session is established, 0 where not",
    );
    let accepted = gauge(
        "virtual_interface_bgp_prefixes_accepted",
        "VirtualInterfaceBgpPrefixesAccepted: prefixes of the customer's that are taken",
    );
    let refused = gauge(
        "virtual_interface_bgp_prefixes_refused",
        "Prefixes of the customer's that the policy refuses",
    );
    let advertised = gauge(
        "virtual_interface_bgp_prefixes_advertised",
        "VirtualInterfaceBgpPrefixesAdvertised: prefixes that the customer is told",
    );
    let bfd = gauge(
        "virtual_interface_bfd_status",
        "1 where BFD is up, 0 where not; none where the customer has never spoken it",
    );
    for view in views {
        let seen = look.seen.get(&view.interface.id);
        for (id, peer) in seen.iter().flat_map(|seen| &seen.peers) {
            let mut labels = labels_of(view);
            labels.push(("bgp_peer", id.to_string()));
            status.get_or_create(&labels).set(f64::from(u8::from(peer.is_established)));
            for (gauge, count) in [
                (&accepted, peer.accepted),
                (&refused, peer.refused),
                (&advertised, peer.advertised),
            ] {
                gauge.get_or_create(&labels).set(count as f64);
            }
            if let Some(is_up) = peer.is_bfd_up {
                bfd.get_or_create(&labels).set(f64::from(u8::from(is_up)));
            }
        }
    }
}

fn register_routers(registry: &mut Registry, routers: &[RouterLine]) {
    let connected = family(registry, "router_connected", "1 where the router's agent is connected");
    let seen = family(
        registry,
        "router_last_seen_timestamp_seconds",
        "When the router's agent was last heard by this server",
    );
    let expires = family(
        registry,
        "router_certificate_expiry_timestamp_seconds",
        "When the router's certificate runs out; none where it has none, or one without an end",
    );
    let seconds = |at: Timestamp| at.as_millisecond() as f64 / 1000.0;
    for line in routers {
        let labels = vec![("router", line.router.name.to_string())];
        connected.get_or_create(&labels).set(f64::from(u8::from(line.agent.connected)));
        if let Some(at) = line.agent.last_seen_at {
            seen.get_or_create(&labels).set(seconds(at));
        }
        if let Some(at) = line.certificate.expires_at {
            expires.get_or_create(&labels).set(seconds(at));
        }
    }
}

/// Bits and packets per second, each way.
struct TrafficGauges([(Gauges, Part); 4]);

type Part = fn(&Rate) -> u64;

impl TrafficGauges {
    /// The prefixes of our names and of AWS's.
    fn new(registry: &mut Registry, [ours, theirs]: [&str; 2]) -> Self {
        let mut gauge = |suffix: &str, of_theirs: &str, words: &str| {
            let help = format!("{theirs}{of_theirs}: {words}");
            family(registry, &format!("{ours}_{suffix}"), &help)
        };
        Self([
            (gauge("bps_egress", "BpsEgress", "bits per second to the customer"), |rate| {
                rate.to_customer_bits
            }),
            (gauge("bps_ingress", "BpsIngress", "bits per second from the customer"), |rate| {
                rate.from_customer_bits
            }),
            (gauge("pps_egress", "PpsEgress", "packets per second to the customer"), |rate| {
                rate.to_customer_packets
            }),
            (gauge("pps_ingress", "PpsIngress", "packets per second from the customer"), |rate| {
                rate.from_customer_packets
            }),
        ])
    }

    fn set<'a>(&self, labels: &Labels, rates: impl Iterator<Item = &'a Rate>) {
        let rates: Vec<_> = rates.collect();
        for (gauge, part) in &self.0 {
            let sum: u64 = rates.iter().map(|rate| part(rate)).sum();
            gauge.get_or_create(labels).set(sum as f64);
        }
    }
}
