//! Documents: made of the facts by the model, numbered and stored when they are unlike the stored ones.

use crate::store::{
    Error, Planned, Tx, connections, gateways, interfaces, lags, nets, nics, plans, plans::Stored,
    route_tables, security_groups, sites,
};
use directlink_model::{
    connection::PortRef,
    elsewhere::Carrier,
    ids::{NetId, RouterName},
    location::Region,
    plan::{self, Document, NetSnapshot, PortPlan, PortSnapshot, Scope},
};
use directlink_telemetry::Origin;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// What planning a port has led to.
pub(super) struct Outcome {
    /// Its document is another.
    pub(super) changed: bool,
    /// Nets that it leads to now and did not before, or the other way round.
    pub(super) nets: Vec<NetId>,
}

/// The document of one port, brought to the facts.
pub(super) async fn plan_port(
    tx: &mut Tx,
    region: &Region,
    port: &PortRef,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let Some(router) = sites::router(tx, &port.router).await? else {
        return Ok(Outcome { changed: false, nets: vec![] });
    };
    let snapshot = port_snapshot(tx, region, router.bgp_identifier, port).await?;
    let plan = plan::plan_port(&snapshot, now);
    let wanted: BTreeSet<NetId> = plan::nets_of(&plan).collect();
    let scope = Scope::Port(port.port.clone());
    let changed = put(tx, &port.router, &scope, &Document::Port(plan), now).await?;
    let before = plans::nets_of_port(tx, port).await?;
    let moved: Vec<NetId> = wanted.symmetric_difference(&before).copied().collect();
    for net in &moved {
        plans::set_net_of_port(tx, port, *net, wanted.contains(net)).await?;
        if !plans::carries_net(tx, &port.router, *net).await? {
            put(tx, &port.router, &Scope::Net(*net), &Document::Net(None), now).await?;
        }
    }
    Ok(Outcome { changed: changed || !moved.is_empty(), nets: moved })
}

/// The documents of one Net, on each router that leads to it. The routers where it is another.
pub(super) async fn plan_net(
    tx: &mut Tx,
    region: &Region,
    net: NetId,
    now: Timestamp,
) -> Result<Vec<RouterName>, Error> {
    let routers = plans::routers_of_net(tx, net).await?;
    let Some(facts) = nets::by_id(tx, net).await?.filter(|_| !routers.is_empty()) else {
        return Ok(vec![]);
    };
    let snapshot = NetSnapshot {
        subnets: nets::subnets_of_net(tx, net).await?,
        nics: nics::of_net(tx, net).await?,
        security_groups: security_groups::of_net(tx, net).await?,
        gateway: gateways::of_net(tx, net).await?.map(|gateway| gateway.id),
        route_tables: route_tables::of_net(tx, net).await?,
        ipv6: region.ipv6,
        carriers: carriers(tx, net, &routers, now).await?,
        net: facts,
    };
    let mut changed = Vec::new();
    for (router, vtep) in routers {
        let document = Document::Net(Some(plan::plan_net(&snapshot, vtep)));
        if put(tx, &router, &Scope::Net(net), &document, now).await? {
            changed.push(router);
        }
    }
    Ok(changed)
}

/// What is said on each of the routers; nobody asks about one that is alone.
async fn carriers(
    tx: &mut Tx,
    net: NetId,
    routers: &[(RouterName, Ipv4Addr)],
    now: Timestamp,
) -> Result<Vec<Carrier>, Error> {
    if routers.len() < 2 {
        return Ok(vec![]);
    }
    let mut carriers: BTreeMap<_, _> =
        routers.iter().map(|(name, vtep)| (name, Carrier::new(*vtep))).collect();
    for said in interfaces::reported_leading_to(tx, net).await? {
        if let Some(carrier) = carriers.get_mut(&said.router) {
            carrier.learn((&said.interface, said.wire_on), &said.report, now);
        }
    }
    Ok(carriers.into_values().collect())
}

/// Takes note of what an agent holds. Where it holds a later generation than ours (our database is
/// a restored copy), ours is numbered above it; where it holds what we never heard of, it is told
/// to hold nothing there. Whether anything was renumbered.
pub(crate) async fn adopt(
    tx: &mut Tx,
    router: &RouterName,
    held: &BTreeMap<Scope, u64>,
    now: Timestamp,
) -> Result<bool, Error> {
    let ours = plans::generations(tx, router).await?;
    let mut renumbered = false;
    for (scope, &generation) in held {
        let document = match ours.get(scope) {
            Some(&stored) if stored >= generation => continue,
            Some(_) => plans::stored(tx, router, scope).await?.map(|stored| stored.document),
            None => None,
        };
        let document = match document {
            Some(document) => document,
            None => serde_json::to_string(&nothing(scope))?,
        };
        let plan = Stored { generation: generation.saturating_add(1), document };
        plans::put(tx, router, scope, &plan, now).await?;
        renumbered = true;
    }
    Ok(renumbered)
}

const fn nothing(scope: &Scope) -> Document {
    match scope {
        Scope::Port(_) => {
            Document::Port(PortPlan { connection: None, lag: None, interfaces: BTreeMap::new() })
        }
        Scope::Net(_) => Document::Net(None),
    }
}

async fn port_snapshot(
    tx: &mut Tx,
    region: &Region,
    bgp_identifier: Ipv4Addr,
    port: &PortRef,
) -> Result<PortSnapshot, Error> {
    let connection = connections::holding(tx, port).await?;
    let (mut hosted, mut with_nets, mut bundle) = (Vec::new(), Vec::new(), None);
    if let Some(lag) = connection.as_ref().and_then(|connection| connection.lag) {
        bundle = lags::by_id(tx, lag).await?;
    }
    if let Some(connection) = &connection {
        hosted = connections::live_on(tx, connection.id).await?;
        let leading = nets::on_wire(tx, connection.id).await?;
        for interface in interfaces::live_on_wire(tx, connection.id).await? {
            let net = interface.gateway.and_then(|gateway| leading.get(&gateway)).cloned();
            with_nets.push((interface, net));
        }
    }
    let interfaces = with_nets;
    let (region, ipv6) = (region.asn, region.ipv6);
    Ok(PortSnapshot { connection, hosted, bundle, interfaces, region, ipv6, bgp_identifier })
}

/// Stores the document under the next generation, unless it is the stored one to the byte. A
/// scope that never had one needs no document to say "nothing of that Net".
async fn put(
    tx: &mut Tx,
    router: &RouterName,
    scope: &Scope,
    document: &Document,
    now: Timestamp,
) -> Result<bool, Error> {
    let text = serde_json::to_string(document)?;
    let stored = plans::stored(tx, router, scope).await?;
    let generation = match stored {
        Some(stored) if stored.document == text => return Ok(false),
        Some(stored) => stored.generation + 1,
        None if *document == Document::Net(None) => return Ok(false),
        None => 1,
    };
    plans::put(tx, router, scope, &Stored { generation, document: text }, now).await?;
    let planned =
        |origin| Planned { router: router.clone(), scope: scope.clone(), generation, origin };
    tx.planned.extend(Origin::of_current().map(planned));
    Ok(true)
}
