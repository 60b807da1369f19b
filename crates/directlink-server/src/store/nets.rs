//! Rows of Nets and Subnets.

use super::{
    Error,
    row::{Columns, unreadable},
    statements,
};
use directlink_model::{
    ids::{AccountId, ConnectionId, GatewayId, NetId, SubnetId},
    net::{Net, Subnet},
};
use directlink_net::Vni;
use sqlx::{AnyConnection, any::AnyRow, query};
use std::collections::BTreeMap;

statements! {
    INSERT_NET = "INSERT INTO net (id, account, range, vni, created_us) VALUES ($1, $2, $3, $4, $5)";
    DELETE_NET = "DELETE FROM net WHERE id = $1";
    NET_BY_ID = "SELECT * FROM net WHERE id = $1";
    NETS_OF_ACCOUNT = "SELECT * FROM net WHERE account = $1 ORDER BY created_us, id";
    // With the gateway that leads there, for the interfaces on a wire.
    NETS_ON_WIRE = "SELECT n.*, g.id AS gateway FROM gateway g JOIN net n ON n.id = g.net
                    WHERE g.id IN (SELECT gateway FROM interface WHERE connection = $1
                                   OR connection IN (SELECT connection FROM hosted_connection WHERE parent = $1))";
    EVERY_NET = "SELECT * FROM net";
    EVERY_SUBNET = "SELECT * FROM subnet";
    INSERT_SUBNET = "INSERT INTO subnet (id, account, net, range, subregion, created_us)
                     VALUES ($1, $2, $3, $4, $5, $6)";
    DELETE_SUBNET = "DELETE FROM subnet WHERE id = $1";
    SUBNET_BY_ID = "SELECT * FROM subnet WHERE id = $1";
    SUBNETS_OF_ACCOUNT = "SELECT * FROM subnet WHERE account = $1 ORDER BY created_us, id";
    SUBNETS_OF_NET = "SELECT * FROM subnet WHERE net = $1 ORDER BY created_us, id";
    TAKEN_ADDRESSES = "SELECT subnet, COUNT(*) AS n FROM nic WHERE account = $1 GROUP BY subnet";
}

pub(crate) async fn insert(db: &mut AnyConnection, net: &Net) -> Result<(), Error> {
    query(INSERT_NET)
        .bind(net.id.to_string())
        .bind(net.account.to_string())
        .bind(net.range.to_string())
        .bind(i64::from(net.vni.as_u32()))
        .bind(net.created_at.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn delete(db: &mut AnyConnection, id: NetId) -> Result<(), Error> {
    query(DELETE_NET).bind(id.to_string()).execute(db).await?;
    Ok(())
}

pub(crate) async fn by_id(db: &mut AnyConnection, id: NetId) -> Result<Option<Net>, Error> {
    query(NET_BY_ID).bind(id.to_string()).fetch_optional(db).await?.as_ref().map(read).transpose()
}

pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<Net>, Error> {
    let rows = query(NETS_OF_ACCOUNT).bind(account.to_string()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// Where the gateways of the interfaces lead that are on a connection, or on one that it hosts.
pub(crate) async fn on_wire(
    db: &mut AnyConnection,
    wire: ConnectionId,
) -> Result<BTreeMap<GatewayId, Net>, Error> {
    let rows = query(NETS_ON_WIRE).bind(wire.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("gateway")?, read(row)?))).collect()
}

pub(crate) async fn every(db: &mut AnyConnection) -> Result<Vec<Net>, Error> {
    query(EVERY_NET).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn every_subnet(db: &mut AnyConnection) -> Result<Vec<Subnet>, Error> {
    query(EVERY_SUBNET).fetch_all(db).await?.iter().map(read_subnet).collect()
}

pub(crate) async fn insert_subnet(db: &mut AnyConnection, subnet: &Subnet) -> Result<(), Error> {
    query(INSERT_SUBNET)
        .bind(subnet.id.to_string())
        .bind(subnet.account.to_string())
        .bind(subnet.net.to_string())
        .bind(subnet.range.to_string())
        .bind(subnet.subregion.as_str())
        .bind(subnet.created_at.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn delete_subnet(db: &mut AnyConnection, id: SubnetId) -> Result<(), Error> {
    query(DELETE_SUBNET).bind(id.to_string()).execute(db).await?;
    Ok(())
}

pub(crate) async fn subnet_by_id(
    db: &mut AnyConnection,
    id: SubnetId,
) -> Result<Option<Subnet>, Error> {
    query(SUBNET_BY_ID)
        .bind(id.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read_subnet)
        .transpose()
}

pub(crate) async fn subnets_of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<Subnet>, Error> {
    let rows = query(SUBNETS_OF_ACCOUNT).bind(account.to_string()).fetch_all(db).await?;
    rows.iter().map(read_subnet).collect()
}

pub(crate) async fn subnets_of_net(
    db: &mut AnyConnection,
    net: NetId,
) -> Result<Vec<Subnet>, Error> {
    let rows = query(SUBNETS_OF_NET).bind(net.to_string()).fetch_all(db).await?;
    rows.iter().map(read_subnet).collect()
}

/// How many addresses the account's NICs have taken of each Subnet.
pub(crate) async fn taken_addresses(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<(SubnetId, usize)>, Error> {
    let rows = query(TAKEN_ADDRESSES).bind(account.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("subnet")?, row.narrow("n")?))).collect()
}

fn read(row: &AnyRow) -> Result<Net, Error> {
    let vni: u32 = row.narrow("vni")?;
    Ok(Net {
        id: row.word("id")?,
        account: row.word("account")?,
        range: row.word("range")?,
        vni: Vni::try_from(vni).map_err(|why| unreadable("vni", vni, why))?,
        created_at: row.time("created_us")?,
    })
}

fn read_subnet(row: &AnyRow) -> Result<Subnet, Error> {
    Ok(Subnet {
        id: row.word("id")?,
        account: row.word("account")?,
        net: row.word("net")?,
        range: row.word("range")?,
        subregion: row.word("subregion")?,
        created_at: row.time("created_us")?,
    })
}
