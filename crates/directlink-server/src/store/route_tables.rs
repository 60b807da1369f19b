//! Rows of route tables, their links, and which gateways propagate into them.

use super::{Error, row::Columns, statements};
use directlink_model::{
    ids::{AccountId, GatewayId, NetId, RouteTableId},
    route_table::{RouteTable, RouteTableLink},
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};
use std::collections::BTreeMap;

statements! {
    INSERT = "INSERT INTO route_table (id, account, net, created_us) VALUES ($1, $2, $3, $4)";
    INSERT_LINK = "INSERT INTO route_table_link (id, route_table, subnet) VALUES ($1, $2, $3)";
    BY_ID = "SELECT * FROM route_table WHERE id = $1";
    OF_ACCOUNT = "SELECT * FROM route_table WHERE account = $1 ORDER BY created_us, id";
    LINKS_OF_TABLE = "SELECT * FROM route_table_link WHERE route_table = $1 ORDER BY id";
    LINKS_OF_ACCOUNT = "SELECT l.* FROM route_table_link l JOIN route_table t ON t.id = l.route_table
                        WHERE t.account = $1 ORDER BY l.id";
    PROPAGATIONS_OF_TABLE = "SELECT * FROM propagation WHERE route_table = $1 ORDER BY gateway";
    PROPAGATIONS_OF_ACCOUNT = "SELECT p.* FROM propagation p JOIN route_table t ON t.id = p.route_table
                               WHERE t.account = $1 ORDER BY p.gateway";
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
        query(INSERT_LINK)
            .bind(link.id.to_string())
            .bind(table.id.to_string())
            .bind(link.subnet.map(|subnet| subnet.to_string()))
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

pub(crate) async fn by_id(
    db: &mut AnyConnection,
    id: RouteTableId,
) -> Result<Option<RouteTable>, Error> {
    let id = id.to_string();
    let row = query(BY_ID).bind(id.as_str()).fetch_optional(&mut *db).await?;
    let links = query(LINKS_OF_TABLE).bind(id.as_str()).fetch_all(&mut *db).await?;
    let propagations = query(PROPAGATIONS_OF_TABLE).bind(id).fetch_all(db).await?;
    Ok(assemble(row.as_slice(), &links, &propagations)?.pop())
}

pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<RouteTable>, Error> {
    let account = account.to_string();
    let rows = query(OF_ACCOUNT).bind(account.as_str()).fetch_all(&mut *db).await?;
    let links = query(LINKS_OF_ACCOUNT).bind(account.as_str()).fetch_all(&mut *db).await?;
    let propagations = query(PROPAGATIONS_OF_ACCOUNT).bind(account).fetch_all(db).await?;
    assemble(&rows, &links, &propagations)
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
    for statement in [DELETE_PROPAGATIONS_OF_NET, DELETE_LINKS_OF_NET, DELETE_OF_NET] {
        query(statement).bind(net.to_string()).execute(&mut *db).await?;
    }
    Ok(())
}

fn assemble(
    rows: &[AnyRow],
    links: &[AnyRow],
    propagations: &[AnyRow],
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
    rows.iter()
        .map(|row| {
            let id = row.word("id")?;
            Ok(RouteTable {
                id,
                account: row.word("account")?,
                net: row.word("net")?,
                propagating: gateways_of.remove(&id).unwrap_or_default(),
                links: links_of.remove(&id).unwrap_or_default(),
            })
        })
        .collect()
}
