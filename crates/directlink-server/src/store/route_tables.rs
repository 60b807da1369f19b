//! Rows of route tables, their links and routes, and which gateways propagate into them.

use super::{
    Error,
    row::{Columns, unreadable},
    statements,
};
use directlink_model::{
    ids::{AccountId, GatewayId, NetId, NicId, RouteTableId, RouteTableLinkId, SubnetId},
    route_table::{RouteTable, RouteTableLink, RouteTarget, StaticRoute},
};
use directlink_net::Ipv4Net;
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};
use std::collections::BTreeMap;

statements! {
    INSERT = "INSERT INTO route_table (id, account, net, created_us) VALUES ($1, $2, $3, $4)";
    INSERT_LINK = "INSERT INTO route_table_link (id, route_table, subnet) VALUES ($1, $2, $3)";
    BY_ID = "SELECT * FROM route_table WHERE id = $1";
    OF_ACCOUNT = "SELECT * FROM route_table WHERE account = $1 ORDER BY created_us, id";
    OF_NET = "SELECT * FROM route_table WHERE net = $1 ORDER BY created_us, id";
    OF_LINK = "SELECT route_table FROM route_table_link WHERE id = $1";
    OF_SUBNET = "SELECT route_table FROM route_table_link WHERE subnet = $1";
    DELETE_LINK = "DELETE FROM route_table_link WHERE id = $1";
    DELETE_LINK_OF_SUBNET = "DELETE FROM route_table_link WHERE subnet = $1";
    DELETE = "DELETE FROM route_table WHERE id = $1";
    DELETE_PROPAGATIONS = "DELETE FROM propagation WHERE route_table = $1";
    DELETE_ROUTES = "DELETE FROM route WHERE route_table = $1";
    DELETE_ROUTES_OF_NET = "DELETE FROM route
                            WHERE route_table IN (SELECT id FROM route_table WHERE net = $1)";
    PUT_ROUTE = "INSERT INTO route (route_table, destination, gateway, nic) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (route_table, destination) DO UPDATE SET gateway = excluded.gateway, nic = excluded.nic";
    DELETE_ROUTE = "DELETE FROM route WHERE route_table = $1 AND destination = $2";
    ROUTES_OF_TABLE = "SELECT * FROM route WHERE route_table = $1";
    ROUTES_OF_ACCOUNT = "SELECT r.* FROM route r JOIN route_table t ON t.id = r.route_table WHERE t.account = $1";
    ROUTES_OF_NET = "SELECT r.* FROM route r JOIN route_table t ON t.id = r.route_table WHERE t.net = $1";
    ROUTES_OF_GATEWAY = "SELECT * FROM route WHERE gateway = $1 ORDER BY route_table, destination";
    ROUTES_OF_NIC = "SELECT * FROM route WHERE nic = $1 ORDER BY route_table, destination";
    LINKS_OF_TABLE = "SELECT * FROM route_table_link WHERE route_table = $1 ORDER BY id";
    LINKS_OF_ACCOUNT = "SELECT l.* FROM route_table_link l JOIN route_table t ON t.id = l.route_table
                        WHERE t.account = $1 ORDER BY l.id";
    LINKS_OF_NET = "SELECT l.* FROM route_table_link l JOIN route_table t ON t.id = l.route_table
                    WHERE t.net = $1 ORDER BY l.id";
    PROPAGATIONS_OF_TABLE = "SELECT * FROM propagation WHERE route_table = $1 ORDER BY gateway";
    PROPAGATIONS_OF_ACCOUNT = "SELECT p.* FROM propagation p JOIN route_table t ON t.id = p.route_table
                               WHERE t.account = $1 ORDER BY p.gateway";
    PROPAGATIONS_OF_NET = "SELECT p.* FROM propagation p JOIN route_table t ON t.id = p.route_table
                           WHERE t.net = $1 ORDER BY p.gateway";
    PROPAGATE = "INSERT INTO propagation (route_table, gateway) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    STOP_PROPAGATING = "DELETE FROM propagation WHERE route_table = $1 AND gateway = $2";
    STOP_EVERYWHERE = "DELETE FROM propagation WHERE gateway = $1";
    DELETE_PROPAGATIONS_OF_NET = "DELETE FROM propagation
                                  WHERE route_table IN (SELECT id FROM route_table WHERE net = $1)";
    DELETE_LINKS_OF_NET = "DELETE FROM route_table_link
                           WHERE route_table IN (SELECT id FROM route_table WHERE net = $1)";
    DELETE_OF_NET = "DELETE FROM route_table WHERE net = $1";
}

/// With its links.
pub(crate) async fn insert(
    db: &mut AnyConnection,
    table: &RouteTable,
    now: Timestamp,
) -> Result<(), Error> {
    query(INSERT)
        .bind(table.id.to_string())
        .bind(table.account.to_string())
        .bind(table.net.to_string())
        .bind(now.as_microsecond())
        .execute(&mut *db)
        .await?;
    for link in &table.links {
        insert_link(db, table.id, link).await?;
    }
    Ok(())
}

pub(crate) async fn insert_link(
    db: &mut AnyConnection,
    table: RouteTableId,
    link: &RouteTableLink,
) -> Result<(), Error> {
    query(INSERT_LINK)
        .bind(link.id.to_string())
        .bind(table.to_string())
        .bind(link.subnet.map(|subnet| subnet.to_string()))
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn delete_link(db: &mut AnyConnection, id: RouteTableLinkId) -> Result<(), Error> {
    query(DELETE_LINK).bind(id.to_string()).execute(db).await?;
    Ok(())
}

/// The Subnet goes.
pub(crate) async fn delete_link_of_subnet(
    db: &mut AnyConnection,
    subnet: SubnetId,
) -> Result<(), Error> {
    query(DELETE_LINK_OF_SUBNET).bind(subnet.to_string()).execute(db).await?;
    Ok(())
}

/// The table that has the link.
pub(crate) async fn of_link(
    db: &mut AnyConnection,
    id: RouteTableLinkId,
) -> Result<Option<RouteTableId>, Error> {
    let row = query(OF_LINK).bind(id.to_string()).fetch_optional(db).await?;
    row.map(|row| row.word("route_table")).transpose()
}

/// The table that the Subnet is linked to; `None`: the main one serves it.
pub(crate) async fn of_subnet(
    db: &mut AnyConnection,
    subnet: SubnetId,
) -> Result<Option<RouteTableId>, Error> {
    let row = query(OF_SUBNET).bind(subnet.to_string()).fetch_optional(db).await?;
    row.map(|row| row.word("route_table")).transpose()
}

/// Without links: those must be gone.
pub(crate) async fn delete(db: &mut AnyConnection, id: RouteTableId) -> Result<(), Error> {
    for statement in [DELETE_PROPAGATIONS, DELETE_ROUTES, DELETE] {
        query(statement).bind(id.to_string()).execute(&mut *db).await?;
    }
    Ok(())
}

/// In place of the one to the same destination, if there is one.
pub(crate) async fn put_route(
    db: &mut AnyConnection,
    table: RouteTableId,
    route: StaticRoute,
) -> Result<(), Error> {
    let (gateway, nic) = match route.target {
        RouteTarget::Gateway(id) => (Some(id.to_string()), None),
        RouteTarget::Nic(id) => (None, Some(id.to_string())),
    };
    query(PUT_ROUTE)
        .bind(table.to_string())
        .bind(route.destination.to_string())
        .bind(gateway)
        .bind(nic)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn delete_route(
    db: &mut AnyConnection,
    table: RouteTableId,
    destination: Ipv4Net,
) -> Result<(), Error> {
    query(DELETE_ROUTE).bind(table.to_string()).bind(destination.to_string()).execute(db).await?;
    Ok(())
}

/// A route that leads there, if one does, and its table.
pub(crate) async fn route_to(
    db: &mut AnyConnection,
    target: RouteTarget,
) -> Result<Option<(RouteTableId, StaticRoute)>, Error> {
    let (statement, id) = match target {
        RouteTarget::Gateway(id) => (ROUTES_OF_GATEWAY, id.to_string()),
        RouteTarget::Nic(id) => (ROUTES_OF_NIC, id.to_string()),
    };
    let row = query(statement).bind(id).fetch_optional(db).await?;
    row.map(|row| Ok((row.word("route_table")?, read_route(&row)?))).transpose()
}

pub(crate) async fn by_id(
    db: &mut AnyConnection,
    id: RouteTableId,
) -> Result<Option<RouteTable>, Error> {
    let id = id.to_string();
    let row = query(BY_ID).bind(id.as_str()).fetch_optional(&mut *db).await?;
    let links = query(LINKS_OF_TABLE).bind(id.as_str()).fetch_all(&mut *db).await?;
    let propagations = query(PROPAGATIONS_OF_TABLE).bind(id.as_str()).fetch_all(&mut *db).await?;
    let routes = query(ROUTES_OF_TABLE).bind(id).fetch_all(db).await?;
    Ok(assemble(row.as_slice(), &links, &propagations, &routes)?.pop())
}

pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<RouteTable>, Error> {
    let account = account.to_string();
    let rows = query(OF_ACCOUNT).bind(account.as_str()).fetch_all(&mut *db).await?;
    let links = query(LINKS_OF_ACCOUNT).bind(account.as_str()).fetch_all(&mut *db).await?;
    let propagations =
        query(PROPAGATIONS_OF_ACCOUNT).bind(account.as_str()).fetch_all(&mut *db).await?;
    let routes = query(ROUTES_OF_ACCOUNT).bind(account).fetch_all(db).await?;
    assemble(&rows, &links, &propagations, &routes)
}

/// In order of creation.
pub(crate) async fn of_net(db: &mut AnyConnection, net: NetId) -> Result<Vec<RouteTable>, Error> {
    let net = net.to_string();
    let rows = query(OF_NET).bind(net.as_str()).fetch_all(&mut *db).await?;
    let links = query(LINKS_OF_NET).bind(net.as_str()).fetch_all(&mut *db).await?;
    let propagations = query(PROPAGATIONS_OF_NET).bind(net.as_str()).fetch_all(&mut *db).await?;
    let routes = query(ROUTES_OF_NET).bind(net).fetch_all(db).await?;
    assemble(&rows, &links, &propagations, &routes)
}

pub(crate) async fn set_propagation(
    db: &mut AnyConnection,
    table: RouteTableId,
    gateway: GatewayId,
    enabled: bool,
) -> Result<(), Error> {
    let statement = match enabled {
        true => PROPAGATE,
        false => STOP_PROPAGATING,
    };
    query(statement).bind(table.to_string()).bind(gateway.to_string()).execute(db).await?;
    Ok(())
}

/// The gateway leaves its Net.
pub(crate) async fn stop_propagating(
    db: &mut AnyConnection,
    gateway: GatewayId,
) -> Result<(), Error> {
    query(STOP_EVERYWHERE).bind(gateway.to_string()).execute(db).await?;
    Ok(())
}

pub(crate) async fn delete_of_net(db: &mut AnyConnection, net: NetId) -> Result<(), Error> {
    for statement in
        [DELETE_PROPAGATIONS_OF_NET, DELETE_ROUTES_OF_NET, DELETE_LINKS_OF_NET, DELETE_OF_NET]
    {
        query(statement).bind(net.to_string()).execute(&mut *db).await?;
    }
    Ok(())
}

fn assemble(
    rows: &[AnyRow],
    links: &[AnyRow],
    propagations: &[AnyRow],
    routes: &[AnyRow],
) -> Result<Vec<RouteTable>, Error> {
    let mut links_of: BTreeMap<RouteTableId, Vec<RouteTableLink>> = BTreeMap::new();
    for row in links {
        let link = RouteTableLink { id: row.word("id")?, subnet: row.word_or_null("subnet")? };
        links_of.entry(row.word("route_table")?).or_default().push(link);
    }
    let mut gateways_of: BTreeMap<RouteTableId, Vec<GatewayId>> = BTreeMap::new();
    for row in propagations {
        gateways_of.entry(row.word("route_table")?).or_default().push(row.word("gateway")?);
    }
    let mut routes_of: BTreeMap<RouteTableId, Vec<StaticRoute>> = BTreeMap::new();
    for row in routes {
        routes_of.entry(row.word("route_table")?).or_default().push(read_route(row)?);
    }
    for routes in routes_of.values_mut() {
        routes.sort_unstable_by_key(|route| route.destination);
    }
    rows.iter()
        .map(|row| {
            let id = row.word("id")?;
            Ok(RouteTable {
                id,
                account: row.word("account")?,
                net: row.word("net")?,
                propagating: gateways_of.remove(&id).unwrap_or_default(),
                links: links_of.remove(&id).unwrap_or_default(),
                statics: routes_of.remove(&id).unwrap_or_default(),
            })
        })
        .collect()
}

fn read_route(row: &AnyRow) -> Result<StaticRoute, Error> {
    let gateway: Option<GatewayId> = row.word_or_null("gateway")?;
    let nic: Option<NicId> = row.word_or_null("nic")?;
    let target = match (gateway, nic) {
        (Some(id), None) => RouteTarget::Gateway(id),
        (None, Some(id)) => RouteTarget::Nic(id),
        (None, None) | (Some(_), Some(_)) => {
            return Err(unreadable("gateway", "", "a route has one target"));
        }
    };
    Ok(StaticRoute { destination: row.word("destination")?, target })
}
